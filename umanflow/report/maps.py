"""The network and its leaks as maps: one of all, that a page can zoom, and one of each event."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from umanflow.report.blocks import Figure, Legend
from umanflow.report.case import Case
from umanflow.report.content import Content
from umanflow.report.drawing import Picture, num, shorten, width_of
from umanflow.report.labels import place_labels
from umanflow.report.plane import Frame, Plan, core_of, frame_of, nice_length, scale_text, unit_of
from umanflow.report.row import LeakRow
from umanflow.report.site import Site
from umanflow.report.wording import Wording, mark

Floats = NDArray[np.float64]

_WIDTH, _HEIGHTS = 760.0, (280.0, 520.0)
_PLACE_WIDTH, _PLACE_HEIGHTS = 440.0, (250.0, 250.0)
_LABEL_H = 16.0
_NAMED = 4
_MOST_LETTERS = 14
_MOST_CANDIDATES = 200  # of an event, in the page's data
_CLASSES = ((0.20, "p1"), (0.05, "p2"), (0.01, "p3"), (0.0, "p4"))
CLASS_TEXTS = {
    "p1": mark("candidate pipe, 20 % and more"),
    "p2": mark("candidate pipe, 5 to 20 %"),
    "p3": mark("candidate pipe, 1 to 5 %"),
    "p4": mark("candidate pipe, under 1 %"),
}
STATUS_TEXTS = {
    "open": mark("open leak, likeliest pipe"),
    "ended": mark("ended leak, likeliest pipe"),
    "withdrawn": mark("withdrawn event, likeliest pipe"),
}


def probability_class(probability: float) -> str:
    """Class of a candidate's line."""
    return next(name for least, name in _CLASSES if probability >= least)


