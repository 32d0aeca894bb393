"""Known leaks judged together on a record, so that a ledger depends less on the order in which it was made.

The ledger takes one leak after another, each against what the others leave. When a history or the data are complete
their last blocks are put to `models.smooth`, which moves, merges, splits and drops leaks until the record is explained
best; what comes out is matched to the ledger's entries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.frame import Frame
from models.leak import Estimate
from models.ledger import Alarm, Entry
from models.noise import Noise
from models.revise import MOVED_M, Reviser
from models.smooth import FEWEST_BLOCKS, Known, Smoothed, smooth
from models.starved import without_starved
from models.telling import SAME_M

Floats = NDArray[np.float64]

_NEAR_M, _FAR_M = 300.0, 500.0
_LIKE, _ALIKE = 0.6, 0.8
_APART = 3.0  # blocks between one leak's end and another's beginning from which on they cannot be one
_TOLD = 1.0  # block after an alarm in which its leak's onset may seem to lie, where hours told of it
_PER_BLOCK = 0.01  # of two leaks that might be one entry the one that began at about the same time is
_ENDED = 0.5  # against one that runs while the other has ended
_BEFORE = 30.0  # blocks of a record before a leak that show how things were without it
_SHOWN = 0.7  # of a growth must lie in the record for it to be told from it
_FLOW_SIGMAS = 2.0


class Together:
    """Judges the entries of a ledger together.

    Parameters
    ----------
    reviser
        Its ledger's entries are changed.
    """

    def __init__(self, reviser: Reviser) -> None:
        self.reviser, self.ledger, self.watch = reviser, reviser.ledger, reviser.watch

    def run(
        self,
        frames: Sequence[Frame],
        noise: Noise,
        repaired: Mapping[tuple[int, float], bool],
        time: pd.Timestamp,
        bursts: list[Entry],
    ) -> bool:
        """Judge all entries that run in some frames; return whether anything came of it.

        Parameters
        ----------
        frames
            Of the record's end, in order, without what was found wrong with them.
        noise
            Of these frames.
        repaired
            (link, block) of each repair that is known by now, and whether its flow was measured: then it stays.
        time
            Now.
        bursts
            What hours told beside the ledger; one that turns out true after all becomes an entry of it.
        """
        ledger, window = self.ledger, self.ledger.window
        if len(frames) < FEWEST_BLOCKS:
            return False
        blocks = np.array([float(round(window.number(f.start))) for f in frames])
        running = [e for e in ledger.entries if not e.is_withdrawn and e.growth.flow(blocks).max() > 0.0]
        earliest = -np.inf if self._is_whole(blocks) else float(blocks[0]) + _BEFORE
        held = {id(e) for e in running if e.growth.onset + _SHOWN * e.growth.rise < max(blocks[0], earliest)}
        for entry in running:
            link, end = entry.place.link, entry.growth.end
            # what a crew repairs later in a history is known from all of it; a measured flow is known better
            if end is not None and (end > blocks[-1] or repaired.get((link, end))):
                held.add(id(entry))
        known = [
            Known(e.place.pipe, e.growth, (e.place.link, e.growth.end) in repaired, id(e) in held) for e in running
        ]
        usual, self.watch.noise = self.watch.noise, noise
        fed = [without_starved(self.watch.model, self.watch.channels, frame) for frame in frames]
        try:
            found = smooth(
                self.watch,
                fed,
                blocks,
                known,
                self.reviser.rules,
                self.reviser.searches.believed,
                earliest,
            )
        except (
            np.linalg.LinAlgError,
            RuntimeError,
        ):  # two leaks with one effect cannot be told apart, or flows not fitted
            return False
        finally:
            self.watch.noise = usual
        if found is None:
            return False
        self._end([e for e in running if id(e) in held], [leak for leak in found if leak.is_held])
        free = [leak for leak in found if not leak.is_held]
        self._adopt([e for e in running if id(e) not in held], free, time, bursts)
        return True

    def _is_whole(self, blocks: Floats) -> bool:
        """Whether a record begins where the model was learnt: its levels are known there."""
        return bool(blocks[0] <= _BEFORE)

    def _end(self, entries: Sequence[Entry], found: Sequence[Smoothed]) -> None:
        """Let entries whose beginning the record does not show end as was found."""
        for entry in entries:
            for leak in found:
                if (leak.growth.onset, leak.growth.peak) == (entry.growth.onset, entry.growth.peak):
                    entry.growth = leak.growth

    def _adopt(
        self, entries: Sequence[Entry], found: Sequence[Smoothed], time: pd.Timestamp, bursts: list[Entry]
    ) -> None:
        """Let entries be what was found; enter what none stands for, withdraw those that stand for nothing."""
        ledger, window = self.ledger, self.ledger.window
        likeness = np.array([[self._likeness(e, leak) for leak in found] for e in entries])
        likeness = likeness.reshape(len(entries), len(found))
        rows, columns = linear_sum_assignment(likeness, maximize=True)
        stands = {int(i): int(j) for i, j in zip(rows, columns, strict=True) if likeness[i, j] > 0.0}
        for i, entry in enumerate(entries):
            if i in stands:
                self._take(entry, found[stands[i]])
            else:
                entry.withdraw(window.last)
        for j, leak in enumerate(found):
            if j not in stands.values() and not self._revive(leak, bursts):
                ledger.entries.append(self._entry(leak, time))
        ledger.simulate_from(float(window.first))
        for entry in ledger.entries:
            if not entry.is_withdrawn:
                self.reviser.settle(entry)

    def _revive(self, leak: Smoothed, bursts: list[Entry]) -> bool:
        """Let what was told of a leak where it ran, and withdrawn, stand again: it was true."""
        window, entries = self.ledger.window, self.ledger.entries
        distance = self.watch.topology.distance_from_link(leak.place.link)
        end = np.inf if leak.growth.end is None else leak.growth.end
        for entry in sorted((*entries, *bursts), key=lambda e: e.alarm.time):
            told = window.number(entry.alarm.time)
            is_void = entry.is_told and entry.is_withdrawn and not entry.is_past
            if is_void and leak.growth.onset <= told + _TOLD < end and distance[entry.alarm.place.link] <= SAME_M:
                if not any(entry is e for e in entries):
                    bursts[:] = [b for b in bursts if b is not entry]
                    entries.append(entry)
                entry.is_withdrawn = False
                self._take(entry, leak)
                return True
        return False

    def _likeness(self, entry: Entry, leak: Smoothed) -> float:
        """How well a leak fits an entry: 0 where it cannot be the same."""
        one, other = entry.growth, leak.growth
        ends = [np.inf if g.end is None else g.end for g in (one, other)]
        if one.onset > ends[1] + _APART or other.onset > ends[0] + _APART:
            return 0.0
        if entry.is_told and other.onset > self.ledger.window.number(entry.alarm.time) + _TOLD:
            return 0.0  # nobody was told of what had not begun
        if entry.is_past and other.end is None:
            return 0.0
        distance = float(self.watch.topology.distance_from_link(entry.place.link)[leak.place.link])
        scale = np.sqrt(np.diag(self.watch.noise.white))
        a, b = entry.unit / scale, leak.unit / scale
        cosine = float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-30))
        if distance > _FAR_M and cosine < _LIKE:
            return 0.0
        near = 2.0 if distance <= _NEAR_M else 1.0 if distance <= _FAR_M or cosine > _ALIKE else 0.0
        against = _PER_BLOCK * abs(one.onset - other.onset) + _ENDED * ((one.end is None) != (other.end is None))
        return max(1.0 + near + cosine - against, 0.01)

    def _take(self, entry: Entry, leak: Smoothed) -> None:
        if self.watch.topology.distance_from_link(entry.place.link)[leak.place.link] > MOVED_M:
            entry.placed = self.ledger.window.last
        entry.place, entry.growth, entry.unit = leak.place, leak.growth, leak.unit
        entry.onset_deviation, entry.flow_doubt = _onset_deviation(leak), _flow_doubt(leak)
        if abs(entry.hour_onset - leak.growth.onset) > _APART:
            entry.hour_onset = np.nan
        entry.doubt = self.reviser.doubt_of(leak.place, leak.unit)
        entry.misfit, entry.rest, entry.belief = entry.misfit[:0], entry.rest[:0], entry.belief[:0]

    def _entry(self, leak: Smoothed, time: pd.Timestamp) -> Entry:
        """A leak that no entry stood for, on probation like any other."""
        window = self.ledger.window
        flow = float(leak.growth.flow(window.blocks[-1:])[0]) or leak.growth.peak
        reach = _FLOW_SIGMAS * _flow_doubt(leak) * flow
        alarm = Alarm(
            time, leak.place, Estimate(flow, max(0.0, flow - reach), flow + reach), leak.growth.kind, leak.gain, ()
        )
        doubt = self.reviser.doubt_of(leak.place, leak.unit)
        return Entry(alarm, window.last, leak.place, leak.growth, leak.unit, doubt, _onset_deviation(leak))


def _flow_doubt(leak: Smoothed) -> float:
    """Share; of two leaks that do the same neither's flow is known, and both are there."""
    return min(leak.deviation / max(leak.growth.peak, 1e-12), 1.0)


def _onset_deviation(leak: Smoothed) -> float:
    """Blocks; the onset and one deviation lie where the leak has surely begun."""
    return float(np.clip(max((leak.onset_high - leak.onset_low) / 4.0, leak.since - leak.growth.onset), 0.5, 30.0))
