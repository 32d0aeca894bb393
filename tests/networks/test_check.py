"""Each named check hits what it is about, at the right line, and leaves a healthy model alone."""

from pathlib import Path

import numpy as np
import pytest

from networks import find, inp_text
from networks.check import CHECKS, Finding, check_model, read_model
from networks.check.crossings import crossings
from tests.hostile import HOSTILE, PUMPED, TOWN, edited, extra, grid


def findings(path: Path, raw: bytes) -> list[Finding]:
    file = path / "model.inp"
    file.write_bytes(raw)
    return check_model(read_model(file))


def valve(kind: str, setting: str, more: str = "") -> bytes:
    """The town with a valve between two of its junctions."""
    return extra(f"[VALVES]\n v  b  d  200  {kind}  {setting}\n{more}")


LARGE = grid(30)
FLAT = TOWN.replace("       day", "")
WIDE = TOWN.replace("[PIPES]", "[JUNCTIONS]\n x 10 1\n y 10 1\n z 10 1\n w 10 1\n[PIPES]")

# check, model, element and severity of the finding, and a word of its line ("" where it has none)
CASES: list[tuple[str, bytes, str, str, str]] = [
    ("not-an-inp", b"", "", "error", ""),
    ("encoding", TOWN.encode("utf-16"), "", "error", ""),
    ("encoding", HOSTILE["utf-8-bom"](), "", "error", "JUNCTIONS"),
    ("encoding", HOSTILE["cp1251-names"](), "", "note", ""),
    ("line-ends", TOWN.replace("\n", "\r").encode(), "", "error", ""),
    ("line-ends", HOSTILE["mixed-ends"](), "", "error", "TITLE"),
    ("line-length", edited((" b   12", " b   12" + " " * 1100)), "", "error", " b   12"),
    ("section", extra("[WATERHAMMER]\n x 1"), "[WATERHAMMER]", "error", "WATERHAMMER"),
    ("section", edited(("[PIPES]", "[PIPE]")), "[PIPE]", "error", "[PIPE]"),
    ("section", extra("[PIPES]"), "[PIPES]", "note", "[PIPES]"),
    ("section", b"a 1 2\n" + TOWN.encode(), "", "warning", "a 1 2"),
    ("end", edited(("\n[END]\n", "")), "", "warning", "tower  1000"),
    ("end", TOWN.encode() + b"x 1\n", "", "note", "[END]"),
    ("id", edited((" d ", f" {'d' * 32} ")), f"junction {'d' * 32}", "error", "d" * 32),
    ("id", edited((" d ", " d\x07 ")), "junction d\N{REPLACEMENT CHARACTER}", "warning", "d\x07"),
    ("duplicate-id", edited((" d   8", " b   8")), "junction b", "error", " b   8"),
    ("duplicate-id", edited(("p3  b", "p2  b")), "pipe p2", "error", " p2  b"),
    ("fields", extra("[PIPES]\n q b"), "pipe q", "error", " q b"),
    ("fields", extra("[PATTERNS]\n long " + "1 " * 50), "long", "error", " long 1"),
    ("missing-section", b"[JUNCTIONS]\n a 1\n[RESERVOIRS]\n r 1\n", "[PIPES]", "error", ""),
    ("number", edited(("  350  200", "  35O  200")), "pipe p2", "error", "35O"),
    ("number", edited(("  350  200", "  3,5  200")), "pipe p2", "error", "3,5"),
    ("number", edited(("0.6 0.5", "0.6 half")), "pattern day", "error", "half"),
    ("number", extra("[CURVES]\n k 1 2 3"), "curve k", "error", " k 1"),
    ("enormous-number", edited(("  350  200", "  inf  200")), "pipe p2", "error", "inf"),
    ("enormous-number", edited(("  350  200", "  1e99  200")), "pipe p2", "error", "1e99"),
    ("enormous-number", edited(("0.6 0.5", "0.6 nan")), "pattern day", "error", "day  0.6"),
    ("units", edited((" Units     LPS\n", "")), "UNITS", "warning", ""),
    ("units", edited(("LPS", "GALLONS")), "UNITS", "error", "GALLONS"),
    ("units", edited(("H-W", "X-Y")), "HEADLOSS", "error", "X-Y"),
    ("option", extra("[OPTIONS]\n ACCURACY 0.5"), "ACCURACY", "warning", "ACCURACY"),
    ("option", extra("[OPTIONS]\n TRIALS many"), "TRIALS", "error", "TRIALS"),
    ("external-file", extra("[OPTIONS]\n HYDRAULICS SAVE x.hyd"), "HYDRAULICS SAVE", "note", "x.hyd"),
    ("times", edited(("Duration            6:00", "Duration noon")), "Duration", "error", "noon"),
    (
        "times",
        edited(("Hydraulic Timestep  1:00", "Hydraulic Timestep  0")),
        "Hydraulic Timestep",
        "warning",
        "Hydraulic",
    ),
    (
        "times",
        edited(("Hydraulic Timestep  1:00", "Hydraulic Timestep  -1")),
        "Hydraulic Timestep",
        "error",
        "Hydraulic",
    ),
    ("times", edited(("Duration            6:00", "Duration 1e9")), "Duration", "warning", "1e9"),
    ("undefined-node", edited(("p3  b     c", "p3  b     zz")), "pipe p3", "error", "zz"),
    ("undefined-node", extra("[DEMANDS]\n zz 1"), "node zz", "error", " zz 1"),
    ("undefined-node", extra("[COORDINATES]\n zz 1 1"), "node zz", "note", " zz 1"),
    ("undefined-link", extra("[STATUS]\n zz Closed"), "link zz", "error", " zz"),
    ("undefined-pattern", edited(("b   12    5       day", "b   12    5       zz")), "b", "error", "zz"),
    ("undefined-pattern", extra("[OPTIONS]\n Pattern zz"), "PATTERN", "warning", "zz"),
    ("undefined-curve", edited(("HEAD  k", "HEAD  zz"), base=PUMPED), "pump u1", "error", "zz"),
    ("undefined-curve", edited(("1  6  40  0", "1  6  40  0  zz")), "tank tower", "error", "zz"),
    ("undefined-curve", valve("GPV", "zz"), "valve v", "error", "zz"),
    ("no-source", grid(5).replace(b"[RESERVOIRS]\nr 100\n", b"").replace(b"r n0", b"n1 n0"), "", "error", ""),
    ("unconnected", extra("[JUNCTIONS]\n x 1 1"), "junction x", "error", " x 1"),
    ("island", extra("[JUNCTIONS]\n x 1 1\n y 1 1\n[PIPES]\n q x y 9 100 100"), "junction x", "error", " x 1"),
    (
        "closed-off",
        edited(
            (" p2  a     b      350  200  110  0  Open", " p2  a  b  350  200  110  0  Closed"),
            (" p3  b     c      300  200  110  0  Open", " p3  b  c  300  200  110  0  Closed"),
        ),
        "junction b",
        "warning",
        " b   12",
    ),
    ("closed-off", extra("[STATUS]\n p2 Closed\n p3 Closed"), "junction b", "warning", " b   12"),
    ("dead-end", extra("[JUNCTIONS]\n x 9 2 day\n[PIPES]\n q c x 90 200 110"), "junction x", "note", " x 9"),
    ("coordinates", edited((" d      300  -200\n", "")), "junction d", "note", " d   8"),
    ("coordinates", TOWN[: TOWN.index("[COORD")].encode() + b"[END]\n", "", "note", ""),
    ("same-place", edited((" d      300  -200", " d      300  100")), "junction d", "note", " d   8"),
    ("crossing", extra("[PIPES]\n q  d  tower 900 300 110\n[COORDINATES]\n a 800 -300"), "pipe p2", "note", " p2 "),
    (
        "elevation",
        edited(
            (" b   12 ", " b   0.0"),
            (" a   10 ", " a   900"),
            (" c   9 ", " c   900"),
            ("  350  200", "  50  200"),
            ("  300  200", "  50  200"),
        ),
        "junction b",
        "warning",
        " b   0.0",
    ),
    ("elevation", edited((" b   12 ", " b   9999")), "junction b", "warning", " b   9999"),
    ("zero-length", edited(("  350  200", "  0  200")), "pipe p2", "error", " p2 "),
    ("zero-length", edited(("  350  200", "  -5  200")), "pipe p2", "error", " p2 "),
    ("zero-length", edited(("  350  200", "  0.001  200")), "pipe p2", "warning", " p2 "),
    ("zero-length", edited(("  350  200", "  350000  200")), "pipe p2", "warning", " p2 "),
    ("self-loop", edited(("p3  b     c", "p3  b     b")), "pipe p3", "error", " p3 "),
    ("duplicate-pipe", extra("[PIPES]\n q b a 350 200 110"), "pipe q", "warning", " q b"),
    ("duplicate-pipe", extra("[PIPES]\n q b a 360 100 110"), "pipe q", "note", " q b"),
    ("diameter", edited(("  350  200", "  350  0")), "pipe p2", "error", " p2 "),
    ("diameter", edited(("  350  200", "  350  5")), "pipe p2", "warning", " p2 "),
    ("diameter", edited(("  350  200", "  350  9000")), "pipe p2", "warning", " p2 "),
    ("roughness", edited(("  350  200  110", "  350  200  0")), "pipe p2", "error", " p2 "),
    ("roughness", edited(("  350  200  110", "  350  200  0.1")), "pipe p2", "warning", " p2 "),
    ("roughness", edited(("H-W", "C-M")), "HEADLOSS", "warning", " p1 "),
    ("minor-loss", edited(("350  200  110  0", "350  200  110  9999")), "pipe p2", "warning", " p2 "),
    ("minor-loss", edited(("350  200  110  0", "350  200  110  -1")), "pipe p2", "error", " p2 "),
    ("no-demand", grid(5).replace(b" 0.001", b" 0"), "", "warning", ""),
    ("demand-pattern", FLAT.encode(), "junction b", "note", " b   12"),
    ("demand-double", extra("[DEMANDS]\n b 8 day"), "junction b", "note", " b   12"),
    ("demand-value", LARGE.replace(b"n3 10 0.001", b"n3 10 50"), "junction n3", "warning", "n3 10"),
    ("demand-value", edited((" b   12    5", " b   12    -5")), "junction b", "note", " b   12"),
    ("pattern", extra("[PATTERNS]\n void"), "pattern void", "error", " void"),
    ("pattern", edited(("0.6 0.5", "-0.6 0.5")), "pattern day", "warning", " day"),
    ("pattern", edited(("0.6 0.5", "600 0.5")), "pattern day", "note", " day"),
    ("pattern", extra("[PATTERNS]\n off 0 0 0"), "pattern off", "note", " off"),
    ("pump-curve", edited(("HEAD  k", "SPEED 1"), base=PUMPED), "pump u1", "error", " u1"),
    ("pump-curve", edited(("HEAD  k", "POWER 0"), base=PUMPED), "pump u1", "error", " u1"),
    ("pump-curve", edited((" k  20  40", " k  0  40\n k  20  50"), base=PUMPED), "pump u1", "error", " u1"),
    ("pump-curve", edited((" k  20  40", " k  0  40"), base=PUMPED), "pump u1", "error", " u1"),
    ("pump-curve", edited(("HEAD  k", "HEAD  k  SPEED  9"), base=PUMPED), "pump u1", "warning", " u1"),
    ("curve", extra("[CURVES]\n k 2 1\n k 1 2"), "curve k", "error", " k 2"),
    ("curve", extra("[CURVES]\n k"), "curve k", "error", " k"),
    ("tank", edited(("55  4  1  6", "55  9  1  6")), "tank tower", "error", " tower"),
    ("tank", edited(("  4  1  6  40  0", "  4  1")), "tank tower", "error", " tower"),
    ("tank", edited(("1  6  40", "1  6  0")), "tank tower", "warning", " tower"),
    ("valve", valve("XYZ", "30"), "valve v", "error", " v  b"),
    ("valve", extra("[VALVES]\n v  tower  b  200  PRV  30"), "valve v", "error", " v  tower"),
    ("valve", extra("[VALVES]\n v  b  d  0  TCV  30"), "valve v", "error", " v  b"),
    ("prv", valve("PRV", "0"), "valve v", "warning", " v  b"),
    ("prv", valve("PRV", "30", "[STATUS]\n v 0"), "valve v", "warning", " v  b"),
    ("prv", valve("PRV", "400"), "valve v", "warning", " v  b"),
    ("prv", valve("PRV", "70"), "valve v", "warning", " v  b"),
    ("prv", valve("PRV", "30", "[STATUS]\n v Open"), "valve v", "warning", " v  b"),
    ("prv", valve("PRV", "30", "[STATUS]\n v Closed"), "valve v", "note", " v  b"),
    ("control", extra("[CONTROLS]\n LINK p2 OPEN AT"), "control of p2", "error", " LINK"),
    ("control", extra("[CONTROLS]\n LINK zz OPEN AT TIME 5"), "control of zz", "error", " LINK"),
    ("control", extra("[CONTROLS]\n LINK p2 AJAR AT TIME 5"), "control of p2", "error", " LINK"),
    ("control", extra("[CONTROLS]\n LINK p2 OPEN IF NODE zz BELOW 5"), "control of p2", "error", " LINK"),
    ("rule", extra("[RULES]\nRULE 1\nTHEN LINK p2 STATUS IS OPEN"), "rule 1", "error", "RULE 1"),
    ("rule", extra("[RULES]\nRULE 1\nIF LINK p2 STATUS IS OPEN"), "rule 1", "error", "RULE 1"),
    ("rule", extra("[RULES]\nRULE 1\nIF TANK zz LEVEL > 1\nTHEN LINK p2 STATUS IS OPEN"), "rule 1", "error", "IF TANK"),
    ("contradiction", HOSTILE["cyclic-controls"](), "control of p6", "warning", "OPEN IF"),
    (
        "contradiction",
        extra("[CONTROLS]\nLINK p2 OPEN AT TIME 5\nLINK p2 CLOSED AT TIME 5"),
        "control of p2",
        "warning",
        "CLOSED AT",
    ),
]


