"""Which valves isolate a pipe, and who is without water meanwhile.

Valves cut a network into segments: what stays joined when all of them are shut (Walski 1993, "Water distribution valve
topology for reliability analysis"). To repair a pipe its segment is isolated; without water are the segment's nodes and
those that no source reaches any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from networks.errors import UnknownElement
from networks.topology import Topology

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
_BOUNDARY = "boundary"


@dataclass(frozen=True, slots=True)
class ValveSet:
    """Valves that a crew can turn.

    Attributes
    ----------
    names
        [n_valves].
    link, node
        int64 [n_valves], the link that each one is on and the end of it where it stands.
    is_shut
        bool [n_valves], shut for good already.
    """

    names: tuple[str, ...]
    link: Ints
    node: Ints
    is_shut: Bools


@dataclass(frozen=True, slots=True)
class Isolation:
    """How a segment is isolated.

    Attributes
    ----------
    valves
        To be shut, in the order of the table.
    shut
        On its boundary and shut already: to be checked.
    pipes
        Of the segment.
    inside
        int64, the segment's nodes.
    beyond
        int64, nodes outside that no source reaches while it is isolated.
    """

    valves: tuple[str, ...]
    shut: tuple[str, ...]
    pipes: tuple[str, ...]
    inside: Ints
    beyond: Ints

    @property
    def nodes(self) -> Ints:
        """int64, all nodes without water."""
        return np.sort(np.concatenate([self.inside, self.beyond]))


def valve_set(topology: Topology, table: Iterable[tuple[str, str, str, str]], closed: Collection[str] = ()) -> ValveSet:
    """Valves of a table, with those that must be there because a link is closed.

    Parameters
    ----------
    topology
        The network, its control valves among the links: each can be shut too.
    table
        Valve, pipe, the node that it stands at, kind ("boundary" or another word).
    closed
        Links that are shut for good (`networks.closed.closed_links`). One without a valve of the table gets a shut one
        of its own name at its first node.

    Raises
    ------
    UnknownElement
        If a pipe or node is not in the network, or the node is no end of the pipe.
    """
    names, links, nodes, kinds = [], [], [], []
    for valve, pipe, node, kind in table:
        link, place = topology.link(pipe), topology.node(node)
        if place not in (topology.start[link], topology.end[link]):
            raise UnknownElement("end", node, f"pipe '{pipe}' of valve '{valve}'")
        names.append(valve)
        links.append(link)
        nodes.append(place)
        kinds.append(kind)
    on_table = set(links)
    shut_links = {topology.link_index[name] for name in closed if name in topology.link_index}
    boundary = {link for link, kind in zip(links, kinds, strict=True) if kind == _BOUNDARY}
    is_shut = [
        link in shut_links and (kind == _BOUNDARY or link not in boundary)
        for link, kind in zip(links, kinds, strict=True)
    ]
    own = shut_links - on_table
    for link in sorted(own | set(_control_valves(topology)) - on_table):
        names.append(topology.links[link])
        links.append(link)
        nodes.append(int(topology.start[link]))
        is_shut.append(link in shut_links)
    return ValveSet(
        tuple(names), np.array(links, dtype=np.int64), np.array(nodes, dtype=np.int64), np.array(is_shut, dtype=bool)
    )


def _control_valves(topology: Topology) -> list[int]:
    return [int(link) for link in np.flatnonzero(~topology.is_pipe)]


@dataclass(frozen=True)
class Segments:
    """A network cut at its valves.

    Attributes
    ----------
    topology, valves
        What is cut, and where.
    one_way
        bool [n_links], links through which water runs from start to end alone: pumps, check valves, reducing and
        sustaining valves.
    sources
        bool [n_nodes]; by default all that are no junctions.
    """

    topology: Topology
    valves: ValveSet
    one_way: Bools
    sources: Bools

    @cached_property
    def labels(self) -> Ints:
        """int64 [n_nodes + n_links], segment of every node, then of every link."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        ends = self._open_ends(np.ones(len(self.valves.names), dtype=bool))
        size = len(self.topology.nodes) + len(self.topology.links)
        graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size))
        _, labels = connected_components(graph.tocsr(), directed=False)
        return labels.astype(np.int64)

    @property
    def of_node(self) -> Ints:
        """int64 [n_nodes]."""
        return self.labels[: len(self.topology.nodes)]

    @property
    def of_link(self) -> Ints:
        """int64 [n_links]."""
        return self.labels[len(self.topology.nodes) :]

    def _open_ends(self, shut: Bools) -> Ints:
        """Joints of a link with a node at its end, int64 [k, 2] of (node, n_nodes + link), without those shut."""
        topology, n = self.topology, len(self.topology.nodes)
        links = np.arange(len(topology.links), dtype=np.int64)
        joints = np.concatenate(
            [np.stack([topology.start, links + n], axis=1), np.stack([topology.end, links + n], axis=1)]
        )
        at = {(int(a), int(b) + n) for a, b in zip(self.valves.node[shut], self.valves.link[shut], strict=True)}
        keep = np.fromiter(((int(a), int(b)) not in at for a, b in joints), dtype=bool, count=len(joints))
        return np.asarray(joints[keep])

    def sides(self, valve: int) -> tuple[int, int]:
        """Segments on both sides of a valve."""
        return int(self.of_link[self.valves.link[valve]]), int(self.of_node[self.valves.node[valve]])

    def wet(self, removed: Bools | None = None) -> Bools:
        """Nodes that a source reaches while some segments are isolated, bool [n_nodes].

        Parameters
        ----------
        removed
            bool [n_segments].
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import breadth_first_order

        topology, n, m = self.topology, len(self.topology.nodes), len(self.topology.links)
        joints = self._open_ends(self.valves.is_shut)
        gone = np.zeros(n + m, dtype=bool) if removed is None else removed[self.labels]
        joints = joints[~gone[joints].any(axis=1)]
        node, link = joints[:, 0], joints[:, 1] - n
        enters = ~self.one_way[link] | (topology.start[link] == node)
        leaves = ~self.one_way[link] | (topology.end[link] == node)
        root = n + m
        sources = np.flatnonzero(self.sources & ~gone[:n])
        tail = np.concatenate([node[enters], joints[leaves, 1], np.full(len(sources), root)])
        head = np.concatenate([joints[enters, 1], node[leaves], sources])
        graph = coo_array((np.ones(len(tail)), (tail, head)), shape=(root + 1, root + 1)).tocsr()
        reached = np.zeros(root + 1, dtype=bool)
        reached[breadth_first_order(graph, root, directed=True, return_predecessors=False)] = True
        return reached[:n]

    def isolate(self, link: int) -> Isolation:
        """Isolate the segment that a link is in."""
        return self.isolate_segments({int(self.of_link[link])})

    def isolate_segments(self, segments: Collection[int]) -> Isolation:
        """Isolate some segments together."""
        removed = np.zeros(int(self.labels.max()) + 1, dtype=bool)
        removed[list(segments)] = True
        crossing = [k for k in range(len(self.valves.names)) if len({bool(removed[s]) for s in self.sides(k)}) == 2]
        within = removed[self.of_node]
        dry = self.wet() & ~self.wet(removed) & ~within
        links = np.flatnonzero(removed[self.of_link] & self.topology.is_pipe)
        return Isolation(
            valves=tuple(self.valves.names[k] for k in crossing if not self.valves.is_shut[k]),
            shut=tuple(self.valves.names[k] for k in crossing if self.valves.is_shut[k]),
            pipes=tuple(self.topology.links[k] for k in links),
            inside=np.flatnonzero(within).astype(np.int64),
            beyond=np.flatnonzero(dry).astype(np.int64),
        )


def segments_of(topology: Topology, valves: ValveSet, one_way: Bools | None = None) -> Segments:
    """Cut a network at its valves; every reservoir and tank is a source."""
    direction = np.zeros(len(topology.links), dtype=bool) if one_way is None else one_way
    return Segments(topology, valves, direction, ~topology.is_junction)
