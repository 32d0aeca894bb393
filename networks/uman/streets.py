"""Streets: a bent lattice of crossings, thinned to loops and branches.

Streets are the lattice's lines, so each has a name from end to end. Crossings are jittered, the lattice is finer in the
centre, and lines cross a river only at bridges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from networks.uman import terrain

Floats = NDArray[np.float64]

_BRIDGE_EVERY = 3  # lines
_JITTER_KM = 0.016


@dataclass(frozen=True, slots=True)
class Streets:
    """Crossings and the street pieces between them.

    Attributes
    ----------
    xy
        float64 [n, 2], km.
    graph
        Nodes are rows of `xy`; edges carry `length` (km), `street` (name) and `bridge`.
    """

    xy: Floats
    graph: nx.Graph


def read_names() -> list[str]:
    """Street names, for lines in the order in which they are laid."""
    text = files("networks.uman").joinpath("street_names.txt").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _lines(reach: float) -> Floats:
    """Positions of parallel lines, km: close together in the centre."""
    half = [0.0]
    while half[-1] < reach:
        half.append(half[-1] + 0.175 + 0.016 * half[-1])
    return np.array([-p for p in reversed(half[1:])] + half)


def _bent(u: Floats, v: Floats) -> Floats:
    x = u + 0.24 * np.sin(0.8 * v + 1.0) + 0.07 * np.sin(1.9 * u + 0.7 * v)
    y = v + 0.22 * np.sin(0.75 * u) + 0.06 * np.sin(2.1 * v - 0.5 * u)
    turn = 0.3
    return np.stack([x * np.cos(turn) - y * np.sin(turn) - 0.3, x * np.sin(turn) + y * np.cos(turn)], axis=-1)


def lay_city(random: np.random.Generator) -> Streets:
    """Lay the city's streets."""
    u, v = np.meshgrid(_lines(5.2), _lines(5.2), indexing="ij")
    return _lay(_bent(u, v), random, terrain.is_city, read_names())


def lay_babanka(random: np.random.Generator) -> Streets:
    """Lay the streets of Babanka, a settlement east of the city."""
    steps = np.arange(-3, 4) * 0.27
    u, v = np.meshgrid(steps, steps, indexing="ij")
    xy = np.stack([u + 0.03 * np.sin(3.0 * v), v + 0.05 * np.sin(2.0 * u)], axis=-1) + np.array(terrain.BABANKA)

    def is_inside(points: Floats) -> NDArray[np.bool_]:
        x, y = (points - np.array(terrain.BABANKA)).T
        return np.asarray((x / 0.85) ** 2 + (y / 0.75) ** 2 < 1.0)

    return _lay(xy, random, is_inside, [f"{name} (Бабанка)" for name in read_names()])


def _lay(
    lattice: Floats, random: np.random.Generator, is_inside: Callable[[Floats], NDArray[np.bool_]], names: list[str]
) -> Streets:
    rows, columns, _ = lattice.shape
    xy = lattice.reshape(-1, 2) + random.uniform(-_JITTER_KM, _JITTER_KM, (rows * columns, 2))
    inside = is_inside(xy)
    graph = nx.Graph()
    for i in range(rows):
        for j in range(columns):
            a = i * columns + j
            for b, line, number in ((a + 1, names[i % len(names)], i), (a + columns, names[-1 - j % len(names)], j)):
                if b >= rows * columns or (b == a + 1 and j == columns - 1) or not (inside[a] and inside[b]):
                    continue
                middle = terrain.river_distance(np.linspace(xy[a], xy[b], 9))
                bridge = bool(middle.min() < 0.025)
                if bridge and number % _BRIDGE_EVERY:
                    continue
                graph.add_edge(a, b, length=float(np.hypot(*(xy[a] - xy[b]))), street=line, bridge=bridge)
    largest = max(nx.connected_components(graph), key=lambda c: (len(c), min(c)))
    kept = sorted(largest)
    graph = nx.relabel_nodes(graph.subgraph(kept), {node: k for k, node in enumerate(kept)}, copy=True)
    return Streets(xy[kept], graph)
