"""Days of the pumps as EPANET runs them: energy and money by its own efficiency curves, levels, free heads, starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.switching import Tank
from umanflow.planner.simulation import DAY, HOUR
from umanflow.planner.stations import PumpZone
from umanflow.planner.tariff import HOURS, Tariff

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_RUNS = 1e-6  # kW
_HALVINGS = 40
_RIM = 0.005  # of a tank, off its limits: EPANET refuses a level that rounding has put beyond them


@dataclass(frozen=True, slots=True)
class TankDays:
    """A tank's level, m above its bottom: first, last, least and highest of the days, and between which it works."""

    tank: str
    first: float
    last: float
    least: float
    highest: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PumpRun:
    """What pumps do in some simulated days; energy, money, starts and volumes are means of a day.

    Attributes
    ----------
    cost, energy, starts
        In the currency, kWh and number, of a day.
    even_cost
        The cost, had the tanks held in the end what they held at first: what was stored or taken is valued at what
        their zone's pumps spend on a m3.
    peak
        Highest power of all pumps together, kW.
    energy_by_hour
        float64 [24], kWh by hour of the clock.
    volume
        m3/d by station, its bypasses included.
    tanks
        In the order of the network.
    n_short
        Customers' nodes that have less free head than they need, `short_m` the worst of it, m.
    short_m
        See there; 0 where nobody is short.
    warnings
        Solved moments at which EPANET warned.
    """

    cost: float
    even_cost: float
    energy: float
    peak: float
    starts: float
    energy_by_hour: Floats
    volume: dict[str, float]
    tanks: tuple[TankDays, ...]
    n_short: int
    short_m: float
    warnings: int


@dataclass(frozen=True)
class Course:
    """The same run by the hour, for whoever plans.

    Attributes
    ----------
    fill
        float64 [n_hours + 1, n_zones], share of what each zone's tanks can give, at every full hour.
    level
        float64 [n_hours + 1, n_tanks], m.
    speed
        float64 [n_hours, n_pumps], mean of the hour; 0 while it stands still.
    lowest
        float64 [n_nodes], lowest pressure, m.
    short
        float64 [n_hours], by how much the worst customer is short in each hour, m.
    """

    fill: Floats
    level: Floats
    speed: Floats
    lowest: Floats
    short: Floats


class Storage:
    """What the tanks of a zone can give; they fill and sink together, apart by as much as they are on average now."""

    def __init__(self, engine: Engine, tanks: Ints) -> None:
        self.nodes, self._apart = tanks, np.zeros(len(tanks))
        self.shapes = [Tank(engine, node) for node in tanks.tolist()]
        self.usable = sum(tank.most - tank.least for tank in self.shapes)

    def fill(self, level: Floats) -> float:
        """Share of the usable volume at the tanks' levels, float64 [n_tanks], m."""
        if not self.usable > 0.0:
            return 0.0
        held = sum(
            float(shape.volume(np.array(h))) - shape.least for shape, h in zip(self.shapes, level.tolist(), strict=True)
        )
        return held / self.usable

    def learn(self, level: Floats) -> None:
        """Take how far tanks are apart from levels, float64 [n_moments, n_tanks], m."""
        shares = [
            (shape.volume(level[:, k]) - shape.least) / max(shape.most - shape.least, 1e-9)
            for k, shape in enumerate(self.shapes)
        ]
        self._apart = np.mean(shares, axis=1) if shares else self._apart

    def levels(self, fill: float) -> list[float]:
        """Levels of all tanks, m, at a share of what they can give together."""
        room = np.array([shape.most - shape.least for shape in self.shapes])
        low, high = -1.0, 1.0
        for _ in range(_HALVINGS if len(room) > 1 else 0):
            middle = 0.5 * (low + high)
            held = float(np.clip(self._apart + middle, 0.0, 1.0) @ room) / max(self.usable, 1e-9)
            low, high = (middle, high) if held < fill else (low, middle)
        share = np.clip(self._apart + high if len(room) > 1 else np.full(len(room), fill), _RIM, 1.0 - _RIM)
        return [
            float(t.level(np.array(t.least + s * (t.most - t.least))))
            for t, s in zip(self.shapes, share.tolist(), strict=False)
        ]


def run_pumps(
    engine: Engine, zones: Sequence[PumpZone], tariff: Tariff, customers: Ints, need: Floats | None, skip: int,
    days: int,
) -> tuple[PumpRun, Course]:  # fmt: skip
    """Simulate days with the model's own controls.

    Parameters
    ----------
    customers, need
        int64 [n] nodes, and the pressure that each needs, float64 [n], m; None where it is only looked at.
    skip
        Days that run before the first one that counts.
    """
    watch = _Watch(engine, zones, tariff, customers, need, skip * DAY, days)
    engine.duration = (skip + days) * DAY
    engine.start()
    while True:
        now = engine.solve()
        watch.take(now)
        step = engine.advance()
        if step <= 0:
            break
        watch.go(now, step)
    engine.stop()
    return watch.told()


