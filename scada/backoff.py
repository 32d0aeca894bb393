"""How long something that failed is left alone."""

from __future__ import annotations

import random

__all__ = ["LONGEST_HOLDOFF_MS", "Backoff"]

LONGEST_HOLDOFF_MS = 60_000


class Backoff:
    """Doubles the pause with each failure in a row, with jitter so that many units do not come back in step.

    Parameters
    ----------
    first_ms : float
        Pause after the first failure, ms.
    rng : random.Random
        Source of the jitter; seeded by the caller.
    longest_ms : float
        The pause does not grow beyond, ms.
    """

    def __init__(self, first_ms: float, rng: random.Random, longest_ms: float = LONGEST_HOLDOFF_MS) -> None:
        self._first_ms = first_ms
        self._longest_ms = max(longest_ms, first_ms)
        self._rng = rng
        self._until_ms: int | None = None
        self.failures = 0

    def is_holding(self, now_ms: int) -> bool:
        """Tell whether the pause lasts at `now_ms`."""
        return self._until_ms is not None and now_ms < self._until_ms

    def turn_back(self, by_ms: int) -> None:
        """Let the pause end when it would have ended: the clock was set back."""
        if self._until_ms is not None:
            self._until_ms -= by_ms

    def fail(self, now_ms: int) -> None:
        """Begin a pause, longer than the last."""
        pause_ms = min(self._first_ms * 2.0 ** min(self.failures, 30), self._longest_ms)
        self.failures += 1
        self._until_ms = now_ms + round(pause_ms * self._rng.uniform(0.75, 1.0))

    def succeed(self) -> None:
        """End the pause; the next failure begins with the shortest."""
        self.failures = 0
        self._until_ms = None
