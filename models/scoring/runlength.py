"""How long a chart of independent normal residuals runs before it alarms: false alarms against delay.

Both charts are Markov in their own statistic; the average run length from a statistic solves a Fredholm equation of the
second kind, here by Gauss-Legendre quadrature (errors far below the digits that tables print).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from models.errors import WrongSetting

Floats = NDArray[np.float64]

_NODES = 64
# beyond this the equation's matrix is singular to double precision
_LONGEST = 1e10


def cusum_run_length(drift: float, limit: float, shift: float = 0.0) -> float:
    """Average run length of the two-sided CUSUM, in rows, both sums starting at zero.

    Parameters
    ----------
    drift, limit
        k and h, standard deviations.
    shift
        Mean of the residuals, standard deviations; from the first row on.

    Notes
    -----
    A. L. Goel and S. M. Wu, "Determination of A.R.L. and a contour nomogram for cusum charts to control normal mean",
    Technometrics 13 (1971), for one side; K. W. Kemp, "The average run length of the cumulative sum chart when a V-mask
    is used", J. Royal Statistical Society B 23 (1961), for both: their rates add.
    """
    rates = [1.0 / _one_side(drift - sign * shift, limit) for sign in (1.0, -1.0)]
    return 1.0 / sum(rates)


def _one_side(drift: float, limit: float) -> float:
    """L(z) = 1 + L(0) Phi(k - z) + int_0^h L(y) phi(y + k - z) dy, at z = 0."""
    points, weights = np.polynomial.legendre.leggauss(_NODES)
    y, w = 0.5 * limit * (points + 1.0), 0.5 * limit * weights
    start = np.concatenate([[0.0], y])
    kernel = np.empty((_NODES + 1, _NODES + 1))
    kernel[:, 0] = norm.cdf(drift - start)
    kernel[:, 1:] = norm.pdf(y[None, :] + drift - start[:, None]) * w
    return float(_solve(kernel)[0])


def ewma_run_length(weight: float, limit: float, shift: float = 0.0) -> float:
    """Average run length of the EWMA chart with its asymptotic limits, in rows, starting at zero.

    Parameters
    ----------
    weight, limit
        lambda, and L in standard deviations of the statistic.
    shift
        Mean of the residuals, standard deviations; from the first row on.

    Notes
    -----
    S. V. Crowder, "A simple method for studying run-length distributions of exponentially weighted moving average
    charts", Technometrics 29 (1987).
    """
    bound = limit * math.sqrt(weight / (2.0 - weight))
    points, weights = np.polynomial.legendre.leggauss(_NODES)
    y, w = bound * points, bound * weights

    def reach(start: Floats) -> Floats:
        density: Floats = norm.pdf((y[None, :] - (1.0 - weight) * start[:, None]) / weight - shift)
        return density * w / weight

    return float(1.0 + (reach(np.zeros(1)) @ _solve(reach(y)))[0])


def _solve(kernel: Floats) -> Floats:
    """Lengths L = 1 + K L."""
    return np.asarray(np.linalg.solve(np.eye(len(kernel)) - kernel, np.ones(len(kernel))), dtype=np.float64)


def cusum_limit(drift: float, run_length: float) -> float:
    """Return h, at which the CUSUM's average run length without a shift is so many rows."""
    return _limit(lambda h: cusum_run_length(drift, h), run_length)


def ewma_limit(weight: float, run_length: float) -> float:
    """Return L, at which the EWMA chart's average run length without a shift is so many rows."""
    return _limit(lambda L: ewma_run_length(weight, L), run_length)


def _limit(length: Callable[[float], float], run_length: float) -> float:
    """Solve for the limit by its logarithm, which is nearly straight."""
    low, high = 0.1, 1.0
    if not length(low) < run_length <= _LONGEST:
        raise WrongSetting("run length", "rows", run_length, f"more than {length(low):.1f}, at most {_LONGEST:.0e}")
    while length(high) < run_length:
        low, high = high, 1.25 * high
    return float(brentq(lambda limit: math.log(length(limit) / run_length), low, high, xtol=1e-9))
