"""Time the scoring kernels against a plain sum over the same array, one thread.

    python benchmarks/kernels.py [MILLION_SAMPLES]

Prints the ratio of the CUSUM kernel to a sum over 200 channels, and one JSON line.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from importlib.metadata import version

import numpy as np
from numba import njit

from models.kernels import cusum

_CHANNELS, _REPEATS = 200, 5


@njit(error_model="numpy")
def plain_sum(values: np.ndarray) -> float:
    """Add up everything: what reading the memory costs."""
    total = 0.0
    for t in range(values.shape[0]):
        for c in range(values.shape[1]):
            total += values[t, c]
    return total


def main() -> None:
    """Time both in turn."""
    millions = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    steps = millions * 1_000_000 // _CHANNELS
    values = np.random.default_rng(1).normal(size=(steps, _CHANNELS))
    alarm = np.empty((steps, _CHANNELS), dtype=np.int64)
    timings: dict[str, list[float]] = {"sum": [], "cusum": []}
    for _ in range(_REPEATS + 1):  # the first compiles
        state = np.zeros(_CHANNELS), np.zeros(_CHANNELS), np.zeros((2, _CHANNELS), dtype=np.int64)
        began = time.perf_counter()
        plain_sum(values)
        timings["sum"].append(time.perf_counter() - began)
        began = time.perf_counter()
        cusum(values, 0.5, 8.0, *state, alarm)
        timings["cusum"].append(time.perf_counter() - began)
    median = {name: statistics.median(taken[1:]) for name, taken in timings.items()}
    ratio = median["cusum"] / median["sum"]
    rate = steps * _CHANNELS / median["cusum"] / 1e6
    print(f"{millions} million samples: sum {median['sum']:.3f} s, CUSUM {median['cusum']:.3f} s", end=" ")
    print(f"= {ratio:.1f} x, {rate:.0f} M/s")
    versions = {p: version(p) for p in ("umanflow", "numba", "numpy")}
    print(
        json.dumps({"benchmark": "kernels", "machine": platform.machine(), **versions, "cusum_to_sum": round(ratio, 2)})
    )


if __name__ == "__main__":
    main()
