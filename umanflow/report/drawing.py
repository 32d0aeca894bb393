"""Pictures as SVG text: classes instead of colours, so that a page can be light or dark and paper is always light."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FONT_PX = 11.0
_LETTER = 0.62  # of the font's size: the mean width of DejaVu Sans, a wide face
# class: light colour, dark colour; `pdf` takes the light ones, report.css both
COLOURS = {
    "ink": ("#1d2429", "#e6eaed"),
    "soft": ("#5a646c", "#9da8b1"),
    "line": ("#d5dbe0", "#3a444c"),
    "paper": ("#ffffff", "#161b1f"),
    "pipe": ("#a3acb4", "#5c6771"),
    "sensor": ("#1f6fb2", "#5aa9e6"),
    "valve": ("#0b7a75", "#37c2ba"),
    "open": ("#6a0dad", "#c58af9"),
    "ended": ("#157f5b", "#4cc38a"),
    "withdrawn": ("#5f6770", "#9aa4ad"),
    "p1": ("#a50f15", "#ff6b5e"),
    "p2": ("#e4521b", "#ff9248"),
    "p3": ("#f08c1f", "#ffbe55"),
    "p4": ("#dfb53c", "#b99b3f"),
    "a": ("#1f6fb2", "#5aa9e6"),
    "b": ("#c2571a", "#f39a5b"),
    "c": ("#4f8a10", "#93cf52"),
    "bad": ("#b3261e", "#ff7a70"),
    "some": ("#e0a100", "#e0a100"),
    "good": ("#8fb9dc", "#2f5d82"),
    # from what is well to what is worst
    "g1": ("#6fa8d0", "#4b86b4"),
    "g2": ("#93bf85", "#7fb069"),
    "g3": ("#e3b93c", "#e3c04a"),
    "g4": ("#ee8a2a", "#f39a3f"),
    "g5": ("#d43d1f", "#ff6b4a"),
    "g6": ("#7a0c3e", "#ff5fa2"),
    # neighbours on a map
    "k0": ("#3f78b5", "#6aa3e0"),
    "k1": ("#e07b1a", "#f39a4b"),
    "k2": ("#3f9150", "#66c27a"),
    "k3": ("#c93a4a", "#f0707e"),
    "k4": ("#8a5fb0", "#b58fe0"),
    "k5": ("#8c6444", "#c29a78"),
    "k6": ("#d45f9e", "#f08fc4"),
    "k7": ("#1f9c9c", "#53cccc"),
    "k8": ("#a89a1c", "#d8cb4a"),
}
_RULES = (
    "text{{font-family:'DejaVu Sans',sans-serif;font-size:11px;fill:{ink}}}.soft{{fill:{soft}}}"
    ".small{{font-size:9.5px}}"
    ".bold{{font-weight:700}}.axis{{stroke:{soft};stroke-width:1;fill:none}}.grid{{stroke:{line};stroke-width:1;fill:none}}"
    ".plate{{fill:{paper};stroke-width:1.2}}.bar-up{{fill:{a}}}.bar-down{{fill:{bad}}}"
    ".scale{{stroke:{ink};stroke-width:1.3;fill:none}}"
    ".arrow{{fill:{ink}}}.pipes{{stroke:{pipe};stroke-width:.9;fill:none}}"
    ".leader{{stroke-width:.9;fill:none}}.sensor{{fill:{sensor};stroke:{paper};stroke-width:.8}}"
    ".valve{{fill:{paper};stroke:{valve};stroke-width:1.6}}.best{{stroke-width:4.4;stroke-linecap:round;fill:none}}"
    ".cand{{stroke-linecap:round;fill:none}}.p1{{stroke:{p1};stroke-width:3.6}}.p2{{stroke:{p2};stroke-width:3}}"
    ".p3{{stroke:{p3};stroke-width:2.5}}.p4{{stroke:{p4};stroke-width:2}}"
    ".s-open{{stroke:{open}}}.s-ended{{stroke:{ended}}}.s-withdrawn{{stroke:{withdrawn}}}"
    ".f-open{{fill:{open}}}.f-ended{{fill:{ended}}}.f-withdrawn{{fill:{withdrawn}}}"
    ".dot{{stroke:{paper};stroke-width:1}}.la{{stroke:{a}}}.lb{{stroke:{b};stroke-dasharray:5 2}}"
    ".lc{{stroke:{c};stroke-dasharray:2 2}}"
    ".curve{{stroke-width:1.6;fill:none}}.mark{{stroke:{ink};stroke-width:1;stroke-dasharray:3 3}}"
    ".grade{{stroke-linecap:round;stroke-width:2.2;fill:none}}.spot{{stroke-linecap:round;stroke-width:4;fill:none}}.spot.key{{stroke-width:7}}"
    ".g1{{stroke:{g1}}}.g2{{stroke:{g2}}}.g3{{stroke:{g3}}}.g4{{stroke:{g4}}}.g5{{stroke:{g5}}}.g6{{stroke:{g6}}}"
    ".meter{{fill:{ink};stroke:{paper};stroke-width:.8}}"
    ".bought{{fill:{bad};stroke:{paper};stroke-width:.8}}.shut{{fill:{soft};stroke:{paper};stroke-width:.8}}"
    ".s-logger{{stroke:{sensor}}}.f-logger{{fill:{sensor}}}.s-place{{stroke:{soft}}}.f-place{{fill:{ink}}}"
    ".s-bought{{stroke:{bad}}}.f-bought{{fill:{bad}}}.s-valve{{stroke:{valve}}}.f-valve{{fill:{valve}}}"
    ".fa{{fill:{a}}}.fb{{fill:{b}}}.fc{{fill:{c}}}.range{{fill:{a};fill-opacity:.18}}"
    ".ink-line{{stroke:{ink}}}.ink-dot{{fill:{ink};stroke:{paper};stroke-width:1}}"
    ".ln{{stroke:{soft};stroke-dasharray:6 3}}.target{{stroke:{ink};stroke-width:1;stroke-dasharray:2 3;fill:none}}"
    + "".join(f".k{n},.s-k{n}{{{{stroke:{{k{n}}}}}}}.f-k{n}{{{{fill:{{k{n}}}}}}}" for n in range(9))
    + ".h-good{{stroke:{good}}}.h-some{{stroke:{some}}}.h-bad{{stroke:{bad}}}.strip{{stroke-width:8;fill:none}}"
)


def light_rules() -> str:
    """Style of the pictures on paper."""
    return _RULES.format(**{name: light for name, (light, _) in COLOURS.items()})


def page_rules() -> str:
    """Style of the pictures on a page, in the page's variables."""
    return _RULES.format(**{name: f"var(--{name})" for name in COLOURS})


