"""Many scenarios of one network: eight at a time by the own solver, by EPANET what that cannot prove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.fast.arrays import aligned
from hydro.fast.group import run_group
from hydro.fast.lanes import WIDTH
from hydro.fast.model import Model, read_model
from hydro.fast.plant import Layout, lay_out, leak_coefficient
from hydro.fast.scenario import NEVER, Scenario
from hydro.fast.sites import AT_NODE, CLOSED_PIPE, MID_PIPE
from hydro.fast.tables import Guide, Leaks, Output, Plant, Scratch, Sensors, Sites, State
from networks import Network, UnknownElement

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HEAD_TOLERANCE = 1e-4  # m, last step of a head
FLOW_TOLERANCE = 1e-5  # m3/s, last step of a flow
_FOOT = 0.3048
_GUIDE_ACCURACY = 1e-4


class Solver:
    """A network made ready for many scenarios."""

    def __init__(self, engine: Engine, nodes: Sequence[str], links: Sequence[str]) -> None:
        self.engine = engine
        self.model: Model = read_model(engine)
        self.plant, self.layout, self.draws = lay_out(self.model, engine.duration)
        self.flow_unit = self.model.units.flow * engine.flow_unit
        self.guide = self._guide()
        t = engine.topology
        seen = np.array([t.node_index[name] for name in nodes], dtype=np.int64)
        metered = np.array([t.link_index[name] for name in links], dtype=np.int64)
        self.sensors = Sensors(
            self.layout.node[seen], self.model.elevation[seen], self.layout.link[metered], self.model.emitter_backflow,
        )  # fmt: skip
        self.tolerance = np.array([HEAD_TOLERANCE / _FOOT, FLOW_TOLERANCE / _FOOT**3])
        self.iterations = 0

    def _guide(self) -> Guide:
        engine, layout = self.engine, self.layout
        own = engine.accuracy
        engine.set_accuracy(min(own, _GUIDE_ACCURACY))
        times, flows, heads = [], [], []
        status = np.empty(0)
        for now in engine.steps():
            if not times:
                status = engine.read("link", "exact_status")
            times.append(now)
            heads.append(engine.read("node", "head") / _FOOT)
            flows.append(engine.read("link", "flow") / self.flow_unit)
        engine.set_accuracy(own)
        flow, head = np.empty((len(times), len(layout.link))), np.empty((len(times), len(layout.node)))
        flow[:, layout.link] = flows
        # a valve that may as well be open as shut is as EPANET leaves it
        first = np.empty(len(layout.link), dtype=np.int64)
        first[layout.link] = status.astype(np.int64)
        self.first_status = first[self.plant.links.n_plain :]
        head[:, layout.node] = heads
        return Guide(np.array(times, dtype=np.int64), flow, head)

    def run(self, scenarios: Sequence[Scenario]) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
        """Run scenarios, in their order."""
        steps = self.engine.duration // self.model.report_step + 1
        n = len(scenarios)
        pressure = np.full((n, steps, len(self.sensors.node)), np.nan)
        flow = np.full((n, steps, len(self.sensors.link)), np.nan)
        leak = np.zeros((n, steps))
        proved = np.zeros(n, dtype=bool)
        for begin in range(0, n, WIDTH):
            some = list(scenarios[begin : begin + WIDTH])
            out = Output(
                np.full((WIDTH, steps, len(self.sensors.node)), np.nan),
                np.full((WIDTH, steps, len(self.sensors.link)), np.nan),
                np.zeros((WIDTH, steps)), np.zeros(WIDTH, dtype=np.int64),
            )  # fmt: skip
            sites = self._sites(some, out.alive)
            (state, leaks), scratch = self._state(sites), self._scratch()
            self.iterations += run_group(
                *self.plant, sites, leaks, state, self.guide, scratch, self.sensors, self.tolerance, out
            )
            k = len(some)
            pressure[begin : begin + k] = out.pressure[:k] * _FOOT
            flow[begin : begin + k] = out.flow[:k] * self.flow_unit
            leak[begin : begin + k] = out.leak[:k] * self.flow_unit
            proved[begin : begin + k] = out.alive[:k] != 0
        return pressure, flow, leak, proved

    def _scratch(self) -> Scratch:
        def whole(value: int) -> Ints:
            return np.full(WIDTH, value, dtype=np.int64)

        return Scratch(
            aligned(1), aligned(1), aligned(1), whole(0), whole(0), whole(0), whole(0), whole(0), whole(-1), whole(-1),
            aligned(len(self.plant.tanks.node)), np.zeros(self.plant.structure.n_nodes, dtype=np.int64),
            whole(0),
        )  # fmt: skip

    def _sites(self, scenarios: list[Scenario], alive: Ints) -> Sites:
        layout, links, t = self.layout, self.plant.links, self.engine.topology
        per_lane: list[list[tuple[int, int, float, float, float]]] = []
        openings, first, events = [], [0], []
        for lane, scenario in enumerate(scenarios):
            found: dict[tuple[int, int], int] = {}
            rows: list[tuple[int, int, float, float, float]] = []
            alive[lane] = 1
            for leak in scenario.leaks:
                if leak.pipe:
                    link = t.link_index.get(leak.pipe)
                    if link is None or not t.is_pipe[link]:
                        raise UnknownElement("pipe", leak.pipe, "the network")
                    k = int(layout.link[link])
                    if k >= links.n_plain:
                        alive[lane] = 0
                        continue
                    key = (MID_PIPE, k)
                    elevation = self.model.elevation[[t.start[link], t.end[link]]].mean()
                    own = layout.pipe_leak[link]
                    area = leak_coefficient(own, np.array([1, 2]))
                    entry = (MID_PIPE, k, elevation, area[0], area[1])
                else:
                    node = t.node_index.get(leak.node)
                    if node is None or not t.is_junction[node]:
                        raise UnknownElement("junction", leak.node, "the network")
                    key = (AT_NODE, int(layout.node[node]))
                    entry = (*key, self.model.elevation[node], 0.0, 0.0)
                if key not in found:
                    found[key] = len(rows)
                    rows.append(entry)
                end = NEVER if leak.end is None else leak.end
                openings.append((found[key], leak.start, end, leak.coefficient / self.engine.leak_unit * self._leak_factor))
            for closure in scenario.closures:
                link = t.link_index.get(closure.pipe)
                if link is None or not t.is_pipe[link]:
                    raise UnknownElement("pipe", closure.pipe, "the network")
                k = int(layout.link[link])
                if k >= links.n_plain or (MID_PIPE, k) in found:
                    alive[lane] = 0
                    continue
                found[CLOSED_PIPE, k] = len(rows)
                rows.append((CLOSED_PIPE, k, 0.0, 0.0, 0.0))
                end = NEVER if closure.end is None else closure.end
                openings.append((found[CLOSED_PIPE, k], closure.start, end, 1.0))
            per_lane.append(rows)
            first.append(len(openings))
            events.append(scenario.events())
        size = max([1, *map(len, per_lane)])
        whole, real = np.zeros((2, size, WIDTH), dtype=np.int64), np.zeros((3, size, WIDTH))
        for lane, rows in enumerate(per_lane):
            for s, entry in enumerate(rows):
                whole[:, s, lane] = entry[:2]
                real[:, s, lane] = entry[2:]
        times = np.full((max([1, *map(len, events)]), WIDTH), NEVER, dtype=np.int64)
        for lane, when in enumerate(events):
            times[: len(when), lane] = when
        factor = aligned(1)
        factor[:] = 1.0
        factor[0, : len(scenarios)] = [s.demand_factor for s in scenarios]
        count = np.array([len(rows) for rows in per_lane] + [0] * (WIDTH - len(per_lane)), dtype=np.int64)
        first += [len(openings)] * (WIDTH + 1 - len(first))
        return Sites(
            count, whole[0], whole[1], real[0], real[1], real[2], times,
            np.array(openings, dtype=np.float64).reshape(-1, 4), np.array(first, dtype=np.int64), factor,
        )  # fmt: skip

    @property
    def _leak_factor(self) -> float:
        """ft3/s per ft^0.5 in EPANET's unit of an emitter of exponent 0.5."""
        units, project = self.model.units, self.engine.project
        per_foot = _FOOT if units.metric else 0.4333 * project.option("specific_gravity")
        return float(np.sqrt(per_foot) / units.flow)

    def _state(self, sites: Sites) -> tuple[State, Leaks]:
        plant, guide = self.plant, self.guide
        s, n_links, n_sites = plant.structure, len(plant.links.start), sites.kind.shape[0]
        state = State(
            aligned(s.n_nodes), aligned(n_links), aligned(n_links), aligned(n_links), aligned(s.n_nodes),
            aligned(len(s.rows) + 1), aligned(s.n_nodes), aligned(s.n_nodes), aligned(len(self.draws)),
            aligned(len(self.draws)), aligned(len(self.draws)), aligned(len(self.draws)),
            np.repeat(self.first_status[:, None], WIDTH, axis=1), aligned(len(plant.devices.setting)),
            aligned(len(plant.tanks.node)), np.zeros(WIDTH, dtype=np.int64),
        )  # fmt: skip
        leaks = Leaks(
            aligned(n_sites), aligned(n_sites), aligned(n_sites), np.zeros((n_sites, 2, WIDTH)), aligned(n_sites),
            np.zeros((n_sites, 11, WIDTH)),
        )  # fmt: skip
        state.head[:] = guide.head[0][:, None]
        state.head[plant.tanks.node] = plant.tanks.level[:, None]
        state.flow[:] = guide.flow[0][:, None]
        state.setting[:] = plant.devices.setting[:, None]
        state.volume[:] = plant.tanks.volume[:, None]
        state.draw_coefficient[:] = self.draws[:, None]
        pressure = np.maximum(state.head[plant.draws.row] - plant.draws.base[:, None], 0.1)
        with np.errstate(divide="ignore"):
            start = (pressure / self.draws[:, None]) ** (1.0 / plant.draws.exponent[:, None])
        state.draw[:] = np.where(self.draws[:, None] > 0.0, start, 0.0)
        self._split_leakage(sites, state, leaks)
        return state, leaks

    def _split_leakage(self, sites: Sites, state: State, leaks: Leaks) -> None:
        """A pipe split by a leak gives half of its own leakage to its middle."""
        links, layout = self.plant.links, self.layout
        for lane in range(WIDTH):
            for k in range(sites.count[lane]):
                where = sites.where[k, lane]
                if sites.kind[k, lane] != MID_PIPE:
                    continue
                ends = (links.start[where], links.end[where])
                leaks.head[k, lane] = state.head[list(ends), lane].mean()
                leaks.second[k, lane] = state.flow[where, lane]
                for j, coefficient in enumerate((sites.area[k, lane], sites.growth[k, lane])):
                    if coefficient <= 0.0:
                        continue
                    power = 2.0 if j == 0 else 2.0 / 3.0
                    head = max(leaks.head[k, lane] - sites.elevation[k, lane], 0.1)
                    leaks.own[k, j, lane] = (head / coefficient) ** (1.0 / power)
                    for end in ends:
                        for o in np.flatnonzero((self.plant.draws.row == end) & (self.plant.draws.kind == 1 + j)):
                            whole = state.draw_coefficient[o, lane] ** (-1.0 / power)
                            whole -= 0.5 * coefficient ** (-1.0 / power)
                            state.draw_coefficient[o, lane] = max(whole, 1e-12) ** -power
