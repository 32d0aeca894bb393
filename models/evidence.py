"""How well each leak would explain a window of residuals: a likelihood-ratio scan over pipes and growth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.growth import Growth, Shapes, shapes
from models.kernels import best_shape
from models.noise import Noise, Whitening, whitening

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
        int64 [n_candidates], blocks from the window's first.
    now
        float64 [n_candidates], flow in the newest block, m3/s.
    """

    gain: Floats
    flow: Floats
    deviation: Floats
    onset: Ints
    rise: Ints
    now: Floats

    @property
    def best(self) -> int:
        """The candidate that explains the most."""
        return int(np.argmax(self.gain))

    def growth(self, candidate: int, first_block: int) -> Growth:
        """A candidate's growth on the detector's clock."""
        return Growth(
            float(self.onset[candidate] + first_block), float(self.rise[candidate]), float(self.flow[candidate])
        )


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
    """

    def __init__(self, noise: Noise, n_blocks: int, rises: tuple[int, ...]) -> None:
        self.n_blocks = n_blocks
        self.shapes: Shapes = shapes(n_blocks, rises)
        self.whitening: Whitening = whitening(noise, n_blocks)
        self._weighted = self.whitening.precision @ self.shapes.values
        self._energy = np.einsum("bs,jbs->js", self.shapes.values, self._weighted)

    def scan(self, residuals: Floats, responses: Floats) -> Evidence:
        """Scan a window.

        Parameters
        ----------
        residuals
            float64 [n_blocks, n_channels], without NaN.
        responses
            float64 [n_candidates, n_channels], response to a unit leak at each candidate.
        """
        data = residuals @ self.whitening.transform
        templates = responses @ self.whitening.transform
        projected = np.einsum("bj,jbs->js", data, self._weighted)
        match = templates @ projected
        energy = templates**2 @ self._energy
        n = len(responses)
        gain, flow, at = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
        best_shape(match, energy, gain, at, flow)
        picked = np.maximum(at, 0)
        deviation = 1.0 / np.sqrt(np.maximum(energy[np.arange(n), picked], 1e-30))
        now = flow * self.shapes.values[-1, picked]
        return Evidence(gain, flow, deviation, self.shapes.onset[picked], self.shapes.rise[picked], now)

    def likelihood(self, residuals: Floats) -> float:
        """Log likelihood of a window without any leak, up to a constant."""
        data = residuals @ self.whitening.transform
        return -0.5 * float(np.einsum("bj,jbc,cj->", data, self.whitening.precision, data))
