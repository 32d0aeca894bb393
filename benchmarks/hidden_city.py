"""A city that differs from its model, run up to a day and then onwards many times, each time with another leak.

Used by `benchmarks/other_networks.py`. How it differs is `benchmarks/worlds.py`'s `Mismatch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from worlds import KEPT, Mismatch, drift, vary_pipes

from hydro.engine import Engine
from hydro.record import Record
from networks import Network

Floats = NDArray[np.float64]

START = pd.Timestamp("2024-01-01", tz="UTC")
STEP_S = 900
PER_DAY = 86_400 // STEP_S
RESOLUTION_M = 0.1
# as near to one head as the tanks' limits let, or each at 60 % of its range, so that water goes round between them
Held = Literal["even heads", "part full"]


@dataclass(frozen=True)
class Instruments:
    """Where instruments stand, by name; each has an offset and noise of its own."""

    loggers: tuple[str, ...]
    meters: tuple[str, ...]
    tanks: tuple[str, ...]


@dataclass(frozen=True)
class People:
    """What demand has come to: all of it (log), and each junction's share (log), at the end of a day."""

    day: float
    wander: Floats


@dataclass(frozen=True)
class Truth:
    """True values: pressure, flow, level [n_steps, n_instruments], and the leak's flow [n_steps], m and m3/s."""

    pressure: Floats
    flow: Floats
    level: Floats
    lost: Floats


