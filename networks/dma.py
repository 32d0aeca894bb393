"""Districts (DMA, block): their inlets and boundary valves, whether they are isolated, and what is in them.

A district is isolated when every link across its boundary is metered or closed. Who holds a table of nodes asks
`find_dmas`: a link that crosses open and without a meter is named. Who has no table asks `districts_of`: what the
meters and closed links cut out is then a district, isolated by definition.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from networks.topology import Topology

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_NONE = -1


@dataclass(frozen=True, slots=True)
class Boundary:
    """What is known of the links that may bound a district.

    Attributes
    ----------
    metered
        Links with a flow meter.
    closed
        Links that are shut for good, boundary valves among them (`networks.closed.closed_links`).
    """

    metered: frozenset[str]
    closed: frozenset[str]

    def cut(self, topology: Topology) -> Bools:
        """Metered and closed links, bool [n_links]; names that the topology has not are left out."""
        return _mask(topology, self.metered | self.closed)


@dataclass(frozen=True, slots=True)
class Consumption:
    """What nodes take.

    Attributes
    ----------
    demand
        float64 [n_nodes], mean, m3/s.
    connections
        int64 [n_nodes], or None where nobody has counted them.
    """

    demand: Floats
    connections: Ints | None = None


@dataclass(frozen=True, slots=True)
class Dma:
    """A district.

    Attributes
    ----------
    name
        As the table has it; the number of the part where there is none.
    nodes
        int64 [n], junctions, tanks and reservoirs inside; meter chambers that no district claims among them.
    inlets
        Metered links across the boundary, whichever way they flow.
    boundary
        Closed links across the boundary.
    leaks
        Links across the boundary that are neither: water passes there and nobody counts it.
    length
        Of pipes with both ends inside, m.
    demand
        Mean, m3/s.
    connections
        Number, or None where unknown.
    """

    name: str
    nodes: Ints
    inlets: tuple[str, ...]
    boundary: tuple[str, ...]
    leaks: tuple[str, ...]
    length: float
    demand: float
    connections: int | None

    @property
    def is_isolated(self) -> bool:
        """Whether all water that enters or leaves is counted."""
        return bool(self.inlets) and not self.leaks


def find_dmas(
    topology: Topology, dma_of: Mapping[str, str], boundary: Boundary, consumption: Consumption | None = None
) -> list[Dma]:
    """Find the districts of a table.

    Parameters
    ----------
    topology
        The network.
    dma_of
        District by node; nodes that are absent or have an empty one belong to none (trunks, stations).
    boundary
        Meters and closed links.
    consumption
        To be summed; nothing where not given.

    Returns
    -------
    list of Dma
        In the table's order.

    Raises
    ------
    UnknownElement
        If the table has a node that the network has not.
    """
    names = list(dict.fromkeys(dma for dma in dma_of.values() if dma))
    number = {name: k for k, name in enumerate(names)}
    label = np.full(len(topology.nodes), _NONE, dtype=np.int64)
    for node, dma in dma_of.items():
        if dma:
            label[topology.node(node)] = number[dma]
    _claim_chambers(topology, label, boundary)
    return [_dma(topology, name, label == k, boundary, consumption) for name, k in number.items()]


def districts_of(
    topology: Topology, boundary: Boundary, reservoirs: Collection[str], consumption: Consumption | None = None
) -> list[Dma]:
    """Find the districts that meters and closed links cut out of a network, for a model without tables.

    A part with a reservoir is none: what feeds it is not metered. A tank is part of its district.

    Returns
    -------
    list of Dma
        Largest first, called "1", "2", ….
    """
    label = topology.districts(boundary.cut(topology))
    fed = {int(label[topology.node(name)]) for name in reservoirs}
    parts = [np.flatnonzero(label == k) for k in range(int(label.max()) + 1) if k not in fed]
    parts = [part for part in parts if topology.is_junction[part].any()]
    parts.sort(key=lambda part: (-len(part), int(part[0])))
    found = []
    for number, part in enumerate(parts, start=1):
        inside = np.zeros(len(topology.nodes), dtype=bool)
        inside[part] = True
        found.append(_dma(topology, str(number), inside, boundary, consumption))
    return found


def _claim_chambers(topology: Topology, label: Ints, boundary: Boundary) -> None:
    """Give meter chambers to the district behind them.

    A chamber is a part that no district claims, between one metered link and one district: nothing else leads out of
    it, and neither tank nor reservoir is in it. A trunk that leaks into a district has many meters and is none.
    """
    free = label == _NONE
    cut = boundary.cut(topology)
    metered = _mask(topology, boundary.metered)
    touches = free[topology.start] | free[topology.end]
    # parts of free nodes alone: links that leave them are cut too
    part = topology.districts(cut | ~(free[topology.start] & free[topology.end]))
    meters: dict[int, int] = {}
    behind: dict[int, set[int]] = {}
    for link in np.flatnonzero(touches).tolist():
        for node, other in ((topology.start[link], topology.end[link]), (topology.end[link], topology.start[link])):
            if free[node] and metered[link]:
                meters[int(part[node])] = meters.get(int(part[node]), 0) + 1
            elif free[node] and not free[other] and not cut[link]:
                behind.setdefault(int(part[node]), set()).add(int(label[other]))
    for number, owners in behind.items():
        members = free & (part == number)
        if len(owners) == 1 and meters.get(number, 0) == 1 and topology.is_junction[members].all():
            label[members] = owners.pop()


def _dma(topology: Topology, name: str, inside: Bools, boundary: Boundary, consumption: Consumption | None) -> Dma:
    start, end = inside[topology.start], inside[topology.end]
    crossing = [topology.links[k] for k in np.flatnonzero(start != end)]
    closed = tuple(link for link in crossing if link in boundary.closed)
    inlets = tuple(link for link in crossing if link in boundary.metered and link not in boundary.closed)
    known = {*closed, *inlets}
    connections = consumption.connections if consumption is not None else None
    return Dma(
        name=name,
        nodes=np.flatnonzero(inside).astype(np.int64),
        inlets=inlets,
        boundary=closed,
        leaks=tuple(link for link in crossing if link not in known),
        length=float(topology.length[start & end].sum()),
        demand=float(consumption.demand[inside].sum()) if consumption is not None else 0.0,
        connections=int(connections[inside].sum()) if connections is not None else None,
    )


def _mask(topology: Topology, names: Iterable[str]) -> Bools:
    mask = np.zeros(len(topology.links), dtype=bool)
    mask[[topology.link_index[name] for name in names if name in topology.link_index]] = True
    return mask
