"""What happens to a network happens as it was told, and is gone afterwards."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from hydro.course import Course
from hydro.engine import Engine
from hydro.errors import HydraulicError, ScenarioError
from hydro.leaks import GRAVITY
from hydro.library import LibraryName
from hydro.quality import Quality
from hydro.run import Results, run
from hydro.scenario import (
    Burst,
    Closure,
    Event,
    FireFlow,
    Leak,
    Noise,
    PowerCut,
    PressureDriven,
    PumpTrip,
    Scenario,
    Setting,
    Surge,
)
from networks import UnknownElement, load
from tests.hydro.inp import town, write_inp

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
LIBRARIES: tuple[LibraryName, ...] = get_args(LibraryName)
HOUR = 3600


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> LibraryName:
    name: LibraryName = request.param
    return name


@pytest.fixture
def town_inp(tmp_path: Path) -> Path:
    return write_inp(tmp_path / "town.inp", town(), hours=12)


def story(*events: Event, **options: object) -> Scenario:
    return Scenario("story", tuple(events), **options)  # type: ignore[arg-type]


def node(results: Results, quantity: str, name: str) -> np.ndarray:
    return results.node_values[quantity][:, results.nodes.index(name)]


def link(results: Results, quantity: str, name: str) -> np.ndarray:
    return results.link_values[quantity][:, results.links.index(name)]


# leaks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [0.1, 0.5, 0.83])
def test_a_leak_takes_what_the_orifice_equation_says(town_inp: Path, position: float, library: LibraryName) -> None:
    leak = Leak(pipe="p3", position=position, diameter=0.02, discharge=0.6, start=2 * HOUR, end=5 * HOUR)
    results = run(town_inp, story(leak), library=library)
    pressure = node(results, "pressure", "leak~p3")
    on = (results.times >= 2 * HOUR) & (results.times < 5 * HOUR)
    wanted = np.where(on, 0.6 * np.pi / 4 * 0.02**2 * np.sqrt(2 * GRAVITY * pressure), 0.0)
    np.testing.assert_allclose(results.leak_flows["p3"], wanted, rtol=1e-12)
    # the junction's demand is what leaves there: computed by EPANET, not by us
    np.testing.assert_allclose(node(results, "demand", "leak~p3"), wanted, rtol=1e-4, atol=1e-9)
    assert wanted.max() > 1e-3


def test_a_leak_s_place_divides_the_pipe(town_inp: Path, library: LibraryName) -> None:
    with Engine(town_inp, library) as engine:
        length = engine.topology.length[engine.topology.link("p4")]
        heights = [engine.value("node", engine.topology.node(n), "elevation") for n in ("a", "d")]
        course = Course(engine, story(Leak(pipe="p4", position=0.3, diameter=0.01)))
        topology = engine.topology
        assert topology.length[topology.link("p4")] == pytest.approx(0.3 * length)
        assert topology.length[topology.link("leak~p4~2")] == pytest.approx(0.7 * length)
        elevation = engine.value("node", topology.node("leak~p4"), "elevation")
        assert elevation == pytest.approx(0.7 * heights[0] + 0.3 * heights[1])
        course.end()
        assert engine.topology.length[engine.topology.link("p4")] == pytest.approx(length)


def test_two_leaks_in_one_pipe(town_inp: Path, library: LibraryName) -> None:
    leaks = [Leak(pipe="p4", position=p, diameter=0.02) for p in (0.7, 0.2, 0.2)]
    results = run(town_inp, story(*leaks), library=library)
    assert set(results.leak_flows) == {"p4", "p4~2", "p4~3"}
    np.testing.assert_allclose(results.leak_flows["p4~2"], results.leak_flows["p4~3"])
    at = [k for k, name in enumerate(results.nodes) if name.startswith("leak")]
    drawn = results.node_values["demand"][:, at].sum(axis=1)
    np.testing.assert_allclose(drawn, sum(results.leak_flows.values()), rtol=1e-4)


def test_leaks_of_one_place_are_told_apart_whatever_its_name(tmp_path: Path) -> None:
    path = write_inp(tmp_path / "wavy.inp", town().replace(" p3 ", " p~3 "), hours=0)
    leaks = [Leak(pipe="p~3", position=p, diameter=0.01) for p in (0.2, 0.5, 0.8)]
    assert list(run(path, story(*leaks)).leak_flows) == ["p~3", "p~3~2", "p~3~3"]


def test_a_growing_leak_grows(town_inp: Path, library: LibraryName) -> None:
    leak = Leak(pipe="p3", diameter=0.02, start=HOUR, growth=8 * HOUR)
    results = run(town_inp, story(leak), library=library)
    pressure, flow = node(results, "pressure", "leak~p3"), results.leak_flows["p3"]
    share = np.clip((results.times - HOUR) / (8 * HOUR), 0.0, 1.0)
    whole = 0.75 * np.pi / 4 * 0.02**2 * np.sqrt(2 * GRAVITY * pressure)
    np.testing.assert_allclose(flow, share * whole, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(node(results, "demand", "leak~p3"), flow, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("growth", [0, 4 * HOUR])
def test_a_hole_that_widens_takes_what_favad_says(town_inp: Path, growth: int) -> None:
    leak = Leak(pipe="p3", area=1e-4, expansion=2e-6, discharge=0.7, start=2 * HOUR, growth=growth)
    results = run(town_inp, story(leak))
    pressure = node(results, "pressure", "leak~p3")
    share = np.where(results.times < 2 * HOUR, 0.0, 1.0)
    if growth:
        share = np.clip((results.times - 2 * HOUR) / growth, 0.0, 1.0)
    wanted = share * 0.7 * np.sqrt(2 * GRAVITY) * (1e-4 * pressure**0.5 + 2e-6 * pressure**1.5)
    ends = [k for k, name in enumerate(results.nodes) if name.startswith("leak")]
    drawn = results.node_values["demand"][:, ends].sum(axis=1)
    # EPANET's constant holds g = 32.2 ft/s2, ours 9.81 m/s2
    np.testing.assert_allclose(drawn, wanted, rtol=1e-3, atol=3e-6)
    np.testing.assert_allclose(results.leak_flows["p3"], wanted, rtol=1e-12, atol=1e-15)


def test_2_2_says_that_it_cannot_widen_a_hole(town_inp: Path) -> None:
    with pytest.raises(HydraulicError, match=r"use library 2\.3"):
        run(town_inp, story(Leak(pipe="p3", area=1e-4, expansion=1e-6)), library="2.2")


def test_an_orifice_among_emitters_of_another_exponent(tmp_path: Path) -> None:
    """Background losses as emitters of exponent 1.1, a hole of 0.5: each takes what its own law says."""
    body = town() + "[EMITTERS]\n b 0.02\n e 0.03\n"
    path = write_inp(tmp_path / "mixed.inp", body, hours=6)
    path.write_text(path.read_text("utf-8").replace("Emitter Exponent 0.5", "Emitter Exponent 1.1"), "utf-8")
    results = run(path, story(Leak(pipe="p3", diameter=0.02)))
    calm = run(path)
    # emitters: L/s per m^1.1; the town's own demand is what the calm run's balance leaves
    for name, coefficient in (("b", 0.02e-3), ("e", 0.03e-3)):
        own = node(calm, "demand", name) - coefficient * node(calm, "pressure", name) ** 1.1
        wanted = own + coefficient * node(results, "pressure", name) ** 1.1
        np.testing.assert_allclose(node(results, "demand", name), wanted, rtol=1e-4)
    pressure = node(results, "pressure", "leak~p3")
    ends = [k for k, name in enumerate(results.nodes) if name.startswith("leak")]
    wanted = 0.75 * np.pi / 4 * 0.02**2 * np.sqrt(2 * GRAVITY * pressure)
    np.testing.assert_allclose(results.node_values["demand"][:, ends].sum(axis=1), wanted, rtol=1e-3)
    with pytest.raises(HydraulicError, match="two exponents"):
        run(path, story(Leak(pipe="p3", diameter=0.02)), library="2.2")


@pytest.mark.filterwarnings("ignore:Covariance of the parameters")  # WNTR fits Net3's pump curves
def test_the_same_leak_gives_wntrs_flow(library: LibraryName) -> None:
    """WNTRSimulator solves the orifice equation itself; same place, size and coefficient: within 1 %."""
    import wntr

    results = run("Net3", story(Leak(junction="123", area=5e-4)), hours=6.0, library=library)
    model = load("Net3").model
    model.options.time.duration = 6 * HOUR
    model.get_node("123").add_leak(model, area=5e-4, discharge_coeff=0.75, start_time=0)
    theirs = wntr.sim.WNTRSimulator(model).run_sim().node["leak_demand"]["123"].to_numpy()
    np.testing.assert_allclose(results.leak_flows["123"], theirs, rtol=0.01)
    assert theirs.min() > 1e-3


@pytest.mark.filterwarnings("ignore:Covariance of the parameters")
def test_the_same_leak_in_a_pipe_gives_wntrs_flow() -> None:
    """At any point of a pipe, beginning and ending: WNTR splits the pipe itself."""
    import wntr

    leak = Leak(pipe="175", position=0.3, diameter=0.03, discharge=0.6, start=HOUR, end=4 * HOUR)
    results = run("Net3", story(leak), hours=6.0)
    model = wntr.morph.split_pipe(load("Net3").model, "175", "rest", "hole", split_at_point=0.3)
    model.options.time.duration = 6 * HOUR
    hole = model.get_node("hole")
    hole.add_leak(model, area=np.pi / 4 * 0.03**2, discharge_coeff=0.6, start_time=HOUR, end_time=4 * HOUR)
    theirs = wntr.sim.WNTRSimulator(model).run_sim().node["leak_demand"]["hole"].to_numpy()
    np.testing.assert_allclose(results.leak_flows["175"], theirs, rtol=0.01)
    assert (theirs > 1e-3).sum() == 3


def test_a_leak_beside_an_emitter_at_the_same_junction(tmp_path: Path, library: LibraryName) -> None:
    path = write_inp(tmp_path / "spray.inp", town() + "[EMITTERS]\n b 0.5\n", hours=2)
    results = run(path, story(Leak(junction="b", diameter=0.02)), library=library)
    calm = run(path, library=library)
    own = node(calm, "demand", "b") - 0.5e-3 * np.sqrt(node(calm, "pressure", "b"))
    pressure = node(results, "pressure", "b")
    wanted = own + 0.5e-3 * np.sqrt(pressure) + results.leak_flows["b"]
    np.testing.assert_allclose(node(results, "demand", "b"), wanted, rtol=1e-4)


@pytest.mark.parametrize(("library", "backflow"), [("2.3", "NO"), ("2.3", "YES"), ("2.2", "")])
def test_a_leak_under_suction_is_told_as_epanet_has_it(tmp_path: Path, library: LibraryName, backflow: str) -> None:
    """Water that a hole draws in is in the balance of its junction, so it has to be in the leak's flow."""
    option = f"[OPTIONS]\n Backflow Allowed {backflow}\n" if backflow else ""
    body = "[RESERVOIRS]\n r 10\n[JUNCTIONS]\n hill 40 1\n[PIPES]\n p r hill 100 100 100\n"
    results = run(
        write_inp(tmp_path / "hill.inp", body + option),
        Scenario(events=(Leak(junction="hill", diameter=0.01),)), library=library,
    )  # fmt: skip
    taken = results.link_values["flow"][0, 0] - 1e-3
    assert results.node_values["pressure"][0, results.nodes.index("hill")] < -20.0
    assert results.leak_flows["hill"][0] == pytest.approx(taken, abs=1e-8)
    assert (taken < -1e-3) == (backflow != "NO")


