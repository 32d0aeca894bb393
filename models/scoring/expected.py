"""Expected values from covariates: weather, time of day, an inlet's pressure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.scoring.compiled import Floats, kernel
from models.scoring.learned import Learned, robust_moments


@dataclass(frozen=True, slots=True)
class Line:
    """A linear expectation of every target.

    Attributes
    ----------
    intercept
        float64 [n_targets], NaN for a target that was hardly read.
    slopes
        float64 [n_targets, n_covariates].
    spread
        float64 [n_targets], robust standard deviation of the residuals of the history.
    """

    intercept: Floats
    slopes: Floats
    spread: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected(Learned[Line]):
    """A reading less what the covariates let expect, in robust standard deviations of the history.

    A frame's last columns are covariates; the scores' columns are the others. scikit-learn's ridge regression learns
    from the rows of the history in which the covariates are whole, each target from those in which it was read, twice:
    the second time without what the first found abnormal.

    Attributes
    ----------
    n_covariates
        Of the frame's columns, the last ones.
    penalty
        On the squared slopes of standardised covariates.
    floor
        Least standard deviation, in the units of the readings.
    limit
        Alarm beyond so many standard deviations.
    """

    is_by_channel: ClassVar[bool] = False

    n_covariates: int = 1
    penalty: float = 1.0
    floor: float = 1e-6
    limit: float = 5.0

    def __post_init__(self) -> None:
        """Check what was set."""
        Learned.__post_init__(self)
        self.need("n_covariates", self.n_covariates >= 1, "1 column or more")
        self.need("penalty", self.penalty >= 0.0, "a number of 0 or more")
        self.need("floor", self.floor > 0.0, "a number above 0")

    def width(self, n_channels: int) -> int:
        """As many columns as targets."""
        return n_channels - self.n_covariates

    def _fit(self, history: Floats) -> Line:
        n_targets = self.width(history.shape[1])
        covariates, targets = history[:, n_targets:], history[:, :n_targets]
        is_whole = np.isfinite(covariates).all(axis=1)
        intercept, spread = np.full(n_targets, np.nan), np.full(n_targets, self.floor)
        slopes = np.zeros((n_targets, self.n_covariates))
        for target in range(n_targets):
            is_there = is_whole & np.isfinite(targets[:, target])
            if np.count_nonzero(is_there) >= 2 * (self.n_covariates + 1):
                learnt = self._line(covariates[is_there], targets[is_there, target])
                intercept[target], slopes[target], spread[target] = learnt
        return Line(intercept, slopes, spread)

    def _line(self, covariates: Floats, readings: Floats) -> tuple[float, Floats, float]:
        from sklearn.linear_model import Ridge

        centre, scale = covariates.mean(axis=0), covariates.std(axis=0)
        scale = np.where(scale > 0.0, scale, 1.0)
        standard = (covariates - centre) / scale
        is_usual = np.ones(len(readings), dtype=bool)
        for _ in range(2):
            ridge = Ridge(alpha=self.penalty).fit(standard[is_usual], readings[is_usual])
            residual = readings - ridge.predict(standard)
            middle, spread = (float(value[0]) for value in robust_moments(residual[:, None]))
            spread = max(spread, self.floor)
            is_usual = np.abs(residual - middle) <= self.limit * spread
        slopes = np.asarray(ridge.coef_, dtype=np.float64) / scale
        return float(ridge.intercept_ - slopes @ centre), slopes, spread

    def _judge(self, model: Line, rows: Floats, scores: Floats) -> None:
        _residuals(rows, model.intercept, model.slopes, model.spread, scores)


@kernel
def _residuals(rows: Floats, intercept: Floats, slopes: Floats, spread: Floats, scores: Floats) -> None:
    """Sum up covariate by covariate: a matrix product's rounding would depend on how many rows there are."""
    n_targets, n_covariates = slopes.shape
    for t in range(rows.shape[0]):
        for target in range(n_targets):
            expected = intercept[target]
            for i in range(n_covariates):
                expected += slopes[target, i] * rows[t, n_targets + i]
            z = (rows[t, target] - expected) / spread[target]
            scores[t, target] = z if abs(z) < np.inf else np.nan
