"""Numbers that are none, that are infinite, or that lost their decimal point."""

from __future__ import annotations

import math
from collections.abc import Iterator

from networks.check.finding import Hit, shown
from networks.check.limits import Limits
from networks.check.model import Element, Model
from networks.check.registry import check
from networks.check.units import number

# the fields of each kind that must be numbers, and what they are
_COLUMNS: dict[str, dict[int, str]] = {
    "junction": {1: "elevation", 2: "demand"},
    "reservoir": {1: "head"},
    "tank": {1: "elevation", 2: "initial level", 3: "lowest level", 4: "highest level", 5: "diameter", 6: "volume"},
    "pipe": {3: "length", 4: "diameter", 5: "roughness"},
    "pump": {},
    "valve": {3: "diameter", 5: "setting", 6: "loss coefficient"},
}
_ROWS: dict[str, dict[int, str]] = {
    "DEMANDS": {1: "demand"},
    "EMITTERS": {1: "coefficient"},
    "COORDINATES": {1: "x", 2: "y"},
    "VERTICES": {1: "x", 2: "y"},
    "LEAKAGE": {1: "area", 2: "expansion"},
}


def _cells(model: Model) -> Iterator[tuple[str, str, int, str, str]]:
    """Element, section, line, field and word of every field that must be a number."""
    for element in (*model.nodes, *model.links):
        for k, what in _COLUMNS[element.kind].items():
            word = element.word(k)
            if word and not _is_curve(element, k):
                yield element.label, element.section, element.row.line, what, word
    for section, columns in _ROWS.items():
        for row in model.text.rows(section):
            for k, what in columns.items():
                if len(row.words) > k:
                    yield row.words[0], section, row.line, what, row.words[k]


def _is_curve(element: Element, k: int) -> bool:
    return element.kind == "valve" and k == 5 and element.word(4).upper() == "GPV"


@check("number", "error", "fields that should be numbers", "write a number with a decimal point, or remove the field")
def not_a_number(model: Model, limits: Limits) -> Iterator[Hit]:
    """Words where EPANET wants a number."""
    for trouble in model.troubles:
        if trouble.check == "number":
            yield Hit(trouble.element, trouble.reason, trouble.value, trouble.section, trouble.line)
    for element, section, line, what, word in _cells(model):
        if number(word) is None:
            comma = number(word.replace(",", ".")) is not None
            reason = f"the {what} has a decimal comma" if comma else f"the {what} is no number"
            yield Hit(element, reason, word, section, line)


@check("enormous-number", "error", "numbers beyond any network", "restore the number; a decimal point may be lost")
def enormous_number(model: Model, limits: Limits) -> Iterator[Hit]:
    """Infinite, undefined and enormous numbers, with which EPANET computes nonsense or nothing."""
    for element, section, line, what, word in _cells(model):
        value = number(word)
        if value is None or abs(value) <= limits.enormous:
            continue
        reason = f"the {what} is {'not finite' if not math.isfinite(value) else 'enormous'}"
        yield Hit(element, reason, word, section, line)
    for name, (row, values) in model.patterns.items():
        for value in values:
            if not abs(value) <= limits.enormous:
                yield Hit(f"pattern {name}", "a multiplier is enormous", shown(value), "PATTERNS", row.line)
    for name, (row, points) in model.curves.items():
        for value in (value for point in points for value in point):
            if not abs(value) <= limits.enormous:
                yield Hit(f"curve {name}", "a point of the curve is enormous", shown(value), "CURVES", row.line)
