"""The way of samples from whoever appends them to the database, by batches, over the disk when the database is away.

Two threads. One gathers batches and sees to it that each is safe before its time is over: the database has it, or else
the spool. The other delivers, in order: the spool first, as long as anything is in it. A batch that the database takes
too long over goes to the spool as well; should it be delivered twice, that changes nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scada.errors import HistorianError
from scada.historian.arrival import ArrivalOrder
from scada.historian.batch import Batch, Meaning
from scada.historian.engine import Engine
from scada.historian.housekeeping import Housekeeping
from scada.historian.pending import Pending
from scada.historian.settings import Counters, WriterSettings
from scada.historian.shelter import Shelter
from scada.historian.spool import Spool
from scada.readings import Readings
from scada.sample import Sample

__all__ = ["Writer"]

_logger = logging.getLogger(__name__)
_SHORTEST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_LONGEST_WAIT_S = 10.0  # of `append` for room
# parts of the batch interval after which a batch goes to the database, and after which to the spool where the database
# has not confirmed it: the rest is for the disk
_WRITTEN, _SHELTERED = 0.5, 0.75


@dataclass(slots=True)
class _Held:
    """A batch that is not on disk yet, and when its first sample came (monotonic s)."""

    batch: Batch
    born: float


class Writer:
    """Takes samples from any thread and brings them to an engine.

    Parameters
    ----------
    engine : Engine
        Open, or one that is away for now.
    settings : WriterSettings
    open_spool : callable, optional
        Makes the spool; without one samples wait in memory only.
    is_open : bool
        Whether the engine is open; one that was away is opened when it answers.
    """

    def __init__(
        self, engine: Engine, settings: WriterSettings, open_spool: Callable[[], Spool] | None, is_open: bool = True
    ) -> None:
        self.counters = Counters()
        self._engine = engine
        self._settings = settings
        self._pending = Pending()
        self._shelter = Shelter(open_spool() if open_spool is not None else None, self.counters)
        self._is_open = is_open
        self._changed = threading.Condition()
        self._held: deque[_Held] = deque()
        self._is_failing = False  # the database
        self._retry_at = 0.0
        self._making_rows = 0  # taken from the parts, not yet among the held
        self._is_making = False
        self._pause_s = _SHORTEST_PAUSE_S
        self._is_urgent = False
        self._is_closing = False
        self._told: set[str] = set()
        self._arrivals = ArrivalOrder()
        self._housekeeping = Housekeeping(engine, settings.retention)
        self._threads = [
            threading.Thread(target=self._supervise, args=(loop,), name=f"historian-{name}", daemon=True)
            for name, loop in (("gather", self._gather), ("deliver", self._deliver))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Samples in memory that are not on disk yet."""
        with self._changed:
            return self._pending.rows + self._making_rows + sum(len(held.batch) for held in self._held)

    @property
    def backlog(self) -> int:
        """Samples on disk that wait for the database."""
        return self._shelter.samples

    @property
    def spool_bytes(self) -> int:
        """Bytes of the spool."""
        return self._shelter.size

    @property
    def is_failing(self) -> bool:
        """Whether the database did not take the last batch."""
        return self._is_failing

    def append(self, samples: Sequence[Sample], is_patient: bool = False) -> None:
        """Take samples.

        Parameters
        ----------
        samples
        is_patient : bool
            Wait for the database rather than use the spool, and fail rather than lose: for whoever can come again.

        Raises
        ------
        HistorianError
            Patient, and the database takes nothing.
        """
        with self._changed:
            if is_patient:
                while not self._changed.wait_for(self._has_room, _LONGEST_WAIT_S):
                    if self._is_failing:
                        raise HistorianError(self.counters.last_error)
            elif self.waiting > self._settings.queue_rows and not self._is_stuck():
                self._changed.wait_for(lambda: self.waiting <= self._settings.queue_rows, _LONGEST_WAIT_S)
            # readings are nobody's to change; a list may be its owner's
            self._put(samples if isinstance(samples, Readings) else list(samples), len(samples))
            self.counters.accepted += len(samples)
            if self.waiting > self._settings.queue_rows:
                self._drop_excess()

    def describe(self, meanings: tuple[Meaning, ...]) -> None:
        """Let samples that are appended from now on mean these."""
        with self._changed:
            self._put(meanings, 0)

    def _put(self, part: Sequence[Sample] | tuple[Meaning, ...], rows: int) -> None:
        if not part:
            return
        was_empty = not self._pending
        self._pending.put(part, rows, time.monotonic())
        if was_empty or self._pending.rows >= self._settings.batch_rows:
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return not self._is_failing and not self.backlog and self.waiting <= 2 * self._settings.batch_rows

    def _is_in_memory(self) -> bool:
        return bool(self._pending or self._held) or self._is_making

    def _is_stuck(self) -> bool:
        return self._is_failing and self._shelter.is_failing

    def _drop_excess(self) -> None:
        """Lose samples by the policy."""
        excess = self.waiting - self._settings.queue_rows
        if self._settings.policy == "keep-oldest":
            self.counters.dropped += self._pending.drop_newest(excess)
            return
        while excess > 0 and self._held:
            rows = len(self._held.popleft().batch)
            self.counters.dropped += rows
            excess -= rows
        self.counters.dropped += self._pending.drop_oldest(excess)

    def flush(self, longest_s: float | None = None) -> None:
        """Return when everything taken so far is in the database, or on disk while the database is away.

        Parameters
        ----------
        longest_s : float, optional
            Wait no longer than this, s, for what is safe on disk already.

        Raises
        ------
        HistorianError
            It is in memory only, since neither takes it.
        """
        with self._changed:
            self._is_urgent = True
            self._retry_at = self._shelter.retry_at = 0.0
            failures = self.counters.failures
            self._changed.notify_all()

            def is_safe() -> bool:
                return not self._is_in_memory() or (self.counters.failures > failures and self._is_stuck())

            def is_delivered() -> bool:
                return self.backlog == 0 or (self.counters.failures > failures and self._is_failing)

            try:
                self._changed.wait_for(is_safe)
                if self._is_in_memory():
                    raise HistorianError(f"{self.counters.last_error}; {self.waiting} samples wait in memory")
                self._changed.wait_for(is_delivered, longest_s)
            finally:
                self._is_urgent = False

    def close(self) -> None:
        """Flush and end; what could not be delivered stays in the spool for the next writer.

        Raises
        ------
        HistorianError
            Samples are lost, since neither database nor spool took them.
        """
        try:
            self.flush(_LONGEST_WAIT_S)
        finally:
            with self._changed:
                self._is_closing = True
                self._changed.notify_all()
            for thread in self._threads:
                thread.join()
            self.counters.dropped += self.waiting
            self._shelter.close()

    def _supervise(self, loop: Callable[[], None]) -> None:
        """Thread: an error nobody expected is logged and counted, and the work goes on."""
        while not self._is_closing:
            try:
                loop()
            except Exception:
                self.counters.faults += 1
                _logger.exception("historian %s: going on", self._engine.name)
                time.sleep(_SHORTEST_PAUSE_S)

    def _gather(self) -> None:
        """Thread: make batches, and put into the spool what the database does not take in time."""
        while True:
            with self._changed:
                while not self._is_closing and not self._is_due() and not self._is_overdue():
                    self._changed.wait(self._nap_s())
                if self._is_closing:
                    return
                is_due = self._is_due()
            # neither holds the lock for long: whoever appends must not wait
            if is_due:
                self._make_batch()
            self._spool_overdue()

    def _is_due(self) -> bool:
        if not self._pending or (self._is_stuck() and self._held):
            return False
        if self._is_urgent or self._pending.rows >= self._settings.batch_rows:
            return True
        return time.monotonic() >= self._pending.first_came + self._settings.batch_s * _WRITTEN

    def _is_overdue(self) -> bool:
        if not self._held or not self._shelter.is_ready:
            return False
        if self._is_failing or not self._shelter.is_empty:
            return True
        return time.monotonic() >= self._held[0].born + self._settings.batch_s * _SHELTERED

    def _nap_s(self) -> float | None:
        moments = []
        if self._pending:
            moments.append(self._pending.first_came + self._settings.batch_s * _WRITTEN)
        if self._held:
            moments.append(max(self._held[0].born + self._settings.batch_s * _SHELTERED, self._shelter.retry_at))
        return max(0.01, min(moments) - time.monotonic()) if moments else None

    def _make_batch(self) -> None:
        with self._changed:
            self._making_rows = self._pending.rows
            self._is_making = True
            parts = self._pending.take()
            born = self._pending.first_came
        batch, refused = None, self._making_rows
        try:
            made, refused = self._pending.batch(parts)
            batch = self._arrivals.correct(made, time.time_ns() // 1_000_000)
        finally:
            if refused:
                _logger.error("%d samples cannot be stored: their time lies outside the calendar", refused)
            with self._changed:
                self._is_making = False
                self._making_rows = 0
                self.counters.refused += refused
                self.counters.backward_steps = self._arrivals.backward_steps
                if batch is not None and (len(batch) or batch.meanings):
                    self._held.append(_Held(batch, born))
                self._changed.notify_all()

    def _spool_overdue(self) -> None:
        """Put what is held into the spool, in order, as long as that is called for."""
        while True:
            with self._changed:
                if not self._is_overdue():
                    return
                held = self._held[0]
            error = self._shelter.put(held.batch)
            with self._changed:
                if error is not None:
                    self._report(error)
                # else the database took it in the meantime
                if not self._shelter.is_failing and self._held and self._held[0] is held:
                    self._held.popleft()
                    if error is None:
                        self._note_delay(held)
                    else:
                        self.counters.dropped += len(held.batch)
                self._changed.notify_all()

    def _deliver(self) -> None:
        """Thread: bring batches to the database, oldest first."""
        while True:
            with self._changed:
                while not self._is_closing and not self._may_deliver():
                    if not self._changed.wait(self._rest_s()):
                        break
                if self._is_closing:
                    return
                may_deliver = self._may_deliver()
            if not may_deliver:
                self._tidy()
                continue
            with self._changed:
                # both at once: what is held goes to the spool meanwhile, and the next must not overtake it
                held = self._held[0] if self._held and self._shelter.is_empty else None
            if held is not None:
                self._write(held, held.batch)
            elif (batch := self._shelter.oldest()) is not None:
                self._write(None, batch)

    def _may_deliver(self) -> bool:
        return (bool(self._held) or not self._shelter.is_empty) and time.monotonic() >= self._retry_at

    def _rest_s(self) -> float | None:
        if self._held or not self._shelter.is_empty:
            return max(0.01, self._retry_at - time.monotonic())
        return self._housekeeping.rest_s if self._is_open else None

    def _write(self, held: _Held | None, batch: Batch) -> None:
        try:
            if not self._is_open:
                self._engine.open()
                self._is_open = True
            written = self._engine.write(batch)
        except HistorianError as error:
            with self._changed:
                self.counters.failures += 1
                self._is_failing = True
                self._retry_at = time.monotonic() + self._pause_s
                self._pause_s = min(2.0 * self._pause_s, _LONGEST_PAUSE_S)
                self._report(error)
                self._changed.notify_all()
            return
        if held is None:
            self._shelter.discard()
        else:
            self._shelter.forget(batch)
        with self._changed:
            self.counters.batches += 1
            self.counters.stored += written.stored
            self.counters.revised += written.revised
            self.counters.repeated += written.repeated
            if self._is_failing:
                _logger.warning("historian %s takes samples again", self._engine.name)
            self._is_failing = False
            self._pause_s = _SHORTEST_PAUSE_S
            if held is not None and self._held and self._held[0] is held:
                self._held.popleft()
                self._note_delay(held)
            if not self._held or not self._shelter.is_failing:
                self.counters.last_error = ""
                self._told.clear()
            self._changed.notify_all()
        self._housekeeping.note_growth()
        self._tidy()

    def _tidy(self) -> None:
        """Give the engine a moment for its own housekeeping."""
        if not self._is_open or self._is_failing:
            return
        try:
            self._housekeeping.do_some(is_busy=self._may_deliver())
        except HistorianError as error:
            with self._changed:
                self._report(error)
        self.counters.deleted = self._housekeeping.deleted

    def _note_delay(self, held: _Held) -> None:
        self.counters.longest_delay_s = max(self.counters.longest_delay_s, time.monotonic() - held.born)

    def _report(self, error: HistorianError) -> None:
        """Log an error once, not for every try."""
        text = str(error)
        if text not in self._told:
            _logger.error("samples wait: %s", text)
            self._told.add(text)
        self.counters.last_error = text
