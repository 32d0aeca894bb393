"""What hours do without a leak: what they usually show, how they scatter, and how far chance alone goes in a year."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.noise import Noise

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_MAD = 1.4826
_RECENT_DAYS = 14
_WEEKS = 4.0  # a weekday's own shape weighs n / (n + 4) after n weeks
_CLIP = 4.0
_RARE, _RARE_SIGMAS = 0.99, 2.576
_LAGS = (1, 2, 3, 4, 6, 8, 12)
_MEMORIES = (3.0, 6.0, 12.0, 24.0, 48.0)
_SHRUNK = 0.05
_BLIND = 1.0  # variance of a channel that has no hours: of no weight beside cm and l/s
_TAIL = (0.5, 0.9)  # shares of the days between which the tail of their largest statistics is measured


def usual_day(days: Floats, weekdays: NDArray[np.int64], weekday: int) -> Floats:
    """What each hour of a coming day is expected to show, float64 [24, n_channels].

    The median of the last two weeks, and what this weekday did beyond the other days, as far as it was seen often.

    Parameters
    ----------
    days
        float64 [n_days, 24, n_channels], the last weeks, latest last, known leaks taken off; NaN is missing.
    weekdays
        int64 [n_days], of each.
    """
    level = _median(days[-_RECENT_DAYS:])
    same = days[weekdays == weekday]
    if len(same) < 2:
        return level
    beyond = _median(same) - _median(days)
    weight = len(same) / (len(same) + _WEEKS)
    return np.where(np.isfinite(beyond), level + weight * beyond, level)


def _median(days: Floats) -> Floats:
    seen = np.isfinite(days)
    if seen.all():
        return np.asarray(np.median(days, axis=0), dtype=np.float64)
    found = np.full(days.shape[1:], np.nan)
    some = seen.any(axis=0)
    found[some] = np.nanmedian(days[:, some], axis=0)
    return found


def learn_hours(unusual: Floats) -> Noise:
    """Covariance of what hours show beyond what is usual: white from hour to hour, and slow within days.

    The covariances at lags of 1 to 12 hours tell the slow part and how long it remembers; single large values (a leak
    that begins, a pump that switches) are clipped.

    Parameters
    ----------
    unusual
        float64 [n_hours, n_channels]; NaN is missing.
    """
    n_channels = unusual.shape[1]
    seen = np.isfinite(unusual)
    enough = seen.mean(axis=0) > 0.3
    values = unusual[:, enough]
    # a tank's inlet that switches every day belongs to what is usual, however quiet the other hours are
    size = np.abs(values)
    sd = np.maximum(_MAD * np.nanmedian(size, axis=0), np.nanquantile(size, _RARE, axis=0) / _RARE_SIGMAS)
    sd = np.maximum(sd, 1e-9)
    scaled = np.nan_to_num(np.clip(values / sd, -_CLIP, _CLIP))
    known = np.isfinite(values).astype(float)
    at_lag = {}
    for lag in (0, *_LAGS):
        n = np.maximum(known[lag:].T @ known[: len(known) - lag], 1.0)
        product = scaled[lag:].T @ scaled[: len(scaled) - lag] / n
        at_lag[lag] = 0.5 * (product + product.T)
    lags = np.array(_LAGS, dtype=float)
    traces = np.array([np.trace(at_lag[k]) for k in _LAGS])
    fits: list[tuple[float, float]] = []
    for memory in _MEMORIES:
        falling = np.exp(-lags / memory)
        share = max(0.0, float(falling @ traces) / float(falling @ falling))
        fits.append((float(np.square(traces - share * falling).sum()), memory))
    memory = min(fits)[1]
    falling = np.exp(-lags / memory)
    slow = sum((f * at_lag[k] for f, k in zip(falling, _LAGS, strict=True)), np.zeros_like(at_lag[0]))
    slow = _positive(slow / float(falling @ falling), 0.0)
    white = _positive(at_lag[0] - slow, _SHRUNK)
    # its size, too, is that of its rare hours: what is missing of it is its own
    white += np.diag(np.maximum(1.0 - np.diag(white) - np.diag(slow), 0.0))
    white = (1.0 - _SHRUNK) * white + _SHRUNK * np.eye(len(white)) * np.trace(white) / len(white)
    found = [np.eye(n_channels) * _BLIND, np.zeros((n_channels, n_channels))]
    inside = np.ix_(enough, enough)
    for matrix, part in zip(found, (white, slow), strict=True):
        matrix[inside] = part * np.outer(sd, sd)
    return Noise(found[0], found[1], memory)


def _positive(matrix: Floats, floor: float) -> Floats:
    """The nearest covariance: eigenvalues below a share of the mean are raised to it."""
    size, direction = np.linalg.eigh(matrix)
    least = max(float(size.mean()), 1e-12) * floor
    size = np.maximum(size, least)
    return np.asarray((direction * size) @ direction.T, dtype=np.float64)


def once_in(days: float, daily: Floats) -> float:
    """The value that the largest statistic of a day passes once in some days, by chance.

    Largest values of many are distributed after Gumbel: the half and the ninth tenth of the days tell the two
    parameters, whatever a few days with leaks did to the rest.

    Parameters
    ----------
    daily
        float64 [n_days], largest statistic of each day.
    """
    low, high = np.quantile(daily, _TAIL)
    at_low, at_high = -np.log(-np.log(np.array(_TAIL)))
    # what few days tell of a tail is taken at its upper limit
    scale = (high - low) / (at_high - at_low) * (1.0 + 2.0 / np.sqrt(len(daily)))
    return float(low + scale * (np.log(days) - at_low))


def completed(values: Floats, noise: Noise, cache: dict[bytes, Floats]) -> Floats:
    """Put what the other channels let expect where a channel is missing, float64 [n, n_channels].

    Parameters
    ----------
    cache
        Kept from call to call: the regression of each pattern of what is missing.
    """
    missing = np.isnan(values)
    full = np.where(missing, 0.0, values)
    for row in np.flatnonzero(missing.any(axis=1)):
        lost = missing[row]
        if lost.all():
            continue
        key = lost.tobytes()
        if key not in cache:
            covariance = noise.white + noise.slow
            seen = ~lost
            weights = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, lost)])
            cache[key] = np.asarray(weights.T, dtype=np.float64)
        full[row, lost] = cache[key] @ full[row, ~lost]
    return full
