"""One connection to one gateway or PLC, for reading only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException, ModbusIOException
from pymodbus.framer import FramerType

from scada.endpoint import Endpoint, parse_url
from scada.errors import Disconnected, GarbledReply, ModbusExceptionReply, Refused, Timeout
from scada.frames import FUNCTION_OF, REPLIES, REQUESTS, RegistersReply

__all__ = ["Connection", "Endpoint", "parse_url"]

# every failure is translated and counted here; pymodbus' own log would say it again for each request
logging.getLogger("pymodbus").addHandler(logging.NullHandler())


class Connection:
    """A connection that opens itself when something is read.

    Parameters
    ----------
    endpoint : Endpoint

    Notes
    -----
    After a timeout the connection is closed: a reply that comes later dies with its socket and is never taken for the
    answer to the next request. Over RTU framing there is no other protection, since frames carry no number.
    Only function codes 1 to 4 can be sent.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._url = str(endpoint)
        self._client: AsyncModbusTcpClient | None = None
        self._is_waiting = False

    @property
    def is_open(self) -> bool:
        """Whether there is a connection now."""
        return self._client is not None and self._client.connected

    async def open(self, timeout_s: float, unit: int = 0) -> None:
        """Connect, if not connected.

        Raises
        ------
        Refused
            Nobody accepted within `timeout_s`.
        """
        if self.is_open:
            return
        self.close()
        client = AsyncModbusTcpClient(
            self.endpoint.host,
            port=self.endpoint.port,
            framer=FramerType(self.endpoint.framing),
            timeout=timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_connect=self._on_connect,
        )
        for reply in REPLIES:
            client.register(reply)
        self._client = client
        if not await client.connect():
            self.close()
            raise Refused(self._url, unit)

    def close(self) -> None:
        """Close the connection, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

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
            Longest wait for the connection, and again for the reply, s.

        Returns
        -------
        uint16 [count]
            Registers, or bits as 0 and 1.

        Raises
        ------
        Refused, Timeout, Disconnected, GarbledReply, ModbusExceptionReply
        """
        await self.open(timeout_s, unit)
        client = self._client
        if client is None:
            raise Disconnected(self._url, unit)
        client.ctx.comm_params.timeout_connect = timeout_s  # units behind one gateway may have different patience
        request = REQUESTS[table](address=start, count=count, dev_id=unit)
        with self._translated(unit):
            reply = await client.ctx.execute(False, request)
        if reply.isError():
            raise ModbusExceptionReply(self._url, unit, reply.exception_code)
        is_answer = isinstance(reply, RegistersReply) and reply.function_code == FUNCTION_OF[table]
        words = reply.words(count) if isinstance(reply, RegistersReply) and is_answer else None
        if words is None:
            self.close()  # out of step: whatever follows cannot be trusted either
            raise GarbledReply(self._url, unit)
        return words

    @contextmanager
    def _translated(self, unit: int) -> Iterator[None]:
        """Translate pymodbus' errors; leave the connection closed unless it is known to be in step."""
        is_in_step = False
        self._is_waiting = True
        try:
            yield
            is_in_step = True
        except ConnectionException as error:
            raise Disconnected(self._url, unit) from error
        except ModbusIOException as error:
            raise Timeout(self._url, unit) from error
        except ModbusException as error:
            raise GarbledReply(self._url, unit, error.string) from error
        finally:
            self._is_waiting = False
            if not is_in_step:  # also when the caller is cancelled
                self.close()

    def _on_connect(self, is_connected: bool) -> None:
        # pymodbus notices a lost connection but lets the pending request run into its timeout
        client = self._client
        if is_connected or client is None or not self._is_waiting:
            return
        pending: asyncio.Future[object] = client.ctx.response_future
        if not pending.done():
            pending.set_exception(ConnectionException("connection lost"))
