"""One block of residuals, and how it is made: means that switching does not disturb, moments that stand for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from hydro.driven import Drive

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PROBES = 3  # moments of a block at which leaks are simulated: their effect is smooth over the day
_CLIP = 3.5  # robust standard deviations
_NEIGHBOURS = 5.0 / 24.0  # share of a block: an hourly value and two before and after it


@dataclass(frozen=True, slots=True)
class Frame:
    """One block of residuals: what the detector's `step` takes.

    Attributes
    ----------
    start, end
        UTC; the frame was complete at `end`.
    values
        float64 [n_channels], mean residual against the model without leaks, m and m3/s; NaN is missing.
    drive
        Boundary conditions at a few moments of the block, to simulate leaks at.
    base
        float64 [n_probes, n_instruments], the model without leaks at those moments.
    hours
        float64 [n_hours, n_channels], residuals of its hours, as `values`; NaN is missing. Empty where they are not
        known.
    is_whole
        False where too little was measured for a mean over the block, or the block is not over: only its hours count.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    values: Floats
    drive: Drive
    base: Floats
    hours: Floats = field(default_factory=lambda: np.empty((0, 0)))
    is_whole: bool = True

    def each_hour(self) -> list[HourFrame]:
        """Its hours, in order."""
        hour = pd.Timedelta(hours=1)
        return [HourFrame(self.start + k * hour, self.start + (k + 1) * hour, v) for k, v in enumerate(self.hours)]


@dataclass(frozen=True, slots=True)
class HourFrame:
    """One hour of residuals: the detector's `step` takes a day's hours, and then the day.

    Attributes
    ----------
    start, end
        UTC; the frame was complete at `end`.
    values
        float64 [n_channels], mean residual against the model without leaks, m and m3/s; NaN is missing.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    values: Floats


def joined(parts: Sequence[Drive]) -> Drive:
    """Several drives as one, in the order given."""
    times = pd.DatetimeIndex(np.concatenate([part.times.to_numpy() for part in parts]), tz="UTC")
    names = [f.name for f in fields(Drive) if f.name != "times"]
    return Drive(times, *(np.vstack([getattr(part, name) for part in parts]) for name in names))


def steady_mean(values: Floats) -> Floats:
    """Mean of each column over a block, with moments of switching (far off their neighbours) held at the edge.

    A pump or a tank's inlet that switches within an interval leaves metres of residual that no steady state explains.
    A leak that begins in the middle of the block stays: what lasts is the neighbours' too.
    """
    mean = np.full(values.shape[1], np.nan)
    for k, column in enumerate(values.T):
        seen = column[np.isfinite(column)]
        if len(seen):
            around = median_filter(seen, size=max(1, round(_NEIGHBOURS * len(seen))), mode="nearest")
            reach = _CLIP * max(1.4826 * float(np.median(np.abs(seen - around))), 1e-9)
            mean[k] = np.clip(seen, around - reach, around + reach).mean()
    return mean


def typical_rows(demand: Floats, rows: Ints) -> Ints:
    """Moments that stand for a block: the middle of each part of its intervals in order of demand."""
    order = rows[np.argsort(demand, kind="stable")]
    middle = ((np.arange(PROBES) + 0.5) / PROBES * len(order)).astype(int)
    chosen: Ints = order[middle]
    return chosen
