"""Change one property of many elements in one compiled loop.

EPANET has no bulk setters; a ctypes call from Python costs most of a microsecond, from compiled code some nanoseconds.
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
