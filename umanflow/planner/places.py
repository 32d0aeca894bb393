"""Where a pressure-reducing valve could stand beside the inlets of blocks, and what it might be worth.

A part of a block (or of what lies in none) can have a valve of its own where all its customers have more than they
need in every hour, and few open pipes lead into it: one gets the valve, the others are shut. What that saves is first
estimated by L1/L0 = (P1/P0)^N1 with N1 = 1 (May 1994, mixed leaks), to choose what is worth simulating.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Topology
from umanflow.planner.simulation import DAY, HOUR, Day

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_SPARE_M = (3.0, 5.0, 8.0, 12.0, 18.0)
_MOST_BORDERS = 4
_THROUGH = 0.1  # of what flows in, that may flow on to others
_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Prices:
    """What a valve costs and what it brings, UAH.

    Attributes
    ----------
    valve, controller
        Of a valve with its chamber, and of a controller with set-points by the hour.
    shut
        First and by diameter in m: of a gate valve where a pipe is to be shut and has none.
    water, repair
        Of a m3 that does not leak, and of a break that does not come.
    years, discount
        Over which this counts, and share a year.
    """

    valve: float
    controller: float
    shut: tuple[float, float]
    water: float
    repair: float
    years: int
    discount: float

    @property
    def annuity(self) -> float:
        """Present worth of one hryvnia a year, the first at the end of the first year."""
        if self.discount == 0.0:
            return float(self.years)
        return (1.0 - (1.0 + self.discount) ** -self.years) / self.discount

    def worth(self, water: float, breaks: float) -> float:
        """Present worth of m3 a day and breaks a year that are saved."""
        return self.annuity * (water * _YEAR * self.water + breaks * self.repair)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A part that could have a valve.

    Attributes
    ----------
    area
        Block, or "" for what lies in none.
    nodes
        int64.
    inlet
        Link that gets the valve; `is_forward` where the part is at its second node.
    is_forward
        See there.
    closes
        int64, links to be shut.
    cost
        UAH.
    leakage, estimate
        m3/d in it now, and what might be saved.
    """

    area: str
    nodes: Ints
    inlet: int
    is_forward: bool
    closes: Ints
    cost: float
    leakage: float
    estimate: float


def hourly_flow(engine: Engine, settings: Mapping[str, Floats]) -> Floats:
    """Flow of every link at the full hours of the second day, float64 [24, n_links], m3/s."""
    flows = np.zeros((24, len(engine.topology.links)))
    engine.duration = 2 * DAY
    engine.start()
    last = -1
    while True:
        now = engine.now
        hour = (engine.clock_start + now) // HOUR % 24
        if hour != last:
            for valve, values in settings.items():
                engine.set_setting(valve, float(values[hour]))
            last = hour
        now = engine.solve()
        if now >= DAY and now % HOUR == 0:
            flows[hour] = engine.read("link", "flow")
        if engine.advance() <= 0:
            break
    engine.stop()
    return flows


@dataclass(frozen=True)
class Ground:
    """What candidates are looked for on.

    Attributes
    ----------
    topology
        Of the network, new inlets' valves included.
    areas
        int64 [n_nodes] by block, in blocks; nodes of -1 in each are out of bounds.
    day
        With set-points at the blocks' inlets.
    need
        float64 [n_nodes], pressure that is to be kept, m; minus infinite where there is no customer.
    flow
        float64 [24, n_links].
    is_open
        bool [n_links].
    has_valve
        bool [n_links], where nothing need be bought to shut it.
    diameter
        float64 [n_links], m.
    """

    topology: Topology
    areas: Mapping[str, Ints]
    day: Day
    need: Floats
    flow: Floats
    is_open: Bools
    has_valve: Bools
    diameter: Floats


def candidates(ground: Ground, prices: Prices, count: int) -> list[Candidate]:
    """The most promising places that do not lie in one another, best first; none that cannot pay by its estimate."""
    spare = np.stack([
        (ground.day.pressure[ground.day.hour == hour] - ground.need).min(axis=0) for hour in range(24)
    ])  # fmt: skip
    found: list[tuple[float, Candidate]] = []
    for area, nodes in ground.areas.items():
        parts: list[Ints] = []
        for least in _SPARE_M:
            inside = np.zeros(len(ground.topology.nodes), dtype=bool)
            inside[nodes] = spare[:, nodes].min(axis=0) >= least
            parts += _parts(ground, inside)
        parts += [part for part in _ends(ground, nodes) if spare[:, part].min() >= _SPARE_M[0]]
        for part in parts:
            candidate = _candidate(ground, prices, area, part, spare)
            if candidate is not None:
                found.append((prices.worth(candidate.estimate, 0.0) - candidate.cost, candidate))
    taken = np.zeros(len(ground.topology.nodes), dtype=bool)
    chosen: list[Candidate] = []
    for worth, candidate in sorted(found, key=lambda pair: (-pair[0], pair[1].inlet)):
        if worth <= 0.0 or len(chosen) == count:
            break
        if not taken[candidate.nodes].any():
            taken[candidate.nodes] = True
            chosen.append(candidate)
    return chosen


