"""How well each leak would explain a window of residuals: a likelihood-ratio scan over pipes and growth.

A window's noise has covariance I (x) white + K (x) slow. With white = B B', slow = B diag(l) B' (one generalised
eigenproblem over channels) and K = Q diag(k) Q' (one eigenproblem over blocks, which depends on the window's length
alone) the residuals' coordinates in B and Q are independent with variance 1 + l_j k_b, and every inner product that a
likelihood ratio needs becomes a small matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from models.growth import Growth, Shapes, shapes
from models.kernels import best_shape
from models.noise import Noise

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WORTH = 0.5  # candidates of less than this share of the best gain are not weighed again
_ROUNDS = 3
_JITTER = 1e-9


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

    def with_some(self, at: Ints, other: Evidence) -> Evidence:
        """Evidence with that of some candidates, int64 [n], from another scan."""
        merged = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, values in merged.items():
            values[at] = getattr(other, name)
        return Evidence(**merged)

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
        # in units of each channel's own noise, and a billionth of it more: directions that say nothing have a variance
        # that would else cost all digits of the others
        unit = 1.0 / np.sqrt(np.diag(noise.white))
        both = np.outer(unit, unit)
        ratio, v = eigh(noise.slow * both, noise.white * both + _JITTER * np.eye(len(unit)), check_finite=False)
        self._transform = unit[:, None] * v
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
        by_match, by_energy = (data * self._precision) @ time.rotated, self._precision @ time.squared
        single = templates.astype(np.float32)  # seven digits are plenty to choose by
        n = len(responses)
        gain, flow, at = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
        match, energy = single @ by_match.astype(np.float32), single**2 @ by_energy.astype(np.float32)
        best_shape(match, energy, self._cost, gain, at, flow)
        picked = np.maximum(at, 0)
        power = np.maximum((templates**2 * by_energy[:, picked].T).sum(axis=1), 1e-30)
        match_at = np.where(at >= 0, (templates * by_match[:, picked].T).sum(axis=1), 0.0)
        flow = match_at / power
        gain = np.maximum(match_at * (0.5 * flow - self._cost / power), 0.0)
        deviation = 1.0 / np.sqrt(power)
        now = flow * grown.values[-1, picked]
        return Evidence(gain, flow, deviation, grown.onset[picked], grown.rise[picked], now, at)

    def weigh(self, residuals: Floats, evidence: Evidence, responses: Floats, doubt: Floats) -> Evidence:
        """Evidence anew, with each response known up to independent errors of its own.

        With z the amplitude of each noise component along a candidate's growth, of precision e, and t its response:
        z ~ N(q t, diag(1/e) + q^2 F'F) where the candidate leaks, N(0, diag(1/e)) where it does not.

        Parameters
        ----------
        evidence
            Of `scan`.
        doubt
            float64 [n_candidates, k, n_channels], F: directions in which each response may be off, one deviation each.
        """
        chosen = np.flatnonzero((evidence.gain > _WORTH * evidence.gain.max()) & (evidence.shape >= 0))
        if not len(chosen):
            return evidence
        along = self._time.shapes.values[:, evidence.shape[chosen]]
        z, e = self._amplitudes(residuals, along)
        t, f = responses[chosen] @ self._transform, doubt[chosen] @ self._transform
        inner = np.matmul(f * e[:, None, :], f.transpose(0, 2, 1))
        by_z, by_t = np.matmul(f, (e * z)[:, :, None])[:, :, 0], np.matmul(f, (e * t)[:, :, None])[:, :, 0]
        zt, tt = (z * t * e).sum(axis=1), (t * t * e).sum(axis=1)
        flow = evidence.flow[chosen]
        most, one = 4.0 * flow, np.eye(f.shape[1])
        for k in range(_ROUNDS + 1):
            # Woodbury: the inverse of diag(1/e) + q^2 F'F needs only a k x k system
            core = one / (flow[:, None, None] ** 2) + inner
            solved = np.linalg.solve(core, np.stack([by_z, by_t], axis=2))
            match = zt - (by_t * solved[:, :, 0]).sum(axis=1)
            energy = np.maximum(tt - (by_t * solved[:, :, 1]).sum(axis=1), 1e-30)
            if k < _ROUNDS:
                flow = np.clip((match - self._cost) / energy, 1e-9, most)
        explained = (by_z * solved[:, :, 0]).sum(axis=1)
        _, size = np.linalg.slogdet(one + flow[:, None, None] ** 2 * inner)
        found = flow * match - 0.5 * flow**2 * energy + 0.5 * (explained - size) - self._cost * flow
        gain, flows, deviation, now = (
            a.copy() for a in (evidence.gain, evidence.flow, evidence.deviation, evidence.now)
        )
        gain = np.minimum(gain, max(0.0, float(found.min())))
        gain[chosen] = np.maximum(found, 0.0)
        flows[chosen], deviation[chosen] = flow, 1.0 / np.sqrt(energy)
        now[chosen] = flow * along[-1]
        return Evidence(gain, flows, deviation, evidence.onset, evidence.rise, now, evidence.shape)

    def misfit(self, left: Floats, flow: Floats, doubt: Floats) -> tuple[Floats, Floats]:
        """What a leak does beyond its simulation, from what its simulation left.

        Parameters
        ----------
        left
            float64 [n_blocks, n_channels], the window with the leak simulated.
        flow
            float64 [n_blocks], m3/s.
        doubt
            float64 [k, n_channels], directions in which its response may be off, one deviation each.

        Returns
        -------
        mean : float64 [n_channels], per m3/s
        doubt : float64 [k, n_channels]
            What is still uncertain of it.
        """
        z, e = self._amplitudes(left, flow[:, None])
        f = doubt @ self._transform
        # precision I + F E F' = V diag(p) V': the posterior covariance of the weights is V diag(1/p) V'
        p, v = np.linalg.eigh(np.eye(len(f)) + (f * e[0]) @ f.T)
        p = np.maximum(p, 1.0)  # doubts that are huge beside the noise cost the digits of the least
        weight = v @ ((v.T @ (f @ (e[0] * z[0]))) / p)
        return weight @ doubt, (v / np.sqrt(p)).T @ doubt

    def _amplitudes(self, residuals: Floats, along: Floats) -> tuple[Floats, Floats]:
        """Amplitude of each noise component along growths [n_blocks, n], and its precision, [n, n_components]."""
        data = (self._time.basis.T @ residuals @ self._transform).T
        rotated = self._time.basis.T @ along
        e = np.maximum((self._precision @ rotated**2).T, 1e-30)
        return ((data * self._precision) @ rotated).T / e, e

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
