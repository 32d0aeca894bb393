"""How kernels are compiled: arrays and scalars in, arrays out, NaN goes through, nothing is compiled at import."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_Function = TypeVar("_Function", bound=Callable[..., object])


def kernel(function: _Function) -> _Function:
    """Compile a kernel at its first call and keep it on disk.

    What is kept is keyed by the kernel's own file: after a change to what it calls in another one (`lanes.py`), remove
    `__pycache__`.

    Numba's check for division by zero would stop the loops from being vectorised, hence `error_model="numpy"`;
    fastmath would break NaN and make a result depend on how the stream is cut.
    """
    return cast(_Function, njit(cache=True, error_model="numpy", nogil=True)(function))
