"""A plan's report: the same numbers in every format, the same bytes each time, a page that tells what is clicked."""

import csv
import io
import json
import os
import pickle
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from networks import Network, load
from tests.umanflow.browser import BROWSER, Browser, asked_of_the_net, middle, opened
from tests.umanflow.plantown import GIVEN, STREET, write_plan_town
from tests.umanflow.townreport import Page
from umanflow.errors import UserError
from umanflow.planner.cuts import Cut, CutTest
from umanflow.planner.files import write_plan
from umanflow.planner.inputs import PlanInput
from umanflow.planner.modelcheck import ABOUT, Checked
from umanflow.planner.pumpplan import PumpHour, PumpPlan, Reserve
from umanflow.planner.pumprun import PumpRun, TankDays
from umanflow.planner.report import FORMATS, plan_files, wordings
from umanflow.planner.report.files import check_formats
from umanflow.planner.report.sections import SECTIONS
from umanflow.planner.report.story import Story
from umanflow.planner.report.words import ASSUMPTION_OF, KINDS
from umanflow.planner.report.words import GIVEN as GIVEN_WORDS
from umanflow.planner.sentence import Sentence, reason_of
from umanflow.planner.study import Plan, make_plan
from umanflow.report import ReportError, Wording
from umanflow.report.blocks import Block, Figure, Group, Keep, Pair
from umanflow.report.site import site_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plan")


@pytest.fixture(scope="module")
def town(folder: Path) -> Network:
    return write_plan_town(folder)


@pytest.fixture(scope="module")
def plan(town: Network) -> Plan:
    return make_plan(town, PlanInput.model_validate(tomllib.loads(GIVEN)))


@pytest.fixture(scope="module")
def files(plan: Plan, town: Network) -> dict[str, bytes]:
    return plan_files(plan, town, FORMATS, wordings("uk,en"))


def story_of(plan: Plan, town: Network, language: str = "en") -> Story:
    return Story(plan, site_of(town, ()), *wordings(language))


def figures_of(blocks: tuple[Block, ...]) -> Iterator[Figure]:
    for block in blocks:
        if isinstance(block, Figure):
            yield block
        elif isinstance(block, Keep | Group):
            yield from figures_of(block.blocks)
        elif isinstance(block, Pair):
            yield from figures_of((*block.left, *block.right))


# the same in every format, and each time --------------------------------------------------------------------------


_AGAIN = """
import pickle, sys
from pathlib import Path
from networks import load
from umanflow.planner.pumpplan import PumpHour, PumpPlan, Reserve
from umanflow.planner.pumprun import PumpRun, TankDays
from umanflow.planner.report import FORMATS, plan_files, wordings
folder = Path(sys.argv[1])
plan = pickle.loads((folder / "plan.pickle").read_bytes())
made = plan_files(plan, load(folder / "town.inp", "EPSG:32636"), FORMATS, wordings("uk,en"))
(folder / "made.pickle").write_bytes(pickle.dumps(made))
"""