def test_a_burst_takes_a_share_of_the_pipe(town_inp: Path, library: LibraryName) -> None:
    results = run(town_inp, story(Burst(pipe="p8", share=0.1)), library=library)
    area = 0.1 * np.pi / 4 * 0.1**2
    wanted = 0.75 * area * np.sqrt(2 * GRAVITY * np.maximum(node(results, "pressure", "leak~p8"), 0.0))
    np.testing.assert_allclose(results.leak_flows["p8"], wanted)
    calm = run(town_inp, library=library)
    assert (node(results, "pressure", "f") < node(calm, "pressure", "f") - 1.0).all()


# links that are held --------------------------------------------------------------------------------------------------


def test_a_closure_holds_and_ends(town_inp: Path, library: LibraryName) -> None:
    results = run(town_inp, story(Closure(link="p3", start=3 * HOUR, end=6 * HOUR)), library=library)
    flow = np.abs(link(results, "flow", "p3"))
    shut = (results.times >= 3 * HOUR) & (results.times < 6 * HOUR)
    assert (flow[shut] < 1e-8).all()
    assert (flow[~shut] > 1e-5).all()


def test_no_power_no_pump_whatever_the_controls_want(library: LibraryName) -> None:
    """Net1's pump is opened by a control when the tank is low: not without power."""
    results = run("Net1", story(PowerCut(start=0, end=20 * HOUR)), hours=24.0, library=library)
    flow, level = link(results, "flow", "9"), node(results, "pressure", "2")
    off = results.times < 20 * HOUR
    assert (np.abs(flow[off]) < 1e-8).all()
    assert level[off].min() < 110 * 0.3048 - 1.0  # the control would have started the pump long before
    assert (flow[results.times >= 20 * HOUR] > 1e-2).all()  # and does so when the power is back


