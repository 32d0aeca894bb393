"""Pump schedules against an hourly tariff: planned by tank levels, written as controls, and simulated from the file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from models.pumpday import PumpDay, cheapest_day
from networks import Network, load
from networks.closed import closed_links
from networks.export import inp_bytes
from networks.inp.clock import as_duration, for_control
from networks.inp.controlled import controlled
from umanflow.planner.customers import Customers
from umanflow.planner.cuts import try_cut
from umanflow.planner.pumphours import Around, Tabulator, ZoneHours, priced
from umanflow.planner.pumpplan import PumpHour, PumpPlan, PumpRules, Reserve
from umanflow.planner.pumprun import Course, PumpRun, Storage, run_pumps
from umanflow.planner.sentence import Sentence
from umanflow.planner.simulation import DAY, HOUR
from umanflow.planner.stations import PumpZone, speeds_of, zones_of
from umanflow.planner.tariff import HOURS, tariff_of
from umanflow.report.wording import mark

__all__ = ["PumpPlan", "PumpRules", "plan_pumps", "schedule_lines"]

Floats = NDArray[np.float64]

_DAYS = 3  # that are simulated and counted
_ROUNDS = 5
_EDGE = 0.05  # of the usable volume, that is kept off empty and full
_EMPTY_M = 0.05
_MARGIN_MOST_M = 1.5  # above customers' need, added at most in a round
_SHORT_M = 0.05
_VOLUME = 0.03  # by which a source may give less than it does now
_BISECTIONS, _REWARD_MOST = 8, 20.0  # UAH/m3
_FULL = 1e-6
_SETTLED, _LESS = 0.02, 0.005  # of the usable volume: at the end of the day, and under what is to be held


def plan_pumps(
    network: Network, customers: Customers, kept: Floats, rules: PumpRules,
    progress: Callable[[float], None] | None = None,
) -> PumpPlan | None:  # fmt: skip
    """Find a day's schedule for the pumps; None where the network has none.

    The second day of the model's run is planned, with everything else as it is in the network.

    Parameters
    ----------
    kept
        float64 [n_customers], pressure that each is to keep, m: what he is due or, where he has less now, what he has.
    """
    with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
        study = _Study(network, customers, kept, rules, Path(folder))
        return study.plan(progress or (lambda _: None)) if study.zones else None


@dataclass
class _Found:
    """One schedule: its file and what came of it."""

    data: bytes
    ways: list[PumpDay]
    run: PumpRun
    course: Course
    faults: tuple[str, ...]
    badness: float


class _Study:
    """The present state, tables, and rounds of planning and simulating."""

    def __init__(self, network: Network, customers: Customers, kept: Floats, rules: PumpRules, folder: Path) -> None:
        self._data, self._folder, self._rules = inp_bytes(network), folder, rules
        self._customers, self._kept = customers, kept
        self._closed = closed_links(network)
        with self._open(self._data) as engine:
            stated = {name: (low, high) for name, low, high in rules.variable}
            self.zones = zones_of(engine, speeds_of(engine, stated), self._closed)
            self._topology, self._tanks, self._unit = engine.topology, engine.tanks, engine.length_unit
            self._tariff = tariff_of(engine, rules.price, rules.flat)
            self._names = [engine.topology.links[k] for k in engine.pumps.tolist()]
            self._clock, self._pattern = engine.clock_start, engine.project.time("pattern_start")
            self._storage = [Storage(engine, zone.tanks) for zone in self.zones]
            if self.zones:
                self.before, self._present = self._run(engine, skip=1)
                self.zones = [self._steadied(zone) for zone in self.zones]
                for zone, storage in zip(self.zones, self._storage, strict=True):
                    at = [self._tanks.tolist().index(node) for node in zone.tanks.tolist()]
                    storage.learn(self._present.level[:, at])
        self._freed = [*self._names, *(pipe for zone in self.zones for pipe, _ in zone.bypasses)]
        self._margin = np.zeros(HOURS)
        self._up, self._down, self._gain = ([0.0] * len(self.zones) for _ in range(3))

    def _steadied(self, zone: PumpZone) -> PumpZone:
        """Stations beside the largest one that never stand still now have to go on: their water is not replaced."""
        volume = {station.name: self.before.volume[station.name] for station in zone.stations}
        largest = max(volume, key=lambda name: volume[name])
        steady = set()
        for station in zone.stations:
            mine = [self._names.index(pump) for pump in station.pumps]
            if station.name != largest and (self._present.speed[:, mine].max(axis=1) > 0.0).all():
                steady.add(station.name)
        return replace(zone, steady=frozenset(steady))

    def _open(self, data: bytes) -> Engine:
        path = self._folder / "model.inp"
        path.write_bytes(data)
        return Engine(load(path))

    def _run(self, engine: Engine, skip: int) -> tuple[PumpRun, Course]:
        return run_pumps(engine, self.zones, self._tariff, self._customers.at, self._kept - _SHORT_M, skip, _DAYS)

    def plan(self, progress: Callable[[float], None]) -> PumpPlan:
        """Tabulate, choose, write, simulate; correct the tables by what the simulation does otherwise."""
        around = Around(self._present.speed[:HOURS], self._present.level[:HOURS])
        best: _Found | None = None
        for k in range(_ROUNDS):
            tables, days = self._tables(around)
            found = self._simulated(days, tables)
            if best is None or (found.badness, found.run.even_cost) < (best.badness, best.run.even_cost):
                best, told = found, tables
            progress((k + 1) / (_ROUNDS + 1))
            if found.badness == 0.0:
                break
            self._learn(found, tables)
            around = Around(found.course.speed[:HOURS], found.course.level[:HOURS])
        assert best is not None
        return self._told(best, told)

    def _tables(self, around: Around) -> tuple[list[ZoneHours], list[PumpDay]]:
        """Tables and choice of each zone, downstream first: a station's draw is known when its source is due."""
        tables, days = [], []
        with self._open(controlled(self._data, self._freed, ())) as engine:
            tabulator = Tabulator(engine, self.zones, self._tariff, self._customers.at, self._kept)
            for z, zone in enumerate(self.zones):
                tables.append(tabulator.tabulate(zone, self._storage[z], around))
                days.append(self._choose(zone, tables[z]))
                around = self._with(around, zone, days[z], self._storage[z])
        return tables, days

    def _learn(self, found: _Found, tables: Sequence[ZoneHours]) -> None:
        """Keep further away from what the simulation has come too near to."""
        short = found.course.short.reshape(_DAYS, HOURS).max(axis=0)
        self._margin = self._margin + np.minimum(short, _MARGIN_MOST_M)
        for z, (zone, table) in enumerate(zip(self.zones, tables, strict=True)):
            if len(zone.tanks):
                fill = found.course.fill[:, z]
                floor = self._limits(zone, table)[0]
                hours = np.arange(len(fill)) % HOURS
                self._up[z] += float(np.clip((floor[hours] - fill).max(), 0.0, _EDGE))
                self._gain[z] += float(np.clip(fill[0] - fill[HOURS], 0.0, _EDGE))
                self._down[z] += float(np.clip(fill.max() - 1.0 + 0.5 * _EDGE, 0.0, _EDGE))

    def _choose(self, zone: PumpZone, tables: ZoneHours) -> PumpDay:
        """The cheapest day whose stations give no less than now, but for the largest one."""
        floor, ceiling = self._limits(zone, tables)
        z = self.zones.index(zone)
        floor, ceiling = np.minimum(floor + _EDGE + self._up[z], 1.0 - 3.0 * _EDGE), ceiling - self._down[z]
        reward = np.zeros(len(zone.stations))

        def solve() -> tuple[PumpDay, Floats]:
            hours = priced(tables, self._margin, reward)
            day = cheapest_day(hours, floor, ceiling, self._rules.start_cost, self._gain[z])
            given = np.array([
                [np.interp(f, hours.levels, tables.volume[h, w, :, s]) for s in range(len(reward))]
                for h, (w, f) in enumerate(zip(day.ways.tolist(), day.fill[:-1].tolist(), strict=True))
            ])  # fmt: skip
            return day, given.sum(axis=0)

        wanted = np.array([self.before.volume[station.name] for station in zone.stations])
        day, given = solve()
        largest = int(np.argmax(wanted))
        for s in range(len(wanted)):
            if s == largest or given[s] >= (1.0 - _VOLUME) * wanted[s]:
                continue
            low, high = 0.0, _REWARD_MOST
            for _ in range(_BISECTIONS):
                reward[s] = 0.5 * (low + high)
                _, given = solve()
                low, high = (low, reward[s]) if given[s] >= (1.0 - _VOLUME) * wanted[s] else (reward[s], high)
            reward[s] = high
            day, given = solve()
        return day

    def _limits(self, zone: PumpZone, tables: ZoneHours) -> tuple[Floats, Floats]:
        """Least and highest fill by hour, float64 [24] each.

        A power cut at that hour is bridged; where it cannot be at every hour, no less is held than now.
        """
        low = self._needed(tables)
        if (low > 1.0 - 4.0 * _EDGE).any():
            present = self._present.fill[: HOURS * _DAYS, self.zones.index(zone)].min()
            low = np.minimum(low, float(present))
        return np.maximum(low, 0.0), np.full(HOURS, 1.0 - _EDGE)

    def _needed(self, tables: ZoneHours) -> Floats:
        """Share of the usable volume that a cut beginning in each hour takes, float64 [24]."""
        drain = np.maximum(tables.drain, 0.0)
        whole, part = divmod(self._rules.outage, 1.0)
        ahead = (np.arange(HOURS)[:, None] + np.arange(int(whole) + 1)) % HOURS
        weight = np.array([1.0] * int(whole) + [part])
        return np.asarray(drain[ahead] @ weight)

    def _with(self, around: Around, zone: PumpZone, day: PumpDay, storage: Storage) -> Around:
        speed, level = around.speed.copy(), around.level.copy()
        for k, name in enumerate(zone.pumps):
            speed[:, self._names.index(name)] = [zone.ways[way][k] for way in day.ways.tolist()]
        for hour in range(HOURS):
            for node, value in zip(zone.tanks.tolist(), storage.levels(float(np.clip(day.fill[hour], 0.0, 1.0))),
                                   strict=True):  # fmt: skip
                level[hour, self._tanks.tolist().index(node)] = value
        return Around(speed, level)

    def _simulated(self, days: list[PumpDay], tables: Sequence[ZoneHours]) -> _Found:
        """Write the schedule into the file and run what is written."""
        speed = {
            name: [zone.ways[way][k] for way in day.ways.tolist()]
            for zone, day in zip(self.zones, days, strict=True)
            for k, name in enumerate(zone.pumps)
        }
        levels = {}
        for zone, day, storage in zip(self.zones, days, self._storage, strict=True):
            for node, value in zip(zone.tanks.tolist(), storage.levels(float(day.fill[0])), strict=True):
                levels[self._topology.nodes[node]] = f"{value / self._unit:.4f}"
        start = as_duration(self._pattern + DAY)
        beside = {pipe: [float(s <= 0.0) for s in speed[pump]] for zone in self.zones for pipe, pump in zone.bypasses}
        lines = schedule_lines(speed | beside, self._clock)
        data = controlled(self._data, self._freed, lines, levels, (f"Pattern Start {start}",))
        with self._open(data) as engine:
            run, course = self._run(engine, skip=0)
        faults, badness = self._faults(run, course, tables)
        return _Found(data, days, run, course, faults, badness)

    def _faults(self, run: PumpRun, course: Course, tables: Sequence[ZoneHours]) -> tuple[tuple[str, ...], float]:
        """What a simulated schedule does not keep, and how bad that is all together."""
        said: list[tuple[str, float]] = []
        if run.short_m > 0.0:
            told = mark("{n} customers' nodes are short, by up to {short} m more than allowed")
            said.append((Sentence(told, n=run.n_short, short=round(run.short_m, 2)), run.short_m))
        for z, (zone, table) in enumerate(zip(self.zones, tables, strict=True)):
            if len(zone.tanks):
                said += self._faults_of(zone, table, course.fill[:, z])
            said += self._less_water(zone, run)
        for tank, now in zip(run.tanks, self.before.tanks, strict=True):
            if tank.least < tank.low + _EMPTY_M < now.least:
                said.append((Sentence(mark("{tank}: runs empty"), tank=tank.tank), _SETTLED))
        if run.warnings > self.before.warnings:
            said.append((Sentence(mark("EPANET warns at {n} moments"), n=run.warnings), _SETTLED))
        return tuple(text for text, _ in said), sum(bad for _, bad in said)

    def _faults_of(self, zone: PumpZone, table: ZoneHours, fill: Floats) -> list[tuple[str, float]]:
        """What a zone's tanks do not keep: the storage, the cycle, room at the top."""
        said: list[tuple[str, float]] = []
        floor = self._limits(zone, table)[0]
        under = float((floor[np.arange(len(fill)) % HOURS] - fill).max())
        if under > _LESS:
            told = mark("{zone}: holds {share} % of its volume less than it is to hold")
            said.append((Sentence(told, zone=zone.name, share=round(100 * under)), under))
        lost = float(fill[0] - fill[HOURS])
        if lost > _SETTLED:
            told = mark("{zone}: ends the day {share} % of its volume lower")
            said.append((Sentence(told, zone=zone.name, share=round(100 * lost)), lost))
        if float(fill.max()) > 1.0 - _FULL:
            said.append((Sentence(mark("{zone}: stands full"), zone=zone.name), _SETTLED))
        return said

    def _less_water(self, zone: PumpZone, run: PumpRun) -> list[tuple[str, float]]:
        """Stations beside the largest one that give less than they do now."""
        wanted = {station.name: self.before.volume[station.name] for station in zone.stations}
        largest = max(wanted, key=lambda name: wanted[name])
        told = mark("{station}: gives {then} m³/d, less than the {now} of now")
        return [
            (Sentence(told, station=name, then=round(run.volume[name]), now=round(volume)),
             1.0 - run.volume[name] / volume)
            for name, volume in wanted.items()
            if name != largest and run.volume[name] < (1.0 - 2.0 * _VOLUME) * volume
        ]  # fmt: skip

    def _told(self, found: _Found, tables: Sequence[ZoneHours]) -> PumpPlan:
        hours = []
        for zone, day in zip(self.zones, found.ways, strict=True):
            station_of = {pump: station.name for station in zone.stations for pump in station.pumps}
            for k, pump in enumerate(zone.pumps):
                for hour, way in enumerate(day.ways.tolist()):
                    clock = (self._clock // HOUR + hour) % HOURS
                    price = float(self._tariff.price[clock, self._names.index(pump)])
                    hours.append(PumpHour(pump, station_of[pump], clock, zone.ways[way][k], price))
        reserves = []
        for z, (zone, storage, table) in enumerate(zip(self.zones, self._storage, tables, strict=True)):
            if len(zone.tanks):
                needed = float(self._needed(table).max())
                reserves.append(Reserve(
                    zone.name, storage.usable, needed * storage.usable, needed <= 1.0 - 4.0 * _EDGE,
                    float(self._present.fill[:, z].min()) * storage.usable,
                    float(found.course.fill[:, z].min()) * storage.usable,
                ))  # fmt: skip
        cuts = []
        for data, skip in ((self._data, 1), (found.data, 0)):
            with self._open(data) as engine:
                cuts.append(try_cut(engine, self._customers, self._rules.outage, skip))
        return PumpPlan(
            self._tariff.by_hour, self._tariff.source, tuple(sorted(hours, key=lambda h: (h.station, h.pump, h.hour))),
            self.before, found.run, tuple(reserves), cuts[0], cuts[1], not found.faults, found.faults, found.data,
        )  # fmt: skip


def schedule_lines(speed: dict[str, list[float]], clock_start: int = 0) -> list[str]:
    """Lines for `[CONTROLS]` that run pumps by the clock.

    Parameters
    ----------
    speed
        Relative speeds by pump, 24 hours from the run's begin; 0 stands still. Pipes beside pumps: 1 open, 0 shut.
    clock_start
        s after midnight at which the run begins.
    """
    lines = []
    for pump, values in speed.items():
        for hour, value in enumerate(values):
            at = f"AT CLOCKTIME {for_control((clock_start + hour * HOUR) % DAY)}"
            lines.append(f"LINK {pump} {'OPEN' if value > 0.0 else 'CLOSED'} {at}")
            if value > 0.0 and value != 1.0:  # OPEN means full speed
                lines.append(f"LINK {pump} {value:g} {at}")
    return lines
