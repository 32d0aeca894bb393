"""The kernel of the scan over pipes and growths; those of the scorers are in `models/scoring/`.

It has a slow, obvious twin in `tests/naive.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.scoring.compiled import Floats, Ints, kernel

Reals = NDArray[np.float32] | Floats


@kernel
def best_shape(match: Reals, energy: Reals, cost: float, gain: Floats, shape: Ints, flow: Floats) -> None:
    """Generalised likelihood ratio of each candidate over all shapes of growth, in place.

    Parameters
    ----------
    match
        float32 or float64 [n_candidates, n_shapes], whitened data projected on each template, 1/(m3/s).
    energy
        float32 or float64 [n_candidates, n_shapes], squared norm of each whitened template, 1/(m3/s)^2.
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
