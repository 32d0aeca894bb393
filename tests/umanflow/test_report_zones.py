"""What zones lose at night, from the detector's statement to the reader: the same numbers in every format."""

import io
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from models.health_limits import BLIND, NO_LEVEL, OPEN, SENTENCES
from models.localise import Candidate
from models.uncertain import Uncertain
from models.zones import Zone
from models.zonestatement import OldEnd, Statement
from tests.umanflow.town import leak, write_folder, write_town
from tests.umanflow.townreport import findings_of, gathered
from umanflow.report import Content, ReportError, Site, Wording
from umanflow.report.html import render_html
from umanflow.report.pdf import render_pdf
from umanflow.report.sentences import LIMITS, limit_text
from umanflow.report.tables import render_json
from umanflow.report.view import document_of
from umanflow.report.view_zones import LACKS
from umanflow.report.xlsx import render_xlsx
from umanflow.report.zones import FILE, PARTS, read_zones
from umanflow.zonefiles import write_zones

FIRST = pd.Timestamp("2026-01-01", tz="UTC")
LAST = pd.Timestamp("2026-02-15", tz="UTC")
WEEK = pd.Timedelta(days=7)
H = 1.0 / 3600.0


def about(value: float, deviation: float) -> Uncertain:
    """A flow in m3/h with a standard deviation."""
    return Uncertain(value * H, {"meter": deviation * H})


def zone(name: str, start: pd.Timestamp, unexplained: float, told: float = 0.0, **more: object) -> Zone:
    """A zone whose excess is 4 m3/h more than what nobody explains."""
    parts = {"night_flow": about(40.0, 1.0), "use": about(20.0, 2.0), "background": about(16.0 - unexplained, 0.5),
             "excess": about(4.0 + unexplained, 1.5), "explained": about(4.0, 0.0),
             "unexplained": about(unexplained, 1.5)}  # fmt: skip
    candidates = (Candidate("H-31", 0.4), Candidate("H-21", 0.2)) if told else ()
    values = {"hour": 3, "candidates": candidates, "told": told, **parts, **more}
    return Zone(name, start, start + WEEK, 60.0 * H, **values)  # type: ignore[arg-type]


OPEN_ZONE = Zone("OPEN", LAST, LAST + WEEK, 5.0 * H, lack="not every flow across its boundary is measured")
STATEMENT = Statement(
    first=(zone("MAIN", FIRST, 0.5),),
    last=(zone("MAIN", LAST, 7.0, 0.8), zone("WEST", LAST, 9.0, 0.2), zone("EAST", LAST, 6.0), OPEN_ZONE,
          zone("all", LAST, 22.0, hour=-1)),
    ends=(OldEnd("H-11", 2.5 * H, 0.9, FIRST + 2 * WEEK, FIRST + 3 * WEEK),),
)  # fmt: skip
SAID = (OPEN.format(name="OPEN", lack=NO_LEVEL.format(tanks="T1")), BLIND.format(name="EAST"))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zones")
    write_folder(folder / "found", write_town(folder), [leak(1)], timezone="Europe/Kyiv")
    write_zones(STATEMENT, folder / "found", "Europe/Kyiv")
    return folder / "found"


@pytest.fixture(scope="module")
def told(found: Path) -> tuple[Content, Site]:
    findings = replace(findings_of(found), zones=read_zones(found))
    findings.run["limits"] = list(SAID)  # type: ignore[index]
    return gathered(findings, found.parent / "town.inp")


def text_of(told: tuple[Content, Site], language: str) -> str:
    return re.sub(r"<[^>]+>", " ", render_html(document_of(*told, Wording(language)))).replace("\u00a0", " ")


def test_what_is_written_is_read(found: Path) -> None:
    table = read_zones(found)
    assert table is not None
    assert [row.zone for row in table.of("last")] == ["MAIN", "WEST", "EAST", "OPEN", "all"]
    main = table.of("last")[0]
    assert main.unexplained is not None
    assert main.unexplained.value == pytest.approx(7.0)
    assert main.unexplained.low == pytest.approx(7.0 - 1.96 * 1.5, abs=0.01)
    assert main.is_losing
    assert not table.of("first")[0].is_losing
    assert main.start.hour == 2  # midnight UTC on the clock of Kyiv
    assert [c.pipe for c in main.candidates] == ["H-31", "H-21"]
    assert table.of("last")[3].excess is None
    assert table.ended_unknown[0].flow_m3h == pytest.approx(2.5)


def test_page_tells_numbers_limits_and_what_pressures_do_not(told: tuple[Content, Site]) -> None:
    text = text_of(told, "en")
    text = text[text.index("What zones lose at night") :]
    for said in (
        "26.0 m³/h", "22.0 m³/h remain unexplained", "4.1 to 9.9", "80 % within 300 m of H-31",
        "not every flow across its boundary is measured", "ended 15 Jan 2026 02:00", "The first days, 1 Jan 2026",
        "nothing beyond its limits",
    ):  # fmt: skip
        assert said in text, said
    assert text.count("pressures do not tell") == 3  # in the west too little, in the east nothing; and the note
    assert "20 % within 300 m of H-31" in text
    assert "District OPEN: no balance, for lack of the level of tank T1." in text
    assert "District EAST: no pressure sensor in it; a leak there has no place." in text


