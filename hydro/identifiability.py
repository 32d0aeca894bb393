"""What the data tell of each parameter, and what they cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.bordered import BORDER, Bordered
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
        float64 [n_border, n_border], of all parameters that are no withdrawals, in units of the prior deviations.
    last
        float64 [k, k], of the withdrawals in the last period, in units of the prior deviations.
    information
        float64 [n_instruments, n], what each instrument alone says of each parameter: sum of squares of the whitened
        derivatives, tempered.
    temper
        So many successive intervals count as one: residuals of a model that is not exact follow each other.
    """

    ratio: Floats
    covariance: Floats
    last: Floats
    information: Floats
    temper: float


def posterior(fit: Fit, theta: Floats) -> Posterior:
    """Posterior covariance at the end of a fit, (J'WJ / temper + I)^-1 in units of the prior (Tarantola 2005)."""
    residual, jacobian = fit.linearise(theta)
    fit.whiten(jacobian)
    temper = _temper(residual * fit.weight)
    jacobian /= np.sqrt(temper)
    block = fit.parameters.block
    assert block is not None
    n = len(theta)
    border = np.flatnonzero(block == BORDER)
    latest = np.flatnonzero(block == block.max()) if block.max() != BORDER else np.empty(0, dtype=np.int64)
    ratio, covariance, last = np.ones(n), np.eye(len(border)), np.eye(len(latest))
    for instruments, parameters in parts(jacobian):
        part = jacobian[:, instruments[:, None], parameters].reshape(-1, len(parameters))
        equations = Bordered(part, np.zeros(len(part)), block[parameters])
        inner, blocks = equations.covariance()
        at = parameters[equations.border]
        place = np.searchsorted(border, at)
        covariance[np.ix_(place, place)] = inner
        ratio[at] = np.diag(inner)
        for columns, own in blocks.values():
            at = parameters[columns]
            ratio[at] = np.diag(own)
            if np.isin(at, latest).all():
                place = np.searchsorted(latest, at)
                last[np.ix_(place, place)] = own
    information = np.einsum("tip,tip->ip", jacobian, jacobian)
    return Posterior(ratio, covariance, last, information, temper)


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
