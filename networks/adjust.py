"""An INP with other roughnesses, statuses and demands, and every other letter as it stood."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from networks.inp.document import Document, Line, is_word

_WORD = re.compile(r'"[^"]*"?|[^\s"]+')
_PER_LINE = 8
_MOST_MULTIPLIERS = 50_000


@dataclass(frozen=True)
class Adjustments:
    """What is to be changed.

    Attributes
    ----------
    roughness
        By pipe, in the file's unit.
    closed, opened
        Pipes and valves that get another status.
    share
        By junction, factor on its base demand.
    zone
        By junction, the zone whose hours its demand follows.
    hours
        By zone, a factor on demand for each pattern period, given the period's middle in seconds of the week that the
        model's clock counts (0 is midnight of its first day).
    has_weekend
        Whether those factors repeat by the week; otherwise by the day.
    """

    roughness: Mapping[str, float] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    opened: frozenset[str] = frozenset()
    share: Mapping[str, float] = field(default_factory=dict)
    zone: Mapping[str, str] = field(default_factory=dict)
    hours: Mapping[str, Callable[[float], float]] = field(default_factory=dict)
    has_weekend: bool = False


@dataclass(frozen=True, slots=True)
class PatternClock:
    """When patterns are read: length of a period, offset of the first, and the clock at the run's start, s."""

    step: int
    start: int
    clock: int


def adjusted(document: Document, clock: PatternClock, changes: Adjustments) -> bytes:
    """Write the INP anew with what is changed.

    Patterns that zones follow are added as new ones, called by the old one's name and a number; the old ones stay.

    Parameters
    ----------
    document
        The file as EPANET reads it.
    clock
        Of the file's `[TIMES]`.
    changes
        What is to be changed.

    Raises
    ------
    ValueError
        If a pattern with factors would be longer than EPANET's readers take: its period divides neither day nor week.
    """
    writer = _Writer(document, clock, changes)
    lines = [writer.line(line) for line in document.lines if line.section != "END"]
    return "\n".join([*lines, *writer.added(), "[END]", ""]).encode(document.encoding)


class _Writer:
    def __init__(self, document: Document, clock: PatternClock, changes: Adjustments) -> None:
        self.document, self.clock, self.changes = document, clock, changes
        self.patterns: dict[str, list[float]] = {}
        for line in document.section("PATTERNS"):
            self.patterns.setdefault(line.words[0], []).extend(float(word) for word in line.words[1:])
        default = document.option("PATT") or ("1",)
        self.default = default[0] if default[0] in self.patterns else ""
        self.with_categories = {line.words[0] for line in document.section("DEMANDS")}
        self.new: dict[tuple[str, str], str] = {}
        self.status = dict.fromkeys(changes.closed, "Closed") | dict.fromkeys(changes.opened, "Open")
        self.valves = {line.words[0] for line in document.section("VALVES")}

    def line(self, line: Line) -> str:
        """One line, changed where it has to be."""
        if not line.words or line.words[0][:1] == "[":
            return line.text
        name, changes = line.words[0], self.changes
        if line.section == "PIPES" and len(line.words) > 5:
            new: dict[int, str] = {}
            if name in changes.roughness:
                new[5] = f"{changes.roughness[name]:.6g}"
            if name in self.status:
                at = 6 if len(line.words) == 7 and line.words[6][:1].isalpha() else 7
                new |= {at: self.status[name]} | ({6: "0"} if len(line.words) == 6 else {})
            return _with(line.text, new)
        if line.section == "STATUS" and len(line.words) == 2 and name in self.status:
            return _with(line.text, {1: self.status[name]})
        if line.section == "JUNCTIONS" and name not in self.with_categories and len(line.words) > 2:
            return _with(line.text, self._demand(name, line.words[2], line.words[3:4], 2))
        if line.section == "DEMANDS" and len(line.words) > 1 and not is_word(name, "MULT"):
            return _with(line.text, self._demand(name, line.words[1], line.words[2:3], 1))
        return line.text

    def _demand(self, junction: str, base: str, pattern: tuple[str, ...], at: int) -> dict[int, str]:
        new: dict[int, str] = {}
        if float(base) == 0.0:
            return new
        if junction in self.changes.share:
            new[at] = f"{float(base) * self.changes.share[junction]:.8g}"
        zone = self.changes.zone.get(junction, "")
        if zone in self.changes.hours:
            old = pattern[0] if pattern else self.default
            new[at + 1] = self._pattern(old, zone)
        return new

    def _pattern(self, old: str, zone: str) -> str:
        """Name of the pattern that an old one becomes in a zone."""
        if (old, zone) not in self.new:
            number = len(self.new) + 1
            name = f"{(old or 'flat')[:24]}~{number}"
            while name in self.patterns:
                number += 1
                name = f"{(old or 'flat')[:24]}~{number}"
            self.new[old, zone] = name
        return self.new[old, zone]

    def added(self) -> list[str]:
        """The new patterns, and statuses of valves that had no line of their own."""
        lines = []
        stated = {line.words[0] for line in self.document.section("STATUS") if line.words}
        valves = [name for name in self.status if name in self.valves and name not in stated]
        if valves:
            lines += ["[STATUS]", *(f" {name}\t{self.status[name]}" for name in valves)]
        if self.new:
            lines.append("[PATTERNS]")
        for (old, zone), name in self.new.items():
            values = [f"{value:.6g}" for value in self._multipliers(old, zone)]
            lines += [f" {name}\t" + "\t".join(values[k : k + _PER_LINE]) for k in range(0, len(values), _PER_LINE)]
        return lines

    def _multipliers(self, old: str, zone: str) -> list[float]:
        before = self.patterns.get(old, [1.0])
        repeat, step = (604_800 if self.changes.has_weekend else 86_400), self.clock.step
        cycle = math.lcm(repeat, step) // step
        count = math.lcm(cycle, len(before))
        if count > _MOST_MULTIPLIERS:
            raise ValueError(
                f"pattern '{old}' has {len(before)} periods of {step} s, which divide neither a day nor a week: "
                f"with hourly factors it would have {count}"
            )
        factor = self.changes.hours[zone]
        offset = self.clock.clock - self.clock.start
        return [before[k % len(before)] * factor((k + 0.5) * step + offset) for k in range(count)]


def _with(text: str, new: Mapping[int, str]) -> str:
    """A line with some of its words replaced, or added after the last; spaces and comments as they stood."""
    if not new:
        return text
    content, semicolon, comment = text.partition(";")
    spans = [match.span() for match in _WORD.finditer(content)]
    for index in sorted(new, reverse=True):
        if index < len(spans):
            a, b = spans[index]
            content = content[:a] + new[index] + content[b:]
    missing = [new[index] for index in sorted(new) if index >= len(spans)]
    if missing:
        content = "\t".join([content.rstrip(), *missing]) + ("\t" if semicolon else "")
    return content + semicolon + comment
