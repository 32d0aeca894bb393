"""The command line as a user meets it: real processes, files and exit codes."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from networks import find

CONFIG = """
network = "Net1"
[tags]
file = "tags.csv"
[[devices]]
name = "ps-1"
url = "tcp://127.0.0.1:{port}"
"""


def umanflow(*arguments: str, cwd: Path | None = None, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "umanflow", *arguments], capture_output=True, text=True, cwd=cwd, timeout=timeout
    )


def check_one_line(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """A user's mistake: exit code 2, one line on stderr, no traceback."""
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "command",
    [
        "batch",
        "simulate",
        "sensitivity",
        "plc",
        "poll",
        "calibrate",
        "detect",
        "report",
        "demo",
        "networks list",
        "networks show",
        "networks export",
        "networks dmas",
        "networks import",
        "history export",
        "tags check",
        "tags import",
        "tags export",
        "write",
        "audit",
    ],
)
def test_every_command_has_help_with_an_example(command):
    result = umanflow(*command.split(), "--help")
    assert result.returncode == 0
    assert "Example: umanflow" in result.stdout


def test_catalogue_as_table_and_json():
    assert "ky4" in umanflow("networks", "list").stdout
    rows = json.loads(umanflow("networks", "list", "--json").stdout)
    assert {"Net1", "Net2", "Net3", "Net6", "ky4", "ky10"} <= {row["name"] for row in rows}
    fields = {"name", "path", "source", "licence", "sha256", "size_bytes", "crs", "description"}
    assert all(set(row) == fields for row in rows)


def test_export_and_import(tmp_path):
    file = tmp_path / "net1.inp"
    assert umanflow("networks", "export", "Net1", str(file)).returncode == 0
    assert file.read_bytes() == find("Net1")[1].read_bytes()
    nowhere = umanflow("networks", "export", "Net1", str(tmp_path / "absent" / "net1.inp"))
    assert (nowhere.returncode, len(nowhere.stderr.splitlines())) == (2, 1)
    pytest.importorskip("geopandas")
    refused = umanflow("networks", "export", "Net1", str(tmp_path / "net1.geojson"))
    assert refused.returncode == 2
    assert "--crs" in refused.stderr
    package = tmp_path / "net1.gpkg"
    assert umanflow("networks", "export", "Net1", str(package), "--crs", "EPSG:32636").returncode == 0
    again = tmp_path / "again.inp"
    done = umanflow("networks", "import", str(package), "-o", str(again))
    assert done.returncode == 0, done.stderr
    assert "EPSG:32636" in done.stdout
    assert again.is_file()
    both = umanflow("networks", "import", str(package), "--pipes", "x.shp", "-o", str(again))
    assert (both.returncode, len(both.stderr.splitlines())) == (2, 1)


def test_show_counts_elements():
    row = json.loads(umanflow("networks", "show", "net3", "--json").stdout)[0]
    assert (row["junctions"], row["tanks"], row["reservoirs"], row["pumps"]) == (92, 3, 2, 2)


@pytest.mark.parametrize("ending", ["csv", "parquet", "nc"])
def test_simulate_writes_every_kind_with_the_same_values(tmp_path, ending):
    file = tmp_path / f"out.{ending}"
    result = umanflow("simulate", "Net1", "--hours", "24", "-o", str(file))
    assert result.returncode == 0, result.stderr
    if ending == "nc":
        xarray = pytest.importorskip("xarray")
        with xarray.open_dataset(file, decode_times=False) as data:
            pressure = data["pressure"].sel(node="10").to_numpy()
            assert data["pressure"].attrs["units"] == "m"
    else:
        table = pd.read_csv(file) if ending == "csv" else pd.read_parquet(file)
        assert list(table["time_s"]) == list(range(0, 86401, 3600))
        pressure = table["pressure[m]:10"].to_numpy()
    # EPANET's own report of Net1: 127.54 psi at junction 10 at 0:00
    assert pressure[0] == pytest.approx(127.54 * 0.3048 / 0.4333, abs=0.01)
    assert len(pressure) == 25
    assert not list(tmp_path.glob(".*"))


