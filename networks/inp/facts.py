"""What the lines of one section need to know of the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from networks.inp.document import Document, is_word

_METRIC = ("LPS", "LPM", "MLD", "CMH", "CMD", "CMS", "SI")
_FLOWS = ("CFS", "GPM", "MGD", "IMGD", "AFD", *_METRIC)
_FOOT = 0.3048
# one unit of pressure in feet of water; EPANET's own constants
FEET_OF_PRESSURE = {"PSI": 1 / 0.4333, "KPA": 1 / (6.895 * 0.4333), "METERS": 1 / _FOOT, "BAR": 1 / (0.068948 * 0.4333),
                    "FEET": 1.0}  # fmt: skip
Words = tuple[str, ...]


@dataclass
class Facts:
    """What is known of an INP before its lines are rewritten; collects what cannot be carried.

    Attributes
    ----------
    flow_units
        For WNTR; "GPM" where the file states none, as in EPANET.
    flow
        The file's unit of flow in `flow_units`; 1 almost always.
    pressure
        The file's unit of pressure in WNTR's (psi or m); 1 almost always.
    default_pattern
        Pattern of demands that name none; empty where the file has no such pattern.
    notes
        Sentences on what WNTR's model cannot hold.
    extra
        Lines to add at the end, by section.
    """

    document: Document
    notes: list[str] = field(default_factory=list)
    extra: dict[str, list[Words]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look through the sections that name things."""
        document = self.document
        units = document.option("UNIT")
        self.flow_units, self.flow = (_flow_units(units[0]) if units else "GPM"), 1.0
        if self.flow_units == "CMS":
            self.flow_units, self.flow = "CMH", 3600.0
            self.note(
                "flows are in m3/s, which WNTR does not know as a unit of INP files; the model is written in m3/h"
            )
        self.is_metric = self.flow_units in _METRIC
        self.pressure = self._pressure_factor()
        volumes = {line.words[7] for line in document.section("TANKS") if len(line.words) > 7}
        openings = {line.words[7] for line in document.section("VALVES") if len(line.words) > 7}
        self.flowless_curves = volumes | openings
        self.patterns = {line.words[0] for line in document.section("PATTERNS")}
        default = document.option("PATT") or ("1",)
        self.default_pattern = default[0] if default[0] in self.patterns else ""
        self.junctions = {line.words[0] for line in document.section("JUNCTIONS")}
        stores = [line.words for name in ("TANKS", "RESERVOIRS") for line in document.section(name)]
        self.tanks = {words[0] for words in stores if len(words) > 3}
        self.reservoirs = {words[0] for words in stores if len(words) <= 3}
        self.valves = {line.words[0]: line.words for line in document.section("VALVES") if len(line.words) > 5}
        self.pumps = {line.words[0] for line in document.section("PUMPS")}
        pipes = {line.words[0] for line in document.section("PIPES")}
        self.nodes = self.junctions | self.tanks | self.reservoirs
        self.links = pipes | self.pumps | set(self.valves)

    def _pressure_factor(self) -> float:
        own, unit = ("METERS" if self.is_metric else "PSI"), ""
        for line in self.document.section("OPTIONS"):
            if is_word(line.words[0], "PRESS") and len(line.words) == 2:
                unit = next((name for name in FEET_OF_PRESSURE if is_word(line.words[1], name)), unit)
        if not unit or unit == own:
            return 1.0
        self.notes.append(f"pressures are in {unit}; the model holds them in metres")
        return FEET_OF_PRESSURE[unit] / FEET_OF_PRESSURE[own]

    def add(self, section: str, *words: str) -> None:
        """Add a line to the end of a section."""
        self.extra.setdefault(section, []).append(words)

    def note(self, text: str) -> None:
        """Say once what cannot be carried."""
        if text not in self.notes:
            self.notes.append(text)

    def valve_type(self, name: str) -> str:
        """PRV, PSV, …, or an empty text where the link is no valve."""
        return self.valves[name][4][:3].upper() if name in self.valves else ""

    def setting(self, link: str, value: str) -> str:
        """A valve's setting in WNTR's unit and terms."""
        kind = self.valve_type(link)
        if kind in ("PRV", "PSV", "PBV"):
            return self.as_pressure(value)
        if kind == "FCV":
            return self.as_flow(value)
        if kind == "PCV":
            return repr(self.loss_coefficient(link, float(value)))
        return value

    def as_pressure(self, value: str) -> str:
        """A pressure of the file in psi or m."""
        return value if self.pressure == 1.0 else repr(float(value) * self.pressure)

    def as_flow(self, value: str) -> str:
        """A flow of the file in `flow_units`."""
        return value if self.flow == 1.0 else repr(float(value) * self.flow)

    def loss_coefficient(self, valve: str, opening: float) -> float:
        """Minor loss of a positional control valve at an opening, %, as EPANET 2.3's `pcvlosscoeff` has it."""
        words = self.valves[valve]
        full = float(words[6]) if len(words) > 6 else 0.0
        points = [(0.0, 0.0), *(self._curve(words[7]) if len(words) > 7 else [(100.0, 100.0)])]
        share = min(opening / points[-1][0] * points[-1][1], 100.0)  # beyond the last point
        for (x0, y0), (x1, y1) in pairwise(points):
            if opening <= x1 and x1 > x0:
                share = y0 + (opening - x0) / (x1 - x0) * (y1 - y0)
                break
        return full / (share / 100.0) ** 2 if share > 0.0 else 1e8

    def _curve(self, name: str) -> Iterator[tuple[float, float]]:
        for line in self.document.section("CURVES"):
            if line.words[0] == name and len(line.words) > 2:
                yield float(line.words[1]), float(line.words[2])


def _flow_units(word: str) -> str:
    unit = next((name for name in _FLOWS if is_word(word, name)), word.upper())
    return "LPS" if unit == "SI" else unit


def in_range(first: str, last: str, names: list[str]) -> list[str]:
    """Names between two, as EPANET counts: by number where both are numbers, else by letters."""
    low, high = _number(first), _number(last)
    if low > 0 and high > 0:
        return [name for name in names if low <= _number(name) <= high]
    return [name for name in names if first <= name <= last]


def _number(text: str) -> int:
    """What C's atol makes of a text."""
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    return int(digits) if digits else 0
