"""`umanflow balance`: mistakes told all at once, nothing filled in silently, documents whole and always the same."""

import ast
import csv
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from openpyxl import load_workbook
from typer.testing import CliRunner, Result

import umanflow
from networks import find
from umanflow.balance.content import page_of
from umanflow.balance.drawing import nice_step, wrapped
from umanflow.balance.errors import BalanceError
from umanflow.balance.files import FORMATS, json_of, write_balance
from umanflow.balance.language import Language, decimals_of
from umanflow.balance.reading import read_input
from umanflow.balance.study import Study, study_file
from umanflow.balance.words import WORDS
from umanflow.cli.app import app

EXAMPLE = find("uman")[1].with_name("balance.toml")
PACKAGE = Path(umanflow.__file__).parent / "balance"

SMALL = """
name = "small"
none = ["billed_unmetered", "unbilled_metered", "unbilled_unmetered", "private_km"]
period = { from = 2025-01-01, to = 2025-12-31 }
[[supplied]]
name = "wells"
kind = "own"
volume = 1000
unit = "m3/d"
limits_percent = 2
source = "measured"
[[billed_metered]]
name = "all"
volume = 255
unit = "1000 m3"
limits_percent = 1
source = "measured"
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["balance", *map(str, arguments)], catch_exceptions=True)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write_it(text: str) -> Path:
        path = tmp_path / "b.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_it


@pytest.fixture(scope="module")
def study() -> Study:
    return study_file(EXAMPLE)


def mistakes(path: Path) -> list[str]:
    with pytest.raises(BalanceError) as found:
        study_file(path)
    return [line.removeprefix(f"{path}: ") for line in found.value.lines]


# input ------------------------------------------------------------------------------------------------------------


def test_every_mistake_has_a_line_and_all_come_at_once(write: Callable[[str], Path]) -> None:
    text = EXAMPLE.read_text("utf-8")
    text = text.replace("volume = 4_087_000", "volume = -4_087_000")
    text = text.replace('volume = 393_705\nunit = "m3"', 'volume = 393_705\nunit = "psi"')
    text = text.replace('volume = 331_314\nunit = "m3"\nlimits_percent = 1.5', 'volume = 331_314\nunit = "m3"')
    text = text.replace("mains_km = { value = 225.0", "mains_km = { value = -225.0", 1)
    text = text.replace("value = 34.16", "valeu = 34.16").replace(
        "value = 24.0, limits = 0.0", "value = 25, limits = 0"
    )
    mixed = 'per_property_l_h = { value = 2, limits = 1, source = "assumed" }\n'
    text = text.replace("people_per_connection", f"{mixed}people_per_connection")
    lines = mistakes(write(text))
    expected = (
        r"supplied 'Bila Tserkva, gate': is negative",
        r"billed_metered 'Commerce'\.unit: unit 'psi' is none of a volume",
        r"billed_metered 'Industry': no limits; write limits_percent", r"network\.mains_km\.value: -225 cannot be",
        r"prices\.tariff_per_m3\.value: is missing", r"prices\.tariff_per_m3\.valeu: unknown key",
        r"network\.hours_a_day: 25\.0 hours a day", r"dma 'C1'\.night: night use is given by person and by property",
    )  # fmt: skip
    assert len(lines) == len(expected), lines
    for pattern in expected:
        assert any(re.match(pattern, line) for line in lines), (pattern, lines)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("volume = 255", "volume = 366", "billed 366,000 m3 is more than supplied 364,000 m3; check units"),
        ('kind = "own"', 'kind = "exported"', "leave nothing to be supplied"),
        ('source = "measured"\n[[b', 'source = "guessed"\n[[b', "supplied 'wells'.source: Input should be 'measured'"),
        ("to = 2025-12-31", "to = 2025-01-01", "period: `to` is the day after the last one"),
        ('"private_km"]', '"private_km", "billed_metered"]', "`none` says that there is no billed_metered"),
        ('"private_km"]', '"privat_km"]', "none[4]: Input should be"),
        ("volume = 255", "volume = 255\nbilling = \"x\"", "billed_metered 'all': needs exactly one of volume"),
        ("volume = 1000", 'element = "M-1"', "supplied 'wells'"),
        ("volume = 255", 'billing = "homes"', "there is no billing table"),
        ("volume = 255", "volume = inf", "billed_metered 'all'.volume: Input should be a finite number"),
        ("[[supplied]]", "network.connections = { value = 0, limits = 1, source = \"stated\" }\n[[supplied]]",
         "network.connections: 0 cannot be; write more"),
        ("[[billed", "[[dma]]\nname = \"D\"\n"
         "inflow = { name = \"i\", volume = 1, unit = \"m3/d\", limits = 0, source = \"measured\" }\n"
         "billed = { name = \"b\", volume = 1, unit = \"1000 m3\", limits = 0, source = \"measured\" }\n[[billed",
         "dma 'D': billed 1,000 m3 is more than the inflow 364 m3"),
        ("[[billed", "[[supplied]]\nname = \"wells\"\nkind = \"own\"\nvolume = 1\nunit = \"ML\"\nlimits = 0\n"
         "source = \"stated\"\n[[billed", "supplied 'wells': stands twice"),
        ("[[billed", "[[dma]]\nname = \"D\"\n"
         "billed = { name = \"b\", billing = \"all\", limits = 0, source = \"measured\" }\n[[billed",
         "dma 'D'.billed: needs a volume"),
        ("period = {", "perod = {", "perod: unknown key"),
        ("limits_percent = 1\n", "limits_percent = 1\nlimits = 5\n", "two kinds of limits"),
        ("name = \"small\"", "", "name: is missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(write: Callable[[str], Path], old: str, new: str, words: str) -> None:
    assert old in SMALL
    text = SMALL.replace(old, new)
    if "billing" in new or "element" in new:
        text = text.replace('unit = "1000 m3"\n', "" if "homes" in new else 'unit = "1000 m3"\n')
        text = text.replace('unit = "m3/d"\n', "" if "element" in new else 'unit = "m3/d"\n')
    lines = mistakes(write(text))
    assert any(words in line for line in lines), lines


def test_mistakes_on_the_command_line(write: Callable[[str], Path], tmp_path: Path) -> None:
    bad = write(SMALL.replace("volume = 255", "volume = 366").replace("limits_percent = 2\n", ""))
    done = run("--input", bad, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert [line.split(": ")[2] for line in done.stderr.splitlines()] == ["supplied 'wells'", "billed_metered"]
    assert not (tmp_path / "out").exists()
    good = write(SMALL)
    for arguments, words in (
        (("--input", good), "--out is missing"),
        (("--out", tmp_path), "give --input FILE.toml"),
        (("--input", good, "--out", tmp_path, "--lang", "de"), "--lang de is unknown"),
        (("--input", good, "--out", tmp_path, "--format", "docx"), "--format docx is unknown"),
        (("--input", good, "--out", tmp_path, "--flow-unit", "gpm"), "--flow-unit gpm is unknown"),
        (("--input", good, "--out", tmp_path, "--from", "2025-01-01"), "give --config too"),
        (("--input", tmp_path / "no.toml", "--out", tmp_path), None),
    ):
        done = run(*arguments)
        if words is None:
            assert "no such file; see umanflow balance --example" in done.stderr
        else:
            assert words in str(done.exception)
    code = subprocess.run(
        [sys.executable, "-m", "umanflow", "balance", "--input", str(good)], capture_output=True, text=True, timeout=60
    )
    assert (code.returncode, len(code.stderr.splitlines())) == (2, 1)


def test_the_example_is_an_input(tmp_path: Path) -> None:
    done = run("--example")
    path = tmp_path / "example.toml"
    path.write_text(done.stdout, encoding="utf-8")
    assert path.read_bytes() == EXAMPLE.read_bytes()
    assert read_input(path).content.synthetic
    assert 'element = "GATE-METER"' in run("--example", "--config", "any.toml").stdout
    assert read_input(EXAMPLE.with_name("balance-historian.toml")).content.districts is not None


def test_the_example_is_uman_s_bills() -> None:
    """What the file calls billed is the twin's billing of 2025, whole m3."""
    sums: dict[str, float] = {}
    with find("uman")[1].with_name("truth").joinpath("billing.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            sums[row["category"]] = sums.get(row["category"], 0.0) + float(row["billed_m3"])
    said = [amount.volume for amount in read_input(EXAMPLE).content.billed_metered or ()]
    assert said == pytest.approx([sums["residential"], sums["commercial"], sums["industrial"]], abs=1.0)


def test_nothing_is_filled_in_silently(write: Callable[[str], Path]) -> None:
    found = study_file(write(SMALL))
    page = page_of(found, Language("en"))
    lacks = next(section for section in page.sections if section.key == "lacks")
    text = "\n".join(lacks.points)
    table = next(section.table for section in page.sections if section.key == "lines")
    sources = {row.cells[0].text: row.cells[-1].text for row in table.rows}
    assert sources["Real losses (CARL)"] == "not computed"
    assert sources["Unauthorised consumption"] == "not given"
    assert sources["Billed unmetered"] == "stated"
    for name in (
        "unauthorised", "billed_metered.all.under_registration", "data_handling", "network.mains_km",
        "network.connections", "network.pressure_m", "prices.tariff_per_m3", "breaks", "survey.cost",
    ):  # fmt: skip
        assert name in text
    assert found.balance.volume("non_revenue").value == pytest.approx(109_000)
    assert not isinstance(found.balance.volume("losses"), float)


@pytest.mark.parametrize(
    ("old", "new", "why", "instead"),
    [
        (
            "connections = { value = 17_000",
            "connections = { value = 2_900",
            "fewer than 3,000 connections",
            "Real losses per km of mains",
        ),  # 13 connections a km
        (
            "pressure_m = { value = 44.0",
            "pressure_m = { value = 24.0",
            "less than 25 m of pressure",
            "Real losses per connection under pressure",
        ),
    ],
)
def test_where_ili_misleads_losses_by_connection_stand_in_its_place(
    write: Callable[[str], Path], old: str, new: str, why: str, instead: str
) -> None:
    found = study_file(write(EXAMPLE.read_text(encoding="utf-8").replace(old, new, 1)))
    page = page_of(found, Language("en"))
    tiles = {tile.label: (tile.value, tile.detail) for tile in page.tiles}
    assert tiles["Infrastructure leakage index, ILI"] == ("–", "misleads")
    (table,) = (section.table for section in page.sections if section.key == "indicators")
    assert table is not None
    rows = {row.cells[0].text: [cell.text for cell in row.cells[1:]] for row in table.rows}
    for name in ("Unavoidable annual real losses, UARL", "Infrastructure leakage index, ILI"):
        assert rows[name][:2] == ["–", "–"]
        assert why in rows[name][3]
    assert rows[instead][0] not in ("", "–")
    assert "the indicator to go by here" in rows[instead][3]
    plain = json.loads(json_of(found))
    assert plain["misleading"]
    assert plain["bands"].keys() == {"per_connection"}


def test_a_share_of_what_is_not_stated_is_lacking_not_wrong(write: Callable[[str], Path]) -> None:
    text = SMALL[: SMALL.index("[[supplied]]")] + SMALL[SMALL.index("[[billed") :]
    text += (
        '[[unauthorised]]\nname = "t"\npercent = 1\npercent_of = "supplied"\nlimits_percent = 9\nsource = "assumed"\n'
    )
    found = study_file(write(text))
    assert found.balance.volume("unauthorised").names == ("supplied",)
    assert found.balance.volume("billed").value == 255_000


def test_known_meter_errors_storage_and_exports_are_accounted(write: Callable[[str], Path]) -> None:
    more = """[[supplied]]
name = "tank"
kind = "stored"
volume = -500
unit = "m3"
limits = 10
source = "measured"
[[supplied]]
name = "village"
kind = "exported"
volume = 14_500
unit = "m3"
limits_percent = 2
source = "measured"
"""
    found = study_file(
        write(SMALL.replace("limits_percent = 2\n", "limits_percent = 2\nmeter_error_percent = 4\n") + more)
    )
    supplied = found.balance.volume("supplied")
    assert supplied.value == pytest.approx(364_000 / 1.04 + 500 - 14_500)


def test_n1_of_a_night_with_lowered_pressure(write: Callable[[str], Path]) -> None:
    """10 and 8.37 m3/h leak at 50 and 40 m, and 4 m3/h are drawn: N1 0.797, as by hand in docs/methods/balance.md."""
    text = EXAMPLE.read_text("utf-8")
    start = text.index("people_per_connection")
    text = text[:start] + 'large_m3h = { value = 4.0, limits = 0.1, source = "measured" }\n'
    test = 'n1_test = {{ pressures_m = [50, 40], flows_m3h = [{}, {}], limits = 0.2, source = "measured" }}\n'
    night = study_file(write(text + test.format(14.0, 12.37))).dmas[0].of.night
    assert (night.n1.value, night.n1.half) == (pytest.approx(0.797, abs=1e-3), pytest.approx(0.2))
    assert night.n1_source == "measured"
    odd = study_file(write(text + test.format(14.0, 3.0))).dmas[0].of.night
    assert odd.n1.names == ("dma.C1.night.n1_test.flows_m3h > dma.C1.night use",)
    assert mistakes(write(text + test.replace("[50, 40]", "[50, 50]").format(14, 12)))[0].endswith(
        "different pressures"
    )


# documents --------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Counts what an offline page may not have, and checks that tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe"):
            self.bad.append(tag)
        self.bad += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v and not v.startswith("#")]
        if tag not in ("meta", "br", "rect", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line"):
            assert self.open.pop() == tag


@pytest.mark.parametrize("lang", ["en", "uk"])
def test_the_same_input_gives_the_same_bytes(study: Study, tmp_path: Path, lang: str) -> None:
    language = Language(lang)
    first = write_balance(study, tmp_path / "a", language)
    again = write_balance(study_file(EXAMPLE), tmp_path / "b", language)
    assert [path.name for path in first] == [f"balance.{ending}" for ending in FORMATS]
    for a, b in zip(first, again, strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name
    assert (tmp_path / "a" / "balance.pdf").read_bytes().startswith(b"%PDF-")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(path.name for path in first)


@pytest.mark.parametrize("lang", ["en", "uk"])
def test_the_page_opens_without_a_network(study: Study, tmp_path: Path, lang: str) -> None:
    (path,) = write_balance(study, tmp_path, Language(lang), ["html"])
    text = path.read_text("utf-8")
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert reader.bad == []
    assert re.sub(r'xmlns="http://www.w3.org/2000/svg"', "", text).count("http:") == 0
    assert "https:" not in text
    assert "SYNTHETIC" in text
    assert f'<html lang="{lang}">' in text
    assert "5,134,500" in text if lang == "en" else "5 134 500" in text.replace("\xa0", " ")
    if lang == "uk":
        assert "м³/год" in text
        assert "грн" in text
        body = re.sub(r"<(style|td)[^>]*>.*?</\1>", "", text, flags=re.DOTALL)  # names in tables are the user's
        assert "losses" not in re.sub(r"<p>.*?</p>|<[^>]*>", "", body)


def test_hostile_names_are_text(write: Callable[[str], Path], tmp_path: Path) -> None:
    bad = "</td><script>alert(1)</script>#eval(1) $x$ *a* @b"
    path = write(SMALL.replace('"small"', json.dumps(bad)).replace('"wells"', json.dumps(bad)))
    write_balance(study_file(path), tmp_path / "out", Language("en"))
    text = (tmp_path / "out" / "balance.html").read_text("utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    formula = write(SMALL.replace('"wells"', '"=1+2"'))
    write_balance(study_file(formula), tmp_path / "f", Language("en"), ["xlsx"])
    with zipfile.ZipFile(tmp_path / "f" / "balance.xlsx") as book:
        sheets = [book.read(name).decode() for name in book.namelist() if "worksheets/sheet" in name]
    assert not any("<f>1+2</f>" in sheet for sheet in sheets)


def test_numbers_of_the_workbook_are_numbers_and_its_formulas_hold(study: Study, tmp_path: Path) -> None:
    (path,) = write_balance(study, tmp_path, Language("en"), ["xlsx"])
    book = load_workbook(path)
    lines = next(sheet for sheet in book if sheet.title.startswith("The lines"))
    row = next(row for row in lines.iter_rows(values_only=True) if row[0] == "Real losses (CARL)")
    assert row[1] == pytest.approx(study.balance.volume("real_losses").value, abs=1.0)
    nights = next(sheet for sheet in book if sheet.title.startswith("Districts night"))
    assert [cell.value for cell in nights[1]][:5] == [
        "District",
        "Nights",
        "Least night flow, m³/h",
        "± 95 %",
        "Night use, m³/h",
    ]
    assert [nights.cell(2, k).value for k in (3, 4)] == [pytest.approx(11.1), pytest.approx(0.555)]
    check = book["Check"]
    values: dict[str, float] = {}
    for number in range(2, check.max_row + 1):
        here, there = check.cell(number, 2).value, check.cell(number, 3).value
        if here is None:
            break
        if isinstance(here, str):  # the slow way: put numbers in place of cells
            here = eval(re.sub(r"B(\d+)", lambda m: repr(values[m[1]]), here[1:]))
        values[str(number)] = float(here)
        assert here == pytest.approx(there, abs=1e-6)
    assert len(values) == 15


def test_files_for_programs_say_value_limits_source_and_lack(study: Study, tmp_path: Path) -> None:
    write_balance(study, tmp_path, Language("uk"), ["json", "csv"])
    found = json.loads((tmp_path / "balance.json").read_text("utf-8"))
    real = found["results"]["real_losses"]
    assert real["low"] < real["value"] < real["high"]
    assert found["results"]["carl"]["unit"] == "m3/s"
    assert found["results"]["carl"]["value"] * 86_400 == pytest.approx(real["value"] / 365)
    assert found["bands"] == {"world_bank": "B", "eu": "B2", "awwa": "5_to_8", "per_connection": "B"}
    assert sum(found["variance_shares"].values()) == pytest.approx(1.0)
    assert {entry["source"] for entry in found["entries"]} == {"measured", "assumed"}
    assert found["districts"][0]["misleading"] == ["few_connections"]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "balance.csv").read_text("utf-8"))))
    assert float(next(r for r in rows if r["key"] == "real_losses")["value"]) == pytest.approx(real["value"])
    assert {row["where"] for row in rows} == {"system", "C1"}


