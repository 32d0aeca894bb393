"""The first sheet of a workbook that holds readings; needs openpyxl, the extra ``xlsx``."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from typing import Any

from scada.drops.profile import Profile
from scada.drops.table import Table, make_table
from scada.errors import DropError

__all__ = ["read_workbook"]


def read_workbook(file: str, data: bytes, profile: Profile) -> Table:
    """Read the first sheet with a table of readings.

    Raises
    ------
    DropError
        It is no workbook, has no such sheet, or openpyxl is not installed.
    """
    try:
        from importlib import import_module

        load_workbook = import_module("openpyxl").load_workbook
    except ImportError as error:
        mend = "save it as CSV, or install openpyxl"
        raise DropError(file, 0, "is a workbook, and nothing is installed that reads it", mend) from error
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheets = [[list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DropError(file, 0, f"is no workbook: {error}", "save it again as XLSX or CSV") from error
    first: DropError | None = None
    for sheet in sheets:
        rows, lines = _filled(sheet)
        try:
            if not rows:
                raise DropError(file, 0, "is empty", "send it again")
            return make_table(file, rows, lines, profile)
        except DropError as error:
            first = first or error
    raise first or DropError(file, 0, "has no sheets", "send it again")


def _filled(sheet: list[list[Any]]) -> tuple[list[list[Any]], list[int]]:
    """Rows with anything in them, without the empty cells at the right of them all, and their numbers."""
    width = max((k + 1 for row in sheet for k, cell in enumerate(row) if cell is not None), default=0)
    kept = [(number, row[:width]) for number, row in enumerate(sheet, start=1) if any(c is not None for c in row)]
    return [[_plain(cell) for cell in row] for _, row in kept], [number for number, _ in kept]


def _plain(cell: Any) -> Any:
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return cell.isoformat()
    return cell
