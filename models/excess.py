"""Whether an excess over what was expected is flat: a leak's part in whole windows, against its own usual spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.forecast.parts import Fading, mean_of_seen

Floats = NDArray[np.float64]

_HALF_LIFE = 60.0  # days, of what is usual
_SHRINK = 0.2  # of covariances between parts of a day
_FAR = 3.0  # standard deviations beyond which a window teaches as if it were there
_SURGE = 0.1  # of the mean flow: how far demand as a whole may move without that telling of a leak
_BEFORE = 10.0  # windows that must have been seen before one is scored
_UNSEEN = 1e6  # standard deviations of a part of the day that was not seen


def parts_of_day(n_slots: int) -> int:
    """Number of equal parts, at most 8, into which a day of slots falls."""
    return max(k for k in range(1, 9) if n_slots % k == 0)


def by_part(values: Floats) -> Floats:
    """Means over the parts of a day, float64 [..., n_slots, n_channels] to [..., n_channels, n_parts]."""
    *lead, n_slots, n_channels = values.shape
    n_parts = parts_of_day(n_slots)
    split = values.reshape(*lead, n_parts, n_slots // n_parts, n_channels)
    return np.moveaxis(mean_of_seen(split, -2), -2, -1)


class Excess:
    """Usual covariance of windows of excess, and the leak's part of a new one.

    Parameters
    ----------
    n_windows, n_channels, n_parts
        Kinds of windows (by length), channels, parts of a day.

    Notes
    -----
    A window's excess e over the parts of a day is a leak's flow q on each of them, a surge g u of demand with the
    shape u and an unknown g of standard deviation 10 % of the mean flow, and usual error of covariance S, so that
    with V = S + (0.1 m)^2 u u' the estimate is q = 1' V^-1 e / (1' V^-1 1), in standard deviations
    1' V^-1 e / sqrt(1' V^-1 1): the generalised likelihood ratio of a leak against none. S is learnt from the
    windows themselves, clipped at three standard deviations, a fifth shrunk to its diagonal.
    """

    def __init__(self, n_windows: int, n_channels: int, n_parts: int) -> None:
        self.usual = Fading((n_windows, n_channels, n_parts, n_parts), _HALF_LIFE)

    def score(self, excess: Floats, surge: Floats, windows: slice = slice(None)) -> tuple[Floats, Floats]:
        """The leak's part of each window.

        Parameters
        ----------
        excess
            float64 [n_windows, n_channels, n_parts], NaN where not seen.
        surge
            float64 [n_channels, n_parts], the shape of demand times its mean.
        windows
            Which of the windows these are.

        Returns
        -------
        sigmas, flow
            float64 [n_windows, n_channels]; NaN where nothing was seen or too little is known yet.
        """
        seen = np.isfinite(excess)
        covariance = np.nan_to_num(self.usual.mean()[windows])
        own = np.einsum("wcpp->wcp", covariance)
        enough = (np.einsum("wcpp->wcp", self.usual.weight[windows]).min(axis=-1) > _BEFORE) & seen.any(axis=-1)
        n_parts = excess.shape[-1]
        widened = np.where(seen, _SHRINK * own, own.max(axis=-1, keepdims=True) * _UNSEEN)
        with_surge = (1.0 - _SHRINK) * covariance + _SURGE**2 * surge[..., :, None] * surge[..., None, :]
        whole = np.where(enough[..., None, None], with_surge + widened[..., None] * np.eye(n_parts), np.eye(n_parts))
        whole += 1e-9 * np.eye(n_parts) * np.maximum(own.mean(axis=-1), 1e-12)[..., None, None]
        weight = np.linalg.inv(whole).sum(axis=-1)
        match, energy = (weight * np.where(seen, excess, 0.0)).sum(axis=-1), weight.sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            sigmas, flow = match / np.sqrt(energy), match / energy
        return np.where(enough, sigmas, np.nan), np.where(enough, flow, np.nan)

    def learn(self, excess: Floats, windows: slice = slice(None)) -> None:
        """Learn what is usual from windows of whole days, float64 [n_windows, n_channels, n_parts]."""
        own = np.einsum("wcpp->wcp", self.usual.mean()[windows])
        early = np.einsum("wcpp->wcp", self.usual.weight[windows]) < 0.5 * _BEFORE
        reach = np.where(early | np.isnan(own), np.inf, _FAR * np.sqrt(own))
        clipped = np.clip(excess, -reach, reach)
        clipped = np.where(np.isfinite(clipped).all(axis=-1, keepdims=True), clipped, np.nan)
        self.usual.add(clipped[..., :, None] * clipped[..., None, :], windows)
