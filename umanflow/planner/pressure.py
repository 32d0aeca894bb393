"""Set-points of pressure-reducing valves by the hour: as low as customers' free head allows, and simulated again.

Valves of blocks' inlets, other valves that the model has (such as those at a station's outlet), inlets that have none,
and places inside blocks where a valve of its own pays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Network, load
from networks.export import inp_bytes
from networks.inp.controlled import controlled
from umanflow.errors import UserError
from umanflow.planner.places import Candidate, Ground, Prices, candidates, hourly_flow
from umanflow.planner.pressurefacts import (
    Norm,
    PlaceTried,
    PressurePlan,
    ValvePlan,
    ZoneEffect,
    control_lines,
    equipped_network,
)
from umanflow.planner.sentence import Sentence
from umanflow.planner.setpoints import Search, Zone
from umanflow.planner.simulation import Day, night_flow, run_day
from umanflow.planner.valvezones import NamedZone, bare_inlets, members_of, present_zones
from umanflow.planner.valving import NewValve, with_valves
from umanflow.report.wording import mark

__all__ = [
    "DEFAULT_PRICES", "Norm", "NothingToSet", "PlaceTried", "PressurePlan", "ValvePlan", "ZoneEffect", "control_lines",
    "equipped_network", "plan_pressure",
]  # fmt: skip

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SHORT_M = 0.1  # less is within what a simulation by the hour can tell
_WORTH_M = 2.0  # a new valve at an inlet has to take this much off, on average
_BURSTS_BY_PRESSURE = 1.4  # percent fewer bursts for each percent of maximum pressure (Thornton and Lambert 2007)


class NothingToSet(UserError):
    """A network has neither blocks nor valves whose pressure could be set."""


DEFAULT_PRICES = Prices(450_000.0, 120_000.0, (15_000.0, 180_000.0), 12.0, 35_000.0, 20, 0.08)


def plan_pressure(network: Network, norm: Norm, prices: Prices = DEFAULT_PRICES, places: int = 20) -> PressurePlan:
    """Find set-points for the valves that there are, and new valves where they pay.

    The day is the second of the model's run. A set-point is lowered by what the worst customer of the zone has to
    spare in that hour, and simulated again until nothing moves; free head that was short before is not made shorter.

    Parameters
    ----------
    network
        With tables of nodes (storeys) and blocks, or valves of its own; without a table every customer is due one
        storey's head.
    norm
        What customers are due.
    prices
        Of valves inside blocks.
    places
        Inside blocks, that are simulated at most.

    Raises
    ------
    NothingToSet
        If there is neither a table of blocks nor a valve.
    UserError
        If the tables do not fit one another.
    """
    with Engine(network) as engine:
        before = run_day(engine)
        fixed = present_zones(engine, network)
        inlets = bare_inlets(engine, network)
        if not fixed and not inlets:
            told = mark(
                "{file}: pressure is planned by blocks or valves, and there is none; put nodes.csv and dmas.csv into "
                "the folder {folder} beside the INP, or build blocks first"
            )
            raise NothingToSet(Sentence(told, file=str(network.source), folder=f"{network.source.stem}.tables"))
    return _Planner(network, norm, prices, before, places).plan(fixed, inlets)


class _Planner:
    """Inlets first, then places inside what they feed, then everything from the written file."""

    def __init__(self, network: Network, norm: Norm, prices: Prices, before: Day, places: int) -> None:
        self._network, self._norm, self._prices, self._before = network, norm, prices, before
        self._places = places

    def plan(self, fixed: Sequence[NamedZone], inlets: Sequence[NamedZone]) -> PressurePlan:
        """Search, leave out new valves that do not pay, look inside, and simulate what is written."""
        outer = [*fixed, *inlets]
        if self._network.dmas is not None:
            order = [str(dma) for dma in self._network.dmas["dma"]]
            outer.sort(key=lambda zone: order.index(zone.name) if zone.name in order else len(order))
        estimates: list[Candidate] = []
        promising: list[NamedZone] = []
        while True:
            with Engine(self._with(outer)) as engine:
                search, _, own = self._begin(engine, outer)
                every = np.ones(len(outer), dtype=bool)
                settings = search.settle(own, own, every, every)
                drop = (own - settings).mean(axis=0)
                kept = [z for z, off in zip(outer, drop.tolist(), strict=True) if z.new is None or off >= _WORTH_M]
                if len(kept) == len(outer):
                    if self._places:
                        ground = self._ground(engine, search, outer, settings)
                        estimates = candidates(ground, self._prices, self._places)
                        promising = [self._named(engine, candidate) for candidate in estimates]
                    break
            outer = kept
        zones, places = self._inside(outer, promising, estimates, settings)
        return self._told(zones, places)

    def _with(self, zones: Sequence[NamedZone], closed: Sequence[str] = ()) -> Network:
        new = [zone.new for zone in zones if zone.new is not None]
        return with_valves(self._network, new, closed) if new else self._network

    def _begin(self, engine: Engine, zones: Sequence[NamedZone], coarse: bool = False) -> tuple[Search, Day, Floats]:
        """A search, the day as it is, and what stands behind each valve then."""
        search = Search(engine, [zone.at(engine) for zone in zones], self._need(engine), coarse)
        before = search.run(None, np.ones(len(zones), dtype=bool))
        return search, before, search.behind(before)

    def _due(self, engine: Engine) -> Floats:
        """Free head that is due at each node, float64 [n_nodes]; minus infinite where there is no customer."""
        topology, due = engine.topology, np.full(len(engine.topology.nodes), -np.inf)
        if self._network.nodes is not None:
            homes = self._network.nodes[self._network.nodes["connections"] > 0]
            due[[topology.node(str(n)) for n in homes["node"]]] = self._norm.head(homes["storeys"].to_numpy())
            return due
        with Engine(self._network) as plain:
            taking = np.flatnonzero(self._before.demand_m3d > 0.0)
            due[[topology.node(plain.topology.nodes[k]) for k in taking.tolist()]] = self._norm.first
        return due

    def _need(self, engine: Engine) -> Floats:
        """What is to be kept: as it was where that was less than the norm and its margin; never lower there."""
        due, lowest = self._due(engine), np.full(len(engine.topology.nodes), np.inf)
        with Engine(self._network) as plain:
            at = [engine.topology.node(name) for name in plain.topology.nodes]
        lowest[at] = self._before.pressure.min(axis=0)
        return np.asarray(np.minimum(due + self._norm.margin, lowest))

    def _ground(self, engine: Engine, search: Search, zones: Sequence[NamedZone], settings: Floats) -> Ground:
        """What places inside are looked for on: blocks, other valves' zones, and what lies in neither."""
        topology = engine.topology
        every = np.ones(len(zones), dtype=bool)
        held = {zone.valve: settings[:, k] for k, zone in enumerate(zones)}
        areas = {name: np.array([topology.node(n) for n in nodes]) for name, nodes in members_of(self._network).items()}
        for zone in zones:
            areas.setdefault(zone.name, np.array([topology.node(n) for n in zone.nodes]))
        inside = np.zeros(len(topology.nodes), dtype=bool)
        for nodes in areas.values():
            inside[nodes] = True
        at_pump = np.zeros(len(topology.nodes), dtype=bool)
        at_pump[topology.start[engine.pumps]] = at_pump[topology.end[engine.pumps]] = True
        rest = np.flatnonzero(~inside & ~at_pump & topology.is_junction)
        if len(rest):
            areas[""] = rest
        has_valve = ~topology.is_pipe
        if self._network.valves is not None:
            known = [str(p) for p in self._network.valves["pipe"] if str(p) in topology.link_index]
            has_valve[[topology.link(p) for p in known]] = True
        engine.start()
        engine.solve()
        is_open = engine.read("link", "status") > 0.0
        engine.stop()
        return Ground(
            topology, areas, search.run(settings, every), search.need, hourly_flow(engine, held), is_open, has_valve,
            engine.read("link", "diameter"),
        )  # fmt: skip

    def _named(self, engine: Engine, candidate: Candidate) -> NamedZone:
        topology = engine.topology
        pipe = topology.links[candidate.inlet]
        name = f"{candidate.area}/{pipe}" if candidate.area else pipe
        new = NewValve(f"PLAN-PRV-{pipe}", pipe, candidate.is_forward)
        return NamedZone(
            name, new.name, pipe, new, tuple(topology.nodes[k] for k in candidate.nodes.tolist()),
            tuple(topology.links[k] for k in candidate.closes.tolist()),
        )  # fmt: skip

    def _inside(
        self, outer: list[NamedZone], inner: list[NamedZone], estimates: Sequence[Candidate], settings: Floats
    ) -> tuple[list[NamedZone], list[PlaceTried]]:
        """Simulate each place by itself beside the inlets' set-points, and keep those that pay."""
        if not inner:
            return outer, []
        zones, places, breaks = [*outer, *inner], [], self._breaks()
        with Engine(self._with(zones)) as engine:
            search, _, own = self._begin(engine, zones, coarse=True)
            n = len(outer)
            start = np.concatenate((settings, own[:, n:]), axis=1)
            alone = search.run(start, np.arange(len(zones)) < n)
            start[:, n:] = search.behind(alone)[:, n:]
            for k, (zone, guess) in enumerate(zip(inner, estimates, strict=True), start=n):
                is_set = (np.arange(len(zones)) < n) | (np.arange(len(zones)) == k)
                found = search.settle(start, start, is_set, np.arange(len(zones)) == k)
                day = search.run(found, is_set)
                nodes = search.zones[k].nodes
                saved = float(alone.leakage_m3d.sum() - day.leakage_m3d.sum())
                top = [float(d.pressure[:, nodes].max()) for d in (alone, day)]
                fewer = _BURSTS_BY_PRESSURE * max(1.0 - top[1] / top[0], 0.0) * self._broken(engine, nodes, breaks)
                worth = self._prices.worth(saved, fewer)
                least = np.maximum(day.pressure.min(axis=0), 0.0)  # what no water reaches has none, not EPANET's -1e5
                short = np.minimum(search.need, alone.pressure.min(axis=0)) - least
                short = short[np.isfinite(search.need) & (short > _SHORT_M)]
                places.append(PlaceTried(
                    zone.name, guess.area, zone.inlet, zone.closes,
                    int(np.isfinite(search.need[nodes]).sum()), guess.leakage, guess.estimate, saved, fewer,
                    guess.cost, worth, len(short), float(short.max(initial=0.0)), worth > guess.cost and not len(short),
                ))  # fmt: skip
        chosen = [zone for zone, place in zip(inner, places, strict=True) if place.is_chosen]
        return [*outer, *chosen], places

    def _breaks(self) -> dict[str, float]:
        """Recorded breaks a year by pipe; none where there is no record."""
        table = self._network.breaks
        if table is None or not len(table):
            return {}
        years = [int(str(month)[:4]) for month in table["month"] if str(month)[:4].isdecimal()]
        span = max(years) - min(years) + 1.0 if years else 1.0
        return {str(pipe): count / span for pipe, count in table["pipe"].value_counts().items()}

    def _broken(self, engine: Engine, nodes: Ints, breaks: Mapping[str, float]) -> float:
        """Breaks a year on pipes whose both ends lie in a zone."""
        topology, inside = engine.topology, np.zeros(len(engine.topology.nodes), dtype=bool)
        inside[nodes] = True
        links = [(topology.link(pipe), rate) for pipe, rate in breaks.items() if pipe in topology.link_index]
        return float(sum(rate for k, rate in links if inside[topology.start[k]] and inside[topology.end[k]]))

    def _told(self, zones: list[NamedZone], places: list[PlaceTried]) -> PressurePlan:
        """Settle everything together, and read what it does from the written file."""
        closed = [name for zone in zones for name in zone.closes]
        network = self._with(zones)
        with Engine(network) as engine:
            search, before, own = self._begin(engine, zones)
            every = np.ones(len(zones), dtype=bool)
            settings = search.settle(own, own, every, every)
            after = search.run(settings, every)
            fixed = np.broadcast_to(settings.max(axis=0), settings.shape).copy()
            steady = search.run(fixed, every)
            due = self._due(engine)
        valves = tuple(
            ValvePlan(z.valve, z.name, z.inlet, z.new is not None, own[:, k], settings[:, k],
                      float(settings[:, k].max()), z.closes, z.new is None or z.new.is_forward)
            for k, z in enumerate(zones)
        )  # fmt: skip
        effects = tuple(self._effect(zone, before, steady, after) for zone in search.zones)
        at = np.flatnonzero(np.isfinite(due))
        met = [(day.pressure[:, at] >= due[at] - 1e-3).all(axis=0) for day in (before, after)]
        slack = after.pressure[:, at][:, met[0]].min(axis=0) - due[at][met[0]]
        total = [float(day.leakage_m3d.sum()) for day in (before, steady, after)]
        plan = PressurePlan(
            valves, effects, tuple(places), total[0] - total[2], total[0] - total[1], len(at), int(met[0].sum()),
            int(met[1].sum()), float(slack.min()) if len(slack) else 0.0, 0.0, 1.0, b"",
        )  # fmt: skip
        return self._checked(plan, self._with(zones, closed), total[0])

    def _checked(self, plan: PressurePlan, network: Network, leakage: float) -> PressurePlan:
        """Write the whole model and simulate the file."""
        bare = inp_bytes(network)
        with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
            path = Path(folder) / "planned.inp"
            path.write_bytes(bare)
            with Engine(load(path)) as engine:
                unit = engine.pressure_unit
            plan = replace(plan, unit=unit)
            data = controlled(bare, [valve.valve for valve in plan.valves], control_lines(plan))
            path.write_bytes(data)
            with Engine(load(path)) as engine:
                day = run_day(engine)
        return replace(plan, checked=leakage - float(day.leakage_m3d.sum()), _inp=data)

    def _effect(self, zone: Zone, before: Day, steady: Day, after: Day) -> ZoneEffect:
        nodes = zone.nodes
        mean = [float(np.average(d.pressure[:, nodes].mean(axis=1), weights=d.weight)) for d in (before, after)]
        top = [float(day.pressure[:, nodes].max()) for day in (before, after)]
        fewer = _BURSTS_BY_PRESSURE * (1.0 - top[1] / top[0]) if top[0] > 0.0 else 0.0
        lost = [float(day.leakage_m3d[nodes].sum()) for day in (before, steady, after)]
        return ZoneEffect(
            zone.name, lost[0], lost[1], lost[2], mean[0], mean[1], top[0], top[1], float(np.clip(fewer, 0.0, 1.0)),
            night_flow(before, nodes), night_flow(after, nodes),
        )  # fmt: skip
