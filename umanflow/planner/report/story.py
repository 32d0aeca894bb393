"""What every section of a plan's report draws on: the plan, the network on paper, the language."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from umanflow.planner.blockdesign import Block, Design
from umanflow.planner.report.grounds import themes_of
from umanflow.planner.sentence import Sentence, Value
from umanflow.planner.study import Plan
from umanflow.report.ground import Ground, Pin
from umanflow.report.layers import Points, line_of, point_of
from umanflow.report.site import Site
from umanflow.report.themes import Theme
from umanflow.report.wording import Wording

Floats = NDArray[np.float64]

_DAYS = 365.25


class Story:
    """A plan that is being told.

    Parameters
    ----------
    plan, site
        What is told, and where.
    wording
        With the domain `plan`.
    """

    def __init__(self, plan: Plan, site: Site, wording: Wording) -> None:
        self.plan, self.site, self.wording = plan, site, wording
        self.say = wording.say
        self.fill = wording.fill
        self.ground = Ground(site, site.network.crs, wording)
        self.themes: tuple[Theme, ...] = themes_of(plan, wording)
        self.ground.columns = [*(theme.column(self.ground) for theme in self.themes), *self._columns()]
        self.hint = wording.say("Click or tap the map. Drag to move, wheel or two fingers to zoom.")

    # words --------------------------------------------------------------------------------------------------------

    def sentence(self, text: str) -> str:
        """A sentence of the plan in the reader's language; one that nobody has translated stays as it is."""
        if not isinstance(text, Sentence):
            return self.say(text)
        told = {name: self._value(value) for name, value in text.values.items()}
        return self.fill(text.template, **told)

    def _value(self, value: Value) -> str:
        if isinstance(value, tuple):
            return "; ".join(self._value(part) for part in value)
        if isinstance(value, str):  # a sentence within a sentence; names are in no language
            return self.sentence(value) if isinstance(value, Sentence) else value
        digits = 0 if isinstance(value, int) else len(f"{value:.6g}".rpartition(".")[2]) if value % 1.0 else 1
        return self.wording.number(value, digits)

    def caption(self, beyond: Sequence[Pin]) -> str:
        """What has to be said below a map: that its place is not known, and which pins lie outside of it."""
        names = ", ".join(pin.text for pin in beyond)
        outside = self.fill("Outside of this map: {names}.", names=names) if beyond else ""
        return " ".join(text for text in (self.ground.caption, outside) if text)

    # places -------------------------------------------------------------------------------------------------------

    def line(self, link: str) -> Points:
        """Where a link lies; nothing where that is unknown."""
        return line_of(self.site.topology, link)

    def point(self, name: str) -> Points:
        """Where a node or the middle of a link lies; nothing where that is unknown."""
        return point_of(self.site.topology, name)

    @cached_property
    def street_of_node(self) -> dict[str, str]:
        """Street by node, where there is a table of nodes."""
        nodes = self.site.network.nodes
        return {} if nodes is None else {str(n): str(s) for n, s in zip(nodes["node"], nodes["street"], strict=True)}

    @cached_property
    def district_of_node(self) -> dict[str, str]:
        """District by node as the network's table has it."""
        nodes = self.site.network.nodes
        return {} if nodes is None else {str(n): str(d) for n, d in zip(nodes["node"], nodes["dma"], strict=True)}

    @cached_property
    def pipe_records(self) -> dict[str, tuple[str, int]]:
        """Material and year of each pipe, where there is a table of pipes."""
        pipes = self.site.network.pipes
        if pipes is None:
            return {}
        rows = zip(pipes["pipe"], pipes["material"], pipes["year"], strict=True)
        return {str(pipe): (str(material), int(year)) for pipe, material, year in rows}

    # blocks -------------------------------------------------------------------------------------------------------

    @property
    def design(self) -> Design | None:
        """The best design; None where there is none."""
        return self.plan.designs[0] if self.plan.designs else None

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Blocks of the best design."""
        return self.design.blocks if self.design is not None else ()

    @cached_property
    def block_of_node(self) -> dict[str, int]:
        """Number of the block of the best design that a node is in."""
        return {name: k for k, block in enumerate(self.blocks) for name in block.nodes}

    @cached_property
    def block_of_link(self) -> dict[str, int]:
        """Number of the block that both ends of a link are in."""
        topology, found = self.site.topology, {}
        for k, link in enumerate(topology.links):
            ends = {self.block_of_node.get(topology.nodes[n], -1) for n in (topology.start[k], topology.end[k])}
            if len(ends) == 1 and -1 not in ends:
                found[link] = ends.pop()
        return found

    # the programme ------------------------------------------------------------------------------------------------

    @cached_property
    def rank(self) -> dict[str, int]:
        """Rank of each pipe in the order of renewal, from 1."""
        renewal = self.plan.renewal
        return {} if renewal is None else {name: k for k, name in enumerate(renewal.pipes, start=1)}

    @cached_property
    def year_of_pipe(self) -> dict[str, int]:
        """Year in which a pipe is renewed."""
        return {name: year for year, names in self.plan.programme.renewed.items() for name in names}

    @cached_property
    def spent(self) -> float:
        """By the programme, all years together, UAH."""
        return sum(year.cost for year in self.plan.programme.years)

    @cached_property
    def saved_m3(self) -> float:
        """Water that leaks less than by doing nothing, all years together, m3."""
        return sum((year.leakage_nothing - year.leakage) * _DAYS for year in self.plan.programme.years)

    def _columns(self) -> list[tuple[str, list[str]]]:
        links = self.site.topology.links
        block = [self.blocks[self.block_of_link[k]].name if k in self.block_of_link else "" for k in links]
        columns = [(self.say("Block"), block)]
        if self.rank:
            columns.append((self.say("Rank of renewal"), _told(links, self.rank)))
            columns.append((self.say("Renewed in"), _told(links, self.year_of_pipe)))
        return columns


def _told(names: tuple[str, ...], values: Mapping[str, int]) -> list[str]:
    return [str(values[name]) if name in values else "" for name in names]


def share(part: float, whole: float) -> float:
    """A share; NaN of nothing."""
    return part / whole if whole else math.nan
