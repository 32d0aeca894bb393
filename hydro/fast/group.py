"""Eight scenarios from their beginning to their end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from hydro.fast import clock, newton
from hydro.fast.clock import NEVER, period_of
from hydro.fast.lanes import WIDTH, put, row, splat
from hydro.fast.newton import MOST_ITERATIONS
from hydro.fast.outlets import DEMAND
from hydro.fast.reach import find_reached
from hydro.fast.sites import AT_NODE, CLOSED_PIPE

_CUT_OFF = 1e6  # the inverse of a pivot that closed links alone make
_LARGEST_STEP = 1e12  # ft; NaN is beyond it too
_follow_patterns, _obey_controls, _iterate = clock.follow_patterns, clock.obey_controls, newton.iterate
_fill_tanks, _advance = clock.fill_tanks, clock.advance


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def run_group(
    structure: Any, links: Any, devices: Any, draws: Any, tanks: Any, controls: Any, curves: Any, times: Any,
    scenario: Any, leaks: Any, state: Any, guide: Any, scratch: Any, reach: Any, sensors: Any, tolerance: Any, out: Any,
) -> int:  # fmt: skip
    """Run eight scenarios.

    Parameters
    ----------
    scratch
        `Scratch`, for the time being.
    reach
        `Reach`, to tell which nodes are cut off.
    sensors
        `Sensors`: what to report.
    tolerance
        Of `newton.iterate`.
    out
        `Output`; `alive` says which lanes to run and, afterwards, which came through.

    Returns
    -------
    Number of iterations, each of which all lanes share.
    """
    passes, barrier = 0, 0
    grid = min(times.hydraulic_step, times.pattern_step, times.report_step)
    due, now, live = scratch.due, state.time, scratch.live
    head, flow, status, setting = state.head, state.flow, state.status, state.setting
    while True:
        barrier, goes_on = _choose(now, times.duration, grid, barrier, out.alive, scratch)
        if not goes_on:
            return passes
        _set_demands(
            structure.size, times, draws, scenario.factor, state.demand, state.draw, state.draw_coefficient, due, now,
            scratch.period,
        )  # fmt: skip
        _follow_patterns(times, links.n_plain, devices.pump, head, flow, status, setting, due, now)
        _obey_controls(
            controls, tanks, curves, links.kind, links.n_plain, devices.pump, times.clock_start, head, flow, status,
            setting, scratch.inflow, due, now, out.alive,
        )  # fmt: skip
        _open(scenario, leaks, head, due, now)
        _predict(guide.times, guide.flow, guide.head, structure.size, head, flow, due, scratch.guide, now)
        _iterate(
            structure, links, devices, curves, tanks, controls, draws, scenario, leaks, state, scratch,
            sensors.may_turn, tolerance,
        )  # fmt: skip
        passes += 1
        for lane in range(WIDTH):
            if out.alive[lane] == 0 or scratch.unsure[lane] != 0:  # a switch hung on too little
                out.alive[lane], scratch.busy[lane], live[0, lane] = 0, 0, 0.0
            due[lane] = 1 if scratch.busy[lane] != 0 and live[0, lane] == 0.0 else 0
            is_lost = scratch.iteration[lane] >= MOST_ITERATIONS or not scratch.head_step[0, lane] < _LARGEST_STEP
            if due[lane] != 0:
                scratch.busy[lane] = 0
            elif live[0, lane] != 0.0 and is_lost:
                out.alive[lane], scratch.busy[lane], live[0, lane] = 0, 0, 0.0
        _report(
            times, structure.size, links, devices, state.conductance, state.diagonal, head, flow, status, setting,
            scenario, leaks.flow, leaks.size, draws.row, state.draw_coefficient, sensors, reach, due, out, now,
        )  # fmt: skip
        _fill_tanks(links.n_plain, devices.tank, flow, status, scratch.inflow, due)
        _advance(
            times, controls, tanks, curves, links.kind, links.n_plain, head, status, setting, state.volume,
            scratch.inflow, scenario.events, due, now, out.alive,
        )  # fmt: skip


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _choose(now: Any, duration: int, grid: int, barrier: int, alive: Any, scratch: Any) -> tuple[int, bool]:
    """Mark the lanes that begin a moment; give the time at which they wait for the others, and whether any is left.

    Between two times of the grid every lane goes at its own pace; there they meet, so that demands and guide are
    applied to all at once.
    """
    least = NEVER
    for lane in range(WIDTH):
        if alive[lane] != 0 and now[lane] <= duration:
            least = min(least, now[lane])
    if least >= barrier:
        barrier = (least // grid + 1) * grid
    for lane in range(WIDTH):
        begins = alive[lane] != 0 and scratch.busy[lane] == 0 and now[lane] <= duration and now[lane] < barrier
        scratch.due[lane] = 1 if begins else 0
        if begins:
            scratch.busy[lane], scratch.iteration[lane] = 1, 0
            scratch.live[0, lane] = 1.0
    return barrier, least < NEVER


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _set_demands(
    size: int, clock: Any, draws: Any, factor: Any, demand: Any, draw: Any, coefficient: Any, due: Any, now: Any,
    period: Any,
) -> None:  # fmt: skip
    """Write the demands of the lanes that begin a moment, where they are not there already."""
    by_pressure = draws.required > 0.0
    wanted, all_same = period_of(clock, now[0]), True
    for lane in range(WIDTH):
        all_same = all_same and due[lane] != 0 and period_of(clock, now[lane]) == wanted
    for lane in range(WIDTH):
        p = period_of(clock, now[lane])
        if due[lane] == 0 or period[lane] == p:
            continue
        if all_same:
            for i in range(size):
                put(demand, i, splat(min(clock.demand[p, i], 0.0) if by_pressure else clock.demand[p, i]))
            for other in range(WIDTH):
                period[other] = p
        else:
            for i in range(size):
                demand[i, lane] = min(clock.demand[p, i], 0.0) if by_pressure else clock.demand[p, i]
            period[lane] = p
    if by_pressure:
        _set_full_demands(clock.demand, draws, factor, draw, coefficient, due, period)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _set_full_demands(
    demands: Any, draws: Any, factor: Any, draw: Any, coefficient: Any, due: Any, period: Any
) -> None:
    """Begin each moment with the whole of every pressure-driven demand, as EPANET does."""
    for o in range(len(draws.row)):
        for lane in range(WIDTH):
            if due[lane] != 0 and draws.kind[o] == DEMAND:
                full = max(demands[period[lane], draws.row[o]], 0.0) * factor[0, lane]
                coefficient[o, lane] = full
                draw[o, lane] = full


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _open(scenario: Any, leaks: Any, head: Any, due: Any, now: Any) -> None:
    """Open and shut leaks and pipes: a leak's head-loss coefficient is 1 / c^2."""
    for lane in range(WIDTH):
        if due[lane] == 0:
            continue
        for s in range(scenario.n_sites[lane]):
            total = 0.0
            for o in range(scenario.opening_first[lane], scenario.opening_first[lane + 1]):
                if int(scenario.opening[o, 0]) == s and scenario.opening[o, 1] <= now[lane] < scenario.opening[o, 2]:
                    total += scenario.opening[o, 3]
            if scenario.kind[s, lane] == CLOSED_PIPE:
                leaks.size[s, lane] = total
                continue
            if leaks.size[s, lane] == 0.0 and total > 0.0:
                at_node = scenario.kind[s, lane] == AT_NODE
                level = head[scenario.where[s, lane], lane] if at_node else leaks.head[s, lane]
                leaks.flow[s, lane] = total * max(level - scenario.elevation[s, lane], 1.0) ** 0.5
            leaks.size[s, lane] = max(1.0 / (total * total), 1e-6) if total > 0.0 else 0.0


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _find(times: Any, now: int) -> int:
    """Place of a moment among the guide's, or -1."""
    low, high = 0, len(times)
    while low < high:
        middle = (low + high) // 2
        if times[middle] < now:
            low = middle + 1
        else:
            high = middle
    return low if low < len(times) and times[low] == now else -1


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _predict(
    times: Any, guide_flow: Any, guide_head: Any, size: int, head: Any, flow: Any, due: Any, last: Any, now: Any
) -> None:
    """Move the lanes that begin a moment as the undisturbed run moved between the same two moments."""
    is_common = last[0] >= 0
    for lane in range(WIDTH):
        is_common = is_common and due[lane] != 0 and last[lane] == last[0] and now[lane] == now[0]
    if is_common:
        _predict_together(guide_flow, guide_head, size, head, flow, last, _find(times, now[0]))
        return
    for lane in range(WIDTH):
        if due[lane] == 0:
            continue
        at, past = _find(times, now[lane]), last[lane]
        if at >= 0 and past >= 0 and at != past:
            for k in range(guide_flow.shape[1]):
                flow[k, lane] += guide_flow[at, k] - guide_flow[past, k]
            for i in range(size):
                head[i, lane] += guide_head[at, i] - guide_head[past, i]
        last[lane] = at


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _predict_together(guide_flow: Any, guide_head: Any, size: int, head: Any, flow: Any, last: Any, at: int) -> None:
    past = last[0]
    if at >= 0:
        for k in range(guide_flow.shape[1]):
            put(flow, k, row(flow, k) + splat(guide_flow[at, k] - guide_flow[past, k]))
        for i in range(size):
            put(head, i, row(head, i) + splat(guide_head[at, i] - guide_head[past, i]))
    for lane in range(WIDTH):
        last[lane] = at


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _report(
    clock: Any, size: int, links: Any, devices: Any, conductance: Any, pivots: Any, head: Any, flow: Any, status: Any,
    setting: Any, scenario: Any, leak: Any, resistance: Any, outlets: Any, outlet_size: Any, sensors: Any, reach: Any,
    due: Any, out: Any, now: Any,
) -> None:  # fmt: skip
    """Write what the sensors of the due lanes show; NaN where closed links cut a node off: its head means nothing."""
    for lane in range(WIDTH):
        if due[lane] == 0 or now[lane] % clock.report_step != 0:
            continue
        step = now[lane] // clock.report_step
        largest = 0.0
        for i in range(size):
            largest = max(largest, pivots[i, lane])
        is_split = largest > _CUT_OFF
        if is_split:
            find_reached(
                size, links, devices, conductance, status, setting, scenario, resistance, outlets, outlet_size, lane,
                reach,
            )  # fmt: skip
        for j in range(len(sensors.node)):
            node = sensors.node[j]
            is_off = is_split and reach.reached[node, lane] == 0
            out.pressure[lane, step, j] = np.nan if is_off else head[node, lane] - sensors.elevation[j]
        for j in range(len(sensors.link)):
            k = sensors.link[j]
            is_shut = k >= links.n_plain and status[k - links.n_plain, lane] <= 2
            out.flow[lane, step, j] = 0.0 if is_shut else flow[k, lane]
        out.leak[lane, step] = _show_sites(scenario, leak, resistance, sensors.link, out.flow, lane, step)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _show_sites(scenario: Any, leak: Any, resistance: Any, metered: Any, flow_out: Any, lane: int, step: int) -> Any:
    """Total of a lane's leaks; nothing flows through pipes that are closed."""
    total = 0.0
    for s in range(scenario.n_sites[lane]):
        if scenario.kind[s, lane] != CLOSED_PIPE:
            total += leak[s, lane]
        elif resistance[s, lane] > 0.0:
            for j in range(len(metered)):
                if metered[j] == scenario.where[s, lane]:
                    flow_out[lane, step, j] = 0.0
    return total
