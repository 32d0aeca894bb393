"""Samples that were taken and are not in a batch yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import cast

from scada.historian.batch import Batch, Interner, Meaning
from scada.sample import Sample

__all__ = ["Pending"]

_Part = Sequence[Sample] | tuple[Meaning, ...]


class Pending:
    """A queue of parts as they came, samples and descriptions of tags; its owner locks.

    Attributes
    ----------
    rows : int
        Samples in it.
    first_came : float
        When the oldest part came, monotonic s.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.first_came = 0.0
        self._parts: deque[_Part] = deque()
        self._interner = Interner()

    def __bool__(self) -> bool:
        return bool(self._parts)

    def put(self, part: _Part, rows: int, now_s: float) -> None:
        """Add a part with so many samples."""
        if not self._parts:
            self.first_came = now_s
        self._parts.append(part)
        self.rows += rows

    def take(self) -> deque[_Part]:
        """Return all parts and be empty."""
        parts, self._parts = self._parts, deque()
        self.rows = 0
        return parts

    def batch(self, parts: deque[_Part]) -> tuple[Batch, int]:
        """Make a batch of parts that were taken; return how many samples were refused too."""
        return self._interner.batch(parts)

    def drop_newest(self, excess: int) -> int:
        """Lose up to so many samples from the end; return how many."""
        dropped = 0
        while excess > dropped and self._parts and not isinstance(self._parts[-1][0], Meaning):
            last = cast("Sequence[Sample]", self._parts.pop())
            kept = last[: max(0, len(last) - (excess - dropped))]
            dropped += len(last) - len(kept)
            if kept:
                self._parts.append(kept)
        self.rows -= dropped
        return dropped

    def drop_oldest(self, excess: int) -> int:
        """Lose up to so many samples from the beginning, no description; return how many."""
        dropped = 0
        described: list[_Part] = []
        while excess > dropped and self._parts:
            first = self._parts.popleft()
            if isinstance(first[0], Meaning):
                described.append(first)
                continue
            kept = cast("Sequence[Sample]", first)[excess - dropped :]
            dropped += len(first) - len(kept)
            if kept:
                self._parts.appendleft(kept)
        self._parts.extendleft(reversed(described))
        self.rows -= dropped
        return dropped
