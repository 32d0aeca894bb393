"""Serial lines: a pseudo-terminal pair at the pace of 9600 baud, replies that come too late, and links with latency."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from scada.clock import LockstepClock
from scada.endpoint import SerialLine, parse_url
from scada.errors import GarbledReply, ModbusExceptionReply, Refused, ScadaError, Timeout, WireError
from scada.late import LateReplies, latest_s
from scada.plc.device import PlcServer
from scada.plc.faults import Fault, Faults
from scada.plc.line import PseudoCable
from scada.reader import DeviceSettings, Reader
from scada.sample import Sample
from scada.tag import Tag
from scada.transport import Connection

termios = pytest.importorskip("termios", reason="this system has no pseudo-terminals")

FAST = SerialLine(115200, "N", 1)


def numbered(count: int, device: str = "d", first: int = 0) -> list[Tag]:
    return [Tag(f"{device}.{n}", device, "input", first + n, "uint16", interval_s=10.0) for n in range(count)]


def url_of(port: Path, line: SerialLine = FAST) -> str:
    return f"rtu://{port}?baud={line.baud}&parity={line.parity}&stopbits={line.stopbits}"


@pytest.fixture
def parity(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A pseudo-terminal knows no parity and refuses it: note what is asked of it, and ask for none."""
    asked: list[int] = []
    real = termios.tcsetattr

    def set_attributes(fd: int, when: int, attributes: list) -> None:
        asked.append(attributes[2])
        attributes[2] &= ~(termios.PARENB | termios.PARODD)
        real(fd, when, attributes)

    monkeypatch.setattr(termios, "tcsetattr", set_attributes)
    return asked


@pytest.mark.parametrize(
    ("letter", "stopbits", "flags", "bits"),
    [("E", 1, termios.PARENB, 11), ("O", 1, termios.PARENB | termios.PARODD, 11), ("N", 2, termios.CSTOPB, 11)],
)
def test_hundred_registers_at_the_pace_of_9600_baud(
    tmp_path: Path, parity: list[int], letter: str, stopbits: int, flags: int, bits: int
) -> None:
    line = SerialLine(9600, letter, stopbits)
    tags = numbered(100)

    async def run() -> float:
        server = PlcServer(str(tmp_path / "tty"), 0, {7: tags}, line=line)
        await server.start()
        server.update({tag.name: 3.0 * n for n, tag in enumerate(tags)})
        connection = Connection(parse_url(url_of(tmp_path / "tty", line)))
        began = time.monotonic()
        words = await connection.read(7, "input", 0, 100, 0.2)  # the time on the line comes on top
        took = time.monotonic() - began
        assert words.tolist() == [3 * n for n in range(100)]
        with pytest.raises(ModbusExceptionReply) as caught:
            await connection.read(7, "input", 200, 1, 0.5)
        assert caught.value.code == 2
        connection.close()
        await server.stop()
        return took

    took = asyncio.run(run())
    mask = termios.PARENB | termios.PARODD | termios.CSTOPB
    assert flags in {cflag & mask for cflag in parity}
    assert took >= (8 + 205) * bits / 9600 * 0.95  # both frames went at the pace of the line
    assert not (tmp_path / "tty").exists()


def test_units_share_a_line_one_request_at_a_time(tmp_path: Path) -> None:
    tags = [*numbered(5, "a"), *numbered(5, "b", 10), *numbered(3, "gone")]

    async def run() -> tuple[list[Sample], Reader]:
        server = PlcServer(str(tmp_path / "tty"), 0, {1: tags[:5], 2: tags[5:10]}, line=FAST)
        await server.start()

        async def before_wake(t_ms: int) -> None:
            server.update({tag.name: t_ms / 10_000 + n for n, tag in enumerate(tags)})

        samples: list[Sample] = []
        url = url_of(tmp_path / "tty")
        devices = [DeviceSettings(name, url, unit=k, timeout_s=0.3) for k, name in enumerate(("a", "b", "gone"), 1)]
        reader = Reader(devices, tags, LockstepClock(0, before_wake), samples.extend)
        await reader.run(until_ms=20 * 10_000)
        await server.stop()
        return samples, reader

    samples, reader = asyncio.run(run())
    alive = [sample for sample in samples if not sample.tag.startswith("gone")]
    order = {tag.name: n for n, tag in enumerate(tags)}
    assert len(alive) == 10 * 20
    assert all(sample.value == sample.time_ms / 10_000 + order[sample.tag] for sample in alive)
    assert {sample.reason for sample in samples if sample.tag.startswith("gone")} <= {"timeout", "parked"}
    assert reader.status["gone"].requests < 20  # parked