def test_a_timer_that_fires_in_the_outage_holds_after_it(library: LibraryName) -> None:
    """Net3's pump 10 is opened at 1 h and closed at 15 h by time: after an outage over 15 h it stays shut."""
    calm = run("Net3", hours=24.0, library=library)
    before = run("Net3", story(PumpTrip(pump="10", start=3 * HOUR, end=5 * HOUR)), hours=24.0, library=library)
    over = run("Net3", story(PumpTrip(pump="10", start=13 * HOUR, end=17 * HOUR)), hours=24.0, library=library)
    for results, off in ((calm, (0, 0)), (before, (3, 5)), (over, (13, 24))):
        running = link(results, "flow", "10") > 1e-6
        hours = results.times // HOUR
        wanted = (hours >= 1) & (hours < 15) & ~((hours >= off[0]) & (hours < off[1]))
        np.testing.assert_array_equal(running, wanted)


def test_a_rule_does_not_undo_an_outage(library: LibraryName, tmp_path: Path) -> None:
    body = """
[RESERVOIRS]
 low 10
[TANKS]
 high 60 3 0 5 10 0
[JUNCTIONS]
 a 10 0
 b 10 2
[PIPES]
 in low a 100 300 130 0 Open
 up b high 100 300 130 0 Open
[PUMPS]
 lift a b HEAD c
[CURVES]
 c 60 90
[RULES]
RULE 1
IF TANK high LEVEL < 4.9
THEN PUMP lift STATUS = OPEN
"""
    inp = write_inp(tmp_path / "ruled.inp", body, hours=8)
    results = run(inp, story(PumpTrip(pump="lift", start=2 * HOUR, end=5 * HOUR)), library=library)
    flow = link(results, "flow", "lift")
    off = (results.times >= 2 * HOUR) & (results.times < 5 * HOUR)
    assert (np.abs(flow[off]) < 1e-8).all()
    assert (flow[~off] > 1e-3).all()