class MapMaker:
    """Draws the maps of one report.

    Parameters
    ----------
    content, site
        What is shown, and where.
    sensors
        Nodes or links with an instrument; names that the network does not have are left out.
    """

    def __init__(self, content: Content, site: Site, sensors: Sequence[str], wording: Wording) -> None:
        self.content, self.site, self.wording = content, site, wording
        self.plan = Plan(site.topology)
        self.sensors = [(name, p) for name in dict.fromkeys(sensors) if (p := self.plan.point(name)) is not None]
        self.unit = unit_of(content.crs, self.plan.is_schematic)

    # the whole network --------------------------------------------------------------------------------------------

    def network(self) -> Figure:
        """Draw pipes, candidates of open leaks by probability, the likeliest pipe of each event, and sensors."""
        plan, wording = self.plan, self.wording
        placed = [(c, link) for c in self.content.cases if (link := plan.link(c.row.pipe_best)) is not None]
        shown = [core_of(plan.segments[plan.seen].reshape(-1, 2)), *(plan.segments[link] for _, link in placed)]
        frame = frame_of(np.vstack(shown), _WIDTH, _HEIGHTS, 0.07)
        picture = Picture(frame.width, frame.height, wording.say("Map of the network with its leaks and sensors"))
        on_paper = frame.on_paper(plan.segments)
        picture.add('<g class="moving">')
        used = self._pipes(picture, frame, on_paper)
        used |= self._candidates(picture, on_paper, [c.row for c, _ in placed if c.row.status == "open"])
        for case, link in placed:
            picture.line(on_paper[link], f"best s-{case.row.status}")
            used.add(case.row.status)
        used |= self._sensors(picture, frame)
        self._pins(picture, frame, on_paper, placed)
        picture.add("</g>")
        self._scale(picture, frame)
        self._arrow(picture, frame)
        data = self._data(frame, on_paper, placed)
        return Figure("map", picture.svg(' class="map-svg"'), self._caption(), self._legend(used), "map", data)

    def _caption(self) -> str:
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

    def _pipes(self, picture: Picture, frame: Frame, on_paper: Floats) -> set[str]:
        seen = on_paper[self.plan.seen]
        picture.lines(seen[frame.touches(seen)], "pipes")
        return {"pipe"}

    def _candidates(self, picture: Picture, on_paper: Floats, rows: Sequence[LeakRow]) -> set[str]:
        probability: dict[int, float] = {}
        for row in rows:
            for candidate in row.candidates_best or row.candidates:
                link = self.plan.link(candidate.pipe)
                if link is not None:
                    probability[link] = max(probability.get(link, 0.0), candidate.probability)
        used = set()
        for name in reversed([name for _, name in _CLASSES]):
            links = [link for link, p in probability.items() if probability_class(p) == name]
            picture.lines(on_paper[links], f"cand {name}")
            used |= {name} if links else set()
        return used

    def _sensors(self, picture: Picture, frame: Frame) -> set[str]:
        if not self.sensors:
            return set()
        points = frame.on_paper(np.stack([p for _, p in self.sensors]))
        for x, y in points[frame.shows(points)]:
            picture.add(f'<circle class="sensor pin" cx="0" cy="0" r="3.4" transform="translate({num(x)} {num(y)})"/>')
        return {"sensor"} if frame.shows(points).any() else set()

    def _pins(self, picture: Picture, frame: Frame, on_paper: Floats, placed: Sequence[tuple[Case, int]]) -> None:
        """Numbers of the events beside their pipes, where they cover neither each other nor other pipes of events."""
        if not placed:
            return
        texts = [str(case.row.event) for case, _ in placed]
        anchors = on_paper[[link for _, link in placed]].mean(axis=1)
        width = max(width_of(text) for text in texts) + 9.0
        labels = place_labels(anchors, (width, _LABEL_H), (frame.width, frame.height))
        for text, (case, _), anchor, label in zip(texts, placed, anchors, labels, strict=True):
            dx, dy = label - anchor
            status = case.row.status
            picture.add(
                f'<g class="pin" data-event="{case.row.event}" '
                f'transform="translate({num(anchor[0])} {num(anchor[1])})">'
                f'<line class="leader s-{status}" x1="0" y1="0" x2="{num(dx)}" y2="{num(dy)}"/>'
                f'<circle class="dot f-{status}" cx="0" cy="0" r="4"/>'
                f'<rect class="plate s-{status}" x="{num(dx - width / 2)}" y="{num(dy - _LABEL_H / 2)}" '
                f'width="{num(width)}" height="{num(_LABEL_H)}" rx="3"/>'
                f'<text class="bold f-{status}" x="{num(dx)}" y="{num(dy + 4)}" text-anchor="middle">{text}</text></g>'
            )

    # one event ----------------------------------------------------------------------------------------------------

    def place(self, case: Case) -> Figure | None:
        """Draw the surroundings of one event: its candidates, the first of them by name, and the valves to shut."""
        plan, row, wording = self.plan, case.row, self.wording
        candidates = row.candidates_best or row.candidates
        names = [row.pipe_best, *(c.pipe for c in candidates)]
        links = list(dict.fromkeys(link for name in names if (link := plan.link(name)) is not None))
        if not links:
            return None
        frame = frame_of(self._near(links), _PLACE_WIDTH, _PLACE_HEIGHTS, 0.16)
        label = wording.fill("Map of the surroundings of event {n}", n=row.event)
        picture = Picture(frame.width, frame.height, label)
        on_paper = frame.on_paper(plan.segments)
        used = self._pipes(picture, frame, on_paper)
        used |= self._candidates(picture, on_paper, [row])
        best = plan.link(row.pipe_best)
        if best is not None:
            picture.line(on_paper[best], f"best s-{row.status}")
            used.add(row.status)
        used |= self._sensors(picture, frame) | self._valves(picture, frame, case)
        named = [k for k in links if frame.shows(on_paper[k].mean(axis=0))][:_NAMED]
        self._names(picture, frame, on_paper, named, best, row.status)
        self._scale(picture, frame)
        self._arrow(picture, frame)
        return Figure(f"place-{row.event}", picture.svg(), "", self._legend(used))

    def _near(self, links: Sequence[int]) -> Floats:
        """Ends of the candidates, without a few that lie far off: the likeliest stays in sight."""
        ends = self.plan.segments[list(links)].reshape(-1, 2)
        kept = core_of(ends) if len(links) > 20 else ends
        return np.vstack([kept, self.plan.segments[links[0]]])

    def _valves(self, picture: Picture, frame: Frame, case: Case) -> set[str]:
        segments = self.site.segments
        if segments is None or case.closure is None:
            return set()
        number = {name: k for k, name in enumerate(segments.valves.names)}
        points = []
        for name in case.closure.valves:
            valve = number[name]
            node, link = int(segments.valves.node[valve]), int(segments.valves.link[valve])
            middle = self.plan.segments[link].mean(axis=0)
            points.append(self.plan.xy[node] + 0.12 * (middle - self.plan.xy[node]))
        if not points:
            return set()
        on_paper = frame.on_paper(np.stack(points))
        for x, y in on_paper[frame.shows(on_paper)]:
            picture.rect(x - 3.5, y - 3.5, 7.0, 7.0, "valve")
        return {"valve"} if frame.shows(on_paper).any() else set()

    def _names(
        self, picture: Picture, frame: Frame, on_paper: Floats, links: Sequence[int], best: int | None, status: str
    ) -> None:
        if not links:
            return
        texts = [shorten(self.site.topology.links[k], _MOST_LETTERS) for k in links]
        width = max(width_of(text) for text in texts) + 8.0
        anchors = on_paper[list(links)].mean(axis=1)
        # the corners below hold the scale, the one above the arrow
        labels = place_labels(anchors, (width, _LABEL_H), (frame.width - 26.0, frame.height - 34.0))
        for text, link, anchor, label in zip(texts, links, anchors, labels, strict=True):
            line, fill = (f"s-{status}", f"f-{status}") if link == best else ("axis", "")
            picture.line([anchor, label], f"leader {line}")
            picture.add(
                f'<rect class="plate {line}" x="{num(label[0] - width / 2)}" y="{num(label[1] - _LABEL_H / 2)}" '
                f'width="{num(width)}" height="{num(_LABEL_H)}" rx="3"/>'
            )
            picture.text(label[0], label[1] + 4.0, text, f"bold {fill}".strip(), "middle")

    # scale, north, legend -----------------------------------------------------------------------------------------

    def _scale(self, picture: Picture, frame: Frame) -> None:
        length = nice_length(0.25 * frame.width * frame.per_px)
        px = length / frame.per_px
        text = scale_text(length, self.unit, self.wording)
        y = frame.height - 8.0
        picture.add('<g class="scale-bar">')
        plate = max(px + 14.0, width_of(text) + 12.0)
        picture.rect(1.0, frame.height - 33.0, plate, 32.0, "plate")
        picture.line([(8.0, y - 5.0), (8.0, y), (8.0 + px, y), (8.0 + px, y - 5.0)], "scale")
        picture.text(10.0, y - 9.0, text, "small")
        picture.add("</g>")

    def _arrow(self, picture: Picture, frame: Frame) -> None:
        if self.plan.is_schematic:
            return
        x = frame.width - 14.0
        letter = self.wording.say(mark("N")) if self.unit else "y"
        picture.add(
            f'<g class="north"><path class="arrow" d="M{num(x)} 4L{num(x + 6)} 22L{num(x)} 18L{num(x - 6)} 22Z"/>'
        )
        picture.text(x, 33.0, letter, "bold small", "middle")
        picture.add("</g>")

    def _legend(self, used: set[str]) -> tuple[Legend, ...]:
        say = self.wording.say
        items = [("pipe", _line_icon("pipes"), say(mark("pipe")))]
        items += [(name, _line_icon(f"cand {name}"), say(CLASS_TEXTS[name])) for _, name in _CLASSES]
        items += [(status, _line_icon(f"best s-{status}"), say(text)) for status, text in STATUS_TEXTS.items()]
        items += [
            ("sensor", _icon('<circle class="sensor" cx="11" cy="6" r="4"/>'), say(mark("sensor"))),
            ("valve", _icon('<rect class="valve" x="7" y="2" width="8" height="8"/>'), say(mark("valve to shut"))),
        ]
        return tuple(Legend(icon, text) for name, icon, text in items if name in used)

    # what a click tells -------------------------------------------------------------------------------------------

    def _data(self, frame: Frame, on_paper: Floats, placed: Sequence[tuple[Case, int]]) -> str:
        wording, topology = self.wording, self.site.topology
        seen = np.flatnonzero(self.plan.seen)
        number = {int(link): k for k, link in enumerate(seen)}
        unit = {"m": wording.say(mark("m")), "degree": "°", "": wording.say(mark("map units"))}.get(
            self.unit, self.unit
        )
        data: dict[str, Any] = {
            "perPx": frame.per_px,
            "unit": unit,
            "km": wording.say(mark("km")) if self.unit == "m" else "",
            "names": [topology.links[k] for k in seen],
            "ends": [round(float(v), 1) for v in on_paper[seen].reshape(-1)],
            "lengths": [round(float(topology.length[k]), 1) for k in seen],
            "streets": [self.site.streets.get(topology.links[k], "") for k in seen] if self.site.streets else [],
            "sensors": [[name, *(round(float(v), 1) for v in frame.on_paper(point))] for name, point in self.sensors],
            "health": {
                h.sensor: f"{h.quantity_text(wording)}: {wording.percent(h.received, 1)}" for h in self.content.health
            },
            "events": [self._event(case, number[link], number) for case, link in placed],
            "words": {
                "pipe": wording.say("Pipe"),
                "sensor": wording.say("Sensor"),
                "event": wording.say("Event"),
                "more": wording.say("Read more"),
                "candidates": wording.say("Candidate pipes"),
                "hint": wording.say(
                    "Click or tap a leak, a pipe or a sensor. Drag to move, wheel or two fingers to zoom."
                ),
                "m": wording.say(mark("m")),
            },
        }
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")

    def _event(self, case: Case, link: int, number: dict[int, int]) -> dict[str, Any]:
        row, wording = case.row, self.wording
        candidates = sorted(row.candidates_best or row.candidates, key=lambda c: -c.probability)[:_MOST_CANDIDATES]
        links = [(self.plan.link(c.pipe), c.probability) for c in candidates]
        facts = [
            (wording.say("Pipe"), row.pipe_best),
            (wording.say("Flow"), wording.flow(row.flow_best_m3h)),
            (wording.say("Began"), wording.minute(row.start)),
            (wording.say("Street"), case.place.street),
        ]
        return {
            "n": row.event,
            "link": link,
            "facts": [fact for fact in facts if fact[1]],
            "candidates": [[number[k], probability_class(p), wording.percent(p, 1)] for k, p in links if k is not None],
        }


def _icon(content: str) -> str:
    return f'<svg viewBox="0 0 22 12" width="22" height="12">{content}</svg>'


def _line_icon(classes: str) -> str:
    return _icon(f'<path class="{escape(classes)}" d="M2 6L20 6"/>')
