"""`umanflow poll` as an operator uses it: the plan's traffic, a status from another terminal, metrics, log lines."""

import asyncio
import io
import json
import os
import signal
import socket
import sys
import time
import urllib.request
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest

from scada.clock import SystemClock
from scada.endpoint import parse_url
from scada.plan import plan
from scada.reader import Reader
from scada.sample import Sample
from scada.tag import Tag
from scada.tags import write_tags
from scada.traffic import Traffic, reply_bytes, request_bytes, traffic_of
from tests.scada.wire import Asked, own_addresses, serving
from umanflow import pollstatus
from umanflow.cli import main
from umanflow.config import read_config
from umanflow.errors import UserError
from umanflow.pollstatus import StatusFile, headline, read_status, status_rows

TAGS = [
    *(Tag(f"a.{n}", "a", "input", 3 * n, "uint16", interval_s=0.5) for n in range(20)),
    *(Tag(f"a.bit{n}", "a", "discrete", n, "bool", interval_s=2.0) for n in range(11)),
    Tag("b.0", "b", "holding", 7, "float32", interval_s=0.5),
]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def write_plant(folder: Path, port: int, more: str = "") -> Path:
    write_tags(folder / "tags.csv", TAGS)
    dead = free_port()
    config = folder / "umanflow.toml"
    config.write_text(
        f'network = "Net1"\n{more}\n'
        f'[[devices]]\nname = "a"\nurl = "tcp://127.0.0.1:{port}"\nmax_registers = 40\nmax_gap = 2\nmax_bits = 8\n'
        f'[[devices]]\nname = "b"\nurl = "tcp://127.0.0.1:{dead}"\n'
    )
    return config


def umanflow(*arguments: str | Path) -> tuple[int, str, str]:
    """Run the command line in this process: a start of its own takes a second each."""
    argv, out, err = sys.argv, io.StringIO(), io.StringIO()
    sys.argv = ["umanflow", "poll", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as done:
            main()
    finally:
        sys.argv = argv
    return int(done.value.code or 0), out.getvalue(), err.getvalue()


async def start(*arguments: str | Path) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "umanflow", "poll", *map(str, arguments)]
    return await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


def test_status_of_a_running_poller_metrics_and_log(tmp_path: Path) -> None:
    at = free_port()

    async def run() -> None:
        async with serving() as server:
            config = write_plant(tmp_path, server.port, f'[metrics]\nlisten = ":{at}"')
            code, _, err = umanflow("--config", config, "--status")
            assert code == 2
            assert "nothing has polled" in err
            assert len(err.strip().splitlines()) == 1
            assert not server.asked, "asking for the status polls nobody"

            poller = await start("--config", config, "--log-format", "json")
            seen = await until_read(tmp_path / "poll-status.json")
            assert seen["process"] == poller.pid
            code, out, err = umanflow("--config", config, "--status", "--json")
            assert code == 0, err
            rows = {row["device"]: row for row in json.loads(out)}
            assert rows["a"]["state"] == "connected"
            assert rows["a"]["good"] > 0
            assert rows["a"]["lost"] == rows["b"]["good"] == 0
            assert rows["a"]["p50 ms"] > 0
            assert rows["a"]["p99 ms"] >= rows["a"]["p50 ms"]
            assert rows["a"]["queued"] == 0
            assert rows["a"]["last good"].startswith("20")
            assert rows["b"]["state"] == "backing off"
            assert rows["b"]["errors"].startswith("refused ")
            assert rows["b"]["last good"] is None
            assert all(row["polling"] and 0 <= row["age s"] < 30 for row in rows.values())
            text = await asyncio.to_thread(lambda: urllib.request.urlopen(f"http://127.0.0.1:{at}/metrics").read())
            assert b'umanflow_samples_total{device="a",quality="good"}' in text
            poller.send_signal(signal.SIGTERM)
            code, _, err = await ended(poller)
            assert code == 0, err
            lines = [json.loads(line) for line in err.splitlines()]
            assert {line["level"] for line in lines} == {"info", "warning"}
            failed = [line for line in lines if line.get("event") == "failed"]
            assert [(line["device"], line["unit"], line["kind"]) for line in failed] == [("b", 1, "refused")]
            code, out, _ = umanflow("--config", config, "--status")
            assert code == 0
            assert out.startswith("polling ended")
            assert {asked.function for asked in server.asked} == {2, 4}

    asyncio.run(run())


