"""What a report says of instruments that were wrong and of valves that are not as modelled."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from models.health import Fault
from tests.umanflow.town import leak, write_folder, write_town
from tests.umanflow.townreport import findings_of, gathered
from umanflow.report import Content, Site, Wording
from umanflow.report.html import render_html
from umanflow.report.sentences import HEALTH
from umanflow.report.tables import render_json
from umanflow.report.view import document_of
from umanflow.report.view_health import WRONG
from umanflow.report.xlsx import render_xlsx

DAY = pd.Timedelta(days=1)
BEGAN = pd.Timestamp("2026-01-10", tz="UTC")
SIZES = {
    "offset": (0.42, "m"), "drift": (0.05, "m/d"), "meter": (0.96, "of what flows"), "clock": (3600.0, "s"),
    "unit": (9.807, "kPa"), "stuck": (33.8, "m"), "closed valve": (0.55, "of its effect"), "surge": (0.001, "m3/s"),
    "gap": (1.0, "d"), "level": (-0.034, "m"), "spike": (-71.5, "m"), "open valve": (0.0007, "m3/s"),
}  # fmt: skip


def fault(kind: str, place: str, quantity: str, day: int, lasts: bool) -> Fault:
    since = BEGAN + day * DAY
    size, unit = SIZES[kind]
    return Fault(place, quantity, kind, since, since + DAY, size, unit, "in words", None if lasts else since + 5 * DAY)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Content, Site]:
    folder = tmp_path_factory.mktemp("health")
    inp = write_town(folder)
    findings = findings_of(write_folder(folder / "found", inp, [leak(1)], timezone="Europe/Kyiv"))
    rows = [
        {"instrument": place, "quantity": quantity, "available": 1.0, "state": kind,
         "faults": [fault(kind, place, quantity, k, k == 3).plain("Europe/Kyiv")]}
        for k, (kind, place, quantity) in enumerate(
            (kind, "H-21", "pipe") if kind in WRONG else (kind, "J-30", "pressure") for kind in SIZES
        )
    ]  # fmt: skip
    return gathered(replace(findings, health=rows), inp)


def text_of(told: tuple[Content, Site], language: str) -> str:
    text = re.sub(r"<[^>]+>", " ", render_html(document_of(*told, Wording(language)))).replace("\u00a0", " ")
    return re.sub(r"\s+", " ", text)


def test_faults_are_told_and_gaps_are_left_to_the_strips(told: tuple[Content, Site]) -> None:
    assert len(told[0].faults) == len(SIZES) - 1
    assert told[0].faults[0].kind == "clock"  # it lasts
    since = [fault.since for fault in told[0].faults[1:]]
    assert since == sorted(since, reverse=True)
    text = text_of(told, "en")
    text = text[text.index("What was found wrong, and when") :]
    for said in (
        "J-30 clock is wrong 13 Jan 2026 02:00 still 3,600 s", "J-30 offset 10 Jan 2026 02:00 15 Jan 2026 02:00 0.42 m",
        "J-30 wrong unit 14 Jan 2026 02:00 19 Jan 2026 02:00 9.81 times, as in kPa", "0.96 of what flows",
        "H-21 a valve near it is shut 16 Jan 2026 02:00", "H-21 surge of demand, no leak", "3.6 m³/h",
        "0.05 m a day", "-71.5 m",
    ):  # fmt: skip
        assert said in text, said


def test_every_kind_has_words_in_both_languages(told: tuple[Content, Site]) -> None:
    assert set(SIZES) <= set(HEALTH) | set(WRONG)
    text = text_of(told, "uk")
    text = text[text.index("Що виявлено хибним і коли") : text.index("За чим не стежили й чому")]
    assert "засувку поруч закрито" in text
    for kind in SIZES:
        assert not re.search(rf"\b{kind}\b", text), kind


def test_workbook_and_json_have_all(told: tuple[Content, Site]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(render_xlsx(told[0], Wording("en"))))
    rows = list(book["Faults"].values)[1:]
    assert len(rows) == len(told[0].faults)
    assert ("J-30", "drifts", 0.05, "m/d") in [(row[0], row[1], row[4], row[5]) for row in rows]
    plain = json.loads(render_json(told[0], "UAH"))
    assert {row["kind"] for row in plain["faults"]} == set(SIZES) - {"gap"}


def test_many_faults_are_cut_and_said(told: tuple[Content, Site]) -> None:
    many = replace(told[0], faults=told[0].faults * 5)
    assert "The first 40 of 55; the workbook has all." in text_of((many, told[1]), "en")


def test_health_without_faults_of_an_older_detection_is_read(tmp_path: Path) -> None:
    inp = write_town(tmp_path)
    content, site = gathered(findings_of(write_folder(tmp_path / "found", inp, [leak(1)])), inp)
    assert content.faults == ()
    assert "What was found wrong" not in text_of((content, site), "en")
