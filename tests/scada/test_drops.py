"""Exports of loggers and other systems as they are written: what is taken, what is refused, and how it is said."""

import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.drops.distinct import codes
from scada.drops.file import read_file
from scada.drops.numbers import AmbiguousNumbers, read_column, recognise_decimal
from scada.drops.plain import PlainBody
from scada.drops.profile import Point, Profile
from scada.drops.stamps import AmbiguousDates, looks_like_time, read_stamps
from scada.errors import DropError
from scada.sample import Quality
from tests.scada.drop import LATE_MS, TAGS, marks, ms, problems, readings, rows

WIDE = [("p1", "2026-01-05 00:00", 31.5), ("p2", "2026-01-05 00:00", 22.0), ("p1", "2026-01-05 00:15", 31.4)]


@pytest.mark.parametrize(
    "text",
    [
        "time,p1,p2\n2026-01-05T00:00:00Z,31.5,22\n2026-01-05T00:15:00Z,31.4,\n",
        "Дата;p1;p2\n05.01.2026 00:00;31,5;22\n05.01.2026 00:15;31,4;\n",
        'sep=;\n"Date";"Time";"p1";"p2"\n"13/01/2026";"00:00";"9";"9"\n',
        "time\tp1\tp2\n2026-01-05 00:00\t31.5\t22.0\n2026-01-05 00:15\t31.4\tn/a\n",
        "Site: North\nSerial 123\n\ntime,p1,p2\n,m,m\n2026/01/05 00:00,31.5,22\n2026/01/05 00:15,31.4,-\nTotal,2,1\n",
        "time;p1 [bar];p2 (mbar)\n05-Jan-2026 00:00;3,08910;2157,463\n05-Jan-2026 00:15;3,07929;\n",
        "tag,time,value\np1,2026-01-05 00:00,31.5\np2,2026-01-05 00:00,22\np1,2026-01-05 00:15,31.4\n",
        '"Jan 5, 2026 12:00 AM","31.5","22"\n"Jan 5, 2026 12:15 AM","31.4",""\n',
        "202601050000;31,5;22\r\n202601050015;31,4;\r\n",
    ],
)
def test_common_exports_are_recognised(text: str) -> None:
    if text.startswith("sep="):
        assert rows(readings(text)) == [("p1", "2026-01-13 00:00", 9.0), ("p2", "2026-01-13 00:00", 9.0)]
        return
    profile = Profile(columns=("time", "p1", "p2")) if text[0] in '"2' else Profile()
    found = readings(text, profile)
    assert [(tag, time) for tag, time, _ in rows(found)] == [(tag, time) for tag, time, _ in WIDE]
    assert [value for *_, value in rows(found)] == pytest.approx([value for *_, value in WIDE], abs=1e-4)
    assert problems(found) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1251"])
def test_encodings(encoding: str) -> None:
    text = "Час;Тиск, вузол №1\n05.01.2026 00:00;31,5\n"
    profile = Profile(points={"Тиск, вузол №1": Point("p1")})
    found = readings(text.encode(encoding), profile)
    assert rows(found) == WIDE[:1]
    is_guessed = encoding == "windows-1251"
    assert any("Windows-1251" in finding.what for finding in found.findings) == is_guessed
    if is_guessed:
        stated = readings(text.encode(encoding), Profile(points=profile.points, encoding="windows-1251"))
        assert stated.findings == []
        with pytest.raises(DropError, match="no utf-8 text; state its encoding"):
            readings(text.encode(encoding), Profile(encoding="utf-8"))


def test_packed_files_are_opened_and_damaged_ones_told(tmp_path) -> None:
    text = b"time,p1\n2026-01-05 00:00,31.5\n"
    assert rows(readings(gzip.compress(text), name="a.csv.gz")) == WIDE[:1]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("one.csv", text)
        out.writestr("folder/two.csv", b"time,p2\n2026-01-05 00:00,22\n")
        out.writestr("three.csv", b"nothing")
    found = list(read_file(tmp_path / "a.zip", archive.getvalue(), Profile(), TAGS, LATE_MS))
    assert [rows(part) for part in found[:2]] == [WIDE[:1], WIDE[1:2]]
    assert isinstance(found[2], DropError)
    assert "a.zip/three.csv" in str(found[2])
    for name, data in (("a.csv.gz", gzip.compress(text)[:-12]), ("a.zip", archive.getvalue()[:-30])):
        with pytest.raises(DropError, match="is damaged or cut off"):
            list(read_file(tmp_path / name, data, Profile(), TAGS, LATE_MS))


