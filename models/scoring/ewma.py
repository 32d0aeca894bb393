"""Exponentially weighted mean and variance, and how far a reading lies from what they let expect."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.scoring.compiled import Floats, Ints, kernel
from models.scoring.contract import AnyFloats, Scanner, Scorer, State, as_rows
from models.scoring.lanes import (
    WIDTH,
    any_less,
    blocks,
    larger,
    load,
    padded,
    product,
    root,
    smaller,
    splat,
    store,
    tail,
    where_finite,
    where_less,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EwmaState(State):
    """What was learnt of every channel.

    Attributes
    ----------
    mean, variance
        float64 [n_lanes], in the units of the readings and their square.
    count
        float64 [n_lanes], readings learnt, counted until the weights no longer change.
    missed
        float64 [n_lanes], readings in a row that were abnormal and not learnt.
    since
        int64 [n_lanes], row of the first of those.
    young
        int64 [n_blocks], 1 where the weights of some of a vector's channels may still change.
    """

    mean: Floats
    variance: Floats
    count: Floats
    missed: Floats
    since: Ints
    young: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Ewma(Scanner[EwmaState]):
    """EWMA-z: a reading less the weighted mean of those before it, in their weighted standard deviations.

    A reading is scored before it is learnt, and not learnt where it is abnormal. The first readings count equally.

    Attributes
    ----------
    weight
        Of the newest reading in mean and variance.
    limit
        Alarm, and no learning, beyond so many standard deviations.
    floor
        Least standard deviation, in the units of the readings: the instrument's resolution.
    warmup
        Readings before the first judgement.
    patience
        Abnormal readings in a row after which a channel learns anew; 0: never.

    Notes
    -----
    T. Finch, "Incremental calculation of weighted mean and variance" (2009), section 9; as a control chart of single
    readings: J. F. MacGregor and T. J. Harris, "The exponentially weighted moving variance", J. Quality Technology 25
    (1993).
    """

    weight: float = 0.05
    limit: float = 5.0
    floor: float = 1e-6
    warmup: int = 30
    patience: int = 0

    def __post_init__(self) -> None:
        """Check what was set."""
        Scorer.__post_init__(self)
        self.need("weight", 0.0 < self.weight < 1.0, "a share between 0 and 1")
        self.need("floor", self.floor > 0.0, "a number above 0")
        self.need("warmup", self.warmup >= 2, "2 readings or more")
        self.need("patience", self.patience >= 0, "a number of readings, 0 for ever")

    @property
    def _settled(self) -> float:
        """Readings after which every weight is the same."""
        return float(max(self.warmup, math.ceil(1.0 / self.weight)))

    def start(self, n_channels: int) -> EwmaState:
        """Return the state before the first row."""
        mean, variance, count, missed = (padded(n_channels) for _ in range(4))
        young = np.ones(blocks(n_channels), dtype=np.int64)
        count[n_channels:] = self._settled  # no spare lane keeps the others waiting
        since = np.zeros(len(missed), dtype=np.int64)
        return EwmaState.fresh(
            n_channels, mean=mean, variance=variance, count=count, missed=missed, since=since, young=young
        )

    def moments(self, state: EwmaState, frame: AnyFloats) -> tuple[EwmaState, Floats, Floats]:
        """Mean and variance of every channel after each row, float64 [n_times, n_channels]; NaN before a reading."""
        state.check()
        rows = as_rows(frame, state.n_channels)
        means, variances = np.empty((2, *rows.shape))
        learnt = state.mean, state.variance, state.count, state.missed, state.since, state.young
        no_places, no_scores = np.empty((0, 3), dtype=np.int64), np.empty(0)
        _moments(rows, state.step, *self._settings(), *learnt, means, variances, no_places, no_scores)
        return state.after(len(rows)), means, variances

    def _settings(self) -> tuple[float, float, float, float, float, float]:
        return self.weight, self.limit, self.floor, float(self.warmup), self._settled, float(self.patience)

    def _run(
        self, state: EwmaState, rows: AnyFloats, first: int, step: int, scores: Floats, places: Ints, found: Floats
    ) -> tuple[int, int]:
        learnt = state.mean, state.variance, state.count, state.missed, state.since, state.young
        return _ewma(rows, first, step, *self._settings(), *learnt, scores, places, found)


@kernel
def _ewma(
    rows: AnyFloats, first: int, step: int,
    weight: float, limit: float, floor: float, warmup: float, settled: float, patience: float,
    mean: Floats, variance: Floats, count: Floats, missed: Floats, since: Ints, young: Ints,
    scores: Floats, places: Ints, found: Floats,
) -> tuple[int, int]:  # fmt: skip
    """Carry means and variances through rows from `first` on, in place; scores and alarms as for the CUSUM.

    Sixteen channels are learnt at once if none of them is or was just abnormal, and one by one otherwise, with the same
    arithmetic. Where weights still change, a division more is needed.
    """
    n_rows, n_channels = rows.shape
    n_full = n_channels // WIDTH * WIDTH
    is_dense, is_sparse = scores.shape[0] > 0, places.shape[0] > 0
    zero, one = splat(0.0), splat(1.0)
    a, bar, least = splat(weight), splat(limit * limit), splat(floor * floor)
    warm, full, never = splat(warmup), splat(settled), splat(np.inf)
    spare = np.full(WIDTH, np.nan)
    late = np.zeros(len(young), dtype=np.int64)
    for c in range(n_channels):
        late[c // WIDTH] += missed[c] > 0.0
    n_found = 0
    for t in range(first, n_rows):
        if is_sparse and n_found + n_channels > places.shape[0]:
            return t, n_found
        if is_dense:
            _write(rows, t, floor, warmup, mean, variance, count, scores)
        for c in range(0, n_channels, WIDTH):
            if c < n_full:
                x = load(rows, t * n_channels + c)
            else:
                tail(rows, t, c, spare)
                x = load(spare, 0)
            m, s = load(mean, c), load(variance, c)
            e = where_finite(x, x - m, zero)
            square = product(e, e)
            block, gain, most = c // WIDTH, a, product(bar, larger(s, least))
            if young[block] > 0:
                n = load(count, c)
                gain, most = larger(one / (n + one), a), where_less(n, warm, never, most)
            if late[block] > 0 or any_less(most, square):
                last = min(c + WIDTH, n_channels)
                n_found = _one_by_one(
                    rows, t, step + t, c, last, weight, limit, floor, warmup, settled, patience,
                    mean, variance, count, missed, since, young, late, places, found, n_found,
                )  # fmt: skip
                continue
            change = product(gain, e)
            store(mean, c, m + change)
            store(variance, c, product(where_finite(x, one - gain, one), s + product(change, e)))
            if young[block] > 0:
                n = smaller(load(count, c) + where_finite(x, one, zero), full)
                store(count, c, n)
                young[block] = np.int64(any_less(n, full))
    return n_rows, n_found


@kernel
def _write(
    rows: AnyFloats, t: int, floor: float, warmup: float, mean: Floats, variance: Floats, count: Floats, scores: Floats
) -> None:
    """Fill a row of scores, before the row is learnt."""
    n_channels = rows.shape[1]
    n_full = n_channels // WIDTH * WIDTH
    nothing, least, warm = splat(np.nan), splat(floor * floor), splat(warmup)
    for c in range(0, n_full, WIDTH):
        x = load(rows, t * n_channels + c)
        z = (x - load(mean, c)) / root(larger(load(variance, c), least))
        judged = where_less(load(count, c), warm, nothing, where_finite(x, z, nothing))
        store(scores, t * n_channels + c, judged)
    for c in range(n_full, n_channels):
        y = np.float64(rows[t, c])
        z_one = (y - mean[c]) / np.sqrt(max(variance[c], floor * floor))
        scores[t, c] = z_one if abs(y) < np.inf and count[c] >= warmup else np.nan


@kernel
def _one_by_one(
    rows: AnyFloats, t: int, now: int, first: int, last: int,
    weight: float, limit: float, floor: float, warmup: float, settled: float, patience: float,
    mean: Floats, variance: Floats, count: Floats, missed: Floats, since: Ints, young: Ints, late: Ints,
    places: Ints, found: Floats, n_found: int,
) -> int:  # fmt: skip
    """Learn a few channels of a row each by itself, and note those that are abnormal."""
    block = first // WIDTH
    for c in range(first, last):
        x = np.float64(rows[t, c])
        if not abs(x) < np.inf:
            continue
        e, s = x - mean[c], max(variance[c], floor * floor)
        if count[c] >= warmup and e * e > limit * limit * s:
            late[block] += missed[c] == 0.0
            since[c] = now if missed[c] == 0.0 else since[c]
            missed[c] += 1.0
            if places.shape[0] > 0:
                places[n_found, 0], places[n_found, 1], places[n_found, 2] = now, c, since[c]
                found[n_found] = e / np.sqrt(s)
                n_found += 1
            if patience > 0.0 and missed[c] >= patience:
                young[block] = 1
                late[block] -= 1
                mean[c], variance[c], count[c], missed[c] = 0.0, 0.0, 0.0, 0.0
            continue
        late[block] -= missed[c] > 0.0
        missed[c] = 0.0
        gain = max(1.0 / (count[c] + 1.0), weight)
        change = gain * e
        mean[c] += change
        variance[c] = (1.0 - gain) * (variance[c] + change * e)
        count[c] = min(count[c] + 1.0, settled)
    return n_found


@kernel
def _moments(
    rows: AnyFloats, step: int,
    weight: float, limit: float, floor: float, warmup: float, settled: float, patience: float,
    mean: Floats, variance: Floats, count: Floats, missed: Floats, since: Ints, young: Ints,
    means: Floats, variances: Floats, places: Ints, found: Floats,
) -> None:  # fmt: skip
    """Learn row by row and write down what is known after each; the tables of alarms are empty."""
    for t in range(rows.shape[0]):
        _ewma(
            rows[t : t + 1], 0, step + t, weight, limit, floor, warmup, settled, patience,
            mean, variance, count, missed, since, young, means[:0], places, found,
        )  # fmt: skip
        for c in range(rows.shape[1]):
            means[t, c] = mean[c] if count[c] > 0.0 else np.nan
            variances[t, c] = variance[c] if count[c] > 0.0 else np.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartState(State):
    """The chart's statistic of every channel.

    Attributes
    ----------
    level
        float64 [n_channels], weighted mean of standardised residuals.
    """

    level: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class EwmaChart(Scorer[ChartState]):
    """EWMA control chart of standardised residuals, for small lasting shifts.

    The score is the weighted mean in its own asymptotic standard deviations.

    Attributes
    ----------
    weight
        Of the newest reading.
    limit
        L, in standard deviations of the statistic.

    Notes
    -----
    J. M. Lucas and M. S. Saccucci, "Exponentially weighted moving average control schemes", Technometrics 32 (1990).
    """

    weight: float = 0.1
    limit: float = 2.814

    def __post_init__(self) -> None:
        """Check what was set."""
        Scorer.__post_init__(self)
        self.need("weight", 0.0 < self.weight <= 1.0, "a share above 0, at most 1")

    def start(self, n_channels: int) -> ChartState:
        """Return the state before the first row."""
        return ChartState.fresh(n_channels, level=np.zeros(n_channels))

    def _score(self, state: ChartState, rows: Floats, scores: Floats, step: int) -> ChartState:
        _chart(rows, self.weight, state.level, scores)
        return state


@kernel
def _chart(rows: Floats, weight: float, level: Floats, scores: Floats) -> None:
    """Carry the statistic on, in place."""
    unit = np.sqrt((2.0 - weight) / weight)
    for t in range(rows.shape[0]):
        for c in range(rows.shape[1]):
            x = rows[t, c]
            is_there = abs(x) < np.inf
            new = level[c] + weight * (x - level[c])
            new = new if is_there else level[c]
            level[c] = new
            scores[t, c] = unit * new if is_there else np.nan
