"""Lines about nodes and links, as EPANET reads them, written as WNTR reads them."""

from __future__ import annotations

from networks.inp.document import Line, is_word
from networks.inp.facts import Facts, Words, in_range

_STATUS = {"OPEN": "OPEN", "CLOS": "CLOSED", "ACTI": "ACTIVE", "CV": "CV"}


def status_word(word: str) -> str:
    """Full name of a status, or an empty text where the word is none."""
    return next((full for key, full in _STATUS.items() if is_word(word, key)), "")


def junction(facts: Facts, line: Line) -> Words:
    """`id elevation demand pattern`; EPANET needs no more than the name."""
    words = line.words[:4]
    if len(words) > 2:
        words = (*words[:2], facts.as_flow(words[2]), *words[3:])
    return words if len(words) > 1 else (*words, "0")


def reservoir(facts: Facts, line: Line) -> Words:
    """`id head pattern`; with six words it is a tank."""
    if len(line.words) > 5:
        facts.add("TANKS", *_tank(line.words))
        return ()
    return line.words[:3]


def tank(facts: Facts, line: Line) -> Words:
    """`id elevation initial minimum maximum diameter volume curve overflow`; with three words it is a reservoir."""
    if len(line.words) <= 3:
        facts.add("RESERVOIRS", *line.words)
        return ()
    return _tank(line.words)


def _tank(words: Words) -> Words:
    if len(words) > 8:
        return (*words[:8], "YES") if is_word(words[8], "YES") else words[:8]
    return words


def pipe(_facts: Facts, line: Line) -> Words:
    """`id node node length diameter roughness minor-loss status`; the seventh word may be either of the last two."""
    words = line.words
    if len(words) < 6:
        return words
    if len(words) == 7 and status_word(words[6]):
        return (*words[:6], "0", status_word(words[6]))
    if len(words) > 7:
        return (*words[:7], status_word(words[7]) or words[7])
    return words


def pump(facts: Facts, line: Line) -> Words:
    """`id node node keyword value …`; EPANET 1's bare numbers become a curve."""
    words = line.words
    if len(words) > 3 and is_number(words[3]):
        return (*words[:3], *_old_curve(facts, words[0], words[3:]))
    keys = {"HEAD": "HEAD", "POWE": "POWER", "SPEE": "SPEED", "PATT": "PATTERN"}
    rest = list(words[3:])
    for k in range(0, len(rest), 2):
        rest[k] = next((full for key, full in keys.items() if is_word(rest[k], key)), rest[k])
    return (*words[:3], *rest)


def _old_curve(facts: Facts, name: str, values: Words) -> Words:
    if len(values) == 1:
        return ("POWER", values[0])
    curve = f"{name[:26]}~head"
    points: tuple[tuple[str, str], ...]
    if len(values) >= 5:
        points = ((values[1], values[2]), (values[3], values[4]))
        facts.add("CURVES", curve, "0", values[0])
    else:
        points = ((values[0], values[1]),)
    for head, flow in points:
        facts.add("CURVES", curve, flow, head)
    return ("HEAD", curve)


def valve(facts: Facts, line: Line) -> Words:
    """`id node node diameter type setting minor-loss`; WNTR knows no positional control valve."""
    words = line.words
    if len(words) < 6:
        return words
    kind = words[4][:3].upper()
    loss = words[6] if len(words) > 6 else "0"
    if kind == "PCV":
        facts.note(f"valve {words[0]}: a PCV is held as a TCV of the same loss; its curve stays in the file")
        return (*words[:4], "TCV", facts.setting(words[0], words[5]), loss)
    return (*words[:4], kind, facts.setting(words[0], words[5]), loss)


def demand(facts: Facts, line: Line) -> Words:
    """`junction demand pattern`; `MULTIPLY factor` belongs to the options today."""
    words = line.words
    if is_word(words[0], "MULT") and words[0] not in facts.nodes and len(words) > 1:
        facts.add("OPTIONS", "DEMAND", "MULTIPLIER", words[1])
        return ()
    if words[0] in facts.tanks or words[0] in facts.reservoirs:
        facts.note(f"demand of {words[0]} is left out, as EPANET does: it is no junction")
        return ()
    if len(words) < 2:
        return words
    words = (words[0], facts.as_flow(words[1]), *words[2:3])
    return (*words, facts.default_pattern) if len(words) == 2 and facts.default_pattern else words


