"""What is to happen at a time: fired in order of time, whenever somebody looks."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from enum import IntEnum

__all__ = ["NEVER", "Rank", "Timers"]

NEVER = 1 << 62
Action = Callable[[int], None]


class Rank(IntEnum):
    """The order of what falls due in the same millisecond."""

    UNSHELVE = 0
    DELAY = 1
    STALE = 2
    FLOOD = 3


class Timers:
    """One timer at most for each rank and number; setting it again replaces it.

    Attributes
    ----------
    next_ms : int
        Nothing falls due before this time, UTC ms; NEVER where there is no timer.
    """

    def __init__(self) -> None:
        self.next_ms = NEVER
        self._heap: list[tuple[int, int, int, int, Action]] = []
        self._live: dict[tuple[int, int], int] = {}
        self._tokens = 0

    def set(self, rank: Rank, number: int, due_ms: int, action: Action) -> None:
        """Let `action(time)` be called at `due_ms`."""
        self._tokens += 1
        self._live[rank, number] = self._tokens
        heapq.heappush(self._heap, (due_ms, rank, number, self._tokens, action))
        self.next_ms = min(self.next_ms, due_ms)

    def cancel(self, rank: Rank, number: int) -> None:
        """Forget a timer, if there is one."""
        self._live.pop((rank, number), None)

    def is_set(self, rank: Rank, number: int) -> bool:
        """Return whether there is one."""
        return (rank, number) in self._live

    def fire(self, until_ms: int, clock_ms: int = 0) -> None:
        """Call what falls due up to and with `until_ms`, in order; nothing happens before `clock_ms`."""
        heap = self._heap
        while heap and heap[0][0] <= until_ms:
            due_ms, rank, number, token, action = heapq.heappop(heap)
            if self._live.get((rank, number)) == token:
                del self._live[rank, number]
                action(max(due_ms, clock_ms))
        self.next_ms = heap[0][0] if heap else NEVER
