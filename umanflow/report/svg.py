"""Figures as SVG that can stand inside a page: the same bytes each time, no outside references, ids of their own."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "umanflow",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a dollar in a pipe's name is a dollar
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_IDS = re.compile(r'(\bid="|href="#|url\(#)')
_NAMESPACES = re.compile(r'\sxmlns(?::\w+)?="[^"]*"')  # HTML knows svg and xlink without them
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)


@contextmanager
def styled() -> Iterator[None]:
    """Set how figures are drawn and written, whatever the reader's own settings."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        # the page's reader has the glyph that the measuring font lacks
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure, inches, that is not known to pyplot; one unit of its canvas is one point."""
    figure = Figure(figsize=(width, height), dpi=72)
    FigureCanvasAgg(figure)
    return figure


def to_svg(figure: Figure, prefix: str, label: str) -> Markup:
    """Write a figure as an inline `<svg>`.

    Parameters
    ----------
    prefix
        Begins each of its ids; different for each figure of a page.
    label
        What it shows, for readers who do not see it.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    head, body = text.split(">", 1)
    head = _NAMESPACES.sub("", head)
    body = _METADATA.sub("", body)
    body = _IDS.sub(lambda found: f"{found[1]}{prefix}-", body)
    return Markup(head) + Markup(' role="img" aria-label="{}">').format(label) + Markup(body.strip())


def shorten(name: str, most: int) -> str:
    """Cut a name that is too long for a figure."""
    return name if len(name) <= most else name[: most - 1] + "…"
