"""Scorers that learn once, from the first rows of the stream, and judge all others by that."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.scoring.compiled import Floats, kernel
from models.scoring.contract import Scorer, State
from models.scoring.median import MAD

M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedState(State, Generic[M]):
    """What is collected to learn from, then what was learnt.

    Attributes
    ----------
    history
        float64 [history, n_channels], the first rows; none once they are learnt.
    model
        What they taught.
    """

    history: Floats
    model: M | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned(Scorer[LearnedState[M]], Generic[M]):
    """A scorer that learns from the first rows and then stays as it is: a lasting change stays visible.

    Attributes
    ----------
    history
        Rows to learn from; they get no scores.
    """

    history: int = 672

    def __post_init__(self) -> None:
        """Check what was set."""
        Scorer.__post_init__(self)
        self.need("history", self.history >= 4, "4 rows or more")

    @abstractmethod
    def _fit(self, history: Floats) -> M:
        """Learn from a history, NaN where something is missing."""

    @abstractmethod
    def _judge(self, model: M, rows: Floats, scores: Floats) -> None:
        """Fill the scores of rows, each by itself."""

    def start(self, n_channels: int) -> LearnedState[M]:
        """Return the state before the first row."""
        return LearnedState[M].fresh(n_channels, history=np.empty((self.history, n_channels)))

    def _score(self, state: LearnedState[M], rows: Floats, scores: Floats, step: int) -> LearnedState[M]:
        n = min(max(self.history - step, 0), len(rows))
        if n > 0:
            state.history[step : step + n] = np.where(np.isfinite(rows[:n]), rows[:n], np.nan)
            scores[:n] = np.nan
            if step + n == self.history:
                state = replace(state, model=self._fit(state.history), history=np.empty((0, state.n_channels)))
        if n < len(rows) and state.model is not None:
            self._judge(state.model, rows[n:], scores[n:])
        return state


@dataclass(frozen=True, slots=True)
class Reference:
    """Where readings lie, and how far they spread.

    Attributes
    ----------
    middle, spread
        float64 [n_channels], median and scaled median absolute deviation; NaN for a channel that was hardly read.
    """

    middle: Floats
    spread: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustZ(Learned[Reference]):
    """A reading less the median of the reference period, in scaled median absolute deviations of that period.

    Attributes
    ----------
    enough
        Share of the reference period that must have been read.
    floor
        Least standard deviation, in the units of the readings.
    limit
        Alarm beyond so many standard deviations.

    Notes
    -----
    B. Iglewicz and D. C. Hoaglin, "How to detect and handle outliers" (1993): the modified z-score.
    """

    enough: float = 0.25
    floor: float = 1e-6
    limit: float = 5.0

    def __post_init__(self) -> None:
        """Check what was set."""
        Learned.__post_init__(self)
        self.need("enough", 0.0 < self.enough <= 1.0, "a share above 0, at most 1")
        self.need("floor", self.floor > 0.0, "a number above 0")

    def _fit(self, history: Floats) -> Reference:
        middle, spread = robust_moments(history)
        is_known = np.isfinite(history).sum(axis=0) >= self.enough * len(history)
        return Reference(np.where(is_known, middle, np.nan), np.maximum(spread, self.floor))

    def _judge(self, model: Reference, rows: Floats, scores: Floats) -> None:
        standardise(rows, model.middle, model.spread, scores)


def robust_moments(values: Floats) -> tuple[Floats, Floats]:
    """Median and scaled median absolute deviation of every column, NaN left out, float64 [n_columns] twice.

    A column without a number has NaN and 0.
    """
    count = np.isfinite(values).sum(axis=0)
    middle = _medians(np.where(np.isfinite(values), values, np.inf), count)
    with np.errstate(invalid="ignore"):
        away = np.abs(values - middle)
    spread = MAD * _medians(np.where(np.isfinite(away), away, np.inf), count)
    return middle, np.where(count > 0, spread, 0.0)


def _medians(values: Floats, count: NDArray[np.int64]) -> Floats:
    """Median of the smallest `count` values of every column, NaN where there are none."""
    ordered, last = np.sort(values, axis=0), len(values) - 1
    below, above = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, last)
    columns = np.arange(values.shape[1])
    found = 0.5 * (ordered[below, columns] + ordered[above, columns])
    return np.where(count > 0, found, np.nan)


@kernel
def standardise(rows: Floats, middle: Floats, spread: Floats, scores: Floats) -> None:
    """Readings less what is usual, in their spread."""
    for t in range(rows.shape[0]):
        row, score = rows[t], scores[t]
        for c in range(rows.shape[1]):
            z = (row[c] - middle[c]) / spread[c]
            score[c] = z if abs(row[c]) < np.inf else np.nan
