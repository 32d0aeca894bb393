"""Alarm tables: every mistake at once with line and mend, CSV and TOML read back as they were written."""

import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.alarms import KINDS, PRIORITIES, Alarm, Wiring
from scada.alarms.causes import cycle_in
from scada.alarms.check import AlarmSurroundings, check_alarms
from scada.alarms.tablefile import format_csv, format_toml, parse_alarms
from scada.alarms.tables import check_file, read_alarms, write_alarms
from scada.errors import TagErrors
from scada.tag import Tag

TAGS = {
    tag.name: tag
    for tag in (
        Tag("p", "d", "input", 0, "float32", unit="m", quantity="pressure", min=-10.0, max=100.0, interval_s=60.0),
        Tag("q", "d", "input", 2, "float32", unit="m3/h", quantity="flow", interval_s=60.0),
        Tag("bit", "d", "discrete", 0, "bool"),
        Tag("text", "d", "input", 4, "string8"),
    )
}
AROUND = AlarmSurroundings(TAGS, Wiring(dict.fromkeys(TAGS, "d")))
TEXTS = {f"{what}_{language}": "x" for what in ("text", "action") for language in ("uk", "en")}


def good(tag: str = "p", kind: str = "H", **more: object) -> Alarm:
    given = {"limit": 50.0} if kind in {"LL", "L", "H", "HH"} else {}
    return Alarm(tag, kind, **{**given, **TEXTS, **more})  # type: ignore[arg-type]


_TEXT = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="|/"), max_size=8)
_NUMBER = st.floats(0.0, 1e6, allow_nan=False).map(lambda x: round(x, 3))
_ALARMS = st.builds(
    Alarm,
    tag=_TEXT.filter(bool),
    kind=st.sampled_from(list(KINDS)),
    name=_TEXT,
    limit=st.floats(-1e6, 1e6, allow_nan=False),
    deadband=_NUMBER,
    on_delay_s=_NUMBER,
    off_delay_s=_NUMBER,
    window_s=_NUMBER,
    expected=_TEXT,
    priority=st.sampled_from(PRIORITIES),
    position=_TEXT.filter(bool),
    latching=st.booleans(),
    suppressed_by=st.lists(_TEXT.filter(bool), max_size=2).map(tuple),
    max_shelve_h=_NUMBER.filter(bool),
    text_uk=_TEXT,
    action_en=_TEXT,
)


@given(alarms=st.lists(_ALARMS, max_size=4))
def test_a_table_is_read_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, alarms: list[Alarm]) -> None:
    folder = tmp_path_factory.mktemp("alarms")
    for name, text in (("a.csv", format_csv(alarms)), ("a.toml", format_toml(alarms))):
        (folder / name).write_text(text, encoding="utf-8", newline="")
        parsed = parse_alarms(folder / name)
        assert parsed.errors == []
        assert parsed.alarms == alarms


def test_spreadsheets_of_the_country_are_read(tmp_path: Path) -> None:
    text = "sep=;\ntag;kind;limit;latching;suppressed_by\np;h;50,5;так;p/HH | d/away\n\nbit;ON;;;\n"
    (tmp_path / "a.csv").write_bytes(text.encode("utf-16"))
    first, second = parse_alarms(tmp_path / "a.csv").alarms
    assert (first.kind, first.limit, first.latching, first.suppressed_by) == ("H", 50.5, True, ("p/HH", "d/away"))
    assert (second.kind, math.isnan(second.limit)) == ("on", True)


