"""Reading over one connection, whatever happens to it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from scada.backoff import Backoff
from scada.block import Block, halves
from scada.clock import SET_BACK_MS, Clock
from scada.errors import Disconnected, ModbusExceptionReply, Refused, Timeout, WireError
from scada.plan import Request
from scada.readings import lost
from scada.sample import Reason, Sample
from scada.schedule import Schedule
from scada.status import DeviceState
from scada.tag import Tag
from scada.transport import Connection
from scada.unit import RECHECK_MS, Refusal, Round, Unit

__all__ = ["Poller", "Sink"]

Sink = Callable[[Sequence[Sample]], None]

_Turn = tuple[Round, Block, int]  # what is asked, and for which slot, UTC ms
_ILLEGAL = {2, 3}  # address; and value, which some devices answer to a block they find too long
_GATEWAY = {10, 11}  # the gateway answers for a unit it cannot reach


@dataclass(slots=True)
class _Part:
    """A piece of a refused block, and the refused piece that it is half of."""

    request: Request
    whole: _Part | None = None
    _answered: int = 0

    def is_answered_by_both(self) -> bool:
        """Count one more half that was answered; tell whether both were."""
        self._answered += 1
        return self._answered == 2


class Poller:
    """Serves the units behind one connection, one request at a time.

    Parameters
    ----------
    connection : Connection
    units : sequence of Unit
    clock : Clock
    sink : callable
        Receives the samples of one block at a time.
    rng : random.Random
        Source of jitter.

    Attributes
    ----------
    set_back_ms : int
        How far the clock was set back since this was made, ms.

    Notes
    -----
    Two things are held off separately. A connection that cannot be made holds off all its units. A unit that stays
    silent is parked: its slots are recorded as lost without asking, and one request at the end of the pause probes it;
    the others behind the same gateway go on.
    """

    def __init__(
        self, connection: Connection, units: Sequence[Unit], clock: Clock, sink: Sink, rng: random.Random
    ) -> None:
        self.units = tuple(units)
        self.is_stopping = False
        self.set_back_ms = 0
        self._connection = connection
        self._clock = clock
        self._sink = sink
        self._rounds = [entry for unit in units for entry in unit.rounds]
        self._backoff = Backoff(min(unit.settings.reconnect_holdoff_s for unit in units) * 1000, rng)
        self._why_held = Reason.REFUSED.value
        self._schedule: Schedule | None = None

    def begin(self, phases_ms: Sequence[int]) -> None:
        """Make ready for a run; slots that went by since the last one are nobody's loss.

        Parameters
        ----------
        phases_ms : sequence of int
            Delay of each round, ms, against its slot; those of the first run stay.
        """
        self.is_stopping = False
        now_ms = self._clock.now_ms()
        if self._schedule is None:
            self._schedule = Schedule(self.intervals_ms, phases_ms, now_ms)
        self._schedule.skip_stale(now_ms)

    def next_wake_ms(self, until_ms: int | None) -> int | None:
        """Return when there is something to do for a slot before `until_ms`; None when there is nothing."""
        if self._schedule is None:
            return None
        self._notice_clock(self._schedule)
        return self._schedule.next_wake_ms(until_ms)

    async def serve_due(self, until_ms: int | None) -> None:
        """Serve what is due now, of slots before `until_ms`; whatever happens, the next slot is planned."""
        schedule = self._schedule
        if schedule is None:
            return
        self._notice_clock(schedule)
        now_ms = self._clock.now_ms()
        due = schedule.take_due(now_ms, until_ms)
        for entry, slot_ms, missed in due:
            schedule.give_back(entry, slot_ms)
            self._rounds[entry].unit.status.lateness.add((now_ms - schedule.wake_ms(entry, slot_ms)) / 1000)
            if missed:
                self._count_missed(self._rounds[entry], missed)
        await self._serve([(self._rounds[entry], slot_ms) for entry, slot_ms, _ in due])

    @property
    def name(self) -> str:
        """The connection's URL."""
        return str(self._connection.endpoint)

    @property
    def intervals_ms(self) -> list[int]:
        """Interval of each round (unit and interval), ms."""
        return [entry.interval_ms for entry in self._rounds]

    def _notice_clock(self, schedule: Schedule) -> None:
        """Go on at once where the clock was set back, with the slots that come again."""
        behind_ms = schedule.turn_back(self._clock.now_ms(), SET_BACK_MS)
        if behind_ms:
            self.set_back_ms += behind_ms
            self._backoff.turn_back(behind_ms)
            for unit in self.units:
                unit.turn_back(behind_ms)

    def _count_missed(self, entry: Round, missed: int) -> None:
        entry.unit.status.slots_missed += missed
        entry.unit.status.registers_lost += missed * entry.registers
        text = f"{missed} slots of {entry.interval_ms / 1000:g} s went by while {self._connection.endpoint} was busy"
        entry.unit.log.tell(logging.WARNING, "slots-missed", "busy", text)

    async def _serve(self, due: list[tuple[Round, int]]) -> None:
        """Serve the rounds that are due, the units taking turns request by request."""
        for unit in {id(entry.unit): entry.unit for entry, _ in due}.values():
            if unit.known.forget_old(self._clock.now_ms()):
                unit.replan()
        refusals = [(entry, refusal, slot_ms) for entry, slot_ms in due for refusal in entry.refusals]  # old ones only
        turns = [[(entry, block, slot_ms) for block in entry.blocks] for entry, slot_ms in due]
        for (entry, _), mine in zip(due, turns, strict=True):
            entry.unit.status.queued += len(mine)
        try:
            for turn in _by_turns(turns):
                turn[0].unit.status.queued -= 1
                await self._serve_block(*turn)
        finally:
            for entry, _ in due:
                entry.unit.status.queued = 0
        for old in refusals:
            await self._serve_refusal(*old)

    async def _serve_block(self, entry: Round, block: Block, slot_ms: int) -> None:
        unit = entry.unit
        held = self._held(unit)
        if held is not None:
            self._lose(unit, block.request.tags, slot_ms, held)
            return
        try:
            words = await self._ask(unit, block.request)
        except ModbusExceptionReply as error:
            if _is_illegal(error):
                await self._isolate(entry, block, slot_ms, error)
            elif error.code in _GATEWAY:
                self._fail(unit, error)
                self._lose(unit, block.request.tags, slot_ms, error.reason)
            else:
                self._refuse(unit, block.request.tags, slot_ms, error.reason)
        except WireError as error:
            self._fail(unit, error)
            self._lose(unit, block.request.tags, slot_ms, error.reason)
        else:
            self._give(unit, block, words, slot_ms)

    def _give(self, unit: Unit, block: Block, words: NDArray[np.uint16], slot_ms: int) -> None:
        """Hand over what a reply holds, as stale as the unit's heartbeat says."""
        before, read, last_ms = unit.status.samples_good, unit.status.registers_read, unit.status.last_good_ms
        was_standing = unit.heartbeat.is_standing
        now_ms = self._clock.now_ms()
        samples = unit.heartbeat.judge(block.samples(words, slot_ms, now_ms, unit.status))
        if unit.heartbeat.is_standing != was_standing:
            self._tell_heartbeat(unit)
        if unit.heartbeat.is_standing:
            unit.status.samples_bad += unit.status.samples_good - before
            unit.status.samples_stale += unit.status.samples_good - before
            unit.status.registers_bad += unit.status.registers_read - read
            unit.status.samples_good, unit.status.registers_read, unit.status.last_good_ms = before, read, last_ms
            unit.status.last_error = (
                f"{unit.settings.name}: {unit.heartbeat.tag} stands still; has its program stopped?"
            )
            unit.memory.suspects.forget()  # what a dead program shows confirms nothing
        elif revised := block.revised(now_ms, unit.status):
            self._sink(revised)
        self._sink(samples)

    def _tell_heartbeat(self, unit: Unit) -> None:
        tag = unit.heartbeat.tag
        if unit.heartbeat.is_standing:
            text = f"{tag} stands still; what the device shows is taken for stale"
            unit.log.tell(logging.WARNING, "heartbeat-stands", Reason.HEARTBEAT.value, text)
        else:
            unit.log.tell(logging.INFO, "heartbeat-beats", Reason.HEARTBEAT.value, f"{tag} moves again")

    async def _serve_refusal(self, entry: Round, refusal: Refusal, slot_ms: int) -> None:
        """Record a refused tag as bad, and ask for it again once in a while."""
        now_ms = self._clock.now_ms()
        if now_ms < refusal.retry_ms or self._held(entry.unit) is not None:
            self._refuse(entry.unit, refusal.block.request.tags, slot_ms, refusal.reason)
            return
        entry.refusals.remove(refusal)
        entry.unit.known.accept(refusal.block.request.table, refusal.addresses)
        try:
            await self._serve_block(entry, refusal.block, slot_ms)
        finally:
            entry.unit.replan()

    async def _isolate(self, entry: Round, block: Block, slot_ms: int, refused: ModbusExceptionReply) -> None:
        """Halve a refused block until the refused tags stand alone; later slots are planned from what is learnt."""
        unit = entry.unit
        todo = [_Part(block.request)]
        refusals: list[Refusal] = []
        error: WireError | None = refused  # of the part on top
        while todo:
            part = todo.pop()
            request, words = part.request, None
            if error is None:
                words, error = await self._attempt(unit, request)
            if words is not None:
                self._give(unit, Block(request, unit.memory), words, slot_ms)
                if part.whole is not None and part.whole.is_answered_by_both():
                    unit.known.seam(part.whole.request, self._clock.now_ms())
                continue
            if error is None or not _is_illegal(error):
                self._abandon(unit, [request, *(other.request for other in reversed(todo))], slot_ms, error)
                return
            if len(request.tags) > 1:
                todo.extend(_Part(half, part) for half in reversed(halves(request)))
            else:
                retry_ms = self._clock.now_ms() + RECHECK_MS
                refusals.append(Refusal(Block(request, unit.memory), error.reason, retry_ms))
                self._refuse(unit, request.tags, slot_ms, error.reason)
            error = None
        entry.refusals.extend(refusals)
        for refusal in refusals:
            unit.known.refuse(block.request.table, refusal.addresses)
        unit.log.refused([(refusal.block.request.tags[0].name, refusal.reason) for refusal in refusals])
        unit.replan()

    async def _attempt(self, unit: Unit, request: Request) -> tuple[NDArray[np.uint16] | None, WireError | None]:
        try:
            return await self._ask(unit, request), None
        except WireError as error:
            return None, error

    def _abandon(self, unit: Unit, requests: list[Request], slot_ms: int, error: WireError | None) -> None:
        """Give up isolating because the unit fell silent meanwhile; nothing was learnt."""
        if error is not None:
            self._fail(unit, error)
        for request in requests:
            self._lose(unit, request.tags, slot_ms, error.reason if error else Reason.STOPPED.value)

    async def _ask(self, unit: Unit, request: Request) -> NDArray[np.uint16]:
        """Send one request, again over a fresh connection when the old one broke, again when a sleeper may wake."""
        settings = unit.settings
        wakes = settings.wake_retries
        is_fresh = not self._connection.is_open
        while True:
            if settings.request_delay_ms and self._connection.is_open and self._clock.is_realtime:
                await self._clock.sleep_until(self._clock.now_ms() + settings.request_delay_ms)
            unit.status.requests += 1
            began = time.perf_counter()
            try:
                words = await self._connection.read(
                    settings.unit, request.table, request.start, request.count, settings.timeout_s
                )
            except WireError as error:
                self._note_failure(unit, error)
                if isinstance(error, Disconnected) and not is_fresh:
                    is_fresh = True
                elif isinstance(error, Timeout) and wakes:
                    wakes -= 1
                else:
                    if not _is_illegal(error):  # of those each tag is told of
                        unit.log.failed(error.reason, str(error))
                    raise
            else:
                self._note_answer(unit, time.perf_counter() - began)
                return words

    def _note_failure(self, unit: Unit, error: WireError) -> None:
        unit.status.errors[error.reason] += 1
        unit.status.last_error = str(error)
        if isinstance(error, ModbusExceptionReply):
            self._backoff.succeed()
            if error.code not in _GATEWAY:
                unit.backoff.succeed()
                unit.status.state = DeviceState.CONNECTED

    def _note_answer(self, unit: Unit, took_s: float) -> None:
        unit.status.round_trips.add(took_s)
        unit.status.last_error = ""
        unit.status.state = DeviceState.CONNECTED
        if unit.log.is_failing:
            unit.log.answered()
        self._backoff.succeed()
        unit.backoff.succeed()

    def _held(self, unit: Unit) -> str | None:
        """Return why `unit` is not asked now, or None."""
        if self.is_stopping:
            return Reason.STOPPED.value
        now_ms = self._clock.now_ms()
        if self._backoff.is_holding(now_ms):
            return self._why_held
        return Reason.PARKED.value if unit.backoff.is_holding(now_ms) else None

    def _fail(self, unit: Unit, error: WireError) -> None:
        if isinstance(error, Refused):
            self._why_held = error.reason
            self._backoff.fail(self._clock.now_ms())
            for other in self.units:
                other.status.state = DeviceState.BACKING_OFF
        else:
            unit.backoff.fail(self._clock.now_ms())
            unit.status.state = DeviceState.PARKED

    def _lose(self, unit: Unit, tags: Sequence[Tag], slot_ms: int, reason: str) -> None:
        unit.status.samples_lost += len(tags)
        unit.status.registers_lost += sum(tag.registers for tag in tags)
        self._sink(lost(tuple(tag.name for tag in tags), slot_ms, self._clock.now_ms(), reason))

    def _refuse(self, unit: Unit, tags: Sequence[Tag], slot_ms: int, reason: str) -> None:
        unit.status.samples_bad += len(tags)
        unit.status.registers_bad += sum(tag.registers for tag in tags)
        self._sink(lost(tuple(tag.name for tag in tags), slot_ms, self._clock.now_ms(), reason))


def _is_illegal(error: WireError) -> bool:
    return isinstance(error, ModbusExceptionReply) and error.code in _ILLEGAL


def _by_turns(queues: list[list[_Turn]]) -> Iterable[_Turn]:
    """Take one of each queue, then the next of each, until all are empty."""
    if len(queues) == 1:
        return queues[0]
    return (turn for turns in zip_longest(*queues) for turn in turns if turn is not None)
