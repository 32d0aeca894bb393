"""Nodes and links as plain arrays, and distances measured along pipes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from networks.errors import UnknownElement

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# scipy is imported where it is needed: most commands never measure a distance, and it takes half a second
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Topology:
    """Nodes and links of a network in the order of its INP.

    Attributes
    ----------
    nodes, links
        Names, [n_nodes] and [n_links].
    start, end
        int64 [n_links], index of the node at each end.
    length
        float64 [n_links], m; 0 for pumps and valves.
    is_pipe
        bool [n_links].
    is_junction
        bool [n_nodes]; the others are tanks and reservoirs.
    xy
        float64 [n_nodes, 2], the INP's coordinates; NaN where it has none.
    """

    nodes: tuple[str, ...]
    links: tuple[str, ...]
    start: Ints
    end: Ints
    length: Floats
    is_pipe: Bools
    is_junction: Bools
    xy: Floats
    _distances: dict[int, Floats] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def node_index(self) -> dict[str, int]:
        """Position of each node by name."""
        return {name: k for k, name in enumerate(self.nodes)}

    @cached_property
    def link_index(self) -> dict[str, int]:
        """Position of each link by name."""
        return {name: k for k, name in enumerate(self.links)}

    @cached_property
    def pipes(self) -> Ints:
        """int64 [n_pipes], the links that are pipes."""
        return np.flatnonzero(self.is_pipe).astype(np.int64)

    @cached_property
    def _graph(self) -> csr_array:
        from scipy.sparse import coo_array, csr_array

        # scipy reads an explicit zero as "no edge": pumps and valves get a length that rounds away
        length = np.maximum(self.length, 1e-6)
        n = len(self.nodes)
        # of parallel links the shortest counts; coo would add them up
        order = np.lexsort((length, np.maximum(self.start, self.end), np.minimum(self.start, self.end)))
        low = np.minimum(self.start, self.end)[order]
        high = np.maximum(self.start, self.end)[order]
        first = np.ones(len(order), dtype=bool)
        first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
        return csr_array(coo_array((length[order][first], (low[first], high[first])), shape=(n, n)))

    def link(self, name: str) -> int:
        """Position of a link.

        Raises
        ------
        UnknownElement
            If the network has no such link.
        """
        try:
            return self.link_index[name]
        except KeyError:
            raise UnknownElement("link", name, "the network") from None

    def node(self, name: str) -> int:
        """Position of a node.

        Raises
        ------
        UnknownElement
            If the network has no such node.
        """
        try:
            return self.node_index[name]
        except KeyError:
            raise UnknownElement("node", name, "the network") from None

    def centre(self, link: int) -> tuple[float, float]:
        """Middle between a link's two nodes, in the INP's coordinates."""
        x, y = (self.xy[self.start[link]] + self.xy[self.end[link]]) / 2.0
        return float(x), float(y)

    def distance_from_nodes(self, nodes: Ints) -> Floats:
        """Distance along links from each of some nodes to every node.

        Returns
        -------
        float64 [len(nodes), n_nodes], m
            Infinite where there is no way.
        """
        from scipy.sparse.csgraph import dijkstra

        distances: Floats = np.atleast_2d(dijkstra(self._graph, directed=False, indices=nodes))
        return distances

    def distance_from_link(self, link: int) -> Floats:
        """Distance along links from one link's centre to every link's centre.

        Returns
        -------
        float64 [n_links], m
            0 at the link itself, infinite where there is no way.
        """
        if link not in self._distances:
            to_node = self.distance_from_nodes(np.array([self.start[link], self.end[link]], dtype=np.int64))
            near = np.minimum(to_node[0], to_node[1]) + self.length[link] / 2.0
            distance = np.minimum(near[self.start], near[self.end]) + self.length / 2.0
            distance[link] = 0.0
            self._distances[link] = distance
        return self._distances[link]

    def districts(self, boundary: Bools) -> Ints:
        """Parts that remain connected when the boundary links are cut.

        Parameters
        ----------
        boundary
            bool [n_links], True for metered and closed links.

        Returns
        -------
        int64 [n_nodes]
            Number of the part that each node is in.
        """
        from scipy.sparse import coo_array, csr_array
        from scipy.sparse.csgraph import connected_components

        keep = ~boundary
        n = len(self.nodes)
        graph = coo_array((np.ones(int(keep.sum())), (self.start[keep], self.end[keep])), shape=(n, n))
        _, labels = connected_components(csr_array(graph), directed=False)
        return labels.astype(np.int64)
