"""An INP that EPANET reads, written so that WNTR reads it too, and what is lost on the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from networks.inp import elements, operation
from networks.inp.document import SECTIONS, Document, Line, is_word
from networks.inp.facts import Facts, Words
from networks.inp.options import option, times

# sections whose lines are free text or which WNTR reads as EPANET does
_AS_IT_STANDS = {"TITLE", "LABELS", "BACKDROP", "PATTERNS"}
_HEADINGS = {f"[{name}]" for name in SECTIONS}
_REPORT = ("PAGE", "FILE", "STATUS", "SUMMARY", "ENERGY", "MESSAGES")
_ENERGY = {"EFFI": "EFFICIENCY", "PRIC": "PRICE", "PATT": "PATTERN"}


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Text for WNTR and what it cannot say.

    Attributes
    ----------
    text
        An INP; its lines have the numbers of the original, additions stand at the end.
    notes
        Sentences on what the original holds and the model does not.
    """

    text: str
    notes: tuple[str, ...]


def rewrite(document: Document) -> Rewritten:
    """Write an INP in the words that WNTR knows.

    Raises
    ------
    ValueError
        If a line means nothing in EPANET either.
    """
    facts = Facts(document)
    _refuse_twins(document)
    rules = dict(operation.rules(facts))
    lines: list[str] = []
    for line in document.lines:
        if line.section == "END":
            break
        lines.append(_line(facts, rules, line))
    if not document.option("UNIT"):
        facts.add("OPTIONS", "UNITS", facts.flow_units)
        facts.extra["OPTIONS"].insert(0, facts.extra["OPTIONS"].pop())
    for words in times(facts):
        facts.add("TIMES", *words)
    for section, added in facts.extra.items():
        lines += [f"[{section}]", *(" ".join(words) for words in added)]
    return Rewritten("\n".join([*lines, "[END]", ""]), tuple(facts.notes))


def _refuse_twins(document: Document) -> None:
    """Of two elements of one name WNTR keeps the last without a word; EPANET refuses them."""
    for kind, sections in (("node", ("JUNCTIONS", "RESERVOIRS", "TANKS")), ("link", ("PIPES", "PUMPS", "VALVES"))):
        seen: set[str] = set()
        for line in (line for section in sections for line in document.section(section)):
            if line.words[0] in seen:
                raise ValueError(f"line {line.number}: {kind} {line.words[0]} is there twice")
            seen.add(line.words[0])


def _line(facts: Facts, rules: dict[Line, Words], line: Line) -> str:
    section = line.section
    if not line.words:
        return f";{line.text.partition(';')[2]}" if ";" in line.text else ""
    if line.words[0].startswith("["):
        return _heading(line)
    if section == "":
        facts.note("text before the first section is passed over, as EPANET does")
        return ""
    if section in _AS_IT_STANDS:
        return line.text
    if section == "LEAKAGE":
        facts.note("[LEAKAGE] is carried beside the model, which holds none")
        return ""
    if section == "ROUGHNESS":
        facts.note("[ROUGHNESS] is a section of EPANET 1 that EPANET passes over")
        return ""
    if section == "TIMES":
        return ""
    words = rules[line] if section == "RULES" else _HANDLERS[section](facts, line)
    if words == line.words and '"' not in line.text:
        return line.text
    if not words:
        return ""
    return f" {' '.join(words)}" + (f" ;{line.comment}" if line.comment else "")


def _heading(line: Line) -> str:
    if line.section not in SECTIONS:
        raise ValueError(f"line {line.number}: {line.words[0]} is no section of an INP")
    return "" if line.section in ("LEAKAGE", "ROUGHNESS") else f"[{line.section}]"


