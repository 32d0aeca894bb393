"""`umanflow alarms`, and `umanflow poll` with alarms: a device on a socket, a poller in a process of its own."""

import asyncio
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pandas as pd
import pytest

from scada.alarms import Alarm
from scada.alarms.tables import write_alarms
from scada.historian import open_historian
from scada.tag import Tag
from scada.tags import write_tags
from tests.scada.wire import Asked, WireServer, registers
from umanflow.cli import main
from umanflow.cli.alarms import read_duration
from umanflow.errors import UserError

CONFIG = """
network = "Net1"
language = "uk"
[tags]
file = "tags.csv"
[alarms]
file = "alarms.csv"
away_delay_s = 3
[[devices]]
name = "a"
url = "tcp://127.0.0.1:{port}"
unit = 1
timeout_s = 0.3
[[devices]]
name = "b"
url = "tcp://127.0.0.1:{port}"
unit = 2
timeout_s = 0.3
"""
TAGS = [
    Tag(f"{device}.{name}", device, "input", address, "uint16", interval_s=0.5)
    for device in "ab"
    for address, name in enumerate(("flow", "level", "power", "speed"))
]
ALARMS = [
    Alarm("a.flow", "H", limit=50.0, priority="high", text_uk="велика витрата", text_en="high flow", action_uk="дій"),
    Alarm("a.level", "H", limit=50.0, text_uk="рівень", text_en="level", action_uk="дій", action_en="act"),
    *(Alarm(tag.name, "bad", text_uk="немає", text_en="missing") for tag in TAGS),
]


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


def refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert all(word in result.stderr for word in words), result.stderr


class Plant:
    """A device in a thread; a test sets its registers and lets it go."""

    def __init__(self) -> None:
        self.words = [0, 0, 0, 0]
        self._loop = asyncio.new_event_loop()
        self._server = WireServer(self._answer)
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._do(self._server.start())

    async def _answer(self, asked: Asked) -> bytes:
        return registers(asked, self.words[asked.start : asked.start + asked.count])

    def _do(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    @property
    def port(self) -> int:
        return self._server.port

    def go_away(self) -> None:
        self._do(self._server.stop())

    def come_back(self) -> None:
        self._do(self._server.start())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def plant() -> Iterator[Plant]:
    found = Plant()
    yield found
    found.go_away()
    found.close()


def configure(folder: Path, port: int) -> Path:
    write_tags(folder / "tags.csv", TAGS)
    write_alarms(folder / "alarms.csv", ALARMS)
    (folder / "umanflow.toml").write_text(CONFIG.format(port=port))
    return folder / "umanflow.toml"


@contextmanager
def polling(config: Path, end: signal.Signals = signal.SIGTERM) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "umanflow", "poll", "--config", str(config), "--duration", "120"]
    with subprocess.Popen(command) as poller:
        try:
            yield poller
        finally:
            os.kill(poller.pid, end)
            poller.wait(30)


def states(config: Path, *options: str) -> dict[str, str]:
    result = umanflow("alarms", "list", "--config", config, "--json", *options)
    assert result.returncode == 0, result.stderr
    return {row["alarm"]: row["state"] for row in json.loads(result.stdout)}


