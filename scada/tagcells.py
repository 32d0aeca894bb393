"""Cells of a tag table, as text, to values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import lru_cache

from scada.address import TABLES, read_address, read_table
from scada.codec import NUMBER_FORMATS, pattern_value
from scada.errors import CodecError
from scada.quantity import known_unit
from scada.tag import Tag

__all__ = ["COLUMNS", "REQUIRED", "Cell", "cell_text", "plain_text", "read_number", "read_row"]

_FIELDS = {field.name: field for field in fields(Tag)}
COLUMNS = tuple(_FIELDS)
REQUIRED = tuple(name for name, field in _FIELDS.items() if field.default is MISSING)
_NUMBERS = {"scale", "offset", "interval_s", "min", "max", "wrap", "deadband"}
_WORDS = {"type", "quantity"}

Cell = str | int | float | tuple[float, ...] | None
Mistake = tuple[str, str]


def read_row(cells: Mapping[str, str], addressing: str, comma: bool) -> tuple[Tag, list[Mistake]]:
    """Make a tag of a row's cells.

    Parameters
    ----------
    cells : mapping of str to str
        Text by column, stripped; an empty one means the default.
    addressing : {'wire', 'document', 'modicon'}
    comma : bool
        Whether numbers have a decimal comma.

    Returns
    -------
    tag : Tag
        With defaults where a cell could not be read.
    mistakes : list of (str, str)
        What is wrong with a cell, and how to mend it.
    """
    values: dict[str, Cell] = {"address": 0}
    mistakes: list[Mistake] = []
    for name, text in cells.items():
        if not text and name not in REQUIRED:
            continue
        try:
            reader = _READERS.get(name)
            values[name] = text if reader is None else reader(name, text, cells, addressing, comma)
        except ValueError as error:
            what, _, mend = str(error).partition("; ")
            mistakes.append((what, mend))
    return Tag(**values), mistakes  # type: ignore[arg-type] # each cell was read by its column's own reader


def _address(name: str, text: str, cells: Mapping[str, str], addressing: str, comma: bool) -> Cell:
    table = read_table(cells.get("table", ""))
    if addressing == "modicon" and table not in TABLES:
        return 0  # the table is told as wrong; what the address means hangs on it
    return read_address(text, table, addressing)


def _table(name: str, text: str, cells: Mapping[str, str], addressing: str, comma: bool) -> Cell:
    return read_table(text)


def _word(name: str, text: str, cells: Mapping[str, str], addressing: str, comma: bool) -> Cell:
    return text.lower()


def _order(name: str, text: str, cells: Mapping[str, str], addressing: str, comma: bool) -> Cell:
    return text.upper()


def _unit(name: str, text: str, cells: Mapping[str, str], addressing: str, comma: bool) -> Cell:
    return _known_unit(text)


_known_unit = lru_cache(maxsize=1024)(known_unit)


def _bit(name: str, text: str, cells: Mapping[str, str], addressing: str, comma: bool) -> Cell:
    if not (text.isascii() and text.isdecimal() and len(text) < 4):
        raise ValueError(f"bit '{text}' is no whole number; use 0 (least significant) to 15")
    return int(text)


def _number(name: str, text: str, cells: Mapping[str, str], addressing: str, comma: bool) -> Cell:
    return read_number(name, text, comma)


def _bad_values(name: str, text: str, cells: Mapping[str, str], addressing: str, comma: bool) -> Cell:
    kind = cells.get("type", "").lower()
    return tuple(_bad_value(part.strip(), kind, comma) for part in text.split("|") if part.strip())


_Reader = Callable[[str, str, Mapping[str, str], str, bool], Cell]
_READERS: dict[str, _Reader] = {
    "address": _address,
    "table": _table,
    "order": _order,
    "bit": _bit,
    "unit": _unit,
    "bad_values": _bad_values,
    **dict.fromkeys(_NUMBERS, _number),
    **dict.fromkeys(_WORDS, _word),
}


def read_number(name: str, text: str, comma: bool) -> float:
    """Read a number as people write it; the text of a ValueError has what is wrong, a semicolon, and how to mend it."""
    plain = text.replace(" ", "").replace("\u00a0", "").replace("\u202f", "")
    if comma:
        plain = plain.replace(",", ".")
    try:
        number = float("x" if "_" in plain else plain)  # Python alone takes 1_000
    except ValueError:
        raise ValueError(f"{name} '{text}' is no number; write it like {'0,1' if comma else '0.1'}") from None
    if math.isnan(number):
        raise ValueError(f"{name} is NaN; leave the cell empty for the default")
    return number


def _bad_value(text: str, kind: str, comma: bool) -> float:
    """Read one raw value; hexadecimal is a bit pattern, so that 0x8000 is -32768 for int16."""
    if text.lower().startswith("0x"):
        try:
            return pattern_value(int(text, 16), kind)
        except (ValueError, CodecError) as error:
            raise ValueError(f"bad value '{text}' does not fit type {kind}: {error}; mend one of them") from error
    if text.lower() == "nan":
        return math.nan
    number = read_number("bad_values", text, comma)
    if kind in NUMBER_FORMATS and not kind.startswith("float") and not number.is_integer():
        raise ValueError(f"bad value '{text}' is a raw value, type {kind} holds whole numbers; write the raw value")
    return number


def cell_text(tag: Tag, name: str) -> str:
    """Return the text of one cell of a tag; empty where it holds the default."""
    return plain_text(getattr(tag, name), _FIELDS[name].default)


def plain_text(value: Cell, default: object) -> str:
    """Return the text of a value; empty where it is the default."""
    if value is None or value == default:
        return ""
    if isinstance(value, tuple):
        return "|".join(plain_text(part, None) for part in value)
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
