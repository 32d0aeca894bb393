"""The engine against WNTR's simulator, and the laws of hydraulics."""

import re
import subprocess
import sys
import threading
import warnings
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from hydro.engine import Engine
from hydro.errors import EpanetError, HydraulicError
from hydro.library import LibraryName
from networks import UnknownElement, UnknownNetwork, find, load
from tests.hydro.inp import town, write_inp

# WNTR's libraries warn at import
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")

LIBRARIES: tuple[LibraryName, ...] = get_args(LibraryName)
NETWORKS = ("Net1", "Net2", "Net3", "ky4")
DAY = 24 * 3600
ROOT = Path(__file__).resolve().parents[2]

Floats = np.ndarray[Any, np.dtype[np.float64]]


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> LibraryName:
    name: LibraryName = request.param
    return name


def town_at(path: Path, units: str = "LPS", law: str = "H-W", hours: int = 12) -> Path:
    return write_inp(path / "town.inp", town(units, law), units, law, hours)


def run(engine: Engine, node: str = "pressure", link: str = "flow") -> tuple[list[int], Floats, Floats]:
    """Results of a run at the report steps, [step, element]."""
    times, at_nodes, at_links = [], [], []
    for now in engine.steps():
        if now % engine.report_step == 0 and (not times or now > times[-1]):
            times.append(now)
            at_nodes.append(engine.read("node", node))
            at_links.append(engine.read("link", link))
    return times, np.array(at_nodes), np.array(at_links)


def wntr_results(model: Any, folder: Path) -> Any:
    import wntr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return wntr.sim.EpanetSimulator(model).run_sim(file_prefix=str(folder / "wntr"), version=2.2)


@cache
def oracle(name: str, folder: Path) -> tuple[list[int], Any, Any, Any]:
    """WNTR's results for a day: times, pressure, flow, expected demand as DataFrames."""
    import wntr

    model = load(name).model
    model.options.time.duration = DAY
    results = wntr_results(model, folder)
    demand = wntr.metrics.expected_demand(model)
    return list(results.node["pressure"].index), results.node["pressure"], results.link["flowrate"], demand


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wntr")