def variables(is_dark: bool) -> str:
    """The page's variables."""
    return "".join(f"--{name}:{pair[is_dark]};" for name, pair in COLOURS.items())


def width_of(text: str, size: float = FONT_PX) -> float:
    """Width that a text may take, px."""
    return _LETTER * size * len(text)


def shorten(name: str, most: int) -> str:
    """Cut a name that is too long for a picture."""
    return name if len(name) <= most else name[: most - 1] + "…"


def num(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


class Picture:
    """An SVG that grows part by part.

    Parameters
    ----------
    width, height
        px.
    label
        What it shows, for readers who do not see it.
    """

    def __init__(self, width: float, height: float, label: str) -> None:
        self.width, self.height, self.label = width, height, label
        self.parts: list[str] = []

    def add(self, markup: str) -> None:
        """Add markup that is whole and escaped."""
        self.parts.append(markup)

    def line(self, points: Iterable[Sequence[float]], classes: str) -> None:
        """Draw a line through points."""
        self.add(f'<polyline class="{classes}" points="{" ".join(f"{num(x)},{num(y)}" for x, y in points)}"/>')

    def lines(self, segments: Floats, classes: str) -> None:
        """Draw separate lines as one outline, float64 [n, 2, 2]: far fewer bytes than one for each."""
        if len(segments):
            path = "".join(f"M{num(a[0])} {num(a[1])}L{num(b[0])} {num(b[1])}" for a, b in segments)
            self.add(f'<path class="{classes}" d="{path}"/>')

    def rect(self, x: float, y: float, width: float, height: float, classes: str) -> None:
        """Draw a rectangle."""
        self.add(
            f'<rect class="{classes}" x="{num(x)}" y="{num(y)}" width="{num(max(width, 0.0))}" height="{num(height)}"/>'
        )

    def text(self, x: float, y: float, text: str, classes: str = "", anchor: str = "start") -> None:
        """Write a text; `y` is its base line."""
        style = f' class="{classes}"' if classes else ""
        self.add(f'<text{style} x="{num(x)}" y="{num(y)}" text-anchor="{anchor}">{escape(text)}</text>')

    def svg(self, attributes: str = "") -> str:
        """The picture as an element of a page."""
        return (
            f'<svg viewBox="0 0 {num(self.width)} {num(self.height)}" width="{num(self.width)}" '
            f'height="{num(self.height)}" role="img" aria-label="{escape(self.label)}"{attributes}>'
            f"{''.join(self.parts)}</svg>"
        )


def as_file(svg: str) -> str:
    """A picture as a file of its own, for paper."""
    head, rest = svg.split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{light_rules()}</style>{rest}'
