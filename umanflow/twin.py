"""The hydraulic twin behind simulated PLCs: a city that differs from its model, with noise, and leaks when told.

A Twin is a `scada.plc.Process`: `advance(t_ms, commands)` moves the hydraulics on and answers with the engineering
value of every tag. What it knows and the detector does not (true roughness and demands, sensor errors, leaks) is all
drawn from its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Network
from scada.tag import Tag
from umanflow.controls import Controls

Floats = NDArray[np.float64]

_GRAVITY = 9.80665
_HOUR_MS = 3_600_000
_ACCURACY = 1e-6  # nature converges


@dataclass(frozen=True, slots=True)
class TrueLeak:
    """A leak of the twin.

    Attributes
    ----------
    pipe
        Where, in the middle of it.
    start_ms
        When it begins, UTC.
    rise_ms
        How long it grows, its area with the square of time; 0 is abrupt.
    coefficient
        Flow = coefficient x sqrt(pressure) when grown, m3/s per m^0.5.
    """

    pipe: str
    start_ms: int
    rise_ms: int
    coefficient: float

    def opening(self, t_ms: int) -> float:
        """Share of the final area at a time, 0 to 1."""
        if t_ms < self.start_ms:
            return 0.0
        if self.rise_ms <= 0:
            return 1.0
        return min(1.0, (t_ms - self.start_ms) / self.rise_ms) ** 2


@dataclass(frozen=True, slots=True)
class Mismatch:
    """How far the twin is from its model, and how noisy; standard deviations.

    Attributes
    ----------
    roughness, demand
        Of the natural logarithm of each pipe's roughness coefficient and each junction's mean demand.
    day, hour, junction
        Of the natural logarithm of total demand from day to day, of total demand from hour to hour, and of each
        junction's demand from step to step.
    offset_m, pressure_m, level_m
        A pressure sensor's constant error, and the noise of a pressure and of a level reading.
    flow
        Noise of a flow reading, share.
    """

    roughness: float = 0.05
    demand: float = 0.2
    day: float = 0.02
    hour: float = 0.02
    junction: float = 0.2
    offset_m: float = 0.3
    pressure_m: float = 0.02
    level_m: float = 0.003
    flow: float = 0.005


class Calendar(Protocol):
    """What makes one day's demand differ from another's."""

    def factor(self, t_ms: int) -> float:
        """Total demand against the model's."""

    def guests(self, t_ms: int) -> Mapping[str, float]:
        """What guests take at each junction, m3/s."""


