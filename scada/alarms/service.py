"""Alarms beside a reader: its samples in, commands in, the journal out."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from scada.alarms.alarm import Alarm
from scada.alarms.causes import Wiring
from scada.alarms.conditions import Expectation
from scada.alarms.engine import AlarmEngine
from scada.alarms.entry import Entry
from scada.alarms.flood import FLOOD_MS
from scada.alarms.journal import Journal, newest_of
from scada.historian.alarms import AlarmStore, Answer
from scada.sample import Sample

__all__ = ["AlarmService", "SteadyClock"]

_logger = logging.getLogger(__name__)
_TICK_S = 0.25
_LIVE_MS = 120_000  # a sample that came sooner bears the time of this computer's clock, not of a logger's
_STEP_MS = 2000  # of the computer's clock against its own pace, beyond which it was set


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class SteadyClock:
    """A clock that goes on evenly when the computer's is set, so that no delay is cut short or drawn out.

    Attributes
    ----------
    offset_ms : int
        Its time less the computer's, ms: 0 until that is set.
    """

    def __init__(self, wall: Callable[[], int] = _wall_ms, monotonic: Callable[[], int] = _monotonic_ms) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._last = wall(), monotonic()
        self.offset_ms = 0

    def now_ms(self) -> int:
        """Return the time by this clock, ms."""
        wall, monotonic = self._wall(), self._monotonic()
        step = (wall - self._last[0]) - (monotonic - self._last[1])
        if abs(step) > _STEP_MS:
            self.offset_ms -= step
            _logger.warning("the computer's clock was set by %.1f s; delays of alarms go on", step / 1000.0)
        self._last = wall, monotonic
        return wall + self.offset_ms


class AlarmService:
    """Evaluates alarms live.

    Parameters
    ----------
    alarms : iterable of Alarm
        A checked table.
    store : AlarmStore
        Where the journal is kept; states are restored from it.
    path : Path
        File of entries that wait for the store.
    wiring : Wiring, optional
    sources : mapping of str to Expectation, optional
    clock : SteadyClock, optional

    Attributes
    ----------
    engine : AlarmEngine
    faults : int
        Exceptions nobody expected; each is logged and the evaluation goes on.
    """

    def __init__(
        self,
        alarms: Iterable[Alarm],
        store: AlarmStore,
        path: Path,
        wiring: Wiring | None = None,
        sources: Mapping[str, Expectation] | None = None,
        clock: SteadyClock | None = None,
    ) -> None:
        self.faults = 0
        self._clock = clock or SteadyClock()
        self._samples: list[Sample] = []
        self._keeper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="alarm-keeper")  # one: in order
        now_ms = self._clock.now_ms()
        self._journal = Journal(store, path, now_ms - FLOOD_MS)
        asked = {name: self._by_the_wall(source) for name, source in (sources or {}).items()}
        self.engine = AlarmEngine(alarms, now_ms, wiring, asked, run=uuid.uuid4().hex[:16])
        past = newest_of(self._journal.past or {}, self._journal.waiting)
        self.engine.restore(past, [*self._journal.recent, *self._journal.waiting])
        self._is_whole = self._journal.past is not None

    def _by_the_wall(self, source: Expectation) -> Expectation:
        """What a source expects by the computer's clock, which is right now that it was set."""

        def expected(tag: str, time_ms: int) -> float:
            return source(tag, time_ms - self._clock.offset_ms)

        return expected

    def take(self, samples: Sequence[Sample]) -> None:
        """Take samples as the reader delivers them; they are looked at with the next tick."""
        self._clock.now_ms()
        offset_ms = self._clock.offset_ms
        if offset_ms:
            samples = [_moved_sample(sample, offset_ms) for sample in samples]
        self._samples.extend(samples)

    async def run(self) -> None:
        """Evaluate until cancelled."""
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                part = self._evaluate()
                if part[0] or part[1]:
                    # whatever cancels us, it is kept; and a slow disk holds up no reader
                    await asyncio.shield(asyncio.wrap_future(self._keeper.submit(self._journal.put, *part)))
            except Exception:
                self.faults += 1
                _logger.exception("evaluating alarms failed; going on")

    def tick(self) -> list[Entry]:
        """Evaluate what came since the last tick, commands too; return what became of the alarms, when it is kept."""
        entries, answers = self._evaluate()
        self._keeper.submit(self._journal.put, entries, answers).result()
        return entries

    def _evaluate(self) -> tuple[list[Entry], list[Answer]]:
        now_ms = self._clock.now_ms()
        if not self._is_whole and self._journal.past is not None:
            self.engine.restore_untouched(self._journal.past)
            self._is_whole = True
        for command in self._journal.take_commands():
            self.engine.command(replace(command, time_ms=now_ms))
        samples, self._samples = self._samples, []
        entries = self.engine.take(samples) + self.engine.advance(now_ms)
        return self._as_the_clock_stands(entries)

    def _as_the_clock_stands(self, entries: list[Entry]) -> tuple[list[Entry], list[Answer]]:
        """Return entries with the computer's times, and what became of commands."""
        offset_ms = self._clock.offset_ms
        if offset_ms:
            entries = [_moved(entry, -offset_ms) for entry in entries]
        answers = [
            (command.number, command.time_ms - offset_ms, answer)
            for command, answer in self.engine.answers
            if command.number
        ]
        self.engine.answers.clear()
        return entries, answers

    def close(self) -> None:
        """Evaluate what is left and close the journal."""
        try:
            self.tick()
            left = self._as_the_clock_stands(self.engine.finish(self._clock.now_ms()))
            self._keeper.submit(self._journal.put, *left).result()
        finally:
            self._keeper.shutdown()
            self._journal.close()


def _moved_sample(sample: Sample, by_ms: int) -> Sample:
    """Move a sample to the steady clock; its own time too where that is the computer's."""
    is_ours = abs(sample.arrival_ms - sample.time_ms) < _LIVE_MS
    return replace(sample, time_ms=sample.time_ms + by_ms * is_ours, arrival_ms=sample.arrival_ms + by_ms)


def _moved(entry: Entry, by_ms: int) -> Entry:
    until_ms = None if entry.until_ms is None else entry.until_ms + by_ms
    return replace(entry, time_ms=entry.time_ms + by_ms, until_ms=until_ms)
