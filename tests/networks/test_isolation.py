"""Segments against WNTR's, who is dry against a search written out, and the order of a step test against its laws."""

import itertools

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import wntr
from hypothesis import given, settings
from hypothesis import strategies as st

from networks import Topology, UnknownElement
from networks.isolation import Segments, segments_of, valve_set
from networks.stepping import plan_steps


def town(n_nodes: int, links: list[tuple[int, int]]) -> Topology:
    """Junctions and, as the last node, a reservoir; pipes of 100 m."""
    start, end = np.array(links).T
    return Topology(
        nodes=tuple(f"N{k}" for k in range(n_nodes)),
        links=tuple(f"P{k}" for k in range(len(links))),
        start=start,
        end=end,
        length=np.full(len(links), 100.0),
        is_pipe=np.ones(len(links), dtype=bool),
        is_junction=np.arange(n_nodes) < n_nodes - 1,
        xy=np.zeros((n_nodes, 2)),
    )


@st.composite
def towns(draw: st.DrawFn) -> tuple[Topology, list[tuple[str, str, str, str]], np.ndarray]:
    """A connected network with some valves, each at one end of a pipe, and some pipes that run one way."""
    n = draw(st.integers(3, 9))
    links = [(draw(st.integers(0, k - 1)), k) for k in range(1, n)]
    links += draw(
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] != p[1]), max_size=6)
    )
    topology = town(n, links)
    ends = draw(st.sets(st.tuples(st.integers(0, len(links) - 1), st.integers(0, 1)), max_size=2 * len(links)))
    table = [(f"V{k}", f"P{link}", f"N{links[link][side]}", "isolation") for k, (link, side) in enumerate(sorted(ends))]
    one_way = np.array(draw(st.lists(st.booleans(), min_size=len(links), max_size=len(links)))) & (
        np.arange(len(links)) % 3 == 2
    )
    return topology, table, one_way


def cut(topology: Topology, table: list[tuple[str, str, str, str]], one_way: np.ndarray | None = None) -> Segments:
    return segments_of(topology, valve_set(topology, table), one_way)