@pytest.mark.parametrize(
    ("dates", "order", "expected"),
    [
        (["03/04/2026", "13/04/2026"], "", ["2026-04-03", "2026-04-13"]),
        (["03/04/2026", "03/14/2026"], "", ["2026-03-04", "2026-03-14"]),
        (["03/04/2026"], "dmy", ["2026-04-03"]),
        (["03/04/2026"], "mdy", ["2026-03-04"]),
        (["03.04.2026"], "", ["2026-04-03"]),
        (["03.04.26"], "", ["2026-04-03"]),
        (["26-04-03"], "ymd", ["2026-04-03"]),
        (["2026-04-03"], "mdy", ["2026-04-03"]),
        (["3 Apr 2026", "April 3, 2026"], "", ["2026-04-03", None]),
        (["30/02/2026", "01/02/2026"], "", [None, "2026-02-01"]),
    ],
)
def test_dates(dates: list[str], order: str, expected: list[str | None]) -> None:
    found = read_stamps(*codes(dates), "", order)
    told = [
        str(t) if good else None
        for t, good in zip(found.wall_ms.astype("M8[ms]").astype("M8[D]"), found.is_good, strict=True)
    ]
    assert told == expected


@pytest.mark.parametrize(
    "dates", [["03/04/2026", "05-04-2026"], ["03/04/2026"], ["26-04-03"], ["13/04/2026", "04/13/2026"]]
)
def test_dates_that_may_be_two_things_are_never_guessed(dates: list[str]) -> None:
    with pytest.raises(AmbiguousDates, match="state "):
        read_stamps(*codes(dates))
    text = "time,p1\n" + "".join(f"{date} 00:00,1\n" for date in dates)
    with pytest.raises(DropError, match=r"a\.csv: .*state (date_order|time_format)"):
        readings(text)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-01-05T01:02:03.456+02:00", "2026-01-04T23:02:03.456"),
        ("2026-01-05 24:00", "2026-01-06T00:00"),
        ("05.01.2026 1:02", "2026-01-05T01:02"),
        ("2026-01-05 12:00:00 AM", "2026-01-05T00:00"),
        ("2026-01-05 12:30 p.m.", "2026-01-05T12:30"),
        ("2026-01-05 25:00", None),
        ("2026-01-05 13:30 PM", None),
        ("yesterday", None),
    ],
)
def test_clocks(cell: str, expected: str | None) -> None:
    found = read_stamps(*codes([cell]))
    assert bool(found.is_good[0]) == (expected is not None)
    if expected is not None:
        assert int(found.wall_ms[0]) == ms(expected)
        assert looks_like_time(cell)


@pytest.mark.parametrize(
    ("time_format", "cell", "expected"),
    [
        ("unix", "1767571200", "2026-01-05"),
        ("unix-ms", "1767571200000", "2026-01-05"),
        ("excel", "46027,5", "2026-01-05T12:00"),
        ("%d|%m|%Y %H.%M", "05|01|2026 12.30", "2026-01-05T12:30"),
    ],
)
def test_stated_formats(time_format: str, cell: str, expected: str) -> None:
    found = readings(f"when;p1\n{cell};1\nx;2\n", Profile(time_format=time_format, time_columns=("when",)))
    assert found.time_ms.tolist() == [ms(expected)]
    assert problems(found) == [(3, "'x' is no time")]


@pytest.mark.parametrize(
    ("cells", "delimiter", "decimal"),
    [
        (["1,5", "1234,75"], ";", ","),
        (["1,234", "2,345"], ";", ","),
        (["1.234,5"], ",", ","),
        (["1,234.5"], ";", "."),
        (["1,234,567"], ";", "."),
        (["0,512"], ",", ","),
        (["1.234", "5"], ";", "."),
        (["1.234.567"], ";", "."),
        (["1.234.567", "12,5"], ";", ","),
        (["x", "5"], ",", "."),
    ],
)
def test_decimal_signs(cells: list[str], delimiter: str, decimal: str) -> None:
    assert recognise_decimal([cells], delimiter) == decimal


