"""The whole road, short: real sockets, a real database, real detection."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from scada.historian import open_historian
from umanflow.demo.city import read_city

DAYS = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "umanflow", "demo", "--seed", "4", "--days", str(DAYS), "--out", str(out)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    (out / "stdout.txt").write_text(result.stdout)
    return out


def test_everything_promised_is_there(folder):
    results = ("leaks.csv", "leaks.json", "leaks.geojson", "demo.json", "residuals.parquet", "run.json", "health.json")
    for name in ("report.html", *results):
        assert (folder / name).stat().st_size > 0
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_demo_json_keeps_its_contract(folder):
    result = json.loads((folder / "demo.json").read_text())
    assert set(result) == {"network", "seed", "leaks", "false_alarms", "registers", "seconds"}
    assert len(result["leaks"]) == 2
    keys = {"pipe", "start", "flow_m3h", "found", "detected", "distance_m", "flow_est_m3h"}
    assert all(set(leak) == keys for leak in result["leaks"])
    assert set(result["registers"]) == {"read", "lost", "bad"}


def test_every_due_value_is_in_the_historian(folder):
    result = json.loads((folder / "demo.json").read_text())
    assert result["registers"]["lost"] == 0
    store = open_historian(f"sqlite:///{folder}/history.db")
    assert len(store.range()) == sum(DAYS * 86400 // int(tag.interval_s) for tag in read_city().tags)
    store.close()


def test_leaks_lie_in_uman(folder):
    features = json.loads((folder / "leaks.geojson").read_text())["features"]
    corners = np.array([corner for feature in features for corner in feature["geometry"]["coordinates"]])
    assert len(corners) >= 2
    assert ((corners > (30.0, 48.6)) & (corners < (30.6, 48.9))).all()


def test_the_first_leak_is_found(folder):
    result = json.loads((folder / "demo.json").read_text())
    first = result["leaks"][0]
    assert first["found"], result
    assert first["detected"] > first["start"]
    assert first["flow_est_m3h"] == pytest.approx(first["flow_m3h"], rel=0.5)


def test_leaks_csv_and_table_agree(folder):
    table = pd.read_csv(folder / "leaks.csv")
    assert list(table["event"]) == list(range(1, len(table) + 1))
    assert (table["flow_low_m3h"] <= table["flow_m3h"]).all()
    assert (table["flow_m3h"] <= table["flow_high_m3h"]).all()
    text = (folder / "stdout.txt").read_text()
    assert "registers read" in text
    assert "false alarms" in text


def test_report_says_synthetic(folder):
    page = (folder / "report.html").read_text()
    assert "SYNTHETIC" in page


def test_report_command_reads_the_folder(folder, tmp_path):
    command = [sys.executable, "-m", "umanflow", "report", "--detections", str(folder), "--out", str(tmp_path)]
    result = subprocess.run([*command, "--format", "html,csv,json"], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "leaks.csv").read_bytes() == (folder / "leaks.csv").read_bytes()
    assert "Leak report" in (tmp_path / "report.html").read_text()
