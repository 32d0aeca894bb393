"""Renewal: the ranked pipes, on a map by rank, and how far the ranking depends on what was assumed."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from umanflow.planner.renewal import Renewal
from umanflow.planner.report.plots import caught_plot, steady_plot
from umanflow.planner.report.section import Section
from umanflow.planner.report.story import Story, share
from umanflow.planner.report.words import ASSUMPTION_OF, GIVEN, MATERIALS
from umanflow.report.blocks import Block, Heading, Pair, Text
from umanflow.report.listing import Field, Listing
from umanflow.report.themes import Grade, Theme, draw_theme

_SHOWN = 40
_SHARES = (0.02, 0.05, 0.1, 0.2)
_LOOKS = ("g6", "g5", "g4", "g3")


def renewal(story: Story) -> Section | None:
    """The section on renewal."""
    plan, say, wording = story.plan.renewal, story.say, story.wording
    heading = Heading(say("Renewal"), 2, "renewal")
    if plan is None:
        return Section((heading, Text(say("No pipes were ranked; the gaps in the data say why."))))
    ranked, steady = _ranked(story, plan), _steady(story, plan)
    shown = min(_SHOWN, len(ranked.rows))
    text = story.fill(
        "{n} pipes, {km} km, in the order of what is avoided for each {currency} of renewal: breaks, water, hours "
        "without water over {years} years, discounted. The programme renews {renewed} of them.",
        n=wording.number(len(plan.pipes)), km=wording.number(float(plan.length.sum()) / 1000.0, 1),
        currency=wording.currency_sign, years=story.plan.given.renewal.horizon,
        renewed=wording.number(len(story.year_of_pipe)),
    )  # fmt: skip
    blocks: list[Block] = [
        heading,
        Text(text, "lead"),
        Heading(say("Pipes by rank"), 3),
        draw_theme(_theme(story, plan), story.ground, story.hint),
        Heading(say("How good and how steady the ranking is"), 3),
        Pair((caught_plot(plan, wording),), (steady_plot(steady.rows, wording),)),
        Text(say(
            "To the left, what the first pipes would catch. To the right, each assumption halved and doubled: how "
            "much of the first fifth of the length stays in it, the smaller of the two."
        ), "soft"),
        Heading(story.fill("The first {n} pipes", n=shown), 3),
        Text(say(
            "Breaks: expected a km and year in the first year, below the 95 % limits. The workbook and plan.gpkg hold "
            "all pipes."
        ), "lead"),
        ranked.table(wording, _SHOWN, without=("low", "high"), is_compact=True),
    ]  # fmt: skip
    layer = ranked.layer("renewal", "LINESTRING", lambda k: story.line(plan.pipes[k]))
    return Section(tuple(blocks), (ranked, steady), (layer,))


def _ranked(story: Story, plan: Renewal) -> Listing[int]:
    say, wording = story.say, story.wording
    diameter = _diameters(story)

    def limits(k: int) -> tuple[str, ...]:
        low, high = (wording.number(float(v), 2) for v in (plan.low[k], plan.high[k]))
        return (story.fill("{low} to {high}", low=low, high=high),)

    def about(k: int) -> tuple[str, ...]:
        material, year = story.pipe_records.get(plan.pipes[k], ("", 0))
        return (", ".join(str(part) for part in (wording.words(MATERIALS, material), year) if part),)

    fields = (
        Field[int]("rank", say("Rank"), lambda k: k + 1, "count", weight=0.85),
        Field[int]("pipe", say("Pipe"), lambda k: plan.pipes[k], weight=1.5, small=about),
        Field[int]("street", say("Street"), lambda k: story.site.streets.get(plan.pipes[k], ""), weight=1.8),
        Field[int]("diameter_mm", say("DN, mm"), lambda k: diameter.get(plan.pipes[k], math.nan), "number", 0, 0.7),
        Field[int]("length_m", say("Length, m"), lambda k: float(plan.length[k]), "number", 0, 1.1),
        Field[int]("rate", say("Breaks"), lambda k: float(plan.rate[k]), "number", 2, 1.2, limits),
        Field[int]("low", say("Breaks, low"), lambda k: float(plan.low[k]), "number", 2),
        Field[int]("high", say("Breaks, high"), lambda k: float(plan.high[k]), "number", 2),
        Field[int]("customers", say("Connections out"), lambda k: float(plan.customers[k]), "count", weight=1.3),
        Field[int]("cost", say("Cost"), lambda k: float(plan.cost[k]), "money", weight=1.1),
        Field[int]("avoided", say("Avoided"), lambda k: float(plan.avoided[k]), "money",
                   weight=1.4),
        Field[int]("worth", say("Avoided for each spent"),
                   lambda k: share(float(plan.avoided[k]), float(plan.cost[k])), "number", 2, 1.3),
        Field[int]("year", say("In the year"), lambda k: story.year_of_pipe.get(plan.pipes[k]), "year", weight=0.9),
    )  # fmt: skip
    return Listing(say("Renewal"), fields, range(len(plan.pipes)))


def _diameters(story: Story) -> dict[str, float]:
    model = story.site.network.model
    return {name: 1000.0 * float(model.get_link(name).diameter) for name in model.pipe_name_list}


def _steady(story: Story, plan: Renewal) -> Listing[tuple[str, float]]:
    say = story.say
    fields = (
        Field[tuple[str, float]]("assumption", say("Assumption"), lambda row: row[0], weight=2.0),
        Field[tuple[str, float]]("kept", say("Share of the first fifth that stays"), lambda row: row[1], "share"),
    )
    rows = [
        (story.wording.words(GIVEN, ASSUMPTION_OF.get(name, name)), kept)
        for name, kept in sorted(plan.steady.items(), key=lambda item: item[1])
    ]
    return Listing(say("Steadiness of the ranking"), fields, rows)


def _theme(story: Story, plan: Renewal) -> Theme:
    """Rank as a share of the length; pipes beyond the first fifth keep the colour of pipes."""
    along = np.cumsum(plan.length) / plan.length.sum()
    values = {name: float(v) for name, v in zip(plan.pipes, along, strict=True) if v <= _SHARES[-1]}
    bounds, percent = (0.0, *_SHARES[:-1]), story.wording.percent
    texts = [story.fill("first {share} of the length", share=percent(_SHARES[0]))]
    texts += [
        story.fill("{low} to {high} of the length", low=percent(a), high=percent(b)) for a, b in pairwise(_SHARES)
    ]
    grades = tuple(Grade(*entry) for entry in zip(bounds, _LOOKS, texts, strict=True))
    return Theme("map-renewal", story.say("Map of the pipes by rank"), values, grades, percent)
