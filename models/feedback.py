"""What crews report, put to the leaks that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.ends import END_BLOCKS
from models.evidence import Evidence
from models.ledger import Entry
from models.revise import MOVED_M, Reviser
from models.rules import Repair
from models.sized import at_size

Floats = NDArray[np.float64]

_REPAIR_REACH_M = 1000.0
_FOUND_M, _FOUND_MASS = 300.0, 0.2  # a repaired leak is a known one's if that may be so near, at least so probably


class Feedback:
    """Puts repairs and dry searches to known leaks.

    Parameters
    ----------
    reviser
        Its ledger's entries are changed.
    """

    def __init__(self, reviser: Reviser) -> None:
        self.reviser, self.ledger, self.watch = reviser, reviser.ledger, reviser.watch

    def owner(self, repair: Repair) -> Entry | None:
        """The known leak that a repair ended, if any is near enough."""
        distance = self.watch.topology.distance_from_link(self.watch.topology.link(repair.pipe))
        end = self.ledger.window.number(repair.time)
        candidates = [
            e
            for e in self.ledger.entries
            if self._may_be_near(e, distance)
            and not e.is_withdrawn
            and (e.growth.end is None or abs(e.growth.end - end) < END_BLOCKS)
        ]
        return min(candidates, key=lambda e: float(distance[e.place.link])) if candidates else None

    def _may_be_near(self, entry: Entry, distance: Floats) -> bool:
        """Whether an entry may be where a crew found a leak: within a crew's reach, or as its candidates have it."""
        if distance[entry.place.link] > _REPAIR_REACH_M:
            return False
        near = [c for c in entry.place.candidates if distance[self.watch.topology.link(c.pipe)] <= _FOUND_M]
        return bool(distance[entry.place.link] <= _FOUND_M or sum(c.probability for c in near) >= _FOUND_MASS)

    def search(self, pipe: str, time: float) -> None:
        """Use what a crew reports: at some time, blocks, it looked for a leak at a pipe and found none."""
        self.reviser.searches.add(pipe, time)
        for entry in self.ledger.entries:
            if entry.is_open and entry.growth.onset <= time:
                self._replace(entry)

    def _replace(self, entry: Entry) -> None:
        """Rank an entry's pipes anew; of a settled one by what its last refit held."""
        if not self.reviser.is_settled(entry):
            self.reviser.refit(entry)
            return
        if len(entry.belief) == 0:
            return
        nothing = np.zeros(len(entry.belief))
        none = nothing.astype(np.int64)
        evidence = Evidence(entry.alarm.gain + entry.belief, nothing, nothing, nothing, none, nothing, none)
        before, old = entry.growth, entry.place.link
        entry.place = replace(self.reviser.locate(evidence, entry.growth.onset), best=-1)
        if entry.place.link == old:
            return
        responses = self.watch.sized(self.watch.responses)[:, self.reviser.position(entry.place.link)]
        entry.unit = at_size(responses[:, None], np.array([entry.growth.peak]), self.watch.sizes)[0]
        entry.doubt = self.reviser.rules.size_doubt * entry.unit[None, :]
        if self.watch.topology.distance_from_link(old)[entry.place.link] > MOVED_M:
            entry.placed = self.ledger.window.last
        self.ledger.update(entry, before)
