"""From moment to moment, lane by lane: tanks, simple controls, patterns and leaks (EPANET's hydraul.c)."""

from __future__ import annotations

from typing import Any

from numba import njit

from hydro.fast.links import MISSING
from hydro.fast.status import CLOSED, OPEN

_DAY = 86400
_NO_FLOW = 1e-6
_BELOW, _ABOVE, _AT_TIME, _AT_CLOCK = range(4)
_PUMP, _FCV, _GPV = 2, 6, 8
_CYLINDER = -1
_THIN = 1e-6


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def interpolate(x: Any, y: Any, begin: int, end: int, at: float) -> float:
    """Piecewise linear, constant outside."""
    if at <= x[begin]:
        return y[begin]
    for k in range(begin + 1, end):
        if x[k] >= at:
            dx, dy = x[k] - x[k - 1], y[k] - y[k - 1]
            return y[k] if abs(dx) < _THIN else y[k] - (x[k] - at) * dy / dx
    return y[end - 1]


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def tank_volume(tanks: Any, curves: Any, elevation: float, unit: float, tank: int, head: float) -> float:
    """Volume of a tank at a head."""
    number = tanks.curve[tank]
    if number == _CYLINDER:
        return tanks.least[tank] + (head - tanks.lowest[tank]) * tanks.area[tank]
    begin, end = curves.first[number], curves.first[number + 1]
    return interpolate(curves.x, curves.y, begin, end, (head - elevation) * unit) / unit**3


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def tank_head(tanks: Any, curves: Any, elevation: float, unit: float, tank: int, volume: float) -> float:
    """Head of a tank that holds a volume."""
    number = tanks.curve[tank]
    if number == _CYLINDER:
        return tanks.lowest[tank] + (volume - tanks.least[tank]) / tanks.area[tank]
    begin, end = curves.first[number], curves.first[number + 1]
    return elevation + interpolate(curves.y, curves.x, begin, end, volume * unit**3) / unit


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def inflow(plant: Any, state: Any, tank: int, lane: int) -> float:
    """Net flow into a tank through the links that are open."""
    links, total = plant.links, 0.0
    for d in range(len(plant.devices.status)):
        if state.status[d, lane] > CLOSED:
            k = links.n_plain + d
            if plant.devices.tank[d, 0] == tank:
                total -= state.flow[k, lane]
            if plant.devices.tank[d, 1] == tank:
                total += state.flow[k, lane]
    return total


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _set_speed(plant: Any, state: Any, d: int, lane: int, speed: float) -> None:
    if speed > 0.0 and state.status[d, lane] <= CLOSED:
        _restart(plant, state, d, lane)
        state.status[d, lane] = OPEN
    if speed == 0.0 and state.status[d, lane] > CLOSED:
        state.status[d, lane] = CLOSED
    state.setting[d, lane] = speed


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _restart(plant: Any, state: Any, d: int, lane: int) -> None:
    """Give a pump of constant power a flow to begin with."""
    if int(plant.devices.pump[d, 0]) == 0:
        state.flow[plant.links.n_plain + d, lane] = plant.devices.pump[d, 5]


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def begin(plant: Any, state: Any, elevation: Any, inflows: Any, lane: int, now: int) -> None:
    """Patterns and simple controls at the beginning of a moment.

    Parameters
    ----------
    elevation
        float64 [n_tanks], ft.
    inflows
        float64 [n_tanks, WIDTH], of the moment before.
    """
    clock, links = plant.clock, plant.links
    period = (now + clock.pattern_start) // clock.pattern_step - clock.pattern_start // clock.pattern_step
    for s in range(len(clock.source)):
        state.head[clock.source[s], lane] = clock.source_head[period, s]
    for d in range(len(plant.devices.status)):
        speed = clock.speed[period, d]
        if speed == speed:
            _set_speed(plant, state, d, lane, speed)
    controls, unit = plant.controls, plant.devices.head_unit
    for c in range(len(controls.kind)):
        kind, node = controls.kind[c], controls.node[c]
        acts = False
        if node >= plant.structure.size:
            tank = _tank_at(plant, node)
            if tank >= 0:
                near = abs(inflows[tank, lane])
                held = tank_volume(plant.tanks, plant.curves, elevation[tank], unit, tank, state.head[node, lane])
                mark = tank_volume(plant.tanks, plant.curves, elevation[tank], unit, tank, controls.grade[c])
                acts = (kind == _BELOW and held <= mark + near) or (kind == _ABOVE and held >= mark - near)
        elif kind == _AT_TIME:
            acts = controls.time[c] == now
        elif kind == _AT_CLOCK:
            acts = (now + clock.clock_start) % _DAY == controls.time[c]
        if acts:
            d = controls.link[c] - links.n_plain
            after, was_open = controls.status[c], state.status[d, lane] > CLOSED
            is_pump = links.kind[controls.link[c]] == _PUMP
            if is_pump and not was_open and after == OPEN:
                _restart(plant, state, d, lane)
            setting = controls.setting[c] if links.kind[controls.link[c]] >= _PUMP else state.setting[d, lane]
            if (OPEN if was_open else CLOSED) != after or state.setting[d, lane] != setting:
                state.status[d, lane] = after
                state.setting[d, lane] = setting


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _tank_at(plant: Any, node: int) -> int:
    for tank in range(len(plant.tanks.node)):
        if plant.tanks.node[tank] == node:
            return tank
    return -1


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def next_step(plant: Any, state: Any, elevation: Any, inflows: Any, lane: int, now: int, event: int) -> tuple[int, bool]:
    """Length of the coming step, s, and whether it hangs on less than the solution is good for.

    Parameters
    ----------
    event
        Time of the next change among the scenario's own.
    """
    clock = plant.clock
    length = min(clock.hydraulic_step, event - now)
    # as EPANET has it: the pattern's own start is left out
    to_period = ((now + clock.pattern_start) // clock.pattern_step + 1) * clock.pattern_step - now
    length = min(length, to_period)
    length = min(length, clock.report_step - now % clock.report_step)
    for tank in range(len(plant.tanks.node)):
        q, head = inflows[tank, lane], state.head[plant.tanks.node[tank], lane]
        if abs(q) <= _NO_FLOW:
            continue
        if q > 0.0 and head < plant.tanks.highest[tank]:
            volume = plant.tanks.most[tank] - state.volume[tank, lane]
        elif q < 0.0 and head > plant.tanks.lowest[tank]:
            volume = plant.tanks.least[tank] - state.volume[tank, lane]
        else:
            continue
        if abs(volume / q) <= length + 1:
            seconds = int(round(volume / q))
            if 0 < seconds < length:
                length = seconds
    return _to_control(plant, state, elevation, inflows, lane, now, length)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _to_control(
    plant: Any, state: Any, elevation: Any, inflows: Any, lane: int, now: int, length: int
) -> tuple[int, bool]:
    clock, controls, links = plant.clock, plant.controls, plant.links
    unit = plant.devices.head_unit
    unsure = False
    for c in range(len(controls.kind)):
        kind, node, seconds = controls.kind[c], controls.node[c], 0
        exact = 0.0
        if node >= 0:
            tank = _tank_at(plant, node)
            if tank < 0 or abs(inflows[tank, lane]) <= _NO_FLOW:
                continue
            q, head, grade = inflows[tank, lane], state.head[node, lane], controls.grade[c]
            if (kind == _ABOVE and head < grade and q > 0.0) or (kind == _BELOW and head > grade and q < 0.0):
                mark = tank_volume(plant.tanks, plant.curves, elevation[tank], unit, tank, grade)
                exact = (mark - state.volume[tank, lane]) / q
                seconds = int(round(min(exact, 1e9)))
        elif kind == _AT_TIME:
            seconds = max(controls.time[c] - now, 0)
        else:
            time = (now + clock.clock_start) % _DAY
            seconds = controls.time[c] - time if controls.time[c] >= time else _DAY - time + controls.time[c]
        if 0 < seconds < length:
            d, kind = controls.link[c] - links.n_plain, links.kind[controls.link[c]]
            moves = kind >= _PUMP and state.setting[d, lane] != controls.setting[c]
            if moves or state.status[d, lane] != controls.status[c]:
                length = seconds
    return length, unsure


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def fill(plant: Any, state: Any, elevation: Any, inflows: Any, lane: int, seconds: int) -> None:
    """New tank levels after a step."""
    tanks = plant.tanks
    for tank in range(len(tanks.node)):
        q = inflows[tank, lane]
        if abs(q) <= _NO_FLOW:
            continue
        volume = state.volume[tank, lane] + q * seconds
        if volume + q >= tanks.most[tank]:
            volume = tanks.most[tank]
        elif volume - q <= tanks.least[tank]:
            volume = tanks.least[tank]
        state.volume[tank, lane] = volume
        state.head[tanks.node[tank], lane] = tank_head(
            tanks, plant.curves, elevation[tank], plant.devices.head_unit, tank, volume
        )
