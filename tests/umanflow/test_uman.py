"""Uman through the application: its tag table, its districts and its export."""

import datetime as dt
import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from networks import find, load
from networks.uman.build import plan_city
from scada.alarms import AlarmEngine
from scada.alarms.tables import check_file, read_alarms, write_alarms
from scada.sample import Quality, Sample
from scada.tags import read_tags, write_tags
from umanflow.alarming import surroundings_of, wiring_of
from umanflow.config import read_config
from umanflow.demo.alarms import build_alarms
from umanflow.demo.city import build_tags, tag_file
from umanflow.demo.nature import Calendar
from umanflow.districts import find_districts
from umanflow.twin import Twin


def umanflow(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "umanflow", *arguments], capture_output=True, text=True, timeout=120)


def test_the_tag_table_is_built_byte_for_byte(tmp_path: Path) -> None:
    uman = load("uman")
    write_tags(tmp_path / "tags.csv", build_tags(uman))
    assert (tmp_path / "tags.csv").read_bytes() == tag_file(uman).read_bytes()


def test_the_alarm_table_is_built_byte_for_byte_and_has_no_mistake(tmp_path: Path) -> None:
    uman = load("uman")
    kept = tag_file(uman).with_name("alarms.csv")
    tags = read_tags(tag_file(uman))
    write_alarms(tmp_path / "alarms.csv", build_alarms(uman, tags.tags))
    assert (tmp_path / "alarms.csv").read_bytes() == kept.read_bytes()
    config = read_config(tag_file(uman).with_name("umanflow.toml"))
    assert check_file(kept, surroundings_of(config, tags)).findings == ()


@pytest.fixture(scope="module")
def city_samples() -> list[Sample]:
    """Two days of the city, each tag at its own pace."""
    tags = read_tags(tag_file(load("uman"))).tags
    start_ms = int(dt.datetime(2026, 9, 7, tzinfo=dt.UTC).timestamp() * 1000)
    twin = Twin("uman", tags, start_ms, 300, 1)
    found = []
    try:
        for slot_ms in range(start_ms, start_ms + 2 * 86_400_000, 300_000):
            values = twin.advance(slot_ms, {})
            due = [tag for tag in tags if slot_ms % tag.interval_ms == 0 and tag.name in values]
            found += [Sample(tag.name, slot_ms, slot_ms + 200, float(values[tag.name])) for tag in due]
    finally:
        twin.close()
    return found


def told(samples: list[Sample]) -> list[str]:
    uman = load("uman")
    config = read_config(tag_file(uman).with_name("umanflow.toml"))
    tags = read_tags(tag_file(uman))
    alarms = read_alarms(tag_file(uman).with_name("alarms.csv"))
    engine = AlarmEngine(alarms, samples[0].time_ms, wiring_of(config, tags))
    entries = engine.take(samples) + engine.finish(samples[-1].arrival_ms + 60_000)
    return [entry.alarm for entry in entries if entry.after == "unacknowledged" != entry.before]


def test_two_days_without_trouble_bring_no_alarm(city_samples: list[Sample]) -> None:
    assert len(city_samples) > 70_000
    assert told(city_samples) == []


def test_each_trouble_is_one_alarm(city_samples: list[Sample]) -> None:
    """A burst in a DMA, a gateway that dies with its loggers, a tower that empties behind a power cut."""
    noon_ms = city_samples[0].time_ms + 12 * 3_600_000
    later = {sample.time_ms for sample in city_samples if sample.time_ms >= noon_ms}
    slots = {time_ms: k for k, time_ms in enumerate(sorted(later))}

    def changed(sample: Sample) -> Sample:
        k = slots.get(sample.time_ms)
        if k is None:
            return sample
        if sample.tag.startswith("log-"):
            return replace(sample, value=math.nan, quality=Quality.BAD, reason="timeout")
        value = {
            "dma-c3.flow": sample.value + 60.0,
            "ps-2.mains_failed": 1.0,
            "ps-2.pump1_fault": 1.0,
            "ps-2.pump2_fault": 1.0,
            "ps-2.discharge_pressure": 40.0,
            "tank-tower-w.level": max(0.3, sample.value - 0.1 * k),
        }.get(sample.tag)
        return sample if value is None else replace(sample, value=value)

    found = Counter(told([changed(sample) for sample in city_samples]))
    gateway = next(name for name in found if name.startswith("tcp://"))
    assert found == {
        "dma-c3.flow/rise": 1, gateway: 1, "ps-2.mains_failed/on": 1,
        "tank-tower-w.level/L": 1, "tank-tower-w.level/LL": 1,
    }  # fmt: skip


