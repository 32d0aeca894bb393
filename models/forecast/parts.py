"""What a forecast is made of: means that fade, and the flat and the demand-shaped part of a day's residual."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FITS = 5
_HUBER = 2.0  # median absolute residuals from which a reading counts less
_ENOUGH = 0.5  # share of a day's slots that a fit needs


class Fading:
    """Means over what was seen, each new value fading the old ones; a missing value fades nothing.

    Parameters
    ----------
    shape
        Of what is averaged.
    half_life
        Number of values after which one counts half.
    """

    def __init__(self, shape: tuple[int, ...], half_life: float) -> None:
        self._keep = 0.5 ** (1.0 / half_life)
        self.total: Floats = np.zeros(shape)
        self.weight: Floats = np.zeros(shape)

    def add(self, values: Floats, at: int | slice = slice(None)) -> None:
        """Take values of one moment, NaN where missing, at part `at` of the first axis."""
        seen = np.isfinite(values)
        keep = np.where(seen, self._keep, 1.0)
        self.total[at] = keep * self.total[at] + np.where(seen, values, 0.0)
        self.weight[at] = keep * self.weight[at] + seen

    def mean(self) -> Floats:
        """Means; NaN where nothing was seen."""
        with np.errstate(invalid="ignore"):
            mean: Floats = self.total / self.weight
        return mean


def shape_of(profile: Floats) -> Floats:
    """How much each slot of a day takes part when people take more: 0 at the quietest, 1 on average.

    Parameters
    ----------
    profile
        float64 [..., n_slots, n_channels].

    Returns
    -------
    float64, same shape; 0 where the profile is missing or does not vary.
    """
    above = profile - np.nan_to_num(profile.min(axis=-2, keepdims=True))
    mean = above.mean(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.where(mean > 0.0, above / mean, 0.0))


def flat_and_gain(residual: Floats, shape: Floats) -> tuple[Floats, Floats]:
    """Split a day's residual into a flat part (a leak's) and one that follows demand (people's).

    Parameters
    ----------
    residual
        float64 [n_slots, n_channels], NaN where missing.
    shape
        float64 [n_slots, n_channels], see `shape_of`.

    Returns
    -------
    flat, gain
        float64 [n_channels], in the residual's unit: residual = flat + gain x shape; NaN where less than half of the
        day was seen.

    Notes
    -----
    Huber's regression by reweighting, P. J. Huber, "Robust Statistics" (1981).
    """
    seen = np.isfinite(residual)
    r, u = np.where(seen, residual, 0.0), np.where(seen, shape, 0.0)
    weight = seen.astype(float)
    flat, gain = np.zeros(r.shape[1]), np.zeros(r.shape[1])
    for _ in range(_FITS):
        s0, s1, s2 = weight.sum(axis=0), (weight * u).sum(axis=0), (weight * u * u).sum(axis=0)
        t0, t1 = (weight * r).sum(axis=0), (weight * u * r).sum(axis=0)
        s2 = s2 + 1e-3
        determinant = np.maximum(s0 * s2 - s1 * s1, 1e-12)
        flat, gain = (s2 * t0 - s1 * t1) / determinant, (s0 * t1 - s1 * t0) / determinant
        error = np.abs(r - flat - gain * u) * seen
        usual = np.nan_to_num(median_of_seen(np.where(seen, error, np.nan))) + 1e-12
        weight = seen * np.minimum(1.0, _HUBER * usual / np.maximum(error, 1e-12))
    poor = seen.mean(axis=0) < _ENOUGH
    flat[poor] = gain[poor] = np.nan
    return flat, gain


def median_of_seen(values: Floats, least: int = 1) -> Floats:
    """Median over the first axis; NaN where fewer than `least` were seen.

    NumPy's own takes ten times as long for the short axes that occur here.
    """
    ordered = np.sort(values, axis=0)  # NaN go last
    count = np.isfinite(values).sum(axis=0)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[None], axis=0)[0]
    high = np.take_along_axis(ordered, np.minimum(count // 2, len(values) - 1)[None], axis=0)[0]
    return np.where(count >= max(least, 1), 0.5 * (low + high), np.nan)


def mean_of_seen(values: Floats, axis: int = 0) -> Floats:
    """Mean over an axis; NaN where nothing was seen."""
    seen = np.isfinite(values)
    count = seen.sum(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, np.where(seen, values, 0.0).sum(axis=axis) / count, np.nan)
