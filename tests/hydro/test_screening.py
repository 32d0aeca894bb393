"""Screening against exact runs: tanks that drift, pumps that switch later, leaks too large to be linear."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.leakruns import LeakRuns, find_places
from hydro.library import LibraryName
from hydro.march import March
from hydro.moments import MomentsPool
from hydro.screening import _between, _clock, _spread, relative_error, screen
from hydro.switching import Switching, Tank
from networks import UnknownElement, load
from tests.hydro.inp import town, two_districts, write_inp

Array = np.ndarray

# a lake whose head has a pattern, a pump whose speed has one, a pump and a pipe with controls by level and by time, a
# tank with a volume curve that fills up, one that runs empty
PLANT = """
[JUNCTIONS]
 a 5 3
 b 8 6 day
 c 6 4 day
 d 9 3
 e 4 2 day
[RESERVOIRS]
 lake 20 tide
 pond 24
[TANKS]
 tower 48 3 1 4.4 9 0 bowl
 low 30 1.2 1 6 8 0
[PIPES]
 p1 a b 400 200 110 0 Open
 p2 b c 300 150 110 0 Open
 p3 c tower 250 200 110 0 Open
 p4 b d 350 150 110 0 Open
 p5 d e 300 100 110 0 Open
 p6 low d 500 100 110 0 Open
 p7 c e 300 80 110 0 Open
[PUMPS]
 big lake a HEAD big PATTERN speed
 small pond d HEAD small
[CURVES]
 big 25 45
 small 6 36
 bowl 0 0
 bowl 2 90
 bowl 5 420
[PATTERNS]
 day 0.5 0.6 1.2 1.5 1.0 0.8
 tide 1.0 1.05 0.97
 speed 1.0 0.95 1.03 0.9
[CONTROLS]
 LINK small CLOSED IF NODE low ABOVE 4
 LINK small OPEN IF NODE low BELOW 2
 LINK p7 CLOSED AT TIME 5:10
 LINK p7 OPEN AT CLOCKTIME 3 PM
"""


def write(path: Path, body: str, hours: int = 24, step: str = "0:20") -> Path:
    return write_inp(path / "net.inp", body, hours=hours, step=step, pattern_step="2:00")


def marched(network: Path | str, sensors: Array, hours: int, library: LibraryName = "2.3") -> tuple[Array, Array]:
    """Pressures of the day without a leak: by moments, and by EPANET's own run."""
    with Engine(network, library) as engine:
        engine.duration = hours * 3600
        engine.set_accuracy(min(engine.accuracy, 1e-5))
        switching = Switching(engine)
        assert switching.obstacle == ""
        clock = _clock(engine, switching)
        demands = {now: engine.demand_at(now) for now in clock.grid.tolist()}
        places = find_places(engine, (engine.topology.nodes[0],))
        with MomentsPool(lambda: Engine(network, library), sensors, switching.links, 1e-5) as pool:
            march = March(pool.of, switching, clock, demands.__getitem__, places, 0.0)
            found = march.run(lambda *_: None)
        return found[:, :, -1], LeakRuns(engine, sensors).base()


@pytest.mark.parametrize("library", ["2.3", "2.2"])
def test_moments_follow_epanets_day(library: LibraryName, tmp_path: Path) -> None:
    inp = write(tmp_path, PLANT)
    with Engine(inp, library) as engine:
        levels = np.array([engine.read("node", "pressure")[engine.tanks].copy() for _ in engine.steps()])
        states = {tuple(engine.read("link", "status")[-2:]) for _ in engine.steps()}
        nodes = np.arange(len(engine.topology.nodes))
    assert np.isclose(levels[:, 0].max(), 4.4, atol=1e-6)  # the tower fills up
    assert len(states) >= 2  # a pump switches
    found, exact = marched(inp, nodes, 24, library)
    np.testing.assert_allclose(found, exact, atol=2e-3)


