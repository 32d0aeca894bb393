"""Implicit derivatives against central differences of EPANET itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from hydro.derivatives import derivatives
from hydro.engine import Engine
from hydro.library import LibraryName
from tests.hydro.inp import write_inp
from tests.hydro.moment import Moment, error

Array = np.ndarray

LIBRARIES = get_args(LibraryName)
BEHIND_PRVS = """
[JUNCTIONS]
 a 0 5
 b 0 4
 c 0 6
 d 0 8
 e 0 3
 g 0 5
 h 0 2
 i 0 1
[RESERVOIRS]
 lake 70
 pond 5
[PIPES]
 p1 lake a 800 250 110 0 Open
 p2 a b 300 200 110 0 Open
 p3 c d 400 150 100 2 Open
 p4 d e 300 100 100 0 Open
 p5 c e 500 100 100 0 Open
 p6 g h 200 100 100 0 Open
 check pond h 50 100 100 0 CV
 p7 h i 50 100 100 0 Open
[VALVES]
 v1 b c 200 PRV {setting} {minor}
 v2 e g 150 PRV 25 0
"""


def pick(moment: Moment, seed: int) -> tuple[Array, Array, Array, Array]:
    """Some pressures, metered pipes, junctions where demand changes, and pipes whose resistance changes."""
    engine, chance = moment.engine, np.random.default_rng(seed)
    busy = np.flatnonzero(engine.topology.is_pipe & (moment.base_flow > np.quantile(moment.base_flow, 0.8)))
    nodes = np.sort(chance.choice(engine.junctions, 10, replace=False))
    links = np.sort(chance.choice(busy, 5, replace=False))
    return nodes, links, chance.choice(engine.junctions, 25, replace=False), chance.choice(busy, 20, replace=False)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("hour", [3, 8])
@pytest.mark.parametrize("name", ["Net3", "ky4"])
def test_a_state_without_pumps(name: str, hour: int, library: LibraryName) -> None:
    with Engine(name, library) as engine:
        moment = Moment(engine, engine.demand_at(hour * 3600), without_pumps=True)
        nodes, links, taps, pipes = pick(moment, seed=hour)
        found = derivatives(engine, nodes, links)
        n = len(nodes)
        expected = moment.by_demand(taps, nodes, links)
        assert error(found.by_demand[taps][:, :n], expected[:, :n]) < 5e-3
        assert error(found.by_demand[taps][:, n:], expected[:, n:]) < 5e-3
        expected = moment.by_resistance(pipes, nodes, links)
        assert error(found.by_resistance[pipes][:, :n], expected[:, :n]) < 5e-3
        assert error(found.by_resistance[pipes][:, n:], expected[:, n:]) < 5e-3


# a custom curve in Net3, constant power in ky4
@pytest.mark.parametrize(("name", "hour"), [("Net3", 8), ("ky4", 8)])
def test_a_state_with_running_pumps(name: str, hour: int) -> None:
    with Engine(name) as engine:
        moment = Moment(engine, engine.demand_at(hour * 3600), without_pumps=False)
        assert moment.base_flow[engine.pumps].max() > 0.01
        nodes, links, taps, pipes = pick(moment, seed=hour)
        found = derivatives(engine, nodes, links)
        assert error(found.by_demand[taps], moment.by_demand(taps, nodes, links)) < 3e-3
        assert error(found.by_resistance[pipes], moment.by_resistance(pipes, nodes, links)) < 3e-3


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Iterator[LibraryName]:
    return request.param  # type: ignore[no-any-return]


def behind_prvs(path: Path, library: LibraryName, setting: float, minor: float) -> Engine:
    return Engine(write_inp(path / "prv.inp", BEHIND_PRVS.format(setting=setting, minor=minor)), library)


# the first PRV holds its setting, is open, is open with a loss of its own, stands at the edge of opening
@pytest.mark.parametrize(("setting", "minor"), [(40, 0), (40, 5), (90, 0), (90, 5)])
def test_pressures_and_pipes_behind_prvs(setting: float, minor: float, library: LibraryName, tmp_path: Path) -> None:
    with behind_prvs(tmp_path, library, setting, minor) as engine:
        moment = Moment(engine, engine.demand_at(0), without_pumps=False)
        nodes, links = engine.junctions, engine.topology.pipes
        status = engine.read("link", "status")
        assert status[engine.topology.link("check")] == 0  # the check valve is shut
        found = derivatives(engine, nodes, links)
        n = len(nodes)
        expected = moment.by_demand(nodes, nodes, links)
        assert error(found.by_demand[nodes][:, :n], expected[:, :n]) < 1e-3
        assert error(found.by_demand[nodes][:, n:], expected[:, n:]) < 1e-3
        expected = moment.by_resistance(links, nodes, links)
        assert error(found.by_resistance[links][:, :n], expected[:, :n]) < 1e-3
        assert error(found.by_resistance[links][:, n:], expected[:, n:]) < 1e-3


@pytest.mark.parametrize(("setting", "minor"), [(40, 0), (90, 0), (90, 5)])
def test_flow_through_a_metered_prv(setting: float, minor: float, library: LibraryName, tmp_path: Path) -> None:
    with behind_prvs(tmp_path, library, setting, minor) as engine:
        moment = Moment(engine, engine.demand_at(0), without_pumps=False)
        nodes, pipes = engine.junctions, engine.topology.pipes
        valves = np.array([engine.topology.link("v1"), engine.topology.link("v2")])
        none = np.empty(0, dtype=np.int64)
        found = derivatives(engine, none, valves)
        # everything behind a PRV is fed through it alone
        np.testing.assert_allclose(found.by_demand[nodes, 0], [0, 0, 1, 1, 1, 1, 1, 1], atol=1e-4)
        np.testing.assert_allclose(found.by_demand[nodes, 1], [0, 0, 0, 0, 0, 1, 1, 1], atol=1e-4)
        np.testing.assert_allclose(found.by_demand[nodes], moment.by_demand(nodes, none, valves), atol=1e-4)
        np.testing.assert_allclose(found.by_resistance[pipes], 0.0, atol=1e-5)


def test_flow_through_a_metered_prv_beside_another_way(library: LibraryName, tmp_path: Path) -> None:
    # a second way into the district: the PRV's flow now depends on resistances and is shared
    body = BEHIND_PRVS.format(setting=40, minor=0).replace("[VALVES]", " p9 a e 900 100 100 0 Open\n[VALVES]")
    with Engine(write_inp(tmp_path / "two.inp", body), library) as engine:
        moment = Moment(engine, engine.demand_at(0), without_pumps=False)
        nodes, pipes = engine.junctions, engine.topology.pipes
        valves = np.array([engine.topology.link("v1"), engine.topology.link("v2")])
        assert moment.base_flow[valves].min() > 1e-3
        found = derivatives(engine, nodes, valves)
        assert error(found.by_demand[nodes], moment.by_demand(nodes, nodes, valves)) < 1e-3
        expected = moment.by_resistance(pipes, nodes, valves)
        n = len(nodes)
        assert error(found.by_resistance[pipes][:, :n], expected[:, :n]) < 1e-3
        assert error(found.by_resistance[pipes][:, n:], expected[:, n:]) < 1e-3


def test_nothing_passes_a_shut_check_valve(library: LibraryName, tmp_path: Path) -> None:
    with behind_prvs(tmp_path, library, 40, 0) as engine:
        moment = Moment(engine, engine.demand_at(0), without_pumps=False)
        check = np.array([engine.topology.link("check")])
        assert moment.base_flow[check[0]] < 1e-9
        found = derivatives(engine, engine.junctions, check)
        assert np.abs(found.by_demand[:, -1]).max() < 1e-6
        assert np.abs(found.by_resistance[check[0]]).max() < 1e-6


# laws -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_meter_on_a_closed_link_shows_nothing_whatever_leaks(library: LibraryName) -> None:
    """What seeps through EPANET's resistance of closed links must not be taken for a response: a pump that a measured
    flow replaces would pull at every parameter."""
    with Engine("Net3", library) as engine:
        engine.set_status("10", is_open=False)
        engine.set_status("101", is_open=False)
        engine.start()
        engine.solve()
        links = np.array([engine.topology.link(name) for name in ("10", "101", "111")])
        found = derivatives(engine, np.array([engine.topology.node("15")]), links)
    assert not found.by_demand[:, 1:3].any()
    assert not found.by_resistance[:, 1:3].any()
    assert np.abs(found.by_demand[:, 3]).max() > 0.01


def test_more_demand_lowers_every_pressure_and_reciprocally() -> None:
    with Engine("ky4") as engine:
        Moment(engine, engine.demand_at(8 * 3600), without_pumps=True)
        nodes = engine.junctions[::40]
        found = derivatives(engine, nodes, np.empty(0, dtype=np.int64)).by_demand[nodes]
    assert found.max() <= 1e-9
    assert found.min() < -1.0
    # without PRVs the Laplacian is symmetric: what a tap at one node does to another, it does back
    np.testing.assert_allclose(found, found.T, rtol=1e-6, atol=1e-9)


def test_fixed_heads_and_pumps_have_no_derivative() -> None:
    with Engine("Net3") as engine:
        Moment(engine, engine.demand_at(8 * 3600), without_pumps=True)
        links = engine.topology.pipes[:5]
        found = derivatives(engine, np.array([*engine.junctions[:3], *engine.tanks]), links)
    assert (found.by_demand[engine.tanks] == 0.0).all()  # a tank gives whatever is asked
    assert (found.by_demand[:, 3:6] == 0.0).all()  # and its level does not move within a moment
    assert (found.by_resistance[engine.pumps] == 0.0).all()
    assert found.by_demand.shape == (len(engine.topology.nodes), 3 + len(engine.tanks) + 5)
    assert found.by_resistance.shape == (len(engine.topology.links), 3 + len(engine.tanks) + 5)
