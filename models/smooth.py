"""Looking back: the leaks that explain a whole record together best, found once all of it is known.

The detector decides frame by frame what it has seen so far; here every leak may still turn out to have been elsewhere,
to have begun or ended at another time, to have been two, or none. The equations are in docs/methods/detection.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.frame import Frame
from models.growth import Growth
from models.localise import Candidate, Place, locate
from models.rules import Rules
from models.smooth_effect import Effects, Supposed
from models.smooth_field import odd_blocks, without_gaps
from models.smooth_judge import Judge
from models.smooth_search import Search
from models.smooth_seek import Seeker
from models.watch import Watch

Floats = NDArray[np.float64]

FEWEST_BLOCKS = 14  # there is little to look back on in fewer
_ROUNDS = 3
_MOST_ADDED = 6
_LOW, _SURE, _HIGH = 0.025, 0.9, 0.975


@dataclass(frozen=True, slots=True)
class Known:
    """A leak of the detector's ledger, as the search begins with it.

    Attributes
    ----------
    link
        Where it was taken to be.
    growth
        How.
    is_repaired
        A crew has mended it: its place and its end are known.
    """

    link: int
    growth: Growth
    is_repaired: bool = False


@dataclass(frozen=True, slots=True)
class Smoothed:
    """A leak in hindsight.

    Attributes
    ----------
    place, growth
        Where and how much; times on the detector's clock.
    unit
        float64 [n_channels], effect of one m3/s.
    onset_low, onset_high
        Between which the onset lies with a probability of 95 %.
    since
        Since when it has run with a probability of 90 %.
    """

    place: Place
    growth: Growth
    unit: Floats
    onset_low: float
    onset_high: float
    since: float


def smooth(
    watch: Watch, frames: Sequence[Frame], blocks: Floats, known: Iterable[Known], rules: Rules
) -> list[Smoothed]:
    """Find the leaks of a whole record.

    Parameters
    ----------
    frames
        Of the whole record, against the same calibration; `FEWEST_BLOCKS` of them at least.
    blocks
        float64 [n_blocks], their numbers on the detector's clock.
    known
        Where the search begins.

    Returns
    -------
    list of Smoothed
        In order of their onset.
    """
    first = [_supposed(watch, leak) for leak in known if leak.growth.peak > 0.0]
    effects = Effects(watch, frames, blocks)
    effects.simulate(first)
    values = np.stack([frame.values for frame in frames])
    kept = ~odd_blocks(without_gaps(values - effects.several(first), blocks, watch.noise), watch.noise)
    kept[[0, -1]] = True
    effects = Effects(watch, [f for f, k in zip(frames, kept, strict=True) if k], blocks[kept])
    search = Search(Judge(watch, effects, values[kept], rules), first)
    _explain(search)
    found = [_told(watch, search, k, rules) for k in range(len(search.leaks))]
    return sorted(found, key=lambda leak: (leak.growth.onset, leak.place.link))


def _supposed(watch: Watch, leak: Known) -> Supposed:
    return Supposed(int(np.searchsorted(watch.pipes, leak.link)), leak.growth, leak.is_repaired)


def _explain(search: Search) -> None:
    """Move until nothing helps."""
    search.settle()
    for _ in range(_ROUNDS):
        before = search.value
        search.remove()
        search.revise()
        search.merge()
        search.settle()
        n_added = 0
        while n_added < _MOST_ADDED and search.add():
            n_added += 1
        search.revise()
        search.remove()
        search.settle()
        if n_added == 0 and search.value < before + 2.0:
            break
    search.rebuild()
    search.settle()


def _told(watch: Watch, search: Search, k: int, rules: Rules) -> Smoothed:
    """One leak of an explanation, with what is uncertain about it."""
    leak, others = search.leaks[k], [*search.leaks[:k], *search.leaks[k + 1 :]]
    seeker: Seeker = search.seeker
    onsets, weights, evidence = seeker.doubted(leak, others)
    mass = np.cumsum(weights) / weights.sum()
    low, since, high = (
        float(onsets[min(int(np.searchsorted(mass, p)), len(onsets) - 1)]) for p in (_LOW, _SURE, _HIGH)
    )
    link = int(watch.pipes[leak.at])
    if leak.is_repaired or evidence.gain.max() <= 0.0:
        place = Place(link, (Candidate(watch.topology.links[link], 1.0),), 1.0, float(watch.topology.length[link]))
    else:
        place = locate(evidence, watch.topology, watch.pipes, rules.temper, rules.temper_growth)
    unit = search.judge.effects.response(leak.at, leak.growth.peak)
    return Smoothed(place, leak.growth, unit, min(low, leak.growth.onset), max(high, leak.growth.onset), since)
