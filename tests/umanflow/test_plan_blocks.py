"""Blocks: what a cut of a graph must keep, and what designs of real networks must keep when simulated."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from hydro.engine import Engine
from networks import load
from networks.closed import closed_links
from umanflow.errors import UserError
from umanflow.planner.blocks import BlockRules, Design, design_blocks
from umanflow.planner.partition import Streets, _bisect, partition
from umanflow.planner.pressure import Norm


def lattice(width: int, height: int, seed: int) -> Streets:
    rng = np.random.default_rng(seed)
    at = np.arange(width * height).reshape(height, width)
    pairs = [*zip(at[:, :-1].ravel(), at[:, 1:].ravel(), strict=True)]
    pairs += [*zip(at[:-1].ravel(), at[1:].ravel(), strict=True)]
    start, end = np.array(pairs, dtype=np.int64).T
    return Streets(start, end, rng.uniform(0.2, 2.0, len(start)), rng.uniform(1.0, 20.0, width * height))


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 14), st.integers(3, 14), st.integers(0, 10**6))
def test_parts_are_whole_and_none_is_too_large(width: int, height: int, seed: int) -> None:
    streets = lattice(width, height, seed)
    most = 0.4 * streets.size.sum()
    label = partition(streets, 0.2 * most, most)
    assert (label >= 0).all()
    for part in np.unique(label):
        nodes = np.flatnonzero(label == part)
        assert streets.size[nodes].sum() <= most or len(nodes) == 1
        assert connected_components(streets.among(nodes).matrix, directed=False)[0] == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_cut_is_close_to_the_cheapest_there_is(seed: int) -> None:
    """Against every way to cut a lattice of 3 x 4 into two connected sides of that balance."""
    streets, slack = lattice(4, 3, seed), 0.35
    n, total = len(streets.size), streets.size.sum()

    def price(side: np.ndarray) -> float:
        return float(streets.cost[side[streets.start] != side[streets.end]].sum())

    cheapest = np.inf
    for chosen in itertools.product((False, True), repeat=n - 1):
        side = np.array([True, *chosen])
        is_fair = not side.all() and abs(streets.size[side].sum() / total - 0.5) <= slack * 0.5
        if is_fair and price(side) < cheapest:
            sides = (np.flatnonzero(side), np.flatnonzero(~side))
            if all(connected_components(streets.among(s).matrix, directed=False)[0] == 1 for s in sides):
                cheapest = price(side)
    assert price(_bisect(streets, 0.5, slack)) <= 1.5 * cheapest


def check(name: str, design: Design, rules: BlockRules) -> None:
    """A design's own words against the network: borders are closed or metered, nobody is in two blocks."""
    with Engine(load(name)) as engine:
        topology = engine.topology
        label = np.full(len(topology.nodes), -1)
        for number, block in enumerate(design.blocks):
            at = [topology.node(node) for node in block.nodes]
            assert (label[at] == -1).all()
            label[at] = number
        cut = np.zeros(len(topology.links), dtype=bool)
        for block in design.blocks:
            assert 1 <= len(block.inlets) <= rules.inlets + 2
            assert set(block.new_valves) <= set(block.closed)
            assert not set(block.inlets) & set(block.closed)
            cut[[topology.link(link) for link in (*block.inlets, *block.closed)]] = True
        crossing = label[topology.start] != label[topology.end]
        engine.start()
        engine.solve()
        is_open = engine.read("link", "status") > 0.0
        assert not (crossing & is_open & ~cut).any()


def short_of(name: str, design: Design, norm: Norm, reopen: bool = False) -> set[str]:
    """Who is newly short when everything that a design says is done to the network as it is."""
    network = load(name)
    nodes = network.nodes
    with Engine(network) as engine:
        topology = engine.topology

        def lowest() -> np.ndarray:
            engine.duration = 86_400
            return np.min([engine.read("node", "pressure").copy() for _ in engine.steps()], axis=0)

        before = lowest()
        engine.stop()
        if reopen:
            for link in closed_links(network):
                if topology.is_pipe[topology.link(link)]:
                    engine.set_status(link, is_open=True)
        for link in {link for block in design.blocks for link in block.closed}:
            engine.set_status(link, is_open=False)
        for valve, setting in design.raised.items():
            engine.set_setting(valve, setting)
        after = lowest()
        if nodes is not None:
            homes = nodes[nodes["connections"] > 0]
            due = dict(zip(homes["node"], norm.head(homes["storeys"].to_numpy()), strict=True))
        else:
            demand = sum(np.maximum(engine.demand_at(3600 * h), 0.0) for h in range(24))
            due = {topology.nodes[k]: norm.first for k in engine.junctions[demand > 0.0].tolist()}
        kept = {n for n, d in due.items() if before[topology.node(n)] >= d}
        return {n for n in kept if after[topology.node(n)] < due[n] - 0.01}


def test_design_of_ky4_holds() -> None:
    rules = BlockRules()
    designs = design_blocks(load("ky4"), rules, Norm())
    best = designs[0]
    check("ky4", best, rules)
    assert best.is_isolated
    assert len(best.blocks) >= 6
    assert all(block.connections <= rules.most for block in best.blocks)
    assert len(best.newly_short) <= min(len(design.newly_short) for design in designs)
    assert best.cost > 0.0
    assert short_of("ky4", best, Norm()) == set(best.newly_short) == set()


def test_blocks_of_uman_are_found_again_and_isolated() -> None:
    network, rules = load("uman"), BlockRules()
    best = design_blocks(network, rules, Norm())[0]
    check("uman", best, rules)
    assert best.is_isolated
    assert best.newly_short == ()
    assert all(rules.least <= block.connections <= rules.most for block in best.blocks)
    assert network.dmas is not None
    assert {link for block in best.blocks for link in block.inlets} == set(network.dmas["inlet"])
    assert all(block.fire_left == pytest.approx(block.fire_before, abs=0.05) for block in best.blocks)


def test_a_network_of_trunks_alone_is_told(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "line.inp"
    path.write_text(
        "[RESERVOIRS]\nR 50\n[JUNCTIONS]\nA 0 1\n[PIPES]\nP R A 100 300 100\n"
        "[OPTIONS]\nUnits LPS\nHeadloss H-W\n[END]\n"
    )
    with pytest.raises(UserError, match="no street network"):
        design_blocks(load(path), BlockRules(), Norm())