@pytest.mark.parametrize(
    ("check", "raw", "element", "severity", "word"), CASES, ids=[f"{k}-{case[0]}" for k, case in enumerate(CASES)]
)
def test_check_hits_its_element_at_its_line(tmp_path, check, raw, element, severity, word):
    found = [f for f in findings(tmp_path, raw) if f.check == check and f.severity == severity]
    assert element in [f.element for f in found]
    hit = next(f for f in found if f.element == element)
    assert hit.reason
    assert hit.mend
    if word:
        assert word in (tmp_path / "model.inp").read_text("latin-1").split("\n")[hit.line - 1]


def test_every_check_has_a_case():
    # cut-short is tried below: it would need a file of 256 MB
    assert {case[0] for case in CASES} == set(CHECKS) - {"cut-short"}


@pytest.mark.parametrize(("limit", "most"), [("MOST_ROWS", 10), ("MOST_BYTES", 300)])
def test_a_file_too_large_to_read_is_said_to_be_cut(tmp_path, monkeypatch, limit, most):
    monkeypatch.setattr(inp_text, limit, most)
    assert "cut-short" in [f.check for f in findings(tmp_path, TOWN.encode())]


@pytest.mark.parametrize("raw", [TOWN.encode(), PUMPED.encode(), TOWN.replace("\n", "\r\n").encode()])
def test_healthy_town_has_no_findings(tmp_path, raw):
    assert findings(tmp_path, raw) == []


