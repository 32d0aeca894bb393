"""What is particular to the SQLite historian: its file, its slices, its errors."""

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from scada.errors import HistorianAway, HistorianError
from scada.historian import Historian, WriterSettings, housekeeping, open_historian, sqlite_slices
from scada.historian.batch import Interner
from scada.historian.engine import Period
from scada.historian.sqlite import SCHEMA_VERSION, SqliteEngine
from scada.sample import Sample

START_MS = 1_790_000_000_000


def good(tag: str, moment: int, value: float) -> Sample:
    return Sample(tag, START_MS + 1000 * moment, START_MS + 1000 * moment + 5, value)


def test_file_is_as_promised(tmp_path: Path) -> None:
    store = open_historian(f"sqlite:///{tmp_path}/h.db")
    store.append([good("a", 1, 1.0)])
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["h.db"]  # neither log nor spool is left
    with closing(sqlite3.connect(tmp_path / "h.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
        assert connection.execute("SELECT max(version) FROM schema_version").fetchone()[0] == SCHEMA_VERSION
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        schema = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'sample'").fetchone()[0]
        assert "PRIMARY KEY (ts, tag_id)" in schema
        assert "WITHOUT ROWID" in schema
        assert connection.execute("SELECT arrival - ts FROM sample").fetchone()[0] == 5
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(HistorianError, match="schema 99"):
        open_historian(f"sqlite:///{tmp_path}/h.db")


# what version 0.1.0 wrote
FIRST_SCHEMA = """
CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE reason (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE sample (
    ts INTEGER NOT NULL, tag_id INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL, reason_id INTEGER NOT NULL,
    arrival INTEGER NOT NULL, PRIMARY KEY (ts, tag_id)
) WITHOUT ROWID;
CREATE TABLE latest (tag_id INTEGER PRIMARY KEY, ts INTEGER NOT NULL);
INSERT INTO reason (id, text) VALUES (0, ''), (1, 'timeout');
INSERT INTO tag (id, name) VALUES (1, 'b'), (2, 'a');
INSERT INTO sample VALUES (1790000000000, 1, 1.5, 0, 0, 1790000000005), (1790000000000, 2, 2.5, 0, 0, 1790000000005),
    (1790000001000, 1, NULL, 2, 1, 1790000002000);
INSERT INTO latest VALUES (1, 1790000001000), (2, 1790000000000);
PRAGMA user_version = 1;
"""


def first_version(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL;" + FIRST_SCHEMA)
    return f"sqlite:///{path}"


def test_a_file_of_the_first_version_keeps_its_data(tmp_path: Path) -> None:
    store = open_historian(first_version(tmp_path / "h.db"))
    last = store.last()
    assert last["a"] == Sample("a", START_MS, START_MS + 5, 2.5)
    assert (last["b"].time_ms, last["b"].reason) == (START_MS + 1000, "timeout")
    table = store.range(is_full=True)
    assert table["tag"].tolist() == ["a", "b", "b"]
    np.testing.assert_array_equal(table["value"], [2.5, 1.5, np.nan])
    assert table["version"].tolist() == [0, 0, 0]
    store.append([Sample("a", START_MS, START_MS + 99, 3.5), good("c", 0, 1.0)])
    assert store.range(["a", "c"])["value"].tolist() == [3.5, 1.0]
    assert store.range(["a"], known_ms=START_MS + 50)["value"].tolist() == [2.5]
    store.close()
    again = open_historian(f"sqlite:///{tmp_path}/h.db")
    assert len(again.range()) == 4
    again.close()


def test_a_migration_happens_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scada.historian import sqlite_schema

    url = first_version(tmp_path / "h.db")
    steps = sqlite_schema._MIGRATIONS
    monkeypatch.setattr(sqlite_schema, "_MIGRATIONS", (steps[0], steps[1] + "; CREATE TABLE tag (id INTEGER);"))
    with pytest.raises(HistorianError, match="already exists"):
        open_historian(url)
    with closing(sqlite3.connect(tmp_path / "h.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"tag", "reason", "sample", "latest"}
    monkeypatch.setattr(sqlite_schema, "_MIGRATIONS", steps)
    store = open_historian(url)
    assert len(store.range()) == 3
    store.close()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteEngine]:
    for name, value in (("HOT_ROWS", 60), ("_STEP_ROWS", 30), ("_MERGED_ROWS", 30), ("_FAN", 3)):
        monkeypatch.setattr(sqlite_slices, name, value)
    engine = SqliteEngine(tmp_path / "h.db")
    engine.open()
    yield engine
    engine.close()


def test_slices_hold_every_sample_once_after_every_step(engine: SqliteEngine) -> None:
    interner, expected = Interner(), 0
    places = "SELECT ts, tag_id FROM sample UNION ALL SELECT ts, tag_id FROM compact"
    with closing(sqlite3.connect(engine.name)) as other:
        for moment in range(120):
            engine.write(interner.batch([[good(f"t{k}", moment, moment + k / 100) for k in range(10)]])[0])
            expected += 10
            for _ in range(3):
                engine.maintain()
                found = other.execute(places).fetchall()
                assert len(found) == len(set(found)) == expected
        while engine.maintain():
            pass
        levels = dict(other.execute("SELECT level, count(*) FROM slice GROUP BY level"))
        hot = other.execute("SELECT count(*) FROM sample").fetchone()[0]
        assert other.execute("SELECT count(*) FROM slice WHERE into_id IS NOT NULL").fetchone()[0] == 0
    assert hot <= 60
    assert all(levels.get(level, 0) < 3 for level in (0, 1))
    assert levels[2] > 1
    rows = engine.select(Period(("t3",), START_MS + 10_000, START_MS + 90_000))
    np.testing.assert_array_equal(rows.value, [moment + 0.03 for moment in range(10, 90)])
    assert len(engine.newest(None).ts) == 10


def test_a_day_of_one_tag_is_found_by_keys_alone(engine: SqliteEngine) -> None:
    interner = Interner()
    for moment in range(30):
        engine.write(interner.batch([[good(f"t{k}", moment, 1.0) for k in range(100)]])[0])
    while engine.maintain():
        pass
    seen: list[str] = []
    with closing(sqlite3.connect(engine.name)) as other:
        other.set_trace_callback(seen.append)
        from scada.historian import sqlite_read

        assert len(sqlite_read.select(other, Period(("t3",), START_MS, START_MS + 10**6)).ts) == 30
        queries = [text for text in seen if "FROM slice" in text or "moment" in text]
        plan = "\n".join(str(row[3]) for text in queries for row in other.execute(f"EXPLAIN QUERY PLAN {text}"))
    assert "SEARCH c USING PRIMARY KEY (slice_id=? AND tag_id=? AND ts>? AND ts<?)" in plan
    assert "SEARCH sample USING PRIMARY KEY (ts=? AND tag_id=?)" in plan
    assert "SCAN sample" not in plan
    assert "SCAN c" not in plan


def test_late_samples_find_their_slices(engine: SqliteEngine) -> None:
    interner = Interner()
    for moment in range(0, 40, 2):
        engine.write(interner.batch([[good(f"t{k}", moment, 1.0) for k in range(10)]])[0])
    while engine.maintain():
        pass
    late = [good("t1", 3, 7.0), good("t1", 4, 8.0), Sample("t1", START_MS + 4000, START_MS + 90_000, 9.0)]
    written = engine.write(interner.batch([late])[0])
    assert (written.stored, written.revised, written.repeated) == (1, 1, 1)
    again = engine.write(interner.batch([late])[0])
    assert (again.stored, again.revised, again.repeated) == (0, 0, 3)
    assert engine.select(Period(("t1",), START_MS + 3000, START_MS + 5000)).value.tolist() == [7.0, 9.0]


def test_a_locked_file_makes_samples_wait_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scada.historian.sqlite._BUSY_MS", 10)
    store = open_historian(f"sqlite:///{tmp_path}/h.db")
    store.append([good("a", 0, 0.0)])
    store.flush()
    with closing(sqlite3.connect(tmp_path / "h.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for moment in range(1, 50):
            store.append([good("a", moment, float(moment))])
            if moment % 10 == 0:
                store.flush()
        status = store.status
        assert status.is_away
        assert (status.waiting, status.spool_samples) == (9, 40)
        assert "h.db: database is locked; another program" in status.counters.last_error
        assert store.range()["value"].tolist() == [0.0]
        other.execute("ROLLBACK")
    assert store.range()["value"].tolist() == [float(moment) for moment in range(50)]
    store.close()
    status = store.status
    assert not status.is_away
    assert (status.counters.stored, status.counters.forwarded, store.dropped) == (50, status.counters.spooled, 0)
    assert not (tmp_path / "h.db.spool").exists()


@pytest.mark.parametrize(("policy", "kept"), [("drop-oldest", [0, 6, 7, 8, 9]), ("keep-oldest", [0, 1, 2, 3, 4])])
def test_memory_is_bounded_where_there_is_no_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str, kept: list[int]
) -> None:
    monkeypatch.setattr("scada.historian.sqlite._BUSY_MS", 10)
    settings = WriterSettings(queue_rows=4, policy=policy)  # type: ignore[arg-type]
    store = open_historian(f"sqlite:///{tmp_path}/h.db", settings, spool_bytes=0)
    store.append([good("a", 0, 0.0)])
    store.flush()
    with closing(sqlite3.connect(tmp_path / "h.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for moment in range(1, 10):
            store.append([good("a", moment, float(moment))])
            with pytest.raises(HistorianError, match=r"locked.*samples wait in memory"):
                store.flush()
        with pytest.raises(HistorianAway):
            store._engine.write(Interner().batch([[good("a", 0, 0.0)]])[0])
        other.execute("ROLLBACK")
    assert store.range()["value"].tolist() == kept
    assert store.dropped == 5
    store.close()


def test_a_damaged_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "h.db").write_text("time,tag,value\n" * 100)
    with pytest.raises(HistorianError, match=r"h\.db: file is not a database; name another file") as caught:
        open_historian(f"sqlite:///{tmp_path}/h.db")
    assert "\n" not in str(caught.value)
    store = open_historian(f"sqlite:///{tmp_path}/good.db")
    store.append([good(f"t{k}", moment, 1.0) for k in range(50) for moment in range(50)])
    store.close()
    whole = (tmp_path / "good.db").read_bytes()
    head = whole[:4096]  # the header and the schema
    (tmp_path / "good.db").write_bytes(head + random.Random(1).randbytes(len(whole) - len(head)))
    broken = open_historian(f"sqlite:///{tmp_path}/good.db")
    with pytest.raises(HistorianError, match="damaged; move it away"):
        broken.range()
    broken.close()


def test_a_file_one_may_only_read_is_read_and_told(tmp_path: Path) -> None:
    store = open_historian(f"sqlite:///{tmp_path}/h.db")
    store.append([good("a", 0, 1.0)])
    store.flush()  # and goes on writing: somebody else's service
    (tmp_path / "h.db").chmod(0o444)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    code = (
        "import os, sys, tempfile\n"
        "from scada.errors import HistorianError\n"
        "from scada.historian import open_historian\n"
        "from scada.sample import Sample\n"
        "folder = tempfile.TemporaryDirectory()\n"
        "store = open_historian(f'sqlite:///{folder.name}/warm.db')\n"  # another user may not read the modules
        "store.append([Sample('a', 5, 5, 1.0)]); store.range(); store.close(); folder.cleanup()\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "store = open_historian(sys.argv[1], spool_bytes=0)\n"
        "print(store.range()['value'].tolist())\n"
        "store.append([Sample('a', 5, 5, 1.0)])\n"
        "try: store.flush()\n"
        "except HistorianError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{tmp_path}/h.db"], capture_output=True, text=True, timeout=60
    )
    store.close()
    assert run.stdout.startswith("[1.0]\n"), run.stderr
    assert "readonly database; let this user write" in run.stdout


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("mysql://host/db", "unknown"),
        ("sqlite://", "unknown"),
        ("history.db", "unknown"),
        ("postgresql://", "unknown"),
        ("sqlite:////no/such/folder/h.db", "cannot open historian /no/such/folder/h.db"),
        ("postgresql://umanflow:secret@127.0.0.1:1/db", "cannot open historian postgresql://umanflow@127.0.0.1:1/db: "),
    ],
)
def test_url_that_cannot_be_used_is_told(url: str, text: str) -> None:
    with pytest.raises(HistorianError, match=text) as caught:
        open_historian(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_retention_runs_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scada.historian import Retention

    monkeypatch.setattr(housekeeping, "_RETENTION_EVERY_S", 0.0)
    monkeypatch.setattr(housekeeping, "_MAINTAIN_EVERY_S", 0.0)
    store: Historian = open_historian(
        f"sqlite:///{tmp_path}/h.db", WriterSettings(batch_s=0.02, retention=Retention(days=1.0))
    )
    store.append([Sample("a", 86_400_000 * day, 0, 1.0) for day in range(10)])
    store.append([Sample("a", 4_000_000_000_000, 0, 1.0)])
    store.flush()
    store.append([Sample("a", 4_000_000_000_001, 0, 1.0)])
    store.close()
    assert store.status.counters.deleted == 10


def test_an_error_nobody_expected_costs_its_batch_alone(tmp_path: Path) -> None:
    store = open_historian(f"sqlite:///{tmp_path}/h.db")
    store.append([Sample("a", 10**30, 0, 1.0)])
    store.flush()
    store.append([good("a", 0, 2.0)])
    store.flush()

    def fail(batch: object) -> None:
        raise ZeroDivisionError

    write, store._engine.write = store._engine.write, fail  # type: ignore[method-assign, assignment]
    store.append([good("a", 1, 3.0)])
    store.append([good("a", 2, 4.0)])
    deadline = time.monotonic() + 30.0
    while store.status.counters.faults < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    store._engine.write = write  # type: ignore[method-assign]
    assert store.range()["value"].tolist() == [2.0, 3.0, 4.0]
    counters = store.status.counters
    assert (counters.accepted, counters.refused, counters.dropped) == (4, 1, 0)
    assert counters.faults >= 3
    store.close()
