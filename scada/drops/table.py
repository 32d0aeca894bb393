"""A table of cells: what a file or a query gives before anything is believed of it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scada.drops.distinct import codes
from scada.drops.finding import Finding
from scada.drops.plain import PlainBody
from scada.drops.profile import Profile
from scada.drops.stamps import looks_like_time
from scada.errors import DropError
from scada.quantity import UNITS, known_unit

__all__ = ["Cell", "Table", "read_table"]

Cell = Any  # text; from databases and workbooks also numbers, times and None
_DELIMITERS = ";\t|,"
_LOOKED_AT = 200  # lines by which a file is recognised
_KNOWN_UNITS = {unit for units in UNITS.values() if units for unit in units}


@dataclass(slots=True)
class Table:
    """Rows of equal length under names.

    Attributes
    ----------
    file : str
    names : list of str
    units : list of str
        As stated below the names; empty where they are not.
    cells : list of list of Cell
        By column; empty where there is a `body`.
    lines : list of int
        Of each row in the file.
    above : list of str
        The lines above the names.
    delimiter : str
        Empty where the cells are no text.
    findings : list of Finding
        Rows that are none of the table.
    body : PlainBody or None
        The cells where they are plain text.
    """

    file: str
    names: list[str]
    units: list[str]
    cells: list[list[Cell]]
    lines: list[int]
    above: list[str] = field(default_factory=list)
    delimiter: str = ""
    findings: list[Finding] = field(default_factory=list)
    body: PlainBody | None = None

    def column(self, place: int) -> list[Cell]:
        """Return the cells of a column."""
        if self.body is not None and not self.cells[place]:
            self.cells[place] = self.body.column(place)
        return self.cells[place]

    def codes(self, place: int) -> tuple[NDArray[np.int64], list[Cell]]:
        """Number the distinct cells of a column; as :func:`scada.drops.distinct.codes`."""
        return codes(self.cells[place]) if self.body is None else self.body.codes(place)

    def first_cells(self, place: int, rows: int) -> list[Cell]:
        """Return the first cells of a column."""
        if self.body is None:
            return self.cells[place][:rows]
        return [line.split(self.delimiter)[place] for line in self.body.lines[:rows]]

    def row_text(self, row: int) -> str:
        """A row as text, for whoever mends it."""
        if self.body is not None:
            return self.body.lines[row]
        cells = ["" if column[row] is None else str(column[row]) for column in self.cells]
        return (self.delimiter or ";").join(cells)


def read_table(file: str, text: str, profile: Profile) -> Table:
    """Read the table in a text.

    Raises
    ------
    DropError
        No table is found in it.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    first, _, rest = text.partition("\n")
    skipped = 0
    named = ""
    if first.strip().strip('"')[:4].lower() == "sep=":
        named, text, skipped = first.strip().strip('"')[4:5] or "\t", rest, 1
    delimiter = profile.delimiter or named or _delimiter(text)
    findings = []
    if profile.final_newline and not text.endswith("\n"):
        text, _, cut = text.rpartition("\n")
        line = skipped + text.count("\n") + 2
        findings.append(Finding(file, line, "the last line has no end: it was cut off", "send it again", text=cut))
        text += "\n"
    if '"' in text:
        rows, lines = _rows(file, text, delimiter, skipped)
        return make_table(file, rows, lines, profile, delimiter, findings)
    return _plain_table(file, text.split("\n"), skipped, profile, delimiter, findings)


def make_table(
    file: str,
    rows: list[list[Cell]],
    lines: list[int],
    profile: Profile,
    delimiter: str = "",
    findings: list[Finding] | None = None,
) -> Table:
    """Find names, units and readings among rows of cells.

    Raises
    ------
    DropError
        There are no names.
    """
    table, begin = _head(file, rows, lines, profile, delimiter)
    table.findings += findings or []
    width = len(table.names)
    kept = []
    for row, line in zip(rows[begin:], lines[begin:], strict=True):
        if not any(map(_as_text, row)):
            continue
        if len(row) != width and (len(row) < width or any(map(_as_text, row[width:]))):
            table.findings.append(_ragged(file, line, row, width, delimiter))
            continue
        kept.append(row[:width])
        table.lines.append(line)
    if kept:
        table.cells = [list(column) for column in zip(*kept, strict=True)]
    return table


def _plain_table(
    file: str, texts: list[str], skipped: int, profile: Profile, delimiter: str, findings: list[Finding]
) -> Table:
    """A table without a quote in it: its lines are split all at once."""
    longest = max(_LOOKED_AT, profile.header_line + 2)
    rows, lines = [], []
    for number, text in enumerate(texts, start=skipped + 1):
        if text.strip():
            rows.append(text.split(delimiter))
            lines.append(number)
            if len(rows) > longest:
                break
    if not rows:
        raise DropError(file, 0, "is empty", "send it again")
    table, begin = _head(file, rows, lines, profile, delimiter)
    table.findings += findings
    width = len(table.names)
    kept = []
    first = lines[begin] if begin < len(lines) else len(texts) + skipped + 1
    blank = delimiter + " \t"
    for number, text in enumerate(texts[first - skipped - 1 :], start=first):
        if text.count(delimiter) == width - 1 and text.strip(blank):
            kept.append(text)
        elif text.strip(blank):
            row = text.split(delimiter)
            if len(row) < width or any(map(_as_text, row[width:])):
                table.findings.append(_ragged(file, number, row, width, delimiter))
                continue
            kept.append(delimiter.join(row[:width]))
        else:
            continue
        table.lines.append(number)
    table.body = PlainBody(kept, width, delimiter)
    return table


