"""Shapes and text as SVG that stands alone: the same bytes each time, no fonts or files from outside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

FONT = "DejaVu Sans, Segoe UI, Arial, sans-serif"
INK, SOFT, LINE = "#1d2429", "#5a646c", "#d5dbe0"
_LETTER = 0.62  # mean width of a letter of DejaVu Sans, of its size; a little more than that of most texts


class Drawing:
    """Collects shapes; one unit is one pixel of the page."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []

    def box(self, x: float, y: float, width: float, height: float, fill: str, stroke: str = "none") -> None:
        """A rectangle."""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.0):.1f}" height="{max(height, 0.0):.1f}" '
            f'fill="{fill}" stroke="{stroke}"/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, stroke: str = INK, width: float = 1.0) -> None:
        """A line."""
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
            f'stroke-width="{width:.1f}"/>'
        )

    def text(
        self, x: float, y: float, text: str, size: float = 12.0, anchor: str = "start", bold: bool = False,
        fill: str = INK,
    ) -> None:  # fmt: skip
        """A line of text from its base line."""
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-family="{FONT}" font-size="{size:g}" text-anchor="{anchor}" '
            f'fill="{fill}"{weight}>{escape(text)}</text>'
        )

    def lines(self, x: float, y: float, texts: Sequence[str], size: float, anchor: str = "middle", bold: bool = False,
              fill: str = INK) -> None:  # fmt: skip
        """Lines of text around a middle, one below the other."""
        top = y - 0.6 * size * (len(texts) - 1) + 0.35 * size
        for number, text in enumerate(texts):
            self.text(x, top + 1.2 * size * number, text, size, anchor, bold, fill)

    def svg(self, label: str) -> str:
        """The drawing; `label` is for readers who do not see it."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'width="{self.width:g}" height="{self.height:g}" role="img" aria-label="{escape(label)}">'
            f"{''.join(self._parts)}</svg>"
        )


def wrapped(text: str, width: float, size: float) -> list[str]:
    """Break a text into lines of a width."""
    most = max(4, int(width / (_LETTER * size)))
    found = [""]
    for word in text.split():
        longer = f"{found[-1]} {word}".strip()
        if len(longer) <= most or not found[-1]:
            found[-1] = longer
        else:
            found.append(word)
    return found


def nice_step(reach: float, steps: int = 5) -> float:
    """A round distance of ticks, so that about so many of them reach a value."""
    rough = max(reach, 1e-9) / steps
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= rough), 10.0 * power)
