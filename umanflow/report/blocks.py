"""A report as blocks of finished text and pictures: what a page and a paper show, each in its own way."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; `anchor` is what links lead to, `status` the word beside it; `is_on_new_sheet` on paper."""

    text: str
    level: int = 2
    anchor: str = ""
    status: str = ""
    status_text: str = ""
    is_on_new_sheet: bool = False
    kind: str = "heading"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `style` is "", "soft", "warn", or "lead" for what stays with the next block."""

    text: str
    style: str = ""
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Tile:
    """One number of the summary."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Numbers at the head of a report."""

    tiles: tuple[Tile, ...]
    kind: str = "tiles"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: text, then lines of small text below it; `status` colours it, `link` is an anchor of this page."""

    text: str
    small: tuple[str, ...] = ()
    status: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, whether it holds numbers, and its share of the width on paper."""

    head: str
    is_number: bool = False
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `is_compact` makes its letters small."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    is_compact: bool = False
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class Facts:
    """Terms and what is known of them."""

    facts: tuple[tuple[str, str], ...]
    kind: str = "facts"


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]
    kind: str = "bullets"


@dataclass(frozen=True, slots=True)
class Legend:
    """What a sign of a picture means; `icon` is a small SVG."""

    icon: str
    text: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with its caption and legend; `role` is "map" for the one that can be moved, with its `data`."""

    name: str
    svg: str
    caption: str = ""
    legend: tuple[Legend, ...] = ()
    role: str = ""
    data: str = ""
    kind: str = "figure"


@dataclass(frozen=True, slots=True)
class FormRow:
    """A line of the form for crews."""

    event: str
    pipe: str
    street: str


@dataclass(frozen=True, slots=True)
class Form:
    """What crews fill in; `labels` are its words, by name."""

    rows: tuple[FormRow, ...]
    labels: dict[str, str]
    per_m3h: float
    kind: str = "form"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two columns that stand beside each other where there is room."""

    left: tuple[Block, ...]
    right: tuple[Block, ...]
    kind: str = "pair"


@dataclass(frozen=True, slots=True)
class Keep:
    """Blocks that stay on one sheet."""

    blocks: tuple[Block, ...]
    kind: str = "keep"


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks in a frame."""

    blocks: tuple[Block, ...]
    anchor: str = ""
    kind: str = "group"


Block = Heading | Text | Tiles | Table | Facts | Bullets | Figure | Form | Pair | Keep | Group


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report.

    Attributes
    ----------
    title, subtitle
        At its head.
    language
        "uk" or "en".
    banner
        A warning above everything; empty for none.
    footer
        Last line.
    page_of
        Words of the page number, with {n} and {of}.
    """

    title: str
    subtitle: str
    language: str
    banner: str
    blocks: tuple[Block, ...]
    footer: str
    page_of: str
    keywords: tuple[str, ...] = field(default=())