class Twin:
    """A simulated city with instruments.

    Parameters
    ----------
    network
        What `hydro.Engine` accepts: the model that the twin is made to differ from.
    tags
        What the PLCs show. A tag shows its element's quantity (pressure, flow, level, status, speed, …); a tag
        without an element shows zero, a heartbeat counts.
    start_ms
        UTC ms at which the model's clock begins.
    step_s
        Longest hydraulic step, s.
    seed
        Of everything that is drawn.
    leaks
        What leaks, and when.
    mismatch
        How far from the model.
    calendar
        Season and guests; none where not given.
    gain
        What meters show over what flows, by link; 1 where not given.

    Attributes
    ----------
    leak_flows
        Pipe -> flow now, m3/s: the truth, for scoring.
    """

    def __init__(
        self,
        network: Network | Path | str,
        tags: Sequence[Tag],
        start_ms: int,
        step_s: int,
        seed: int,
        leaks: Sequence[TrueLeak] = (),
        mismatch: Mismatch | None = None,
        calendar: Calendar | None = None,
        gain: Mapping[str, float] | None = None,
    ) -> None:
        self._mismatch, self._calendar, self._gain = mismatch or Mismatch(), calendar, dict(gain or {})
        self._random = np.random.default_rng(seed)
        self._engine = engine = Engine(network)
        self._leaks = [(leak, engine.add_leak(leak.pipe)) for leak in leaks]
        self._start_ms = self._now_ms = start_ms
        self._rows = {name: k for k, name in enumerate(engine.topology.nodes)}
        self._links = engine.topology.link_index
        self._differ(seed)
        self._model_demand = engine.demand_at
        engine.demand_at(0)  # the patterns are read once, before they are taken away
        engine.freeze_demands()
        engine.set_accuracy(_ACCURACY)
        engine.duration = 20 * 366 * 86400
        self._step_s = step_s
        self._tags = list(tags)
        self._show: list[Callable[[], float]] = [self._reading(tag) for tag in tags]
        self._volume: dict[str, float] = {}
        self._beats = 0
        self._day, self._hour = (-1, 1.0), (-1, 1.0)
        self._set_demand(start_ms)
        engine.start()
        engine.solve()
        self._take()
        self._controls = Controls(engine, self._tags)
        self._control(0)

    def close(self) -> None:
        """Free the hydraulics."""
        self._engine.close()

    @property
    def leak_flows(self) -> dict[str, float]:
        """Flow of every leak now, m3/s."""
        head = np.maximum(self._pressure, 0.0)
        return {
            leak.pipe: leak.coefficient * leak.opening(self._now_ms) * float(np.sqrt(head[node]))
            for leak, node in self._leaks
        }

    @property
    def flows(self) -> dict[str, float]:
        """Flow of every link now, m3/s: the truth, for scoring."""
        return dict(zip(self._engine.topology.links, self._flow.tolist(), strict=True))

    def _differ(self, seed: int) -> None:
        """Draw what the model does not know; independent of the leaks, so that these may differ at the same seed."""
        engine, m = self._engine, self._mismatch
        draw = np.random.default_rng([seed, 1])
        n_model = len(engine.topology.pipes) - len(self._leaks)
        factor = np.exp(draw.normal(0.0, m.roughness, n_model))
        pipes = engine.topology.pipes
        roughness = engine.read("link", "roughness")[pipes]
        # the second half of a split pipe is as rough as the first
        halves = [pipes.tolist().index(self._links[leak.pipe]) for leak, _ in self._leaks]
        scale = np.concatenate([factor, factor[halves]]) if halves else factor
        engine.set_values("link", pipes, "roughness", roughness * scale)
        n_junctions = len(engine.junctions) - len(self._leaks)
        self._share = np.exp(draw.normal(0.0, m.demand, n_junctions))
        self._offset = draw.normal(0.0, m.offset_m, len(engine.topology.nodes))

    # time ---------------------------------------------------------------------------------------------------------

    def advance(self, t_ms: int, commands: Mapping[str, float]) -> dict[str, float]:
        """Let the PLCs take commands, move on to a time and show every tag.

        Parameters
        ----------
        t_ms
            UTC ms; a time that has passed shows the present anew.
        commands
            Value by tag, written to the PLCs since the last call.
        """
        self._controls.command(self._now_ms, commands)
        while self._now_ms < t_ms:
            remaining = max(1, (t_ms - self._now_ms) // 1000)
            self._engine.set_hydraulic_step(int(min(self._step_s, remaining, self._controls.longest_step_s)))
            seconds = self._engine.advance()
            if seconds <= 0:
                break
            self._count(seconds)
            self._now_ms += 1000 * seconds
            for leak, node in self._leaks:
                self._engine.open_leak(node, leak.coefficient * leak.opening(self._now_ms))
            self._set_demand(self._now_ms)
            self._control(seconds)
            self._engine.solve()
            self._take()
        self._beats += 1
        shown = {tag.name: show() for tag, show in zip(self._tags, self._show, strict=True)}
        return shown | self._controls.values(self._now_ms)

    def _control(self, seconds: int) -> None:
        ratio = self._setting / self._engine.pressure_unit  # a pump's setting has no unit
        self._controls.step(seconds, self._pressure, self._status, ratio)

    def _set_demand(self, t_ms: int) -> None:
        """Demand at a moment: the model's pattern, true shares, and noise of days, hours and households."""
        m, random = self._mismatch, self._random
        day, hour = t_ms // (24 * _HOUR_MS), t_ms // _HOUR_MS
        if day != self._day[0]:
            self._day = day, float(np.exp(random.normal(0.0, m.day)))
        if hour != self._hour[0]:
            self._hour = hour, float(np.exp(random.normal(0.0, m.hour)))
        model = self._model_demand((t_ms - self._start_ms) // 1000)
        noise = np.exp(random.normal(-0.5 * m.junction**2, m.junction, len(self._share)))
        demand = np.zeros(len(self._engine.junctions))
        factor = self._day[1] * self._hour[1] * (self._calendar.factor(t_ms) if self._calendar else 1.0)
        demand[: len(noise)] = model[: len(noise)] * self._share * noise * factor
        for node, flow in (self._calendar.guests(t_ms) if self._calendar else {}).items():
            demand[self._rows[node]] += flow
        self._engine.set_demands(demand)

    def _take(self) -> None:
        self._pressure = self._engine.read("node", "pressure")
        self._flow = self._engine.read("link", "flow")
        self._status = self._engine.read("link", "status")
        self._setting = self._engine.read("link", "setting") * self._engine.pressure_unit

    def _count(self, seconds: int) -> None:
        for tag in self._tags:
            if tag.quantity == "volume" and tag.element in self._links:
                flow = float(self._flow[self._links[tag.element]]) * self._gain.get(tag.element, 1.0)
                self._volume[tag.name] = self._volume.get(tag.name, 0.0) + max(flow, 0.0) * seconds

    # instruments --------------------------------------------------------------------------------------------------

    def _reading(self, tag: Tag) -> Callable[[], float]:
        """How a tag gets its value."""
        m, random = self._mismatch, self._random
        node, link = self._rows.get(tag.element), self._links.get(tag.element)
        if tag.quantity == "pressure" and node is not None:
            offset = float(self._offset[node])
            return lambda: float(self._pressure[node]) + offset + random.normal(0.0, m.pressure_m)
        if tag.quantity == "level" and node is not None:
            return lambda: float(self._pressure[node]) + random.normal(0.0, m.level_m)
        if tag.quantity == "flow" and link is not None:
            gain = 3600.0 * self._gain.get(tag.element, 1.0)
            return lambda: gain * float(self._flow[link]) * (1.0 + random.normal(0.0, m.flow))
        if tag.quantity == "volume" and link is not None:
            return lambda: self._volume.get(tag.name, 0.0)
        if tag.quantity == "status" and link is not None:
            return lambda: float(self._status[link] > 0.0)
        if tag.quantity == "speed" and link is not None:
            return lambda: 50.0 * float(self._status[link] > 0.0)
        if tag.quantity == "power" and link is not None:
            return lambda: self._power(link)
        if tag.quantity == "setpoint" and link is not None:
            return lambda: float(self._setting[link])
        if tag.name.endswith(".heartbeat"):
            return lambda: float(self._beats % 65536)
        return lambda: 0.0

    def _power(self, link: int) -> float:
        """Shaft power of a pump, kW, at 75 % efficiency."""
        topology = self._engine.topology
        head = self._engine.read("node", "head")
        lift = max(0.0, float(head[topology.end[link]] - head[topology.start[link]]))
        return _GRAVITY * max(0.0, float(self._flow[link])) * lift / 0.75