def wait_for(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_day_of_a_dispatcher(tmp_path: Path, plant: Plant) -> None:
    """An alarm comes and is answered from other processes; all outlives a kill, even with the database locked.

    Then everything behind the gateway falls silent: one alarm.
    """
    config = configure(tmp_path, plant.port)
    who = ("--config", config, "--who", "О. Коваль")
    waiting, gateway = tmp_path / "history.db.alarms", f"tcp://127.0.0.1:{plant.port}/away"
    with polling(config, signal.SIGKILL):
        plant.words[0] = 60
        wait_for(lambda: states(config) == {"a.flow/H": "unacknowledged"})
        refused(umanflow("poll", "--config", config, "--duration", "1"), "another program evaluates these alarms")
        done = umanflow("alarms", "ack", "a.flow/H", *who)
        assert (done.returncode, done.stdout) == (0, "a.flow/H: acknowledge done\n")
        refused(umanflow("alarms", "ack", "a.flow/H", *who), "is acknowledged: there is nothing to acknowledge")
        plant.words[0] = 0
        wait_for(lambda: states(config) == {})
        plant.words[0] = 60
        wait_for(lambda: states(config) == {"a.flow/H": "unacknowledged"})
        assert umanflow("alarms", "shelve", "a.flow/H", *who, "--why", "роботи", "--for", "2h").returncode == 0
        taken = umanflow("alarms", "out-of-service", "b.flow/bad", *who, "--why", "лічильник знято")
        assert taken.returncode == 0, taken.stderr
        with closing(sqlite3.connect(tmp_path / "history.db", isolation_level=None, timeout=30.0)) as other:
            other.execute("BEGIN IMMEDIATE")
            plant.words[1] = 60
            wait_for(lambda: b"a.level/H" in waiting.read_bytes())
    expected = {"a.flow/H": "shelved", "b.flow/bad": "out-of-service"}
    waits = umanflow("alarms", "return-to-service", "b.flow/bad", *who)
    assert (waits.returncode, "waits for umanflow poll" in waits.stdout) == (0, True)
    assert states(config) in (expected, {**expected, "a.level/H": "unacknowledged"})
    with polling(config):
        expected = {"a.flow/H": "shelved", "a.level/H": "unacknowledged"}
        wait_for(lambda: states(config) == expected)  # what was left for it, and what its forerunner could not tell
        plant.go_away()
        wait_for(lambda: states(config) == {**expected, gateway: "unacknowledged"})
        follow = {"a/away", "b/away", *(f"{tag.name}/bad" for tag in TAGS)}
        wait_for(lambda: {name for name, state in states(config, "--all").items() if state == "suppressed"} == follow)
        rows = json.loads(umanflow("alarms", "list", "--config", config, "--json").stdout)
        assert {row["alarm"]: row["suppresses"] for row in rows} == {**dict.fromkeys(expected), gateway: len(follow)}
        plant.come_back()
        wait_for(lambda: states(config) == {**expected, gateway: "returned"})
    assert not waiting.exists()
    told = json.loads(umanflow("alarms", "journal", "--config", config, "--json").stdout)
    shelved = next(row for row in told if row["event"] == "shelve")
    assert (shelved["who"], shelved["why"], shelved["after"]) == ("О. Коваль", "роботи", "shelved")
    assert pd.Timestamp(shelved["until"]) - pd.Timestamp(shelved["time"]) == pd.Timedelta("2h")
    came = [row["alarm"] for row in told if row["after"] == "unacknowledged" != row["before"]]
    assert came == ["a.flow/H", "a.flow/H", "a.level/H", gateway]


def test_commands_are_checked_before_they_are_left(tmp_path: Path) -> None:
    config = configure(tmp_path, 1)
    given = ("--config", config, "--who", "Ivan")
    refused(umanflow("alarms", "ack", "a.flow/HH", *given), "there is no alarm 'a.flow/HH'", "list --all")
    refused(umanflow("alarms", "ack", "a.flow", *given), "use a.flow/H, a.flow/bad")
    refused(umanflow("alarms", "shelve", "a.flow/H", *given, "--why", "x"), "--for 2h")
    refused(umanflow("alarms", "shelve", "a.flow/H", *given, "--for", "2h"), "needs a reason")
    refused(umanflow("alarms", "shelve", "a.flow/H", *given, "--for", "30h", "--why", "x"), "up to 24 h")
    refused(umanflow("alarms", "shelve", "a.flow/H", *given, "--for", "long", "--why", "x"), "'long' is no time")
    refused(umanflow("alarms", "suppress", "a.flow/H", *given), "needs a reason")
    refused(umanflow("alarms", "ack", "a.flow/H", "--config", config, "--who", " "), "a person's name")
    refused(umanflow("alarms", "ack", "a.flow/H", "--config", config), "--who")
    store = open_historian(f"sqlite:///{tmp_path}/history.db")
    assert store.alarms.waiting() == []
    store.close()


def test_every_command_has_help_with_an_example() -> None:
    from umanflow.cli.alarms import app

    names = [command.name for command in app.registered_commands]
    assert len(names) == 13
    for name in names:
        result = umanflow("alarms", str(name), "--help")
        assert result.returncode == 0
        assert f"Example: umanflow alarms {name}" in result.stdout


def test_durations() -> None:
    wanted = {"90s": 90.0, "30m": 1800.0, "2h": 7200.0, "1,5 h": 5400.0, "1d": 86400.0, "45": 45.0}
    assert {text: read_duration(text) for text in wanted} == wanted
    with pytest.raises(UserError):
        read_duration("-2h")


def test_a_table_with_mistakes_is_not_polled_with(tmp_path: Path) -> None:
    config = configure(tmp_path, 1)
    good = umanflow("alarms", "check", tmp_path / "alarms.csv", "--config", config)
    assert (good.returncode, good.stderr) == (0, "")
    assert "10 good rows, 8 tags; 0 errors" in good.stdout
    write_alarms(tmp_path / "alarms.csv", [*ALARMS, Alarm("c.flow", "H"), Alarm("a.flow", "X")])
    bad = umanflow("alarms", "check", tmp_path / "alarms.csv", "--config", config, "--json")
    refused(bad, "alarms.csv", "3 errors")
    found = json.loads(bad.stdout)
    assert [(row["line"], row["severity"]) for row in found["findings"] if row["severity"] == "error"] == [
        (12, "error"), (12, "error"), (13, "error"),
    ]  # fmt: skip
    refused(umanflow("poll", "--config", config, "--duration", "1"), "alarms.csv:12", "c.flow")
    write_alarms(tmp_path / "alarms.csv", [Alarm("a.flow", "deviation", limit=5.0, expected="model")])
    refused(
        umanflow("poll", "--config", config, "--duration", "1"),
        "alarms of a.flow look at the deviation from the model",
        "element",
    )
    (tmp_path / "alarms.csv").unlink()
    refused(umanflow("poll", "--config", config, "--duration", "1"), "alarms.csv", "no such file")
    config.write_text(config.read_text().replace('[alarms]\nfile = "alarms.csv"\naway_delay_s = 3\n', ""))
    refused(umanflow("alarms", "list", "--config", config), "no alarms", "[alarms]")


def test_journal_metrics_and_replay_of_what_is_stored(tmp_path: Path) -> None:
    from scada.alarms import AlarmEngine
    from scada.sample import Sample

    config = configure(tmp_path, 1)
    start_ms = 1_790_000_000_000
    samples = [
        Sample("a.flow", start_ms + 1000 * k, start_ms + 1000 * k + 5, 60.0 if k % 100 < 50 else 10.0)
        for k in range(400)
    ]
    engine = AlarmEngine(ALARMS, start_ms)
    entries = engine.take(samples) + engine.finish(start_ms + 400_000)
    store = open_historian(f"sqlite:///{tmp_path}/history.db")
    store.append(samples)
    store.alarms.write(entries)
    store.close()
    for ending in ("csv", "parquet"):
        out = tmp_path / f"journal.{ending}"
        assert umanflow("alarms", "journal", "--config", config, "-o", out).returncode == 0
        table = pd.read_csv(out) if ending == "csv" else pd.read_parquet(out)
        assert table["event"].tolist() == ["raise", "clear"] * 4
    assert pd.read_csv(tmp_path / "journal.csv")["time"].iloc[0].endswith("Z")
    refused(umanflow("alarms", "journal", "--config", config, "-o", tmp_path / "journal.xls"), ".csv or .parquet")
    again = json.loads(umanflow("alarms", "replay", "--config", config, "--json").stdout)
    stored = json.loads(umanflow("alarms", "journal", "--config", config, "--json").stdout)
    assert again == stored
    period = ("--from", "2026-09-21", "--to", "2026-09-22")
    found = json.loads(umanflow("alarms", "metrics", "--config", config, *period, "--json").stdout)
    assert found["worst"] == [{"alarm": "a.flow/H", "count": 4, "share": 1.0, "chattering": 0}]
    assert found["positions"][0]["alarms"] == 4
    text = umanflow("alarms", "metrics", "--config", config, *period).stdout
    assert "the ten that came most often:" in text
    refused(umanflow("alarms", "metrics", "--config", config, "--from", "2027-01-01", "--to", "2026-01-01"), "--from")
    refused(umanflow("alarms", "replay", "--config", config, "--from", "2030-01-01"), "no samples")
