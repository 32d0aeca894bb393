"""A run that is paused, read, changed, gone on with and set back."""

import pickle
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from hydro.engine import Engine
from hydro.errors import HydraulicError, NoSolution
from hydro.library import LibraryName
from networks import UnknownElement
from tests.hydro.inp import town, write_inp

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
LIBRARIES: tuple[LibraryName, ...] = get_args(LibraryName)
DAY = 86_400


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> LibraryName:
    name: LibraryName = request.param
    return name


def rest_of(engine: Engine) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Solve from here to the end: times, pressures, flows."""
    times, pressure, flow = [], [], []
    while True:
        times.append(engine.solve())
        pressure.append(engine.read("node", "pressure"))
        flow.append(engine.read("link", "flow"))
        if engine.advance() <= 0:
            return times, np.array(pressure), np.array(flow)


def run_until(engine: Engine, seconds: int) -> None:
    """Leave the run at the first solved moment at or after a time."""
    engine.start()
    while engine.solve() < seconds:
        assert engine.advance() > 0


# changing -------------------------------------------------------------------------------------------------------------


def test_a_closed_pipe_carries_nothing_and_opens_again(library: LibraryName) -> None:
    with Engine("Net3", library) as engine:
        engine.duration = DAY
        flows = []
        for now in engine.steps():
            flows.append(engine.result("flow", "101"))
            if now == 4 * 3600:
                engine.set_status("101", is_open=False)
            if now == 8 * 3600:
                engine.set_status("101", is_open=True)
            if now == 10 * 3600:
                break
    assert all(abs(flow) > 1e-3 for flow in (flows[4], flows[-1]))
    assert flows[5] == pytest.approx(0.0, abs=1e-6)


def test_a_change_ends_with_its_run(library: LibraryName, tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=6)
    with Engine(inp, library) as engine:
        before = rest_of_new(engine)
        run_until(engine, 3600)
        engine.set_status("p3", is_open=False)
        engine.set_demand("b", 0.02)
        engine.set_emitter("c", 1e-4)
        engine.set_tank_level("tower", engine.value("node", engine.topology.node("tower"), "tank_level") + 0.5)
        changed = rest_of(engine)
        after = rest_of_new(engine)
    # put back, a value is the same to the last digit of a change of units
    np.testing.assert_allclose(after[1], before[1], rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(after[2], before[2], rtol=0.0, atol=1e-9)
    assert np.abs(changed[1][-1] - before[1][-1]).max() > 0.1


def rest_of_new(engine: Engine) -> tuple[list[int], np.ndarray, np.ndarray]:
    engine.start()
    return rest_of(engine)


def test_a_change_between_runs_stays(library: LibraryName, tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=3)
    with Engine(inp, library) as engine:
        engine.set_demand("b", 0.02)
        engine.set_status("p3", is_open=False)
        for _ in range(2):
            for _ in engine.steps():
                assert engine.result("demand", "b") == pytest.approx(0.02)
                assert engine.result("flow", "p3") == pytest.approx(0.0, abs=1e-6)


def test_a_demand_is_steady_whatever_the_pattern(library: LibraryName) -> None:
    with Engine("Net3", library) as engine:
        engine.duration = 6 * 3600
        for now in engine.steps():
            if now == 0:
                engine.set_demand("15", 0.05)
                engine.solve()
            assert engine.result("demand", "15") == pytest.approx(0.05, rel=1e-6)


def test_solving_again_takes_the_change_in_at_once(library: LibraryName, tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=3)
    with Engine(inp, library) as engine:
        engine.start()
        engine.solve()
        engine.set_demand("b", 0.02)
        assert engine.result("demand", "b") != pytest.approx(0.02)
        assert engine.solve() == 0
        assert engine.result("demand", "b") == pytest.approx(0.02)


def test_an_emitter_sprays_coefficient_times_pressure_to_the_exponent(library: LibraryName, tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=2)
    with Engine(inp, library) as engine:
        engine.start()
        engine.solve()
        drawn = engine.result("demand", "c")
        engine.set_emitter("c", 2e-3)
        engine.solve()
        flow = engine.result("demand", "c") - drawn
        assert flow == pytest.approx(2e-3 * engine.result("pressure", "c") ** 0.5, rel=1e-4)


def test_a_tank_goes_on_from_the_level_it_is_given(library: LibraryName, tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=4)
    with Engine(inp, library) as engine:
        tower = engine.topology.node("tower")
        run_until(engine, 3600)
        engine.set_tank_level("tower", 2.5)
        engine.solve()
        assert engine.result("pressure", "tower") == pytest.approx(2.5)
        inflow, step = engine.result("demand", "tower"), engine.advance()
        engine.solve()
        risen = engine.result("pressure", "tower") - 2.5
        assert risen * engine.tank_area(tower) == pytest.approx(inflow * step, rel=1e-4)


def test_a_slower_pump_lifts_less(library: LibraryName) -> None:
    # affinity: at speed s the shutoff head falls to s2 of itself, so the head gain at like flow falls
    with Engine("Net3", library) as engine:
        run_until(engine, 2 * 3600)
        pump = engine.topology.link("10")
        start, end = (engine.topology.nodes[k] for k in (engine.topology.start[pump], engine.topology.end[pump]))
        gains = []
        for speed in (1.0, 0.95, 0.9):
            engine.set_speed("10", speed)
            engine.solve()
            gains.append(engine.result("head", end) - engine.result("head", start))
    assert gains[0] > gains[1] > gains[2] > 0.0


def test_a_prv_holds_what_it_is_set_to(library: LibraryName) -> None:
    with Engine("L-TOWN", library) as engine:
        engine.duration = 3600
        engine.start()
        engine.solve()
        valve = int(np.flatnonzero(engine.link_types == 3)[-1])  # the one inlet of its zone
        behind = engine.topology.nodes[engine.topology.end[valve]]
        for pressure in (30.0, 25.0):
            engine.set_setting(engine.topology.links[valve], pressure)
            engine.solve()
            assert engine.result("pressure", behind) == pytest.approx(pressure, abs=1e-3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda e: e.set_status("no such", is_open=True), "no such"),
        (lambda e: e.set_setting("101", 0.5), "a pipe has no setting"),
        (lambda e: e.set_speed("101", 1.0), "101"),
        (lambda e: e.set_setting("335", -1.0), "-1 is not zero or more"),
        (lambda e: e.set_demand("1", 0.1), "1"),
        (lambda e: e.set_emitter("15", float("nan")), "nan"),
        (lambda e: e.set_tank_level("1", 99.0), "not between"),
        (lambda e: e.set_tank_level("15", 1.0), "15"),
        (lambda e: e.result("temperature", "15"), "temperature"),
        (lambda e: e.snapshot(), "no run is under way"),
    ],
)
def test_what_cannot_be_changed_is_said(call: object, words: str, library: LibraryName) -> None:
    with Engine("Net3", library) as engine, pytest.raises((HydraulicError, UnknownElement), match=words):
        call(engine)  # type: ignore[operator]


# going back -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Net1", "Net2", "Net3", "ky4", "L-TOWN", "Net6"])
@pytest.mark.parametrize("hour", [3, 11])
def test_the_way_on_from_a_snapshot_is_the_way_that_was(name: str, hour: int, library: LibraryName) -> None:
    """Tanks, pumps, PRVs, timers, rules: the second way on equals the first to what the accuracy leaves open."""
    with Engine(name, library) as engine:
        engine.duration = DAY
        engine.set_accuracy(1e-6 if name != "Net6" else 1e-5)
        run_until(engine, hour * 3600)
        kept = engine.snapshot()
        first = rest_of(engine)
        engine.restore(kept)
        second = rest_of(engine)
    assert first[0] == second[0]
    held = np.abs(first[1]).max(axis=0) < 500.0  # below, EPANET's head of a node that no source reaches
    np.testing.assert_allclose(second[1][:, held], first[1][:, held], atol=2e-3 if name != "Net6" else 0.02)


def test_a_snapshot_changes_nothing(library: LibraryName) -> None:
    with Engine("Net3", library) as engine:
        engine.duration = DAY
        whole = rest_of_new(engine)
        engine.start()
        times, pressure = [], []
        while True:
            times.append(engine.solve())
            engine.snapshot()
            pressure.append(engine.read("node", "pressure"))
            if engine.advance() <= 0:
                break
    assert times == whole[0]
    np.testing.assert_array_equal(np.array(pressure), whole[1])


def test_a_snapshot_goes_to_another_engine(library: LibraryName) -> None:
    with Engine("Net3", library) as one, Engine("Net3", library) as other:
        for engine in (one, other):
            engine.duration = DAY
            engine.set_accuracy(1e-6)
        run_until(one, 5 * 3600)
        one.set_status("101", is_open=False)
        one.set_demand("15", 0.03)
        one.set_tank_level("1", 4.0)
        kept = pickle.loads(pickle.dumps(one.snapshot()))
        first = rest_of(one)
        other.restore(kept)
        assert other.now == kept.time
        second = rest_of(other)
        assert first[0] == second[0]
        np.testing.assert_allclose(second[1], first[1], atol=1e-3)
        # and the other engine's own model is untouched
        other.start()
        one.start()
        np.testing.assert_array_equal(rest_of(other)[1], rest_of(one)[1])


def test_going_back_undoes_what_came_after(library: LibraryName) -> None:
    with Engine("Net3", library) as engine:
        engine.duration = 12 * 3600
        engine.set_accuracy(1e-6)
        run_until(engine, 4 * 3600)
        kept = engine.snapshot()
        first = rest_of(engine)
        engine.restore(kept)
        engine.solve()
        engine.set_demand("15", 0.2)
        engine.set_status("101", is_open=False)
        engine.set_speed("335", 0.8)
        rest_of(engine)
        engine.restore(kept)
        second = rest_of(engine)
    np.testing.assert_allclose(second[1], first[1], atol=1e-3)


def test_a_snapshot_of_another_network_is_refused(library: LibraryName) -> None:
    with Engine("Net1", library) as one, Engine("Net2", library) as other:
        one.start()
        one.solve()
        with pytest.raises(HydraulicError, match="other elements"):
            other.restore(one.snapshot())


# leakage in a run -----------------------------------------------------------------------------------------------------


def test_leakage_may_begin_in_a_run() -> None:
    """EPANET reads leakage at the start of a run only; the run is made to start again where it is."""
    with Engine("L-TOWN") as engine:
        engine.duration = 4 * 3600
        engine.set_accuracy(1e-6)
        pipe = engine.topology.links[engine.topology.pipes[100]]
        calm = rest_of_new(engine)
        run_until(engine, 3600)
        engine.set_leakage(pipe, 200.0, 0.0)
        times, _, _ = rest_of(engine)
        lost = engine.read("node", "leakage").sum()
        assert lost == pytest.approx(engine.value("link", engine.topology.link(pipe), "leakage"), rel=1e-4)
        assert lost > 1e-4
        assert [t for t in times if t % 300 == 0] == [t for t in calm[0] if t % 300 == 0][12:]
        np.testing.assert_allclose(rest_of_new(engine)[1], calm[1], rtol=0.0, atol=1e-4)


def test_2_2_has_no_leakage() -> None:
    with Engine("Net1", "2.2") as engine, pytest.raises(HydraulicError, match=r"use library 2\.3"):
        engine.set_leakage("10", 1.0, 0.0)


# what went wrong ------------------------------------------------------------------------------------------------------


def test_negative_pressures_are_named_with_their_worst(library: LibraryName, tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=2)
    with Engine(inp, library) as engine:
        engine.start()
        engine.solve()
        assert engine.troubles() == []
        engine.set_demand("c", 1.5)
        engine.solve()
        (trouble,) = engine.troubles()
        lowest = engine.topology.nodes[int(np.argmin(engine.read("node", "pressure")))]
    assert trouble.code == 6
    assert trouble.elements[0] == lowest == "c"
    assert str(trouble).startswith("at 0:00 h EPANET says")
    assert "negative" in str(trouble)


def test_what_is_cut_off_is_named(library: LibraryName, tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=2)
    with Engine(inp, library) as engine:
        engine.set_status("p8", is_open=False)
        engine.start()
        engine.solve()
        found = {trouble.code: trouble for trouble in engine.troubles()}
    assert found[3].elements == ("f",)


def test_a_pump_beyond_its_head_is_named(library: LibraryName, tmp_path: Path) -> None:
    body = """