def test_simulated_leak_opens_on_time_and_conserves_mass(tmp_path):
    file = tmp_path / "leak.csv"
    result = umanflow("simulate", "Net3", "--hours", "8", "--leak", "20:15@03:30", "-o", str(file))
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(file)
    leak, demand = table["leak[m3/s]:20"], table["demand[m3/s]:leak~20"]
    assert (leak[table["time_s"] <= 3 * 3600] == 0.0).all()
    assert (leak[table["time_s"] >= 4 * 3600] > 0.0).all()
    np.testing.assert_allclose(leak, demand, rtol=1e-4, atol=1e-9)


STORIES = """scenario,kind,element,diameter_mm,start,flow_m3h,required_m
night,leak,20,15,03:30,,
fire,options,,,,,20
fire,fire,105,,01:00,60,
"""


def test_a_scenario_of_a_file_is_run(tmp_path):
    (tmp_path / "s.csv").write_text(STORIES, "utf-8")
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    given = f"{tmp_path / 's.csv'}:night"
    assert umanflow("simulate", "Net3", "--hours", "6", "--scenario", given, "-o", str(one)).returncode == 0
    assert umanflow("simulate", "Net3", "--hours", "6", "--leak", "20:15@03:30", "-o", str(other)).returncode == 0
    assert one.read_bytes() == other.read_bytes()
    result = umanflow("simulate", "Net3", "--scenario", str(tmp_path / "s.csv"), "-o", str(one))
    check_one_line(result, "name one of its 2 scenarios", "s.csv:night")
    check_one_line(umanflow("simulate", "Net3", "--scenario", "no.csv:x", "-o", str(one)), "no.csv", "no such file")
    (tmp_path / "empty.csv").write_text("scenario,kind\n", "utf-8")
    given = str(tmp_path / "empty.csv")
    check_one_line(umanflow("simulate", "Net3", "--scenario", given, "-o", str(one)), "empty.csv", "holds no scenario")


def test_water_age_is_written_with_its_unit(tmp_path):
    file = tmp_path / "age.csv"
    assert umanflow("simulate", "Net1", "--hours", "24", "--quality", "age", "-o", str(file)).returncode == 0
    frame = pd.read_csv(file)
    ages = frame[[c for c in frame.columns if c.startswith("age[h]:")]]
    assert len(ages.columns) == 11
    assert ages.iloc[-1].max() > 10.0
    check_one_line(umanflow("simulate", "Net1", "--quality", "taste", "-o", str(file)), "taste", "ask for age")


def test_a_batch_of_a_file(tmp_path):
    (tmp_path / "s.csv").write_text(STORIES, "utf-8")
    out = tmp_path / "b.parquet"
    given = ["batch", "Net3", "--scenarios", str(tmp_path / "s.csv"), "--hours", "6", "--jobs", "1", "-o", str(out)]
    result = umanflow(*given, "--sensors", "105,1", "--flows", "101")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("2 scenarios: ")
    frame = pd.read_parquet(out)
    assert list(frame.columns) == [
        "scenario", "time_s", "pressure[m]:105", "level[m]:1", "flow[m3/s]:101", "leak[m3/s]", "solver", "error",
    ]  # fmt: skip
    assert len(frame) == 14
    check_one_line(umanflow(*given, "--sensors", "nowhere"), "nowhere")
    check_one_line(umanflow(*given, "--sensors", "105", "--jobs", "0"), "--jobs")
    (tmp_path / "s.csv").write_text(STORIES.replace("60", "sixty"), "utf-8")
    check_one_line(umanflow(*given, "--sensors", "105"), "s.csv", "line 4", "sixty")
    (tmp_path / "s.csv").write_text(STORIES.replace("105", "501"), "utf-8")
    check_one_line(umanflow(*given, "--sensors", "105"), "s.csv", "scenario 'fire'", "501")
    check_one_line(umanflow(*given[:-1], str(tmp_path / "b.xls")), "b.xls", ".parquet")


