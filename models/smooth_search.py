"""The set of leaks that explains a whole record best, by moves from a first guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.growth import Growth
from models.smooth_effect import Supposed
from models.smooth_judge import Judge
from models.smooth_seek import Seeker

Floats = NDArray[np.float64]

_LEAST = 0.5  # gain in log posterior for which a move is worth while
_ALIKE = 0.1  # cosine of effects from which leaks' places and flows hang together
_TWINS = 0.5  # and from which one may be taken for another
_GROUP = 5
_MOST_GROUPS = 20


class Search:
    """Improves a set of leaks by moves until none helps."""

    def __init__(
        self,
        judge: Judge,
        leaks: Sequence[Supposed],
        earliest: float = -np.inf,
    ) -> None:
        self.judge, self.seeker = judge, Seeker(judge, earliest)
        self.leaks = list(leaks)
        self.value = -np.inf
        self._sought: set[tuple[object, ...]] = set()
        self._merged: set[frozenset[tuple[object, ...]]] = set()
        self._added: set[tuple[object, ...]] = set()

    def settle(self) -> None:
        """Simulate anew and fit all flows."""
        self.judge.simulate(self.leaks)
        self.leaks, _ = self._fitted(self.leaks)
        self.judge.simulate(self.leaks)
        self.judge.temper = float(max(self.judge.misfit(self.leaks), 1.0))
        self.value = self.judge.value(self.leaks)

    def _fitted(self, leaks: Sequence[Supposed]) -> tuple[list[Supposed], float]:
        """Leaks with their flows fitted together, or as they are where that is better, and their value.

        While much is unexplained, flows fitted to the little that the doubts leave are led astray.
        """
        choices = [(some, self.judge.value(some)) for some in (self.judge.balanced(leaks), list(leaks))]
        return max(choices, key=lambda choice: choice[1])

    def offer(self, leaks: Sequence[Supposed]) -> bool:
        """Take over a set of leaks if it is better."""
        leaks, value = self._fitted(leaks)
        if value <= self.value + _LEAST:
            return False
        self.leaks, self.value = leaks, value
        return True

    def revise(self) -> bool:
        """Seek every leak anew with the others running, but where neither it nor its neighbours have changed."""
        any_better = False
        k, keys = 0, self._neighbours()
        while k < len(self.leaks):
            leak = self.leaks[k]
            if keys[k] not in self._sought:
                self._sought.add(keys[k])
                others = [x for x in self.leaks if x is not leak]
                found = self.seeker.best(others, leak)
                is_better = found is not None and found.gain > found.before + _LEAST
                if found is not None and is_better and self.offer([*others[:k], found.leak, *others[k:]]):
                    any_better, keys = True, self._neighbours()
            k += 1
        return any_better

    def _neighbours(self) -> list[tuple[object, ...]]:
        """Each leak and those that look like it somewhere in time, as keys."""
        if not self.leaks:
            return []
        alike = self._alike(self.leaks) > _ALIKE
        keys = [_key(x) for x in self.leaks]
        return [(keys[k], frozenset(keys[j] for j in np.flatnonzero(alike[k]))) for k in range(len(keys))]

    def _alike(self, leaks: Sequence[Supposed]) -> Floats:
        """Cosines between what leaks do to the record, float64 [n, n]."""
        units = np.stack([self.judge.unit(x).ravel() for x in leaks])
        gram = (units * self.judge.field.precision.ravel()) @ units.T
        size = np.sqrt(np.diag(gram))
        cosine: Floats = gram / np.outer(size, size)
        return np.abs(cosine)

    def merge(self) -> bool:
        """Take two leaks that look alike, or of which one begins where the other ends, for one."""
        any_better = False
        while True:
            pair = next((p for p in self._pairs() if p not in self._merged), None)
            if pair is None:
                return any_better
            self._merged.add(pair)
            both = [x for x in self.leaks if _key(x) in pair]
            others = [x for x in self.leaks if x not in both]
            best = self.seeker.best(others, *_one_of(both))
            if best is not None:
                any_better |= self.offer([*others, best.leak])

    def _pairs(self) -> list[frozenset[tuple[object, ...]]]:
        free = [x for x in self.leaks if x.is_free]
        keys = [_key(x) for x in free]
        pairs = []
        if len(free) < 2:
            return []
        u = np.stack([self.judge.field.responses(self.judge.effects.response(x.at, x.growth.peak)) for x in free])
        u /= np.linalg.norm(u, axis=1)[:, None]
        alike = u @ u.T
        last = float(self.judge.effects.blocks[-1])
        for i in range(len(free)):
            for j in range(i + 1, len(free)):
                a, b = sorted((free[i].growth, free[j].growth), key=lambda g: g.onset)
                until = last if a.end is None else a.end
                if alike[i, j] > _TWINS and b.onset < until + 10.0:
                    pairs.append((-alike[i, j], frozenset((keys[i], keys[j]))))
        return [p for _, p in sorted(pairs, key=lambda p: p[0]) if len(p) == 2]

    def rebuild(self) -> bool:
        """Leave out a group of leaks that look alike and find what stood there anew, one after another."""
        any_better = False
        done: set[tuple[object, ...]] = set()
        while True:
            groups = [(k, g) for k, g in self._groups() if k not in done]
            if not groups or len(done) == _MOST_GROUPS:
                return any_better
            key, group = groups[0]
            done.add(key)
            kept, value = self.leaks, self.value
            self.leaks = [x for x in self.leaks if x not in group]
            self.value = -np.inf
            self.offer(self.leaks)
            barred, self._added = self._added, set()
            for _ in range(len(group)):
                if not self.add():
                    break
            self._added |= barred
            self.revise()
            if self.value <= value + _LEAST:
                self.leaks, self.value = kept, value
            else:
                any_better = True

    def _groups(self) -> list[tuple[tuple[object, ...], list[Supposed]]]:
        """Small sets of leaks that look alike where and when they run, each with the key of its first."""
        free = [x for x in self.leaks if x.is_free]
        if len(free) < 2:
            return []
        alike = self._alike(free) > _TWINS
        groups: list[tuple[tuple[object, ...], list[Supposed]]] = []
        for k, leak in enumerate(free):
            group = [free[j] for j in np.flatnonzero(alike[k])]
            if 2 <= len(group) <= _GROUP:
                groups.append(((leak.at, round(leak.growth.onset)), group))
        return groups

    def remove(self) -> bool:
        """Leave out leaks that the others can stand in for."""
        any_better = False
        while True:
            loss = self.judge.losses(self.leaks)
            order = [
                k
                for k in np.argsort(loss).tolist()
                if self.leaks[k].is_free and loss[k] < 3.0 * self.judge.temper * self.judge.each
            ]
            leaks = list(self.leaks)
            if not any(self.offer([x for x in leaks if x is not leaks[k]]) for k in order[:8]):
                return any_better
            any_better = True

    def add(self) -> bool:
        """Look for one leak more."""
        found = self.seeker.best(self.leaks)
        # what was added and left out again would come again
        if found is None or _where(found.leak) in self._added:
            return False
        self._added.add(_where(found.leak))
        return self.offer([*self.leaks, found.leak])


def _key(leak: Supposed) -> tuple[object, ...]:
    g = leak.growth
    return (
        leak.at,
        round(g.onset, 1),
        round(g.rise),
        None if g.end is None else round(g.end, 1),
        round(5.0 * np.log(g.peak)),
    )


def _where(leak: Supposed) -> tuple[object, ...]:
    """What a leak is known by, whatever its flow."""
    return _key(leak)[:-1]


def _one_of(both: Sequence[Supposed]) -> list[Supposed]:
    """What two leaks may be together: as the first began or the second grew, until the last ended."""
    first, last = sorted(both, key=lambda x: x.growth.onset)
    end = None if None in (first.growth.end, last.growth.end) else max(x.growth.end or 0.0 for x in both)
    early, late = first.growth, last.growth
    top = max(early.onset + early.rise, late.onset + late.rise)
    grown = Growth(early.onset, max(top - early.onset, 1.0), early.peak + late.peak, end)
    return [replace(first, growth=growth) for growth in (replace(early, end=end), replace(late, end=end), grown)]
