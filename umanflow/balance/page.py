"""A document as plain data: sections of tables and figures, in the reader's language, whatever it is printed on."""

from __future__ import annotations

from dataclasses import dataclass

from models.uncertain import Lack, Result
from umanflow.balance.language import Language, decimals_of


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a table: text, and for spreadsheets the number behind it and half its limits."""

    text: str
    number: float | None = None
    decimals: int = 0
    half: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row; `level` indents it, `is_total` sets it off."""

    cells: tuple[Cell, ...]
    level: int = 0
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes
    ----------
    heads
        Of the columns.
    numeric
        Which of them hold numbers.
    rows
        In order.
    wide
        Which columns take the room that is left.
    """

    heads: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[Row, ...]
    wide: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document.

    Attributes
    ----------
    key, title, intro
        Name in files, heading, and what is to be known first.
    figure, figure_label
        Drawing as SVG, and what it shows; empty for none.
    table
        Or None.
    points
        Sentences, one a line.
    """

    key: str
    title: str
    intro: str = ""
    figure: str = ""
    figure_label: str = ""
    table: Table | None = None
    points: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tile:
    """A number to be seen at once."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True, slots=True)
class Page:
    """A document."""

    lang: str
    title: str
    subtitle: str
    banner: str
    note: str
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]
    footer: str


DASH = "–"


class Cells:
    """Makes cells in a language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def text(self, text: str) -> Cell:
        """Words."""
        return Cell(text)

    def number(self, value: float | None, decimals: int = 0) -> Cell:
        """A number, or a dash."""
        if value is None:
            return Cell(DASH)
        return Cell(self.language.number(value, decimals), value, decimals)

    def pair(self, result: Result, factor: float = 1.0, most: int = 3) -> tuple[Cell, Cell]:
        """A result and half its limits, with the decimals that the limits leave it; dashes for a lack."""
        if isinstance(result, Lack):
            return Cell(DASH), Cell(DASH)
        value, half = factor * result.value, factor * result.half
        decimals = decimals_of(value, half, most)
        return self.number(value, decimals), self.number(half, decimals) if half > 0.0 else Cell(DASH)

    def both(self, result: Result, factor: float = 1.0, most: int = 3) -> str:
        """A result with its limits as one text."""
        value, half = self.pair(result, factor, most)
        return value.text if half.text == DASH else f"{value.text} ± {half.text}"

    def one(self, result: Result, factor: float = 1.0, most: int = 3) -> Cell:
        """The same as a cell."""
        value, half = self.pair(result, factor, most)
        return Cell(self.both(result, factor, most), value.number, value.decimals, half.number)

    def percent_of(self, result: Result) -> Cell:
        """Half the limits as a percentage of the value."""
        if isinstance(result, Lack) or result.value == 0.0:
            return Cell(DASH)
        share = 100.0 * result.half / abs(result.value)
        return self.number(share, 1 if share < 100.0 else 0)
