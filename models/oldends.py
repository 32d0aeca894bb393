"""Ends of leaks that nobody knew: they were learnt as demand, and show only when they stop.

When such a leak is repaired, less flows in than is usual and pressures rise. With a reported repair the place is known
and the step tells the size; without one the step is scanned over all pipes as a leak's beginning is, with the other
sign.
Either way the leak is entered as one that ran before and has ended, and the levels that it had been learnt into are
corrected by what it did.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.evidence import Scanner
from models.frame import Frame
from models.growth import Growth
from models.leak import Estimate
from models.ledger import Alarm, Entry, Ledger
from models.localise import Candidate, Place
from models.revise import Reviser
from models.rules import Repair, Rules
from models.searches import with_measurement
from models.sized import at_size

Floats = NDArray[np.float64]

_TOGETHER = 2.0  # blocks
_WAIT, _GIVE_UP = 3, 12  # blocks after a repair in which its step is looked for
_STEP_SIGMAS = 3.0
_STEP_DOUBT = 0.3  # of a flow that pressures tell, one standard deviation: the model took that leak for demand
_SURE_END = 40.0  # gain of an end that nobody reported
_REST = 3  # blocks that it must have lasted
_BEFORE = 2  # blocks that must lie before a step
_NEAR = 14  # blocks before a step that tell what was usual
_DRIFT = 0.1  # share of slow changes that falls into a step's few days


@dataclass(slots=True)
class _Pending:
    """A reported repair whose step is waited for, and the known leak that it ended, if any."""

    repair: Repair
    end: float
    entry: Entry | None


class OldEnds:
    """Recognises the ends of leaks that were learnt as usual.

    Parameters
    ----------
    ledger
        Entries are added to it, and its window's levels are corrected.
    reviser
        Of the ledger.
    rules
        Thresholds.

    Attributes
    ----------
    shift
        float64 [n_channels], what frames lie above the model that was learnt, now that some of what it learnt is gone.
    entered
        Leaks that were known by their end alone.
    most
        What leaks that nobody found may lose in all when the record begins, m3/s: what ends was lost before.
    is_waiting
        Whether a repair's step is being waited for, or what the last frame shows looks more like an end than like a new
        leak but is not sure yet: alarms wait for that.
    """

    def __init__(self, ledger: Ledger, reviser: Reviser, rules: Rules) -> None:
        self.ledger, self.reviser, self.rules, self.watch = ledger, reviser, rules, ledger.watch
        self.shift: Floats = np.zeros(len(ledger.watch.channels.names))
        self.entered: list[Entry] = []
        self.most = np.inf
        self.is_waiting = False
        self._pending: list[_Pending] = []

    @property
    def left(self) -> float:
        """What may still be lost by leaks that nobody found, m3/s."""
        return self.most - sum(entry.growth.peak for entry in self.entered)

    def levelled(self, frame: Frame) -> Frame:
        """A frame against the levels as they are known now."""
        return replace(frame, values=frame.values + self.shift) if self.shift.any() else frame

    def forget_shift(self) -> None:
        """The model was learnt again with all that ended: frames lie right as they come."""
        self.shift = np.zeros_like(self.shift)

    # reported repairs ---------------------------------------------------------------------------------------------

    def expect(self, repair: Repair, entry: Entry | None = None) -> None:
        """Wait for the step of a repair; the known leak that it ended, if any, ends now, and was there."""
        window = self.ledger.window
        end = window.number(repair.time)
        if entry is None and self.left <= 0.0:
            return
        if entry is not None:
            before, link = entry.growth, self.watch.topology.link(repair.pipe)
            entry.growth = replace(before, end=end)
            entry.place = Place(link, entry.place.candidates, 1.0, float(self.watch.topology.length[link]))
            self._change(entry, before)
        self._pending.append(_Pending(repair, end, entry))

    def run(self, time: pd.Timestamp) -> list[Entry]:
        """Look for steps of reported repairs and for ends that nobody reported; return what was learnt."""
        found = []
        for pending in list(self._pending):
            entry = self._learn(pending, time)
            age = self.ledger.window.last + 1.0 - pending.end
            if entry is not None or age > _GIVE_UP:
                self._pending.remove(pending)
            if entry is not None:
                found.append(entry)
        now = self.ledger.window.last + 1.0
        self.is_waiting = any(now - pending.end < _WAIT for pending in self._pending)
        if not found:
            unknown = self._seek(time)
            found += [unknown] if unknown is not None else []
        return found

    def _learn(self, pending: _Pending, time: pd.Timestamp) -> Entry | None:
        """The leak of a reported repair, once its step is told from noise."""
        window = self.ledger.window
        age = window.last + 1.0 - pending.end
        if age < _WAIT or pending.end - window.first < _BEFORE:
            return None
        link = self.watch.topology.link(pending.repair.pipe)
        positions = np.flatnonzero(self.watch.pipes == link)
        if not len(positions):
            return None
        at = int(positions[0])
        responses = self.watch.sized(self.watch.responses)[:, at]
        known = 0.0 if pending.entry is None else pending.entry.growth.peak
        flow, deviation = max(known, float(self.watch.sizes[0])), 0.0
        for _ in range(3):
            unit = at_size(responses[:, None], np.array([flow]), self.watch.sizes)[0]
            more, deviation = self.size(pending.end, unit)
            flow = max(known + more, 0.0)
        is_clear = flow >= _STEP_SIGMAS * deviation
        flow, deviation = self._weighed(flow, deviation, known, pending.end, link)
        measured = pending.repair.flow
        if measured is not None:
            flow, deviation = with_measurement(flow, deviation, measured)
        elif pending.entry is None and (not is_clear or flow < self.rules.least_flow):
            return None
        if pending.entry is not None:
            before = pending.entry.growth
            pending.entry.growth = replace(before, peak=flow)
            self._change(pending.entry, before)
            self._close(pending.entry)
            return pending.entry
        place = Place(link, (Candidate(pending.repair.pipe, 1.0),), 1.0, float(self.watch.topology.length[link]))
        return self._enter(place, unit, flow, deviation, pending.end, time, 0.5 * (flow / deviation) ** 2)

    def size(self, end: float, unit: Floats) -> tuple[float, float]:
        """Flow that stopped beyond what is known to have stopped, and one standard deviation, m3/s; may be below zero.

        Parameters
        ----------
        end
            On the detector's clock, blocks.
        unit
            float64 [n_channels], response per m3/s.
        """
        window = self.ledger.window
        scanner = self.reviser.scanner(len(window))
        stopped = np.clip(window.blocks + 1.0 - end, 0.0, 1.0)
        template = scanner.whiten_products(-stopped[None, :], unit)[0]
        energy = max(float(template @ template), 1e-30)
        flow = float(template @ scanner.whiten(self.ledger.residual)) / energy
        return flow, energy**-0.5

    # ends that nobody reported ------------------------------------------------------------------------------------

    def _seek(self, time: pd.Timestamp) -> Entry | None:
        """The end of an unknown leak that explains the residual better than any new leak does."""
        ledger, rules, window = self.ledger, self.rules, self.ledger.window
        if len(window) < _BEFORE + 1 or self.left <= 0.0:
            return None
        scanner = Scanner(self.reviser.noise(), len(window), (), 1.0 / (rules.usual_share * self.watch.largest_take))
        glances = (scanner.scan(-ledger.residual, r).gain.max() for r in (self.watch.responses, self.watch.secants[1]))
        if max(glances) < rules.gain:
            return None
        evidence, used = self.reviser.scan_with(scanner, -ledger.residual, self.watch.responses)
        at = evidence.best
        end, flow, gain = float(evidence.onset[at] + window.first), float(evidence.flow[at]), float(evidence.gain[at])
        rival, _ = self.reviser.scan(ledger.residual, self.watch.responses)
        if gain < rules.gain or end - window.first < _BEFORE or rival.gain.max() > gain:
            return None
        if any(e.growth.end is not None and abs(e.growth.end - end) <= _TOGETHER for e in ledger.entries):
            return None  # what else changed with a known leak's end was its own
        self.is_waiting = True
        least = max(rules.least_flow, rules.least_share * float(self.watch.inflow_of_pipes[at]))
        if self._pending or gain < _SURE_END or window.last + 1.0 - end < _REST or flow < least:
            return None
        self.is_waiting = False
        place = replace(self.reviser.locate(evidence), best=-1)
        at = self.reviser.position(place.link)
        flow, deviation = self._weighed(float(evidence.flow[at]), float(evidence.deviation[at]), 0.0, end, place.link)
        if not least <= flow <= self.left:  # the inflow does not know of it
            return None
        return self._enter(place, used[at], flow, deviation, end, time, gain)

    # both ---------------------------------------------------------------------------------------------------------

    def _enter(
        self, place: Place, unit: Floats, flow: float, deviation: float, end: float, time: pd.Timestamp, gain: float
    ) -> Entry:
        """Enter a leak that ran from before the window to its end, and correct the levels by what it did."""
        ledger, window = self.ledger, self.ledger.window
        reach = 1.96 * deviation
        alarm = Alarm(time, place, Estimate(flow, max(0.0, flow - reach), flow + reach), "old", gain, ())
        growth = Growth(min(-1.0, window.first - 1.0), 0.0, flow, end)
        entry = Entry(
            alarm, window.last, place, growth, unit, self.rules.size_doubt * unit[None, :], is_past=True, is_told=True
        )
        ledger.entries.append(entry)
        self.entered.append(entry)
        self._change(entry, replace(growth, peak=0.0))
        self._close(entry)
        return entry

    def _weighed(self, flow: float, deviation: float, known: float, end: float, link: int) -> tuple[float, float]:
        """A flow that all channels tell, joined with what the inflow alone says; the model errs at single pipes.

        Parameters
        ----------
        known
            What is known to have stopped, m3/s.
        """
        deviation = float(np.hypot(deviation, _STEP_DOUBT * flow))
        window, noise = self.ledger.window, self.watch.noise
        after, before = window.blocks >= end, window.blocks + 1.0 <= end
        first = len(self.watch.channels.picked)
        for column, number in enumerate(self.watch.channels.balances, start=first):
            share = self.watch.share(link, number)
            if share <= 0.0 or not after.any() or not before.any():
                continue
            late, early = self.ledger.residual[after][:, column], self.ledger.residual[before][-_NEAR:, column]
            variance = noise.white[column, column] * (1.0 / len(late) + 1.0 / len(early))
            variance += _DRIFT * noise.slow[column, column]
            step = known + (float(early.mean()) - float(late.mean())) / share
            flow, deviation = with_measurement(flow, deviation, step, variance**0.5 / share)
        return max(flow, 0.0), deviation

    def _close(self, entry: Entry) -> None:
        """What else changed with an entry's end was its own: the rest of what is seen since is its misfit."""
        ledger, window, growth = self.ledger, self.ledger.window, entry.growth
        after = window.blocks >= (np.inf if growth.end is None else growth.end)
        if not after.any() or growth.peak <= 0.0:
            return
        # a few blocks tell a level with their noise: what is below it is not believed
        noise = np.diag(self.watch.noise.white) / after.sum()
        usual = (_STEP_DOUBT * growth.peak * entry.unit) ** 2
        rest = ledger.residual[after].mean(axis=0) * usual / (usual + noise)
        entry.misfit = (entry.misfit if len(entry.misfit) else np.zeros(len(rest))) - rest / growth.peak
        ledger.simulate_from(float(window.first))
        self.shift = self.shift - rest
        window.values = window.values - rest

    def _change(self, entry: Entry, before: Growth) -> None:
        """Simulate an entry that has changed, and correct the levels by what it then did before its end."""
        ledger, window = self.ledger, self.ledger.window
        ran = window.blocks + 1.0 <= (np.inf if entry.growth.end is None else entry.growth.end)
        old = ledger.effect.copy()
        ledger.simulate_from(float(window.first))
        if ran.any():
            change = (ledger.effect - old)[ran].mean(axis=0)
            self.shift = self.shift + change
            window.values = window.values + change
