"""When each group of tags is due."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

__all__ = ["Schedule"]


class Schedule:
    """Slots at whole multiples of each entry's interval since 1970, so that samples of all devices line up.

    Parameters
    ----------
    intervals_ms : sequence of int
        Interval of each entry, ms.
    phases_ms : sequence of int
        How long after the slot each entry is served, ms; less than its interval.
    start_ms : int
        No slot lies before, UTC ms.
    """

    def __init__(self, intervals_ms: Sequence[int], phases_ms: Sequence[int], start_ms: int) -> None:
        self._intervals_ms = tuple(intervals_ms)
        self._phases_ms = tuple(phases_ms)
        self._heap = [
            (-(-start_ms // interval) * interval + phase, entry)
            for entry, (interval, phase) in enumerate(zip(intervals_ms, phases_ms, strict=True))
        ]
        heapq.heapify(self._heap)
        self._latest_ms = start_ms

    def turn_back(self, now_ms: int, tolerance_ms: int) -> int:
        """Plan anew where the clock was set back: its times come again, and are not waited for until they are new.

        Returns
        -------
        int
            How far the clock is behind the latest time seen, ms; 0 where that is less than the tolerance.
        """
        behind_ms = self._latest_ms - now_ms
        if behind_ms <= tolerance_ms:
            self._latest_ms = max(self._latest_ms, now_ms)
            return 0
        self._latest_ms = now_ms
        self._heap = [
            (-(-now_ms // self._intervals_ms[entry]) * self._intervals_ms[entry] + self._phases_ms[entry], entry)
            for _, entry in self._heap
        ]
        heapq.heapify(self._heap)
        return behind_ms

    def skip_stale(self, now_ms: int) -> None:
        """Leave out the slots that went by entirely while nobody was reading."""
        for entry, slot_ms, _ in self.take_due(now_ms):
            heapq.heappush(self._heap, (slot_ms + self._phases_ms[entry], entry))

    def next_wake_ms(self, until_ms: int | None = None) -> int | None:
        """Return when the next entry is to be served; None when none has a slot before `until_ms`."""
        if until_ms is None:
            return self._heap[0][0] if self._heap else None
        return min((wake for wake, entry in self._heap if wake - self._phases_ms[entry] < until_ms), default=None)

    def take_due(self, now_ms: int, until_ms: int | None = None) -> list[tuple[int, int, int]]:
        """Take the entries due at `now_ms` with a slot before `until_ms`.

        An entry that waited so long that further slots passed is due for the newest one only: an overload makes gaps
        and no bursts, and no sample is older than one interval.

        Returns
        -------
        list of (entry, slot_ms, missed)
            In the order they became due; `missed` slots were left out. Each has to be given back with
            :meth:`give_back`.
        """
        due: list[tuple[int, int, int]] = []
        beyond: list[tuple[int, int]] = []
        while self._heap and self._heap[0][0] <= now_ms:
            wake_ms, entry = heapq.heappop(self._heap)
            interval = self._intervals_ms[entry]
            slot_ms = wake_ms - self._phases_ms[entry]
            newest_ms = slot_ms + (now_ms - wake_ms) // interval * interval
            if until_ms is not None and newest_ms >= until_ms:
                newest_ms = slot_ms + (until_ms - 1 - slot_ms) // interval * interval
            if newest_ms >= slot_ms:
                due.append((entry, newest_ms, (newest_ms - slot_ms) // interval))
            else:
                beyond.append((wake_ms, entry))
        for late in beyond:
            heapq.heappush(self._heap, late)
        return due

    def wake_ms(self, entry: int, slot_ms: int) -> int:
        """Return when a slot was to be served, UTC ms."""
        return slot_ms + self._phases_ms[entry]

    def give_back(self, entry: int, slot_ms: int) -> None:
        """Plan the slot after the one that was served."""
        heapq.heappush(self._heap, (slot_ms + self._intervals_ms[entry] + self._phases_ms[entry], entry))
