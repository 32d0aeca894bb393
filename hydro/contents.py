"""What is in an open EPANET project besides nodes and links: patterns, curves, controls, rules, in the INP's units."""

from __future__ import annotations

from ctypes import byref, c_double, c_int
from dataclasses import dataclass

from hydro.project import Floats, Project

# 2.3 gives these for OPEN and CLOSED, 2.2 gives 1 and 0
_SET_OPEN, _SET_CLOSED = 1e10, -1e10
CONTROL_TYPES = ("below", "above", "time", "clocktime")


@dataclass(frozen=True, slots=True)
class SimpleControl:
    """One line of `[CONTROLS]`.

    Attributes
    ----------
    kind
        "below", "above", "time" or "clocktime".
    link, node
        0-based; node is -1 for times.
    setting
        Speed or valve setting; infinite for OPEN, minus infinite for CLOSED.
    level
        Level or pressure in the INP's unit, or a time, s.
    """

    kind: str
    link: int
    setting: float
    node: int
    level: float


def patterns(project: Project) -> dict[str, Floats]:
    """Multipliers of every pattern by name."""
    return {name: project.pattern(number) for number, name in enumerate(project.ids("pattern"), start=1)}


def curves(project: Project) -> dict[str, list[tuple[float, float]]]:
    """Points of every curve by name."""
    found: dict[str, list[tuple[float, float]]] = {}
    length, x, y = c_int(), c_double(), c_double()
    for number, name in enumerate(project.ids("curve"), start=1):
        project.call("getcurvelen", number, byref(length))
        points = []
        for k in range(1, length.value + 1):
            project.call("getcurvevalue", number, k, byref(x), byref(y))
            points.append((x.value, y.value))
        found[name] = points
    return found


def controls(project: Project) -> list[SimpleControl]:
    """Every simple control, in order."""
    found = []
    kind, link, setting, node, level = c_int(), c_int(), c_double(), c_int(), c_double()
    for number in range(1, project.count("controls") + 1):
        project.call("getcontrol", number, byref(kind), byref(link), byref(setting), byref(node), byref(level))
        value = setting.value
        if value in (_SET_OPEN, _SET_CLOSED):
            value = float("inf") if value > 0 else float("-inf")
        found.append(SimpleControl(CONTROL_TYPES[kind.value], link.value - 1, value, node.value - 1, level.value))
    return found


def rules(project: Project) -> list[tuple[int, int, int, float]]:
    """Number of premises, of actions and of else-actions, and priority of every rule, in order."""
    found = []
    premises, then, otherwise, priority = c_int(), c_int(), c_int(), c_double()
    for number in range(1, project.count("rules") + 1):
        project.call("getrule", number, byref(premises), byref(then), byref(otherwise), byref(priority))
        found.append((premises.value, then.value, otherwise.value, priority.value))
    return found


def demand_model(project: Project) -> tuple[int, float, float, float]:
    """0 (demand-driven) or 1, minimum and required pressure in the INP's unit, exponent."""
    model, minimum, required, exponent = c_int(), c_double(), c_double(), c_double()
    project.call("getdemandmodel", byref(model), byref(minimum), byref(required), byref(exponent))
    return model.value, minimum.value, required.value, exponent.value
