"""One connection against real sockets with bad manners."""

import asyncio
import struct
import time

import numpy as np
import pytest

from scada.errors import (
    Disconnected,
    GarbledReply,
    ModbusExceptionReply,
    Refused,
    ScadaError,
    Timeout,
    WireError,
)
from scada.transport import Connection, parse_url
from tests.scada.wire import HANG_UP, Asked, Manners, own_addresses, refusal, registers, serving


def read_from(manners: Manners, table: str = "input", count: int = 3) -> np.ndarray:
    async def run() -> np.ndarray:
        async with serving(manners) as server:
            connection = Connection(parse_url(server.url))
            try:
                return await connection.read(7, table, 5, count, 0.3)
            finally:
                connection.close()

    return asyncio.run(run())


@pytest.mark.parametrize(("table", "function"), [("coil", 1), ("discrete", 2), ("holding", 3), ("input", 4)])
def test_each_table_is_asked_with_its_function(table: str, function: int) -> None:
    seen: list[Asked] = []

    async def manners(asked: Asked) -> bytes | None:
        seen.append(asked)
        return registers(asked, [1, 0, 1, 1, 0, 0, 0, 0, 1, 0])

    words = read_from(manners, table, 10)
    assert words.dtype == np.uint16
    assert words.tolist() == [1, 0, 1, 1, 0, 0, 0, 0, 1, 0]
    assert [(asked.unit, asked.function, asked.start, asked.count) for asked in seen] == [(7, function, 5, 10)]


def test_exception_reply_carries_its_code() -> None:
    async def manners(asked: Asked) -> bytes | None:
        return refusal(asked, 6)

    with pytest.raises(ModbusExceptionReply) as caught:
        read_from(manners)
    assert caught.value.code == 6
    assert caught.value.reason == "exception-6"
    assert caught.value.unit == 7


def test_silence_is_a_timeout() -> None:
    async def manners(asked: Asked) -> bytes | None:
        return None

    with pytest.raises(Timeout, match="no reply in time"):
        read_from(manners)


@pytest.mark.parametrize("sent", [0, 4, 11])
def test_connection_closed_mid_reply_is_noticed_at_once(sent: int) -> None:
    async def manners(asked: Asked) -> bytes | None:
        return registers(asked, [1, 2, 3])[:sent] + HANG_UP

    async def run() -> float:
        async with serving(manners) as server:
            connection = Connection(parse_url(server.url))
            began = time.monotonic()
            with pytest.raises(Disconnected):
                await connection.read(1, "input", 0, 3, 5.0)
            assert not connection.is_open
            return time.monotonic() - began

    assert asyncio.run(run()) < 1.0


@pytest.mark.parametrize("words", [[1], [1, 2, 3, 4]])
def test_reply_of_another_length_is_refused(words: list[int]) -> None:
    async def manners(asked: Asked) -> bytes | None:
        return registers(asked, words)

    with pytest.raises(GarbledReply):
        read_from(manners)


def test_reply_to_another_function_is_refused() -> None:
    async def manners(asked: Asked) -> bytes | None:
        return registers(Asked(asked.number, asked.unit, 3, asked.start, asked.count), [1, 2, 3])

    with pytest.raises(GarbledReply):
        read_from(manners, "input")


def test_noise_is_a_wire_error() -> None:
    async def manners(asked: Asked) -> bytes | None:
        return struct.pack(">HHHBB", asked.number, 0, 2, asked.unit, 0x55) + HANG_UP

    with pytest.raises(WireError):
        read_from(manners)


def test_nobody_listening_is_refused() -> None:
    async def run() -> None:
        async with serving() as server:
            port = server.port
        connection = Connection(parse_url(f"tcp://127.0.0.1:{port}"))
        with pytest.raises(Refused, match=str(port)):
            await connection.read(1, "input", 0, 1, 0.5)

    asyncio.run(run())


