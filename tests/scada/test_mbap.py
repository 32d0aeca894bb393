"""Frames taken apart here against pymodbus' client: the same is believed, over real sockets, whatever comes."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scada.endpoint import parse_url
from scada.errors import WireError
from scada.link import Link
from scada.mbap import MbapLink
from scada.plc.device import PlcServer
from scada.plc.faults import KINDS, Fault, Faults
from scada.tag import Tag
from scada.transport import Connection
from tests.scada.wire import HANG_UP, Asked, own_addresses, refusal, registers, serving

TIMEOUT_S = 0.05


class ByPymodbus(Connection):
    """The same connection over pymodbus' client."""

    def _new_link(self) -> Link:
        return Link(self.endpoint)


KINDS_OF_CONNECTION: tuple[type[Connection], ...] = (Connection, ByPymodbus)


@dataclass(frozen=True)
class Outcome:
    """What one read came to."""

    values: tuple[int, ...] | None
    reason: str = ""


async def outcomes(kind: type[Connection], url: str, reads: list[tuple[str, int, int]]) -> list[Outcome]:
    connection = kind(parse_url(url))
    found = []
    for table, start, count in reads:
        try:
            words = await connection.read(1, table, start, count, TIMEOUT_S)
            found.append(Outcome(tuple(words.tolist())))
        except WireError as error:
            found.append(Outcome(None, error.reason))
    connection.close()
    return found


def test_connections_are_what_they_are_taken_for() -> None:
    async def run() -> list[type]:
        async with serving() as server:
            found = []
            for kind in KINDS_OF_CONNECTION:
                connection = kind(parse_url(server.url))
                await connection.open(1.0)
                found.append(type(connection._link))
                connection.close()
            return found

    assert asyncio.run(run()) == [MbapLink, Link]


MANNERS: dict[str, Callable[[Asked], bytes | None]] = {
    "another number": lambda asked: registers(Asked(asked.number ^ 5, 1, asked.function, asked.start, 3), [1, 2, 3]),
    "number zero": lambda asked: registers(Asked(0, 1, asked.function, asked.start, 3), [1, 2, 3]),
    "another unit": lambda asked: registers(Asked(asked.number, 9, asked.function, asked.start, 3), [1, 2, 3]),
    "another function": lambda asked: registers(Asked(asked.number, 1, 7 - asked.function, asked.start, 3), [1, 2, 3]),
    "too short": lambda asked: registers(asked, [1, 2]),
    "too long": lambda asked: registers(asked, [1, 2, 3, 4]),
    "a false count of bytes": lambda asked: registers(asked, [1, 2, 3])[:8] + b"\x04" + registers(asked, [1, 2, 3])[9:],
    "no bytes": lambda asked: None,
    "half": lambda asked: registers(asked, [1, 2, 3])[:10],
    "half and the end": lambda asked: registers(asked, [1, 2, 3])[:10] + HANG_UP,
    "the end": lambda asked: HANG_UP,
    "another protocol": lambda asked: registers(asked, [1, 2, 3])[:2] + b"\x00\x01" + registers(asked, [1, 2, 3])[4:],
    "exception 2": lambda asked: refusal(asked, 2),
    "exception 11": lambda asked: refusal(asked, 11),
    "a refusal whose code is not counted": lambda asked: refusal(asked, 6)[:5] + b"\x02" + refusal(asked, 6)[6:],
    "a late reply first": lambda asked: (
        registers(Asked(asked.number + 7, 1, asked.function, asked.start, 3), [7, 7, 7]) + registers(asked, [1, 2, 3])
    ),
    "another unit's reply first": lambda asked: (
        registers(Asked(asked.number, 2, asked.function, asked.start, 3), [7, 7, 7]) + registers(asked, [1, 2, 3])
    ),
    "the reply twice": lambda asked: 2 * registers(asked, [1, 2, 3]),
}


@pytest.mark.parametrize("name", MANNERS)
def test_manners_come_to_the_same(name: str) -> None:
    async def manners(asked: Asked) -> bytes | None:
        return MANNERS[name](asked)

    async def run() -> list[list[Outcome]]:
        async with serving(manners) as server:
            reads = [("input", 5, 3), ("holding", 6, 3), ("input", 5, 3)]
            return [await outcomes(kind, server.url, reads) for kind in KINDS_OF_CONNECTION]

    ours, theirs = asyncio.run(run())
    assert ours == theirs
    believed = {"a late reply first", "another unit's reply first", "the reply twice"}
    assert {outcome.values for outcome in ours} == ({(1, 2, 3)} if name in believed else {None})


