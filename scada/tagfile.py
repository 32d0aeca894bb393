"""The CSV form of a tag table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

from scada.address import TABLES, modicon_address, wire_address
from scada.codec import NUMBER_FORMATS, pattern_value
from scada.errors import CodecError, TagError
from scada.tag import Tag

__all__ = ["COLUMNS", "ParsedTags", "format_tags", "parse_tags"]

_FIELDS = {field.name: field for field in fields(Tag)}
COLUMNS = tuple(_FIELDS)
_REQUIRED = tuple(name for name, field in _FIELDS.items() if field.default is MISSING)
_NUMBERS = {"scale", "offset", "interval_s", "min", "max", "wrap", "deadband"}

_Cell = str | int | float | tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class ParsedTags:
    """The rows of a tag file.

    Attributes
    ----------
    tags : list of Tag
        Rows whose cells could all be read; what they say is not checked.
    lines : list of int
        Their lines in the file.
    broken : list of (int, Tag)
        Line and tag of the other rows, with defaults for the cells that could not be read.
    errors : list of TagError
        The cells that could not be read.
    """

    tags: list[Tag]
    lines: list[int]
    broken: list[tuple[int, Tag]]
    errors: list[TagError]


def parse_tags(path: Path, addressing: str) -> ParsedTags:
    """Read the rows of a tag file.

    Parameters
    ----------
    path : Path
    addressing : {'wire', 'modicon'}
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        return ParsedTags([], [], [], [TagError(str(path), 0, f"cannot be read: {error.strerror}", "check the path")])
    except UnicodeDecodeError:
        return ParsedTags([], [], [], [TagError(str(path), 0, "is not UTF-8 text", "save it as CSV UTF-8")])
    if addressing not in {"wire", "modicon"}:
        return ParsedTags(
            [], [], [], [TagError(str(path), 0, f"addressing '{addressing}' is unknown", "use wire or modicon")]
        )
    header = text.partition("\n")[0]
    # spreadsheets of most of Europe write ; between cells and a comma in numbers
    semicolons = header.count(";") > header.count(",")
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if semicolons else ",", restkey="")
    errors = _header_mistakes(str(path), [name.strip() for name in rows.fieldnames or ()])
    if errors:
        return ParsedTags([], [], [], errors)
    rows.fieldnames = [name.strip() for name in rows.fieldnames or ()]
    parsed = ParsedTags([], [], [], [])
    for row in rows:
        line = rows.line_num
        if row.pop("", None):
            what, mend = "the row has more cells than the header", "quote the cell with the separator in it"
            parsed.errors.append(TagError(str(path), line, what, mend))
        cells = {name: (text or "").strip() for name, text in row.items()}
        values, mistakes = _row(cells, addressing, semicolons)
        tag = Tag(**values)  # type: ignore[arg-type] # each cell was read by its column's own reader
        parsed.errors.extend(TagError(str(path), line, what, mend) for what, mend in mistakes)
        if mistakes:
            parsed.broken.append((line, tag))
        else:
            parsed.tags.append(tag)
            parsed.lines.append(line)
    return parsed


def _header_mistakes(file: str, names: list[str]) -> list[TagError]:
    errors = [TagError(file, 1, f"column '{name}' is missing", "add it") for name in _REQUIRED if name not in names]
    known = ", ".join(COLUMNS)
    errors += [
        TagError(file, 1, f"column '{name}' is unknown", f"use {known}") for name in names if name not in COLUMNS
    ]
    errors += [
        TagError(file, 1, f"column '{name}' comes twice", "remove one") for name in set(names) if names.count(name) > 1
    ]
    return errors


def _row(cells: dict[str, str], addressing: str, comma: bool) -> tuple[dict[str, _Cell], list[tuple[str, str]]]:
    """Return the required cells and those that are not empty as values, and the mistakes in them."""
    values: dict[str, _Cell] = {}
    mistakes: list[tuple[str, str]] = []
    for name, text in cells.items():
        if not text and name not in _REQUIRED:
            continue
        try:
            values[name] = _cell(name, text, cells, addressing, comma)
        except ValueError as error:
            what, _, mend = str(error).partition("; ")
            mistakes.append((what, mend))
            if name == "address":
                values[name] = 0
    return values, mistakes


def _cell(name: str, text: str, cells: dict[str, str], addressing: str, comma: bool) -> _Cell:
    if name == "address":
        if addressing == "modicon" and cells.get("table") in TABLES:
            return modicon_address(text, cells["table"])
        return wire_address(text) if addressing == "wire" else 0
    if name == "bit":
        if not text.isdecimal():
            raise ValueError(f"bit '{text}' is no whole number; use 0 (least significant) to 15")
        return int(text)
    if name == "bad_values":
        return tuple(_bad_value(part.strip(), cells.get("type", ""), comma) for part in text.split("|") if part.strip())
    if name in _NUMBERS:
        return _number(name, text, comma)
    return text


def _number(name: str, text: str, comma: bool) -> float:
    try:
        number = float(text.replace(",", ".") if comma else text)
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
    number = _number("bad_values", text, comma)
    if kind in NUMBER_FORMATS and not kind.startswith("float") and not number.is_integer():
        raise ValueError(f"bad value '{text}' is a raw value, type {kind} holds whole numbers; write the raw value")
    return number


def format_tags(tags: Iterable[Tag]) -> str:
    """Return the CSV text of `tags`; cells that hold the default are left empty, addresses are the wire's."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for tag in tags:
        writer.writerow([_text(getattr(tag, name), field.default) for name, field in _FIELDS.items()])
    return out.getvalue()


def _text(value: _Cell, default: object) -> str:
    if value is None or value == default:
        return ""
    if isinstance(value, tuple):
        return "|".join(_text(part, None) for part in value)
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