def test_a_batch_needs_no_list_of_sensors_and_follows_quality_and_pressure(tmp_path):
    """The command as the contract has it, on a plain network; then with the options that `simulate` has."""
    (tmp_path / "s.csv").write_text("scenario,kind,element,flow_m3h\nfire,fire,105,3000\n", "utf-8")
    scenarios = str(tmp_path / "s.csv")
    plain = ["Net3", "--hours", "6", "-o"]
    result = umanflow("batch", *plain, str(tmp_path / "b.parquet"), "--scenarios", scenarios, "--jobs", "1")
    assert result.returncode == 0, result.stderr
    frame = pd.read_parquet(tmp_path / "b.parquet")
    kept = [column.split(":")[0] for column in frame.columns if ":" in column]
    assert [kept.count(quantity) for quantity in ("pressure[m]", "level[m]", "flow[m3/s]")] == [92, 3, 6]
    more = ["--pdd", "--quality", "chlorine", "--chlorine", "0.8"]
    several = umanflow("batch", *plain, str(tmp_path / "b.csv"), "--scenarios", scenarios, "--jobs", "1", *more)
    assert several.returncode == 0, several.stderr
    single = umanflow("simulate", *plain, str(tmp_path / "one.csv"), "--scenario", scenarios, *more)
    assert single.returncode == 0, single.stderr
    batch, one = pd.read_csv(tmp_path / "b.csv"), pd.read_csv(tmp_path / "one.csv")
    for column in ("pressure[m]:105", "chlorine[mg/L]:15", "flow[m3/s]:335", "chlorine_in_link[mg/L]:335"):
        np.testing.assert_allclose(batch[column], one[column], rtol=1e-6, atol=1e-6)
    assert (batch["pressure[m]:105"] > frame["pressure[m]:105"] + 1.0).all()  # less pressure, less demand
    assert one["chlorine[mg/L]:15"].max() > 0.1


def test_wrong_ending_is_told_before_the_run(tmp_path):
    check_one_line(umanflow("simulate", "Net1", "-o", str(tmp_path / "x.xls")), "x.xls", ".parquet")


def test_unknown_network_names_near_ones(tmp_path):
    check_one_line(umanflow("simulate", "ky44", "-o", str(tmp_path / "x.csv")), "ky44", "ky4")


def test_unknown_pipe_of_a_leak(tmp_path):
    check_one_line(umanflow("simulate", "Net1", "--leak", "nope:10", "-o", str(tmp_path / "x.csv")), "nope")
    check_one_line(umanflow("simulate", "Net1", "--leak", "10", "-o", str(tmp_path / "x.csv")), "PIPE:DIAMETER_MM")
    assert not list(tmp_path.iterdir())


def test_a_run_without_end(tmp_path):
    for hours in ("1e12", "inf"):
        result = umanflow("simulate", "Net1", "--hours", hours, "-o", str(tmp_path / "x.csv"))
        check_one_line(result, "between 0 and 596523")
    assert not list(tmp_path.iterdir())


def test_sensitivity_of_a_list_and_of_a_file(tmp_path):
    sensors = tmp_path / "sensors.txt"
    sensors.write_text("\ufeff15  # the far end\n\n105\n", "utf-8")
    for given, name in (("15,105", "list.npz"), (str(sensors), "file.npz")):
        arguments = ("--sensors", given, "--flows", "20", "--hours", "3", "-o", str(tmp_path / name))
        result = umanflow("sensitivity", "Net3", *arguments, "--roughness")
        assert result.returncode == 0, result.stderr
    with np.load(tmp_path / "list.npz") as one, np.load(tmp_path / "file.npz") as other:
        assert set(one) == set(other)
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])
        assert list(one["sensors"]) == ["15", "105"]
        assert list(one["times"]) == [0, 3600, 7200, 10800]
        assert one["dpressure_dleak"].shape == (4, 2, 97)
        assert one["dpressure_droughness"].shape == (4, 2, 117)
        own = one["dpressure_dleak"][:, 0, list(one["nodes"]).index("15")]
        assert (own < 0.0).all()  # a leak lowers the pressure where it is


def test_sensitivity_without_sensible_sensors(tmp_path):
    out = str(tmp_path / "x.npz")
    check_one_line(umanflow("sensitivity", "Net3", "--sensors", "ghost", "-o", out), "ghost")
    check_one_line(umanflow("sensitivity", "Net3", "--sensors", str(tmp_path / "no.txt"), "-o", out), "no such file")
    check_one_line(umanflow("sensitivity", "Net3", "--sensors", ",", "-o", out), "no names")
    check_one_line(umanflow("sensitivity", "Net3", "--sensors", "15", "-o", "x.csv"), "x.csv", ".npz")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00\xd8")
    check_one_line(umanflow("sensitivity", "Net3", "--sensors", str(binary), "-o", out), "binary", "one name a line")
    assert not list(tmp_path.glob("*.npz"))


