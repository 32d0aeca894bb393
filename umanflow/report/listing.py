"""A list told once: as a table of the page, as a sheet of the workbook, and as a layer for map programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from umanflow.report.blocks import Cell, Column, Table
from umanflow.report.layers import Layer, Points
from umanflow.report.layers import Value as Plain
from umanflow.report.wording import NONE, Wording
from umanflow.report.workbook import Sheet, Value

Row = TypeVar("Row")
Told = str | bool | int | float | None
_KINDS = {"text": "TEXT", "flag": "INTEGER", "count": "INTEGER", "year": "INTEGER"}


# without slots: Python 3.11 cannot make a frozen generic with them
@dataclass(frozen=True)
class Field(Generic[Row]):
    """One column of a list.

    Attributes
    ----------
    key
        Its name in a map program.
    head
        Its heading, in the reader's language.
    value
        Of a row; None and NaN are told as a dash.
    kind
        "text", "flag" (yes or no), "count", "year" (without separators), "number", "share" (told in per cent), "money"
        (told in thousands on a page, whole in a workbook; the currency is added to the heading).
    digits
        After the point, of a number or a share.
    weight
        Share of the width on paper.
    small
        Lines of small text below.
    raw
        Of a row, for map programs, where the value is in the reader's language.
    """

    key: str
    head: str
    value: Callable[[Row], Told]
    kind: Literal["text", "flag", "count", "year", "number", "share", "money"] = "text"
    digits: int = 0
    weight: float = 1.0
    small: Callable[[Row], tuple[str, ...]] | None = None
    raw: Callable[[Row], Told] | None = None


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """Rows and the columns that tell them; `name` is the sheet's."""

    name: str
    fields: tuple[Field[Row], ...]
    rows: Sequence[Row]

    def table(
        self, wording: Wording, most: int | None = None, without: Collection[str] = (), is_compact: bool = False
    ) -> Table:
        """The list on a page: its first rows, without some columns."""
        shown = [field for field in self.fields if field.key not in without]
        columns = tuple(Column(_head(f, wording, True), f.kind not in ("text", "flag"), f.weight) for f in shown)
        rows = tuple(
            tuple(Cell(text_of(f, f.value(row), wording), f.small(row) if f.small else ()) for f in shown)
            for row in self.rows[:most]
        )
        return Table(columns, rows, is_compact)

    def sheet(self, wording: Wording) -> Sheet:
        """The whole list as a sheet; numbers as they are."""

        def told(value: Told) -> Value:
            return yes_or_no(value, wording) if isinstance(value, bool) else value

        rows = [tuple(told(field.value(row)) for field in self.fields) for row in self.rows]
        return Sheet(self.name, tuple(_head(field, wording, False) for field in self.fields), rows)

    def layer(self, name: str, geometry: str, place: Callable[[Row], Points]) -> Layer:
        """The whole list as a layer, in no language."""

        def plain(value: Told) -> Plain:
            if isinstance(value, bool):
                return int(value)
            return None if isinstance(value, float) and not math.isfinite(value) else value

        columns = tuple((field.key, _KINDS.get(field.kind, "REAL")) for field in self.fields)
        rows = tuple(
            (place(row), tuple(plain((field.raw or field.value)(row)) for field in self.fields)) for row in self.rows
        )
        return Layer(name, geometry, columns, rows)


def _head(field: Field[Row], wording: Wording, is_page: bool) -> str:
    if field.kind != "money":
        return field.head
    currency = wording.currency_sign
    if is_page:
        return wording.fill("{what}, thousand {currency}", what=field.head, currency=currency)
    return wording.fill("{what}, {currency}", what=field.head, currency=currency)


def text_of(field: Field[Row], value: Told, wording: Wording) -> str:
    """A value as a page shows it."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NONE
    if isinstance(value, bool):
        return yes_or_no(value, wording)
    if isinstance(value, str):
        return value or NONE
    if field.kind == "year":
        return str(int(value))
    if field.kind == "share":
        return wording.percent(value, field.digits)
    if field.kind == "money":
        return wording.number(value / 1000.0)
    return wording.number(value, field.digits)


def yes_or_no(value: bool, wording: Wording) -> str:
    """A claim in a word."""
    return wording.say("yes") if value else wording.say("no")
