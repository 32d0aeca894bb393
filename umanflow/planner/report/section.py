"""A section of a plan's report, as data: what a page shows, the workbook's sheets and the layers of a map program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from umanflow.planner.report.story import Story
from umanflow.report.blocks import Block
from umanflow.report.layers import Layer
from umanflow.report.listing import Listing


@dataclass(frozen=True, slots=True)
class Section:
    """One section.

    Attributes
    ----------
    blocks
        What a page and a paper show, its heading first.
    listings
        Each becomes a sheet of the workbook.
    layers
        Of the GeoPackage and the GeoJSON.
    """

    blocks: tuple[Block, ...]
    listings: tuple[Listing[Any], ...] = ()
    layers: tuple[Layer, ...] = ()


Maker = Callable[[Story], Section | None]
