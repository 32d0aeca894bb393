"""Arrival times that never go backwards, though the computer's clock may.

What was read after a clock was set back is newer than what was read before, and has to count as newer: else a slot that
is lived twice would keep whichever reading was some milliseconds later by the wrong clock. So arrivals by the present
clock that lie behind an earlier one are taken as just after it, until the clock has caught up.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scada.historian.batch import Batch

__all__ = ["ArrivalOrder"]

_LIVE_MS = 120_000  # arrivals further from now are records of another time, kept as they stand
_JITTER_MS = 1000  # between connections that deliver side by side


class ArrivalOrder:
    """Watches the arrivals of one writer.

    Attributes
    ----------
    backward_steps : int
        Times the clock was set back.
    """

    def __init__(self) -> None:
        self.backward_steps = 0
        self._latest_ms = 0
        self._is_behind = False

    def correct(self, batch: Batch, now_ms: int) -> Batch:
        """Return the batch with arrivals in the order they happened.

        Parameters
        ----------
        batch
        now_ms : int
            The computer's clock, UTC ms.
        """
        is_live = np.abs(batch.arrival_ms - now_ms) < _LIVE_MS
        # a step may fall inside the batch
        running = np.maximum.accumulate(np.where(is_live, batch.arrival_ms, self._latest_ms))
        behind_ms = np.where(is_live, np.maximum(running, self._latest_ms) - batch.arrival_ms, 0)
        if not self._is_behind and (behind_ms > _JITTER_MS).any():
            self._is_behind = True
            self.backward_steps += 1
            behind_ms[: np.argmax(behind_ms > _JITTER_MS)] = 0
        if self._is_behind and is_live.any():
            self._is_behind = bool((behind_ms > 0).any())
            latest = max(self._latest_ms, int(running.max())) + 1
            batch = replace(batch, arrival_ms=np.where(behind_ms > 0, latest, batch.arrival_ms))
        if is_live.any():
            self._latest_ms = max(self._latest_ms, int(batch.arrival_ms[is_live].max()))
        return batch
