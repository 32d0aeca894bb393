"""Blocks: the best design on a map and as a table, and how the designs compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from umanflow.planner.blockdesign import Block, Design, Short
from umanflow.planner.report.section import Section
from umanflow.planner.report.story import Story
from umanflow.report import blocks as page
from umanflow.report.ground import Clicks, Pin, Spot, line_icon, sign_icon
from umanflow.report.listing import Field, Listing

_COLOURS = 9
_MOST_SHORT = 20
_NEAREST = 4  # blocks beyond a trunk look like neighbours too


@dataclass(frozen=True, slots=True)
class Border:
    """A link at the border of a block, and what it is there for: "meter", "valve", "new valve" or "shut"."""

    link: str
    block: str
    role: str


def design(story: Story) -> Section:
    """The section on blocks."""
    say, wording, best = story.say, story.wording, story.design
    heading = page.Heading(say("Blocks"), 2, "blocks")
    if best is None:
        return Section((heading, page.Text(say("No blocks could be designed; the gaps in the data say why."))))
    borders = _borders(story)
    table, compared = _table(story), _compared(story)
    role = _role_words(story)
    fields = (
        Field[Border]("link", say("Link"), lambda b: b.link),
        Field[Border]("block", say("Block"), lambda b: b.block),
        Field[Border]("role", say("At the border"), lambda b: role[b.role], raw=lambda b: b.role),
        Field[Border]("street", say("Street"), lambda b: story.site.streets.get(b.link, "")),
    )
    border = Listing(say("Borders of blocks"), fields, borders)
    blocks: list[page.Block] = [
        heading,
        page.Text(_told(story, best), "lead"),
        _map(story, borders),
        page.Heading(say("Each block"), 3),
        table.table(wording, without=("length_m", "fire_before_m"), is_compact=True),
        page.Text(say(
            "Isolated: with its meters shut, no open link leads from a source into the block, at the statuses that "
            "EPANET computes. Fire: least free head at the block's weakest customer with the fire flow in the hour of "
            "most demand; below, without blocks. A meter or valve between two blocks is paid once."
        ), "soft"),
        page.Heading(say("Designs compared"), 3),
        compared.table(wording, is_compact=True),
    ]  # fmt: skip
    short = _short(story, best)
    if short.rows:
        text = story.wording.count(
            "{n} place newly short of free head: this design is no advice until it is mended.",
            "{n} places newly short of free head: this design is no advice until they are mended.", len(short.rows),
        )  # fmt: skip
        blocks += [page.Text(text, "warn"), short.table(wording, _MOST_SHORT, is_compact=True)]
    layers = (
        border.layer("borders", "POINT", lambda b: story.point(b.link)),
        _parts(story).layer("blocks", "LINESTRING", lambda part: story.line(part[0])),
    )
    return Section(tuple(blocks), (table, border, compared, short), layers)


def _short(story: Story, best: Design) -> Listing[Short]:
    say = story.say
    fields = (
        Field[Short]("node", say("Node"), lambda s: s.node),
        Field[Short]("block", say("Block"), lambda s: s.block, weight=0.8),
        Field[Short]("due_m", say("Due, m"), lambda s: s.due, "number", 1),
        Field[Short]("before_m", say("Least now, m"), lambda s: s.before, "number", 1),
        Field[Short]("after_m", say("Least then, m"), lambda s: s.after, "number", 1),
        Field[Short]("why", say("Why"), lambda s: story.sentence(s.why), weight=4.0),
    )
    return Listing(say("Newly short"), fields, best.short)


def _told(story: Story, best: Design) -> str:
    rules = story.plan.given.blocks
    text = story.fill(
        "{n} blocks of {least} to {most} connections are asked for; {isolated} of {n} are isolated when their meters "
        "are shut, and {outside} connections stay on trunks outside of any block. The design costs {money}.",
        n=len(best.blocks), least=story.wording.number(rules.least), most=story.wording.number(rules.most),
        isolated=sum(b.is_isolated for b in best.blocks), outside=story.wording.number(best.outside),
        money=story.wording.millions(best.cost),
    )  # fmt: skip
    if story.site.network.dmas is not None:
        text += " " + story.say(
            "The network has blocks already; the design starts from the valves that are shut today and shows what it "
            "would make of them. Its cost is not in the programme."
        )
    return text


def _table(story: Story) -> Listing[Block]:
    say, wording = story.say, story.wording

    def fire_before(block: Block) -> tuple[str, ...]:
        return (story.fill("before: {n}", n=wording.number(block.fire_before, 1)),)

    fields = (
        Field[Block]("block", say("Block"), lambda b: b.name, weight=0.7),
        Field[Block]("district", say("District today"), lambda b: _district(story, b), weight=1.2),
        Field[Block]("connections", say("Connections"), lambda b: b.connections, "count", weight=1.2),
        Field[Block]("length_km", say("Pipes, km"), lambda b: b.length / 1000.0, "number", 1, weight=1.0),
        Field[Block]("length_m", say("Length, m"), lambda b: b.length, "number"),
        Field[Block]("inlets", say("Meters at"), lambda b: ", ".join(b.inlets), weight=1.4),
        Field[Block]("closed", say("Links to shut"), lambda b: len(b.closed), "count", weight=0.8),
        Field[Block]("new_valves", say("New valves"), lambda b: len(b.new_valves), "count", weight=1.1),
        Field[Block]("isolated", say("Isolated"), lambda b: b.is_isolated, "flag", weight=1.4),
        Field[Block]("fire_left_m", say("Fire leaves, m"), lambda b: b.fire_left, "number", 1, 1.0, fire_before),
        Field[Block]("fire_before_m", say("Fire without blocks, m"), lambda b: b.fire_before, "number", 1),
        Field[Block]("cost", say("Cost"), lambda b: b.cost, "money",
                     weight=1.1),
    )  # fmt: skip
    return Listing(say("Blocks"), fields, story.blocks)


def _district(story: Story, block: Block) -> str:
    """District that most of a block's nodes are in today."""
    found = Counter(name for node in block.nodes if (name := story.district_of_node.get(node)))
    return found.most_common(1)[0][0] if found else ""


