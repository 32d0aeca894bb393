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
_devices, _hold, _finish = devices.coefficients, devices.hold, devices.finish
_draws, _update_draws = outlets.coefficients, outlets.update
_replace, _add, _update_sites = sites.replace, sites.add, sites.update
_valves, _others, _switches = status.valves, status.others, status.pressure_switches


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def linearise(plant: Any, scenario: Any, leaks: Any, state: Any, may_turn: bool) -> None:
    """Fill conductance and excess of every link, the matrix, and its right-hand side."""
    links, structure = plant.links, plant.structure
    head, flow, conductance, excess = state.head, state.flow, state.conductance, state.excess
    if links.law == 1:
        darcy_pipes(links, head, flow, conductance, excess)
    else:
        power_law_pipes(links, head, flow, conductance, excess)
    _devices(links, plant.devices, plant.curves, head, flow, state.status, state.setting, conductance, excess)
    _replace(links, scenario, leaks, head, flow, conductance, excess, may_turn)
    zero, factor = splat(0.0), row(scenario.factor, 0)
    diagonal, below, right = state.diagonal, state.below, state.right
    for i in range(structure.n_nodes):
        put(diagonal, i, zero)
        put(right, i, zero - factor * row(state.demand, i))
    for e in range(len(structure.rows) + 1):
        put(below, e, zero)
    for k in range(len(links.start)):
        start, end, slot = links.start[k], links.end[k], links.slot[k]
        p = row(conductance, k)
        passing = row(flow, k) - row(excess, k)
        put(below, slot, row(below, slot) - p)
        put(diagonal, start, row(diagonal, start) + p)
        put(diagonal, end, row(diagonal, end) + p)
        put(right, start, row(right, start) - passing)
        put(right, end, row(right, end) + passing)
    if len(plant.draws.row) > 0:
        _draws(plant.draws, state)
    _add(links, scenario, leaks, head, flow, conductance, excess, diagonal, right, may_turn)
    _hold(links, plant.devices, head, flow, state.status, state.setting, diagonal, right)
    for i in range(structure.size, structure.n_nodes):  # what reached known heads changes nothing
        put(right, i, zero)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def step(plant: Any, state: Any, live: Any, head_step: Any, flow_step: Any) -> None:
    """Change heads and flows of the live lanes by the solution of the linear equations.

    Parameters
    ----------
    live
        float64 [1, WIDTH], 1 where a lane takes part.
    head_step, flow_step
        float64 [1, WIDTH], out: largest change of a head and of a flow.
    """
    structure, links = plant.structure, plant.links
    zero, half, mask = splat(0.0), splat(0.5), row(live, 0)
    largest = zero
    for i in range(structure.size):
        change = row(state.right, i)
        put(state.head, i, where_less(half, mask, row(state.head, i) + change, row(state.head, i)))
        change = magnitude(change)
        largest = where_less(change, largest, largest, change)  # keeps NaN
    put(head_step, 0, largest)
    largest = zero
    for k in range(len(links.start)):
        drop = row(state.right, links.start[k]) - row(state.right, links.end[k])
        change = row(state.excess, k) - row(state.conductance, k) * drop
        put(state.flow, k, where_less(half, mask, row(state.flow, k) - change, row(state.flow, k)))
        change = magnitude(change)
        largest = where_less(change, largest, largest, change)
    if len(plant.draws.row) > 0:
        largest = _update_draws(plant.draws, state, mask, largest)
    put(flow_step, 0, largest)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def balance(plant: Any, scenario: Any, leaks: Any, state: Any, scratch: Any, may_turn: bool, tolerance: Any) -> int:
    """Iterate until every live lane is balanced and its statuses stand.

    Parameters
    ----------
    scratch
        `live` is 1 for the lanes to balance; afterwards 0 where that was done, 1 where it was not.
    tolerance
        Largest last step of a head, ft, and of a flow, ft3/s, that counts as balanced.

    Returns
    -------
    Number of iterations.
    """
    structure, links, equipment = plant.structure, plant.links, plant.devices
    live, head_step, flow_step = scratch.live, scratch.head_step, scratch.flow_step
    chosen, changed = scratch.chosen, scratch.changed
    for iteration in range(1, MOST_ITERATIONS + 1):
        linearise(plant, scenario, leaks, state, may_turn)
        factorise_and_solve(
            structure.size, structure.first, structure.rows, structure.target,
            state.diagonal, state.below, state.right,
        )  # fmt: skip
        step(plant, state, live, head_step, flow_step)
        _update_sites(links, scenario, leaks, state.flow, state.right, live, head_step, flow_step)
        _finish(links, equipment, scenario, leaks, state, head_step, flow_step, live)
        _valves(links, equipment, state.head, state.flow, state.status, state.setting, live, changed)
        is_time = iteration <= _STATUS_UNTIL and iteration % _STATUS_EVERY == 0
        any_chosen, any_waits = False, False
        for lane in range(WIDTH):
            is_live = live[0, lane] != 0.0
            is_small = is_live and head_step[0, lane] <= tolerance[0] and flow_step[0, lane] <= tolerance[1]
            chosen[lane] = 2 if is_small else (1 if is_live and is_time else 0)
            any_chosen = any_chosen or chosen[lane] != 0
        if any_chosen:
            _others(
                links, equipment, plant.tanks, state.head, state.flow, state.status, state.setting, chosen, changed
            )
            for lane in range(WIDTH):
                chosen[lane] = 1 if chosen[lane] == 2 else 0
            _switches(links, plant.controls, state.head, state.status, state.setting, chosen, changed)
        for lane in range(WIDTH):
            if chosen[lane] == 1 and changed[lane] == 0:
                live[0, lane] = 0.0
            any_waits = any_waits or live[0, lane] != 0.0
        if not any_waits:
            break
    return iteration
