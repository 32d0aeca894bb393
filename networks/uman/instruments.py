"""Where the meters and gauges are, and how their readings arrive."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx

from networks.uman.plan import Plan
from networks.uman.stations import Stations

_LOGGERS = 3  # pressure loggers of a block, its critical point included
_ON_PLC = 9  # of all loggers; the others are battery loggers that send files
STATION_METERS = {"GATE-METER": "gate", "PS1-OUT": "ps-1", "PS2-OUT": "ps-2", "PS3-OUT": "ps-3", "PS4-OUT": "ps-4"}


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument: what it reads, where, and how its readings arrive (plc, hourly or daily file)."""

    name: str
    quantity: str
    element: str
    dma: str
    delivery: str
    role: str


def critical_points(plan: Plan) -> dict[str, str]:
    """Each block's node that needs the most head: ground and storeys together."""
    found: dict[str, str] = {}
    for block in plan.blocks:
        members = [n for n in plan.nodes.values() if n.dma == block.name and n.connections > 0]
        found[block.name] = max(members, key=lambda n: (n.height + 4.0 * n.storeys, n.name)).name
    return found


def place(plan: Plan, stations: Stations) -> list[Instrument]:
    """Choose all instruments: meters at inlets and stations, levels, gauges at critical points and far from others."""
    found = [Instrument(m, "flow", m, "", "plc", device) for m, device in STATION_METERS.items()]
    found += [Instrument(m, "flow", m, dma, "plc", "inlet") for dma, (m, _, _) in plan.inlets.items()]
    found += [Instrument(t.name, "level", t.name, "", "plc", "tank") for t in stations.tanks]
    graph = nx.Graph()
    graph.add_weighted_edges_from((p.start, p.end, p.length) for p in plan.street_pipes)
    loggers: list[tuple[str, str, str]] = []
    for block, critical in critical_points(plan).items():
        members = sorted(n.name for n in plan.nodes.values() if n.dma == block and n.name in graph)
        chosen = [plan.inlets[block][2], critical]
        while len(chosen) < _LOGGERS + 1:
            gap = nx.multi_source_dijkstra_path_length(graph, set(chosen))
            chosen.append(max(members, key=lambda n: (round(gap.get(n, 0.0), 3), n)))
        loggers += [(n, block, "critical" if n == critical else "logger") for n in chosen[1:]]
    ranked = sorted(loggers, key=lambda entry: (entry[2] != "critical", entry[1]))
    by_wire = {n for n, _, _ in ranked[:_ON_PLC]}
    for number, (node, block, role) in enumerate(loggers, start=1):
        delivery = "plc" if node in by_wire else "daily" if number % 4 == 0 else "hourly"
        found.append(Instrument(f"log-{number:02d}", "pressure", node, block, delivery, role))
    return found
