"""The detector: `step(frame)` never learns from what it calls abnormal, keeps the ledger and raises alarms.

One call serves live polling, replay and batch. In each step the effects of all known leaks are taken off the window of
residuals; what remains is scanned for a new leak, and the known ones are revised: ends, better places, sizes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.record import Record
from models.ends import apply
from models.evidence import Evidence
from models.feedback import Feedback
from models.frame import Frame, HourFrame
from models.growth import Growth
from models.health import Fault
from models.health_surge import Surges
from models.health_watch import InstrumentWatch
from models.hours import NEAR_BLOCKS, ONSET_DEVIATION, HourWatch
from models.leak import Estimate, Leak, Untold
from models.ledger import Alarm, Entry, Ledger
from models.oldends import OldEnds
from models.relearn import relearn
from models.revise import Reviser
from models.rules import Repair, Rules
from models.searches import DrySearch
from models.telling import around, is_due, is_echo, withdrawn_before
from models.together import Together
from models.watch import Watch

Floats = NDArray[np.float64]

_MOST_PER_FRAME = 1
_BEYOND_DOUBT = 10.0
MOST_RECORD = 400  # blocks of a record that are judged together
NEAR_M = 300.0  # a crew that looks for a leak finds it within this length of pipe


class Detector:
    """State of detection on one watched network.

    Parameters
    ----------
    watch
        What is known beforehand.
    rules
        Thresholds.
    repairs, searches
        Known repairs, and searches that found nothing; each is used only from its own time on.

    Attributes
    ----------
    ledger
        Every leak found so far.
    old_ends
        Of leaks that nobody had known.
    together
        What judges all known leaks together.
    is_history
        Nobody waits for what is told of these frames: leaks are judged together when all of them are there.
    seen
        The last frames, with whatever is wrong with them; a history's against the model as it was calibrated again.
    """

    def __init__(
        self,
        watch: Watch,
        rules: Rules | None = None,
        repairs: tuple[Repair, ...] = (),
        searches: tuple[DrySearch, ...] = (),
    ) -> None:
        self.watch = watch
        self.rules = rules or Rules()
        self.ledger = Ledger(watch, self.rules.window)
        self._reviser = Reviser(self.ledger, self.rules)
        self.instruments = InstrumentWatch(self._reviser)
        self.hours = HourWatch(self.ledger, self.rules, self.instruments.scan)
        self._left_out: Floats | float = 0.0
        self.surges = Surges(self.ledger)
        self._feedback = Feedback(self._reviser)
        self.old_ends = OldEnds(self.ledger, self._reviser, self.rules)
        self.together = Together(self._reviser)
        self.is_history = False
        self._first = -np.inf
        self.seen: list[Frame] = []
        self._reported: list[Repair] = []
        self._repairs = sorted(repairs, key=lambda r: r.time)
        self._searches = sorted(searches, key=lambda s: s.time)

    def know(self, entries: list[Entry], repairs: tuple[Repair, ...] = ()) -> None:
        """Enter leaks that are known beforehand, in order of their detection, and the repairs that tell of some."""
        self._reported += repairs
        self.ledger.entries = [*entries, *self.ledger.entries]

    def learn(self, frame: Frame) -> None:
        """Take one frame of the learning period: it is looked back on, but raises nothing."""
        self._see(frame)
        self.ledger.append(frame, self.watch.noise)

    def _see(self, frame: Frame) -> None:
        self.seen = [*self.seen[-MOST_RECORD + 1 :], frame]

    def step(self, frame: Frame | HourFrame) -> list[Entry]:
        """Take one frame, an hour or, after its hours, a whole block; return the entries that it raised."""
        if isinstance(frame, HourFrame):
            return self.hours.step(replace(frame, values=frame.values + self._left_out))
        self._see(frame)
        raw, frame = frame, self.old_ends.levelled(self.instruments.screened(frame))
        # an instrument that is left out of a day is left out of the next one's hours; zeros are learnt by the hour
        self._left_out = np.where(np.isnan(frame.values) & ~np.isnan(raw.values), np.nan, 0.0)
        self.ledger.append(frame, self.watch.noise)
        self.instruments.examine(frame)
        while self._repairs and self._repairs[0].time <= frame.end:
            self._reported.append(self._repairs.pop(0))
            self._repaired(self._reported[-1])
        while self._searches and self._searches[0].time <= frame.end:
            search = self._searches.pop(0)
            self._feedback.search(search.pipe, self.ledger.window.number(search.time))
        if not self.is_history:
            self._reviser.run()
        self.old_ends.run(frame.end)
        entered = 0
        while entered < _MOST_PER_FRAME and not self.old_ends.is_waiting and self._seek(frame) is not None:
            entered += 1
        self._tell_again(frame)
        told = self._tell(frame)
        self.hours.close()
        return told

    def judge(self, time: pd.Timestamp) -> bool:
        """Judge all known leaks together, on what was seen lately; return whether anything came of it."""
        number, link = self.ledger.window.number, self.watch.topology.link
        repaired = {(link(r.pipe), number(r.time)): r.flow is not None for r in self._reported}
        frames = self.trusted(self.seen)
        return self.together.run(frames, self.instruments.noise, repaired, time, self.hours.bursts)

    @property
    def faults(self) -> list[Fault]:
        """What was told of instruments and valves, and surges of demand."""
        return [*self.instruments.faults, *self.surges.faults]

    def trusted(self, frames: list[Frame]) -> list[Frame]:
        """Frames without what was found wrong with them, as known now."""
        mended = (self.surges.without(frame) for frame in self.instruments.trusted(frames))
        return [self.old_ends.levelled(frame) for frame in mended]

    def _repaired(self, repair: Repair) -> None:
        """Use a repair: of a known leak, of one that runs since before the window, or of one that nobody knew."""
        entry = self._feedback.owner(repair)
        if entry is not None and not self._reviser.is_settled(entry):
            apply(self._reviser, repair, entry)
        else:
            self.old_ends.expect(repair, entry)

    def believed(self) -> Floats | None:
        """Logarithm of what dry searches leave of each pipe for a leak that is older than all of them."""
        return self._reviser.searches.believed(-np.inf)

    def begin(self, time: pd.Timestamp) -> None:
        """The data in question begin here: what runs already is old; what has ended is no longer told."""
        self._first = self.ledger.window.number(time)
        for entry in self.ledger.entries:
            entry.superseded.clear()
            entry.is_past = not entry.is_open
            if entry.is_open:
                entry.is_told, entry.alarm = True, self._alarm(entry, time, "old")

    def _tell(self, frame: Frame) -> list[Entry]:
        """Raise an alarm for every leak whose probation is over; one that hours told of keeps their alarm."""
        told = []
        for entry in self.ledger.entries:
            if not entry.is_open or entry.is_told:
                continue
            if not is_due(self._reviser, entry):
                entry.due = -1
                continue
            last = self.ledger.window.last
            entry.due = last if entry.due < 0 else entry.due
            # what one block alone shows may be the block's own, unless it is beyond doubt
            if last > entry.due or (entry.raised == last and entry.alarm.gain >= _BEYOND_DOUBT * self.rules.sure_gain):
                told.append(entry)
        raised = []
        for entry in told:
            earlier = self.hours.confirmed(entry)
            before = withdrawn_before(self._reviser, entry, self.hours.bursts) if earlier is None else None
            if before is not None:
                earlier = replace(before.alarm, gain=entry.alarm.gain)  # gains of days and hours do not compare
                is_burst = any(before is burst for burst in self.hours.bursts)
                if is_burst and abs(entry.growth.onset - before.growth.onset) <= NEAR_BLOCKS:
                    entry.hour_onset = before.growth.onset
                before.is_told, entry.superseded = False, before.superseded
            if earlier is None:
                raised.append(entry)
            entry.is_told, entry.alarm = True, earlier or self._alarm(entry, frame.end, entry.growth.kind)
        return raised

    def _tell_again(self, frame: Frame) -> None:
        """Raise another alarm for a leak that has come to lie elsewhere, and surely."""
        rules, window, topology = self.rules, self.ledger.window, self.watch.topology
        for entry in self.ledger.entries:
            if not (entry.is_open and entry.is_told) or entry.place.probability < rules.sure_mass:
                continue
            told = (entry.alarm, *entry.superseded)
            near = np.zeros(len(topology.links), dtype=bool)
            for alarm in told:
                near |= topology.distance_from_link(alarm.place.link) <= NEAR_M
            if window.last - entry.placed < rules.rest or entry.covered(near, topology.link_index) > 0.5:
                continue
            entry.superseded.append(entry.alarm)
            entry.alarm = self._alarm(entry, frame.end, entry.growth.kind)

    def _alarm(self, entry: Entry, time: pd.Timestamp, kind: str) -> Alarm:
        """What is known of an entry now, as an alarm."""
        window = self.ledger.window
        flow = float(entry.flow(window.blocks[-1:])[0])
        first = entry.alarm.flow
        share = 2.0 * entry.flow_doubt if entry.flow_doubt > 0.0 else (first.high - first.flow) / max(first.flow, 1e-12)
        estimate = Estimate(flow, max(0.0, flow * (1.0 - share)), flow * (1.0 + share))
        residual = self.ledger.residual + np.outer(entry.flow(window.blocks), entry.unit)
        return Alarm(time, entry.place, estimate, kind, entry.alarm.gain, self._sigmas(residual, entry.growth))

    def relearn(self, history: Record) -> list[Frame]:
        """Calibrate the model again, on a history with the leaks found in it, and look at all its frames anew.

        Returns the history's frames against the new calibration.
        """
        if not self.judge(self.seen[-1].end):
            for entry in self.ledger.entries:
                if entry.is_open:
                    self._reviser.refit(entry)
            self._reviser.run()
        self.instruments.lift()
        frames = relearn(self.watch, self.instruments.mended(history), self.ledger)
        self.old_ends.forget_shift()
        self.ledger.replace_frames(frames, self.watch.noise)
        self.seen = frames[-MOST_RECORD:]
        for entry in self.ledger.entries:
            if not entry.is_withdrawn:
                self._reviser.settle(entry)
        return frames

    def _seek(self, frame: Frame) -> Entry | None:
        """Raise the leak that explains the rest best, if it passes the rules."""
        rules, watch, window = self.rules, self.watch, self.ledger.window
        if len(window) < 2:
            return None
        found = self._unexplained()
        if found is None:
            return None
        evidence, responses = found
        residual, gain = self.ledger.residual, float(evidence.gain.max())
        place = self._reviser.locate(evidence)
        if place.probability < rules.sure_mass and gain < rules.sure_gain:
            return None
        if self.instruments.may_be_a_fault(residual, gain):
            return None  # the next blocks will tell
        at = self._reviser.position(place.pipe)
        growth = evidence.growth(at, window.first)
        flow = float(evidence.now[at])
        if flow < max(rules.least_flow, rules.least_share * watch.inflow_of_pipes[at]):
            return None
        if self.surges.is_one(place.pipe, growth, frame):
            return None
        deviation = float(evidence.deviation[at]) * flow / max(growth.peak, 1e-12)
        alarm = Alarm(
            time=frame.end,
            place=place,
            flow=Estimate(flow, max(0.0, flow - 2.0 * deviation), flow + 2.0 * deviation),
            kind=growth.kind,
            gain=gain,
            evidence=self._sigmas(residual, growth),
        )
        entry = Entry(alarm, window.last, place, growth, responses[at], np.empty((0, residual.shape[1])))
        self.ledger.entries.append(entry)
        self._reviser.refit(entry)
        if entry.is_withdrawn:  # at its true size it would not have been raised
            self.ledger.entries.remove(entry)
            return None
        self._reviser.prune()
        if entry.is_withdrawn:
            return None
        return entry

    def _unexplained(self) -> tuple[Evidence, Floats] | None:
        """Evidence for a new leak that no better place or size of a known one removes, and its responses, or None."""
        tried: list[Entry] = []
        reviser, window = self._reviser, self.ledger.window
        if not reviser.is_worth_a_scan(self.ledger.residual):
            return None
        passed_over = self.watch.blind(window.frames[-1])
        while True:
            evidence, responses = reviser.scan(self.ledger.residual, self.watch.responses)
            while True:
                evidence = replace(evidence, gain=np.where(passed_over, 0.0, evidence.gain))
                if evidence.gain.max() < self.rules.gain:
                    return None
                if not is_echo(reviser, evidence):
                    break
                # an echo must not drown what happens elsewhere
                passed_over = passed_over | around(reviser, evidence, responses)
            similar = [e for e in reviser.similar(evidence) if e not in tried]
            if not similar:
                return evidence, responses
            reviser.refit(similar[0])
            tried.append(similar[0])

    def _sigmas(self, residual: Floats, growth: Growth) -> tuple[tuple[str, float], ...]:
        """Channels that moved most since the onset, in standard deviations of one frame's noise."""
        since = self.ledger.window.blocks >= growth.onset
        moved = (
            residual[-5:].mean(axis=0)
            if not since.any()
            else residual[since][-5:].mean(axis=0) / np.sqrt(np.diag(self.watch.noise.white))
        )
        order = np.argsort(-np.abs(moved))[:8]
        return tuple((self.watch.channels.names[k], float(moved[k])) for k in order)

    # what is known ------------------------------------------------------------------------------------------------

    def leaks(self) -> list[Leak]:
        """Every alarm since the data in question began; of a leak that was told twice the last alarm stands."""
        found = []
        for entry in self.ledger.entries:
            if entry.is_told and not entry.is_past:
                found += [self._leak(entry, alarm, True) for alarm in entry.superseded]
                found.append(self._leak(entry, entry.alarm, entry.is_withdrawn))
        found += [self._leak(b, b.alarm, b.is_withdrawn) for b in self.hours.bursts if b.is_told]
        found.sort(key=lambda leak: leak.detected)
        return [replace(leak, event=k + 1) for k, leak in enumerate(found)]

    def untold(self) -> list[Untold]:
        """Leaks that stand and of which no alarm was raised: they are too small, too lately found, or too unsure."""
        window, links = self.ledger.window, self.watch.topology.links
        found = []
        for entry in self.ledger.entries:
            end = entry.growth.end
            if entry.is_told or entry.is_past or entry.is_withdrawn or (end is not None and end <= self._first):
                continue
            growth, spread = entry.growth, entry.onset_deviation
            since, low, high = (window.time(growth.onset + k * spread) for k in (1.0, -2.0, 2.0))
            ended = window.time(end) if end is not None else None
            pipe = links[entry.place.link]
            found.append(Untold(pipe, since, low, high, growth.peak, entry.place.probability, ended))
        return sorted(found, key=lambda leak: (leak.start, leak.pipe))

    def _leak(self, entry: Entry, alarm: Alarm, is_withdrawn: bool) -> Leak:
        place, links, window = alarm.place, self.watch.topology.links, self.ledger.window
        end = window.time(entry.growth.end) if entry.growth.end is not None else None
        district = self.watch.district_of(place.link)
        onset, spread = entry.growth.onset, entry.onset_deviation
        if np.isfinite(entry.hour_onset):
            onset, spread = entry.hour_onset, ONSET_DEVIATION
        now = window.blocks[-1:] if entry.raised <= window.last else np.array([onset + 1.0])  # a burst of today
        return Leak(
            event=0,
            detected=alarm.time,
            pipe=links[place.link],
            flow=alarm.flow,
            probability=place.probability,
            search_length=place.search_length,
            candidates=place.candidates,
            kind=alarm.kind,
            dma=self.watch.model.districts[district].name if district is not None else "",
            start=min(window.time(onset + spread), alarm.time),
            start_low=window.time(onset - 2.0 * spread),
            start_high=window.time(onset + 2.0 * spread),
            pipe_best=links[entry.place.link],
            flow_best=float(entry.growth.flow(now)[0]) if entry.is_open else float(entry.growth.peak),
            probability_best=entry.place.probability,
            candidates_best=entry.place.candidates,
            ended=end,
            status="withdrawn" if is_withdrawn else "ended" if end is not None else "open",
            evidence=alarm.evidence,
        )
