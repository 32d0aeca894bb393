"""The first day of a model, run step by step, and what stood out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks.check.limits import Limits
from networks.check.registry import MOST_HITS

Floats = NDArray[np.float64]
DAY_S = 86400
MOST_STEPS = 20_000
_PRV = 3
# below this a pressure is no pressure: EPANET's head of a node that no source reaches
CUT_OFF_M = -500.0
_PRV_HOLDS_M = 0.3


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that stood out in the run: which check, which element (by EPANET's order), and why."""

    check: str
    kind: str
    index: int
    value: str
    reason: str
    severity: str


@dataclass(slots=True)
class Day:
    """What the run gave.

    Attributes
    ----------
    seen
        What stood out.
    n_nodes, n_links
        Elements in EPANET's count.
    steps, until_s, asked_s
        Moments solved, the last of them, and the time that was to be run, s.
    """

    n_nodes: int
    n_links: int
    asked_s: int
    steps: int = 0
    until_s: int = 0
    seen: list[Seen] = field(default_factory=list)


class Extreme:
    """The largest value of each element so far, and when."""

    def __init__(self, n: int) -> None:
        self.value = np.full(n, -np.inf)
        self.when = np.zeros(n, dtype=np.int64)

    def update(self, values: Floats, now: int) -> None:
        """Take one moment in; NaN never counts."""
        more = values > self.value
        self.value[more] = values[more]
        self.when[more] = now


def clock(seconds: int) -> str:
    """Time since the start of the run as h:mm."""
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}"


def run_day(engine: Engine, seconds: float) -> Day:
    """Run at most a day, at most so many seconds of wall time, and judge it."""
    asked = min(max(engine.duration, 0), DAY_S)
    engine.duration = asked
    engine.report_warnings()
    day = Day(len(engine.topology.nodes), len(engine.topology.links), asked)
    watch = Watch(engine)
    stop = time.monotonic() + seconds
    engine.start()
    while True:
        now = engine.solve()
        watch.take(now)
        day.steps, day.until_s = day.steps + 1, now
        if day.steps >= MOST_STEPS or time.monotonic() > stop or engine.advance() <= 0:
            break
    day.seen.extend(watch.judge(Limits()))
    return day


