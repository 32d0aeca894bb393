"""Rows of a table in a file, CSV or TOML, as text by column, each with its line."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from scada.errors import TagError
from scada.tagtext import TableText

__all__ = ["Rows", "csv_rows", "header_lines", "toml_document"]

_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)")


@dataclass(slots=True)
class Rows:
    """What a file holds.

    Attributes
    ----------
    rows : list of (int, dict of str to str)
        Line and cells of each row; cells are stripped, a missing one is empty.
    errors : list of TagError
        What is wrong with the file itself.
    """

    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    errors: list[TagError] = field(default_factory=list)


def csv_rows(file: str, text: TableText, columns: Sequence[str], required: Collection[str]) -> Rows:
    """Read the rows of a CSV; one whose header is wrong has none.

    Parameters
    ----------
    file : str
        Named in the errors.
    text : TableText
    columns : sequence of str
        Those that are known, in lower case.
    required : collection of str
        Those it cannot do without.
    """
    found = Rows()
    reader = csv.reader(io.StringIO(text.body, newline=""), delimiter=text.delimiter)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        while names and not names[-1]:  # spreadsheets write empty columns at the right
            names.pop()
        found.errors.extend(_header_mistakes(file, names, text.first_line, columns, required))
        if found.errors:
            return found
        before = reader.line_num
        for row in reader:
            line, before = text.first_line + before, reader.line_num
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if any(cells[len(names) :]):
                what, mend = "the row has more cells than the header", "quote the cell with the separator in it"
                found.errors.append(TagError(file, line, what, mend))
            cells += [""] * (len(names) - len(cells))
            found.rows.append((line, dict(zip(names, cells, strict=False))))
    except csv.Error as error:
        line = text.first_line + reader.line_num - 1
        found.errors.append(TagError(file, line, f"is no CSV: {error}", "look for a quote that is not closed"))
    return found


def _header_mistakes(
    file: str, names: list[str], line: int, columns: Sequence[str], required: Collection[str]
) -> list[TagError]:
    known = ", ".join(columns)
    errors = [TagError(file, line, f"column '{name}' is missing", "add it") for name in required if name not in names]
    errors += [
        TagError(file, line, f"column '{name}' is unknown", f"use {known}") for name in names if name not in columns
    ]
    twice = sorted({name for name in names if names.count(name) > 1})
    return errors + [TagError(file, line, f"column '{name}' comes twice", "remove one") for name in twice]


def toml_document(file: str, text: str) -> tuple[dict[str, Any], list[TagError]]:
    """Return the tables of a TOML text, or why it is none."""
    try:
        return tomllib.loads(text), []
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = _AT_LINE.search(str(error))
        what = _AT_LINE.sub("", str(error)) or "is nested too deep"
        return {}, [TagError(file, int(at.group(1)) if at else 0, f"is no TOML: {what}", "mend it")]


def header_lines(text: str, key: str, count: int) -> list[int]:
    """Return the line of each ``[[key]]``; zeros where they are written in another way."""
    header = re.compile(rf"^[ \t]*\[\[[ \t]*{key}[ \t]*\]\]", re.MULTILINE)
    lines: list[int] = []
    line, seen = 1, 0
    for match in header.finditer(text):
        line += text.count("\n", seen, match.start())
        seen = match.start()
        lines.append(line)
    return lines if len(lines) == count else [0] * count
