"""The set of leaks that explains a whole record best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from models.evidence import Evidence
from models.kernels import best_shape
from models.noise import Noise
from models.smooth_effect import Effects, Supposed
from models.smooth_field import Doubts, Field
from models.smooth_shapes import Library, around, ends, everywhere
from models.revise import at_size, best_size
from models.rules import Rules
from models.watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TOP = 100
_LOOSE = 0.25


class Judge:
    """Says how well a set of leaks explains a record."""

    def __init__(self, watch: Watch, effects: Effects, values: Floats, patterns: Floats, rules: Rules) -> None:
        self.watch, self.effects, self.values, self.rules = watch, effects, values, rules
        self.field = Field(watch.noise, effects.blocks)
        self._patterns = self.field.responses(rules.pattern_doubt * patterns)
        self.cost = 1.0 / (rules.usual_share * watch.largest_take)
        self.each = rules.gain
        self.n_pressures = len(watch.channels.picked)

    def residual(self, leaks: Sequence[Supposed]) -> Floats:
        return self.values - self.effects.several(leaks)

    def doubts(self, leaks: Sequence[Supposed], is_loose: bool = False) -> Doubts:
        """What is uncertain about leaks; loose ones may also be larger or smaller."""
        flows = np.array([leak.growth.flow(self.effects.blocks) for leak in leaks]).reshape(len(leaks), -1)
        if not leaks:
            flows = np.empty((0, len(self.effects.blocks)))
        directions = []
        for leak in leaks:
            response = self.effects.response(leak.at, leak.growth.peak)
            own = response.copy()
            own[self.n_pressures :] = 0.0
            parts = [self._patterns, self.field.responses(self.rules.size_doubt * own)[None]]
            if is_loose:
                parts.append(self.field.responses(_LOOSE * response)[None])
            directions.append(np.vstack(parts))
        return Doubts(self.field, self.field.flows(flows), directions)

    def value(self, leaks: Sequence[Supposed]) -> float:
        """Logarithm of the posterior, up to a constant."""
        residual = self.field.values(self.residual(leaks))
        doubts = self.doubts(leaks)
        fit = -0.5 * float((residual * doubts.weigh(residual)).sum())
        return fit - doubts.log_volume - self.prior(leaks)

    def prior(self, leaks: Sequence[Supposed]) -> float:
        free = [leak for leak in leaks if not leak.is_repaired]
        return self.each * len(free) + self.cost * sum(leak.growth.peak for leak in leaks)

    def balanced(self, leaks: Sequence[Supposed]) -> list[Supposed]:
        """Leaks with the flows that fit best together; those that need none are left out."""
        leaks = list(leaks)
        for _ in range(2):
            if not leaks:
                break
            doubts = self.doubts(leaks)
            units = [self.field.values(self.effects.one(leak) / leak.growth.peak) for leak in leaks]
            weighed = [doubts.weigh(u) for u in units]
            gram = np.array([[float((w * u).sum()) for u in units] for w in weighed])
            peaks = np.array([leak.growth.peak for leak in leaks])
            residual = self.field.values(self.residual(leaks))
            right = np.array([float((w * residual).sum()) for w in weighed]) + gram @ peaks - self.cost
            root = np.linalg.cholesky(gram + 1e-9 * np.diag(np.diag(gram)))
            found = nnls(root.T, np.linalg.solve(root, right))[0]
            leaks = [
                replace(leak, growth=replace(leak.growth, peak=float(q)))
                for leak, q in zip(leaks, found, strict=True)
                if q > 1e-9
            ]
        return leaks


@dataclass(frozen=True, slots=True)
class Found:
    """Where and how a leak would explain what is left."""

    leak: Supposed
    gain: float
    evidence: Evidence | None = None


class Seeker:
    """Looks for one leak in what others leave unexplained."""

    def __init__(self, judge: Judge) -> None:
        self.judge, self.watch, self.rules = judge, judge.watch, judge.rules
        self.field, self.effects = judge.field, judge.effects
        self.library = everywhere(self.effects.blocks, self.rules.rises)
        self._rotated = self.field.flows(self.library.values)
        self._squared = self.field.precision @ (self._rotated**2).T
        self.sized = self.watch.sized(self.watch.responses)

    def _plain(self, weighed: Floats, responses: Floats, library: tuple[Floats, Floats]) -> tuple[Floats, Ints, Floats]:
        """Best shape of each pipe, its energy taken without the doubts: never too good."""
        rotated, squared = library
        units = self.field.responses(responses)
        match = units @ (weighed @ rotated.T)
        energy = units**2 @ squared
        n = len(responses)
        gain, flow, at = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
        best_shape(match, energy, self.judge.cost, gain, at, flow)
        return gain, at, flow

    def scan(self, weighed: Floats, library: tuple[Floats, Floats]) -> tuple[Floats, Ints, Floats, Floats]:
        tried = np.stack([self._plain(weighed, each, library)[2] for each in self.sized])
        now = tried[best_size(tried, self.watch.sizes), np.arange(tried.shape[1])]
        used = at_size(self.sized, now, self.watch.sizes)
        gain, at, flow = self._plain(weighed, used, library)
        gain = np.where(flow > self.rules.most_share * self.watch.largest_take, 0.0, gain)
        return gain, at, flow, used

    def exact(self, weighed: Floats, doubts: Doubts, responses: Floats, rotated: Floats) -> tuple[Floats, Floats]:
        """Gain and flow of templates one by one."""
        units = self.field.responses(responses)
        match = ((units @ weighed) * rotated).sum(axis=1)
        energy = np.maximum(doubts.energy(units, rotated), 1e-12)
        flow = np.maximum(match - self.judge.cost, 0.0) / energy
        return 0.5 * flow * flow * energy, flow

    def best(self, others: Sequence[Supposed], near: Supposed | None = None) -> Found | None:
        """The leak that explains best what others leave; with `near` only shapes like that leak's."""
        doubts = self.judge.doubts(others, is_loose=True)
        weighed = doubts.weigh(self.field.values(self.judge.residual(others)))
        if near is None:
            library, both = self.library, (self._rotated, self._squared)
        else:
            library = around(near.growth, self.effects.blocks, 1.0, near.is_repaired)
            rotated = self.field.flows(library.values)
            both = (rotated, self.field.precision @ (rotated**2).T)
        gain, at, _, used = self.scan(weighed, both)
        top = np.argsort(-gain)[:_TOP]
        top = top[gain[top] > 0.0]
        if near is not None and near.is_repaired:
            top = np.array([near.at])
        if not len(top):
            return None
        better, flow = self.exact(weighed, doubts, used[top], both[0][at[top]])
        k = int(np.argmax(better))
        leak = Supposed(
            int(top[k]), replace(library.growths[int(at[top[k]])], peak=float(flow[k])), near is not None and near.is_repaired
        )
        if flow[k] <= 0.0:
            return None
        return self.refined(leak, weighed, doubts)

    def refined(self, leak: Supposed, weighed: Floats, doubts: Doubts) -> Found:
        """The same leak with a finer shape, and the place that goes with it."""
        gain, evidence = 0.0, None
        for wide in (1.0, 0.4, 0.15):
            leak, gain = self._shaped(leak, weighed, doubts, around(leak.growth, self.effects.blocks, wide, leak.is_repaired))
            if wide == 1.0 and not leak.is_repaired:
                leak, gain = self._shaped(leak, weighed, doubts, ends(leak.growth, self.effects.blocks))
            if not leak.is_repaired:
                leak, gain, evidence = self._placed(leak, weighed, doubts)
        return Found(leak, gain, evidence)

    def _shaped(self, leak: Supposed, weighed: Floats, doubts: Doubts, library: Library) -> tuple[Supposed, float]:
        response = self.effects.response(leak.at, leak.growth.peak)
        rotated = self.field.flows(library.values)
        gain, flow = self.exact(weighed, doubts, np.tile(response, (len(rotated), 1)), rotated)
        k = int(np.argmax(gain))
        if flow[k] <= 0.0:
            return leak, 0.0
        return replace(leak, growth=replace(library.growths[k], peak=float(flow[k]))), float(gain[k])

    def _placed(self, leak: Supposed, weighed: Floats, doubts: Doubts) -> tuple[Supposed, float, Evidence]:
        blocks = self.effects.blocks
        rotated = self.field.flows(replace(leak.growth, peak=1.0).flow(blocks))[None]
        both = (rotated, self.field.precision @ (rotated**2).T)
        plain, _, flow, used = self.scan(weighed, both)
        top = np.argsort(-plain)[:_TOP]
        gain = np.zeros(len(plain))
        gain[top], flow[top] = self.exact(weighed, doubts, used[top], np.repeat(rotated, len(top), axis=0))
        # the others keep their order below the worst that was looked at
        k = int(np.argmax(gain))
        n = len(gain)
        evidence = Evidence(gain, flow, np.zeros(n), np.full(n, leak.growth.onset), np.zeros(n, dtype=np.int64), flow)
        if flow[k] <= 0.0:
            return leak, 0.0, evidence
        return replace(leak, at=k, growth=replace(leak.growth, peak=float(flow[k]))), float(gain[k]), evidence


