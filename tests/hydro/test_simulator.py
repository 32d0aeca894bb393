"""The simulator against `wntr.sim.EpanetSimulator`: the same tables to the last bit, and nothing left behind."""

import copy
import json
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hydro.engine import Engine
from hydro.errors import EpanetError, HydraulicError
from networks import Leakage, load
from tests.hydro.inp import town, write_inp

# WNTR's libraries warn at import
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")

HOUR = 3600


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory: EPANET leaves things there."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def wntr_imported() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wntr  # noqa: F401


def simulator(*arguments: Any, **options: Any) -> Any:
    from hydro import Simulator

    return Simulator(*arguments, **options)


def theirs(model: Any, folder: Path, **options: Any) -> Any:
    import wntr

    return wntr.sim.EpanetSimulator(model).run_sim(file_prefix=str(folder / "theirs"), **options)


def theirs_on_2_0(model: Any, folder: Path) -> Any:
    """WNTR's on EPANET 2.0, in a process of its own: 2.0 writes past its memory."""
    code = (
        "import pickle, sys, warnings; warnings.simplefilter('ignore'); import wntr\n"
        "model, prefix = pickle.load(sys.stdin.buffer)\n"
        "results = wntr.sim.EpanetSimulator(model).run_sim(file_prefix=prefix, version=2.0)\n"
        "sys.stdout.buffer.write(pickle.dumps(results))"
    )
    given = pickle.dumps((model, str(folder / "theirs")))
    done = subprocess.run([sys.executable, "-c", code], input=given, stdout=subprocess.PIPE, check=True)
    return pickle.loads(done.stdout)


def assert_same(one: Any, other: Any) -> None:
    """Every table, its index, columns, dtypes and names; the tables' order too."""
    assert one.error_code == other.error_code
    for kind in ("node", "link"):
        mine, reference = getattr(one, kind), getattr(other, kind)
        assert list(mine) == list(reference)
        for name in reference:
            pd.testing.assert_frame_equal(mine[name], reference[name], check_exact=True, obj=f"{kind} {name}")


def small_town(folder: Path, units: str = "LPS", law: str = "H-W", hours: int = 48) -> Any:
    """A town with tank, pump and valves, as a model."""
    return load(write_inp(folder / "town.inp", town(units, law), units, law, hours)).model


# tables ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Net1", "Net2", "Net3", "Anytown", "L-TOWN"])
def test_tables_equal_those_of_epanet_simulator(name: str, tmp_path: Path) -> None:
    model = load(name).model
    if name == "L-TOWN":
        model.options.time.duration = 5 * HOUR
    results = simulator(model).run_sim()
    assert_same(results, theirs(model, tmp_path))
    assert len(results.node["pressure"]) > 1


options = st.fixed_dictionaries(
    {
        "units": st.sampled_from(["CFS", "GPM", "LPS", "CMH", "MLD"]),
        "law": st.sampled_from(["H-W", "D-W", "C-M"]),
        "hours": st.sampled_from([0, 5, 48]),
        "quality": st.sampled_from(["NONE", "NONE", "CHEMICAL", "AGE", "TRACE"]),
        "quality_unit": st.sampled_from(["mg/L", "ug/L"]),
        "statistic": st.sampled_from(["NONE", "NONE", "MINIMUM", "MAXIMUM", "RANGE"]),
        "demand_model": st.sampled_from(["DDA", "PDD"]),
        "report_start": st.sampled_from([0, 0, 2 * HOUR]),
        "report_step": st.sampled_from([HOUR, 2 * HOUR, 1800]),
        "step": st.sampled_from([HOUR, 1800, 900]),
        "clock": st.sampled_from([0, 7 * HOUR, 13 * HOUR]),
        "gravity": st.sampled_from([1.0, 1.02]),
        "multiplier": st.sampled_from([1.0, 1.7]),
        "closed": st.booleans(),
    }
)


