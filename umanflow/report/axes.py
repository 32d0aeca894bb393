"""Axes of a plot: numbers to the left, anything below, and lines, bands, steps and bars between them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from umanflow.report.drawing import Picture, num
from umanflow.report.wording import Wording

Points = Sequence[tuple[float, float]]


def nice_step(span: float, most: int) -> float:
    """Find the smallest of 1, 2, 5, 10, 20 ... that cuts a span into no more than so many parts."""
    least = span / most
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= least * (1.0 - 1e-9))


@dataclass(frozen=True, slots=True)
class Box:
    """Where a plot lies in a picture, px: its left, top, width and height without the numbers."""

    left: float
    top: float
    width: float
    height: float


class Axes:
    """Axes in a picture.

    Parameters
    ----------
    box
        Where.
    across
        Values at the left and right edge.
    values
        That have to be seen; the scale is rounded outwards from them.
    ticks
        Most parts of the scale.
    """

    def __init__(
        self, picture: Picture, box: Box, across: tuple[float, float], values: Iterable[float], ticks: int = 4
    ) -> None:
        seen = [value for value in values if math.isfinite(value)] or [0.0]
        self.picture, self.box = picture, box
        self.step = nice_step(max(max(seen) - min(seen), 1e-9), ticks)
        self.low = self.step * math.floor(min(seen) / self.step + 1e-9)
        self.high = self.step * math.ceil(max(seen) / self.step - 1e-9)
        self._across = across

    def x(self, value: float) -> float:
        """Where a value lies from left to right, px."""
        first, last = self._across
        return self.box.left + self.box.width * (value - first) / max(last - first, 1e-9)

    def y(self, value: float) -> float:
        """Where a value lies from top to bottom, px."""
        return self.box.top + self.box.height * (self.high - value) / max(self.high - self.low, 1e-9)

    # scales -------------------------------------------------------------------------------------------------------

    def draw_scale(self, wording: Wording, factor: float = 1.0, end: str = "") -> None:
        """Draw lines and numbers of the values; numbers are told times `factor`, with `end` behind."""
        digits = max(0, -math.floor(math.log10(self.step * factor) + 1e-9))
        right = self.box.left + self.box.width
        for k in range(round((self.high - self.low) / self.step) + 1):
            value = self.low + k * self.step
            y = self.y(value)
            self.picture.line([(self.box.left, y), (right, y)], "axis" if abs(value) < self.step / 2.0 else "grid")
            text = wording.number(value * factor, digits) + end
            self.picture.text(self.box.left - 5.0, y + 3.5, text, "soft small", "end")

    def draw_ticks(self, ticks: Iterable[tuple[float, str]]) -> None:
        """Draw values below, each with its text."""
        bottom = self.box.top + self.box.height
        for value, text in ticks:
            x = self.x(value)
            self.picture.line([(x, bottom), (x, bottom + 4.0)], "axis")
            self.picture.text(x, bottom + 17.0, text, "soft small", "middle")

    # what is shown ------------------------------------------------------------------------------------------------

    def line(self, points: Points, classes: str) -> None:
        """Draw a line; values that are none interrupt it, and a lone value is a dash."""
        for run in runs_of(points):
            places = [(self.x(a), self.y(b)) for a, b in run]
            if len(places) == 1:
                places = [(places[0][0] - 1.0, places[0][1]), (places[0][0] + 1.0, places[0][1])]
            self.picture.line(places, f"curve {classes}")

    def dots(self, points: Points, classes: str) -> None:
        """Draw a dot for each point."""
        for a, b in points:
            if math.isfinite(b):
                self.picture.add(f'<circle class="{classes}" cx="{num(self.x(a))}" cy="{num(self.y(b))}" r="3"/>')

    def steps(self, values: Sequence[float], classes: str) -> None:
        """Draw values that each hold from their number to the next."""
        self.line([(k + more, value) for k, value in enumerate(values) for more in (0.0, 1.0)], classes)

    def band(self, across: Sequence[float], low: Sequence[float], high: Sequence[float], classes: str) -> None:
        """Fill what lies between two lines."""
        edge = [*zip(across, high, strict=True), *reversed(list(zip(across, low, strict=True)))]
        points = " ".join(f"{num(self.x(a))},{num(self.y(b))}" for a, b in edge)
        self.picture.add(f'<polygon class="{classes}" points="{points}"/>')

    def bar(self, middle: float, width: float, low: float, high: float, classes: str) -> None:
        """Fill a bar from one value to another; `width` is in values from left to right."""
        left, top = self.x(middle - width / 2.0), self.y(high)
        self.picture.rect(left, top, self.x(middle + width / 2.0) - left, self.y(low) - top, classes)


def runs_of(points: Points) -> list[list[tuple[float, float]]]:
    """Points without gaps between them."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if math.isfinite(point[1]):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
