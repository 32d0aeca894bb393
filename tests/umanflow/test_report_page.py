"""The report as page, paper, workbook and layers: whole, the same each time, and safe with any name."""

import csv
import io
import json
import math
import re
import sqlite3
import subprocess
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from models.leak import Leak
from networks import load
from tests.umanflow.test_report_content import findings_of
from tests.umanflow.town import leak, write_folder, write_town
from umanflow.detection import read_repairs
from umanflow.errors import UserError
from umanflow.report import Content, Findings, ReportError, Site, TrueLeak, Wording, gather, site_of
from umanflow.report.blocks import Figure, Group, Keep, Pair
from umanflow.report.gpkg import render_gpkg
from umanflow.report.html import render_html
from umanflow.report.maps import MapMaker
from umanflow.report.pdf import breakable, render_pdf
from umanflow.report.tables import render_dispatch, render_json
from umanflow.report.view import document_of
from umanflow.report.xlsx import render_xlsx
from umanflow.reporting import Request, report_folder

ALL = ("html", "pdf", "csv", "xlsx", "geojson", "gpkg", "json")
HOSTILE = "</script><script>alert(1)</script>$x_1$#=1+1&\"'"


def made(folder: Path, leaks: Sequence[Leak], cost: float | None = 34.16, **how: bool) -> tuple[Content, Site]:
    """Content of a report of the town."""
    inp = write_town(folder, **how)
    findings = findings_of(write_folder(folder / "found", inp, leaks))
    return gathered(findings, inp, cost, how.get("has_tables", True))


def gathered(findings: Findings, inp: Path, cost: float | None = None, has_tables: bool = True) -> tuple[Content, Site]:
    network = load(inp, findings.run["crs"])
    if has_tables:
        network.folder = inp.parent
    site = site_of(network, ["MAIN"])
    return gather(findings, site, cost), site


LEAKS = (leak(1), leak(2, "H-11", "ended"), leak(3, "H-21", "withdrawn"))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[Content, Site]:
    return made(tmp_path_factory.mktemp("town"), LEAKS)


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


# the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "uk"])
def test_page_is_whole_and_loads_nothing(town: tuple[Content, Site], language: str) -> None:
    text = render_html(document_of(*town, Wording(language)))
    page = Page(text)
    assert page.open == []
    assert page.loads == []
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|<link", text)
    assert len(page.ids) == len(set(page.ids))
    assert {name.removeprefix("#") for name in page.refers} <= set(page.ids)
    assert f'<html lang="{language}">' in text


def test_page_tells_all(town: tuple[Content, Site]) -> None:
    text = render_html(document_of(*town, Wording("en"))).replace("\u00a0", " ")
    for said in (
        "Event 1: pipe H-31", "Їжакевича", "S-20, S-23", "48.7", "UAH", "Step test",
        "ruled out", "Sensor health", "J-13", "What was not watched", "results sha256", "0.1.0", "Check after repair",
        "80 %: 400 m in 2 pipes", "Dispatch list",
    ):  # fmt: skip
        assert said in text, said
    assert text.count('<section class="event"') == 3


def test_units_and_language_change_numbers(town: tuple[Content, Site]) -> None:
    english = render_html(document_of(*town, Wording("en", "L/s"))).replace("\u00a0", " ")
    assert "1.0 L/s" in english
    assert "2,505.6" not in english
    assert "2,506 m³" in english
    ukrainian = render_html(document_of(*town, Wording("uk"))).replace("\u00a0", " ")
    assert "3,6 м³/год" in ukrainian
    assert "2 506 м³" in ukrainian
    assert "01.02.2026" in ukrainian
    assert "грн" in ukrainian


def test_unknown_cost_is_said_and_no_money_is_made_up(tmp_path: Path) -> None:
    text = render_html(document_of(*made(tmp_path, LEAKS, cost=None), Wording("en")))
    assert "the cost of lost water is not stated" in text
    assert "UAH" not in text
    assert "34.16" not in text


def test_hostile_names_are_text(town: tuple[Content, Site]) -> None:
    content, site = town
    case = content.cases[0]
    row = replace(case.row, dma=HOSTILE, street=HOSTILE, pipe_best=HOSTILE, pipe=HOSTILE)
    bad = replace(
        content,
        cases=(replace(case, row=row, place=replace(case.place, street=HOSTILE, pipe=HOSTILE)),),
        network=HOSTILE,
    )
    document = document_of(bad, site, Wording("uk"))
    page = Page(render_html(document))
    assert page.open == []
    assert page.tags.count("script") == 2  # the map's data and the page's own
    assert render_pdf(document, content.period_end).startswith(b"%PDF")
    book = openpyxl.load_workbook(io.BytesIO(render_xlsx(bad, Wording("en"))))
    assert HOSTILE in {cell.value for sheet in book for line in sheet.iter_rows() for cell in line}
    assert all(cell.data_type != "f" for sheet in book for line in sheet.iter_rows() for cell in line)


