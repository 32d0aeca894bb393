"""How much each correction counts: robust ridge regression that is carried forward from day to day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.forecast.features import HORIZON

Floats = NDArray[np.float64]

_HALF_LIFE = 150.0  # days
_RIDGE = 3.0
_OTHER_DAYS, _OTHER_CHANNELS = 1.0, 1.0  # weight of what other horizons, other channels say
_LEAST_ERROR = 0.3  # of the usual: smaller errors count no more
_PRIOR_LEVELS = 0.3


class Weights:
    """Weights of the corrections for each channel and each day ahead.

    Parameters
    ----------
    n_channels, n_features
        Sizes; of the features the third to sixth are the levels of late, which count from the beginning.

    Notes
    -----
    Minimises the sum of |error| (by reweighting, error^2 / max(|error|, 0.3 usual)) plus a ridge, with a half-life of
    150 days. What the other days ahead and the other channels say is added at the weight of one more of each, as in
    partial pooling.
    """

    def __init__(self, n_channels: int, n_features: int) -> None:
        self._keep = 0.5 ** (1.0 / _HALF_LIFE)
        self.square: Floats = np.zeros((HORIZON, n_channels, n_features, n_features))
        self.cross: Floats = np.zeros((HORIZON, n_channels, n_features))
        self._prior = np.zeros(n_features)
        self._prior[2:6] = _PRIOR_LEVELS
        self._weights: Floats = np.broadcast_to(self._prior, self.cross.shape).copy()
        self._stale = False

    def add(self, ahead: int, features: Floats, wanted: Floats, scale: Floats) -> None:
        """Learn from a day that was `ahead` days away.

        Parameters
        ----------
        features
            float64 [n_slots, n_channels, n_features].
        wanted
            float64 [n_slots, n_channels], what the corrections should have come to; NaN is not learnt from.
        scale
            float64 [n_channels], usual size of a residual.
        """
        error = np.abs(wanted - np.einsum("sck,ck->sc", features, self._weights[ahead]))
        seen = np.isfinite(error) & (scale > 0.0) & (np.abs(features).sum(axis=-1) > 0.0)
        usual = np.where(scale > 0.0, scale, 1.0)
        weight = np.where(seen, usual / np.maximum(np.where(seen, error, 1.0), _LEAST_ERROR * usual), 0.0)
        x = features / usual[:, None]
        y = np.where(seen, wanted, 0.0) / usual
        keep = np.where(seen.any(axis=0), self._keep, 1.0)
        weighted = (weight[..., None] * x).transpose(1, 2, 0)
        self.square[ahead] = keep[:, None, None] * self.square[ahead] + weighted @ x.transpose(1, 0, 2)
        self.cross[ahead] = keep[:, None] * self.cross[ahead] + (weighted @ y.T[..., None])[..., 0]
        self._stale = True

    def forget(self) -> None:
        """Work the weights out anew when they are next asked for: the sums were changed from outside."""
        self._stale = True

    def values(self) -> Floats:
        """Weights, float64 [HORIZON, n_channels, n_features]."""
        if self._stale:
            n = self.square.shape[-1]
            square = self._pooled(self.square) + _RIDGE * np.eye(n)
            cross = self._pooled(self.cross) + _RIDGE * self._prior
            self._weights = np.asarray(np.linalg.solve(square, cross[..., None])[..., 0], dtype=np.float64)
            self._stale = False
        return self._weights

    @staticmethod
    def _pooled(sums: Floats) -> Floats:
        pooled: Floats = (
            sums + _OTHER_DAYS * sums.mean(axis=0, keepdims=True) + _OTHER_CHANNELS * sums.mean(axis=1, keepdims=True)
        )
        return pooled