def test_only_the_broken_check_speaks(tmp_path):
    """One mistake gives one finding: checks do not echo each other."""
    for raw in (
        edited(("  350  200", "  -5  200")),
        edited(("  350  200  110", "  350  200  0")),
        edited(("55  4  1  6", "55  9  1  6")),
        extra("[CONTROLS]\n LINK zz OPEN AT TIME 5"),
    ):
        assert len(findings(tmp_path, raw)) == 1


@pytest.mark.parametrize("name", ["Net1", "Net2", "Net3"])
def test_healthy_catalogue_networks_have_no_errors(name):
    found = check_model(read_model(find(name)[1]))
    assert [f for f in found if f.severity == "error"] == []


def test_limits_are_those_of_the_units(tmp_path):
    """A pipe of 12 in is healthy, one of 12 mm is healthy, one of 0.2 in is not."""
    american = edited(("LPS", "GPM"), ("  350  200", "  350  0.2"), ("  300", "  12"), ("  200", "  8"))
    hits = [f.element for f in findings(tmp_path, american) if f.check == "diameter"]
    assert hits == ["pipe p2"]


@pytest.mark.parametrize(("law", "good", "bad"), [("D-W", "0.5", "50"), ("C-M", "0.012", "0.1"), ("H-W", "100", "10")])
def test_roughness_follows_the_law(tmp_path, law, good, bad):
    text = TOWN.replace("H-W", law).replace("  110  0", f"  {good}  0").replace("  120  0", f"  {good}  0")
    assert "roughness" not in [f.check for f in findings(tmp_path, text.encode())]
    spoiled = text.replace(f"350  200  {good}", f"350  200  {bad}").encode()
    assert [f.element for f in findings(tmp_path, spoiled) if f.check == "roughness"] == ["pipe p2"]


