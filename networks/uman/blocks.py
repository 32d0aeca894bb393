"""Cut the streets into small DMAs and thin them to loops and branches."""

from __future__ import annotations

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from networks.uman import terrain
from networks.uman.plan import Block
from networks.uman.streets import Streets

Floats = NDArray[np.float64]

CITY_BLOCKS = 16
CENTRE_HEAD, WEST_HEAD = 221.0, 237.0  # m, what the towers hold
_HIGHEST = 58.0  # m of pressure where the ground is lowest
_METRES_PER_KM = 18.0  # difference in height that counts like a kilometre of distance
_LOOPS = 0.18  # share kept of the pieces that a tree does without
_BOUNDARY = 0.22  # share of pieces between blocks that exist, closed


def cut(streets: Streets, random: np.random.Generator) -> list[Block]:
    """Group crossings into blocks that are compact, connected and do not climb much."""
    ground = terrain.height(streets.xy)
    features = np.column_stack([streets.xy, ground / _METRES_PER_KM])
    label = _clusters(features, CITY_BLOCKS, random)
    label = _connected(streets.graph, label)
    station = int(np.argmin(np.hypot(*(streets.xy - np.array(terrain.RAILWAY)).T)))
    blocks = []
    for number in np.unique(label).tolist():
        members = np.flatnonzero(label == number)
        mean = float(ground[members].mean())
        zone = "railway" if station in members else _zone_at(mean)
        blocks.append(Block("", zone, "", members.tolist()))
    return _named(blocks, streets, ground)


def _zone_at(height: float) -> str:
    """Pressure zone of a block by the mean height of its ground, m."""
    return "west" if height > 174.0 else "centre" if height > 160.0 else "low"


def _named(blocks: list[Block], streets: Streets, ground: Floats) -> list[Block]:
    """Name blocks from west to east within their zone and decide what they are fed at."""
    letters = {"west": "W", "centre": "C", "low": "L"}
    blocks.sort(key=lambda b: (b.zone, round(float(streets.xy[b.crossings, 0].mean()), 6)))
    count: dict[str, int] = {}
    for block in blocks:
        count[block.zone] = count.get(block.zone, 0) + 1
        block.name = "RAIL" if block.zone == "railway" else f"{letters[block.zone]}{count[block.zone]}"
        middle = streets.xy[block.crossings].mean(axis=0)
        block.large = "WEST" if block.zone == "west" else "NORTH" if middle[1] > 0.1 else "SOUTH"
        supply = WEST_HEAD if block.zone == "west" else CENTRE_HEAD
        low = float(ground[block.crossings].min())
        block.has_prv = low + _HIGHEST < supply + 3.0 or block.zone in ("low", "railway")
        block.head = min(supply - 3.0, round(low + _HIGHEST)) if block.has_prv else supply - 2.0
        near = np.hypot(*(middle - np.array(terrain.SOFIIVKA)))
        block.kind = "sofiivka" if near < 0.75 else "high" if block.zone in ("centre", "west") else "low"
    return blocks


def _clusters(features: Floats, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Lloyd's iterations from farthest-first seeds."""
    seeds = [int(random.integers(len(features)))]
    while len(seeds) < count:
        gap = np.linalg.norm(features[:, None] - features[seeds], axis=2).min(axis=1)
        seeds.append(int(np.argmax(gap)))
    centres = features[seeds]
    for _ in range(60):
        label = np.argmin(np.linalg.norm(features[:, None] - centres, axis=2), axis=1)
        centres = np.array([features[label == k].mean(axis=0) for k in range(count)])
    found: NDArray[np.int64] = label.astype(np.int64)
    return found


def _connected(graph: nx.Graph, label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give pieces that hang apart from their block to the neighbour they have most streets to."""
    label = label.copy()
    for _ in range(20):
        moved = False
        for number in np.unique(label).tolist():
            parts = sorted(
                nx.connected_components(graph.subgraph(np.flatnonzero(label == number).tolist())), key=lambda c: -len(c)
            )
            for part in parts[1:]:
                ways = [int(label[b]) for a in part for b in graph[a] if label[b] != number]
                if ways:
                    label[list(part)] = max(sorted(set(ways)), key=ways.count)
                    moved = True
        if not moved:
            return label
    return label


def thin(
    graph: nx.Graph, blocks: list[Block], random: np.random.Generator
) -> tuple[list[tuple[int, int, str]], list[tuple[int, int]]]:
    """Choose which street pieces carry a pipe.

    Returns
    -------
    inside : list of (crossing, crossing, block)
        A tree of every block with some loops.
    boundary : list of (crossing, crossing)
        Pieces between blocks: closed by a boundary valve.
    """
    owner = {c: b.name for b in blocks for c in b.crossings}
    inside: list[tuple[int, int, str]] = []
    for block in blocks:
        part = graph.subgraph(block.crossings)
        drawn = {e: float(random.uniform(0.6, 1.4)) for e in sorted(tuple(sorted(e)) for e in part.edges)}
        weighted = nx.Graph()
        weighted.add_weighted_edges_from((a, b, graph[a][b]["length"] * w) for (a, b), w in drawn.items())
        tree = {tuple(sorted(e)) for e in nx.minimum_spanning_edges(weighted, data=False)}
        inside += [(a, b, block.name) for a, b in drawn if (a, b) in tree or random.uniform() < _LOOPS]
    boundary = []
    for a, b in sorted(tuple(sorted(e)) for e in graph.edges):
        if owner[a] != owner[b] and not graph[a][b]["bridge"] and random.uniform() < _BOUNDARY:
            boundary.append((a, b))
    return inside, boundary
