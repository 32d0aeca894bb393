"""What maps of the diagnosis are coloured by; one more is one more entry of `themes_of`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from umanflow.planner.study import Plan
from umanflow.report.themes import Grade, Theme, grades_of
from umanflow.report.wording import Wording

Floats = NDArray[np.float64]

_UPWARDS = ("g1", "g2", "g3", "g4", "g5")
_DOWNWARDS = ("g5", "g4", "g3", "g2", "g1")


def themes_of(plan: Plan, wording: Wording) -> tuple[Theme, ...]:
    """Every value of the network's state that there is, each with its colours.

    A further one needs values by node or link, bounds between its colours, the colours from well ("g1") to worst, and a
    way to tell a value.
    """
    state, say = plan.condition, wording.say

    def theme(
        key: str, title: str, values: Floats, bounds: tuple[float, ...], looks: tuple[str, ...], digits: int,
        unit: str, of_nodes: bool = False, first: str = "",
    ) -> Theme:  # fmt: skip
        names = state.nodes if of_nodes else state.links
        by_name = dict(zip(names, values.tolist(), strict=True))
        grades = grades_of(bounds, looks, wording, first)
        return Theme(key, title, by_name, grades, lambda v: f"{wording.number(v, digits)}\u00a0{unit}", of_nodes)

    short = theme(
        "map-short", say("Least free head above the norm, m"), state.lowest - state.due, (-5.0, 0.0, 5.0, 25.0),
        ("g6", "g5", "g3", "g1", "g2"), 1, say("m"), of_nodes=True,
    )  # fmt: skip
    found = [
        short,
        theme(
            "map-high", say("Highest pressure of the day, m"), state.highest, (30.0, 45.0, plan.given.norm.most, 75.0),
            ("g1", "g2", "g3", "g5", "g6"), 1, say("m"), of_nodes=True,
        ),
        theme(
            "map-velocity", say("Highest velocity of the day, m/s"), state.velocity, (0.1, 0.3, 0.7, 1.5),
            ("g4", "g3", "g2", "g1", "g6"), 2, say("m/s"),
        ),
        theme(
            "map-leakage", say("Leakage, m³ a day and km"), state.leakage, _bounds(state.leakage), _UPWARDS, 1,
            say("m³/d/km"),
        ),
        theme(
            "map-breaks", say("Breaks a year and km, as recorded"), state.breaks, (1e-6, 0.3, 1.0, 3.0), _UPWARDS, 2,
            say("a year and km"), first=say("none"),
        ),
    ]  # fmt: skip
    ages = {n.node: n.mean for n in plan.diagnosis.nodes_age}
    if ages:
        bounds, unit = _bounds(np.array(list(ages.values())), 2), say("h")
        found.append(Theme(
            "map-age", say("Mean age of the water, h"), ages, grades_of(bounds, _UPWARDS, wording),
            lambda v: f"{wording.number(v, 1)}\u00a0{unit}", True,
        ))  # fmt: skip
    laid = Theme(
        "map-laid", say("Year of laying"), dict(zip(state.links, state.laid.tolist(), strict=True)),
        _by_year((1960, 1975, 1990, 2005), wording), lambda v: str(int(v)),
    )  # fmt: skip
    return tuple(t for t in (*found, laid) if any(v == v for v in t.values.values()) and _differs(t))


def _by_year(bounds: tuple[int, ...], wording: Wording) -> tuple[Grade, ...]:
    texts = [wording.fill("before {year}", year=bounds[0])]
    texts += [wording.fill("{low} to {high}", low=a, high=b - 1) for a, b in pairwise(bounds)]
    texts.append(wording.fill("{year} and later", year=bounds[-1]))
    return tuple(
        Grade(float(least), look, text) for least, look, text in zip((0, *bounds), _DOWNWARDS, texts, strict=True)
    )


def _bounds(values: Floats, figures: int = 1) -> tuple[float, ...]:
    """Bounds of so many figures that part values into about even shares."""
    known = values[np.isfinite(values) & (values > 0.0)]
    if not len(known):
        return (1.0, 3.0, 10.0, 30.0)
    found = sorted({float(f"{q:.{figures}g}") for q in np.quantile(known, (0.25, 0.5, 0.75, 0.95))})
    while len(found) < len(_UPWARDS) - 1:
        found.append(2.0 * found[-1])
    return tuple(found)


def _differs(theme: Theme) -> bool:
    """Whether there is anything to see: a network without leakage has one colour."""
    values = np.array(list(theme.values.values()))
    known = values[np.isfinite(values)]
    return bool(len(known)) and bool(np.ptp(known) > 0.0)
