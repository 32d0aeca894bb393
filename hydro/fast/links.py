"""Head loss of links as EPANET has it (hydcoeffs.c): pipes in eight lanes, everything else lane by lane.

Each function gives the conductance P = dq/dh and Y = P x head loss; a link's flow in the next iteration is
q - (Y - P (h1 - h2)). Units are EPANET's, ft and ft3/s, because its tolerances are.
"""

from __future__ import annotations

import math
from typing import Any

from numba import njit

from hydro.fast.lanes import magnitude, put, row, splat, where_less
from hydro.fast.powers import logarithm, power

BIG, SMALL, TINY = 1e8, 1e-6, 1e-6
LEAST_GRADIENT = 1e-7
MISSING = -1e10
_LEAST_FLOW = 1e-30
# Darcy-Weisbach, hydcoeffs.c: 1000 pi, 500 pi, 5.74 (pi/4)^0.9, -2/ln 10, -2 0.9 2/ln 10, 5.74/4000^0.9
_A1, _A2, _A8, _A9 = (
    3.14159265358979323850e03,
    1.57079632679489661930e03,
    4.61841319859066668690e00,
    -0.868588963806503655,
)
_AA, _AB = -1.5634601348517065795e00, 3.28895476345399058690e-03
_AC = _AA * _AB


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def power_law_pipes(links: Any, head: Any, flow: Any, conductance: Any, excess: Any) -> None:
    """Hazen-Williams and Chezy-Manning: fill conductance and excess of the plain pipes."""
    n = links.exponent
    steepest = splat(1.0 / LEAST_GRADIENT)
    linear = splat(n / LEAST_GRADIENT)
    one, share, two, least = splat(1.0), splat(1.0 / n), splat(2.0), splat(_LEAST_FLOW)
    table = links.power
    for k in range(links.n_plain):
        q = row(flow, k)
        x = magnitude(q)
        x = where_less(x, least, least, x)
        p = splat(links.conductance[k]) * power(table, x)
        y = q * where_less(steepest, p, one, share)
        p = where_less(steepest, p, linear, p)
        if k >= links.n_smooth:
            minor = splat(links.minor[k]) * x
            loss = y / p + minor * q
            p = one / (one / p + two * minor)
            y = loss * p
        drop = row(head, links.start[k]) - row(head, links.end[k])
        put(conductance, k, p)
        put(excess, k, y - p * drop)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def darcy_pipes(links: Any, head: Any, flow: Any, conductance: Any, excess: Any) -> None:
    """Darcy-Weisbach: fill conductance and excess of the plain pipes."""
    one, two, least = splat(1.0), splat(2.0), splat(_LEAST_FLOW)
    for k in range(links.n_plain):
        q = row(flow, k)
        x = magnitude(q)
        x = where_less(x, least, least, x)
        s, r, rough, minor = links.viscous[k], links.resistance[k], links.rough[k], splat(links.minor[k])
        w = x / splat(s)
        # turbulent: Swamee and Jain
        y1 = splat(_A8) * power(links.power, w)
        y2 = splat(rough / 3.7) + y1
        y3 = splat(_A9) * logarithm(links.logarithm, y2)
        f = one / (y3 * y3)
        slope = splat(1.8 * _A9) * f * y1 / (y2 * y3 * x)
        # in between: Dunlop's cubic
        z2 = rough / 3.7 + _AB
        z3 = _A9 * math.log(z2)
        fa = 1.0 / (z3 * z3)
        fb = (2.0 + _AC / (z2 * z3)) * fa
        c2, c3, c4 = 0.128 - 17.0 * fa + 2.5 * fb, -0.128 + 13.0 * fa - 2.0 * fb, 0.032 - 3.0 * fa + 0.5 * fb
        t = w * splat(1.0 / _A2)
        between = splat(7.0 * fa - fb) + t * (splat(c2) + t * (splat(c3) + t * splat(c4)))
        slope_between = (splat(c2) + t * (splat(2.0 * c3) + t * splat(3.0 * c4))) * splat(1.0 / (s * _A2))
        is_turbulent = splat(_A1)
        f = where_less(w, is_turbulent, between, f)
        slope = where_less(w, is_turbulent, slope_between, slope)
        total = f * splat(r) + minor
        loss = total * x * q
        gradient = two * total * x + slope * splat(r) * x * x
        laminar, limit = splat(16.0 * math.pi * s * r), splat(_A2)
        loss = where_less(limit, w, loss, q * (laminar + minor * x))
        gradient = where_less(limit, w, gradient, laminar + two * minor * x)
        p = one / gradient
        drop = row(head, links.start[k]) - row(head, links.end[k])
        put(conductance, k, p)
        put(excess, k, p * (loss - drop))


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def pipe(
    law: int, exponent: float, resistance: float, minor: float, viscous: float, rough: float, q: float
) -> tuple[float, float]:
    """One open pipe of one lane."""
    x = abs(q)
    if law == 1:
        w = x / viscous
        if w <= _A2:
            laminar = 16.0 * math.pi * viscous * resistance
            gradient = laminar + 2.0 * minor * x
            return 1.0 / gradient, q * (laminar + minor * x) / gradient
        f, slope = _friction(w, rough, viscous, x)
        total = f * resistance + minor
        gradient = 2.0 * total * x + slope * resistance * x * x
        return 1.0 / gradient, total * x * q / gradient
    gradient = exponent * resistance * x ** (exponent - 1.0)
    if gradient < LEAST_GRADIENT:
        gradient = LEAST_GRADIENT / exponent
        loss = gradient * q
    else:
        loss = gradient * q / exponent
    loss += minor * x * q
    gradient += 2.0 * minor * x
    return 1.0 / gradient, loss / gradient


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _friction(w: float, rough: float, viscous: float, x: float) -> tuple[float, float]:
    """Friction factor above Re = 2000 and its derivative by flow; w is Re pi/4."""
    if w >= _A1:
        y1 = _A8 / w**0.9
        y2 = rough / 3.7 + y1
        y3 = _A9 * math.log(y2)
        f = 1.0 / (y3 * y3)
        return f, 1.8 * f * y1 * _A9 / y2 / y3 / x
    z2 = rough / 3.7 + _AB
    z3 = _A9 * math.log(z2)
    fa = 1.0 / (z3 * z3)
    fb = (2.0 + _AC / (z2 * z3)) * fa
    c2, c3, c4 = 0.128 - 17.0 * fa + 2.5 * fb, -0.128 + 13.0 * fa - 2.0 * fb, 0.032 - 3.0 * fa + 0.5 * fb
    t = w / _A2
    return 7.0 * fa - fb + t * (c2 + t * (c3 + t * c4)), (c2 + t * (2.0 * c3 + t * 3.0 * c4)) / viscous / _A2