def test_outages_that_overlap_end_with_the_last(library: LibraryName) -> None:
    events = (PumpTrip(pump="10", start=3 * HOUR, end=6 * HOUR), PowerCut(start=5 * HOUR, end=8 * HOUR))
    results = run("Net3", story(*events), hours=12.0, library=library)
    hours = results.times // HOUR
    np.testing.assert_array_equal(link(results, "flow", "10") > 1e-6, (hours >= 1) & ((hours < 3) | (hours >= 8)))


def test_a_set_point_changes_and_comes_back(library: LibraryName) -> None:
    with Engine("L-TOWN", library) as engine:
        valve = int(np.flatnonzero(engine.link_types == 3)[-1])
        name, behind = engine.topology.links[valve], engine.topology.nodes[engine.topology.end[valve]]
        usual = engine.value("link", valve, "init_setting")
    results = run("L-TOWN", story(Setting(link=name, value=25.0, start=HOUR, end=2 * HOUR)), 3.0, library)
    on = (results.times >= HOUR) & (results.times < 2 * HOUR)
    np.testing.assert_allclose(node(results, "pressure", behind)[on], 25.0, atol=0.01)
    np.testing.assert_allclose(node(results, "pressure", behind)[~on], usual, atol=0.01)


# demand ---------------------------------------------------------------------------------------------------------------


def test_a_surge_multiplies_demand(library: LibraryName) -> None:
    surge = Surge(junctions=("15", "35"), factor=1.5, start=2 * HOUR, end=4 * HOUR)
    calm = run("Net3", hours=6.0, library=library)
    results = run("Net3", story(surge), hours=6.0, library=library)
    on = (results.times >= 2 * HOUR) & (results.times < 4 * HOUR)
    for name in ("15", "35"):
        wanted = node(calm, "demand", name) * np.where(on, 1.5, 1.0)
        np.testing.assert_allclose(node(results, "demand", name), wanted, rtol=1e-6)
    np.testing.assert_allclose(node(results, "demand", "101"), node(calm, "demand", "101"), rtol=1e-6)


