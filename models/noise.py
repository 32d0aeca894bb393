"""What residuals do without a leak: block-to-block noise, and a slow bias that comes and goes over weeks.

Residuals of a window are Gaussian with covariance  I (x) white + K (x) slow,  K_tt' = exp(-|t - t'| / memory):
demands that differ from block to block, and demands and sensors that drift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage

Floats = NDArray[np.float64]

_MAD = 1.4826
_WHOLE = 0.7  # of the blocks need to be whole for the others to be left out
_DEAF = 1e8


@dataclass(frozen=True, slots=True)
class Noise:
    """Covariances of one block's residuals.

    Attributes
    ----------
    white, slow
        float64 [n_channels, n_channels], squared units of the channels.
    memory
        Blocks over which the slow part forgets.
    """

    white: Floats
    slow: Floats
    memory: float


def from_structure(
    demand: Floats, floor: Floats, drift: Floats, memory: float, together: tuple[Floats, Floats] | None = None
) -> Noise:
    """Noise before any has been seen: demand noise through the model, and each instrument's own.

    Parameters
    ----------
    demand
        float64 [n_junctions, n_channels], response to one standard deviation of each junction's demand.
    floor, drift
        float64 [n_channels], each instrument's own noise in a block and slow drift.
    memory
        Blocks.
    together
        float64 [n_channels] twice: what all channels do together from block to block, and slowly (weather, season).
    """
    through = demand.T @ demand
    white, slow = through + np.diag(floor**2), through + np.diag(drift**2)
    if together is not None:
        white, slow = white + np.outer(together[0], together[0]), slow + np.outer(together[1], together[1])
    return Noise(white, slow, memory)


def learn(noise: Noise, residuals: Floats) -> Noise:
    """Sharpen the white part by what block-to-block differences of a history say.

    Differences are blind to slow changes, and single large ones (a leak beginning, a repair) are clipped.

    Parameters
    ----------
    noise
        The structural guess.
    residuals
        float64 [n_blocks, n_channels]; NaN is missing.
    """
    difference = np.diff(residuals, axis=0) / np.sqrt(2.0)
    difference = difference[np.isfinite(difference).any(axis=1)]
    whole = difference[np.isfinite(difference).all(axis=1)]
    if len(whole) >= _WHOLE * len(difference):
        difference = whole
    there = np.isfinite(difference)
    if len(difference) < 4:
        return noise
    # a channel that never moved in the history may still move: no instrument is better than a fiftieth of its guess
    guessed = np.sqrt(np.diag(noise.white))
    often = there.sum(axis=0) >= 4
    sd = guessed.copy()
    sd[often] = np.maximum(_MAD * np.nanmedian(np.abs(difference[:, often]), axis=0), 0.02 * guessed[often])
    scaled = np.clip(np.where(there, difference, 0.0) / sd, -3.0, 3.0)
    seen = _products(scaled, there, noise.white / np.outer(guessed, guessed))
    guess = noise.white / np.outer(sd, sd)
    # the structure keeps the shape where few blocks were seen; its size follows what was seen
    guess *= np.trace(seen) / np.trace(guess)
    weight = max(float(ledoit_wolf_shrinkage(scaled)), 2.0 / (2.0 + len(scaled) / len(sd)))
    white = (weight * guess + (1.0 - weight) * seen) * np.outer(sd, sd)
    # drift through demands is of the size of the noise through demands, as seen
    ratio = np.trace(white / np.outer(sd, sd)) / np.trace(noise.white / np.outer(sd, sd))
    return Noise(white, noise.slow * min(1.0, ratio), noise.memory)


def _products(scaled: Floats, there: NDArray[np.bool_], guess: Floats) -> Floats:
    """Mean products of channels over the blocks in which both were read; the guess where that is hardly ever."""
    if there.all():
        return scaled.T @ scaled / len(scaled)
    count = there.astype(float).T @ there.astype(float)
    seen = np.where(count >= 4, scaled.T @ scaled / np.maximum(count, 1.0), guess)
    # products over different blocks need not be a covariance: lift what is below a thousandth of the mean
    size, direction = np.linalg.eigh(seen)
    found: Floats = (direction * np.maximum(size, 1e-3 * size.mean())) @ direction.T
    return found


def muted(noise: Noise, channels: NDArray[np.bool_]) -> Noise:
    """Noise in which some channels say nothing."""
    if not channels.any():
        return noise
    loud = np.where(channels, _DEAF * np.diag(noise.white), 0.0)
    return Noise(noise.white + np.diag(loud), noise.slow, noise.memory)


def with_known(noise: Noise, doubts: Floats) -> Noise:
    """Add what is uncertain about known leaks, so that it is not taken for new ones.

    Parameters
    ----------
    doubts
        float64 [n, n_channels], independent directions in which the known leaks may be misjudged, one standard
        deviation each.
    """
    return Noise(noise.white, noise.slow + doubts.T @ doubts, noise.memory)


def even(residual: Floats, noise: Noise, most: float = 3.0) -> Floats:
    """Residuals in which a block unlike the one before and the one after stands at their mean.

    In such a block something began or ended that lasts, or something happened that does not: neither tells of size or
    place, and what an error of an hour in an onset leaves of a large leak would look like a small one. The newest
    block stays as it is.

    Parameters
    ----------
    residual
        float64 [n_blocks, n_channels], without NaN.
    most
        Mean square of a block's differences to the more similar of its neighbours, in variances of such a difference.
    """
    if len(residual) < 3:
        return residual
    scaled = np.linalg.solve(np.linalg.cholesky(noise.white), np.diff(residual, axis=0).T)
    step = (scaled**2).mean(axis=0) / 2.0
    odd = 1 + np.flatnonzero(np.minimum(step[:-1], step[1:]) > most)
    levelled = residual.copy()
    levelled[odd] = 0.5 * (residual[odd - 1] + residual[odd + 1])
    return levelled
