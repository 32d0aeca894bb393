"""Too many alarms: of one alarm in a minute, or for one person in ten minutes."""

from __future__ import annotations

from collections import deque

__all__ = ["CHATTER_MS", "FLOOD_BEGINS", "FLOOD_ENDS", "FLOOD_MS", "ChatterWatch", "FloodWatch"]

CHATTER_MS = 60_000
_CHATTER_RAISES = 3
FLOOD_MS = 600_000
FLOOD_BEGINS = 10  # more than so many in ten minutes, as ISA-18.2 counts
FLOOD_ENDS = 5  # fewer than so many


class ChatterWatch:
    """Notices an alarm that comes three times in a minute (ISA-18.2), which is held then.

    Attributes
    ----------
    is_chattering : bool
    held : int
        Times the condition ended while the alarm was held.
    """

    __slots__ = ("_raises", "held", "is_chattering")

    def __init__(self) -> None:
        self.is_chattering = False
        self.held = 0
        self._raises: tuple[int, ...] = ()

    def note_raise(self, time_ms: int) -> bool:
        """Count a raise; return whether the alarm begins to chatter with it."""
        self._raises = (*self._raises[1 - _CHATTER_RAISES :], time_ms)
        if self.is_chattering or len(self._raises) < _CHATTER_RAISES:
            return False
        self.is_chattering = time_ms - self._raises[0] <= CHATTER_MS
        return self.is_chattering

    def end(self) -> int:
        """Return how often the condition ended while it was held, and forget."""
        held, self.held = self.held, 0
        self.is_chattering = False
        self._raises = ()
        return held


class FloodWatch:
    """Counts what one operator position is told.

    Attributes
    ----------
    is_flood : bool
    """

    def __init__(self) -> None:
        self.is_flood = False
        self._times: deque[int] = deque()

    def note(self, time_ms: int) -> bool:
        """Count an alarm; return whether a flood begins with it."""
        self._times.append(time_ms)
        self._forget(time_ms)
        if self.is_flood or len(self._times) <= FLOOD_BEGINS:
            return False
        self.is_flood = True
        return True

    @property
    def count(self) -> int:
        """Alarms in the last ten minutes."""
        return len(self._times)

    @property
    def end_ms(self) -> int:
        """When the flood is over if nothing more comes, UTC ms."""
        return self._times[-FLOOD_ENDS] + FLOOD_MS if len(self._times) >= FLOOD_ENDS else 0

    def is_over(self, time_ms: int) -> bool:
        """Return whether the flood has ended by now."""
        self._forget(time_ms)
        if len(self._times) < FLOOD_ENDS:
            self.is_flood = False
        return not self.is_flood

    def _forget(self, time_ms: int) -> None:
        while self._times and self._times[0] <= time_ms - FLOOD_MS:
            self._times.popleft()
