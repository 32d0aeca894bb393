"""A day of the network, with set-points by the hour: what is taken, what leaks, what pumping needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY, HOUR = 86_400, 3_600
_WEIGHT = 9.80665  # kN/m3 of water
_NIGHT = (2, 3)  # hours of the clock


@dataclass(frozen=True, slots=True)
class Day:
    """A simulated day.

    Attributes
    ----------
    hour
        int64 [n_steps], of the clock.
    weight
        float64 [n_steps], share of the day.
    pressure, leakage, demand
        float64 [n_steps, n_nodes], m, m3/s and m3/s; demand without leakage.
    velocity
        float64 [n_links], highest of the day, m/s.
    pumping
        Work done on the water by pumps, kWh.
    """

    hour: Ints
    weight: Floats
    pressure: Floats
    leakage: Floats
    demand: Floats
    velocity: Floats
    pumping: float

    @property
    def leakage_m3d(self) -> Floats:
        """Leakage of every node over the day, m3."""
        return np.asarray(self.weight @ self.leakage * DAY)

    @property
    def demand_m3d(self) -> Floats:
        """What customers of every node take over the day, m3."""
        return np.asarray(self.weight @ self.demand * DAY)


def run_day(engine: Engine, settings: Mapping[str, Floats] | None = None, coarse: bool = False) -> Day:
    """Simulate two days and give the second.

    Parameters
    ----------
    engine
        With the network.
    settings
        float64 [24] by valve, m: what each holds in each hour of the day.
    coarse
        Go by the hour even where the model's step is shorter: to compare many variants.
    """
    topology, rows = engine.topology, []
    pumps = np.flatnonzero(engine.link_types == 2)
    velocity, pumping = np.zeros(len(topology.links)), 0.0
    engine.duration = 2 * DAY
    step, report = engine.hydraulic_step, engine.report_step
    engine.set_hydraulic_step(HOUR if coarse else min(step, HOUR))
    if coarse:
        engine.set_report_step(HOUR)
    engine.start()
    last = -1
    while True:
        hour = (engine.clock_start + engine.now) // HOUR % 24
        if settings is not None and hour != last:
            for valve, values in settings.items():
                engine.set_setting(valve, float(values[hour]))
            last = hour
        now = engine.solve()
        pressure, flow = engine.read("node", "pressure").copy(), engine.read("link", "flow")
        head, leakage = engine.read("node", "head"), leakage_of(engine)
        demand = engine.demand_at(now)
        lift = np.maximum(head[topology.end[pumps]] - head[topology.start[pumps]], 0.0)
        power = _WEIGHT * float(np.sum(np.maximum(flow[pumps], 0.0) * lift))
        if now >= DAY:
            velocity = np.maximum(velocity, engine.read("link", "velocity"))
        seconds = engine.advance()
        if seconds <= 0:
            break
        if now >= DAY:
            taken = np.zeros(len(topology.nodes))
            taken[engine.junctions] = np.maximum(demand, 0.0)
            rows.append(((engine.clock_start + now) // HOUR % 24, seconds, pressure, leakage, taken))
            pumping += power * seconds / HOUR
    engine.stop()
    engine.set_hydraulic_step(step)
    engine.set_report_step(report)
    hours, lengths, pressures, leakages, demands = zip(*rows, strict=True)
    return Day(
        np.array(hours), np.array(lengths) / sum(lengths), np.array(pressures), np.array(leakages), np.array(demands),
        velocity, pumping,
    )  # fmt: skip


def leakage_of(engine: Engine) -> Floats:
    """What leaks at every node at the solved moment, emitters and pipes' leakage together, float64 [n_nodes], m3/s."""
    lost = np.zeros(len(engine.topology.nodes))
    lost[engine.junctions] = engine.emitter_flow()
    if engine.leaks:
        lost += engine.read("node", "leakage")
    return lost


def night_flow(day: Day, nodes: Ints) -> float:
    """What some nodes take and leak from two to four at night, m3/h; NaN where the day has no such hours."""
    is_night = np.isin(day.hour, _NIGHT)
    if not is_night.any():
        return float("nan")
    flow = (day.demand[:, nodes] + day.leakage[:, nodes]).sum(axis=1)
    return float(np.average(flow[is_night], weights=day.weight[is_night]) * HOUR)