[RESERVOIRS]
 low 10
[TANKS]
 high 80 2 0 5 10 0
[JUNCTIONS]
 a 10 0
 b 10 1
[PIPES]
 in low a 100 300 130 0 Open
 up b high 100 300 130 0 Open
[PUMPS]
  lift a b HEAD c
[CURVES]
 c 60 90
"""
    with Engine(write_inp(tmp_path / "pump.inp", body), library) as engine:
        engine.start()
        engine.solve()
        assert engine.troubles() == []
        engine.set_speed("lift", 0.5)
        engine.solve()
        found = {trouble.code: trouble for trouble in engine.troubles()}
    assert found[4].elements == ("lift",)
    assert "pump" in str(found[4])


def test_a_valve_that_cannot_hold_is_named(library: LibraryName, tmp_path: Path) -> None:
    body = """
[RESERVOIRS]
 low 10
[JUNCTIONS]
 a 0 0
 b 0 5
 c 0 5
[PIPES]
 in low a 1000 100 100 0 Open
 out b c 1000 100 100 0 Open
[VALVES]
 v a b 100 FCV 50 0
"""
    with Engine(write_inp(tmp_path / "valve.inp", body), library) as engine:
        engine.start()
        engine.solve()
        found = {trouble.code: trouble for trouble in engine.troubles()}
    assert found[5].elements == ("v",)


def test_two_threads_on_one_engine_are_told_so(library: LibraryName) -> None:
    with Engine("Net1", library) as engine:
        engine.start()
        engine._is_solving = True  # as it is while EPANET works
        with pytest.raises(HydraulicError, match="two threads"):
            engine.solve()


def test_no_solution_says_when_and_what_usually_helps(library: LibraryName, tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=2)
    with Engine(inp, library) as engine:
        engine.start()
        engine.solve()
        engine.advance()
        for pipe in ("p4", "p5"):  # all ways to d but a dead end
            engine.set_value("link", engine.topology.link(pipe), "roughness", 1e-200)
        with pytest.raises(NoSolution, match=r"town\.inp: at 1:00 h, node d: .*110.*no source") as caught:
            engine.solve()
    assert (caught.value.code, caught.value.time, caught.value.element) == (110, 3600, "d")
