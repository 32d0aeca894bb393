"""The report as workbook, layers and tables; the same bytes each time, whole files or none."""

import csv
import io
import json
import math
import sqlite3
import zipfile
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from tests.umanflow.town import write_folder, write_town
from tests.umanflow.townreport import LEAKS, findings_of, gathered, made
from umanflow.detection import read_repairs
from umanflow.errors import UserError
from umanflow.report import Content, ReportError, Site, Wording
from umanflow.report.gpkg import render_gpkg
from umanflow.report.tables import render_dispatch, render_json
from umanflow.report.xlsx import render_xlsx
from umanflow.reporting import Request, report_folder

ALL = ("html", "pdf", "csv", "xlsx", "geojson", "gpkg", "json")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[Content, Site]:
    return made(tmp_path_factory.mktemp("town"), LEAKS)


# workbook, layers, tables -----------------------------------------------------------------------------------------


def test_workbook_keeps_numbers(town: tuple[Content, Site]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(render_xlsx(town[0], Wording("en"))))
    sheet = book["Events"]
    heads = [cell.value for cell in sheet[1]]
    first = dict(zip(heads, [cell.value for cell in sheet[2]], strict=True))
    assert first["Flow, m³/h"] == pytest.approx(3.6)
    assert first["Began"] == town[0].cases[0].row.start
    assert first["Cost to date, UAH"] == pytest.approx(town[0].cases[0].lost_m3 * 34.16)
    assert {"Dispatch list", "Step test", "Sensor health", "repairs"} <= set(book.sheetnames)


def test_what_crews_write_into_the_workbook_is_read(town: tuple[Content, Site], tmp_path: Path) -> None:
    path = tmp_path / "report.xlsx"
    path.write_bytes(render_xlsx(town[0], Wording("uk")))
    assert read_repairs(path) == ()  # nothing is filled in yet
    book = openpyxl.load_workbook(path)
    sheet = book["repairs"]
    assert sheet["A2"].value == "H-31"
    sheet["B2"], sheet["C2"], sheet["D2"] = town[0].period_end, "yes", 4.0
    sheet["A3"], sheet["B3"], sheet["C3"] = "H-21", "2026-03-01 10:00", "dry"
    sheet["A4"] = "H-11"
    book.save(path)
    (repair,) = read_repairs(path, "Europe/Kyiv")
    assert repair.pipe == "H-31"
    assert repair.time.tz_convert("Europe/Kyiv").tz_localize(None) == town[0].period_end
    assert repair.flow == pytest.approx(4.0 / 3600.0)


def test_a_workbook_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK no workbook")
    with pytest.raises(UserError, match="cannot be read as a workbook"):
        read_repairs(tmp_path / "a.xlsx")
    openpyxl.Workbook().save(tmp_path / "b.xlsx")
    with pytest.raises(UserError, match="no sheet 'repairs'"):
        read_repairs(tmp_path / "b.xlsx")


def test_layers_open_in_gdal(town: tuple[Content, Site], tmp_path: Path) -> None:
    content, site = town
    path = tmp_path / "report.gpkg"
    path.write_bytes(render_gpkg(content, site))
    pyogrio = pytest.importorskip("pyogrio")
    assert {name for name, _ in pyogrio.list_layers(path)} == {"leaks", "candidates", "valves", "sensors", "pipes"}
    leaks = pyogrio.read_dataframe(path, layer="leaks")
    assert leaks.crs.to_epsg() == 32636
    assert leaks["pipe"].tolist() == ["H-31", "H-11", "H-21"]
    assert list(leaks.geometry[0].coords) == [(294100.0, 5403300.0), (294200.0, 5403300.0)]
    assert leaks["customers"].tolist() == [40, 120, 80]
    valves = pyogrio.read_dataframe(path, layer="valves")
    assert valves["valve"].tolist() == ["S-20", "S-23"]
    assert len(pyogrio.read_dataframe(path, layer="pipes")) == 19
    with sqlite3.connect(path) as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert base.execute("PRAGMA application_id").fetchone() == (0x47504B47,)
    base.close()


