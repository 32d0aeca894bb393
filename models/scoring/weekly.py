"""A band for each time of the week, of what was read at that time in the weeks before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.scoring.compiled import Floats, Ints, kernel
from models.scoring.contract import Scorer, State
from models.scoring.lanes import WIDTH, blocks, larger, load, smaller, store

_WEEK = 7 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyState(State):
    """What was read at each time of the week.

    Attributes
    ----------
    kept
        float64 [n_slots, keep, n_lanes], the last readings of each slot, infinite where there is none yet.
    count
        int64 [n_slots, n_lanes], readings learnt.
    """

    kept: Floats
    count: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyBand(Scorer[WeeklyState]):
    """A reading against quantiles of the last readings at the same time of the week.

    The score is the distance to the middle of the band in halves of its width: up to 1 in size inside. A reading is
    scored before it is learnt, and not learnt where it is abnormal.

    Attributes
    ----------
    interval_s
        Seconds from row to row; a row that is missing is a row of NaN.
    first_s
        Time of the first row of the stream, s since 1970-01-01 00:00 of the clock that people live by.
    n_slots
        Parts of a week that have bands of their own: 168 are hours.
    keep
        Readings of a slot that make its band.
    low, high
        Quantiles that bound it.
    enough
        Readings of a slot for a judgement.
    floor
        Least half width, in the units of the readings.
    limit
        Alarm, and no learning, beyond so many half widths.
    """

    interval_s: float = 900.0
    first_s: float = 0.0
    n_slots: int = 168
    keep: int = 8
    low: float = 0.1
    high: float = 0.9
    enough: int = 4
    floor: float = 1e-6
    limit: float = 3.0

    def __post_init__(self) -> None:
        """Check what was set."""
        Scorer.__post_init__(self)
        self.need("interval_s", self.interval_s > 0.0, "seconds above 0")
        self.need("n_slots", self.n_slots >= 1, "1 part of a week or more")
        self.need("keep", self.keep >= 2, "2 readings or more")
        self.need("low", 0.0 <= self.low < self.high, "a share below high")
        self.need("high", self.high <= 1.0, "a share of at most 1")
        self.need("enough", 2 <= self.enough <= self.keep, "2 readings or more, not more than are kept")
        self.need("floor", self.floor > 0.0, "a number above 0")

    def start(self, n_channels: int) -> WeeklyState:
        """Return the state before the first row."""
        n = blocks(n_channels) * WIDTH
        return WeeklyState.fresh(
            n_channels,
            kept=np.full((self.n_slots, self.keep, n), np.inf),
            count=np.zeros((self.n_slots, n), dtype=np.int64),
        )

    def _score(self, state: WeeklyState, rows: Floats, scores: Floats, step: int) -> WeeklyState:
        clock = self.first_s + self.interval_s * np.arange(step, step + len(rows))
        slot = (np.floor(clock / (_WEEK / self.n_slots)) % self.n_slots).astype(np.int64)
        band = self.low, self.high, self.enough, self.floor, self.limit
        _bands(rows, slot, *band, state.kept, state.count, scores)
        return state


@kernel
def _bands(
    rows: Floats, slots: Ints, low: float, high: float, enough: int, floor: float, limit: float,
    kept: Floats, count: Ints, scores: Floats,
) -> None:  # fmt: skip
    """Judge, then learn, sixteen channels at a time."""
    n_rows, n_channels = rows.shape
    keep, n_lanes = kept.shape[1], kept.shape[2]
    by_size = np.empty((keep, WIDTH))
    for t in range(n_rows):
        slot = slots[t]
        for first in range(0, n_channels, WIDTH):
            _sort(kept, (slot * keep) * n_lanes + first, n_lanes, by_size)
            for c in range(first, min(first + WIDTH, n_channels)):
                x, n = rows[t, c], min(count[slot, c], keep)
                z = np.nan
                if abs(x) < np.inf and n >= enough:
                    bottom = _quantile(by_size, c - first, n, low)
                    top = _quantile(by_size, c - first, n, high)
                    z = (x - 0.5 * (bottom + top)) / max(0.5 * (top - bottom), floor)
                scores[t, c] = z
                if abs(x) < np.inf and not abs(z) > limit:
                    kept[slot, count[slot, c] % keep, c] = x
                    count[slot, c] += 1


@kernel
def _sort(kept: Floats, base: int, n_lanes: int, by_size: Floats) -> None:
    """Put the readings of sixteen channels in the order of size: insertion with an exchange in every lane."""
    for i in range(by_size.shape[0]):
        x = load(kept, base + i * n_lanes)
        for j in range(i):
            y = load(by_size, j * WIDTH)
            store(by_size, j * WIDTH, smaller(x, y))
            x = larger(x, y)
        store(by_size, i * WIDTH, x)


@kernel
def _quantile(by_size: Floats, lane: int, n: int, share: float) -> float:
    """Interpolate linearly between the order statistics of n readings."""
    at = share * (n - 1)
    below = int(at)
    above = min(below + 1, n - 1)
    found: float = by_size[below, lane] + (at - below) * (by_size[above, lane] - by_size[below, lane])
    return found
