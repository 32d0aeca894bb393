"""Ridge regression whose parameters are many in all, but mostly matter to few data each: blocks with a border.

The normal matrix of withdrawals in a fortnight knows nothing of another fortnight's; each block is eliminated by itself
(Schur complement) and only the border, which all data know, is solved as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BORDER = -1
_PASSES = 6


@dataclass(frozen=True, slots=True)
class _Block:
    """One block's part of the normal equations."""

    columns: Ints
    inner: Floats
    across: Floats
    target: Floats


class Bordered:
    """Normal equations of  min |a x - b|^2 + |x|^2.

    Parameters
    ----------
    a
        float64 [n_data, n], whitened Jacobian in units of the prior.
    b
        float64 [n_data].
    block
        int64 [n], number of each parameter's block, `BORDER` for those that all data know.
    """

    def __init__(self, a: Floats, b: Floats, block: Ints) -> None:
        self.size, self.border = a.shape[1], np.flatnonzero(block == BORDER)
        edge = a[:, self.border]
        self._corner = edge.T @ edge + np.eye(len(self.border))
        self._edge_target = edge.T @ b
        self._blocks = []
        for number in np.unique(block[block != BORDER]):
            columns = np.flatnonzero(block == number)
            own = a[:, columns]
            rows = np.flatnonzero((own != 0.0).any(axis=1))
            own = own[rows]
            inner = own.T @ own + np.eye(len(columns))
            self._blocks.append(_Block(columns, inner, own.T @ edge[rows], own.T @ b[rows]))

    def solve(self, lower: Floats | None = None) -> Floats:
        """The minimum under x >= lower: what falls below is held at its bound and the others are solved again."""
        if lower is None:
            lower = np.full(self.size, -np.inf)
        held = np.zeros(self.size, dtype=bool)
        x = np.zeros(self.size)
        for _ in range(_PASSES):
            x = self._solve(held, lower)
            below = (x < lower - 1e-9) & ~held
            if not below.any():
                break
            held |= below
        return np.maximum(x, lower)

    def _solve(self, held: Bools, lower: Floats) -> Floats:
        x = np.where(held, lower, 0.0)
        fixed = held[self.border]
        corner, target = self._corner.copy(), self._edge_target.copy()
        kept: list[tuple[Bools, tuple[Floats, bool] | None, Floats]] = []
        for block in self._blocks:
            free = ~held[block.columns]
            bound = x[block.columns[~free]]
            target -= block.across[~free].T @ bound
            if not free.any():
                kept.append((free, None, np.empty(0)))
                continue
            factor = cho_factor(block.inner[np.ix_(free, free)])
            own = block.target[free] - block.inner[np.ix_(free, ~free)] @ bound
            corner -= block.across[free].T @ cho_solve(factor, block.across[free])
            target -= block.across[free].T @ cho_solve(factor, own)
            kept.append((free, factor, own))
        loose = ~fixed
        if loose.any():
            held_part = corner[np.ix_(loose, fixed)] @ x[self.border[fixed]]
            x[self.border[loose]] = cho_solve(cho_factor(corner[np.ix_(loose, loose)]), target[loose] - held_part)
        for block, (free, inner, own) in zip(self._blocks, kept, strict=True):
            if inner is not None:
                x[block.columns[free]] = cho_solve(inner, own - block.across[free] @ x[self.border])
        return x

    def covariance(self) -> tuple[Floats, dict[int, tuple[Ints, Floats]]]:
        """Inverse of the normal matrix: of the border, and of each block.

        Returns
        -------
        border : float64 [n_border, n_border]
        blocks : by position, the block's columns and float64 [k, k]
        """
        corner = self._corner.copy()
        inverses = []
        for block in self._blocks:
            inverse = cho_solve(cho_factor(block.inner), np.eye(len(block.columns)))
            inverses.append(inverse)
            corner -= block.across.T @ inverse @ block.across
        border = cho_solve(cho_factor(corner), np.eye(len(corner))) if len(corner) else corner
        blocks = {}
        for number, (block, inverse) in enumerate(zip(self._blocks, inverses, strict=True)):
            pull = inverse @ block.across
            blocks[number] = (block.columns, inverse + pull @ border @ pull.T)
        return border, blocks
