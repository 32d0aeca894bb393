"""How often it pays to look for leaks in each district: the economic level of active leakage control.

Between two surveys unreported leakage rises; it is worth surveying when what has been lost since the last one is worth
what a survey costs (Lambert and Lalonde 2005; Lambert and Fantozzi 2005; `models.balance_components.intervention`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.balance_components import YEAR_S, intervention, unavoidable_background
from models.balance_indicators import DAY_S, System
from models.uncertain import exact
from networks import Topology
from umanflow.planner.simulation import Day

Floats = NDArray[np.float64]

_MONTH_S = YEAR_S / 12.0


@dataclass(frozen=True, slots=True)
class Survey:
    """Active leakage control of one district.

    Attributes
    ----------
    district
        Name.
    length, connections
        m of pipe and number.
    leakage, unavoidable
        m3/d that leak by the simulation, and that would leak in the background of a system in good order (UBL).
    rise
        m3/d a year by which unreported leakage rises while nobody looks.
    cost
        UAH, of one survey of the whole district.
    interval
        Months between two surveys that cost least; NaN where nothing rises.
    a_year
        Surveys a year.
    budget
        UAH a year for surveys.
    economic
        m3/d of unreported leakage that remain on average and are worth no further survey.
    first_year
        Of the programme, in which the district is first surveyed; 0 where it never is.
    """

    district: str
    length: float
    connections: float
    leakage: float
    unavoidable: float
    rise: float
    cost: float
    interval: float
    a_year: float
    budget: float
    economic: float
    first_year: int = 0


def plan_survey(
    district: str, size: tuple[float, float], leakage: float, pressure: float, rise: float, cost_km: float,
    water: float,
) -> Survey:  # fmt: skip
    """Economic intervention in one district.

    Parameters
    ----------
    size
        m of pipe, and connections.
    leakage, pressure
        m3/d and mean pressure m.
    rise
        m3/d a year.
    cost_km, water
        UAH for a km surveyed, and for a m3 lost.
    """
    length, connections = size
    system = System(exact(length), exact(connections), exact(0.0), exact(max(pressure, 0.0)), exact(1.0))
    background = unavoidable_background(system)
    cost = cost_km * length / 1000.0
    unavoidable = float(getattr(background, "value", float("nan"))) * DAY_S
    if min(rise, cost, water) <= 0.0:
        return Survey(
            district, length, connections, leakage, unavoidable, rise, cost, float("nan"), 0.0, 0.0, float("nan")
        )
    found = intervention(exact(cost), exact(water), exact(rise / DAY_S / YEAR_S))
    values = [float(getattr(part, "value", float("nan"))) for part in (
        found.interval, found.share_a_year, found.budget_a_year, found.unreported_a_year)]  # fmt: skip
    return Survey(
        district, length, connections, leakage, unavoidable, rise, cost, values[0] / _MONTH_S, values[1], values[2],
        values[3] * DAY_S,
    )  # fmt: skip


def plan_surveys(
    topology: Topology, day: Day, districts: Mapping[str, Sequence[int]], connections: Floats, leaking: Floats,
    rules: tuple[float, float, float],
) -> tuple[Survey, ...]:  # fmt: skip
    """Economic intervention in each district.

    Parameters
    ----------
    districts
        Nodes by name.
    connections
        float64 [n_nodes].
    leaking
        float64 [n_links], m3/d that leak along each link.
    rules
        Rise as a share of present leakage a year, UAH for a km, UAH for a m3.
    """
    rise, cost_km, water = rules
    found = []
    for name, nodes in districts.items():
        at = np.array(nodes, dtype=np.int64)
        links = links_of(topology, at)
        lost = float(leaking[links].sum())
        pressure = float(np.average(day.pressure[:, at].mean(axis=1), weights=day.weight))
        size = float(topology.length[links].sum()), float(connections[at].sum())
        found.append(plan_survey(name, size, lost, pressure, rise * lost, cost_km, water))
    return tuple(found)


def links_of(topology: Topology, nodes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pipes with both ends among some nodes, bool [n_links]."""
    inside = np.zeros(len(topology.nodes), dtype=bool)
    inside[nodes] = True
    return np.asarray(inside[topology.start] & inside[topology.end] & topology.is_pipe)


def surveys_in(survey: Survey, year: int, ready: int) -> int:
    """How many surveys of a district fall into a year of the programme (from 1), the first in the year after `ready`.

    They follow one another by the economic interval, so their number over many years is `a_year` a year.
    """
    if not np.isfinite(survey.interval) or year <= ready:
        return 0
    step = survey.interval / 12.0
    before, until = (np.ceil((y - ready - 1e-9) / step) for y in (year - 1, year))
    return int(until - before)