def with_options(model: Any, drawn: dict[str, Any]) -> Any:
    hydraulic, time, quality = model.options.hydraulic, model.options.time, model.options.quality
    hydraulic.demand_model = drawn["demand_model"]
    hydraulic.required_pressure, hydraulic.demand_multiplier = 25.0, drawn["multiplier"]
    hydraulic.specific_gravity = drawn["gravity"]
    time.statistic, time.report_start = drawn["statistic"], drawn["report_start"]
    time.report_timestep, time.hydraulic_timestep = drawn["report_step"], drawn["step"]
    time.quality_timestep, time.start_clocktime = 300, drawn["clock"]
    quality.parameter, quality.inpfile_units = drawn["quality"], drawn["quality_unit"]
    model._inpfile.mass_units = None
    if drawn["quality"] == "TRACE":
        quality.trace_node = model.reservoir_name_list[0]
    for name in model.reservoir_name_list:
        model.get_node(name).initial_quality = 0.0008
    model.options.reaction.bulk_coeff = -1e-6
    pipe = model.get_link(model.pipe_name_list[-1])
    pipe.initial_status = "Closed" if drawn["closed"] else "Open"
    return model


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=options)
def test_tables_are_equal_whatever_the_options(drawn: dict[str, Any], tmp_path: Path) -> None:
    model = with_options(small_town(tmp_path, drawn["units"], drawn["law"], drawn["hours"]), drawn)
    assert_same(simulator(model).run_sim(), theirs(model, tmp_path))


def test_controls_and_rules_give_the_same_and_stay_as_they_were(tmp_path: Path) -> None:
    from wntr.network.controls import ControlAction, Rule, SimTimeCondition, TimeOfDayCondition

    model = load("Net3").model
    pump = model.get_link(model.pump_name_list[0])
    rule = Rule(SimTimeCondition(model, ">=", 5 * HOUR), [ControlAction(pump, "status", 0)], name="")
    model.add_control("rule_9", rule)
    model.add_control("rule_10", Rule(TimeOfDayCondition(model, "=", 9 * HOUR), [ControlAction(pump, "status", 1)]))
    before = json.dumps(model.to_dict(), default=str)
    names = [control.name for _, control in model.controls()]
    results = simulator(model).run_sim()
    assert [control.name for _, control in model.controls()] == names  # `EpanetSimulator` names those that have none
    assert json.dumps(model.to_dict(), default=str) == before
    assert_same(results, theirs(model, tmp_path))


def test_a_model_built_by_hand_gets_nothing_attached(tmp_path: Path) -> None:
    import wntr

    model = wntr.network.WaterNetworkModel()
    model.add_reservoir("lake", base_head=50.0)
    model.add_junction("a", base_demand=0.002, elevation=3.0, demand_pattern=None)
    model.get_node("a").add_demand(0.001, None, "garden")
    model.add_pipe("p", "lake", "a", length=120.0, diameter=0.1, roughness=110.0)
    model.options.time.duration = 60 * HOUR
    attributes = {key: id(value) for key, value in vars(model).items()}
    results = simulator(model).run_sim()
    assert {key: id(value) for key, value in vars(model).items()} == attributes
    assert_same(results, theirs(model, tmp_path))
    assert results.node["demand"].loc[0, "a"] == pytest.approx(0.003, rel=1e-3)


def test_average_is_one_row_of_means(tmp_path: Path) -> None:
    model = small_town(tmp_path)
    series = simulator(model).run_sim().node["head"].to_numpy().astype(float)
    model.options.time.statistic = "AVERAGED"
    simulator(model).run_sim(file_prefix="kept")  # EPANET's own average
    whole = np.fromfile("kept.bin", dtype=np.float32)[-7 - 4 * series.shape[1] - 8 * len(model.links) :]
    average = simulator(model).run_sim()  # `EpanetSimulator` takes its one row for a run that did not converge
    assert average.error_code is None
    assert average.node["head"].shape[0] == 1
    assert average.node["head"].to_numpy()[0] == pytest.approx(series.mean(axis=0), rel=1e-5)
    width = series.shape[1]
    assert average.node["head"].to_numpy()[0].tolist() == whole[width : 2 * width].tolist()


# the way around EN_solveQ ---------------------------------------------------------------------------------------------


def test_results_from_hydraulics_equal_those_that_epanet_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hydro.simulator as module

    for units, law in (("GPM", "H-W"), ("CMH", "D-W"), ("MLD", "C-M")):
        model = small_town(tmp_path, units, law, hours=60)
        for library in ("2.2", "2.3"):
            prepared: list[bool] = []
            original = module.Shortcut.prepare
            with monkeypatch.context() as patch:
                patch.setattr(
                    module.Shortcut,
                    "prepare",
                    lambda self, *rest, _of=original, _to=prepared: _to.append(_of(self, *rest)) or _to[-1],
                )
                quick = simulator(model, library=library).run_sim()
            assert prepared == [True]
            with monkeypatch.context() as patch:
                patch.setattr(module, "_WORTH_IT", 10**6)
                slow = simulator(model, library=library).run_sim()
            assert_same(quick, slow)


def test_a_first_step_that_differs_leaves_all_to_epanet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hydro.simhydraulics as module

    monkeypatch.setattr(module, "_FT", 0.30480001)
    model = small_town(tmp_path)
    assert_same(simulator(model).run_sim(), theirs(model, tmp_path))