def test_names_like_formulas_stay_text(town: tuple[Content, Site]) -> None:
    content, _ = town
    bad = replace(content.cases[0], row=replace(content.cases[0].row, pipe_best="=1+1", dma="@SUM(A1)"))
    book = openpyxl.load_workbook(io.BytesIO(render_xlsx(replace(content, cases=(bad,)), Wording("en"))))
    cells = [
        cell for sheet in book for line in sheet.iter_rows() for cell in line if cell.value in {"=1+1", "@SUM(A1)"}
    ]
    assert len(cells) >= 3
    assert {cell.data_type for cell in cells} == {"s"}


def test_map_data_of_the_page_is_json(town: tuple[Content, Site]) -> None:
    text = render_html(document_of(*town, Wording("uk")))
    found = re.search(r'<script type="application/json" class="map-data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert len(data["ends"]) == 4 * len(data["names"]) == 4 * 19
    assert [event["n"] for event in data["events"]] == [1, 2, 3]
    assert data["names"][data["events"][0]["link"]] == "H-31"
    assert data["perPx"] > 0.0


def test_every_map_has_a_scale_an_arrow_and_a_legend(town: tuple[Content, Site]) -> None:
    content, site = town
    maps = MapMaker(content, site, ["J-30", "MAIN"], Wording("en"))
    figures = [maps.network(), *(maps.place(case) for case in content.cases)]
    for figure in figures:
        assert figure is not None
        assert 'class="scale"' in figure.svg
        assert 'class="arrow"' in figure.svg
        texts = [item.text for item in figure.legend]
        assert "pipe" in texts
        for classes, text in (
            ("sensor pin", "sensor"),
            ("valve", "valve to shut"),
            ("best s-open", "open leak, likeliest pipe"),
        ):
            assert (f'class="{classes}"' in figure.svg) <= (text in texts)


def texts_of(svg: str) -> list[tuple[float, float, float, float]]:
    """Boxes of the names on a map: left, top, right, bottom."""
    found = re.findall(r'<rect class="plate s-\w+|<rect class="plate axis', svg)
    boxes = re.findall(
        r'<rect class="plate (?:s-\w+|axis)" x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg
    )
    assert len(found) == len(boxes)
    return [(float(x), float(y), float(x) + float(w), float(y) + float(h)) for x, y, w, h in boxes]


def test_names_on_a_place_map_do_not_cover_each_other(town: tuple[Content, Site]) -> None:
    content, site = town
    maps = MapMaker(content, site, [], Wording("en"))
    for case in content.cases:
        figure = maps.place(case)
        assert figure is not None
        boxes = texts_of(figure.svg)
        assert len(boxes) >= 2
        for k, a in enumerate(boxes):
            assert a[0] >= 0.0
            assert a[2] <= 440.0
            assert all(a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1] for b in boxes[k + 1 :])


# odd reports ------------------------------------------------------------------------------------------------------


def render_all(content: Content, site: Site) -> None:
    for language in ("en", "uk"):
        document = document_of(content, site, Wording(language))
        assert Page(render_html(document)).open == []
        assert render_pdf(document, content.period_end).startswith(b"%PDF")
    assert render_xlsx(content, Wording("uk"))
    assert render_gpkg(content, site)
    assert json.loads(render_json(content, "UAH"))["network"] == content.network
    assert render_dispatch(content)


def test_no_events(tmp_path: Path) -> None:
    content, site = made(tmp_path, [])
    text = render_html(document_of(content, site, Wording("en")))
    assert "No leak was found" in text
    assert "Nothing waits for a crew" in text
    render_all(content, site)


def test_a_hundred_events(tmp_path: Path) -> None:
    pipes = [f"H-{r}{c}" for r in range(4) for c in range(3)]
    content, site = made(
        tmp_path, [leak(k + 1, pipes[k % 12], ("open", "ended", "withdrawn")[k % 3]) for k in range(100)]
    )
    figure = MapMaker(content, site, [], Wording("en")).network()
    assert figure.svg.count("data-event=") == 100
    boxes = texts_of(figure.svg)
    assert len(boxes) == 100
    document = document_of(content, site, Wording("uk"))
    assert Page(render_html(document)).open == []
    assert render_pdf(document, content.period_end).startswith(b"%PDF")


def test_events_without_candidates_or_evidence(tmp_path: Path) -> None:
    content, site = made(tmp_path, [leak(1, candidates=(), candidates_best=(), evidence=())])
    text = render_html(document_of(content, site, Wording("en")))
    assert "named no candidate pipes" in text
    assert "kept no evidence" in text
    render_all(content, site)


