"""Batches: what they write is what single runs give; killed and started again they end the same."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hydro import batchfiles
from hydro.batch import EVERYTHING, Sensors, run_batch
from hydro.engine import Engine
from hydro.errors import HydraulicError, ScenarioError
from hydro.library import LibraryName
from hydro.quality import Quality
from hydro.run import run
from hydro.scenario import Closure, FireFlow, Leak, Noise, PressureDriven, PumpTrip, Scenario, Surge
from hydro.scenariofile import write_scenarios
from networks import UnknownElement, load

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
SENSORS = Sensors(nodes=("15", "105", "1"), links=("101", "10"))
HOURS = 6.0


def stories(count: int = 10) -> list[Scenario]:
    pipes = ["101", "111", "117", "125", "175", "177", "183", "201", "229", "273"]
    kinds: list[Scenario] = []
    for k in range(count):
        pipe = pipes[k % len(pipes)]
        event = (
            Leak(pipe=pipe, position=0.3, diameter=0.05 + 0.001 * k, start=3600),
            Closure(link=pipe, start=7200),
            FireFlow(junction="105", flow=0.02, start=3600, end=7200),
            PumpTrip(pump="10", start=7200),
            Surge(factor=1.3),
        )[k % 5]
        driven = PressureDriven() if k % 2 else None
        kinds.append(Scenario(f"s{k}", (event,), driven, Noise(demand=0.1 if k % 4 == 3 else 0.0), k))
    return kinds


def table(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    frame["scenario"] = frame["scenario"].astype(str)
    return frame


def test_a_batch_is_what_single_runs_give(tmp_path: Path) -> None:
    scenarios, seen = stories(), []
    done = run_batch(
        "Net3", scenarios, tmp_path / "b.parquet", SENSORS, HOURS, jobs=1, part_size=3, progress=seen.append
    )
    assert (done.n_scenarios, done.n_new, done.failed) == (10, 10, {})
    assert seen == [3, 6, 9, 10]
    frame = table(tmp_path / "b.parquet")
    assert list(frame["scenario"].unique()) == [s.name for s in scenarios]
    for scenario in scenarios:
        mine = frame[frame["scenario"] == scenario.name]
        single = run("Net3", scenario, HOURS)
        np.testing.assert_array_equal(mine["time_s"], single.times)
        for column, quantity, element in (
            ("pressure[m]:15", "pressure", "15"), ("level[m]:1", "pressure", "1"),
            ("pressure[m]:105", "pressure", "105"),
        ):  # fmt: skip
            theirs = single.node_values[quantity][:, single.nodes.index(element)]
            np.testing.assert_allclose(mine[column], theirs, atol=2e-5)
        theirs = single.link_values["flow"][:, single.links.index("101")]
        np.testing.assert_allclose(mine["flow[m3/s]:101"], theirs, atol=1e-6)
        leaks = sum(single.leak_flows.values(), np.zeros(len(single.times)))
        np.testing.assert_allclose(mine["leak[m3/s]"], leaks, atol=1e-7)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.parquet"]


def test_units_are_in_the_metadata(tmp_path: Path) -> None:
    import pyarrow.parquet

    run_batch("Net3", stories(2), tmp_path / "b.parquet", SENSORS, 1.0, jobs=1)
    schema = pyarrow.parquet.read_schema(tmp_path / "b.parquet")
    assert schema.field("pressure[m]:15").metadata[b"unit"] == b"m"
    assert schema.field("flow[m3/s]:101").metadata[b"unit"] == b"m3/s"
    assert schema.field("time_s").metadata[b"unit"] == b"s"


def test_processes_give_the_same_file(tmp_path: Path) -> None:
    run_batch("Net3", stories(8), tmp_path / "one.parquet", SENSORS, HOURS, jobs=1, part_size=2)
    run_batch("Net3", stories(8), tmp_path / "two.parquet", SENSORS, HOURS, jobs=2, part_size=2)
    pd.testing.assert_frame_equal(table(tmp_path / "one.parquet"), table(tmp_path / "two.parquet"))


def test_everything_on_request(tmp_path: Path) -> None:
    run_batch("Net1", [Scenario("calm")], tmp_path / "b.parquet", EVERYTHING, 3.0, jobs=1)
    frame, single = table(tmp_path / "b.parquet"), run("Net1", hours=3.0)
    assert len(frame.columns) == 2 + 3 * len(single.nodes) + 3 * len(single.links) + 3
    for quantity, unit in (("head", "m"), ("demand", "m3/s")):
        for k, name in enumerate(single.nodes):
            np.testing.assert_array_equal(frame[f"{quantity}[{unit}]:{name}"], single.node_values[quantity][:, k])


def test_the_networks_own_sensors_are_the_default(tmp_path: Path) -> None:
    uman = load("uman")
    assert uman.sensors is not None
    run_batch(uman, [Scenario("calm")], tmp_path / "b.parquet", hours=0.0, jobs=1)
    columns = [c.split(":")[1] for c in table(tmp_path / "b.parquet").columns if ":" in c]
    wanted = uman.sensors.loc[uman.sensors["quantity"].isin(["pressure", "level", "flow"]), "element"]
    assert set(columns) == set(wanted)


def test_a_network_that_lists_no_sensors_keeps_what_a_plant_knows_and_every_pressure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_batch("Net1", [Scenario("calm")], hours=1.0, jobs=1)
    assert done.path == Path("batch.parquet")
    frame, single = table(done.path), run("Net1", hours=1.0)
    tanks, sources = {"2"}, {"9"}
    wanted = [f"pressure[m]:{n}" for n in single.nodes if n not in tanks | sources] + ["level[m]:2"]
    # the pump and the tank's pipe
    assert list(frame.columns[2:-3]) == [*wanted, "flow[m3/s]:110", "flow[m3/s]:9"]
    np.testing.assert_array_equal(frame["level[m]:2"], single.node_values["pressure"][:, single.nodes.index("2")])


QUALITIES = (Quality("age"), Quality("trace", "Lake"), Quality("chlorine", dose=0.8, bulk=-1.0), Quality("model"))


@pytest.mark.parametrize("library", ["2.3", "2.2"])
def test_water_quality_is_what_single_runs_give(library: LibraryName, tmp_path: Path) -> None:
    """Scenario after scenario, each from the model's own water, with leaks that add junctions."""
    scenarios = stories(3)
    for quality in QUALITIES:
        done = run_batch(
            "Net3", scenarios, tmp_path / "b.parquet", SENSORS, HOURS, library, jobs=1, quality=quality
        )  # fmt: skip
        assert done.failed == {}
        frame = table(tmp_path / "b.parquet")
        name = "trace" if quality.kind == "model" else quality.kind
        unit = {"age": "h", "trace": "%", "chlorine": "mg/L"}[name]
        assert list(frame.columns[7:12]) == [
            *(f"{name}[{unit}]:{n}" for n in SENSORS.nodes), *(f"{name}_in_link[{unit}]:{n}" for n in SENSORS.links)
        ]  # fmt: skip
        for scenario in scenarios:
            mine, single = frame[frame["scenario"] == scenario.name], run("Net3", scenario, HOURS, library, quality)
            theirs = single.node_values[name][:, single.nodes.index("105")]
            np.testing.assert_allclose(mine[f"{name}[{unit}]:105"], theirs, atol=1e-4)
            theirs = single.link_values[f"{name}_in_link"][:, single.links.index("101")]
            np.testing.assert_allclose(mine[f"{name}_in_link[{unit}]:101"], theirs, atol=1e-4)
        assert frame[f"{name}_in_link[{unit}]:101"].max() > 0.0
    with pytest.raises(HydraulicError, match="no water quality"):
        run_batch("L-TOWN", scenarios, tmp_path / "c.parquet", Sensors(("n1",)), 1.0, quality=Quality("model"))
    with pytest.raises(HydraulicError, match="fast solver"):
        run_batch("Net3", scenarios, tmp_path / "c.parquet", SENSORS, 1.0, fast=True, quality=Quality("age"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.parquet"]


def test_quality_does_not_change_what_sensors_read(tmp_path: Path) -> None:
    noisy = [Scenario("n", noise=Noise(pressure=0.5, flow=0.02), seed=7)]
    run_batch("Net3", noisy, tmp_path / "a.parquet", SENSORS, HOURS, jobs=1)
    run_batch("Net3", noisy, tmp_path / "b.parquet", SENSORS, HOURS, jobs=1, quality=Quality("age"))
    one, other = table(tmp_path / "a.parquet"), table(tmp_path / "b.parquet")
    np.testing.assert_allclose(other[one.columns[2:7]], one[one.columns[2:7]], atol=1e-9)


def test_csv_and_netcdf_hold_what_parquet_holds(tmp_path: Path) -> None:
    """Several parts, one scenario that could not be run, and one file for each ending."""
    xarray = pytest.importorskip("xarray")
    wrong = Scenario("wrong", (Leak(pipe="no such", diameter=0.01),))
    scenarios = [wrong, *stories(4)]
    for ending in ("parquet", "csv", "nc"):
        run_batch("Net3", scenarios, tmp_path / f"b.{ending}", SENSORS, HOURS, jobs=1, part_size=2,
                  quality=Quality("age"))  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.csv", "b.nc", "b.parquet"]
    exact, written = table(tmp_path / "b.parquet"), pd.read_csv(tmp_path / "b.csv")
    assert list(written.columns) == list(exact.columns)
    assert list(written["scenario"]) == list(exact["scenario"])
    np.testing.assert_allclose(written[exact.columns[2:-2]], exact[exact.columns[2:-2]], rtol=1e-6, atol=1e-9)
    assert written["error"].fillna("").tolist() == exact["error"].fillna("").tolist()
    with xarray.open_dataset(tmp_path / "b.nc", decode_times=False) as data:
        assert [str(name) for name in data["scenario"].values] == [s.name for s in scenarios]
        assert data["time"].attrs["units"] == "s"
        assert "no such" in str(data["error"].sel(scenario="wrong").values)
        assert np.isnan(data["pressure"].sel(scenario="wrong")).all()
        for column, (quantity, unit, where) in {
            "pressure[m]:105": ("pressure", "m", {"node": "105"}), "level[m]:1": ("level", "m", {"node": "1"}),
            "flow[m3/s]:10": ("flow", "m3/s", {"link": "10"}), "age[h]:105": ("age", "h", {"node": "105"}),
            "age_in_link[h]:101": ("age_in_link", "h", {"link": "101"}), "leak[m3/s]": ("leak", "m3/s", {}),
        }.items():  # fmt: skip
            assert data[quantity].attrs["units"] == unit
            for scenario in scenarios[1:]:
                mine = data[quantity].sel(scenario=scenario.name, **where).to_numpy()
                np.testing.assert_array_equal(mine, exact[exact["scenario"] == scenario.name][column])


def test_sensor_noise_has_its_deviation_and_its_seed(tmp_path: Path) -> None:
    noisy = [Scenario(f"n{k}", noise=Noise(pressure=0.5, level=0.1, flow=0.02), seed=7) for k in range(60)]
    calm = run("Net3", hours=24.0)
    for name in ("a", "b"):
        run_batch("Net3", noisy, tmp_path / f"{name}.parquet", SENSORS, 24.0, jobs=1)
    frame = table(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(frame, table(tmp_path / "b.parquet"))
    true = np.tile(calm.node_values["pressure"][:, calm.nodes.index("15")], 60)
    assert np.std(frame["pressure[m]:15"] - true) == pytest.approx(0.5, rel=0.1)
    true = np.tile(calm.node_values["pressure"][:, calm.nodes.index("1")], 60)
    assert np.std(frame["level[m]:1"] - true) == pytest.approx(0.1, rel=0.1)
    true = np.tile(calm.link_values["flow"][:, calm.links.index("101")], 60)
    assert np.std(frame["flow[m3/s]:101"] / true - 1.0) == pytest.approx(0.02, rel=0.1)


def test_a_scenario_that_cannot_be_run_is_said_and_the_others_are(tmp_path: Path) -> None:
    wrong = Scenario("wrong", (Leak(pipe="no such", diameter=0.01),))
    done = run_batch("Net3", [*stories(2), wrong, *stories(4)[2:]], tmp_path / "b.parquet", SENSORS, 1.0, jobs=1)
    assert list(done.failed) == ["wrong"]
    frame = table(tmp_path / "b.parquet")
    (row,) = frame[frame["scenario"] == "wrong"].to_dict("records")
    assert "no such" in row["error"]
    assert np.isnan(row["pressure[m]:15"])
    good = frame[frame["scenario"] != "wrong"]
    assert good["error"].isna().all()
    assert good["pressure[m]:15"].notna().all()


@pytest.mark.parametrize("library", ["2.3", "2.2"])
def test_a_model_that_cannot_be_solved_tightly_leaks_all_the_same(library: LibraryName, tmp_path: Path) -> None:
    """BWSN's first network stops where it is not balanced, and at the accuracy that leaks are given it never is."""
    pytest.importorskip("epyt")
    with Engine("BWSN_Network_1", library) as engine:
        pipe, own = engine.topology.links[int(engine.topology.pipes[60])], engine.accuracy
    story = Scenario("leak", (Leak(pipe=pipe, diameter=0.02),))
    single = run("BWSN_Network_1", story, 6.0, library)
    assert any("solved at an accuracy of" in warning for warning in single.warnings)
    assert own > 1e-6
    done = run_batch("BWSN_Network_1", [story], tmp_path / "b.parquet", None, 6.0, library, jobs=1)
    assert done.failed == {}
    leak = table(tmp_path / "b.parquet")["leak[m3/s]"]
    assert (leak > 1e-4).all()
    np.testing.assert_allclose(leak, single.leak_flows[pipe], rtol=1e-6)
    pressure = single.node_values["pressure"][:, single.nodes.index(f"leak~{pipe}")]
    demand = single.node_values["demand"][:, single.nodes.index(f"leak~{pipe}")]
    np.testing.assert_allclose(demand, 0.75 * np.pi / 4 * 0.02**2 * np.sqrt(2 * 9.81 * pressure), rtol=0.02)


def test_scenarios_may_be_a_stream(tmp_path: Path) -> None:
    """At no time are more scenarios taken than the parts that wait."""
    taken, most = 0, 0

    def stream() -> object:
        nonlocal taken
        for scenario in stories(30):
            taken += 1
            yield scenario

    def note(done: int) -> None:
        nonlocal most
        most = max(most, taken - done)

    calm = (Scenario(s.name) for s in stream())
    run_batch("Net1", calm, tmp_path / "b.parquet", EVERYTHING, 1.0, jobs=1, part_size=2, progress=note)
    assert most <= 2


def test_netcdf_of_one_sensor_and_of_nothing_that_could_be_run(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    wrong = Scenario("wrong", (Leak(pipe="no such", diameter=0.01),))
    for name, scenarios in (("one", stories(1)), ("none", [wrong])):
        run_batch("Net3", scenarios, tmp_path / f"{name}.nc", Sensors(nodes=("15",)), 2.0, jobs=1)
    with xarray.open_dataset(tmp_path / "one.nc", decode_times=False) as data:
        assert dict(data.sizes) == {"scenario": 1, "time": 3, "node": 1}
        single = run("Net3", stories(1)[0], 2.0)
        theirs = single.node_values["pressure"][:, single.nodes.index("15")]
        np.testing.assert_allclose(data["pressure"].sel(node="15")[0], theirs, atol=2e-5)
    with xarray.open_dataset(tmp_path / "none.nc", decode_times=False) as data:
        assert "no such" in str(data["error"].values[0])
        assert data.sizes["time"] == 0


# fast -----------------------------------------------------------------------------------------------------------------


def test_fast_results_are_epanets_to_a_millimetre(tmp_path: Path) -> None:
    """What the fast solver takes, what it leaves to EPANET, and what nobody can run, in one file and in order."""
    scenarios = [
        Scenario("orifice", (Leak(junction="105", area=2e-4, discharge=0.6, start=3600),)),
        Scenario("middle", (Leak(pipe="175", diameter=0.02, start=3600, end=7200),)),
        Scenario("elsewhere", (Leak(pipe="175", position=0.2, diameter=0.02),)),
        Scenario("closed", (Closure(link="111", start=7200),)),
        Scenario("more", (Surge(factor=1.1),)),
        Scenario("trip", (PumpTrip(pump="10", start=7200),)),
        Scenario("driven", pressure_driven=PressureDriven()),
        Scenario("wrong", (Leak(pipe="no such", diameter=0.01),)),
        Scenario("noisy", noise=Noise(pressure=0.3), seed=3),
    ]
    both = {}
    for fast in (False, True):
        out = tmp_path / f"{fast}.parquet"
        done = run_batch("Net3", scenarios, out, SENSORS, HOURS, accuracy=1e-6, fast=fast, jobs=1)
        both[fast] = table(out)
        assert list(done.failed) == ["wrong"]
        assert done.n_fast == (5 if fast else 0)
    exact, fast_one = both[False], both[True]
    assert list(fast_one["scenario"].unique()) == [s.name for s in scenarios]
    by = fast_one.groupby("scenario")["solver"].first()
    assert sorted(by[by == "fast"].index) == ["closed", "middle", "more", "noisy", "orifice"]
    for column in ("pressure[m]:15", "pressure[m]:105", "level[m]:1"):
        np.testing.assert_allclose(fast_one[column], exact[column], atol=1e-3)
    np.testing.assert_allclose(fast_one["flow[m3/s]:101"], exact["flow[m3/s]:101"], atol=1e-4)
    np.testing.assert_allclose(fast_one["leak[m3/s]"], exact["leak[m3/s]"], atol=1e-7)


def test_a_network_beyond_the_fast_solver_is_epanets(tmp_path: Path) -> None:
    done = run_batch("ky4", [Scenario("calm")], tmp_path / "b.parquet", Sensors(("J-10",)), 1.0, fast=True, jobs=1)
    assert (done.n_scenarios, done.n_fast) == (1, 0)
    with pytest.raises(HydraulicError, match="fast solver"):
        run_batch("ky4", [Scenario("calm")], tmp_path / "c.parquet", EVERYTHING, 1.0, fast=True)


# started again --------------------------------------------------------------------------------------------------------


def test_parts_that_are_there_are_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "b.parquet"
    run_batch("Net3", stories(8), tmp_path / "whole.parquet", SENSORS, HOURS, jobs=1, part_size=2)

    def stops(done: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch("Net3", stories(8), out, SENSORS, HOURS, jobs=1, part_size=2, progress=stops)
    assert not out.exists()
    assert len(list((tmp_path / "b.parquet.parts").glob("part-*.parquet"))) == 2
    done = run_batch("Net3", stories(8), out, SENSORS, HOURS, jobs=1, part_size=2)
    assert (done.n_scenarios, done.n_new) == (8, 4)
    pd.testing.assert_frame_equal(table(out), table(tmp_path / "whole.parquet"))


@pytest.mark.parametrize("ending", ["parquet", "csv", "nc"])
def test_a_file_that_could_not_be_put_together_is_not_there(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / f"b.{ending}"

    def breaks(folder: Path, n_parts: int) -> object:
        yield next(groups(folder, n_parts))
        raise KeyboardInterrupt

    groups = batchfiles._groups
    with monkeypatch.context() as patch:
        patch.setattr(batchfiles, "_groups", breaks)
        with pytest.raises(KeyboardInterrupt):
            run_batch("Net3", stories(4), out, SENSORS, 1.0, jobs=1, part_size=2)
    assert not out.exists()
    done = run_batch("Net3", stories(4), out, SENSORS, 1.0, jobs=1, part_size=2)
    assert (done.n_scenarios, done.n_new) == (4, 0)
    assert [p.name for p in tmp_path.iterdir()] == [out.name]


def test_parts_of_another_batch_are_not_mixed_in(tmp_path: Path) -> None:
    out = tmp_path / "b.parquet"

    def stops(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch("Net3", stories(4), out, SENSORS, HOURS, jobs=1, part_size=2, progress=stops)
    with pytest.raises(HydraulicError, match="hours differ"):
        run_batch("Net3", stories(4), out, SENSORS, 3.0, jobs=1, part_size=2)
    other = load("Net3")
    other.model.get_link("101").length *= 2.0
    with pytest.raises(HydraulicError, match="inp differ"):
        run_batch(other, stories(4), out, SENSORS, HOURS, jobs=1, part_size=2)
    with pytest.raises(HydraulicError, match="other scenarios"):
        run_batch("Net3", stories(5)[1:], out, SENSORS, HOURS, jobs=1, part_size=2)


def test_a_killed_batch_goes_on_where_it_was(tmp_path: Path) -> None:
    """The real command, killed with no warning, then started again: the same file as without the kill."""
    scenarios = [Scenario(f"s{k}", (Leak(pipe="101", diameter=0.01 + 1e-5 * k, start=3600),)) for k in range(400)]
    write_scenarios(scenarios, tmp_path / "s.csv")
    command = [sys.executable, "-m", "umanflow", "batch", "Net3", "--scenarios", str(tmp_path / "s.csv"), "--jobs", "2",
               "--sensors", "15,105,1", "--flows", "101", "-o"]  # fmt: skip
    out = tmp_path / "killed.parquet"
    child = subprocess.Popen([*command, str(out)], start_new_session=True, stderr=subprocess.PIPE)
    folder = tmp_path / "killed.parquet.parts"
    until = time.monotonic() + 60.0
    while len(list(folder.glob("part-*.parquet"))) < 2 and time.monotonic() < until and child.poll() is None:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    there = len(list(folder.glob("part-*.parquet")))
    assert there >= 2
    assert not out.exists()
    subprocess.run([*command, str(out)], check=True, capture_output=True)
    whole = tmp_path / "whole.parquet"
    run_batch("Net3", scenarios, whole, Sensors(("15", "105", "1"), ("101",)), jobs=1)
    pd.testing.assert_frame_equal(table(out), table(whole))
    assert not folder.exists()


# a cluster ------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_gives_the_same_file(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        done = run_batch(
            "Net3", stories(8), tmp_path / "dask.parquet", SENSORS, HOURS, dask=cluster.scheduler_address, part_size=2
        )
    assert done.n_new == 8
    run_batch("Net3", stories(8), tmp_path / "one.parquet", SENSORS, HOURS, jobs=1, part_size=2)
    pd.testing.assert_frame_equal(table(tmp_path / "dask.parquet"), table(tmp_path / "one.parquet"))


def test_no_scheduler_is_said(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(HydraulicError, match="no Dask scheduler"):
        run_batch("Net3", stories(2), tmp_path / "b.parquet", SENSORS, 1.0, dask="tcp://127.0.0.1:9")


# mistakes -------------------------------------------------------------------------------------------------------------


def test_mistakes_are_said_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UnknownElement, match="nowhere"):
        run_batch("Net3", stories(2), tmp_path / "b.parquet", Sensors(nodes=("nowhere",)), 1.0, jobs=1)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(HydraulicError, match=r"in \.parquet"):
        run_batch("Net3", stories(2), tmp_path / "b.xlsx", SENSORS)
    with pytest.raises(HydraulicError, match="folder does not exist"):
        run_batch("Net3", stories(2), tmp_path / "no" / "b.parquet", SENSORS)
    with pytest.raises(ScenarioError, match="two scenarios are called 's1'"):
        run_batch("Net3", [*stories(2), stories(2)[1]], tmp_path / "d.parquet", SENSORS, 1.0, jobs=1)
    with pytest.raises(ScenarioError, match="no scenario"):
        run_batch("Net3", [], tmp_path / "e.parquet", SENSORS, 1.0, jobs=1)
    for hours in (-1.0, 1e12, float("inf")):
        with pytest.raises(HydraulicError, match="between 0 and 596523"):
            run_batch("Net3", stories(1), tmp_path / "f.parquet", SENSORS, hours, jobs=1)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_no_memory_holds_is_said(tmp_path: Path) -> None:
    model = load("Net1").model
    model.options.time.report_timestep = 1
    with pytest.raises(HydraulicError, match="fit into memory"):
        run_batch(model, [Scenario()], tmp_path / "b.parquet", EVERYTHING, 596_523.0, jobs=1)
    with pytest.raises(HydraulicError, match="fit into memory"):
        run(model, hours=596_523.0)
    assert list(tmp_path.iterdir()) == []


def test_the_record_of_a_batch_is_json(tmp_path: Path) -> None:
    def stops(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch("Net3", stories(2), tmp_path / "b.parquet", SENSORS, 1.0, jobs=1, progress=stops)
    record = json.loads((tmp_path / "b.parquet.parts" / "batch.json").read_text("utf-8"))
    assert record["nodes"] == ["15", "105", "1"]
