"""From streets and blocks to junctions and pipes; sizes by the flow they must carry."""

from __future__ import annotations

import heapq

import numpy as np

from networks.uman import blocks as cutting
from networks.uman import mains, terrain
from networks.uman import streets as laying
from networks.uman.plan import Block, Plan, PlanPipe
from networks.uman.streets import Streets

_Neighbours = dict[str, list[tuple[float, str, int]]]

_PIECE_M = 74.0  # a junction about this often along a street
_DIAMETERS = (100, 125, 150, 200, 250, 300, 400, 500, 600, 800)
_GRADIENT = {"street": 0.0045, "inlet": 0.004, "trunk": 0.0014}  # m per m at the peak
_DESIGN_C = 95.0
_PEAK = 1.75
PS1, PS2, TOWER_C, TOWER_W, EAST = (-4.0, 1.6), (-2.3, 0.2), (-2.5, 0.9), (-4.4, 0.3), (3.2, -0.4)
SOURCE = (-1.35, -1.72)  # the local intake on the Umanka


def lay_blocks(plan: Plan, streets: Streets, pieces: list[tuple[int, int, str]], prefix: str = "J") -> None:
    """Put a block's street pipes into the plan, with junctions along them."""
    graph = streets.graph

    def node(crossing: int, block: str) -> str:
        """Name of the junction at a crossing, made at first use."""
        key = prefix, crossing
        if key not in plan.crossing_names:
            name = f"{prefix}-{len(plan.nodes) + 1:04d}"
            plan.crossing_names[key] = name
            street = min(graph[crossing][n]["street"] for n in graph[crossing])
            x, y = streets.xy[crossing]
            plan.add_node(name, (float(x), float(y)), dma=block, street=street)
        return plan.crossing_names[key]

    for a, b, block in pieces:
        street = graph[a][b]["street"]
        count = max(1, round(1000.0 * graph[a][b]["length"] / _PIECE_M))
        before = node(a, block)
        last = node(b, block)
        for k in range(1, count):
            x, y = streets.xy[a] + (streets.xy[b] - streets.xy[a]) * (k / count)
            name = f"{prefix}-{len(plan.nodes) + 1:04d}"
            plan.add_node(name, (float(x), float(y)), dma=block, street=street)
            plan.add_pipe(before, name, "street", dma=block, street=street)
            before = name
        plan.add_pipe(before, last, "street", dma=block, street=street)


def lay_boundary(plan: Plan, streets: Streets, pieces: list[tuple[int, int]]) -> None:
    """Put closed pipes between blocks into the plan."""
    for a, b in pieces:
        ends = [plan.crossing_names.get(("J", c)) for c in (a, b)]
        if all(ends):
            plan.add_pipe(str(ends[0]), str(ends[1]), "boundary", is_closed=True, street=streets.graph[a][b]["street"])


def add_inlet(plan: Plan, block: Block, trunk: str, first: str) -> None:
    """A chamber between trunk and block: meter, and a PRV where the block needs one."""
    (ax, ay), (bx, by) = plan.nodes[trunk].xy, plan.nodes[first].xy
    chamber, behind = f"CH-{block.name}", f"IN-{block.name}"
    meter = f"INL-{block.name}"
    plan.add_node(
        chamber, (ax + 0.4 * (bx - ax) + 0.004, ay + 0.4 * (by - ay)), dma="", street=plan.nodes[first].street
    )
    plan.add_pipe(trunk, chamber, "inlet", name=meter, length=12.0)
    prv = ""
    start = chamber
    if block.has_prv:
        plan.add_node(
            behind,
            (ax + 0.7 * (bx - ax) + 0.004, ay + 0.7 * (by - ay)),
            dma=block.name,
            street=plan.nodes[first].street,
        )
        prv, start = f"PRV-{block.name}", behind
    plan.add_pipe(start, first, "inlet", name=f"OUT-{block.name}", dma=block.name, length=12.0)
    plan.inlets[block.name] = meter, prv, first


def shares(plan: Plan) -> dict[str, float]:
    """Water that each junction takes, losses included, m3/d: what pipes are sized by."""
    taken = dict.fromkeys(plan.nodes, 0.0)
    street = plan.street_pipes
    for name, node in plan.nodes.items():
        taken[name] += node.residential + node.commercial + node.industrial
    leak_per_m = 5300.0 / sum(p.length for p in street)
    for pipe in street:
        for end in (pipe.start, pipe.end):
            taken[end] += 0.5 * leak_per_m * pipe.length
    return taken


