"""The one way by which anything but a read request leaves this program."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import WriteSingleCoilRequest
from pymodbus.pdu.register_message import (
    MaskWriteRegisterRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from scada.errors import Disconnected, GarbledReply, ModbusExceptionReply
from scada.link import Link
from scada.transport import Connection

__all__ = ["WriteLink"]

_UNKNOWN_FUNCTION = 1
_LONGEST = 4  # registers of one value


class WriteLink(Connection):
    """A connection that can write too; the reader never holds one."""

    def _new_link(self) -> Link:
        return Link(self.endpoint, self._context, self._tls.server_name)

    async def write_coil(self, unit: int, address: int, is_on: bool, timeout_s: float) -> None:
        """Set one coil (function 5); raises as :meth:`Connection.read`."""
        await self._send(WriteSingleCoilRequest(address=address, bits=[is_on], dev_id=unit), timeout_s)

    async def write_words(self, unit: int, address: int, words: Sequence[int], timeout_s: float) -> None:
        """Set registers in one request: function 6 for one, 16 for several; raises as :meth:`Connection.read`.

        A device that does not know function 6 has done nothing, and is asked with 16.
        """
        if len(words) == 1:
            try:
                await self._send(
                    WriteSingleRegisterRequest(address=address, registers=list(words), dev_id=unit), timeout_s
                )
            except ModbusExceptionReply as error:
                if error.code != _UNKNOWN_FUNCTION:
                    raise
            else:
                return
        await self._send(WriteMultipleRegistersRequest(address=address, registers=list(words), dev_id=unit), timeout_s)

    async def write_bit(self, unit: int, address: int, mask: int, is_on: bool, timeout_s: float) -> None:
        """Set one bit of a register and leave the others to the device (function 22); raises as the others.

        Reading the register and writing it back would undo what the device does to its other bits in between.
        """
        request = MaskWriteRegisterRequest(
            address=address, and_mask=0xFFFF ^ mask, or_mask=mask if is_on else 0, dev_id=unit
        )
        await self._send(request, timeout_s)

    async def _send(self, request: ModbusPDU, timeout_s: float) -> None:
        unit, url = request.dev_id, str(self.endpoint)
        await self.open(timeout_s, unit)
        link = self._link
        if not isinstance(link, Link):
            raise Disconnected(url, unit)
        link.comm_params.timeout_connect = timeout_s + self._transmission_s(_LONGEST)
        await self._keep_silence()
        link.listen_anew()
        # a late reply to a write has a function code of its own and is never taken for what is read
        with self._translated(unit, "holding", 1, timeout_s):
            reply = await link.execute(False, request)
            self._quiet_from_s = time.monotonic()
            if self._is_numbered and reply.transaction_id != request.transaction_id:
                raise GarbledReply(url, unit, "a reply with another number")
        if reply.isError():
            raise ModbusExceptionReply(url, unit, reply.exception_code)
        if reply.function_code != request.function_code or reply.address != request.address:
            self.close()
            raise GarbledReply(url, unit)
