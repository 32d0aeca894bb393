"""Bare kernels: arrays and scalars in, arrays out; NaN means missing and goes through.

Each has a slow, obvious twin in `tests/naive.py`. `error_model="numpy"` keeps the loops vectorisable; fastmath would
break NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def cusum(values: Floats, drift: float, threshold: float, high: Floats, low: Floats, age: Ints, alarm: Ints) -> Any:
    """Two-sided CUSUM of standardised values over many channels, in place, resettable and split-proof.

    Parameters
    ----------
    values
        float64 [n_steps, n_channels], standardised residuals; NaN leaves a channel as it was.
    drift
        Allowance per step, in standard deviations (half the shift that matters).
    threshold
        Alarm level, in standard deviations.
    high, low
        float64 [n_channels], state: the upper and the lower sum; changed.
    age
        int64 [2, n_channels], state: steps since each sum was last zero, the onset of what it sees; changed.
    alarm
        int64 [n_steps, n_channels], out: 0, or +k or -k where the upper or lower sum passed the threshold and the
        change began k steps before (1 = in this step). The sum then starts again from zero.

    Notes
    -----
    E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954).
    """
    n_steps, n_channels = values.shape
    for t in range(n_steps):
        for c in range(n_channels):
            x = values[t, c]
            alarm[t, c] = 0
            if np.isnan(x):
                continue
            up = high[c] + x - drift
            if up > 0.0:
                age[0, c] += 1
            else:
                up = 0.0
                age[0, c] = 0
            down = low[c] - x - drift
            if down > 0.0:
                age[1, c] += 1
            else:
                down = 0.0
                age[1, c] = 0
            if up > threshold:
                alarm[t, c] = age[0, c]
                up = 0.0
                age[0, c] = 0
            elif down > threshold:
                alarm[t, c] = -age[1, c]
                down = 0.0
                age[1, c] = 0
            high[c] = up
            low[c] = down


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def best_shape(match: Floats, energy: Floats, cost: float, gain: Floats, shape: Ints, flow: Floats) -> Any:
    """Generalised likelihood ratio of each candidate over all shapes of growth, in place.

    Parameters
    ----------
    match
        float64 [n_candidates, n_shapes], whitened data projected on each template, 1/(m3/s).
    energy
        float64 [n_candidates, n_shapes], squared norm of each whitened template, 1/(m3/s)^2.
    cost
        Loss of log likelihood for each m3/s of a shape's peak: large leaks are rare, and the beginning of a small one
        looks like that of a huge one that grows slowly.
    gain
        float64 [n_candidates], out: half the likelihood-ratio chi-square of the best shape; 0 where none has a
        positive flow.
    shape
        int64 [n_candidates], out: that shape, -1 where none.
    flow
        float64 [n_candidates], out: its flow, m3/s.
    """
    n_candidates, n_shapes = match.shape
    for c in range(n_candidates):
        best = 0.0
        at = -1
        for s in range(n_shapes):
            m = match[c, s]
            if m > 0.0 and energy[c, s] > 0.0:
                g = m * m / (2.0 * energy[c, s]) - cost * m / energy[c, s]
                if g > best:
                    best = g
                    at = s
        gain[c] = best
        shape[c] = at
        flow[c] = match[c, at] / energy[c, at] if at >= 0 else 0.0