def _report(facts: Facts, line: Line) -> Words:
    words = line.words
    if len(words) < 2:
        return ()
    if is_word(words[0], "NODES") or is_word(words[0], "LINKS"):
        kind = words[0][:5].upper()
        if words[1].upper() in ("ALL", "NONE"):
            return (kind, words[1])
        return (kind, "LIST", *words[1:])  # WNTR takes names from the third word on
    for keyword in _REPORT:
        if is_word(words[0], keyword[:4]):
            return (keyword, words[1].partition(".")[0] if keyword == "PAGE" else words[1])
    if len(words) > 2 and words[1].upper() in ("ABOVE", "BELOW", "PRECISION"):
        return words[:3]
    return words[:2] if words[1].upper() in ("YES", "NO") else ()


def _energy(facts: Facts, line: Line) -> Words:
    words = line.words
    place = 2 if is_word(words[0], "PUMP") else 1
    if len(words) <= place + 1 or is_word(words[0], "DEMA"):
        return words
    full = next((name for start, name in _ENERGY.items() if is_word(words[place], start)), words[place])
    return (*words[:place], full, *words[place + 1 :])


_HANDLERS: dict[str, Callable[[Facts, Line], Words]] = {
    "JUNCTIONS": elements.junction,
    "RESERVOIRS": elements.reservoir,
    "TANKS": elements.tank,
    "PIPES": elements.pipe,
    "PUMPS": elements.pump,
    "VALVES": elements.valve,
    "DEMANDS": elements.demand,
    "EMITTERS": elements.emitter,
    "CURVES": elements.curve,
    "STATUS": elements.status,
    "QUALITY": elements.quality,
    "SOURCES": elements.source,
    "MIXING": elements.mixing,
    "REACTIONS": elements.reaction,
    "COORDINATES": elements.coordinate,
    "VERTICES": elements.vertex,
    "TAGS": elements.tag,
    "CONTROLS": operation.control,
    "OPTIONS": option,
    "REPORT": _report,
    "ENERGY": _energy,
}


def _may_need_repair(text: str) -> bool:
    """Look for what `repaired` mends without cutting up the text: that takes a quarter of a second for 2 MB."""
    if re.search(r":\d*:\d*:|(?im:^[ \t]*mult)", text):
        return True
    if any(word.upper()[: word.find("]") + 1] not in _HEADINGS for word in re.findall(r"(?m)^[ \t]*(\[\S*)", text)):
        return True
    pumps = re.findall(r"(?ims)^[ \t]*\[PUMPS\](.*?)(?=^[ \t]*\[|\Z)", text)
    return any(re.search(r"(?m)^[ \t]*[^;\s]\S*[ \t]+\S+[ \t]+\S+[ \t]+[-+.\d]", part) for part in pumps)


def repaired(document: Document) -> str | None:
    """Text for EPANET in the words that both libraries know, or None where the file's own will do.

    2.3 knows no heading cut short, no bare numbers for a pump's curve and no MULTIPLY among demands, all of which older
    versions read; a time of four parts breaks the stack of 2.2.
    """
    if not _may_need_repair(document.text):
        return None
    facts = Facts(document)
    other: dict[int, str] = {}
    for line in document.lines:
        words = line.words
        if words and words[0].startswith("["):
            if line.section in SECTIONS and not words[0].upper().startswith(f"[{line.section}]"):
                other[line.number] = f"[{line.section}]"
        elif line.section == "TIMES" and any(word.count(":") > 2 for word in words):
            other[line.number] = " ".join(":".join(word.split(":")[:3]) for word in words)
        elif line.section == "DEMANDS" and words and is_word(words[0], "MULT") and words[0] not in facts.nodes:
            elements.demand(facts, line)
            other[line.number] = ""
        elif line.section == "PUMPS" and len(words) > 3 and elements.is_number(words[3]):
            other[line.number] = " ".join(elements.pump(facts, line))
    if not other:
        return None
    lines = [other.get(line.number, line.text) for line in document.lines if line.section != "END"]
    for section, added in facts.extra.items():
        lines += [f"[{section}]", *(" ".join(words) for words in added)]
    return "\n".join([*lines, "[END]", ""])