@pytest.mark.parametrize("count", [1, 4])
def test_late_reply_on_a_line_is_never_taken_for_the_next(tmp_path: Path, count: int) -> None:
    """Both requests are of one form, and closing the port does not stop the reply."""
    faults = Faults()
    slow = Fault("slow", delay_s=0.3)
    tags = numbered(2 * count + 1)

    async def run() -> None:
        server = PlcServer(str(tmp_path / "tty"), 0, {1: tags}, line=FAST, faults=faults)
        await server.start()
        server.update({tag.name: 100.0 + n for n, tag in enumerate(tags)})
        connection = Connection(parse_url(url_of(tmp_path / "tty")))
        for attempt in range(6):
            faults.begin(slow)
            with pytest.raises((Timeout, GarbledReply)):
                await connection.read(1, "input", 0, count, 0.1)
            faults.end(slow)
            await asyncio.sleep(0.06 * attempt)
            for _ in range(100):
                try:
                    words = await connection.read(1, "input", count, count, 0.1)
                except WireError:
                    await asyncio.sleep(0.03)
                    continue
                break
            assert words.tolist() == [100 + count + n for n in range(count)]
        connection.close()
        await server.stop()

    asyncio.run(run())


def test_late_refusal_does_not_hide_that_an_answer_is_still_to_come(tmp_path: Path) -> None:
    """The refusal of the first request answers the second, whose answer must not pass for that to the third."""
    faults = Faults([Fault("slow", delay_s=0.3)])
    tags = numbered(4)

    async def run() -> None:
        server = PlcServer(str(tmp_path / "tty"), 0, {1: tags}, line=FAST, faults=faults)
        await server.start()
        server.update({tag.name: 100.0 + n for n, tag in enumerate(tags)})
        connection = Connection(parse_url(url_of(tmp_path / "tty")))
        with pytest.raises(Timeout):
            await connection.read(1, "input", 900, 3, 0.1)
        with pytest.raises(ModbusExceptionReply):
            await connection.read(1, "input", 0, 2, 1.0)
        words = await connection.read(1, "input", 2, 2, 1.0)
        assert words.tolist() == [102, 103]
        connection.close()
        await server.stop()

    asyncio.run(run())


def test_forms_are_told_apart_and_forgotten_in_time() -> None:
    late = LateReplies()
    assert not late.may_be(1, "input", 4, 0.0)
    late.expect(1, "input", 4, 30.0)
    late.expect(1, "coil", 5, 30.0)
    assert late.may_be(1, "input", 4, 1.0)
    assert late.may_be(1, "coil", 8, 1.0)  # one byte as well
    assert not late.may_be(1, "coil", 9, 1.0)
    assert not late.may_be(1, "holding", 4, 1.0)
    assert not late.may_be(2, "input", 4, 1.0)
    assert late.probes(1, "input", 4) == [
        ("input", 1, False),
        ("discrete", 1, True),
        ("holding", 1, True),
        ("input", 2, False),
    ]
    late.expect(1, "input", 1, 30.0)
    assert late.probes(1, "input", 2)[0] == ("discrete", 1, True)
    assert late.probes(1, "coil", 17)[0] == ("coil", 9, False)
    assert not late.may_be(1, "input", 4, 31.0)
    late.forget(1)
    assert not late.may_be(1, "coil", 5, 1.0)
    assert (latest_s(0.1), latest_s(3.0)) == (2.0, 30.0)