class Search:
    """Improves a set of leaks by moves until none helps."""

    def __init__(self, judge: Judge, leaks: Sequence[Supposed], log=None) -> None:
        self.judge, self.seeker = judge, Seeker(judge)
        self.log = log or (lambda *a: None)
        self.leaks = list(leaks)
        self.value = -np.inf

    def settle(self) -> None:
        """Simulate anew and fit all flows."""
        self.judge.effects.simulate(self.leaks)
        self.leaks = self.judge.balanced(self.leaks)
        self.judge.effects.simulate(self.leaks)
        self.value = self.judge.value(self.leaks)

    def offer(self, leaks: Sequence[Supposed], what: str) -> bool:
        leaks = self.judge.balanced(leaks)
        value = self.judge.value(leaks)
        if value <= self.value + 0.1:
            return False
        self.log(what, f"{value - self.value:+.1f}", len(leaks))
        self.leaks, self.value = leaks, value
        return True

    def revise(self) -> bool:
        """Seek every leak anew with the others running."""
        any_better = False
        k = 0
        while k < len(self.leaks):
            leak = self.leaks[k]
            others = [x for x in self.leaks if x is not leak]
            found = self.seeker.best(others, leak)
            if found is not None:
                any_better |= self.offer([*others[:k], found.leak, *others[k:]], f"revise {self.name(leak)} -> {self.name(found.leak)}")
            k += 1
        return any_better

    def remove(self) -> bool:
        any_better = False
        for leak in list(self.leaks):
            if leak.is_repaired or leak not in self.leaks:
                continue
            any_better |= self.offer([x for x in self.leaks if x is not leak], f"remove {self.name(leak)}")
        return any_better

    def add(self) -> bool:
        found = self.seeker.best(self.leaks)
        if found is None:
            return False
        return self.offer([*self.leaks, found.leak], f"add {self.name(found.leak)} G{found.gain:.0f}")

    def name(self, leak: Supposed) -> str:
        w = self.judge.watch
        g = leak.growth
        return f"{w.topology.links[w.pipes[leak.at]]}(on{g.onset:.1f} r{g.rise:.0f} q{3600*g.peak:.1f} end{g.end if g.end is None else round(g.end,1)})"
