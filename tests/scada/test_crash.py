"""Processes killed at any moment, databases that go away, disks that are full: real ones."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from scada.errors import HistorianError
from scada.historian import Historian, WriterSettings, open_historian
from scada.sample import Sample
from tests.postgres import Server
from tests.scada.feeder import START_MS

ROOT = Path(__file__).parents[2]
BATCH_S = 0.5
# a thread of a busy machine may wait for its turn
STARVED_S = 0.5


def run_and_kill(url: str, first: int, after_s: float, spool: Path) -> tuple[list[tuple[int, int]], int]:
    """Feed for a time, kill; return what the process had appended (number, ns) and when it was killed, ns."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__).with_name("feeder.py")), url, str(BATCH_S), str(first), str(spool)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as feeder:
        assert feeder.stdout is not None
        lines = [feeder.stdout.readline()]  # it runs
        reading = threading.Thread(target=lambda: lines.extend(feeder.stdout or ()))
        reading.start()
        time.sleep(after_s)
        killed = time.monotonic_ns()
        os.kill(feeder.pid, signal.SIGKILL)
        feeder.wait()
        reading.join()
    told = [line.split() for line in lines if line.endswith("\n")]
    return [(int(number), int(at)) for number, at in told], killed


def check_loss(store: Historian, appended: list[tuple[int, int]], first: int, killed: int) -> int:
    """All but the last batch interval is there, in one piece; return the number of the last."""
    deadline = time.monotonic() + 60.0
    store.append([])  # whoever writes delivers what a dead writer left
    store.flush()
    while store.status.spool_samples and time.monotonic() < deadline:
        time.sleep(0.01)
    table = store.range(from_ms=START_MS + first)
    found = table["value"].astype(int).tolist()
    assert found == list(range(first, first + len(found)))  # nothing is missing in between
    due = [number for number, at in appended if at < killed - (BATCH_S + STARVED_S) * 1e9]
    assert found[-1] >= max(due, default=first)
    return found[-1]


@pytest.mark.parametrize("way", ["SQLite", "SQLite locked by another", "PostgreSQL"])
def test_a_killed_process_loses_the_batch_interval_at_most(
    tmp_path: Path, request: pytest.FixtureRequest, way: str
) -> None:
    rng = random.Random(20260121)
    spool = tmp_path / "spool"
    url = f"sqlite:///{tmp_path}/h.db"
    if way == "PostgreSQL":
        url = request.getfixturevalue("postgres").new_database()
    open_historian(url).close()
    first = 0
    for _ in range(3):
        with ExitStack() as stack:
            if way == "SQLite locked by another":  # everything goes to the spool
                other = stack.enter_context(closing(sqlite3.connect(tmp_path / "h.db", isolation_level=None)))
                other.execute("BEGIN IMMEDIATE")
            appended, killed = run_and_kill(url, first, rng.uniform(0.6, 1.6), spool)
        if way != "PostgreSQL":
            with closing(sqlite3.connect(tmp_path / "h.db")) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        store = open_historian(url, spool=spool)
        first = check_loss(store, appended, first, killed) + 1
        assert (store.status.counters.forwarded > 0) or way != "SQLite locked by another"
        store.close()
    if way == "SQLite":
        with closing(sqlite3.connect(tmp_path / "h.db")) as connection:
            assert connection.execute("SELECT max(level) FROM slice").fetchone()[0] >= 1
    assert not spool.exists()


def feed(store: Historian, stop: threading.Event, count: list[int]) -> None:
    while not stop.is_set():
        number = count[0]
        store.append([Sample(f"s{k % 7}", START_MS + k, START_MS + k, float(k)) for k in range(number, number + 10)])
        count[0] += 10
        time.sleep(0.001)


