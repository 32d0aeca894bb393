"""One connection to one gateway or PLC, for reading only."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from pymodbus.exceptions import ConnectionException, ModbusException, ModbusIOException
from pymodbus.pdu import ModbusPDU

from scada.dial import DialError
from scada.endpoint import Endpoint, parse_url
from scada.errors import (
    Disconnected,
    GarbledReply,
    ModbusExceptionReply,
    Refused,
    ScadaError,
    Timeout,
    Untrusted,
    WireError,
)
from scada.frames import FUNCTION_OF, REQUESTS, RegistersReply, words_of
from scada.late import LateReplies, latest_s
from scada.link import Link, TlsBroken
from scada.mbap import Broken, MbapLink, NoReply
from scada.tls import TlsSettings, client_context

__all__ = ["Connection", "Endpoint", "parse_url"]

# every failure is translated and counted here; pymodbus' own log would say it again for each request
logging.getLogger("pymodbus").addHandler(logging.NullHandler())

_OVERHEAD = 8 + 5  # bytes of a serial request, and of a reply around its data
_REFUSAL_SIZE = 2  # function code and exception code
_TLS_PATIENCE = 4  # a handshake takes up to three round trips more than a plain connection


class Connection:
    """A connection that opens itself when something is read.

    Parameters
    ----------
    endpoint : Endpoint
    tls : TlsSettings, optional
        For a ``tls`` endpoint; without it the system's authorities are believed and no certificate is shown.
    holdoff_s : float
        Least time between the end of a connection and the next, s.

    Raises
    ------
    ScadaError
        A file of the TLS settings cannot be used, or they belong to no ``tls`` endpoint.

    Notes
    -----
    After a timeout the connection is closed: a reply that comes later dies with its socket and is never taken for the
    answer to the next request. Where frames carry no number (serial lines, and gateways that pass them on) a reply may
    outlive the connection; see :mod:`scada.late`. On a serial line the time that characters take is added to every
    timeout, and the silence that parts two frames is kept. Only function codes 1 to 4 can be sent. Modbus TCP frames
    are made and taken apart by :mod:`scada.mbap`, serial ones by pymodbus.
    """

    def __init__(self, endpoint: Endpoint, tls: TlsSettings | None = None, holdoff_s: float = 0.0) -> None:
        if tls is not None and endpoint.scheme != "tls":
            raise ScadaError(f"{endpoint} has TLS settings, but is no tls:// device; remove them or write tls://")
        self.endpoint = endpoint
        self._url = str(endpoint)
        self._tls = tls or TlsSettings()
        self._context = client_context(self._tls) if endpoint.scheme == "tls" else None
        self._link: Link | MbapLink | None = None
        self._is_numbered = endpoint.framing == "socket"
        self._late = LateReplies()
        self._has_answered = False
        self._quiet_from_s = 0.0
        self._holdoff_s = holdoff_s
        self._closed_s = -math.inf

    @property
    def is_open(self) -> bool:
        """Whether there is a connection now."""
        return self._link is not None and self._link.is_active()

    async def open(self, timeout_s: float, unit: int = 0) -> None:
        """Connect, if not connected.

        Raises
        ------
        Refused
            Nobody accepted within `timeout_s` (four times that for TLS).
        Untrusted
            Certificates or versions of TLS do not fit.
        """
        if self.is_open:
            return
        self.close()
        left_s = self._closed_s + self._holdoff_s - time.monotonic()
        if left_s > 0:
            await asyncio.sleep(left_s)
        link = self._new_link()
        try:
            await link.dial(timeout_s * (_TLS_PATIENCE if self._context is not None else 1))
        except DialError as error:
            link.close()
            raise (Untrusted if error.is_tls else Refused)(self._url, unit, str(error)) from error
        self._link = link
        self._has_answered = False

    def _new_link(self) -> Link | MbapLink:
        kind = MbapLink if self._is_numbered else Link
        return kind(self.endpoint, self._context, self._tls.server_name)

    def close(self) -> None:
        """Close the connection, if there is one."""
        link, self._link = self._link, None
        if link is not None:
            link.close()
            self._closed_s = time.monotonic()

    async def read(self, unit: int, table: str, start: int, count: int, timeout_s: float) -> NDArray[np.uint16]:
        """Read one block, connecting first if need be.

        Parameters
        ----------
        unit : int
            Modbus unit id.
        table : str
            coil, discrete, holding or input.
        start, count : int
            First address on the wire and number of registers or bits.
        timeout_s : float
            Longest wait for the connection, and again for the reply to begin, s.

        Returns
        -------
        uint16 [count]
            Registers, or bits as 0 and 1.

        Raises
        ------
        Refused, Untrusted, Timeout, Disconnected, GarbledReply, ModbusExceptionReply
        """
        link = self._link
        if link is None or not link.is_active():
            await self.open(timeout_s, unit)
            link = self._link
        if isinstance(link, MbapLink):
            return await self._ask(link, unit, table, start, count, timeout_s)
        if not self._is_numbered and self._late.may_be(unit, table, count, time.monotonic()):
            await self._settle(unit, table, start, count, timeout_s)
        return await self._exchange(unit, table, start, count, timeout_s)

    async def _ask(
        self, link: MbapLink, unit: int, table: str, start: int, count: int, timeout_s: float
    ) -> NDArray[np.uint16]:
        """Ask over frames of our own; the connection stays open only after the answer or its refusal."""
        function = FUNCTION_OF[table]
        is_in_step = False
        try:
            reply = await link.ask(unit, function, start, count, timeout_s)
            code = reply[0]
            if code == function:
                words = words_of(reply[2:], function, count) if reply[1] == len(reply) - 2 else None
            elif code == function | 0x80 and len(reply) == _REFUSAL_SIZE:
                is_in_step = self._has_answered = True
                raise ModbusExceptionReply(self._url, unit, reply[1])
            else:
                words = None
            if words is None:
                raise GarbledReply(self._url, unit)
            is_in_step = self._has_answered = True
            return words
        except NoReply as error:
            raise (GarbledReply if error.has_heard else Timeout)(self._url, unit, error.detail) from error
        except Broken as error:
            if error.alert:
                raise Untrusted(self._url, unit, error.alert) from error
            raise self._disconnected(unit) from error
        finally:
            if not is_in_step:  # also when the caller is cancelled
                self.close()

    async def _settle(self, unit: int, table: str, start: int, count: int, timeout_s: float) -> None:
        """Ask for something whose answer no late reply can be taken for."""
        for other_table, other, is_sure in self._late.probes(unit, table, count):
            try:
                await self._exchange(unit, other_table, start, other, timeout_s, is_probe=True)
            except GarbledReply:
                continue
            except ModbusExceptionReply:
                if not is_sure:
                    continue
                self._late.forget(unit)
            return
        raise Timeout(self._url, unit, "no reply in time; those that may still come are waited out")

    async def _exchange(
        self, unit: int, table: str, start: int, count: int, timeout_s: float, is_probe: bool = False
    ) -> NDArray[np.uint16]:
        """Ask and take the answer; a probe passes over late answers of other forms until its own comes."""
        await self.open(timeout_s, unit)
        link = self._link
        if not isinstance(link, Link):
            raise Disconnected(self._url, unit)
        # units behind one gateway may have different patience
        link.comm_params.timeout_connect = timeout_s + self._transmission_s(count)
        request = REQUESTS[table](address=start, count=count, dev_id=unit)
        await self._keep_silence()
        link.listen_anew()
        with self._translated(unit, table, count, timeout_s):
            reply = await link.execute(False, request)
            until_s = time.monotonic() + link.comm_params.timeout_connect
            while is_probe and not _fits(reply, table, count):
                reply = await link.another(max(0.0, until_s - time.monotonic()))
            self._quiet_from_s = time.monotonic()
            if self._is_numbered and reply.transaction_id != request.transaction_id:
                raise GarbledReply(self._url, unit, "a reply with another number")
            if not _fits(reply, table, count):
                raise GarbledReply(self._url, unit)
        words = reply.words(count) if isinstance(reply, RegistersReply) else None
        self._has_answered = True
        if words is None:
            if self._late.may_refuse(unit, table):  # then the answer to this request is still to come
                self._late.expect(unit, table, count, time.monotonic() + latest_s(timeout_s))
            raise ModbusExceptionReply(self._url, unit, reply.exception_code)
        self._late.forget(unit)
        return words

    def _transmission_s(self, count: int) -> float:
        line = self.endpoint.line
        return 0.0 if line is None else (_OVERHEAD + 2 * count) * line.character_s

    async def _keep_silence(self) -> None:
        """Leave 3.5 characters between two frames, by which the devices on a line tell them apart."""
        if self.endpoint.line is not None:
            left_s = self._quiet_from_s + self.endpoint.line.silence_s - time.monotonic()
            if left_s > 0:
                await asyncio.sleep(left_s)

    @contextmanager
    def _translated(self, unit: int, table: str, count: int, timeout_s: float) -> Iterator[None]:
        """Translate pymodbus' errors; leave the connection closed unless it is known to be in step."""
        is_in_step = False
        has_heard = False
        try:
            yield
            is_in_step = True
        except WireError:
            raise
        except TlsBroken as error:
            raise Untrusted(self._url, unit, error.string) from error
        except ConnectionException as error:
            raise self._disconnected(unit) from error
        except ModbusIOException as error:
            has_heard = isinstance(self._link, Link) and self._link.has_heard
            detail = "what came is no whole reply"
            raise (GarbledReply(self._url, unit, detail) if has_heard else Timeout(self._url, unit)) from error
        except ModbusException as error:
            raise GarbledReply(self._url, unit, error.string) from error
        finally:
            if not is_in_step:  # also when the caller is cancelled
                if not self._is_numbered:
                    self._late.expect(unit, table, count, time.monotonic() + latest_s(timeout_s))
                self.close()

    def _disconnected(self, unit: int) -> WireError:
        if self._context is None or self._has_answered or self._tls.certificate:
            return Disconnected(self._url, unit)
        # the alert that says so may be lost with the connection
        detail = "closed at the first request; does the server demand a client certificate (tls_certificate, tls_key)?"
        return Untrusted(self._url, unit, detail)


def _fits(reply: ModbusPDU, table: str, count: int) -> bool:
    """Whether a reply has the form of the answer: the function's data in the right length, or its refusal."""
    if reply.function_code == FUNCTION_OF[table] | 0x80:
        return True
    if not isinstance(reply, RegistersReply) or reply.function_code != FUNCTION_OF[table]:
        return False
    return reply.words(count) is not None