# files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", ["NONE", "RANGE"])
@pytest.mark.parametrize("library", ["2.2", "2.3"])
def test_no_file_is_left_or_ever_there(
    library: Any, statistic: str, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wntr.epanet.toolkit import ENepanet

    seen: list[list[Path]] = []
    for name in ("ENsolveH", "ENinitQ", "ENclose"):
        original = getattr(ENepanet, name)

        def listed(self: Any, *arguments: Any, _original: Any = original) -> Any:
            answer = _original(self, *arguments)
            seen.append(list(elsewhere.iterdir()))
            return answer

        monkeypatch.setattr(ENepanet, name, listed)
    model = small_town(tmp_path)
    model.options.time.statistic = statistic
    simulator(model, library=library).run_sim()
    assert len(seen) == 3
    assert all(files == [] for files in seen)


def test_a_prefix_leaves_the_files_that_epanet_simulator_leaves(tmp_path: Path, elsewhere: Path) -> None:
    import wntr

    model = small_town(tmp_path)
    simulator(model).run_sim(file_prefix="mine", save_hyd=True)
    mine = {file.name for file in elsewhere.iterdir()}
    wntr.sim.EpanetSimulator(model).run_sim(file_prefix="mane", save_hyd=True)
    assert mine == {"mine.inp", "mine.rpt", "mine.bin", "mine.hyd"}
    for ending in ("hyd", "bin"):
        ours, reference = ((elsewhere / f"{stem}.{ending}").read_bytes() for stem in ("mine", "mane"))
        assert ours.replace(b"mine", b"mane") == reference
    again = wntr.epanet.io.BinFile().read("mine.bin")
    assert_same(simulator(model).run_sim(), again)


def test_hydraulics_are_saved_and_used(tmp_path: Path, elsewhere: Path) -> None:
    model = small_town(tmp_path)
    model.options.quality.parameter = "AGE"
    whole = simulator(model).run_sim(save_hyd=True)
    assert [file.name for file in elsewhere.iterdir()] == ["temp.hyd"]
    assert_same(simulator(model).run_sim(use_hyd=True), whole)
    assert_same(theirs(model, tmp_path, use_hyd=True, hydfile="temp.hyd"), whole)
    with pytest.raises(EpanetError, match="305"):
        simulator(model).run_sim(use_hyd=True, hydfile="nowhere.hyd")


def test_network_name_and_reader_are_as_in_wntr(tmp_path: Path, elsewhere: Path) -> None:
    import wntr

    class Counting(wntr.epanet.io.BinFile):  # type: ignore[misc]
        read_files = 0

        def read(self, *arguments: Any, **options: Any) -> Any:
            self.read_files += 1
            return super().read(*arguments, **options)

    model = small_town(tmp_path)
    reader = Counting()
    read = simulator(model, reader=reader).run_sim()
    assert reader.read_files == 1
    ours = simulator(model).run_sim()
    assert_same(ours, read)
    reference = wntr.sim.EpanetSimulator(model).run_sim()
    assert np.array_equal(ours.network_name, reference.network_name)
    assert ours.network_name.dtype == reference.network_name.dtype


def test_runs_side_by_side_are_the_same_as_one_after_the_other(tmp_path: Path, elsewhere: Path) -> None:
    models = [small_town(tmp_path, units) for units in ("LPS", "GPM")] + [load("Net3").model]
    models[0].options.quality.parameter = "AGE"
    alone = [simulator(model).run_sim() for model in models]
    found: dict[int, Any] = {}

    def work(k: int) -> None:
        for _ in range(3):
            found[k] = simulator(copy.deepcopy(models[k % 3])).run_sim()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(6))
    for k, results in found.items():
        assert_same(results, alone[k % 3])
    assert list(elsewhere.iterdir()) == []


# what goes wrong ------------------------------------------------------------------------------------------------------


def test_errors_are_wntrs_and_ours(tmp_path: Path, elsewhere: Path) -> None:
    from wntr.epanet.exceptions import EpanetException

    model = small_town(tmp_path)
    model.options.quality.parameter, model.options.quality.trace_node = "TRACE", "nobody"
    with pytest.raises(EpanetException) as reference:
        theirs(model, tmp_path)
    with pytest.raises(EpanetException) as error:
        simulator(model).run_sim()
    assert isinstance(error.value, EpanetError)
    assert str(error.value).startswith(str(reference.value))
    assert "[OPTIONS]" in str(error.value).upper() or "QUALITY" in str(error.value)
    assert list(elsewhere.iterdir()) == []


