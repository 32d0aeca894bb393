"""The tables of an INP as far as they can be read, with every trouble met on the way."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from networks.check.units import Units, number, option_number, options, times, units_of
from networks.inp_text import InpText, Row

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NODE_SECTIONS = ("JUNCTIONS", "RESERVOIRS", "TANKS")
LINK_SECTIONS = ("PIPES", "PUMPS", "VALVES")
_KINDS = {"JUNCTIONS": "junction", "RESERVOIRS": "reservoir", "TANKS": "tank"} | {
    "PIPES": "pipe", "PUMPS": "pump", "VALVES": "valve",
}  # fmt: skip
_FEWEST = {"JUNCTIONS": 1, "RESERVOIRS": 2, "TANKS": 2, "PIPES": 3, "PUMPS": 3, "VALVES": 5}


@dataclass(frozen=True, slots=True)
class Trouble:
    """A row that could not be read: which check it belongs to, which row, and why."""

    check: str
    section: str
    line: int
    element: str
    reason: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Element:
    """One node or link: its name, kind ("junction", "pipe"…), row, and a link's end nodes (-1: unknown)."""

    name: str
    kind: str
    section: str
    row: Row
    start: int = -1
    end: int = -1

    @property
    def label(self) -> str:
        """Kind and name."""
        return f"{self.kind} {self.name}"

    def word(self, k: int) -> str:
        """A word of its row, empty where the row is shorter."""
        return self.row.words[k] if k < len(self.row.words) else ""


@dataclass
class Model:
    """What the checks look at; arrays are SI, NaN where a number is missing or unreadable."""

    text: InpText
    nodes: list[Element] = field(default_factory=list)
    links: list[Element] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    patterns: dict[str, tuple[Row, list[float]]] = field(default_factory=dict)
    curves: dict[str, tuple[Row, list[tuple[float, float]]]] = field(default_factory=dict)

    @cached_property
    def options(self) -> dict[str, Row]:
        """Rows of [OPTIONS] by keyword."""
        return options(self.text)

    @cached_property
    def units(self) -> Units:
        """Factors to SI."""
        return units_of(self.options)

    @cached_property
    def duration_s(self) -> float:
        """Length of the run, s; 0 for a single moment."""
        value = times(self.text).get("DURATION", (0.0, None))[0]
        return value if value is not None and math.isfinite(value) else 0.0

    @cached_property
    def node_index(self) -> dict[str, int]:
        """Position of each node by name; the first of a name counts."""
        return {node.name: k for k, node in reversed(list(enumerate(self.nodes)))}

    @cached_property
    def link_index(self) -> dict[str, int]:
        """Position of each link by name; the first of a name counts."""
        return {link.name: k for k, link in reversed(list(enumerate(self.links)))}

    @cached_property
    def is_junction(self) -> Bools:
        """Junctions, bool [n_nodes]."""
        kinds: Bools = np.array([node.kind == "junction" for node in self.nodes], dtype=bool)
        return kinds

    @cached_property
    def is_source(self) -> Bools:
        """Reservoirs and tanks, bool [n_nodes]."""
        others: Bools = ~self.is_junction
        return others

    @cached_property
    def is_double(self) -> Bools:
        """Nodes whose name an earlier one has, bool [n_nodes]: one finding about each is enough."""
        return np.array([self.node_index[node.name] != k for k, node in enumerate(self.nodes)], dtype=bool)

    @cached_property
    def is_pipe(self) -> Bools:
        """Pipes, bool [n_links]."""
        return np.array([link.kind == "pipe" for link in self.links], dtype=bool)

    @cached_property
    def ends(self) -> Ints:
        """int64 [n_links, 2]; -1 for a node that does not exist."""
        return np.array([(link.start, link.end) for link in self.links], dtype=np.int64).reshape(-1, 2)

    @cached_property
    def is_joined(self) -> Bools:
        """Links whose two nodes exist and differ, bool [n_links]."""
        joined: Bools = (self.ends >= 0).all(axis=1) & (self.ends[:, 0] != self.ends[:, 1])
        return joined

    def _column(self, elements: list[Element], kind: str, k: int, factor: float) -> Floats:
        values = np.full(len(elements), np.nan)
        for place, element in enumerate(elements):
            if element.kind == kind and len(element.row.words) > k:
                value = number(element.row.words[k])
                if value is not None:
                    values[place] = value
        return values * factor

    @cached_property
    def elevation(self) -> Floats:
        """float64 [n_nodes], m; NaN for reservoirs, whose number is a head."""
        values = self._column(self.nodes, "tank", 1, self.units.length)
        junctions = self._column(self.nodes, "junction", 1, self.units.length)
        return np.where(self.is_junction, junctions, values)

    @cached_property
    def length(self) -> Floats:
        """float64 [n_links], m; NaN for pumps and valves."""
        return self._column(self.links, "pipe", 3, self.units.length)

    @cached_property
    def diameter(self) -> Floats:
        """float64 [n_links], m; NaN for pumps and valves."""
        return self._column(self.links, "pipe", 4, self.units.diameter)

    @cached_property
    def roughness(self) -> Floats:
        """float64 [n_links], C, mm or n by the head-loss law."""
        return self._column(self.links, "pipe", 5, self.units.roughness)

    @cached_property
    def minor_loss(self) -> Floats:
        """float64 [n_links], sum of a pipe's local loss coefficients; NaN where none is given."""
        return self._column(self.links, "pipe", 6, 1.0)

    @cached_property
    def status(self) -> list[str]:
        """Initial status of each link: "open", "closed", "cv" or "active"."""
        found = []
        for link in self.links:
            word = next((w.upper() for w in (link.word(7), link.word(6)) if w and number(w) is None), "")
            state = {"CLOSED": "closed", "CV": "cv"}.get(word, "open") if link.kind == "pipe" else "open"
            found.append("active" if link.kind == "valve" else state)
        for row in self.text.rows("STATUS"):
            place = self.link_index.get(row.words[0])
            if place is not None and len(row.words) == 2 and found[place] != "cv":
                word = row.words[1].upper()
                closes = word == "CLOSED" or (self.links[place].kind == "pump" and number(word) == 0.0)
                found[place] = "closed" if closes else "active" if number(word) is not None else "open"
        return found

    @cached_property
    def settings(self) -> dict[str, float]:
        """Settings that [STATUS] gives to links, in the file's units."""
        rows = [(row.words[0], number(row.words[1])) for row in self.text.rows("STATUS") if len(row.words) == 2]
        return {name: value for name, value in rows if value is not None}

    @cached_property
    def controlled(self) -> set[str]:
        """Names of links that a control or rule may move."""
        names = {row.words[1] for row in self.text.rows("CONTROLS") if len(row.words) > 1}
        actions = ("THEN", "ELSE", "AND")
        for row in self.text.rows("RULES"):
            if len(row.words) > 2 and row.words[0].upper() in actions:
                names.add(row.words[2])
        return names

    @cached_property
    def demand(self) -> Floats:
        """float64 [n_nodes], base demand, m3/s: of [DEMANDS] where a node stands there, else of [JUNCTIONS]."""
        total = np.nan_to_num(self._column(self.nodes, "junction", 2, 1.0))
        listed: defaultdict[int, float] = defaultdict(float)
        for row in self.text.rows("DEMANDS"):
            place = self.node_index.get(row.words[0])
            value = number(row.words[1]) if len(row.words) > 1 else None
            if place is not None and value is not None and self.is_junction[place]:
                listed[place] += value
        for place, value in listed.items():
            total[place] = value
        factor = option_number(self.options, "DEMAND MULTIPLIER", 1.0)
        return np.nan_to_num(total * self.units.flow * factor)

    @cached_property
    def xy(self) -> Floats:
        """float64 [n_nodes, 2], as drawn; NaN where there is none."""
        places = np.full((len(self.nodes), 2), np.nan)
        for row in self.text.rows("COORDINATES"):
            k = self.node_index.get(row.words[0])
            pair = [number(w) for w in row.words[1:3]]
            if k is not None and len(pair) == 2 and pair[0] is not None and pair[1] is not None:
                places[k] = pair
        places[~np.isfinite(places).all(axis=1)] = np.nan
        return places

    @property
    def default_pattern(self) -> str | None:
        """The pattern of demands that name none, where there is one."""
        row = self.options.get("PATTERN")
        name = row.words[1] if row is not None and len(row.words) > 1 else "1"
        return name if name in self.patterns else None