def size(plan: Plan, sources: list[str], extra: dict[str, float]) -> None:
    """Choose diameters: the water goes the shortest way from the sources.

    A piece of a loop that carries none gets the least.

    Parameters
    ----------
    sources
        Nodes that the water comes from.
    extra
        Water taken by nodes outside of the blocks, m3/d (a pump's suction).
    """
    open_pipes = [p for p in plan.pipes if not p.is_closed]
    order, parent = _shortest_ways(_neighbours(plan, open_pipes), sources)
    carried = shares(plan)
    for name, flow in extra.items():
        carried[name] = carried.get(name, 0.0) + flow
    through = np.zeros(len(open_pipes))
    for name in reversed(order):
        if name in parent:
            up, k = parent[name]
            carried[up] = carried.get(up, 0.0) + carried.get(name, 0.0)
            if k >= 0:
                through[k] = carried.get(name, 0.0)
    for pipe, flow in zip(open_pipes, through.tolist(), strict=True):
        pipe.diameter = diameter_for(_PEAK * flow / 86400.0, _GRADIENT.get(pipe.kind, 0.002))
        if pipe.kind in ("trunk", "inlet"):
            pipe.diameter = max(pipe.diameter, 200 if pipe.kind == "trunk" else 150)


def _neighbours(plan: Plan, open_pipes: list[PlanPipe]) -> _Neighbours:
    """Ways out of each node: length, other end and number of the pipe; -1 for a PRV."""
    neighbours: _Neighbours = {}
    for k, pipe in enumerate(open_pipes):
        for a, b in ((pipe.start, pipe.end), (pipe.end, pipe.start)):
            neighbours.setdefault(a, []).append((pipe.length, b, k))
    for meter, prv, _ in plan.inlets.values():
        if prv:
            chamber = next(p for p in plan.pipes if p.name == meter).end
            behind = prv.replace("PRV", "IN")
            neighbours.setdefault(chamber, []).append((1.0, behind, -1))
            neighbours.setdefault(behind, []).append((1.0, chamber, -1))
    return neighbours


def _shortest_ways(neighbours: _Neighbours, sources: list[str]) -> tuple[list[str], dict[str, tuple[str, int]]]:
    """Nodes in the order of their distance from the sources, and the node and pipe that each is reached by."""
    best = dict.fromkeys(sources, 0.0)
    parent: dict[str, tuple[str, int]] = {}
    heap = [(0.0, s) for s in sources]
    order: list[str] = []
    seen: set[str] = set()
    while heap:
        distance, name = heapq.heappop(heap)
        if name in seen:
            continue
        seen.add(name)
        order.append(name)
        for length, other, k in sorted(neighbours.get(name, [])):
            if distance + length < best.get(other, np.inf):
                best[other] = distance + length
                parent[other] = name, k
                heapq.heappush(heap, (distance + length, other))
    return order, parent


def diameter_for(flow: float, gradient: float) -> int:
    """Least diameter, mm, that carries a flow, m3/s, at a gradient by Hazen-Williams."""
    for diameter in _DIAMETERS:
        loss = 10.67 * flow**1.852 / (_DESIGN_C**1.852 * (diameter / 1000.0) ** 4.871)
        if loss <= gradient:
            return diameter
    return _DIAMETERS[-1]


def city(random: np.random.Generator) -> tuple[Plan, Streets, Streets]:
    """Streets, blocks, trunks and inlets of Uman and Babanka; nobody lives there yet."""
    plan = Plan()
    streets, village = _lay_out(random)
    plan.blocks = cutting.cut(streets, random)
    inside, boundary = cutting.thin(streets.graph, plan.blocks, random)
    lay_blocks(plan, streets, inside)
    lay_boundary(plan, streets, boundary)
    eastern = [b for b in plan.blocks if b.zone != "west"]
    western = [b for b in plan.blocks if b.zone == "west"]
    at = {
        name: mains.nearest(streets, xy)
        for name, xy in (("ps1", PS1), ("ps2", PS2), ("tc", TOWER_C), ("tw", TOWER_W), ("east", EAST))
    }
    edges, inlets = mains.route(streets.graph, at["ps1"], eastern, [at["tc"], at["ps2"], at["east"]])
    mains.lay(plan, streets, mains.close_loop(streets.graph, edges), "centre")
    edges, more = mains.route(streets.graph, at["ps2"], western, [at["tw"]])
    mains.lay(plan, streets, edges, "west")
    for block in plan.blocks:
        crossing = (inlets | more)[block.name]
        zone = "west" if block.zone == "west" else "centre"
        block.inlet = crossing
        add_inlet(plan, block, plan.trunk_names[zone, crossing], plan.crossing_names["J", crossing])
    _lay_babanka(plan, village, random)
    return plan, streets, village


def _lay_out(random: np.random.Generator) -> tuple[Streets, Streets]:
    return laying.lay_city(random), laying.lay_babanka(random)


def _lay_babanka(plan: Plan, village: Streets, random: np.random.Generator) -> None:
    """The settlement's own streets; the main that leads there is laid with the stations."""
    block = Block("BAB", "babanka", "SOUTH", sorted(village.graph.nodes))
    plan.blocks.append(block)
    inside, _ = cutting.thin(village.graph, [block], random)
    lay_blocks(plan, village, inside, prefix="B")
    block.kind, block.head = "village", 222.0
    gate = mains.nearest(village, (terrain.BABANKA[0] - 0.8, terrain.BABANKA[1] + 0.3))
    block.inlet = gate
    x, y = village.xy[gate]
    plan.add_node("T-BAB", (float(x) - 0.06, float(y) + 0.02), street="Бабанка")
    add_inlet(plan, block, "T-BAB", plan.crossing_names["B", gate])
