"""Measures by year under a budget, and what they bring: leakage simulated year by year, beside doing nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from umanflow.planner.inputs import PlanInput
from umanflow.planner.surveys import Survey
from umanflow.planner.verification import Check

Floats = NDArray[np.float64]

_DAYS = 365.25
_BAND = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing to do in one year: what, how much of it, UAH, how to see that it worked (figures: `Check`).

    `what` and `verify` may be a `Sentence`, which a report tells in its own language.
    """

    year: int
    kind: str
    what: str
    cost: float
    verify: str


@dataclass(frozen=True, slots=True)
class Year:
    """State at the end of a year.

    Attributes
    ----------
    leakage, leakage_nothing
        m3/d, with the programme and without, simulated.
    demand
        m3/d.
    ratio, ratio_low, ratio_high, ratio_nothing, ratio_without_renewal
        Revenue water over supply, with 90 % limits; without any measure; with all measures but renewal.
    reached
        Probability that the target is reached.
    breaks, breaks_nothing
        Expected in the year.
    renewed
        km, all years together.
    cost, saved
        UAH in the year: measures, and water, breaks and energy that are not spent.
    energy, co2
        kWh and kg of the year less than by doing nothing.
    balance
        UAH, discounted: saved less spent, all years together.
    """

    year: int
    leakage: float
    leakage_nothing: float
    demand: float
    ratio: float
    ratio_low: float
    ratio_high: float
    ratio_nothing: float
    ratio_without_renewal: float
    reached: float
    breaks: float
    breaks_nothing: float
    renewed: float
    cost: float
    saved: float
    energy: float
    co2: float
    balance: float


@dataclass(frozen=True, slots=True)
class Programme:
    """Measures and trajectory.

    Attributes
    ----------
    measures, years
        In order of time.
    renewed
        Pipes that are renewed, by year.
    parts
        float64 [n_years] by part of the programme: what it takes off the leakage of doing nothing, m3/d.
    surveys
        Active leakage control of each district.
    checks
        What to measure to see that a step worked, in order of time.
    """

    measures: tuple[Measure, ...]
    years: tuple[Year, ...]
    renewed: dict[int, tuple[str, ...]] = field(default_factory=dict)
    parts: dict[str, Floats] = field(default_factory=dict)
    surveys: tuple[Survey, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def payback(self) -> int | None:
        """First year in which what was saved has paid for what was spent, discounted; None if none has."""
        return next((year.year for year in self.years if year.balance >= 0.0), None)

    def reaches(self, target: float) -> int | None:
        """First year at whose end the ratio is at least a target; None if never."""
        return next((year.year for year in self.years if year.ratio >= target), None)


def findable(given: PlanInput, years: int, surveys: Mapping[int, int]) -> Floats:
    """Findable leakage at the end of each year as a share of all leakage at first, float64 [years + 1].

    New leaks come to `rise` of the first leakage a year and are findable. A year without a survey finds
    `found_without` of what is there, each survey of a year `found_by_survey` of what the one before has left.

    Parameters
    ----------
    surveys
        How many there are, by year from 1.
    """
    rules, left = given.leakage, np.empty(years + 1)
    left[0] = rules.findable
    for year in range(1, years + 1):
        number = surveys.get(year, 0)
        kept = (1.0 - rules.found_by_survey) ** number if number else 1.0 - rules.found_without
        left[year] = (left[year - 1] + rules.rise) * kept
    return left


def spread_of_ratio(
    given: PlanInput, billed: float, demand: float, leakage: Floats, parts: Mapping[str, Floats]
) -> Floats:
    """Draws of the ratio of revenue water to supply by year, float64 [draws, n_years].

    Parameters
    ----------
    billed, demand
        m3/d.
    leakage
        float64 [n_years], m3/d with the programme, simulated.
    parts
        float64 [n_years] by name: what each part of the programme takes off the leakage of doing nothing, m3/d. What
        each brings is uncertain by itself, by a log-normal factor with `spread`; so is the growth of leakage.
    """
    rng = np.random.default_rng(given.programme.seed)
    sigma = float(np.sqrt(np.log1p(given.leakage.spread**2)))
    drawn = np.tile(leakage, (given.programme.draws, 1))
    for values in parts.values():
        factor = rng.lognormal(-0.5 * sigma**2, sigma, (given.programme.draws, 1))
        drawn += (1.0 - factor) * values
    return np.asarray(billed / (demand + np.maximum(drawn, 0.0)))


def limits(drawn: Floats) -> tuple[Floats, Floats]:
    """90 % limits by year."""
    low, high = np.quantile(drawn, _BAND, axis=0)
    return np.asarray(low), np.asarray(high)


def saved_money(
    given: PlanInput, leakage_less: float, breaks_less: float, pumping_less: float
) -> tuple[float, float, float]:
    """UAH, kWh and kg of CO2 of a year that are not spent.

    Parameters
    ----------
    leakage_less
        m3/d; each m3 saves the variable cost, and the energy spent on it before the model's sources, which that cost
        holds already.
    breaks_less
        Breaks of the year.
    pumping_less
        kWh/d of work on the water in the model.
    """
    water, volume = given.water, leakage_less * _DAYS
    pumped = pumping_less * _DAYS / water.pump_efficiency
    energy = pumped + volume * water.supply_energy
    money = volume * water.variable_cost + breaks_less * given.renewal.repair + pumped * water.energy_price
    return money, energy, energy * water.co2
