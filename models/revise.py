"""Later thoughts about known leaks: better places and sizes, ends, repairs."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from models.ends import test_ends
from models.evidence import Evidence, Scanner
from models.ledger import Entry, Ledger
from models.localise import Place, locate
from models.noise import Noise, with_known
from models.rules import Rules
from models.searches import Searches
from models.sized import MIDDLING, WORTH_SIZING, at_size, best_size
from models.telling import ALIKE, ALIKE_M

Floats = NDArray[np.float64]

_TRIMS, _TRIMMED = 3, 0.05
_DOUBTS = 6
_PATTERNS = 12
_MEMORY = 0.5
MOVED_M = 150.0
_GLANCE = 0.7


class Reviser:
    """Revises the entries of one ledger.

    Parameters
    ----------
    ledger
        Its entries are changed.
    rules
        Thresholds.
    """

    def __init__(self, ledger: Ledger, rules: Rules) -> None:
        self.ledger, self.rules, self.watch = ledger, rules, ledger.watch
        self.searches = Searches(ledger.watch.topology, ledger.watch.pipes)

    def scanner(self, n_blocks: int, but: Entry | None = None) -> Scanner:
        """A scan prepared for a window length and for what is uncertain about the known leaks, but for one."""
        cost = 1.0 / (self.rules.usual_share * self.watch.largest_take)
        return Scanner(self.noise(but), n_blocks, self.rules.rises, cost)

    def noise(self, but: Entry | None = None) -> Noise:
        """Noise of a frame, with what is uncertain about the known leaks, but for one."""
        return with_known(self.watch.noise, self.ledger.doubts(but))

    def scan(self, residual: Floats, responses: Floats, but: Entry | None = None) -> tuple[Evidence, Floats]:
        """Scan all pipes; those near the best with the response that suits each: to a small leak, or to a large one.

        Leaks larger than a district could feed explain nothing.

        Returns
        -------
        evidence : Evidence
        used : float64 [n_pipes, n_channels]
            The response that each pipe's evidence rests on.
        """
        return self.scan_with(self.scanner(len(residual), but), residual, responses)

    def scan_with(self, scanner: Scanner, residual: Floats, responses: Floats) -> tuple[Evidence, Floats]:
        """The same with a scan that is prepared."""
        sized = self.watch.sized(responses)
        evidence = scanner.scan(residual, sized[MIDDLING])
        near = np.flatnonzero(evidence.gain >= WORTH_SIZING * evidence.gain.max())
        tried = np.repeat(evidence.now[None, :], len(sized), axis=0)
        for k in range(len(sized)):
            if k != MIDDLING:
                tried[k, near] = scanner.scan(residual, sized[k, near]).now
        now = tried[best_size(tried, self.watch.sizes), np.arange(len(responses))]
        used = sized[MIDDLING].copy()
        used[near] = at_size(sized[:, near], now[near], self.watch.sizes)
        evidence = evidence.with_some(near, scanner.scan(residual, used[near]))
        evidence = scanner.weigh(residual, evidence, used, self.watch.doubts.of(used))
        most = self.rules.most_share * self.watch.largest_take
        gain = np.where(evidence.now > most, 0.0, evidence.gain)
        return replace(evidence, gain=gain), used

    def is_worth_a_scan(self, residual: Floats) -> bool:
        """Whether a small leak or a middling one anywhere comes near an alarm."""
        scanner, seen = self.scanner(len(residual)), ~self.watch.blind(self.ledger.window.frames[-1])
        sizes = (self.watch.responses, self.watch.secants[1])
        best = max(scanner.scan(residual, each[seen]).gain.max() for each in sizes) if seen.any() else 0.0
        return bool(best > _GLANCE * self.rules.gain)

    def doubt(self, evidence: Evidence, responses: Floats, at: int) -> Floats:
        """Directions in which a leak placed by a scan may be misjudged: other pipes that it may be in, and its size."""
        weight = np.exp(
            (evidence.gain - evidence.gain.max()) / (self.rules.temper + self.rules.temper_growth * evidence.gain.max())
        )
        weight *= np.maximum(self.watch.topology.length[self.watch.pipes], 1.0)
        weight /= weight.sum()
        spread = (responses - responses[at]) * np.sqrt(weight)[:, None]
        _, size, direction = np.linalg.svd(spread, full_matrices=False)
        return np.vstack(
            [
                size[:_DOUBTS, None] * direction[:_DOUBTS],
                self.rules.size_doubt * responses[at],
                self.rules.pattern_doubt * self._patterns,
            ]
        )

    def doubt_of(self, place: Place, unit: Floats) -> Floats:
        """The same of a leak that was placed otherwise, by its candidates."""
        at = [self.position(self.watch.topology.link(c.pipe)) for c in place.candidates]
        weight = np.sqrt([c.probability for c in place.candidates])
        spread = (self.watch.secants[1, at] - self.watch.secants[1, self.position(place.pipe)]) * weight[:, None]
        _, size, direction = np.linalg.svd(spread, full_matrices=False)
        return np.vstack(
            [
                size[:_DOUBTS, None] * direction[:_DOUBTS],
                self.rules.size_doubt * unit,
                self.rules.pattern_doubt * self._patterns,
            ]
        )

    @cached_property
    def _patterns(self) -> Floats:
        """What a unit leak anywhere may do, float64 [k, n_channels], as independent directions.

        A large leak changes flows everywhere, and the model's errors with them: beside a known leak a share of its
        size may seem to leak anywhere else.
        """
        weight = np.sqrt(self.watch.topology.length[self.watch.pipes])
        _, size, direction = np.linalg.svd(
            self.watch.responses * (weight / np.linalg.norm(weight))[:, None], full_matrices=False
        )
        patterns: Floats = size[:_PATTERNS, None] * direction[:_PATTERNS]
        patterns[:, len(self.watch.channels.picked) :] = 0.0
        return patterns

    def locate(self, evidence: Evidence, onset: float | None = None) -> Place:
        """The place that a scan of all pipes speaks for, and searches do not speak against.

        Parameters
        ----------
        onset
            Since when the leak runs, blocks; as the scan has it for each pipe where not given.
        """
        began = evidence.onset + self.ledger.window.first if onset is None else onset
        believed = self.searches.believed(began)
        rules = self.rules
        return locate(evidence, self.watch.topology, self.watch.pipes, rules.temper, rules.temper_growth, believed)

    def position(self, link: int) -> int:
        """Position of a link among the pipes that can leak."""
        return int(np.searchsorted(self.watch.pipes, link))

    def is_blind(self, entry: Entry) -> bool:
        """Whether nothing can be said of an entry now, for lack of pressures in its district."""
        return bool(self.watch.blind(self.ledger.window.frames[-1])[self.position(entry.place.link)])

    def run(self) -> None:
        """Revise every open entry after a new frame."""
        for entry in self.ledger.entries:
            if not entry.is_open or self.is_blind(entry):
                continue
            age = self.ledger.window.last - entry.raised
            if age in self.rules.refit_ages and not self.is_settled(entry):
                self.refit(entry)
        test_ends(self)

    def is_settled(self, entry: Entry) -> bool:
        """Whether all that told an entry from its neighbours lies before the window: what it shows now tells less."""
        return entry.growth.onset + entry.growth.rise < self.ledger.window.first

    def refit(self, entry: Entry, past: int | None = None) -> None:
        """Seek an entry's place and flow anew, with the other leaks running; a settled one stays as it is.

        Parameters
        ----------
        past
            Blocks of the window to look at; the others say nothing of this entry.
        """
        ledger, window = self.ledger, self.ledger.window
        if self.is_settled(entry):
            return
        n = len(window) if past is None else past
        now = window.blocks[n - 1 : n]
        residual = ledger.without(entry)[:n]
        before, first_link = entry.growth, entry.place.link
        drive = window.drive_since(before.onset)
        for _ in range(2):
            old_flow, old_link = float(entry.flow(now)[0]), entry.place.pipe
            responses = self.watch.respond(drive, ledger.flows_now(entry, len(drive.times), 0.0))
            evidence, responses = self.scan(residual, responses, entry)
            evidence = replace(evidence, gain=np.where(self._reachable(entry, responses), evidence.gain, 0.0))
            if evidence.gain.max() <= 0.0:
                entry.withdraw(window.last)
                break
            evidence = self._remembering(entry, evidence)
            entry.place = self.locate(evidence)
            at = self.position(entry.place.pipe)
            entry.unit, entry.doubt = responses[at], self.doubt(evidence, responses, at)
            self._adopt(entry, evidence, at, now)
            flow = float(entry.flow(now)[0])
            if entry.is_withdrawn or (entry.place.pipe == old_link and abs(flow - old_flow) < 0.1 * old_flow):
                break
        entry.belief = evidence.gain - evidence.gain.max()
        if self.watch.topology.distance_from_link(first_link)[entry.place.link] > MOVED_M:
            entry.placed = window.last
        entry.misfit = entry.misfit[:0]
        entry.refitted = window.last
        if past is not None and not entry.is_withdrawn:
            entry.growth = replace(entry.growth, end=before.end)
        ledger.update(entry, before)
        if not entry.is_withdrawn:
            self._trim(entry)
            self.settle(entry)

    def _trim(self, entry: Entry) -> None:
        """Give an entry the flow whose simulation fits: its response by size was made at other moments."""
        ledger = self.ledger
        without = ledger.without(entry)
        scanner = self.scanner(len(without))
        for _ in range(_TRIMS):
            template, data = scanner.whiten(without - ledger.residual), scanner.whiten(without)
            share = float(np.clip(template @ data / max(float(template @ template), 1e-30), 0.7, 1.4))
            if abs(share - 1.0) < _TRIMMED:
                return
            # effects grow faster than flows, up to their square
            entry.growth = replace(entry.growth, peak=entry.growth.peak * share**0.6)
            ledger.update(entry)

    def settle(self, entry: Entry) -> None:
        """Learn anew what an entry did beyond its simulation, as far as the model's pipes and demands may be wrong.

        Left in the window, that would look like a leak that began or ended with this one. It is told from what the
        blocks around it show: the slow bias goes on through a leak.
        """
        ledger = self.ledger
        flow = entry.flow(ledger.window.blocks)
        left = ledger.residual + (np.outer(flow, entry.misfit) if len(entry.misfit) else 0.0)
        known = self.watch.doubts.at(self.position(entry.place.pipe), entry.unit)
        scanner = self.scanner(len(ledger.window), entry)
        misfit, rest = scanner.misfit(left, flow, np.vstack([known, entry.doubt]))
        # its size may still change
        entry.rest = np.vstack([rest, self.rules.size_doubt * entry.unit])
        before = entry.misfit if len(entry.misfit) else np.zeros_like(misfit)
        entry.misfit = misfit
        ledger.effect = ledger.effect + np.outer(flow, misfit - before)

    def _remembering(self, entry: Entry, evidence: Evidence) -> Evidence:
        """Evidence with half of what the last refit held: the model's errors differ with the moments it is asked at.

        Nearly the same data stand behind both, so that they are averaged, not added.
        """
        if len(entry.belief) == 0:
            return evidence
        best = float(evidence.gain.max())
        kept = (1.0 - _MEMORY) * evidence.gain + _MEMORY * (best + entry.belief)
        return replace(evidence, gain=np.where(evidence.gain > 0.0, np.maximum(kept, 0.0), 0.0))

    def _reachable(self, entry: Entry, responses: Floats) -> NDArray[np.bool_]:
        """Pipes to which an entry may move: near its place, or alike in what they do; others are other leaks."""
        cosine = self.scanner(len(self.ledger.window), entry).alike(entry.unit, responses)
        distance = self.watch.topology.distance_from_link(entry.place.link)[self.watch.pipes]
        reachable: NDArray[np.bool_] = (cosine > ALIKE) | (distance < ALIKE_M)
        return reachable

    def _adopt(self, entry: Entry, evidence: Evidence, at: int, now: Floats) -> None:
        """Take over a candidate's growth; an entry that shrank to little was none."""
        growth = evidence.growth(at, self.ledger.window.first)
        flow = float(growth.flow(now)[0])
        if flow < self.rules.withdrawn_share * entry.alarm.flow.flow:
            entry.withdraw(self.ledger.window.last)
            return
        onset = growth.onset
        if self.ledger.window.last - entry.raised > self.rules.window // 2 and onset <= self.ledger.window.first:
            onset = min(entry.growth.onset, onset)  # the window no longer shows the beginning
        entry.growth = replace(growth, onset=onset) if growth.rise == 0 else growth
        entry.flow_doubt = np.nan
        entry.onset_deviation = float(
            np.clip(3.0 / np.sqrt(max(evidence.gain[at], 1.0)) * max(1.0, growth.rise), 0.5, 30.0)
        )

    def similar(self, evidence: Evidence) -> list[Entry]:
        """Open entries whose leak a scan's best candidate resembles: they may have grown or be misplaced."""
        watch = self.watch
        scanner = self.scanner(len(self.ledger.window))
        entries = [e for e in self.ledger.entries if e.is_open and not self.is_blind(e)]
        if not entries:
            return []
        cosine = scanner.alike(watch.secants[1, evidence.best], np.stack([e.unit for e in entries]))
        distance = watch.topology.distance_from_link(int(watch.pipes[evidence.best]))
        found = [
            (float(c), e) for c, e in zip(cosine, entries, strict=True) if c > ALIKE or distance[e.place.link] < ALIKE_M
        ]
        return [entry for _, entry in sorted(found, key=lambda pair: -pair[0])][:2]

    def prune(self) -> None:
        """Withdraw entries that the others can stand in for: fit all flows together, leave out what adds little."""
        ledger = self.ledger
        while True:
            standing = [
                (gain, entry) for gain, entry in self.standing() if not (self.is_settled(entry) or self.is_blind(entry))
            ]
            if not standing:
                return
            gain, entry = min(standing, key=lambda pair: pair[0])
            if gain > self.rules.keep_gain:
                return
            before = entry.growth
            entry.withdraw(ledger.window.last)
            ledger.update(entry, before)

    def standing(self) -> list[tuple[float, Entry]]:
        """What each open entry adds to the log likelihood beyond what the others' flows, fitted anew, can explain."""
        ledger, window = self.ledger, self.ledger.window
        entries = [e for e in ledger.entries if e.is_open]
        if len(entries) < 2:
            return []
        scanner = Scanner(self.watch.noise, len(window), self.rules.rises)
        templates = np.vstack([scanner.whiten_products(e.flow(window.blocks)[None, :], e.unit) for e in entries])
        data = scanner.whiten(ledger.residual) + templates.sum(axis=0)
        # the normal equations' root holds all that the fit asks of the data
        root, rotation = np.linalg.qr(templates.T, mode="reduced")[::-1]
        wanted = rotation.T @ data
        _, loss = nnls(root, wanted)
        found: list[tuple[float, Entry]] = []
        for k, entry in enumerate(entries):
            _, without = nnls(np.delete(root, k, axis=1), wanted)
            found.append((0.5 * float(without**2 - loss**2), entry))
        return found
