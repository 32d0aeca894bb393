"""Pump stations of a model: which pumps work together, what they fill, and the ways in which they can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hydro.contents import controls
from hydro.engine import Engine
from umanflow.errors import UserError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SPEEDS = 4
_MOST_WAYS = 60


@dataclass(frozen=True, slots=True)
class Station:
    """Pumps that draw from one part of the network and give to one other.

    Attributes
    ----------
    name
        The first pump's.
    pumps
        Names.
    ways
        Relative speed of each pump, 0 for one that stands still; the first way is that none runs.
    bypasses
        Pipes that are open while a pump stands still, each with that pump.
    """

    name: str
    pumps: tuple[str, ...]
    ways: tuple[tuple[float, ...], ...]
    bypasses: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PumpZone:
    """A part of the network between pumps, fed by stations, with the tanks that float on it.

    Attributes
    ----------
    name
        Of its first tank, or of its first station.
    nodes, tanks
        int64, all of its nodes, and the tanks among them.
    stations
        That feed it.
    draws
        Names of the stations that draw from it.
    steady
        Names of its stations that never stand still but in a power cut.
    """

    name: str
    nodes: Ints
    tanks: Ints
    stations: tuple[Station, ...]
    draws: tuple[str, ...]
    steady: frozenset[str] = frozenset()

    @property
    def pumps(self) -> tuple[str, ...]:
        """All pumps that feed it."""
        return tuple(pump for station in self.stations for pump in station.pumps)

    @property
    def bypasses(self) -> tuple[tuple[str, str], ...]:
        """All pipes beside its pumps, each with its pump."""
        return tuple(pair for station in self.stations for pair in station.bypasses)

    @property
    def ways(self) -> tuple[tuple[float, ...], ...]:
        """Every way of all stations together, speeds in the order of `pumps`; the first is that none runs."""
        every = list(product(*(station.ways for station in self.stations)))
        is_steady = [station.name in self.steady for station in self.stations]
        kept = [
            way for way in every[1:] if all(any(w) or not s for w, s in zip(way, is_steady, strict=True))
        ]  # fmt: skip
        return tuple(sum(way, ()) for way in (every[0], *kept))


def speeds_of(engine: Engine, stated: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Pumps of variable speed, lowest and highest: those that are stated, and those that the model's controls set.

    Raises
    ------
    UserError
        If a stated one is no pump of the network.
    """
    topology = engine.topology
    found: dict[str, tuple[float, float]] = {}
    pumps = {topology.links[k] for k in engine.pumps.tolist()}
    for control in controls(engine.project):
        name = topology.links[control.link]
        if name in pumps and np.isfinite(control.setting) and control.setting > 0.0:
            low, high = found.get(name, (1.0, 1.0))
            found[name] = min(low, control.setting), max(high, control.setting)
    for name, limits in stated.items():
        if name not in pumps:
            raise UserError(f"[pumps] variable: '{name}' is no pump of the network")
        found[name] = limits
    return {name: limits for name, limits in found.items() if limits[0] < limits[1]}


def zones_of(engine: Engine, speeds: Mapping[str, tuple[float, float]], closed: frozenset[str]) -> list[PumpZone]:
    """Zones that pumps feed, those first from which nothing is pumped further.

    Parameters
    ----------
    speeds
        Of `speeds_of`.
    closed
        Links that are shut for good.
    """
    topology, pumps = engine.topology, engine.pumps
    beside = _bypasses(engine, closed)
    boundary = np.array([name in closed or name in beside for name in topology.links])
    boundary[pumps] = True
    part = topology.districts(boundary)
    grouped: dict[tuple[int, int], list[int]] = {}
    for pump in pumps.tolist():
        grouped.setdefault((int(part[topology.start[pump]]), int(part[topology.end[pump]])), []).append(pump)
    fed: dict[int, list[Station]] = {}
    drawn: dict[int, list[str]] = {}
    for (source, zone), members in grouped.items():
        station = _station(engine, members, speeds)
        mine = tuple((pipe, pump) for pipe, pump in beside.items() if pump in station.pumps)
        station = replace(station, bypasses=mine)
        fed.setdefault(zone, []).append(station)
        if source != zone:
            drawn.setdefault(source, []).append(station.name)
    found = {}
    for zone, stations in fed.items():
        tanks = engine.tanks[part[engine.tanks] == zone]
        name = topology.nodes[int(tanks[0])] if len(tanks) else stations[0].name
        nodes = np.flatnonzero(part == zone).astype(np.int64)
        found[zone] = PumpZone(name, nodes, tanks, tuple(stations), tuple(drawn.get(zone, ())))
    return _from_the_end(list(found.values()))


def _bypasses(engine: Engine, closed: frozenset[str]) -> dict[str, str]:
    """Pipes that controls shut whenever they start a pump and open whenever they stop it, by name: the pump."""
    topology = engine.topology
    moves: dict[int, set[tuple[str, int, float, bool]]] = {}
    for control in controls(engine.project):
        moves.setdefault(control.link, set()).add((control.kind, control.node, control.level, control.setting > 0.0))
    pumps = {k: moves[k] for k in engine.pumps.tolist() if k in moves}
    found: dict[str, str] = {}
    for pipe in topology.pipes.tolist():
        turned = {(kind, node, level, not is_open) for kind, node, level, is_open in moves.get(pipe, ())}
        if turned and topology.links[pipe] not in closed:
            for pump in (k for k, own in pumps.items() if own == turned):
                found[topology.links[pipe]] = topology.links[pump]
    return found


def _from_the_end(zones: list[PumpZone]) -> list[PumpZone]:
    """Zones in an order in which a station is dealt with before the zone that it draws from; rings are cut anywhere."""
    waiting, order, done = list(zones), list[PumpZone](), set[str]()
    while waiting:
        ready = [zone for zone in waiting if set(zone.draws) <= done] or waiting[:1]
        for zone in ready:
            order.append(zone)
            waiting.remove(zone)
            done |= {station.name for station in zone.stations}
    return order


def _station(engine: Engine, pumps: list[int], speeds: Mapping[str, tuple[float, float]]) -> Station:
    """Pumps of one curve are interchangeable; one of variable speed leads."""
    names = [engine.topology.links[k] for k in pumps]
    alike: dict[tuple[float, float, float], list[str]] = {}
    lead: list[str] = []
    for name, pump in zip(names, pumps, strict=True):
        if name in speeds:
            lead.append(name)
        else:
            curve, power, speed = (engine.value("link", pump, k) for k in ("head_curve", "power", "init_setting"))
            alike.setdefault((curve, power, speed or 1.0), []).append(name)
    order = [*lead, *(name for group in alike.values() for name in group)]
    choices: list[list[tuple[float, ...]]] = []
    for name in lead:
        low, high = speeds[name]
        choices.append([(0.0,), *((round(float(v), 3),) for v in np.linspace(low, high, _SPEEDS))])
    for (_, _, speed), group in alike.items():
        choices.append([tuple(speed if k < n else 0.0 for k in range(len(group))) for n in range(len(group) + 1)])
    ways = [sum(way, ()) for way in product(*choices)]
    if lead and len(ways) > 1:  # what follows the lead runs with it
        ways = [way for way in ways if way[0] > 0.0 or not any(way[len(lead) :])]
    if len(ways) > _MOST_WAYS:  # as many as there are pumps, one after another
        ways = [tuple(1.0 if k < n else 0.0 for k in range(len(order))) for n in range(len(order) + 1)]
    return Station(names[0], tuple(order), tuple(ways))
