"""The order in which valves are shut in a step test.

A step test isolates more and more of a district at night, from its far end towards its inlet, and watches the inlet's
flow: the step at which it falls by more than the customers there take holds the leak (Farley and Trow 2003, "Losses in
Water Distribution Networks", ch. 7).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from networks.isolation import Segments

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
_MUCH = 1_000_000
_VALVE = 1000  # weight of turning one
_DISTRICT = 10_000  # weight of putting all pipes outside the candidates' segments out of water: ten valves


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a test.

    Attributes
    ----------
    shut
        Valves to shut now; those of earlier steps stay shut.
    part
        Segments that this step cuts off.
    share
        Of the candidates' probability that lies in them.
    """

    shut: tuple[str, ...]
    part: frozenset[int]
    share: float


def plan_steps(
    segments: Segments, probability: Mapping[int, float], fed_from: Collection[int], most: int = 6
) -> tuple[Step, ...]:
    """Choose steps that each cut off about the same probability with as few valves as can be.

    Parameters
    ----------
    segments
        The network cut at its valves.
    probability
        Of the leak, by link.
    fed_from
        Segments that stay open: with the inlets, the sources and all that is outside the district.
    most
        Steps.

    Returns
    -------
    tuple of Step
        Empty where all candidates lie in segments that stay open. Each part lies behind the cheapest cut between the
        candidates so far and the inlet: a valve counts one, the pipes that go out of water with the candidates count
        ten for a whole district. Cheapest cuts around groups that grow are nested (of two the one nearer to the
        candidates is taken), so that no valve is opened again before the end.
    """
    share: dict[int, float] = {}
    for link, p in probability.items():
        segment = int(segments.of_link[link])
        if segment not in fed_from:
            share[segment] = share.get(segment, 0.0) + p
    if not share:
        return ()
    edges = _edges(segments)
    weight = _weights(segments, fed_from)
    hops = _hops(edges, int(segments.labels.max()) + 1, fed_from)
    order = sorted(share, key=lambda s: (-int(hops[s]), -share[s], s))
    steps: list[Step] = []
    cut: frozenset[int] = frozenset()
    shut: set[str] = set()
    for group in _groups(order, share, most):
        if group <= cut:
            continue
        far = _far_side(edges, weight, cut | group, fed_from)
        around = [
            segments.valves.names[k]
            for k in range(len(segments.valves.names))
            if not segments.valves.is_shut[k] and len({s in far for s in segments.sides(k)}) == 2
        ]
        part = frozenset(far - cut)
        steps.append(Step(tuple(v for v in around if v not in shut), part, float(sum(share.get(s, 0.0) for s in part))))
        shut |= set(around)
        cut = frozenset(far)
    return tuple(steps)


def _edges(segments: Segments) -> dict[tuple[int, int], int]:
    """Open valves between each two segments."""
    edges: dict[tuple[int, int], int] = {}
    for k in range(len(segments.valves.names)):
        a, b = sorted(segments.sides(k))
        if a != b and not segments.valves.is_shut[k]:
            edges[a, b] = edges.get((a, b), 0) + 1
    return edges


def _hops(edges: Mapping[tuple[int, int], int], n: int, roots: Collection[int]) -> Ints:
    """Valves between each segment and the nearest root, int64 [n_segments]."""
    neighbours: list[list[int]] = [[] for _ in range(n)]
    for a, b in edges:
        neighbours[a].append(b)
        neighbours[b].append(a)
    hops = np.full(n, -1, dtype=np.int64)
    front = sorted(roots)
    hops[front] = 0
    while front:
        behind = sorted({b for a in front for b in neighbours[a] if hops[b] < 0})
        hops[behind] = hops[front[0]] + 1
        front = behind
    return np.where(hops < 0, n, hops)


def _groups(order: list[int], share: Mapping[int, float], most: int) -> list[frozenset[int]]:
    """Cut an order of segments where the probability passes equal parts."""
    total = sum(share.values())
    groups: list[set[int]] = [set()]
    run, limit = 0.0, 1
    for segment in order:
        groups[-1].add(segment)
        run += share[segment]
        if run >= total * limit / most - 1e-9 and segment != order[-1]:
            groups.append(set())
            while run >= total * limit / most - 1e-9:
                limit += 1
    return [frozenset(group) for group in groups if group]


def _weights(segments: Segments, fed_from: Collection[int]) -> Ints:
    """What it costs to put a segment out of water, int64 [n_segments]."""
    length = np.bincount(segments.of_link, segments.topology.length, int(segments.labels.max()) + 1)
    length[list(fed_from)] = 0.0
    return np.rint(_DISTRICT * length / max(float(length.sum()), 1.0)).astype(np.int64)


def _far_side(
    edges: Mapping[tuple[int, int], int], weight: Ints, inside: Collection[int], roots: Collection[int]
) -> set[int]:
    """Segments on a group's side of the cheapest cut between it and the roots."""
    from scipy.sparse import coo_array, csr_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    n = len(weight)
    source, sink = n, n + 1
    tail: list[int] = []
    head: list[int] = []
    room: list[int] = []
    for (a, b), count in edges.items():
        tail += [a, b]
        head += [b, a]
        room += [_VALVE * count, _VALVE * count]
    costly = [int(s) for s in np.flatnonzero(weight) if s not in roots and s not in inside]
    tail += costly
    head += [sink] * len(costly)
    room += [int(weight[s]) for s in costly]
    tail += [source] * len(inside) + sorted(roots)
    head += [*sorted(inside), *([sink] * len(roots))]
    room += [_MUCH] * (len(inside) + len(roots))
    shape = (n + 2, n + 2)
    graph = csr_array(coo_array((np.array(room, dtype=np.int32), (tail, head)), shape=shape))
    flow = maximum_flow(graph, source, sink).flow
    residual = csr_array((graph - flow).astype(np.int64))
    residual.eliminate_zeros()
    reached = breadth_first_order(residual, source, directed=True, return_predecessors=False)
    return {int(s) for s in reached if s < n}
