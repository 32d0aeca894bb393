"""One moment of eight scenarios: EPANET's global gradient iteration, in steps of the heads.

Source: E. Todini and S. Pilati, "A gradient method for the analysis of pipe networks" (1987), as in EPANET's
hydsolver.c; the matrix and its right-hand side are the same, but the unknown is the step from the heads at hand, so
that its size tells how far off they were.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from hydro.fast import devices, outlets, sites, status
from hydro.fast.factor import factorise_and_solve
from hydro.fast.lanes import WIDTH, magnitude, put, row, splat, where_less
from hydro.fast.links import darcy_pipes, power_law_pipes

MOST_ITERATIONS = 60
_STATUS_EVERY, _STATUS_UNTIL = 2, 10
_BALANCED = 2
_devices, _hold, _finish = devices.coefficients, devices.hold, devices.finish
_draws, _update_draws = outlets.coefficients, outlets.update
_replace, _add, _update_sites = sites.replace, sites.add, sites.update
_valves, _others, _switches = status.valves, status.others, status.pressure_switches


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def assemble(
    start: Any, end: Any, slot: Any, factor: Any, demand: Any, flow: Any, conductance: Any, excess: Any, diagonal: Any,
    below: Any, right: Any,
) -> None:  # fmt: skip
    """Fill the matrix and its right-hand side from links and fixed demands."""
    zero, times = splat(0.0), row(factor, 0)
    for i in range(len(diagonal)):
        put(diagonal, i, zero)
        put(right, i, zero - times * row(demand, i))
    for e in range(len(below)):
        put(below, e, zero)
    for k in range(len(start)):
        a, b, e = start[k], end[k], slot[k]
        p = row(conductance, k)
        passing = row(flow, k) - row(excess, k)
        put(below, e, row(below, e) - p)
        put(diagonal, a, row(diagonal, a) + p)
        put(diagonal, b, row(diagonal, b) + p)
        put(right, a, row(right, a) - passing)
        put(right, b, row(right, b) + passing)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def forget_known(size: int, right: Any) -> None:
    """Clear what reached nodes of known head: it changes nothing."""
    zero = splat(0.0)
    for i in range(size, len(right)):
        put(right, i, zero)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def step(
    size: int, start: Any, end: Any, right: Any, conductance: Any, excess: Any, head: Any, flow: Any, live: Any,
    head_step: Any, flow_step: Any,
) -> None:  # fmt: skip
    """Change heads and flows of the live lanes by the solution of the linear equations.

    Parameters
    ----------
    live
        float64 [1, WIDTH], 1 where a lane takes part.
    head_step, flow_step
        float64 [1, WIDTH], out: largest change of a head and of a flow; NaN stays.
    """
    zero, half, mask = splat(0.0), splat(0.5), row(live, 0)
    largest = zero
    for i in range(size):
        before, change = row(head, i), row(right, i)
        put(head, i, where_less(half, mask, before + change, before))
        change = magnitude(change)
        largest = where_less(change, largest, largest, change)
    put(head_step, 0, largest)
    largest = zero
    for k in range(len(start)):
        change = row(excess, k) - row(conductance, k) * (row(right, start[k]) - row(right, end[k]))
        before = row(flow, k)
        put(flow, k, where_less(half, mask, before - change, before))
        change = magnitude(change)
        largest = where_less(change, largest, largest, change)
    put(flow_step, 0, largest)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def iterate(
    structure: Any, links: Any, equipment: Any, curves: Any, tanks: Any, controls: Any, draws: Any, scenario: Any,
    leaks: Any, state: Any, scratch: Any, may_turn: bool, tolerance: Any,
) -> None:  # fmt: skip
    """Iterate once; lanes that are balanced and whose statuses stand are no longer `scratch.live`.

    Parameters
    ----------
    tolerance
        Largest last step of a head, ft, and of a flow, ft3/s, that counts as balanced.
    """
    head, flow, conductance, excess = state.head, state.flow, state.conductance, state.excess
    status, setting, diagonal, below, right = state.status, state.setting, state.diagonal, state.below, state.right
    live, head_step, flow_step = scratch.live, scratch.head_step, scratch.flow_step
    chosen, changed = scratch.chosen, scratch.changed
    size, start, end = structure.size, links.start, links.end
    if links.law == 1:
        darcy_pipes(links, head, flow, conductance, excess)
    else:
        power_law_pipes(links, head, flow, conductance, excess)
    _devices(links, equipment, curves, head, flow, status, setting, conductance, excess)
    _replace(links, scenario, leaks, head, flow, conductance, excess, may_turn)
    assemble(start, end, links.slot, scenario.factor, state.demand, flow, conductance, excess, diagonal, below, right)
    if len(draws.row) > 0:
        _draws(
            draws, head, state.draw, state.draw_coefficient, state.draw_conductance, state.draw_excess, diagonal, right
        )
    _add(links, scenario, leaks, head, flow, conductance, excess, diagonal, right, may_turn)
    _hold(links, equipment, head, flow, status, setting, diagonal, right)
    forget_known(size, right)
    factorise_and_solve(size, structure.first, structure.rows, structure.target, diagonal, below, right)
    step(size, start, end, right, conductance, excess, head, flow, live, head_step, flow_step)
    if len(draws.row) > 0:
        _update_draws(
            draws, state.draw, state.draw_coefficient, state.draw_conductance, state.draw_excess, right, live, flow_step
        )
    _update_sites(start, end, scenario, leaks, flow, right, live, head_step, flow_step)
    _finish(
        links, equipment, scenario, leaks.flow, leaks.second, state.demand, state.draw, flow, conductance, excess,
        right, status, setting, flow_step, live,
    )  # fmt: skip
    _valves(links, equipment, head, flow, status, setting, live, changed)
    choose(scratch.iteration, live, head_step, flow_step, tolerance, chosen)
    _others(links, equipment, tanks, head, flow, status, setting, chosen, changed, scratch.unsure)
    _switches(controls, links.kind, links.n_plain, head, status, setting, chosen, changed, scratch.unsure)
    for lane in range(WIDTH):
        if chosen[lane] == _BALANCED and changed[lane] == 0:
            live[0, lane] = 0.0


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def choose(iteration: Any, live: Any, head_step: Any, flow_step: Any, tolerance: Any, chosen: Any) -> None:
    """Mark the lanes whose pumps and check valves are to be looked at: 2 where all is balanced, 1 where it is time."""
    for lane in range(WIDTH):
        chosen[lane] = 0
        if live[0, lane] != 0.0:
            iteration[lane] += 1
            if head_step[0, lane] <= tolerance[0] and flow_step[0, lane] <= tolerance[1]:
                chosen[lane] = _BALANCED
            elif iteration[lane] <= _STATUS_UNTIL and iteration[lane] % _STATUS_EVERY == 0:
                chosen[lane] = 1