def build_model(text: InpText) -> Model:
    """Read the tables of an INP; what cannot be read becomes a trouble, never an exception."""
    model = Model(text)
    for section in NODE_SECTIONS:
        for row in text.rows(section):
            model.nodes.append(Element(row.words[0], _node_kind(section, row), section, row))
    _find_doubles(model, model.nodes)
    index = model.node_index
    for section in LINK_SECTIONS:
        for row in text.rows(section):
            ends = (index.get(row.words[k], -1) if len(row.words) > k else -1 for k in (1, 2))
            model.links.append(Element(row.words[0], _KINDS[section], section, row, *ends))
    _find_doubles(model, model.links)
    _read_patterns(model)
    _read_curves(model)
    return model


def _node_kind(section: str, row: Row) -> str:
    """EPANET takes a row of three words or less for a reservoir, whichever of the two sections it stands in."""
    if section == "JUNCTIONS":
        return "junction"
    return "tank" if len(row.words) > 3 else "reservoir"


def _find_doubles(model: Model, elements: list[Element]) -> None:
    first: dict[str, Element] = {}
    for element in elements:
        fewest = _FEWEST[element.section]
        if len(element.row.words) < fewest:
            reason = f"the row has {len(element.row.words)} of at least {fewest} fields"
            model.troubles.append(Trouble("fields", element.section, element.row.line, element.label, reason))
        earlier = first.setdefault(element.name, element)
        if earlier is not element:
            reason = f"the name stands already in line {earlier.row.line} of [{earlier.section}]"
            model.troubles.append(Trouble("duplicate-id", element.section, element.row.line, element.label, reason))


def _read_patterns(model: Model) -> None:
    for row in model.text.rows("PATTERNS"):
        values = model.patterns.setdefault(row.words[0], (row, []))[1]
        words = row.words[1:]
        if words and words[0].upper() in ("FIXED", "VARIABLE"):  # EPANET-MSX and some editors write it
            words = words[1:]
        for word in words:
            value = number(word)
            if value is None:
                trouble = Trouble("number", "PATTERNS", row.line, f"pattern {row.words[0]}", "is no number", word)
                model.troubles.append(trouble)
            else:
                values.append(value)


def _read_curves(model: Model) -> None:
    for row in model.text.rows("CURVES"):
        points = model.curves.setdefault(row.words[0], (row, []))[1]
        values = [number(word) for word in row.words[1:]]
        if None in values or len(values) % 2:
            word = next((w for w in row.words[1:] if number(w) is None), "")
            reason = "is no number" if word else "the row has no pairs of x and y"
            model.troubles.append(Trouble("number", "CURVES", row.line, f"curve {row.words[0]}", reason, word))
            continue
        clean = [value for value in values if value is not None]
        points.extend(zip(clean[::2], clean[1::2], strict=True))