class HiddenCity:
    """A network that differs from its model.

    Parameters
    ----------
    network
        The model.
    seed
        Of everything that differs.
    instruments
        All that will be read, of every density of loggers.
    pipes
        In which leaks will be opened, one at a time.
    days
        Longest time that will be run.
    held
        Where tanks stand at levels that swing with the day, whatever flows: for models of one moment, whose pumps
        nobody controls and whose tanks would run dry or over.
    """

    def __init__(
        self,
        network: Network,
        seed: int,
        instruments: Instruments,
        pipes: Sequence[str],
        days: int,
        held: Held | None = None,
    ) -> None:
        r = self.random = np.random.default_rng([seed, 31])
        m = self.m = Mismatch.drawn(r)
        engine = self.engine = Engine(network)
        self.n_junctions = len(engine.junctions)
        vary_pipes(engine, r, m)
        self.share = np.exp(r.normal(0.0, m.demand, self.n_junctions))
        self.leaks = {pipe: engine.add_leak(pipe) for pipe in pipes}
        topology = engine.topology  # with the leaks in it: tanks and reservoirs have moved
        self.loggers = np.array([topology.node(n) for n in instruments.loggers])
        self.meters = np.array([topology.link(n) for n in instruments.meters])
        self.tanks = np.array([topology.node(n) for n in instruments.tanks], dtype=np.int64)
        nominal = engine.demand_at
        self.table = np.array([nominal(s)[: self.n_junctions] for s in range(0, 7 * 86_400, STEP_S)])
        engine.freeze_demands()
        engine.set_accuracy(1e-5)
        engine.set_hydraulic_step(STEP_S)
        engine.duration = (days + 1) * 86_400
        self.held = instruments.tanks if held else ()
        ends = [[engine.value("node", int(k), key) for key in ("min_level", "max_level")] for k in self.tanks]
        low, high = np.array(ends).reshape(-1, 2).T
        bottom = np.array([engine.value("node", int(k), "elevation") for k in self.tanks])
        common = float(np.mean(bottom + 0.5 * (low + high))) if len(low) else 0.0
        if held == "even heads":
            self.swing = np.minimum(0.3, 0.1 * (high - low))
            self.middle = np.clip(common - bottom, low + 0.15 * (high - low), high - 0.15 * (high - low))
        else:
            self.swing, self.middle = np.minimum(0.5, 0.2 * (high - low)), low + 0.6 * (high - low)
        self.offset = r.normal(0.0, m.offset_m, len(self.loggers))
        self.people = People(0.0, r.normal(0.0, m.wander, self.n_junctions))

    def taken(self, first: int, days: int, random: np.random.Generator) -> tuple[Floats, People]:
        """Demand of every junction and step from a day on, m3/s, and what demand has come to by its end."""
        m, people = self.m, self.people
        day = drift(random, people.day, 0.7, m.day, days)
        wander = drift(random, people.wander, KEPT, m.wander, days)
        at = np.arange(days * PER_DAY)
        log = np.interp(at / PER_DAY, np.arange(days + 1) - 0.5, np.concatenate([[people.day], day]))
        log += random.normal(0.0, 0.012, len(at))
        noise = np.exp(random.normal(-0.5 * m.junction**2, m.junction, (len(at), self.n_junctions)))
        rows = (first * PER_DAY + at) % len(self.table)
        demand = self.table[rows] * self.share * np.exp(wander[at // PER_DAY]) * noise * np.exp(log)[:, None]
        return demand, People(float(day[-1]), wander[-1])

    def quiet(self, days: int) -> Truth:
        """Run from the beginning without a leak; later runs go on from its end."""
        demand, self.people = self.taken(0, days, self.random)
        self.engine.start()
        truth = self._run(demand, 0, None, 0.0, 0)
        self._end, self._days = self.engine.snapshot(), days
        return truth

    def onwards(self, days: int, random: np.random.Generator, pipe: str, flow: float, onset: int) -> Truth:
        """Run on from the quiet days' end with a leak.

        Parameters
        ----------
        flow
            m3/s at the pressure of the quiet days' end; 0 for none.
        onset
            Steps after that end.
        """
        demand, _ = self.taken(self._days, days, random)
        self.engine.restore(self._end)
        return self._run(demand, self._days * PER_DAY, self.leaks[pipe], flow, onset)

    def _run(self, demand: Floats, first: int, leak: int | None, flow: float, onset: int) -> Truth:
        engine, n = self.engine, len(demand)
        out = [np.empty((n, len(k))) for k in (self.loggers, self.meters, self.tanks)]
        lost, coefficient = np.zeros(n), 0.0
        every = np.zeros(len(engine.junctions))
        now = first * STEP_S
        for step in range(n):
            every[: self.n_junctions] = demand[step]
            engine.set_demands(every)
            phase = np.sin(2 * np.pi * (step % PER_DAY) / PER_DAY)
            for k, tank in enumerate(self.held):
                engine.set_tank_level(tank, float(self.middle[k] - self.swing[k] * phase))
            if leak is not None and flow > 0.0 and step == onset:
                pressure = max(10.0, float(engine.read("node", "pressure")[leak]))
                coefficient = flow / np.sqrt(pressure)
                engine.open_leak(leak, coefficient)
            while True:
                engine.solve()
                if now == (first + step) * STEP_S:
                    p = engine.read("node", "pressure")
                    out[0][step], out[1][step], out[2][step] = (
                        p[self.loggers], engine.read("link", "flow")[self.meters], p[self.tanks],
                    )  # fmt: skip
                    lost[step] = 0.0 if leak is None else coefficient * np.sqrt(max(float(p[leak]), 0.0))
                now += engine.advance()
                if now >= (first + step + 1) * STEP_S:
                    break
        if coefficient > 0.0 and leak is not None:
            engine.open_leak(leak, 0.0)
        return Truth(*out, lost)

    def read(self, truth: Truth, first_day: int, random: np.random.Generator, instruments: Instruments) -> Record:
        """What instruments make of the truth: loggers of 0.1 m, meters and levels as in the worlds."""
        m = self.m
        shown = {
            "pressure": truth.pressure + self.offset + random.normal(0.0, m.pressure_m, truth.pressure.shape),
            "flow": truth.flow * (1.0 + random.normal(0.0, m.flow, truth.flow.shape)),
            "level": np.round(truth.level + random.normal(0.0, 0.002, truth.level.shape), 2),
        }
        shown["pressure"] = np.round(shown["pressure"] / RESOLUTION_M) * RESOLUTION_M
        begin = START + pd.Timedelta(days=first_day)
        times = pd.date_range(begin, periods=len(truth.lost), freq=f"{STEP_S}s")
        names = {"pressure": instruments.loggers, "flow": instruments.meters, "level": instruments.tanks}
        return Record(**{q: pd.DataFrame(v, index=times, columns=list(names[q])) for q, v in shown.items()})


def only(record: Record, loggers: Sequence[str]) -> Record:
    """A record with some of its loggers alone."""
    return replace(record, pressure=record.pressure[list(loggers)])
