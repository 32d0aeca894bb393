"""The spool as the writer's two threads use it: one puts in, the other takes out, neither waits for long."""

from __future__ import annotations

import threading
import time

from scada.errors import HistorianError, SpoolFull
from scada.historian.batch import Batch
from scada.historian.settings import Counters
from scada.historian.spool import Spool

__all__ = ["Shelter"]

_PAUSE_S = 0.2


class Shelter:
    """A spool behind a lock, or none; it keeps the counters of the spool's samples.

    Attributes
    ----------
    is_failing : bool
        Whether the disk did not take the last batch.
    retry_at : float
        When another try is worth while, monotonic s.
    """

    def __init__(self, spool: Spool | None, counters: Counters) -> None:
        self.is_failing = spool is None
        self.retry_at = 0.0
        self._spool = spool
        self._counters = counters
        self._lock = threading.Lock()
        self._dropped = 0

    @property
    def samples(self) -> int:
        """Samples that wait."""
        return self._spool.samples if self._spool is not None else 0

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._spool.size if self._spool is not None else 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._spool is None or self._spool.is_empty

    @property
    def is_ready(self) -> bool:
        """Whether a batch may be put in."""
        return self._spool is not None and not (self.is_failing and time.monotonic() < self.retry_at)

    def put(self, batch: Batch) -> HistorianError | None:
        """Write a batch; return why it is not on the disk, SpoolFull where it was refused for good."""
        if self._spool is None:
            return None
        with self._lock:
            error: HistorianError | None = None
            try:
                self._spool.append(batch)
            except HistorianError as caught:
                error = caught
            self._count()
        self.is_failing = error is not None and not isinstance(error, SpoolFull)
        if self.is_failing:
            self.retry_at = time.monotonic() + _PAUSE_S
        return error

    def oldest(self) -> Batch | None:
        """Return the oldest batch, or None."""
        if self._spool is None or self._spool.is_empty:
            return None
        with self._lock:
            batch = self._spool.peek()
            self._count()
        return batch

    def discard(self) -> None:
        """Forget the batch that `oldest` returned."""
        if self._spool is not None:
            with self._lock:
                self._spool.discard()
                self._count()

    def close(self) -> None:
        """Let the folder go."""
        if self._spool is not None:
            self._spool.close()

    def _count(self) -> None:
        assert self._spool is not None
        counters = self._spool.counters
        self._counters.spooled = counters.spooled
        self._counters.forwarded = counters.delivered
        self._counters.dropped += counters.dropped - self._dropped
        self._dropped = counters.dropped
