"""Zones that a valve can hold the pressure of: blocks, what lies behind other valves, inlets without a valve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hydro.engine import Engine
from networks import Network
from networks.closed import closed_links
from umanflow.errors import UserError
from umanflow.planner.sentence import Sentence
from umanflow.planner.setpoints import Zone
from umanflow.planner.valving import NewValve
from umanflow.report.wording import mark

_PRV = 3


@dataclass(frozen=True)
class NamedZone:
    """A zone by names: positions differ between the network and the one with new valves."""

    name: str
    valve: str
    inlet: str
    new: NewValve | None
    nodes: tuple[str, ...]
    closes: tuple[str, ...] = ()

    def at(self, engine: Engine) -> Zone:
        """The same by positions."""
        topology = engine.topology
        nodes = np.array([topology.node(n) for n in self.nodes], dtype=np.int64)
        outlet = int(topology.end[topology.link(self.valve)])
        return Zone(self.name, self.valve, self.inlet, self.new is not None, nodes, outlet, self.closes)


def members_of(network: Network) -> dict[str, tuple[str, ...]]:
    """Nodes by block of the network's tables."""
    if network.nodes is None or network.dmas is None:
        return {}
    grouped = {str(name): tuple(str(n) for n in rows["node"]) for name, rows in network.nodes.groupby("dma")}
    for dma in network.dmas["dma"]:
        if not grouped.get(str(dma)):
            told = mark("dmas.csv has the block '{block}', of which nodes.csv has no node; mend either")
            raise UserError(Sentence(told, block=str(dma)))
    return {str(dma): grouped[str(dma)] for dma in network.dmas["dma"]}


def present_zones(engine: Engine, network: Network) -> list[NamedZone]:
    """Valves that the network has: those of blocks, then the others with what lies behind them up to the next."""
    members, found, topology = members_of(network), [], engine.topology
    if members:
        assert network.dmas is not None
        rows = zip(network.dmas["dma"], network.dmas["inlet"], network.dmas["prv"], strict=True)
        found = [NamedZone(str(d), str(prv), str(i), None, members[str(d)]) for d, i, prv in rows if prv]
    known = {zone.valve for zone in found}
    cut = ~topology.is_pipe
    closed = closed_links(network)
    cut |= np.array([name in closed for name in topology.links])
    part = topology.districts(cut)
    fed = np.isin(part, part[~topology.is_junction])  # a tank or source holds the pressure there
    for valve in np.flatnonzero(engine.link_types == _PRV).tolist():
        name, zone = topology.links[valve], part[topology.end[valve]]
        if name not in known and name not in closed and not fed[topology.end[valve]]:
            nodes = tuple(topology.nodes[k] for k in np.flatnonzero(part == zone).tolist())
            found.append(NamedZone(name, name, name, None, nodes))
    return found


def bare_inlets(engine: Engine, network: Network) -> list[NamedZone]:
    """Inlets of blocks without a valve: one that would be built in."""
    members = members_of(network)
    if not members:
        return []
    assert network.dmas is not None
    engine.start()
    engine.solve()
    flow = engine.read("link", "flow")
    engine.stop()
    found = []
    for dma, inlet, prv in zip(network.dmas["dma"], network.dmas["inlet"], network.dmas["prv"], strict=True):
        if not prv:
            new = NewValve(f"PLAN-PRV-{dma}", str(inlet), bool(flow[engine.topology.link(str(inlet))] >= 0.0))
            found.append(NamedZone(str(dma), new.name, str(inlet), new, members[str(dma)]))
    return found
