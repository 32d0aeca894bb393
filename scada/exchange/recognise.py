"""Which program a table comes from, and its rows when it is a CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from scada.address import read_table
from scada.errors import TagError, TagErrors
from scada.exchange.found import Imported, ImportOptions, plain_name
from scada.exchange.ignition import ignition_rows, import_ignition
from scada.exchange.telegraf import FieldRow, import_telegraf, take_field
from scada.tagtext import TableText, read_text

__all__ = ["FORMATS", "import_tags"]

FORMATS = ("telegraf", "ignition")
_NUMBERS = re.compile(r"[\[\]\s,;|]+")


def import_tags(path: Path, options: ImportOptions, kind: str | None = None) -> Imported:
    """Read the table of another program.

    Parameters
    ----------
    path : Path
        Telegraf's TOML (``.toml``, ``.conf``), Ignition's JSON, or a CSV with the columns of either.
    options : ImportOptions
    kind : {'telegraf', 'ignition'}, optional
        Recognised by itself where not given.

    Raises
    ------
    TagErrors
        The file cannot be read, or is neither.
    """
    text, errors = read_text(path)
    if text is None:
        raise TagErrors(errors)
    names = _names(text)
    is_csv = "opcitempath" in names or ("address" in names and "name" in names)
    kind = kind or _recognised(path, text.text, names)
    if kind is None:
        what = "is no table of Telegraf (address, name, type or data_type) nor of Ignition (OPCItemPath)"
        raise TagErrors([TagError(str(path), 1, what, "look at its header, or name the program with --format")])
    if not is_csv:
        found = (import_telegraf if kind == "telegraf" else import_ignition)(str(path), text.text, options)
    else:
        found = Imported(str(path))
        rows = _rows(found, text, names)
        if kind == "telegraf":
            _telegraf_rows(found, rows, options)
        else:
            ignition_rows(found, rows, options)
    found.findings[:0] = errors
    found.findings.sort(key=lambda finding: finding.line)
    return found


def _names(text: TableText) -> list[str]:
    try:
        header = next(csv.reader(io.StringIO(text.body), delimiter=text.delimiter), [])
    except csv.Error:
        return []
    return [name.strip().lower() for name in header]


def _recognised(path: Path, text: str, names: list[str]) -> str | None:
    if "opcitempath" in names or (path.suffix.lower() == ".json" and "opcItemPath" in text):
        return "ignition"
    if "inputs.modbus" in text or ("address" in names and ("data_type" in names or "type" in names)):
        return "telegraf"
    return None


def _rows(found: Imported, text: TableText, names: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text.body, newline=""), delimiter=text.delimiter)
    try:
        next(reader, None)
        before = reader.line_num
        for row in reader:
            line, before = text.first_line + before, reader.line_num
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield line, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        found.refuse(reader.line_num, f"is no CSV: {error}", "look for a quote that is not closed")


def _telegraf_rows(found: Imported, rows: Iterator[tuple[int, dict[str, str]]], options: ImportOptions) -> None:
    """Take rows whose columns are named as the keys of Telegraf's fields."""
    if options.interval_s is None:
        found.warn(0, "says no interval", "60 s is taken; give --interval for another")
    seen: dict[str, int] = {}
    for line, row in rows:
        device = row.get("device", "") or options.device or ""
        if not device:
            found.refuse(line, f"{row.get('name', '')}: no device is named", "add a column device, or give --device")
            continue
        table = read_table(row.get("register", "") or "holding")
        if table not in {"coil", "discrete", "holding", "input"}:
            found.refuse(line, f"register '{table}' is unknown", "use coil, discrete, holding or input")
            continue
        style = "register" if "data_type" in row else "metric"
        values: dict[str, object] = {key: cell for key, cell in row.items() if cell}
        for key in ("address", "scale", "bit", "length"):
            if key in values:
                values[key] = _parsed(key, str(values[key]))
        values["omit"] = str(values.get("omit", "")).lower() in {"true", "1", "yes"}
        count = len(found.tags)
        order, measurement = row.get("byte_order", ""), row.get("measurement", "")
        interval_s = options.interval_s or 60.0
        take_field(found, FieldRow(line, plain_name(device), table, style, order, values, interval_s, measurement))
        if len(found.tags) > count and (first := seen.setdefault(found.tags[-1].name, line)) != line:
            found.refuse(line, f"{found.tags[-1].name} is already on line {first}", "rename one")
            del found.tags[-1], found.lines[-1]


def _parsed(key: str, text: str) -> object:
    """Return a cell as the TOML would have it; text that is no number stays, to be told as wrong."""
    try:
        if key == "address":
            parts = [int(part) for part in _NUMBERS.split(text) if part]
            return parts if len(parts) != 1 or "[" in text else parts[0]
        return float(text.replace(",", ".")) if key == "scale" else int(text)
    except ValueError:
        return text