def test_page_speaks_ukrainian(told: tuple[Content, Site]) -> None:
    text = text_of(told, "uk")
    text = text[text.index("Що втрачають зони вночі") :]
    for said in ("не пояснено 22,0 м³/год", "не всі витрати через її межу вимірюють", "усі зони", "тиски не показують",
                 "Зона OPEN: балансу немає, бракує: рівня резервуара T1.", "4,1 – 9,9"):  # fmt: skip
        assert said in text, said
    for name in ("Unexplained", "no balance", "pressures do not"):
        assert name not in text


def test_workbook_and_json_hold_every_number(told: tuple[Content, Site]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(render_xlsx(told[0], Wording("en"))))
    heads, *rows = book["Zones"].values
    by = {(row[0], row[1]): dict(zip(heads, row, strict=True)) for row in rows}
    west = by["WEST", "last days"]
    assert (west["Unexplained, m³/h"], west["Excess, m³/h"]) == (9.0, 13.0)
    assert west["Unexplained, low, m³/h"] == pytest.approx(9.0 - 1.96 * 1.5, abs=0.01)
    assert by["OPEN", "last days"]["Why there are no numbers"] == "not every flow across its boundary is measured"
    assert by["OPEN", "last days"]["Excess, m³/h"] is None
    assert [row[3] for row in book["Zones' candidates"].values][1:] == ["H-31", "H-21"] * 2
    assert [row[0] for row in book["Known by their end"].values][1:] == ["H-11"]
    in_litres = openpyxl.load_workbook(io.BytesIO(render_xlsx(told[0], Wording("uk", "L/s"))))
    (row,) = (row for row in in_litres["Зони"].values if row[0] == "WEST")
    assert 9.0 / 3.6 in [pytest.approx(value) for value in row if isinstance(value, float)]
    plain = json.loads(render_json(told[0], "UAH"))
    entry = next(z for z in plain["zones"]["rows"] if (z["zone"], z["period"]) == ("WEST", "last"))
    assert entry["unexplained"]["value"] == 9.0
    assert entry["start"] == "2026-02-15 02:00:00"
    assert plain["zones"]["ended_unknown"][0]["pipe"] == "H-11"
    assert plain["limits"] == list(SAID)
    # the balance of the statement: what is explained and what is not make the excess
    for row in plain["zones"]["rows"]:
        if not row["lack"]:
            assert row["excess"]["value"] == pytest.approx(row["explained"]["value"] + row["unexplained"]["value"])


def test_paper_has_the_table_within_its_margins(told: tuple[Content, Site], tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(render_pdf(document_of(*told, Wording("uk")), told[0].period_end))
    try:
        boxes = subprocess.run(["pdftotext", "-bbox", str(path), "-"], capture_output=True, check=True).stdout.decode()
    except FileNotFoundError:
        pytest.skip("no pdftotext here")
    words = re.findall(r'xMax="([\d.]+)"[^>]*>([^<]+)<', boxes)
    assert "WEST" in [word for _, word in words]
    assert max(float(x) for x, _ in words) <= 595.3 - 14.0 * 72.0 / 25.4 + 1.0


def test_a_detection_without_zones_says_so(found: Path) -> None:
    content, site = gathered(findings_of(found), found.parent / "town.inp")
    assert content.zones is None
    text = text_of((content, site), "en")
    assert "What zones lose at night: the detection kept none (zones.json)" in text
    assert text.count("What zones lose at night") == 1
    assert "Zones" not in openpyxl.load_workbook(io.BytesIO(render_xlsx(content, Wording("en")))).sheetnames
    assert read_zones(found.parent) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"zones": [{"zone": "A"}], "ended_unknown": []}', '{"zones": 3}'])
def test_a_broken_file_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ReportError, match=r"zones\.json: is broken.*run `umanflow detect` again") as caught:
        read_zones(tmp_path)
    assert "\n" not in str(caught.value)


def test_no_zone_and_no_number_are_told(told: tuple[Content, Site]) -> None:
    zones = told[0].zones
    assert zones is not None
    assert "no meter bounds one" in text_of((replace(told[0], zones=replace(zones, rows=())), told[1]), "en")
    lost = tuple(row for row in zones.rows if row.lack)
    assert "No zone can be told" in text_of((replace(told[0], zones=replace(zones, rows=lost)), told[1]), "en")
    once = tuple(replace(row, period="first") for row in zones.of("last")) + zones.of("last")
    assert "The first days" not in text_of((replace(told[0], zones=replace(zones, rows=once)), told[1]), "en")


def test_reports_know_every_sentence_of_the_detector() -> None:
    assert set(LIMITS) == set(SENTENCES)
    ukrainian = Wording("uk")
    for sentence in SENTENCES:
        said = re.sub(r"\{\w+\}", "A, B", sentence)
        assert limit_text(said, Wording("en")) == said
        assert limit_text(said, ukrainian) != said
        assert ("A, B" in limit_text(said, ukrainian)) == ("{" in sentence)
    assert limit_text("something new", ukrainian) == "something new"
    # and every reason for which a zone has no numbers
    source = (Path(__file__).parents[2] / "models" / "zones.py").read_text(encoding="utf-8")
    assert {lack for lack in LACKS if f'"{lack}"' in source} == set(LACKS)
    assert set(re.findall(r'return district\.name, mean, "([^"]+)"', source)) <= set(LACKS)
    assert len(PARTS) == 6
