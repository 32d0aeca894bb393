"""Inner products under the noise of a whole record, with the model's errors about known leaks in it.

The noise of a record is Gaussian with covariance

    I (x) white + K (x) slow + sum over doubts (g g') (x) (d d'),

the first two as in `models.noise`, on the blocks that are there, with a part of the slow bias that never changes; the
rest is what the model gets wrong about leaks that run: g(t) is a leak's flow, d what one m3/s may do to the channels
beyond its simulation. The first two are diagonal in the coordinates of `models.evidence`; the doubts are of low rank
and are handled by Woodbury's identity.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh, solve_triangular

from models.noise import Noise

Floats = NDArray[np.float64]

_CONSTANT, _FREE = 1.0, 100.0  # variance of a channel's unknown zero, in variances of its slow bias
_BRIDGED = 5.0  # blocks


class Field:
    """Coordinates in which the noise of a record is independent.

    Parameters
    ----------
    noise
        Of one block.
    blocks
        float64 [n_blocks], their numbers on the detector's clock; blocks may be missing.
    is_level_known
        Whether the record begins where the model was learnt; otherwise leaks that nobody knew may run all through it.

    Attributes
    ----------
    precision
        float64 [n_channels, n_blocks], of each coordinate.
    """

    def __init__(self, noise: Noise, blocks: Floats, is_level_known: bool = True) -> None:
        age = np.abs(blocks[:, None] - blocks[None, :])
        variance, self._basis = np.linalg.eigh(np.exp(-age / noise.memory) + (_CONSTANT if is_level_known else _FREE))
        ratio, self._transform = eigh(noise.slow, noise.white, check_finite=False)
        self.precision: Floats = 1.0 / (1.0 + np.maximum(ratio, 0.0)[:, None] * np.maximum(variance, 0.0))

    def values(self, values: Floats) -> Floats:
        """Coordinates of what all channels do, float64 [n_channels, n_blocks], from [n_blocks, n_channels]."""
        found: Floats = self._transform.T @ (values.T @ self._basis)
        return found

    def flows(self, flows: Floats) -> Floats:
        """Coordinates of flows over time, float64 [..., n_blocks]."""
        found: Floats = flows @ self._basis
        return found

    def responses(self, responses: Floats) -> Floats:
        """Coordinates of responses, float64 [..., n_channels]."""
        found: Floats = responses @ self._transform
        return found


class Doubts:
    """What the model may get wrong about the leaks that run, as part of the noise.

    Parameters
    ----------
    field
        The noise without it.
    flows
        float64 [n_leaks, n_blocks], m3/s, in the field's coordinates.
    directions
        For each leak float64 [k, n_channels], independent errors of what one m3/s does, one standard deviation each,
        in the field's coordinates.

    Attributes
    ----------
    log_volume
        Half the logarithm of the determinant by which the doubts widen the noise.
    """

    def __init__(self, field: Field, flows: Floats, directions: Sequence[Floats]) -> None:
        self.field, self._flows = field, flows
        counts = [len(d) for d in directions]
        self._first = np.concatenate([[0], np.cumsum(counts)]).astype(int)
        n_channels = len(field.precision)
        self._stacked = np.vstack(directions) if directions else np.empty((0, n_channels))
        self._leak = np.repeat(np.arange(len(directions)), counts)
        # float64 [n_leaks, n_leaks, n_channels]
        overlap = np.stack([(flows * row) @ flows.T for row in field.precision], axis=2)
        gram = np.eye(len(self._stacked))
        for k in range(len(directions)):
            rows = slice(self._first[k], self._first[k + 1])
            gram[rows] += self._stacked[rows] @ (overlap[k][self._leak] * self._stacked).T
        self._gram = cho_factor(gram, lower=True, check_finite=False)
        self.log_volume = float(np.log(np.diag(self._gram[0])).sum())

    def _onto(self, weighted: Floats) -> Floats:
        """Products of the doubts with weighted coordinates [n_channels, n_blocks], float64 [n_doubts]."""
        by_leak = weighted @ self._flows.T
        onto: Floats = np.einsum("ic,ci->i", self._stacked, by_leak[:, self._leak])
        return onto

    def weigh(self, values: Floats) -> Floats:
        """Inverse covariance times a record in the field's coordinates, float64 [n_channels, n_blocks]."""
        weighted = self.field.precision * values
        if not len(self._stacked):
            return weighted
        share = cho_solve(self._gram, self._onto(weighted), check_finite=False)
        by_leak = np.add.reduceat(self._stacked * share[:, None], self._first[:-1], axis=0)
        return weighted - self.field.precision * (by_leak.T @ self._flows)

    def energy(self, responses: Floats, flows: Floats) -> Floats:
        """Squared norm of templates under the whole noise, one by one, float64 [n].

        Parameters
        ----------
        responses, flows
            float64 [n, n_channels] and [n, n_blocks], in the field's coordinates; either may be one for all, [1, ...].
        """
        precision = self.field.precision
        if len(responses) == 1:
            unit = responses[0]
            plain = (flows**2) @ ((unit**2) @ precision)
            through = ((self._stacked * unit) @ precision) * self._flows[self._leak]
            onto = flows @ through.T
        elif len(flows) == 1:
            weight = precision * flows[0]
            plain = (responses**2) @ (weight @ flows[0])
            onto = responses @ (self._stacked * (self._flows @ weight.T)[self._leak]).T
        else:
            plain = ((responses**2) * ((flows**2) @ precision.T)).sum(axis=1)
            overlap = np.stack([(flows * row) @ self._flows.T for row in precision], axis=2)
            onto = np.stack([(overlap[j, self._leak] * self._stacked) @ responses[j] for j in range(len(responses))])
        if not len(self._stacked):
            return np.asarray(plain)
        lost = solve_triangular(self._gram[0], onto.T, lower=True, check_finite=False)
        energy: Floats = np.maximum(plain - (lost**2).sum(axis=0), 0.0)
        return energy


