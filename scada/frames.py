"""Modbus replies kept as bytes.

pymodbus packs and unpacks each register by a call of its own and formats every decoded message for its log: on loopback
a quarter of the time of reading 125 registers. These classes are registered with the client and keep the payload whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

__all__ = ["FUNCTION_OF", "REPLIES", "REQUESTS", "BitsReply", "RegistersReply", "words_of"]

# the only function codes this package ever sends
FUNCTION_OF = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_LAST_OF_BITS = 2


def words_of(payload: bytes, function: int, count: int) -> NDArray[np.uint16] | None:
    """Return what a reply's data hold, uint16 [count], bits as 0 and 1; None when they are not of the right length."""
    if function <= _LAST_OF_BITS:
        if len(payload) != (count + 7) // 8:
            return None
        bits = np.unpackbits(np.frombuffer(payload, dtype=np.uint8), count=count, bitorder="little")
        return bits.astype(np.uint16)
    if len(payload) != 2 * count:
        return None
    return np.frombuffer(payload, dtype=">u2").astype(np.uint16)


class RegistersReply(ModbusPDU):
    """The reply to function 3."""

    function_code = 3
    rtu_byte_count_pos = 2
    payload: bytes = b""

    def decode(self, data: bytes) -> None:
        """Keep the payload, or nothing when the byte count and the frame's length differ."""
        self.payload = data[1:] if data and data[0] == len(data) - 1 else b""

    def words(self, count: int) -> NDArray[np.uint16] | None:
        """Return `count` registers (bits as 0 and 1), or None when the reply holds another number."""
        return words_of(self.payload, self.function_code, count)

    def __str__(self) -> str:
        return f"{type(self).__name__}({len(self.payload)} bytes)"


class InputsReply(RegistersReply):
    """The reply to function 4."""

    function_code = 4


class BitsReply(RegistersReply):
    """The reply to function 1."""

    function_code = 1


class DiscretesReply(BitsReply):
    """The reply to function 2."""

    function_code = 2


REPLIES = (BitsReply, DiscretesReply, RegistersReply, InputsReply)
REQUESTS: dict[str, type[ModbusPDU]] = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
