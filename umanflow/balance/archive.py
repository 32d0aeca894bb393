"""Measured volumes, nights and pressures of a period, from the historian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.inflow import Metered, volume_of_flow, volume_of_total
from models.nightflow import POINTS
from models.uncertain import Z95, Uncertain
from scada.historian import Historian
from scada.quantity import si_factor
from scada.tag import Tag
from umanflow.pipeline import frame_of

Floats = NDArray[np.float64]

_HOUR_MS = 3_600_000
_END_MS = _HOUR_MS  # a level this near to the period's end counts for it
_REVERSE = 0.005  # share of flow that comes back: beyond that a totaliser of one direction is not to be used


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of an element in SI; without gaps' NaN.

    Attributes
    ----------
    times_ms, values
        int64 and float64 [n].
    tag
        What they were read from.
    """

    times_ms: NDArray[np.int64]
    values: Floats
    tag: Tag


class MeterArchive:
    """What the historian says of a period.

    Parameters
    ----------
    store
        Open; nothing is written.
    tags
        All tags.
    start_ms, end_ms
        The period, UTC ms.
    timezone
        Of days and nights.
    tank_area
        Tank -> m2.
    """

    def __init__(
        self,
        store: Historian,
        tags: Sequence[Tag],
        start_ms: int,
        end_ms: int,
        timezone: str,
        tank_area: dict[str, float],
    ) -> None:
        self._store, self._start_ms, self._end_ms = store, start_ms, end_ms
        self._timezone, self._tank_area = timezone, tank_area
        self._tags: dict[tuple[str, str], Tag] = {}
        self._read: dict[tuple[str, str], Readings] = {}
        for tag in tags:
            if tag.element and si_factor(tag.unit, tag.quantity) is not None:
                self._tags.setdefault((tag.element, tag.quantity), tag)

    @property
    def hours(self) -> int:
        """Hours that the period touches."""
        return -(-(self._end_ms - self._start_ms) // _HOUR_MS)

    def has(self, element: str, quantity: str) -> bool:
        """Whether a tag measures it."""
        return (element, quantity) in self._tags

    def readings(self, element: str, quantity: str) -> Readings | None:
        """GOOD readings in the period, SI; None where no tag measures it."""
        tag = self._tags.get((element, quantity))
        if tag is None:
            return None
        if (element, quantity) in self._read:  # a balance asks for volumes and for nights
            return self._read[element, quantity]
        column = frame_of(self._store, [tag], self._start_ms, self._end_ms + 1)
        series = column[tag.name].dropna() if tag.name in column.columns else pd.Series(dtype=np.float64)
        times = pd.DatetimeIndex(series.index)
        stamps = times.as_unit("ms").asi8 if len(series) else np.empty(0, dtype=np.int64)
        factor = si_factor(tag.unit, quantity) or 1.0
        found = Readings(stamps, series.to_numpy(dtype=np.float64) * factor, tag)
        self._read[element, quantity] = found
        return found

    def hourly(self, readings: Readings | None) -> Floats:
        """Mean of the readings in each hour of the period; NaN where there are none. float64 [n_hours]."""
        if readings is None:
            return np.full(self.hours, np.nan)
        return _binned(readings.values, (readings.times_ms - self._start_ms) // _HOUR_MS, self.hours)

    def volume(self, element: str, share: float) -> Metered:
        """Volume that passed a meter, m3, from its totaliser where it has one, else from its flow.

        Raises
        ------
        LookupError
            If no tag measures it.
        """
        flow, totals = self.readings(element, "flow"), self.readings(element, "volume")
        if flow is None and totals is None:
            raise LookupError(f"no tag measures flow or volume at '{element}'; add one to the tag table")
        start, end = self._start_ms / 1000.0, self._end_ms / 1000.0
        hourly, sd = self.hourly(flow), share / Z95
        by_flow = volume_of_flow(hourly, start, end, sd, element) if flow is not None else None
        if totals is None or (flow is not None and _comes_back(flow)):
            assert by_flow is not None
            return by_flow
        wrap = totals.tag.wrap
        factor = si_factor(totals.tag.unit, "volume") or 1.0
        by_total = volume_of_total(
            totals.times_ms / 1000.0, totals.values, start, end, hourly,
            None if wrap is None else wrap * totals.tag.scale * factor, sd, element,
        )  # fmt: skip
        return by_total if by_flow is None or by_total.coverage >= by_flow.coverage else by_flow

    def stored(self, tank: str, half: float) -> Metered:
        """Volume that a tank stored, m3: its area times the rise of its level.

        Raises
        ------
        LookupError
            If no tag measures its level, or it is no tank.
        """
        levels = self.readings(tank, "level")
        if levels is None or tank not in self._tank_area:
            raise LookupError(f"no tag measures the level of a tank '{tank}'; add one, or correct the element")
        ends = [self._near(levels, moment) for moment in (self._start_ms, self._end_ms)]
        if ends[0] is None or ends[1] is None:
            return Metered(None, sum(end is not None for end in ends) / 2.0, True)
        area = self._tank_area[tank]
        # both readings have the same offset, which goes out of their difference; what stays is their noise
        error = area * half / Z95 * np.sqrt(2.0)
        return Metered(Uncertain(area * (ends[1] - ends[0]), {f"level of {tank}": float(error)}), 1.0, True)

    def _near(self, readings: Readings, moment_ms: int) -> float | None:
        if len(readings.times_ms) == 0:
            return None
        away = np.abs(readings.times_ms - moment_ms)
        k = int(away.argmin())
        return float(readings.values[k]) if away[k] <= _END_MS else None

    def quarters(self, readings: Readings | None) -> Floats:
        """Means by quarter of an hour of the clock's days, float64 [n_days, 96]; NaN where there is no reading.

        On the day on which clocks go forward four quarters are missing, which a night line allows.
        """
        if readings is None or len(readings.values) == 0:
            return np.empty((0, POINTS))
        local = pd.to_datetime(readings.times_ms, unit="ms", utc=True).tz_convert(self._timezone).tz_localize(None)
        midnight = local.normalize()
        day = np.asarray((midnight - midnight[0]).days, dtype=np.int64)
        quarter = np.asarray(local.hour * 4 + local.minute // 15, dtype=np.int64)
        days = int(day.max()) + 1
        return _binned(readings.values, day * POINTS + quarter, days * POINTS).reshape(days, POINTS)

    def hours_of_day(self, readings: Readings | None) -> Floats:
        """Mean by hour of the clock's day, float64 [24]; NaN where there is no reading."""
        quarters = self.quarters(readings)
        if len(quarters) == 0:
            return np.full(24, np.nan)
        day, quarter = np.nonzero(np.isfinite(quarters))
        return _binned(quarters[day, quarter], quarter // 4, 24)


def _binned(values: Floats, place: NDArray[np.int64], count: int) -> Floats:
    inside = (place >= 0) & (place < count)
    sums = np.bincount(place[inside], weights=values[inside], minlength=count)
    numbers = np.bincount(place[inside], minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(numbers > 0, sums / numbers, np.nan), dtype=np.float64)


def _comes_back(flow: Readings) -> bool:
    backwards = -flow.values[flow.values < 0.0].sum()
    return bool(backwards > _REVERSE * np.abs(flow.values).sum())
