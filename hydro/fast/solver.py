"""A network made ready for many runs by the own solver."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.fast.arrays import aligned
from hydro.fast.group import run_group
from hydro.fast.lanes import WIDTH
from hydro.fast.lineup import Lineup
from hydro.fast.model import FOOT, read_model
from hydro.fast.outlets import FIXED_AREA
from hydro.fast.plan import Plan
from hydro.fast.plant import lay_out
from hydro.fast.sites import MID_PIPE
from hydro.fast.tables import Guide, Leaks, Output, Plant, Reach, Scratch, Sensors, Sites, State

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HEAD_TOLERANCE = 1e-4  # m: the last step of every head is smaller
FLOW_TOLERANCE = 1e-5  # m3/s: and that of every flow
_GUIDE_ACCURACY = 1e-4
_LEAST_HEAD = 0.1  # ft, where flow through an outlet begins
_GROWING_POWER = 2.0 / 3.0


class Solver:
    """A network made ready for many scenarios; the engine stays the caller's.

    Parameters
    ----------
    engine
        EPANET 2.3 with the network, its duration set. One run of it guides all scenarios: they begin at its solution
        and follow its changes.
    nodes, links
        Names of the nodes whose pressure and the links whose flow to report.
    """

    def __init__(self, engine: Engine, nodes: Sequence[str], links: Sequence[str]) -> None:
        topology = engine.topology
        self.model = model = read_model(engine)
        self.plant, self.layout, self._draws = lay_out(model, engine.duration)
        self._flow_unit = model.units.flow * engine.flow_unit
        self._guide, self._status = self._follow(engine)
        per_foot = FOOT if model.units.metric else model.units.psi
        leak_unit = engine.leak_unit * model.units.flow / np.sqrt(per_foot)
        self.lineup = Lineup(model, self.layout, topology, self.plant.links.n_plain, float(leak_unit))
        seen = np.array([topology.node(name) for name in nodes], dtype=np.int64)
        metered = np.array([topology.link(name) for name in links], dtype=np.int64)
        self._sensors = Sensors(
            self.layout.node[seen], model.elevation[seen], self.layout.link[metered], model.emitter_backflow
        )
        self._tolerance = np.array([HEAD_TOLERANCE / FOOT, FLOW_TOLERANCE / FOOT**3])
        self._n_steps = engine.duration // model.report_step + 1
        self.passes = 0

    def _follow(self, engine: Engine) -> tuple[Guide, Ints]:
        """Run the network as it is; also the devices' statuses at its first moment.

        A valve that may as well be open as shut is then as EPANET leaves it.
        """
        layout, own = self.layout, engine.accuracy
        times: list[int] = []
        flow, head = [], []
        status = np.zeros(len(layout.link))
        engine.set_accuracy(min(own, _GUIDE_ACCURACY))
        for now in engine.steps():
            if not times:
                status = engine.read("link", "state")
            times.append(now)
            head.append(engine.read("node", "head") / FOOT)
            flow.append(engine.read("link", "flow") / self._flow_unit)
        engine.set_accuracy(own)
        flows, heads = np.empty((len(times), len(layout.link))), np.empty((len(times), len(layout.node)))
        flows[:, layout.link], heads[:, layout.node] = flow, head
        first = np.empty(len(layout.link), dtype=np.int64)
        first[layout.link] = status.astype(np.int64)
        return Guide(np.array(times, dtype=np.int64), flows, heads), first[self.plant.links.n_plain :]

    def run(self, plans: Sequence[Plan]) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
        """Run at most `WIDTH` plans.

        Returns
        -------
        pressure, flow : float64 [n_plans, n_steps, n_sensors], m and m3/s
        leak : float64 [n_plans, n_steps], m3/s, of all holes of a plan
        proved : bool [n_plans]
            Where every moment was balanced and every status stands. The rest of the results is without meaning.
        """
        sites, alive = self.lineup.sites(plans)
        out = Output(
            np.full((WIDTH, self._n_steps, len(self._sensors.node)), np.nan),
            np.full((WIDTH, self._n_steps, len(self._sensors.link)), np.nan),
            np.zeros((WIDTH, self._n_steps)), alive,
        )  # fmt: skip
        state, leaks = self._begin(sites)
        n_nodes = self.plant.structure.n_nodes
        reach = Reach(
            np.ones((n_nodes, WIDTH), dtype=np.int64), np.zeros(WIDTH, dtype=np.int64),
            np.zeros(n_nodes + 1, dtype=np.int64),
        )  # fmt: skip
        self.passes += run_group(
            *self.plant,
            sites,
            leaks,
            state,
            self._guide,
            blank_scratch(self.plant),
            reach,
            self._sensors,
            self._tolerance,
            out,
        )
        n = len(plans)
        return out.pressure[:n] * FOOT, out.flow[:n] * self._flow_unit, out.leak[:n] * self._flow_unit, alive[:n] != 0

    def _begin(self, sites: Sites) -> tuple[State, Leaks]:
        """Start every lane where the guide starts."""
        plant, guide = self.plant, self._guide
        state, leaks = blank_state(plant, self._draws), blank_leaks(len(sites.kind))
        state.status[:] = self._status[:, None]
        state.head[:] = guide.head[0][:, None]
        state.head[plant.tanks.node] = plant.tanks.level[:, None]
        state.flow[:] = guide.flow[0][:, None]
        state.volume[:] = plant.tanks.volume[:, None]
        head = np.maximum(state.head[plant.draws.row] - plant.draws.base[:, None], _LEAST_HEAD)
        size = np.where(self._draws > 0.0, self._draws, 1.0)[:, None]
        first = (head / size) ** (1.0 / plant.draws.exponent[:, None])
        state.draw[:] = np.where(self._draws[:, None] > 0.0, first, 0.0)
        for lane in range(WIDTH):
            for k in range(sites.n_sites[lane]):
                if sites.kind[k, lane] == MID_PIPE:
                    self._split(sites, state, leaks, k, lane)
        return state, leaks

    def _split(self, sites: Sites, state: State, leaks: Leaks, site: int, lane: int) -> None:
        """A pipe split by a leak gives half of its own leakage to its middle."""
        links, draws, link = self.plant.links, self.plant.draws, sites.where[site, lane]
        ends = [links.start[link], links.end[link]]
        leaks.head[site, lane] = state.head[ends, lane].mean()
        leaks.second[site, lane] = state.flow[link, lane]
        head = max(leaks.head[site, lane] - sites.elevation[site, lane], _LEAST_HEAD)
        for j, coefficient in enumerate((sites.area[site, lane], sites.growth[site, lane])):
            if coefficient <= 0.0:
                continue
            power = 2.0 if j == 0 else _GROWING_POWER
            leaks.own[site, j, lane] = (head / coefficient) ** (1.0 / power)
            for end in ends:
                for o in np.flatnonzero((draws.row == end) & (draws.kind == FIXED_AREA + j)):
                    left = state.draw_coefficient[o, lane] ** (-1.0 / power) - 0.5 * coefficient ** (-1.0 / power)
                    # the pipe may be all that leaks there but for rounding
                    state.draw_coefficient[o, lane] = max(left, 1e-12) ** -power


def blank_state(plant: Plant, draws: Floats) -> State:
    """Sixteen lanes without flows or heads, devices as the file has them.

    Parameters
    ----------
    draws
        float64 [n_outlets], the outlets' coefficients.
    """
    s, n_links, n_draws, devices = plant.structure, len(plant.links.start), len(draws), plant.devices
    state = State(
        aligned(s.n_nodes), aligned(n_links), aligned(n_links), aligned(n_links), aligned(s.n_nodes),
        aligned(len(s.rows) + 1), aligned(s.n_nodes), aligned(s.n_nodes), aligned(n_draws), aligned(n_draws),
        aligned(n_draws), aligned(n_draws), np.repeat(devices.status[:, None], WIDTH, axis=1),
        aligned(len(devices.status)), aligned(len(plant.tanks.node)), np.zeros(WIDTH, dtype=np.int64),
    )  # fmt: skip
    state.setting[:] = devices.setting[:, None]
    state.draw_coefficient[:] = draws[:, None]
    return state


def blank_leaks(n_sites: int) -> Leaks:
    """Sites at which nothing is open."""
    return Leaks(
        aligned(n_sites), aligned(n_sites), aligned(n_sites), np.zeros((n_sites, 2, WIDTH)), aligned(n_sites),
        np.zeros((n_sites, 11, WIDTH)),
    )  # fmt: skip


def blank_scratch(plant: Plant) -> Scratch:
    """Sixteen lanes none of which has begun."""

    def whole(value: int) -> Ints:
        return np.full(WIDTH, value, dtype=np.int64)

    return Scratch(
        aligned(1), aligned(1), aligned(1), whole(0), whole(0), whole(0), whole(0), whole(0), whole(-1), whole(-1),
        aligned(len(plant.tanks.node)), whole(0),
    )  # fmt: skip
