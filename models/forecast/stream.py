"""Live use: readings come one after the other, each is told what was expected of it, whole days are learnt."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import WrongRule
from models.forecast.forecaster import Forecast, Forecaster, Score

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Expected:
    """What was expected of the readings of one moment.

    Attributes
    ----------
    value, low, high
        float64 [n_channels], the forecast made the evening before and the outer quantiles of its band; NaN while
        nothing is known.
    residual
        float64 [n_channels], reading less `value`.
    """

    value: Floats
    low: Floats
    high: Floats
    residual: Floats


class Stream:
    """Feeds a forecaster with readings as they come.

    Parameters
    ----------
    forecaster
        Mutated: it learns each day when the next begins.
    timezone
        Where people live; None where the times given are already local.

    Attributes
    ----------
    scores
        What became of each finished day.
    """

    def __init__(self, forecaster: Forecaster, timezone: str | None = None) -> None:
        self.forecaster = forecaster
        self.scores: list[Score] = []
        self._timezone = timezone
        self._shape = (forecaster.settings.slots, len(forecaster.channels))
        self._date: dt.date | None = None
        self._latest: pd.Timestamp | None = None
        self._forecast: Forecast | None = None
        self._clear()

    def _clear(self) -> None:
        self._total: Floats = np.zeros(self._shape)
        self._count: Floats = np.zeros(self._shape)
        self._abnormal: Bools = np.zeros(self._shape, dtype=bool)

    def take(self, time: pd.Timestamp, values: Floats, abnormal: Bools | None = None) -> Expected:
        """Take the readings of one moment.

        Parameters
        ----------
        time
            Aware where a time zone was given; not before the time taken last.
        values
            float64 [n_channels], NaN where missing.
        abnormal
            bool [n_channels], what was called abnormal: its slot is not learnt from.

        Raises
        ------
        WrongRule
            If the time lies before the last.
        """
        if self._latest is not None and time < self._latest:
            raise WrongRule(f"{time}: before {self._latest}, the reading taken last; give readings in order")
        self._latest = time
        local = self._local(time)
        if self._date is not None and local.date() > self._date:
            self.close_day()
        if self._date is None:
            self._date = local.date()
            self._forecast = self._ahead(self._date)
        slots = self.forecaster.settings.slots
        slot = int((local.hour * 3600 + local.minute * 60 + local.second) * slots // 86_400)
        self._total[slot] += np.nan_to_num(values)
        self._count[slot] += np.isfinite(values)
        if abnormal is not None:
            self._abnormal[slot] |= abnormal
        return self._expected(slot, values)

    def close_day(self) -> Score | None:
        """Learn the day so far, e.g. before saving the state; readings of it that come later are refused."""
        if self._date is None:
            return None
        with np.errstate(invalid="ignore"):
            values = np.where(self._count > 0, self._total / np.maximum(self._count, 1.0), np.nan)
        score = self.forecaster.step(self._date, values, abnormal=self._abnormal)
        self.scores.append(score)
        self._date = None
        self._clear()
        return score

    def _local(self, time: pd.Timestamp) -> pd.Timestamp:
        if self._timezone is None:
            return time
        if time.tzinfo is None:
            raise WrongRule(
                f"{time}: a time without a zone, where {self._timezone} is told; give UTC times with +00:00"
            )
        return time.tz_convert(self._timezone).tz_localize(None)

    def _ahead(self, date: dt.date) -> Forecast | None:
        """The forecast for a day, made with what was known the evening before; none after a gap of a week."""
        last = self.forecaster.last
        if last is None or not 1 <= (date - last).days <= 7:
            return None
        return self.forecaster.forecast((date - last).days)

    def _expected(self, slot: int, values: Floats) -> Expected:
        if self._forecast is None:
            nothing = np.full(self._shape[1], np.nan)
            return Expected(nothing, nothing, nothing, nothing)
        value = self._forecast.values[-1, slot]
        band = self._forecast.band[:, -1, slot]
        return Expected(value, band[0], band[-1], values - value)
