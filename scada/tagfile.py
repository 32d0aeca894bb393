"""Tag tables as files: CSV from any spreadsheet, or TOML."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from scada.address import ADDRESSINGS
from scada.errors import TagError
from scada.tag import Tag
from scada.tagcells import COLUMNS, REQUIRED, cell_text, read_row
from scada.tagtext import TableText, read_text

__all__ = ["COLUMNS", "ParsedTags", "format_tags", "parse_tags"]


@dataclass(slots=True)
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
        The cells that could not be read, and what is wrong with the file.
    """

    tags: list[Tag] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    broken: list[tuple[int, Tag]] = field(default_factory=list)
    errors: list[TagError] = field(default_factory=list)

    def take(self, file: str, line: int, cells: dict[str, str], addressing: str, comma: bool) -> None:
        """Add a row."""
        tag, mistakes = read_row(cells, addressing, comma)
        if mistakes:
            self.errors.extend(TagError(file, line, what, mend) for what, mend in mistakes)
            self.broken.append((line, tag))
        else:
            self.tags.append(tag)
            self.lines.append(line)


def parse_tags(path: Path, addressing: str) -> ParsedTags:
    """Read the rows of a tag file; one that ends in ``.toml`` is TOML, any other CSV.

    Parameters
    ----------
    path : Path
    addressing : {'wire', 'document', 'modicon'}
        How the file's addresses are written; what a TOML file states itself goes first.
    """
    from scada.tagtoml import parse_toml  # it makes ParsedTags

    if addressing not in ADDRESSINGS:
        mend = f"use one of {', '.join(ADDRESSINGS)}"
        return ParsedTags(errors=[TagError(str(path), 0, f"addressing '{addressing}' is unknown", mend)])
    text, errors = read_text(path)
    if text is None:
        return ParsedTags(errors=errors)
    parsed = parse_toml(path, text.text, addressing) if path.suffix.lower() == ".toml" else None
    if parsed is None:
        parsed = _parse_csv(str(path), text, addressing)
    parsed.errors[:0] = errors
    return parsed


def _parse_csv(file: str, text: TableText, addressing: str) -> ParsedTags:
    parsed = ParsedTags()
    rows = csv.reader(io.StringIO(text.body, newline=""), delimiter=text.delimiter)
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        while names and not names[-1]:  # spreadsheets write empty columns at the right
            names.pop()
        parsed.errors.extend(_header_mistakes(file, names, text.first_line))
        if parsed.errors:
            return parsed
        before = rows.line_num
        for row in rows:
            line, before = text.first_line + before, rows.line_num
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if any(cells[len(names) :]):
                what, mend = "the row has more cells than the header", "quote the cell with the separator in it"
                parsed.errors.append(TagError(file, line, what, mend))
            cells += [""] * (len(names) - len(cells))
            parsed.take(file, line, dict(zip(names, cells, strict=False)), addressing, text.has_comma)
    except csv.Error as error:
        line = text.first_line + rows.line_num - 1
        parsed.errors.append(TagError(file, line, f"is no CSV: {error}", "look for a quote that is not closed"))
    return parsed


def _header_mistakes(file: str, names: list[str], line: int) -> list[TagError]:
    known = ", ".join(COLUMNS)
    errors = [TagError(file, line, f"column '{name}' is missing", "add it") for name in REQUIRED if name not in names]
    errors += [
        TagError(file, line, f"column '{name}' is unknown", f"use {known}") for name in names if name not in COLUMNS
    ]
    twice = sorted({name for name in names if names.count(name) > 1})
    return errors + [TagError(file, line, f"column '{name}' comes twice", "remove one") for name in twice]


def format_tags(tags: Iterable[Tag]) -> str:
    """Return the CSV text of `tags`; cells that hold the default are left empty, addresses are the wire's."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for tag in tags:
        writer.writerow([cell_text(tag, name) for name in COLUMNS])
    return out.getvalue()
