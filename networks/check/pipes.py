"""Pipes: lengths, diameters, roughness, doubles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from networks.check.finding import Hit, Severity, shown
from networks.check.limits import Limits
from networks.check.model import Bools, Floats, Model
from networks.check.registry import check


def _hits(
    model: Model, chosen: Bools, values: Floats, unit: str, reason: str, severity: Severity | None = None
) -> Iterator[Hit]:
    for k in np.flatnonzero(chosen & model.is_pipe):
        pipe = model.links[k]
        yield Hit(pipe.label, reason, shown(float(values[k]), unit), "PIPES", pipe.row.line, severity=severity)


@check("zero-length", "error", "pipes without length", "give the true length, or join the two nodes")
def zero_length(model: Model, limits: Limits) -> Iterator[Hit]:
    """Zero and negative lengths, which EPANET refuses, and lengths of a slip of the mouse."""
    raw = model.length / model.units.length
    low, high = limits.length_m
    yield from _hits(model, raw <= 0.0, raw, model.units.length_name, "the length is not above zero")
    short, long = (raw > 0.0) & (model.length < low), (model.length > high) & (raw <= limits.enormous)
    unit = model.units.length_name
    yield from _hits(model, short, raw, unit, f"the pipe is shorter than {low:g} m", "warning")
    yield from _hits(model, long, raw, unit, f"the pipe is longer than {high / 1000:g} km", "warning")


@check("self-loop", "error", "links that end where they begin", "give the link its true second node, or delete it")
def self_loop(model: Model, limits: Limits) -> Iterator[Hit]:
    """Links between a node and itself, which EPANET refuses."""
    for link in model.links:
        if link.word(1) and link.word(1) == link.word(2):
            yield Hit(link.label, "begins and ends at the same node", link.word(1), link.section, link.row.line)


@check("duplicate-pipe", "warning", "pipes drawn twice", "delete one, or give the second main its own data")
def duplicate_pipe(model: Model, limits: Limits) -> Iterator[Hit]:
    """Pipes between the same two nodes: of the same length and diameter probably one pipe, else a note."""
    first: dict[tuple[int, int], int] = {}
    for k in np.flatnonzero(model.is_pipe & model.is_joined):
        low, high = sorted(model.ends[k].tolist())
        earlier = first.setdefault((low, high), int(k))
        if earlier == k or model.links[earlier].name == model.links[k].name:
            continue
        same = model.length[k] == model.length[earlier] and model.diameter[k] == model.diameter[earlier]
        pipe, other = model.links[k], model.links[earlier]
        reason = f"joins the same nodes as {other.label}" + (", with the same length and diameter" if same else "")
        yield Hit(pipe.label, reason, "", "PIPES", pipe.row.line, severity=None if same else "note")


@check("diameter", "warning", "diameters that no water main has", "check the diameter and its unit")
def diameter(model: Model, limits: Limits) -> Iterator[Hit]:
    """Inner diameters out of range; zero and negative ones are refused by EPANET."""
    low, high = limits.diameter_m
    raw = model.diameter / model.units.diameter
    unit = model.units.diameter_name
    yield from _hits(model, raw <= 0.0, raw, unit, "the diameter is not above zero", "error")
    reason = f"the diameter is outside {low * 1000:g} to {high * 1000:g} mm"
    outside = (raw > 0.0) & (raw <= limits.enormous) & ((model.diameter < low * 0.999) | (model.diameter > high))
    yield from _hits(model, outside, raw, unit, reason)


_ROUGHNESS = {
    "H-W": ("hazen_williams", "Hazen-Williams C", ""),
    "D-W": ("darcy_weisbach_mm", "Darcy-Weisbach roughness in mm", "mm"),
    "C-M": ("chezy_manning", "Manning's n", ""),
}


@check("roughness", "warning", "roughness that does not fit the head-loss law", "check HEADLOSS in [OPTIONS] and units")
def roughness(model: Model, limits: Limits) -> Iterator[Hit]:
    """C, k or n out of range; said once where most pipes are outside: then the law is wrong, not the pipes."""
    name, words, unit = _ROUGHNESS[model.units.law]
    low, high = getattr(limits, name)
    values = model.roughness
    yield from _hits(model, values <= 0.0, values, unit, f"{words} is not above zero", "error")
    outside = (values > 0.0) & (values <= limits.enormous) & ((values < low) | (values > high))
    pipes = int(model.is_pipe.sum())
    if pipes > 5 and outside.sum() > 0.5 * pipes:
        k = int(np.flatnonzero(outside)[0])
        reason = f"{int(outside.sum())} of {pipes} pipes have {words} outside {low:g} to {high:g}: wrong head-loss law?"
        yield Hit("HEADLOSS", reason, shown(float(values[k]), unit), "PIPES", model.links[k].row.line)
        return
    yield from _hits(model, outside, values, unit, f"{words} is outside {low:g} to {high:g}")


@check("minor-loss", "warning", "local losses that close a pipe", "check the loss coefficient")
def minor_loss(model: Model, limits: Limits) -> Iterator[Hit]:
    """Sums of local loss coefficients that are negative or act like a closed valve."""
    values = model.minor_loss
    yield from _hits(model, values < 0.0, values, "", "the loss coefficient is negative", "error")
    above = (values > limits.minor_loss) & (values <= limits.enormous)
    yield from _hits(model, above, values, "", f"the loss coefficient is above {limits.minor_loss:g}")
