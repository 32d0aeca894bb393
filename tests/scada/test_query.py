"""Questions to real databases of other systems: what is new, late and changed, and nothing is ever written there."""

import sqlite3
import sys
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from scada.drops.profile import Point, Profile
from scada.drops.query import Query, since_value, take_query
from scada.drops.source import check_sql, plain_url
from scada.drops.state import State
from scada.drops.taking import Taker
from scada.errors import QueryError
from scada.historian import Historian, open_historian
from scada.sample import Quality
from tests.postgres import Server
from tests.scada.drop import TAGS, ms

START_MS = ms("2026-01-05")
QUARTER_MS = 900_000
NOW_MS = ms("2026-01-20")


@pytest.fixture
def taker(tmp_path: Path):
    store, state = open_historian(f"sqlite:///{tmp_path}/h.db"), State(tmp_path / "ingest.db")
    yield Taker(TAGS, store, state)
    state.close()
    store.close()


def store_of(taker: Taker) -> Historian:
    store = taker._historian
    assert store is not None
    return store


def table_of(taker: Taker) -> dict[tuple[str, int], float]:
    rows = store_of(taker).range()
    return {(row.tag, (row.time.value // 1_000_000 - START_MS) // QUARTER_MS): row.value for row in rows.itertuples()}


def ignition(path: Path) -> sqlite3.Connection:
    """The tables of Ignition's tag history, which other systems have alike."""
    run = sqlite3.connect(path)
    run.executescript(
        "CREATE TABLE sqlth_te (id INTEGER PRIMARY KEY, tagpath TEXT);"
        "CREATE TABLE sqlt_data_1_2026_01 (tagid INTEGER, floatvalue REAL, dataintegrity INTEGER, t_stamp INTEGER);"
        "INSERT INTO sqlth_te VALUES (1, 'north/inlet/p'), (2, 'north/inlet/q');"
    )
    return run


IGNITION = Query(
    "ignition",
    "",
    "SELECT t_stamp, tagpath, floatvalue, dataintegrity FROM sqlt_data_1_2026_01 JOIN sqlth_te ON id = tagid "
    "WHERE t_stamp >= :since ORDER BY t_stamp",
    Profile(
        points={"north/inlet/p": Point("p1", "bar"), "north/inlet/q": Point("q1")},
        time_format="unix-ms", time_columns=("t_stamp",), value_column="floatvalue", point_column="tagpath",
    ),
    overlap_s=3600.0,
    since_as="unix-ms",
)  # fmt: skip


def test_new_late_and_changed_rows_of_ignitions_history(tmp_path: Path, taker: Taker) -> None:
    query = replace(IGNITION, url=f"sqlite:///{tmp_path}/ignition.db")
    with closing(ignition(tmp_path / "ignition.db")) as other:

        def insert(tag: int, k: int, value: float | None, integrity: int = 192) -> None:
            row = (tag, value, integrity, START_MS + k * QUARTER_MS)
            with other:
                other.execute("INSERT INTO sqlt_data_1_2026_01 VALUES (?, ?, ?, ?)", row)

        for k in range(20):
            insert(1, k, 3.0)
            insert(2, k, 40.0 + k)
        insert(1, 20, None)
        first = take_query(query, taker, NOW_MS)
        assert (first.verdict, first.stored, first.rejected) == ("taken", 40, 0)
        assert table_of(taker)["p1", 0] == pytest.approx(30.591486)
        assert take_query(query, taker, NOW_MS).repeated == 10  # the hour before the newest row
        insert(1, 18, 9.9)  # within the overlap, and contradicts the row there is
        insert(2, 21, 61.0, 0)
        insert(2, 2, 99.0)  # further back than the overlap
        with other:
            other.execute("UPDATE sqlt_data_1_2026_01 SET floatvalue = 58.5 WHERE tagid = 2 AND floatvalue = 58.0")
        second = take_query(query, taker, NOW_MS + 60_000)
        assert (second.verdict, second.stored, second.revised, second.rejected) == ("partly", 1, 1, 1)
        assert table_of(taker)["q1", 18] == 58.5
        assert store_of(taker).range(known_ms=NOW_MS)["value"].max() < 59.5
        assert [len(store_of(taker).range(["q1"], known_ms=NOW_MS + k)) for k in (-1, 0, 60_000)] == [0, 20, 21]
        assert "no such table" not in str(first.findings)


def test_a_clock_that_is_ahead_does_not_carry_the_mark_away(tmp_path: Path, taker: Taker) -> None:
    query = replace(IGNITION, url=f"sqlite:///{tmp_path}/ignition.db")
    with closing(ignition(tmp_path / "ignition.db")) as other, other:
        other.execute("INSERT INTO sqlt_data_1_2026_01 VALUES (1, 3, 192, ?)", (ms("2031-01-01"),))
        other.execute("INSERT INTO sqlt_data_1_2026_01 VALUES (1, 3, 192, ?)", (START_MS,))
    assert take_query(query, taker, NOW_MS).stored == 2
    assert taker.state is not None
    assert taker.state.mark(query.key) == (START_MS, "p1")


def test_another_question_or_historian_begins_anew(tmp_path: Path, taker: Taker) -> None:
    query = replace(IGNITION, url=f"sqlite:///{tmp_path}/ignition.db")
    with closing(ignition(tmp_path / "ignition.db")) as other, other:
        for k in range(10):
            other.execute("INSERT INTO sqlt_data_1_2026_01 VALUES (1, 3, 192, ?)", (START_MS + k * QUARTER_MS,))
    assert take_query(query, taker, NOW_MS).stored == 10
    assert take_query(replace(query, sql=query.sql + " "), taker, NOW_MS).repeated == 10
    store = open_historian(f"sqlite:///{tmp_path}/new.db")
    assert take_query(query, Taker(TAGS, store, taker.state), NOW_MS).stored == 10
    store.close()


def test_wide_answers_with_local_times_as_text(tmp_path: Path, taker: Taker) -> None:
    """Both changes of the clock, in a table as people make them."""
    utc = pd.date_range("2026-10-24T20:00Z", periods=40, freq="15min")
    with closing(sqlite3.connect(tmp_path / "o.db")) as other, other:
        other.execute("CREATE TABLE log (number INTEGER PRIMARY KEY, at TEXT, p1 REAL, p2 TEXT)")
        rows = [(t.tz_convert("Europe/Kyiv").strftime("%Y-%m-%d %H:%M:%S"), k, f"{k},5") for k, t in enumerate(utc)]
        other.executemany("INSERT INTO log (at, p1, p2) VALUES (?, ?, ?)", rows)
    query = Query(
        "log", f"sqlite:///{tmp_path}/o.db", "SELECT at, p1, p2 FROM log WHERE at >= :since ORDER BY number",
        Profile(zone="Europe/Kyiv", decimal=","), overlap_s=7200.0,
    )  # fmt: skip
    outcome = take_query(query, taker, ms("2026-10-26"))
    assert (outcome.verdict, outcome.stored) == ("taken", 80)
    table = store_of(taker).frame(["p1", "p2"])
    assert table.index.tolist() == utc.tolist()
    assert table["p2"].tolist() == [k + 0.5 for k in range(40)]
    again = take_query(query, taker, ms("2026-10-26"))
    assert again.stored == again.revised == again.rejected == 0
    assert again.repeated >= 2 * 9


def test_postgresql_with_every_kind_of_time(postgres: Server, taker: Taker) -> None:
    import psycopg

    url = postgres.new_database()
    utc = pd.date_range("2026-10-24T20:00Z", periods=40, freq="15min")
    with psycopg.connect(url) as other:
        other.execute(
            "CREATE TABLE log (id serial, tag text, at timestamptz, wall timestamp, value numeric, quality text)"
        )
        for k, t in enumerate(utc):
            wall = t.tz_convert("Europe/Kyiv").tz_localize(None)
            values = ("inlet%1", t.to_pydatetime(), wall.to_pydatetime(), k, "Good" if k % 2 else "Bad")
            other.execute("INSERT INTO log (tag, at, wall, value, quality) VALUES (%s, %s, %s, %s, %s)", values)
    profile = Profile(points={"inlet%1": Point("p1")}, zone="Europe/Kyiv")
    for column in ("at", "wall"):
        where = f"{column} >= :since AND tag LIKE 'inlet%'"
        sql = f"SELECT {column} AS time, tag, value, quality FROM log WHERE {where} ORDER BY id;"
        query = Query(column, url, sql, profile, overlap_s=10_800.0)
        outcome = take_query(query, taker, ms("2026-10-26"))
        assert (outcome.verdict, outcome.samples, outcome.rejected) == ("taken", 40, 0)
        assert outcome.stored == (40 if column == "at" else 0)
        again = take_query(query, taker, ms("2026-10-26"))
        assert (again.stored, again.revised, again.rejected) == (0, 0, 0)
        assert 13 <= again.samples <= 17
    table = store_of(taker).range()
    assert table["time"].tolist() == utc.tolist()
    assert (table["quality"] == 2).sum() == 20
    fixed = Query(
        "fixed", url, sql, replace(profile, zone="+02:00", repeated_hour="first"), start_ms=ms("2026-10-25T04:00Z")
    )
    assert take_query(fixed, taker, ms("2026-10-26")).first_ms == ms("2026-10-25T04:00Z")


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DELETE FROM log WHERE at >= :since", "no single SELECT"),
        ("SELECT 1; DROP TABLE log -- :since", "no single SELECT"),
        ("SELECT at, p1 FROM log", "has no :since"),
        ("SELECT at::text, p1 FROM log -- :since", "has no :since"),
        ("WITH x AS (SELECT 1) SELECT * FROM x WHERE at >= :since", ""),
    ],
)
def test_only_questions_are_asked(sql: str, words: str, taker: Taker) -> None:
    assert words in check_sql(sql)
    if words:
        with pytest.raises(QueryError, match=words):
            take_query(Query("q", "sqlite:///x.db", sql), taker)


def test_nothing_is_written_to_the_other_system(postgres: Server, tmp_path: Path, taker: Taker) -> None:
    import psycopg

    url = postgres.new_database()
    with psycopg.connect(url) as other:
        other.execute("CREATE TABLE log (at timestamptz, p1 float)")
        other.execute(
            "CREATE FUNCTION spoil() RETURNS SETOF log LANGUAGE plpgsql AS "
            "$$BEGIN INSERT INTO log VALUES (now(), 1); RETURN QUERY SELECT * FROM log; END$$"
        )
    with pytest.raises(QueryError, match="read-only transaction"):
        take_query(Query("q", url, "SELECT * FROM spoil() WHERE at >= :since"), taker)
    sqlite3.connect(tmp_path / "o.db").close()
    with pytest.raises(QueryError, match="no such table: log; mend the sql"):
        take_query(Query("q", f"sqlite:///{tmp_path}/o.db", "SELECT * FROM log WHERE at >= :since"), taker)
    with pytest.raises(QueryError, match="no such file"):
        take_query(Query("q", f"sqlite:///{tmp_path}/none.db", "SELECT * FROM log WHERE at >= :since"), taker)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE i > :since"
    with pytest.raises(QueryError, match="interrupted"):
        take_query(Query("q", f"sqlite:///{tmp_path}/o.db", endless, timeout_s=0.2), taker)
    with pytest.raises(QueryError, match="statement timeout"):
        take_query(Query("q", url, "SELECT pg_sleep(30), :since", timeout_s=1.0), taker)


def test_a_server_that_is_away_is_told_without_its_password(taker: Taker) -> None:
    url = "postgresql://me:secret@127.0.0.1:1/x"
    with pytest.raises(QueryError) as caught:
        take_query(Query("q", url, "SELECT at FROM log WHERE at >= :since", timeout_s=2.0), taker)
    assert "secret" not in str(caught.value)
    assert "me@127.0.0.1" in str(caught.value)
    assert plain_url("odbc:DSN=plant;UID=me;PWD=secret") == "odbc:DSN=plant;UID=me;PWD=…"


def driver() -> str:
    """Name of the ODBC driver for SQLite on this machine; empty where there is none."""
    try:
        import pyodbc
    except ImportError:  # without the library of unixODBC too
        return ""
    return next((name for name in ("SQLite3", "SQLite3 ODBC Driver") if name in pyodbc.drivers()), "")


needs_odbc = pytest.mark.skipif(not driver(), reason="pyodbc, unixODBC or its driver for SQLite is not installed")


@needs_odbc
def test_odbc_asks_as_the_others_do(tmp_path: Path, taker: Taker) -> None:
    """A driver manager and a driver as they are; the database behind them is SQLite's."""
    utc = pd.date_range("2026-10-24T20:00Z", periods=40, freq="15min")
    with closing(sqlite3.connect(tmp_path / "o.db")) as other, other:
        other.execute("CREATE TABLE log (number INTEGER PRIMARY KEY, wall TIMESTAMP, p1 REAL, p2 TEXT, quality TEXT)")
        rows = [
            (
                f"{t.tz_convert('Europe/Kyiv'):%Y-%m-%d %H:%M:%S}",
                k / 2 if k % 5 else None,
                f"{k},5",
                "добре" if k else "погано",
            )
            for k, t in enumerate(utc)
        ]
        other.executemany("INSERT INTO log (wall, p1, p2, quality) VALUES (?, ?, ?, ?)", rows)
    query = Query(
        "log", f"odbc:DRIVER={{{driver()}}};Database={tmp_path}/o.db;PWD=secret",
        "SELECT wall, p1, p2, quality FROM log WHERE wall >= :since OR wall > :since ORDER BY number",
        Profile(zone="Europe/Kyiv", decimal=",", quality_words={"добре": Quality.GOOD, "погано": Quality.BAD}),
        overlap_s=7200.0,
    )  # fmt: skip
    outcome = take_query(query, taker, ms("2026-10-26"))
    assert (outcome.verdict, outcome.stored) == ("taken", 40 + 32)  # an empty cell is no reading
    table = store_of(taker).range(["p2"])
    assert table["time"].tolist() == utc.tolist()
    assert table["value"].tolist() == [k + 0.5 for k in range(40)]
    assert table["quality"].tolist() == [int(Quality.BAD)] + [int(Quality.GOOD)] * 39
    again = take_query(query, taker, ms("2026-10-26"))
    assert (again.stored, again.revised, again.rejected) == (0, 0, 0)
    assert 2 * 9 <= again.repeated <= 2 * 17


@needs_odbc
def test_odbc_writes_nothing_and_waits_no_longer_than_it_may(
    tmp_path: Path, taker: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(tmp_path / "o.db")) as other, other:
        other.execute("CREATE TABLE log (at TEXT, p1 REAL)")
    url = f"odbc:DRIVER={{{driver()}}};Database={tmp_path}/o.db;PWD=secret"
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE i > :since"
    with pytest.raises(QueryError, match="interrupted"):
        take_query(Query("q", url, endless, timeout_s=0.3), taker)
    # what passes for a question to us, and is none: this driver does not refuse it
    monkeypatch.setattr("scada.drops.query.check_sql", lambda sql: "")
    with suppress(QueryError):
        take_query(Query("q", url, "INSERT INTO log VALUES (:since, 1)"), taker)
    with closing(sqlite3.connect(tmp_path / "o.db")) as other:
        assert other.execute("SELECT count(*) FROM log").fetchone() == (0,)
    for text, words in ((f"{url[:-1]};x=1;Driver=none", "none"), ("odbc:DSN=none;PWD=secret", "not found")):
        with pytest.raises(QueryError, match=words) as caught:
            take_query(Query("q", text, "SELECT at FROM log WHERE at >= :since"), taker)
        assert "secret" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    with pytest.raises(QueryError, match="pyodbc is not installed"):
        take_query(Query("q", url, "SELECT at FROM log WHERE at >= :since"), taker)


@pytest.mark.parametrize(
    ("url", "since_as", "zone", "expected"),
    [
        ("sqlite:///x", "time", "UTC", "2026-01-05 00:00:00"),
        ("sqlite:///x", "time", "+02:00", "2026-01-05 02:00:00"),
        ("sqlite:///x", "time", "Europe/Kyiv", "2026-01-05 01:00:00"),  # an hour earlier, for the clock may go back
        ("sqlite:///x", "%d.%m.%Y", "UTC", "05.01.2026"),
        ("sqlite:///x", "unix", "UTC", START_MS / 1000),
        ("postgresql://x", "time", "UTC", pd.Timestamp("2026-01-05", tz="UTC")),
        ("odbc:x", "time", "UTC", pd.Timestamp("2026-01-05")),
    ],
)
def test_since(url: str, since_as: str, zone: str, expected: object) -> None:
    assert since_value(Query("q", url, "", Profile(zone=zone), since_as=since_as), START_MS) == expected
