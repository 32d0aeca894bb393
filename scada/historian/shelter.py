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
        self._first: Batch | None = None  # what the oldest record holds, where it went into an empty spool

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
            was_empty, dropped = self._spool.is_empty, self._dropped
            try:
                self._spool.append(batch)
                self._first = batch if was_empty else self._first
            except HistorianError as caught:
                error = caught
            self._count()
            if self._dropped > dropped:
                self._first = None
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
                self._first = None
                self._count()

    def forget(self, batch: Batch) -> None:
        """Forget a batch that went into the spool while the database was slow to take it, and that it took at last."""
        if self._spool is not None and self._first is batch:
            with self._lock:
                if self._first is batch and self._spool.peek() is not None:
                    self._spool.discard()
                self._first = None
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