class _Watch:
    """Collects one run."""

    def __init__(
        self, engine: Engine, zones: Sequence[PumpZone], tariff: Tariff, customers: Ints, need: Floats | None,
        since: int, days: int,
    ) -> None:  # fmt: skip
        self._engine, self._zones, self._tariff = engine, zones, tariff
        self._customers, self._need, self._since, self._days = customers, need, since, days
        self._storage = [Storage(engine, zone.tanks) for zone in zones]
        self._pumps, self._tanks = engine.pumps, engine.tanks
        of = {engine.topology.links[k]: place for place, k in enumerate(engine.pumps.tolist())}
        pairs = [pair for zone in zones for pair in zone.bypasses]
        self._bypasses = [(of[pump], engine.topology.link(pipe)) for pipe, pump in pairs]
        n = HOURS * days
        self._fill, self._level = np.full((n + 1, len(zones)), np.nan), np.full((n + 1, len(self._tanks)), np.nan)
        self._speed, self._short = np.zeros((n, len(self._pumps))), np.zeros(n)
        self._lowest = np.full(len(engine.topology.nodes), np.inf)
        self._is_short = np.zeros(len(customers), dtype=bool)
        self._energy, self._cost = np.zeros((HOURS, len(self._pumps))), np.zeros(len(self._pumps))
        self._volume, self._starts = np.zeros(len(self._pumps)), 0
        self._ran: NDArray[np.bool_] | None = None
        self._peak, self._warnings = 0.0, 0
        self._extreme = np.full((2, len(self._tanks)), np.nan)
        self._power = self._flow = self._turning = np.zeros(len(self._pumps))

    def take(self, now: int) -> None:
        """Look at a solved moment."""
        if now < self._since:
            return
        engine, ahead = self._engine, now - self._since
        pressure = engine.read("node", "pressure")
        level = pressure[self._tanks]
        if ahead % HOUR == 0 and ahead // HOUR < len(self._fill):
            self._level[ahead // HOUR] = level
            of = dict(zip(self._tanks.tolist(), level.tolist(), strict=True))
            self._fill[ahead // HOUR] = [s.fill(np.array([of[t] for t in s.nodes.tolist()])) for s in self._storage]
        self._extreme = np.array([np.fmin(self._extreme[0], level), np.fmax(self._extreme[1], level)])
        self._power = np.maximum(engine.read("link", "energy")[self._pumps], 0.0)
        flow = engine.read("link", "flow")
        self._flow = np.maximum(flow[self._pumps], 0.0)
        for place, pipe in self._bypasses:
            self._flow[place] += abs(float(flow[pipe]))
        status, setting = (engine.read("link", name)[self._pumps] for name in ("status", "setting"))
        self._turning = np.where(status > 0.0, setting, 0.0)
        if ahead >= self._days * DAY:
            return
        self._lowest = np.minimum(self._lowest, pressure)
        if self._need is not None:
            lack = self._need - pressure[self._customers]
            self._is_short |= lack > 0.0
            self._short[ahead // HOUR] = max(self._short[ahead // HOUR], float(lack.max(initial=0.0)))
        self._peak = max(self._peak, float(self._power.sum()))
        self._warnings += engine.warning > 0
        runs = self._power > _RUNS
        if self._ran is not None:
            self._starts += int((runs & ~self._ran).sum())
        self._ran = runs

    def go(self, now: int, step: int) -> None:
        """Let time pass at the last moment's state."""
        if now < self._since or now >= self._since + self._days * DAY:
            return
        clock = (self._engine.clock_start + now) // HOUR % HOURS
        spent = self._power * step / HOUR
        self._energy[clock] += spent
        self._cost += spent * self._tariff.price[clock]
        self._volume += self._flow * step
        self._speed[(now - self._since) // HOUR] += self._turning * step / HOUR

    def told(self) -> tuple[PumpRun, Course]:
        """Everything of a day."""
        engine, days = self._engine, self._days
        names = [engine.topology.links[k] for k in self._pumps.tolist()]
        volume = dict(zip(names, (self._volume / days).tolist(), strict=True))
        by_station = {
            station.name: sum(volume[pump] for pump in station.pumps)
            for zone in self._zones
            for station in zone.stations
        }
        even = float(self._cost.sum())
        for k, (zone, storage) in enumerate(zip(self._zones, self._storage, strict=True)):
            mine = [names.index(pump) for pump in zone.pumps]
            pumped = float(self._volume[mine].sum())
            if pumped > 0.0 and storage.usable > 0.0:
                stored = (self._fill[-1, k] - self._fill[0, k]) * storage.usable
                even -= stored * float(self._cost[mine].sum()) / pumped
        tanks = tuple(
            TankDays(
                engine.topology.nodes[node], float(self._level[0, k]), float(self._level[-1, k]),
                float(self._extreme[0, k]), float(self._extreme[1, k]), engine.value("node", node, "min_level"),
                engine.value("node", node, "max_level"),
            )
            for k, node in enumerate(self._tanks.tolist())
        )  # fmt: skip
        run = PumpRun(
            float(self._cost.sum()) / days, even / days, float(self._energy.sum()) / days, self._peak,
            self._starts / days, self._energy.sum(axis=1) / days, by_station, tanks, int(self._is_short.sum()),
            float(self._short.max(initial=0.0)), self._warnings,
        )  # fmt: skip
        return run, Course(self._fill, self._level, self._speed, self._lowest, self._short)