def _parts(ground: Ground, inside: Bools) -> list[Ints]:
    """Pieces of some nodes that open pipes join."""
    topology = ground.topology
    joined = inside[topology.start] & inside[topology.end] & ground.is_open & topology.is_pipe
    label = topology.districts(~joined)
    numbers, sizes = np.unique(label[inside], return_counts=True)
    return [np.flatnonzero(inside & (label == k)).astype(np.int64) for k in numbers[sizes > 1].tolist()]


def _ends(ground: Ground, nodes: Ints) -> list[Ints]:
    """What hangs on one pipe alone: for every bridge of an area's pipes, the side that its flow runs to."""
    import networkx

    topology = ground.topology
    inside = np.zeros(len(topology.nodes), dtype=bool)
    inside[nodes] = True
    links = np.flatnonzero((inside[topology.start] | inside[topology.end]) & ground.is_open)
    graph = networkx.MultiGraph()
    graph.add_edges_from((int(topology.start[k]), int(topology.end[k]), int(k)) for k in links)
    single = networkx.Graph(graph)  # parallel pipes are no bridge
    flow, found = ground.flow.mean(axis=0), []
    for one, other in list(networkx.bridges(single)):
        between = list(graph[one][other])
        if len(between) > 1:
            continue
        down = int(topology.end[between[0]] if flow[between[0]] >= 0.0 else topology.start[between[0]])
        single.remove_edge(one, other)
        part = np.array(sorted(networkx.node_connected_component(single, down)), dtype=np.int64)
        single.add_edge(one, other)
        if len(part) > 1 and inside[part].all():
            found.append(part)
    return found


def _cut_off(ground: Ground, closes: Ints) -> Ints:
    """Nodes that no source reaches any more when some links are shut."""
    if not len(closes):
        return np.zeros(0, dtype=np.int64)
    topology = ground.topology
    found = []
    for is_open in (ground.is_open, ground.is_open & ~np.isin(np.arange(len(topology.links)), closes)):
        label = topology.districts(~is_open)
        found.append(np.isin(label, label[~topology.is_junction]))
    return np.flatnonzero(found[0] & ~found[1]).astype(np.int64)


def _candidate(ground: Ground, prices: Prices, area: str, part: Ints, spare: Floats) -> Candidate | None:
    topology, day = ground.topology, ground.day
    inside = np.zeros(len(topology.nodes), dtype=bool)
    inside[part] = True
    if (~topology.is_junction)[part].any() or not np.isfinite(ground.need[part]).any():
        return None
    borders = np.flatnonzero((inside[topology.start] != inside[topology.end]) & ground.is_open)
    if not 1 <= len(borders) <= _MOST_BORDERS or not topology.is_pipe[borders].all():
        return None
    inflow = np.where(inside[topology.end[borders]], 1.0, -1.0) * ground.flow[:, borders]
    through = np.maximum(-inflow, 0.0).sum(axis=1)
    if (through > _THROUGH * np.maximum(inflow, 0.0).sum(axis=1) + 1e-9).any():
        return None
    order = np.argsort(-inflow.mean(axis=0), kind="stable")
    inlet, closes = int(borders[order[0]]), borders[order[1:]]
    dry = _cut_off(ground, closes)
    if len(dry):  # what the part alone feeds gets its pressure too
        return _candidate(ground, prices, area, np.union1d(part, dry), spare)
    own = topology.end[inlet] if inside[topology.end[inlet]] else topology.start[inlet]
    at_own = (topology.start == own) | (topology.end == own)
    if (at_own & ~topology.is_pipe).any() or not topology.is_junction[
        [topology.start[inlet], topology.end[inlet]]
    ].all():
        return None
    lost, leaks = 0.0, day.leakage[:, part].sum(axis=1)
    mean = np.average(day.pressure[:, part], axis=1, weights=np.maximum(day.leakage[:, part].sum(axis=0), 1e-12))
    for step, hour in enumerate(day.hour.tolist()):
        off = max(float(spare[hour, part].min()), 0.0) / max(float(mean[step]), 1.0)
        lost += float(day.weight[step] * leaks[step] * DAY) * min(off, 1.0)
    shut = sum(prices.shut[0] + prices.shut[1] * ground.diameter[k] for k in closes if not ground.has_valve[k])
    return Candidate(
        area, part, inlet, bool(inside[topology.end[inlet]]), closes.astype(np.int64),
        prices.valve + prices.controller + float(shut), float(day.leakage_m3d[part].sum()), lost,
    )  # fmt: skip