def odd_blocks(residual: Floats, noise: Noise, most: float = 3.0) -> NDArray[np.bool_]:
    """Blocks that are unlike the one before and the one after, bool [n_blocks]: they tell nothing of what lasts.

    Parameters
    ----------
    residual
        float64 [n_blocks, n_channels].
    most
        Mean square of a block's differences to the more similar of its neighbours, in variances of such a difference.
    """
    scaled = np.linalg.solve(np.linalg.cholesky(noise.white), np.diff(residual, axis=0).T)
    step = (scaled**2).mean(axis=0) / 2.0
    odd: NDArray[np.bool_] = np.minimum(np.append(step, np.inf), np.append(np.inf, step)) > most
    return odd


def without_gaps(residual: Floats, blocks: Floats, noise: Noise) -> Floats:
    """Residuals with what is missing filled in, float64 [n_blocks, n_channels].

    A short gap of a channel is bridged in time; where a channel was silent for longer, what the others let expect
    stands in.
    """
    whole = residual.copy()
    for k, column in enumerate(residual.T):
        seen = np.flatnonzero(np.isfinite(column))
        missing = np.flatnonzero(~np.isfinite(column))
        if not len(missing) or not len(seen):
            continue
        after = np.searchsorted(seen, missing)
        before, after = seen[np.maximum(after - 1, 0)], seen[np.minimum(after, len(seen) - 1)]
        is_short = blocks[after] - blocks[before] <= _BRIDGED
        whole[missing, k] = np.where(is_short, np.interp(blocks[missing], blocks[seen], column[seen]), np.nan)
    covariance = noise.white + noise.slow
    for row in np.flatnonzero(~np.isfinite(whole).all(axis=1)):
        missing = ~np.isfinite(whole[row])
        gain = np.linalg.solve(covariance[np.ix_(~missing, ~missing)], covariance[np.ix_(~missing, missing)])
        whole[row, missing] = whole[row, ~missing] @ gain
    return whole
