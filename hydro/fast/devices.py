"""Head loss of what is not a plain pipe: pumps, valves, check valves, pipes that may be shut (EPANET's hydcoeffs.c).

Each function gives the conductance P = dq/dh and Y = P x head loss of one link in one lane, ft and ft3/s.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from hydro.fast.lanes import WIDTH
from hydro.fast.links import LEAST_GRADIENT, pipe

BIG, SMALL, TINY = 1e8, 1e-6, 1e-6
MISSING = -1e10
CHECK_VALVE, PIPE, PUMP, PRV, PSV, PBV, FCV, TCV, GPV, PCV = range(10)
CONSTANT_POWER, POWER_LAW, CUSTOM, NO_CURVE = range(4)
_CLOSED, _ACTIVE = 2, 4


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def holds(kind: int, status: int, setting: float) -> bool:
    """Whether a PRV or PSV is at work."""
    return (kind in (PRV, PSV)) and setting != MISSING and status == _ACTIVE


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def coefficients(
    links: Any,
    devices: Any,
    curves: Any,
    head: Any,
    flow: Any,
    status: Any,
    setting: Any,
    conductance: Any,
    excess: Any,
) -> None:
    """Fill conductance and excess of all devices in all lanes; active PRVs and PSVs get none."""
    for d in range(len(devices.status)):
        k = links.n_plain + d
        kind = links.kind[k]
        for lane in range(WIDTH):
            q, s, at = flow[k, lane], status[d, lane], setting[d, lane]
            p, y = 0.0, 0.0
            if kind <= PIPE:
                p, y = 1.0 / BIG, q
                if s > _CLOSED:
                    p, y = pipe(
                        links.law, links.exponent, links.resistance[k], links.minor[k], links.viscous[k],
                        links.rough[k], q,
                    )  # fmt: skip
            elif kind == PUMP:
                p, y = _pump(devices, curves, d, s, at, q)
            elif not holds(kind, s, at):
                p, y = _valve(devices, curves, d, kind, links.minor[k], s, at, q)
            drop = head[links.start[k], lane] - head[links.end[k], lane]
            conductance[k, lane] = p
            excess[k, lane] = y - p * drop


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _pump(devices: Any, curves: Any, d: int, status: int, speed: float, q: float) -> Any:
    kind = int(devices.pump[d, 0])
    if status <= _CLOSED or speed == 0.0:
        return 1.0 / BIG, q
    if kind == NO_CURVE:
        return 1.0 / SMALL, q
    if kind == CUSTOM:
        at_zero, slope = segment(devices, curves, devices.curve[d], abs(q) / speed)
        gradient = -slope * speed
        return 1.0 / gradient, (-at_zero * speed * speed + gradient * q) / gradient
    return _law(kind, devices.pump[d, 1], devices.pump[d, 2], devices.pump[d, 3], speed, q)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _law(kind: int, shutoff: float, resistance: float, n: float, speed: float, q: float) -> tuple[float, float]:
    """A pump that follows a formula."""
    at_zero = speed * speed * shutoff
    if abs(n - 1.0) < TINY:
        n = 1.0
    r = resistance * speed ** (2.0 - n)
    if kind == CONSTANT_POWER:
        gradient = -r / q / q
        if gradient > BIG:
            return 1.0 / BIG, q
        if gradient < SMALL:
            return 1.0 / SMALL, q
        return 1.0 / gradient, r / q / gradient
    if n == 1.0:
        return 1.0 / r, (at_zero + r * q) / r
    gradient = n * r * abs(q) ** (n - 1.0)
    if gradient < LEAST_GRADIENT:
        gradient = LEAST_GRADIENT
        return 1.0 / gradient, (at_zero + gradient * q) / gradient
    return 1.0 / gradient, (at_zero + gradient * q / n) / gradient


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def segment(devices: Any, curves: Any, number: int, q: float) -> Any:
    """Head at zero flow and slope of the curve's segment that holds a flow."""
    q *= devices.flow_unit
    begin, end = curves.first[number], curves.first[number + 1]
    k = begin
    while k < end and curves.x[k] < q:
        k += 1
    k = min(max(k, begin + 1), end - 1)
    slope = (curves.y[k] - curves.y[k - 1]) / (curves.x[k] - curves.x[k - 1])
    at_zero = curves.y[k - 1] - slope * curves.x[k - 1]
    return at_zero / devices.head_unit, slope * devices.flow_unit / devices.head_unit


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _valve(devices: Any, curves: Any, d: int, kind: int, minor: float, status: int, setting: float, q: float) -> Any:
    """Any valve but PRVs and PSVs at work."""
    if setting != MISSING:
        if kind == PBV and setting != 0.0 and minor * q * q <= setting:
            return BIG, setting * BIG
        if kind == FCV and status == _ACTIVE:
            return 1.0 / BIG, q - setting
        if kind == TCV:
            minor = 0.02517 * setting / devices.diameter[d] ** 4
        elif kind == PCV:
            minor = _positional(devices, curves, d, setting, minor)
        elif kind == GPV and status != _CLOSED:
            x = max(abs(q), TINY)
            at_zero, slope = segment(devices, curves, round(setting), x)
            slope = max(slope, TINY)
            return 1.0 / slope, (at_zero / slope + x) * (1.0 if q >= 0.0 else -1.0)
    if status <= _CLOSED:
        return 1.0 / BIG, q
    if minor > 0.0:
        gradient = 2.0 * minor * abs(q)
        if gradient < LEAST_GRADIENT:
            return 2.0 / LEAST_GRADIENT, q
        return 1.0 / gradient, q / 2.0
    return 1.0 / SMALL, q


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _positional(devices: Any, curves: Any, d: int, setting: float, minor: float) -> float:
    """Loss coefficient of a valve that is partly open, in per cent."""
    if setting >= 100.0:
        return minor
    if setting <= 0.0:
        return BIG
    number = devices.curve[d]
    ratio = setting
    if number >= 0:
        begin, last = curves.first[number], curves.first[number + 1] - 1
        x, y = curves.x, curves.y
        if setting < x[begin]:
            ratio = setting / x[begin] * y[begin]
        elif setting > x[last]:
            ratio = (setting - x[last]) / (1.0 - x[last]) * (1.0 - y[last]) + y[last]
        else:
            k = begin + 1
            while k < last and x[k] < setting:
                k += 1
            ratio = y[k - 1] + (y[k] - y[k - 1]) / (x[k] - x[k - 1]) * (setting - x[k - 1])
    ratio = min(max(ratio / 100.0, SMALL), 1.0)
    return min(minor / (ratio * ratio), BIG)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def hold(links: Any, devices: Any, head: Any, flow: Any, status: Any, setting: Any, diagonal: Any, right: Any) -> None:
    """Let active PRVs and PSVs hold their heads, by EPANET's own large number."""
    for d in range(len(devices.status)):
        k = links.n_plain + d
        if links.kind[k] != PRV and links.kind[k] != PSV:
            continue
        side = 1 if links.kind[k] == PRV else 0
        held, free = (links.end[k], links.start[k]) if side == 1 else (links.start[k], links.end[k])
        for lane in range(WIDTH):
            if holds(links.kind[k], status[d, lane], setting[d, lane]):
                target = devices.elevation[d, side] + setting[d, lane]
                diagonal[held, lane] += BIG
                right[held, lane] += BIG * (target - head[held, lane])
                diagonal[free, lane] += 1.0 / BIG
                if flow[k, lane] < 0.0:  # it would have to push: EPANET asks nothing of the other side
                    right[free, lane] += flow[k, lane] if side == 1 else -flow[k, lane]


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def finish(
    links: Any, devices: Any, sites: Any, leak: Any, second: Any, demand: Any, draw: Any, flow: Any, conductance: Any,
    excess: Any, right: Any, status: Any, setting: Any, flow_step: Any, live: Any,
) -> None:  # fmt: skip
    """After a step: hold pumps of constant power above zero, give active PRVs and PSVs what passes them."""
    for d in range(len(devices.status)):
        k = links.n_plain + d
        kind = links.kind[k]
        is_power = kind == PUMP and int(devices.pump[d, 0]) == CONSTANT_POWER
        if not is_power and kind != PRV and kind != PSV:
            continue
        for lane in range(WIDTH):
            if live[0, lane] == 0.0:
                continue
            if is_power and flow[k, lane] < 0.0:
                drop = right[links.start[k], lane] - right[links.end[k], lane]
                before = flow[k, lane] + excess[k, lane] - conductance[k, lane] * drop
                flow[k, lane] = before / 2.0
                flow_step[0, lane] = max(flow_step[0, lane], abs(before / 2.0))
            elif holds(kind, status[d, lane], setting[d, lane]):
                held = links.end[k] if kind == PRV else links.start[k]
                out = sites.factor[0, lane] * demand[held, lane]
                out += _given(devices, sites, links.end, leak, second, draw, flow, d, held, lane)
                passing = out if kind == PRV else -out
                flow_step[0, lane] = max(flow_step[0, lane], abs(passing - flow[k, lane]))
                flow[k, lane] = passing


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _given(
    devices: Any, sites: Any, end: Any, leak: Any, second: Any, draw: Any, flow: Any, d: int, held: int, lane: int
) -> Any:
    """What the node that a valve holds gives to links, outlets and leaks."""
    out = 0.0
    for b in range(devices.beside_first[d], devices.beside_first[d + 1]):
        out += devices.beside_sign[b] * flow[devices.beside[b], lane]
    for b in range(devices.outlet_first[d], devices.outlet_first[d + 1]):
        out += draw[devices.outlet[b], lane]
    for s in range(sites.n_sites[lane]):
        where = sites.where[s, lane]
        if sites.kind[s, lane] == 0 and where == held:
            out += leak[s, lane]
        elif sites.kind[s, lane] == 1 and end[where] == held:
            out += flow[where, lane] - second[s, lane]
    return out
