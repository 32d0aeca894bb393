"""The journal of alarms in both databases: kept, delivered when they are back, restored after a kill."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from scada.alarms import Alarm, AlarmEngine, Command, Entry, Wiring
from scada.alarms.journal import Journal
from scada.alarms.replay import replay
from scada.alarms.service import AlarmService, SteadyClock
from scada.deadband import Deadband
from scada.errors import HistorianError
from scada.historian import Historian, open_historian
from scada.sample import Quality, Sample
from scada.tag import Tag
from tests.postgres import Server

ROOT = Path(__file__).parents[2]
START_MS = 1_790_000_000_000


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres").new_database())
    return f"sqlite:///{tmp_path}/history.db"


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Historian]:
    historian = open_historian(url, spool=tmp_path / "spool")
    yield historian
    historian.close()


def entry(number: int, alarm: str = "t/H", run: str = "r", **more: object) -> Entry:
    return Entry(run, number, START_MS + number, alarm, "room", "low", "raise", "normal", "unacknowledged", **more)  # type: ignore[arg-type]


FULL = entry(
    1, is_active=True, hidden=("caused", "shelved"), value=1.5, cause="d/away", who="Олена О'Ніл", why='"works"; 50 %',
    until_ms=START_MS + 9, is_chattering=True,
)  # fmt: skip


def test_entries_come_back_as_they_were_and_once(store: Historian) -> None:
    assert store.alarms.write([FULL, entry(2), entry(3, "")]) == 3
    assert store.alarms.write([FULL, entry(2, run="other")]) == 1
    found = store.alarms.select()
    assert found[0] == FULL
    assert [(e.run, e.number) for e in found] == [("r", 1), ("r", 2), ("r", 3), ("other", 2)]
    assert [e.number for e in store.alarms.select(START_MS + 2, START_MS + 3)] == [2, 2]
    assert [e.alarm for e in store.alarms.select(alarms=[""])] == [""]
    newest = store.alarms.newest()
    assert {name: (e.run, e.number) for name, e in newest.items()} == {"t/H": ("other", 2)}
    assert store.alarms.since() == {"t/H": START_MS + 2, "": START_MS + 3}


def test_commands_wait_until_they_are_answered(store: Historian) -> None:
    shelve = Command("t/H", "shelve", "Олена", "works\0\ud800", 7200.0, START_MS)
    number = store.alarms.post(shelve)
    other = store.alarms.post(Command("t/L", "acknowledge", "Ivan", time_ms=START_MS + 1))
    assert store.alarms.waiting() == [
        replace(shelve, why="works�?", number=number),
        Command("t/L", "acknowledge", "Ivan", time_ms=START_MS + 1, number=other),
    ]
    assert store.alarms.answer(number) is None
    store.alarms.write([FULL], [(number, START_MS + 5, "")])
    store.alarms.write([FULL], [(number, START_MS + 9, "again"), (other, START_MS + 9, "no")])
    assert store.alarms.waiting() == []
    assert (store.alarms.answer(number), store.alarms.answer(other)) == ("", "no")


def test_an_older_file_gets_the_tables_and_keeps_its_samples(tmp_path: Path) -> None:
    from scada.historian import sqlite_schema

    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for script in sqlite_schema._MIGRATIONS[:2]:
            connection.executescript(script)
        connection.execute("INSERT INTO tag VALUES (1, 'a')")
        connection.execute(f"INSERT INTO sample VALUES ({START_MS}, 1, 2.5, 0, 0, {START_MS}, 0)")
        connection.execute("PRAGMA user_version = 2")
    with closing(open_historian(f"sqlite:///{path}")) as store:
        assert store.range()["value"].tolist() == [2.5]
        assert store.alarms.write([FULL]) == 1


def test_an_older_server_gets_the_tables_too(postgres: Server, tmp_path: Path) -> None:
    import psycopg

    url = postgres.new_database()
    store = open_historian(url, spool=tmp_path / "spool")
    store.append([Sample("a", START_MS, START_MS, 2.5)])
    store.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE historian.alarm_entry, historian.alarm_command")
        connection.execute("DELETE FROM historian.schema_version WHERE version = 2")
    with closing(open_historian(url)) as store:
        assert store.range()["value"].tolist() == [2.5]
        assert store.alarms.write([FULL]) == 1


def wait_for(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_entries_wait_on_disk_while_the_database_is_locked(tmp_path: Path) -> None:
    url, path = f"sqlite:///{tmp_path}/history.db", tmp_path / "waiting"
    with closing(open_historian(url)) as store:
        journal = Journal(store.alarms, path, 0)
        with closing(sqlite3.connect(tmp_path / "history.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            journal.put([entry(1)])
            journal.put([entry(2)], [(7, START_MS, "no")])
            assert len(path.read_text(encoding="utf-8").splitlines()) == 2  # at once
            time.sleep(0.1)
            assert journal.waiting == [entry(1), entry(2)]
            other.execute("ROLLBACK")
        wait_for(lambda: not journal.waiting)
        journal.put([entry(3)])
        journal.close()
        assert [e.number for e in store.alarms.select()] == [1, 2, 3]
    assert not list(tmp_path.glob("waiting*"))


def test_what_a_dead_program_left_is_delivered_first_and_a_torn_line_costs_itself(tmp_path: Path) -> None:
    url, path = f"sqlite:///{tmp_path}/history.db", tmp_path / "waiting"
    with closing(open_historian(url)) as store:
        journal = Journal(store.alarms, tmp_path / "other", 0)
        with closing(sqlite3.connect(tmp_path / "history.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            journal.put([entry(1)])
            left = (tmp_path / "other").read_bytes()
            other.execute("ROLLBACK")
        journal.close()
        path.write_bytes(left + left[: len(left) // 2])
        again = Journal(store.alarms, path, START_MS)
        assert again.past == {"t/H": entry(1)}
        assert again.recent == [entry(1)]
        with pytest.raises(HistorianError, match="another program evaluates these alarms"):
            Journal(store.alarms, path, 0)
        again.close()


def test_a_server_that_is_away_at_the_start_is_caught_up_with(postgres: Server, tmp_path: Path) -> None:
    """Alarms are evaluated at once; what the journal says of untouched ones is taken over when it can be read."""
    url = postgres.new_database()
    with closing(open_historian(url, spool=tmp_path / "spool")) as store:
        shelved = replace(entry(1, "a/H"), event="shelve", after="shelved", hidden=("shelved",), until_ms=1 << 50)
        store.alarms.write([shelved, entry(2, "b/H", is_active=True)])
    postgres.stop()
    try:
        store = open_historian(url, spool=tmp_path / "spool", may_be_away=True)
        service = AlarmService([Alarm("a", "H", limit=5.0), Alarm("b", "H", limit=5.0)], store.alarms, tmp_path / "w")
        now_ms = time.time_ns() // 1_000_000
        service.take([Sample("b", now_ms, now_ms, 9.0)])
        time.sleep(0.3)
        service.tick()
        assert service.engine.board.by_id["b/H"].state == "unacknowledged"
    finally:
        postgres.start()
    wait_for(lambda: bool(service.tick()) or service.engine.board.by_id["a/H"].state == "shelved")
    wait_for(lambda: len(store.alarms.select()) == 3)
    service.close()
    store.close()


def test_live_and_replayed_from_the_historian_are_the_same(store: Historian) -> None:
    """Samples with losses and a late file, through the historian and back."""
    tags = [Tag(f"d{k % 2}.t{k}", f"d{k % 2}", "input", k, "uint16", interval_s=10.0) for k in range(6)]
    wiring = Wiring({tag.name: tag.device for tag in tags}, {"d0": "gw", "d1": "gw"}, away_delay_s=15.0)
    alarms = [Alarm(tag.name, kind, limit=limit, on_delay_s=delay) for tag in tags
              for kind, limit, delay in (("H", 6.0, 0.0), ("bad", 0.0, 5.0), ("L", 1.0, 12.0))]  # fmt: skip
    samples = []
    for slot in range(60):
        for k, tag in enumerate(tags):
            time_ms = START_MS + 10_000 * slot
            is_lost = (k % 2 == 0 and 10 <= slot < 20) or 30 <= slot < 35
            value = float((slot * (k + 3)) % 9)
            late_ms = 250_000 if slot == 40 and k == 5 else 0
            samples.append(
                Sample(tag.name, time_ms, time_ms + 30 + k, float("nan"), Quality.BAD, "timeout")
                if is_lost
                else Sample(tag.name, time_ms, time_ms + 30 + k + late_ms, value)
            )
    # a possible spike that the next reading shows to be none
    k = next(k for k, s in enumerate(samples) if s.tag == "d1.t1" and s.time_ms == START_MS + 500_000)
    samples[k] = replace(samples[k], value=8.0, quality=Quality.UNCERTAIN, reason="spike")
    samples.append(replace(samples[k], arrival_ms=samples[k].arrival_ms + 10_000, quality=Quality.GOOD, reason=""))
    live = AlarmEngine(alarms, START_MS, wiring)
    journal = []
    for sample in sorted(samples, key=lambda sample: sample.arrival_ms):
        journal += live.take([sample])
        journal += live.advance(sample.arrival_ms)
    journal += live.finish(START_MS + 700_000)
    store.append(samples)
    rows = store.range(is_full=True, is_every=True)
    assert len(rows) == len(samples) == len(store.range()) + 1
    assert [repr(e) for e in replay(alarms, rows, tags, START_MS, START_MS + 700_000, wiring)] == [
        repr(e) for e in journal
    ]
    assert len({e.alarm for e in journal}) > 10
    assert live.late == 1


def test_replay_fills_in_what_a_deadband_left_out(store: Historian) -> None:
    tag = Tag("t", "d", "input", 0, "uint16", interval_s=10.0, deadband=0.5)
    sink = Deadband([tag], store.append)
    for k in range(20):
        sink([Sample("t", START_MS + 10_000 * k, START_MS + 10_000 * k + 5, 1.0 + 0.01 * (k % 2))])
    sink.flush()
    rows = store.range(is_full=True)
    assert len(rows) < 10
    stale = [Alarm("t", "stale", window_s=25.0)]
    found = replay(stale, rows, [tag], START_MS, START_MS + 230_000)
    assert [(e.event, e.time_ms - START_MS) for e in found] == [("raise", 190_005 + 25_000)]
    assert replay(stale, rows, [replace(tag, deadband=0.0)], START_MS, START_MS + 200_000) != []


def test_a_clock_that_is_set_cuts_no_delay_short(tmp_path: Path) -> None:
    wall, monotonic = [START_MS], [0]
    clock = SteadyClock(lambda: wall[0], lambda: monotonic[0])

    def wait(milliseconds: int) -> None:
        wall[0] += milliseconds
        monotonic[0] += milliseconds

    with closing(open_historian(f"sqlite:///{tmp_path}/h.db")) as store:
        alarms = [Alarm("t", "H", limit=5.0, on_delay_s=60.0), Alarm("t", "stale", window_s=100.0)]
        service = AlarmService(alarms, store.alarms, tmp_path / "w", clock=clock)
        found = []
        for second in range(0, 90, 10):
            if second == 30:
                wall[0] -= 3_600_000
            if second == 60:
                wall[0] += 7_200_000
            service.take([Sample("t", wall[0], wall[0], 9.0)])
            wait(10_000)
            found += service.tick()
        # after 60 s, by the clock as it stood then
        assert [(e.alarm, e.event) for e in found] == [("t/H", "raise")]
        assert found[0].time_ms == START_MS + 60_000 + 3_600_000
        wall[0] -= 86_400_000
        service.take([Sample("t", wall[0], wall[0], 1.0)])
        wait(1000)
        # what is read after the clock was set back is news
        assert [(e.alarm, e.event, e.time_ms) for e in service.tick()] == [("t/H", "clear", wall[0] - 1000)]
        wait(10_000)
        # but a logger's time is its own, and older than what is known
        service.take([Sample("t", wall[0] - 86_400_000, wall[0], 9.0)])
        wait(1000)
        assert service.tick() == []
        assert service.engine.late == 1
        service.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_program_loses_no_entry_and_its_states_are_restored(
    url: str, tmp_path: Path, postgres: Server, seed: int
) -> None:
    """A real process, killed in the middle: what it had told of is in the journal, and the next goes on from there."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__).with_name("alarmer.py")), url, str(tmp_path / "waiting"), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as alarmer:
        assert alarmer.stdout is not None
        told = [alarmer.stdout.readline() for _ in range(40 + 37 * seed)]
        os.kill(alarmer.pid, signal.SIGKILL)
        told += alarmer.stdout.readlines()
    states = dict(line.split()[1:3] for line in told if line.endswith("\n"))
    count = sum(line.endswith("\n") for line in told)
    with closing(open_historian(url, spool=tmp_path / "spool")) as store:
        alarms = [Alarm(f"t{k}", "H", limit=5.0) for k in range(8)]
        service = AlarmService(alarms, store.alarms, tmp_path / "waiting")
        entries = store.alarms.select()
        assert [e.number for e in entries] == list(range(1, len(entries) + 1))
        assert len(entries) >= count
        kept = {e.alarm or "-": e.after or "-" for e in entries[:count]}
        assert kept == states
        last = {e.alarm: e for e in entries}
        for standing in service.engine.board.standings:
            newest = last[standing.alarm.id]
            assert (standing.state, standing.is_active) == (newest.after, newest.is_active)
            assert standing.until_ms == newest.until_ms
        restored = {standing.state for standing in service.engine.board.standings}
        assert "shelved" in restored
        assert len(restored) > 1
        service.close()
