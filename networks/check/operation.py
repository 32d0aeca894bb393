"""Controls and rules."""

from __future__ import annotations

from collections.abc import Iterator

from networks.check.finding import Hit
from networks.check.limits import Limits
from networks.check.model import Model
from networks.check.registry import check
from networks.check.units import number
from networks.inp_text import Row

_NODES = ("NODE", "JUNC", "JUNCTION", "RESERV", "RESERVOIR", "TANK")
_LINKS = ("LINK", "PIPE", "PUMP", "VALVE")
_PREMISES, _ACTIONS = ("IF", "AND", "OR"), ("THEN", "ELSE", "AND")


@check("control", "error", "controls that cannot work", "name an existing link and node; follow EPANET's manual")
def control(model: Model, limits: Limits) -> Iterator[Hit]:
    """Simple controls with unknown names or missing words."""
    for row in model.text.rows("CONTROLS"):
        words = row.words
        where = ("", "CONTROLS", row.line)
        label = f"control of {words[1]}" if len(words) > 1 else "control"
        if len(words) < 6:
            yield Hit(label, f"has {len(words)} of at least 6 words", *where)
            continue
        link = model.links[model.link_index[words[1]]] if words[1] in model.link_index else None
        if link is None:
            yield Hit(label, f"link {words[1]} does not exist", *where)
        elif link.kind == "pipe" and model.status[model.link_index[words[1]]] == "cv":
            yield Hit(label, "a pipe with a check valve cannot be controlled", *where)
        if words[2].upper() not in ("OPEN", "CLOSED") and number(words[2]) is None:
            yield Hit(label, "the setting is no status and no number", words[2], "CONTROLS", row.line)
        if words[3].upper() == "IF" and words[5] not in model.node_index:
            yield Hit(label, f"node {words[5]} does not exist", *where)


def _rules(model: Model) -> Iterator[tuple[str, int, list[Row]]]:
    """Name, line and clauses of each rule."""
    name, line, clauses = "", 0, list[Row]()
    for row in model.text.rows("RULES"):
        if row.words[0].upper() == "RULE":
            if line:
                yield name, line, clauses
            name, line, clauses = row.words[1] if len(row.words) > 1 else "", row.line, []
        elif line:
            clauses.append(row)
    if line:
        yield name, line, clauses


@check("rule", "error", "rules that cannot work", "complete the rule: RULE, IF, THEN, with existing names")
def rule(model: Model, limits: Limits) -> Iterator[Hit]:
    """Rules without premise or action, and with unknown names."""
    seen: dict[str, int] = {}
    for name, line, clauses in _rules(model):
        label = f"rule {name}"
        if not name:
            yield Hit("rule", "has no name", "", "RULES", line)
        if seen.setdefault(name, line) != line:
            reason = f"the name stands already in line {seen[name]}"
            yield Hit(label, reason, "", "RULES", line, severity="warning", mend="give each rule its own name")
        keys = [row.words[0].upper() for row in clauses]
        for wanted in ("IF", "THEN"):
            if wanted not in keys:
                yield Hit(label, f"has no {wanted}", "", "RULES", line)
        yield from _clauses(model, label, clauses)


def _clauses(model: Model, label: str, clauses: list[Row]) -> Iterator[Hit]:
    for row in clauses:
        key = row.words[0].upper()
        if key == "PRIORITY" or (len(row.words) > 1 and row.words[1].upper() == "SYSTEM"):
            continue
        if key not in (*_PREMISES, *_ACTIONS):
            yield Hit(label, "the clause begins with no word of rules", row.words[0], "RULES", row.line)
        elif len(row.words) < 5:
            yield Hit(label, f"the clause has {len(row.words)} of at least 5 words", "", "RULES", row.line)
        elif row.words[1].upper() in _NODES and row.words[2] not in model.node_index:
            yield Hit(label, f"node {row.words[2]} does not exist", "", "RULES", row.line)
        elif row.words[1].upper() in _LINKS and row.words[2] not in model.link_index:
            yield Hit(label, f"link {row.words[2]} does not exist", "", "RULES", row.line)


@check("contradiction", "warning", "rules and controls that fight each other", "separate their conditions")
def contradiction(model: Model, limits: Limits) -> Iterator[Hit]:
    """Simple controls that switch one link both ways at the same condition."""
    seen: dict[tuple[str, ...], tuple[str, int]] = {}
    for row in model.text.rows("CONTROLS"):
        if len(row.words) < 6:
            continue
        condition = (row.words[1], *(word.upper() for word in row.words[3:]))
        setting = row.words[2].upper()
        earlier, line = seen.setdefault(condition, (setting, row.line))
        # a pump that is opened and given its speed is not contradicted
        if earlier != setting and not ("OPEN" in (earlier, setting) and "CLOSED" not in (earlier, setting)):
            reason = f"sets {setting} where line {line} sets {earlier} under the same condition"
            yield Hit(f"control of {row.words[1]}", reason, "", "CONTROLS", row.line)
    yield from _fighting_levels(model)


def _fighting_levels(model: Model) -> Iterator[Hit]:
    """A link that opens below a level above the one at which it closes, or the reverse: it never rests."""
    levels: dict[tuple[str, str], dict[str, tuple[float, str, int]]] = {}
    for row in model.text.rows("CONTROLS"):
        value = number(row.words[7]) if len(row.words) > 7 else None
        if value is None or row.words[3].upper() != "IF":
            continue
        sense = row.words[6].upper()
        pair = levels.setdefault((row.words[1], row.words[5]), {})
        pair[sense] = (value, row.words[2].upper(), row.line)
        if {"BELOW", "ABOVE"} <= set(pair):
            (low, below, _), (high, above, _) = pair["BELOW"], pair["ABOVE"]
            if below != above and low > high:
                reason = f"sets {below} below {low:g} and {above} above {high:g}: between them it never rests"
                yield Hit(f"control of {row.words[1]}", reason, "", "CONTROLS", row.line)
