"""Growths that are tried over a whole record: coarse ones everywhere, fine ones around a leak that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.growth import Growth

Floats = NDArray[np.float64]

_DURATIONS = (10.0, 20.0, 40.0, 80.0, 160.0)
_STEPS_OF_RISE = 4.0
_SHORTEST = 5.0


@dataclass(frozen=True, slots=True)
class Library:
    """Shapes of growth over a record's blocks.

    Attributes
    ----------
    growths
        Of a peak of 1 m3/s.
    values
        float64 [n_shapes, n_blocks], share of the peak flow.
    """

    growths: tuple[Growth, ...]
    values: Floats

    @classmethod
    def of(cls, growths: list[Growth], blocks: Floats) -> Library:
        """Shapes of some growths; those that never show are left out."""
        values = np.stack([g.flow(blocks) for g in growths])
        shown = np.flatnonzero(values.max(axis=1) > 1e-6)
        return cls(tuple(growths[k] for k in shown), values[shown])

    @classmethod
    def join(cls, parts: Sequence[Library]) -> Library:
        """Several libraries as one."""
        return cls(tuple(g for part in parts for g in part.growths), np.vstack([part.values for part in parts]))


def everywhere(blocks: Floats, rises: tuple[int, ...]) -> Library:
    """Coarse shapes over the whole record, that last or end after some time."""
    growths = []
    first, last = float(blocks[0]), float(blocks[-1])
    for rise in (0, *rises[1::2]):
        step = 1.0 if rise == 0 else max(1.0, rise / _STEPS_OF_RISE)
        for onset in np.arange(first - float(rise), last, step).tolist():
            growths.append(Growth(onset, float(rise), 1.0))
            growths += [
                Growth(onset, float(rise), 1.0, onset + d)
                for d in _DURATIONS
                if d >= 0.5 * rise and first + 2.0 < onset + d < last
            ]
    return Library.of(growths, blocks)


def around(growth: Growth, blocks: Floats, wide: float, is_end_known: bool) -> Library:
    """Shapes like one: other onsets, rises, ends, within a reach of `wide` (1 is coarse).

    An end is only varied, or found, where it is not known.
    """
    last = float(blocks[-1])
    reach = wide * max(3.0, 0.35 * growth.rise)
    onsets = growth.onset + reach * np.linspace(-1.0, 1.0, 9)
    if growth.rise == 0:
        rises = [0.0, 3.0, 6.0] if wide > 0.5 else [0.0]
    else:
        rises = [growth.rise * f for f in np.exp(0.5 * wide * np.linspace(-1.0, 1.0, 5)).tolist()]
        if wide > 0.5:
            rises.append(0.0)
    ends: list[float | None] = [growth.end]
    if not is_end_known and growth.end is not None:
        ends = [growth.end + wide * d for d in (-6.0, -3.0, -1.5, -0.7, 0.0, 0.7, 1.5, 3.0, 6.0)]
        if wide > 0.5:
            ends.append(None)
    grown = [
        Growth(max(float(onset), float(blocks[0]) - rise), rise, 1.0, end)
        for onset in onsets
        for rise in rises
        for end in ends
        if onset < last and (end is None or end > onset + max(_SHORTEST, 0.4 * rise) or is_end_known)
    ]
    grown.append(replace(growth, peak=1.0))
    if growth.rise > 0:
        # the same peak reached from other onsets
        top = growth.onset + growth.rise
        grown += [replace(growth, onset=o, rise=top - o, peak=1.0) for o in onsets.tolist() if top - o > 1.0]
    return Library.of(grown, blocks)


def ends(growth: Growth, blocks: Floats) -> Library:
    """The same growth with every end that it may have."""
    begin = max(growth.onset, float(blocks[0])) + max(_SHORTEST, 0.4 * growth.rise)
    found = [replace(growth, peak=1.0, end=float(e)) for e in np.arange(begin, float(blocks[-1]), 1.0)]
    return Library.of([replace(growth, peak=1.0, end=None), *found], blocks)


def onsets_of(growth: Growth, blocks: Floats) -> Library:
    """Every onset near a leak's, each with many rises, on an even grid: to weigh them against each other."""
    if growth.rise == 0:
        onsets, rises = growth.onset + np.linspace(-4.0, 4.0, 65), [0.0]
    else:
        reach = max(4.0, 0.6 * growth.rise)
        onsets = growth.onset + reach * np.linspace(-1.0, 1.0, 41)
        rises = (growth.rise * np.exp(np.linspace(-0.7, 0.7, 15))).tolist()
    growths = [Growth(float(onset), rise, 1.0, growth.end) for onset in onsets for rise in rises]
    return Library.of([g for g in growths if g.end is None or g.end > g.onset + 1.0], blocks)
