"""A network drawn to scale: its pipes, dots and numbered pins on it, scale and arrow, and what a click tells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from umanflow.report.blocks import Figure, Legend
from umanflow.report.drawing import Picture, num, width_of
from umanflow.report.labels import place_labels
from umanflow.report.plane import Frame, Plan, core_of, frame_of, nice_length, scale_text, unit_of
from umanflow.report.site import Site
from umanflow.report.wording import Wording, mark

Floats = NDArray[np.float64]

WIDTH, HEIGHTS = 760.0, (280.0, 520.0)
LABEL_H = 16.0
_MARGIN = 0.07
Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pin:
    """A point of a map with a label beside it.

    Attributes
    ----------
    key
        Its name in the picture, of its own kind.
    text
        On the label.
    at
        float64 [2], in the plane.
    look
        Class of its colour: `s-` and `f-` before it.
    title, facts, anchor
        What a click tells, and the anchor that it leads to; no title for a pin that only labels.
    link
        That belongs to it.
    paths
        Links that a click shows: link, classes and a text that a click on the link tells.
    """

    key: str
    text: str
    at: Floats
    look: str
    title: str = ""
    facts: Facts = ()
    anchor: str = ""
    link: int | None = None
    paths: tuple[tuple[int, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Spot:
    """A point of a map without a label, drawn as a sign: "dot", "square", "triangle"."""

    at: Floats
    title: str
    look: str
    sign: str = "dot"
    facts: Facts = ()


@dataclass(slots=True)
class Clicks:
    """What a click on a map tells.

    Attributes
    ----------
    pins, spots
        That are on the map.
    hint
        What may be clicked.
    """

    hint: str
    pins: list[Pin] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)


class Ground:
    """A network as all maps of one report show it.

    Parameters
    ----------
    columns
        What a click on a link tells on every map: a heading, and a text for each link [n_links], empty where there is
        nothing to tell.

    Attributes
    ----------
    holder
        Name of the map whose data hold the network, the first that answers clicks; others refer to it.
    """

    def __init__(
        self, site: Site, crs: str | None, wording: Wording, columns: Sequence[tuple[str, Sequence[str]]] = ()
    ) -> None:
        self.site, self.wording, self.columns = site, wording, columns
        self.holder = ""
        self.plan = Plan(site.topology)
        self.unit = unit_of(crs, self.plan.is_schematic)

    @property
    def caption(self) -> str:
        """What has to be said of a map whose place on Earth is not known."""
        if self.plan.is_schematic:
            return self.wording.say(
                "Schematic: the network has no coordinates. To the right is the distance from the source along pipes; "
                "up and down only keep branches apart."
            )
        if not self.unit:
            return self.wording.say(
                "The coordinates' reference system is not known: the scale is in the model's own units, up is its y."
            )
        return ""

    def whole(self, label: str, also: Sequence[Floats] = (), width: float = WIDTH) -> Sheet:
        """A sheet with the whole network, and with points float64 [n, 2] that have to be on it.

        Sheets of another width show the same at another size.
        """
        points = np.vstack([core_of(self.plan.segments[self.plan.seen].reshape(-1, 2)), *also])
        low, high = (height * width / WIDTH for height in HEIGHTS)
        return self.part(label, points, width, (low, high), _MARGIN)

    def part(self, label: str, points: Floats, width: float, heights: tuple[float, float], margin: float) -> Sheet:
        """A sheet with some points of the plane, float64 [n, 2]."""
        return Sheet(self, frame_of(points, width, heights, margin), label)


class Sheet:
    """One map that is being drawn."""

    def __init__(self, ground: Ground, frame: Frame, label: str) -> None:
        self.ground, self.frame = ground, frame
        self.picture = Picture(frame.width, frame.height, label)
        self.on_paper = frame.on_paper(ground.plan.segments)
        self.picture.add('<g class="moving">')

    def pipes(self) -> None:
        """Draw every link that can be seen."""
        seen = self.on_paper[self.ground.plan.seen]
        self.picture.lines(seen[self.frame.touches(seen)], "pipes")

    def links(self, links: Sequence[int], classes: str) -> None:
        """Draw some links; those without coordinates are left out."""
        seen = [k for k in links if self.ground.plan.seen[k]]
        self.picture.lines(self.on_paper[seen], classes)

    def dots(self, points: Floats, classes: str) -> None:
        """Draw points float64 [n, 2] of the plane that keep their size: short lines with round ends."""
        places = self.frame.on_paper(points)
        path = "".join(f"M{num(x)} {num(y)}h.01" for x, y in places[self.frame.shows(places)])
        if path:
            self.picture.add(f'<path class="{classes}" d="{path}"/>')

    def spots(self, spots: Sequence[Spot]) -> bool:
        """Draw signs; return whether any lies on the sheet."""
        if not spots:
            return False
        points = self.frame.on_paper(np.stack([spot.at for spot in spots]))
        shown = self.frame.shows(points)
        for spot, (x, y) in zip(
            [s for s, is_in in zip(spots, shown, strict=True) if is_in], points[shown], strict=True
        ):
            self.picture.add(
                f'<g class="pin" transform="translate({num(x)} {num(y)})">{sign_of(spot.sign, spot.look)}</g>'
            )
        return bool(shown.any())

    def pins(self, pins: Sequence[Pin]) -> list[Pin]:
        """Draw labels beside their points, where they cover neither each other nor other pins' points.

        Returns
        -------
        list of Pin
            That lie beyond the sheet: a page can move there, paper cannot.
        """
        if not pins:
            return []
        anchors = self.frame.on_paper(np.stack([pin.at for pin in pins]))
        shown = self.frame.shows(anchors)
        width = max(width_of(pin.text) for pin in pins) + 9.0
        labels = anchors + np.array([0.5 * width + 10.0, 0.5 * LABEL_H + 10.0])
        labels[shown] = place_labels(anchors[shown], (width, LABEL_H), (self.frame.width, self.frame.height))
        for pin, anchor, label in zip(pins, anchors, labels, strict=True):
            dx, dy = label - anchor
            key = f' data-pin="{escape(pin.key)}"' if pin.title else ""
            self.picture.add(
                f'<g class="pin"{key} transform="translate({num(anchor[0])} {num(anchor[1])})">'
                f'<line class="leader s-{pin.look}" x1="0" y1="0" x2="{num(dx)}" y2="{num(dy)}"/>'
                f'<circle class="dot f-{pin.look}" cx="0" cy="0" r="4"/>'
                f'<rect class="plate s-{pin.look}" x="{num(dx - width / 2)}" y="{num(dy - LABEL_H / 2)}" '
                f'width="{num(width)}" height="{num(LABEL_H)}" rx="3"/>'
                f'<text class="bold f-{pin.look}" x="{num(dx)}" y="{num(dy + 4)}" text-anchor="middle">'
                f"{escape(pin.text)}</text></g>"
            )
        return [pin for pin, is_in in zip(pins, shown, strict=True) if not is_in]

    def figure(self, name: str, legend: Sequence[Legend], caption: str = "", clicks: Clicks | None = None) -> Figure:
        """The finished map with scale and arrow; one that answers clicks where these are given."""
        self.picture.add("</g>")
        self._scale()
        self._arrow()
        if clicks is None:
            return Figure(name, self.picture.svg(), caption, tuple(legend))
        return Figure(
            name, self.picture.svg(' class="map-svg"'), caption, tuple(legend), "map", self._data(name, clicks)
        )

    def _scale(self) -> None:
        picture, frame = self.picture, self.frame
        length = nice_length(0.25 * frame.width * frame.per_px)
        px = length / frame.per_px
        text = scale_text(length, self.ground.unit, self.ground.wording)
        y = frame.height - 8.0
        picture.add('<g class="scale-bar">')
        plate = max(px + 14.0, width_of(text) + 12.0)
        picture.rect(1.0, frame.height - 33.0, plate, 32.0, "plate")
        picture.line([(8.0, y - 5.0), (8.0, y), (8.0 + px, y), (8.0 + px, y - 5.0)], "scale")
        picture.text(10.0, y - 9.0, text, "small")
        picture.add("</g>")

    def _arrow(self) -> None:
        if self.ground.plan.is_schematic:
            return
        x = self.frame.width - 14.0
        letter = self.ground.wording.say(mark("N")) if self.ground.unit else "y"
        self.picture.add(
            f'<g class="north"><path class="arrow" d="M{num(x)} 4L{num(x + 6)} 22L{num(x)} 18L{num(x - 6)} 22Z"/>'
        )
        self.picture.text(x, 33.0, letter, "bold small", "middle")
        self.picture.add("</g>")

    def _data(self, name: str, clicks: Clicks) -> str:
        held = self.ground.holder
        self.ground.holder = held or name
        wording, unit = self.ground.wording, self.ground.unit
        seen = np.flatnonzero(self.ground.plan.seen).tolist()
        number = {link: k for k, link in enumerate(seen)}
        data: dict[str, Any] = {
            "perPx": self.frame.per_px,
            "unit": {"m": wording.say(mark("m")), "degree": "°", "": wording.say(mark("map units"))}.get(unit, unit),
            "km": wording.say(mark("km")) if unit == "m" else "",
            "network": held or self._network(seen),
            "spots": [[spot.title, *self._place(spot.at), spot.facts] for spot in clicks.spots],
            "pins": [_pin_data(pin, number) for pin in clicks.pins],
            "words": {
                "pipe": wording.say("Pipe"),
                "more": wording.say("Read more"),
                "hint": clicks.hint,
                "m": wording.say(mark("m")),
            },
        }
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")

    def _network(self, seen: Sequence[int]) -> dict[str, Any]:
        topology, streets = self.ground.site.topology, self.ground.site.streets
        return {
            "names": [topology.links[k] for k in seen],
            "width": self.frame.width,
            "ends": [round(float(v), 1) for v in self.on_paper[list(seen)].reshape(-1)],
            "lengths": [round(float(topology.length[k]), 1) for k in seen],
            "columns": [[head, [texts[k] for k in seen]] for head, texts in self.ground.columns],
            "streets": [streets.get(topology.links[k], "") for k in seen] if streets else [],
        }

    def _place(self, point: Floats) -> tuple[float, ...]:
        return tuple(round(float(v), 1) for v in self.frame.on_paper(point))


def _pin_data(pin: Pin, number: dict[int, int]) -> dict[str, Any]:
    return {
        "key": pin.key,
        "title": pin.title,
        "facts": [fact for fact in pin.facts if fact[1]],
        "anchor": pin.anchor,
        "link": None if pin.link is None else number[pin.link],
        "paths": [[number[link], classes, text] for link, classes, text in pin.paths],
    }


def sign_of(sign: str, look: str) -> str:
    """The markup of a sign around its point."""
    if sign == "square":
        return f'<rect class="{escape(look)}" x="-3.5" y="-3.5" width="7" height="7"/>'
    if sign == "triangle":
        return f'<path class="{escape(look)}" d="M0 -5L4.6 3.4L-4.6 3.4Z"/>'
    return f'<circle class="{escape(look)}" cx="0" cy="0" r="3.4"/>'


def icon(content: str) -> str:
    """A sign of a legend; its point is the middle of 22 by 12."""
    return f'<svg viewBox="0 0 22 12" width="22" height="12">{content}</svg>'


def line_icon(classes: str) -> str:
    """A line of a legend."""
    return icon(f'<path class="{escape(classes)}" d="M2 6L20 6"/>')


def sign_icon(sign: str, look: str) -> str:
    """A sign as a legend shows it."""
    return icon(f'<g transform="translate(11 6)">{sign_of(sign, look)}</g>')
