"""Where the network is worst, what is not known of it, and what the model check finds."""

from __future__ import annotations

from collections.abc import Sequence

from umanflow.planner.diagnosis import BlockState, Place
from umanflow.planner.modelcheck import Checked
from umanflow.planner.report.section import Section
from umanflow.planner.report.story import Story
from umanflow.planner.report.words import SEVERITY
from umanflow.report.blocks import Block, Bullets, Facts, Heading, Keep, Pair, Text
from umanflow.report.layers import Layer
from umanflow.report.listing import Field, Listing
from umanflow.report.themes import Theme, draw_theme

_HALF = 440.0
_ELEMENTS = ("junction", "reservoir", "tank", "node", "pipe", "pump", "valve", "link")


def diagnosis(story: Story) -> Section:
    """Maps, the state of the blocks, the worst places, gaps and findings."""
    say, found = story.say, story.plan.diagnosis
    state, check = _state(story), _check(story)
    worst = [
        _worst(story, say("Too little free head"), found.short, say("Least, m"), say("Due, m"), say("Node")),
        _worst(story, say("Too much pressure"), found.high, say("Highest, m"), say("Allowed, m"), say("Node")),
        _worst(story, say("Fast water"), found.fast, say("Highest, m/s"), say("Economic, m/s"), say("Pipe")),
    ]
    if found.age_days:
        worst.append(_worst(story, say("Old water"), found.old, say("Mean age, h"), say("Allowed, h"), say("Node")))
    blocks: list[Block] = [
        Heading(say("Diagnosis"), 2, "diagnosis", is_on_new_sheet=True),
        _facts(story),
        *_maps(story),
    ]
    if found.age_days and found.age_settled < 1.0:
        blocks.append(Text(_unsettled(story), "soft"))
    if state.rows:
        blocks += [Heading(say("State of the blocks"), 3), state.table(story.wording, is_compact=True)]
    for listing in worst:
        if listing.rows:
            table = listing.table(story.wording, is_compact=True)
            blocks.append(Keep((Heading(listing.name, 3), table)))
    blocks.append(Heading(say("Gaps in the data"), 3))
    gaps = tuple(story.sentence(text) for text in (*found.gaps, *story.plan.notes))
    blocks.append(Bullets(gaps) if gaps else Text(say("None that this plan knows of.")))
    blocks.append(Heading(say("Model check"), 3))
    shown = check.table(story.wording, without=("check",), is_compact=True)
    blocks.append(shown if check.rows else Text(say("Nothing was found.")))
    return Section(tuple(blocks), (state, *worst, check), (_nodes(story), _pipes(story)))


def _facts(story: Story) -> Facts:
    found, wording, say = story.plan.diagnosis, story.wording, story.say
    return Facts((
        (say("Customers take"), story.fill("{volume} a day", volume=wording.volume(found.demand))),
        (say("Leakage"), story.fill("{volume} a day", volume=wording.volume(found.leakage))),
        (say("Work of the pumps on the water"), story.fill("{n} kWh a day", n=wording.number(found.pumping))),
        (say("Places with customers"), wording.number(found.n_customers)),
        (say("Of them with too little free head"), wording.number(found.n_short)),
        (say("Of them with too much pressure"), wording.number(found.n_high)),
        *_age_facts(story),
    ))  # fmt: skip


def _age_facts(story: Story) -> tuple[tuple[str, str], ...]:
    found, wording, say = story.plan.diagnosis, story.wording, story.say
    if not found.age_days:
        return ()
    return (
        (say("Median age of the water"), story.fill("{n} h", n=wording.number(found.age_median, 1))),
        (say("Of them with old water"), wording.number(found.n_old)),
    )


def _unsettled(story: Story) -> str:
    found, wording = story.plan.diagnosis, story.wording
    return story.fill(
        "Age was followed for {days} days; at {share} of the places it had settled, elsewhere it is at least what is "
        "shown.", days=found.age_days, share=wording.percent(found.age_settled),
    )  # fmt: skip


def _maps(story: Story) -> list[Block]:
    """Maps of all themes, two beside each other."""
    found: list[Block] = []
    for start in range(0, len(story.themes), 2):
        left, *right = (_map(story, theme) for theme in story.themes[start : start + 2])
        found.append(Pair(left, right[0] if right else ()))
    return found


def _map(story: Story, theme: Theme) -> tuple[Block, ...]:
    return Heading(theme.title, 4), draw_theme(theme, story.ground, story.hint, _HALF)