def test_a_surge_of_a_block() -> None:
    uman = load("uman")
    assert uman.nodes is not None
    inside = set(uman.nodes.loc[uman.nodes["dma"] == "C1", "node"])
    calm = run(uman, hours=1.0)
    results = run(uman, story(Surge(junctions=("dma:C1",), factor=2.0)), hours=1.0)
    with Engine(uman) as engine:
        asked = engine.demand_at(0)
        mine = np.array([engine.topology.nodes[k] in inside for k in engine.junctions.tolist()])
    grown = (results.node_values["demand"] - calm.node_values["demand"])[0][: len(asked)]
    # leakage gives way a little where the pressure falls
    assert grown[mine].sum() == pytest.approx(asked[mine].sum(), rel=0.05)
    assert np.abs(grown[~mine]).max() < 1e-4
    with pytest.raises(ScenarioError, match="no block 'Z9'"):
        run(uman, story(Surge(junctions=("dma:Z9",), factor=2.0)), hours=1.0)


def test_a_fire_takes_its_flow_on_top(town_inp: Path, library: LibraryName) -> None:
    calm = run(town_inp, library=library)
    results = run(town_inp, story(FireFlow(junction="f", flow=0.01, start=HOUR, end=4 * HOUR)), library=library)
    on = (results.times >= HOUR) & (results.times < 4 * HOUR)
    np.testing.assert_allclose(
        node(results, "demand", "f") - node(calm, "demand", "f"), np.where(on, 0.01, 0.0), atol=1e-8
    )
    assert (node(results, "pressure", "f") < node(calm, "pressure", "f"))[on].all()


def test_pressure_driven_demand_follows_wagner(town_inp: Path, library: LibraryName) -> None:
    driven = PressureDriven(minimum=5.0, required=60.0, exponent=0.5)
    results = run(town_inp, story(pressure_driven=driven), library=library)
    calm = run(town_inp, library=library)
    full, pressure = node(calm, "demand", "e"), node(results, "pressure", "e")
    share = np.clip((pressure - 5.0) / 55.0, 0.0, 1.0) ** 0.5
    assert share.max() < 0.999
    np.testing.assert_allclose(node(results, "demand", "e"), full * share, rtol=1e-3)


# noise ----------------------------------------------------------------------------------------------------------------


def test_demand_noise_is_the_seed_s(library: LibraryName) -> None:
    noisy = [
        run("Net3", Scenario(name, noise=Noise(demand=0.2), seed=seed), 12.0, library)
        for name, seed in (("a", 1), ("a", 1), ("a", 2), ("b", 1))
    ]
    calm = run("Net3", hours=12.0, library=library)
    demands = [results.node_values["demand"] for results in noisy]
    np.testing.assert_array_equal(demands[0], demands[1])
    assert np.abs(demands[0] - demands[2]).max() > 1e-4
    assert np.abs(demands[0] - demands[3]).max() > 1e-4
    kept = calm.node_values["demand"] > 1e-6
    ratio = demands[0][kept] / calm.node_values["demand"][kept] - 1.0
    inner = ratio[np.abs(ratio) < 0.999]  # tanks that fill are no demand
    assert np.std(inner[np.abs(inner) < 1.0]) == pytest.approx(0.2, rel=0.15)
    assert abs(inner.mean()) < 0.03


# order ----------------------------------------------------------------------------------------------------------------


def everything(engine: Engine) -> np.ndarray:
    return np.array(
        [np.concatenate([engine.read("node", "pressure"), engine.read("link", "flow")]) for _ in engine.steps()]
    )


def test_2_2_takes_no_leak_after_a_run(town_inp: Path) -> None:
    """It reads beyond its lists of neighbours then (valgrind says so); better to say no than to crash."""
    with Engine(town_inp, "2.2") as engine:
        everything(engine)
        with pytest.raises(HydraulicError, match="anew"):
            Course(engine, story(Leak(pipe="p3", diameter=0.01)))


