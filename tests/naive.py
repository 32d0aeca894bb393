"""Slow, obvious twins of the compiled kernels and of the scan: the oracles of the tests."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass
class Side:
    """One side of one channel's CUSUM, as Page wrote it down."""

    total: float = 0.0
    age: int = 0

    def take(self, step: float) -> None:
        self.total += step
        self.age += 1
        if self.total <= 0.0:
            self.clear()

    def clear(self) -> None:
        self.total = 0.0
        self.age = 0


@dataclass
class Cusum:
    """A two-sided CUSUM of one channel."""

    drift: float
    threshold: float
    up: Side = field(default_factory=Side)
    down: Side = field(default_factory=Side)

    def step(self, x: float) -> int:
        """Take one value; return 0, or +k or -k for an alarm about a change that began k steps before."""
        if math.isnan(x):
            return 0
        self.up.take(x - self.drift)
        self.down.take(-x - self.drift)
        if self.up.total > self.threshold:
            age = self.up.age
            self.up.clear()
            return age
        if self.down.total > self.threshold:
            age = self.down.age
            self.down.clear()
            return -age
        return 0


def cusum(values: Floats, drift: float, threshold: float) -> list[list[int]]:
    """Alarms of every channel, [step][channel]."""
    channels = [Cusum(drift, threshold) for _ in range(values.shape[1])]
    return [[channel.step(float(x)) for channel, x in zip(channels, row, strict=True)] for row in values]


def best_shape(match: Floats, energy: Floats) -> tuple[list[float], list[int], list[float]]:
    """Gain, shape and flow of every candidate."""
    gains, shapes, flows = [], [], []
    for m_row, e_row in zip(match.tolist(), energy.tolist(), strict=True):
        tried = [
            (m * m / (2.0 * e), -s, m / e) for s, (m, e) in enumerate(zip(m_row, e_row, strict=True)) if m > 0 and e > 0
        ]
        gain, minus_shape, flow = max(tried, default=(0.0, 1, 0.0))
        gains.append(gain)
        shapes.append(-minus_shape)
        flows.append(flow)
    return gains, shapes, flows


def window_covariance(white: Floats, slow: Floats, memory: float, n_blocks: int) -> Floats:
    """Covariance of a window's residuals, block by block, float64 [n_blocks x n_channels, same]."""
    n = len(white)
    whole = np.zeros((n_blocks * n, n_blocks * n))
    for s in range(n_blocks):
        for t in range(n_blocks):
            part = slow * math.exp(-abs(s - t) / memory)
            if s == t:
                part = part + white
            whole[s * n : (s + 1) * n, t * n : (t + 1) * n] = part
    return whole


@dataclass
class Explanation:
    """Generalised least squares of one candidate with one shape."""

    gain: float
    flow: float
    deviation: float


def explain(residuals: Floats, response: Floats, shape: Floats, covariance: Floats) -> Explanation:
    """How well one leak explains a window: residual = flow x shape x response + noise."""
    template = np.array([share * r for share in shape for r in response])
    weighted = np.linalg.solve(covariance, template)
    energy = float(template @ weighted)
    match = float(residuals.ravel() @ weighted)
    if match <= 0.0 or energy <= 0.0:
        return Explanation(0.0, 0.0, energy**-0.5 if energy > 0.0 else math.inf)
    return Explanation(match**2 / (2.0 * energy), match / energy, energy**-0.5)


def night_flow_rule(inflow: Floats, share: float, window: int) -> list[bool]:
    """LeakDB's rule, day by day."""
    usual: list[float] = []
    called = []
    for day in inflow.tolist():
        seen = [x for x in day if not math.isnan(x)]
        leaks = False
        if seen:
            if len(usual) >= window:
                floor = min(usual[-window:])
                leaks = min(seen) - floor > share * floor
            if not leaks:
                usual.append(min(seen))
        called.append(leaks)
    return called
