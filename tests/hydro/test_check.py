"""What EPANET refuses and what a model's first day shows, in words and with the line of the file."""

import sys
from pathlib import Path

import pytest

from hydro import check as hydro_check
from hydro.check import CHECKS, Outcome, check_hydraulics
from hydro.check.report import complaints, error_findings, warnings_of
from hydro.codes import ERRORS, WARNINGS
from networks import find
from networks.check import Finding, check_model, read_model
from networks.inp_text import read_inp
from tests.hostile import HOSTILE, PUMPED, TOWN, edited, extra


def findings(path: Path, raw: bytes, earlier: bool = False) -> list[Finding]:
    file = path / "model.inp"
    file.write_bytes(raw)
    model = read_model(file)
    return check_hydraulics(model, check_model(model) if earlier else [])


def line_of(raw: bytes, word: str) -> int:
    return raw.decode()[: raw.decode().index(word)].count("\n") + 1


def valve(kind: str, setting: float) -> bytes:
    """The town's main through a valve."""
    return edited(
        (" p1  lake  a  ", " p1  lake  x  "),
        (" a   10    0\n", " a   10    0\n x   10    0\n y   10    0\n"),
        ("[PATTERNS]", f"[PIPES]\n p0  y  a  10  300  120\n\n[VALVES]\n v  x  y  300  {kind}  {setting}\n\n[PATTERNS]"),
    )


DRY = (("55  4  1  6  40  0", "30  1.5  1  6  3  0"), ("p1  lake  a      400  300", "p1  lake  a      400  100"))

# check, model, element, severity, value (a beginning of it)
CASES: list[tuple[str, bytes, str, str]] = [
    ("negative-pressure", edited((" d   8 ", " d   90")), "junction d", "warning"),
    ("negative-pressure", edited((" a   10 ", " a   90")), "junction a", "note"),
    ("high-pressure", edited((" d   8 ", " d   -90")), "junction d", "note"),
    ("velocity", edited(("  500  200", "  500  20"), ("  250  200", "  250  20")), "pipe p4", "warning"),
    ("gradient", edited(("  500  200", "  500  50"), ("  250  200", "  250  50")), "pipe p4", "warning"),
    ("tank-drains", edited(*DRY), "tank tower", "warning"),
    ("tank-drains", edited(("55  4  1  6", "55  1  1  6")), "tank tower", "note"),
    ("tank-full", edited(("55  4  1  6  40", "40  5  1  6  5")), "tank tower", "note"),
    ("hunting", HOSTILE["cyclic-rules"](), "pipe p2", "warning"),
    ("cut-off", extra("[STATUS]\n p2 Closed\n p3 Closed"), "junction b", "warning"),
    (
        "pump-range",
        edited((" k  20  40", " k  0.2  40"), base=PUMPED.replace("p1  lake  a", "p1  b     a")),
        "pump u1",
        "warning",
    ),
    ("prv-idle", valve("PRV", 90.0), "valve v", "warning"),
    ("prv-idle", valve("PRV", 5.0), "valve v", "note"),
    ("valve-range", valve("FCV", 5000.0), "valve v", "warning"),
    ("not-balanced", extra("[OPTIONS]\n TRIALS 1\n UNBALANCED STOP"), "", "error"),
    ("epanet-error", extra("[ENERGY]\nPUMP nil PRICE 1"), "PUMP", "error"),
]


@pytest.mark.parametrize(
    ("check", "raw", "element", "severity"), CASES, ids=[f"{k}-{case[0]}" for k, case in enumerate(CASES)]
)
def test_check_hits_its_element(tmp_path, check, raw, element, severity):
    found = {(f.check, f.element, f.severity): f for f in findings(tmp_path, raw)}
    assert (check, element, severity) in found
    hit = found[check, element, severity]
    assert hit.reason
    assert hit.mend
    if element:
        row = raw.decode().split("\n")[hit.line - 1]
        assert element.split()[-1] in row


def test_every_check_is_tested():
    elsewhere = {"epanet-dies", "day-cut", "unstable"}  # below
    assert {case[0] for case in CASES} | elsewhere == set(CHECKS)
    assert set(WARNINGS) <= set(CHECKS)


@pytest.mark.parametrize("raw", [TOWN.encode(), PUMPED.encode()])
def test_healthy_town_has_no_findings(tmp_path, raw):
    assert findings(tmp_path, raw) == []


@pytest.mark.parametrize("name", ["Net1", "Net2", "Net3"])
def test_healthy_catalogue_networks_have_no_errors_and_no_warnings(name):
    assert [f for f in check_hydraulics(read_model(find(name)[1])) if f.severity != "note"] == []


def test_epanet_errors_come_with_section_line_and_mend(tmp_path):
    raw = edited(("p3  b     c", "p3  b     zz"), ("350  200  110", "-350  200  110"), ("0.6 0.5", "0.6 x"))
    found = {f.value: f for f in findings(tmp_path, raw)}
    assert (found["Error 203"].section, found["Error 203"].line) == ("[PIPES]", line_of(raw, "zz"))
    values = [f for f in findings(tmp_path, raw) if f.value == "Error 202"]
    assert {(f.section, f.line) for f in values} == {
        ("[PIPES]", line_of(raw, "-350")),
        ("[PATTERNS]", line_of(raw, "0.6 x")),
    }
    assert all(f.severity == "error" and f.mend for f in values)


