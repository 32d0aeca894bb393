"""Alarm tables as files: CSV from any spreadsheet, or TOML.

::

    [defaults]                  # optional: what alarms have in common
    priority = "low"
    [[alarms]]
    tag = "tank-1.level"
    kind = "L"
    limit = 1.2
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scada.alarms.alarm import Alarm
from scada.alarms.cells import COLUMNS, REQUIRED, cell_text, read_row
from scada.errors import TagError
from scada.tablerows import csv_rows, header_lines, toml_document
from scada.tagtext import read_text
from scada.tagtoml import as_text, quoted

__all__ = ["ParsedAlarms", "format_csv", "format_toml", "parse_alarms"]


@dataclass(slots=True)
class ParsedAlarms:
    """The rows of an alarm file.

    Attributes
    ----------
    alarms : list of Alarm
        Rows whose cells could all be read; what they say is not checked.
    lines : list of int
        Their lines in the file.
    broken : list of Alarm
        The other rows, with defaults for the cells that could not be read.
    errors : list of TagError
        The cells that could not be read, and what is wrong with the file.
    """

    alarms: list[Alarm] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    broken: list[Alarm] = field(default_factory=list)
    errors: list[TagError] = field(default_factory=list)

    def take(self, file: str, line: int, cells: Mapping[str, str], comma: bool) -> None:
        """Add a row."""
        alarm, mistakes = read_row(cells, comma)
        if mistakes:
            self.errors.extend(TagError(file, line, what, mend) for what, mend in mistakes)
            self.broken.append(alarm)
        else:
            self.alarms.append(alarm)
            self.lines.append(line)


def parse_alarms(path: Path) -> ParsedAlarms:
    """Read the rows of an alarm file; one that ends in ``.toml`` is TOML, any other CSV."""
    text, errors = read_text(path)
    if text is None:
        return ParsedAlarms(errors=errors)
    if path.suffix.lower() == ".toml":
        parsed = _parse_toml(str(path), text.text)
    else:
        found = csv_rows(str(path), text, COLUMNS, REQUIRED)
        parsed = ParsedAlarms(errors=found.errors)
        for line, cells in found.rows:
            parsed.take(str(path), line, cells, text.has_comma)
    parsed.errors[:0] = errors
    return parsed


def _parse_toml(file: str, text: str) -> ParsedAlarms:
    document, errors = toml_document(file, text)
    parsed = ParsedAlarms(errors=errors)
    if errors:
        return parsed
    for key in sorted(document.keys() - {"defaults", "alarms"}):
        parsed.errors.append(TagError(file, 0, f"'{key}' is unknown", "use defaults and [[alarms]]"))
    defaults, rows = document.get("defaults", {}), document.get("alarms", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not isinstance(defaults, dict):
        mend = "write [[alarms]] before each, and one [defaults]"
        parsed.errors.append(TagError(file, 0, "alarms are no tables", mend))
    if parsed.errors:
        return parsed
    for row, line in zip(rows, header_lines(text, "alarms", len(rows)), strict=True):
        _take(parsed, file, line, {**defaults, **row})
    return parsed


def _take(parsed: ParsedAlarms, file: str, line: int, row: Mapping[str, object]) -> None:
    mistakes: list[tuple[str, str]] = []
    cells: dict[str, str] = {}
    for key, value in row.items():
        text = ("yes" if value else "no") if isinstance(value, bool) and key == "latching" else as_text(value)
        if key not in COLUMNS:
            mistakes.append((f"key '{key}' is unknown", f"use {', '.join(COLUMNS)}"))
        elif text is None:
            mistakes.append((f"{key} is a {type(value).__name__}", "write a string or a number"))
        else:
            cells[key] = text.strip()
    mistakes += [(f"key '{key}' is missing", "add it") for key in REQUIRED if key not in row]
    parsed.errors.extend(TagError(file, line, what, mend) for what, mend in mistakes)
    if not mistakes:
        parsed.take(file, line, cells, False)


def format_csv(alarms: Iterable[Alarm]) -> str:
    """Return the CSV text of alarms; cells that hold the default are left empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for alarm in alarms:
        writer.writerow([cell_text(alarm, name) for name in COLUMNS])
    return out.getvalue()


def format_toml(alarms: Iterable[Alarm]) -> str:
    """Return the TOML text of alarms; what holds the default is left out."""
    parts = []
    for alarm in alarms:
        lines = ["[[alarms]]"]
        for name in COLUMNS:
            text = cell_text(alarm, name)
            if not text and name not in REQUIRED:
                continue
            value = getattr(alarm, name)
            if isinstance(value, bool):
                text = "true"
            elif isinstance(value, tuple):
                text = f"[{', '.join(quoted(part) for part in value)}]"
            elif isinstance(value, str):
                text = quoted(text)
            lines.append(f"{name} = {text}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)
