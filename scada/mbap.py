"""One open line that carries Modbus TCP frames (plain or inside TLS), for reading: asked and taken apart here.

pymodbus builds and takes apart each frame through objects of its own, with a lock, a task's worth of waiting and log
entries for each; on loopback that is most of the time of reading a device (docs/adr/0008-own-frames-for-reading.md).
What is checked is the same and a little more, and a test compares the two over the same faults. Serial framing, and
whatever writes, stays with pymodbus (:mod:`scada.link`).
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import cast

from scada.dial import connected, tls_trouble
from scada.endpoint import Endpoint

__all__ = ["Broken", "MbapLink", "NoReply"]

_REQUEST = struct.Struct(">HHHBBHH")  # number, protocol, length, unit, function, start, count
_HEAD = struct.Struct(">HHHB")
_REQUEST_LENGTH = 6
_SHORTEST, _LONGEST = 3, 254  # of what the length field counts: unit, function and data (1.1b3, 4.1)
_REFUSED = 0x80
_REFUSAL_SIZE = 9
_ROOM = 1024  # some frames


class NoReply(Exception):
    """Nothing that answers the request: in time, or ever; `has_heard` where something came."""

    def __init__(self, has_heard: bool, detail: str = "") -> None:
        super().__init__(detail)
        self.has_heard = has_heard
        self.detail = detail


class Broken(Exception):
    """The connection ended; `alert` is what TLS said of it, or empty."""

    def __init__(self, alert: str = "") -> None:
        super().__init__(alert)
        self.alert = alert


class MbapLink(asyncio.BufferedProtocol):
    """A connection with one request in flight.

    Parameters
    ----------
    endpoint : Endpoint
        ``tcp`` or ``tls``.
    context : ssl.SSLContext or None
        For ``tls``.
    server_name : str
        That the certificate has to bear; empty for the host.

    Notes
    -----
    A frame with another number or another unit answers nothing that was asked here and is passed over; one that is no
    Modbus TCP at all ends the request at once, since nothing tells where the next frame begins.
    """

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None = None, server_name: str = "") -> None:
        self._endpoint = endpoint
        self._context = context
        self._server_name = server_name
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[bytes] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._number = 0
        self._unit = 0
        self._room = bytearray(_ROOM)
        self._buffer = b""  # the beginning of a frame
        self._has_heard = False

    async def dial(self, timeout_s: float) -> None:
        """Connect.

        Raises
        ------
        DialError
            With the reason.
        """
        host, port = self._endpoint.host, self._endpoint.port
        name = (self._server_name or host) if self._context is not None else None

        def create() -> Awaitable[object]:
            return self._loop.create_connection(lambda: self, host, port, ssl=self._context, server_hostname=name)

        await connected(create, timeout_s, self._endpoint, self._context is not None)

    def is_active(self) -> bool:
        """Whether there is a connection now."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()  # what is still to be sent has no reader

    async def ask(self, unit: int, function: int, start: int, count: int, timeout_s: float) -> bytes:
        """Send a read request and return the reply from its function code on.

        Raises
        ------
        NoReply
            None came in time, or what came is no Modbus TCP.
        Broken
            The connection ended.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            raise Broken
        self._number = self._number % 0xFFFF + 1
        self._unit = unit
        self._buffer = b""
        self._has_heard = False
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._answer = answer
        self._wait_until(self._loop.time() + timeout_s)
        try:
            transport.write(_REQUEST.pack(self._number, 0, _REQUEST_LENGTH, unit, function, start, count))
            return await answer
        finally:
            self._answer = None

    def _wait_until(self, deadline: float) -> None:
        """Set the patience; a timer that runs for an earlier request is let run, and looks again when it ends."""
        self._deadline = deadline
        if self._timer is not None and self._timer.when() > deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._answer is None:
            return
        if self._loop.time() < self._deadline:
            self._wait_until(self._deadline)
        else:
            self._fail(lambda: NoReply(self._has_heard, "what came is no whole reply" if self._has_heard else ""))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the pending request at once."""
        self._transport = None
        self._fail(lambda: Broken(tls_trouble(exc) if isinstance(exc, ssl.SSLError) else ""))

    def get_buffer(self, sizehint: int) -> bytearray:
        """Return where bytes from the wire are put: asyncio's own 256 KiB for each read cost a mapping of memory."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes from the wire; what nobody asked for is dropped."""
        self._has_heard = True
        answer = self._answer
        if answer is None or answer.done():
            return
        data = self._buffer + self._room[:nbytes]
        while len(data) >= _HEAD.size:
            number, protocol, length, unit = _HEAD.unpack_from(data)
            if length == _SHORTEST - 1:  # some devices do not count the code of a refusal
                if len(data) < _REFUSAL_SIZE:
                    break
                length += data[7] >= _REFUSED
            if protocol or not _SHORTEST <= length <= _LONGEST:
                self._fail(lambda: NoReply(True, "what came is no Modbus TCP"))
                return
            end = 6 + length
            if len(data) < end:
                break
            if number == self._number and (unit == self._unit or not self._unit):
                answer.set_result(data[7:end])
                return
            data = data[end:]
        self._buffer = data

    def _fail(self, make: Callable[[], Exception]) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(make())