class Watch:
    """Extremes of a run, taken moment by moment."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        topology = engine.topology
        self._n, self._m = len(topology.nodes), len(topology.links)
        self._elevation = engine.read("node", "elevation")
        self._diameter = engine.read("link", "diameter")
        self._length = np.where(topology.is_pipe, topology.length, np.nan)
        self._low, self._high = Extreme(self._n), Extreme(self._n)
        self._velocity, self._gradient, self._loss = Extreme(self._m), Extreme(self._m), Extreme(self._m)
        self._wet = np.zeros(self._n, dtype=bool)
        self._tanks = Tanks(engine)
        self._valves = Valves(engine, self._elevation)
        self._status: Floats | None = None
        self._changes = np.zeros(self._m, dtype=np.int64)

    def take(self, now: int) -> None:
        """Read the moment that was just solved."""
        engine, topology = self._engine, self._engine.topology
        head, pressure = engine.read("node", "head"), engine.read("node", "pressure")
        self._wet |= engine.read("node", "demand") > 0.0
        self._low.update(-pressure, now)
        self._high.update(pressure, now)
        self._velocity.update(np.abs(engine.read("link", "velocity")), now)
        loss = np.abs(head[topology.start] - head[topology.end])
        reached = (pressure > CUT_OFF_M)[topology.start] & (pressure > CUT_OFF_M)[topology.end]
        status = engine.read("link", "status")
        # across a closed pipe there is a difference of heads and no flow
        self._gradient.update(np.where(reached & (status > 0.0), loss / self._length, np.nan), now)
        self._loss.update(np.where(reached & (status > 0.0), loss, np.nan), now)
        if self._status is not None:
            self._changes += self._status != status
        self._status = status
        self._tanks.take(head - self._elevation, now)
        self._valves.take(head, status)

    def judge(self, limits: Limits) -> Iterator[Seen]:
        """What stood out."""
        with np.errstate(all="ignore"):
            yield from self._pressures(limits)
            yield from self._flows(limits)
            yield from self._tanks.judge(limits)
            yield from self._valves.judge()

    def _pressures(self, limits: Limits) -> Iterator[Seen]:
        low = -self._low.value
        junction = self._engine.topology.is_junction
        for k in _worst(np.where(junction & (low < CUT_OFF_M), -low, np.nan)):
            wet = bool(self._wet[k])
            reason = f"no open way, or one far too thin, leads to it from a source at {clock(int(self._low.when[k]))}"
            yield Seen("cut-off", "node", k, f"{low[k]:.3g} m", reason, "warning" if wet else "note")
        for k in _worst(np.where(junction & (low < -0.01) & (low >= CUT_OFF_M), -low, np.nan)):
            reason = f"the pressure is negative, lowest at {clock(int(self._low.when[k]))}"
            severity = "warning" if self._wet[k] else "note"
            yield Seen("negative-pressure", "node", k, f"{low[k]:.1f} m", reason, severity)
        high = self._high.value
        for k in _worst(np.where(junction & (high > limits.high_pressure_m) & (high < 1e6), high, np.nan)):
            reason = f"the pressure exceeds {limits.high_pressure_m:g} m at {clock(int(self._high.when[k]))}"
            yield Seen("high-pressure", "node", k, f"{high[k]:.0f} m", reason, "note")

    def _flows(self, limits: Limits) -> Iterator[Seen]:
        pipes = self._engine.topology.is_pipe
        speed = self._velocity.value
        for k in _worst(np.where(pipes & (speed > limits.velocity_m_s), speed, np.nan)):
            reason = f"the velocity exceeds {limits.velocity_m_s:g} m/s at {clock(int(self._velocity.when[k]))}"
            yield Seen("velocity", "link", k, f"{speed[k]:.3g} m/s", reason, "warning")
        gradient, small = 1000.0 * self._gradient.value, self._diameter < limits.small_m
        limit = np.where(small, limits.gradient_small_m_km, limits.gradient_m_km)
        steep = pipes & (gradient > limit) & (self._loss.value > limits.gradient_loss_m)
        for k in _worst(np.where(steep, gradient, np.nan)):
            reason = f"the head loss exceeds {limit[k]:g} m/km at {clock(int(self._gradient.when[k]))}"
            yield Seen("gradient", "link", k, f"{gradient[k]:.3g} m/km", reason, "warning")
        for k in _worst(np.where(self._changes > limits.hunting_changes, self._changes, np.nan)):
            reason = f"opens and closes {int(self._changes[k])} times in the day simulated"
            yield Seen("hunting", "link", k, str(int(self._changes[k])), reason, "warning")


def _worst(values: Floats) -> list[int]:
    """Elements with a value, the largest first, as many as a check may list."""
    found = np.flatnonzero(~np.isnan(values))
    order = found[np.argsort(-values[found], kind="stable")]
    return [int(k) for k in order[:MOST_HITS]]


class Tanks:
    """Levels of the tanks."""

    def __init__(self, engine: Engine) -> None:
        self._at = engine.tanks
        self._lowest = np.array([engine.value("node", int(k), "min_level") for k in self._at])
        self._highest = np.array([engine.value("node", int(k), "max_level") for k in self._at])
        self._dry = np.full(len(self._at), -1, dtype=np.int64)
        self._full = np.full(len(self._at), -1, dtype=np.int64)
        self._margin = Limits().tank_share * (self._highest - self._lowest)

    def take(self, levels: Floats, now: int) -> None:
        """Take one moment in."""
        level = levels[self._at]
        self._dry[(level <= self._lowest + self._margin) & (self._dry < 0)] = now
        self._full[(level >= self._highest - self._margin) & (self._full < 0)] = now

    def judge(self, limits: Limits) -> Iterator[Seen]:
        """Tanks that run dry or full after the start."""
        for place, k in enumerate(self._at.tolist()):
            if self._highest[place] <= self._lowest[place]:
                continue
            if self._dry[place] == 0:
                reason = "begins at its lowest level: nothing flows out before it fills"
                yield Seen("tank-drains", "node", k, f"{self._lowest[place]:.3g} m", reason, "note")
            elif self._dry[place] > 0:
                reason = f"stands at its lowest level at {clock(int(self._dry[place]))}: nothing more flows out"
                yield Seen("tank-drains", "node", k, f"{self._lowest[place]:.3g} m", reason, "warning")
            if self._full[place] > 0:
                reason = (
                    f"stands at its highest level at {clock(int(self._full[place]))}: it overflows or shuts its inlet"
                )
                yield Seen("tank-full", "node", k, f"{self._highest[place]:.3g} m", reason, "note")


class Valves:
    """What the pressure-reducing valves do."""

    def __init__(self, engine: Engine, elevation: Floats) -> None:
        self._engine = engine
        self._at = np.flatnonzero(engine.link_types == _PRV)
        self._start = engine.topology.start[self._at]
        self._end = engine.topology.end[self._at]
        self._ground = elevation[self._end]
        self._acts = np.zeros(len(self._at), dtype=bool)
        self._opens = np.zeros(len(self._at), dtype=bool)
        self._before = np.full(len(self._at), -np.inf)  # head before it over the ground behind it
        self._setting = np.full(len(self._at), np.inf)

    def take(self, head: Floats, status: Floats) -> None:
        """Take one moment in."""
        if not len(self._at):
            return
        setting = np.array([self._engine.value("link", int(k), "setting") for k in self._at])
        setting *= self._engine.pressure_unit
        before, behind = head[self._start] - self._ground, head[self._end] - self._ground
        self._acts |= (np.abs(behind - setting) < _PRV_HOLDS_M) & (before > setting)
        self._opens |= status[self._at] > 0.0
        self._before = np.maximum(self._before, before)
        self._setting = np.minimum(self._setting, setting)

    def judge(self) -> Iterator[Seen]:
        """PRVs that never hold their setting."""
        for place, k in enumerate(self._at.tolist()):
            if self._acts[place]:
                continue
            value = f"{self._setting[place]:.3g} m"
            if not self._opens[place]:
                reason = "stays shut: the pressure behind it is above its setting, or it is closed"
                yield Seen("prv-idle", "link", k, value, reason, "note")
            elif self._before[place] <= self._setting[place]:
                reason = f"never acts: the head before it reaches {self._before[place]:.3g} m, less than its setting"
                yield Seen("prv-idle", "link", k, value, reason, "warning")
            else:
                reason = "is open and does not hold its setting in the day simulated"
                yield Seen("prv-idle", "link", k, value, reason, "note")