def wait_until(store: Historian, is_so: object, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so(store.status):  # type: ignore[operator]
        assert time.monotonic() < deadline, store.status
        time.sleep(0.01)


def test_a_server_that_stops_and_starts_gets_everything_in_order(postgres: Server, tmp_path: Path) -> None:
    import psycopg

    url = postgres.new_database()
    store = open_historian(url, WriterSettings(batch_s=0.1), spool=tmp_path / "spool")
    with psycopg.connect(url) as other:  # the server notes every row that is stored
        other.execute("CREATE TABLE diary (number bigserial, tag_id integer, ts bigint)")
        other.execute(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN INSERT INTO public.diary (tag_id, ts) VALUES (NEW.tag_id, NEW.ts); RETURN NULL; END$$"
        )
        other.execute("CREATE TRIGGER note AFTER INSERT ON historian.sample FOR EACH ROW EXECUTE FUNCTION note()")
    stop, count = threading.Event(), [0]
    feeding = threading.Thread(target=feed, args=(store, stop, count))
    feeding.start()
    try:
        for mode in ("immediate", "fast"):
            before = store.status.counters
            wait_until(store, lambda s, b=before: s.counters.stored > b.stored and not s.spool_samples)
            postgres.stop(mode)
            try:
                wait_until(store, lambda s: s.is_away and s.spool_samples > 1000)
                assert "cannot write historian postgresql:" in store.status.counters.last_error
                with pytest.raises(HistorianError, match="cannot read historian"):
                    store.range()
            finally:
                postgres.start()
            wait_until(store, lambda s: not s.is_away and not s.spool_samples)
    finally:
        stop.set()
        feeding.join()
    table = store.range()
    assert sorted(table["value"]) == [float(k) for k in range(count[0])]  # none lost, none twice
    counters = store.status.counters
    assert counters.stored + counters.repeated >= counters.accepted == count[0]
    assert counters.forwarded == counters.spooled > 2000
    assert counters.dropped == 0
    with psycopg.connect(url) as other:
        rows = other.execute("SELECT tag_id, ts FROM diary ORDER BY number").fetchall()
    assert len(rows) == count[0]
    for tag in range(1, 8):  # a batch is written tag by tag
        times = [ts for tag_id, ts in rows if tag_id == tag]
        assert times == sorted(times)
    store.close()
    assert not (tmp_path / "spool").exists()


def test_a_server_that_hangs_holds_up_nobody(postgres: Server, tmp_path: Path) -> None:
    import psycopg

    url = postgres.new_database()
    store = open_historian(url, WriterSettings(batch_s=0.1), spool=tmp_path / "spool")
    store.append([Sample("s0", START_MS, START_MS, -1.0)])
    store.flush()
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE historian.sample")
        for k in range(1, 30):
            store.append([Sample("s0", START_MS + k, START_MS + k, float(k))])
            time.sleep(0.02)
        # not refused, just never answered: all is safe on disk nevertheless
        wait_until(store, lambda s: s.spool_samples == 29 and s.waiting == 0)
        assert store.status.counters.failures == 0
        other.rollback()
    assert store.range()["value"].tolist() == [-1.0, *(float(k) for k in range(1, 30))]
    assert store.status.counters.repeated == 0  # what the server took at last is not brought again
    store.close()


def test_a_service_may_start_before_its_server(postgres: Server, tmp_path: Path) -> None:
    url = postgres.new_database()
    postgres.stop("fast")
    try:
        with pytest.raises(HistorianError, match="cannot open historian"):
            open_historian(url)
        store = open_historian(url, spool=tmp_path / "spool", may_be_away=True)
        store.append([Sample("a", START_MS, START_MS, 1.0)])
        store.flush()
        assert store.status.is_away
        store.close()
        assert (tmp_path / "spool").exists()
    finally:
        postgres.start()
    store = open_historian(url, spool=tmp_path / "spool", may_be_away=True)
    store.append([Sample("a", START_MS + 1, START_MS + 1, 2.0)])
    assert store.range()["value"].tolist() == [1.0, 2.0]
    store.close()
    with pytest.raises(HistorianError, match="does not exist"):  # a mistake is none that time will mend
        open_historian(postgres.url("nowhere"), may_be_away=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of six MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip("mounting a small disk needs root; the limit on file sizes stands for it in the other test")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_told_and_survived(small_disk: Path) -> None:
    store = open_historian(f"sqlite:///{small_disk}/h.db", WriterSettings(batch_s=0.05, queue_rows=100_000))
    store.append([Sample("a", START_MS, START_MS, 0.0)])
    store.flush()
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    for start in range(1, 20_001, 500):
        store.append([Sample("a", START_MS + k, START_MS + k, float(k)) for k in range(start, start + 500)])
    with pytest.raises(HistorianError, match=r"samples wait in memory"):
        store.flush()
    assert any(words in store.status.counters.last_error for words in ("full; make room", "No space left"))
    assert store.range()["value"].tolist()[0] == 0.0  # questions are answered
    filler.unlink()
    assert store.range()["value"].tolist() == [float(k) for k in range(20_001)]
    assert store.status.counters.last_error == ""
    assert store.dropped == 0
    store.close()
    with closing(sqlite3.connect(small_disk / "h.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_files_that_may_not_grow_are_told_and_survived(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    code = f"""
import resource, sys
from scada.errors import HistorianError
from scada.historian import WriterSettings, open_historian
from scada.sample import Sample
store = open_historian("sqlite:///{tmp_path}/h.db", WriterSettings(batch_s=0.05))
store.append([Sample("a", 0, 0, 0.0)])
store.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
for start in range(1, 20_001, 500):
    store.append([Sample("a", k, k, float(k)) for k in range(start, start + 500)])
try:
    store.flush()
except HistorianError as error:
    print("told:", error)
print("spooled:", store.status.spool_samples > 0, "dropped:", store.dropped)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
print("whole:", store.range()["value"].tolist() == [float(k) for k in range(20_001)], "dropped:", store.dropped)
store.close()
"""
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "told: " in run.stdout or "spooled: True" in run.stdout
    assert "whole: True dropped: 0" in run.stdout
    with closing(sqlite3.connect(tmp_path / "h.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
