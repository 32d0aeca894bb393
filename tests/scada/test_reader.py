"""The reader against real sockets: what is due is read, lost or bad, and nothing stalls anything else."""

import asyncio
import itertools
import math
import time
from collections import Counter

import pytest

from scada.clock import LockstepClock, SystemClock
from scada.errors import HistorianError, PlanError, ScadaError
from scada.plc.device import PlcServer
from scada.reader import DeviceSettings, Reader
from scada.sample import Quality, Sample
from scada.tag import Tag
from scada.tls import TlsSettings
from tests.scada.wire import HANG_UP, Asked, WireServer, own_addresses, refusal, serving

MINUTE_MS = 60_000


def words_of(device: str, addresses: range | list[int], **more: object) -> list[Tag]:
    return [Tag(f"{device}.{address}", device, "input", address, "uint16", **more) for address in addresses]  # type: ignore[arg-type]


def in_lockstep(
    devices: list[DeviceSettings], tags: list[Tag], slots: int, samples: list[Sample], start_ms: int = 0
) -> tuple[Reader, LockstepClock]:
    clock = LockstepClock(start_ms)
    return Reader(devices, tags, clock, samples.extend), clock


def reasons(samples: list[Sample]) -> Counter[str]:
    return Counter(sample.reason for sample in samples)


def accounted(reader: Reader, device: str) -> int:
    status = reader.status[device]
    return status.registers_read + status.registers_bad + status.registers_lost


