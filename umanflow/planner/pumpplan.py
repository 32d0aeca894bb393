"""A plan of pump schedules: what it has to keep, its hours, and what EPANET makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from umanflow.planner.cuts import CutTest
from umanflow.planner.pumprun import PumpRun

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PumpRules:
    """What a schedule has to keep.

    Attributes
    ----------
    outage
        Hours of a power cut, at any time of the day, that tanks are to bridge.
    start_cost
        UAH for each start of a pump.
    price
        UAH/kWh by hour of the clock, 24 of them, or none: then the model's own.
    flat
        UAH/kWh where there is no tariff at all.
    variable
        Lowest and highest relative speed by pump, beside those that the model's controls set.
    """

    outage: float = 2.0
    start_cost: float = 20.0
    price: tuple[float, ...] = ()
    flat: float = 9.5
    variable: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class PumpHour:
    """One hour of the schedule: speed of one pump, 0 while it stands still, and the price then."""

    pump: str
    station: str
    hour: int
    speed: float
    price: float


@dataclass(frozen=True, slots=True)
class Reserve:
    """What a zone's tanks hold against a power cut.

    Attributes
    ----------
    zone
        Of its first tank.
    usable
        m3.
    needed
        m3 that the stated cut takes at the worst hour of the day.
    is_enough
        Whether full tanks bridge the cut at any hour.
    least_before, least_after
        Least content of the day, m3, as it is and with the schedule.
    """

    zone: str
    usable: float
    needed: float
    is_enough: bool
    least_before: float
    least_after: float


@dataclass(frozen=True, slots=True)
class PumpPlan:
    """A schedule and what EPANET makes of it, from the written file.

    Attributes
    ----------
    price
        float64 [24], mean of all pumps; `price_source` is "study", "model" or "flat".
    hours
        The schedule.
    before, after
        The present controls and the schedule, the same days.
    reserves
        By zone with tanks.
    cuts_before, cuts_after
        The power cut, simulated.
    is_kept
        Whether the schedule keeps free heads, levels, the cycle and the storage that it has to; if not, it is no
        advice, and `why` says what it does not keep.
    why
        See there.
    inp
        The whole model with the schedule.
    """

    price: Floats
    price_source: str
    hours: tuple[PumpHour, ...]
    before: PumpRun
    after: PumpRun
    reserves: tuple[Reserve, ...]
    cuts_before: CutTest
    cuts_after: CutTest
    is_kept: bool
    why: tuple[str, ...]
    _inp: bytes

    @property
    def inp(self) -> bytes:
        """The model as an INP with the schedule in its controls, tanks at the levels at which a day begins."""
        return self._inp