def test_late_reply_is_never_taken_for_the_next() -> None:
    """The first reply comes after the timeout, with the transaction number the second request will have."""
    sent = 0

    async def manners(asked: Asked) -> bytes | None:
        nonlocal sent
        sent += 1
        if asked.start == 100:
            await asyncio.sleep(0.25)
            late = registers(asked, [666])
            return struct.pack(">H", asked.number + 1) + late[2:]
        return registers(asked, [42])

    async def run() -> list[int]:
        async with serving(manners) as server:
            connection = Connection(parse_url(server.url))
            with pytest.raises(Timeout):
                await connection.read(1, "input", 100, 1, 0.1)
            values = []
            for _ in range(8):  # around the moment the late reply leaves
                values.append(int((await connection.read(1, "input", 0, 1, 1.0))[0]))
                await asyncio.sleep(0.03)
            connection.close()
            assert server.connections == 2
            return values

    assert asyncio.run(run()) == [42] * 8
    assert sent == 9


def test_cancelled_read_leaves_no_open_question() -> None:
    async def manners(asked: Asked) -> bytes | None:
        if asked.start == 1:
            await asyncio.sleep(0.1)
        return await own_addresses(asked)

    async def run() -> int:
        async with serving(manners) as server:
            connection = Connection(parse_url(server.url))
            reading = asyncio.create_task(connection.read(1, "input", 1, 1, 5.0))
            await asyncio.sleep(0.05)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            assert not connection.is_open
            value = int((await connection.read(1, "input", 9, 1, 1.0))[0])
            connection.close()
            return value

    assert asyncio.run(run()) == 9


def test_patience_is_that_of_each_request() -> None:
    async def manners(asked: Asked) -> bytes | None:
        await asyncio.sleep(0.15)
        return await own_addresses(asked)

    async def run() -> None:
        async with serving(manners) as server:
            connection = Connection(parse_url(server.url))
            assert (await connection.read(1, "input", 3, 1, 2.0)).tolist() == [3]
            with pytest.raises(Timeout):
                await connection.read(2, "input", 3, 1, 0.05)
            assert (await connection.read(1, "input", 4, 1, 2.0)).tolist() == [4]
            connection.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "framing", "host", "port"),
    [
        ("tcp://10.0.0.1:1502", "socket", "10.0.0.1", 1502),
        ("tcp://plc", "socket", "plc", 502),
        ("rtu+tcp://[::1]:4001", "rtu", "::1", 4001),
        ("tls://plc", "socket", "plc", 802),
        ("rtu:///dev/ttyUSB0?baud=9600&parity=n&stopbits=2", "rtu", "/dev/ttyUSB0", 0),
        ("rtu://COM3", "rtu", "COM3", 0),
    ],
)
def test_url_is_read(url: str, framing: str, host: str, port: int) -> None:
    endpoint = parse_url(url)
    assert (endpoint.framing, endpoint.host, endpoint.port) == (framing, host, port)
    assert parse_url(str(endpoint)) == endpoint


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("udp://plc", "no known scheme"),
        ("rtu://", "names no serial port"),
        ("rtu:///dev/ttyUSB0?speed=9600", "no setting 'speed'"),
        ("rtu:///dev/ttyUSB0?baud=9601", "no usual speed"),
        ("rtu:///dev/ttyUSB0?parity=X", "none of N, E, O"),
        ("rtu:///dev/ttyUSB0?stopbits=3", "neither 1 nor 2"),
        ("tcp://[::1", "cannot be read"),
        ("plc:502", "no known scheme"),
        ("tcp://plc:99999", "no valid port"),
        ("tcp://plc:0", "no valid port"),
        ("tcp://", "not host and port"),
        ("tcp://plc/path", "not host and port"),
    ],
)
def test_url_that_cannot_be_used_is_told(url: str, text: str) -> None:
    with pytest.raises(ScadaError, match=text.replace("+", r"\+").replace("?", r"\?")):
        parse_url(url)
