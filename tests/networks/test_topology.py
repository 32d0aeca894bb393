"""Distances along pipes and districts, against networkx."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks import Topology, UnknownElement

_Links = list[tuple[int, int, float]]


def topology_of(n_nodes: int, links: _Links) -> Topology:
    length = np.array([metres for _, _, metres in links])
    return Topology(
        nodes=tuple(f"n{k}" for k in range(n_nodes)),
        links=tuple(f"l{k}" for k in range(len(links))),
        start=np.array([a for a, _, _ in links], dtype=np.int64),
        end=np.array([b for _, b, _ in links], dtype=np.int64),
        length=length,
        is_pipe=length > 0.0,
        is_junction=np.ones(n_nodes, dtype=bool),
        xy=np.zeros((n_nodes, 2)),
    )


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, _Links]:
    n_nodes = draw(st.integers(2, 9))
    node = st.integers(0, n_nodes - 1)
    # zero stands for a pump or a valve; parallel links come by themselves on so few nodes
    length = st.one_of(st.just(0.0), st.floats(0.5, 500.0))
    ends = st.tuples(node, node).filter(lambda pair: pair[0] != pair[1])
    pairs = draw(st.lists(st.tuples(ends, length), min_size=1, max_size=16))
    return n_nodes, [(a, b, metres) for (a, b), metres in pairs]


def between_centres(n_nodes: int, links: _Links, one: int, other: int) -> float:
    """Slow twin: cut both links in their middle, walk from centre to centre over every edge of a multigraph."""
    if one == other:
        return 0.0
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(n_nodes))
    for k, (a, b, metres) in enumerate(links):
        if k in (one, other):
            graph.add_edge(a, ("centre", k), weight=metres / 2.0)
            graph.add_edge(("centre", k), b, weight=metres / 2.0)
        else:
            graph.add_edge(a, b, weight=metres)
    try:
        return float(nx.dijkstra_path_length(graph, ("centre", one), ("centre", other)))
    except nx.NetworkXNoPath:
        return math.inf


@settings(deadline=None, max_examples=120)
@given(graphs())
def test_distance_from_link_is_dijkstras(graph: tuple[int, _Links]) -> None:
    n_nodes, links = graph
    topology = topology_of(n_nodes, links)
    for one in range(len(links)):
        expected = [between_centres(n_nodes, links, one, other) for other in range(len(links))]
        # a pump or valve counts for up to a micrometre
        np.testing.assert_allclose(topology.distance_from_link(one), expected, atol=1e-5 * len(links))


@settings(deadline=None, max_examples=60)
@given(graphs())
def test_distance_is_symmetric_and_zero_to_itself(graph: tuple[int, _Links]) -> None:
    topology = topology_of(*graph)
    n_links = len(topology.links)
    distance = np.array([topology.distance_from_link(k) for k in range(n_links)])
    np.testing.assert_allclose(distance, distance.T, atol=1e-9)
    assert (np.diag(distance) == 0.0).all()
    assert (distance >= 0.0).all()


@settings(deadline=None, max_examples=60)
@given(graphs())
def test_distance_obeys_the_triangle(graph: tuple[int, _Links]) -> None:
    topology = topology_of(*graph)
    n_links = len(topology.links)
    distance = np.array([topology.distance_from_link(k) for k in range(n_links)])
    for a, b, c in itertools.product(range(min(n_links, 6)), repeat=3):
        if math.isfinite(distance[a, b] + distance[b, c]):
            assert distance[a, c] <= distance[a, b] + distance[b, c] + 1e-4


def test_shortest_of_parallel_links_counts() -> None:
    topology = topology_of(4, [(0, 1, 10.0), (1, 2, 100.0), (2, 1, 40.0), (1, 2, 70.0), (2, 3, 6.0)])
    assert topology.distance_from_link(0)[4] == pytest.approx(5.0 + 40.0 + 3.0)


def test_a_valve_has_no_length_and_still_connects() -> None:
    topology = topology_of(4, [(0, 1, 10.0), (1, 2, 0.0), (2, 3, 6.0)])
    assert topology.distance_from_link(0)[[1, 2]] == pytest.approx([5.0, 8.0], abs=1e-5)


def test_asking_twice_gives_the_same() -> None:
    topology = topology_of(4, [(0, 1, 10.0), (1, 2, 20.0), (2, 3, 6.0)])
    first = topology.distance_from_link(1).copy()
    topology.distance_from_link(0)
    assert np.array_equal(topology.distance_from_link(1), first)


@settings(deadline=None, max_examples=60)
@given(graphs())
def test_distance_from_nodes_is_dijkstras(graph: tuple[int, _Links]) -> None:
    n_nodes, links = graph
    whole = nx.MultiGraph()
    whole.add_nodes_from(range(n_nodes))
    whole.add_weighted_edges_from(links)
    found = topology_of(n_nodes, links).distance_from_nodes(np.arange(n_nodes))
    assert found.shape == (n_nodes, n_nodes)
    for node in range(n_nodes):
        reached = nx.single_source_dijkstra_path_length(whole, node)
        expected = [reached.get(k, math.inf) for k in range(n_nodes)]
        np.testing.assert_allclose(found[node], expected, atol=1e-5 * len(links))


@settings(deadline=None, max_examples=120)
@given(graphs(), st.data())
def test_districts_are_connected_components(graph: tuple[int, _Links], data: st.DataObject) -> None:
    n_nodes, links = graph
    boundary = np.array(data.draw(st.lists(st.booleans(), min_size=len(links), max_size=len(links))))
    labels = topology_of(n_nodes, links).districts(boundary)
    rest = nx.Graph()
    rest.add_nodes_from(range(n_nodes))
    rest.add_edges_from((a, b) for (a, b, _), is_cut in zip(links, boundary, strict=True) if not is_cut)
    expected = {frozenset(part) for part in nx.connected_components(rest)}
    assert {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)} == expected


def test_names_are_looked_up() -> None:
    topology = topology_of(3, [(0, 1, 10.0), (1, 2, 0.0)])
    assert (topology.node("n2"), topology.link("l1")) == (2, 1)
    assert topology.pipes.tolist() == [0]
    with pytest.raises(UnknownElement, match="no link 'l9'") as caught:
        topology.link("l9")
    assert (caught.value.kind, caught.value.element) == ("link", "l9")
    with pytest.raises(UnknownElement, match="no node 'n9'"):
        topology.node("n9")