def test_twenty_devices_two_hundred_slots_everything_once() -> None:
    """Each value tells device and time, so that a swapped, late or repeated reading shows."""
    count, slots = 20, 200
    tags = [
        Tag(f"d{number}.{signal}", f"d{number}", table, address, kind, order)
        for number in range(count)
        for signal, table, address, kind, order in (
            ("time", "input", 0, "uint32", "CDAB"),
            ("number", "input", 2, "float32", "CDAB"),
            ("odd", "discrete", 0, "bool", "ABCD"),
        )
    ]

    async def run() -> tuple[list[Sample], Reader, float]:
        servers = [
            PlcServer(
                "127.0.0.1",
                0,
                {unit: [tag for tag in tags if tag.device == f"d{5 * port + unit - 1}"] for unit in range(1, 6)},
            )
            for port in range(count // 5)
        ]
        for server in servers:
            await server.start()

        async def before_wake(t_ms: int) -> None:
            values: dict[str, float] = {}
            for number in range(count):
                values[f"d{number}.time"] = t_ms / 1000
                values[f"d{number}.number"] = number
                values[f"d{number}.odd"] = t_ms // MINUTE_MS % 2
            for server in servers:
                server.update(values)

        samples: list[Sample] = []
        devices = [
            DeviceSettings(f"d{number}", f"tcp://127.0.0.1:{servers[number // 5].port}", unit=number % 5 + 1)
            for number in range(count)
        ]
        reader = Reader(devices, tags, LockstepClock(0, before_wake), samples.extend)
        began = time.monotonic()
        await reader.run(until_ms=slots * MINUTE_MS)
        took = time.monotonic() - began
        for server in servers:
            await server.stop()
        return samples, reader, took

    samples, reader, took = asyncio.run(run())
    assert len({(sample.tag, sample.time_ms) for sample in samples}) == len(samples) == len(tags) * slots
    for sample in samples:
        device, signal = sample.tag.split(".")
        expected = {"time": sample.time_ms / 1000, "number": int(device[1:]), "odd": sample.time_ms // MINUTE_MS % 2}
        assert sample.value == expected[signal]
        assert (sample.quality, sample.reason, sample.arrival_ms) == (Quality.GOOD, "", sample.time_ms)
    assert all(accounted(reader, f"d{number}") == 5 * slots for number in range(count))
    assert sum(status.registers_lost + status.registers_bad for status in reader.status.values()) == 0
    assert reader.faults == 0
    assert took < 60


def test_only_reading_functions_are_on_the_wire() -> None:
    async def run() -> set[int]:
        async with serving() as server:
            tags = [
                *words_of("d", range(3)),
                Tag("h", "d", "holding", 0, "uint16"),
                Tag("c", "d", "coil", 0, "bool"),
                Tag("i", "d", "discrete", 0, "bool"),
                Tag("name", "d", "holding", 5, "string8"),
            ]
            samples: list[Sample] = []
            reader, _ = in_lockstep([DeviceSettings("d", server.url)], tags, 3, samples)
            await reader.run(until_ms=3 * MINUTE_MS)
            assert len(samples) == 3 * 7
            return {asked.function for asked in server.asked}

    assert asyncio.run(run()) == {1, 2, 3, 4}


def test_dead_device_does_not_delay_the_others() -> None:
    async def silent(asked: Asked) -> bytes | None:
        return None

    async def run() -> tuple[list[Sample], Reader]:
        async with serving(silent) as dead, serving() as alive:
            samples: list[Sample] = []
            tags = [*words_of("dead", [1], interval_s=0.2), *words_of("alive", [1], interval_s=0.2)]
            devices = [DeviceSettings("dead", dead.url, timeout_s=0.9), DeviceSettings("alive", alive.url)]
            clock = SystemClock()
            reader = Reader(devices, tags, clock, samples.extend)
            await reader.run(until_ms=clock.now_ms() + 2400)
            return samples, reader

    samples, reader = asyncio.run(run())
    alive = [sample for sample in samples if sample.tag == "alive.1"]
    assert len(alive) >= 11
    assert all(sample.arrival_ms - sample.time_ms < 190 for sample in alive)
    assert {b.time_ms - a.time_ms for a, b in itertools.pairwise(alive)} == {200}
    dead = [sample for sample in samples if sample.tag == "dead.1"]
    assert {sample.reason for sample in dead} == {"timeout", "parked"}
    assert all(math.isnan(sample.value) and sample.quality == Quality.BAD for sample in dead)
    assert reader.status["dead"].requests <= 3
    assert reader.status["dead"].slots_missed >= 3
    assert accounted(reader, "dead") == accounted(reader, "alive")


def test_silent_unit_behind_a_gateway_is_parked_and_comes_back() -> None:
    is_asleep = True

    async def gateway(asked: Asked) -> bytes | None:
        return None if asked.unit == 2 and is_asleep else await own_addresses(asked)

    async def run() -> tuple[list[Sample], Reader, WireServer]:
        nonlocal is_asleep
        async with serving(gateway) as server:
            tags = [tag for unit in (1, 2, 3) for tag in words_of(f"u{unit}", [5, 300, 600], interval_s=10)]
            devices = [
                DeviceSettings(f"u{unit}", server.url, unit=unit, timeout_s=0.1, reconnect_holdoff_s=30.0)
                for unit in (1, 2, 3)
            ]
            samples: list[Sample] = []
            reader, _ = in_lockstep(devices, tags, 12, samples)
            await reader.run(until_ms=60_000)
            is_asleep = False
            await reader.run(until_ms=120_000)
            return samples, reader, server

    samples, reader, server = asyncio.run(run())
    assert len(samples) == 9 * 12
    others = [sample for sample in samples if not sample.tag.startswith("u2")]
    assert reasons(others) == {"": 6 * 12}
    silent = [sample for sample in samples if sample.tag.startswith("u2")]
    assert reasons([sample for sample in silent if sample.time_ms < 60_000]).keys() == {"timeout", "parked"}
    assert reasons([sample for sample in silent if sample.time_ms == 110_000]) == {"": 3}
    assert reader.status["u2"].errors["timeout"] == 2, "one to park it, one probe"
    assert all(accounted(reader, device) == 36 for device in ("u1", "u2", "u3"))
    first_slot = [asked.unit for asked in server.asked[:7]]
    assert first_slot == [1, 2, 3, 1, 3, 1, 3], "units take turns"


def test_reader_recovers_after_a_restart_of_the_device() -> None:
    async def run() -> tuple[list[Sample], Reader]:
        samples: list[Sample] = []
        server = WireServer()
        await server.start()
        clock = LockstepClock(0)
        devices = [DeviceSettings("d", server.url, timeout_s=0.5)]
        reader = Reader(devices, words_of("d", [7]), clock, samples.extend)
        await reader.run(until_ms=3 * MINUTE_MS)
        await server.stop()
        await reader.run(until_ms=6 * MINUTE_MS)
        await server.start()
        await reader.run(until_ms=10 * MINUTE_MS)
        await server.stop()
        return samples, reader

    samples, reader = asyncio.run(run())
    assert [sample.time_ms for sample in samples] == [slot * MINUTE_MS for slot in range(10)]
    assert [sample.reason for sample in samples] == [""] * 3 + ["refused"] * 3 + [""] * 4
    status = reader.status["d"]
    assert (status.registers_read, status.registers_lost, status.registers_bad) == (7, 3, 0)
    assert status.last_good_ms == 9 * MINUTE_MS


def test_connection_closed_between_slots_costs_nothing() -> None:
    async def one_shot(asked: Asked) -> bytes | None:
        return (await own_addresses(asked) or b"") + HANG_UP

    async def run() -> tuple[list[Sample], int]:
        async with serving(one_shot) as server:
            samples: list[Sample] = []
            reader, _ = in_lockstep([DeviceSettings("d", server.url)], words_of("d", [7, 900]), 5, samples)
            await reader.run(until_ms=5 * MINUTE_MS)
            return samples, server.connections

    samples, connections = asyncio.run(run())
    assert reasons(samples) == {"": 10}
    assert connections == 10


def test_device_that_hangs_up_mid_reply_is_lost_not_waited_for() -> None:
    async def rude(asked: Asked) -> bytes | None:
        return (await own_addresses(asked) or b"")[:9] + HANG_UP

    async def run() -> tuple[list[Sample], float]:
        async with serving(rude) as server:
            samples: list[Sample] = []
            devices = [DeviceSettings("d", server.url, timeout_s=5.0)]
            reader, _ = in_lockstep(devices, words_of("d", [7]), 5, samples)
            began = time.monotonic()
            await reader.run(until_ms=5 * MINUTE_MS)
            return samples, time.monotonic() - began

    samples, took = asyncio.run(run())
    assert reasons(samples) == {"disconnected": 5}
    assert took < 2.0


@pytest.mark.parametrize("bad", [[], [0], [19], [7], [3, 4, 12]])
def test_illegal_address_is_isolated(bad: list[int]) -> None:
    """Only its tag is bad; later slots ask neither for it nor for more blocks than needed."""

    async def picky(asked: Asked) -> bytes | None:
        if any(asked.start <= address < asked.start + asked.count for address in bad):
            return refusal(asked, 2)
        return await own_addresses(asked)

    async def run() -> tuple[list[Sample], Reader, int]:
        async with serving(picky) as server:
            samples: list[Sample] = []
            reader, _ = in_lockstep([DeviceSettings("d", server.url)], words_of("d", range(20)), 4, samples)
            await reader.run(until_ms=3 * MINUTE_MS)
            before = len(server.asked)
            await reader.run(until_ms=4 * MINUTE_MS)
            return samples, reader, len(server.asked) - before

    samples, reader, asked_last = asyncio.run(run())
    assert len({(sample.tag, sample.time_ms) for sample in samples}) == len(samples) == 80
    for sample in samples:
        address = int(sample.tag.split(".")[1])
        if address in bad:
            assert (sample.quality, sample.reason) == (Quality.BAD, "illegal-address")
        else:
            assert (sample.value, sample.reason) == (address, "")
    runs = 1 + sum(1 for address in bad if address not in (0, 19) and address - 1 not in bad)
    assert asked_last == runs
    status = reader.status["d"]
    assert (status.registers_read, status.registers_bad, status.registers_lost) == (80 - 4 * len(bad), 4 * len(bad), 0)


def test_refused_address_is_asked_for_again_after_a_while() -> None:
    is_loaded = False

    async def manners(asked: Asked) -> bytes | None:
        return await own_addresses(asked) if is_loaded or asked.start + asked.count <= 2 else refusal(asked, 2)

    async def run() -> list[Sample]:
        nonlocal is_loaded
        async with serving(manners) as server:
            samples: list[Sample] = []
            reader, _ = in_lockstep([DeviceSettings("d", server.url)], words_of("d", range(3)), 14, samples)
            await reader.run(until_ms=5 * MINUTE_MS)
            is_loaded = True
            await reader.run(until_ms=14 * MINUTE_MS)
            return [sample for sample in samples if sample.tag == "d.2"]

    samples = asyncio.run(run())
    assert [sample.reason for sample in samples] == ["illegal-address"] * 10 + [""] * 4


def test_refused_gap_splits_the_block_for_good() -> None:
    async def picky(asked: Asked) -> bytes | None:
        return refusal(asked, 2) if asked.start <= 3 < asked.start + asked.count else await own_addresses(asked)

    async def run() -> tuple[list[Sample], int]:
        async with serving(picky) as server:
            samples: list[Sample] = []
            reader, _ = in_lockstep([DeviceSettings("d", server.url)], words_of("d", [0, 1, 2, 5, 6]), 3, samples)
            await reader.run(until_ms=3 * MINUTE_MS)
            return samples, len(server.asked)

    samples, asked = asyncio.run(run())
    assert reasons(samples) == {"": 15}
    assert asked <= 5 + 2 * 3


@pytest.mark.parametrize(("code", "reason"), [(1, "exception-1"), (4, "exception-4"), (6, "exception-6")])
def test_other_exceptions_make_bad_samples(code: int, reason: str) -> None:
    async def busy(asked: Asked) -> bytes | None:
        return refusal(asked, code)

    async def run() -> tuple[list[Sample], Reader]:
        async with serving(busy) as server:
            samples: list[Sample] = []
            reader, _ = in_lockstep([DeviceSettings("d", server.url)], words_of("d", range(4)), 2, samples)
            await reader.run(until_ms=2 * MINUTE_MS)
            return samples, reader

    samples, reader = asyncio.run(run())
    assert reasons(samples) == {reason: 8}
    assert reader.status["d"].registers_bad == 8
    assert reader.status["d"].errors == {reason: 2}


def test_gateway_exception_parks_its_unit() -> None:
    async def gateway(asked: Asked) -> bytes | None:
        return refusal(asked, 11) if asked.unit == 2 else await own_addresses(asked)

    async def run() -> tuple[list[Sample], WireServer]:
        async with serving(gateway) as server:
            tags = [tag for unit in (1, 2) for tag in words_of(f"u{unit}", [5, 300], interval_s=1)]
            devices = [DeviceSettings(f"u{unit}", server.url, unit=unit, reconnect_holdoff_s=60.0) for unit in (1, 2)]
            samples: list[Sample] = []
            reader, _ = in_lockstep(devices, tags, 10, samples)
            await reader.run(until_ms=10_000)
            return samples, server

    samples, server = asyncio.run(run())
    assert reasons([sample for sample in samples if sample.tag.startswith("u1")]) == {"": 20}
    assert reasons([sample for sample in samples if sample.tag.startswith("u2")]) == {"exception-11": 1, "parked": 19}
    assert server.connections == 1, "the gateway itself is well"


def test_sleeping_meter_is_woken_by_a_second_try() -> None:
    last = 0.0

    async def meter(asked: Asked) -> bytes | None:
        nonlocal last
        is_awake, last = time.monotonic() - last < 0.5, time.monotonic()
        return await own_addresses(asked) if is_awake else None

    async def run() -> list[Sample]:
        async with serving(meter) as server:
            samples: list[Sample] = []
            devices = [DeviceSettings("m", server.url, timeout_s=0.1, wake_retries=1)]
            reader, _ = in_lockstep(devices, words_of("m", [3]), 1, samples)
            await reader.run(until_ms=MINUTE_MS)
            return samples

    assert [(sample.value, sample.reason) for sample in asyncio.run(run())] == [(3.0, "")]


def test_intervals_are_each_tags_own_and_requests_are_paced() -> None:
    async def run() -> tuple[list[Sample], int, int]:
        async with serving() as server:
            samples: list[Sample] = []
            tags = [*words_of("d", [1], interval_s=0.2), *words_of("d", [2], interval_s=0.6)]
            clock = SystemClock()
            start = -(-clock.now_ms() // 600) * 600 + 600
            await clock.sleep_until(start - 20)
            reader = Reader([DeviceSettings("d", server.url, request_delay_ms=20)], tags, clock, samples.extend)
            await reader.run(until_ms=start + 1200)
            return samples, start, reader.status["d"].slots_missed

    samples, start, missed = asyncio.run(run())
    times = [(sample.tag, sample.time_ms - start) for sample in samples]
    due = {*(("d.1", 200 * k) for k in range(6)), ("d.2", 0), ("d.2", 600)}
    assert set(times) <= due
    assert len(times) == len(set(times)) == len(due) - missed  # a machine with much else to do leaves slots out
    for time_ms in (start, start + 600):
        both = [sample.arrival_ms for sample in samples if sample.time_ms == time_ms]
        assert len(both) < 2 or abs(both[1] - both[0]) >= 18


def test_stop_ends_the_run_at_once_and_it_may_go_on_later() -> None:
    async def run() -> tuple[float, list[Sample]]:
        async with serving() as server:
            samples: list[Sample] = []
            tags = words_of("d", [1], interval_s=0.05)
            stop = asyncio.Event()
            reader = Reader([DeviceSettings("d", server.url)], tags, SystemClock(), samples.extend)
            asyncio.get_running_loop().call_later(0.3, stop.set)
            began = time.monotonic()
            await reader.run(stop=stop)
            took = time.monotonic() - began
            await reader.run(until_ms=SystemClock().now_ms() + 100)
            assert reader.faults == 0
            return took, samples

    took, samples = asyncio.run(run())
    assert 0.25 < took < 1.0
    assert len(samples) >= 6
    assert reasons(samples).keys() == {""}


def test_sink_that_fails_is_counted_and_reading_goes_on() -> None:
    calls = 0

    def sink(samples: list[Sample]) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise HistorianError("disk full")
        if calls == 4:
            raise ZeroDivisionError

    async def run() -> Reader:
        async with serving() as server:
            reader = Reader([DeviceSettings("d", server.url)], words_of("d", [1]), LockstepClock(0), sink)
            await reader.run(until_ms=10 * MINUTE_MS)
            return reader

    reader = asyncio.run(run())
    assert calls == 10
    assert (reader.sink_errors, reader.faults) == (1, 1)
    assert reader.status["d"].registers_read == 10


def test_values_are_judged() -> None:
    async def run() -> list[Sample]:
        async with serving() as server:
            samples: list[Sample] = []
            tags = [
                Tag("low", "d", "input", 5, "uint16", min=6.0),
                Tag("sentinel", "d", "input", 6, "uint16", bad_values=(6.0,)),
                Tag("scaled", "d", "input", 7, "uint16", scale=0.1, offset=1.0),
            ]
            reader, _ = in_lockstep([DeviceSettings("d", server.url)], tags, 1, samples)
            await reader.run(until_ms=MINUTE_MS)
            assert reader.status["d"].samples_bad == 2
            assert reader.status["d"].registers_bad == 2
            assert reader.status["d"].p50_ms > 0
            assert reader.status["d"].p99_ms >= reader.status["d"].p50_ms
            return samples

    assert [(sample.tag, round(sample.value, 6), sample.quality, sample.reason) for sample in asyncio.run(run())] == [
        ("low", 5.0, Quality.UNCERTAIN, "range"),
        ("sentinel", 6.0, Quality.BAD, "sentinel"),
        ("scaled", 1.7, Quality.GOOD, ""),
    ]


def test_settings_that_cannot_work_are_refused() -> None:
    clock = SystemClock()
    device = DeviceSettings("d", "tcp://localhost")
    with pytest.raises(ScadaError, match="twice"):
        Reader([device, device], [], clock, list[Sample]().extend)
    for urls, text in [
        (("rtu:///dev/x?baud=9600", "rtu:///dev/x?baud=19200"), "share a port and differ"),
        (("tcp://x:502", "rtu+tcp://x:502"), "share a port and differ"),
    ]:
        pair = [DeviceSettings(f"d{number}", url) for number, url in enumerate(urls)]
        with pytest.raises(ScadaError, match=text):
            Reader(pair, [], clock, list[Sample]().extend)
    mixed = [DeviceSettings("a", "tls://x"), DeviceSettings("b", "tls://x", tls=TlsSettings())]
    with pytest.raises(ScadaError, match="differ in their TLS settings"):
        Reader(mixed, [], clock, list[Sample]().extend)
    with pytest.raises(ScadaError, match="is no tls:// device"):
        Reader([DeviceSettings("d", "tcp://x", tls=TlsSettings())], [], clock, list[Sample]().extend)
    tags = [Tag("t", "d", "input", 0, "float64")]
    with pytest.raises(PlanError):
        Reader([DeviceSettings("d", "tcp://x", max_registers=2)], tags, clock, list[Sample]().extend)


def test_plant_that_fails_ends_the_run() -> None:
    async def before_wake(t_ms: int) -> None:
        if t_ms == 2 * MINUTE_MS:
            raise ArithmeticError("no solution")

    async def run() -> list[Sample]:
        async with serving() as server, serving() as other:
            samples: list[Sample] = []
            devices = [DeviceSettings("d", server.url), DeviceSettings("e", other.url)]
            tags = [*words_of("d", [1]), *words_of("e", [1])]
            reader = Reader(devices, tags, LockstepClock(0, before_wake), samples.extend)
            with pytest.raises(ArithmeticError, match="no solution"):
                await reader.run(until_ms=9 * MINUTE_MS)
            return samples

    assert len(asyncio.run(run())) == 4


def test_cancelled_run_leaves_nothing_behind() -> None:
    async def run() -> tuple[int, int]:
        async with serving() as server:
            tags = words_of("d", [1], interval_s=0.02)
            reader = Reader([DeviceSettings("d", server.url)], tags, SystemClock(), list[Sample]().extend)
            task = asyncio.create_task(reader.run())
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            before = len(server.asked)
            await asyncio.sleep(0.1)
            return before, len(server.asked)

    before, after = asyncio.run(run())
    assert before == after > 0


def test_request_longer_than_the_device_allows_is_never_sent() -> None:
    async def run() -> list[Asked]:
        async with serving() as server:
            samples: list[Sample] = []
            devices = [DeviceSettings("d", server.url, max_registers=7)]
            reader, _ = in_lockstep(devices, words_of("d", range(30)), 1, samples)
            await reader.run(until_ms=MINUTE_MS)
            assert [sample.value for sample in samples] == list(range(30))
            return server.asked

    assert [asked.count for asked in asyncio.run(run())] == [7, 7, 7, 7, 2]


def test_unit_that_falls_silent_while_an_address_is_isolated_learns_nothing() -> None:
    asked_before = 0

    async def fading(asked: Asked) -> bytes | None:
        nonlocal asked_before
        asked_before += 1
        if asked_before == 4:
            return None
        return refusal(asked, 2) if asked.start <= 5 < asked.start + asked.count else await own_addresses(asked)

    async def run() -> tuple[list[Sample], Reader]:
        async with serving(fading) as server:
            samples: list[Sample] = []
            devices = [DeviceSettings("d", server.url, timeout_s=0.1)]
            reader, _ = in_lockstep(devices, words_of("d", range(8)), 3, samples)
            await reader.run(until_ms=3 * MINUTE_MS)
            return samples, reader

    samples, reader = asyncio.run(run())
    assert len({(sample.tag, sample.time_ms) for sample in samples}) == len(samples) == 24
    assert reasons(samples) == {"": 4 + 7 + 7, "timeout": 4, "illegal-address": 2}
    assert accounted(reader, "d") == 24
