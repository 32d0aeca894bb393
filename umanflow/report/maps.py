"""Leaks on maps: one of the whole network, that a page can zoom, and one of each event."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from umanflow.report.blocks import Figure, Legend
from umanflow.report.case import Case
from umanflow.report.content import Content
from umanflow.report.drawing import num, shorten, width_of
from umanflow.report.ground import LABEL_H, Clicks, Facts, Ground, Pin, Sheet, Spot, line_icon, sign_icon
from umanflow.report.labels import place_labels
from umanflow.report.plane import core_of
from umanflow.report.row import LeakRow
from umanflow.report.site import Site
from umanflow.report.wording import Wording, mark

Floats = NDArray[np.float64]

_PLACE_WIDTH, _PLACE_HEIGHTS = 440.0, (250.0, 250.0)
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
        self.ground = Ground(site, content.crs, wording)
        self.plan = self.ground.plan
        received = {h.sensor: f"{h.quantity_text(wording)}: {wording.percent(h.received, 1)}" for h in content.health}
        self.sensors = [
            Spot(point, " ".join((wording.say("Sensor"), name)), "sensor", facts=_of(received.get(name, "")))
            for name in dict.fromkeys(sensors)
            if (point := self.plan.point(name)) is not None
        ]

    # the whole network --------------------------------------------------------------------------------------------

    def network(self) -> Figure:
        """Draw pipes, candidates of open leaks by probability, the likeliest pipe of each event, and sensors."""
        plan, wording = self.plan, self.wording
        placed = [(c, link) for c in self.content.cases if (link := plan.link(c.row.pipe_best)) is not None]
        label = wording.say("Map of the network with its leaks and sensors")
        sheet = self.ground.whole(label, [plan.segments[link] for _, link in placed])
        sheet.pipes()
        used = {"pipe"} | self._candidates(sheet, [c.row for c, _ in placed if c.row.status == "open"])
        for case, link in placed:
            sheet.picture.line(sheet.on_paper[link], f"best s-{case.row.status}")
            used.add(case.row.status)
        used |= {"sensor"} if sheet.spots(self.sensors) else set()
        pins = [self._pin(case, link) for case, link in placed]
        sheet.pins(pins)
        hint = wording.say("Click or tap a leak, a pipe or a sensor. Drag to move, wheel or two fingers to zoom.")
        clicks = Clicks(hint, pins, self.sensors)
        return sheet.figure("map", self._legend(used), self.ground.caption, clicks)

    def _candidates(self, sheet: Sheet, rows: Sequence[LeakRow]) -> set[str]:
        probability: dict[int, float] = {}
        for row in rows:
            for candidate in row.candidates_best or row.candidates:
                link = self.plan.link(candidate.pipe)
                if link is not None:
                    probability[link] = max(probability.get(link, 0.0), candidate.probability)
        used = set()
        for name in reversed([name for _, name in _CLASSES]):
            links = [link for link, p in probability.items() if probability_class(p) == name]
            sheet.links(links, f"cand {name}")
            used |= {name} if links else set()
        return used

    def _pin(self, case: Case, link: int) -> Pin:
        row, wording = case.row, self.wording
        candidates = sorted(row.candidates_best or row.candidates, key=lambda c: -c.probability)[:_MOST_CANDIDATES]
        paths = tuple(
            (k, f"cand {probability_class(c.probability)}", wording.percent(c.probability, 1))
            for c in candidates
            if (k := self.plan.link(c.pipe)) is not None
        )
        facts = (
            (wording.say("Pipe"), row.pipe_best),
            (wording.say("Flow"), wording.flow(row.flow_best_m3h)),
            (wording.say("Began"), wording.minute(row.start)),
            (wording.say("Street"), case.place.street),
            (wording.say("Candidate pipes"), str(len(paths))),
        )
        title = " ".join((wording.say("Event"), str(row.event)))
        middle = self.plan.segments[link].mean(axis=0)
        return Pin(str(row.event), str(row.event), middle, row.status, title, facts, f"event-{row.event}", link, paths)

    # one event ----------------------------------------------------------------------------------------------------

    def place(self, case: Case) -> Figure | None:
        """Draw the surroundings of one event: its candidates, the first of them by name, and the valves to shut."""
        plan, row, wording = self.plan, case.row, self.wording
        candidates = row.candidates_best or row.candidates
        names = [row.pipe_best, *(c.pipe for c in candidates)]
        links = list(dict.fromkeys(link for name in names if (link := plan.link(name)) is not None))
        if not links:
            return None
        label = wording.fill("Map of the surroundings of event {n}", n=row.event)
        sheet = self.ground.part(label, self._near(links), _PLACE_WIDTH, _PLACE_HEIGHTS, 0.16)
        sheet.pipes()
        used = {"pipe"} | self._candidates(sheet, [row])
        best = plan.link(row.pipe_best)
        if best is not None:
            sheet.picture.line(sheet.on_paper[best], f"best s-{row.status}")
            used.add(row.status)
        used |= {"sensor"} if sheet.spots(self.sensors) else set()
        used |= {"valve"} if sheet.spots(self._valves(case)) else set()
        named = [k for k in links if sheet.frame.shows(sheet.on_paper[k].mean(axis=0))][:_NAMED]
        self._names(sheet, named, best, row.status)
        return sheet.figure(f"place-{row.event}", self._legend(used))

    def _near(self, links: Sequence[int]) -> Floats:
        """Ends of the candidates, without a few that lie far off: the likeliest stays in sight."""
        ends = self.plan.segments[list(links)].reshape(-1, 2)
        kept = core_of(ends) if len(links) > 20 else ends
        return np.vstack([kept, self.plan.segments[links[0]]])

    def _valves(self, case: Case) -> list[Spot]:
        segments = self.site.segments
        if segments is None or case.closure is None:
            return []
        number = {name: k for k, name in enumerate(segments.valves.names)}
        spots = []
        for name in case.closure.valves:
            valve = number[name]
            node, link = int(segments.valves.node[valve]), int(segments.valves.link[valve])
            spots.append(Spot(self.plan.beside(node, link), name, "valve", "square"))
        return spots

    def _names(self, sheet: Sheet, links: Sequence[int], best: int | None, status: str) -> None:
        if not links:
            return
        picture, frame = sheet.picture, sheet.frame
        texts = [shorten(self.site.topology.links[k], _MOST_LETTERS) for k in links]
        width = max(width_of(text) for text in texts) + 8.0
        anchors = sheet.on_paper[list(links)].mean(axis=1)
        # the corners below hold the scale, the one above the arrow
        labels = place_labels(anchors, (width, LABEL_H), (frame.width - 26.0, frame.height - 34.0))
        for text, link, anchor, label in zip(texts, links, anchors, labels, strict=True):
            line, fill = (f"s-{status}", f"f-{status}") if link == best else ("axis", "")
            picture.line([anchor, label], f"leader {line}")
            picture.add(
                f'<rect class="plate {line}" x="{num(label[0] - width / 2)}" y="{num(label[1] - LABEL_H / 2)}" '
                f'width="{num(width)}" height="{num(LABEL_H)}" rx="3"/>'
            )
            picture.text(label[0], label[1] + 4.0, text, f"bold {fill}".strip(), "middle")

    def _legend(self, used: set[str]) -> tuple[Legend, ...]:
        say = self.wording.say
        items = [("pipe", line_icon("pipes"), say(mark("pipe")))]
        items += [(name, line_icon(f"cand {name}"), say(CLASS_TEXTS[name])) for _, name in _CLASSES]
        items += [(status, line_icon(f"best s-{status}"), say(text)) for status, text in STATUS_TEXTS.items()]
        items += [
            ("sensor", sign_icon("dot", "sensor"), say(mark("sensor"))),
            ("valve", sign_icon("square", "valve"), say(mark("valve to shut"))),
        ]
        return tuple(Legend(sign, text) for name, sign, text in items if name in used)


def _of(text: str) -> Facts:
    return (("", text),) if text else ()
