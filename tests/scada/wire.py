"""A Modbus TCP server written from the specification, with any manners a test wants."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HANG_UP = b"hang up"


@dataclass(frozen=True)
class Asked:
    """One request as it lay on the wire."""

    number: int
    unit: int
    function: int
    start: int
    count: int
    data: bytes = b""


Manners = Callable[[Asked], Awaitable[bytes | None]]


def registers(asked: Asked, words: list[int]) -> bytes:
    """Frame a reply of registers (or, for functions 1 and 2, of bits)."""
    if asked.function <= 2:
        payload = bytearray((len(words) + 7) // 8)
        for position, bit in enumerate(words):
            payload[position // 8] |= bool(bit) << position % 8
    else:
        payload = bytearray(struct.pack(f">{len(words)}H", *words))
    body = struct.pack(">BBB", asked.unit, asked.function, len(payload)) + payload
    return struct.pack(">HHH", asked.number, 0, len(body)) + body


def refusal(asked: Asked, code: int) -> bytes:
    """Frame an exception reply."""
    return struct.pack(">HHHBBB", asked.number, 0, 3, asked.unit, asked.function | 0x80, code)


async def own_addresses(asked: Asked) -> bytes | None:
    """Answer each register with its own address."""
    return registers(asked, [address & 0xFFFF for address in range(asked.start, asked.start + asked.count)])


@dataclass
class WireServer:
    """Records what is asked and answers as `manners` says: bytes, None for silence, HANG_UP (after bytes or alone).

    Replies are sent in pieces that end at `breaks`.
    """

    manners: Manners = own_addresses
    port: int = 0
    breaks: tuple[int, ...] = ()
    context: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        await asyncio.sleep(0.01)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readexactly(6)
            number, _, length = struct.unpack(">HHH", head)
            body = await reader.readexactly(length)
            asked = Asked(number, *struct.unpack(">BBHH", body[:6]), body[6:])
            self.asked.append(asked)
            reply = await self.manners(asked)
            if reply is None:
                continue
            data = reply.removesuffix(HANG_UP)
            for first, last in zip((0, *self.breaks), (*self.breaks, len(data)), strict=True):
                writer.write(data[first:last])
                await writer.drain()
                if last in self.breaks:
                    await asyncio.sleep(0.001)
            if reply.endswith(HANG_UP):
                return


@asynccontextmanager
async def serving(
    manners: Manners = own_addresses,
    port: int = 0,
    breaks: tuple[int, ...] = (),
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[WireServer]:
    """Run a server for the length of a block."""
    server = WireServer(manners, port, breaks, context)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def checksum(frame: bytes) -> bytes:
    """CRC-16 of a serial frame, low byte first (Modbus over serial line 1.02, 6.2.2)."""
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


def serial_answer(frame: bytes) -> tuple[Asked, bytes]:
    """Take a serial request of eight bytes; return what it asks and the reply with each register's own address."""
    assert checksum(frame[:-2]) == frame[-2:]
    asked = Asked(0, *struct.unpack(">BBHH", frame[:-2]))
    addresses = [address & 0xFFFF for address in range(asked.start, asked.start + asked.count)]
    body = registers(asked, addresses)[6:]
    return asked, body + checksum(body)
