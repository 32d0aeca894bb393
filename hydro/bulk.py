"""Read or change one property of many elements in one compiled loop.

EPANET has no bulk setters, and 2.2 no bulk getters either; a ctypes call from Python costs most of a microsecond, from
compiled code some nanoseconds.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from hydro.library import LibraryName, load_library


@cache
def setter(library: LibraryName, kind: str) -> Any:
    """Compile a loop over `EN_setnodevalue` or `EN_setlinkvalue`.

    Returns
    -------
    callable (handle, indices, code, values) -> int
        Takes EPANET's handle as an integer, int64 [n] 1-based indices, the property's code and float64 [n]; returns
        the first error code, or 0.
    """
    from numba import njit

    function = load_library(library).function(f"set{kind}value")

    @njit(nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
    def write(handle, indices, code, values):  # type: ignore[no-untyped-def]
        for k in range(len(indices)):
            error = function(handle, indices[k], code, values[k])
            if error > 100:
                return error
        return 0

    return write


@cache
def getter(library: LibraryName, kind: str) -> Any:
    """Compile a loop over `EN_getnodevalue` or `EN_getlinkvalue`.

    Returns
    -------
    callable (handle, code, address, values) -> int
        Takes EPANET's handle as an integer, the property's code, the address of `values` and float64 [n], which it
        fills; returns the first error code, or 0.
    """
    import ctypes

    from numba import njit

    # the address is an integer there: compiled code cannot make a pointer to one item of an array
    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)(
        ctypes.cast(load_library(library).function(f"get{kind}value"), ctypes.c_void_p).value or 0
    )

    @njit(nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
    def read(handle, code, address, values):  # type: ignore[no-untyped-def]
        for k in range(len(values)):
            error = function(handle, k + 1, code, address + 8 * k)
            if error > 100:
                return error
        return 0

    return read