def test_another_process_makes_the_same_bytes(files: dict[str, bytes], plan: Plan, folder: Path) -> None:
    assert set(files) == {
        *(f"plan-{language}.{name}" for language in ("uk", "en") for name in ("html", "pdf", "xlsx")),
        "plan.geojson", "plan.gpkg",
    }  # fmt: skip
    (folder / "plan.pickle").write_bytes(pickle.dumps(plan))
    seed = {**os.environ, "PYTHONHASHSEED": "4711"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", _AGAIN, str(folder)], check=True, env=seed, timeout=300)
    again = pickle.loads((folder / "made.pickle").read_bytes())
    assert {name: again[name] == body for name, body in files.items()} == dict.fromkeys(files, True)


@pytest.mark.parametrize("language", ["uk", "en"])
def test_workbook_holds_the_numbers_of_the_json(
    files: dict[str, bytes], plan: Plan, tmp_path: Path, language: str
) -> None:
    write_plan(plan, tmp_path)
    told = json.loads((tmp_path / "plan.json").read_text("utf-8"))
    book = openpyxl.load_workbook(io.BytesIO(files[f"plan-{language}.xlsx"]))
    say = wordings(language)[0].say

    def column(sheet: str, head: str) -> list[object]:
        rows = list(book[say(sheet)[:31]].values)
        place = next(
            k for k, text in enumerate(rows[0]) if str(text).partition(", ")[0] == say(head).partition(", ")[0]
        )
        return [row[place] for row in rows[1:]]

    years = told["programme"]["years"]
    for head, key in (
        ("Revenue water", "ratio"),
        ("Spent", "cost"),
        ("Balance", "balance"),
        ("Energy saved, kWh", "energy"),
    ):
        assert column("Years", head) == pytest.approx([year[key] for year in years], rel=1e-5)
    assert column("Renewal", "Pipe") == told["renewal"]["pipes"]
    assert column("Renewal", "Avoided") == pytest.approx(told["renewal"]["avoided"], rel=1e-5)
    assert column("Blocks", "Connections") == [b["connections"] for b in told["designs"][0]["blocks"]]
    hours = [[row[k] for k in range(4, 28)] for row in list(book[say("Set-points")].values)[1:]]
    assert hours == [pytest.approx(valve["after"], rel=1e-5) for valve in told["pressure"]["valves"]]
    assert sum(b["cost"] for b in told["designs"][0]["blocks"]) == pytest.approx(told["designs"][0]["cost"])


def test_layers_open_and_lie_where_the_city_is(files: dict[str, bytes], plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.gpkg"
    path.write_bytes(files["plan.gpkg"])
    pyogrio = pytest.importorskip("pyogrio")
    names = {name for name, _ in pyogrio.list_layers(path)}
    assert names == {"nodes", "pipes", "borders", "blocks", "pressure_valves", "loggers", "renewal", "renewed"}
    pipes = pyogrio.read_dataframe(path, layer="pipes").set_index("pipe")
    assert pipes.crs.to_epsg() == 32636
    assert pipes.loc["H-A00", "velocity_m_s"] == pytest.approx(
        plan.condition.velocity[plan.condition.links.index("H-A00")]
    )
    assert pipes.loc["LINK", "rank"] is None or pipes.loc["LINK", "rank"] != pipes.loc["LINK", "rank"]
    borders = pyogrio.read_dataframe(path, layer="borders").set_index("link")
    assert borders.loc["LINK", "role"] == "shut"  # in no language
    with sqlite3.connect(path) as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    base.close()
    features = json.loads(files["plan.geojson"])["features"]
    with sqlite3.connect(path) as base:
        count = sum(base.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names)
    base.close()
    assert len(features) == count
    lon, lat = next(f for f in features if f["properties"]["layer"] == "loggers")["geometry"]["coordinates"]
    assert (round(lon), round(lat)) == (30, 49)


def test_without_a_place_on_earth_there_is_no_geojson(town: Network, tmp_path: Path) -> None:
    nowhere = load(town.source)
    with pytest.raises(UserError, match=r"state it with --crs EPSG"):
        check_formats(nowhere, ("html", "geojson"))
    check_formats(nowhere, ("html", "gpkg"))


# what is said -----------------------------------------------------------------------------------------------------


def test_every_kind_and_number_has_words(plan: Plan) -> None:
    given = plan.given
    keys = {f"{s}.{key}" for s in type(given).model_fields for key in type(getattr(given, s)).model_fields}
    assert set(GIVEN_WORDS) == keys
    assert {m.kind for m in plan.programme.measures} <= set(KINDS)
    assert plan.renewal is not None
    assert {ASSUMPTION_OF[name] for name in plan.renewal.steady} <= keys


def test_sentences_of_a_plan_in_another_language(plan: Plan, town: Network) -> None:
    story = story_of(plan, town, "uk")
    made = Sentence("{km} km in {n} pipes", km=7.5, n=1200)
    assert made == "7.5 km in 1200 pipes"
    assert story.sentence(made) == "7,5 км, ділянок – 1\u00a0200"
    assert story.sentence("breaks.csv: no break rates") == "breaks.csv: немає частоти поривів"
    assert story.sentence("what nobody has translated") == "what nobody has translated"
    for measure in plan.programme.measures:
        for text in (measure.what, measure.verify):
            assert not re.search("[a-z]{3,}", story.sentence(text)), text


def test_sentences_within_sentences_and_reasons_of_errors_are_told_in_the_same_language(
    plan: Plan, town: Network
) -> None:
    story = story_of(plan, town, "uk")
    reasons = (Sentence("{tank}: runs empty", tank="T"), Sentence("EPANET warns at {n} moments", n=1234))
    note = Sentence("pumps: no schedule was found that keeps everything ({why}); it is no advice", why=reasons)
    assert "(T: runs empty; EPANET warns at 1234 moments)" in note
    assert "(T: спорожнюється; EPANET попереджає; моментів: 1\u00a0234)" in story.sentence(note)
    assert story.sentence(pickle.loads(pickle.dumps(note))) == story.sentence(note)
    error = UserError(Sentence("every customer is on a trunk: there is no street network to be cut into blocks"))
    told = story.sentence(Sentence("blocks: {why}", why=reason_of(error)))
    assert "усі споживачі на магістралях" in told
    assert reason_of(UserError("plain")) == "plain"


def test_the_model_check_is_told_without_its_codes(plan: Plan, town: Network) -> None:
    found = Checked("dead-end", "note", ABOUT["dead-end"], 2, ("node A00",), "look at it")
    made = plan_files(replace(plan, check=(found,)), town, ("html", "xlsx"), wordings("uk,en"))
    text = made["plan-uk.html"].decode()
    assert "тупики зі споживанням" in text
    assert "dead-end" not in text
    rows = list(openpyxl.load_workbook(io.BytesIO(made["plan-uk.xlsx"]))["Перевірка моделі"].values)
    assert rows[0][1] == "Код перевірки"
    assert rows[1][1] == "dead-end"


def test_page_is_whole_and_tells_the_plan(files: dict[str, bytes], plan: Plan) -> None:
    text = files["plan-en.html"].decode()
    page = Page(text)
    assert page.loads == []
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {ref.removeprefix("#") for ref in page.refers} <= set(page.ids)
    last = plan.programme.years[-1]
    assert f"{100 * last.ratio:.1f}\u00a0%" in text
    assert f"{100 * last.ratio_nothing:.1f}\u00a0%" in text
    assert "assumptions of the program" in text
    assert "SYNTHETIC" not in text
    assert "Їжакевича" in text


def test_a_made_up_city_is_called_one(plan: Plan, town: Network) -> None:
    made = plan_files(replace(plan, is_synthetic=True), town, ("html", "xlsx"), wordings("en"))
    assert set(made) == {"plan.html", "plan.xlsx"}
    assert b"SYNTHETIC" in made["plan.html"]
    sheet = openpyxl.load_workbook(io.BytesIO(made["plan.xlsx"]))["Summary"]
    assert any(str(row[0]).startswith("SYNTHETIC") for row in sheet.values)


def test_target_is_judged_as_simulated(plan: Plan, town: Network) -> None:
    last = plan.programme.years[-1]
    said = {}
    for name, ratio, reached in (("sure", 0.9, 0.95), ("open", 0.9, 0.5), ("missed", 0.8, 0.2)):
        years = (*plan.programme.years[:-1], replace(last, ratio=ratio, reached=reached))
        other = replace(plan, programme=replace(plan.programme, years=years))
        said[name] = plan_files(other, town, ("html",), wordings("en"))["plan.html"].decode()
    assert "is reached by 2029 with a probability of 95" in said["sure"]
    assert "only with a probability of 50" in said["open"]
    assert "is not reached by 2029" in said["missed"]


def test_parts_that_could_not_be_planned_say_so(plan: Plan, town: Network) -> None:
    bare = replace(plan, designs=(), pressure=None, loggers=None, renewal=None)
    made = plan_files(bare, town, ("html", "pdf", "xlsx", "gpkg"), wordings("en"))
    text = made["plan.html"].decode()
    for words in (
        "No blocks could be designed",
        "No set-points were planned",
        "No loggers were asked for",
        "No pipes were ranked",
    ):
        assert words in text
    assert made["plan.pdf"].startswith(b"%PDF")


def pump_plan(is_kept: bool) -> PumpPlan:
    """Two pumps, one tank, a cut at two hours."""
    price = np.where(np.arange(24) < 7, 5.0, 11.0)
    speeds = {"P1": [0.85] * 8 + [0.0] * 16, "P2": [0.0] * 24}
    hours = tuple(PumpHour(p, "PS", h, v, price[h]) for p, some in speeds.items() for h, v in enumerate(some))
    runs = []
    for cost, low in ((2500.0, 1.0), (2000.0, 2.0)):
        tank = TankDays("T", 2.0, 2.0, low, 4.0, 0.5, 5.0)
        runs.append(PumpRun(cost, cost, 300.0, 40.0, 3.0, np.full(24, 12.5), {"PS": 900.0}, (tank,), 0, 0.0, 0))
    cuts = [CutTest(2.0, 320.0, (Cut(0, dry, dry, 4.0), Cut(12, 0.0, 1.0, float("nan")))) for dry in (50.0, 20.0)]
    reserves = (Reserve("T", 400.0, 120.0, True, 60.0, 140.0),)
    why = () if is_kept else (Sentence("{tank}: runs empty", tank="T"), Sentence("EPANET warns at {n} moments", n=3))
    return PumpPlan(price, "study", hours, *runs, reserves, *cuts, is_kept, why, b"")


def test_pumps_are_told_with_their_storage_and_power_cuts(plan: Plan, town: Network) -> None:
    made = plan_files(replace(plan, pumping=pump_plan(is_kept=True)), town, ("html", "xlsx"), wordings("en"))
    text = made["plan.html"].decode()
    for words in (
        "2,500\u00a0UAH now, 2,000\u00a0UAH with the schedule",
        "20 of 320 connections are dry",
        "begins at 0:00",
    ):
        assert words in text
    assert "is no advice" not in text
    book = openpyxl.load_workbook(io.BytesIO(made["plan.xlsx"]))
    rows = {row[0]: row[2:] for row in book["Pumps"].values}
    assert rows["P1"] == (85,) * 8 + (None,) * 16
    assert rows["P2"] == (None,) * 24
    assert [row[1] for row in book["Power cuts"].values][1:] == [50, 0]
    refused = plan_files(replace(plan, pumping=pump_plan(is_kept=False)), town, ("html",), wordings("uk"))
    assert (
        "не є порадою, він дотримує не всього: T: спорожнюється; EPANET попереджає; моментів: 3"
        in refused["plan.html"].decode()
    )


def test_checks_surveys_and_ages_are_told_whole(plan: Plan, files: dict[str, bytes]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(files["plan-en.xlsx"]))
    checks = list(book["Verification"].values)[1:]
    assert len(checks) == len(plan.programme.checks) > 0
    assert [row[8] for row in checks] == pytest.approx([c.expected for c in plan.programme.checks])
    surveys = {row[0]: row for row in list(book["Surveys"].values)[1:]}
    assert {s.district for s in plan.programme.surveys} == set(surveys)
    page = files["plan-en.html"].decode()
    assert "Mean age of the water, h" in page
    assert "How often it pays to look for leaks" in page


# pictures ---------------------------------------------------------------------------------------------------------


def test_every_map_has_a_scale_an_arrow_and_a_legend(plan: Plan, town: Network) -> None:
    story = story_of(plan, town)
    figures = [f for make in SECTIONS if (s := make(story)) is not None for f in figures_of(s.blocks)]
    maps = [figure for figure in figures if figure.role == "map"]
    assert {"map-short", "map-velocity", "map-leakage", "map-breaks", "map-laid", "map-blocks", "map-pressure",
            "map-loggers", "map-renewal"} <= {figure.name for figure in maps}  # fmt: skip
    for figure in maps:
        assert 'class="scale-bar"' in figure.svg
        assert 'class="north"' in figure.svg
        assert len(figure.legend) >= 2, figure.name
    holders = [f.name for f in maps if isinstance(json.loads(f.data)["network"], dict)]
    assert holders == [maps[0].name]
    assert {json.loads(f.data)["network"] for f in maps[1:]} == {maps[0].name}
    assert len({figure.name for figure in figures}) == len(figures)


def plates(svg: str) -> list[tuple[float, float, float, float]]:
    """Boxes of the labels of pins: left, top, right, bottom."""
    found = []
    pattern = (
        r'translate\(([-\d.]+) ([-\d.]+)\)"><line.*?<rect class="plate[^"]*" '
        r'x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"'
    )
    for match in re.finditer(pattern, svg):
        x, y, dx, dy, width, height = map(float, match.groups())
        found.append((x + dx, y + dy, x + dx + width, y + dy + height))
    return found


def test_labels_cover_neither_each_other_nor_the_edge(plan: Plan, town: Network) -> None:
    story = story_of(plan, town)
    figures = [f for make in SECTIONS if (s := make(story)) is not None for f in figures_of(s.blocks)]
    counted = 0
    for figure in figures:
        size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', figure.svg)
        assert size is not None
        boxes = plates(figure.svg)
        counted += len(boxes)
        for k, a in enumerate(boxes):
            assert a[0] >= 0.0
            assert a[1] >= 0.0
            assert a[2] <= float(size[1])
            assert a[3] <= float(size[2])
            for b in boxes[k + 1 :]:
                assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], figure.name
    assert counted >= 6  # two blocks, two valves, two loggers


def test_paper_has_every_letter_and_no_clipped_table(files: dict[str, bytes], tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext here")
    path = tmp_path / "plan.pdf"
    path.write_bytes(files["plan-uk.pdf"])
    text = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True).stdout.decode()
    for words in ("План модернізації: town", "Діагностика", "Уставки", "Припущення", "Перший рік"):
        assert words in text
    boxes = subprocess.run(["pdftotext", "-bbox", str(path), "-"], capture_output=True, check=True).stdout.decode()
    right = [float(x) for x in re.findall(r'<word [^>]*xMax="([\d.]+)"', boxes)]
    assert len(right) > 500
    assert max(right) <= 595.3 - 14.0 * 72.0 / 25.4 + 1.0  # A4 less its margin


# a hostile name, and the page in a browser ------------------------------------------------------------------------


def test_a_hostile_street_is_text_everywhere(files: dict[str, bytes], plan: Plan) -> None:
    assert b"<script>alert" not in files["plan-uk.html"]
    book = openpyxl.load_workbook(io.BytesIO(files["plan-uk.xlsx"]))
    cells = [
        c for sheet in book for row in sheet.iter_rows() for c in row if c.value is not None and STREET in str(c.value)
    ]
    assert len(cells) > 5
    assert {cell.data_type for cell in cells} == {"s"}
    assert plan.programme.renewed
    rows = json.loads(files["plan.geojson"])["features"]
    assert STREET in {row["properties"].get("street") for row in rows}


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Browser]:
    with opened(folder) as found:
        yield found