@given(towns())
@settings(max_examples=60, deadline=None)
def test_segments_are_wntrs(case):
    topology, table, _ = case
    graph = nx.MultiGraph()
    graph.add_nodes_from(topology.nodes)
    for name, a, b in zip(topology.links, topology.start, topology.end, strict=True):
        graph.add_edge(topology.nodes[a], topology.nodes[b], key=name)
    layer = pd.DataFrame([(pipe, node) for _, pipe, node, _ in table], columns=["link", "node"])
    nodes, links, _ = wntr.metrics.topographic.valve_segments(graph, layer)
    ours = cut(topology, table)
    theirs = [int(nodes[n]) for n in topology.nodes] + [int(links[name]) for name in topology.links]
    pairs = set(zip(ours.labels.tolist(), theirs, strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def segment_by_search(topology: Topology, valves: set[tuple[str, str]], link: int) -> set[tuple[str, int]]:
    """All that can be walked to from a link without passing a valve."""
    found: set[tuple[str, int]] = set()
    front = [("link", link)]
    while front:
        kind, k = front.pop()
        if (kind, k) in found:
            continue
        found.add((kind, k))
        for other in range(len(topology.links)):
            for node in (int(topology.start[other]), int(topology.end[other])):
                if (topology.links[other], topology.nodes[node]) not in valves:
                    front += [("node", node)] if (kind, k) == ("link", other) else []
                    front += [("link", other)] if (kind, k) == ("node", node) else []
    return found


def wet_by_search(topology: Topology, one_way: np.ndarray, gone: set[tuple[str, int]]) -> set[int]:
    """Nodes to which water can run from the reservoir."""
    seen: set[int] = set()
    waiting = [len(topology.nodes) - 1]
    while waiting:
        node = waiting.pop()
        if node in seen or ("node", node) in gone:
            continue
        seen.add(node)
        for k in range(len(topology.links)):
            if ("link", k) not in gone:
                waiting += [int(topology.end[k])] if topology.start[k] == node else []
                waiting += [int(topology.start[k])] if topology.end[k] == node and not one_way[k] else []
    return seen


@given(towns(), st.integers(0, 100))
@settings(max_examples=80, deadline=None)
def test_who_is_dry(case, number):
    topology, table, one_way = case
    link = number % len(topology.links)
    isolation = cut(topology, table, one_way).isolate(link)
    gone = segment_by_search(topology, {(pipe, node) for _, pipe, node, _ in table}, link)
    dry = wet_by_search(topology, one_way, set()) - wet_by_search(topology, one_way, gone)
    assert set(isolation.inside.tolist()) == {k for kind, k in gone if kind == "node"}
    assert set(isolation.nodes.tolist()) == set(isolation.inside.tolist()) | dry
    assert not set(isolation.inside.tolist()) & set(isolation.beyond.tolist())


def ladder() -> tuple[Topology, list[tuple[str, str, str, str]]]:
    """Streets of two nodes, one after the other, joined by two pipes each of which has a valve; fed at the first."""
    streets = 5
    links = [(2 * k, 2 * k + 1) for k in range(streets)]
    links += [(2 * k + side, 2 * k + 2 + side) for k in range(streets - 1) for side in (0, 1)]
    n = 2 * streets + 1
    topology = town(n, [*links, (n - 1, 0)])
    joints = range(streets, len(links))
    table = [(f"V{k}", f"P{k}", topology.nodes[links[k][0]], "isolation") for k in joints]
    return topology, table


def test_a_street_is_isolated_by_its_four_valves_and_those_behind_are_dry():
    topology, table = ladder()
    isolation = cut(topology, table).isolate(2)
    assert len(isolation.valves) == 4
    assert isolation.pipes == ("P2", "P7", "P8")  # the street and the joints up to the valves before it
    assert isolation.inside.tolist() == [4, 5]
    assert isolation.beyond.tolist() == [6, 7, 8, 9]


def test_closed_pipes_pass_no_water_and_need_no_turning():
    topology, table = ladder()
    closed = valve_set(topology, table, ["P7"])
    isolation = segments_of(topology, closed).isolate(2)
    assert len(isolation.valves) == 3
    assert isolation.shut == (table[2][0],)
    # a closed pipe without a valve of the table has one all the same
    bare = valve_set(topology, [], ["P7"])
    assert bare.names == ("P7",)
    assert bare.is_shut.all()


def test_boundary_valve_is_the_shut_one_of_its_pipe():
    topology, _ = ladder()
    table = [("A", "P7", "N2", "isolation"), ("B", "P7", "N4", "boundary")]
    assert valve_set(topology, table, ["P7"]).is_shut.tolist() == [False, True]
    assert valve_set(topology, table).is_shut.tolist() == [False, False]


def test_valve_that_stands_nowhere_is_named():
    topology, _ = ladder()
    with pytest.raises(UnknownElement, match="valve 'A'"):
        valve_set(topology, [("A", "P0", "N5", "isolation")])
    with pytest.raises(UnknownElement, match="P99"):
        valve_set(topology, [("A", "P99", "N5", "isolation")])


def test_steps_go_from_the_far_end_to_the_inlet():
    topology, table = ladder()
    segments = cut(topology, table)
    fed = {int(segments.of_link[0])}
    probability = {1: 0.25, 2: 0.25, 3: 0.25, 4: 0.2, 0: 0.05}
    steps = plan_steps(segments, probability, fed)
    assert [round(step.share, 2) for step in steps] == [0.2, 0.25, 0.25, 0.25]
    assert [len(step.shut) for step in steps] == [2, 2, 2, 2]
    assert steps[0].part == {int(segments.of_link[4])}
    assert plan_steps(segments, {0: 1.0}, fed) == ()
    assert len(plan_steps(segments, probability, fed, most=2)) == 2


@given(towns(), st.lists(st.floats(0.01, 1.0), min_size=20, max_size=20))
@settings(max_examples=60, deadline=None)
def test_steps_are_nested_and_really_cut(case, weights):
    topology, table, _ = case
    segments = cut(topology, table)
    root = int(segments.of_node[len(topology.nodes) - 1])
    probability = {k: weights[k % 20] for k in range(len(topology.links))}
    shut: set[str] = set()
    done: set[int] = set()
    total = 0.0
    for step in plan_steps(segments, probability, {root}):
        assert not step.part & done
        done |= step.part
        shut |= set(step.shut)
        total += step.share
        # with these valves shut no way leads from the part to the root
        kept = [row for row in table if row[0] in shut]
        apart = cut(topology, kept)
        nodes = [k for k in range(len(topology.nodes)) if int(segments.of_node[k]) in done]
        assert int(apart.of_node[len(topology.nodes) - 1]) not in {int(apart.of_node[k]) for k in nodes}
    outside = sum(p for k, p in probability.items() if int(segments.of_link[k]) == root)
    assert total == pytest.approx(sum(probability.values()) - outside)


def test_cut_is_the_cheapest_of_all():
    """Of all sets of segments around the far street none needs fewer valves and pipes."""
    topology, table = ladder()
    table = [row for row in table if row[1] != "P10"]  # one joint of the third street cannot be shut
    segments = cut(topology, table)
    fed = {int(segments.of_link[0])}
    (step,) = plan_steps(segments, {4: 1.0}, fed)
    every = set(segments.labels.tolist()) - fed
    far = int(segments.of_link[4])
    lengths = {s: float(topology.length[segments.of_link == s].sum()) for s in every}
    whole = sum(lengths.values())

    def cost(part: set[int]) -> float:
        valves = sum(1 for k in range(len(segments.valves.names)) if len({s in part for s in segments.sides(k)}) == 2)
        return valves + 10.0 * sum(lengths[s] for s in part - {far}) / whole

    subsets = ({far, *chosen} for n in range(len(every)) for chosen in itertools.combinations(sorted(every - {far}), n))
    assert cost(set(step.part)) == pytest.approx(min(map(cost, subsets)), abs=0.02)
