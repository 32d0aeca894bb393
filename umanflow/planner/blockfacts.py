"""What designs of blocks start from: the network as it is, its customers, trunks and valves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Network, Topology
from networks.closed import closed_links
from umanflow.planner.pressure import Norm

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DAY, _HOUR = 86_400, 3_600
_TRUNK_KINDS = ("trunk", "supply")
_TRUNK_SHARE = 0.15  # of the length, where no table says what is a trunk


@dataclass(frozen=True)
class Facts:
    """What does not depend on the design.

    `lowest` is the least pressure of each node over a day with everything open that may be, `present` as the network
    is now: whoever has his free head now is to keep it.
    """

    topology: Topology
    connections: Floats
    due: Floats
    diameter: Floats
    is_trunk: Bools
    is_closed: Bools
    has_valve: Bools
    flow: Floats
    lowest: Floats
    present: Floats
    worst_hour: int


def facts_of(engine: Engine, network: Network, norm: Norm, reopen: bool) -> Facts:
    """Simulate a day of the network as it is; with `reopen`, with every pipe open that is shut for good."""
    topology = engine.topology
    shut = closed_links(network)
    is_closed = np.array([name in shut for name in topology.links])
    connections, due = np.zeros(len(topology.nodes)), np.zeros(len(topology.nodes))
    if network.nodes is not None:
        at = [topology.node(name) for name in network.nodes["node"]]
        connections[at] = network.nodes["connections"]
        due[at] = np.where(connections[at] > 0, norm.head(network.nodes["storeys"].to_numpy()), 0.0)
    else:  # a connection is what an average one would take
        demand = sum(np.maximum(engine.demand_at(h * _HOUR), 0.0) for h in range(24)) / 24.0
        connections[engine.junctions] = demand * _DAY / 0.5
        due[connections > 0.0] = norm.first
    diameter = engine.read("link", "diameter")
    present = usual_day(engine)[1]
    if reopen:
        for link in np.flatnonzero(is_closed & topology.is_pipe).tolist():
            engine.set_status(topology.links[link], is_open=True)
        is_closed &= ~topology.is_pipe
    flow, lowest, worst = usual_day(engine)
    return Facts(
        topology, connections, due, diameter, _trunks(network, topology, diameter), is_closed,
        _valved(network, topology), flow, lowest, present, worst,
    )  # fmt: skip


def _trunks(network: Network, topology: Topology, diameter: Floats) -> Bools:
    """Links that feed blocks and are in none."""
    is_trunk = np.zeros(len(topology.links), dtype=bool)
    if network.pipes is not None:
        at = [topology.link(name) for name in network.pipes["pipe"]]
        is_trunk[at] = network.pipes["kind"].isin(_TRUNK_KINDS).to_numpy() if "kind" in network.pipes else False
    if not is_trunk.any():
        order = np.argsort(-np.where(topology.is_pipe, diameter, 0.0), kind="stable")
        along = np.cumsum(topology.length[order])
        least = diameter[order[int(np.searchsorted(along, _TRUNK_SHARE * along[-1]))]]
        is_trunk = topology.is_pipe & (diameter > least)
    # what a source stands on is a trunk too
    source = ~topology.is_junction
    return np.asarray(is_trunk | source[topology.start] | source[topology.end])


def _valved(network: Network, topology: Topology) -> Bools:
    found = ~topology.is_pipe
    if network.valves is not None:
        found[[topology.link(name) for name in network.valves["pipe"] if name in topology.link_index]] = True
    return found


def usual_day(engine: Engine) -> tuple[Floats, Floats, int]:
    """Mean flow of every link, lowest pressure of every node, and the hour of most demand, over the first day."""
    engine.duration = _DAY
    flows, lowest = np.zeros(len(engine.topology.links)), np.full(len(engine.topology.nodes), np.inf)
    most, worst, seconds = -np.inf, 0, 0
    engine.start()
    while True:
        now = engine.solve()
        flow, pressure = engine.read("link", "flow"), engine.read("node", "pressure")
        demand = float(engine.read("node", "demand")[engine.junctions].sum())
        lowest = np.minimum(lowest, pressure)
        if demand > most and now >= _HOUR:
            most, worst = demand, now
        step = engine.advance()
        if step <= 0:
            break
        flows += step * flow
        seconds += step
    engine.stop()
    return flows / max(seconds, 1), lowest, worst
