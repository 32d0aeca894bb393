"""Tag tables as files: CSV from any spreadsheet, or TOML."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from scada.address import ADDRESSINGS
from scada.errors import TagError
from scada.tablerows import csv_rows
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
    found = csv_rows(file, text, COLUMNS, REQUIRED)
    parsed = ParsedTags(errors=found.errors)
    for line, cells in found.rows:
        parsed.take(file, line, cells, addressing, text.has_comma)
    return parsed


def format_tags(tags: Iterable[Tag]) -> str:
    """Return the CSV text of `tags`; cells that hold the default are left empty, addresses are the wire's."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for tag in tags:
        writer.writerow([cell_text(tag, name) for name in COLUMNS])
    return out.getvalue()