def test_a_check_that_hits_everything_stops_listing(tmp_path):
    raw = extra("[JUNCTIONS]\n" + " x 1 1\n" * 10_050)
    doubles = [f for f in findings(tmp_path, raw) if f.check == "duplicate-id"]
    assert len(doubles) == 10_001
    assert "left out" in doubles[-1].reason


def test_crossings_equal_those_of_a_slow_search():
    generator = np.random.default_rng(5)
    start = generator.uniform(0.0, 100.0, (150, 2))
    pieces = np.column_stack([start, start + generator.uniform(-15.0, 15.0, (150, 2))])
    ends = generator.integers(0, 200, (150, 2))
    pairs, is_whole = crossings(pieces, np.arange(150), ends)
    assert is_whole
    assert {tuple(pair) for pair in pairs.tolist()} == _slow_crossings(pieces, ends)
    assert len(pairs) > 20


def _slow_crossings(pieces, ends):
    def side(p, q, r):
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    found = set()
    for i, s in enumerate(pieces):
        for j in range(i + 1, len(pieces)):
            a, b, c, d = s[:2], s[2:], pieces[j][:2], pieces[j][2:]
            if set(ends[i]) & set(ends[j]):
                continue
            if side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0:
                found.add((i, j))
    return found


def test_crossings_stop_where_a_drawing_is_too_dense():
    pieces = np.tile([0.0, 0.0, 1.0, 1.0], (1000, 1))
    _, is_whole = crossings(pieces, np.arange(1000), np.arange(2000).reshape(-1, 2), most_pairs=1)
    assert is_whole  # the first block already compares all of them
    _, is_whole = crossings(np.tile(pieces, (4, 1)), np.arange(4000), np.arange(8000).reshape(-1, 2), most_pairs=1)
    assert not is_whole


def test_a_pipe_bends_around_another_by_its_vertices(tmp_path):
    raw = extra("[PIPES]\n q  d  tower 900 300 110\n[COORDINATES]\n a 800 -300\n[VERTICES]\n q 300 -900\n q 1500 -900")
    crossed = {(f.element, f.reason) for f in findings(tmp_path, raw) if f.check == "crossing"}
    assert not any("q" in element + reason for element, reason in crossed)
