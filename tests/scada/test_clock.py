"""Accelerated time: nobody is left behind and nothing hangs."""

import asyncio
import socket
import time

import pytest

from scada.clock import LockstepClock, SystemClock
from scada.reader import DeviceSettings, Reader
from scada.sample import Sample
from scada.tag import Tag
from tests.scada.wire import serving


def test_everyone_sees_every_time_in_order() -> None:
    async def run() -> tuple[list[tuple[int, str]], list[int]]:
        prepared: list[int] = []
        seen: list[tuple[int, str]] = []

        async def before_wake(t_ms: int) -> None:
            await asyncio.sleep(0)
            prepared.append(t_ms)

        clock = LockstepClock(0, before_wake)

        async def sleeper(name: str, step: int) -> None:
            for t in range(0, 61, step):
                await clock.sleep_until(t)
                assert clock.now_ms() == t == prepared[-1]
                for _ in range(step % 7):  # awake for a while
                    await asyncio.sleep(0)
                assert clock.now_ms() == t
                seen.append((t, name))

        tasks = [asyncio.create_task(sleeper(f"every {step}", step)) for step in (10, 15, 30)]
        for task in tasks:
            clock.join(task)
        await asyncio.gather(*tasks)
        return seen, prepared

    seen, prepared = asyncio.run(run())
    assert prepared == [0, 10, 15, 20, 30, 40, 45, 50, 60]
    assert [t for t, _ in seen] == sorted(t for t, _ in seen)
    assert len(seen) == 7 + 5 + 3


def test_a_day_takes_no_time() -> None:
    async def run() -> int:
        clock = LockstepClock(1_000)
        for minute in range(1440):
            await clock.sleep_until(1_000 + minute * 60_000)
        return clock.now_ms()

    began = time.monotonic()
    assert asyncio.run(run()) == 1_000 + 1439 * 60_000
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize("death", ["return", "raise", "cancel awake", "cancel asleep"])
def test_participant_that_ends_does_not_hold_the_others(death: str) -> None:
    async def run() -> int:
        clock = LockstepClock(0)

        async def mortal() -> None:
            await clock.sleep_until(10)
            if death == "raise":
                raise ArithmeticError
            if death == "cancel awake":
                await asyncio.sleep(60)
            if death == "cancel asleep":
                await clock.sleep_until(1_000_000)

        async def survivor() -> None:
            for t in range(0, 100, 10):
                await clock.sleep_until(t)
                if t == 10 and death.startswith("cancel"):
                    await asyncio.sleep(0.01)
                    tasks[0].cancel()

        tasks = [asyncio.create_task(mortal()), asyncio.create_task(survivor())]
        for task in tasks:
            clock.join(task)
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks, return_exceptions=True)
        return clock.now_ms()

    assert asyncio.run(run()) == 90


def test_leaving_lets_time_go_on() -> None:
    async def run() -> int:
        clock = LockstepClock(0)
        clock.join()
        clock.join()  # twice is once
        other = asyncio.create_task(clock.sleep_until(50))
        clock.join(other)
        await asyncio.sleep(0.01)
        assert clock.now_ms() == 0
        clock.leave()
        clock.leave()
        async with asyncio.timeout(5):
            await other
        return clock.now_ms()

    assert asyncio.run(run()) == 50


def test_plant_that_fails_wakes_everyone_with_its_error() -> None:
    async def run() -> list[object]:
        async def before_wake(t_ms: int) -> None:
            if t_ms == 20:
                raise ArithmeticError("no solution at 20")

        clock = LockstepClock(0, before_wake)

        async def sleeper() -> None:
            for t in range(0, 100, 10):
                await clock.sleep_until(t)

        tasks = [asyncio.create_task(sleeper()) for _ in range(3)]
        for task in tasks:
            clock.join(task)
        async with asyncio.timeout(5):
            return list(await asyncio.gather(*tasks, return_exceptions=True))

    assert [str(result) for result in asyncio.run(run())] == ["no solution at 20"] * 3


def test_deadline_in_the_past_waits_for_the_others_only() -> None:
    async def run() -> int:
        clock = LockstepClock(100)
        await clock.sleep_until(5)
        return clock.now_ms()

    assert asyncio.run(run()) == 100


def test_clock_wants_a_task() -> None:
    async def run() -> LockstepClock:
        return LockstepClock(0)

    clock = asyncio.run(run())
    with pytest.raises(RuntimeError):
        clock.join()


def test_system_clock_is_absolute() -> None:
    async def run() -> tuple[int, int]:
        clock = SystemClock()
        clock.join()
        start = clock.now_ms()
        for step in range(1, 6):
            await clock.sleep_until(start + 20 * step)
        clock.leave()
        return start, clock.now_ms()

    start, end = asyncio.run(run())
    assert abs(start - time.time() * 1000) < 10_000
    assert 100 <= end - start < 300


class SetClock:
    """Stands for the module `time`: the wall clock may be set, the monotonic one may not."""

    def __init__(self) -> None:
        self.set_ms = 0

    def time_ns(self) -> int:
        return time.time_ns() + 1_000_000 * self.set_ms

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


def test_reading_goes_on_at_once_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so do the pauses of what does not answer; the slots that come again are read again."""
    wall = SetClock()
    monkeypatch.setattr("scada.clock.time", wall)
    tags = [Tag(f"{device}.x", device, "input", 0, "uint16", interval_s=0.1) for device in "ab"]
    samples: list[Sample] = []

    async def run() -> int:
        async with serving() as server:
            with socket.socket() as dead:
                dead.bind(("127.0.0.1", 0))
                urls = (server.url, f"tcp://127.0.0.1:{dead.getsockname()[1]}")
                devices = [
                    DeviceSettings(name, url, reconnect_holdoff_s=0.2) for name, url in zip("ab", urls, strict=True)
                ]
                reader = Reader(devices, tags, SystemClock(), samples.extend)
                stop = asyncio.Event()
                reading = asyncio.create_task(reader.run(stop=stop))
                while sum(sample.tag == "a.x" for sample in samples) < 5:
                    await asyncio.sleep(0.01)
                wall.set_ms = -3_600_000
                before, tried = len(samples), reader.status["b"].requests
                while (
                    sum(s.tag == "a.x" and not s.reason for s in samples[before:]) < 5
                    or reader.status["b"].requests == tried
                ):
                    await asyncio.sleep(0.01)
                stop.set()
                await asyncio.wait_for(reading, 30)
                return before

    before = asyncio.run(asyncio.wait_for(run(), 60))
    again = [sample.time_ms for sample in samples[before:] if sample.tag == "a.x"]
    first = [sample.time_ms for sample in samples[:before] if sample.tag == "a.x"]
    assert sum(time_ms < first[0] for time_ms in again) >= 5
    assert first == sorted(set(first))


def test_who_sleeps_is_woken_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = SetClock()
    monkeypatch.setattr("scada.clock.time", wall)

    async def run() -> None:
        clock = SystemClock()
        sleeping = asyncio.create_task(clock.sleep_until(clock.now_ms() + 3_600_000))
        await asyncio.sleep(0.05)
        wall.set_ms = -1500
        await asyncio.sleep(1.2)
        assert not sleeping.done(), "so little is waited out"
        wall.set_ms = -10_000
        await asyncio.wait_for(sleeping, 10)

    asyncio.run(run())
