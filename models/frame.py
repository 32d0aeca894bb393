"""One block of residuals, and how it is made: means that switching does not disturb, moments that stand for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from hydro.drive import Drive
from models.forecast.parts import mean_of_seen

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PROBES = 3  # moments of a block at which leaks are simulated: their effect is smooth over the day
_COURSE = 14  # blocks from which the usual course over a block is taken
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
    parts
        float64 [n_probes, n_channels], mean residual in the parts of the block with least, middling and most demand;
        empty where it is not known.
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
    parts: Floats = field(default_factory=lambda: np.empty((0, 0)))
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


def moments(frames: Sequence[Frame], order: Sequence[tuple[int, int]]) -> Drive:
    """Single moments of frames as one drive: position of the frame and number of the moment, in the order given."""
    which = sorted({k for k, _ in order})
    at = np.searchsorted(which, [k for k, _ in order]) * PROBES + np.array([p for _, p in order])
    whole = joined([frames[k].drive for k in which])
    return whole.rows(at)


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


def evened(residual: Floats, per_block: int) -> Floats:
    """Residuals of blocks with gaps less their usual course over the block, as the blocks before show it.

    What repeats daily cancels in the mean of a whole day; half a day's mean would be off by it.

    Parameters
    ----------
    residual
        float64 [n, n_channels], NaN is missing.
    per_block
        Intervals of a block.
    """
    n_blocks = len(residual) // per_block
    if n_blocks == 0:
        return residual
    blocks = residual[: n_blocks * per_block].reshape(n_blocks, per_block, -1)
    seen = np.isfinite(blocks)
    count = seen.sum(axis=1, keepdims=True)
    mean = np.where(seen, blocks, 0.0).sum(axis=1, keepdims=True) / np.maximum(count, 1)
    whole = count >= 0.9 * per_block
    off = np.where(seen & whole, blocks - mean, 0.0)
    there = (seen & whole).astype(float)
    total, times = np.zeros((n_blocks + 1, *off.shape[1:])), np.zeros((n_blocks + 1, *off.shape[1:]))
    np.cumsum(off, axis=0, out=total[1:])
    np.cumsum(there, axis=0, out=times[1:])
    found = residual.copy()
    for k in range(1, n_blocks):
        gappy = (count[k, 0] < per_block) & (count[k, 0] > 0)
        if gappy.any():
            first = max(0, k - _COURSE)
            course = (total[k] - total[first]) / np.maximum(times[k] - times[first], 1.0)
            found[k * per_block : (k + 1) * per_block, gappy] -= course[:, gappy]
    return found


def by_part(residual: Floats, demand: Floats) -> Floats:
    """Mean residual in the parts of a block with least, middling and most demand, float64 [n_probes, n_channels]."""
    order = np.argsort(demand, kind="stable")
    return np.stack([mean_of_seen(residual[rows]) for rows in np.array_split(order, PROBES)])


def typical_rows(demand: Floats, rows: Ints) -> Ints:
    """Moments that stand for a block: the middle of each part of its intervals in order of demand."""
    order = rows[np.argsort(demand, kind="stable")]
    middle = ((np.arange(PROBES) + 0.5) / PROBES * len(order)).astype(int)
    chosen: Ints = order[middle]
    return chosen
