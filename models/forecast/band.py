"""How far a forecast may be off: quantiles of its own past errors, by slot of the day and days ahead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.forecast.features import HORIZON
from models.forecast.parts import Fading

Floats = NDArray[np.float64]

_KEPT = 120  # days
_HALF_LIFE = 30.0
_LEAST = 10  # days of errors before a band is given


class Band:
    """Quantiles of standardised errors (split conformal prediction over a moving window).

    Parameters
    ----------
    n_slots, n_channels
        Sizes.

    Notes
    -----
    An error is divided by the slot's usual one; the quantiles of what results, over the window and all slots, times
    the slot's usual error are the band. A. N. Angelopoulos and S. Bates, "A Gentle Introduction to Conformal
    Prediction" (2021).
    """

    def __init__(self, n_slots: int, n_channels: int) -> None:
        self.usual = Fading((n_slots, n_channels), _HALF_LIFE)
        self.errors: Floats = np.full((HORIZON, _KEPT, n_slots, n_channels), np.nan, dtype=np.float64)
        self.taken: NDArray[np.int64] = np.zeros(HORIZON, dtype=np.int64)

    def add(self, ahead: int, error: Floats) -> None:
        """Take the errors (measured less forecast) of a day that was `ahead` days away."""
        if ahead == 0:
            self.usual.add(np.abs(error))
        if not np.isfinite(error).any():
            return
        self.errors[ahead, self.taken[ahead] % _KEPT] = self._standard(error)
        self.taken[ahead] += 1

    def _standard(self, error: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            standard: Floats = error / self.scale()
        return np.where(np.isfinite(standard), standard, np.nan)

    def scale(self) -> Floats:
        """Usual absolute error a day ahead, float64 [n_slots, n_channels]; at least a quarter of the day's mean."""
        usual = self.usual.mean()
        weight, total = self.usual.weight.sum(axis=0), self.usual.total.sum(axis=0)
        with np.errstate(invalid="ignore"):
            day = total / weight
        return np.asarray(np.fmax(usual, 0.25 * day), dtype=np.float64)

    def quantiles(self, levels: tuple[float, ...], n_days: int = HORIZON) -> Floats:
        """Quantiles of the error, float64 [n_levels, n_days, n_slots, n_channels]; NaN before enough was seen."""
        n_channels = self.errors.shape[-1]
        found = np.full((len(levels), n_days, n_channels), np.nan)
        for ahead in range(n_days):
            kept = min(int(self.taken[ahead]), _KEPT)
            if kept < _LEAST:
                continue
            z = self.errors[ahead, :kept].reshape(-1, n_channels)
            for channel in range(n_channels):
                column = z[:, channel]
                column = column[np.isfinite(column)]
                if len(column) >= _LEAST:
                    found[:, ahead, channel] = np.quantile(column, levels)
        return found[:, :, None, :] * self.scale()
