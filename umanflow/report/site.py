"""The network as a report needs it: its districts and meters, its valves, its customers, and where on Earth it is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Network, Topology
from networks.closed import closed_links
from networks.dma import Boundary, Dma, districts_of, find_dmas
from networks.isolation import Segments, segments_of, valve_set
from umanflow.report.earth import Earth

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_RESERVOIR = 1
_ONE_WAY = (0, 2, 3, 4)  # EPANET's check valve, pump, pressure-reducing and pressure-sustaining valve


@dataclass
class Site:
    """A network and what belongs to it.

    Attributes
    ----------
    network, topology
        The model and its structure.
    node_types, link_types
        EPANET's codes.
    closed
        Links that are shut for good.
    metered
        Links with a flow meter.
    """

    network: Network
    topology: Topology
    node_types: Ints
    link_types: Ints
    closed: frozenset[str]
    metered: frozenset[str]
    _districts: dict[str, Dma] = field(default_factory=dict, repr=False)

    @cached_property
    def segments(self) -> Segments | None:
        """The network cut at its valves; None where it has no table of valves."""
        table = self.network.valves
        if table is None or table.empty:
            return None
        rows = [
            (str(valve), str(pipe), str(node), str(kind))
            for valve, pipe, node, kind in table[["valve", "pipe", "node", "kind"]].itertuples(index=False)
        ]
        valves = valve_set(self.topology, rows, self.closed)
        return segments_of(self.topology, valves, np.isin(self.link_types, _ONE_WAY))

    @cached_property
    def connections(self) -> Ints | None:
        """Customers' connections by node, int64 [n_nodes]; None where nobody has counted them."""
        table = self.network.nodes
        if table is None:
            return None
        counted = np.zeros(len(self.topology.nodes), dtype=np.int64)
        for node, number in zip(table["node"], table["connections"], strict=True):
            if str(node) in self.topology.node_index:
                counted[self.topology.node_index[str(node)]] = int(number)
        return counted

    @cached_property
    def streets(self) -> dict[str, str]:
        """Street of each pipe, where there is a table of pipes."""
        table = self.network.pipes
        return {} if table is None else {str(p): str(s) for p, s in zip(table["pipe"], table["street"], strict=True)}

    @cached_property
    def districts(self) -> dict[str, Dma]:
        """Districts by name: those of the network's table, or those that its meters cut out."""
        boundary = Boundary(self.metered, self.closed)
        nodes = self.network.nodes
        if nodes is not None:
            dma_of = {str(n): str(d) for n, d in zip(nodes["node"], nodes["dma"], strict=True)}
            known = {n: d for n, d in dma_of.items() if n in self.topology.node_index}
            return {dma.name: dma for dma in find_dmas(self.topology, known, boundary)}
        reservoirs = [self.topology.nodes[k] for k in np.flatnonzero(self.node_types == _RESERVOIR)]
        return {dma.name: dma for dma in districts_of(self.topology, boundary, reservoirs)}

    def district(self, name: str, pipe: str) -> Dma | None:
        """The district of that name, or that a pipe lies in; None where it lies in none."""
        if name in self.districts and self.network.nodes is not None:
            return self.districts[name]
        link = self.topology.link_index.get(pipe)
        if link is None:
            return None
        ends = {int(self.topology.start[link]), int(self.topology.end[link])}
        for dma in self.districts.values():
            if ends <= set(dma.nodes.tolist()):
                return dma
        return None

    def inside(self, dma: Dma) -> Bools:
        """Nodes of a district, bool [n_nodes]."""
        mask = np.zeros(len(self.topology.nodes), dtype=bool)
        mask[dma.nodes] = True
        return mask

    def signed_inlets(self, dma: Dma) -> tuple[tuple[str, int], ...]:
        """Meters of a district and +1 where their positive flow enters it, -1 where it leaves."""
        inside = self.inside(dma)
        return tuple((link, 1 if inside[self.topology.end[self.topology.link(link)]] else -1) for link in dma.inlets)

    def customers(self, nodes: Ints) -> int | None:
        """Connections at some nodes; None where nobody has counted them."""
        return None if self.connections is None else int(self.connections[nodes].sum())

    @cached_property
    def _earth(self) -> Earth | None:
        return None if self.network.crs is None else Earth(self.network.crs)

    def on_earth(self, x: float | None, y: float | None) -> tuple[float, float] | None:
        """Longitude and latitude of a point of the INP, degrees; None where its place on Earth is unknown."""
        if x is None or y is None or self._earth is None:
            return None
        place = self._earth.place(x, y)
        return None if place is None else (round(place[0], 6), round(place[1], 6))


def site_of(network: Network, meters: Collection[str]) -> Site:
    """Open a network in EPANET, take its structure, and close it again.

    Parameters
    ----------
    meters
        Links with a flow meter beside those of the network's table of instruments.
    """
    with Engine(network) as engine:
        topology, node_types, link_types = engine.structure
    sensors = network.sensors
    listed = set() if sensors is None else {str(e) for e in sensors.loc[sensors["quantity"] == "flow", "element"]}
    metered = frozenset(name for name in {*meters, *listed} if name in topology.link_index)
    return Site(network, topology, node_types, link_types, closed_links(network), metered)
