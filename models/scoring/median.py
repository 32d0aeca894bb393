"""Robust z: a reading against the median of a moving window, in scaled median absolute deviations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.scoring.compiled import Floats, Ints, kernel
from models.scoring.contract import Scorer, State
from models.scoring.lanes import WIDTH, blocks, larger, load, smaller, splat, store, where_less

# a normal distribution's standard deviation over its median absolute deviation
MAD = 1.4826022185056018


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianState(State):
    """The window of every channel, twice; sixteen channels lie side by side, what is missing is infinite.

    Attributes
    ----------
    recent
        float64 [n_blocks, window, WIDTH], readings by row modulo the window.
    ordered
        float64 [n_blocks, window + 1, WIDTH], readings by size.
    count
        int64 [n_blocks, WIDTH], how many there are.
    """

    recent: Floats
    ordered: Floats
    count: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingMedian(Scorer[MedianState]):
    """A reading less the median of the rows before it, in scaled median absolute deviations of theirs.

    Median and deviation are exact. Of an even number of readings the lower middle one is taken (a reading that was
    seen, not a mean of two), for the deviation likewise. Up to half of the window may be abnormal.

    Attributes
    ----------
    window
        Rows.
    enough
        Readings in the window for a judgement.
    floor
        Least standard deviation, in the units of the readings: the instrument's resolution.
    limit
        Alarm beyond so many standard deviations.

    Notes
    -----
    B. Iglewicz and D. C. Hoaglin, "How to detect and handle outliers" (1993); F. R. Hampel, "The influence curve and
    its role in robust estimation", JASA 69 (1974).
    """

    window: int = 96
    enough: int = 24
    floor: float = 1e-6
    limit: float = 5.0

    def __post_init__(self) -> None:
        """Check what was set."""
        Scorer.__post_init__(self)
        self.need("window", self.window >= 2, "2 rows or more")
        self.need("enough", 2 <= self.enough <= self.window, "2 readings or more, not more than the window holds")
        self.need("floor", self.floor > 0.0, "a number above 0")

    def start(self, n_channels: int) -> MedianState:
        """Return the state before the first row."""
        n = blocks(n_channels)
        return MedianState.fresh(
            n_channels,
            recent=np.full((n, self.window, WIDTH), np.inf),
            ordered=np.full((n, self.window + 1, WIDTH), np.inf),
            count=np.zeros((n, WIDTH), dtype=np.int64),
        )

    def _score(self, state: MedianState, rows: Floats, scores: Floats, step: int) -> MedianState:
        _medians(rows, step, self.enough, self.floor, state.recent, state.ordered, state.count, scores)
        return state


@kernel
def _medians(
    rows: Floats, step: int, enough: int, floor: float, recent: Floats, ordered: Floats, count: Ints, scores: Floats
) -> None:
    """Judge, then learn, sixteen channels at a time: their windows stay in the nearest cache for all rows."""
    n_rows, n_channels = rows.shape
    window = recent.shape[1]
    new, median, spread = np.full(WIDTH, np.inf), np.empty(WIDTH), np.empty(WIDTH)
    for first in range(0, n_channels, WIDTH):
        block, n_lanes = first // WIDTH, min(WIDTH, n_channels - first)
        new[:] = np.inf
        old, by_size, n = recent[block], ordered[block], count[block]
        for t in range(n_rows):
            for lane in range(n_lanes):
                x = rows[t, first + lane]
                new[lane] = x if abs(x) < np.inf else np.inf
            _middle(by_size, n, n_lanes, median, spread)
            for lane in range(n_lanes):
                z = (new[lane] - median[lane]) / max(MAD * spread[lane], floor)
                scores[t, first + lane] = z if n[lane] >= enough and new[lane] < np.inf else np.nan
            _replace(old, (step + t) % window, new, by_size, n)


@kernel
def _middle(by_size: Floats, n: Ints, n_lanes: int, median: Floats, spread: Floats) -> None:
    """Lower median and lower median absolute deviation of each lane.

    The h readings nearest to the median lie side by side in the order of size, so that the h-th smallest deviation is
    the least, over all runs of h, of the larger deviation of the run's two ends.
    """
    is_even_filled = True
    for lane in range(WIDTH):
        median[lane] = by_size[(n[lane] - 1) // 2, lane] if n[lane] > 0 else 0.0
        if lane < n_lanes:
            is_even_filled &= n[lane] == n[0]
    if is_even_filled:
        h = (n[0] + 1) // 2
        middle, least = load(median, 0), splat(np.inf)
        for i in range(n[0] - h + 1):
            low, high = load(by_size, i * WIDTH), load(by_size, (i + h - 1) * WIDTH)
            least = smaller(larger(middle - low, high - middle), least)
        store(spread, 0, least)
        return
    for lane in range(n_lanes):
        h, least_one = (n[lane] + 1) // 2, np.inf
        for i in range(n[lane] - h + 1):
            least_one = min(least_one, max(median[lane] - by_size[i, lane], by_size[i + h - 1, lane] - median[lane]))
        spread[lane] = least_one


@kernel
def _replace(old: Floats, position: int, new: Floats, by_size: Floats, n: Ints) -> None:
    """Put new readings in the place of those that leave the window; infinity is no reading, and the largest."""
    for lane in range(WIDTH):
        n[lane] += (new[lane] < np.inf) - (old[position, lane] < np.inf)
    leaving, coming = load(old, position * WIDTH), load(new, 0)
    before = splat(-np.inf)
    here = load(by_size, 0)
    for i in range(old.shape[0]):
        following = load(by_size, (i + 1) * WIDTH)
        # without the one that leaves, then with the one that comes
        kept = where_less(here, leaving, here, following)
        store(by_size, i * WIDTH, smaller(kept, larger(before, coming)))
        before, here = kept, following
    store(old, position * WIDTH, coming)
