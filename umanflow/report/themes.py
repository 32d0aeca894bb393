"""Maps that colour a network by a value: pressure, velocity, leakage, rank."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from umanflow.report.blocks import Figure, Legend
from umanflow.report.ground import WIDTH, Clicks, Ground, icon, line_icon
from umanflow.report.wording import Wording


@dataclass(frozen=True, slots=True)
class Grade:
    """Values from `least` to the next grade's: the class of their colour, and what the legend says."""

    least: float
    look: str
    text: str


@dataclass(frozen=True, slots=True)
class Theme:
    """A value by element.

    Attributes
    ----------
    key, title
        Name of the picture; heading.
    values
        By name of nodes or of links; what is missing or NaN is not coloured.
    grades
        In ascending order.
    tell
        A value as a click tells it.
    of_nodes
        Whether the names are those of nodes.
    """

    key: str
    title: str
    values: Mapping[str, float]
    grades: tuple[Grade, ...]
    tell: Callable[[float], str]
    of_nodes: bool = False

    def grade(self, value: float) -> int:
        """Number of a value's grade."""
        return max((k for k, grade in enumerate(self.grades) if value >= grade.least), default=0)

    def column(self, ground: Ground) -> tuple[str, list[str]]:
        """What a click on each link tells; of nodes the lower value of the link's ends."""
        topology = ground.site.topology
        if not self.of_nodes:
            return self.title, [self._text(self.values.get(name, math.nan)) for name in topology.links]
        by_node = np.array([self.values.get(name, np.nan) for name in topology.nodes])
        ends = np.stack([by_node[topology.start], by_node[topology.end]])
        return self.title, [self._text(float(np.fmin(*pair))) for pair in ends.T]

    def _text(self, value: float) -> str:
        return self.tell(value) if math.isfinite(value) else ""


def grades_of(bounds: Sequence[float], looks: Sequence[str], wording: Wording, first: str = "") -> tuple[Grade, ...]:
    """Grades between bounds, one more than these; `first` is what is said of the lowest, where that has a word."""
    texts = [
        wording.number(bound, 0 if bound % 1.0 == 0.0 else len(f"{bound:g}".rpartition(".")[2])) for bound in bounds
    ]
    told = [first or wording.fill("under {high}", high=texts[0])]
    told += [wording.fill("{low} to {high}", low=a, high=b) for a, b in pairwise(texts)]
    if first:  # the lowest bound only parts none from some
        told[1] = wording.fill("under {high}", high=texts[1])
    told.append(wording.fill("{low} and more", low=texts[-1]))
    return tuple(Grade(least, look, text) for least, look, text in zip((-math.inf, *bounds), looks, told, strict=True))


def draw_theme(theme: Theme, ground: Ground, hint: str, width: float = WIDTH) -> Figure:
    """Colour the network; what is worst lies on top, and only grades that occur are in the legend."""
    sheet = ground.whole(theme.title, width=width)
    sheet.pipes()
    found: dict[int, list[str]] = {}
    index = ground.site.topology.node_index if theme.of_nodes else ground.site.topology.link_index
    for name, value in theme.values.items():
        if math.isfinite(value) and name in index:
            found.setdefault(theme.grade(value), []).append(name)
    legend = [Legend(line_icon("pipes"), ground.wording.say("pipe"))]
    for k in sorted(found, key=lambda k: theme.grades[k].look):
        at = [index[name] for name in found[k]]
        if theme.of_nodes:
            points = ground.plan.xy[at]
            sheet.dots(points[np.isfinite(points).all(axis=1)], f"spot {theme.grades[k].look}")
        else:
            sheet.links(at, f"grade {theme.grades[k].look}")
    for k in sorted(found):
        grade = theme.grades[k]
        shape = icon(f'<path class="spot key {grade.look}" d="M11 6h.01"/>') if theme.of_nodes else None
        legend.append(Legend(shape or line_icon(f"grade {grade.look}"), grade.text))
    return sheet.figure(theme.key, legend, "", Clicks(hint))
