"""A report's files for programs: exact columns, units and clocks; what was lost; where things lie on paper."""

import csv
import json
import math
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.leak import Estimate, Leak
from models.localise import Candidate
from networks import Topology, UnknownElement
from umanflow.report import LeakRow, ReportError, Wording, read_leaks, rows_of, summarise, write_leaks
from umanflow.report.content import lost_interval_m3, lost_m3
from umanflow.report.labels import place_labels
from umanflow.report.plane import Plan, core_of, nice_length, scale_text, schematic, unit_of

HEADER = (
    "event,detected,pipe,flow_m3h,flow_low_m3h,flow_high_m3h,probability,search_length_m,kind,dma,start,pipe_best,"
    "flow_best_m3h,probability_best,ended,status,x,y,street"
)
CRS = "EPSG:32636"
UNTIL = datetime.fromisoformat("2024-04-10")


def grid(east: float = 294_000.0, north: float = 5_403_000.0, names: tuple[str, ...] = ()) -> Topology:
    """Six junctions in two rows, joined by seven pipes; the place is near 30.2 E 48.75 N in UTM zone 36."""
    x, y = np.meshgrid([0.0, 100.0, 200.0], [0.0, 80.0])
    start = np.array([0, 1, 3, 4, 0, 1, 2])
    end = np.array([1, 2, 4, 5, 3, 4, 5])
    xy = np.stack([x.ravel() + east, y.ravel() + north], axis=1)
    return Topology(
        nodes=tuple(f"J-{k}" for k in range(6)),
        links=names or tuple(f"P-{k}" for k in range(7)),
        start=start,
        end=end,
        length=np.linalg.norm(xy[start] - xy[end], axis=1),
        is_pipe=np.ones(7, dtype=bool),
        is_junction=np.ones(6, dtype=bool),
        xy=xy,
    )