@pytest.mark.parametrize(("name", "hours"), [("Net1", 24), ("Net3", 24), ("ky4", 24), ("L-TOWN", 24)])
def test_moments_follow_the_day_of_networks(name: str, hours: int) -> None:
    with Engine(name) as engine:
        sensors = engine.junctions[:: max(len(engine.junctions) // 20, 1)]
    found, exact = marched(name, sensors, hours)
    np.testing.assert_allclose(found, exact, atol=1e-3)


# against exact runs ---------------------------------------------------------------------------------------------------


def errors(
    inp: Path | str, sensors: list[str], leaks: list[str], flow: float, hours: int, sweeps: int = 1,
    allow_exact: bool = False,
) -> Array:  # fmt: skip
    found = screen(inp, sensors, leaks, flow, hours, sweeps=sweeps, check=0)
    assert found.reason == ""
    assert found.is_exact.sum() < len(leaks) / 4 if allow_exact else not found.is_exact.any()
    return np.array(
        [relative_error(found.change[:, :, k], e) for k, e in enumerate(exact(inp, sensors, leaks, flow, hours))]
    )


def exact(inp: Path | str, sensors: list[str], leaks: list[str], flow: float, hours: int) -> list[Array]:
    """The same leaks in a model that is written anew for each: another demand in the file."""
    with Engine(inp) as engine:
        engine.duration = hours * 3600
        engine.set_accuracy(min(engine.accuracy, 1e-4))
        runs = LeakRuns(engine, np.array([engine.topology.node(name) for name in sensors]))
        base = runs.base()
        return [runs.run(find_places(engine, (leak,)).nodes[0], flow) - base for leak in leaks]


def test_a_district_with_a_tank_and_a_pump(tmp_path: Path) -> None:
    """Leaks behind the booster empty the tank sooner: the pump comes on earlier, which no derivative knows."""
    inp = write_inp(tmp_path / "net.inp", two_districts(booster=True), hours=24, step="0:15", pattern_step="0:15")
    sensors = ["a11", "a22", "b11", "b22", "b02"]
    with Engine(inp) as engine:
        leaks = [engine.topology.nodes[k] for k in engine.junctions.tolist() if engine.topology.nodes[k] != "trunk"]
    found = errors(inp, sensors, leaks, 1.0e-3, 24, allow_exact=True)
    behind = np.array([name.startswith("b") for name in leaks])
    assert np.nanmedian(found) < 0.03
    # one step on the wrong side of a switch is 40 %: EPANET rounds the moment to seconds, and so does the march
    assert (found[behind] > 0.10).sum() <= 1
    assert np.nanmedian(found[behind]) < 0.02
    # without tanks and switching, those behind the pump would be lost: the tank's drift is most of what is seen there
    with Engine(inp) as engine:
        runs = LeakRuns(engine, engine.tanks)
        drift = runs.run(find_places(engine, ("b11",)).nodes[0], 1.0e-3) - runs.base()
    assert np.abs(drift).max() > 0.2


def test_ltown_by_a_sample() -> None:
    chance = np.random.default_rng(2)
    sensors = ["n1", "n105", "n288", "n332", "n410", "n469", "n519", "n613", "n726"]
    leaks = [f"n{number}" for number in chance.choice(np.arange(1, 783), 14, replace=False)] + ["n4", "n31"]
    found = errors("L-TOWN", sensors, leaks, 10.0 / 3600.0, 24)
    assert np.isfinite(found).sum() >= 14
    assert np.nanmedian(found) < 0.03
    assert np.nanmax(found) < 0.10
    assert np.isfinite(found[-2:]).all()  # n4 and n31 are in the district that the tank feeds


def test_sweeps_tell_what_is_not_linear(tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=6)
    linear, swept, more = (errors(inp, ["b", "c", "f"], ["b", "c", "f"], 4e-3, 6, sweeps=k) for k in (0, 1, 3))
    assert linear.max() > 0.05
    assert swept.max() < linear.max() / 3.0
    assert more.mean() < swept.mean() * 1.2


def test_a_leak_in_a_pipe_counts_half_at_each_end(tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=6)
    assert errors(inp, ["b", "c", "f"], ["p3", "p7", "p1"], 1e-3, 6, sweeps=3).max() < 0.03
    with Engine(inp) as engine:
        places = find_places(engine, ("p3", "p7", "c"))
        nodes = [[engine.topology.nodes[k] for k in pair] for pair in places.nodes.tolist()]
    assert nodes == [["b", "c"], ["e", "e"], ["c", "c"]]  # p7 ends at the tower, which gives whatever is asked


def test_an_exact_leak_draws_its_flow(tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=4)
    text = inp.read_text().replace("Accuracy", "Demand Multiplier 1.7\n Pattern 1\n Accuracy")
    inp.write_text(text)
    with Engine(inp) as engine:
        runs, all_nodes = LeakRuns(engine, engine.junctions), engine.junctions
        before = [engine.read("node", "demand")[all_nodes].sum() for _ in engine.steps()]
        for name in ("c", "p3"):
            runs._add(int(find_places(engine, (name,)).nodes[0, 0]), 3e-3)
            after = [engine.read("node", "demand")[all_nodes].sum() for _ in engine.steps()]
            np.testing.assert_allclose(np.subtract(after, before), 3e-3, rtol=1e-9)
            runs._add(int(find_places(engine, (name,)).nodes[0, 0]), 0.0)
        np.testing.assert_array_equal(runs.run(np.array([1, 1]), 1e-3) < runs.base() + 1e-9, True)


# what is said about the result ----------------------------------------------------------------------------------------


def test_the_error_is_measured_with_every_use(tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=6)
    one, again, other = (screen(inp, ["c", "f"], flow=2e-3, check=3, seed=seed) for seed in (1, 1, 5))
    assert one.leaks == ("a", "b", "c", "d", "e", "f")
    assert one.change.shape == (7, 2, 6)
    assert len(one.checked) == len(one.errors) == 3
    assert one.is_exact.sum() == 3
    assert (one.checked, one.errors.tolist()) == (again.checked, again.errors.tolist())
    assert one.checked != other.checked
    assert 0.0 < one.errors.max() < 0.1
    assert "6 leaks of 7.2 m3/h screened, 0 of them run exactly" in one.summary()
    assert "relative error of 3 picked at random: median" in one.summary()
    truth = exact(inp, ["c", "f"], list(one.leaks), 2e-3, 6)
    for k, is_exact in enumerate(one.is_exact.tolist()):
        np.testing.assert_allclose(one.change[:, :, k], truth[k], atol=1e-9 if is_exact else 0.05)
    assert screen(inp, ["c"], flow=2e-3, check=0).errors.size == 0


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ("[RULES]\nRULE 1\nIF TANK tower LEVEL ABOVE 5\nTHEN PIPE p8 STATUS IS CLOSED\n", "the model has rules"),
        ("[CONTROLS]\n LINK p8 CLOSED IF NODE c ABOVE 70\n", "pressure of a junction"),
        (
            "[PUMPS]\n pu a f POWER 1 PATTERN 1\n[CONTROLS]\n LINK pu CLOSED IF NODE tower ABOVE 5.5\n",
            "a pattern of speeds and a control",
        ),
        ("[VALVES]\n v a f 100 TCV 5 0\n[CONTROLS]\n LINK v CLOSED AT TIME 2\n", "opens or closes a valve"),
    ],
)
def test_what_the_controls_do_not_tell_is_run_exactly(section: str, reason: str, tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town() + section, hours=4)
    found = screen(inp, ["c", "f"], ["b", "f"], 1e-3)
    assert reason in found.reason
    assert found.is_exact.all()
    assert "all run exactly" in found.summary()
    for k, truth in enumerate(exact(inp, ["c", "f"], ["b", "f"], 1e-3, 4)):
        np.testing.assert_allclose(found.change[:, :, k], truth, atol=1e-9)


