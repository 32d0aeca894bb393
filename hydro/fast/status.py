"""When devices open, close and take hold, as EPANET has it (hydstatus.c, hydsolver.c)."""

from __future__ import annotations

from typing import Any

from numba import njit

from hydro.fast.devices import CHECK_VALVE, CONSTANT_POWER, FCV, MISSING, PRV, PSV, PUMP, TINY
from hydro.fast.lanes import WIDTH

X_HEAD, TEMPORARILY_CLOSED, CLOSED, OPEN, ACTIVE, X_FLOW, X_FCV, X_PRESSURE = range(8)
HEAD_TOLERANCE, FLOW_TOLERANCE = 0.0005, 0.0001  # ft, ft3/s
_SLACK, _LEVEL_SLACK = 0.0003, 1e-6  # ft


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def valves(links: Any, devices: Any, head: Any, flow: Any, status: Any, setting: Any, live: Any, changed: Any) -> None:
    """Update PRVs and PSVs of the live lanes; `changed`, int64 [WIDTH], becomes 1 where one changed, else 0."""
    for lane in range(WIDTH):
        changed[lane] = 0
    for d in range(len(devices.status)):
        k = links.n_plain + d
        kind = links.kind[k]
        if kind != PRV and kind != PSV:
            continue
        for lane in range(WIDTH):
            if live[0, lane] == 0.0 or setting[d, lane] == MISSING:
                continue
            h1, h2 = head[links.start[k], lane], head[links.end[k], lane]
            q, before = flow[k, lane], status[d, lane]
            loss = links.minor[k] * q * q
            if kind == PRV:
                after = _reducing(before, devices.elevation[d, 1] + setting[d, lane], h1, h2, q, loss)
            else:
                after = _sustaining(before, devices.elevation[d, 0] + setting[d, lane], h1, h2, q, loss)
            if after != before:
                status[d, lane] = after
                changed[lane] = 1


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
def others(
    links: Any,
    devices: Any,
    tanks: Any,
    head: Any,
    flow: Any,
    status: Any,
    setting: Any,
    chosen: Any,
    changed: Any,
    unsure: Any,
) -> None:
    """Update pumps, check valves, FCVs and links to tanks of chosen lanes; `changed` becomes 1 where one changed.

    `unsure` becomes 1 where a tank is so nearly full or empty that rounding decides which it is.
    """
    for d in range(len(devices.status)):
        k = links.n_plain + d
        kind, minor = links.kind[k], links.minor[k]
        for lane in range(WIDTH):
            if chosen[lane] == 0:
                continue
            q, at = flow[k, lane], setting[d, lane]
            h1, h2 = head[links.start[k], lane], head[links.end[k], lane]
            before = status[d, lane]
            after = OPEN if before <= TEMPORARILY_CLOSED else before
            if kind == CHECK_VALVE:
                after = _check_valve(after, h1 - h2, q)
            elif kind == PUMP and after >= OPEN and at > 0.0:
                after = _pump(int(devices.pump[d, 0]), at * at * devices.pump[d, 4], h2 - h1, q)
            elif kind == FCV and at != MISSING:
                after = _flow_control(before, at, minor, h1 - h2, q)
            for side in range(2):
                tank, level = devices.tank[d, side], h1 if side == 0 else h2
                if tank >= 0:
                    after = _beside_tank(tanks, tank, after, level, q if side == 0 else -q)
                    unsure[lane] |= 1 if _hangs(tanks, tank, level) else 0
            if after != before:
                status[d, lane] = after
                changed[lane] = 1


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _hangs(tanks: Any, tank: int, level: float) -> Any:
    """Whether a tank is so nearly full or empty that rounding decides."""
    above, below = abs(level - tanks.highest[tank]), abs(level - tanks.lowest[tank])
    return 0.0 < above < _LEVEL_SLACK or 0.0 < below < _LEVEL_SLACK


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _beside_tank(tanks: Any, tank: int, status: int, level: float, outflow: float) -> int:
    """No flow into a full tank, none out of an empty one."""
    if status <= CLOSED:
        return status
    is_full = level >= tanks.highest[tank] and tanks.overflows[tank] == 0
    if (is_full and outflow < 0.0) or (level <= tanks.lowest[tank] and outflow > 0.0):
        return TEMPORARILY_CLOSED
    return status


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _check_valve(status: int, drop: float, q: float) -> int:
    if drop < -HEAD_TOLERANCE or q < -FLOW_TOLERANCE:
        return CLOSED
    return OPEN if drop > HEAD_TOLERANCE else status


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _pump(kind: int, highest: float, gain: float, q: float) -> int:
    if kind == CONSTANT_POWER:
        if q < TINY:
            return TEMPORARILY_CLOSED
        highest = 1e10
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
def pressure_switches(
    controls: Any, kinds: Any, n_plain: int, head: Any, status: Any, setting: Any, chosen: Any, changed: Any,
    unsure: Any,
) -> None:  # fmt: skip
    """Where all is balanced, apply simple controls that watch a junction's pressure.

    `changed` becomes 1 where one acted, `unsure` where that hangs on less than the solution is good for.
    """
    for c in range(len(controls.kind)):
        node = controls.node[c]
        if node < 0 or controls.tank[c] >= 0:
            continue
        d, kind, grade = controls.link[c] - n_plain, kinds[controls.link[c]], controls.grade[c]
        for lane in range(WIDTH):
            if chosen[lane] != 2:
                continue
            mark = grade + HEAD_TOLERANCE if controls.kind[c] == 0 else grade - HEAD_TOLERANCE
            if abs(head[node, lane] - mark) < _SLACK:
                unsure[lane] = 1
            below = controls.kind[c] == 0 and head[node, lane] <= grade + HEAD_TOLERANCE
            above = controls.kind[c] == 1 and head[node, lane] >= grade - HEAD_TOLERANCE
            if not (below or above):
                continue
            differs = status[d, lane] != controls.status[c]
            if kind >= PUMP:
                moved = setting[d, lane] != controls.setting[c]
                differs = moved or (kind >= PRV and setting[d, lane] == MISSING and differs)
            if differs:
                status[d, lane] = controls.status[c]
                if kind >= PUMP:
                    setting[d, lane] = controls.setting[c]
                changed[lane] = 1