@pytest.mark.parametrize(("cells", "delimiter"), [(["1,5", "1.5"], ";"), (["1,234"], ","), (["1,234", "5"], "|")])
def test_decimal_signs_are_never_guessed(cells: list[str], delimiter: str) -> None:
    with pytest.raises(AmbiguousNumbers, match="state decimal"):
        recognise_decimal([cells], delimiter)


@pytest.mark.parametrize(
    ("cell", "decimal", "value"),
    [
        ("1 234,5", ",", 1234.5), ("1\u00a0234,5", ",", 1234.5), ("1'234.5", ".", 1234.5),
        ("1.234.567,8", ",", 1234567.8),
        ("-1e3", ".", -1000.0), (" 7 ", ".", 7.0), (",5", ",", 0.5), ("12 34", ".", None), ("1_000", ".", None),
        ("0x1F", ".", None), ("inf", ".", None), ("1,2,3", ".", None), ("1.2.3", ",", None), ("1,23", ".", None),
        ("5 m", ".", None),
    ],
)  # fmt: skip
def test_numbers(cell: str, decimal: str, value: float | None) -> None:
    values, wrong = read_column([cell, "1"], decimal)
    assert wrong.tolist() == ([0] if value is None else [])
    if value is not None:
        assert values[0] == value


numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda x: f"{x:.6g}"),
    st.integers(-(10**6), 10**6).map(str),
    st.sampled_from(["", "-", "n/a", "NaN", "x", "1,5", "1 000", "inf", " 3", "1e400"]),
)


@given(st.lists(numbers, min_size=1, max_size=30), st.sampled_from([".", ","]))
def test_the_quick_way_reads_what_the_careful_one_reads(cells: list[str], decimal: str) -> None:
    written = [cell.replace(".", decimal) for cell in cells]
    body = PlainBody([f"t;{cell}" for cell in written], 2, ";")
    missing = frozenset({"", "-", "n/a", "nan"})
    quick = body.numbers([1], decimal, missing)
    careful, wrong = read_column(written, decimal, missing)
    if quick is not None:
        assert not len(wrong)
        assert quick[1].tolist() == pytest.approx(careful.tolist(), nan_ok=True, rel=0, abs=0)
    assert body.column(1) == written
    assert [body.codes(1)[1][k] for k in body.codes(1)[0]] == written


def test_bad_rows_do_not_lose_good_ones() -> None:
    text = (
        "time;p1;p2\n"
        "05.01.2026 00:00;31,5;22\n"
        "05.01.2026 00:15;abc;22,1\n"  # 3
        "32.01.2026 00:30;31,4;22,2\n"  # 4
        "05.01.2026 00:45;31,3\n"  # 5
        ";31,2;22,3\n"  # 6
        ";;\n"
        "05.01.2026 01:00;31,1;22,4;9\n"  # 8
        "05.01.2026 01:15;31,0;22,5;\n"
        "Середнє;31;22\n"
    )
    found = readings(text)
    assert rows(found) == [
        ("p1", "2026-01-05 00:00", 31.5), ("p2", "2026-01-05 00:00", 22.0), ("p2", "2026-01-05 00:15", 22.1),
        ("p1", "2026-01-05 01:15", 31.0), ("p2", "2026-01-05 01:15", 22.5),
    ]  # fmt: skip
    assert problems(found) == [
        (3, "'abc' in column 'p1' is no number"),
        (4, "'32.01.2026 00:30' is no time"),
        (5, "the row has 2 cells, the header 3"),
        (6, "the row has no time"),
        (8, "the row has 4 cells, the header 3"),
    ]
    assert found.footers == 1
    assert found.rejected == 5
    assert found.findings[0].text == "05.01.2026 00:15;abc;22,1"