def _head(
    file: str, rows: Sequence[Sequence[Cell]], lines: Sequence[int], profile: Profile, delimiter: str
) -> tuple[Table, int]:
    """The table without its readings, and the row where these begin."""
    begin, head, unit_row = _begin(file, rows, lines, profile)
    names = list(profile.columns) if head is None else [_as_text(cell) for cell in rows[head]]
    while names and not names[-1]:  # spreadsheets write empty columns at the right
        names.pop()
    _check_names(file, names, 0 if head is None else lines[head])
    units = [""] * len(names)
    if unit_row is not None:
        units = [_as_text(cell) for cell in rows[unit_row]] + units
    above = [delimiter.join(map(_as_text, row)) for row in rows[: head if head is not None else begin]]
    return Table(file, names, units[: len(names)], [[] for _ in names], [], above, delimiter), begin


def _rows(file: str, text: str, delimiter: str, skipped: int) -> tuple[list[list[Cell]], list[int]]:
    """Rows that hold anything, and their lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows, lines = [], []
    before = 0
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                rows.append(row)
                lines.append(skipped + before + 1)
            before = reader.line_num
    except csv.Error as error:
        line = skipped + reader.line_num
        raise DropError(file, line, f"is no CSV: {error}", "look for a quote that is not closed") from error
    if not rows:
        raise DropError(file, 0, "is empty", "send it again")
    return rows, lines


def _delimiter(text: str) -> str:
    """What stands between cells: with which most lines have an equal number of them, more than one."""
    sample = text.split("\n", _LOOKED_AT)[:_LOOKED_AT]
    best, most = ",", 0
    for delimiter in _DELIMITERS:
        widths: Counter[int] = Counter()
        with suppress(csv.Error):  # told when the table is read
            widths.update(len(row) for row in csv.reader(sample, delimiter=delimiter) if len(row) > 1)
        rows = max(widths.values(), default=0)
        if rows > most:
            best, most = delimiter, rows
    return best


def _begin(
    file: str, rows: Sequence[Sequence[Cell]], lines: Sequence[int], profile: Profile
) -> tuple[int, int | None, int | None]:
    """First row of readings, row of names, row of units."""
    found = _first_reading(rows, profile)
    if profile.columns:
        return (0 if found is None else found), None, None
    if profile.header_line:
        if profile.header_line not in lines:
            raise DropError(file, profile.header_line, "has no names", "mend header_line")
        head = lines.index(profile.header_line)
    elif found is None:
        head = 0  # what is no time is told row by row
    else:
        head = _names_above(file, rows, lines, found)
    if head + 1 < len(rows) and _is_units(rows[head + 1]):
        return head + 2, head, head + 1
    return head + 1, head, None


def _first_reading(rows: Sequence[Sequence[Cell]], profile: Profile) -> int | None:
    """The first row with a time in it that is as wide as most of these."""
    if profile.time_format:  # numbers, or a form that is not known here
        return next((k for k, row in enumerate(rows) if k and len(row) > 1 and any(map(_is_number, row))), None)
    timed = [k for k, row in enumerate(rows) if len(row) > 1 and any(map(_is_time, row))]
    widths = Counter(len(rows[k]) for k in timed)
    if not widths:
        return None
    width = max(widths, key=lambda each: (widths[each], each))
    return next(k for k in timed if len(rows[k]) == width)


def _names_above(file: str, rows: Sequence[Sequence[Cell]], lines: Sequence[int], begin: int) -> int:
    """The row of names: the nearest one above that holds no time, and no numbers either if there is such a one."""
    above = [k for k in range(begin - 1, -1, -1) if len(rows[k]) > 1 and not any(map(_is_time, rows[k]))]
    above = [k for k in above if not _is_units(rows[k])] or above
    if not above:
        what = "has no names above its readings"
        raise DropError(file, lines[begin], what, 'state columns = ["time", …]')
    return next((k for k in above if not any(map(_is_number, rows[k][1:]))), above[0])


def _is_time(cell: Cell) -> bool:
    return isinstance(cell, datetime) or (isinstance(cell, str) and looks_like_time(cell))


def _is_number(cell: Cell) -> bool:
    try:
        float(str(cell).replace(",", "."))
    except ValueError:
        return False
    return True


def _is_units(row: Sequence[Cell]) -> bool:
    """Whether a row is one of units: nothing but units, of which at least one is known."""
    words = [_as_text(cell).strip("[]()") for cell in row[1:]]
    known = [word for word in words if word and known_unit(word) in _KNOWN_UNITS]
    return bool(known) and len(known) == len([word for word in words if word])


def _check_names(file: str, names: Sequence[str], line: int) -> None:
    if len(names) < 2:
        raise DropError(file, line, "is no table: it has one column", "state its delimiter and header_line")
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        raise DropError(file, line, f"column '{twice[0]}' comes twice", "state columns = […] with a name for each")


def _ragged(file: str, line: int, row: Sequence[Cell], width: int, delimiter: str) -> Finding:
    text = delimiter.join(map(_as_text, row))
    what = f"the row has {len(row)} cells, the header {width}"
    return Finding(file, line, what, "look for a row cut off or a separator inside a cell", text=text)


def _as_text(cell: Cell) -> str:
    return "" if cell is None else str(cell).strip()
