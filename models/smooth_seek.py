"""Looks for one leak in what others leave unexplained: where, since when, how it grew, until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.evidence import Evidence
from models.kernels import best_shape
from models.sized import at_size, best_size
from models.smooth_effect import Supposed
from models.smooth_field import Doubts
from models.smooth_judge import Judge
from models.smooth_shapes import Library, around, ends, everywhere, onsets_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TOP = 100


@dataclass(frozen=True, slots=True)
class Found:
    """Where and how a leak would explain what is left.

    Attributes
    ----------
    gain
        Half the chi-square that it explains.
    before
        The same of the leak near which it was sought, as that stands; 0 where it was sought everywhere.
    """

    leak: Supposed
    gain: float
    before: float = 0.0


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
        """Best shape of each pipe with the response that suits its flow: gain, shape, flow, that response."""
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

    def best(self, others: Sequence[Supposed], *near: Supposed) -> Found | None:
        """The leak that explains best what others leave; with `near` only shapes like those leaks', anywhere."""
        doubts = self.judge.doubts(others, is_loose=True)
        weighed = doubts.weigh(self.judge.residual_in(others))
        is_repaired = len(near) == 1 and near[0].is_repaired
        library, both = self.library, (self._rotated, self._squared)
        if near:
            blocks = self.effects.blocks
            library = Library.join([around(one.growth, blocks, 1.0, is_repaired) for one in near])
            rotated = self.field.flows(library.values)
            both = (rotated, self.field.precision @ (rotated**2).T)
        gain, at, _, used = self.scan(weighed, both)
        top = np.argsort(-gain)[:_TOP]
        top = np.array([near[0].at]) if is_repaired else top[gain[top] > 0.0]
        if not len(top):
            return None
        better, flow = self.exact(weighed, doubts, used[top], both[0][at[top]])
        k = int(np.argmax(better))
        if flow[k] <= 0.0:
            return None
        growth = replace(library.growths[int(at[top[k]])], peak=float(flow[k]))
        found = self.refined(Supposed(int(top[k]), growth, is_repaired), weighed, doubts)
        return replace(found, before=self._gain_of(near[0], weighed, doubts)) if near else found

    def _gain_of(self, leak: Supposed, weighed: Floats, doubts: Doubts) -> float:
        """What a leak explains as it stands, its flow fitted anew."""
        response = self.effects.response(leak.at, leak.growth.peak)[None]
        rotated = self.field.flows(replace(leak.growth, peak=1.0).flow(self.effects.blocks))[None]
        return float(self.exact(weighed, doubts, response, rotated)[0][0])

    def refined(self, leak: Supposed, weighed: Floats, doubts: Doubts) -> Found:
        """The same leak with a finer shape, and the place that goes with it."""
        gain = 0.0
        for wide in (1.0, 0.4, 0.15):
            leak, gain = self._shaped(
                leak, weighed, doubts, around(leak.growth, self.effects.blocks, wide, leak.is_repaired)
            )
            if wide == 1.0 and not leak.is_repaired:
                leak, gain = self._shaped(leak, weighed, doubts, ends(leak.growth, self.effects.blocks))
            if not leak.is_repaired:
                leak, gain, _ = self._placed(leak, weighed, doubts)
        return Found(leak, gain)

    def _shaped(self, leak: Supposed, weighed: Floats, doubts: Doubts, library: Library) -> tuple[Supposed, float]:
        response = self.effects.response(leak.at, leak.growth.peak)
        rotated = self.field.flows(library.values)
        gain, flow = self.exact(weighed, doubts, response[None], rotated)
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
        gain[top], flow[top] = self.exact(weighed, doubts, used[top], rotated)
        # the others keep their order below the worst that was looked at
        k = int(np.argmax(gain))
        n = len(gain)
        none = np.zeros(n, dtype=np.int64)
        evidence = Evidence(gain, flow, np.zeros(n), np.full(n, leak.growth.onset), none, flow, none)
        if flow[k] <= 0.0:
            return leak, 0.0, evidence
        return replace(leak, at=k, growth=replace(leak.growth, peak=float(flow[k]))), float(gain[k]), evidence

    def doubted(self, leak: Supposed, others: Sequence[Supposed]) -> tuple[Floats, Floats, Evidence]:
        """What is uncertain about a leak: weights of onsets in rising order, and the evidence for every pipe."""
        doubts = self.judge.doubts(others, is_loose=True)
        weighed = doubts.weigh(self.judge.residual_in(others))
        library = onsets_of(leak.growth, self.effects.blocks)
        response = self.effects.response(leak.at, leak.growth.peak)
        gain, _ = self.exact(weighed, doubts, response[None], self.field.flows(library.values))
        evidence = self._placed(leak, weighed, doubts)[2]
        temper = self.rules.temper
        onset = np.array([growth.onset for growth in library.growths])
        order = np.argsort(onset, kind="stable")
        weight = np.exp((gain - gain.max()) / temper)
        return onset[order], weight[order], evidence