def test_quoted_tables_lose_nothing_either() -> None:
    plain = "time;p1;p2\n05.01.2026 00:00;31,5;22\n05.01.2026 00:15;abc;22,1\n05.01.2026 00:45;31,3\n;;\n"
    quoted = plain.replace("31,5", '"31,5"')
    one, other = readings(plain), readings(quoted)
    assert rows(one) == rows(other)
    assert problems(one) == problems(other)
    with pytest.raises(DropError, match=r"is no CSV|one column"):
        readings('time,p1\n2026-01-05 00:00,"31.5\n' + "x" * 200_000)


def test_a_line_cut_off_is_not_taken_where_that_is_asked() -> None:
    text = "time,p1\n2026-01-05 00:00,31.5\n2026-01-05 00:15,3"
    assert rows(readings(text))[-1] == ("p1", "2026-01-05 00:15", 3.0)
    found = readings(text, Profile(final_newline=True))
    assert rows(found) == WIDE[:1]
    assert problems(found) == [(3, "the last line has no end: it was cut off")]


def test_units() -> None:
    text = "time,Inlet (bar),p2,Flow [L/s]\n2026-01-05 00:00,3,4,5\n"
    points = {"Inlet": Point("p1"), "p2": Point("p2", "kPa"), "Flow": Point("q1", scale=2.0, offset=1.0)}
    found = readings(text, Profile(points=points))
    assert {tag: value for tag, _, value in rows(found)} == {
        "p1": pytest.approx(3 * 10.197162, abs=1e-4), "p2": pytest.approx(4 / 9.80665, abs=1e-6),
        "q1": pytest.approx(11 * 3.6),
    }  # fmt: skip
    assert rows(readings("time,p1\n2026-01-05,1\n", Profile(unit="bar")))[0][2] == pytest.approx(10.197162)
    wrong = readings("time,p1,p2 [m3/h]\n2026-01-05 00:00,3,4\n")
    assert rows(wrong) == [("p1", "2026-01-05 00:00", 3.0)]
    assert "unit 'm3/h' does not fit pressure of tag p2" in wrong.findings[0].what
    assert wrong.findings[0].mend.startswith("write one of m, cm")
    with pytest.raises(DropError, match="does not fit flow"):
        readings("time,q1 [bar]\n2026-01-05 00:00,3\n")
    both = readings("time,p1 [m]\n2026-01-05 00:00,3\n", Profile(points={"p1": Point("p1", "bar")}))
    assert [finding.severity for finding in both.findings] == ["warning"]
    assert "in bar by its profile and in m by the file" in both.findings[0].what
    assert rows(both)[0][2] == pytest.approx(30.591486)


def test_points_are_found_by_serial_number_channel_and_name() -> None:
    text = "Logger serial:;4711\n\ntime;CH1;CH2;Battery\n05.01.2026 00:00;31,5;22;3,6\n"
    points = {"4711/ch1": Point("p1"), "0815/CH1": Point("p2"), "CH2": Point("p2")}
    found = readings(text, Profile(points=points, serial=r"serial:;(\d+)", ignore=("batt*",)))
    assert rows(found) == WIDE[:2]
    assert found.findings == []
    found = readings(text, Profile(points=points, serial=r"serial:;(\d+)"))
    assert [finding.what for finding in found.findings] == ["'Battery' is no tag and is left out"]
    by_name = Profile(points={"4711": Point("p1")}, serial=r"_(\d+)_")
    assert rows(readings("time,value\n2026-01-05 00:00,31.5\n", by_name, "site_4711_x.csv")) == WIDE[:1]
    with pytest.raises(DropError, match="has no serial number"):
        readings("time,value\n2026-01-05 00:00,31.5\n", by_name, "site.csv")
    with pytest.raises(DropError, match="'CH1' is tag 'nobody', which is in no tag table; add it"):
        readings("time;CH1\n05.01.2026 00:00;1\n", Profile(points={"CH1": Point("nobody")}))
    with pytest.raises(DropError, match="none of 'a', 'b' is a tag; name their tags under points"):
        readings("time,a,b\n2026-01-05 00:00,1,2\n")
    twice = readings("time,CH1,p1\n2026-01-05 00:00,31.5,2\n", Profile(points={"CH1": Point("p1")}))
    assert rows(twice) == WIDE[:1]
    assert "is tag p1 as 'CH1' is" in twice.findings[0].what


