"""Shapes in which a leak's flow grows: at once, or with the square of time up to a peak.

A leak whose opening widens evenly in diameter has an area, and so a flow, that grows with the square of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Growth:
    """How one leak grew, in blocks of the detector's clock.

    Attributes
    ----------
    onset
        Block in which the flow begins.
    rise
        Blocks from onset to peak; 0 is abrupt.
    peak
        Flow at the peak, m3/s.
    end
        Block from which it flows no more, or None.
    """

    onset: float
    rise: float
    peak: float
    end: float | None = None

    @property
    def kind(self) -> str:
        """Either "abrupt" or "growing"."""
        return "abrupt" if self.rise == 0 else "growing"

    def flow(self, blocks: Floats) -> Floats:
        """Mean flow in each block, float64 [n], m3/s."""
        flow: Floats = flows([self], blocks)[0]
        return flow

    def moment(self, blocks: Floats) -> Floats:
        """Flow at moments, float64 [n], m3/s; `blocks` may be fractions."""
        since = blocks - self.onset
        grown = np.where(since >= 0.0, 1.0, 0.0) if self.rise <= 0 else np.clip(since / self.rise, 0.0, 1.0) ** 2
        flow: Floats = self.peak * grown
        return flow if self.end is None else np.where(blocks < self.end, flow, 0.0)


def shape(blocks: Floats, onset: float, rise: float) -> Floats:
    """Share of the peak flow in each block, float64 [n], 0 to 1; a block in which it begins counts for its part."""
    since = blocks + 1.0 - onset  # to the end of the block
    if rise <= 0:
        return np.clip(since, 0.0, 1.0)
    middle = np.clip((since - 0.5 * np.clip(since, 0.0, 1.0)) / rise, 0.0, 1.0)
    return np.where(since > 0.0, middle**2 * np.clip(since, 0.0, 1.0), 0.0)


def flows(growths: Sequence[Growth], blocks: Floats) -> Floats:
    """Mean flow of each growth in each block, float64 [n_growths, n_blocks], m3/s."""
    onset, rise, peak = (np.array([getattr(g, name) for g in growths])[:, None] for name in ("onset", "rise", "peak"))
    end = np.array([np.inf if g.end is None else g.end for g in growths])[:, None]
    since = blocks + 1.0 - onset
    begun = np.clip(since, 0.0, 1.0)
    middle = np.clip((since - 0.5 * begun) / np.where(rise > 0.0, rise, 1.0), 0.0, 1.0)
    grown = middle**2 * begun * np.clip(end - blocks, 0.0, 1.0)
    ran = np.clip(np.minimum(blocks + 1.0, end) - np.maximum(blocks, onset), 0.0, 1.0)
    flow: Floats = peak * np.where(rise > 0.0, grown, ran)
    return flow


@dataclass(frozen=True, slots=True)
class Shapes:
    """Every shape that is tried over a window.

    Attributes
    ----------
    onset, rise
        float64 and int64 [n_shapes], blocks; onset counts from the window's first block and may lie before it.
    values
        float64 [n_blocks, n_shapes], share of the peak flow.
    """

    onset: Floats
    rise: Ints
    values: Floats


def shapes(n_blocks: int, rises: tuple[int, ...]) -> Shapes:
    """All shapes whose onset lies in the window, and growth that began up to one rise before it."""
    onset, rise = [], []
    for r in (0, *rises):
        # an abrupt leak's first block is told to a third; growth is slow enough for steps of an eighth of its rise
        step = 1.0 / 3.0 if r == 0 else max(1.0, r / 8.0)
        starts = np.arange(-float(r), n_blocks, step)
        onset.append(starts)
        rise.append(np.full(len(starts), r))
    onsets, rises_ = np.concatenate(onset), np.concatenate(rise).astype(np.int64)
    blocks = np.arange(n_blocks, dtype=float)
    values = np.stack([shape(blocks, o, r) for o, r in zip(onsets, rises_, strict=True)], axis=1)
    visible = values[-1] > 1e-6
    return Shapes(onsets[visible], rises_[visible], values[:, visible])
