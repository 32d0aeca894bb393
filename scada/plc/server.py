"""pymodbus' servers without their detour through a thread-safe queue, and with the manners of a faulty device."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.transport import CommType

from scada.plc.faults import Faults, Misconduct

__all__ = ["LoopHandler", "LoopServer", "SerialLoopServer"]

Conduct = Callable[[int], Misconduct | None]

_logger = logging.getLogger(__name__)
_LONGEST_UNIT = 247


class LoopHandler(ServerRequestHandler):
    """Handles each request in a task of the loop that received it.

    The original hands the request to the loop it already runs in as if from another thread, which costs two system
    calls on the loop's wake-up pipe for each request: about a quarter of a round trip on loopback. Replies leave in the
    order of the requests, however late one is, as from a device that does one thing at a time.
    """

    conduct: Conduct | None = None
    faults: Faults | None = None

    def __init__(self, owner: ModbusTcpServer | ModbusSerialServer) -> None:
        super().__init__(owner, owner.trace_packet, owner.trace_pdu, owner.trace_connect)  # type: ignore[no-untyped-call]
        self._turn = asyncio.Lock()
        self._handling: set[asyncio.Task[None]] = set()

    def handle_later(self) -> None:
        """Start handling the request that was just decoded."""
        if self.last_pdu is not None:
            task = self.loop.create_task(self._handle(self.last_pdu))
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)

    def callback_disconnected(self, exc: Exception | None) -> None:
        """Drop what nobody waits for; a serial line has no end."""
        super().callback_disconnected(exc)
        for task in self._handling:
            task.cancel()

    async def _handle(self, request: ModbusPDU) -> None:
        async with self._turn:
            misconduct = self.conduct(request.dev_id) if self.conduct is not None else None
            if misconduct is not None and misconduct.delay_s:
                await asyncio.sleep(misconduct.delay_s)
            kind = misconduct.kind if misconduct is not None else ""
            if kind == "silent":
                return
            reply: ModbusPDU
            if misconduct is not None and kind == "exception":
                reply = ExceptionResponse(request.function_code, misconduct.code)
            else:
                reply = await self._answer(request)
            reply.transaction_id = request.transaction_id
            reply.dev_id = request.dev_id % _LONGEST_UNIT + 1 if kind == "wrong-unit" else request.dev_id
            if self.transport is not None:
                self._send(self.framer.buildFrame(reply), kind)

    async def _answer(self, request: ModbusPDU) -> ModbusPDU:
        try:
            return await request.datastore_update(self.server.context, request.dev_id)
        except NoSuchIdException:
            return ExceptionResponse(request.function_code, ExcCodes.GATEWAY_NO_RESPONSE)
        except Exception:  # as the original: whatever a process raises is a failure of the device
            _logger.exception("a simulated PLC could not answer")
            return ExceptionResponse(request.function_code, ExcCodes.DEVICE_FAILURE)

    def _send(self, frame: bytes, kind: str) -> None:
        is_serial = self.comm_params.comm_type == CommType.SERIAL
        if kind in {"half", "drop"}:
            self.send(frame[: len(frame) // 2])
            if kind == "drop" and not is_serial:
                self.close()
        elif kind == "garbage" and self.faults is not None:
            self.send(self._garbled(frame, self.faults))
        else:
            self.send(frame)

    def _garbled(self, frame: bytes, faults: Faults) -> bytes:
        """Spoil a frame in a way that its receiver can notice: TCP frames have no checksum of their own."""
        has_checksum = "RTU" in type(self.framer).__name__
        manner = faults.below(3 if has_checksum else 2)
        if manner == 0:
            return faults.noise(len(frame))
        if manner == 1:
            return faults.noise(1 + faults.below(8)) + frame
        spoilt = bytearray(frame)
        for _ in range(1 + faults.below(3)):
            spoilt[faults.below(len(spoilt))] ^= 1 << faults.below(8)
        return bytes(spoilt) if spoilt != frame else frame[::-1]


class LoopServer(ModbusTcpServer):
    """A Modbus server over TCP or TLS for clients of the same event loop, or of any other."""

    conduct: Conduct | None = None
    faults: Faults | None = None

    def callback_new_connection(self) -> ServerRequestHandler:
        """Return the handler of a connection that was accepted."""
        return _handler(self)


class SerialLoopServer(ModbusSerialServer):
    """A Modbus server on a serial line."""

    conduct: Conduct | None = None
    faults: Faults | None = None

    def callback_new_connection(self) -> ServerRequestHandler:
        """Return the handler of the line."""
        return _handler(self)


def _handler(server: LoopServer | SerialLoopServer) -> LoopHandler:
    handler = LoopHandler(server)
    handler.conduct, handler.faults = server.conduct, server.faults
    return handler
