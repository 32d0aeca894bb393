"""Looking back: the leaks that explain a whole record together best, found once all of it is known.

The detector decides frame by frame what it has seen so far; here every leak may still turn out to have been elsewhere,
to have begun or ended at another time, to have been two, or none. The equations are in docs/methods/detection.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from models.aside import side_by_side
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
Believed = Callable[[float], Floats | None]

FEWEST_BLOCKS = 14  # there is little to look back on in fewer
_ROUNDS = 10
_MOST_ADDED = 6
_POOR = 2.0  # chi-square per value beyond which leaks are missing: there is no use in moving those that are there
_LITTLE = 3.0
_WORSE = 1.05  # as the simulation has it; a set of fewer leaks may fit a little less
_LOW, _SURE, _HIGH = 0.025, 0.9, 0.975
_RESOLUTION = 0.5  # blocks; a block's mean does not tell when in it a leak began, only how much it lost


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
    is_held
        The record does not show how it began: it stays as it is, but for its end.
    """

    link: int
    growth: Growth
    is_repaired: bool = False
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Smoothed:
    """A leak in hindsight.

    Attributes
    ----------
    place, growth
        Where and how much; times on the detector's clock.
    is_held
        The record did not show how it began: where it is and since when is not this search's.
    unit
        float64 [n_channels], effect of one m3/s.
    deviation
        Standard deviation of its peak flow, m3/s.
    gain
        Half the chi-square that it explains.
    onset_low, onset_high
        Between which the onset lies with a probability of 95 %.
    since
        Since when it has run with a probability of 90 %.
    """

    place: Place
    growth: Growth
    unit: Floats
    deviation: float
    gain: float
    onset_low: float
    onset_high: float
    since: float
    is_held: bool = False


def smooth(
    watch: Watch,
    frames: Sequence[Frame],
    blocks: Floats,
    known: Sequence[Known],
    rules: Rules,
    believed: Believed | None = None,
    earliest: float = -np.inf,
) -> list[Smoothed] | None:
    """Find the leaks of a whole record.

    Parameters
    ----------
    frames
        Of the whole record, against the same calibration; `FEWEST_BLOCKS` of them at least.
    blocks
        float64 [n_blocks], their numbers on the detector's clock.
    known
        Where the search begins.
    believed
        Logarithm of what dry searches leave of each pipe for a leak that began at some block, float64 [n_pipes].
    earliest
        Block before which no leak is taken to begin: too little of the record would show how things were without it.

    Returns
    -------
    list of Smoothed or None
        In order of their onset. None where the search ended in a set that leaves more
        unexplained than what was known: then hindsight knows no better.
    """
    values = np.stack([frame.values for frame in frames])
    kept = ~odd_blocks(without_gaps(values, blocks, watch.noise), watch.noise)
    kept[[0, -1]] = True
    blocks = blocks[kept]
    seen, shown = [f for f, k in zip(frames, kept, strict=True) if k], values[kept]

    def fresh() -> Judge:
        """A judge that depends on no search before."""
        return Judge(watch, Effects(watch, seen, blocks), shown, rules, is_level_known=earliest == -np.inf)

    judge = fresh()
    most = rules.most_share * watch.largest_take
    first = [
        _supposed(watch, leak)
        for leak in known
        if leak.growth.flow(blocks).max() > 0.0 and (leak.is_repaired or leak.is_held or leak.growth.peak < most)
    ]
    judge.simulate(first)
    usual = judge.misfit(first)
    told = [leak for leak in first if not leak.is_free]
    begins = [first] if len(told) == len(first) else [first, told]
    found = side_by_side([partial(_explained, fresh, begin, earliest) for begin in begins])
    search = _best(judge, [Search(judge, leaks, earliest=earliest) for leaks in found])
    judge.simulate(search.leaks)
    if judge.misfit(search.leaks) > _WORSE * usual:
        return None
    deviations = judge.deviations(search.leaks)
    told_of = [_told(watch, search, k, float(deviations[k]), rules, believed) for k in range(len(search.leaks))]
    return sorted(told_of, key=lambda leak: (leak.growth.onset, leak.place.link))


def _supposed(watch: Watch, leak: Known) -> Supposed:
    return Supposed(int(np.searchsorted(watch.pipes, leak.link)), leak.growth, leak.is_repaired, leak.is_held)


def _explained(fresh: Callable[[], Judge], begin: Sequence[Supposed], earliest: float) -> list[Supposed]:
    """What a search that began with some leaks ends in."""
    judge = fresh()
    judge.simulate(begin)
    search = Search(judge, begin, earliest=earliest)
    _explain(search)
    return search.leaks


def _best(judge: Judge, searches: Sequence[Search]) -> Search:
    """The search that came to the most probable leaks, all told apart as sharply as the best of them allow.

    What a ledger got wrong at its beginning no later move may mend; a search that begins with what crews have told
    alone has no such past, and a longer way.
    """
    judge.temper = min(_temper(judge, search) for search in searches)
    values = []
    for search in searches:
        judge.simulate(search.leaks)
        values.append(judge.value(search.leaks))
    return searches[int(np.argmax(values))]


def _temper(judge: Judge, search: Search) -> float:
    judge.simulate(search.leaks)
    return float(max(judge.misfit(search.leaks), 1.0))


def _explain(search: Search) -> None:
    """Move until nothing helps."""
    search.settle()
    for _ in range(_ROUNDS):
        before, n_added = search.value, 0
        if search.judge.temper < _POOR:
            search.remove()
            search.revise()
            search.merge()
            search.settle()
        while n_added < _MOST_ADDED and search.add():
            n_added += 1
        search.settle()
        search.revise()
        search.remove()
        search.settle()
        if n_added == 0 and search.value < before + _LITTLE:
            break
    search.rebuild()
    search.settle()


def _told(watch: Watch, search: Search, k: int, deviation: float, rules: Rules, believed: Believed | None) -> Smoothed:
    """One leak of an explanation, with what is uncertain about it."""
    leak, others = search.leaks[k], [*search.leaks[:k], *search.leaks[k + 1 :]]
    seeker: Seeker = search.seeker
    onsets, weights, evidence = seeker.doubted(leak, others)
    low, since, high = _quantiles(onsets, weights, (_LOW, _SURE, _HIGH))
    link = int(watch.pipes[leak.at])
    if not leak.is_free or evidence.gain.max() <= 0.0:
        place = Place(link, (Candidate(watch.topology.links[link], 1.0),), 1.0, float(watch.topology.length[link]))
    else:
        known = None if believed is None else believed(leak.growth.onset)
        place = locate(evidence, watch.topology, watch.pipes, rules.temper, rules.temper_growth, known)
    unit = search.judge.effects.response(leak.at, leak.growth.peak)
    gain = float(evidence.gain.max())
    if leak.is_held:
        low, since, high = (leak.growth.onset,) * 3
    low, high = min(low, leak.growth.onset), max(high, leak.growth.onset)
    return Smoothed(place, leak.growth, unit, deviation, gain, low, high, since, leak.is_held)


def _quantiles(onsets: Floats, weights: Floats, shares: tuple[float, ...]) -> list[float]:
    """Quantiles of an onset's distribution: that of some onsets, each uncertain by what a block cannot tell."""
    times = np.linspace(onsets[0] - 3.0 * _RESOLUTION, onsets[-1] + 3.0 * _RESOLUTION, 801)
    reached = ndtr((times[:, None] - onsets[None, :]) / _RESOLUTION) @ (weights / weights.sum())
    return [float(times[min(int(np.searchsorted(reached, share)), len(times) - 1)]) for share in shares]
