"""The time by which registers are read: the wall's, or an accelerated one that waits for nobody.

All times are UTC milliseconds since 1970.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

__all__ = ["SET_BACK_MS", "Clock", "LockstepClock", "SystemClock"]

SET_BACK_MS = 2000  # less is waited out

_LONGEST_NAP_S = 1.0  # bounds how late a step of the wall clock is noticed


class Clock(Protocol):
    """What the reader asks of time.

    Attributes
    ----------
    is_realtime : bool
        Whether time passes by itself; only then staggering requests makes sense.
    """

    is_realtime: bool

    def now_ms(self) -> int:
        """Return the present time, UTC ms."""
        ...

    async def sleep_until(self, deadline_ms: int) -> None:
        """Return when the time is `deadline_ms` or later, or was set back meanwhile."""
        ...

    def join(self, task: asyncio.Task[Any] | None = None) -> None:
        """Make `task` (the current one by default) one of those the clock waits for."""
        ...

    def leave(self, task: asyncio.Task[Any] | None = None) -> None:
        """No longer wait for `task`."""
        ...


class SystemClock:
    """The wall clock. Deadlines are absolute, so that errors of single sleeps do not add up."""

    is_realtime = True

    def now_ms(self) -> int:
        """Return the present time, UTC ms."""
        return time.time_ns() // 1_000_000

    async def sleep_until(self, deadline_ms: int) -> None:
        """Return when the wall clock shows `deadline_ms`, or was set back: who waits for it may have to plan anew."""
        ahead_ns = time.time_ns() - time.monotonic_ns()
        await asyncio.sleep(0)  # whoever is late lets the others have their turn
        while (left_s := (deadline_ms - time.time_ns() / 1e6) / 1000) > 0:
            await asyncio.sleep(min(left_s, _LONGEST_NAP_S))
            if ahead_ns - (time.time_ns() - time.monotonic_ns()) > 1_000_000 * SET_BACK_MS:
                return

    def join(self, task: asyncio.Task[Any] | None = None) -> None:
        """Do nothing: the wall waits for nobody."""

    def leave(self, task: asyncio.Task[Any] | None = None) -> None:
        """Do nothing."""


class LockstepClock:
    """Accelerated time: when every participant sleeps, the clock jumps to the earliest deadline.

    Between the jump and the waking it awaits `before_wake(t_ms)`; there the plant is advanced and the simulated
    registers are written, so that whoever wakes at ``t`` reads the plant at ``t``. Nothing sleeps in real time, and the
    order of waking is that of falling asleep.

    Parameters
    ----------
    start_ms : int
        Time shown at first.
    before_wake : callable, optional
        Awaited once for each new time, the start included.

    Notes
    -----
    A participant that ends, however it ends, leaves by itself. If `before_wake` raises, every sleeper raises the same:
    a plant that cannot be computed ends the run instead of hanging it.
    """

    is_realtime = False

    def __init__(self, start_ms: int, before_wake: Callable[[int], Awaitable[None]] | None = None) -> None:
        self._now_ms = start_ms
        self._before_wake = before_wake
        self._prepared_ms: int | None = None
        self._participants: set[asyncio.Task[Any]] = set()
        self._awake = 0  # participants not asleep
        self._sleepers: dict[asyncio.Task[Any], tuple[int, asyncio.Future[None]]] = {}
        self._jump: asyncio.Task[None] | None = None

    def now_ms(self) -> int:
        """Return the time shown, UTC ms."""
        return self._now_ms

    def join(self, task: asyncio.Task[Any] | None = None) -> None:
        """Hold the clock while `task` (the current one by default) is awake."""
        member = task or _current_task()
        if member in self._participants:
            return
        self._participants.add(member)
        self._awake += member not in self._sleepers
        member.add_done_callback(self.leave)

    def leave(self, task: asyncio.Task[Any] | None = None) -> None:
        """No longer hold the clock for `task`."""
        member = task or _current_task()
        if member not in self._participants:
            return
        self._participants.discard(member)
        member.remove_done_callback(self.leave)
        self._awake -= member not in self._sleepers
        self._consider()

    async def sleep_until(self, deadline_ms: int) -> None:
        """Return when the clock shows `deadline_ms`.

        A deadline in the past still waits until every participant sleeps, so that a run does not depend on who is
        quicker.
        """
        task = _current_task()
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers[task] = (deadline_ms, woken)
        self._awake -= task in self._participants
        self._consider()
        try:
            await woken
        finally:
            # cancelled while asleep: it is awake again, until it sleeps, leaves or ends
            if self._sleepers.pop(task, None) is not None:
                self._awake += task in self._participants

    def _consider(self) -> None:
        if self._awake == 0 and self._sleepers and self._jump is None:
            self._jump = asyncio.get_running_loop().create_task(self._advance())
            self._jump.add_done_callback(self._landed)

    async def _advance(self) -> None:
        while self._awake == 0 and self._sleepers:
            await self._wake_due()
            # a sleeper that is no participant holds no clock, but gets its turn
            await asyncio.sleep(0)

    def _landed(self, jump: asyncio.Task[None]) -> None:
        self._jump = None
        failure = asyncio.CancelledError() if jump.cancelled() else jump.exception()
        if failure is None:
            self._consider()
            return
        for task in list(self._sleepers):
            self._wake(task, failure)

    async def _wake_due(self) -> None:
        earliest = min(deadline for deadline, _ in self._sleepers.values())
        self._now_ms = max(self._now_ms, earliest)
        if self._before_wake is not None and self._prepared_ms != self._now_ms:
            self._prepared_ms = self._now_ms
            await self._before_wake(self._now_ms)
        for task in [task for task, (deadline, _) in self._sleepers.items() if deadline <= self._now_ms]:
            self._wake(task)

    def _wake(self, task: asyncio.Task[Any], failure: BaseException | None = None) -> None:
        _, woken = self._sleepers.pop(task)
        self._awake += task in self._participants
        if woken.done():
            return
        if failure is None:
            woken.set_result(None)
        elif isinstance(failure, asyncio.CancelledError):
            woken.cancel()
        else:
            woken.set_exception(failure)


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a clock is used from inside an asyncio task")
    return task
