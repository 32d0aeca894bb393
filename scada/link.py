"""One open line to a gateway or PLC: pymodbus' transaction, told why it could not be opened and why it broke."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from typing import cast

from pymodbus.exceptions import ConnectionException, ModbusException, ModbusIOException
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.transaction import TransactionManager
from pymodbus.transport import CommParams, CommType

from scada.dial import connected, tls_trouble
from scada.endpoint import Endpoint
from scada.frames import REPLIES

__all__ = ["Link", "TlsBroken"]


class TlsBroken(ConnectionException):
    """The other side ended TLS with an alert, after the connection seemed to stand."""


class Link(TransactionManager):
    """A connection of pymodbus that never reconnects or retries by itself.

    Parameters
    ----------
    endpoint : Endpoint
    context : ssl.SSLContext or None
        For ``tls``.
    server_name : str
        That the certificate has to bear; empty for the host.

    Attributes
    ----------
    has_heard : bool
        Whether any byte came since :meth:`listen_anew`.

    Notes
    -----
    pymodbus lets a pending request run into its timeout when the connection is lost, and an undecodable reply end in an
    error of the event loop; here both reach the request at once. Over TLS frames are cut by the length in their
    header, where pymodbus' own TLS framing takes each read from the socket for one frame.
    """

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None = None, server_name: str = "") -> None:
        decoder = DecodePDU(False)
        for reply in REPLIES:
            decoder.register(reply)
        framer = FramerRTU(decoder) if endpoint.framing == "rtu" else FramerSocket(decoder)
        self.endpoint = endpoint
        self.has_heard = False
        super().__init__(_params(endpoint, context), framer, 0, False, None, None, None)
        if context is not None:
            self.call_create = partial(
                self.loop.create_connection,
                self.handle_new_connection,
                endpoint.host,
                endpoint.port,
                ssl=context,
                server_hostname=server_name or endpoint.host,
            )

    async def dial(self, timeout_s: float) -> None:
        """Connect.

        Raises
        ------
        DialError
            With the reason.
        """
        self.is_closing = False
        self.transport, _ = await connected(
            self.call_create, timeout_s, self.endpoint, self.comm_params.sslctx is not None
        )

    def listen_anew(self) -> None:
        """Forget what was heard before a request."""
        self.has_heard = False

    async def another(self, timeout_s: float) -> ModbusPDU:
        """Wait for one more reply without asking again.

        Raises
        ------
        ModbusIOException
            None came in time.
        """
        async with self._lock:
            self.response_future = asyncio.Future()
            try:
                return cast(ModbusPDU, await asyncio.wait_for(self.response_future, timeout_s))
            except TimeoutError as error:
                raise ModbusIOException("no further reply") from error

    def data_received(self, data: bytes) -> None:
        """Take bytes from the wire."""
        self.has_heard = True
        super().data_received(data)

    def callback_data(self, data: bytes, addr: tuple[object, ...] | None = None) -> int:
        """Decode what came so far; what cannot be decoded fails the pending request."""
        try:
            return super().callback_data(data, addr)
        except ModbusException as error:
            self._fail_pending(error)
            return len(data)

    def callback_disconnected(self, exc: Exception | None) -> None:
        """Fail the pending request at once."""
        if isinstance(exc, ssl.SSLError):
            self._fail_pending(TlsBroken(tls_trouble(exc)))
        else:
            self._fail_pending(ConnectionException("connection lost"))

    def _fail_pending(self, error: ModbusException) -> None:
        if self._lock.locked() and not self.response_future.done():
            self.response_future.set_exception(error)


def _params(endpoint: Endpoint, context: ssl.SSLContext | None) -> CommParams:
    params = CommParams(comm_name=str(endpoint), comm_type=CommType.TCP, reconnect_delay=0.0, host=endpoint.host)
    params.port = endpoint.port
    params.sslctx = context
    if endpoint.line is not None:
        params.comm_type = CommType.SERIAL
        params.baudrate, params.bytesize = endpoint.line.baud, 8
        params.parity, params.stopbits = endpoint.line.parity, endpoint.line.stopbits
    return params
