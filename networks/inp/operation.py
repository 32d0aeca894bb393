"""Controls and rules, as EPANET reads them, written as WNTR reads them."""

from __future__ import annotations

from networks.inp.clock import as_duration, as_time_of_day, control_seconds, seconds
from networks.inp.document import Line, is_word
from networks.inp.elements import status_word
from networks.inp.facts import Facts, Words

_CLAUSES = ("RULE", "IF", "AND", "OR", "THEN", "ELSE", "PRIORITY")
_VARIABLES = {"DEMA": "DEMAND", "HEAD": "HEAD", "GRAD": "HEAD", "LEVE": "LEVEL", "PRES": "PRESSURE", "FLOW": "FLOW",
              "STAT": "STATUS", "SETT": "SETTING", "POWE": "POWER", "TIME": "TIME", "CLOCKTIME": "CLOCKTIME",
              "FILL": "FILLTIME", "DRAI": "DRAINTIME"}  # fmt: skip
_OBJECTS = {"JUNC": "JUNCTION", "RESE": "RESERVOIR", "TANK": "TANK", "NODE": "NODE", "PIPE": "PIPE", "PUMP": "PUMP",
            "VALV": "VALVE", "LINK": "LINK", "SYST": "SYSTEM"}  # fmt: skip


def control(facts: Facts, line: Line) -> Words:
    """`LINK id setting AT TIME t`, `AT CLOCKTIME t` or `IF NODE id ABOVE|BELOW value`."""
    words = line.words
    if len(words) < 6:
        return words
    link, state = words[1], status_word(words[2])
    action = ("LINK", link, state or facts.setting(link, words[2]))
    if is_word(words[4], "TIME"):
        return (*action, "AT", "TIME", as_duration(control_seconds(words[5:7])))
    if is_word(words[4], "CLOCKTIME"):
        return (*action, "AT", "CLOCKTIME", *as_time_of_day(control_seconds(words[5:7])))
    if len(words) < 8:
        return words
    node, value = words[5], words[7]
    if node in facts.reservoirs:
        facts.note(f"line {line.number}: a control by the level of reservoir {node} is not carried: it never changes")
        return ()
    relation = "BELOW" if is_word(words[6], "BELO") else "ABOVE"
    return (*action, "IF", "NODE", node, relation, facts.as_pressure(value) if node in facts.junctions else value)


def rules(facts: Facts) -> list[tuple[Line, Words]]:
    """Every line of `[RULES]` with the words to write; rules of the same name get names of their own."""
    seen: set[str] = set()
    written = []
    for line in facts.document.section("RULES"):
        words = line.words
        clause = words[0].upper()
        if clause == "RULE" and len(words) > 1:
            name, number = words[1], 2
            while name in seen:
                name, number = f"{words[1]}~{number}", number + 1
            if name != words[1]:
                facts.note(f"line {line.number}: a second rule {words[1]} is held as {name}")
            seen.add(name)
            words = ("RULE", name)
        elif clause in _CLAUSES[1:6] and len(words) > 3:
            words = (clause, *_clause(facts, words[1:]))
        written.append((line, words))
    return written


def _clause(facts: Facts, words: Words) -> Words:
    """`PUMP id STATUS IS OPEN`, `TANK id LEVEL BELOW 3`, `SYSTEM CLOCKTIME >= 8 AM`."""
    thing = next((full for key, full in _OBJECTS.items() if is_word(words[0], key)), words[0].upper())
    if thing == "SYSTEM":
        variable = _variable(words[1])
        if variable == "TIME":
            return (thing, variable, words[2], as_duration(seconds(words[3:5])))
        if variable == "CLOCKTIME":
            return (thing, variable, words[2], *as_time_of_day(seconds(words[3:5])))
        return (thing, variable, *words[2:])
    if len(words) < 5:
        return words
    name, variable, relation, value = words[1], _variable(words[2]), words[3], words[4]
    if variable == "STATUS":
        value = status_word(value) or value
    elif variable == "SETTING":
        value = facts.setting(name, value)
    elif variable in ("FLOW", "DEMAND"):
        value = facts.as_flow(value)
    elif variable == "PRESSURE":
        value = facts.as_pressure(value)
    return (thing, name, variable, relation, value)


def _variable(word: str) -> str:
    return next((full for key, full in _VARIABLES.items() if is_word(word, key)), word.upper())
