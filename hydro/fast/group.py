"""Eight scenarios from their beginning to their end."""

from __future__ import annotations

from typing import Any

from numba import njit

from hydro.fast import sites
from hydro.fast.clock import begin, fill, inflow, next_step
from hydro.fast.lanes import WIDTH, put, row, splat
from hydro.fast.newton import balance
from hydro.fast.outlets import DEMAND

_CLOSED_PIPE, _AT_NODE = sites.CLOSED_PIPE, sites.AT_NODE
_NEVER = 1 << 60
_LARGEST_HEAD = 1e7  # ft; beyond it a solution has come apart


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def run_group(
    plant: Any, scenario: Any, state: Any, guide: Any, scratch: Any, sensors: Any, tolerance: Any, out: Any
) -> int:
    """Run eight scenarios.

    Parameters
    ----------
    scratch
        `Scratch`, for the time being.
    sensors
        `Sensors`: rows and elevations of the nodes, numbers of the links to report.
    tolerance
        Of `newton.balance`.
    out
        `Output`; `alive` says which lanes to run and, afterwards, which came through.

    Returns
    -------
    Number of iterations, each of which all lanes share.
    """
    iterations = 0
    while True:
        now = _NEVER
        for lane in range(WIDTH):
            if out.alive[lane] != 0 and state.time[lane] <= plant.clock.duration:
                now = min(now, state.time[lane])
        if now == _NEVER:
            return iterations
        _set_demands(plant, scenario, state, now)
        for lane in range(WIDTH):
            takes_part = out.alive[lane] != 0 and state.time[lane] == now
            scratch.live[0, lane] = 1.0 if takes_part else 0.0
            scratch.due[lane] = 1 if takes_part else 0
            if takes_part:
                begin(plant, state, sensors.tank_elevation, scratch.inflow, lane, now)
                _open(scenario, state, lane, now)
        _predict(plant, state, guide, scratch, now)
        iterations += balance(
            plant, scenario, state, scratch.live, sensors.may_turn, tolerance, scratch.head_step, scratch.flow_step
        )
        for lane in range(WIDTH):
            if scratch.due[lane] == 0:
                continue
            if scratch.live[0, lane] != 0.0 or not scratch.head_step[0, lane] < _LARGEST_HEAD:
                out.alive[lane] = 0
                continue
            _end(plant, scenario, state, scratch, sensors, out, lane, now)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _set_demands(plant: Any, scenario: Any, state: Any, now: int) -> None:
    clock = plant.clock
    period = (now + clock.pattern_start) // clock.pattern_step - clock.pattern_start // clock.pattern_step
    by_pressure = plant.draws.required > 0.0
    for i in range(plant.structure.size):
        demand = clock.demand[period, i]
        put(state.demand, i, splat(min(demand, 0.0) if by_pressure else demand))
    if by_pressure:
        for o in range(len(plant.draws.row)):
            if plant.draws.kind[o] == DEMAND:
                full = splat(max(clock.demand[period, plant.draws.row[o]], 0.0)) * row(scenario.factor, 0)
                put(state.draw_coefficient, o, full)
                put(state.draw, o, full)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _open(scenario: Any, state: Any, lane: int, now: int) -> None:
    """Open and shut leaks and pipes: a leak's head-loss coefficient is 1 / c^2."""
    for s in range(scenario.count[lane]):
        total = 0.0
        for o in range(scenario.opening_first[lane], scenario.opening_first[lane + 1]):
            if int(scenario.opening[o, 0]) == s and scenario.opening[o, 1] <= now < scenario.opening[o, 2]:
                total += scenario.opening[o, 3]
        before = state.size[s, lane]
        if scenario.kind[s, lane] == _CLOSED_PIPE:
            state.size[s, lane] = total
            continue
        state.size[s, lane] = max(1.0 / (total * total), 1e-6) if total > 0.0 else 0.0
        if before == 0.0 and total > 0.0:
            at = scenario.where[s, lane]
            head = state.head[at, lane] if scenario.kind[s, lane] == _AT_NODE else state.leak_head[s, lane]
            state.leak[s, lane] = total * max(head - scenario.elevation[s, lane], 1.0) ** 0.5


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _predict(plant: Any, state: Any, guide: Any, scratch: Any, now: int) -> None:
    """Move the state as the undisturbed run moved between the same two moments."""
    at = -1
    low, high = 0, len(guide.times)
    while low < high:
        middle = (low + high) // 2
        if guide.times[middle] < now:
            low = middle + 1
        else:
            high = middle
    if low < len(guide.times) and guide.times[low] == now:
        at = low
    shared = -2
    for lane in range(WIDTH):
        if scratch.due[lane] != 0:
            shared = scratch.guide[lane] if shared == -2 else (shared if shared == scratch.guide[lane] else -3)
        elif shared != -3 and scratch.running[lane] != 0:
            shared = -3
    if at >= 0 and shared >= 0:
        for k in range(guide.flow.shape[1]):
            put(state.flow, k, row(state.flow, k) + splat(guide.flow[at, k] - guide.flow[shared, k]))
        for i in range(plant.structure.size):
            put(state.head, i, row(state.head, i) + splat(guide.head[at, i] - guide.head[shared, i]))
    for lane in range(WIDTH):
        if scratch.due[lane] == 0:
            continue
        past = scratch.guide[lane]
        if at >= 0 and past >= 0 and shared < 0:
            for k in range(guide.flow.shape[1]):
                state.flow[k, lane] += guide.flow[at, k] - guide.flow[past, k]
            for i in range(plant.structure.size):
                state.head[i, lane] += guide.head[at, i] - guide.head[past, i]
        scratch.guide[lane] = at


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _end(
    plant: Any, scenario: Any, state: Any, scratch: Any, sensors: Any, out: Any, lane: int, now: int
) -> None:
    """Report a balanced moment and go on to the next."""
    clock = plant.clock
    if now % clock.report_step == 0 and now <= clock.duration:
        _report(plant, scenario, state, sensors, out, lane, now // clock.report_step)
    for tank in range(len(plant.tanks.node)):
        scratch.inflow[tank, lane] = inflow(plant, state, tank, lane)
    event = _NEVER
    for e in range(scenario.events.shape[0]):
        if scenario.events[e, lane] > now:
            event = scenario.events[e, lane]
            break
    length, unsure = next_step(plant, state, sensors.tank_elevation, scratch.inflow, lane, now, event)
    if unsure:
        out.alive[lane] = 0
    fill(plant, state, sensors.tank_elevation, scratch.inflow, lane, length)
    state.time[lane] = now + length
    scratch.running[lane] = 1 if now + length <= clock.duration else 0


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _report(plant: Any, scenario: Any, state: Any, sensors: Any, out: Any, lane: int, step: int) -> None:
    links = plant.links
    for j in range(len(sensors.node)):
        out.pressure[lane, step, j] = state.head[sensors.node[j], lane] - sensors.elevation[j]
    for j in range(len(sensors.link)):
        k = sensors.link[j]
        flow = state.flow[k, lane]
        if k >= links.n_plain and state.status[k - links.n_plain, lane] <= 2:
            flow = 0.0
        for s in range(scenario.count[lane]):
            if scenario.kind[s, lane] == _CLOSED_PIPE and scenario.where[s, lane] == k and state.size[s, lane] > 0.0:
                flow = 0.0
        out.flow[lane, step, j] = flow
    total = 0.0
    for s in range(scenario.count[lane]):
        total += state.leak[s, lane]
    out.leak[lane, step] = total
