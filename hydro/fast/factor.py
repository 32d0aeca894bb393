"""L D L' of eight matrices of one structure at once, and the solution of their equations."""

from __future__ import annotations

from typing import Any

from numba import njit

from hydro.fast.lanes import put, row, splat


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def factorise_and_solve(size: int, first: Any, rows: Any, target: Any, diagonal: Any, below: Any, right: Any) -> None:
    """Factorise in place and solve.

    Parameters
    ----------
    size
        Number of unknowns.
    first, rows, target
        Of `symbolic.Pattern`.
    diagonal
        float64 [>= size, WIDTH]: the matrix's diagonal; becomes 1 / D.
    below
        float64 [>= nnz, WIDTH]: its entries below the diagonal, zero where only fill arises; becomes L.
    right
        float64 [>= size, WIDTH]: right-hand side; becomes the solution.
    """
    one = splat(1.0)
    t = 0
    for j in range(size):
        inverse = one / row(diagonal, j)
        put(diagonal, j, inverse)
        value = row(right, j)
        end = first[j + 1]
        for a in range(first[j], end):
            upper = row(below, a)
            lower = upper * inverse
            i = rows[a]
            put(diagonal, i, row(diagonal, i) - lower * upper)
            put(right, i, row(right, i) - lower * value)
            for b in range(a + 1, end):
                put(below, target[t], row(below, target[t]) - lower * row(below, b))
                t += 1
            put(below, a, lower)
    substitute_back(size, first, rows, diagonal, below, right)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def solve(size: int, first: Any, rows: Any, diagonal: Any, below: Any, right: Any) -> None:
    """Solve once more with a factor of `factorise_and_solve`."""
    for j in range(size):
        value = row(right, j)
        for a in range(first[j], first[j + 1]):
            put(right, rows[a], row(right, rows[a]) - row(below, a) * value)
    substitute_back(size, first, rows, diagonal, below, right)


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def substitute_back(size: int, first: Any, rows: Any, diagonal: Any, below: Any, right: Any) -> None:
    """Second half of a solution: D L' x = right."""
    for j in range(size - 1, -1, -1):
        value = row(right, j) * row(diagonal, j)
        for a in range(first[j], first[j + 1]):
            value = value - row(below, a) * row(right, rows[a])
        put(right, j, value)
