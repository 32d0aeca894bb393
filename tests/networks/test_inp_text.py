"""Any bytes become rows of words, with the line numbers of the original."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks.check import check_model, read_model
from networks.check.units import number, options, times, units_of
from networks.inp_text import InpText, read_inp, section_of
from tests.hostile import TOWN


def read(path: Path, raw: bytes) -> InpText:
    file = path / "x.inp"
    file.write_bytes(raw)
    return read_inp(file)


@pytest.mark.parametrize(
    ("word", "section"),
    [("[JUNCTIONS]", "JUNCTIONS"), ("[junc]", "JUNCTIONS"), ("[Pipe", "PIPES"), ("[RULES]", "RULES"),
     ("[REPORT]", "REPORT"), ("[REACTIONS]", "REACTIONS"), ("[END]", "END"), ("[TAGS]", "TAGS"),
     ("[LEAKAGE]", "LEAKAGE"), ("[FOO]", ""), ("[", ""), ("[]", "")],
)  # fmt: skip
def test_four_letters_make_a_section(word, section):
    assert section_of(word) == section


def test_rows_keep_their_lines_and_lose_their_comments(tmp_path):
    text = read(tmp_path, b'\n[PIPES] ; pipes\n\n p1 "two words"  b ;c d\n;p2\n\tp3\ta,b\r\n[END]\nrest\n')
    assert [(row.line, row.words) for row in text.rows("PIPES")] == [
        (4, ("p1", "two words", "b")),
        (6, ("p3", "a,b")),
    ]
    assert (text.end, text.after_end, text.line_end) == (7, 1, "crlf")


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"),
     ("utf-16-be", "utf-16-be"), ("utf-32", "utf-32"), ("cp1251", "cp1251")],
)  # fmt: skip
def test_encodings_are_told_apart(tmp_path, encoding, name):
    raw = TOWN.replace("tower", "вежа").encode(encoding)
    text = read(tmp_path, raw)
    assert text.encoding == name
    assert text.rows("TANKS")[0].words[0] == "вежа"
    assert text.rows("TANKS")[0].line == TOWN[: TOWN.index(" tower")].count("\n") + 1


@pytest.mark.parametrize("raw", [b"\x00" * 500, bytes(range(256)) * 40])
def test_binary_is_no_text(tmp_path, raw):
    assert not read(tmp_path, raw).is_text


def test_no_break_space_is_part_of_a_word_as_in_epanet(tmp_path):
    text = read(tmp_path, "[JUNCTIONS]\n a\xa010 5\n".encode())
    assert text.rows("JUNCTIONS")[0].words == ("a\xa010", "5")


@pytest.mark.parametrize(
    ("words", "seconds"),
    [("24", 86400.0), ("24:00", 86400.0), ("1:30:30", 5430.0), ("30 MIN", 1800.0), ("2 days", 172800.0),
     ("90 SEC", 90.0), ("1:00 PM", 46800.0), ("12 am", 0.0), ("noon", None), ("1:2:3:4", None)],
)  # fmt: skip
def test_times_are_read_as_epanet_reads_them(tmp_path, words, seconds):
    text = read(tmp_path, f"[TIMES]\n DURATION {words}\n".encode())
    assert times(text)["DURATION"][0] == pytest.approx(seconds)


@pytest.mark.parametrize(("word", "value"), [("1", 1.0), ("-1e3", -1000.0), (".5", 0.5), ("1,5", None), ("1_0", None)])
def test_numbers(word, value):
    assert number(word) == value


def test_units_of_both_systems(tmp_path):
    metric = units_of(options(read(tmp_path, b"[OPTIONS]\nUNITS CMH\nHEADLOSS D-W\n")))
    assert (metric.length, metric.diameter, metric.law, metric.roughness) == (1.0, 0.001, "D-W", 1.0)
    american = units_of(options(read(tmp_path, b"[OPTIONS]\n")))
    assert (american.length, american.diameter, american.law) == (0.3048, 0.0254, "H-W")
    assert american.pressure == pytest.approx(0.7034, abs=1e-3)


@settings(max_examples=150, deadline=None)
@given(raw=st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(TOWN.split(" ")), max_size=200).map(
    lambda words: " ".join(words).encode())))  # fmt: skip
def test_any_bytes_give_findings_and_no_exception(tmp_path_factory, raw):
    file = tmp_path_factory.getbasetemp() / "any.inp"
    file.write_bytes(raw)
    found = check_model(read_model(file))
    assert "check-failed" not in [f.check for f in found]
    assert found
