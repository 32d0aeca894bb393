"""Every fault of the simulated PLCs, read by the real reader over real sockets."""

import asyncio
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from scada.clock import LockstepClock
from scada.endpoint import parse_url
from scada.errors import ScadaError
from scada.plc.device import PlcServer
from scada.plc.faultfile import FaultFile, read_faults
from scada.plc.faults import KINDS, Fault, Faults
from scada.reader import DeviceSettings, Reader
from scada.sample import Quality, Sample
from scada.tag import Tag
from scada.transport import Connection
from tests.scada.wire import Asked, WireServer, own_addresses, serving

MINUTE_MS = 60_000
TAGS = [
    Tag("d.time", "d", "input", 0, "uint32", "CDAB"),
    Tag("d.flow", "d", "input", 2, "float32", "CDAB"),
    Tag("d.level", "d", "input", 4, "int16", bad_values=(-32768.0,)),
    Tag("d.heartbeat", "d", "input", 5, "uint16", wrap=65536.0),
    Tag("d.open", "d", "discrete", 0, "bool"),
]
OTHER = [Tag("e.time", "e", "input", 0, "uint32", "CDAB")]


def truth(t_ms: int) -> dict[str, float]:
    minute = t_ms // MINUTE_MS
    return {
        "d.time": t_ms / 1000,
        "d.flow": 100.0 + minute,
        "d.level": float(minute),
        "d.heartbeat": float(minute),
        "d.open": float(minute % 2),
        "e.time": t_ms / 1000,
    }


def follow(
    faults: Faults, slots: int = 8, framing: str = "socket", **settings: object
) -> tuple[list[Sample], Reader, PlcServer]:
    async def run() -> tuple[list[Sample], Reader, PlcServer]:
        server = PlcServer("127.0.0.1", 0, {1: TAGS, 2: OTHER}, framing, faults=faults)
        await server.start()

        async def before_wake(t_ms: int) -> None:
            faults.advance(t_ms)
            await server.obey()
            server.update(truth(t_ms))

        samples: list[Sample] = []
        url = f"{'tcp' if framing == 'socket' else 'rtu+tcp'}://127.0.0.1:{server.port}"
        more = {"timeout_s": 0.2, "reconnect_holdoff_s": 1.0} | settings
        devices = [DeviceSettings(name, url, unit, **more) for unit, name in enumerate("de", 1)]  # type: ignore[arg-type]
        reader = Reader(devices, [*TAGS, *OTHER], LockstepClock(0, before_wake), samples.extend)
        await reader.run(until_ms=slots * MINUTE_MS)
        await server.stop()
        return samples, reader, server

    return asyncio.run(run())


def between(samples: list[Sample], first: int, end: int, device: str = "d") -> list[Sample]:
    chosen = [s for s in samples if first * MINUTE_MS <= s.time_ms < end * MINUTE_MS]
    return [sample for sample in chosen if sample.tag.startswith(f"{device}.")]


def for_three_minutes(kind: str, **more: object) -> Fault:
    return Fault(kind, "d", start_ms=2 * MINUTE_MS, lasts_ms=3 * MINUTE_MS, **more)  # type: ignore[arg-type]


WIRE = [
    ("slow", {"delay_s": 0.4}, {"timeout", "parked"}),
    ("silent", {}, {"timeout", "parked"}),
    ("drop", {}, {"disconnected", "parked"}),
    ("wrong-unit", {}, {"garbled", "parked"}),
    ("garbage", {}, {"garbled", "disconnected", "timeout", "parked", ""}),
    ("half", {}, {"garbled", "parked"}),
    ("exception", {"code": 6}, {"exception-6"}),
]


@pytest.mark.parametrize("framing", ["socket", "rtu"])
@pytest.mark.parametrize(("kind", "more", "reasons"), WIRE, ids=[row[0] for row in WIRE])
def test_fault_of_the_wire_gives_no_wrong_value(
    kind: str, more: dict[str, object], reasons: set[str], framing: str
) -> None:
    samples, reader, server = follow(Faults([for_three_minutes(kind, **more)], seed=5), framing=framing)
    assert len(samples) == 8 * 6
    for sample in samples:
        if not sample.reason:
            assert sample.value == truth(sample.time_ms)[sample.tag]
            assert sample.quality == Quality.GOOD
    # where frames have no number, a reply that may still come is waited out
    late = {"timeout", "garbled", "parked"} if framing == "rtu" else set()
    assert {sample.reason for sample in between(samples, 2, 5)} <= reasons | late
    assert any(sample.reason for sample in between(samples, 2, 5))
    assert {sample.reason for sample in between(samples, 6, 8)} <= {""} | late
    assert {sample.reason for sample in between(samples, 0, 8, "e")} == {""}  # its neighbour goes on
    assert server.faults.struck[kind] >= 1
    assert reader.faults == 0
    status = reader.status["d"]
    assert status.samples_good + status.samples_bad + status.samples_lost == 8 * len(TAGS)