async def until_read(path: Path) -> dict:
    """Wait for a status in which something was read."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        if path.exists():
            found = json.loads(path.read_text())
            if found["devices"][0]["good"] and found["devices"][1]["requests"]:
                return found
        await asyncio.sleep(0.1)
    raise AssertionError("nothing was read")


def test_end_of_a_run_prints_its_figures_and_the_level_keeps_the_log_short(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving() as server:
            config = write_plant(tmp_path, server.port, '[metrics]\nstatus = ""')
            options = ("--duration", "1.5", "--status", "--log-level", "error")
            code, out, err = await ended(await start("--config", config, *options))
            assert (code, err) == (0, "")
            assert out.startswith("polling ended 0 s ago")
            assert " stored, 0 wait in memory, 0 on disk (0 bytes)" in out.splitlines()[0]
            assert out.splitlines()[2].split()[:2] == ["a", "connected"]
            assert not (tmp_path / "poll-status.json").exists()
            code, _, err = umanflow("--config", config, "--status")
            assert code == 2
            assert "[metrics] status is empty" in err

    asyncio.run(run())


def test_plan_tells_the_traffic_that_comes(tmp_path: Path) -> None:
    """What is told before is what a device counts."""

    async def run() -> None:
        replied: list[int] = []

        async def counting(asked: Asked) -> bytes | None:
            reply = await own_addresses(asked)
            replied.append(len(reply or b""))
            return reply

        async with serving(counting) as server:
            config = write_plant(tmp_path, server.port)
            code, out, err = umanflow("--config", config, "--plan", "--json")
            assert code == 0, err
            assert not server.asked
            rows = [row for row in json.loads(out) if row["device"] == "a"]
            # 58 addresses at most 40 at once, 11 bits at most 8 at once
            assert [(row["table"], row["start"], row["count"]) for row in rows] == [
                ("discrete", 0, 8),
                ("discrete", 8, 3),
                ("input", 0, 40),
                ("input", 42, 16),
            ]
            code, out, _ = umanflow("--config", config, "--plan")
            total = out.splitlines()[-1].split()
            assert total[0] == "total"
            # a: 2 requests in half a second and 2 in two seconds; b: one in half a second
            assert float(total[2]) == 2 * 2 + 2 / 2 + 2
            assert float(total[4]) == 12 * 7
            settings = [device.settings() for device in read_config(config).devices]
            clock = SystemClock()
            reader = Reader(settings, TAGS, clock, list[Sample]().extend)
            await reader.run(until_ms=clock.now_ms() + 4000)
            by_start: dict[tuple[int, int], int] = {}
            for asked, length in zip(server.asked, replied, strict=True):
                by_start[asked.function, asked.start] = length
            for row in rows:
                function = {"input": 4, "discrete": 2}[row["table"]]
                assert by_start[function, row["start"]] == row["bytes_in_per_s"] / row["requests_per_s"]
                times = sum((a.function, a.start) == (function, row["start"]) for a in server.asked)
                assert times == pytest.approx(4 * row["requests_per_s"], abs=1)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "out", "back", "share"),
    [
        ("tcp://x", 12, 9 + 20, 0.0),
        ("tls://x", 12 + 22, 9 + 20 + 22, 0.0),
        ("rtu+tcp://x", 8, 5 + 20, 0.0),
        # 33 characters of 11 bits, and twice the silence of 3.5
        ("rtu:///dev/x?baud=9600&parity=E&stopbits=1", 8, 25, (33 + 7) * 11 / 9600 / 2),
    ],
)
def test_bytes_of_each_transport(url: str, out: int, back: int, share: float) -> None:
    tags = [Tag(f"t{n}", "d", "input", n, "uint16", interval_s=2.0) for n in range(10)]
    endpoint = parse_url(url)
    (request,) = plan(tags)
    assert (request_bytes(endpoint), reply_bytes(request, endpoint)) == (out, back)
    one = traffic_of([request], endpoint)
    assert one == Traffic(0.5, 5.0, out / 2, back / 2, pytest.approx(share))
    assert (one + one).requests == 1.0
    bits = [replace(tag, table="coil", type="bool") for tag in tags]
    assert reply_bytes(plan(bits)[0], endpoint) == back - 20 + 2


def test_status_tells_when_nobody_polls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.json"
    store = {"name": "h.db", "is_away": True, "waiting": 3, "spool_samples": 4, "spool_bytes": 9, "stored": 7}
    store |= {"dropped": 2, "last_error": ""}
    found = {"written_ms": 1_000_000, "since_ms": 0, "is_running": True, "process": os.getpid()}
    found |= {"devices": [], "historian": store}
    path.write_text(json.dumps(found))
    monkeypatch.setattr(pollstatus, "_now_ms", lambda: 1_004_000)
    assert headline(read_status(path)).startswith("polling, figures of 4 s ago")
    assert "which is AWAY" in headline(found)
    assert "2 dropped" in headline(found)
    monkeypatch.setattr(pollstatus, "_now_ms", lambda: 1_090_000)
    assert headline(found).startswith("NOBODY POLLS: the last news is 90 s old")
    monkeypatch.setattr(pollstatus, "_now_ms", lambda: 1_004_000)
    if os.name == "posix":
        gone = {**found, "process": 2**22 + 1}  # beyond any that Linux gives
        assert headline(gone).startswith("NOBODY POLLS")
        assert status_rows(gone) == []
    for text in ("no json", "[]", "{}"):
        path.write_text(text)
        with pytest.raises(UserError, match="no status of a poller"):
            read_status(path)


def test_status_file_is_whole_final_and_no_reason_to_stop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "s.json"
    file = StatusFile(path, lambda is_running: {"is_running": is_running, "devices": []})
    file.write(True)
    assert read_status(path)["is_running"]
    file.write(False)
    file.write(True)  # a turn that was under way
    assert not read_status(path)["is_running"]
    assert list(tmp_path.iterdir()) == [path]
    nowhere = StatusFile(tmp_path / "none" / "s.json", lambda is_running: {})
    for _ in range(3):
        nowhere.write(True)
    assert [record.getMessage() for record in caplog.records] == [
        f"status is not written: {tmp_path / 'none' / 's.json'}: No such file or directory"
    ]


@pytest.mark.parametrize("listen", ["9464", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000", "x:y"])
def test_metrics_settings_that_cannot_be_used_are_told(tmp_path: Path, listen: str) -> None:
    config = write_plant(tmp_path, 502, f'[metrics]\nlisten = "{listen}"')
    code, _, err = umanflow("--config", config, "--duration", "1")
    assert code == 2
    assert "no address and port; write 127.0.0.1:9464" in err
    assert len(err.strip().splitlines()) == 1


def test_metrics_listen_at_home_unless_told_otherwise(tmp_path: Path) -> None:
    assert read_config(write_plant(tmp_path, 502)).metrics.address is None
    for listen, address in [(":9464", ("127.0.0.1", 9464)), ("0.0.0.0:1", ("0.0.0.0", 1)), ("[::1]:2", ("::1", 2))]:
        config = write_plant(tmp_path, 502, f'[metrics]\nlisten = "{listen}"')
        assert read_config(config).metrics.address == address
