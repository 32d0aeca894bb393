"""Registers to values and back.

A register is 16 bits. Values of several words come in four orders, named by where the bytes of the 32-bit value
``ABCD`` (A most significant) lie on the wire:

===== ============== ==================
order words          bytes in each word
===== ============== ==================
ABCD  as on the wire as on the wire
CDAB  reversed       as on the wire
BADC  as on the wire swapped
DCBA  reversed       swapped
===== ============== ==================

64-bit values follow the same two switches over four words. Strings are never word-reversed: no device does it.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from functools import lru_cache

from scada.errors import CodecError

__all__ = [
    "NUMBER_FORMATS",
    "ORDERS",
    "decode",
    "encode",
    "is_type",
    "pattern_value",
    "raw_range",
    "register_count",
    "text_length",
]

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")

# type -> (struct letter, registers)
NUMBER_FORMATS: dict[str, tuple[str, int]] = {
    "int16": ("h", 1),
    "uint16": ("H", 1),
    "int32": ("i", 2),
    "uint32": ("I", 2),
    "int64": ("q", 4),
    "uint64": ("Q", 4),
    "float32": ("f", 2),
    "float64": ("d", 4),
}
_LARGEST_STRING = 250  # characters: 125 registers, one request
_STRING = re.compile(r"string([1-9]\d{0,2})")


def text_length(kind: str) -> int:
    """Return how many characters a value of type `kind` holds; 0 where it is no text."""
    match = _STRING.fullmatch(kind)
    length = int(match.group(1)) if match else 0
    return length if length <= _LARGEST_STRING else 0


@lru_cache(maxsize=1024)
def is_type(kind: str) -> bool:
    """Tell whether `kind` names a register type, such as ``float32`` or ``string12``."""
    return kind in {"bool", "bit"} or kind in NUMBER_FORMATS or text_length(kind) > 0


@lru_cache(maxsize=1024)
def register_count(kind: str) -> int:
    """Return how many registers (or bits of a coil table) a value of type `kind` takes.

    Raises
    ------
    CodecError
        `kind` is no register type.
    """
    if kind in NUMBER_FORMATS:
        return NUMBER_FORMATS[kind][1]
    if kind in {"bool", "bit"}:
        return 1
    length = text_length(kind)
    if not length:
        raise CodecError(f"unknown register type '{kind}'")
    return (length + 1) // 2


def raw_range(kind: str) -> tuple[float, float]:
    """Return the smallest and the largest raw value of a type; infinite for floats, 0 and 1 for bits."""
    if kind not in NUMBER_FORMATS:
        return 0.0, 1.0
    if kind.startswith("float"):
        return -math.inf, math.inf
    bits = 16 * NUMBER_FORMATS[kind][1]
    return (0.0, 2.0**bits - 1.0) if kind.startswith("u") else (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1.0)


def _switches(order: str) -> tuple[bool, bool]:
    """Return (words reversed, bytes swapped)."""
    if order not in ORDERS:
        raise CodecError(f"unknown order '{order}', one of {', '.join(ORDERS)}")
    return order in {"CDAB", "DCBA"}, order in {"BADC", "DCBA"}


def _to_bytes(words: Sequence[int], reverse: bool, swap: bool) -> bytes:
    ordered = reversed(words) if reverse else words
    try:
        return struct.pack(f"{'<' if swap else '>'}{len(words)}H", *ordered)
    except struct.error as error:
        raise CodecError(f"registers {list(words)} are not all within 0..65535") from error


def _to_words(data: bytes, reverse: bool, swap: bool) -> list[int]:
    words = list(struct.unpack(f"{'<' if swap else '>'}{len(data) // 2}H", data))
    return words[::-1] if reverse else words


def decode(words: Sequence[int], kind: str, order: str = "ABCD", bit: int = 0) -> bool | int | float | str:
    """Turn registers into the raw value they hold.

    Parameters
    ----------
    words : sequence of int
        Registers as they came, exactly ``register_count(kind)`` of them.
    kind : str
        bool, bit, int16, uint16, int32, uint32, int64, uint64, float32, float64 or stringN.
    order : str
        ABCD, CDAB, BADC or DCBA.
    bit : int
        For ``bit``: which one, 0 the least significant.

    Returns
    -------
    bool, int, float or str
        Integers are exact; strings lose the zero bytes that pad them.

    Raises
    ------
    CodecError
        Wrong number of registers, type, order or bit.
    """
    count = register_count(kind)
    if len(words) != count:
        raise CodecError(f"{kind} takes {count} registers, not {len(words)}")
    reverse, swap = _switches(order)
    if kind in NUMBER_FORMATS:
        letter, _ = NUMBER_FORMATS[kind]
        number: int | float = struct.unpack(f">{letter}", _to_bytes(words, reverse, swap))[0]
        return number
    data = _to_bytes(words, False, swap)
    if kind == "bool":
        return data != b"\0\0"
    if kind == "bit":
        return bool(int.from_bytes(data, "big") >> _checked_bit(bit) & 1)
    return data[: text_length(kind)].rstrip(b"\0").decode("latin-1")


def encode(value: bool | int | float | str, kind: str, order: str = "ABCD", bit: int = 0) -> list[int]:
    """Turn a raw value into registers, the inverse of :func:`decode`.

    Raises
    ------
    CodecError
        The value does not fit the type: out of range, a fraction for an integer, a long or non-Latin-1 string.
    """
    count = register_count(kind)
    reverse, swap = _switches(order)
    if kind in NUMBER_FORMATS:
        return _to_words(_number_bytes(value, kind), reverse, swap)
    if kind == "bool":
        return [int(bool(value))]
    if kind == "bit":
        return _to_words((int(bool(value)) << _checked_bit(bit)).to_bytes(2, "big"), False, swap)
    try:
        data = str(value).encode("latin-1")
    except UnicodeEncodeError as error:
        raise CodecError(f"'{value}' has characters outside Latin-1") from error
    if len(data) > text_length(kind):
        raise CodecError(f"'{value}' is longer than {kind}")
    return _to_words(data.ljust(2 * count, b"\0"), False, swap)


def _checked_bit(bit: int) -> int:
    if not 0 <= bit <= 15:
        raise CodecError(f"bit {bit} is not within 0..15")
    return bit


def _number_bytes(value: bool | int | float | str, kind: str) -> bytes:
    if isinstance(value, str):
        raise CodecError(f"'{value}' is text, not {kind}")
    letter, _ = NUMBER_FORMATS[kind]
    if letter not in "fd" and isinstance(value, float):
        if not value.is_integer():
            raise CodecError(f"{value} is no whole number, {kind} wants one")
        value = int(value)
    try:
        return struct.pack(f">{letter}", value)
    except (struct.error, OverflowError) as error:
        raise CodecError(f"{value} does not fit {kind}") from error


def pattern_value(pattern: int, kind: str) -> float:
    """Return the raw value whose bits are `pattern`: 0x8000 is -32768 as int16 and 32768 as uint16.

    Raises
    ------
    CodecError
        The pattern has more bits than the type, or the type is no number.
    """
    if kind not in NUMBER_FORMATS:
        raise CodecError(f"{kind} has no bit pattern")
    letter, count = NUMBER_FORMATS[kind]
    try:
        data = pattern.to_bytes(2 * count, "big")
    except OverflowError as error:
        raise CodecError(f"{pattern:#x} has more bits than {kind}") from error
    return float(struct.unpack(f">{letter}", data)[0])
