"""Trunk mains: the cheapest way along streets from a source to every block, with one loop."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np

from networks.uman.plan import Block, Plan
from networks.uman.streets import Streets

_OFFSET_KM = {"centre": (0.007, 0.005), "west": (-0.006, -0.007)}


def nearest(streets: Streets, xy: tuple[float, float]) -> int:
    """The crossing nearest to a place."""
    return int(np.argmin(np.hypot(*(streets.xy - np.array(xy)).T)))


def route(
    graph: nx.Graph, source: int, blocks: list[Block], places: list[int]
) -> tuple[list[tuple[int, int]], dict[str, int]]:
    """Takahashi and Matsuyama's tree: always join the target that is nearest to what is built.

    Returns
    -------
    edges : list of (crossing, crossing)
    inlets : dict of block to crossing
        Where the trunk first meets each block.
    """
    built = {source}
    edges: list[tuple[int, int]] = []
    open_blocks = {b.name: set(b.crossings) for b in blocks}
    open_places = set(places) - built
    inlets: dict[str, int] = {}

    def weight(a: int, b: int, data: dict[str, float]) -> float:
        return data["length"] + (0.3 if data["bridge"] else 0.0)

    for name, members in list(open_blocks.items()):
        if source in members:
            inlets[name] = source
            del open_blocks[name]
    while open_blocks or open_places:
        distance, path = nx.multi_source_dijkstra(graph, built, weight=weight)
        nearest_of = {n: min((distance[c], c) for c in members) for n, members in open_blocks.items()}
        targets = [(gap, n, crossing) for n, (gap, crossing) in nearest_of.items()]
        targets += [(distance[p], "", p) for p in sorted(open_places)]
        _, name, target = min(targets)
        way = path[target]
        edges += [(min(e), max(e)) for e in pairwise(way)]
        built |= set(way)
        if name:
            inlets[name] = target
            del open_blocks[name]
        open_places -= built
    return sorted(set(edges)), inlets


def close_loop(graph: nx.Graph, edges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """One more way between the two ends of the trunk that are near by street and far by trunk."""
    trunk = nx.Graph()
    trunk.add_weighted_edges_from((a, b, graph[a][b]["length"]) for a, b in edges)
    leaves = sorted(n for n in trunk if trunk.degree(n) == 1)
    along = {a: nx.single_source_dijkstra_path_length(trunk, a) for a in leaves}
    street = {a: nx.single_source_dijkstra_path_length(graph, a, weight="length") for a in leaves}
    pairs = [(along[a][b] / (street[a][b] + 0.3), a, b) for a in leaves for b in leaves if a < b]
    _, a, b = max(pairs)
    way = nx.dijkstra_path(graph, a, b, weight="length")
    more = {(min(e), max(e)) for e in pairwise(way)}
    return sorted(set(edges) | more)


def lay(plan: Plan, streets: Streets, edges: list[tuple[int, int]], zone: str) -> None:
    """Put a trunk into the plan, beside the street pipes."""
    dx, dy = _OFFSET_KM[zone]
    for crossing in sorted({c for e in edges for c in e}):
        x, y = streets.xy[crossing]
        name = f"T{zone[0].upper()}-{len(plan.trunk_names) + 1:03d}"
        plan.trunk_names[zone, crossing] = name
        street = min(streets.graph[crossing][n]["street"] for n in streets.graph[crossing])
        plan.add_node(name, (float(x + dx), float(y + dy)), dma="", street=street)
    for a, b in edges:
        plan.add_pipe(
            plan.trunk_names[zone, a], plan.trunk_names[zone, b], "trunk", street=streets.graph[a][b]["street"]
        )
