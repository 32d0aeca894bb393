"""What a report says in Ukrainian: every text, every placeholder; numbers, dates, units as each language has them."""

import re
import string
import tomllib
from datetime import datetime
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

import umanflow
from umanflow.planner.modelcheck import ABOUT
from umanflow.report import ReportError, Wording
from umanflow.report.sentences import MISSING

PACKAGE = Path(umanflow.__file__).parent
KEYWORDS = {"say": None, "fill": None, "mark": None, "count": (1, 2)}
ROOMS = {"report": ("report",), "plan": ("planner", "planner/report")}
Text = str | tuple[str, ...]


def files_of(domain: str) -> list[Path]:
    return [file for room in ROOMS[domain] for file in sorted((PACKAGE / room).glob("*.py"))]


def said(domain: str) -> set[Text]:
    """Texts in the code; the templates hold none (see below). What checks look for is told by a plan too."""
    found: set[Text] = set(ABOUT.values()) if domain == "plan" else set()
    for file in files_of(domain):
        for _, message, _, _ in extract_from_file("python", file, keywords=KEYWORDS):
            found.add(message if isinstance(message, str) else (message[0], message[1]))
    return found


def catalog(domain: str) -> Catalog:
    with (PACKAGE / "locale" / "uk" / "LC_MESSAGES" / f"{domain}.po").open("rb") as file:
        return read_po(file, locale="uk", abort_invalid=True)


def known(domain: str) -> set[Text]:
    return {m.id if isinstance(m.id, str) else tuple(m.id) for m in catalog(domain) if m.id}


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("domain", ROOMS)
def test_every_text_is_translated_and_nothing_is_left_over(domain: str) -> None:
    texts = said(domain)
    assert len(texts) > 200
    shared = known("report") if domain != "report" else set()
    assert sorted(map(str, texts - shared - known(domain))) == []
    assert sorted(map(str, known(domain) - texts)) == []
    assert known(domain) & shared == set()  # one translation of each
    assert catalog(domain).obsolete == {}


@pytest.mark.parametrize("domain", ROOMS)
def test_no_translation_is_empty_fuzzy_or_has_other_placeholders(domain: str) -> None:
    for message in catalog(domain):
        if not message.id:
            continue
        assert not message.fuzzy, message.id
        ours = [message.id] if isinstance(message.id, str) else list(message.id)
        theirs = [message.string] if isinstance(message.string, str) else list(message.string)
        assert len(theirs) == (1 if len(ours) == 1 else 3)
        for text in theirs:
            assert text.strip(), message.id
            assert names_in(text) == names_in(ours[-1]), message.id


def test_templates_hold_no_words() -> None:
    """What a reader reads comes through the code; so nothing can stay in English."""
    page = (PACKAGE / "report" / "templates" / "report.html.j2").read_text(encoding="utf-8")
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|\{#.*?#\}", " ", page, flags=re.DOTALL)
    assert not re.search(r"[A-Za-z]{3,}", re.sub(r":root|@media[^{]*", "", text)), text
    paper = (PACKAGE / "report" / "templates" / "report.typ").read_text(encoding="utf-8")
    assert not re.search(r"\[[^\]#{]*[A-Za-z]{4,}[^\]#]*\]", paper)


def test_nothing_is_hidden_from_extraction() -> None:
    """A text inside an f-string's braces is found by the running program and not by the extractor."""
    for file in (*files_of("report"), *files_of("plan")):
        assert not re.search(r"f\"[^\"\n]*\{[^}\n]*(?:mark|say)\('", file.read_text(encoding="utf-8")), file.name


@pytest.mark.parametrize(
    ("n", "word"), [(1, "ділянка"), (3, "ділянки"), (5, "ділянок"), (11, "ділянок"), (21, "ділянка")]
)
def test_ukrainian_plurals(n: int, word: str) -> None:
    assert word in Wording("uk").count("{n} pipe, {length}", "{n} pipes, {length}", n, length="1 м")


@pytest.mark.parametrize(
    ("language", "value", "digits", "text"),
    [
        ("en", 12345.67, 1, "12,345.7"),
        ("uk", 12345.67, 1, "12\u00a0345,7"),
        ("en", -0.04, 1, "0.0"),
        ("uk", -2.0, 0, "-2"),
    ],
)
def test_numbers(language: str, value: float, digits: int, text: str) -> None:
    assert Wording(language).number(value, digits) == text


def test_dates_money_and_units() -> None:
    time = datetime.fromisoformat("2026-02-01 07:59:59")
    english, ukrainian = Wording("en"), Wording("uk", "L/s")
    assert english.minute(time) == "1\u00a0Feb\u00a02026 08:00"
    assert ukrainian.minute(time) == "01.02.2026 08:00"
    assert english.money(1234.5) == "1,235\u00a0UAH" or english.money(1234.5) == "1,234\u00a0UAH"
    assert ukrainian.money(34.16, 2) == "34,16\u00a0грн"
    assert Wording("uk", currency="EUR").money(1.0) == "1\u00a0EUR"
    assert english.flow(7.2) == "7.2\u00a0m³/h"
    assert ukrainian.flow(7.2) == "2,0\u00a0л/с"
    assert ukrainian.flow(1.8) == "0,50\u00a0л/с"
    assert english.flow_interval(6.0, 8.0) == "6.0 to 8.0\u00a0m³/h"


def test_words_and_templates_are_packed() -> None:
    """What is no Python file goes into the wheel only where a pattern names it."""
    with (PACKAGE.parent / "pyproject.toml").open("rb") as file:
        patterns = tomllib.load(file)["tool"]["setuptools"]["package-data"]["umanflow"]
    files = [*(PACKAGE / "locale").rglob("*.po"), *(PACKAGE / "report" / "templates").iterdir()]
    assert len(files) >= 6
    for found in files:
        name = found.relative_to(PACKAGE)
        assert any(name.match(pattern) and len(name.parts) == len(Path(pattern).parts) for pattern in patterns), name


def test_wishes_that_cannot_be_met() -> None:
    for arguments in (("fr",), ("en", "gpm"), ("en", "m3/h", "uah")):
        with pytest.raises(ReportError):
            Wording(*arguments)


def test_every_missing_thing_has_a_sentence() -> None:
    for language in ("uk", "en"):
        for name in ("valves", "nodes", "days", "crs", "cost"):
            assert Wording(language).words(MISSING, name) != name