def _compared(story: Story) -> Listing[tuple[int, Design]]:
    say, fire = story.say, story.plan.given.blocks.fire_head

    def size(design: Design) -> str:
        sizes = [b.connections for b in design.blocks]
        return f"{story.wording.number(min(sizes))}–{story.wording.number(max(sizes))}" if sizes else ""

    def new_valves(design: Design) -> int:
        return len({v for b in design.blocks for v in b.new_valves})

    Row = tuple[int, Design]
    fields = (
        Field[Row]("design", say("Design"), lambda r: r[0], "count", weight=0.8),
        Field[Row]("blocks", say("Blocks"), lambda r: len(r[1].blocks), "count", weight=0.8),
        Field[Row]("connections", say("Connections of a block"), lambda r: size(r[1]), weight=1.3),
        Field[Row]("meters", say("Meters"), lambda r: len({i for b in r[1].blocks for i in b.inlets}), "count"),
        Field[Row]("boundary", say("Links across borders"), lambda r: r[1].n_boundary, "count"),
        Field[Row]("new_valves", say("New valves"), lambda r: new_valves(r[1]), "count"),
        Field[Row]("newly_short", say("Customers newly short"), lambda r: len(r[1].newly_short), "count"),
        Field[Row]("fire_lost", say("Blocks that lose their fire flow"), lambda r: len(r[1].without_fire(fire)),
                   "count", weight=1.2),
        Field[Row]("isolated", say("All isolated"), lambda r: r[1].is_isolated, "flag"),
        Field[Row]("outside", say("Connections outside"), lambda r: r[1].outside, "count", weight=1.1),
        Field[Row]("cost", say("Cost"), lambda r: r[1].cost,
                   "money", weight=1.2),
    )  # fmt: skip
    return Listing(say("Designs compared"), fields, tuple(enumerate(story.plan.designs, start=1)))


# the map ----------------------------------------------------------------------------------------------------------


def _role_words(story: Story) -> dict[str, str]:
    return {
        "meter": story.say("meter"),
        "valve": story.say("to be shut, a valve is there"),
        "new valve": story.say("to be shut, valve to be bought"),
        "shut": story.say("shut already"),
    }


def _borders(story: Story) -> list[Border]:
    """Links at borders, each with its first block: meters, what is to be shut, and what is shut today."""
    found: dict[str, Border] = {}
    for block in story.blocks:
        for link in block.inlets:
            found.setdefault(link, Border(link, block.name, "meter"))
        for link in block.closed:
            role = "new valve" if link in block.new_valves else "valve"
            found.setdefault(link, Border(link, block.name, role))
    topology, names = story.site.topology, [b.name for b in story.blocks]
    for link in sorted(story.site.closed & set(topology.link_index)):
        k = topology.link_index[link]
        ends = [story.block_of_node.get(topology.nodes[n], -1) for n in (topology.start[k], topology.end[k])]
        if ends[0] != ends[1]:
            found.setdefault(link, Border(link, names[max(ends)], "shut"))
    return list(found.values())