@pytest.fixture(scope="module")
def page(files: dict[str, bytes], folder: Path) -> Path:
    path = folder / "plan.html"
    path.write_bytes(files["plan-uk.html"])
    return path


needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")


def at_link(browser: Browser, figure: str, name: str) -> tuple[float, float]:
    """The middle of a link of a map on the screen."""
    middle(browser, f"#{figure} .map-svg")
    x, y = browser.run(
        "(() => { const all = [...document.querySelectorAll('.map-data')].map(e => JSON.parse(e.textContent));"
        "const n = all.find(d => typeof d.network !== 'string').network;"
        f"const k = 4 * n.names.indexOf('{name}');"
        f"const b = document.querySelector('#{figure} .map-svg').getBoundingClientRect(), s = b.width / n.width;"
        "return [b.left + s * (n.ends[k] + n.ends[k + 2]) / 2, b.top + s * (n.ends[k + 1] + n.ends[k + 3]) / 2]; })()"
    )
    return float(x), float(y)


@needs_browser
def test_every_map_lives_and_tells_of_a_pipe(browser: Browser, page: Path) -> None:
    browser.open(page)
    count = page.read_text("utf-8").count('<figure class="map"')
    assert count >= 10
    assert browser.run("document.querySelectorAll('figure.map.live').length") == count
    for figure in ("map-velocity", "map-blocks", "map-renewal"):  # the first half as wide as the others
        browser.click(*at_link(browser, figure, "H-B21"))
        told = browser.run(f"document.querySelector('#{figure} .told').textContent")
        assert "H-B21" in told
        assert "B02" in told
        assert STREET in told
    assert asked_of_the_net(browser) == []
    bad = {"Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"}
    assert [e for e in browser.events if e.get("method") in bad] == []


