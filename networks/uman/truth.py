"""What the model does not know: true roughness, demands, valves, leaks and meters. For the twin and for scoring only.

No detector and no planner may read it: the import contract forbids it.
"""

from __future__ import annotations

import datetime as dt
from importlib.resources import files

import networkx as nx
import numpy as np

from networks.uman import condition, demand
from networks.uman.plan import Plan

Rows = list[tuple[object, ...]]
Areas = dict[str, tuple[float, float]]
_OLD_LEAKS, _OLD_LEAKS_M3D = 9, 1_000.0
_CLOSED = 3
_AMR_CUSTOMERS, _AMR_DAYS = 120, 28
_BILLED = 0.95  # of what is taken: meters read low, some water is not billed


def tables(plan: Plan, random: np.random.Generator) -> dict[str, tuple[str, Rows]]:
    """Hidden tables: file stem to header and rows."""
    return {
        "pipes": ("pipe,roughness,condition,breaks_per_km_year,leakage_factor", _pipes(plan, random)),
        "nodes": ("node,residential_m3d,commercial_m3d,industrial_m3d", _nodes(plan, random)),
        "valves": ("pipe,status", _closed(plan, random)),
        "leaks": ("pipe,since,flow_m3h", _old_leaks(plan, random)),
        "meters": ("meter,error_percent", _meters(plan, random)),
        "billing": ("month,dma,category,billed_m3", _billing(plan, random)),
        "amr": ("node,date,m3", _readings(plan, random)),
    }


def hazards(hidden: dict[str, tuple[str, Rows]]) -> dict[str, float]:
    """Breaks per km and year, by pipe."""
    return {str(row[0]): float(str(row[3])) for row in hidden["pipes"][1]}


def meter_errors() -> dict[str, float]:
    """True gain of the blocks' inlet meters: what they show over what flows."""
    text = files("networks.uman").joinpath("truth/meters.csv").read_text(encoding="utf-8")
    rows = (line.split(",") for line in text.splitlines()[1:])
    return {meter: 1.0 + float(percent) / 100.0 for meter, percent in rows}


def make_true(plan: Plan, hidden: dict[str, tuple[str, Rows]], leakage: Areas) -> Areas:
    """Change a plan from what the model says to what is there.

    Returns
    -------
    dict
        True background leakage by pipe.
    """
    closed = {row[0] for row in hidden["valves"][1]}
    pipes = {str(name): row for name, *row in hidden["pipes"][1]}
    for pipe in plan.pipes:
        pipe.roughness = float(str(pipes[pipe.name][0]))
        pipe.is_closed = pipe.is_closed or pipe.name in closed
    for name, *values in hidden["nodes"][1]:
        node = plan.nodes[str(name)]
        node.residential, node.commercial, node.industrial = (float(str(v)) for v in values)
    factor = {name: float(str(row[3])) for name, row in pipes.items()}
    return {pipe: (factor[pipe] * area, factor[pipe] * more) for pipe, (area, more) in leakage.items()}


def _pipes(plan: Plan, random: np.random.Generator) -> Rows:
    rows: Rows = []
    background = 1.0 - _OLD_LEAKS_M3D / condition.LEAKAGE_M3D
    for pipe in plan.pipes:
        age = condition.TODAY - pipe.year
        state = float(np.clip(random.normal(1.0 + 4.0 * age / 80.0, 0.6), 1.0, 5.0))
        hazard = condition.hazard_of(pipe, condition.TODAY) * float(random.lognormal(0.0, 0.4))
        roughness = pipe.roughness * float(random.lognormal(0.0, 0.06))
        leak = background * float(random.lognormal(-0.5 * 0.3**2, 0.3))
        rows.append((pipe.name, round(roughness, 1), round(state, 1), round(hazard, 3), round(leak, 3)))
    return rows


def _nodes(plan: Plan, random: np.random.Generator) -> Rows:
    taken = [n for n in plan.nodes.values() if n.residential + n.commercial + n.industrial > 0.0]
    columns = []
    for kind in ("residential", "commercial", "industrial"):
        known = np.array([getattr(n, kind) for n in taken])
        true = known * random.lognormal(0.0, 0.2, len(known))
        columns.append(np.round(true * known.sum() / true.sum(), 3))
    return [(n.name, *values) for n, *values in zip(taken, *(c.tolist() for c in columns), strict=True)]


def _closed(plan: Plan, random: np.random.Generator) -> Rows:
    """Valves that stand closed though the model has them open; every node keeps another way to its water."""
    graph = nx.MultiGraph()
    graph.add_edges_from((p.start, p.end, p.name) for p in plan.street_pipes)
    simple = nx.Graph(graph)
    bridges = {frozenset(e) for e in nx.bridges(simple)}
    able = [p for p in plan.street_pipes if frozenset((p.start, p.end)) not in bridges]
    blocks: list[str] = []
    rows: Rows = []
    for k in random.permutation(len(able)).tolist():
        if able[k].dma not in blocks:  # one in a block: two could cut a part off
            blocks.append(able[k].dma)
            rows.append((able[k].name, "closed"))
        if len(rows) == _CLOSED:
            break
    return rows


def _old_leaks(plan: Plan, random: np.random.Generator) -> Rows:
    pipes = plan.street_pipes
    weight = np.array([p.length * condition.BY_NAME[p.material].leak for p in pipes])
    chosen = random.choice(len(pipes), _OLD_LEAKS, replace=False, p=weight / weight.sum())
    size = random.lognormal(0.0, 0.5, _OLD_LEAKS)
    size *= _OLD_LEAKS_M3D / 24.0 / size.sum()
    since = random.integers(2019, 2026, _OLD_LEAKS)
    return [(pipes[int(k)].name, f"{y}-06-01", round(float(q), 2)) for k, q, y in zip(chosen, size, since, strict=True)]


def _meters(plan: Plan, random: np.random.Generator) -> Rows:
    return [(m, round(float(random.normal(0.0, 1.0)), 2)) for m, _, _ in plan.inlets.values()]


def _billing(plan: Plan, random: np.random.Generator) -> Rows:
    rows: Rows = []
    for month in range(1, 13):
        days = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
        season = demand.season(dt.date(2025, month, 15))
        for block in plan.blocks:
            for kind in ("residential", "commercial", "industrial"):
                taken = sum(getattr(n, kind) for n in plan.nodes.values() if n.dma == block.name)
                billed = _BILLED * taken * days * season * float(random.lognormal(0.0, 0.03))
                rows.append((f"2025-{month:02d}", block.name, kind, round(billed, 1)))
    return rows


def _readings(plan: Plan, random: np.random.Generator) -> Rows:
    homes = [n for n in plan.nodes.values() if n.residential > 0.0]
    chosen = sorted(random.choice(len(homes), _AMR_CUSTOMERS, replace=False).tolist())
    rows: Rows = []
    for k in chosen:
        each = homes[k].residential / homes[k].connections
        for day in range(_AMR_DAYS):
            rows.append((homes[k].name, f"2026-01-{day + 1:02d}", round(each * float(random.lognormal(0.0, 0.3)), 3)))
    return rows
