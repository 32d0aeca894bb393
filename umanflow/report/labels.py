"""Where to put labels so that they cover neither each other nor what they name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_DIRECTIONS = 16
_RINGS = 24
_STEP = 10.0
_LINE = np.linspace(0.0, 1.0, 16)


def place_labels(anchors: Floats, size: tuple[float, float], bounds: tuple[float, float]) -> Floats:
    """Find a place for each label, near its anchor, in the order given.

    Neither labels nor anchors are covered, and no line from a label to its anchor runs under another label as long as
    there is room for that.

    Parameters
    ----------
    anchors
        float64 [n, 2], points that the labels name.
    size
        Width and height of a label.
    bounds
        Width and height of the picture, from 0.

    Returns
    -------
    float64 [n, 2]
        Centres of the labels. Where there is no free place left, the nearest to the anchor.
    """
    box = np.array(size)
    angle = np.pi / 4.0 + 2.0 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    reach = 0.5 * box + _STEP * (1.0 + np.arange(_RINGS))[:, None]
    offsets = (reach[:, None, :] * around[None, :, :]).reshape(-1, 2)
    placed, lines = np.empty((0, 2)), np.empty((0, 2))
    for anchor in anchors:
        tries = anchor + offsets
        inside = ((tries >= box / 2.0) & (tries <= np.array(bounds) - box / 2.0)).all(axis=1)
        apart = inside & _is_clear(tries, placed, box)
        best = _first_tidy(anchor, tries, np.flatnonzero(apart), anchors, placed, lines, box)
        if best is None:
            best = next((int(np.argmax(choice)) for choice in (apart, inside) if choice.any()), 0)
        placed = np.vstack([placed, tries[best]])
        lines = np.vstack([lines, anchor + (tries[best] - anchor) * _LINE[:, None]])
    return placed


def _first_tidy(
    anchor: Floats,
    tries: Floats,
    wanted: NDArray[np.int64],
    anchors: Floats,
    placed: Floats,
    lines: Floats,
    box: Floats,
) -> int | None:
    """The first of some places that covers no anchor and no line, and whose own line runs under no label.

    A ring at a time: nearly always one of the first will do.
    """
    for start in range(0, len(wanted), _DIRECTIONS):
        some = wanted[start : start + _DIRECTIONS]
        tidy = _is_clear(tries[some], anchors, 0.5 * box + 4.0) & _is_clear(tries[some], lines, 0.5 * box)
        line = anchor + (tries[some] - anchor)[:, None, :] * _LINE[:, None]
        tidy &= _is_clear(line.reshape(-1, 2), placed, 0.5 * box).reshape(len(some), -1).all(axis=1)
        if tidy.any():
            return int(some[np.argmax(tidy)])
    return None


def _is_clear(tries: Floats, others: Floats, gap: Floats) -> NDArray[np.bool_]:
    """Whether each of some points is further than a gap, in x or in y, from all others."""
    near = np.all(np.abs(tries[:, None, :] - others[None, :, :]) < gap, axis=2)
    return np.asarray(~np.any(near, axis=1))
