"""Options and times: units, solver settings, steps."""

from __future__ import annotations

import math
from collections.abc import Iterator

from networks.check.finding import Hit, shown
from networks.check.limits import Limits
from networks.check.model import Model
from networks.check.registry import check
from networks.check.units import FLOW, LAWS, number, times
from networks.inp_text import Row

_YEAR_S = 366 * 86400.0
_MOST_STEPS = 1_000_000


@check("units", "warning", "units and head-loss law left to chance", "write UNITS and HEADLOSS into [OPTIONS]")
def units(model: Model, limits: Limits) -> Iterator[Hit]:
    """Missing and unknown units: EPANET then takes gallons per minute and feet."""
    if not model.nodes:
        return
    known = {"UNITS": (tuple(FLOW), "GPM, ft and in"), "HEADLOSS": (tuple(LAWS), "H-W (Hazen-Williams)")}
    for key, (allowed, otherwise) in known.items():
        row = model.options.get(key)
        if row is None:
            yield Hit(key, f"is not set: EPANET takes {otherwise}", section="OPTIONS")
        elif len(row.words) < 2 or not any(row.words[1].upper().startswith(name) for name in allowed):
            reason = f"is none of {', '.join(allowed)}"
            yield Hit(key, reason, " ".join(row.words[1:2]), "OPTIONS", row.line, severity="error")


# keyword: smallest and largest sensible value, beyond which the reason holds
_RANGES: dict[str, tuple[float, float, str]] = {
    "TRIALS": (2, 2000, "EPANET's default of 200 suffices for a sound model"),
    "DEMAND MULTIPLIER": (1e-3, 100, "every demand is multiplied by it"),
    "VISCOSITY": (1e-8, 1e2, "it is relative to water at 20 degrees (1.0)"),
    "SPECIFIC GRAVITY": (0.5, 2.0, "water has 1.0"),
    "EMITTER EXPONENT": (0.3, 2.5, "0.5 is an orifice, 1.5 a crack that opens"),
}


@check("option", "warning", "solver options out of range", "set the option back to EPANET's default")
def option(model: Model, limits: Limits) -> Iterator[Hit]:
    """Solver settings that spoil results or never end."""
    ranges = _RANGES | {"ACCURACY": (*limits.accuracy, "the solution is too coarse, or never reached")}
    for key, (low, high, why) in ranges.items():
        row = model.options.get(key)
        if row is None:
            continue
        value = number(row.words[-1])
        if value is None:
            yield Hit(key, "is no number", row.words[-1], "OPTIONS", row.line, severity="error")
        elif not low <= value <= high:
            yield Hit(key, f"is outside {low:g} to {high:g}: {why}", row.words[-1], "OPTIONS", row.line)


@check("external-file", "note", "files that EPANET reads or writes beside the model", "remove the option")
def external_file(model: Model, limits: Limits) -> Iterator[Hit]:
    """Options that make a run depend on files the model does not hold, or write where nobody looks."""
    for key, row in model.options.items():
        if key.startswith("HYDRAULICS") and len(row.words) > 2:
            yield Hit(key, "EPANET reads or writes a hydraulics file", row.words[-1], "OPTIONS", row.line)
    for row in model.text.rows("REPORT"):
        if row.words[0].upper() == "FILE" and len(row.words) > 1:
            yield Hit("FILE", "EPANET writes its report to a file of that name", row.words[1], "REPORT", row.line)


@check("times", "error", "durations and time steps that cannot be run", "write hours, or hours:minutes, above zero")
def time_steps(model: Model, limits: Limits) -> Iterator[Hit]:
    """Unreadable, zero, negative and endless times."""
    table = times(model.text)
    for key, (value, row) in table.items():
        element = " ".join(row.words[:2]) if len(row.words) > 2 else row.words[0]
        shown_value = " ".join(row.words[1:])
        if value is None or not math.isfinite(value):
            yield Hit(element, "cannot be read as a time", shown_value, "TIMES", row.line)
        elif value < 0.0:
            yield Hit(element, "is negative", shown_value, "TIMES", row.line)
        elif key in ("HYDRAULIC", "PATTERN", "REPORT") and value < 1.0:
            reason = "is less than a second: EPANET takes its default instead"
            yield Hit(element, reason, shown_value, "TIMES", row.line, severity="warning")
        elif key == "DURATION" and value > _YEAR_S:
            reason = f"is {value / 86400.0:.4g} days: hours were meant, or seconds written?"
            yield Hit(element, reason, shown_value, "TIMES", row.line, severity="warning")
    yield from _too_many_steps(table)


def _too_many_steps(table: dict[str, tuple[float | None, Row]]) -> Iterator[Hit]:
    duration = table.get("DURATION", (0.0, None))[0] or 0.0
    step, row = table.get("HYDRAULIC", (3600.0, None))
    if row is not None and step and step >= 1.0 and duration / step > _MOST_STEPS:
        reason = f"the run has {shown(duration / step)} steps"
        yield Hit("HYDRAULIC TIMESTEP", reason, " ".join(row.words[1:]), "TIMES", row.line, severity="warning")