def test_a_day_that_moments_cannot_repeat_is_run_exactly() -> None:
    # ky10's constant-power pumps run dry: what EPANET finds depends on where it comes from
    found = screen("ky10", ["J-41", "J-100"], ["J-41"], 1e-3, 12)
    assert "miss EPANET's day" in found.reason
    assert found.is_exact.all()


def test_bad_input_is_said(tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=4)
    with pytest.raises(HydraulicError, match="no sensor is given"):
        screen(inp, [])
    with pytest.raises(HydraulicError, match="no leak is given"):
        screen(inp, ["c"], [])
    with pytest.raises(HydraulicError, match="a leak of 0 m3/h is none"):
        screen(inp, ["c"], flow=0.0)
    with pytest.raises(UnknownElement, match="no node 'ghost'"):
        screen(inp, ["ghost"])
    with pytest.raises(UnknownElement, match="no junction or pipe 'lake'"):
        screen(inp, ["c"], ["lake"])
    with pytest.raises(HydraulicError, match="between 0 and 596523"):
        screen(inp, ["c"], hours=1e13)
    model = load(inp).model
    model.options.time.report_timestep = 1
    with pytest.raises(HydraulicError, match="do not fit into memory: take fewer"):
        screen(model, [*"abcdef"] * 5, hours=596_523)
    driven = tmp_path / "driven.inp"
    driven.write_text(inp.read_text().replace("Accuracy", "Demand Model PDA\n Required Pressure 20\n Accuracy"))
    with pytest.raises(HydraulicError, match="demand follows the pressure"):
        screen(driven, ["c"])


# small parts ----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(level=st.floats(-1.0, 8.0))
def test_a_tanks_level_and_volume_are_inverse(level: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    tower, low = TANKS or TANKS.extend(_tanks(tmp_path_factory.mktemp("tanks"))) or TANKS
    for tank in (tower, low):
        volume = tank.volume(np.array(level))
        assert float(tank.level(volume)) == pytest.approx(level, abs=1e-9)
    assert float(tower.volume(np.array(3.5))) == pytest.approx(90.0 + 330.0 / 3.0 * 1.5)
    assert low.most - low.least == pytest.approx(5.0 * np.pi / 4.0 * 64.0)


TANKS: list[Tank] = []


def _tanks(path: Path) -> list[Tank]:
    with Engine(write(path, PLANT)) as engine:
        return [Tank(engine, node) for node in engine.tanks.tolist()]


@settings(deadline=None, max_examples=80)
@given(st.lists(st.floats(0.01, 5.0), min_size=1, max_size=40), st.integers(0, 5))
def test_sweeps_are_spread_over_demands(total: list[float], count: int) -> None:
    demands = np.array(total)
    rows = _spread(demands, count)
    assert len(rows) <= max(count, 0)
    assert (np.diff(demands[rows]) >= 0.0).all()
    if count >= 2 and np.ptp(demands) > 0.0:
        assert demands[rows[0]] == demands.min()
        assert demands[rows[-1]] == demands.max()
    if len(rows):
        below, share = _between(demands, demands[rows])
        assert ((share >= 0.0) & (share <= 1.0)).all()
        if len(rows) > 1:
            back = demands[rows][below] * (1.0 - share) + demands[rows][below + 1] * share
            np.testing.assert_allclose(back, demands, rtol=1e-6)
