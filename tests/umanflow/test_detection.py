"""Batch detection on a small city: finds a leak, keeps what it said, needs nothing but the files."""

import json

import pandas as pd
import pytest

from hydro.record import Record
from models.detect import detect
from models.errors import NotEnoughData
from models.watch import Settings
from networks import load
from tests.umanflow.ky4 import build_network, build_tags, read_layout
from umanflow.detection import detect_folder, read_repairs, read_searches
from umanflow.errors import UserError
from umanflow.pipeline import record_of
from umanflow.twin import TrueLeak, Twin
from umanflow.zonefiles import COLUMNS

START = pd.Timestamp("2026-01-05", tz="UTC")
DAYS, STEP = 13, pd.Timedelta("15min")
SETTINGS = Settings(step=STEP)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """Thirteen days of a city whose pipe P-205 bursts on the tenth."""
    folder = tmp_path_factory.mktemp("city")
    inp = build_network(read_layout(), folder / "city.inp")
    tags = [tag for unit in build_tags(read_layout(), inp).values() for tag in unit]
    start_ms = START.value // 1_000_000
    leak = TrueLeak("P-205", start_ms + int(9.3 * 86_400_000), 0, 2.2e-4)
    twin = Twin(inp, tags, start_ms, 300, 5, [leak])
    times = pd.date_range(START, periods=DAYS * 288, freq="5min")
    rows = [twin.advance(int(t.value // 1_000_000), {}) for t in times]
    twin.close()
    frame = pd.DataFrame(rows, index=times)
    record = record_of(frame[frame.index.minute % 15 == 0], tags)
    return inp, record


def cut(record: Record, days: int) -> Record:
    return record.between(START, START + pd.Timedelta(days=days))


@pytest.fixture(scope="module")
def found(city):
    return detect(city[0], city[1], settings=SETTINGS)


def test_the_burst_is_found_near_its_pipe(found):
    topology = found.topology
    distance = topology.distance_from_link(topology.link("P-205"))
    near = [leak for leak in found.leaks if distance[topology.link(leak.pipe_best)] <= 1200.0]
    assert near, [(leak.pipe_best, leak.detected) for leak in found.leaks]
    burst = START + pd.Timedelta(days=9.3)
    assert burst < near[0].detected <= burst + pd.Timedelta(days=3)
    assert abs(near[0].start - burst) <= pd.Timedelta(days=2)


def test_an_alarm_never_changes_afterwards(city, found):
    """A record cut at any time gives the same rows up to that time."""
    earlier = detect(city[0], cut(city[1], 12), settings=SETTINGS)
    until = START + pd.Timedelta(days=12)
    frozen = [
        [(leak.detected, leak.pipe, leak.flow, leak.probability, leak.search_length, leak.kind) for leak in run.leaks]
        for run in (earlier, found)
    ]
    assert frozen[0] == [row for row in frozen[1] if row[0] <= until]


def test_too_short_a_record_is_told(city):
    with pytest.raises(NotEnoughData, match="7"):
        detect(city[0], cut(city[1], 5), settings=SETTINGS)


def test_a_driving_meter_missing_from_the_data_is_told(city):
    record = city[1]
    poorer = Record(record.pressure, record.flow.drop(columns="P-1141"), record.level)
    with pytest.raises(NotEnoughData, match="P-1141"):
        detect(city[0], poorer, history=record, settings=SETTINGS)


def test_folder_in_folder_out(city, tmp_path):
    inp, record = city
    data = tmp_path / "data"
    data.mkdir()
    for name, table, factor in (
        ("Pressures", record.pressure, 1.0),
        ("Flows", record.flow, 3600.0),
        ("Levels", record.level, 1.0),
    ):
        scaled = (table * factor).round(4)
        scaled.index = scaled.index.tz_localize(None)
        scaled.to_csv(data / f"city_{name}.csv", sep=";", decimal=",", index_label="Timestamp")
    out = tmp_path / "out"
    found = detect_folder(load(inp), data, None, None, out)
    table = pd.read_csv(out / "leaks.csv")
    assert list(table["pipe"]) == [leak.pipe for leak in found.leaks]
    assert pd.read_parquet(out / "residuals.parquet").shape == found.residuals.shape
    run = json.loads((out / "run.json").read_text())
    assert run["sha256"] == load(inp).sha256
    assert {row["instrument"] for row in json.loads((out / "health.json").read_text())} >= {"P-1141", "T-1"}
    zones = pd.read_csv(out / "zones.csv")
    assert list(zones.columns) == list(COLUMNS)
    assert set(zones["period"]) == {"first", "last"}
    told = zones[zones["excess_m3h"].notna()]
    parts = told["legitimate_use_m3h"] + told["background_m3h"] + told["excess_m3h"]
    assert parts.to_numpy() == pytest.approx(told["night_flow_m3h"].to_numpy(), abs=0.01)
    assert (told["excess_low_m3h"] <= told["excess_m3h"]).all()
    assert zones.loc[zones["excess_m3h"].isna(), "lack"].notna().all()
    content = json.loads((out / "zones.json").read_text())
    assert [row["zone"] for row in content["zones"]] == list(zones["zone"])


def test_repairs_are_read_and_dry_holes_are_none(tmp_path):
    path = tmp_path / "repairs.csv"
    path.write_text("pipe,repaired,found\nP1,2018-04-02 11:40:00,yes\nP2,2018-05-01 08:00:00,dry\n")
    repairs = read_repairs(path, "Europe/Kyiv")
    assert [r.pipe for r in repairs] == ["P1"]
    assert [(s.pipe, s.time.hour) for s in read_searches(path, "Europe/Kyiv")] == [("P2", 5)]
    assert repairs[0].time == pd.Timestamp("2018-04-02 08:40:00", tz="UTC")
    path.write_text("pipe,repaired,found\nP1,2018-04-02,maybe\n")
    with pytest.raises(UserError, match="neither yes nor dry"):
        read_repairs(path)
    path.write_text("pipe;repaired\nP1;2018\n")
    with pytest.raises(UserError, match="header"):
        read_repairs(path)
    path.write_text("pipe,repaired\nP1,yesterday\n")
    with pytest.raises(UserError, match="repaired"):
        read_repairs(path)