@needs_browser
def test_pins_tell_and_maps_zoom_one_by_one(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.click(*middle(browser, "#map-blocks .pin[data-pin='B01'] rect"))
    assert "Блок B01" in browser.run("document.querySelector('#map-blocks .told').textContent")
    browser.click(*middle(browser, "#map-loggers [data-zoom=in]"))
    moved = "document.querySelector('#%s .moving').getAttribute('transform')"
    assert "scale(1.6)" in browser.run(moved % "map-loggers")
    assert "scale(1)" in browser.run(moved % "map-blocks")


@needs_browser
@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_its_width(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width, is_dark=True)
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_wishes_that_cannot_be_met() -> None:
    with pytest.raises(ReportError):
        wordings("uk,fr")
    assert [w.language for w in wordings("uk, en,uk")] == ["uk", "en"]
    assert isinstance(wordings("")[0], Wording)


def test_tables_of_the_plan_stay_what_they_were(plan: Plan, tmp_path: Path) -> None:
    write_plan(plan, tmp_path)
    with (tmp_path / "measures.csv").open(encoding="utf-8") as file:
        measures = list(csv.DictReader(file))
    assert [m["what"] for m in measures] == [str(m.what) for m in plan.programme.measures]
    renewed = [name for names in plan.programme.renewed.values() for name in names]
    assert plan.renewal is not None
    assert renewed == list(plan.renewal.pipes[: len(renewed)])
    saved = sum(values[-1] for values in plan.programme.parts.values())
    last = plan.programme.years[-1]
    assert saved == pytest.approx(last.leakage_nothing - last.leakage)
