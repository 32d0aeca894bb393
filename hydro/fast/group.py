"""Eight scenarios from their beginning to their end."""

from __future__ import annotations

from typing import Any

from numba import njit

from hydro.fast import clock, newton
from hydro.fast.lanes import WIDTH, put, row, splat
from hydro.fast.outlets import DEMAND
from hydro.fast.sites import AT_NODE, CLOSED_PIPE

_LARGEST_HEAD = 1e7  # ft; beyond it a solution has come apart
_NEVER = clock.NEVER
_follow_patterns, _obey_controls = clock.follow_patterns, clock.obey_controls
_fill_tanks, _advance, _balance = clock.fill_tanks, clock.advance, newton.balance


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def run_group(
    structure: Any, links: Any, devices: Any, draws: Any, tanks: Any, controls: Any, curves: Any, times: Any,
    scenario: Any, leaks: Any, state: Any, guide: Any, scratch: Any, sensors: Any, tolerance: Any, out: Any,
) -> int:  # fmt: skip
    """Run eight scenarios.

    Parameters
    ----------
    scratch
        `Scratch`, for the time being.
    sensors
        `Sensors`: what to report.
    tolerance
        Of `newton.balance`.
    out
        `Output`; `alive` says which lanes to run and, afterwards, which came through.

    Returns
    -------
    Number of iterations, each of which all lanes share.
    """
    iterations = 0
    due, head, flow, status, setting = scratch.due, state.head, state.flow, state.status, state.setting
    while True:
        now = _NEVER
        for lane in range(WIDTH):
            if out.alive[lane] != 0 and state.time[lane] <= times.duration:
                now = min(now, state.time[lane])
        if now == _NEVER:
            return iterations
        for lane in range(WIDTH):
            due[lane] = 1 if out.alive[lane] != 0 and state.time[lane] == now else 0
            scratch.live[0, lane] = 1.0 if due[lane] != 0 else 0.0
        period = (now + times.pattern_start) // times.pattern_step - times.pattern_start // times.pattern_step
        _set_demands(
            structure.size, times.demand, draws, scenario.factor, state.demand, state.draw, state.draw_coefficient, period
        )
        _follow_patterns(times, links.n_plain, devices.pump, head, flow, status, setting, due, period)
        _obey_controls(
            controls, tanks, curves, links.kind, links.n_plain, devices.pump, times.clock_start, head, flow, status,
            setting, scratch.inflow, due, now,
        )  # fmt: skip
        _open(scenario, leaks, head, due, now)
        _predict(guide.times, guide.flow, guide.head, structure.size, head, flow, due, scratch.guide, now)
        iterations += _balance(
            structure, links, devices, curves, tanks, controls, draws, scenario, leaks, state, scratch,
            sensors.may_turn, tolerance,
        )  # fmt: skip
        for lane in range(WIDTH):
            if due[lane] != 0 and (scratch.live[0, lane] != 0.0 or not scratch.head_step[0, lane] < _LARGEST_HEAD):
                out.alive[lane], due[lane] = 0, 0
        if now % times.report_step == 0:
            _report(
                links.n_plain, head, flow, status, scenario, leaks.flow, leaks.size, sensors, due, out,
                now // times.report_step,
            )  # fmt: skip
        _fill_tanks(links.n_plain, devices.tank, flow, status, scratch.inflow, due)
        _advance(
            times, controls, tanks, curves, links.kind, links.n_plain, head, status, setting, state.volume,
            scratch.inflow, scenario.events, due, now, state.time,
        )  # fmt: skip


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _set_demands(
    size: int, demands: Any, draws: Any, factor: Any, demand_out: Any, draw: Any, coefficient: Any, period: int
) -> None:
    by_pressure = draws.required > 0.0
    for i in range(size):
        demand = demands[period, i]
        put(demand_out, i, splat(min(demand, 0.0) if by_pressure else demand))
    if by_pressure:
        for o in range(len(draws.row)):
            if draws.kind[o] == DEMAND:
                full = splat(max(demands[period, draws.row[o]], 0.0)) * row(factor, 0)
                put(coefficient, o, full)
                put(draw, o, full)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _open(scenario: Any, leaks: Any, head: Any, due: Any, now: int) -> None:
    """Open and shut leaks and pipes: a leak's head-loss coefficient is 1 / c^2."""
    for lane in range(WIDTH):
        if due[lane] == 0:
            continue
        for s in range(scenario.count[lane]):
            total = 0.0
            for o in range(scenario.opening_first[lane], scenario.opening_first[lane + 1]):
                if int(scenario.opening[o, 0]) == s and scenario.opening[o, 1] <= now < scenario.opening[o, 2]:
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
    times: Any, guide_flow: Any, guide_head: Any, size: int, head: Any, flow: Any, due: Any, last: Any, now: int
) -> None:
    """Move the state as the undisturbed run moved between the same two moments."""
    at, shared = _find(times, now), -2
    for lane in range(WIDTH):
        if due[lane] == 0:
            shared = -3
        elif shared == -2:
            shared = last[lane]
        elif shared != last[lane]:
            shared = -3
    if at >= 0 and shared >= 0:
        for k in range(guide_flow.shape[1]):
            put(flow, k, row(flow, k) + splat(guide_flow[at, k] - guide_flow[shared, k]))
        for i in range(size):
            put(head, i, row(head, i) + splat(guide_head[at, i] - guide_head[shared, i]))
    for lane in range(WIDTH):
        if due[lane] == 0:
            continue
        if at >= 0 and shared < 0 and last[lane] >= 0:
            for k in range(guide_flow.shape[1]):
                flow[k, lane] += guide_flow[at, k] - guide_flow[last[lane], k]
            for i in range(size):
                head[i, lane] += guide_head[at, i] - guide_head[last[lane], i]
        last[lane] = at


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _report(
    n_plain: int, head: Any, flow: Any, status: Any, scenario: Any, leak: Any, size: Any, sensors: Any, due: Any,
    out: Any, step: int,
) -> None:  # fmt: skip
    """Write what the sensors of the due lanes show."""
    for lane in range(WIDTH):
        if due[lane] == 0:
            continue
        for j in range(len(sensors.node)):
            out.pressure[lane, step, j] = head[sensors.node[j], lane] - sensors.elevation[j]
        for j in range(len(sensors.link)):
            k = sensors.link[j]
            is_shut = k >= n_plain and status[k - n_plain, lane] <= 2
            out.flow[lane, step, j] = 0.0 if is_shut else flow[k, lane]
        total = 0.0
        for s in range(scenario.count[lane]):
            if scenario.kind[s, lane] != CLOSED_PIPE:
                total += leak[s, lane]
            elif size[s, lane] > 0.0:
                for j in range(len(sensors.link)):
                    if sensors.link[j] == scenario.where[s, lane]:
                        out.flow[lane, step, j] = 0.0
        out.leak[lane, step] = total
