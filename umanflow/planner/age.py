"""How old the water is where it is taken: EPANET's own transport beside the hydraulics, until it no longer changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.quality import Quality, QualityRun, asked_quality
from umanflow.planner.simulation import DAY, HOUR

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_STEADY, _STEADY_H = 0.02, 0.5  # of the day before, or hours: what changes by less from day to day is settled


@dataclass(frozen=True, slots=True)
class WaterAge:
    """Age of the water at every node over the last simulated day.

    Attributes
    ----------
    mean, highest
        float64 [n_nodes], h: mean of the day by time, and the most of it.
    is_settled
        bool [n_nodes], whether the mean is that of the day before; elsewhere it still grows, and the age is at least
        this much.
    days
        That were simulated.
    """

    mean: Floats
    highest: Floats
    is_settled: Bools
    days: int


def water_age(engine: Engine, most_days: int) -> WaterAge:
    """Follow the age of the water until it is settled everywhere, or for so many days.

    A model that asks for age itself begins with the ages of its [QUALITY]; any other begins at 0, in its tanks too.

    Parameters
    ----------
    engine
        Not used for anything else afterwards: its quality stays that of age.
    """
    step, report = engine.hydraulic_step, engine.report_step
    engine.set_hydraulic_step(max(step, min(engine.pattern_step, HOUR)))
    engine.set_report_step(max(report, HOUR))
    if asked_quality(engine) != "age":
        for node in range(len(engine.topology.nodes)):
            engine.set_value("node", node, "initial_quality", 0.0)
    engine.duration = most_days * DAY
    engine.start()
    quality = QualityRun(engine, Quality("age"))
    n = len(engine.topology.nodes)
    age, before = np.empty(n), np.full(n, np.nan)
    total, highest, seconds = np.zeros(n), np.zeros(n), 0
    done, mean, settled = 0, np.zeros(n), np.zeros(n, dtype=bool)
    try:
        while True:
            now = engine.solve()
            quality.solve()
            if now >= (done + 1) * DAY and seconds:
                done, mean = done + 1, total / seconds
                settled = np.abs(mean - before) <= np.maximum(_STEADY * mean, _STEADY_H)
                if settled.all() or done >= most_days:
                    break
                before, total, seconds = mean, np.zeros(n), 0
                highest = np.zeros(n)
            quality.at_nodes(age)
            ahead = engine.advance()
            quality.advance()
            total += ahead * age
            highest = np.maximum(highest, age)
            seconds += ahead
            if ahead <= 0:
                break
    finally:
        quality.close()
        engine.stop()
        engine.set_hydraulic_step(step)
        engine.set_report_step(report)
    return WaterAge(mean, highest, settled, done)
