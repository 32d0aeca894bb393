"""Demands and the patterns that drive them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from networks.check.finding import Hit, counted, shown
from networks.check.limits import Limits
from networks.check.model import Model
from networks.check.registry import check
from networks.check.units import number
from networks.inp_text import Row


@check("no-demand", "warning", "models that nobody draws water from", "add demands, or check DEMAND MULTIPLIER")
def no_demand(model: Model, limits: Limits) -> Iterator[Hit]:
    """A model without any demand and without emitters."""
    if model.is_junction.any() and not model.demand.any() and not model.text.rows("EMITTERS"):
        yield Hit("", "no junction has a demand")


@check("demand-pattern", "note", "demands that never change", "name a pattern in [DEMANDS] or [JUNCTIONS]")
def demand_pattern(model: Model, limits: Limits) -> Iterator[Hit]:
    """Demands without pattern in a run over time, where no default pattern exists: said once."""
    if model.duration_s <= 0.0 or model.default_pattern is not None:
        return
    listed = {row.words[0] for row in model.text.rows("DEMANDS")}
    flat: list[tuple[str, Row]] = []
    for section, k in (("DEMANDS", 2), ("JUNCTIONS", 3)):
        for row in model.text.rows(section):
            skip = section == "JUNCTIONS" and row.words[0] in listed
            base = number(row.words[k - 1]) if len(row.words) > k - 1 else None
            if not skip and base and len(row.words) <= k:
                flat.append((section, row))
    if flat:
        section, row = flat[0]
        # a model without any pattern was made for constant demand only if it runs for a single moment
        few = "though the model has patterns" if model.patterns else "and the model has no pattern"
        reason = f"{counted(len(flat), 'demand')} without pattern, this one first: constant, {few}"
        yield Hit(f"junction {row.words[0]}", reason, str(len(flat)), section, row.line)


@check("demand-double", "note", "demands given twice", "keep the demand in one of the two sections")
def demand_double(model: Model, limits: Limits) -> Iterator[Hit]:
    """A demand in [JUNCTIONS] that [DEMANDS] replaces by another."""
    listed: defaultdict[str, list[float]] = defaultdict(list)
    for row in model.text.rows("DEMANDS"):
        value = number(row.words[1]) if len(row.words) > 1 else None
        listed[row.words[0]].append(value or 0.0)
    for node in model.nodes:
        base = number(node.word(2)) if node.kind == "junction" and node.word(2) else None
        parts = listed.get(node.name)
        # EPANET's own export repeats one of the categories in [JUNCTIONS]
        if base and parts and all(abs(base - part) > 1e-3 * abs(base) for part in (*parts, sum(parts))):
            reason = f"[DEMANDS] replaces its demand of {base:g} by {sum(parts):g}"
            yield Hit(node.label, reason, shown(base, model.units.flow_name), node.section, node.row.line)


@check("demand-value", "warning", "demands that stand out", "check the demand and its unit")
def demand_value(model: Model, limits: Limits) -> Iterator[Hit]:
    """One junction that takes most of the water of a larger model; inflow written as negative demand."""
    total = float(np.maximum(model.demand, 0.0).sum())
    large = int(model.is_junction.sum()) >= 20
    for k in np.flatnonzero((model.demand > limits.demand_share * total) & (model.demand > 0.0) & large):
        node = model.nodes[k]
        reason = f"takes {100 * float(model.demand[k]) / total:.0f} % of the whole demand"
        value = shown(float(model.demand[k]) / model.units.flow, model.units.flow_name)
        yield Hit(node.label, reason, value, node.section, node.row.line)
    for k in np.flatnonzero(model.demand < 0.0):
        node = model.nodes[k]
        value = shown(float(model.demand[k]) / model.units.flow, model.units.flow_name)
        mend = "fine for a metered inflow; else remove the sign"
        reason = "the demand is negative: water flows in"
        yield Hit(node.label, reason, value, node.section, node.row.line, severity="note", mend=mend)


def _series(model: Model) -> set[str]:
    """Patterns that are meant to hold values: heads of reservoirs, and demands over a base of one."""
    names = {n.word(2) for n in model.nodes if n.kind == "reservoir"}
    for section, k in (("DEMANDS", 1), ("JUNCTIONS", 2)):
        for row in model.text.rows(section):
            if len(row.words) > k + 1 and number(row.words[k]) in (1.0, -1.0):
                names.add(row.words[k + 1])
    return names


@check("pattern", "warning", "patterns that cannot be meant", "check the multipliers of the pattern")
def pattern(model: Model, limits: Limits) -> Iterator[Hit]:
    """Patterns that are empty, all zero, negative, or hold values instead of factors."""
    series = _series(model)
    for name, (row, values) in model.patterns.items():
        label, known = f"pattern {name}", np.array(values)
        if not values:
            if len(row.words) == 1:
                yield Hit(label, "has no multiplier", "", "PATTERNS", row.line, severity="error")
            continue
        if not known.any():
            yield Hit(label, "all multipliers are zero", "0", "PATTERNS", row.line, severity="note")
        if known.min() < 0.0:
            yield Hit(label, "a multiplier is negative", shown(float(known.min())), "PATTERNS", row.line)
        largest = float(known.max())
        if limits.pattern_factor < largest <= limits.enormous and name not in series:
            reason = f"a multiplier is above {limits.pattern_factor:g}: values instead of factors?"
            yield Hit(label, reason, shown(largest), "PATTERNS", row.line, severity="note")
