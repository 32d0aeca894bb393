"""Reports: exact columns, units and clocks; whole files or none; a page that needs nothing from outside."""

import csv
import json
import math
import re
from dataclasses import fields, replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.leak import Estimate, Leak
from models.localise import Candidate
from networks import Topology, UnknownElement
from umanflow.report import (
    Content,
    LeakRow,
    ReportError,
    SensorHealth,
    TrueLeak,
    read_leaks,
    render_html,
    rows_of,
    summarise,
    write_leaks,
    write_report,
)
from umanflow.report.labels import place_labels
from umanflow.report.network_map import _core, draw_map, nice_length, scale_text
from umanflow.report.view import number

HEADER = (
    "event,detected,pipe,flow_m3h,flow_low_m3h,flow_high_m3h,probability,search_length_m,kind,dma,start,pipe_best,"
    "flow_best_m3h,probability_best,ended,status,x,y,street"
)
CRS = "EPSG:32636"
HOSTILE = "</td><script>alert(1)</script>$x_1$&\"'"
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


def content_of(rows: tuple[LeakRow, ...], **changes: object) -> Content:
    content = Content(
        title="Leak report",
        network="grid",
        period_start=datetime.fromisoformat("2024-02-01"),
        period_end=UNTIL,
        created=datetime.fromisoformat("2024-04-10 08:00"),
        events=rows,
        summary=summarise(rows, UNTIL),
        note="SYNTHETIC data",
        clock="Europe/Kyiv",
        versions=(("umanflow", "0.1.0"),),
        health=(SensorHealth("J-3", "pressure", 0.985, "good"),),
        truth=(
            TrueLeak(
                "P-4",
                datetime.fromisoformat("2024-03-01 14:00"),
                9.0,
                True,
                datetime.fromisoformat("2024-03-05 02:00"),
                0.0,
                9.1,
            ),
            TrueLeak("P-2", datetime.fromisoformat("2024-03-03"), 2.0, False),
        ),
        false_alarms=1,
    )
    return replace(content, **changes)  # type: ignore[arg-type]


class Page(HTMLParser):
    """What a page loads, which ids it has, which tags it opens, and whether they are closed in order."""

    void = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.refers: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.void:
            self.open.append(tag)
        self._look(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._look(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _look(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"src", "href", "xlink:href", "srcset", "data", "action"}:
                (self.refers if (value or "").startswith("#") else self.loads).append(value or "")
            self.refers += re.findall(r"url\((#[^)]*)\)", value or "")


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
    summary = summarise(rows, UNTIL, price_per_m3=2.0, currency="EUR")
    assert (summary.n_open, summary.n_ended, summary.n_withdrawn) == (1, 1, 1)
    assert summary.flow_m3h == pytest.approx(9.0)
    hours = (UNTIL - rows[0].start).total_seconds() / 3600.0 + (rows[1].ended - rows[1].start).total_seconds() / 3600.0  # type: ignore[operator]
    assert summary.lost_m3 == pytest.approx(9.0 * hours)
    assert summary.lost_money == pytest.approx(2.0 * summary.lost_m3)
    assert summary.money_per_day == pytest.approx(2.0 * 24.0 * 9.0)
    assert summarise(rows, UNTIL).price_per_m3 == 34.16


def test_leak_after_the_period_has_lost_nothing() -> None:
    rows = rows_of(LEAKS, grid(), None)
    assert summarise(rows, datetime.fromisoformat("2024-01-01")).lost_m3 == 0.0


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(12345.67, 1, "12\u00a0345.7"), (-0.04, 1, "0.0"), (-2.0, 0, "-2")]
)
def test_number(value: float, digits: int, text: str) -> None:
    assert number(value, digits) == text


# page -------------------------------------------------------------------------------------------------------------


def test_page_tells_all() -> None:
    text = render_html(content_of(rows_of(LEAKS, grid(), "Europe/Kyiv")), grid(), ["J-3", "J-5", "P-1"])
    for said in (
        "P-4",
        "P-5",
        "P-6",
        "block-1",
        "SYNTHETIC data",
        "34.16",
        "balance of block-1",
        "Found 1 of 2",
        "98.5",
    ):
        assert said in text
    assert text.count('<section class="event"') == 3
    assert "map units" in text
    page = Page(text)
    assert page.open == []
    assert page.tags.count("svg") == 7  # the map; evidence and surroundings of each event