def _state(story: Story) -> Listing[BlockState]:
    say = story.say
    fields = (
        Field[BlockState]("block", say("Block"), lambda b: b.block, weight=0.9),
        Field[BlockState]("connections", say("Connections"), lambda b: b.connections, "count"),
        Field[BlockState]("length_m", say("Length, m"), lambda b: b.length, "number"),
        Field[BlockState]("demand_m3d", say("Taken, m³/d"), lambda b: b.demand, "number"),
        Field[BlockState]("leakage_m3d", say("Leakage, m³/d"), lambda b: b.leakage, "number"),
        Field[BlockState]("leakage_l_per_connection_d", say("L per connection and day"),
                          lambda b: b.per_connection, "number", weight=1.1),
        Field[BlockState]("pressure_m", say("Mean pressure, m"), lambda b: b.pressure, "number", 1),
        Field[BlockState]("age_h", say("Mean age, h"), lambda b: b.age, "number", 1, 0.8),
        Field[BlockState]("age_highest_h", say("Oldest, h"), lambda b: b.age_highest, "number", 1, 0.8),
        Field[BlockState]("breaks_per_km_year", say("Breaks a km and year"), lambda b: b.breaks, "number", 2),
    )  # fmt: skip
    return Listing(say("State of the blocks"), fields, story.plan.diagnosis.blocks)


def _worst(
    story: Story, name: str, places: Sequence[Place], value: str, due: str, what: str
) -> Listing[Place]:  # fmt: skip
    fields = (
        Field[Place]("element", what, lambda p: p.element),
        Field[Place]("block", story.say("Block"), lambda p: p.block),
        Field[Place]("street", story.say("Street"), lambda p: _street(story, p.element), weight=1.6),
        Field[Place]("value", value, lambda p: p.value, "number", 1),
        Field[Place]("due", due, lambda p: p.due, "number", 1),
    )
    return Listing(name, fields, places)


def _street(story: Story, element: str) -> str:
    return story.street_of_node.get(element) or story.site.streets.get(element, "")


def _check(story: Story) -> Listing[Checked]:
    say = story.say
    fields = (
        Field[Checked]("severity", say("Severity"), lambda c: story.wording.words(SEVERITY, c.severity), weight=0.9),
        Field[Checked]("check", say("Code of the check"), lambda c: c.check, weight=1.1),
        Field[Checked]("what", say("Found"), lambda c: say(c.what), weight=2.2),
        Field[Checked]("count", say("Number"), lambda c: c.count, "count", weight=0.6),
        Field[Checked]("elements", say("The first of them"), lambda c: ", ".join(map(_named, c.elements)), weight=2.4),
    )
    return Listing(say("Model check"), fields, story.plan.check)


def _named(element: str) -> str:
    """An element without the word for its kind."""
    kind, _, name = element.partition(" ")
    return name if kind in _ELEMENTS and name else element


def _nodes(story: Story) -> Layer:
    state = story.plan.condition
    rows = tuple(
        (story.point(name), (name, story.district_of_node.get(name) or None, float(low), float(high), float(due)))
        for name, low, high, due in zip(state.nodes, state.lowest, state.highest, state.due, strict=True)
    )
    columns = (("node", "TEXT"), ("block", "TEXT"), ("lowest_m", "REAL"), ("highest_m", "REAL"), ("due_m", "REAL"))
    return Layer("nodes", "POINT", columns, rows)


def _pipes(story: Story) -> Layer:
    state, blocks = story.plan.condition, story.blocks
    rows = []
    for k, name in enumerate(state.links):
        numbers = (state.velocity[k], state.leakage[k], state.breaks[k], state.laid[k])
        known = tuple(float(v) if v == v else None for v in numbers)
        block = story.block_of_link.get(name)
        rank, year = story.rank.get(name), story.year_of_pipe.get(name)
        street = story.site.streets.get(name)
        rows.append(
            (story.line(name), (name, street, None if block is None else blocks[block].name, *known, rank, year))
        )
    columns = (
        ("pipe", "TEXT"), ("street", "TEXT"), ("block", "TEXT"), ("velocity_m_s", "REAL"),
        ("leakage_m3_d_km", "REAL"), ("breaks_per_km_year", "REAL"), ("laid", "REAL"), ("rank", "INTEGER"),
        ("renewed", "INTEGER"),
    )  # fmt: skip
    return Layer("pipes", "LINESTRING", columns, tuple(rows))
