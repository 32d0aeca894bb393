"""Single moments of one network under many demands and tank levels, sixteen at a time by the own solver."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.fast import clock, newton
from hydro.fast.lanes import WIDTH
from hydro.fast.lineup import Lineup
from hydro.fast.model import FOOT, read_model
from hydro.fast.newton import MOST_ITERATIONS
from hydro.fast.plant import lay_out
from hydro.fast.solver import FLOW_TOLERANCE, HEAD_TOLERANCE, blank_leaks, blank_scratch, blank_state

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_AT_LIMIT_M = 1e-6  # a level as near as this to a tank's top or bottom is there: rounding must not decide
_LARGEST_STEP = 1e12  # ft; NaN is beyond it too


class Snapshots:
    """A network made ready; the engine stays the caller's, who must not change the network afterwards.

    Parameters
    ----------
    engine
        EPANET with the network, solved at its first moment: there the iteration begins. `hydro.fast.doubts` must have
        none about it, and nothing may flow out by pressure.
    nodes, links
        Places of the nodes whose pressure and the links whose flow to report.
    tanks
        Nodes of the tanks whose levels are given.
    """

    def __init__(self, engine: Engine, nodes: Ints, links: Ints, tanks: Ints) -> None:
        self._model = model = read_model(engine)
        self._plant, layout, self._draws = lay_out(model, 0)
        self._flow_unit = model.units.flow * engine.flow_unit
        self._sites, _ = Lineup(model, layout, engine.topology, self._plant.links.n_plain, 1.0).sites(())
        self._order = np.argsort(layout.node[: model.n_junctions])
        self._node, self._elevation, self._link = layout.node[nodes], model.elevation[nodes], layout.link[links]
        self._tank_row = layout.node[tanks]
        number = [int(np.flatnonzero(model.tanks.node == node)[0]) for node in tanks]
        self._bottom = model.tanks.bottom[number]
        self._limits = model.tanks.lowest[number], model.tanks.highest[number]
        self._head, self._flow = np.empty(len(layout.node)), np.empty(len(layout.link))
        self._head[layout.node] = engine.read("node", "head") / FOOT
        self._flow[layout.link] = engine.read("link", "flow") / self._flow_unit
        self._tolerance = np.array([HEAD_TOLERANCE / FOOT, FLOW_TOLERANCE / FOOT**3])

    def solve(self, demand: Floats, level: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Solve moments.

        Parameters
        ----------
        demand
            float64 [n, n_junctions], m3/s, without NaN.
        level
            float64 [n, n_tanks], m above the tanks' bottoms.

        Returns
        -------
        pressure, flow : float64 [n, n_nodes] and [n, n_links], m and m3/s
        proved : bool [n]
            Where all was balanced and every status stands. The rest of the results is without meaning.
        """
        n = len(demand)
        wanted = np.ascontiguousarray(demand[:, self._order]) / self._flow_unit
        surface = self._bottom + level / FOOT
        for limit in self._limits:
            surface = np.where(np.abs(surface - limit) < _AT_LIMIT_M / FOOT, limit, surface)
        pressure, flow = np.empty((n, len(self._node))), np.empty((n, len(self._link)))
        proved = np.zeros(n, dtype=np.int64)
        plant = self._plant
        _solve(
            *plant, self._sites, blank_leaks(1), blank_state(plant, self._draws), blank_scratch(plant), self._head,
            self._flow, wanted, surface, self._tank_row, self._node, self._elevation, self._link, self._tolerance,
            pressure, flow, proved,
        )  # fmt: skip
        return pressure * FOOT, flow * self._flow_unit, proved != 0


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _solve(
    structure: Any, links: Any, devices: Any, draws: Any, tanks: Any, controls: Any, curves: Any, times: Any,
    scenario: Any, leaks: Any, state: Any, scratch: Any, first_head: Any, first_flow: Any, demand: Any, surface: Any,
    tank_row: Any, node: Any, elevation: Any, link: Any, tolerance: Any, pressure: Any, flow: Any, proved: Any,
) -> None:  # fmt: skip
    """Lead all moments through the lanes: where one is done the next one begins, from the lane's last solution."""
    at, due, live = np.full(WIDTH, -1), scratch.due, scratch.live
    begun, done = 0, 0
    while done < len(demand):
        for lane in range(WIDTH):
            due[lane] = 0
            if live[0, lane] == 0.0 and begun < len(demand):
                is_first = at[lane] < 0 or proved[at[lane]] == 0
                at[lane], due[lane], begun = begun, 1, begun + 1
                _begin(
                    structure.size, devices, state, first_head, first_flow, demand[at[lane]], surface[at[lane]],
                    tank_row, lane, is_first,
                )  # fmt: skip
                live[0, lane], scratch.iteration[lane], scratch.unsure[lane] = 1.0, 0, 0
        clock.follow_patterns(
            times, links.n_plain, devices.pump, state.head, state.flow, state.status, state.setting, due, state.time
        )
        newton.iterate(
            structure, links, devices, curves, tanks, controls, draws, scenario, leaks, state, scratch, False, tolerance
        )
        for lane in range(WIDTH):
            if scratch.iteration[lane] == 0:  # it has nothing to do
                continue
            is_lost = scratch.iteration[lane] >= MOST_ITERATIONS or not scratch.head_step[0, lane] < _LARGEST_STEP
            if live[0, lane] == 0.0:
                proved[at[lane]] = 1 - scratch.unsure[lane]
                _report(links.n_plain, state, node, elevation, link, lane, pressure[at[lane]], flow[at[lane]])
            elif is_lost:
                live[0, lane] = 0.0
            if live[0, lane] == 0.0:
                done, scratch.iteration[lane] = done + 1, 0


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _begin(
    size: int, devices: Any, state: Any, first_head: Any, first_flow: Any, demand: Any, surface: Any, tank_row: Any,
    lane: int, is_first: bool,
) -> None:  # fmt: skip
    """Put a moment into a lane; statuses are the file's."""
    if is_first:
        for i in range(len(first_head)):
            state.head[i, lane] = first_head[i]
        for k in range(len(first_flow)):
            state.flow[k, lane] = first_flow[k]
    for i in range(size):
        state.demand[i, lane] = demand[i]
    for t in range(len(tank_row)):
        state.head[tank_row[t], lane] = surface[t]
    for d in range(len(devices.status)):
        state.status[d, lane], state.setting[d, lane] = devices.status[d], devices.setting[d]


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _report(
    n_plain: int, state: Any, node: Any, elevation: Any, link: Any, lane: int, pressure: Any, flow: Any
) -> None:
    for j in range(len(node)):
        pressure[j] = state.head[node[j], lane] - elevation[j]
    for j in range(len(link)):
        k = link[j]
        is_shut = k >= n_plain and state.status[k - n_plain, lane] <= 2
        flow[j] = 0.0 if is_shut else state.flow[k, lane]
