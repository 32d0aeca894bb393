"""What an instrument does and water does not: standing still, and jumping for a single reading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.scoring.compiled import Floats, kernel
from models.scoring.contract import Scorer, State

# standard deviation of normal readings over the mean size of the steps between them, sqrt(pi) / 2
_OF_STEPS = 0.8862269254527580


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatState(State):
    """Since when each channel stands still.

    Attributes
    ----------
    anchor
        float64 [n_channels], the reading that began it.
    length
        float64 [n_channels], readings since, the first included.
    """

    anchor: Floats
    length: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatLine(Scorer[FlatState]):
    """How many readings in a row differ from the first of them by no more than the tolerance.

    Missing readings neither end nor lengthen it.

    Attributes
    ----------
    tolerance
        In the units of the readings; 0: exactly the same.
    limit
        Alarm beyond so many readings.
    """

    tolerance: float = 0.0
    limit: float = 24.0

    def __post_init__(self) -> None:
        """Check what was set."""
        Scorer.__post_init__(self)
        self.need("tolerance", self.tolerance >= 0.0, "a number of 0 or more")

    def start(self, n_channels: int) -> FlatState:
        """Return the state before the first row."""
        return FlatState.fresh(n_channels, anchor=np.full(n_channels, np.inf), length=np.zeros(n_channels))

    def _score(self, state: FlatState, rows: Floats, scores: Floats, step: int) -> FlatState:
        _flat(rows, self.tolerance, state.anchor, state.length, scores)
        return state


@kernel
def _flat(rows: Floats, tolerance: float, anchor: Floats, length: Floats, scores: Floats) -> None:
    """Carry the runs on, in place, without a branch."""
    for t in range(rows.shape[0]):
        row, score = rows[t], scores[t]
        for c in range(rows.shape[1]):
            x = row[c]
            is_there = abs(x) < np.inf
            is_still = abs(x - anchor[c]) <= tolerance
            n = length[c] + 1.0 if is_still else 1.0
            begun = anchor[c] if is_still else x
            length[c] = n if is_there else length[c]
            anchor[c] = begun if is_there else anchor[c]
            score[c] = n if is_there else np.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeState(State):
    """The last two readings of every channel and its usual steps.

    Attributes
    ----------
    before, last
        float64 [n_channels], the last but one and the last reading.
    usual
        float64 [n_channels], weighted mean size of the steps from reading to reading.
    count
        float64 [n_channels], readings, counted while it matters.
    """

    before: Floats
    last: Floats
    usual: Floats
    count: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike(Scorer[SpikeState]):
    """A step that goes nowhere: the reading before this one against both of its neighbours.

    The score is the smaller of the steps to it and back, if it lies on one side of both, in standard deviations of
    the readings as their usual steps tell; it stands one reading after the spike, which cannot be known earlier. Steps
    are learnt up to the limit.

    Attributes
    ----------
    weight
        Of the newest step in the usual one.
    floor
        Least standard deviation, in the units of the readings.
    warmup
        Readings before the first judgement.
    limit
        Alarm beyond so many standard deviations.
    """

    weight: float = 0.02
    floor: float = 1e-6
    warmup: int = 30
    limit: float = 8.0

    def __post_init__(self) -> None:
        """Check what was set."""
        Scorer.__post_init__(self)
        self.need("weight", 0.0 < self.weight < 1.0, "a share between 0 and 1")
        self.need("floor", self.floor > 0.0, "a number above 0")
        self.need("warmup", self.warmup >= 3, "3 readings or more")

    def start(self, n_channels: int) -> SpikeState:
        """Return the state before the first row."""
        before, last, usual, count = np.zeros((4, n_channels))
        return SpikeState.fresh(n_channels, before=before, last=last, usual=usual, count=count)

    def _score(self, state: SpikeState, rows: Floats, scores: Floats, step: int) -> SpikeState:
        settings = self.weight, self.floor, float(self.warmup), self.limit
        _spikes(rows, *settings, state.before, state.last, state.usual, state.count, scores)
        return state


@kernel
def _spikes(
    rows: Floats, weight: float, floor: float, warmup: float, limit: float,
    before: Floats, last: Floats, usual: Floats, count: Floats, scores: Floats,
) -> None:  # fmt: skip
    """Judge the last reading, then learn the step from it to this one."""
    for t in range(rows.shape[0]):
        for c in range(rows.shape[1]):
            x = rows[t, c]
            scores[t, c] = np.nan
            if not abs(x) < np.inf:
                continue
            up, down, n = last[c] - before[c], last[c] - x, count[c]
            deviation = max(_OF_STEPS * usual[c], floor)
            if n >= warmup:
                size = min(abs(up), abs(down)) if up * down > 0.0 else 0.0
                scores[t, c] = (size if up > 0.0 else -size) / deviation
            if n >= 1.0:
                step = abs(down)
                step = min(step, limit * deviation) if n >= warmup else step
                usual[c] += max(1.0 / n, weight) * (step - usual[c])
            before[c], last[c] = last[c], x
            count[c] = min(n + 1.0, warmup + 1.0 / weight)