def test_every_plc_has_tags_and_every_tag_its_element() -> None:
    uman = load("uman")
    assert uman.sensors is not None
    tags = read_tags(tag_file(uman))
    devices = {tag.device for tag in tags}
    assert {"gate", "ps-1", "ps-2", "ps-3", "ps-4"} <= devices
    assert sum(1 for device in devices if device.startswith("dma-")) == 17
    on_plc = uman.sensors[uman.sensors["delivery"] == "plc"]
    assert set(on_plc["element"]) <= {tag.element for tag in tags}


def test_districts_of_uman_are_isolated_and_add_up() -> None:
    found = find_districts(load("uman"))
    assert len(found) == 17
    assert all(dma.is_isolated for dma in found)
    assert sum(dma.connections or 0 for dma in found) == 17_000
    assert sum(dma.demand for dma in found) * 86_400.0 == pytest.approx(8_700.0, rel=0.01)


def test_meters_by_name_do_for_a_network_without_tables() -> None:
    (cut,) = find_districts(load("net3"), ["329", "60"])
    assert (cut.name, cut.inlets, cut.connections) == ("1", ("60", "329"), None)


def test_dmas_as_table_and_json() -> None:
    table = umanflow("networks", "dmas", "uman")
    assert table.returncode == 0, table.stderr
    assert Counter(line.split()[-1] for line in table.stdout.splitlines()[1:]) == {"yes": 17}
    rows = json.loads(umanflow("networks", "dmas", "uman", "--json").stdout)
    assert rows[0]["inlets"] == ["INL-C1"]
    assert rows[0]["open unmetered links"] == []
    wrong = umanflow("networks", "dmas", "net3", "--meters", "nowhere")
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)


def test_export_holds_emitters_unless_told_otherwise(tmp_path: Path) -> None:
    out = tmp_path / "uman.inp"
    assert umanflow("networks", "export", "uman", str(out)).returncode == 0
    text = out.read_text("utf-8")
    assert text.startswith("[TITLE]\nSYNTHETIC")
    assert "[EMITTERS]" in text
    assert "[LEAKAGE]" not in text
    done = umanflow("networks", "export", "uman", str(out), "--leakage", "favad")
    assert done.returncode == 0, done.stderr
    assert "[LEAKAGE]" in out.read_text("utf-8")
    assert umanflow("networks", "export", "uman", str(out), "--leakage", "none").returncode == 0
    assert out.read_bytes() == find("uman")[1].read_bytes()
    refused = umanflow("networks", "export", "net1", str(out), "--leakage", "emitters")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize("ending", ["gpkg", "geojson"])
def test_gis_export_lies_in_uman(tmp_path: Path, ending: str) -> None:
    geopandas = pytest.importorskip("geopandas")
    from networks.gis import write_gis

    write_gis(load("uman"), tmp_path / f"uman.{ending}")
    files = sorted(tmp_path.iterdir())
    layers = [geopandas.read_file(file, layer="pipes" if ending == "gpkg" else None) for file in files]
    pipes = max(layers, key=len).to_crs("EPSG:4326")
    assert len(pipes) >= 2_644
    west, south, east, north = pipes.total_bounds
    assert 30.0 < west < 30.2 < 30.4 < east < 30.6
    assert 48.6 < south < 48.75 < 49.7 < north < 49.9  # up to Bila Tserkva


def test_pilgrims_fill_the_quarter_at_sofiivka_for_a_week() -> None:
    uman = load("uman")
    assert uman.nodes is not None
    calendar = Calendar(uman)
    noon = dt.timedelta(hours=12)
    guests = {
        day: calendar.guests(int((dt.datetime(2026, 9, day, tzinfo=dt.UTC) + noon).timestamp() * 1000))
        for day in range(1, 31)
    }
    busy = [day for day, taken in guests.items() if taken]
    assert 5 <= len(busy) <= 10
    there = set(uman.nodes.loc[uman.nodes["node"].isin(list(guests[14])), "dma"])
    kinds = {block.name: block.kind for block in plan_city()[0].blocks}
    assert [kinds[dma] for dma in there] == ["sofiivka"]
    usual = sum(dma.demand for dma in find_districts(uman) if dma.name in there)
    assert sum(guests[14].values()) > usual  # the classic false alarm