def test_qualities_of_a_long_table() -> None:
    text = (
        "time,tag,value,quality,reason\n2026-01-05 00:00,p1,1,GOOD,\n2026-01-05 00:01,p1,2,192,\n"
        "2026-01-05 00:02,p1,3,0,timeout\n2026-01-05 00:03,p1,4,UNCERTAIN,range\n2026-01-05 00:04,p1,5,64,\n"
        "2026-01-05 00:05,p1,6,so-so,\n2026-01-05 00:06,p1,7,worn,\n"
    )
    found = readings(text, Profile(quality_words={"worn": Quality.UNCERTAIN}))
    assert marks(found) == [
        ("GOOD", ""), ("GOOD", ""), ("BAD", "timeout"), ("UNCERTAIN", "range"), ("UNCERTAIN", "source"),
        ("UNCERTAIN", "source"),
    ]  # fmt: skip
    assert problems(found) == [(7, "quality 'so-so' is not known")]


def test_qualities_of_a_wide_table_and_the_tags_own_limits() -> None:
    from dataclasses import replace

    text = "time,p1,p1 Quality,p2,p2 Quality\n2026-01-05 00:00,1,ok,999,ok\n2026-01-05 00:01,2,bad,-1,ok\n"
    limits = {**TAGS, "p2": replace(TAGS["p2"], min=-5.0, max=200.0, bad_values=(-1.0,))}
    from pathlib import Path

    [found] = read_file(Path("a.csv"), text.encode(), Profile(quality_suffix=" quality"), limits, LATE_MS)
    assert marks(found) == [("GOOD", ""), ("UNCERTAIN", "range"), ("BAD", "source"), ("BAD", "sentinel")]


def test_a_point_may_be_called_like_a_footer() -> None:
    text = "tag,time,value\nMax,2026-01-05 00:00,31.5\nTotal p2,2026-01-05 00:00,22\nTotal,,53.5\n"
    found = readings(text, Profile(points={"Max": Point("p1"), "Total p2": Point("p2")}))
    assert rows(found) == WIDE[:2]
    assert (found.footers, found.rejected) == (1, 0)


def test_what_stands_twice_is_taken_once() -> None:
    text = "time,p1\n2026-01-05 00:00,31.5\n2026-01-05 00:15,1\n2026-01-05 00:00,31.5\n2026-01-05 00:15,2\n"
    found = readings(text)
    assert rows(found) == [("p1", "2026-01-05 00:00", 31.5), ("p1", "2026-01-05 00:15", 1.0)]
    assert problems(found) == [(5, "p1 has another value for this time on line 3")]


def test_arrivals_by_column_and_a_clock_that_cannot_be_right() -> None:
    text = "time,p1,received\n2026-01-05 00:00,1,2026-01-05 06:00\n2026-01-05 00:00,2,2026-01-06 06:00\n"
    found = readings(text, Profile(arrival_column="received"))
    assert found.arrival_ms.tolist() == [ms("2026-01-05T06:00"), ms("2026-01-06T06:00")]
    assert found.value.tolist() == [1.0, 2.0]
    early = readings("time,p1\n2026-01-05 06:00,1\n", Profile(zone="UTC"), arrival_ms=ms("2026-01-05T04:30"))
    assert [finding.what for finding in early.findings] == ["its readings go on 1.5 h after it came"]
    assert "zone is UTC" in early.findings[0].mend


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("time,p1\n", ""),
        ("hello\nworld\n", "one column"),
        ("2026-01-05 00:00,1\n2026-01-05 00:15,2\n", "has no names above its readings"),
        ("time,p1,p1\n2026-01-05 00:00,1,2\n", "column 'p1' comes twice"),
        ("a,b\n1,2\n3,4\n", "has no column with times"),
        ("time,p1\n2026-01-05 00:00,1\0\n", "zero bytes"),
    ],
)
def test_files_that_are_none(text: str, words: str) -> None:
    if not words:
        found = readings(text)
        assert (len(found), found.rejected) == (0, 0)
        return
    with pytest.raises(DropError, match=words) as caught:
        readings(text)
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


