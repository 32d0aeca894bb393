"""Page-Hinkley's test: a shift of the mean of readings whose usual value is learnt on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.scoring.compiled import Floats, Ints, kernel
from models.scoring.contract import AnyFloats, Scanner, Scorer, State
from models.scoring.lanes import (
    WIDTH,
    any_less,
    larger,
    load,
    padded,
    product,
    splat,
    store,
    tail,
    where_finite,
    where_less,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHinkleyState(State):
    """Mean and sums of every channel since its last alarm.

    Attributes
    ----------
    count, mean
        float64 [n_lanes], readings and their mean.
    up, down
        float64 [n_lanes], how far the sum of deviations has risen above its least value, and fallen below its largest.
    up_onset, down_onset
        float64 [n_lanes], row after that extreme.
    """

    count: Floats
    mean: Floats
    up: Floats
    down: Floats
    up_onset: Floats
    down_onset: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHinkley(Scanner[PageHinkleyState]):
    """Two-sided Page-Hinkley test; a channel that alarms learns anew.

    The score is the larger of the two rises, negative for a fall, in the units of the readings; NaN during `warmup`.

    Attributes
    ----------
    drift
        Allowance per row, in the units of the readings.
    limit
        Alarm level, in the units of the readings.
    memory
        Readings over which the mean forgets, once there are as many; until then it is the plain mean.
    warmup
        Readings before the first judgement.

    Notes
    -----
    D. V. Hinkley, "Inference about the change-point from cumulative sum tests", Biometrika 58 (1971). The sum less its
    least value is a sum held at zero from below, so that no extreme has to be kept.
    """

    drift: float = 0.005
    limit: float = 50.0
    memory: float = 10_000.0
    warmup: int = 30

    def __post_init__(self) -> None:
        """Check what was set."""
        Scorer.__post_init__(self)
        self.need("drift", self.drift >= 0.0, "a number of 0 or more")
        self.need("memory", self.memory >= 1.0, "1 reading or more")
        self.need("warmup", self.warmup >= 0, "0 readings or more")

    def start(self, n_channels: int) -> PageHinkleyState:
        """Return the state before the first row."""
        count, mean, up, down, up_onset, down_onset = (padded(n_channels) for _ in range(6))
        return PageHinkleyState.fresh(
            n_channels, count=count, mean=mean, up=up, down=down, up_onset=up_onset, down_onset=down_onset
        )

    def _run(
        self, state: PageHinkleyState, rows: AnyFloats, first: int, step: int, scores: Floats, places: Ints,
        found: Floats,
    ) -> tuple[int, int]:  # fmt: skip
        sums = state.count, state.mean, state.up, state.down, state.up_onset, state.down_onset
        settings = self.drift, self.limit, 1.0 / self.memory, float(self.warmup)
        return _page_hinkley(rows, first, step, *settings, *sums, scores, places, found)


@kernel
def _page_hinkley(
    rows: AnyFloats, first: int, step: int, drift: float, limit: float, least_gain: float, warmup: float,
    count: Floats, mean: Floats, up: Floats, down: Floats, up_onset: Floats, down_onset: Floats,
    scores: Floats, places: Ints, found: Floats,
) -> tuple[int, int]:  # fmt: skip
    """Carry mean and sums through rows from `first` on, in place; scores and alarms as for the CUSUM."""
    n_rows, n_channels = rows.shape
    n_full = n_channels // WIDTH * WIDTH
    is_dense, is_sparse = scores.shape[0] > 0, places.shape[0] > 0
    zero, one, k, h = splat(0.0), splat(1.0), splat(drift), splat(limit)
    slowest, warm = splat(least_gain), splat(warmup)
    spare = np.full(WIDTH, np.nan)
    n_found = 0
    for t in range(first, n_rows):
        if is_sparse and n_found + n_channels > places.shape[0]:
            return t, n_found
        following, peak = splat(np.float64(step + t + 1)), zero
        for c in range(0, n_channels, WIDTH):
            if c < n_full:
                x = load(rows, t * n_channels + c)
            else:
                tail(rows, t, c, spare)
                x = load(spare, 0)
            n = load(count, c) + where_finite(x, one, zero)
            m = load(mean, c)
            m = m + where_finite(x, product(larger(one / n, slowest), x - m), zero)
            store(count, c, n)
            store(mean, c, m)
            u = load(up, c) + where_finite(x, x - m - k, zero)
            d = load(down, c) + where_finite(x, m - x - k, zero)
            store(up_onset, c, where_less(zero, u, load(up_onset, c), following))
            store(down_onset, c, where_less(zero, d, load(down_onset, c), following))
            u, d = larger(u, zero), larger(d, zero)
            store(up, c, u)
            store(down, c, d)
            peak = larger(where_less(n, warm, zero, larger(u, d)), peak)
        if is_dense:
            _write(rows, t, warmup, count, up, down, scores)
        if any_less(h, peak):
            n_found = _learn_anew(
                step + t, n_channels, limit, warmup, count, mean, up, down, up_onset, down_onset, places, found,
                n_found,
            )  # fmt: skip
    return n_rows, n_found


@kernel
def _write(rows: AnyFloats, t: int, warmup: float, count: Floats, up: Floats, down: Floats, scores: Floats) -> None:
    """Fill a row of scores: the larger rise of each channel, negative for a fall."""
    n_channels = rows.shape[1]
    n_full = n_channels // WIDTH * WIDTH
    zero, nothing, warm = splat(0.0), splat(np.nan), splat(warmup)
    for c in range(0, n_full, WIDTH):
        u, d = load(up, c), load(down, c)
        s = where_less(load(count, c), warm, nothing, where_less(u, d, zero - d, u))
        store(scores, t * n_channels + c, where_finite(load(rows, t * n_channels + c), s, nothing))
    for c in range(n_full, n_channels):
        rise = up[c] if up[c] >= down[c] else -down[c]
        scores[t, c] = rise if abs(rows[t, c]) < np.inf and count[c] >= warmup else np.nan


@kernel
def _learn_anew(
    now: int, n_channels: int, limit: float, warmup: float, count: Floats, mean: Floats, up: Floats, down: Floats,
    up_onset: Floats, down_onset: Floats, places: Ints, found: Floats, n_found: int,
) -> int:  # fmt: skip
    """Note a row's alarms, where there is a table for them, and start those channels again."""
    h, warm, zero = splat(limit), splat(warmup), splat(0.0)
    for first in range(0, n_channels, WIDTH):
        worst = larger(load(up, first), load(down, first))
        if not any_less(h, where_less(load(count, first), warm, zero, worst)):
            continue
        for c in range(first, min(first + WIDTH, n_channels)):
            if count[c] < warmup or not (up[c] > limit or down[c] > limit):
                continue
            is_up = up[c] >= down[c]
            if places.shape[0] > 0:
                places[n_found, 0], places[n_found, 1] = now, c
                places[n_found, 2] = np.int64(up_onset[c] if is_up else down_onset[c])
                found[n_found] = up[c] if is_up else -down[c]
                n_found += 1
            count[c], mean[c], up[c], down[c] = 0.0, 0.0, 0.0, 0.0
            up_onset[c], down_onset[c] = now + 1.0, now + 1.0
    return n_found
