"""Memory that starts where a vector does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydro.fast.lanes import WIDTH

_BYTES = 64


def aligned(rows: int) -> NDArray[np.float64]:
    """Zeros, float64 [rows, WIDTH], on a cache line: a vector across two lines costs twice."""
    raw = np.zeros(rows * WIDTH + _BYTES // 8)
    skip = -(raw.ctypes.data // 8) % (_BYTES // 8)
    return raw[skip : skip + rows * WIDTH].reshape(rows, WIDTH)
