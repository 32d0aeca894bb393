"""Write the plan as an INP file that EPANET 2.2, 2.3 and WNTR read alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from networks.leakage import NOT_IN_FILE
from networks.uman import demand, terrain
from networks.uman.plan import Plan, PlanPipe
from networks.uman.stations import Stations, Tank

TITLE = (
    "SYNTHETIC model of Uman, Ukraine: no real network.",
    "Built by networks.uman.build from public facts and stated assumptions; see docs/uman.md.",
    f"Coordinates EPSG:32636. {NOT_IN_FILE}",
)
_GATE_AGE_H = 262.0
_TARIFF = (0.7,) * 6 + (1.0,) + (1.3,) * 3 + (1.05,) * 7 + (1.35,) * 4 + (1.0,) * 2 + (0.7,)
_PRICE_UAH_KWH = 9.5
_CATEGORIES = ("residential", "commercial", "industrial")


def write(plan: Plan, stations: Stations, leakage: dict[str, tuple[float, float]] | None = None) -> str:
    """The text of the INP.

    Parameters
    ----------
    leakage
        Area and expansion by pipe for EPANET 2.3's `[LEAKAGE]`; the committed file has none: 2.2 and WNTR refuse it.
    """
    sections = {
        "TITLE": list(TITLE),
        "JUNCTIONS": [f"{n.name}\t{n.height:.2f}\t0" for n in plan.nodes.values()],
        "RESERVOIRS": [f"{name}\t{head:.2f}" for name, (_, head) in stations.reservoirs.items()],
        "TANKS": [_tank(t) for t in stations.tanks],
        "PIPES": [_pipe(p) for p in plan.pipes],
        "PUMPS": [f"{p.name}\t{p.start}\t{p.end}\tHEAD {p.curve}" for p in stations.pumps],
        "VALVES": list(_valves(plan, stations)),
        "DEMANDS": list(_demands(plan, stations)),
        "STATUS": [f"{p.name}\tCLOSED" for p in stations.pumps if p.is_standby],
        "PATTERNS": list(_patterns()),
        "CURVES": [
            f"{name}\t{x:g}\t{y:g}"
            for table in (stations.curves, stations.efficiency)
            for name, points in table.items()
            for x, y in points
        ],
        "CONTROLS": stations.controls,
        "ENERGY": list(_energy(stations)),
        "QUALITY": list(_ages(plan, stations)),
        "TIMES": [
            "Duration\t168:00", "Hydraulic Timestep\t0:15", "Quality Timestep\t0:05", "Pattern Timestep\t1:00",
            "Report Timestep\t0:15", "Start ClockTime\t0:00",
        ],
        "OPTIONS": [
            "Units\tLPS", "Headloss\tH-W", "Accuracy\t0.0001", "Trials\t100", "Unbalanced\tContinue 10",
            "Pattern\tresidential", "Demand Multiplier\t1.0", "Emitter Exponent\t0.5", "Quality\tAge",
            "Specific Gravity\t1.0", "Viscosity\t1.0",
        ],
        "REPORT": ["Status\tNo", "Summary\tNo"],
        "TAGS": [f"NODE\t{n.name}\t{n.dma}" for n in plan.nodes.values() if n.dma]
        + [f"LINK\t{p.name}\t{p.dma or p.kind}" for p in plan.pipes],
        "LEAKAGE": [f"{pipe}\t{area:.3f}\t{more:.5f}" for pipe, (area, more) in (leakage or {}).items()],
        "COORDINATES": list(_coordinates(plan, stations)),
    }  # fmt: skip
    parts = ["\n".join([f"[{name}]", *lines, "", ""]) for name, lines in sections.items() if lines]
    return "".join(parts) + "[END]\n"


def _pipe(pipe: PlanPipe) -> str:
    status = "CLOSED" if pipe.is_closed else "OPEN"
    sizes = f"{pipe.length:.1f}\t{pipe.diameter}\t{pipe.roughness:g}\t0"
    return f"{pipe.name}\t{pipe.start}\t{pipe.end}\t{sizes}\t{status}"


def _energy(stations: Stations) -> Iterator[str]:
    yield "Global Efficiency\t72"
    yield f"Global Price\t{_PRICE_UAH_KWH:g}"
    yield "Global Pattern\tTARIFF"
    yield "Demand Charge\t0"
    for pump in stations.pumps:
        yield f"Pump {pump.name}\tEfficiency\tE-{pump.curve}"


def _tank(tank: Tank) -> str:
    return "\t".join([tank.name] + [f"{v:g}" for v in (tank.base, tank.level, tank.low, tank.high, tank.diameter, 0.0)])


def _valves(plan: Plan, stations: Stations) -> Iterator[str]:
    heads = {b.name: b.head for b in plan.blocks}
    for dma, (meter, prv, _) in plan.inlets.items():
        if prv:
            chamber = next(p.end for p in plan.pipes if p.name == meter)
            behind = f"IN-{dma}"
            setting = heads[dma] - plan.nodes[behind].height
            yield f"{prv}\t{chamber}\t{behind}\t150\tPRV\t{setting:.1f}\t0"
    name, start, end, flow = stations.gate
    yield f"{name}\t{start}\t{end}\t500\tFCV\t{flow:.2f}\t0"


def _demands(plan: Plan, stations: Stations) -> Iterator[str]:
    for node in plan.nodes.values():
        for kind in _CATEGORIES:
            value = getattr(node, kind)
            if value > 0.0:
                yield f"{node.name}\t{value / 86.4:.6f}\t{kind}"
    for name, flow in stations.demand.items():
        yield f"{name}\t{flow / 86.4:.4f}\tsteady"


def _patterns() -> Iterator[str]:
    def lines(name: str, values: Iterable[float]) -> Iterator[str]:
        row = [f"{v:g}" for v in values]
        for k in range(0, len(row), 12):
            yield f"{name}\t" + "\t".join(row[k : k + 12])

    for kind in (*_CATEGORIES, "pilgrimage"):
        yield from lines(kind, demand.week(kind))
    yield "steady\t1"
    yield from lines("TARIFF", _TARIFF)


def _ages(plan: Plan, stations: Stations) -> Iterator[str]:
    """Ages to begin with, in hours: the main's water has been on its way for days, the reservoirs hold three more."""
    for node in plan.nodes.values():
        if node.name in stations.utm:
            km = next(float(p.name[5:]) for p in plan.pipes if p.end == node.name and p.name.startswith("MAIN-"))
            yield f"{node.name}\t{_age_at(km):.1f}"
        elif node.name.startswith("GATE"):
            yield f"{node.name}\t{_GATE_AGE_H:.1f}"
        else:
            yield f"{node.name}\t{_GATE_AGE_H + 72.0:.1f}"
    for tank in stations.tanks:
        yield f"{tank.name}\t{_GATE_AGE_H + (70.0 if tank.name.startswith('RES') else 74.0):.1f}"


def _age_at(km: float) -> float:
    """Hours that the main's water needs to a place: its flow falls at each offtake."""
    area = np.pi * 0.25 * 1.2**2
    flows = ((60.0, 17_200.0), (108.0, 13_200.0), (136.0, 11_200.0))
    hours, before = 0.0, 0.0
    for end, flow in flows:
        hours += 24.0 * area * 1000.0 * max(0.0, min(km, end) - before) / flow
        before = end
    return hours


def _coordinates(plan: Plan, stations: Stations) -> Iterator[str]:
    for node in plan.nodes.values():
        x, y = stations.utm.get(node.name) or terrain.to_utm(np.array([node.xy]))[0].tolist()
        yield f"{node.name}\t{x:.1f}\t{y:.1f}"
    for name, (utm, _) in stations.reservoirs.items():
        yield f"{name}\t{utm[0]:.1f}\t{utm[1]:.1f}"
    for tank in stations.tanks:
        yield f"{tank.name}\t{tank.utm[0]:.1f}\t{tank.utm[1]:.1f}"
