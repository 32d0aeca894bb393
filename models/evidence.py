"""How well each leak would explain a window of residuals: a likelihood-ratio scan over pipes and growth.

A window's noise has covariance I (x) white + K (x) slow. With white = B B', slow = B diag(l) B' (one generalised
eigenproblem over channels) and K = Q diag(k) Q' (one eigenproblem over blocks, which depends on the window's length
alone) the residuals' coordinates in B and Q are independent with variance 1 + l_j k_b, and every inner product that a
likelihood ratio needs becomes a small matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from models.growth import Growth, Shapes, shapes
from models.kernels import best_shape
from models.noise import Noise

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WORTH = 0.2  # candidates of less than this share of the best gain are not weighed again
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Evidence:
    """Result of a scan.

    Attributes
    ----------
    gain
        float64 [n_candidates], half the likelihood-ratio chi-square of each pipe's best growth.
    flow
        float64 [n_candidates], peak flow of that growth, m3/s.
    deviation
        float64 [n_candidates], standard deviation of that flow, m3/s.
    onset, rise
        float64 and int64 [n_candidates], blocks from the window's first.
    now
        float64 [n_candidates], flow in the newest block, m3/s.
    shape
        int64 [n_candidates], number of the growth among the scan's shapes; -1 where none has a positive flow.
    """

    gain: Floats
    flow: Floats
    deviation: Floats
    onset: Floats
    rise: Ints
    now: Floats
    shape: Ints

    @property
    def best(self) -> int:
        """The candidate that explains the most."""
        return int(np.argmax(self.gain))

    def growth(self, candidate: int, first_block: int) -> Growth:
        """A candidate's growth on the detector's clock."""
        return Growth(
            float(self.onset[candidate] + first_block), float(self.rise[candidate]), float(self.flow[candidate])
        )


@dataclass(frozen=True, slots=True)
class _Time:
    """What depends on the window's length and the noise's memory alone."""

    basis: Floats
    variance: Floats
    shapes: Shapes
    rotated: Floats
    squared: Floats


@cache
def _time(n_blocks: int, memory: float, rises: tuple[int, ...]) -> _Time:
    age = np.arange(n_blocks, dtype=float)
    variance, basis = np.linalg.eigh(np.exp(-np.abs(age[:, None] - age[None, :]) / memory))
    grown = shapes(n_blocks, rises)
    rotated = basis.T @ grown.values
    return _Time(basis, np.maximum(variance, 0.0), grown, rotated, rotated**2)


class Scanner:
    """A scan prepared for one noise model and one window length; scans are then cheap.

    Parameters
    ----------
    noise
        Of one block.
    n_blocks
        Length of the window.
    rises
        Blocks that a growing leak may take to its peak.
    cost
        Loss of log likelihood for each m3/s of a leak's peak.
    """

    def __init__(self, noise: Noise, n_blocks: int, rises: tuple[int, ...], cost: float = 0.0) -> None:
        self._cost = cost
        self._time = _time(n_blocks, noise.memory, rises)
        ratio, self._transform = eigh(noise.slow, noise.white, check_finite=False)
        # float64 [n_components, n_blocks], precision of each coordinate
        self._precision = 1.0 / (1.0 + np.maximum(ratio, 0.0)[:, None] * self._time.variance)

    def scan(self, residuals: Floats, responses: Floats) -> Evidence:
        """Scan a window.

        Parameters
        ----------
        residuals
            float64 [n_blocks, n_channels], without NaN.
        responses
            float64 [n_candidates, n_channels], response to a unit leak at each candidate.
        """
        time, grown = self._time, self._time.shapes
        data = (time.basis.T @ residuals @ self._transform).T
        templates = responses @ self._transform
        match = templates @ ((data * self._precision) @ time.rotated)
        energy = templates**2 @ (self._precision @ time.squared)
        n = len(responses)
        gain, flow, at = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
        best_shape(match, energy, self._cost, gain, at, flow)
        picked = np.maximum(at, 0)
        deviation = 1.0 / np.sqrt(np.maximum(energy[np.arange(n), picked], 1e-30))
        now = flow * grown.values[-1, picked]
        return Evidence(gain, flow, deviation, grown.onset[picked], grown.rise[picked], now, at)

    def weigh(self, residuals: Floats, evidence: Evidence, responses: Floats, doubt: Floats) -> Evidence:
        """Evidence anew, with each response known up to a covariance of its own.

        With z the amplitude of each noise component along a candidate's growth, of precision e, and t its response:
        z ~ N(q t, diag(1/e) + q^2 M) where the candidate leaks, N(0, diag(1/e)) where it does not.

        Parameters
        ----------
        evidence
            Of `scan`.
        doubt
            float64 [n_candidates, n_channels, n_channels], covariance of each response.
        """
        chosen = np.flatnonzero(evidence.gain > _WORTH * evidence.gain.max())
        if not len(chosen):
            return evidence
        z, e, t, m = self._amplitudes(residuals, evidence.shape[chosen], responses[chosen], doubt[chosen])
        flow = evidence.flow[chosen]
        most = 4.0 * flow
        for _ in range(_ROUNDS):
            inverse = np.linalg.inv(flow[:, None, None] ** 2 * m + _diagonal(1.0 / e))
            weight = np.einsum("nij,nj->ni", inverse, t)
            energy = (weight * t).sum(axis=1)
            flow = np.clip(((weight * z).sum(axis=1) - self._cost) / energy, 1e-9, most)
        covariance = flow[:, None, None] ** 2 * m + _diagonal(1.0 / e)
        rest = z - flow[:, None] * t
        loss = np.einsum("ni,ni->n", rest, np.linalg.solve(covariance, rest[:, :, None])[:, :, 0])
        _, size = np.linalg.slogdet(covariance * np.sqrt(e)[:, :, None] * np.sqrt(e)[:, None, :])
        found = 0.5 * ((z**2 * e).sum(axis=1) - loss - size) - self._cost * flow
        gain, flows, deviation, now = (a.copy() for a in (evidence.gain, evidence.flow, evidence.deviation, evidence.now))
        gain[:] = np.minimum(gain, max(0.0, float(found.min())))
        gain[chosen] = np.maximum(found, 0.0)
        flows[chosen], deviation[chosen] = flow, 1.0 / np.sqrt(energy)
        now[chosen] = flow * self._time.shapes.values[-1, np.maximum(evidence.shape[chosen], 0)]
        return Evidence(gain, flows, deviation, evidence.onset, evidence.rise, now, evidence.shape)

    def misfit(self, left: Floats, shape: int, flow: float, doubt: Floats) -> tuple[Floats, Floats]:
        """What a leak does beyond its simulation, from what its simulation left: mean and covariance per m3/s.

        Parameters
        ----------
        left
            float64 [n_blocks, n_channels], the window with the leak simulated.
        shape, flow
            How it grew, and its peak, m3/s.
        doubt
            float64 [n_channels, n_channels], covariance of its response before it was seen.
        """
        nothing = np.zeros((1, len(doubt)))
        z, e, _, m = self._amplitudes(left, np.array([shape]), nothing, doubt[None])
        weight = flow * m[0] @ np.linalg.inv(flow**2 * m[0] + np.diag(1.0 / e[0]))
        rest = m[0] - flow * weight @ m[0]
        back = np.linalg.inv(self._transform)
        return (weight @ z[0]) @ back, back.T @ (0.5 * (rest + rest.T)) @ back

    def _amplitudes(
        self, residuals: Floats, shape: Ints, responses: Floats, doubt: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Amplitudes and their precisions along shapes, responses and their covariances, in the noise's components."""
        data = (self._time.basis.T @ residuals @ self._transform).T
        along = np.maximum(shape, 0)
        e = (self._precision @ self._time.squared[:, along]).T
        z = ((data * self._precision) @ self._time.rotated[:, along]).T / e
        return z, e, responses @ self._transform, self._transform.T @ doubt @ self._transform

    def alike(self, response: Floats, others: Floats) -> Floats:
        """Cosine between what one leak and each of others do, in units of the noise, float64 [n]."""
        unit, rest = response @ self._transform, others @ self._transform
        norm = np.linalg.norm(rest, axis=1) * np.linalg.norm(unit)
        cosine: Floats = rest @ unit / np.maximum(norm, 1e-30)
        return cosine

    def whiten(self, residuals: Floats) -> Floats:
        """Coordinates of a window in which the noise is white, float64 [n_components x n_blocks]."""
        data = (self._time.basis.T @ residuals @ self._transform).T
        return (data * np.sqrt(self._precision)).ravel()

    def whiten_products(self, flows: Floats, response: Floats) -> Floats:
        """The same for many flows over time through one response.

        Parameters
        ----------
        flows
            float64 [n, n_blocks], m3/s.
        response
            float64 [n_channels], per m3/s.

        Returns
        -------
        float64 [n, n_components x n_blocks]
        """
        rotated = flows @ self._time.basis
        unit = response @ self._transform
        products = unit[None, :, None] * rotated[:, None, :] * np.sqrt(self._precision)[None]
        return products.reshape(len(flows), -1)


def _diagonal(values: Floats) -> Floats:
    """Diagonal matrices, float64 [n, k, k], of float64 [n, k]."""
    found: Floats = values[:, :, None] * np.eye(values.shape[1])
    return found
