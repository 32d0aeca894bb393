"""`umanflow calibrate` as a user meets it."""

import json
from pathlib import Path

import pandas as pd
import pytest

from hydro.engine import Engine
from tests.hydro.plant import START
from tests.hydro.worn import OFFSET, SENSORS, aged, joined, leaking, read, write_plant
from tests.umanflow.test_cli import check_one_line, umanflow

HOURS = 72


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, the measurements of a plant that is older, and the repairs of its history."""
    folder = tmp_path_factory.mktemp("calibrate")
    path = write_plant(folder / "town.inp", HOURS)
    old = aged(lambda name, diameter: 1.4 if diameter < 0.11 else 0.9)
    at = START + pd.Timedelta("36h")
    record = joined(read(path, HOURS, old, leaking("a21", 3e-4)), read(path, HOURS, old), at)
    data = folder / "data"
    data.mkdir()
    record.pressure.to_csv(data / "SCADA_Pressures.csv")
    (record.flow * 3600.0).to_csv(data / "SCADA_Flows.csv")
    record.level.to_csv(data / "SCADA_Levels.csv")
    repairs = (
        f"pipe,repaired,found,measured_flow_m3h\na21-a22,{at:%Y-%m-%d %H:%M},yes,\nb00-b01,2024-01-02 10:00,dry,\n"
    )
    (folder / "repairs.csv").write_text(repairs)
    return folder


def test_a_calibrated_model_and_its_report(folder: Path) -> None:
    out = folder / "calibrated.inp"
    result = umanflow(
        "calibrate", str(folder / "town.inp"), "--data", str(folder / "data"),
        "--repairs", str(folder / "repairs.csv"), "-o", str(out), "--json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    rows = {row["what"]: row for row in json.loads(result.stdout)}
    assert {f"sensor {name}" for name in SENSORS} <= set(rows)
    for name in SENSORS:
        assert rows[f"sensor {name}"]["value"] == pytest.approx(OFFSET[name], abs=0.05)
    assert rows["pipes: roughness 110, below 110 mm"]["low"] < 1.4 < rows["pipes: roughness 110, below 110 mm"]["high"]
    with Engine(out) as engine:
        roughness = engine.read("link", "roughness")[engine.topology.pipes]
    assert roughness.min() < 110.0 < roughness.max()
    report = json.loads((folder / "calibrated.json").read_text(encoding="utf-8"))
    assert {leak["pipe"] for leak in report["leaks"]} == {"a21-a22"}  # a dry hole is no repair
    assert 3.0 < sum(report["leaks"][0]["flow_m3h"].values()) < 12.0
    assert report["suspects"] == []
    for sensor in report["sensors"]:
        assert sensor["after_held_out_m"] < sensor["before_held_out_m"]
    text = (folder / "calibrated.md").read_text(encoding="utf-8")
    assert "What the data could not tell" in text
    assert "a21-a22" in text


def test_mistakes_are_one_line(folder: Path, tmp_path: Path) -> None:
    town, data = str(folder / "town.inp"), str(folder / "data")
    check_one_line(umanflow("calibrate", town, "--data", data, "-o", str(tmp_path / "out.txt")), ".inp")
    check_one_line(umanflow("calibrate", town, "--data", data, "-o", str(tmp_path / "no" / "out.inp")), "folder")
    check_one_line(umanflow("calibrate", town, "--data", str(tmp_path), "-o", str(tmp_path / "out.inp")), "Pressures")
    repairs = tmp_path / "repairs.csv"
    repairs.write_text("pipe,repaired\nnowhere,2024-01-02 10:00\n")
    wrong = umanflow("calibrate", town, "--data", data, "--repairs", str(repairs), "-o", str(tmp_path / "out.inp"))
    check_one_line(wrong, "nowhere")
    assert list(tmp_path.glob("*.inp")) == []
