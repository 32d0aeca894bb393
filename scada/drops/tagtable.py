"""Tags that no register holds: what loggers and other systems measure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from scada.errors import TagError, TagErrors
from scada.tag import Tag, TagTable
from scada.tagcells import COLUMNS, cell_text, read_row
from scada.tagcheck import check_tag
from scada.tagtext import read_text

__all__ = ["format_logger_tags", "logger_tag", "read_logger_tags"]

_KEPT = ("name", "element", "quantity", "unit", "interval_s", "min", "max", "bad_values", "text_uk", "text_en")
_WIRE = {"device": "logger", "table": "input", "address": "0", "type": "float64"}


def logger_tag(name: str, quantity: str, unit: str, element: str = "", interval_s: float = 900.0) -> Tag:
    """Make a tag that no register holds."""
    return Tag(
        name, _WIRE["device"], _WIRE["table"], 0, _WIRE["type"], unit=unit, interval_s=interval_s, element=element,
        quantity=quantity,
    )  # fmt: skip


def format_logger_tags(tags: Iterable[Tag]) -> str:
    """Return the CSV of `tags` that :func:`read_logger_tags` reads back equal, without the wire's columns."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_KEPT)
    writer.writerows([cell_text(tag, name) for name in _KEPT] for tag in tags)
    return out.getvalue()


def read_logger_tags(path: Path) -> TagTable:
    """Read a table of tags that are delivered, not polled.

    Parameters
    ----------
    path : Path
        CSV as a tag table has it; ``name`` alone is needed, and what only concerns registers may be left out.

    Raises
    ------
    TagErrors
        With every mistake in the file: line, what, how to mend.
    """
    text, errors = read_text(path)
    if text is None:
        raise TagErrors(errors)
    file = str(path)
    found: dict[str, Tag] = {}
    errors = [error for error in errors if error.severity == "error"]
    rows = csv.reader(io.StringIO(text.body, newline=""), delimiter=text.delimiter)
    names = [name.strip().lower() for name in next(rows, [])]
    if "name" not in names:
        errors.append(TagError(file, text.first_line, "column 'name' is missing", "add it"))
    unknown = [name for name in names if name and name not in COLUMNS]
    errors += [
        TagError(file, text.first_line, f"column '{n}' is unknown", f"use {', '.join(COLUMNS)}") for n in unknown
    ]
    if errors:
        raise TagErrors(errors)
    for row in rows:
        cells = {name: cell.strip() for name, cell in zip(names, row, strict=False) if name}
        if not any(cells.values()):
            continue
        line = text.first_line + rows.line_num - 1
        given = {name: cell for name, cell in cells.items() if cell}
        tag, mistakes = read_row({**_WIRE, "name": "", **given}, "wire", text.has_comma)
        problems = [*mistakes, *(finding[:2] for finding in check_tag(tag) if finding[2] == "error")]
        if tag.name in found:
            problems.append((f"tag {tag.name} comes twice", "rename one"))
        errors += [TagError(file, line, what, mend) for what, mend in problems]
        found[tag.name] = tag
    if errors:
        raise TagErrors(errors)
    return TagTable(tuple(found.values()))