def test_no_coordinates_gives_a_schematic_map_that_says_so(tmp_path: Path) -> None:
    inp = write_town(tmp_path, has_places=False)
    findings = findings_of(write_folder(tmp_path / "found", inp, LEAKS, crs=None))
    content, site = gathered(findings, inp)
    text = render_html(document_of(content, site, Wording("en")))
    assert "Schematic: the network has no coordinates" in text
    assert 'class="arrow"' not in text
    render_all(content, site)


def test_unknown_crs_is_said(tmp_path: Path) -> None:
    inp = write_town(tmp_path)
    content, site = gathered(findings_of(write_folder(tmp_path / "found", inp, LEAKS, crs=None)), inp)
    text = render_html(document_of(content, site, Wording("en")))
    assert "reference system is not known" in text
    assert "map units" in text
    render_all(content, site)


def test_no_tables_says_unknown(tmp_path: Path) -> None:
    content, site = made(tmp_path, LEAKS, has_tables=False)
    text = render_html(document_of(content, site, Wording("en")))
    assert "the network has no table of isolation valves" in text
    assert "<dt>Valves to shut</dt><dd>unknown</dd>" in text
    render_all(content, site)


def test_pipe_of_another_network_is_named(town: tuple[Content, Site]) -> None:
    content, site = town
    bad = replace(content, cases=(replace(content.cases[0], row=replace(content.cases[0].row, pipe_best="Q")),))
    text = render_html(document_of(bad, site, Wording("en")))
    assert "Not in this network, so neither measured nor drawn: Q." in text
    render_all(bad, site)


def test_truth_of_a_demo_is_told(town: tuple[Content, Site]) -> None:
    content, site = town
    start = content.period_start
    truth = (TrueLeak("H-31", start, 3.6, True, start, 0.0, 3.5), TrueLeak("H-21", start, 1.0, False))
    text = render_html(document_of(replace(content, truth=truth, false_alarms=2), site, Wording("en")))
    assert "Found 1 of 2. False alarms: 2." in text


# paper ------------------------------------------------------------------------------------------------------------


def test_paper_has_its_fonts_inside_and_every_letter(town: tuple[Content, Site], tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pdf = render_pdf(document_of(*town, Wording("uk")), town[0].period_end)
    assert b"/FontFile2" in pdf or b"/ObjStm" in pdf
    assert b"DejaVuSans" in pdf
    assert b"/MediaBox [0 0 595" in pdf or b"/MediaBox[0 0 595" in pdf
    assert b"/URI" not in pdf
    from matplotlib.ft2font import FT2Font

    from umanflow.report.pdf import _fonts

    face = FT2Font(str(_fonts() / "DejaVuSans.ttf"))
    letters = {letter for letter in render_html(document_of(*town, Wording("uk"))) if letter.isprintable()}
    missing = {letter for letter in letters if face.get_char_index(ord(letter)) == 0}
    assert missing <= {"⤢"}  # a button of the page


def test_paper_says_its_pages(town: tuple[Content, Site], tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(render_pdf(document_of(*town, Wording("uk")), town[0].period_end))
    try:
        text = subprocess.run(
            ["pdftotext", "-layout", str(tmp_path / "report.pdf"), "-"], capture_output=True, check=True
        )
    except FileNotFoundError:
        pytest.skip("no pdftotext here")
    said = text.stdout.decode()
    pages = said.count("\f")
    assert f"сторінка 1 з {pages}" in said
    assert f"сторінка {pages} з {pages}" in said
    assert "Ґалаґанівська" in said.replace("\u200b", "")


def test_long_names_may_break() -> None:
    name = "НАСОСНА_СТАНЦІЯ-ПІВНІЧНА.ТРУБОПРОВІД"
    assert breakable(name).replace("\u200b", "") == name
    assert max(len(part) for part in breakable(name).split("\u200b")) <= 16
    assert breakable("коротко й ясно") == "коротко й ясно"


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


def figures(blocks: Sequence[object]) -> list[Figure]:
    found: list[Figure] = []
    for block in blocks:
        if isinstance(block, Figure):
            found.append(block)
        elif isinstance(block, Pair):
            found += figures([*block.left, *block.right])
        elif isinstance(block, Group | Keep):
            found += figures(block.blocks)
    return found


def test_plots_are_of_the_event(town: tuple[Content, Site]) -> None:
    names = [figure.name for figure in figures(document_of(*town, Wording("uk")).blocks)]
    assert {"map", "place-1", "evidence-1", "residuals-1", "night-1", "health-1"} <= set(names)
    assert len(names) == len(set(names))


def test_a_plots_marks_and_values_stay_inside(town: tuple[Content, Site]) -> None:
    for figure in figures(document_of(*town, Wording("uk")).blocks):
        width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', figure.svg)[0])
        for points in re.findall(r'points="([^"]*)"', figure.svg):
            xy = np.array([[float(v) for v in point.split(",")] for point in points.split()])
            assert (xy >= -0.5).all(), figure.name
            assert (xy <= [width + 0.5, height + 0.5]).all(), figure.name
