"""A balance as a workbook: numbers as numbers, and a sheet that computes the table anew."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence

from openpyxl import Workbook
from openpyxl.cell.cell import Cell as SheetCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from models.balance import INPUTS, Balance
from models.uncertain import Uncertain
from umanflow.balance.language import Language
from umanflow.balance.page import Page, Section, Table

_EPOCH = (1980, 1, 1, 0, 0, 0)
_STAMP = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*(</dcterms:)")
_HEAD = PatternFill("solid", start_color="F3F6F8")
_LINE = Border(bottom=Side(style="thin", color="D5DBE0"))
_WIDEST, _TITLE_LETTERS = 60, 31
_SUMS = {
    "billed": ("billed_metered", "billed_unmetered"),
    "unbilled": ("unbilled_metered", "unbilled_unmetered"),
    "authorised": ("billed", "unbilled"),
    "apparent_losses": ("unauthorised", "meter_under_registration", "data_handling"),
}
_DIFFERENCES = {
    "losses": ("supplied", "authorised"),
    "real_losses": ("losses", "apparent_losses"),
    "non_revenue": ("supplied", "billed"),
}


def render_xlsx(page: Page, balance: Balance, language: Language) -> bytes:
    """Write a workbook: a sheet for each table, and one of formulas; the same page gives the same bytes."""
    book = Workbook()
    first = book.active
    assert isinstance(first, Worksheet)
    _front(first, page)
    for section in page.sections:
        if section.table is not None:
            _sheet(book.create_sheet(_title(section.title)), section, section.table, language.word("head_half"))
    _check(book.create_sheet(_title(language.word("sheet_check"))), balance, language)
    buffer = io.BytesIO()
    book.save(buffer)
    return _timeless(buffer.getvalue())


def _write(sheet: Worksheet, row: int, column: int, value: str | float) -> SheetCell:
    """Write a cell; a name that begins with = is a name, no formula."""
    cell = sheet.cell(row, column, value)
    assert isinstance(cell, SheetCell)
    if isinstance(value, str):
        cell.data_type = "s"
    return cell


def _title(text: str) -> str:
    return " ".join(re.sub(r"[\[\]:*?/\\]", " ", text).split())[:_TITLE_LETTERS]


def _front(sheet: Worksheet, page: Page) -> None:
    sheet.title = _title(page.title)
    row = 0
    for text, font in (
        (page.banner, Font(bold=True, color="5C4200")),
        (page.title, Font(bold=True, size=14)),
        (page.subtitle, Font(color="5A646C")),
        (page.note, Font()),
    ):
        if text:
            row += 1
            _write(sheet, row, 1, text).font = font
    row += 1
    for tile in page.tiles:
        row += 1
        _write(sheet, row, 1, tile.label)
        _write(sheet, row, 2, tile.value).font = Font(bold=True)
        _write(sheet, row, 3, tile.detail)
    row += 1
    for section in page.sections:
        if section.points:
            row += 1
            _write(sheet, row, 1, section.title).font = Font(bold=True)
            for point in section.points:
                row += 1
                _write(sheet, row, 1, point)
    _write(sheet, row + 2, 1, page.footer).font = Font(color="5A646C")
    for column, width in ((1, 46), (2, 24), (3, 24)):
        sheet.column_dimensions[get_column_letter(column)].width = width


def _sheet(sheet: Worksheet, section: Section, table: Table, limits: str) -> None:
    """Write a table; numbers with their limits in one cell become two columns."""
    has_limits = [any(row.cells[k].half is not None for row in table.rows) for k in range(len(table.heads))]
    place = [k + 1 + sum(has_limits[:k]) for k in range(len(table.heads))]
    texts = [text for k, head in enumerate(table.heads) for text in ((head, limits) if has_limits[k] else (head,))]
    heads(sheet, 1, [" ".join(text.split()) for text in texts])
    for number, row in enumerate(table.rows, start=2):
        for k, cell in enumerate(row.cells):
            target = _write(sheet, number, place[k], cell.text if cell.number is None else cell.number)
            target.border, target.font = _LINE, Font(bold=row.is_total)
            target.number_format = _number_format(cell.decimals)
            if cell.half is not None:
                beside = _write(sheet, number, place[k] + 1, cell.half)
                beside.border, beside.number_format = _LINE, _number_format(cell.decimals)
            if cell.number is None:
                target.alignment = _alignment(table, k, row.level)
    for k, head in enumerate(table.heads):
        longest = max([len(head), *(len(row.cells[k].text) for row in table.rows)])
        sheet.column_dimensions[get_column_letter(place[k])].width = min(_WIDEST, longest + 4)
    sheet.freeze_panes = "A2"
    if section.intro:
        _write(sheet, len(table.rows) + 3, 1, section.intro).font = Font(italic=True, color="5A646C")


def _number_format(decimals: int) -> str:
    return "#,##0" + ("." + "0" * decimals if decimals else "")


def _alignment(table: Table, column: int, level: int) -> Alignment:
    """Of a cell with words."""
    if table.numeric[column]:
        return Alignment(horizontal="right")
    if column == 0:
        return Alignment(indent=level)
    return Alignment(wrap_text=table.wide[column], vertical="top")


def heads(sheet: Worksheet, row: int, texts: Sequence[str]) -> None:
    """Write a row of heads."""
    for column, text in enumerate(texts, start=1):
        cell = sheet.cell(row, column, text)
        cell.font, cell.fill, cell.border = Font(bold=True), _HEAD, _LINE
        cell.alignment = Alignment(wrap_text=True, vertical="bottom")


def _check(sheet: Worksheet, balance: Balance, language: Language) -> None:
    """The table's sums and differences as formulas on the inputs' lines, and how far they are from it."""
    heads(sheet, 1, [language.word(key) for key in ("head_line", "check_here", "check_there", "check_difference")])
    formulas = {key: "=" + "+".join(f"B{{{part}}}" for part in parts) for key, parts in _SUMS.items()}
    formulas |= {key: f"=B{{{first}}}-B{{{second}}}" for key, (first, second) in _DIFFERENCES.items()}
    keys = (*INPUTS, "meter_under_registration", *formulas)
    place = {key: row for row, key in enumerate(keys, start=2)}
    for key, row in place.items():
        volume = balance.volume(key)
        sheet.cell(row, 1, language.word(key)).border = _LINE
        if not isinstance(volume, Uncertain):
            sheet.cell(row, 2, language.word("not_computed"))
            continue
        here = formulas[key].format(**place) if key in formulas else volume.value
        for column, value in ((2, here), (3, volume.value), (4, f"=B{row}-C{row}")):
            cell = sheet.cell(row, column, value)
            cell.number_format, cell.border = "#,##0.00", _LINE
    sheet.cell(len(keys) + 3, 1, language.word("check_intro")).font = Font(italic=True, color="5A646C")
    for column, width in enumerate((46, 18, 18, 18), start=1):
        sheet.column_dimensions[get_column_letter(column)].width = width
    sheet.freeze_panes = "A2"


def _timeless(data: bytes) -> bytes:
    """Take the time of writing out of a workbook."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for item in sorted(old.infolist(), key=lambda item: item.filename):
            content = _STAMP.sub(rb"\g<1>2000-01-01T00:00:00Z\g<3>", old.read(item))
            entry = zipfile.ZipInfo(item.filename, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            new.writestr(entry, content)
    return out.getvalue()