def test_an_engine_is_as_it_was_after_every_kind_of_event(library: LibraryName) -> None:
    events: list[Event] = [
        Leak(pipe="101", diameter=0.05, start=HOUR),
        Leak(pipe="101", position=0.9, diameter=0.05, start=HOUR),
        Burst(pipe="175", start=2 * HOUR, end=3 * HOUR),
        Closure(link="111", start=HOUR, end=2 * HOUR),
        PowerCut(start=3 * HOUR),
        Setting(link="10", value=0.9, start=HOUR, end=2 * HOUR),
    ]
    if library == "2.3":
        events.append(Leak(junction="15", area=1e-4, expansion=1e-6, start=HOUR))
    with Engine("Net3", library) as calm:
        calm.duration = 6 * HOUR
        before = everything(calm)
    with Engine("Net3", library) as engine:
        engine.duration = 6 * HOUR
        names = (engine.topology.nodes, engine.topology.links)
        course = Course(engine, story(*events, pressure_driven=PressureDriven()))
        course.begin()
        while True:
            engine.solve()
            if engine.advance() <= 0:
                break
            course.prepare()
        during = engine.read("node", "pressure")
        course.end()
        assert (engine.topology.nodes, engine.topology.links) == names
        after = everything(engine)
    assert len(during) > len(names[0])
    np.testing.assert_allclose(after, before, rtol=0.0, atol=1e-6)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (lambda: Leak(pipe="no such", diameter=0.01), "no such"),
        (lambda: Leak(pipe="p1"), "diameter or its area"),
        (lambda: Leak(pipe="p1", diameter=0.01, area=1e-4), "not both"),
        (lambda: Leak(pipe="p1", diameter=0.01, position=1.5), "position"),
        (lambda: Leak(diameter=0.01), "name a pipe or a junction"),
        (lambda: Leak(pipe="p1", diameter=-0.01), "diameter"),
        (lambda: Leak(pipe="p1", diameter=0.01, start=10, end=5), "ends before"),
        (lambda: Leak(junction="tower", diameter=0.01), "tower"),
        (lambda: Burst(junction="a", share=0.1), "name the pipe"),
        (lambda: Closure(link="no such"), "no such"),
        (lambda: PumpTrip(pump="p1"), "no pump 'p1'"),
        (lambda: Setting(link="p1", value=10.0), "has no setting"),
        (lambda: Setting(link="p1", value=-1.0), "zero or more"),
        (lambda: Surge(junctions=("tower",), factor=2.0), "no junction"),
        (lambda: Surge(junctions=("dma:X",), factor=2.0), "blocks"),
        (lambda: FireFlow(junction="a", flow=0.0), "flow"),
    ],
)
def test_what_cannot_happen_is_said(event: object, words: str, town_inp: Path, library: LibraryName) -> None:
    with pytest.raises((HydraulicError, UnknownElement), match=words):
        run(town_inp, story(event()), library=library)  # type: ignore[operator]


# quality --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["age", "trace:River", "model"])
def test_quality_is_what_wntrs_simulator_computes(kind: str, tmp_path: Path) -> None:
    """EPANET's own transport, in step with the hydraulics, equals a run over saved hydraulics."""
    import wntr

    results = run("Net3", hours=24.0, library="2.2", quality=Quality.parse(kind))
    model = load("Net3").model
    model.options.time.duration = 24 * HOUR
    if kind != "model":
        model.options.quality.parameter = "AGE" if kind == "age" else "TRACE"
        model.options.quality.trace_node = None if kind == "age" else "River"
    theirs = wntr.sim.EpanetSimulator(model).run_sim(file_prefix=str(tmp_path / "wntr")).node["quality"]
    name = {"age": "age", "model": "trace"}.get(kind, "trace")
    factor = 3600.0 if name == "age" else 1.0
    ours = results.node_values[name] * factor
    np.testing.assert_allclose(ours, theirs[list(results.nodes)].to_numpy(), rtol=1e-3, atol=factor * 2e-2)
    assert results.units[name] == ("h" if name == "age" else "%")


def test_chlorine_decays_with_age(town_inp: Path, library: LibraryName) -> None:
    """First-order decay in one pipe after another: c = c0 exp(-k age), once the first water has arrived."""
    chlorine = run(town_inp, library=library, quality=Quality("chlorine", dose=0.8, bulk=-2.0))
    age = run(town_inp, library=library, quality=Quality("age"))
    last = -1
    for name in ("a", "d"):  # fed by the lake alone
        hours = node(age, "age", name)[last]
        assert node(chlorine, "chlorine", name)[last] == pytest.approx(0.8 * np.exp(-2.0 * hours / 24.0), rel=0.02)
    assert node(chlorine, "chlorine", "lake")[last] == pytest.approx(0.8)


