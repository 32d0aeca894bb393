"""Cells of an alarm table, as text, to values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields

from scada.alarms.alarm import KINDS, Alarm
from scada.tagcells import plain_text, read_number

__all__ = ["COLUMNS", "REQUIRED", "cell_text", "read_row"]

_FIELDS = {field.name: field for field in fields(Alarm)}
COLUMNS = tuple(_FIELDS)
REQUIRED = tuple(name for name, field in _FIELDS.items() if field.default is MISSING)
_NUMBERS = {"limit", "deadband", "on_delay_s", "off_delay_s", "window_s", "max_shelve_h"}
_WORDS = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False, "так": True, "ні": False}
_KIND_OF = {kind.casefold(): kind for kind in KINDS}

Cell = str | float | bool | tuple[str, ...]


def read_row(cells: Mapping[str, str], comma: bool) -> tuple[Alarm, list[tuple[str, str]]]:
    """Make an alarm of a row's cells.

    Parameters
    ----------
    cells : mapping of str to str
        Text by column, stripped; an empty one means the default.
    comma : bool
        Whether numbers have a decimal comma.

    Returns
    -------
    alarm : Alarm
        With defaults where a cell could not be read.
    mistakes : list of (str, str)
        What is wrong with a cell, and how to mend it.
    """
    values: dict[str, Cell] = {}
    mistakes: list[tuple[str, str]] = []
    for name, text in cells.items():
        if not text and name not in REQUIRED:
            continue
        try:
            values[name] = _value(name, text, comma)
        except ValueError as error:
            what, _, mend = str(error).partition("; ")
            mistakes.append((what, mend))
    return Alarm(**values), mistakes  # type: ignore[arg-type] # each cell was read by its column's own rule


def _value(name: str, text: str, comma: bool) -> Cell:
    if name in _NUMBERS:
        return read_number(name, text, comma)
    if name == "latching":
        if text.casefold() not in _WORDS:
            raise ValueError(f"latching '{text}' is neither yes nor no; write one of them")
        return _WORDS[text.casefold()]
    if name == "suppressed_by":
        return tuple(part.strip() for part in text.split("|") if part.strip())
    if name == "kind":
        return _KIND_OF.get(text.casefold(), text)
    return text.lower() if name == "priority" else text


def cell_text(alarm: Alarm, name: str) -> str:
    """Return the text of one cell of an alarm; empty where it holds the default."""
    value, default = getattr(alarm, name), _FIELDS[name].default
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float) and math.isnan(value):
        return ""
    return plain_text(value, default)
