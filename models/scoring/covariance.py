"""Mahalanobis distance: channels that are usual each by itself, but not together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.errors import NotEnoughData
from models.scoring.compiled import Floats, Ints, kernel
from models.scoring.learned import Learned


@dataclass(frozen=True, slots=True)
class Together:
    """How channels lie and vary together.

    Attributes
    ----------
    known
        int64 [n_known], columns that were read.
    centre
        float64 [n_known], their means.
    covariance
        float64 [n_known, n_known], shrunk.
    scale
        Median squared distance of the history over that of chi-square: what shrinking made of it.
    factors
        Lower Cholesky factors of the parts of it that were wanted so far, by which of the known columns are there.
    """

    known: Ints
    centre: Floats
    covariance: Floats
    scale: float
    factors: dict[bytes, Floats]

    def factor(self, is_there: Ints) -> Floats:
        """Cholesky factor of the covariance of what is there."""
        key = is_there.tobytes()
        if key not in self.factors:
            if len(self.factors) >= _FACTORS:
                self.factors.clear()
            part = self.covariance[np.ix_(is_there, is_there)]
            self.factors[key] = np.asarray(np.linalg.cholesky(part), dtype=np.float64)
        return self.factors[key]


_FACTORS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Mahalanobis(Learned[Together]):
    """Distance of a row from the history's mean, in the metric of its covariance shrunk by Ledoit and Wolf's rule.

    One score a row: the squared distance, scaled to the median that chi-square has with as many degrees of freedom as
    channels are there, brought to standard deviations by Wilson and Hilferty's cube root.
    Only those count.

    Attributes
    ----------
    enough
        Share of the history in which a channel must have been read to count.
    limit
        Alarm beyond so many standard deviations.

    Notes
    -----
    O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", J. Multivariate
    Analysis 88 (2004); E. B. Wilson and M. M. Hilferty, "The distribution of chi-square", PNAS 17 (1931).
    """

    is_by_channel: ClassVar[bool] = False

    enough: float = 0.5
    limit: float = 5.0

    def __post_init__(self) -> None:
        """Check what was set."""
        Learned.__post_init__(self)
        self.need("enough", 0.0 < self.enough <= 1.0, "a share above 0, at most 1")

    def width(self, n_channels: int) -> int:
        """One score a row."""
        return 1

    def _fit(self, history: Floats) -> Together:
        from sklearn.covariance import ledoit_wolf

        is_there = np.isfinite(history)
        known = np.flatnonzero(is_there.mean(axis=0) >= self.enough)
        whole = history[is_there[:, known].all(axis=1)][:, known]
        if len(known) == 0 or len(whole) < 4:
            raise NotEnoughData(
                f"Mahalanobis: {len(whole)} of the first {len(history)} rows have all of the {len(known)} channels "
                f"that were read in {self.enough:.0%} of them; 4 are needed: leave out the channels with most gaps"
            )
        deviation = whole.std(axis=0)
        deviation = np.where(deviation > 0.0, deviation, max(float(deviation.max()), 1.0) * 1e-6)
        # shrinking is towards equal variances: standardised channels have them whatever their units
        shrunk, _ = ledoit_wolf(whole / deviation)
        covariance = shrunk * np.outer(deviation, deviation)
        # a channel that never moved may still move by as much as it was read to
        covariance[np.diag_indices_from(covariance)] += 1e-12 * deviation**2
        residuals, squared = whole - whole.mean(axis=0), np.empty(len(whole))
        _distances(residuals, np.linalg.cholesky(covariance), squared)
        scale = float(np.median(squared)) / _median(len(known))
        return Together(known, whole.mean(axis=0), covariance, scale if scale > 0.0 else 1.0, {})

    def _judge(self, model: Together, rows: Floats, scores: Floats) -> None:
        scores[:, 0] = np.nan
        residuals = rows[:, model.known] - model.centre
        patterns, which = np.unique(np.isfinite(residuals), axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            there = np.flatnonzero(pattern)
            if len(there) == 0:
                continue
            picked = np.flatnonzero(which.ravel() == number)
            squared = np.empty(len(picked))
            _distances(np.ascontiguousarray(residuals[np.ix_(picked, there)]), model.factor(there), squared)
            part = 2.0 / (9.0 * len(there))
            scores[picked, 0] = (np.cbrt(squared / (model.scale * len(there))) - (1.0 - part)) / np.sqrt(part)


def _median(n: int) -> float:
    """Median of chi-square with n degrees of freedom, as Wilson and Hilferty have it."""
    return float(n * (1.0 - 2.0 / (9.0 * n)) ** 3)


@kernel
def _distances(residuals: Floats, factor: Floats, squared: Floats) -> None:
    """Squared Mahalanobis distance of each row by forward substitution, each row by itself."""
    n = factor.shape[0]
    white = np.empty(n)
    for t in range(residuals.shape[0]):
        total = 0.0
        for i in range(n):
            left = residuals[t, i]
            for j in range(i):
                left -= factor[i, j] * white[j]
            white[i] = left / factor[i, i]
            total += white[i] * white[i]
        squared[t] = total
