"""Later thoughts about known leaks: better places and sizes, ends, repairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.evidence import Evidence, Scanner
from models.ledger import Entry, Ledger
from models.localise import Place, locate
from models.rules import Repair, Rules

Floats = NDArray[np.float64]

_END_BLOCKS = 10
_REPAIR_REACH_M = 1000.0


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
        self._scanners: dict[int, Scanner] = {}

    def scanner(self, n_blocks: int) -> Scanner:
        """The prepared scan for a window length."""
        if n_blocks not in self._scanners:
            if len(self._scanners) > 3:
                self._scanners.clear()
            self._scanners[n_blocks] = Scanner(self.watch.noise, n_blocks, self.rules.rises)
        return self._scanners[n_blocks]

    def scan(self, residual: Floats, responses: Floats) -> Evidence:
        """Scan all pipes; leaks larger than a district could feed explain nothing."""
        evidence = self.scanner(len(residual)).scan(residual, responses)
        most = self.rules.most_share * self.watch.inflow_of_pipes
        gain = np.where(evidence.now > most, 0.0, evidence.gain)
        return replace(evidence, gain=gain)

    def locate(self, evidence: Evidence) -> Place:
        """The place that a scan of all pipes speaks for."""
        return locate(evidence, self.watch.topology, self.watch.pipes, self.rules.temper, self.rules.temper_growth)

    def position(self, link: int) -> int:
        """Position of a link among the pipes that can leak."""
        return int(np.searchsorted(self.watch.pipes, link))

    def run(self) -> None:
        """Revise every open entry after a new frame."""
        for entry in self.ledger.entries:
            if not entry.is_open:
                continue
            age = self.ledger.window.last - entry.raised
            if age in self.rules.refit_ages:
                self.refit(entry)
            if entry.is_open:
                self.test_end(entry)

    def refit(self, entry: Entry) -> None:
        """Seek an entry's place and flow anew, with responses at half its flow and the other leaks running."""
        ledger, window = self.ledger, self.ledger.window
        residual = ledger.without(entry)
        before = entry.growth
        drive = window.recent_drive()
        for _ in range(2):
            old_flow, old_link = float(entry.flow(window.blocks[-1:])[0]), entry.place.link
            responses = self.watch.respond(drive, ledger.flows_now(entry, len(drive.times)))
            evidence = self.scan(residual, responses)
            if evidence.gain.max() <= 0.0:
                entry.is_withdrawn = True
                break
            entry.place = self.locate(evidence)
            at = self.position(entry.place.link)
            entry.unit = responses[at]
            self._adopt(entry, evidence, at)
            flow = float(entry.flow(window.blocks[-1:])[0])
            if entry.is_withdrawn or (entry.place.link == old_link and abs(flow - old_flow) < 0.1 * old_flow):
                break
        ledger.update(entry, before)

    def _adopt(self, entry: Entry, evidence: Evidence, at: int) -> None:
        """Take over a candidate's growth; an entry that shrank to little was none."""
        growth = evidence.growth(at, self.ledger.window.first)
        flow = float(growth.flow(self.ledger.window.blocks[-1:])[0])
        if flow < self.rules.withdrawn_share * entry.alarm.flow.flow:
            entry.is_withdrawn = True
            return
        onset = growth.onset
        if self.ledger.window.last - entry.raised > self.rules.window // 2 and onset <= self.ledger.window.first:
            onset = min(entry.growth.onset, onset)  # the window no longer shows the beginning
        entry.growth = replace(growth, onset=onset) if growth.rise == 0 else growth
        entry.onset_deviation = float(
            np.clip(3.0 / np.sqrt(max(evidence.gain[at], 1.0)) * max(1.0, growth.rise), 0.5, 30.0)
        )

    # ends ---------------------------------------------------------------------------------------------------------

    def test_end(self, entry: Entry) -> None:
        """Recognise that a known leak has stopped: from some block on its effect is missing."""
        ledger, window = self.ledger, self.ledger.window
        n = len(window)
        whitening = self.scanner(n).whitening
        data = ledger.residual @ whitening.transform
        unit = entry.unit @ whitening.transform
        flow = entry.flow(window.blocks)
        weighted = np.einsum("jbc,cj,j->b", whitening.precision, data, unit)
        curvature = np.einsum("jbc,j->bc", whitening.precision, unit**2)
        best_gain, best_at = 0.0, -1
        for at in range(max(1, n - _END_BLOCKS), n):
            template = np.where(np.arange(n) >= at, -flow, 0.0)
            gain = float(template @ weighted - 0.5 * template @ curvature @ template)
            if gain > best_gain:
                best_gain, best_at = gain, at
        if best_gain > self.rules.end_gain:
            before = entry.growth
            entry.growth = replace(before, end=float(window.blocks[best_at]))
            ledger.update(entry, before)

    # repairs ------------------------------------------------------------------------------------------------------

    def apply(self, repair: Repair) -> None:
        """Use what a crew reports: the leak it belongs to has ended, and was there."""
        ledger, watch, window = self.ledger, self.watch, self.ledger.window
        link = watch.topology.link(repair.pipe)
        end = window.number(repair.time)
        distance = watch.topology.distance_from_link(link)
        candidates = [
            e
            for e in ledger.entries
            if distance[e.place.link] <= _REPAIR_REACH_M
            and not e.is_withdrawn
            and (e.growth.end is None or abs(e.growth.end - end) < _END_BLOCKS)
        ]
        if not candidates:
            return
        entry = min(candidates, key=lambda e: float(distance[e.place.link]))
        before = entry.growth
        entry.growth = replace(before, end=None)
        past = int(np.sum(window.blocks < np.floor(end)))
        residual = ledger.without(entry)[:past]
        entry.place = Place(link, entry.place.candidates, 1.0, float(watch.topology.length[link]))
        if past >= 2:
            drive = window.recent_drive()
            response = watch.respond(drive, ledger.flows_now(entry, len(drive.times)))[self.position(link)]
            evidence = self.scanner(past).scan(residual, response[None, :])
            if evidence.gain[0] > 0.0:
                entry.growth, entry.unit = evidence.growth(0, window.first), response
        entry.growth = replace(entry.growth, end=end)
        ledger.update(entry, before)