STILL = """
[JUNCTIONS]
 a 0 10
 b 0 0
[RESERVOIRS]
 r 50
[TANKS]
 t 40 5 0 10 10 0
[PIPES]
 p r a 100 300 130 0 Open
 q b t 100 300 130 0 Open
 gate a b 100 300 130 0 Closed
[REACTIONS]
 Order Bulk 2
 Order Tank 2
 Order Wall 0
 Limiting Potential 0.5
[OPTIONS]
 Quality Fluoride ug/L
[QUALITY]
 t 1.0
"""


def test_chlorine_decays_in_a_tank_too(tmp_path: Path, library: LibraryName) -> None:
    """A tank that nothing flows into or out of: c = c0 exp(-k t), whatever reactions the model has."""
    still = write_inp(tmp_path / "still.inp", STILL, hours=48)
    found = node(run(still, library=library, quality=Quality("chlorine", bulk=-1.0)), "chlorine", "t")
    np.testing.assert_allclose(found, np.exp(-np.arange(49) / 24.0), rtol=0.01)


def test_a_model_s_chemical_keeps_its_unit_and_is_no_age(tmp_path: Path, library: LibraryName) -> None:
    still = write_inp(tmp_path / "still.inp", STILL, hours=12)
    assert run(still, library=library, quality=Quality("model")).units["chemical"] == "ug/L"
    age = run(still, library=library, quality=Quality("age"))
    np.testing.assert_allclose(node(age, "age", "t"), np.arange(13), atol=0.1)  # and not an hour more for 1 ug/L
    assert (node(age, "age", "r") == 0.0).all()
    trace = run(still, library=library, quality=Quality("trace", "r"))
    assert (node(trace, "trace", "t") == 0.0).all()


def test_ages_that_a_model_begins_with_are_kept(tmp_path: Path, library: LibraryName) -> None:
    body = STILL.replace("Fluoride ug/L", "Age").replace(" t 1.0", " t 30")
    aged = write_inp(tmp_path / "aged.inp", body, hours=2)
    for quality in (Quality("age"), Quality("model")):
        age = node(run(aged, library=library, quality=quality), "age", "t")
        np.testing.assert_allclose(age, 30.0 + np.arange(3), atol=0.1)


def test_both_parts_of_a_leaking_pipe_react(tmp_path: Path, library: LibraryName) -> None:
    """A pinhole a thousandth of a millimetre wide changes no chlorine beyond it, whatever decays in the pipe."""
    reacts = "[QUALITY]\n lake 1\n[REACTIONS]\n Global Bulk -3\n Global Wall -0.5\n[OPTIONS]\n Quality Chlorine mg/L\n"
    path = write_inp(tmp_path / "reacts.inp", town() + reacts, hours=12)
    model = Quality("model")
    calm = run(path, library=library, quality=model)
    leaky = run(path, story(Leak(pipe="p1", diameter=1e-6, position=0.2)), library=library, quality=model)
    for name in ("a", "d"):
        before, after = node(calm, "chemical", name), node(leaky, "chemical", name)
        np.testing.assert_allclose(after, before, rtol=0.01, atol=0.005)
        assert 0.1 < before[-1] < 0.99


def test_quality_goes_on_over_a_leak_that_widens(town_inp: Path) -> None:
    """The hydraulics begin again when a hole widens; the water does not grow young."""
    calm = run(town_inp, quality=Quality("age"))
    leaky = run(town_inp, story(Leak(pipe="p8", area=1e-6, expansion=1e-9, start=6 * HOUR)), quality=Quality("age"))
    np.testing.assert_allclose(node(leaky, "age", "b"), node(calm, "age", "b"), rtol=0.02, atol=0.02)


def test_quality_that_nobody_asks_for_is_said(town_inp: Path) -> None:
    with pytest.raises(HydraulicError, match="no water quality"):
        run(town_inp, quality=Quality("model"))
    with pytest.raises(HydraulicError, match="ask for age"):
        Quality.parse("colour")
    with pytest.raises(UnknownElement, match="nowhere"):
        run(town_inp, quality=Quality.parse("trace:nowhere"))
