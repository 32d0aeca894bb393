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

_CONSTANT = 1.0  # variance of a channel's unknown zero, in variances of its slow bias


class Field:
    """Coordinates in which the noise of a record is independent.

    Parameters
    ----------
    noise
        Of one block.
    blocks
        float64 [n_blocks], their numbers on the detector's clock; blocks may be missing.

    Attributes
    ----------
    precision
        float64 [n_channels, n_blocks], of each coordinate.
    """

    def __init__(self, noise: Noise, blocks: Floats) -> None:
        age = np.abs(blocks[:, None] - blocks[None, :])
        variance, self._basis = np.linalg.eigh(np.exp(-age / noise.memory) + _CONSTANT)
        ratio, self._transform = eigh(noise.slow, noise.white, check_finite=False)
        self.precision: Floats = 1.0 / (1.0 + np.maximum(ratio, 0.0)[:, None] * np.maximum(variance, 0.0))

    def values(self, values: Floats) -> Floats:
        """Coordinates of what all channels do, float64 [n_channels, n_blocks], from [n_blocks, n_channels]."""
        return self._transform.T @ (values.T @ self._basis)

    def flows(self, flows: Floats) -> Floats:
        """Coordinates of flows over time, float64 [..., n_blocks]."""
        return flows @ self._basis

    def responses(self, responses: Floats) -> Floats:
        """Coordinates of responses, float64 [..., n_channels]."""
        return responses @ self._transform


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
        weighted = flows[:, None, :] * field.precision[None]
        overlap = np.einsum("kcb,lb->klc", weighted, flows, optimize=True)
        gram = np.eye(len(self._stacked))
        for k in range(len(directions)):
            rows = slice(self._first[k], self._first[k + 1])
            gram[rows] += (self._stacked[rows][:, None, :] * overlap[k][self._leak][None] * self._stacked[None]).sum(2)
        self._gram = cho_factor(gram, lower=True, check_finite=False)
        self.log_volume = float(np.log(np.diag(self._gram[0])).sum())

    def _onto(self, weighted: Floats) -> Floats:
        """Products of the doubts with weighted coordinates [n_channels, n_blocks], float64 [n_doubts]."""
        by_leak = weighted @ self._flows.T
        return np.einsum("ic,ci->i", self._stacked, by_leak[:, self._leak])

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
            float64 [n, n_channels] and [n, n_blocks], in the field's coordinates.
        """
        plain = ((responses**2) * ((flows**2) @ self.field.precision.T)).sum(axis=1)
        if not len(self._stacked):
            return plain
        # float64 [n, n_leaks, n_channels]
        overlap = np.einsum("nb,cb,lb->nlc", flows, self.field.precision, self._flows, optimize=True)
        onto = np.einsum("nic,ic->ni", overlap[:, self._leak] * responses[:, None, :], self._stacked, optimize=True)
        lost = solve_triangular(self._gram[0], onto.T, lower=True, check_finite=False)
        energy: Floats = plain - (lost**2).sum(axis=0)
        return np.maximum(energy, 0.0)
