"""Cut a street network into parts of alike size across few and small pipes.

Recursive spectral bisection (Fiedler 1973; Pothen, Simon and Liou 1990): nodes are ordered by the second eigenvector of
the graph's Laplacian and cut where the cut is cheapest within the balance; then nodes at the border change sides while
that makes the cut cheaper (Fiduccia and Mattheyses 1982). Every part stays in one piece.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DENSE = 1200  # nodes; up to here all eigenvectors are cheaper than some
_PASSES = 6


@dataclass(frozen=True, slots=True)
class Streets:
    """A graph to be cut.

    Attributes
    ----------
    start, end
        int64 [n_edges], nodes from 0.
    cost
        float64 [n_edges], of cutting an edge; above zero.
    size
        float64 [n_nodes], what is to be shared out: connections.
    """

    start: Ints
    end: Ints
    cost: Floats
    size: Floats

    @property
    def matrix(self) -> csr_array:
        """Costs as a symmetric matrix."""
        n = len(self.size)
        rows, columns = np.concatenate((self.start, self.end)), np.concatenate((self.end, self.start))
        return csr_array(coo_array((np.concatenate((self.cost, self.cost)), (rows, columns)), shape=(n, n)))

    def among(self, nodes: Ints) -> Streets:
        """The graph of some nodes, numbered anew in their order."""
        place = np.full(len(self.size), -1, dtype=np.int64)
        place[nodes] = np.arange(len(nodes))
        keep = (place[self.start] >= 0) & (place[self.end] >= 0)
        return Streets(place[self.start[keep]], place[self.end[keep]], self.cost[keep], self.size[nodes])


def partition(streets: Streets, least: float, most: float, slack: float = 0.35) -> Ints:
    """Cut every piece that is larger than `most` into parts between `least` and `most`, as far as it can be.

    Parameters
    ----------
    streets
        In any number of pieces.
    least, most
        Sizes; `most` is kept but where a single node exceeds it.
    slack
        By how much of itself a part may differ from its fair share, while it is cut; 0 to 0.5.

    Returns
    -------
    int64 [n_nodes]
        Number of the part, from 0.
    """
    n, pieces = connected_components(streets.matrix, directed=False)
    label = np.full(len(streets.size), -1, dtype=np.int64)
    found = 0
    for piece in range(n):
        nodes = np.flatnonzero(pieces == piece)
        middle = 0.5 * (least + most)
        count = max(round(float(streets.size[nodes].sum()) / middle), 1)
        if streets.size[nodes].sum() > most:
            count = max(count, 2)
        for part in _cut(streets, nodes, count, most, slack):
            label[part] = found
            found += 1
    return label


def _cut(streets: Streets, nodes: Ints, count: int, most: float, slack: float) -> list[Ints]:
    """Cut a connected piece into so many parts, or more while one is too large."""
    total = float(streets.size[nodes].sum())
    if (count <= 1 and total <= most) or len(nodes) < 2:
        return [nodes]
    left = max(count // 2, 1)
    share = left / max(count, 2)
    side = _bisect(streets.among(nodes), share, slack)
    if side.all() or not side.any():
        return [nodes]
    halves = (nodes[side], nodes[~side])
    counts = (left, max(count - left, 1))
    return [
        part for half, number in zip(halves, counts, strict=True) for part in _cut(streets, half, number, most, slack)
    ]


def _bisect(graph: Streets, share: float, slack: float) -> Bools:
    """Two connected sides, the first with about a share of the size."""
    matrix = graph.matrix
    order = np.argsort(_fiedler(matrix), kind="stable")
    best, cheapest = np.zeros(len(order), dtype=bool), np.inf
    for direction in (order, order[::-1]):
        position = np.empty(len(order), dtype=np.int64)
        position[direction] = np.arange(len(order))
        low = np.minimum(position[graph.start], position[graph.end])
        high = np.maximum(position[graph.start], position[graph.end])
        # an edge is cut by every split between its ends
        change = np.zeros(len(order) + 1)
        np.add.at(change, low, graph.cost)
        np.add.at(change, high, -graph.cost)
        price = np.cumsum(change)[: len(order) - 1]
        size = np.cumsum(graph.size[direction])[:-1] / max(graph.size.sum(), 1e-12)
        price = np.where(np.abs(size - share) <= slack * share, price, np.inf)
        if not np.isfinite(price).any():
            price = np.abs(size - share)
        at = int(np.argmin(price))
        side = position <= at
        side = _refine(graph, matrix, _whole(matrix, side), share, slack)
        cost = float(graph.cost[side[graph.start] != side[graph.end]].sum())
        if cost < cheapest:
            best, cheapest = side, cost
    return best


def _fiedler(matrix: csr_array) -> Floats:
    n = matrix.shape[0]
    degree = np.asarray(matrix.sum(axis=1)).ravel()
    if n <= _DENSE:
        _, vectors = np.linalg.eigh(np.diag(degree) - matrix.toarray())
        return np.asarray(vectors[:, 1])
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import eigsh

    start = np.random.default_rng(0).standard_normal(n)
    _, vectors = eigsh(csr_array(diags_array(degree) - matrix), k=2, sigma=-1e-3, v0=start)
    return np.asarray(vectors[:, 1])


def _whole(matrix: csr_array, side: Bools) -> Bools:
    """Give stray pieces of each side to the other, so that both are connected."""
    side = side.copy()
    for wanted in (True, False):
        members = np.flatnonzero(side == wanted)
        n, label = connected_components(matrix[members][:, members], directed=False)
        if n > 1:
            keep = int(np.argmax(np.bincount(label)))
            side[members[label != keep]] = not wanted
    return side


def _refine(graph: Streets, matrix: csr_array, side: Bools, share: float, slack: float) -> Bools:
    """Let nodes at the border change sides while the cut gets cheaper and both sides stay whole and of their size."""
    side, total = side.copy(), max(float(graph.size.sum()), 1e-12)
    wide = max(slack, 1e-9) * share
    for _ in range(_PASSES):
        sign = np.where(side, 1.0, -1.0)
        pull = np.asarray(matrix @ sign) * sign  # what holds a node on its side less what draws it over
        moved = False
        for node in np.argsort(pull, kind="stable").tolist():
            if pull[node] >= 0.0:
                break
            after = side.copy()
            after[node] = not after[node]
            balance = float(graph.size[after].sum()) / total
            if abs(balance - share) > wide or not _is_whole(matrix, after):
                continue
            side, moved = after, True
            sign = np.where(side, 1.0, -1.0)
            pull = np.asarray(matrix @ sign) * sign
        if not moved:
            break
    return side


def _is_whole(matrix: csr_array, side: Bools) -> bool:
    return all(
        members.any() and connected_components(matrix[members][:, members], directed=False)[0] == 1
        for members in (side, ~side)
    )
