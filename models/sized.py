"""Responses by a leak's own size: head loss grows faster than flow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def best_size(now: Floats, sizes: Floats) -> NDArray[np.int64]:
    """Which of some responses by size suits each candidate, int64 [n]: the one nearest to the flow that it gives.

    Parameters
    ----------
    now
        float64 [1 + n_sizes, n], flow that each response gives, m3/s.
    sizes
        float64 [n_sizes], flow that each response was made with but the first, which is a small leak's.
    """
    made = np.concatenate([[0.4 * sizes[0]], sizes])[:, None]
    found: NDArray[np.int64] = np.argmin(np.abs(np.log(np.maximum(now, 1e-9) / made)), axis=0)
    return found


def at_size(sized: Floats, flow: Floats, sizes: Floats) -> Floats:
    """Response of each candidate at a flow of its own, between those by size, float64 [n, n_channels].

    Parameters
    ----------
    sized
        float64 [1 + n_sizes, n, n_channels].
    flow
        float64 [n], m3/s.
    sizes
        float64 [n_sizes], see `best_size`.
    """
    made = np.log(np.concatenate([[0.4 * sizes[0]], sizes]))
    position = np.interp(np.log(np.maximum(flow, 1e-9)), made, np.arange(len(made)))
    low = np.minimum(position.astype(np.int64), len(sizes) - 1)
    share, everyone = (position - low)[:, None], np.arange(len(flow))
    between: Floats = (1.0 - share) * sized[low, everyone] + share * sized[low + 1, everyone]
    return between
