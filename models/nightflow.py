"""Leakage by night: what flows in when hardly anybody draws water, and what that makes of a day.

Minimum night flow and night-day factor: Lambert, "Night-day factor" (2017), and AWWA M36; exponents: May 1994 (FAVAD);
van Zyl and Cassa 2014 (leakage number). Flows m3/s, pressures m, times s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.uncertain import Uncertain, exact

Floats = NDArray[np.float64]

STEP_S = 900
POINTS = 96  # of a day
_ROLLING = 4
LEAST_POINTS = 92
_GRAVITY = 9.80665
_MAD_TO_SD = 1.4826


@dataclass(frozen=True, slots=True)
class Nights:
    """The night line of some days.

    Attributes
    ----------
    flow
        float64 [n_days], m3/s: least mean of four readings in a row; NaN where the day has fewer than 92 of 96.
    place
        int64 [n_days], reading with which that hour begins; -1 where there is none.
    """

    flow: Floats
    place: NDArray[np.int64]

    @property
    def valid(self) -> int:
        """Days that count."""
        return int(np.isfinite(self.flow).sum())


def night_lines(flow: Floats) -> Nights:
    """Minimum night flow of whole days of quarter-hours.

    Parameters
    ----------
    flow
        float64 [n_days, 96], mean flow of each quarter of an hour, m3/s; NaN where missing.
    """
    if flow.ndim != 2 or flow.shape[1] != POINTS:
        raise ValueError(f"a day has {POINTS} quarters of an hour, not {flow.shape}")
    rolling = np.lib.stride_tricks.sliding_window_view(flow, _ROLLING, axis=1).mean(axis=2)
    counts = np.isfinite(flow).sum(axis=1) >= LEAST_POINTS
    usable = counts & np.isfinite(rolling).any(axis=1)
    filled = np.where(np.isfinite(rolling), rolling, np.inf)
    place = np.where(usable, filled.argmin(axis=1), -1)
    least = np.where(usable, filled.min(axis=1), np.nan)
    return Nights(least, place.astype(np.int64))


def typical_night(nights: Nights, meter_half: float, name: str) -> Uncertain | None:
    """Median night line; its error is the scatter of nights and the meter's.

    Parameters
    ----------
    meter_half
        95 % limits of the meter, share of what it shows.
    name
        Of the meter: its error is the same in all that it measures.

    Returns
    -------
    Uncertain or None
        m3/s; None without a valid night.
    """
    values = nights.flow[np.isfinite(nights.flow)]
    if len(values) == 0:
        return None
    middle = float(np.median(values))
    spread = _MAD_TO_SD * float(np.median(np.abs(values - middle))) if len(values) > 2 else 0.1 * middle
    # the median of n normal values has 1.2533 times the standard error of their mean
    parts = {f"nights {name}": 1.2533 * spread / math.sqrt(len(values))}
    parts[name] = middle * meter_half / 1.959963984540054
    return Uncertain(middle, parts)


# legitimate night use ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NightUse:
    """What customers draw at night, by person or by property: never both.

    Attributes
    ----------
    people, active, each
        Number of people, share of them who are up, and what one draws, m3/s. The usual figures are 6 % and 10 L/h.
    properties, per_property
        Number, and what one draws, m3/s. The usual figures are 1.7 to 2.5 L/h.
    others, per_other
        Properties that are no homes, and what one draws, m3/s: 3.3 to 7.1 L/h.
    large
        Of customers who are known one by one, m3/s.
    """

    people: Uncertain | None = None
    active: Uncertain | None = None
    each: Uncertain | None = None
    properties: Uncertain | None = None
    per_property: Uncertain | None = None
    others: Uncertain | None = None
    per_other: Uncertain | None = None
    large: Uncertain | None = None

    def __post_init__(self) -> None:
        """Refuse a mixture, and halves."""
        by_person = [self.people, self.active, self.each]
        by_property = [self.properties, self.per_property]
        if any(v is not None for v in by_person) and any(v is not None for v in by_property):
            raise ValueError("night use is given by person and by property; give one of them")
        for group, words in (
            (by_person, "people, active share and use of one"),
            (by_property, "properties and use of one"),
            ([self.others, self.per_other], "other properties and use of one"),
        ):
            if any(v is None for v in group) and any(v is not None for v in group):
                raise ValueError(f"night use needs {words} together")
        if all(v is None for v in (*by_person, *by_property, self.large)):
            raise ValueError("night use needs people, properties or large users")

    @property
    def flow(self) -> Uncertain:
        """Legitimate night use, m3/s."""
        whole = self.large or exact(0.0)
        if self.people is not None and self.active is not None and self.each is not None:
            whole = whole + self.people * self.active * self.each
        if self.properties is not None and self.per_property is not None:
            whole = whole + self.properties * self.per_property
        if self.others is not None and self.per_other is not None:
            whole = whole + self.others * self.per_other
        return whole


# pressure ---------------------------------------------------------------------------------------------------------


def zone_pressure(pressure: Floats, connections: Floats) -> Floats:
    """Pressure at the average zone point: that of nodes weighted by their connections.

    Parameters
    ----------
    pressure
        float64 [n_steps, n_nodes], m.
    connections
        float64 [n_nodes].

    Returns
    -------
    float64 [n_steps], m
    """
    return np.asarray(pressure @ connections / connections.sum(), dtype=np.float64)


def night_day_factor(pressure: Floats, night: float, n1: Uncertain) -> Uncertain:
    """Hours of night leakage that make a day of leakage: sum over 24 hours of (P_h / P_night)^N1.

    Parameters
    ----------
    pressure
        float64 [24], mean pressure at the average zone point in each hour, m.
    night
        The same in the hour of minimum flow, m.
    n1
        Exponent.
    """
    if pressure.shape != (24,) or not (np.all(pressure > 0.0) and night > 0.0):
        raise ValueError("a night-day factor needs 24 pressures and a night pressure above 0 m")
    factor = Uncertain(0.0)
    for ratio in (pressure / night).tolist():
        factor = factor + exact(ratio) ** n1
    return factor


def daily_loss(night_flow: Uncertain, use: Uncertain, factor: Uncertain) -> Uncertain:
    """Mean leakage of a day, m3/s, from the minimum night flow and legitimate use, m3/s, and the night-day factor."""
    return (night_flow - use) * factor / 24.0


def n1_of_pressures(pressure: Floats, leakage: Floats) -> float:
    """Exponent N1 from leakage at several pressures: slope of ln L by ln P (L1/L0 = (P1/P0)^N1).

    Parameters
    ----------
    pressure, leakage
        float64 [n], n >= 2, m and any unit of flow, such as from a night in which an inlet's pressure is lowered by
        steps.
    """
    if len(pressure) < 2 or np.ptp(pressure) <= 0.0 or np.any(pressure <= 0.0) or np.any(leakage <= 0.0):
        raise ValueError("N1 needs leakage above 0 at two or more different pressures above 0 m")
    return float(np.polyfit(np.log(pressure), np.log(leakage), 1)[0])


def favad(pressure: float | Floats, area: float, growth: float, coefficient: float = 0.6) -> Floats:
    """Leakage of an opening that widens: Q = Cd sqrt(2 g) (A0 h^0.5 + m h^1.5), m3/s.

    Parameters
    ----------
    pressure
        h, m.
    area, growth
        A0, m2, and m, m2 per m of head.
    coefficient
        Cd; 0.6 is EPANET's.
    """
    head = np.maximum(np.asarray(pressure, dtype=np.float64), 0.0)
    flow: Floats = coefficient * math.sqrt(2.0 * _GRAVITY) * (area * head**0.5 + growth * head**1.5)
    return flow


def n1_of_favad(pressure: float, area: float, growth: float) -> float:
    """Exponent N1 of such an opening at a pressure: 0.5 + N / (1 + N) with the leakage number N = m h / A0."""
    if area <= 0.0:
        return 1.5
    number = growth * pressure / area
    return 0.5 + number / (1.0 + number)
