"""When devices open, close and take hold, as EPANET has it (hydstatus.c, hydsolver.c)."""

from __future__ import annotations

from typing import Any

from numba import njit

from hydro.fast.links import MISSING, TINY

X_HEAD, TEMPORARILY_CLOSED, CLOSED, OPEN, ACTIVE, X_FLOW, X_FCV, X_PRESSURE = range(8)
HEAD_TOLERANCE, FLOW_TOLERANCE = 0.0005, 0.0001  # ft, ft3/s
_CONSTANT_POWER = 0


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def valves(links: Any, devices: Any, state: Any, lane: int) -> bool:
    """Update PRVs and PSVs of one lane; whether one changed."""
    changed = False
    for d in range(len(devices.status)):
        k = links.n_plain + d
        kind, setting = links.kind[k], state.setting[d, lane]
        if (kind != 3 and kind != 4) or setting == MISSING:
            continue
        h1, h2 = state.head[links.start[k], lane], state.head[links.end[k], lane]
        q, before = state.flow[k, lane], state.status[d, lane]
        loss = links.minor[k] * q * q
        if kind == 3:
            after = _reducing(before, devices.elevation[d, 1] + setting, h1, h2, q, loss)
        else:
            after = _sustaining(before, devices.elevation[d, 0] + setting, h1, h2, q, loss)
        if after != before:
            state.status[d, lane] = after
            changed = True
    return changed


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _reducing(status: int, target: float, h1: float, h2: float, q: float, loss: float) -> int:
    tolerance = HEAD_TOLERANCE
    if status != CLOSED and q < -FLOW_TOLERANCE:
        return CLOSED
    if status == ACTIVE:
        return OPEN if h1 - loss < target - tolerance else ACTIVE
    if status == OPEN:
        return ACTIVE if h2 >= target + tolerance else OPEN
    if status == CLOSED:
        if h1 >= target + tolerance and h2 < target - tolerance:
            return ACTIVE
        return OPEN if h1 < target - tolerance and h1 > h2 + tolerance else CLOSED
    return status


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _sustaining(status: int, target: float, h1: float, h2: float, q: float, loss: float) -> int:
    tolerance = HEAD_TOLERANCE
    if status != CLOSED and q < -FLOW_TOLERANCE:
        return CLOSED
    if status == ACTIVE:
        return OPEN if h2 + loss > target + tolerance else ACTIVE
    if status == OPEN:
        return ACTIVE if h1 < target - tolerance else OPEN
    if status == CLOSED:
        if h2 > target + tolerance and h1 > h2 + tolerance:
            return OPEN
        return ACTIVE if h1 >= target + tolerance and h1 > h2 + tolerance else CLOSED
    return status


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def others(links: Any, devices: Any, tanks: Any, state: Any, lane: int) -> bool:
    """Update pumps, check valves, FCVs and links to tanks of one lane; whether one changed."""
    changed = False
    for d in range(len(devices.status)):
        k = links.n_plain + d
        kind, setting, q = links.kind[k], state.setting[d, lane], state.flow[k, lane]
        h1, h2 = state.head[links.start[k], lane], state.head[links.end[k], lane]
        before = state.status[d, lane]
        status = OPEN if before <= TEMPORARILY_CLOSED else before
        if kind == 0:
            status = _check_valve(status, h1 - h2, q)
        elif kind == 2 and status >= OPEN and setting > 0.0:
            status = _pump(devices, d, setting, h2 - h1, q)
        elif kind == 6 and setting != MISSING:
            status = _flow_control(before, setting, links.minor[k], h1 - h2, q)
        for side in range(2):
            tank = devices.tank[d, side]
            if tank >= 0 and status > CLOSED:
                outflow, head = (q, h1) if side == 0 else (-q, h2)
                is_full = head >= tanks.highest[tank] and tanks.overflows[tank] == 0
                if (is_full and outflow < 0.0) or (head <= tanks.lowest[tank] and outflow > 0.0):
                    status = TEMPORARILY_CLOSED
        if status != before:
            state.status[d, lane] = status
            changed = True
    return changed


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _check_valve(status: int, drop: float, q: float) -> int:
    if drop < -HEAD_TOLERANCE or q < -FLOW_TOLERANCE:
        return CLOSED
    return OPEN if drop > HEAD_TOLERANCE else status


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _pump(devices: Any, d: int, speed: float, gain: float, q: float) -> int:
    highest = speed * speed * devices.pump[d, 4]
    if int(devices.pump[d, 0]) == _CONSTANT_POWER:
        highest = 1e10
        if q < TINY:
            return TEMPORARILY_CLOSED
    return X_HEAD if gain > highest + HEAD_TOLERANCE else OPEN


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _flow_control(status: int, setting: float, minor: float, drop: float, q: float) -> int:
    if drop < -HEAD_TOLERANCE or q < -FLOW_TOLERANCE:
        return X_FCV
    if status == X_FCV and q >= setting:
        return ACTIVE
    if status == ACTIVE and drop / (q * q) < minor:
        return X_FCV
    return status


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def pressure_switches(links: Any, controls: Any, size: int, state: Any, lane: int) -> bool:
    """Apply simple controls that watch a junction's pressure; whether one acted."""
    changed = False
    for c in range(len(controls.kind)):
        node = controls.node[c]
        if node < 0 or node >= size:
            continue
        head, grade = state.head[node, lane], controls.grade[c]
        below = controls.kind[c] == 0 and head <= grade + HEAD_TOLERANCE
        above = controls.kind[c] == 1 and head >= grade - HEAD_TOLERANCE
        if not (below or above):
            continue
        d = controls.link[c] - links.n_plain
        kind, setting = links.kind[controls.link[c]], state.setting[d, lane]
        differs = state.status[d, lane] != controls.status[c]
        if kind >= 2:
            moved = setting != controls.setting[c]
            differs = moved or (kind >= 3 and setting == MISSING and differs)
        if differs:
            state.status[d, lane] = controls.status[c]
            if kind >= 2:
                state.setting[d, lane] = controls.setting[c]
            changed = True
    return changed