def test_layers_without_a_known_place_say_so(tmp_path: Path) -> None:
    inp = write_town(tmp_path)
    content, site = gathered(findings_of(write_folder(tmp_path / "found", inp, LEAKS, crs=None)), inp)
    path = tmp_path / "report.gpkg"
    path.write_bytes(render_gpkg(content, site))
    with sqlite3.connect(path) as base:
        assert {row[0] for row in base.execute("SELECT srs_id FROM gpkg_geometry_columns")} == {-1}
    base.close()


def test_dispatch_and_json_hold_what_is_known(town: tuple[Content, Site]) -> None:
    (row,) = csv.DictReader(io.StringIO(render_dispatch(town[0])))
    assert (row["pipe"], row["valves"], row["customers"], row["search_80_m"]) == ("H-31", "S-20 S-23", "40", "400.0")
    assert float(row["money_per_day"]) == pytest.approx(3.6 * 24.0 * 34.16)
    text = render_json(town[0], "UAH")
    entry = json.loads(text)["cases"][0]
    assert entry["closure"]["customers"] == 40
    assert entry["row"]["start"] == "2026-02-01 00:00:00"
    assert "NaN" not in text
    blank = render_json(replace(town[0], cases=(replace(town[0].cases[0], lengths={"H-31": math.nan}),)), "UAH")
    assert json.loads(blank)["cases"][0]["lengths"] == {"H-31": None}


# the same each time, whole or not at all --------------------------------------------------------------------------


def folder_of(tmp_path: Path) -> tuple[Path, Path]:
    inp = write_town(tmp_path / "town")
    return write_folder(tmp_path / "found", inp, LEAKS), inp.parent


def test_same_input_gives_same_bytes_in_every_format(tmp_path: Path) -> None:
    found, tables = folder_of(tmp_path)
    for language in ("uk", "en"):
        first = report_folder(found, Request(tmp_path / f"{language}1", ALL, language, cost_per_m3=1.0, tables=tables))
        again = report_folder(found, Request(tmp_path / f"{language}2", ALL, language, cost_per_m3=1.0, tables=tables))
        assert [f.name for f in first] == [
            "report.html", "report.pdf", "leaks.csv", "dispatch.csv", "report.xlsx", "leaks.geojson", "report.gpkg",
            "leaks.json", "report.json",
        ]  # fmt: skip
        for a, b in zip(first, again, strict=True):
            assert a.read_bytes() == b.read_bytes(), a.name


def test_moment_of_making_is_in_no_file(tmp_path: Path) -> None:
    found, tables = folder_of(tmp_path)
    run = json.loads((found / "run.json").read_text())
    first = report_folder(found, Request(tmp_path / "a", ALL, tables=tables))
    (found / "run.json").write_text(json.dumps({**run, "created": "2031-01-01T00:00:00+00:00"}))
    for a, b in zip(first, report_folder(found, Request(tmp_path / "b", ALL, tables=tables)), strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name


def test_workbook_has_no_time_of_its_own(town: tuple[Content, Site]) -> None:
    with zipfile.ZipFile(io.BytesIO(render_xlsx(town[0], Wording("en")))) as book:
        assert {entry.date_time for entry in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"2026-03-02T00:00:00Z</dcterms:modified>" in book.read("docProps/core.xml")


@pytest.mark.parametrize("name", ["pdf", "xlsx", "gpkg"])
def test_nothing_is_written_when_one_format_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    found, tables = folder_of(tmp_path)

    def fail(*_: object) -> bytes:
        raise RuntimeError("no drawing today")

    monkeypatch.setattr(f"umanflow.report.{name}.render_{name}", fail)
    with pytest.raises(RuntimeError, match="no drawing"):
        report_folder(found, Request(tmp_path / "out", ALL, tables=tables))
    assert not (tmp_path / "out").exists()


def test_old_report_survives_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = folder_of(tmp_path)
    (path,) = report_folder(found, Request(tmp_path / "out"))
    before = path.read_bytes()

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(self), None, str(target))

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(ReportError, match="No space left"):
        report_folder(found, Request(tmp_path / "out", language="uk"))
    assert path.read_bytes() == before
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["report.html"]


def test_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    found, _ = folder_of(tmp_path)
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(ReportError, match="cannot be written"):
        report_folder(found, Request(tmp_path / "out"))