def _parts(story: Story) -> Listing[tuple[str, int]]:
    names = [b.name for b in story.blocks]
    fields = (
        Field[tuple[str, int]]("pipe", story.say("Pipe"), lambda part: part[0]),
        Field[tuple[str, int]]("block", story.say("Block"), lambda part: names[part[1]]),
    )
    return Listing(story.say("Pipes of blocks"), fields, tuple(story.block_of_link.items()))


def _map(story: Story, borders: Sequence[Border]) -> page.Figure:
    say, ground, topology = story.say, story.ground, story.site.topology
    sheet = ground.whole(say("Map of the blocks"))
    sheet.pipes()
    colour = _colours(story)
    members: dict[int, list[int]] = {}
    for link, block in story.block_of_link.items():
        members.setdefault(block, []).append(topology.link_index[link])
    for block, links in sorted(members.items()):
        sheet.links(links, f"grade k{colour[block]}")
    looks = {
        "shut": ("square", "shut"), "valve": ("square", "valve"), "new valve": ("triangle", "bought"),
        "meter": ("dot", "meter"),
    }  # fmt: skip
    words, legend, spots = _role_words(story), [], []
    for role, (sign, look) in looks.items():
        here = [
            Spot(place, f"{b.link}", look, sign, ((say("Block"), b.block), ("", words[role])))
            for b in borders
            if b.role == role and (place := ground.plan.point(b.link)) is not None
        ]
        if sheet.spots(here):
            legend.append(page.Legend(sign_icon(sign, look), words[role]))
        spots += here
    pins = _names(story, members, colour)
    beyond = sheet.pins(pins)
    legend = [
        page.Legend(line_icon("pipes"), say("trunks and pipes in no block")),
        page.Legend(line_icon("grade k0"), say("a block; neighbours differ in colour")),
        *reversed(legend),
    ]
    return sheet.figure("map-blocks", legend, story.caption(beyond), Clicks(story.hint, pins, spots))


def _names(story: Story, members: dict[int, list[int]], colour: dict[int, int]) -> list[Pin]:
    """A label for each block, at the middle of its pipe that lies most in its middle."""
    pins = []
    for k, block in enumerate(story.blocks):
        seen = [link for link in members.get(k, []) if story.ground.plan.seen[link]]
        if not seen:
            continue
        middles = story.ground.plan.segments[seen].mean(axis=1)
        nearest = ((middles - middles.mean(axis=0)) ** 2).sum(axis=1).argmin()
        facts = (
            (story.say("Connections"), story.wording.number(block.connections)),
            (story.say("Pipes"), story.fill("{n} km", n=story.wording.number(block.length / 1000.0, 1))),
            (story.say("Meters at"), ", ".join(block.inlets)),
            (story.say("District today"), _district(story, block)),
        )
        title = story.fill("Block {name}", name=block.name)
        pins.append(Pin(block.name, block.name, middles[nearest], f"k{colour[k]}", title, facts, "blocks"))
    return pins


def _colours(story: Story) -> dict[int, int]:
    """A colour for each block that none of its neighbours has, as far as there are enough."""
    topology = story.site.topology
    near: dict[int, set[int]] = {k: set() for k in range(len(story.blocks))}
    for a, b in zip(topology.start.tolist(), topology.end.tolist(), strict=True):
        pair = story.block_of_node.get(topology.nodes[a], -1), story.block_of_node.get(topology.nodes[b], -1)
        if -1 not in pair and pair[0] != pair[1]:
            near[pair[0]].add(pair[1])
            near[pair[1]].add(pair[0])
    middles = {k: story.ground.plan.xy[[topology.node_index[n] for n in story.blocks[k].nodes]] for k in near}
    middle = {k: np.nanmean(points, axis=0) for k, points in middles.items()}
    for k in near:
        away = sorted((float(((middle[k] - middle[j]) ** 2).sum()), j) for j in near if j != k)
        near[k] |= {j for _, j in away[:_NEAREST]}
    colour: dict[int, int] = {}
    used: Counter[int] = Counter()
    for block in sorted(near, key=lambda k: (-len(near[k]), k)):
        taken = {colour[other] for other in near[block] if other in colour}
        free = [c for c in range(_COLOURS) if c not in taken] or list(range(_COLOURS))
        colour[block] = min(free, key=lambda c: (used[c], c))
        used[colour[block]] += 1
    return colour
