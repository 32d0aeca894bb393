"""What is different in one lane: leaks at junctions, leaks in the middle of a pipe, closed pipes.

A leak in the middle of a pipe adds an unknown head. It is eliminated on the spot, which leaves the matrix's structure
as it is: with the halves' conductances a and b and the outlets' o, the pipe conducts ab / (a + b + o) from end to end
and a o / (a + b + o), b o / (a + b + o) from its ends out of the network.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from hydro.fast.lanes import WIDTH
from hydro.fast.links import pipe
from hydro.fast.outlets import outlet

AT_NODE, MID_PIPE, CLOSED_PIPE = range(3)
_BIG = 1e8
_A, _B, _GA, _GB, _O, _GO, _O1, _G1, _O2, _G2, _STEP = range(11)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def replace(
    links: Any, sites: Any, leaks: Any, head: Any, flow: Any, conductance: Any, excess: Any, may_turn: bool
) -> None:
    """Before the matrix is filled: put what differs in place of the pipe as it is."""
    h = leaks.halves
    for lane in range(WIDTH):
        for s in range(sites.n_sites[lane]):
            kind, k = sites.kind[s, lane], sites.where[s, lane]
            if kind == AT_NODE or (kind == CLOSED_PIPE and leaks.size[s, lane] == 0.0):
                continue
            q, first, last = flow[k, lane], head[links.start[k], lane], head[links.end[k], lane]
            if kind == CLOSED_PIPE:
                conductance[k, lane] = 1.0 / _BIG
                excess[k, lane] = q - (first - last) / _BIG
                continue
            middle, second = leaks.head[s, lane], leaks.second[s, lane]
            half, viscous, rough = 0.5 * links.resistance[k], links.viscous[k], links.rough[k]
            a, ya = pipe(links.law, links.exponent, half, links.minor[k], viscous, rough, q)
            b, yb = pipe(links.law, links.exponent, half, 0.0, viscous, rough, second)
            ga, gb = ya - a * (first - middle), yb - b * (middle - last)
            surplus, total = (q - ga) - (second - gb), a + b
            for j in range(3):
                size, power, own = leaks.size[s, lane], 2.0, leaks.flow[s, lane]
                if j > 0:
                    size = sites.area[s, lane] if j == 1 else sites.growth[s, lane]
                    power = 2.0 if j == 1 else 2.0 / 3.0
                    own = leaks.own[s, j - 1, lane]
                o, go = 0.0, own
                if size > 0.0:
                    o, go = outlet(power, size, own, middle - sites.elevation[s, lane], may_turn and j == 0, j == 0)
                h[s, _O + 2 * j, lane], h[s, _GO + 2 * j, lane] = o, go
                surplus -= own - go
                total += o
            h[s, _A, lane], h[s, _B, lane], h[s, _GA, lane], h[s, _GB, lane] = a, b, ga, gb
            h[s, _STEP, lane] = surplus / total
            conductance[k, lane] = a * b / total
            # the first half's flow leaves the beginning; `add` gives the end what the second half brings
            excess[k, lane] = ga + a * surplus / total


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def add(
    links: Any, sites: Any, leaks: Any, head: Any, flow: Any, conductance: Any, excess: Any, diagonal: Any, right: Any,
    may_turn: bool,
) -> None:  # fmt: skip
    """After the matrix is filled: add the leaks, and keep their pipes out of the common update."""
    h = leaks.halves
    for lane in range(WIDTH):
        for s in range(sites.n_sites[lane]):
            kind, k = sites.kind[s, lane], sites.where[s, lane]
            if kind == AT_NODE and leaks.size[s, lane] > 0.0:
                q = leaks.flow[s, lane]
                o, go = outlet(2.0, leaks.size[s, lane], q, head[k, lane] - sites.elevation[s, lane], may_turn, True)
                h[s, _O, lane], h[s, _GO, lane] = o, go
                diagonal[k, lane] += o
                right[k, lane] -= q - go
            elif kind == MID_PIPE:
                a, b = h[s, _A, lane], h[s, _B, lane]
                out = h[s, _O, lane] + h[s, _O1, lane] + h[s, _O2, lane]
                total = a + b + out
                start, end = links.start[k], links.end[k]
                diagonal[start, lane] += a * out / total
                diagonal[end, lane] += b * out / total
                first = flow[k, lane] - excess[k, lane]
                second = leaks.second[s, lane] - h[s, _GB, lane] + b * h[s, _STEP, lane]
                right[end, lane] += second - first
                conductance[k, lane] = 0.0
                excess[k, lane] = 0.0


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def update(
    start: Any, end: Any, sites: Any, leaks: Any, flow: Any, right: Any, live: Any, head_step: Any, flow_step: Any
) -> None:
    """After a step: change the leaks of the live lanes, and the largest changes with them."""
    h = leaks.halves
    for lane in range(WIDTH):
        if live[0, lane] == 0.0:
            continue
        for s in range(sites.n_sites[lane]):
            kind, k = sites.kind[s, lane], sites.where[s, lane]
            if kind == CLOSED_PIPE:
                continue
            step = right[k, lane] if kind == AT_NODE else 0.0
            largest = 0.0
            if kind == MID_PIPE:
                a, b = h[s, _A, lane], h[s, _B, lane]
                total = a + b + h[s, _O, lane] + h[s, _O1, lane] + h[s, _O2, lane]
                first, last = right[start[k], lane], right[end[k], lane]
                step = h[s, _STEP, lane] + (a * first + b * last) / total
                change_a = h[s, _GA, lane] - a * (first - step)
                change_b = h[s, _GB, lane] - b * (step - last)
                flow[k, lane] -= change_a
                leaks.second[s, lane] -= change_b
                leaks.head[s, lane] += step
                head_step[0, lane] = max(head_step[0, lane], abs(step))
                largest = max(abs(change_a), abs(change_b))
                for j in range(2):
                    own = h[s, _G1 + 2 * j, lane] - h[s, _O1 + 2 * j, lane] * step
                    leaks.own[s, j, lane] -= own
                    largest = max(largest, abs(own))
            if leaks.size[s, lane] > 0.0:
                change = h[s, _GO, lane] - h[s, _O, lane] * step
                leaks.flow[s, lane] -= change
                largest = max(largest, abs(change))
            else:
                leaks.flow[s, lane] = 0.0
            flow_step[0, lane] = max(flow_step[0, lane], largest)
