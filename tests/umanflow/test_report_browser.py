"""The page in a real browser: the map zooms and answers clicks, the form saves its file, nothing leaves the page."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.umanflow.browser import BROWSER, Browser, asked_of_the_net, middle, middle_now, opened
from tests.umanflow.town import leak
from tests.umanflow.townreport import HOSTILE, LEAKS, made
from umanflow.detection import read_repairs
from umanflow.report import Wording
from umanflow.report.html import render_html
from umanflow.report.view import document_of

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Browser]:
    with opened(folder) as found:
        yield found


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    content, site = made(folder / "town", LEAKS)
    path = folder / "report.html"
    path.write_text(render_html(document_of(content, site, Wording("uk"))), encoding="utf-8")
    return path


def test_nothing_is_fetched_and_nothing_complains(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("document.querySelector('#map').classList.contains('live')")
    assert asked_of_the_net(browser) == []
    said = [e for e in browser.events if e.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}]
    assert said == []


def test_click_on_a_leak_tells_and_leads_to_it(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.click(*middle(browser, ".pin[data-pin='1'] rect"))
    told = browser.run("document.querySelector('.told').textContent")
    assert "Подія 1" in told
    assert "H-31" in told
    assert "Їжакевича" in told
    assert browser.run("document.querySelectorAll('.moving g .cand').length") == 3
    browser.click(*middle(browser, ".told a"))
    assert browser.run("location.hash") == "#event-1"


def test_click_on_a_pipe_and_beside_everything(browser: Browser, page: Path) -> None:
    browser.open(page)
    middle(browser, ".map-svg")
    x, y = browser.run(
        "(() => { const d = JSON.parse(document.querySelector('.map-data').textContent).network;"
        "const k = 4 * d.names.indexOf('V-03');"
        "const b = document.querySelector('.map-svg').getBoundingClientRect(), s = b.width / 760;"
        "return [b.left + s * (d.ends[k] + d.ends[k + 2]) / 2, b.top + s * (d.ends[k + 1] + d.ends[k + 3]) / 2]; })()"
    )
    browser.click(x, y)
    assert "V-03" in browser.run("document.querySelector('.told b').textContent")
    left, top = browser.run(
        "(() => { const b = document.querySelector('.map-svg').getBoundingClientRect();"
        "return [b.right - 60, b.bottom - 4]; })()"
    )
    browser.click(left, top)
    assert "Натисніть" in browser.run("document.querySelector('.told').textContent")


def test_wheel_and_buttons_zoom_and_the_scale_follows(browser: Browser, page: Path) -> None:
    browser.open(page)
    text = "document.querySelector('.scale-bar text').textContent"
    before = browser.run(text)
    x, y = middle(browser, ".pin[data-pin='1'] circle")
    browser.page("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-300)
    assert browser.run(text) != before
    # what lay under the pointer lies there still, but for the pixel that the zoom makes 2.7 of
    assert middle_now(browser, ".pin[data-pin='1'] circle") == pytest.approx((x, y), abs=3.0)
    browser.click(*middle(browser, "[data-zoom=all]"))
    assert browser.run(text) == before
    browser.click(*middle(browser, "[data-zoom=in]"))
    assert "scale(1.6)" in browser.run("document.querySelector('.moving').getAttribute('transform')")


def test_scale_can_be_read_on_a_telephone(browser: Browser, page: Path) -> None:
    browser.open(page, 390)
    for selector in (".scale-bar text", ".north text", ".pin[data-pin='1'] text"):
        height = browser.run(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().height")
        assert height >= 7.0, selector


def test_form_saves_what_detect_reads(browser: Browser, page: Path, folder: Path) -> None:
    browser.open(page)
    browser.run(
        "(() => { const rows = document.querySelectorAll('form.crew tbody tr');"
        "const set = (row, name, value) => { row.querySelector(`[name=${name}]`).value = value; };"
        "set(rows[0], 'repaired', '2026-03-03T14:30'); set(rows[0], 'flow', '4,5');"
        "set(rows[1], 'pipe', 'H,\"21'); set(rows[1], 'repaired', '2026-03-04T08:00');"
        "set(rows[1], 'found', 'dry'); })()"
    )
    browser.events.clear()
    browser.click(*middle(browser, "form.crew button"))
    while browser.wait("Browser.downloadProgress")["params"]["state"] != "completed":
        browser.events = [e for e in browser.events if e.get("method") != "Browser.downloadProgress"]
    saved = folder / "repairs.csv"
    assert saved.read_text(encoding="utf-8").splitlines() == [
        "pipe,repaired,found,measured_flow_m3h",
        "H-31,2026-03-03 14:30,yes,4.5",
        '"H,""21",2026-03-04 08:00,dry,',
    ]
    (repair,) = read_repairs(saved, "Europe/Kyiv")
    assert (repair.pipe, repair.time) == ("H-31", pd.Timestamp("2026-03-03 12:30", tz="UTC"))
    assert repair.flow == pytest.approx(4.5 / 3600.0)


def test_form_asks_for_a_number(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.click(*middle(browser, "form.crew button"))
    assert "Заповніть" in browser.run("document.querySelector('form.crew output').textContent")
    browser.run(
        "(() => { const r = document.querySelector('form.crew tbody tr');"
        "r.querySelector('[name=repaired]').value = '2026-03-03T14:30';"
        "r.querySelector('[name=flow]').value = 'much'; })()"
    )
    browser.click(*middle(browser, "form.crew button"))
    assert "much" in browser.run("document.querySelector('form.crew output').textContent")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("is_dark", [False, True])
def test_page_fits_its_width(browser: Browser, page: Path, width: int, is_dark: bool) -> None:
    browser.open(page, width, is_dark)
    assert browser.run("document.documentElement.scrollWidth") <= width
    # only tables may be wider than the screen, and these scroll by themselves
    wide = browser.run(
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('.wide') && !e.closest('svg')"
        f" && e.getBoundingClientRect().right > {width} + 1).map(e => e.outerHTML.slice(0, 90))"
    )
    assert wide == []
    ink, paper = browser.run(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor].map(c => "
        "c.match(/[0-9]+/g).slice(0, 3).map(Number).reduce((a, b) => a + b))"
    )
    assert (ink > paper) == is_dark
    assert abs(ink - paper) > 450


def test_a_hostile_name_runs_nothing(browser: Browser, folder: Path) -> None:
    from dataclasses import replace

    content, site = made(folder / "bad", [leak(1)])
    case = content.cases[0]
    street = HOSTILE + "<img src=x onerror=alert(2)>"
    bad = replace(content, cases=(replace(case, place=replace(case.place, street=street)),), network=street)
    path = folder / "bad.html"
    path.write_text(render_html(document_of(bad, site, Wording("en"))), encoding="utf-8")
    browser.open(path)
    browser.click(*middle(browser, ".pin[data-pin='1'] rect"))
    assert street in browser.run("document.querySelector('.told').textContent")
    assert [e for e in browser.events if e.get("method") == "Page.javascriptDialogOpening"] == []
    assert browser.run("document.images.length") == 0
