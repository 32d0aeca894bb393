"""What is different in one lane: leaks at junctions, leaks in the middle of a pipe, closed pipes.

A leak in the middle of a pipe adds an unknown head. It is eliminated on the spot, which leaves the matrix's structure as
it is: with the halves' conductances a and b and the outlets' o, the pipe conducts ab / (a + b + o) from end to end and
a o / (a + b + o), b o / (a + b + o) from its ends out of the network.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from hydro.fast.links import BIG, pipe
from hydro.fast.outlets import outlet

AT_NODE, MID_PIPE, CLOSED_PIPE = range(3)
_A, _B, _GA, _GB, _O, _GO, _O1, _G1, _O2, _G2, _STEP, _LARGEST = range(12)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def replace(links: Any, sites: Any, state: Any, may_turn: bool) -> None:
    """Before the matrix is filled: put what differs in place of the pipe as it is."""
    for lane in range(len(sites.count)):
        for s in range(sites.count[lane]):
            kind, k = sites.kind[s, lane], sites.where[s, lane]
            if kind == CLOSED_PIPE and state.size[s, lane] != 0.0:
                drop = state.head[links.start[k], lane] - state.head[links.end[k], lane]
                state.conductance[k, lane] = 1.0 / BIG
                state.excess[k, lane] = state.flow[k, lane] - drop / BIG
            elif kind == MID_PIPE:
                _condense(links, sites, state, s, lane, k, may_turn)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _condense(links: Any, sites: Any, state: Any, s: int, lane: int, k: int, may_turn: bool) -> None:
    h = state.halves
    middle = state.leak_head[s, lane]
    a, ya = pipe(links, k, 0.5, links.minor[k], state.flow[k, lane])
    b, yb = pipe(links, k, 0.5, 0.0, state.leak_second[s, lane])
    ga = ya - a * (state.head[links.start[k], lane] - middle)
    gb = yb - b * (middle - state.head[links.end[k], lane])
    pressure = middle - sites.elevation[s, lane]
    out, total = 0.0, a + b
    for j in range(3):
        coefficient = state.size[s, lane]
        exponent, q = 2.0, state.leak[s, lane]
        if j > 0:
            coefficient = sites.area[s, lane] if j == 1 else sites.growth[s, lane]
            exponent = 2.0 if j == 1 else 2.0 / 3.0
            q = state.leak_own[s, j - 1, lane]
        o, go = 0.0, q
        if coefficient > 0.0:
            o, go = outlet(exponent, coefficient, q, pressure, may_turn and j == 0, j == 0)
        h[s, _O + 2 * j, lane], h[s, _O + 2 * j + 1, lane] = o, go
        out += q - go
        total += o
    surplus = (state.flow[k, lane] - ga) - (state.leak_second[s, lane] - gb) - out
    h[s, _A, lane], h[s, _B, lane], h[s, _GA, lane], h[s, _GB, lane] = a, b, ga, gb
    h[s, _STEP, lane] = surplus / total
    state.conductance[k, lane] = a * b / total
    # the first half's flow leaves the beginning; `add` gives the end what the second half brings
    state.excess[k, lane] = ga + a * surplus / total


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def add(links: Any, sites: Any, state: Any, may_turn: bool) -> None:
    """After the matrix is filled: add the leaks."""
    h = state.halves
    for lane in range(len(sites.count)):
        for s in range(sites.count[lane]):
            kind, k = sites.kind[s, lane], sites.where[s, lane]
            if kind == AT_NODE and state.size[s, lane] > 0.0:
                q = state.leak[s, lane]
                pressure = state.head[k, lane] - sites.elevation[s, lane]
                o, go = outlet(2.0, state.size[s, lane], q, pressure, may_turn, True)
                h[s, _O, lane], h[s, _GO, lane] = o, go
                state.diagonal[k, lane] += o
                state.right[k, lane] -= q - go
            elif kind == MID_PIPE:
                a, b = h[s, _A, lane], h[s, _B, lane]
                out = h[s, _O, lane] + h[s, _O1, lane] + h[s, _O2, lane]
                total = a + b + out
                start, end = links.start[k], links.end[k]
                state.diagonal[start, lane] += a * out / total
                state.diagonal[end, lane] += b * out / total
                first = state.flow[k, lane] - state.excess[k, lane]
                second = state.leak_second[s, lane] - h[s, _GB, lane] + b * h[s, _STEP, lane]
                state.right[end, lane] += second - first


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def before_update(sites: Any, state: Any) -> None:
    """Keep the flow of leaking pipes out of the common update: it is theirs to change."""
    for lane in range(len(sites.count)):
        for s in range(sites.count[lane]):
            if sites.kind[s, lane] == MID_PIPE:
                k = sites.where[s, lane]
                state.conductance[k, lane] = 0.0
                state.excess[k, lane] = 0.0


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def update(links: Any, sites: Any, state: Any, lane: int, s: int) -> tuple[float, float]:
    """Change one site after a step; give the largest change of a flow and the change of its head."""
    h = state.halves
    kind, k = sites.kind[s, lane], sites.where[s, lane]
    if kind == CLOSED_PIPE or (kind == AT_NODE and state.size[s, lane] <= 0.0):
        state.leak[s, lane] = 0.0
        return 0.0, 0.0
    if kind == AT_NODE:
        change = h[s, _GO, lane] - h[s, _O, lane] * state.right[k, lane]
        state.leak[s, lane] -= change
        return abs(change), 0.0
    a, b = h[s, _A, lane], h[s, _B, lane]
    total = a + b + h[s, _O, lane] + h[s, _O1, lane] + h[s, _O2, lane]
    first, last = state.right[links.start[k], lane], state.right[links.end[k], lane]
    step = h[s, _STEP, lane] + (a * first + b * last) / total
    change_a = h[s, _GA, lane] - a * (first - step)
    change_b = h[s, _GB, lane] - b * (step - last)
    change = h[s, _GO, lane] - h[s, _O, lane] * step
    state.flow[k, lane] -= change_a
    state.leak_second[s, lane] -= change_b
    state.leak[s, lane] -= change
    for j in range(2):
        own = h[s, _O1 + 2 * j + 1, lane] - h[s, _O1 + 2 * j, lane] * step
        state.leak_own[s, j, lane] -= own
        change = max(abs(change), abs(own))
    state.leak_head[s, lane] += step
    return max(abs(change_a), abs(change_b), abs(change)), abs(step)