@pytest.mark.parametrize("content", ["", "[JUNCTIONS]\nA\n", "[PIPES]\nP1 A B 1 1 1\n[END]\n", "\x00\x01\x02" * 100])
def test_inp_that_epanet_refuses(tmp_path, content):
    inp = tmp_path / "broken.inp"
    inp.write_text(content)
    check_one_line(umanflow("simulate", str(inp), "-o", str(tmp_path / "x.csv")), "broken.inp", "EPANET")
    assert not (tmp_path / "x.csv").exists()


def test_detect_without_data(tmp_path):
    out = str(tmp_path / "out")
    check_one_line(
        umanflow("detect", "--network", "Net1", "--data", str(tmp_path / "none"), "--out", out), "no such folder"
    )
    check_one_line(umanflow("detect", "--network", "Net1", "--data", str(tmp_path), "--out", out), "Pressures")
    (tmp_path / "a_Pressures.csv").write_text("Timestamp,10\nmorning,1.0\n")
    check_one_line(
        umanflow("detect", "--network", "Net1", "--data", str(tmp_path), "--out", out), "a_Pressures.csv", "timestamps"
    )
    (tmp_path / "a_Pressures.csv").write_text("Timestamp,nowhere\n2024-01-01 00:00:00,1.0\n2024-01-01 01:00:00,1.0\n")
    assert umanflow("detect", "--network", "Net1", "--data", str(tmp_path), "--out", out).returncode == 2


def test_config_with_an_unknown_key(tmp_path):
    config = tmp_path / "umanflow.toml"
    config.write_text('network = "Net1"\ntimezome = "Europe/Kyiv"\n')
    check_one_line(umanflow("poll", "--config", str(config)), "umanflow.toml", "timezome", "unknown key")
    check_one_line(umanflow("poll", "--config", str(tmp_path / "none.toml")), "none.toml", "no such file")


def test_report_of_a_folder_that_is_none(tmp_path):
    check_one_line(umanflow("report", "--detections", str(tmp_path), "--out", str(tmp_path / "r")), "leaks.json")
    check_one_line(umanflow("report", "--out", str(tmp_path / "r")), "--detections")
    folders = ("--detections", str(tmp_path), "--out", str(tmp_path / "r"))
    check_one_line(umanflow("report", *folders, "--format", "docx"), "docx is unknown")


def write_plant(folder: Path, port: int) -> Path:
    """A configuration with one pump station of Net1."""
    from scada.plc.stations import pump_station
    from scada.tags import write_tags

    elements = {"flow": "9", "discharge_pressure": "10", "pump1_running": "9", "pump1_command": "9"}
    write_tags(folder / "tags.csv", pump_station("ps-1", elements, pumps=1, interval_s=1.0))
    config = folder / "umanflow.toml"
    config.write_text(CONFIG.format(port=port))
    return config


def test_port_in_use(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        config = write_plant(tmp_path, port)
        check_one_line(umanflow("plc", "--config", str(config), "--duration", "2"), str(port))


def test_plc_poll_and_history_in_three_processes(tmp_path):
    config = write_plant(tmp_path, free_port())
    plan = json.loads(umanflow("poll", "--config", str(config), "--plan", "--json").stdout)
    assert {row["table"] for row in plan} == {"coil", "discrete", "input", "holding"}
    plc = subprocess.Popen([sys.executable, "-m", "umanflow", "plc", "--config", str(config), "--duration", "40"])
    try:
        result = umanflow("poll", "--config", str(config), "--duration", "12", "--status", "--json")
        assert result.returncode == 0, result.stderr
        status = json.loads(result.stdout)[0]
        assert status["good"] > 0
    finally:
        plc.terminate()
        assert plc.wait(timeout=20) == 0
    file = tmp_path / "samples.csv"
    assert umanflow("history", "export", "--config", str(config), "-o", str(file)).returncode == 0
    samples = pd.read_csv(file)
    assert list(samples.columns) == ["time", "tag", "value", "quality", "reason"]
    good = samples[samples["quality"] == "GOOD"]
    flow = good[good["tag"] == "ps-1.flow"]["value"]
    # Net1's pump gives 1866 gpm = 424 m3/h at the start
    assert flow.median() == pytest.approx(424.0, rel=0.05)
    assert set(good[good["tag"] == "ps-1.pump1_command"]["value"]) == {1.0}
