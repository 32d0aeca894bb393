"""The report as page and paper: whole, in both languages, safe with any name, and right for odd networks."""

import io
import json
import re
import subprocess
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from tests.umanflow.town import leak, write_folder, write_town
from tests.umanflow.townreport import HOSTILE, LEAKS, Page, findings_of, gathered, made
from umanflow.report import Content, Site, TrueLeak, Wording
from umanflow.report.blocks import Figure, Group, Keep, Pair
from umanflow.report.gpkg import render_gpkg
from umanflow.report.html import render_html
from umanflow.report.maps import MapMaker
from umanflow.report.pdf import _fonts, breakable, render_pdf
from umanflow.report.tables import render_dispatch, render_json
from umanflow.report.view import document_of
from umanflow.report.xlsx import render_xlsx


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[Content, Site]:
    return made(tmp_path_factory.mktemp("town"), LEAKS)


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
    assert len(data["network"]["ends"]) == 4 * len(data["network"]["names"]) == 4 * 19
    assert [pin["key"] for pin in data["pins"]] == ["1", "2", "3"]
    assert data["network"]["names"][data["pins"][0]["link"]] == "H-31"
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
    assert figure.svg.count("data-pin=") == 100
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
