"""x to a fixed real exponent, in eight lanes, by polynomials: what a head-loss formula spends its time on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

from hydro.fast.lanes import exponent, fraction, nearest, splat, times_power_of_two

Floats = NDArray[np.float64]

_MANTISSA_DEGREE, _POWER_DEGREE, _LOGARITHM_DEGREE = 11, 9, 15
_LENGTH = 1 + (_MANTISSA_DEGREE + 1) + (_POWER_DEGREE + 1)


def power_table(exponent: float) -> Floats:
    """What `power` needs to know of an exponent of at most 4 in magnitude.

    Returns
    -------
    float64 [n]: the exponent, then the coefficients, highest first, of m^exponent for 1 <= m < 2 and of 2^f for
    |f| <= 1/2 (Chebyshev interpolation; for exponents from -1 to 2 `power` is right to 2e-9 of its value).
    """
    mantissa = _fit(lambda m: m**exponent, _MANTISSA_DEGREE, 1.0, 2.0)
    binary = _fit(np.exp2, _POWER_DEGREE, -0.5, 0.5)
    return np.concatenate(([exponent], mantissa, binary))


def logarithm_table() -> Floats:
    """Coefficients, highest first, of ln m for 1 <= m < 2."""
    return _fit(np.log, _LOGARITHM_DEGREE, 1.0, 2.0)


def _fit(function: Any, degree: int, low: float, high: float) -> Floats:
    series = Chebyshev.interpolate(function, degree, domain=[low, high])
    return np.asarray(series.convert(kind=Polynomial, domain=[-1.0, 1.0]).coef[::-1], dtype=np.float64)


@njit(cache=True, error_model="numpy", nogil=True, inline="always")  # type: ignore[untyped-decorator]
def power(table: Any, x: Any) -> Any:
    """x^exponent for positive normal x."""
    m = fraction(x)
    value = splat(table[1])
    for k in range(2, 13):
        value = value * m + splat(table[k])
    scaled = exponent(x) * splat(table[0])
    whole = nearest(scaled)
    f = scaled - whole
    binary = splat(table[13])
    for k in range(14, 23):
        binary = binary * f + splat(table[k])
    return times_power_of_two(value * binary, whole)


@njit(cache=True, error_model="numpy", nogil=True, inline="always")  # type: ignore[untyped-decorator]
def logarithm(table: Any, x: Any) -> Any:
    """Natural logarithm of positive normal x."""
    m = fraction(x)
    value = splat(table[0])
    for k in range(1, 16):
        value = value * m + splat(table[k])
    return value + exponent(x) * splat(0.6931471805599453)
