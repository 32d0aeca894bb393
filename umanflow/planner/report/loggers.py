"""Pressure loggers: where they go, and what so many of them promise."""

from __future__ import annotations

from umanflow.planner.parts import Loggers
from umanflow.planner.report.plots import promise_plots
from umanflow.planner.report.section import Section
from umanflow.planner.report.story import Story
from umanflow.report.blocks import Block, Figure, Heading, Legend, Pair, Text
from umanflow.report.ground import Clicks, Pin, line_icon, sign_icon
from umanflow.report.listing import Field, Listing

Placed = tuple[int, str, float]
Promise = tuple[int, float, float, float]


def loggers(story: Story) -> Section | None:
    """The section on loggers."""
    plan, say, wording = story.plan.loggers, story.say, story.wording
    heading = Heading(say("Loggers"), 2, "loggers")
    if plan is None:
        return Section((heading, Text(say("No loggers were asked for, or there is no block to place them in."))))
    placed, promised = _placed(story, plan), _promised(story, plan)
    distance, seen = promise_plots(plan, wording)
    text = story.fill(
        "{n} loggers, in the order in which they help to tell a leak of {leak} from others; the choice has at least "
        "{share} of the best possible gain. What is promised holds in the linear model: it knows no closed valve and "
        "no wrong demand, so a city promises less.",
        n=wording.number(len(plan.placement.sensors)), leak=wording.flow(story.plan.given.sensors.leak),
        share=wording.percent(plan.placement.at_least),
    )  # fmt: skip
    blocks: list[Block] = [
        heading,
        Text(text, "lead"),
        _map(story, plan),
        Heading(say("What so many loggers promise"), 3),
        Pair((distance,), (seen,)),
        promised.table(wording, is_compact=True),
        Heading(say("Places"), 3),
        placed.table(wording, without=("confused_m",), is_compact=True),
    ]
    return Section(tuple(blocks), (placed, promised), (placed.layer("loggers", "POINT", lambda p: story.point(p[1])),))


def _placed(story: Story, plan: Loggers) -> Listing[Placed]:
    say, known = story.say, [b.name for b in story.blocks]

    def block(row: Placed) -> str:
        number = story.block_of_node.get(row[1])
        return story.district_of_node.get(row[1]) or (known[number] if number is not None else "")

    def where(row: Placed) -> str:
        points = story.point(row[1])
        place = story.site.on_earth(*points[0]) if points else None
        if place is not None:
            return f"{place[1]:.5f}, {place[0]:.5f}"
        return f"x {points[0][0]:.1f}, y {points[0][1]:.1f}" if points else ""

    fields = (
        Field[Placed]("rank", say("Order"), lambda row: row[0], "count", weight=0.5),
        Field[Placed]("node", say("Node"), lambda row: row[1]),
        Field[Placed]("block", say("Block"), block, weight=0.7),
        Field[Placed]("street", say("Street"), lambda row: story.street_of_node.get(row[1], ""), weight=1.6),
        Field[Placed]("place", say("Coordinates"), where, weight=1.5),
        Field[Placed]("confused_m", say("Metres where a leak might as well be"), lambda row: row[2], "number"),
    )
    placement = plan.placement
    rows = [(k + 1, name, float(placement.confused[k + 1])) for k, name in enumerate(placement.sensors)]
    return Listing(say("Loggers"), fields, rows)


def _promised(story: Story, plan: Loggers) -> Listing[Promise]:
    say = story.say
    fields = (
        Field[Promise]("loggers", say("Loggers"), lambda row: row[0], "count"),
        Field[Promise]("detected", say("Leaks that are seen"), lambda row: row[1], "share"),
        Field[Promise]("distance_m", say("Median distance, m"), lambda row: row[2], "number"),
        Field[Promise]("within", say("Placed within 300 m"), lambda row: row[3], "share"),
    )
    rows = [(n, p.detected, p.distance, p.within) for n, p in sorted(plan.promises.items())]
    return Listing(say("What loggers promise"), fields, rows)


def _map(story: Story, plan: Loggers) -> Figure:
    say, ground = story.say, story.ground
    sheet = ground.whole(say("Map of the loggers"))
    sheet.pipes()
    pins = []
    for k, name in enumerate(plan.placement.sensors, start=1):
        at = ground.plan.point(name)
        if at is not None:
            facts = ((say("Node"), name), (say("Street"), story.street_of_node.get(name, "")))
            title = story.fill("Logger {n}", n=k)
            pins.append(Pin(name, str(k), at, "logger", title, facts, "loggers"))
    beyond = sheet.pins(pins)
    legend = (
        Legend(line_icon("pipes"), say("pipe")),
        Legend(sign_icon("dot", "sensor"), say("logger, with its number in the order in which they help")),
    )
    return sheet.figure("map-loggers", legend, story.caption(beyond), Clicks(story.hint, pins))