def emitter(facts: Facts, line: Line) -> Words:
    """`junction coefficient`; EPANET counts its pressure in metres or psi, whatever the file's unit of pressure."""
    return (line.words[0], facts.as_flow(line.words[1])) if len(line.words) > 1 else line.words


def curve(facts: Facts, line: Line) -> Words:
    """`id x y`; x is a flow but for tanks and positional valves."""
    words = line.words
    if len(words) < 3 or words[0] in facts.flowless_curves:
        return words
    return (words[0], facts.as_flow(words[1]), *words[2:])


def status(facts: Facts, line: Line) -> Words:
    """`link status-or-setting`, or `first last status` for a range of links."""
    words = line.words
    if len(words) < 3:
        return _one_status(facts, *words) if len(words) == 2 else words
    names = [other.words[0] for part in ("PIPES", "PUMPS", "VALVES") for other in facts.document.section(part)]
    for name in in_range(words[0], words[1], names):
        facts.add("STATUS", *_one_status(facts, name, words[2]))
    return ()


def _one_status(facts: Facts, link: str, word: str) -> Words:
    if status_word(word):
        return (link, status_word(word))
    if link in facts.pumps and is_number(word) and float(word) == 0.0:
        return (link, "CLOSED")
    return (link, facts.setting(link, word))


def quality(facts: Facts, line: Line) -> Words:
    """`node quality`, or `first last quality` for a range of nodes."""
    if len(line.words) < 3:
        return line.words
    names = [other.words[0] for part in ("JUNCTIONS", "RESERVOIRS", "TANKS") for other in facts.document.section(part)]
    for name in in_range(line.words[0], line.words[1], names):
        facts.add("QUALITY", name, line.words[2])
    return ()


def source(_facts: Facts, line: Line) -> Words:
    """`node type strength pattern`; without a type it is a concentration."""
    words = line.words
    if len(words) > 1 and is_number(words[1]):
        words = (words[0], "CONCEN", *words[1:])
    return words[:3] if len(words) > 3 and words[3] == "*" else words[:4]


def mixing(_facts: Facts, line: Line) -> Words:
    """`tank model fraction`."""
    words = line.words
    if len(words) == 2 and is_word(words[1], "2COMP"):
        return (*words, "1")
    return words


def reaction(facts: Facts, line: Line) -> Words:
    """`BULK pipe coefficient`, or `BULK first last coefficient` for a range."""
    words = line.words
    keys = {"BULK": "BULK", "WALL": "WALL", "TANK": "TANK", "ORDE": "ORDER", "GLOB": "GLOBAL", "LIMI": "LIMITING",
            "ROUG": "ROUGHNESS"}  # fmt: skip
    key = next((full for start, full in keys.items() if is_word(words[0], start)), words[0])
    if key in ("BULK", "WALL", "TANK") and len(words) > 3:
        part = ("TANKS",) if key == "TANK" else ("PIPES",)
        names = [other.words[0] for name in part for other in facts.document.section(name)]
        for name in in_range(words[1], words[2], names):
            facts.add("REACTIONS", key, name, words[3])
        return ()
    return (key, *words[1:])


def coordinate(facts: Facts, line: Line) -> Words:
    """`node x y`; EPANET passes over nodes that the file does not have."""
    if len(line.words) < 3:
        return ()
    if line.words[0] not in facts.nodes:
        facts.note("coordinates of nodes that the network does not have are left out")
        return ()
    return line.words[:3]


def vertex(facts: Facts, line: Line) -> Words:
    """`link x y`."""
    if len(line.words) < 3:
        return ()
    if line.words[0] not in facts.links:
        facts.note("vertices of links that the network does not have are left out")
        return ()
    return line.words[:3]


def tag(facts: Facts, line: Line) -> Words:
    """`NODE name tag` or `LINK name tag`; WNTR wants capitals."""
    words = line.words
    kind = words[0].upper()
    if len(words) < 3:
        return ()
    known = facts.nodes if kind == "NODE" else facts.links
    return (kind, *words[1:]) if words[1] in known else ()


def is_number(word: str) -> bool:
    """Whether a word is a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True
