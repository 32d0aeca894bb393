"""The fast solver against EPANET, network by network and scenario by scenario, and its parts against slow twins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.fast.arrays import aligned
from hydro.fast.batch import Solved, solve, why_not
from hydro.fast.factor import factorise_and_solve
from hydro.fast.lanes import WIDTH, put, row
from hydro.fast.plan import NEVER, Hole, Plan, Shut, check, plan_of
from hydro.fast.powers import logarithm, logarithm_table, power, power_table
from hydro.fast.symbolic import analyse
from hydro.leaks import orifice
from hydro.scenario import (
    DISCHARGE,
    Burst,
    Closure,
    Event,
    FireFlow,
    Leak,
    Noise,
    PressureDriven,
    PumpTrip,
    Scenario,
    Surge,
)
from networks import Topology, UnknownElement, find, load
from tests.hydro.exactly import exactly

_HOUR = 3600
_MILLIMETRE = 1e-3


def _hole(diameter: float, *, node: str = "", pipe: str = "", start: int = 0, end: int | None = None) -> Leak:
    return Leak(pipe=pipe, junction=node, diameter=diameter, start=start, end=end)


def _story(*events: Event, demand: float = 1.0) -> Scenario:
    return Scenario(events=(*events, Surge(factor=demand)) if demand != 1.0 else events)


def _solve(
    source: str | Path, scenarios: list[Scenario], nodes: tuple[str, ...], links: tuple[str, ...], hours: float
) -> dict[int, Solved]:
    """What the fast solver proves, by number of the scenario."""
    network = load(source)
    with Engine(network) as engine:
        engine.duration = round(hours * _HOUR)
        assert why_not(engine, network) == ""
        return {solved.number: solved for solved in solve(engine, scenarios, nodes, links)}


def _compare(source: str | Path, scenarios: list[Scenario], hours: float) -> dict[int, float]:
    """Run in both; give the largest difference of pressure at all junctions of each scenario that is proved, m."""
    network = load(source)
    with Engine(network) as engine:
        nodes = tuple(engine.topology.nodes[k] for k in engine.junctions)
        links = engine.topology.links
    worst = {}
    for k, solved in _solve(source, scenarios, nodes, links, hours).items():
        trace = exactly(network, scenarios[k], nodes, links, round(hours * _HOUR))
        assert np.array_equal(np.isnan(trace.pressure), np.isnan(solved.pressure))
        worst[k] = float(np.nanmax(np.abs(trace.pressure - solved.pressure)))
        np.testing.assert_allclose(solved.leak, trace.leak, rtol=1e-4, atol=1e-8)
        np.testing.assert_allclose(solved.flow, trace.flow, rtol=1e-3, atol=5e-5)
    return worst


def _mixed(name: str) -> list[Scenario]:
    """Leaks at junctions and in pipes that come and go, two at once, a closed pipe, more and less demand."""
    with Engine(load(find(name)[1])) as engine:
        topology = engine.topology
        plain = np.flatnonzero(engine.link_types == 1)
        ends = topology.is_junction[topology.start[plain]] & topology.is_junction[topology.end[plain]]
        pipes = [topology.links[k] for k in plain[ends]]
        nodes = [topology.nodes[k] for k in engine.junctions]
    one, two = pipes[len(pipes) // 3], pipes[len(pipes) // 2]
    return [
        _story(),
        _story(_hole(0.02, node=nodes[len(nodes) // 2])),
        _story(_hole(0.015, pipe=one, start=3 * _HOUR + 700)),
        _story(_hole(0.01, pipe=two, start=_HOUR, end=6 * _HOUR), _hole(0.01, node=nodes[3], start=2 * _HOUR)),
        _story(_hole(0.01, pipe=two), _hole(0.02, pipe=two, start=4 * _HOUR)),
        _story(Closure(link=one, start=2 * _HOUR, end=5 * _HOUR)),
        _story(_hole(0.01, node=nodes[7]), demand=0.9),
        _story(demand=1.1),
    ]


@pytest.mark.parametrize(("name", "hours"), [("Net3", 24.0), ("L-TOWN", 12.0), ("uman", 8.0)])
def test_agrees_with_epanet(name: str, hours: float) -> None:
    scenarios = _mixed(name)
    worst = _compare(find(name)[1], scenarios, hours)
    assert len(worst) >= len(scenarios) - 3  # the others hang on half a second
    assert max(worst.values()) < _MILLIMETRE


_VALVES = """[JUNCTIONS]
A 10
B 8
C 5
D 4
E 6
F 3
G 2
[RESERVOIRS]
R 60 wave
[TANKS]
T 45 3 0.5 4 9 0
[PIPES]
1 R A 900 300 {rough} 0.5
2 B C 700 250 {rough} 0 OPEN
3 C D 650 200 {rough} 0 CV
4 D E 500 150 {rough}
5 E F 800 150 {rough} 2
6 F G 300 100 {rough}
7 C T 400 200 {rough}
8 A E 1500 150 {rough}
9 D G 900 100 {rough} 0 CLOSED
[PUMPS]
P T B {pump}
[VALVES]
V A B 250 {valve} {setting} 0.2
[DEMANDS]
C 8
D 6 wave
E 7 wave
F 5
G 4
[EMITTERS]
F {emitter}
[CURVES]
Q1 20 30
Q3 0 40
Q3 20 30
Q3 45 5
Q4 0 42
Q4 15 35
Q4 30 22
Q4 60 3
H 0 0
H 20 2
H 60 11
K 0 0
K 50 40
K 100 100
[PATTERNS]
wave 1 1.05 0.98 1.1 0.9 1
speed 1 0.95 0.9 1 0 1
[CONTROLS]
LINK P CLOSED IF NODE T BELOW 1.5
LINK P OPEN IF NODE T ABOVE 2.5
LINK 8 CLOSED AT TIME 5
LINK 8 OPEN AT CLOCKTIME 7 AM
{control}
[TIMES]
Duration 10
Hydraulic Timestep 0:30
Pattern Timestep 1:00
Report Timestep 0:30
[OPTIONS]
Units LPS
Headloss {law}
Accuracy 0.0001
Emitter Exponent {exponent}
{more}
[END]
"""
_ROUGH = {"H-W": 120, "D-W": 0.2, "C-M": 0.012}
_PDD = "Demand Model PDA\nMinimum Pressure 2\nRequired Pressure 48\nPressure Exponent 0.5"


@pytest.mark.parametrize(
    ("valve", "setting", "pump", "law", "more", "control", "emitter"),
    [
        ("PRV", 30, "HEAD Q1", "H-W", "", "", 0.2),
        ("PSV", 40, "HEAD Q3", "D-W", "", "LINK V 38 AT TIME 4", 0.0),
        ("PBV", 12, "HEAD Q4", "C-M", "", "LINK V CLOSED AT TIME 4", 0.3),
        ("FCV", 15, "HEAD Q3", "H-W", "", "LINK V OPEN AT TIME 3", 0.0),
        ("TCV", 25, "HEAD Q3 SPEED 0.9", "D-W", "", "LINK V 60 IF NODE G ABOVE 49", 0.2),
        ("GPV", "H", "HEAD Q3 PATTERN speed", "H-W", "", "", 0.0),
        ("PCV", "60 K", "HEAD Q4 SPEED 1.05", "H-W", "", "", 0.0),
        ("PRV", 35, "HEAD Q3", "H-W", _PDD, "", 0.2),
    ],
)
def test_every_device_and_law(
    tmp_path: Path, valve: str, setting: object, pump: str, law: str, more: str, control: str, emitter: float
) -> None:
    text = _VALVES.format(rough=_ROUGH[law], pump=pump, valve=valve, setting=setting, law=law, more=more,
                          control=control, emitter=emitter, exponent=0.5)  # fmt: skip
    if valve == "PCV":
        text = text.replace("V A B 250 PCV 60 K 0.2", "V A B 250 PCV 60 0.2 K")
    path = tmp_path / "net.inp"
    path.write_text(text)
    scenarios = [
        _story(),
        _story(_hole(0.02, node="D")),
        _story(_hole(0.03, pipe="5", start=_HOUR), demand=1.1),
        _story(_hole(0.02, pipe="4"), Closure(link="6", start=2 * _HOUR, end=3 * _HOUR)),
        _story(_hole(0.03, pipe="3")),
    ]
    worst = _compare(path, scenarios, 10.0)
    assert 4 not in worst  # a leak in a check valve's pipe
    assert len(worst) >= 3
    assert max(worst.values()) < _MILLIMETRE


@pytest.mark.parametrize(
    ("name", "reason"),
    [("BWSN_Network_1", "the network has rules"), ("ky4", "pump ~@Pump-1 is of constant power")],
)
def test_what_the_solver_does_not_know_is_said(name: str, reason: str) -> None:
    network = load(find(name)[1])
    with Engine(network) as engine:
        assert why_not(engine, network) == reason


def test_result_does_not_hang_on_its_neighbours() -> None:
    scenarios, path = _mixed("Net3"), find("Net3")[1]
    names = ("15", "231")
    together = _solve(path, scenarios, names, (), 24.0)
    for k, scenario in enumerate(scenarios):
        alone = _solve(path, [scenario], names, (), 24.0)
        assert (k in together) == (0 in alone)
        if alone:
            np.testing.assert_allclose(alone[0].pressure, together[k].pressure, rtol=0, atol=1e-9)


def test_water_is_conserved() -> None:
    network = load(find("L-TOWN")[1])
    with Engine(network) as engine:
        topology, engine.duration = engine.topology, 2 * _HOUR
        demand = np.array([engine.demand_at(t).sum() for t in range(0, 2 * _HOUR + 1, 300)])
        sources = ~topology.is_junction
        out = sources[topology.start] & ~sources[topology.end]
        into = sources[topology.end] & ~sources[topology.start]
        edge = tuple(topology.links[k] for k in np.flatnonzero(out | into))
        sign = np.where(out, 1.0, -1.0)[out | into]
        pipe = topology.links[int(engine.topology.pipes[400])]
    solved = _solve(find("L-TOWN")[1], [_story(_hole(0.03, pipe=pipe))], (), edge, 2.0)[0]
    np.testing.assert_allclose(solved.flow @ sign, demand + solved.leak, rtol=0, atol=1e-6)


def test_leak_follows_the_orifice_law() -> None:
    leak = _hole(0.02, node="123", start=2 * _HOUR, end=5 * _HOUR)
    solved = _solve(find("Net3")[1], [_story(leak)], ("123",), (), 8.0)[0]
    times = np.arange(len(solved.leak)) * _HOUR
    is_open = (times >= leak.start) & (times < 5 * _HOUR)
    coefficient = orifice(np.pi / 4.0 * 0.02**2, DISCHARGE)
    expected = np.where(is_open, coefficient * np.sqrt(solved.pressure[:, 0]), 0.0)
    np.testing.assert_allclose(solved.leak, expected, rtol=1e-6, atol=1e-12)


def test_plan_says_what_the_scenario_says() -> None:
    given = _story(_hole(0.02, node="15", start=60), Closure(link="20", end=90), Surge(factor=1.5), demand=2.0)
    hole = Hole(orifice(np.pi / 4.0 * 0.02**2, DISCHARGE), "", "15", 60, NEVER)
    assert plan_of(given) == Plan((hole,), (Shut("20", 0, 90),), 3.0)
    assert Plan((hole,), (Shut("20", 0, 90),)).changes() == [0, 60, 90]


@pytest.mark.parametrize(
    "scenario",
    [
        _story(Burst(pipe="20")),
        _story(Leak(pipe="20", diameter=0.02, position=0.4)),
        _story(Leak(pipe="20", diameter=0.02, growth=3600)),
        _story(Leak(pipe="20", area=1e-4, expansion=1e-6)),
        _story(Surge(factor=1.2, junctions=("15",))),
        _story(Surge(factor=1.2, start=60)),
        _story(FireFlow(junction="15", flow=0.01)),
        _story(PumpTrip(pump="10")),
        _story(_hole(0.02, pipe="20"), Closure(link="20")),
        Scenario(pressure_driven=PressureDriven()),
        Scenario(noise=Noise(demand=0.1)),
    ],
)
def test_what_is_not_plain_is_left_to_epanet(scenario: Scenario) -> None:
    assert plan_of(scenario) is None


def test_names_that_are_not_there_are_left_to_epanet() -> None:
    path = find("Net3")[1]
    scenarios = [_story(_hole(0.02, pipe="nowhere")), _story(_hole(0.02, node="River")), _story()]
    assert list(_solve(path, scenarios, ("15",), (), 1.0)) == [2]
    with Engine(load(path)) as engine:
        topology: Topology = engine.topology
    for scenario in scenarios[:2]:
        plan = plan_of(scenario)
        assert plan is not None
        with pytest.raises((HydraulicError, UnknownElement), match=r"no pipe 'nowhere'|'River': that is no junction"):
            check(topology, plan)
    with pytest.raises(UnknownElement, match="no node 'nowhere'"):
        _solve(path, [_story()], ("nowhere",), (), 1.0)


@njit  # type: ignore[untyped-decorator]
def _apply(table: np.ndarray, logarithms: np.ndarray, x: np.ndarray, raised: np.ndarray, logged: np.ndarray) -> None:
    for i in range(len(x)):
        put(raised, i, power(table, row(x, i)))
        put(logged, i, logarithm(logarithms, row(x, i)))


@pytest.mark.parametrize("exponent", [-0.852, -0.9, -1.0, 0.5, 0.852, 1.0, 2.0])
def test_powers_and_logarithms(exponent: float) -> None:
    x, raised, logged = aligned(200), aligned(200), aligned(200)
    x[:] = 10.0 ** np.random.default_rng(1).uniform(-12.0, 6.0, x.shape)
    _apply(power_table(exponent), logarithm_table(), x, raised, logged)
    np.testing.assert_allclose(raised, x**exponent, rtol=2e-9)
    np.testing.assert_allclose(logged, np.log(x), rtol=0, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_factor_solves_as_scipy_does(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    extra = rng.integers(0, size, (size, 2))
    ends = np.concatenate((np.stack((np.arange(1, size), rng.integers(0, np.arange(1, size))), axis=1), extra))
    ends = ends[ends[:, 0] != ends[:, 1]]
    pattern = analyse(size, ends)
    value = 10.0 ** rng.uniform(-3, 3, (len(ends), WIDTH))
    diagonal, below, right = aligned(size), aligned(len(pattern.rows) + 1), aligned(size)
    diagonal[:] = 0.1
    load_ = rng.normal(size=(size, WIDTH))
    right[pattern.place] = load_
    dense = np.tile(0.1 * np.eye(size), (WIDTH, 1, 1))
    for (a, b), p in zip(ends.tolist(), value, strict=True):
        below[pattern.entry(a, b)] -= p
        for i, j, sign in ((a, a, 1.0), (b, b, 1.0), (a, b, -1.0), (b, a, -1.0)):
            dense[:, i, j] += sign * p
        diagonal[pattern.place[a]] += p
        diagonal[pattern.place[b]] += p
    factorise_and_solve(size, pattern.first, pattern.rows, pattern.target, diagonal, below, right)
    for lane in (0, WIDTH - 1):
        expected = spsolve(coo_array(dense[lane]).tocsc(), load_[:, lane])
        np.testing.assert_allclose(right[pattern.place, lane], expected, rtol=1e-7, atol=1e-9)
