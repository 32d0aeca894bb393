"""Pumps, tanks, valves and their curves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from networks.check.finding import Hit, shown
from networks.check.limits import Limits
from networks.check.model import Element, Model
from networks.check.references import keyword
from networks.check.registry import check
from networks.check.units import number

VALVES = ("PRV", "PSV", "PBV", "FCV", "TCV", "GPV", "PCV")


@check("pump-curve", "error", "pumps without a usable curve", "give HEAD a falling curve, or POWER a value")
def pump_curve(model: Model, limits: Limits) -> Iterator[Hit]:
    """Pumps without curve and power, and curves that rise with the flow."""
    for pump in (link for link in model.links if link.kind == "pump"):
        name, power = keyword(pump.row, "HEAD"), keyword(pump.row, "POWER")
        if name is None and power is None:
            old = len(pump.row.words) > 3 and number(pump.word(3)) is not None
            reason = "has a curve in the format of EPANET 1" if old else "has neither a head curve nor a power"
            yield Hit(pump.label, reason, "", "PUMPS", pump.row.line)
            continue
        value = number(power) if power is not None else None
        if power is not None and not (value is not None and value > 0.0):
            yield Hit(pump.label, "the power is not above zero", power, "PUMPS", pump.row.line)
        points = model.curves[name][1] if name in model.curves else []
        heads = [head for _, head in points]
        if len(heads) > 1 and any(b >= a for a, b in itertools.pairwise(heads)):
            reason = f"the head of its curve {name} does not fall as the flow grows"
            yield Hit(pump.label, reason, "", "PUMPS", pump.row.line)
        elif len(points) == 1 and min(points[0]) <= 0.0:
            yield Hit(pump.label, f"the point of its curve {name} is not above zero", "", "PUMPS", pump.row.line)
        speed = keyword(pump.row, "SPEED")
        ratio = number(speed) if speed is not None else None
        if ratio is not None and not 0.0 <= ratio <= 2.0:
            reason = "the relative speed is outside 0 to 2"
            yield Hit(pump.label, reason, shown(ratio), "PUMPS", pump.row.line, severity="warning")


@check("curve", "error", "curves that EPANET cannot use", "sort the points by x, and give at least one")
def curve(model: Model, limits: Limits) -> Iterator[Hit]:
    """Curves without points and curves whose x does not grow."""
    for name, (row, points) in model.curves.items():
        if not points and len(row.words) < 2:
            yield Hit(f"curve {name}", "has no points", "", "CURVES", row.line)
        for (a, _), (b, _) in itertools.pairwise(points):
            if b <= a:
                yield Hit(f"curve {name}", "the x of its points does not grow", shown(b), "CURVES", row.line)
                break


@check("tank", "error", "tanks whose levels or size cannot be", "order the levels: lowest, initial, highest")
def tank(model: Model, limits: Limits) -> Iterator[Hit]:
    """Levels out of order, which EPANET refuses; tanks without volume."""
    for node in (n for n in model.nodes if n.kind == "tank"):
        values = [number(node.word(k)) for k in (2, 3, 4, 5)]
        if None in values:
            if len(node.row.words) < 6:
                yield Hit(node.label, "its row lacks levels or diameter", "", node.section, node.row.line)
            continue
        initial, low, high, width = (value for value in values if value is not None)
        unit = model.units.length_name
        if not low <= initial <= high:
            reason = f"the initial level is not between {low:g} and {high:g}"
            yield Hit(node.label, reason, shown(initial, unit), node.section, node.row.line)
        elif high <= low:
            reason = "the lowest and highest level are the same"
            yield Hit(node.label, reason, shown(high, unit), node.section, node.row.line, severity="warning")
        if width <= 0.0:  # with a volume curve too
            reason = "has no diameter: EPANET takes it for a reservoir"
            value = shown(width, unit)
            yield Hit(
                node.label, reason, value, node.section, node.row.line, severity="warning", mend="give a diameter"
            )


@check("valve", "error", "valves that EPANET refuses", "use one of EPANET's types; put a short pipe beside the tank")
def valve(model: Model, limits: Limits) -> Iterator[Hit]:
    """Unknown types, no diameter, and pressure or flow valves directly at a tank or reservoir."""
    for link in (link for link in model.links if link.kind == "valve"):
        kind = link.word(4).upper()
        if kind and kind not in VALVES:
            yield Hit(link.label, "is of no type that EPANET knows", link.word(4), "VALVES", link.row.line)
        width = number(link.word(3))
        if width is not None and width <= 0.0:
            yield Hit(link.label, "the diameter is not above zero", link.word(3), "VALVES", link.row.line)
        if kind in ("PRV", "PSV", "FCV"):
            for place in (link.start, link.end):
                if place >= 0 and model.is_source[place]:
                    reason = f"a {kind} stands directly at {model.nodes[place].label}"
                    yield Hit(link.label, reason, "", "VALVES", link.row.line)


@check("prv", "warning", "pressure-reducing valves that can never act", "check the setting, its unit and the direction")
def prv(model: Model, limits: Limits) -> Iterator[Hit]:
    """PRVs whose setting alone shows that they reduce nothing."""
    ceiling = _highest_head(model)
    for k, link in enumerate(model.links):
        setting = number(link.word(5)) if link.kind == "valve" and link.word(4).upper() == "PRV" else None
        if setting is None or link.name in model.controlled:
            continue
        setting = model.settings.get(link.name, setting)
        value = shown(setting, model.units.pressure_name)
        metres = setting * model.units.pressure
        where = ("VALVES", link.row.line)
        if model.status[k] == "closed":
            yield Hit(link.label, "is closed for good: no control opens it", value, *where, severity="note")
        elif model.status[k] == "open":
            yield Hit(link.label, "is fixed open: it reduces nothing", value, *where)
        elif setting <= 0.0:
            yield Hit(link.label, "its setting is not above zero", value, *where)
        elif limits.prv_setting_m < metres <= limits.enormous:
            yield Hit(link.label, f"its setting is above {limits.prv_setting_m:g} m", value, *where)
        elif ceiling is not None and link.end >= 0 and metres + model.elevation[link.end] > ceiling:
            yield Hit(link.label, "its setting is above the head of every source", value, *where)


def _highest_head(model: Model) -> float | None:
    """Highest head that a source can give, m; None where pumps or head patterns may lift it."""
    if any(link.kind == "pump" for link in model.links):
        return None
    heads = [_source_head(node) for node in model.nodes if node.kind != "junction"]
    if not heads or any(not np.isfinite(head) for head in heads):
        return None
    return max(heads) * model.units.length


def _source_head(node: Element) -> float:
    """Highest head of a source in the file's unit; not finite where it cannot be said."""
    base = number(node.word(1))
    if base is None or (node.kind == "reservoir" and node.word(2)):
        return float("inf")
    level = number(node.word(4)) if node.kind == "tank" else 0.0
    return float("inf") if level is None else base + level