def test_every_mistake_of_a_file_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    rows = [
        "tag,kind,limit,priority,window_s,suppressed_by",  # 1
        "p,H,fifty,,,",  # 2: no number
        "nowhere,H,5,,,",  # 3: unknown tag
        "p,HHH,5,,,",  # 4: unknown kind
        "p,LL,,urgent,,",  # 5: no limit, unknown priority
        "p,stale,,,90,",  # 6: window too short
        "bit,H,1,,,",  # 7: a bit has no limit
        "q,on,,,,",  # 8: a number has no on
        "q,L,5,,,q/none",  # 9: unknown cause
        "q,L,6,,,",  # 10: twice
        "p,HH,500,,,",  # 11: out of range
    ]
    (tmp_path / "a.csv").write_text("\n".join(rows), encoding="utf-8")
    checked = check_file(tmp_path / "a.csv", AROUND)
    found = [(error.line, error.what) for error in checked.errors]
    expected = [
        (2, "limit 'fifty' is no number"), (3, "tag 'nowhere' is unknown"), (4, "kind 'HHH' is unknown"),
        (5, "priority 'urgent' is unknown"), (5, "LL of p has no limit"), (6, "window_s 90 is too short"),
        (7, "H is for numbers"), (8, "on is for bits"), (9, "cause 'q/none' is no alarm"),
        (10, "alarm q/L is already on line 9"), (11, "limit 500 lies outside"),
    ]  # fmt: skip
    for (line, what), (expected_line, words) in zip(found, expected, strict=True):
        assert line == expected_line
        assert what.startswith(words)
    assert all(error.mend for error in checked.findings)
    with pytest.raises(TagErrors) as caught:
        read_alarms(tmp_path / "a.csv", AROUND)
    assert len(str(caught.value).splitlines()) == len(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tag,limit\np,5\n", "column 'kind' is missing"),
        ("tag,kind,colour\np,H,red\n", "column 'colour' is unknown"),
        ("tag,kind,latching\np,bad,perhaps\n", "neither yes nor no"),
        ("tag,kind\np,bad,more\n", "more cells than the header"),
    ],
)
def test_files_that_are_no_table(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    assert any(words in error.what for error in check_file(tmp_path / "a.csv").errors)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[alarms]]\ntag = 'p'\n", "key 'kind' is missing"),
        ("[[alarms]]\ntag = 'p'\nkind = 'H'\ncolour = 'red'\n", "key 'colour' is unknown"),
        ("[[alarms]]\ntag = 'p'\nkind = 'H'\nlimit = true\n", "limit is a bool"),
        ("[[alarms]\n", "is no TOML"),
        ("alarms = 5\n", "alarms are no tables"),
        ("[colour]\n", "'colour' is unknown"),
    ],
)
def test_toml_that_is_no_table(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    assert any(words in error.what for error in check_file(tmp_path / "a.toml").errors)


@pytest.mark.parametrize(
    ("alarms", "words"),
    [
        ([good(deadband=-1.0)], "deadband -1 is negative"),
        ([good(on_delay_s=math.inf)], "on_delay_s inf"),
        ([good(max_shelve_h=0.0)], "no time limit"),
        ([good(limit=math.inf)], "infinite"),
        ([good(name="a/b")], "a stroke"),
        ([good(kind="L"), good(limit=50.0)], "is not below"),
        ([good(kind="L", deadband=6.0, limit=40.0), good(deadband=6.0)], "deadbands of L and H"),
        ([good(kind="rate", limit=0.0, window_s=60.0)], "not above 0"),
        ([good(kind="rise", limit=1.0, deadband=2.0, window_s=60.0)], "reaches beyond 0"),
        ([good(kind="rise", limit=1.0)], "has no window_s"),
        ([good(kind="rise", limit=1.0, window_s=30.0)], "too short"),
        ([good(kind="deviation", limit=1.0, expected="p")], "compared with itself"),
        ([good(kind="deviation", limit=1.0, expected="q")], "'m', q in 'm3/h'"),
        ([good(kind="deviation", limit=1.0, expected="oracle")], "expected 'oracle' is unknown"),
        ([good(suppressed_by=("p/H",))], "suppresses itself"),
        ([good(suppressed_by=("q/bad",)), good("q", "bad", suppressed_by=("p/H",))], "each other's cause"),
        ([good("p", "away")], "has no tags"),
        ([good("text")], "text is a text"),
        ([good("")], "tag is empty"),
    ],
)
def test_one_mistake(alarms: list[Alarm], words: str) -> None:
    errors = [error for error in check_alarms(alarms, AROUND) if error.severity == "error"]
    assert any(words in error.what for error in errors), errors


def test_warnings_do_not_keep_a_table_from_being_used(tmp_path: Path) -> None:
    alarms = [Alarm("p", "bad", limit=5.0), good("d", "away"), good(suppressed_by=("d/away",))]
    write_alarms(tmp_path / "a.toml", alarms)
    checked = check_file(tmp_path / "a.toml", AROUND)
    assert {finding.severity for finding in checked.findings} == {"warning"}
    assert [f.what.partition(" (")[0] for f in checked.findings if f.line == 1] == [
        "limit has no meaning for bad",
        "nothing says what it is",
        "nothing says what to do",
    ]
    assert list(read_alarms(tmp_path / "a.toml", AROUND)) == alarms


@given(st.dictionaries(st.integers(0, 7), st.lists(st.integers(0, 7), max_size=3), max_size=8))
def test_cycles_are_found_where_there_are_any(graph: dict[int, list[int]]) -> None:
    import networkx as nx

    parents = {str(child): [str(parent) for parent in some] for child, some in graph.items()}
    digraph = nx.DiGraph([(child, parent) for child, some in parents.items() for parent in some])
    found = cycle_in(parents)
    assert (found is None) is nx.is_directed_acyclic_graph(digraph)
    if found is not None:
        assert found[0] == found[-1]
        assert all(parent in parents[child] for child, parent in pairwise(found))