def unbalanced(folder: Path) -> Any:
    """A model that EPANET gives up half way, when a pipe closes."""
    from wntr.network.controls import Control, ControlAction, SimTimeCondition

    model = small_town(folder)
    hydraulic = model.options.hydraulic
    hydraulic.unbalanced, hydraulic.unbalanced_value = "STOP", None
    hydraulic.trials, hydraulic.accuracy = 3, 1e-5
    action = ControlAction(model.get_link(model.pipe_name_list[1]), "status", 0)
    model.add_control("shut", Control(SimTimeCondition(model, "=", 7 * HOUR), action))
    return model


@pytest.mark.parametrize("worth_it", [1, 10**6])
def test_a_run_that_is_cut_short_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worth_it: int) -> None:
    from wntr.sim.results import ResultsStatus

    import hydro.simulator as module

    monkeypatch.setattr(module, "_WORTH_IT", worth_it)
    model = unbalanced(tmp_path)
    with pytest.warns(UserWarning, match=r"Simulation did not converge at time \d\d:00:00\.") as caught:
        results = simulator(model).run_sim()
    assert Path(caught[0].filename).name == Path(__file__).name
    assert results.error_code == ResultsStatus.error
    done = len(results.node["head"])
    assert 0 < done < 49
    model.options.hydraulic.unbalanced = "CONTINUE"
    assert simulator(model).run_sim().error_code is None
    model.options.hydraulic.unbalanced = "STOP"
    with pytest.raises(RuntimeError, match=f"{done:02}:00:00"):
        simulator(model).run_sim(convergence_error=True)


def test_libraries_that_are_not_there_are_refused(tmp_path: Path) -> None:
    model = small_town(tmp_path)
    with pytest.raises(HydraulicError, match=r"'2\.4'"):
        simulator(model, library="2.4")
    with pytest.raises(HydraulicError, match=r"2\.1"):
        simulator(model).run_sim(version=2.1)


# networks, leakage, the other libraries -------------------------------------------------------------------------------


def leaky(folder: Path) -> Any:
    network = load(write_inp(folder / "leaky.inp", town(), hours=3))
    pipes = tuple(network.model.pipe_name_list[:2])
    network.leakage = Leakage(pipes, np.full(2, 40.0), np.full(2, 1.0))
    return network


def test_leakage_is_computed_and_never_dropped(tmp_path: Path) -> None:
    network = leaky(tmp_path)
    tight = simulator(load(network.source)).run_sim().node["demand"].sum(axis=1)
    leaking = simulator(network).run_sim().node["demand"].sum(axis=1)
    with Engine(network) as engine:
        engine.start()
        engine.solve()
        leaks = engine.read("node", "leakage").sum()
    assert leaks > 1e-4
    junctions = list(network.model.junction_name_list)
    consumed = simulator(network).run_sim().node["demand"].loc[0, junctions].sum()
    without = simulator(load(network.source)).run_sim().node["demand"].loc[0, junctions].sum()
    assert consumed - without == pytest.approx(leaks, rel=1e-4)
    assert leaking.iloc[0] == pytest.approx(tight.iloc[0], abs=1e-5)  # what leaks comes out of lake and tank
    with pytest.raises(HydraulicError, match=r"2 pipes have leakage, which EPANET 2\.2 cannot compute"):
        simulator(network, library="2.2")
    with pytest.raises(HydraulicError, match=r"2 pipes have leakage, which EPANET 2\.0 cannot compute"):
        simulator(network).run_sim(version=2.0)


def test_the_model_of_a_leaky_network_leaks_too(tmp_path: Path) -> None:
    network = leaky(tmp_path)
    path = tmp_path / "written.inp"
    from networks.export import write_inp as write

    write(network, path)
    model = load(path).model
    whole = simulator(load(path)).run_sim()
    of_model = simulator(copy.deepcopy(model)).run_sim()
    assert np.allclose(of_model.node["demand"], whole.node["demand"], rtol=1e-4, atol=1e-7)
    with pytest.raises(HydraulicError, match="leakage"):
        simulator(model, library="2.2")
    model.leakage = None
    assert simulator(model).run_sim().node["demand"].to_numpy() == pytest.approx(
        theirs(model, tmp_path).node["demand"].to_numpy()
    )


@pytest.mark.parametrize("library", ["2.2", "2.3"])
def test_a_file_goes_to_epanet_as_it_is(library: Any, tmp_path: Path) -> None:
    network = load("Net3")
    results = simulator("Net3", library=library).run_sim()
    assert not network.is_modelled
    with Engine(network, library) as engine:
        heads = [engine.read("node", "head") for now in engine.steps() if now % HOUR == 0]
        assert tuple(results.node["head"].columns) == engine.topology.nodes
    assert results.node["head"].to_numpy() == pytest.approx(np.array(heads), rel=1e-6)


