"""The record of writes: only ever added to, and every change shows."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scada.audit import Audit
from scada.errors import AuditError


def filled(path: Path, count: int = 5) -> Audit:
    audit = Audit(path / "writes.jsonl")
    for number in range(count):
        audit.append({"event": "intent" if number % 2 == 0 else "result", "id": number // 2, "tag": "тег"})
    return audit


def test_records_come_back_in_order(tmp_path: Path) -> None:
    audit = filled(tmp_path)
    records = audit.records()
    assert [record["n"] for record in records] == [1, 2, 3, 4, 5]
    assert {record["tag"] for record in records} == {"тег"}
    assert [record["id"] for record in audit.unfinished()] == [2]
    assert Audit(tmp_path / "none").records() == []


@pytest.mark.parametrize("line", range(5))
@pytest.mark.parametrize("how", ["change", "remove", "repeat", "blot"])
def test_every_change_shows(tmp_path: Path, line: int, how: str) -> None:
    audit = filled(tmp_path)
    lines = audit.path.read_bytes().splitlines(keepends=True)
    if how == "change":
        lines[line] = lines[line].replace("тег".encode(), "гет".encode())
    elif how == "remove":
        del lines[line]
    elif how == "repeat":
        lines.insert(line, lines[line])
    else:
        lines[line] = b"#" + lines[line][1:]
    audit.path.write_bytes(b"".join(lines))
    if how == "remove" and line == 4:
        assert len(audit.records()) == 4, "a chain cannot tell that its end was cut off"
        return
    with pytest.raises(AuditError) as caught:
        audit.records()
    assert caught.value.line in {line + 1, line + 2}


def test_changed_end_stops_further_records(tmp_path: Path) -> None:
    audit = filled(tmp_path)
    audit.path.write_bytes(audit.path.read_bytes().replace(b'"id":2', b'"id":9'))
    with pytest.raises(AuditError, match="changed"):
        audit.append({"event": "intent"})


@pytest.mark.parametrize("kept", [1, 30, 150])
def test_line_that_a_crash_left_unfinished_stays_and_is_told(tmp_path: Path, kept: int) -> None:
    audit = filled(tmp_path)
    whole, _, last = audit.path.read_bytes().rstrip(b"\n").rpartition(b"\n")
    torn = whole + b"\n" + last[:kept]
    audit.path.write_bytes(torn)
    assert len(audit.records()) == 4
    audit.append({"event": "intent", "id": 7})
    assert [record["event"] for record in audit.records()] == ["intent", "result", "intent", "result", "torn", "intent"]
    assert audit.path.read_bytes().startswith(torn)
    audit.path.write_bytes(audit.path.read_bytes().replace(last[:kept] + b"\n", b"x" + last[1:kept] + b"\n", 1))
    with pytest.raises(AuditError):
        audit.records()


def test_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="cannot be written"):
        Audit(tmp_path / "none" / "a").append({"event": "intent"})


APPENDING = """
import sys
from pathlib import Path
from scada.audit import Audit
audit = Audit(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    audit.append({"event": "intent", "id": f"{sys.argv[3]}-{number}"})
    print(number, flush=True)
"""


def test_programs_that_write_at_once_keep_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "writes.jsonl"
    command = [sys.executable, "-c", APPENDING, str(path), "40"]
    running = [subprocess.Popen([*command, name], stdout=subprocess.DEVNULL) for name in "abc"]
    assert [program.wait(timeout=60) for program in running] == [0, 0, 0]
    records = Audit(path).records()
    assert len({record["id"] for record in records}) == len(records) == 120


def test_program_that_is_killed_loses_nothing_it_was_told_is_written(tmp_path: Path) -> None:
    path = tmp_path / "writes.jsonl"
    program = subprocess.Popen([sys.executable, "-c", APPENDING, str(path), "100000", "k"], stdout=subprocess.PIPE)
    assert program.stdout is not None
    for _ in range(20):
        program.stdout.readline()
    os.kill(program.pid, signal.SIGKILL)
    told = 20 + len(program.stdout.read().splitlines())
    program.stdout.close()
    program.wait(timeout=10)
    audit = Audit(path)
    assert len(audit.records()) >= told
    audit.append({"event": "result"})
    assert audit.records()[-1]["event"] == "result"
