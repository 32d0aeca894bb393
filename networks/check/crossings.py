"""Straight pieces that cross: sorted by their left ends, compared in blocks of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_BLOCK = 2_000_000
MOST_PAIRS = 100_000_000
_MOST_FOUND = 200_000  # a drawing with more tells nothing by its crossings


def crossings(pieces: Floats, owners: Ints, ends: Ints, most_pairs: int = MOST_PAIRS) -> tuple[Ints, bool]:
    """Pairs of links that cross in their inner parts and share no node.

    Parameters
    ----------
    pieces
        float64 [n_pieces, 4], x and y of both ends.
    owners
        int64 [n_pieces], the link that each piece belongs to.
    ends
        int64 [n_links, 2], the nodes of each link.
    most_pairs
        Comparisons after which to stop.

    Returns
    -------
    int64 [n_pairs, 2] and bool
        Links that cross, the lower number first, and whether every piece was compared.
    """
    if len(pieces) < 2:
        return np.empty((0, 2), dtype=np.int64), True
    pieces = pieces - np.median(pieces.reshape(-1, 2), axis=0)[[0, 1, 0, 1]]  # map coordinates leave few digits
    pieces = _along_longer_side(pieces)
    low = np.minimum(pieces[:, :2], pieces[:, 2:])
    order = np.argsort(low[:, 0], kind="stable")
    pieces, owners, low = pieces[order], owners[order], low[order]
    high = np.maximum(pieces[:, :2], pieces[:, 2:])
    # whatever begins before this piece ends, and after it in the order, may cross it
    first = np.arange(1, len(pieces) + 1)
    count = np.searchsorted(low[:, 0], high[:, 0], side="right") - first
    total = np.concatenate([[0], np.cumsum(count)])
    found: list[Ints] = []
    begin = 0
    while begin < len(pieces) and total[begin] < most_pairs and sum(map(len, found)) < _MOST_FOUND:
        stop = max(begin + 1, int(np.searchsorted(total, total[begin] + _BLOCK, side="right")) - 1)
        number = count[begin:stop]
        a = np.repeat(np.arange(begin, stop), number)
        b = np.arange(total[begin], total[stop]) - np.repeat(total[begin:stop] - first[begin:stop], number)
        near = (low[a, 1] <= high[b, 1]) & (low[b, 1] <= high[a, 1])
        a, b = a[near], b[near]
        a, b = _foreign(owners, ends, a, b)
        cut = _cross(pieces[a], pieces[b])
        found.append(np.sort(np.column_stack([owners[a[cut]], owners[b[cut]]]), axis=1))
        begin = stop
    pairs = np.unique(np.concatenate(found), axis=0) if found else np.empty((0, 2), dtype=np.int64)
    return pairs, begin >= len(pieces)


def _along_longer_side(pieces: Floats) -> Floats:
    """Sort along the side on which the pieces overlap less."""
    span = np.abs(pieces[:, :2] - pieces[:, 2:]).sum(axis=0)
    extent = np.ptp(pieces.reshape(-1, 2), axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(span / extent, nan=np.inf)
    return pieces if share[0] <= share[1] else pieces[:, [1, 0, 3, 2]]


def _foreign(owners: Ints, ends: Ints, a: Ints, b: Ints) -> tuple[Ints, Ints]:
    """Pairs of different links that share no node."""
    p, q = ends[owners[a]], ends[owners[b]]
    apart = (p[:, 0] != q[:, 0]) & (p[:, 0] != q[:, 1]) & (p[:, 1] != q[:, 0]) & (p[:, 1] != q[:, 1])
    apart &= owners[a] != owners[b]
    return a[apart], b[apart]


def _side(p: Floats, q: Floats, r: Floats) -> Floats:
    side: Floats = (q[:, 0] - p[:, 0]) * (r[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (r[:, 0] - p[:, 0])
    return side


def _cross(s: Floats, t: Floats) -> NDArray[np.bool_]:
    """Whether pieces cross strictly inside; a touch at an end is a matter of rounding."""
    a, b, c, d = s[:, :2], s[:, 2:], t[:, :2], t[:, 2:]
    crossed: NDArray[np.bool_] = (_side(a, b, c) * _side(a, b, d) < 0.0) & (_side(c, d, a) * _side(c, d, b) < 0.0)
    return crossed
