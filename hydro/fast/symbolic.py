"""Order in which unknown heads are eliminated, and where fill arises: worked out once for all scenarios."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Structure of the factor of a symmetric matrix, rows and columns in the order of elimination.

    Attributes
    ----------
    order
        int64 [n], the unknown that is eliminated k-th.
    place
        int64 [n], when each unknown is eliminated.
    first
        int64 [n + 1], where each column's entries below the diagonal begin.
    rows
        int64 [nnz], row of each entry, ascending in each column.
    target
        int64 [n_updates]: for column after column, for each pair of its entries a < b, the entry that they change.
    """

    order: Ints
    place: Ints
    first: Ints
    rows: Ints
    target: Ints

    def entry(self, a: int, b: int) -> int:
        """Where the matrix element of two different unknowns (not yet permuted) is kept."""
        low, high = sorted((int(self.place[a]), int(self.place[b])))
        begin, end = self.first[low], self.first[low + 1]
        return int(begin + np.searchsorted(self.rows[begin:end], high))


def analyse(size: int, ends: Ints) -> Pattern:
    """Order by least degree and find the fill.

    Parameters
    ----------
    size
        Number of unknowns.
    ends
        int64 [n_links, 2], the unknowns that each link joins; parallel links and loops are allowed.

    Notes
    -----
    A. George and J. Liu, "The evolution of the minimum degree ordering algorithm", SIAM Review 31 (1989), in its plain
    form: networks of pipes are nearly trees and need nothing cleverer.
    """
    beside: list[set[int]] = [set() for _ in range(size)]
    for a, b in ends.tolist():
        if a != b:
            beside[a].add(b)
            beside[b].add(a)
    waiting = [(len(neighbours), k) for k, neighbours in enumerate(beside)]
    heapq.heapify(waiting)
    order, columns, done = [], [], np.zeros(size, dtype=bool)
    while waiting:
        degree, here = heapq.heappop(waiting)
        if done[here] or degree != len(beside[here]):
            continue
        done[here] = True
        order.append(here)
        columns.append(beside[here])
        for other in beside[here]:
            beside[other].discard(here)
            beside[other] |= beside[here]
            beside[other].discard(other)
            heapq.heappush(waiting, (len(beside[other]), other))
    sequence = _by_height(size, order, columns)
    place = np.empty(size, dtype=np.int64)
    place[np.array(order, dtype=np.int64)[sequence]] = np.arange(size)
    return _layout(np.array(order, dtype=np.int64)[sequence], place, [columns[k] for k in sequence])


def _by_height(size: int, order: list[int], columns: list[set[int]]) -> Ints:
    """Put columns that wait for none of each other side by side, those of one length together.

    The fill stays the same; the processor overlaps such columns, and guesses the lengths of their loops.
    """
    turn = np.empty(size, dtype=np.int64)
    turn[order] = np.arange(size)
    height = np.zeros(size, dtype=np.int64)
    for k, column in enumerate(columns):
        if column:
            parent = min(turn[node] for node in column)
            height[parent] = max(height[parent], height[k] + 1)
    entries = np.array([len(column) for column in columns], dtype=np.int64)
    return np.lexsort((np.arange(size), entries, height)).astype(np.int64)


def _layout(order: Ints, place: Ints, columns: list[set[int]]) -> Pattern:
    below = [sorted(int(place[k]) for k in column) for column in columns]
    first = np.concatenate(([0], np.cumsum([len(column) for column in below]))).astype(np.int64)
    slot = {(j, i): int(first[j]) + k for j, column in enumerate(below) for k, i in enumerate(column)}
    target = [slot[column[a], i] for column in below for a in range(len(column)) for i in column[a + 1 :]]
    rows = [i for column in below for i in column]
    return Pattern(order, place, first, np.array(rows, dtype=np.int64), np.array(target, dtype=np.int64))
