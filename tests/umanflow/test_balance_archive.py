"""What a balance takes from the historian: totalisers or flows, levels, nights of the clock's days."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.nightflow import night_lines
from models.uncertain import Lack, Uncertain
from scada.historian import Historian, open_historian
from scada.sample import Quality, Sample
from scada.tag import Tag
from umanflow.balance.archive import MeterArchive
from umanflow.balance.study import study_period
from umanflow.config import read_config

HOUR_MS, DAYS = 3_600_000, 4
START_MS = pd.Timestamp("2026-03-27T22:00Z").value // 1_000_000  # midnight in Kyiv; clocks go forward on the 29th
END_MS = START_MS + DAYS * 24 * HOUR_MS

TAGS = (
    Tag("m.flow", "m", "input", 0, "float32", unit="m3/h", element="M", quantity="flow"),
    Tag("m.volume", "m", "input", 2, "uint16", scale=10.0, unit="m3", element="M", quantity="volume", wrap=65_536.0),
    Tag("t.level", "t", "input", 0, "float32", unit="cm", element="T", quantity="level"),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Historian]:
    found = open_historian(f"sqlite:///{tmp_path}/h.db")
    yield found
    found.close()


@pytest.fixture
def archive(store: Historian) -> Callable[[], MeterArchive]:
    return lambda: MeterArchive(store, TAGS, START_MS, END_MS, "Europe/Kyiv", {"T": 50.0})


def put(store: Historian, tag: str, values: np.ndarray, step_ms: int, quality: Quality = Quality.GOOD) -> None:
    times = [START_MS + k * step_ms for k in range(len(values))]
    store.append([Sample(tag, t, t, float(v), quality) for t, v in zip(times, values, strict=True) if np.isfinite(v)])


def test_a_totaliser_is_preferred_and_wraps(store: Historian, archive: Callable[[], MeterArchive]) -> None:
    put(store, "m.flow", np.full(DAYS * 96 + 1, 36.0), 900_000)
    totals = np.mod(655_000.0 + 36.5 * np.arange(DAYS * 24 + 1), 655_360.0)
    put(store, "m.volume", totals, HOUR_MS)
    found = archive().volume("M", 0.02)
    assert found.is_total
    assert found.volume is not None
    assert found.volume.value == pytest.approx(36.5 * 96)
    assert found.volume.half == pytest.approx(0.02 * 36.5 * 96)


def test_a_totaliser_of_one_direction_is_left_where_water_comes_back(
    store: Historian, archive: Callable[[], MeterArchive]
) -> None:
    flow = np.where(np.arange(DAYS * 96) % 96 < 24, -10.0, 30.0)
    put(store, "m.flow", flow, 900_000)
    put(store, "m.volume", np.cumsum(np.maximum(flow, 0.0)) / 4.0, 900_000)
    found = archive().volume("M", 0.02)
    assert not found.is_total
    assert found.volume is not None
    assert found.volume.value == pytest.approx(flow.sum() / 4.0)


def test_a_flow_that_saw_more_than_the_totaliser_counts(store: Historian, archive: Callable[[], MeterArchive]) -> None:
    put(store, "m.flow", np.full(DAYS * 96, 36.0), 900_000)
    put(store, "m.volume", 36.0 * np.arange(30.0), HOUR_MS)
    found = archive().volume("M", 0.02)
    assert (found.is_total, found.coverage) == (False, 1.0)
    with pytest.raises(LookupError, match="no tag measures flow or volume at 'X'"):
        archive().volume("X", 0.02)


def test_bad_samples_are_no_samples(store: Historian, archive: Callable[[], MeterArchive]) -> None:
    put(store, "m.flow", np.full(DAYS * 96, 36.0), 900_000, Quality.BAD)
    found = archive().volume("M", 0.02)
    assert (found.volume, found.coverage) == (None, 0.0)


def test_stored_water_is_area_times_rise(store: Historian, archive: Callable[[], MeterArchive]) -> None:
    put(store, "t.level", np.linspace(100.0, 160.0, DAYS * 24 + 1), HOUR_MS)
    found = archive().stored("T", 0.02)
    assert found.volume is not None
    assert found.volume.value == pytest.approx(50.0 * 0.6)
    assert found.volume.half == pytest.approx(50.0 * 0.02 * np.sqrt(2.0))
    with pytest.raises(LookupError, match="tank 'M'"):
        archive().stored("M", 0.02)


def test_a_level_that_ends_early_stores_nothing(store: Historian, archive: Callable[[], MeterArchive]) -> None:
    put(store, "t.level", np.full(50, 100.0), HOUR_MS)
    assert archive().stored("T", 0.02).volume is None


def test_nights_are_those_of_the_clock_and_survive_its_change(
    store: Historian, archive: Callable[[], MeterArchive]
) -> None:
    utc = pd.date_range(pd.Timestamp(START_MS, unit="ms", tz="UTC"), periods=DAYS * 96, freq="15min")
    hour = np.asarray(utc.tz_convert("Europe/Kyiv").hour)
    put(store, "m.flow", np.where(hour == 4, 5.0, 36.0), 900_000)
    found = archive()
    quarters = found.quarters(found.readings("M", "flow"))
    lines = night_lines(quarters)
    assert np.isfinite(quarters).sum(axis=1).tolist()[:3] == [96, 92, 96]
    assert lines.valid >= 3
    assert 3600.0 * lines.flow[:3] == pytest.approx([5.0] * 3)
    assert lines.place[:3].tolist() == [16] * 3
    assert 3600.0 * found.hours_of_day(found.readings("M", "flow")) == pytest.approx([36.0] * 4 + [5.0] + [36.0] * 19)


def test_districts_without_tables_are_those_that_tags_cut_out(tmp_path: Path) -> None:
    """Net3 has no tables: the two metered links of the tag table bound its only district."""
    devices = "".join(
        f'[[devices]]\nname = "{name}"\nurl = "tcp://127.0.0.1:{port}"\n' for name, port in (("a", 1), ("b", 2))
    )
    config = f'network = "Net3"\n[historian]\nurl = "sqlite:///h.db"\n{devices}'
    (tmp_path / "umanflow.toml").write_text(config, "utf-8")
    head = "name,device,table,address,type,unit,interval_s,element,quantity\n"
    rows = "a.flow,a,input,0,float32,m3/h,900,60,flow\nb.flow,b,input,0,float32,m3/h,900,329,flow\n"
    (tmp_path / "tags.csv").write_text(head + rows, "utf-8")
    number = "{{ value = {}, limits_percent = 10, source = 'assumed' }}"
    (tmp_path / "b.toml").write_text(
        "name = 'n'\n[districts]\nmeter_limits_percent = 2\npressure_limits_m = 3\n"
        f"night.large_m3h = {number.format(100)}\nnight.n1 = {number.format(1)}\n"
        f"[[dma]]\nname = '1'\nconnections = {number.format(5000)}\n",
        "utf-8",
    )
    store = open_historian(f"sqlite:///{tmp_path}/h.db")
    start = pd.Timestamp("2026-01-05T00:00Z").value // 1_000_000
    for tag, flow in (("a.flow", 500.0), ("b.flow", 300.0)):
        times = [start + 900_000 * k for k in range(3 * 96)]
        store.append([Sample(tag, t, t, flow) for t in times])
    store.close()
    study = study_period(read_config(tmp_path / "umanflow.toml"), "2026-01-05", "2026-01-08", tmp_path / "b.toml")
    (dma,) = study.dmas
    assert (dma.of.name, dma.of.night.nights) == ("1", 3)
    assert isinstance(dma.of.inflow, Uncertain)
    assert dma.of.inflow.value == pytest.approx(200.0 * 72)  # link 60 comes in, 329 goes out
    assert dma.of.inflow.half == pytest.approx(0.02 * 72 * np.hypot(500, 300))
    assert isinstance(dma.night_losses, Uncertain)
    assert isinstance(dma.of.night.factor, Uncertain)
    assert dma.night_losses.value == pytest.approx(100.0 * 3 * dma.of.night.factor.value)
    assert isinstance(dma.real_losses, Lack)
    assert "billed_metered" in dma.real_losses.names


def test_what_a_district_s_tank_stores_is_taken_off(tmp_path: Path) -> None:
    """Net1: one meter after the pump bounds everything; its tank fills by a metre."""
    devices = '[[devices]]\nname = "a"\nurl = "tcp://127.0.0.1:1"\n'
    config = f'network = "Net1"\n[historian]\nurl = "sqlite:///h.db"\n{devices}'
    (tmp_path / "umanflow.toml").write_text(config, "utf-8")
    head = "name,device,table,address,type,unit,interval_s,element,quantity\n"
    rows = "a.flow,a,input,0,float32,m3/h,900,10,flow\na.level,a,input,2,float32,m,900,2,level\n"
    (tmp_path / "tags.csv").write_text(head + rows, "utf-8")
    text = "name = 'n'\n[districts]\nmeter_limits_percent = 0\npressure_limits_m = 3\n"
    store = open_historian(f"sqlite:///{tmp_path}/h.db")
    start = pd.Timestamp("2026-01-05T00:00Z").value // 1_000_000
    times = [start + 900_000 * k for k in range(2 * 96 + 1)]
    store.append([Sample("a.flow", t, t, 400.0) for t in times])
    store.append([Sample("a.level", t, t, 30.0 + k / 192) for k, t in enumerate(times)])
    store.close()
    found = []
    for more in ("", "level_limits_m = 0.02\n"):
        (tmp_path / "b.toml").write_text(text + more, "utf-8")
        study = study_period(read_config(tmp_path / "umanflow.toml"), "2026-01-05", "2026-01-07", tmp_path / "b.toml")
        found.append(study.dmas[0].of)
    assert found[0].inflow == Lack(("districts.level_limits_m",))
    assert isinstance(found[1].inflow, Uncertain)
    area = np.pi / 4 * (50.5 * 0.3048) ** 2
    assert found[1].inflow.value == pytest.approx(400.0 * 48 - area, rel=1e-4)
    assert found[1].inflow.half == pytest.approx(area * 0.02 * np.sqrt(2.0), rel=1e-4)
    assert found[1].night.flow == Lack(("dma.1.night.flow_m3h",))
