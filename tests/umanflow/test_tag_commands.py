"""`umanflow tags`, `write` and `audit` as a user meets them, and what `poll` puts on the wire."""

import asyncio
import io
import json
import os
import re
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from scada.plc.stations import pump_station
from scada.tag import Tag
from scada.tags import read_tags, write_tags
from umanflow.cli import main

ROOT = Path(__file__).parents[2]
CONFIG = """
network = "Net1"
[tags]
file = "tags.csv"
[[devices]]
name = "ps-1"
url = "tcp://127.0.0.1:{port}"
timeout_s = 1.0
"""
WRITING = """
[writing]
enabled = {enabled}
settle_s = 0.1
[[writing.allow]]
tag = "ps-1.pressure_setpoint"
min = 20
max = 60
"""


def umanflow(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process: a start of its own takes a second each."""
    argv, out, err = sys.argv, io.StringIO(), io.StringIO()
    sys.argv = ["umanflow", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = argv
    return subprocess.CompletedProcess(sys.argv, int(ended.value.code or 0), out.getvalue(), err.getvalue())


def in_a_process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "umanflow", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert all(word in result.stderr for word in words), result.stderr


class Plc:
    """A device with registers that remembers every request's function and takes writes."""

    def __init__(self) -> None:
        self.port = 0
        self.functions: list[int] = []
        self.words: dict[int, int] = {0: 4500}
        self.is_silent_on_writes = False

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                number, _, length = struct.unpack(">HHH", await reader.readexactly(6))
                unit, function, start, count = struct.unpack(">BBHH", (await reader.readexactly(length))[:6])
                self.functions.append(function)
                if function == 6 and self.is_silent_on_writes:
                    continue
                if function == 6:
                    self.words[start] = count
                    body = struct.pack(">BBHH", unit, function, start, count)
                else:
                    words = [self.words.get(start + k, 0) for k in range(count)]
                    data = bytes((count + 7) // 8) if function < 3 else struct.pack(f">{count}H", *words)
                    body = struct.pack(">BBB", unit, function, len(data)) + data
                writer.write(struct.pack(">HHH", number, 0, len(body)) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@contextmanager
def a_plc() -> Iterator[Plc]:
    plc, ready = Plc(), threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(plc.serve(ready, stop)))
    thread.start()
    assert ready.wait(10)
    try:
        yield plc
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()


def plant(folder: Path, port: int, writing: str = "") -> Path:
    write_tags(folder / "tags.csv", pump_station("ps-1", {"flow": "9"}, interval_s=1.0))
    config = folder / "umanflow.toml"
    config.write_text(CONFIG.format(port=port) + writing)
    return config


def test_check_tells_everything_at_once_and_warnings_are_no_failure(tmp_path: Path) -> None:
    config = plant(tmp_path, 502)
    good = umanflow("tags", "check", tmp_path / "tags.csv", "--config", config)
    assert (good.returncode, good.stderr) == (0, "")
    assert "0 errors, 0 warnings" in good.stdout
    file = tmp_path / "bad.csv"
    rows = "a,ps-2,input,0,float32,bar,flow\nb,ps-1,input,x,uint16,,\nc,ps-1,input,3,uint16,,,\n"
    file.write_text("name,device,table,address,type,unit,quantity\n" + rows)
    bad = umanflow("tags", "check", file, "--config", config)
    refused(bad, "bad.csv", "3 errors")
    assert all(word in bad.stdout for word in ("'ps-2' is not configured", "'bar' does not fit", "'x' is no whole"))
    answer = json.loads(umanflow("tags", "check", file, "--config", config, "--json").stdout)
    assert [(row["line"], row["severity"]) for row in answer["findings"]] == [(2, "error"), (2, "error"), (3, "error")]
    assert answer["errors"] == 3
    file.write_text("name,device,table,address,type,unit,quantity,element\na,ps-1,input,0,float32,m,pressure,nowhere\n")
    warned = umanflow("tags", "check", file, "--config", config)
    assert (warned.returncode, "not in the network" in warned.stdout) == (0, True)


def test_import_and_export_through_files(tmp_path: Path) -> None:
    config = plant(tmp_path, 502)
    conf, back = tmp_path / "telegraf.conf", tmp_path / "back.toml"
    done = umanflow("tags", "export", tmp_path / "tags.csv", "-o", conf, "--config", config)
    assert done.returncode == 0, done.stderr
    done = umanflow("tags", "import", conf, "-o", back)
    assert done.returncode == 0, done.stdout
    assert 'url = "tcp://127.0.0.1:502"' in done.stdout
    ours = {tag.name: tag for tag in read_tags(tmp_path / "tags.csv")}
    theirs = {tag.name: tag for tag in read_tags(back)}
    assert ours.keys() == theirs.keys()
    for name, tag in theirs.items():
        kept = ("table", "address", "type", "order", "bit", "scale", "interval_s")
        assert [getattr(tag, key) for key in kept] == [getattr(ours[name], key) for key in kept]
    partly = tmp_path / "part.conf"
    partly.write_text(conf.read_text().replace('type="FLOAT32"', 'type="FLOAT16"', 1))
    done = umanflow("tags", "import", partly, "-o", tmp_path / "p.csv", "--json")
    refused(done, "1 row not taken")
    assert len(read_tags(tmp_path / "p.csv")) == len(ours) - 1
    refused(umanflow("tags", "import", tmp_path / "tags.toml", "-o", tmp_path / "x.csv"), "cannot be read")
    refused(umanflow("tags", "check", tmp_path / "none.csv"), "none.csv", "1 error")
    refused(umanflow("tags", "export", tmp_path / "tags.csv", "-o", tmp_path / "x.xls"), "--format")


def test_poll_sends_functions_1_to_4_and_nothing_else(tmp_path: Path) -> None:
    """A real process against a real socket that would take a write, with writing enabled in the configuration."""
    with a_plc() as plc:
        config = plant(tmp_path, plc.port, WRITING.format(enabled="true"))
        done = in_a_process("poll", "--config", config, "--duration", "4", "--status", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[0]["good"] > 0
        assert set(plc.functions) == {1, 2, 3, 4}
        assert not (tmp_path / "writes.jsonl").exists()


def test_no_source_but_one_can_write() -> None:
    word = re.compile(r"Write\w*Request|write_(coil|register)s?\b|writelink|function_code = (5|6|15|16|22|23)\b")
    ours = [path for path in (ROOT / "scada").rglob("*.py") if path.parent.name != "plc"]  # PLCs are written to
    found = {path.name for path in ours if word.search(path.read_text("utf-8"))}
    assert found == {"writelink.py", "writer.py"}


def test_write_needs_both_switches_and_is_on_record(tmp_path: Path) -> None:
    with a_plc() as plc:
        order = ("write", "ps-1.pressure_setpoint", "42.5", "--config")
        refused(umanflow(*order, plant(tmp_path, plc.port), "--write"), "writing is off")
        refused(umanflow(*order, plant(tmp_path, plc.port, WRITING.format(enabled="false")), "--write"), "is off")
        config = plant(tmp_path, plc.port, WRITING.format(enabled="true"))
        refused(umanflow(*order, config), "add --write")
        refused(umanflow("write", "ps-1.pressure_setpoint", "99", "--config", config, "--write"), "outside 20 to 60")
        refused(umanflow("write", "ps-1.pump1_command", "1", "--config", config, "--write"), "not on the list")
        refused(umanflow("write", "ps-1.pressure_setpoint", "much", "--config", config, "--write"), "no number")
        assert 6 not in plc.functions
        done = in_a_process(*order, config, "--write", "--why", "night", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"tag": order[1], "old": 45.0, "new": 42.5, "read_back": 42.5}
        assert plc.words[0] == 4250
    listed = umanflow("audit", "--config", config)
    assert (listed.returncode, "the chain is whole" in listed.stdout) == (0, True)
    records = json.loads(umanflow("audit", "--config", config, "--json").stdout)["records"]
    assert [record["event"] for record in records] == ["refused", "refused", "intent", "result"]
    assert records[2]["why"] == "night"
    trail = tmp_path / "writes.jsonl"
    trail.write_text(trail.read_text().replace("night", "right"))
    refused(umanflow("audit", "--config", config), "writes.jsonl:3", "changed")


def test_write_during_which_the_program_was_killed_is_visible(tmp_path: Path) -> None:
    with a_plc() as plc:
        plc.is_silent_on_writes = True
        config = plant(tmp_path, plc.port, WRITING.format(enabled="true"))
        config.write_text(config.read_text().replace("timeout_s = 1.0", "timeout_s = 60.0"))
        arguments = ["write", "ps-1.pressure_setpoint", "42.5", "--config", str(config), "--write"]
        program = subprocess.Popen([sys.executable, "-m", "umanflow", *arguments])
        deadline = time.monotonic() + 60
        while 6 not in plc.functions and time.monotonic() < deadline:
            time.sleep(0.02)
        program.kill()
        program.wait(timeout=10)
    listed = umanflow("audit", "--config", config)
    assert listed.returncode == 0
    assert "records: 1, the chain is whole, 1 of them without a result: look at the device" in listed.stdout


def test_steady_values_are_left_out_and_text_is_exported(tmp_path: Path) -> None:
    with a_plc() as plc:
        plc.words.update({10: 0x5053, 11: 0x2D31})
        config = plant(tmp_path, plc.port)
        tags = [
            Tag("steady", "ps-1", "input", 0, "uint16", interval_s=0.5, deadband=1.0),
            Tag("name", "ps-1", "input", 10, "string4", interval_s=0.5),
        ]
        write_tags(tmp_path / "tags.csv", tags)
        assert umanflow("poll", "--config", config, "--duration", "4").returncode == 0
    out = tmp_path / "samples.csv"
    assert umanflow("history", "export", "--config", config, "-o", out).returncode == 0
    lines = [line.split(",") for line in out.read_text().splitlines()[1:]]
    steady = [line[4] for line in lines if line[1] == "steady"]
    assert steady == ["", "unchanged"]
    assert {line[4] for line in lines if line[1] == "name"} == {"text: PS-1"}
    assert len([line for line in lines if line[1] == "name"]) > 4


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_record_of_writes_is_not_for_everybody(tmp_path: Path) -> None:
    from scada.audit import Audit

    Audit(tmp_path / "a.jsonl").append({"event": "intent"})
    assert (tmp_path / "a.jsonl").stat().st_mode & 0o007 == 0
