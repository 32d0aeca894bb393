"""A workbook: numbers stay numbers, names are never formulas, and the same sheets give the same bytes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

_LONG = 60  # letters, from which a cell has more than one line
_MOST_LETTERS = 31  # of a sheet's name
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")

Value = str | int | float | datetime | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: its name, headings (all empty for none), rows, and what else is done to it."""

    name: str
    heads: tuple[str, ...]
    rows: Iterable[Sequence[Value]]
    finish: Callable[[Worksheet], None] | None = None


def book_of(sheets: Iterable[Sheet], title: str, date: datetime) -> bytes:
    """Write sheets as a workbook; the same sheets give the same bytes.

    Parameters
    ----------
    date
        That the file says it is of.
    """
    from openpyxl import Workbook

    book = Workbook()
    book.properties.creator = "umanflow"
    book.properties.created = date
    book.properties.title = title
    first = book.active
    assert first is not None
    book.remove(first)
    for sheet in sheets:
        made = book.create_sheet(sheet.name[:_MOST_LETTERS])
        _fill(made, sheet.heads, sheet.rows)
        if sheet.finish is not None:
            sheet.finish(made)
    buffer = io.BytesIO()
    book.save(buffer)
    return _timeless(buffer.getvalue(), date)


def _timeless(made: bytes, date: datetime) -> bytes:
    """Set the same time on every part: what was written when is nobody's business and changes the bytes."""
    stamp = date.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            part = old.read(entry)
            if entry.filename == "docProps/core.xml":
                part = _MODIFIED.sub(rb"\g<1>" + stamp + rb"\g<2>", part)
            info = zipfile.ZipInfo(entry.filename, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, part)
    return buffer.getvalue()


def _fill(sheet: Worksheet, heads: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    widths = [len(head) for head in heads]
    if any(heads):
        sheet.append([_safe(head) for head in heads])
        for cell in sheet[1]:
            cell.font = Font(bold=True)
            cell.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.freeze_panes = "A2"
    # the sheet's own count of rows looks at every cell each time
    for number, row in enumerate(rows, start=2 if any(heads) else 1):
        for place, value in enumerate(row):
            if value is not None:
                widths[place] = max(widths[place], _write(sheet.cell(number, place + 1), value))
    for place, width in enumerate(widths):
        sheet.column_dimensions[get_column_letter(place + 1)].width = min(max(width * 1.1, 8.0), 70.0)
    if any(heads) and sheet.max_row > 1:
        sheet.auto_filter.ref = sheet.dimensions
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = 9  # A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _write(cell: Cell, value: str | int | float | datetime) -> int:
    """Write a value as what it is; return the letters that it takes."""
    from openpyxl.styles import Alignment

    cell.value = _safe(value)
    if isinstance(value, str):
        cell.data_type = "s"  # never a formula, whatever a pipe is called
        if len(value) > _LONG:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
        return len(value)
    if isinstance(value, datetime):
        cell.number_format = "yyyy-mm-dd hh:mm"
        return 16
    if isinstance(value, float):
        cell.number_format = "#,##0.00" if abs(value) < 100.0 else "#,##0"
    return 11


def _safe(value: Value) -> Value:
    if isinstance(value, float) and value != value:
        return None
    return _FORBIDDEN.sub("\ufffd", value) if isinstance(value, str) else value
