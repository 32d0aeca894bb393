"""One moment of eight scenarios: EPANET's global gradient iteration, in steps of the heads.

Source: E. Todini and S. Pilati, "A gradient method for the analysis of pipe networks" (1987), as in EPANET's hydsolver.c; the
matrix and its right-hand side are the same, but the unknown is the step from the heads at hand, so that its size tells
how far off they were.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from hydro.fast import outlets, sites, status
from hydro.fast.factor import factorise_and_solve
from hydro.fast.lanes import WIDTH, magnitude, put, row, splat, where_less
from hydro.fast.links import BIG, MISSING, darcy_pipes, device, power_law_pipes

MOST_ITERATIONS = 60
_STATUS_EVERY, _STATUS_UNTIL = 2, 10
_CONSTANT_POWER = 0
_PRV, _PSV, _PUMP = 3, 4, 2
_fill_draws, _update_draws = outlets.coefficients, outlets.update
_replace_sites, _add_sites, _hide_sites, _update_site = sites.replace, sites.add, sites.before_update, sites.update
_valves, _others, _switches = status.valves, status.others, status.pressure_switches


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def holds(links: Any, devices: Any, state: Any, d: int, lane: int) -> bool:
    """Whether a PRV or PSV is at work in a lane."""
    kind = links.kind[links.n_plain + d]
    return (kind == _PRV or kind == _PSV) and state.setting[d, lane] != MISSING and state.status[d, lane] == 4


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def linearise(plant: Any, scenario: Any, state: Any, may_turn: bool) -> None:
    """Fill conductance and excess of every link, the matrix, and its right-hand side."""
    links, devices, structure = plant.links, plant.devices, plant.structure
    if links.law == 1:
        darcy_pipes(links, state.head, state.flow, state.conductance, state.excess)
    else:
        power_law_pipes(links, state.head, state.flow, state.conductance, state.excess)
    for d in range(len(devices.status)):
        k = links.n_plain + d
        for lane in range(WIDTH):
            if holds(links, devices, state, d, lane):
                state.conductance[k, lane] = 0.0
                state.excess[k, lane] = 0.0
                continue
            q, setting = state.flow[k, lane], state.setting[d, lane]
            p, y = device(links, devices, plant.curves, d, state.status[d, lane], setting, q)
            drop = state.head[links.start[k], lane] - state.head[links.end[k], lane]
            state.conductance[k, lane] = p
            state.excess[k, lane] = y - p * drop
    _replace_sites(links, scenario, state, may_turn)
    _assemble(structure, links, scenario, state)
    _fill_draws(plant.draws, state)
    _add_sites(links, scenario, state, may_turn)
    _hold(links, devices, state)
    zero = splat(0.0)
    for i in range(structure.size, structure.n_nodes):  # what reached known heads changes nothing
        put(state.right, i, zero)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _assemble(structure: Any, links: Any, scenario: Any, state: Any) -> None:
    zero, factor = splat(0.0), row(scenario.factor, 0)
    diagonal, below, right = state.diagonal, state.below, state.right
    for i in range(structure.n_nodes):
        put(diagonal, i, zero)
        put(right, i, zero - factor * row(state.demand, i))
    for e in range(len(structure.rows) + 1):
        put(below, e, zero)
    for k in range(len(links.start)):
        start, end, slot = links.start[k], links.end[k], links.slot[k]
        p = row(state.conductance, k)
        passing = row(state.flow, k) - row(state.excess, k)
        put(below, slot, row(below, slot) - p)
        put(diagonal, start, row(diagonal, start) + p)
        put(diagonal, end, row(diagonal, end) + p)
        put(right, start, row(right, start) - passing)
        put(right, end, row(right, end) + passing)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _hold(links: Any, devices: Any, state: Any) -> None:
    """Let active PRVs and PSVs hold their heads, by EPANET's own large number."""
    for d in range(len(devices.status)):
        k = links.n_plain + d
        if links.kind[k] != _PRV and links.kind[k] != _PSV:
            continue
        for lane in range(WIDTH):
            if holds(links, devices, state, d, lane):
                side = 1 if links.kind[k] == _PRV else 0
                held, free = (links.end[k], links.start[k]) if side == 1 else (links.start[k], links.end[k])
                target = devices.elevation[d, side] + state.setting[d, lane]
                state.diagonal[held, lane] += BIG
                state.right[held, lane] += BIG * (target - state.head[held, lane])
                state.diagonal[free, lane] += 1.0 / BIG
                if state.flow[k, lane] < 0.0:  # a valve that would have to push: EPANET asks nothing of the other side
                    state.right[free, lane] += state.flow[k, lane] if side == 1 else -state.flow[k, lane]


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def step(plant: Any, scenario: Any, state: Any, live: Any, head_step: Any, flow_step: Any) -> None:
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
        largest = where_less(largest, change, change, where_less(change, largest, largest, change))
    put(head_step, 0, largest)
    largest = zero
    for k in range(len(links.start)):
        drop = row(state.right, links.start[k]) - row(state.right, links.end[k])
        change = row(state.excess, k) - row(state.conductance, k) * drop
        put(state.flow, k, where_less(half, mask, row(state.flow, k) - change, row(state.flow, k)))
        change = magnitude(change)
        largest = where_less(largest, change, change, largest)
    largest = _update_draws(plant.draws, state, mask, largest)
    put(flow_step, 0, largest)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def finish_step(plant: Any, scenario: Any, state: Any, lane: int, head_step: Any, flow_step: Any) -> None:
    """What of a step one lane has for itself: its leaks, pumps of constant power, flow through active valves."""
    links, devices = plant.links, plant.devices
    for s in range(scenario.count[lane]):
        flow_change, head_change = _update_site(links, scenario, state, lane, s)
        flow_step[0, lane] = max(flow_step[0, lane], flow_change)
        head_step[0, lane] = max(head_step[0, lane], head_change)
    for d in range(len(devices.status)):
        k = links.n_plain + d
        if links.kind[k] == _PUMP and int(devices.pump[d, 0]) == _CONSTANT_POWER and state.flow[k, lane] < 0.0:
            drop = state.right[links.start[k], lane] - state.right[links.end[k], lane]
            change = state.excess[k, lane] - state.conductance[k, lane] * drop
            before = state.flow[k, lane] + change
            state.flow[k, lane] = before / 2.0
            flow_step[0, lane] = max(flow_step[0, lane], abs(before / 2.0))
        elif holds(links, devices, state, d, lane):
            passing = through(plant, scenario, state, d, lane)
            flow_step[0, lane] = max(flow_step[0, lane], abs(passing - state.flow[k, lane]))
            state.flow[k, lane] = passing


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def through(plant: Any, scenario: Any, state: Any, d: int, lane: int) -> float:
    """Flow of an active PRV or PSV: what its held node gives to everything else."""
    links, devices = plant.links, plant.devices
    k = links.n_plain + d
    held = links.end[k] if links.kind[k] == _PRV else links.start[k]
    out = scenario.factor[0, lane] * state.demand[held, lane]
    for b in range(devices.beside_first[d], devices.beside_first[d + 1]):
        out += devices.beside_sign[b] * state.flow[devices.beside[b], lane]
    for b in range(devices.outlet_first[d], devices.outlet_first[d + 1]):
        out += state.draw[devices.outlet[b], lane]
    for s in range(scenario.count[lane]):
        kind, where = scenario.kind[s, lane], scenario.where[s, lane]
        if kind == sites.AT_NODE and where == held:
            out += state.leak[s, lane]
        elif kind == sites.MID_PIPE and links.end[where] == held:
            out += state.flow[where, lane] - state.leak_second[s, lane]
    return out if links.kind[k] == _PRV else -out


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def balance(
    plant: Any, scenario: Any, state: Any, live: Any, may_turn: bool, tolerance: Any, head_step: Any, flow_step: Any
) -> int:
    """Iterate until every live lane is balanced and its statuses stand.

    Parameters
    ----------
    live
        float64 [1, WIDTH], 1 for lanes to balance; 0 afterwards where that was done, 1 where it was not.
    tolerance
        Largest last step of a head, ft, and of a flow, ft3/s, that counts as balanced.

    Returns
    -------
    Number of iterations.
    """
    structure, links = plant.structure, plant.links
    for iteration in range(1, MOST_ITERATIONS + 1):
        linearise(plant, scenario, state, may_turn)
        factorise_and_solve(
            structure.size, structure.first, structure.rows, structure.target,
            state.diagonal, state.below, state.right,
        )  # fmt: skip
        _hide_sites(scenario, state)
        step(plant, scenario, state, live, head_step, flow_step)
        waiting = False
        for lane in range(WIDTH):
            if live[0, lane] == 0.0:
                continue
            finish_step(plant, scenario, state, lane, head_step, flow_step)
            changed = _valves(links, plant.devices, state, lane)
            if head_step[0, lane] <= tolerance[0] and flow_step[0, lane] <= tolerance[1]:
                changed = _others(links, plant.devices, plant.tanks, state, lane) or changed
                changed = _switches(links, plant.controls, structure.size, state, lane) or changed
                if not changed:
                    live[0, lane] = 0.0
                    continue
            elif iteration <= _STATUS_UNTIL and iteration % _STATUS_EVERY == 0:
                _others(links, plant.devices, plant.tanks, state, lane)
            waiting = True
        if not waiting:
            break
    return iteration
