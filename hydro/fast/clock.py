"""From moment to moment: tanks, simple controls, patterns (EPANET's hydraul.c), lane by lane."""

from __future__ import annotations

import math
from typing import Any

from numba import njit

from hydro.fast.devices import PUMP
from hydro.fast.lanes import WIDTH
from hydro.fast.status import CLOSED, OPEN

NEVER = 1 << 60
_DAY = 86400
_NO_FLOW = 1e-6
_BELOW, _ABOVE, _AT_TIME, _AT_CLOCK = range(4)
_CYLINDER = -1
_THIN = 1e-6
# what the solution is good for in the time of an event: s, and share of the time until then. An event that falls a
# second later moves a tank by the second's flow, and with it the times of all events after
_SLACK, _RELATIVE_SLACK = 0.002, 2e-6
_LEVEL_SLACK = 1e-7  # ft, what a tank's level is good for


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def interpolate(x: Any, y: Any, begin: int, end: int, at: float) -> Any:
    """Piecewise linear, constant outside."""
    if at <= x[begin]:
        return y[begin]
    for k in range(begin + 1, end):
        if x[k] >= at:
            dx, dy = x[k] - x[k - 1], y[k] - y[k - 1]
            return y[k] if abs(dx) < _THIN else y[k] - (x[k] - at) * dy / dx
    return y[end - 1]


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def tank_volume(tanks: Any, curves: Any, tank: int, head: float) -> Any:
    """Volume of a tank at a head."""
    number = tanks.curve[tank]
    if number == _CYLINDER:
        return tanks.least[tank] + (head - tanks.lowest[tank]) * tanks.area[tank]
    begin, end = curves.first[number], curves.first[number + 1]
    level = (head - tanks.bottom[tank]) * tanks.unit
    return interpolate(curves.x, curves.y, begin, end, level) / tanks.unit**3


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def tank_head(tanks: Any, curves: Any, tank: int, volume: float) -> Any:
    """Head of a tank that holds a volume."""
    number = tanks.curve[tank]
    if number == _CYLINDER:
        return tanks.lowest[tank] + (volume - tanks.least[tank]) / tanks.area[tank]
    begin, end = curves.first[number], curves.first[number + 1]
    return tanks.bottom[tank] + interpolate(curves.y, curves.x, begin, end, volume * tanks.unit**3) / tanks.unit


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _is_unsure(exact: float, length: int, area: float, inflow: float) -> bool:
    """Whether the whole second of an event within a step hangs on less than the solution is good for."""
    slack = _SLACK + _RELATIVE_SLACK * exact + _LEVEL_SLACK * area / abs(inflow)
    rest = exact - math.floor(exact)
    # half a second decides when the event is, a whole one whether a tank counts as full at the end of the step
    is_close = abs(rest - 0.5) < slack or (exact > length and (rest < slack or rest > 1.0 - slack))
    return is_close and 0.0 < exact < length + 1.0 + slack


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def period_of(clock: Any, now: int) -> Any:
    """Row of a moment in the tables of patterns."""
    step, start = clock.pattern_step, clock.pattern_start
    return (now + start) // step - start // step


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def follow_patterns(
    clock: Any, n_plain: int, pump: Any, head: Any, flow: Any, status: Any, setting: Any, due: Any, now: Any
) -> None:
    """Heads of reservoirs and speeds of pumps that follow a pattern, in the lanes that are due."""
    for lane in range(WIDTH):
        if due[lane] == 0:
            continue
        period = period_of(clock, now[lane])
        for s in range(len(clock.source)):
            head[clock.source[s], lane] = clock.source_head[period, s]
        for d in range(len(status)):
            speed = clock.speed[period, d]
            if speed == speed:
                was = status[d, lane]
                if speed > 0.0 and was <= CLOSED:
                    flow[n_plain + d, lane] = pump[d, 5] * speed
                    was = OPEN
                if speed == 0.0 and was > CLOSED:
                    was = CLOSED
                status[d, lane] = was
                setting[d, lane] = speed


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def obey_controls(
    controls: Any, tanks: Any, curves: Any, kinds: Any, n_plain: int, pump: Any, clock_start: int, head: Any, flow: Any,
    status: Any, setting: Any, inflow: Any, due: Any, now: Any, alive: Any,
) -> None:  # fmt: skip
    """Simple controls on tanks and times, in the lanes that are due; `inflow` is of the moment before.

    A lane where a control acts or not by less than the solution is good for is no longer `alive`.
    """
    for c in range(len(controls.kind)):
        kind, tank = controls.kind[c], controls.tank[c]
        if tank < 0 and kind != _AT_TIME and kind != _AT_CLOCK:
            continue
        mark = tank_volume(tanks, curves, tank, controls.grade[c]) if tank >= 0 else 0.0
        for lane in range(WIDTH):
            if due[lane] == 0:
                continue
            if tank >= 0:
                near = abs(inflow[tank, lane])
                held = tank_volume(tanks, curves, tank, head[controls.node[c], lane])
                excess = mark + near - held if kind == _BELOW else held - mark + near
                acts = excess >= 0.0
                if near > _NO_FLOW and abs(excess) < _SLACK * near + _LEVEL_SLACK * tanks.area[tank]:
                    alive[lane] = 0
            else:
                time = now[lane] if kind == _AT_TIME else (now[lane] + clock_start) % _DAY
                acts = controls.time[c] == time
            if acts:
                _act(controls, kinds, n_plain, pump, flow, status, setting, c, lane)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _act(
    controls: Any, kinds: Any, n_plain: int, pump: Any, flow: Any, status: Any, setting: Any, c: int, lane: int
) -> None:
    k = controls.link[c]
    d, after = k - n_plain, controls.status[c]
    was_open = status[d, lane] > CLOSED
    if kinds[k] == PUMP and not was_open and after == OPEN:
        # from the trickle that EPANET begins with, the first steps go astray; the solution is the same
        flow[k, lane] = pump[d, 5] * max(controls.setting[c], 0.1)
    value = controls.setting[c] if kinds[k] >= PUMP else setting[d, lane]
    if (OPEN if was_open else CLOSED) != after or setting[d, lane] != value:
        status[d, lane] = after
        setting[d, lane] = value


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def fill_tanks(n_plain: int, tank_of: Any, flow: Any, status: Any, inflow: Any, due: Any) -> None:
    """Net flow into every tank through the links that are open, in the lanes that are due."""
    for lane in range(WIDTH):
        if due[lane] == 0:
            continue
        for tank in range(len(inflow)):
            inflow[tank, lane] = 0.0
        for d in range(len(status)):
            if status[d, lane] > CLOSED:
                q = flow[n_plain + d, lane]
                if tank_of[d, 0] >= 0:
                    inflow[tank_of[d, 0], lane] -= q
                if tank_of[d, 1] >= 0:
                    inflow[tank_of[d, 1], lane] += q


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def advance(
    clock: Any, controls: Any, tanks: Any, curves: Any, kinds: Any, n_plain: int, head: Any, status: Any, setting: Any,
    volume: Any, inflow: Any, events: Any, due: Any, time: Any, alive: Any,
) -> None:  # fmt: skip
    """Find each due lane's next moment, and its tanks' levels then.

    Parameters
    ----------
    events
        int64 [n, WIDTH]: times of the scenarios' own changes, ascending, s.
    """
    for lane in range(WIDTH):
        if due[lane] == 0:
            continue
        now = time[lane]
        # as EPANET has it: the pattern's own start is left out
        to_period = ((now + clock.pattern_start) // clock.pattern_step + 1) * clock.pattern_step - now
        length = min(clock.hydraulic_step, to_period, clock.report_step - now % clock.report_step)
        for e in range(len(events)):
            if events[e, lane] > now:
                length = min(length, events[e, lane] - now)
        length = _until_tank(tanks, curves, head, volume, inflow, lane, length, alive)
        length = _until_control(
            clock.clock_start, controls, tanks, curves, kinds, n_plain, head, status, setting, volume, inflow, lane,
            now, length, alive,
        )  # fmt: skip
        _change_levels(tanks, curves, head, volume, inflow, lane, length)
        time[lane] = now + length


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _until_tank(
    tanks: Any, curves: Any, head: Any, volume: Any, inflow: Any, lane: int, length: int, alive: Any
) -> int:
    """Shorten a step so that no tank is full or empty within it."""
    for tank in range(len(tanks.node)):
        q, level = inflow[tank, lane], head[tanks.node[tank], lane]
        if q > _NO_FLOW and level < tanks.highest[tank]:
            room = tanks.most[tank] - volume[tank, lane]
        elif q < -_NO_FLOW and level > tanks.lowest[tank]:
            room = tanks.least[tank] - volume[tank, lane]
        else:
            continue
        if abs(room / q) <= length + 2:
            if _is_unsure(room / q, length, tanks.area[tank], q):
                alive[lane] = 0
            if abs(room / q) <= length + 1 and 0 < round(room / q) < length:
                length = round(room / q)
    return length


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _change_levels(tanks: Any, curves: Any, head: Any, volume: Any, inflow: Any, lane: int, length: int) -> None:
    for tank in range(len(tanks.node)):
        q = inflow[tank, lane]
        if abs(q) > _NO_FLOW:
            held = volume[tank, lane] + q * length
            if held + q >= tanks.most[tank]:
                held = tanks.most[tank]
            elif held - q <= tanks.least[tank]:
                held = tanks.least[tank]
            volume[tank, lane] = held
            head[tanks.node[tank], lane] = tank_head(tanks, curves, tank, held)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _until_control(
    clock_start: int, controls: Any, tanks: Any, curves: Any, kinds: Any, n_plain: int, head: Any, status: Any,
    setting: Any, volume: Any, inflow: Any, lane: int, now: int, length: int, alive: Any,
) -> int:  # fmt: skip
    for c in range(len(controls.kind)):
        kind, tank, seconds = controls.kind[c], controls.tank[c], 0
        if tank >= 0:
            q, level, grade = inflow[tank, lane], head[controls.node[c], lane], controls.grade[c]
            if (kind == _ABOVE and level < grade and q > _NO_FLOW) or (
                kind == _BELOW and level > grade and q < -_NO_FLOW
            ):
                mark = tank_volume(tanks, curves, tank, grade)
                exact = min((mark - volume[tank, lane]) / q, 1e9)
                seconds = round(exact)
                d = controls.link[c] - n_plain
                acts = setting[d, lane] != controls.setting[c] or status[d, lane] != controls.status[c]
                if acts and _is_unsure(exact, length, tanks.area[tank], q):
                    alive[lane] = 0
        elif kind == _AT_TIME:
            seconds = controls.time[c] - now
        elif kind == _AT_CLOCK:
            seconds = (controls.time[c] - now - clock_start) % _DAY
        if 0 < seconds < length:
            d, is_pipe = controls.link[c] - n_plain, kinds[controls.link[c]] < PUMP
            moves = not is_pipe and setting[d, lane] != controls.setting[c]
            if moves or status[d, lane] != controls.status[c]:
                length = seconds
    return length