def test_names_of_folders_may_be_in_any_alphabet(tmp_path: Path, elsewhere: Path) -> None:
    model = small_town(tmp_path)
    folder = elsewhere / "Умань"
    folder.mkdir()
    kept = simulator(model).run_sim(file_prefix=str(folder / "мережа"), save_hyd=True)
    assert sorted(file.suffix for file in folder.iterdir()) == [".bin", ".hyd", ".inp", ".rpt"]
    assert_same(kept, simulator(model).run_sim())


@pytest.mark.parametrize("end", ["[END]", "  [End]", ""])
def test_a_file_may_end_in_any_way(end: str, tmp_path: Path, elsewhere: Path) -> None:
    path = write_inp(tmp_path / "town.inp", town(), hours=48)
    reference = simulator(path).run_sim()
    path.write_text(path.read_text().replace("[END]", end))
    assert_same(simulator(path).run_sim(), reference)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("unit", ["KPA", "METERS"])
@pytest.mark.parametrize("library", ["2.2", "2.3"])
def test_pressure_of_a_file_is_in_metres_whatever_its_unit(unit: str, library: Any, tmp_path: Path) -> None:
    path = write_inp(tmp_path / "town.inp", town(), hours=3)
    plain = simulator(path, library=library).run_sim().node["pressure"].to_numpy()
    path.write_text(path.read_text().replace("[REPORT]", f" Pressure {unit}\n[REPORT]"))
    given = simulator(path, library=library).run_sim().node["pressure"].to_numpy()
    assert given == pytest.approx(plain, rel=1e-5, abs=1e-5)


def test_epanet_2_0_is_there_too(tmp_path: Path) -> None:
    model = load("Net1").model
    assert_same(simulator(model).run_sim(version=2.0), theirs_on_2_0(model, tmp_path))
    assert_same(simulator(model).run_sim(version="2.2"), theirs(model, tmp_path))
    for law in ("H-W", "D-W"):
        path = write_inp(tmp_path / "town.inp", town("LPS", law), "LPS", law, hours=5)
        old, new = simulator(path).run_sim(version=2.0), simulator(path).run_sim()
        assert old.link["setting"].equals(new.link["setting"])
    model.options.time.statistic = "MAXIMUM"
    assert_same(simulator(model).run_sim(version=2.0), theirs_on_2_0(model, tmp_path))


def test_epanet_2_0_that_dies_takes_nobody_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hydro import epanet20

    dying = tmp_path / "epanet20.py"
    (tmp_path / "epanet20child.py").write_text("import os; input(); print(0, flush=True); input(); os.abort()")
    monkeypatch.setattr(epanet20, "__file__", str(dying))
    with pytest.raises(HydraulicError, match=r"EPANET 2\.0 ended with signal or code -6 in ENsolveH; run .* on 2\.2"):
        simulator(load("Net1").model).run_sim(version=2.0)


def test_several_species_run_by_wntrs_own_code(tmp_path: Path, elsewhere: Path) -> None:
    model = load("Net1").model
    model.options.time.duration = 2 * HOUR
    model.options.quality.parameter = "NONE"
    model.add_msx_model()
    model.msx.title, model.msx.options.timestep = "decay", 300
    model.msx.add_species("CL", "bulk", units="mg")
    model.msx.add_reaction("CL", "pipe", "rate", "-0.1*CL")
    results = simulator(model).run_sim()
    assert list(elsewhere.iterdir()) == []
    assert "CL" in results.node
    reference = theirs(model, tmp_path)
    assert results.node["CL"].equals(reference.node["CL"])
    assert results.node["head"].equals(reference.node["head"])
    with pytest.raises(HydraulicError, match="EPANET-MSX"):
        simulator(model, library="2.3").run_sim()


def test_the_newer_library_agrees_where_both_do(tmp_path: Path) -> None:
    model = load("Net3").model
    one, other = simulator(model).run_sim(), simulator(model, library="2.3").run_sim()
    assert one.node["head"].to_numpy() == pytest.approx(other.node["head"].to_numpy(), abs=1e-3)
    assert_same(simulator(model).run_sim(version=2.3), other)


def test_importing_hydro_leaves_wntr_alone() -> None:
    code = "import sys, hydro, hydro.engine; before = 'wntr' in sys.modules; hydro.Simulator; sys.exit(before)"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
    import hydro

    with pytest.raises(AttributeError, match="Nobody"):
        _ = hydro.Nobody  # type: ignore[attr-defined]