def test_epanet_does_not_repeat_what_a_check_has_said(tmp_path):
    raw = edited(("p3  b     c", "p3  b     zz"))
    assert findings(tmp_path, raw, earlier=True) == []
    assert [f.value for f in findings(tmp_path, raw)] == ["Error 203"]


def test_equal_rows_are_found_in_their_order(tmp_path):
    raw = extra("[PIPES]\n q b zz 1 1 1\n q b zz 1 1 1")
    lines = [f.line for f in findings(tmp_path, raw)]
    assert lines == [line_of(raw, " q b"), line_of(raw, " q b") + 1]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1251"])
def test_lines_hold_in_every_encoding(tmp_path, encoding):
    raw = edited(("tower", "вежа"), (" d   8 ", " d   90"))
    found = findings(tmp_path, raw.decode().encode(encoding))
    assert [(f.check, f.element, f.line) for f in found] == [
        ("negative-pressure", "junction d", line_of(raw, " d   90"))
    ]


def test_report_of_epanet_2_2_is_read_too(tmp_path):
    lines = ["  Input Error 203: undefined node in following line of [PIPES] section:", "  p1 a zz 1 1 1"]
    file = tmp_path / "x.inp"
    file.write_text("[PIPES]\n p1 a zz 1 1 1\n", "utf-8")
    (found,) = error_findings(complaints(lines), read_inp(file))
    assert (found.value, found.section, found.line, found.mend) == ("Error 203", "[PIPES]", 2, ERRORS[203][1])


def test_warnings_are_gathered_by_element():
    lines = [
        "  WARNING: System unbalanced at 1:00:00 hrs. EXECUTION HALTED.",
        "  WARNING: Maximum trials exceeded at 2:00:00 hrs. System may be unstable.",
        "  WARNING: Pump P 1 closed because cannot deliver head at 1:00:00 hrs.",
        "  WARNING: Pump P 1 closed because cannot deliver head at 2:00:00 hrs.",
        "  WARNING: PRV v open but cannot deliver pressure at 3:00:00 hrs.",
        "  WARNING: Node n disconnected at 4:00:00 hrs",
        "  WARNING: Negative pressures at 4:00:00 hrs.",
    ]
    found = {(check, element): (reason, severity) for check, _, element, reason, severity in warnings_of(lines)}
    assert found["not-balanced", ""][1] == "error"
    assert found["unstable", ""][1] == "warning"
    assert "and 1 time" in found["pump-range", "P 1"][0]
    assert {("valve-range", "v"), ("cut-off", "n")} <= set(found)
    assert len(found) == 5


def test_a_run_of_too_many_steps_is_cut(tmp_path):
    raw = edited(("Hydraulic Timestep  1:00", "Hydraulic Timestep  0:00:01"), ("6:00", "24:00"))
    found = findings(tmp_path, raw)
    assert [(f.check, f.severity) for f in found] == [("day-cut", "note")]
    assert "20000 steps" in found[0].reason


def test_only_the_first_day_is_run(tmp_path):
    raw = edited(("6:00", "999999:00"))
    assert findings(tmp_path, raw) == []


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import ctypes; ctypes.string_at(0)", "dies on this file (SIGSEGV)"),
        ("import os; os.abort()", "dies on this file (SIGABRT)"),
        ("while True: pass", "does not come to an end"),
        ("raise SystemExit('no memory')", "no memory"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="signals have other names there")
def test_the_death_of_epanet_is_a_finding(tmp_path, monkeypatch, program, words):
    package = tmp_path / "hydro"
    (package / "check").mkdir(parents=True)
    for name in ("__init__.py", "check/__init__.py"):
        (package / name).write_text("", "utf-8")
    (package / "check" / "child.py").write_text(program, "utf-8")
    file = tmp_path / "town.inp"
    file.write_text(TOWN, "utf-8")
    model = read_model(file)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    (found,) = check_hydraulics(model, process_s=2.0)
    assert (found.check, found.severity) == ("epanet-dies", "error")
    assert words in found.reason
    assert found.mend


def test_a_module_of_the_working_directory_is_not_run(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('mine')", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert findings(tmp_path, TOWN.encode()) == []


def test_a_file_that_epanet_would_write_stays_in_the_scratch_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    findings(tmp_path, extra("[OPTIONS]\n HYDRAULICS SAVE here.hyd\n[REPORT]\n FILE here.txt"))
    assert [path.name for path in tmp_path.iterdir()] == ["model.inp"]


def test_what_is_no_text_is_not_given_to_epanet(tmp_path, monkeypatch):
    def refuse(*arguments: object) -> Outcome:
        raise AssertionError("EPANET was started")

    monkeypatch.setattr(hydro_check, "_run_child", refuse)
    assert findings(tmp_path, b"\0" * 1000) == []
    assert findings(tmp_path, b"") == []
