"""Answers to read requests straight from a register image.

pymodbus' own store keeps each register as a Python object with a flag and packs replies one register at a time. Its
server accepts other classes for the messages it decodes; these read a slice of the image instead.
"""

from __future__ import annotations

import numpy as np
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from scada.frames import REQUESTS
from scada.plc.image import RegisterImage

__all__ = ["PackedReply", "answer", "image_requests"]


class PackedReply(ModbusPDU):
    """A reply whose payload is ready to send.

    Parameters
    ----------
    function_code : int
    payload : bytes
        What follows the byte count.
    """

    def __init__(self, function_code: int, payload: bytes) -> None:
        super().__init__()
        self.function_code = function_code
        self.payload = payload

    def encode(self) -> bytes:
        """Return the byte count and the payload."""
        return bytes((len(self.payload),)) + self.payload

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


def image_requests(image: RegisterImage) -> list[type[ModbusPDU]]:
    """Return message classes for function codes 1 to 4 that answer themselves from `image`."""
    return [_answering(image, table, base) for table, base in REQUESTS.items()]


def _answering(image: RegisterImage, table: str, base: type[ModbusPDU]) -> type[ModbusPDU]:
    async def datastore_update(self: ModbusPDU, _context: object, device_id: int) -> ModbusPDU:
        return answer(image, device_id, table, self)

    def describe(self: ModbusPDU) -> str:
        return f"read {table} {self.address}+{self.count}"

    return type(f"Image{base.__name__}", (base,), {"datastore_update": datastore_update, "__str__": describe})