@pytest.mark.parametrize("kind", ["refuse", "restart"])
def test_closed_port_is_told_and_found_again(kind: str) -> None:
    samples, reader, _ = follow(Faults([for_three_minutes(kind)]))
    for device in "de":  # a port is shut for all behind it
        assert {sample.reason for sample in between(samples, 2, 5, device)} == {"refused"}
        assert {sample.reason for sample in between(samples, 6, 8, device)} == {""}
    beats = {sample.time_ms // MINUTE_MS: sample.value for sample in samples if sample.tag == "d.heartbeat"}
    assert beats[7] == (2.0 if kind == "restart" else 7.0)
    assert reader.status["d"].errors["refused"] >= 1


def test_frozen_instrument_stays_and_frozen_program_stops_the_heartbeat() -> None:
    samples, *_ = follow(Faults([for_three_minutes("frozen", tags=("*.flow",))]))
    shown = {(s.tag, s.time_ms // MINUTE_MS): s.value for s in samples}
    assert [shown["d.flow", k] for k in range(8)] == [100, 101, 101, 101, 101, 105, 106, 107]
    assert [shown["d.heartbeat", k] for k in range(8)] == list(range(8))
    samples, *_ = follow(Faults([for_three_minutes("frozen")]))
    shown = {(s.tag, s.time_ms // MINUTE_MS): s.value for s in samples}
    assert [shown["d.heartbeat", k] for k in range(8)] == [0, 1, 1, 1, 1, 5, 6, 7]
    assert [shown["e.time", k] for k in range(8)] == [60.0 * k for k in range(8)]


def test_heartbeat_that_stands_makes_its_device_stale_and_no_other() -> None:
    samples, reader, _ = follow(Faults([Fault("frozen", "d", start_ms=2 * MINUTE_MS, lasts_ms=6 * MINUTE_MS)]), 10)
    reasons = {(s.tag, s.time_ms // MINUTE_MS): (s.quality, s.reason) for s in samples}
    good, stale = (Quality.GOOD, ""), (Quality.STALE, "heartbeat")
    # it beat last at minute 1; three readings without a change tell
    assert [reasons["d.flow", k] for k in range(10)] == [good] * 4 + [stale] * 4 + [good] * 2
    assert {reasons["e.time", k] for k in range(10)} == {good}
    assert reader.status["d"].samples_bad == sum(s.reason == "heartbeat" for s in samples)
    assert reader.status["d"].last_error == ""


def test_heartbeat_has_to_be_a_tag_of_the_device() -> None:
    settings = DeviceSettings("d", "tcp://x", heartbeat="d.pulse")
    with pytest.raises(ScadaError, match=r"no tag 'd\.pulse' to be its heartbeat"):
        Reader([settings], TAGS, LockstepClock(0), list[Sample]().extend)


def test_socket_is_left_alone_between_two_connections() -> None:
    """A gateway with one socket needs a while to notice that it is free."""

    async def run() -> float:
        server = PlcServer("127.0.0.1", 0, {1: TAGS})
        await server.start()
        connection = Connection(parse_url(f"tcp://127.0.0.1:{server.port}"), holdoff_s=0.3)
        await connection.read(1, "input", 0, 2, 1.0)
        connection.close()
        began = time.monotonic()
        await connection.read(1, "input", 0, 2, 1.0)
        took = time.monotonic() - began
        connection.close()
        await server.stop()
        return took

    assert asyncio.run(run()) >= 0.29


def test_nan_is_bad_or_the_sentinel() -> None:
    samples, *_ = follow(Faults([for_three_minutes("nan", tags=("d.flow", "d.level"))]))
    struck = [s for s in between(samples, 2, 5) if s.tag in {"d.flow", "d.level"}]
    assert Counter((s.tag, s.reason) for s in struck) == {("d.flow", "nan"): 3, ("d.level", "sentinel"): 3}
    assert {s.quality for s in struck} == {Quality.BAD}
    assert {s.reason for s in between(samples, 5, 8)} == {""}


def test_drift_runs_away_from_its_beginning() -> None:
    samples, *_ = follow(Faults([for_three_minutes("drift", tags=("d.flow",), rate=60.0)]))
    off = {s.time_ms // MINUTE_MS: s.value - truth(s.time_ms)[s.tag] for s in samples if s.tag == "d.flow"}
    assert [off[k] for k in range(8)] == pytest.approx([0, 0, 0, 1, 2, 0, 0, 0])


def test_word_swap_changes_places() -> None:
    samples, *_ = follow(Faults([for_three_minutes("word-swap", tags=("d.time",))]))
    seconds = {s.time_ms // MINUTE_MS: int(s.value) for s in samples if s.tag == "d.time"}
    assert [seconds[k] for k in range(8)] == [0, 60, 120 << 16, 180 << 16, 240 << 16, 300, 360, 420]


def test_share_strikes_some_requests_only() -> None:
    samples, *_ = follow(Faults([Fault("exception", "d", share=0.5)], seed=1), slots=40)
    counts = Counter(sample.reason for sample in between(samples, 0, 40))
    assert counts["exception-4"] > 40
    assert counts[""] > 40


def test_fault_comes_again_and_may_be_had_on_demand() -> None:
    again = Fault("silent", start_ms=100, lasts_ms=10, every_ms=50)
    onsets = {t_ms: again.onset_ms(t_ms) for t_ms in (99, 100, 109, 110, 149, 150, 159, 160)}
    assert onsets == {99: None, 100: 100, 109: 100, 110: None, 149: None, 150: 150, 159: 150, 160: None}
    faults = Faults()
    assert faults.misconduct("d") is None
    faults.begin(again)
    faults.advance(155)
    assert faults.misconduct("d") is not None
    faults.end(again)
    assert faults.misconduct("d") is None


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("kind = 'loud'", "no fault 'loud'"),
        ("kind = 'slow'\ndelay = 3", "unknown key 'delay'"),
        ("kind = 'slow'\ndelay_s = 'long'", "delay_s is no number"),
        ("kind = 'slow'\ntags = ['a']", "not single tags"),
        ("kind = 'nan'\ntags = 'a'", "tags is no list"),
        ("kind = 'slow'\nshare = 0", "share 0"),
        ("kind = 'slow'\nfor_s = 5\nevery_s = 5", "has to end before it comes again"),
        ("kind = 'slow'\nfor_s = -5", "a time in it is negative"),
        ("kind = 'exception'\ncode = 0", "code 0"),
        ("kind = 7", "kind is no text"),
        ("kind = 'slow'\ndevice = 'x'", "no device 'x'"),
    ],
)
def test_mistake_in_a_schedule_is_told(tmp_path: Path, row: str, text: str) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(f"[[faults]]\nkind = 'silent'\n[[faults]]\n{row}\n")
    with pytest.raises(ScadaError, match=text) as caught:
        read_faults(file, 0, devices=["d"])
    assert "fault 2" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["faults = 3", "[[fault]]\nkind = 'slow'", "[[faults]"])
def test_file_that_is_no_schedule_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(text)
    with pytest.raises(ScadaError, match=r"faults\.toml"):
        read_faults(file, 0)
    with pytest.raises(ScadaError, match="no such file"):
        read_faults(tmp_path / "none.toml", 0)


def test_schedule_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    entries = [f"[[faults]]\nkind = '{kind}'\n" for kind in ("silent", "half")]
    file.write_text(entries[0] + "at_s = 60\nfor_s = 10\n")
    faults = Faults()
    faults.advance(1_000_000)
    watched = FaultFile(file, faults, start_ms=1_000_000)
    assert [(fault.kind, fault.start_ms) for fault in faults] == [("silent", 1_060_000)]
    assert not watched.refresh()
    faults.advance(1_005_000)
    file.write_text(entries[0] + "at_s = 60\nfor_s = 10\n" + entries[1])
    assert watched.refresh()
    assert [(fault.kind, fault.start_ms) for fault in faults] == [("silent", 1_060_000), ("half", 1_005_000)]
    faults.advance(1_009_000)
    file.write_text(entries[1])  # the other goes, this one goes on from when it began
    os.utime(file, ns=(1, 1))
    assert watched.refresh()
    assert [(fault.kind, fault.start_ms) for fault in faults] == [("half", 1_005_000)]
    file.write_text("[[faults]]\nkind = 'loud'\n")
    assert watched.refresh()
    assert "no fault 'loud'" in watched.trouble
    assert [fault.kind for fault in faults] == ["half"]
    file.unlink()
    assert watched.refresh()
    assert "no such file" in watched.trouble


def test_every_kind_is_in_the_table() -> None:
    from scada.plc import faults

    assert all(f"\n{kind} " in str(faults.__doc__) for kind in KINDS)


def test_units_of_a_gateway_have_one_request_on_the_way_at_a_time() -> None:
    on_the_way = most = 0

    async def manners(asked: Asked) -> bytes | None:
        nonlocal on_the_way, most
        on_the_way += 1
        most = max(most, on_the_way)
        await asyncio.sleep(0.002)
        on_the_way -= 1
        return await own_addresses(asked)

    async def run() -> WireServer:
        async with serving(manners) as server:
            devices = [DeviceSettings(f"d{n}", server.url, unit=n) for n in range(1, 6)]
            tags = [Tag(f"d{n}.{at}", f"d{n}", "input", at, "uint16") for n in range(1, 6) for at in (0, 500)]
            reader = Reader(devices, tags, LockstepClock(0), list[Sample]().extend)
            await reader.run(until_ms=4 * MINUTE_MS)
            return server

    server = asyncio.run(run())
    assert len(server.asked) == 5 * 2 * 4
    assert (most, server.connections) == (1, 1)
    assert {asked.function for asked in server.asked} == {4}