def test_names_are_found_below_a_long_preamble_and_above_a_bad_first_row() -> None:
    preamble = "".join(f"Setting {k};{k}\n" for k in range(20)) + "Exported;06.01.2026 10:00\n"
    text = preamble + "Дата;p1;p2;x1\nsoon;1;2;3\n05.01.2026 00:00;31,5;22;1\n05.01.2026 00:15;31,4;;2\n"
    found = readings(text)
    assert [row for row in rows(found) if row[0] != "x1"] == WIDE
    assert problems(found) == [(23, "'soon' is no time")]
    points = {"4711": Point("p1"), "4712": Point("p2")}
    numbered = readings("time;4711;4712\n05.01.2026 00:00;31,5;22\n", Profile(points=points))
    assert rows(numbered) == WIDE[:2]


def test_stated_columns_that_are_not_there() -> None:
    for profile, words in (
        (Profile(time_columns=("when",)), "has no column 'when' but time, p1; mend time_columns"),
        (Profile(layout="long"), "its point column is not known; state point_column"),
        (Profile(header_line=9), "has no names; mend header_line"),
    ):
        with pytest.raises(DropError, match=words):
            readings("time,p1\n2026-01-05 00:00,1\n", profile)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_told(data: bytes) -> None:
    from pathlib import Path

    try:
        for found in read_file(Path("x.csv"), data, Profile(zone="Europe/Kyiv"), TAGS, LATE_MS):
            assert isinstance(found, DropError) or len(found) >= 0
    except DropError:
        pass


@given(st.text(alphabet="0123456789.,;:/-tp1 \n\"'", max_size=200))
def test_any_table_is_read_or_told(body: str) -> None:
    from pathlib import Path

    for head in ("time;p1\n2026-01-05 00:00;1\n", "tag,time,value\np1,2026-01-05 00:00,1\n"):
        for found in read_file(Path("x.csv"), (head + body).encode(), Profile(), TAGS, LATE_MS):
            if not isinstance(found, DropError):
                assert all(finding.line or finding.severity == "warning" for finding in found.findings)


def test_workbooks() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    import datetime as dt

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Site North", None, None, None])
    sheet.append([])
    sheet.append(["Дата", "p1 [bar]", "p2", None])
    sheet.append([dt.datetime(2026, 10, 25, 2, 45), 3.1, "22,5", None])  # noqa: DTZ001 # the clock on the wall
    sheet.append([dt.datetime(2026, 3, 29, 3, 15), 3.2, 22, None])  # noqa: DTZ001
    sheet.append([dt.datetime(2026, 10, 25, 4, 15), "broken", None, None])  # noqa: DTZ001
    sheet.append(["Total", 6.3, 44, None])
    out = io.BytesIO()
    book.save(out)
    found = readings(out.getvalue(), Profile(zone="Europe/Kyiv"), "a.xlsx")
    assert rows(found) == [
        ("p1", "2026-10-24 23:45", pytest.approx(31.611203)), ("p2", "2026-10-24 23:45", 22.5),
    ]  # fmt: skip
    assert [line for line, _ in problems(found)] == [5, 6]
    assert found.footers == 1
    with pytest.raises(DropError, match="is no workbook"):
        readings(out.getvalue()[:-40], Profile(), "a.xlsx")


def test_a_workbook_without_a_reader_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DropError, match="save it as CSV, or install openpyxl"):
        readings(b"PK\x03\x04...", Profile(), "a.xlsx")


def test_quality_of_a_wide_row_is_that_of_all_its_values() -> None:
    text = "time,p1,p2,quality\n2026-01-05 00:00,1,2,good\n2026-01-05 00:01,3,4,bad\n2026-01-05 00:02,5,,good\n"
    assert marks(readings(text)) == [("GOOD", ""), ("GOOD", ""), ("BAD", "source"), ("BAD", "source"), ("GOOD", "")]
    odd = readings(text.replace("00:02,5,,good", "00:02,5,,so so"))
    assert [finding.what for finding in odd.findings] == ["quality 'so so' is not known"]
    assert len(odd) == 4
    measured = readings(text.replace("good", "7").replace("bad", "6"), Profile(points={"quality": Point("x1")}))
    assert marks(measured) == [("GOOD", "")] * 8
