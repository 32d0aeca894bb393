"""Sparse L D L' of a symmetric matrix whose pattern is a network: analysed once, factorised at every state.

Up-looking factorisation along the elimination tree (T. Davis, "Algorithm 849: a concise sparse Cholesky factorization
package", ACM TOMS 31, 2005), in the minimum-degree order of SuperLU. The Laplacian of a network's conductances is a
diagonally dominant M-matrix: no pivoting is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import splu

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pattern:
    """What stays the same as long as the network's topology does.

    Attributes
    ----------
    place
        int64 [n], position of each unknown in the order of elimination.
    first, above
        Column pointers int64 [n + 1] and rows int64 [m] of the strict upper triangle, in that order.
    slot
        int64 [n_pairs], where the value of each pair of unknowns stands in the upper triangle.
    parent
        int64 [n], elimination tree; -1 at its roots.
    column
        int64 [n + 1], column pointers of L.
    """

    place: Ints
    first: Ints
    above: Ints
    slot: Ints
    parent: Ints
    column: Ints

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return len(self.place)


def analyse(size: int, a: Ints, b: Ints) -> Pattern:
    """Order the unknowns and find the pattern of L.

    Parameters
    ----------
    size
        Number of unknowns, n.
    a, b
        int64 [n_pairs], the two unknowns of each entry off the diagonal; pairs may repeat.
    """
    place = _order(size, a, b)
    low, high = np.minimum(place[a], place[b]), np.maximum(place[a], place[b])
    keys, slot = np.unique(high * size + low, return_inverse=True)
    above = (keys % size).astype(np.int64)
    first = np.searchsorted(keys, np.arange(size + 1, dtype=np.int64) * size).astype(np.int64)
    parent, count = _tree(first, above)
    column = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return Pattern(place, first, above, slot.astype(np.int64), parent, column)


def _order(size: int, a: Ints, b: Ints) -> Ints:
    """Minimum-degree order, int64 [size]: the place of each unknown."""
    if size < 2:
        return np.arange(size, dtype=np.int64)
    diagonal = np.arange(size)
    rows, columns = np.concatenate([a, b, diagonal]), np.concatenate([b, a, diagonal])
    values = np.concatenate([np.full(2 * len(a), -1.0), np.full(size, 2.0 * len(a) + 1.0)])
    matrix = coo_array((values, (rows, columns)), shape=(size, size)).tocsc()
    found = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return np.asarray(found.perm_c, dtype=np.int64)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _tree(first: Ints, above: Ints) -> Any:
    """Elimination tree and the number of entries below the diagonal in each column of L."""
    n = len(first) - 1
    parent, count, flag = np.full(n, -1), np.zeros(n, np.int64), np.full(n, -1)
    for k in range(n):
        flag[k] = k
        for p in range(first[k], first[k + 1]):
            i = above[p]
            while flag[i] != k:
                if parent[i] == -1:
                    parent[i] = k
                count[i] += 1
                flag[i] = k
                i = parent[i]
    return parent, count


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def factorise(first: Ints, above: Ints, parent: Ints, column: Ints, off: Floats, diagonal: Floats) -> Any:
    """Factorise.

    Parameters
    ----------
    off
        float64 [m], the strict upper triangle.
    diagonal
        float64 [n].

    Returns
    -------
    rows : int64 [nnz], the rows of L's entries below its unit diagonal, by column
    low : float64 [nnz], those entries
    pivot : float64 [n], D
    """
    n = len(first) - 1
    rows, low = np.empty(column[n], np.int64), np.empty(column[n])
    pivot, work = np.empty(n), np.zeros(n)
    flag, filled, path = np.full(n, -1), column[:n].copy(), np.empty(n, np.int64)
    for k in range(n):
        top = n
        flag[k] = k
        for p in range(first[k], first[k + 1]):
            i = above[p]
            work[i] += off[p]
            length = 0
            while flag[i] != k:
                path[length] = i
                length += 1
                flag[i] = k
                i = parent[i]
            while length > 0:
                top -= 1
                length -= 1
                path[top] = path[length]
        d = diagonal[k]
        for t in range(top, n):
            i = path[t]
            y = work[i]
            work[i] = 0.0
            end = filled[i]
            for p in range(column[i], end):
                work[rows[p]] -= low[p] * y
            ratio = y / pivot[i]
            d -= ratio * y
            rows[end] = k
            low[end] = ratio
            filled[i] = end + 1
        pivot[k] = d
    return rows, low, pivot


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def solve(column: Ints, rows: Ints, low: Floats, pivot: Floats, x: Floats) -> None:
    """Solve in place for many right-hand sides at once.

    The forward sweep visits only what the right-hand sides reach in the elimination tree: unit vectors reach little.

    Parameters
    ----------
    x
        float64 [n, k], rows in the order of elimination.
    """
    n, width = x.shape
    reached = np.zeros(n, np.bool_)
    for j in range(n):
        row = x[j]
        if not (reached[j] or row.any()):
            continue
        reached[j] = True
        for p in range(column[j], column[j + 1]):
            reached[rows[p]] = True
            other, value = x[rows[p]], low[p]
            for c in range(width):
                other[c] -= value * row[c]
    for j in range(n - 1, -1, -1):
        row = x[j]
        if reached[j]:
            inverse = 1.0 / pivot[j]
            for c in range(width):
                row[c] *= inverse
        for p in range(column[j], column[j + 1]):
            other, value = x[rows[p]], low[p]
            for c in range(width):
                row[c] -= value * other[c]