# oracle: WNTR's simulator ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_a_day_equals_wntrs(name: str, library: LibraryName, scratch: Path) -> None:
    times, pressure, flow, _ = oracle(name, scratch)
    with Engine(name, library) as engine:
        engine.duration = DAY
        ours, p, q = run(engine)
        topology = engine.topology
    assert ours == [int(t) for t in times]
    assert len(ours) >= 12
    np.testing.assert_allclose(p, pressure[list(topology.nodes)].to_numpy(), rtol=0.0, atol=1e-3)
    np.testing.assert_allclose(q, flow[list(topology.links)].to_numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_demand_at_is_wntrs_expected_demand(name: str, library: LibraryName, scratch: Path) -> None:
    *_, expected = oracle(name, scratch)
    with Engine(name, library) as engine:
        names = [engine.topology.nodes[k] for k in engine.junctions]
        for seconds in expected.index[:: max(1, len(expected) // 30)]:
            asked = engine.demand_at(int(seconds))
            np.testing.assert_allclose(asked, expected.loc[seconds, names].to_numpy(), rtol=1e-5, atol=1e-9)
    assert np.ptp(expected[names].to_numpy().sum(axis=1)) > 0.0


@pytest.mark.parametrize("name", ["Net1", "Net3"])
def test_demand_at_is_what_epanet_delivers(name: str, library: LibraryName) -> None:
    with Engine(name, library) as engine:
        engine.duration = DAY
        for now in engine.steps():
            if now % 3600 == 0:
                delivered = engine.read("node", "demand")[engine.junctions]
                np.testing.assert_allclose(delivered, engine.demand_at(now), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("units", ["LPS", "CMH", "GPM", "CFS", "MLD"])
@pytest.mark.parametrize("law", ["H-W", "D-W", "C-M"])
def test_units_and_laws_equal_wntrs(units: str, law: str, library: LibraryName, tmp_path: Path) -> None:
    path = town_at(tmp_path, units, law, hours=4)
    results = wntr_results(load(path).model, tmp_path)
    with Engine(path, library) as engine:
        times, p, q = run(engine)
        nodes, links = list(engine.topology.nodes), list(engine.topology.links)
    assert times == list(results.node["pressure"].index)
    np.testing.assert_allclose(p, results.node["pressure"][nodes].to_numpy(), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(q, results.link["flowrate"][links].to_numpy(), rtol=1e-4, atol=1e-6)
    assert 0.02 < np.abs(q).max() < 0.06  # the same town in every unit


@pytest.mark.parametrize("units", ["LPS", "GPM"])
@pytest.mark.parametrize("law", ["D-W", "C-M"])
def test_structure_is_in_si(units: str, law: str, library: LibraryName, tmp_path: Path) -> None:
    path = town_at(tmp_path, units, law)
    model = load(path).model
    with Engine(path, library) as engine:
        topology = engine.topology
        read = {name: engine.read("link", name) for name in ("length", "diameter", "minor_loss")}
        roughness = engine.roughness_si(engine.read("link", "roughness"))
        for name, pipe in model.pipes():
            k = topology.link(name)
            assert read["length"][k] == pytest.approx(pipe.length, rel=1e-9)
            assert topology.length[k] == pytest.approx(pipe.length, rel=1e-9)
            assert read["diameter"][k] == pytest.approx(pipe.diameter, rel=1e-9)
            assert read["minor_loss"][k] == pytest.approx(pipe.minor_loss, rel=1e-6)
            assert roughness[k] == pytest.approx(pipe.roughness, rel=1e-9)
        elevation = engine.read("node", "elevation")
        for name, junction in model.junctions():
            assert elevation[topology.node(name)] == pytest.approx(junction.elevation, rel=1e-9)
        tower = topology.node("tower")
        assert engine.tanks.tolist() == [tower]
        assert engine.tank_area(tower) == pytest.approx(np.pi / 4.0 * model.get_node("tower").diameter ** 2)
        assert engine.value("node", tower, "max_level") == pytest.approx(model.get_node("tower").max_level)
        assert topology.xy.shape == (len(topology.nodes), 2)


def test_changed_model_is_honoured(tmp_path: Path, library: LibraryName) -> None:
    from wntr.network import LinkStatus

    network = load("Net1")
    with Engine(network, library) as engine:
        engine.duration = DAY
        _, _, before = run(engine)
        k = engine.topology.link("111")
    network.model.get_link("111").initial_status = LinkStatus.Closed
    network.model.options.time.duration = DAY
    results = wntr_results(network.model, tmp_path)
    with Engine(network, library) as engine, Engine(network.model, library) as bare:
        _, p, after = run(engine)
        _, q, _ = run(bare)
        nodes = list(engine.topology.nodes)
    assert np.abs(before[:, k]).max() > 1e-3
    assert np.abs(after[:, k]).max() < 1e-7
    np.testing.assert_allclose(p, results.node["pressure"][nodes].to_numpy(), rtol=0.0, atol=1e-3)
    assert np.array_equal(p, q)


# law: conservation ----------------------------------------------------------------------------------------------------


def imbalance(engine: Engine) -> Floats:
    """What flows into each junction less its demand, m3/s, at the moment just solved."""
    flow, topology = engine.read("link", "flow"), engine.topology
    net = np.zeros(len(topology.nodes))
    np.add.at(net, topology.end, flow)
    np.subtract.at(net, topology.start, flow)
    return (net - engine.read("node", "demand"))[engine.junctions]


@pytest.mark.parametrize("name", NETWORKS)
def test_mass_is_conserved_at_every_step(name: str, library: LibraryName) -> None:
    with Engine(name, library) as engine:
        engine.duration = DAY
        worst = [np.abs(imbalance(engine)).max() for _ in engine.steps()]
    assert len(worst) >= 24
    assert max(worst) < 1e-6


@pytest.mark.parametrize("units", ["LPS", "GPM"])
def test_a_tank_stores_what_flows_in(units: str, library: LibraryName, tmp_path: Path) -> None:
    with Engine(town_at(tmp_path, units, hours=6), library) as engine:
        tower = int(engine.tanks[0])
        moments, level, inflow = [], [], []
        for now in engine.steps():
            moments.append(now)
            level.append(engine.read("node", "pressure")[tower])
            inflow.append(engine.read("node", "demand")[tower])
        # EPANET keeps the flow of the step's beginning until its end
        stored = np.diff(level) * engine.tank_area(tower) / np.diff(moments)
    assert np.abs(stored).max() > 1e-5
    np.testing.assert_allclose(stored, inflow[:-1], rtol=1e-3, atol=1e-7)


def test_head_falls_along_the_flow(library: LibraryName) -> None:
    with Engine("Net3", library) as engine:
        engine.duration = DAY
        topology = engine.topology
        for _ in engine.steps():
            head, flow = engine.read("node", "head"), engine.read("link", "flow")
            fall = (head[topology.start] - head[topology.end]) * np.sign(flow)
            moving = topology.is_pipe & (np.abs(flow) > 1e-4)
            assert fall[moving].min() > -1e-4
    assert moving.sum() > 50


# contract: nothing depends on what ran before -------------------------------------------------------------------------


def test_a_run_does_not_depend_on_the_one_before(library: LibraryName) -> None:
    with Engine("Net3", library) as engine:
        engine.duration = DAY
        first = run(engine)
        engine.start()
        demand = engine.value("node", int(engine.junctions[10]), "base_demand")
        engine.set_value("node", int(engine.junctions[10]), "base_demand", 0.05)
        engine.solve()  # a strange state, left in the middle of a run
        other = engine.read("node", "pressure")
        engine.set_value("node", int(engine.junctions[10]), "base_demand", demand)
        second = run(engine)
    with Engine("Net3", library) as engine:
        engine.duration = DAY
        fresh = run(engine)
    assert not np.array_equal(other, first[1][0])
    for again in (second, fresh):
        assert again[0] == first[0]
        assert np.array_equal(again[1], first[1])
        assert np.array_equal(again[2], first[2])


def test_another_engine_in_between_changes_nothing(library: LibraryName) -> None:
    with Engine("Net1", library) as one:
        one.duration = DAY
        first = run(one)
        with Engine("Net2", library) as two:
            run(two)
        second = run(one)
    assert np.array_equal(first[1], second[1])
    assert np.array_equal(first[2], second[2])


def test_engines_in_threads_equal_serial_runs(library: LibraryName) -> None:
    names = ["Net3", "ky4"]

    def simulate(name: str) -> tuple[Floats, Floats]:
        with Engine(name, library) as engine:
            engine.duration = DAY
            _, p, q = run(engine)
        return p, q

    serial = {name: simulate(name) for name in names}
    together = threading.Barrier(len(names))
    threaded: dict[str, tuple[Floats, Floats]] = {}

    def work(name: str) -> None:
        together.wait(timeout=60)
        threaded[name] = simulate(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert set(threaded) == set(names)
    for name in names:
        assert np.array_equal(threaded[name][0], serial[name][0])
        assert np.array_equal(threaded[name][1], serial[name][1])


def test_files_are_read_whole_while_other_threads_read_theirs(library: LibraryName) -> None:
    names = ["Net1", "Net3"] * 2
    failed: list[str] = []
    together = threading.Barrier(len(names))

    def work(name: str) -> None:
        together.wait(timeout=60)
        for _ in range(150):
            try:
                Engine(name, library).close()
            except EpanetError as error:
                failed.append(str(error))

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert failed == []


# demands that are imposed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Net1", "Net2", "Net3"])
def test_frozen_demands_are_what_was_set(name: str, library: LibraryName) -> None:
    chance = np.random.default_rng(5)
    with Engine(name, library) as engine:
        engine.freeze_demands()
        wanted = chance.uniform(0.0, 2e-3, len(engine.junctions))
        for factor in (1.0, 0.3):
            engine.set_demands(factor * wanted)
            engine.start()
            engine.solve()
            delivered = engine.read("node", "demand")[engine.junctions]
            np.testing.assert_allclose(delivered, factor * wanted, rtol=1e-9, atol=1e-12)


def test_dropped_controls_no_longer_act(library: LibraryName) -> None:
    with Engine("Net1", library) as engine:
        engine.duration = DAY
        pump = int(engine.pumps[0])
        _, _, with_controls = run(engine, link="status")
        engine.drop_controls()
        _, _, without = run(engine, link="status")
    assert len(np.unique(with_controls[:, pump])) == 2
    assert len(np.unique(without[:, pump])) == 1


def test_bulk_writing_equals_one_at_a_time(library: LibraryName) -> None:
    chance = np.random.default_rng(7)
    with Engine("Net3", library) as one, Engine("Net3", library) as other:
        pipes = one.topology.pipes
        length = one.topology.length[pipes] * chance.uniform(0.5, 2.0, len(pipes))
        one.set_values("link", pipes, "length", length)
        for k, metres in zip(pipes.tolist(), length.tolist(), strict=True):
            other.set_value("link", k, "length", metres)
        np.testing.assert_array_equal(one.read("link", "length"), other.read("link", "length"))
        np.testing.assert_allclose(one.read("link", "length")[pipes], length, rtol=1e-12)


def test_read_fills_the_given_array(library: LibraryName) -> None:
    with Engine("Net1", library) as engine:
        engine.start()
        engine.solve()
        out = np.empty(len(engine.topology.nodes))
        assert engine.read("node", "pressure", out) is out
        np.testing.assert_array_equal(out, engine.read("node", "pressure"))
        values = [engine.value("node", k, "pressure") for k in range(len(out))]
        np.testing.assert_allclose(out, values, rtol=1e-12)


# leaks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "pipe"), [("Net1", "21"), ("Net2", "10"), ("Net3", "175"), ("ky4", "P-100")])
def test_a_leak_takes_coefficient_times_root_of_pressure(name: str, pipe: str, library: LibraryName) -> None:
    coefficient = 4e-4
    with Engine(name, library) as engine:
        engine.duration = DAY
        engine.set_accuracy(1e-6)
        dry = run(engine)[1]
    with Engine(name, library) as engine:
        engine.duration = DAY
        engine.set_accuracy(1e-6)
        metres, n_links = engine.topology.length, len(engine.topology.links)
        whole = engine.topology
        ends = {whole.nodes[side[whole.link(pipe)]] for side in (whole.start, whole.end)}
        node = engine.add_leak(pipe)
        topology = engine.topology
        # the pipe is in two halves now, between the same two ends
        halves = np.flatnonzero((topology.start == node) | (topology.end == node))
        assert len(topology.links) == n_links + 1
        assert topology.is_junction[node]
        assert topology.length.sum() == pytest.approx(metres.sum(), rel=1e-9)
        assert topology.length[halves[0]] == pytest.approx(topology.length[halves[1]])
        assert {topology.nodes[k] for h in halves for k in (topology.start[h], topology.end[h])} == ends | {
            topology.nodes[node]
        }
        for name_ in ("diameter", "roughness"):
            assert engine.read("link", name_)[halves[0]] == pytest.approx(engine.read("link", name_)[halves[1]])
        shut = run(engine)[1]
        engine.open_leak(node, coefficient)
        flows = []
        for _ in engine.steps():
            pressure = engine.read("node", "pressure")[node]
            # EPANET's demand of a node holds what its emitter lets out
            flows.append(engine.read("node", "demand")[node])
            assert flows[-1] == pytest.approx(coefficient * np.sqrt(pressure), rel=1e-4)
            assert np.abs(imbalance(engine)).max() < 1e-6
    assert min(flows) > 1e-4
    # while it is shut the network is the one it was; tanks and reservoirs have moved up by one
    kept = np.delete(shut, node, axis=1)
    np.testing.assert_allclose(kept, dry, rtol=0.0, atol=0.02 if name == "ky4" else 5e-3)


def test_two_leaks_in_two_pipes(library: LibraryName) -> None:
    with Engine("Net3", library) as engine:
        engine.add_leak("175")
        second = engine.add_leak("123")
        assert engine.topology.nodes[second] == "leak~123"
        assert engine.topology.node("leak~175") != second
        engine.set_accuracy(1e-6)
        engine.open_leak(engine.topology.node("leak~175"), 1e-4)
        engine.open_leak(second, 2e-4)
        engine.start()
        engine.solve()
        pressure, demand = engine.read("node", "pressure"), engine.read("node", "demand")
        for name, coefficient in (("leak~175", 1e-4), ("leak~123", 2e-4)):
            k = engine.topology.node(name)
            assert demand[k] == pytest.approx(coefficient * np.sqrt(pressure[k]), rel=1e-3)


def test_demands_are_still_known_after_a_leak_was_added(library: LibraryName) -> None:
    with Engine("Net3", library) as engine:
        before = engine.demand_at(7200)
        tanks = [engine.topology.nodes[k] for k in engine.tanks]
        node = engine.add_leak("175")
        after = engine.demand_at(7200)
        assert [engine.topology.nodes[k] for k in engine.tanks] == tanks
        place = int(np.flatnonzero(engine.junctions == node)[0])
    np.testing.assert_allclose(np.delete(after, place), before)
    assert after[place] == 0.0


@pytest.mark.parametrize("strange", ["no such pipe", "335", "10"])
def test_a_leak_in_no_pipe_is_refused(strange: str, library: LibraryName) -> None:
    # 335 and 10 are Net3's pumps
    with Engine("Net3", library) as engine, pytest.raises(UnknownElement, match=strange) as caught:
        engine.add_leak(strange)
    assert (caught.value.kind, caught.value.element) == ("pipe", strange)


def test_emitters_of_another_exponent_are_not_bent(tmp_path: Path, library: LibraryName) -> None:
    body = town() + "[EMITTERS]\n b 0.5\n"
    path = write_inp(tmp_path / "sprinkler.inp", body)
    path.write_text(path.read_text("utf-8").replace("Emitter Exponent 0.5", "Emitter Exponent 1.1"), "utf-8")
    with Engine(path, library) as engine, pytest.raises(HydraulicError, match="exponent"):
        engine.add_leak("p3")


# contract: errors and ends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    ["[JUNCTIONS]\n a 10 x\n", "[PIPES]\n p a b 100 200 100 0 Open\n", "[JUNCTIONS]\n a 10\n", "no section at all"],
    ids=["letters", "no nodes", "no source", "prose"],
)
def test_broken_inp_is_one_line_with_its_name(body: str, library: LibraryName, tmp_path: Path) -> None:
    path = write_inp(tmp_path / "broken.inp", body)
    # EPANET 2.3 looks for a source only when a run begins
    with pytest.raises(EpanetError, match=r"broken\.inp") as caught, Engine(path, library) as engine:
        engine.start()
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.code > 100
    assert len(text) > len(str(path)) + 20


def test_missing_inp_is_an_unknown_network(tmp_path: Path) -> None:
    with pytest.raises(UnknownNetwork):
        Engine(tmp_path / "absent.inp")
    with pytest.raises(UnknownNetwork):
        Engine("no such network")


def test_an_error_names_its_element(library: LibraryName) -> None:
    with Engine("Net1", library) as engine, pytest.raises(EpanetError, match="length of link 10") as caught:
        engine.set_value("link", 0, "length", -1.0)
    assert caught.value.code == 202 or caught.value.code == 211


def test_closing_twice_is_harmless(library: LibraryName) -> None:
    engine = Engine("Net1", library)
    engine.start()
    engine.solve()
    engine.close()
    engine.close()
    with Engine("Net1", library) as again:
        again.close()
        with Engine("Net1", library) as third:  # the library still works
            third.start()
            assert third.solve() == 0


def test_using_a_closed_engine_is_an_error_and_no_crash(library: LibraryName) -> None:
    code = (
        "from hydro.engine import Engine\n"
        f"engine = Engine('Net1', {library!r})\n"
        "engine.close()\n"
        "read, step = lambda: engine.read('node', 'pressure'), lambda: engine.report_step\n"
        "for use in (engine.start, engine.solve, read, step):\n"
        "    try:\n"
        "        use()\n"
        "    except Exception as error:\n"
        "        print(type(error).__module__.split('.')[0], type(error).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr  # a negative code is a signal: the interpreter died
    assert len(done.stdout.splitlines()) == 4


def test_a_leak_in_a_pipe_of_a_long_name(library: LibraryName, tmp_path: Path) -> None:
    longest = "p" + "x" * 30  # EPANET allows 31 characters
    path = town_at(tmp_path)
    path.write_text(re.sub(r"(?m)^ p3 ", f" {longest} ", path.read_text("utf-8")), "utf-8")
    with Engine(path, library) as engine:
        engine.set_accuracy(1e-6)
        node = engine.add_leak(longest)
        engine.open_leak(node, 1e-3)
        engine.start()
        engine.solve()
        expected = 1e-3 * np.sqrt(engine.read("node", "pressure")[node])
        assert engine.read("node", "demand")[node] == pytest.approx(expected, rel=1e-3)


def test_engine_leaves_no_files_behind(library: LibraryName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    source = find("Net1")[1]
    with Engine(source, library) as engine:
        engine.start()
        engine.solve()
    with pytest.raises(EpanetError):
        Engine(write_inp(tmp_path / "broken.inp", "[JUNCTIONS]\n a 10 x\n"), library)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.inp"]


def test_a_warning_has_words(tmp_path: Path, library: LibraryName) -> None:
    path = town_at(tmp_path, hours=0)
    with Engine(path, library) as engine:
        engine.start()
        engine.solve()
        assert (engine.warning, engine.describe_warning()) == (0, "")
        engine.freeze_demands()
        engine.set_demands(np.full(len(engine.junctions), 0.05))
        engine.start()
        engine.solve()
        assert engine.warning == 6
        assert "pressure" in engine.describe_warning().lower()
