"""Looks for one leak in what others leave unexplained: where, since when, how it grew, until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.evidence import Evidence
from models.kernels import best_shape
from models.sized import MIDDLING, WORTH_SIZING, at_size, best_size
from models.smooth_effect import Supposed
from models.smooth_field import Doubts
from models.smooth_judge import Judge
from models.smooth_shapes import Library, around, ends, everywhere, onsets_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TOP = 100
_NEW = 6.0  # blocks


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

    def __init__(self, judge: Judge, earliest: float = -np.inf) -> None:
        self.judge, self.watch, self.rules = judge, judge.watch, judge.rules
        self.field, self.effects = judge.field, judge.effects
        self._earliest = earliest
        # whether what is new is a leak or an instrument's is not this search's to tell
        self._latest = float(self.effects.blocks[-1]) + 1.0 - _NEW
        self.library = everywhere(self.effects.blocks, self.rules.rises).since(earliest, self._latest)
        self._rotated = self.field.flows(self.library.values)
        self._squared = self._energies(self._rotated)
        self.sized = self.watch.sized(self.watch.responses)

    def _energies(self, rotated: Floats) -> NDArray[np.float32]:
        """What shapes weigh in each coordinate, float32 [n_channels, n_shapes]."""
        return (self.field.precision @ (rotated**2).T).astype(np.float32)

    def _plain(
        self, weighed: Floats, responses: Floats, library: tuple[Floats, NDArray[np.float32]]
    ) -> tuple[Floats, Ints, Floats]:
        """Best shape of each pipe, its energy taken without the doubts: never too good."""
        rotated, squared = library
        units = self.field.responses(responses).astype(np.float32)  # seven digits are plenty to choose by
        match = units @ (weighed @ rotated.T).astype(np.float32)
        energy = units**2 @ squared
        n = len(responses)
        gain, flow, at = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
        best_shape(match, energy, self.judge.cost, gain, at, flow)
        return gain, at, flow

    def scan(self, weighed: Floats, library: tuple[Floats, NDArray[np.float32]]) -> tuple[Floats, Ints, Floats, Floats]:
        """Best shape of each pipe with the response that suits its flow: gain, shape, flow, that response."""
        sized = self.sized
        gain, at, flow = self._plain(weighed, sized[MIDDLING], library)
        near = np.flatnonzero(gain >= WORTH_SIZING * gain.max())
        tried = np.repeat(flow[None, :], len(sized), axis=0)
        for k in range(len(sized)):
            if k != MIDDLING:
                tried[k, near] = self._plain(weighed, sized[k, near], library)[2]
        now = tried[best_size(tried, self.watch.sizes), np.arange(len(gain))]
        used = sized[MIDDLING].copy()
        used[near] = at_size(sized[:, near], now[near], self.watch.sizes)
        gain[near], at[near], flow[near] = self._plain(weighed, used[near], library)
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
        if len(near) == 1 and near[0].is_held:
            return None if near[0].is_repaired else self._ended(near[0], weighed, doubts)
        is_repaired = len(near) == 1 and near[0].is_repaired
        library, both = self.library, (self._rotated, self._squared)
        if near:
            blocks = self.effects.blocks
            library = Library.join([around(one.growth, blocks, 1.0, is_repaired) for one in near])
            library = library.since(min(self._earliest, *(one.growth.onset for one in near)))
            rotated = self.field.flows(library.values)
            both = (rotated, self._energies(rotated))
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

    def _ended(self, leak: Supposed, weighed: Floats, doubts: Doubts) -> Found | None:
        """A leak that stays where and as large as it is, with the end that explains most, or without one."""
        library = ends(leak.growth, self.effects.blocks)
        unit = self.field.responses(self.effects.response(leak.at, leak.growth.peak))[None]
        rotated = leak.growth.peak * self.field.flows(library.values)
        match = (unit @ weighed @ rotated.T)[0]
        gain = match - 0.5 * np.maximum(doubts.energy(unit, rotated), 1e-12)
        k = int(np.argmax(gain))
        now = [g.end for g in library.growths].index(None) if leak.growth.end is None else None
        before = float(gain[now]) if now is not None else self._as_it_is(leak, weighed, doubts)
        return Found(replace(leak, growth=replace(leak.growth, end=library.growths[k].end)), float(gain[k]), before)

    def _as_it_is(self, leak: Supposed, weighed: Floats, doubts: Doubts) -> float:
        """What a leak explains with its flow as it is."""
        unit = self.field.responses(self.effects.response(leak.at, leak.growth.peak))[None]
        rotated = self.field.flows(leak.growth.flow(self.effects.blocks))[None]
        return float((unit @ weighed @ rotated.T)[0, 0] - 0.5 * doubts.energy(unit, rotated)[0])

    def _gain_of(self, leak: Supposed, weighed: Floats, doubts: Doubts) -> float:
        """What a leak explains as it stands, its flow fitted anew."""
        response = self.effects.response(leak.at, leak.growth.peak)[None]
        rotated = self.field.flows(replace(leak.growth, peak=1.0).flow(self.effects.blocks))[None]
        return float(self.exact(weighed, doubts, response, rotated)[0][0])

    def refined(self, leak: Supposed, weighed: Floats, doubts: Doubts) -> Found:
        """The same leak with a finer shape, and the place that goes with it."""
        gain = 0.0
        for wide in (1.0, 0.4, 0.15):
            shapes = around(leak.growth, self.effects.blocks, wide, leak.is_repaired)
            latest = self._latest if leak.growth.onset <= self._latest else np.inf
            shapes = shapes.since(min(self._earliest, leak.growth.onset), latest)
            leak, gain = self._shaped(leak, weighed, doubts, shapes)
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
        both = (rotated, self._energies(rotated))
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
