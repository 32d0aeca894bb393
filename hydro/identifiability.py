"""What the data tell of each parameter, and what they cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from hydro.fit import Fit, parts

Floats = NDArray[np.float64]

_MOST_TEMPER = 20.0


@dataclass(frozen=True, slots=True)
class Posterior:
    """Posterior of a fit, linearised at its end.

    Attributes
    ----------
    ratio
        float64 [n], posterior over prior variance of each parameter: 1 where the data tell nothing.
    covariance
        float64 [n, n], in units of the prior deviations.
    information
        float64 [n_instruments, n], what each instrument alone says of each parameter: sum of squares of the whitened
        derivatives, tempered.
    temper
        So many successive intervals count as one: residuals of a model that is not exact follow each other.
    """

    ratio: Floats
    covariance: Floats
    information: Floats
    temper: float


def posterior(fit: Fit, theta: Floats) -> Posterior:
    """Posterior covariance at the end of a fit, (J'WJ / temper + I)^-1 in units of the prior (Tarantola 2005)."""
    residual, jacobian = fit.linearise(theta)
    fit.whiten(jacobian)
    temper = _temper(residual * fit.weight)
    jacobian /= np.sqrt(temper)
    n = len(theta)
    covariance = np.eye(n)
    for instruments, parameters in parts(jacobian):
        part = jacobian[:, instruments[:, None], parameters].reshape(-1, len(parameters))
        normal = part.T @ part + np.eye(len(parameters))
        covariance[np.ix_(parameters, parameters)] = cho_solve(cho_factor(normal), np.eye(len(parameters)))
    information = np.einsum("tip,tip->ip", jacobian, jacobian)
    return Posterior(np.diag(covariance).copy(), covariance, information, temper)


def _temper(whitened: Floats) -> float:
    """Effective number of intervals per independent one, (1 + r) / (1 - r) with r the lag-one correlation."""
    before, after = whitened[:-1], whitened[1:]
    both = (before != 0.0) & (after != 0.0)
    if both.sum() < 3:
        return 1.0
    r = float((before * after)[both].sum() / np.sqrt((before[both] ** 2).sum() * (after[both] ** 2).sum()))
    r = min(max(r, 0.0), 0.95)
    return min((1.0 + r) / (1.0 - r), _MOST_TEMPER)


def correlations(covariance: Floats) -> Floats:
    """Correlation matrix of a covariance."""
    deviation = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(deviation, deviation))
