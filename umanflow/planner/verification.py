"""What to measure to see that a step of the programme worked: where, when, before and after, with limits.

Limits are those of the programme: what a step brings is uncertain by a log-normal factor, counts of breaks by Poisson's
law. A measured value between them is what was promised; one outside says that the step, or the model, is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from umanflow.planner.blocks import Design
from umanflow.planner.pressure import PressurePlan
from umanflow.planner.pumping import PumpPlan
from umanflow.planner.sentence import Sentence
from umanflow.planner.simulation import Day, night_flow
from umanflow.report.wording import mark

Floats = NDArray[np.float64]

_Z90 = 1.6448536269514722
_METER = 0.02  # of a night flow, that a shut block's meters may still show
_GAUGE_M = 1.0  # what a gauge, its height and the model leave open
_YEARS_OF_BREAKS = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One verification measure.

    Attributes
    ----------
    year
        In which the step ends; 0 where the programme's money does not reach it.
    kind, where
        Of the measure ("blocks", "pressure", "pumps", "loggers", "survey", "renewal"), and block, station or pipes.
    quantity, unit
        What is measured.
    instrument, when
        With what and when.
    before, expected, low, high
        As it is, as simulated, and 90 % limits.
    """

    year: int
    kind: str
    where: str
    quantity: str
    unit: str
    instrument: str
    when: str
    before: float
    expected: float
    low: float
    high: float


def limits_of_change(before: float, after: float, spread: float) -> tuple[float, float]:
    """90 % limits of a value whose change is uncertain by a log-normal factor of mean 1, lower one first."""
    sigma = float(np.sqrt(np.log1p(spread**2)))
    factor = [float(np.exp(-0.5 * sigma**2 + z * sigma)) for z in (-_Z90, _Z90)]
    ends = sorted(before + (after - before) * f for f in factor)
    return ends[0], ends[1]


def check_blocks(design: Design, day: Day, nodes: Mapping[str, int], year: int) -> list[Check]:
    """Every block is shut off at night: no flow in, and its pressure falls."""
    found = []
    for block in design.blocks:
        flow = night_flow(day, np.array([nodes[name] for name in block.nodes], dtype=np.int64))
        found.append(
            Check(
                year,
                "blocks",
                block.name,
                mark("inflow with all inlets shut"),
                mark("m³/h"),
                mark("boundary closed, meters of the inlets"),
                mark(
                    "one night, 02:00-04:00, when the boundary valves are shut; pressure at the middle of the block "
                    "falls to 0"
                ),
                flow,
                0.0,
                0.0,
                _METER * flow,
            )
        )
    return found


def check_pressure(plan: PressurePlan, spread: float, year: int) -> list[Check]:
    """Night flow and pressure at the average zone point of every zone."""
    found = []
    for zone in plan.zones:
        low, high = limits_of_change(zone.night_before, zone.night_after, spread)
        found.append(
            Check(
                year,
                "pressure",
                zone.zone,
                mark("minimum night flow"),
                mark("m³/h"),
                mark("flow meter of the inlet"),
                mark("a week before and a week after, 02:00-04:00"),
                zone.night_before,
                zone.night_after,
                low,
                high,
            )
        )
        found.append(
            Check(
                year,
                "pressure",
                zone.zone,
                mark("mean pressure at the average zone point"),
                mark("m"),
                mark("pressure logger"),
                mark("a week before and a week after, mean of the day"),
                zone.mean_before,
                zone.mean_after,
                zone.mean_after - _GAUGE_M,
                zone.mean_after + _GAUGE_M,
            )
        )
    return found


def check_pumps(plan: PumpPlan, spread: float, year: int) -> list[Check]:
    """Energy, money, peak and the least level of each tank."""
    before, after, found = plan.before, plan.after, []
    rows = (
        (
            mark("cost of electricity"),
            mark("UAH/d"),
            mark("energy meters of the stations, hourly"),
            before.even_cost,
            after.even_cost,
        ),
        (mark("electricity"), mark("kWh/d"), mark("energy meters of the stations"), before.energy, after.energy),
        (mark("highest power"), mark("kW"), mark("energy meters of the stations"), before.peak, after.peak),
    )
    for quantity, unit, instrument, was, becomes in rows:
        low, high = limits_of_change(was, becomes, spread)
        found.append(
            Check(
                year,
                "pumps",
                mark("all stations"),
                quantity,
                unit,
                instrument,
                mark("two weeks before and two weeks after, for the same volume pumped"),
                was,
                becomes,
                low,
                high,
            )
        )
    for old, new in zip(before.tanks, after.tanks, strict=True):
        room = 0.05 * (new.high - new.low)
        found.append(
            Check(
                year,
                "pumps",
                new.tank,
                mark("least level"),
                mark("m"),
                mark("level gauge"),
                mark("two weeks after, least of every day"),
                old.least,
                new.least,
                new.least - room,
                new.highest,
            )
        )
    return found


def check_survey(
    districts: Mapping[str, NDArray[np.int64]], days: tuple[Day, Day], surveyed: Iterable[str], spread: float, year: int
) -> list[Check]:
    """Night flow of districts that were surveyed in a year, and a step test where it stays high."""
    found = []
    for name in surveyed:
        before, after = (night_flow(day, districts[name]) for day in days)
        low, high = limits_of_change(before, after, spread)
        found.append(
            Check(
                year,
                "survey",
                name,
                mark("minimum night flow"),
                mark("m³/h"),
                mark("flow meter of the inlet; above the limit a step test"),
                mark("the last week before the survey and the week after the last repair, 02:00-04:00"),
                before,
                after,
                low,
                high,
            )
        )
    return found


def check_renewal(pipes: int, before: float, after: float, year: int) -> Check:
    """Breaks of renewed pipes in the three years after; a year's expected breaks before and after are given."""
    was, becomes = _YEARS_OF_BREAKS * before, _YEARS_OF_BREAKS * after
    low, high = (float(poisson.ppf(p, becomes)) if becomes > 0.0 else 0.0 for p in (0.05, 0.95))
    return Check(
        year,
        "renewal",
        Sentence(mark("{n} pipes"), n=pipes),
        Sentence(mark("breaks in {years} years"), years=_YEARS_OF_BREAKS),
        mark("breaks"),
        mark("register of repairs"),
        Sentence(mark("{years} years after, beside those expected of the old pipes"), years=_YEARS_OF_BREAKS),
        was,
        becomes,
        max(low, 0.0),
        high,
    )


def check_loggers(count: int, leak: float, distance: float, within: float, year: int) -> Check:
    """A hydrant is opened in each block: the median distance from it to the pipe that is named."""
    return Check(
        year,
        "loggers",
        Sentence(mark("{n} loggers"), n=count),
        mark("median distance from a test leak to the pipe named"),
        mark("m"),
        Sentence(mark("hydrant opened by {leak} m³/h in each block, at night"), leak=leak),
        mark("within a month of the last logger"),
        float("nan"),
        distance,
        0.0,
        max(300.0, distance) if within >= 0.5 else 2.0 * distance,
    )