def test_port_that_is_not_there_or_not_free_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        missing = Connection(parse_url(url_of(tmp_path / "none")))
        with pytest.raises(Refused, match="none"):
            await missing.read(1, "input", 0, 1, 0.2)
        cable = PseudoCable(FAST)
        first, second = (Connection(parse_url(url_of(Path(cable.near)))) for _ in range(2))
        await first.open(0.2)
        with pytest.raises(Refused, match="lock"):
            await second.open(0.2)
        first.close()
        even = Connection(parse_url(url_of(Path(cable.near), SerialLine(9600, "E", 1))))
        with pytest.raises(Refused, match="does not take 9600 baud 8E1"):
            await even.open(0.2)
        cable.close()

    asyncio.run(run())


def test_link_with_two_tenths_to_two_seconds_of_latency(tmp_path: Path) -> None:
    """Patience of 1.4 s: what comes later is lost, and no value is ever another request's."""
    schemes = ["tcp", "rtu+tcp", "rtu"] * 3  # links side by side, as each takes its time
    tags = [Tag(f"t{n}", f"d{n}", "input", 0, "uint32", "CDAB") for n in range(len(schemes))]
    tags += [Tag(f"n{n}", f"d{n}", "discrete", n, "bool") for n in range(len(schemes))]

    async def run() -> tuple[list[Sample], list[Reader]]:
        faults = Faults([Fault("slow", delay_s=0.2, spread_s=1.8)], seed=3)
        servers, readers, samples = [], [], list[Sample]()
        for n, scheme in enumerate(schemes):
            own = [tag for tag in tags if tag.device == f"d{n}"]
            framing = "rtu" if scheme.startswith("rtu") else "socket"
            host = str(tmp_path / f"tty{n}") if scheme == "rtu" else "127.0.0.1"
            server = PlcServer(host, 0, {1: own}, framing, line=FAST if scheme == "rtu" else None, faults=faults)
            await server.start()
            url = url_of(tmp_path / f"tty{n}") if scheme == "rtu" else f"{scheme}://127.0.0.1:{server.port}"

            async def before_wake(t_ms: int, server: PlcServer = server, n: int = n) -> None:
                server.update({f"t{n}": t_ms / 1000 + n, f"n{n}": 1.0})

            device = DeviceSettings(f"d{n}", url, timeout_s=1.4, reconnect_holdoff_s=1.0)
            readers.append(Reader([device], own, LockstepClock(0, before_wake), samples.extend))
            servers.append(server)
        await asyncio.gather(*(reader.run(until_ms=3 * 60_000) for reader in readers))
        for server in servers:
            await server.stop()
        return samples, readers

    samples, readers = asyncio.run(run())
    assert len(samples) == len(tags) * 3
    good = [sample for sample in samples if not sample.reason]
    assert {schemes[int(sample.tag[1:])] for sample in good} == set(schemes)
    for sample in good:
        assert sample.value == (sample.time_ms / 1000 + int(sample.tag[1:]) if sample.tag[0] == "t" else 1.0)
    assert {"timeout"} <= {sample.reason for sample in samples} <= {"", "timeout", "garbled", "parked"}
    assert sum(reader.faults for reader in readers) == 0


def test_name_that_a_killed_program_left_is_taken_over(tmp_path: Path) -> None:
    """Even where the next terminal gets the number that the old name points to."""

    async def run() -> None:
        ends = os.openpty()
        (tmp_path / "tty").symlink_to(os.ttyname(ends[1]))
        for end in ends:
            os.close(end)
        cable = PseudoCable(FAST, tmp_path / "tty")
        assert (tmp_path / "tty").readlink() == Path(cable.near)
        with pytest.raises(ScadaError, match="File exists; remove what stands there"):
            PseudoCable(FAST, tmp_path / "tty")
        cable.close()
        assert not (tmp_path / "tty").is_symlink()

    asyncio.run(run())
