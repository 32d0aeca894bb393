"""`umanflow networks check` as a user meets it, and a hundred hostile files."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hydro.check import CHECKS as RUN_CHECKS
from networks import UnknownNetwork
from networks.check import CHECKS
from tests.hostile import HOSTILE, TOWN, edited, extra
from umanflow.checking import check_file
from umanflow.errors import UserError


def umanflow(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "umanflow", "networks", "check", *arguments],
        capture_output=True, text=True, encoding="utf-8", cwd=cwd, timeout=120.0,
    )  # fmt: skip


@pytest.fixture
def broken(tmp_path):
    file = tmp_path / "broken.inp"
    file.write_bytes(edited(("  350  200", "  -350  200"), ("  300  200", "  300  5")))
    return file


def test_table_names_severity_check_element_reason_mend_and_line(broken):
    result = umanflow(str(broken))
    assert result.returncode == 0
    row = next(line for line in result.stdout.splitlines() if "zero-length" in line)
    for word in ("error", "pipe p2", "-350 m", "not above zero", "true length", "[PIPES] line 19"):
        assert word in row
    assert "broken: 6 nodes, 6 links; 1 error, 1 warning, 0 notes" in result.stdout
    assert result.stderr == ""


def test_json_holds_every_field(broken):
    result = umanflow(str(broken), "--json")
    answer = json.loads(result.stdout)
    assert (answer["errors"], answer["warnings"], answer["notes"]) == (1, 1, 0)
    assert answer["findings"][0] == {
        "check": "zero-length", "severity": "error", "element": "pipe p2", "value": "-350 m",
        "reason": "the length is not above zero", "mend": "give the true length, or join the two nodes",
        "section": "[PIPES]", "line": 19,
    }  # fmt: skip


@pytest.mark.parametrize(("fail_on", "code"), [("never", 0), ("warning", 1), ("error", 1)])
def test_fail_on_decides_the_exit_code(broken, fail_on, code):
    assert umanflow(str(broken), "--fail-on", fail_on).returncode == code


def test_a_warning_does_not_fail_on_error(tmp_path):
    file = tmp_path / "x.inp"
    file.write_bytes(edited(("  300  200", "  300  5")))
    assert umanflow(str(file), "--fail-on", "error").returncode == 0


def test_table_shows_a_few_of_each_check_and_json_all(tmp_path):
    file = tmp_path / "x.inp"
    file.write_bytes(HOSTILE["parallel-1000"]())
    result = umanflow(str(file), "--rows", "3")
    assert result.stdout.count("duplicate-pipe") == 4
    assert "and 997 more" in result.stdout
    findings = json.loads(umanflow(str(file), "--json").stdout)["findings"]
    assert sum(f["check"] == "duplicate-pipe" for f in findings) == 1000


def test_catalogue_names_are_checked_too():
    answer = json.loads(umanflow("net1", "--json").stdout)
    assert (answer["network"], answer["errors"]) == ("Net1", 0)


@pytest.mark.parametrize("name", ["nosuch.inp", "."])
def test_what_cannot_be_opened_is_refused_in_one_line(tmp_path, name):
    result = umanflow(name, cwd=tmp_path) if name == "." else umanflow(name)
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="directory"):
        check_file(str(tmp_path))
    with pytest.raises(UnknownNetwork):
        check_file(str(tmp_path / "nosuch.inp"))
    if Path("/dev/zero").exists():
        with pytest.raises(UserError, match="regular"):
            check_file("/dev/zero")


def test_control_characters_never_reach_the_terminal(tmp_path):
    file = tmp_path / "x.inp"
    file.write_bytes(HOSTILE["control-characters"]())
    for arguments in ((), ("--json",)):
        result = umanflow(str(file), *arguments)
        assert result.returncode == 0
        assert "\x1b" not in result.stdout
        assert "\x07" not in result.stdout


def test_help_has_an_example():
    assert "Example: umanflow networks check" in umanflow("--help").stdout


def test_there_are_many_hostile_files():
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_gives_a_clear_finding_in_time(tmp_path, name):
    file = tmp_path / "hostile.inp"
    file.write_bytes(HOSTILE[name]())
    begin = time.monotonic()
    report = check_file(str(file))
    assert time.monotonic() - begin < 180.0  # other tests run beside it
    assert report.findings
    for finding in report.findings:
        assert finding.check not in ("check-failed", "epanet-dies")
        assert finding.reason.isprintable()
        assert finding.element.isprintable()
        assert finding.mend
    assert "Traceback" not in json.dumps([f.as_dict() for f in report.findings])


def test_the_document_lists_every_check_and_its_mend():
    text = (Path(__file__).parents[2] / "docs" / "model-check.md").read_text("utf-8")
    for check in CHECKS.values():
        assert f"| `{check.name}` | {check.severity} |" in text
        assert check.mend in text
    for name, (_, mend) in RUN_CHECKS.items():
        assert f"| `{name}` |" in text
        assert mend in text


def test_healthy_town_is_said_to_be_healthy(tmp_path):
    file = tmp_path / "town.inp"
    file.write_text(TOWN, "utf-8")
    assert check_file(str(file)).findings == []
    file.write_bytes(extra("; a comment more"))
    assert check_file(str(file)).findings == []


def test_the_check_starts_without_wntr():
    program = "import sys; from umanflow.checking import check_file; check_file('Net1'); print('wntr' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60.0)
    assert result.stdout.strip() == "False"