def test_an_unwritable_folder_is_said(study: Study, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="cannot be written"):
        write_balance(study, tmp_path / "file" / "out", Language("en"), ["json"])


# words ------------------------------------------------------------------------------------------------------------


def test_every_word_is_translated_and_none_is_left_over() -> None:
    catalogue = read_po(
        io.BytesIO((PACKAGE.parent / "locale/uk/LC_MESSAGES/balance.po").read_bytes()), locale="uk", domain="balance"
    )
    known = {str(message.id): str(message.string) for message in catalogue if message.id}
    assert set(known) == set(WORDS.values())
    assert all(known.values())
    for english, ukrainian in known.items():
        assert set(re.findall(r"\{(\w+)\}", english)) == set(re.findall(r"\{(\w+)\}", ukrainian)), english


def test_every_word_is_used_and_every_used_word_is_known() -> None:
    """Every string of the package that looks like a key is one, and no key is without use."""
    files = [path for path in PACKAGE.glob("*.py") if path.name != "words.py"]
    files += (PACKAGE.parent.parent / "models").glob("*.py")
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    asked = {
        node.args[0].value
        for node in nodes
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
        and (getattr(node.func, "attr", "") in ("word", "_word") or getattr(node.func, "id", "") == "word")
    }  # fmt: skip
    assert asked <= set(WORDS)
    made = ("section_", "read_from_", "maybe_", "negative_", "L/", "m3/", "check_", "head_")
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    unused = [key for key in WORDS if key not in strings and not key.startswith(made)]
    assert unused == []


def test_numbers_and_dates_of_both_languages() -> None:
    en, uk = Language("en"), Language("uk")
    assert (en.number(-1234.567, 1), uk.number(-1234.567, 1).replace("\xa0", " ")) == ("-1,234.6", "-1 234,6")
    assert en.number(-0.04, 1) == "0.0"
    assert [decimals_of(v, h) for v, h in ((5.0, 120.0), (5.0, 1.2), (5.0, 0.012), (5.0, 0.0), (0.0, 0.0))] == [
        0,
        1,
        3,
        2,
        0,
    ]
    assert uk.word("m3/h") == "м³/год"


def test_texts_are_wrapped_and_ticks_are_round() -> None:
    assert all(len(line) * 0.62 * 12 <= 150 for line in wrapped("Under-registration of all meters there are", 150, 12))
    assert " ".join(wrapped("a b c", 1, 12)) == "a b c"
    for reach in (0.3, 1.0, 7.0, 42.0, 14_000.0):
        step = nice_step(reach)
        assert 2.0 <= reach / step <= 6.0
