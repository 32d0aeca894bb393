"""Answers to requests straight from a register image.

pymodbus' own store keeps each register as a Python object with a flag and packs replies one register at a time. Its
server accepts other classes for the messages it decodes; these read a slice of the image instead, and hand what is
written to it.
"""

from __future__ import annotations

import numpy as np
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import WriteMultipleCoilsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import WriteMultipleRegistersRequest, WriteSingleRegisterRequest

from scada.frames import REQUESTS
from scada.plc.image import RegisterImage

__all__ = ["PackedReply", "answer", "image_requests"]

_WRITES: dict[type[ModbusPDU], str] = {
    WriteSingleCoilRequest: "coil",
    WriteMultipleCoilsRequest: "coil",
    WriteSingleRegisterRequest: "holding",
    WriteMultipleRegistersRequest: "holding",
}
_ON, _OFF = 0xFF00, 0x0000


class PackedReply(ModbusPDU):
    """A reply whose payload is ready to send.

    Parameters
    ----------
    function_code : int
    payload : bytes
        What follows the byte count, or the function code where there is none.
    is_counted : bool
        Whether a byte count comes first.
    """

    def __init__(self, function_code: int, payload: bytes, is_counted: bool = True) -> None:
        super().__init__()
        self.function_code = function_code
        self.payload = payload
        self._is_counted = is_counted

    def encode(self) -> bytes:
        """Return the byte count and the payload."""
        return bytes((len(self.payload),)) + self.payload if self._is_counted else self.payload

    def __str__(self) -> str:
        return f"PackedReply({self.function_code}, {len(self.payload)} bytes)"


def answer(image: RegisterImage, unit: int, table: str, request: ModbusPDU) -> ModbusPDU:
    """Return the reply to a read request: data, illegal address, or a gateway's word for a unit that is not there."""
    if not image.has_unit(unit):
        return ExceptionResponse(request.function_code, ExcCodes.GATEWAY_NO_RESPONSE)
    words = image.read(unit, table, request.address, request.count)
    if words is None:
        return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_ADDRESS)
    if table in {"coil", "discrete"}:
        return PackedReply(request.function_code, np.packbits(words.astype(bool), bitorder="little").tobytes())
    return PackedReply(request.function_code, words.astype(">u2").tobytes())


def accept(image: RegisterImage, unit: int, table: str, request: ModbusPDU) -> ModbusPDU:
    """Return the reply to a write request: what the protocol wants, or the reason why nothing was written."""
    if not image.has_unit(unit):
        return ExceptionResponse(request.function_code, ExcCodes.GATEWAY_NO_RESPONSE)
    is_single = request.function_code in {5, 6}
    words = [int(word) for word in (request.bits if table == "coil" else request.registers)]
    count = 1 if is_single else request.count
    if len(words) < count or not 1 <= count <= (1968 if table == "coil" else 123):
        return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_VALUE)
    refusal = image.command(unit, table, request.address, words[:count])
    if refusal:
        return ExceptionResponse(request.function_code, refusal)
    second = count if not is_single else words[0] if table == "holding" else _ON if words[0] else _OFF
    return PackedReply(request.function_code, request.address.to_bytes(2) + second.to_bytes(2), is_counted=False)


def image_requests(image: RegisterImage) -> list[type[ModbusPDU]]:
    """Return message classes for function codes 1 to 6, 15 and 16 that answer themselves from `image`."""
    reads = [_answering(image, table, base) for table, base in REQUESTS.items()]
    return reads + [_accepting(image, table, base) for base, table in _WRITES.items()]


def _answering(image: RegisterImage, table: str, base: type[ModbusPDU]) -> type[ModbusPDU]:
    async def datastore_update(self: ModbusPDU, _context: object, device_id: int) -> ModbusPDU:
        return answer(image, device_id, table, self)

    def describe(self: ModbusPDU) -> str:
        return f"read {table} {self.address}+{self.count}"

    return type(f"Image{base.__name__}", (base,), {"datastore_update": datastore_update, "__str__": describe})


def _accepting(image: RegisterImage, table: str, base: type[ModbusPDU]) -> type[ModbusPDU]:
    async def datastore_update(self: ModbusPDU, _context: object, device_id: int) -> ModbusPDU:
        return accept(image, device_id, table, self)

    return type(f"Image{base.__name__}", (base,), {"datastore_update": datastore_update})