def test_page_loads_nothing_and_its_ids_are_unique() -> None:
    text = render_html(content_of(rows_of(LEAKS, grid(), None)), grid(), ["J-3"])
    page = Page(text)
    assert page.loads == []
    assert not re.search(r"https?://|@import|<script|<link", text)
    assert len(page.ids) == len(set(page.ids))
    assert {name.removeprefix("#") for name in page.refers} <= set(page.ids)


def test_same_content_gives_same_bytes(tmp_path: Path) -> None:
    content = content_of(rows_of(LEAKS, grid(), None))
    first = write_report(content, grid(), ["J-3"], tmp_path / "a").read_bytes()
    assert write_report(content, grid(), ["J-3"], tmp_path / "b").read_bytes() == first


def test_hostile_names_are_text() -> None:
    topology = grid(names=("P-0", "P-1", "P-2", "P-3", HOSTILE, "P-5", "P-6"))
    bad = replace(leak(1, HOSTILE), dma=HOSTILE, evidence=((HOSTILE, 3.0), ("№ Київ 水", 2.0)))
    content = content_of(rows_of([bad], topology, None), title=HOSTILE, note=HOSTILE, network=HOSTILE)
    text = render_html(content, topology, [HOSTILE])
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags
    assert "$x_1$" in text


def test_report_without_events_says_so() -> None:
    text = render_html(content_of((), truth=None, note=""), grid(), [])
    assert "No leak was found" in text
    assert 'class="banner"' not in text
    assert Page(text).tags.count("svg") == 1


def test_network_without_coordinates_has_no_map() -> None:
    topology = grid()
    topology.xy[:] = math.nan
    text = render_html(content_of(rows_of(LEAKS, topology, None)), topology, ["J-3"])
    assert "no map can be drawn" in text
    assert draw_map((), topology, [], None, "map") == ""


def test_pipe_of_another_network_is_named() -> None:
    rows = rows_of([leak(1, "P-4")], grid(), None)
    other = grid(names=("P-0", "P-1", "P-2", "P-3", "Q", "P-5", "P-6"))
    assert "Not in this network, so neither measured nor drawn: P-4" in render_html(content_of(rows), other, [])


def test_search_lengths_come_from_the_candidates() -> None:
    text = render_html(content_of(rows_of([leak(1, "P-4")], grid(), None)), grid(), [])
    # P-4 (80 m) holds 55 %, with P-0 (100 m) 96 %
    assert re.search(r"50.%: 80 m in 1 pipe;\s+80.%: 180 m in 2 pipes;\s+95.%: 180 m in 2 pipes\.", text)


# whole or not at all ----------------------------------------------------------------------------------------------


def test_nothing_is_left_when_rendering_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError("no drawing today")

    monkeypatch.setattr("umanflow.report.html.draw_map", fail)
    with pytest.raises(RuntimeError, match="no drawing"):
        write_report(content_of(()), grid(), [], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_old_report_survives_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_report(content_of(()), grid(), [], tmp_path)
    before = path.read_bytes()

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(self), None, str(target))

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(ReportError, match="No space left"):
        write_report(content_of((), note="newer"), grid(), [], tmp_path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(ReportError, match="cannot be written"):
        write_report(content_of(()), grid(), [], tmp_path / "out")


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
    [(None, "2000 map units"), ("EPSG:nought", "2000 map units"), (CRS, "2 km"), ("EPSG:4326", "2000° of longitude")],
)
def test_scale_text(crs: str | None, text: str) -> None:
    assert scale_text(2000.0, crs) == text
    if crs == CRS:
        assert scale_text(500.0, crs) == "500 m"


def test_a_long_main_does_not_shrink_the_city():
    city = np.array([(x, y) for x in range(0, 1000, 50) for y in range(0, 800, 50)], dtype=float)
    far = np.array([(500.0, 60_000.0), (40_000.0, 300.0)])
    kept = _core(np.vstack([city, far]))
    assert len(kept) == len(city)
    assert len(_core(city)) == len(city)
