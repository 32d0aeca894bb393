"""Flows that follow pressure: emitters, leakage of pipes and pressure-driven demand, in eight lanes."""

from __future__ import annotations

import math
from typing import Any

from numba import njit

from hydro.fast.lanes import magnitude, put, root, row, splat, where_less
from hydro.fast.links import LEAST_GRADIENT
from hydro.fast.powers import power

EMITTER, FIXED_AREA, GROWING_AREA, DEMAND = range(4)
_LEAST_FLOW = 1e-12
_STEEP, _ROUNDING = 1e9, 1e-6  # of EPANET's barriers
_NO_DEMAND = 1e-12


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def coefficients(
    draws: Any, head: Any, draw: Any, coefficient: Any, conductance: Any, excess: Any, diagonal: Any, right: Any
) -> None:
    """Fill the outlets' conductance and excess, and add both to the matrix and its right-hand side."""
    zero, one, half, least = splat(0.0), splat(1.0), splat(0.5), splat(_LEAST_FLOW)
    steep, rounding, half_steep = splat(_STEEP), splat(_ROUNDING), splat(0.5 * _STEEP)
    for o in range(len(draws.row)):
        i, kind, n = draws.row[o], draws.kind[o], draws.exponent[o]
        q, c = row(draw, o), row(coefficient, o)
        x = magnitude(q)
        x = where_less(x, least, least, x)
        full = c
        if kind == DEMAND:  # the coefficient is the whole demand
            x = x / where_less(c, splat(_NO_DEMAND), one, c)
            x = where_less(x, least, least, x)
            c = splat(draws.required) / where_less(full, splat(_NO_DEMAND), one, full)
        gradient = splat(n) * c * power(draws.table[o], x)
        loss = gradient * q * splat(1.0 / n)
        if kind == EMITTER:
            linear = splat(LEAST_GRADIENT / n)
            flat = splat(LEAST_GRADIENT)
            loss = where_less(gradient, flat, linear * q, loss)
            gradient = where_less(gradient, flat, linear, gradient)
        if draws.barrier[o] == 1:
            a = steep * q
            b = root(a * a + rounding)
            loss = loss + half * (a - b)
            gradient = gradient + half_steep * (one - a / b)
        if kind == DEMAND:
            a = steep * (q - full)
            b = root(a * a + rounding)
            loss = loss + half * (a + b)
            gradient = gradient + half_steep * (one + a / b)
        p = one / gradient
        g = p * (loss - row(head, i) + splat(draws.base[o]))
        if kind == DEMAND:
            p = where_less(full, splat(_NO_DEMAND), zero, p)
            g = where_less(full, splat(_NO_DEMAND), q - full, g)
        elif kind != EMITTER:
            p = where_less(zero, c, p, zero)
            g = where_less(zero, c, g, zero)
        put(conductance, o, p)
        put(excess, o, g)
        put(diagonal, i, row(diagonal, i) + p)
        put(right, i, row(right, i) - q + g)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def update(
    draws: Any, draw: Any, coefficient: Any, conductance: Any, excess: Any, right: Any, live: Any, flow_step: Any
) -> None:
    """Change the outlets' flows after a step of the heads, and the largest change with them."""
    zero, half, mask = splat(0.0), splat(0.5), row(live, 0)
    largest = row(flow_step, 0)
    for o in range(len(draws.row)):
        change = row(excess, o) - row(conductance, o) * row(right, draws.row[o])
        if draws.kind[o] == DEMAND:  # EPANET's limit on the change
            full = row(coefficient, o)
            most = splat(0.4) * full
            least = zero - most
            allowed = where_less(most, change, most, where_less(change, least, least, change))
            change = where_less(full, splat(_NO_DEMAND), change, allowed)
        before = row(draw, o)
        put(draw, o, where_less(half, mask, before - change, before))
        change = magnitude(change)
        largest = where_less(change, largest, largest, change)
    put(flow_step, 0, largest)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def outlet(
    exponent: float, coefficient: float, q: float, pressure: float, may_turn: bool, floor: bool
) -> tuple[float, float]:
    """One outlet of one lane: its conductance, and the flow by which head loss and pressure disagree."""
    x = max(abs(q), _LEAST_FLOW)
    gradient = exponent * coefficient * x ** (exponent - 1.0)
    loss = gradient * q / exponent
    if floor and gradient < LEAST_GRADIENT:
        gradient = LEAST_GRADIENT / exponent
        loss = gradient * q
    if not may_turn:
        a = _STEEP * q
        b = math.sqrt(a * a + _ROUNDING)
        loss += 0.5 * (a - b)
        gradient += 0.5 * _STEEP * (1.0 - a / b)
    return 1.0 / gradient, (loss - pressure) / gradient