TAGS = [
    Tag("d.time", "d", "input", 0, "uint32", "CDAB"),
    Tag("d.flow", "d", "input", 2, "float32", "CDAB"),
    Tag("d.level", "d", "input", 4, "int16", bad_values=(-32768.0,)),
    Tag("d.open", "d", "discrete", 0, "bool"),
]
READS = [("input", 0, 5), ("discrete", 0, 1), ("input", 4, 1), ("coil", 0, 1)] * 2
FAULTS: dict[str, dict[str, object]] = {
    "slow": {"delay_s": 2.0 * TIMEOUT_S},
    "exception": {"code": 6},
    "frozen": {"tags": ("d.flow",)},
    "nan": {"tags": ("d.flow", "d.level")},
    "drift": {"tags": ("d.flow",), "rate": 100.0},
    "word-swap": {"tags": ("d.flow", "d.time")},
}


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_faults_of_plcs_come_to_the_same(kind: str, share: float) -> None:
    async def run(connection: type[Connection]) -> list[Outcome]:
        more: dict[str, object] = dict(FAULTS.get(kind, {}))
        if share < 1.0 and kind in {"slow", "silent", "drop", "wrong-unit", "exception", "garbage", "half"}:
            more["share"] = share
        faults = Faults([Fault(kind, "d", **more)], seed=3)  # type: ignore[arg-type]
        server = PlcServer("127.0.0.1", 0, {1: TAGS}, faults=faults)
        await server.start()
        faults.advance(3_600_000)
        await server.obey()
        server.update({"d.time": 1000.0, "d.flow": 12.5, "d.level": 7.0, "d.open": 1.0})
        found = await outcomes(connection, f"tcp://127.0.0.1:{server.port}", READS)
        await server.stop()
        return found

    ours, theirs = (asyncio.run(run(connection)) for connection in KINDS_OF_CONNECTION)
    assert [outcome.values for outcome in ours] == [outcome.values for outcome in theirs]
    if kind != "garbage":  # noise that ends one client's patience at once may keep the other waiting
        assert ours == theirs
    if share == 1.0 and kind in {"silent", "refuse", "drop", "half", "wrong-unit", "garbage"}:
        assert {outcome.values for outcome in ours} == {None}


@dataclass(frozen=True)
class Damage:
    """What happens to a reply of three registers on its way."""

    before: bytes
    after: bytes
    flips: tuple[tuple[int, int], ...]
    cut: int
    breaks: tuple[int, ...]

    def of(self, frame: bytes) -> bytes:
        hurt = bytearray(frame)
        for place, value in self.flips:
            hurt[place % len(hurt)] ^= value
        return self.before + bytes(hurt[: len(hurt) - self.cut]) + self.after


_NOISE = st.binary(max_size=14)
damages = st.builds(
    Damage,
    before=st.one_of(st.just(b""), _NOISE),
    after=st.one_of(st.just(b""), _NOISE),
    flips=st.lists(st.tuples(st.integers(0, 14), st.integers(1, 255)), max_size=2).map(tuple),
    cut=st.sampled_from([0, 0, 0, 1, 2, 6]),
    breaks=st.lists(st.integers(1, 24), max_size=3).map(lambda places: tuple(sorted(places))),
)


@settings(max_examples=60)
@given(damage=damages)
@example(damage=Damage(b"", b"", (), 0, (1, 6, 7, 8)))
@example(damage=Damage(b"", b"", ((2, 1),), 0, ()))
@example(damage=Damage(b"", b"", ((7, 0x80),), 0, ()))
def test_damaged_replies_are_believed_by_both_or_by_none(damage: Damage) -> None:
    """In pieces as they come; a whole reply is believed however it is cut."""

    async def manners(asked: Asked) -> bytes | None:
        return damage.of(registers(asked, [11, 12, 13]))

    async def run() -> list[Outcome]:
        async with serving(manners, breaks=damage.breaks) as server:
            return [(await outcomes(kind, server.url, [("input", 5, 3)]))[0] for kind in KINDS_OF_CONNECTION]

    ours, theirs = asyncio.run(run())
    assert ours.values == theirs.values
    if not (damage.before or damage.flips or damage.cut):
        assert ours.values == (11, 12, 13)


def test_late_reply_to_a_cancelled_request_is_never_believed() -> None:
    """On one connection, which a cancelled reader leaves closed."""

    async def slow(asked: Asked) -> bytes | None:
        if asked.start == 1:
            await asyncio.sleep(0.05)
        return await own_addresses(asked)

    async def run() -> tuple[list[int], int]:
        async with serving(slow) as server:
            connection = Connection(parse_url(server.url))
            task = asyncio.create_task(connection.read(1, "input", 1, 2, 1.0))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not connection.is_open
            words = await connection.read(1, "input", 7, 2, 1.0)
            await asyncio.sleep(0.05)
            connection.close()
            return words.tolist(), server.connections

    assert asyncio.run(run()) == ([7, 8], 2)


def test_number_goes_round() -> None:
    async def run() -> list[int]:
        async with serving() as server:
            link = MbapLink(parse_url(server.url))
            await link.dial(1.0)
            link._number = 0xFFFE
            for _ in range(3):
                await link.ask(1, 4, 0, 1, 1.0)
            link.close()
            return [asked.number for asked in server.asked]

    assert asyncio.run(run()) == [0xFFFF, 1, 2]


def test_patience_ends_when_it_should() -> None:
    async def silent(asked: Asked) -> bytes | None:
        return None

    async def run() -> float:
        async with serving(silent) as server:
            began = time.monotonic()
            await outcomes(Connection, server.url, [("input", 0, 1)])
            return time.monotonic() - began

    assert asyncio.run(run()) >= TIMEOUT_S