def utc(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def leak(event: int, pipe: str, status: str = "open", ended: pd.Timestamp | None = None) -> Leak:
    other = "P-0" if pipe != "P-0" else "P-1"
    return Leak(
        event=event,
        detected=utc("2024-03-05 00:00"),
        pipe=other,
        flow=Estimate(0.002, 0.0015, 0.0025),
        probability=0.71239,
        search_length=180.04,
        candidates=(Candidate(other, 0.6), Candidate(pipe, 0.36)),
        kind="abrupt",
        dma="block-1",
        start=utc("2024-03-01 12:30:00.4"),
        start_low=utc("2024-02-29 12:00"),
        start_high=utc("2024-03-02 12:00"),
        pipe_best=pipe,
        flow_best=0.0025,
        probability_best=0.9,
        candidates_best=(Candidate(pipe, 0.55), Candidate(other, 0.41)),
        ended=ended,
        status=status,
        evidence=(("J-3", -8.25), ("balance of block-1", 5.5)),
    )


LEAKS = (
    leak(1, "P-4"),
    leak(2, "P-5", "ended", utc("2024-04-01 10:00")),
    leak(3, "P-6", "withdrawn"),
)


# files ------------------------------------------------------------------------------------------------------------


def written(folder: Path, crs: str | None = None, timezone: str | None = None) -> list[dict[str, str]]:
    write_leaks(LEAKS, grid(), folder, crs, timezone)
    with (folder / "leaks.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_header_is_the_contract(tmp_path: Path) -> None:
    written(tmp_path)
    assert (tmp_path / "leaks.csv").read_bytes().split(b"\n")[0] == HEADER.encode()


def test_csv_without_leaks_has_the_header(tmp_path: Path) -> None:
    write_leaks([], grid(), tmp_path, CRS, None)
    assert (tmp_path / "leaks.csv").read_text(encoding="utf-8") == HEADER + "\n"
    assert read_leaks(tmp_path) == ()
    assert json.loads((tmp_path / "leaks.geojson").read_text(encoding="utf-8"))["features"] == []


def test_csv_units_and_places(tmp_path: Path) -> None:
    first, second, third = written(tmp_path)
    assert [float(first[k]) for k in ("flow_m3h", "flow_low_m3h", "flow_high_m3h")] == [7.2, 5.4, 9.0]
    assert float(first["flow_best_m3h"]) == 9.0
    assert (first["pipe"], first["pipe_best"], first["street"]) == ("P-0", "P-4", "")
    assert (float(first["x"]), float(first["y"])) == (294_000.0, 5_403_040.0)
    assert float(first["search_length_m"]) == pytest.approx(180.0)
    assert [row["status"] for row in (first, second, third)] == ["open", "ended", "withdrawn"]


def test_times_are_the_records_own_clock(tmp_path: Path) -> None:
    first, second, _ = written(tmp_path)
    assert (first["detected"], first["start"], first["ended"]) == ("2024-03-05 00:00:00", "2024-03-01 12:30:00", "")
    assert second["ended"] == "2024-04-01 10:00:00"
    first, second, _ = written(tmp_path, timezone="Europe/Kyiv")
    assert (first["detected"], first["start"]) == ("2024-03-05 02:00:00", "2024-03-01 14:30:00")
    assert second["ended"] == "2024-04-01 13:00:00"  # summer time began on 31 March


def test_place_without_coordinates_is_empty(tmp_path: Path) -> None:
    topology = grid()
    topology.xy[:] = math.nan
    write_leaks(LEAKS, topology, tmp_path, CRS, None)
    with (tmp_path / "leaks.csv").open(encoding="utf-8", newline="") as file:
        assert {(row["x"], row["y"]) for row in csv.DictReader(file)} == {("", "")}
    assert read_leaks(tmp_path)[0].x is None
    geojson = json.loads((tmp_path / "leaks.geojson").read_text(encoding="utf-8"))
    assert [feature["geometry"] for feature in geojson["features"]] == [None] * 3


def test_json_round_trip(tmp_path: Path) -> None:
    written(tmp_path, timezone="Europe/Kyiv")
    rows = read_leaks(tmp_path)
    assert rows == rows_of(LEAKS, grid(), "Europe/Kyiv")
    entry = json.loads((tmp_path / "leaks.json").read_text(encoding="utf-8"))[0]
    names = [field.name for field in fields(LeakRow)]
    assert list(entry) == names
    assert ",".join(names).startswith(HEADER)
    assert entry["candidates_best"][0] == {"pipe": "P-4", "probability": 0.55}
    assert entry["evidence"][0] == {"channel": "J-3", "sigmas": -8.25}
    assert (entry["start_low"], entry["ended"]) == ("2024-02-29 14:00:00", None)


def test_no_geojson_without_crs_and_an_old_one_goes(tmp_path: Path) -> None:
    written(tmp_path, CRS)
    assert (tmp_path / "leaks.geojson").exists()
    written(tmp_path, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["leaks.csv", "leaks.json"]


def test_geojson_is_longitude_and_latitude(tmp_path: Path) -> None:
    rows = written(tmp_path, CRS)
    collection = json.loads((tmp_path / "leaks.geojson").read_text(encoding="utf-8"))
    assert collection["type"] == "FeatureCollection"
    feature = collection["features"][0]
    assert list(feature["properties"]) == HEADER.split(",")
    assert feature["properties"]["pipe_best"] == rows[0]["pipe_best"] == "P-4"
    assert feature["geometry"]["type"] == "LineString"
    (lon, lat), (lon_end, lat_end) = feature["geometry"]["coordinates"]
    assert lon == pytest.approx(30.2, abs=0.02)
    assert lat == pytest.approx(48.75, abs=0.02)
    # P-4 runs 80 m to the grid's north, 2 degrees west of where this is true north
    metres = math.hypot((lat_end - lat) * 111_200.0, (lon_end - lon) * 111_320.0 * math.cos(math.radians(lat)))
    assert metres == pytest.approx(80.0, rel=2e-3)


@pytest.mark.parametrize(
    ("crs", "say"), [("EPSG:nought", "no coordinate reference system"), ("EPSG:4326", "do not lie")]
)
def test_wrong_crs_is_told_and_leaves_no_geojson(tmp_path: Path, crs: str, say: str) -> None:
    with pytest.raises(ReportError, match=say):
        written(tmp_path, crs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["leaks.csv", "leaks.json"]


def test_unknown_time_zone_and_pipe(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no time zone 'Europe/Atlantis'"):
        written(tmp_path, timezone="Europe/Atlantis")
    with pytest.raises(UnknownElement):
        write_leaks([leak(1, "P-99")], grid(), tmp_path, None, None)
    assert list(tmp_path.iterdir()) == []


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no such file") as caught:
        read_leaks(tmp_path)
    assert str(tmp_path / "leaks.json") in str(caught.value)
    assert "umanflow detect" in caught.value.mend


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda text: text[: len(text) // 2], ""),
        (lambda _: "{}", ""),
        (lambda text: text.replace('"status": "open"', '"status": "ajar"'), "entry 1, 'status'"),
        (lambda text: text.replace('"pipe_best": "P-5",', ""), "entry 2, 'pipe_best'"),
        (lambda text: text.replace("2024-03-05 00:00:00", "yesterday"), "entry 1, 'detected'"),
        (lambda text: text.replace("0.55", "NaN"), "entry 1, 'candidates_best.0.probability'"),
    ],
)
def test_broken_file_is_told(tmp_path: Path, change: object, where: str) -> None:
    written(tmp_path)
    path = tmp_path / "leaks.json"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")  # type: ignore[operator]
    with pytest.raises(ReportError, match="is broken") as caught:
        read_leaks(tmp_path)
    assert where in caught.value.where
    assert "\n" not in str(caught.value)


# summary ----------------------------------------------------------------------------------------------------------


def test_summary_counts_what_was_lost() -> None:
    rows = rows_of(LEAKS, grid(), None)
    summary = summarise(rows, UNTIL, cost_per_m3=2.0)
    assert (summary.n_open, summary.n_ended, summary.n_withdrawn) == (1, 1, 1)
    assert summary.flow_m3h == pytest.approx(9.0)
    hours = (UNTIL - rows[0].start).total_seconds() / 3600.0 + (rows[1].ended - rows[1].start).total_seconds() / 3600.0  # type: ignore[operator]
    assert summary.lost_m3 == pytest.approx(9.0 * hours)
    assert summary.lost_money == pytest.approx(2.0 * summary.lost_m3)
    assert summary.money_per_day == pytest.approx(2.0 * 24.0 * 9.0)


def test_money_is_unknown_where_nobody_states_a_cost() -> None:
    summary = summarise(rows_of(LEAKS, grid(), None), UNTIL)
    assert (summary.cost_per_m3, summary.lost_money, summary.money_per_day) == (None, None, None)
    assert summary.lost_m3 > 0.0


def test_leak_after_the_period_has_lost_nothing() -> None:
    rows = rows_of(LEAKS, grid(), None)
    assert summarise(rows, datetime.fromisoformat("2024-01-01")).lost_m3 == 0.0


def test_limits_of_what_was_lost_join_flow_and_start() -> None:
    row = rows_of(LEAKS, grid(), None)[0]
    low, high = lost_interval_m3(row, UNTIL)
    # 9 m3/h now; at the alarm 7.2 within 5.4 to 9
    assert low == pytest.approx(9.0 * 5.4 / 7.2 * (UNTIL - row.start_high).total_seconds() / 3600.0)
    assert high == pytest.approx(9.0 * 9.0 / 7.2 * (UNTIL - row.start_low).total_seconds() / 3600.0)
    assert low < lost_m3(row, UNTIL) < high
    assert lost_interval_m3(rows_of(LEAKS, grid(), None)[2], UNTIL) == (0.0, 0.0)  # withdrawn


# map --------------------------------------------------------------------------------------------------------------


def test_labels_keep_apart_and_inside() -> None:
    rng = np.random.default_rng(3)
    anchors = np.vstack([np.full((8, 2), 200.0), rng.uniform(0.0, 400.0, (20, 2)), [[0.0, 0.0], [400.0, 400.0]]])
    size = (22.0, 15.0)
    places = place_labels(anchors, size, (400.0, 400.0))
    apart = np.abs(places[:, None, :] - places[None, :, :])
    clear = (apart[..., 0] >= size[0]) | (apart[..., 1] >= size[1])
    assert clear[~np.eye(len(places), dtype=bool)].all()
    assert (places >= np.array(size) / 2.0).all()
    assert (places <= 400.0 - np.array(size) / 2.0).all()


@pytest.mark.parametrize(("most", "nice"), [(1.0, 1.0), (4.9, 2.0), (999.0, 500.0), (0.03, 0.02), (1e-3, 1e-3)])
def test_nice_length(most: float, nice: float) -> None:
    assert nice_length(most) == pytest.approx(nice)


@pytest.mark.parametrize(
    ("crs", "text"),
    [
        (None, "2,000 map units"),
        ("EPSG:nought", "2,000 map units"),
        (CRS, "2 km"),
        ("EPSG:4326", "2,000° of longitude"),
    ],
)
def test_scale_text(crs: str | None, text: str) -> None:
    assert scale_text(2000.0, unit_of(crs), Wording("en")) == text
    if crs == CRS:
        assert scale_text(500.0, unit_of(crs), Wording("uk")) == "500 м"


def test_a_long_main_does_not_shrink_the_city():
    city = np.array([(x, y) for x in range(0, 1000, 50) for y in range(0, 800, 50)], dtype=float)
    far = np.array([(500.0, 60_000.0), (40_000.0, 300.0)])
    kept = core_of(np.vstack([city, far]))
    assert len(kept) == len(city)
    assert len(core_of(city)) == len(city)


def test_schematic_shows_the_distance_from_the_source() -> None:
    topology = grid()
    topology.xy[:] = math.nan
    topology.is_junction[5] = False  # the source
    plan = Plan(topology)
    assert plan.is_schematic
    assert plan.seen.all()
    assert plan.xy[:, 0] == pytest.approx(topology.distance_from_nodes(np.array([5]))[0], abs=0.01)
    # no two nodes lie on each other
    assert len({(round(x, 3), round(y, 3)) for x, y in plan.xy.tolist()}) == 6


def test_schematic_places_parts_that_no_source_reaches() -> None:
    topology = replace(grid(), start=np.array([0, 0, 0, 0, 0, 0, 0]), end=np.array([1, 1, 1, 1, 1, 1, 1]))
    assert np.isfinite(schematic(topology)).all()
