"""What is particular to the PostgreSQL historian: its partitions, its wire format, TimescaleDB."""

from pathlib import Path

import numpy as np
import pytest

from scada.errors import HistorianError
from scada.historian import Historian, Retention, open_historian, postgres_copy, postgres_schema
from scada.historian.batch import Interner
from scada.historian.engine import Period
from scada.historian.postgres import PostgresEngine
from scada.sample import Sample
from tests.postgres import Server

DAY_MS = 86_400_000
START_MS = 1_790_000_000_000


def rows_of(url: str, query: str) -> list[tuple]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query)
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


def test_months_are_partitions(postgres: Server, tmp_path: Path) -> None:
    url = postgres.new_database()
    store = open_historian(url, spool=tmp_path / "spool")
    store.append([Sample("a", START_MS + k * 10 * DAY_MS, START_MS, float(k)) for k in range(12)])
    store.append([Sample("a", 0, START_MS, -1.0)])
    store.flush()
    months = (
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'historian.sample'::regclass ORDER BY 1"
    )
    names = [name for (name,) in rows_of(url, months)]
    assert names == [
        "historian.sample_1970_01", "historian.sample_2026_09", "historian.sample_2026_10", "historian.sample_2026_11",
        "historian.sample_2026_12", "historian.sample_2027_01",
    ]  # fmt: skip
    [(kinds,)] = rows_of(
        url, "SELECT count(*) FROM pg_indexes WHERE tablename LIKE 'sample_2%' AND indexdef LIKE '%USING brin (ts)%'"
    )
    assert kinds == 5
    assert store.range()["value"].tolist() == [-1.0, *(float(k) for k in range(12))]
    now_ms = START_MS + 80 * DAY_MS
    assert store.retain(Retention(days=30.0), now_ms) == 6
    left = [name for (name,) in rows_of(url, months)]
    assert left == names[3:]  # whole months went at once
    assert store.range()["value"].tolist() == [float(k) for k in range(5, 12)]
    store.append([Sample("a", START_MS, START_MS, 0.5)])  # their partition comes back when it is needed
    assert store.range()["value"].tolist() == [0.5, *(float(k) for k in range(5, 12))]
    store.close()


def test_one_tags_day_is_found_by_its_key(postgres: Server, tmp_path: Path) -> None:
    url = postgres.new_database()
    store = open_historian(url, spool=tmp_path / "spool")
    store.append([Sample(f"t{k}", START_MS + 1000 * s, START_MS, 1.0) for k in range(100) for s in range(100)])
    store.close()
    plan = rows_of(
        url,
        "SET enable_seqscan = off; EXPLAIN SELECT * FROM historian.sample WHERE tag_id = ANY(ARRAY[3]::integer[]) "
        f"AND ts >= {START_MS} AND ts < {START_MS + 50_000}",
    )
    text = "\n".join(row[0] for row in plan)
    assert "pkey" in text
    assert "sample_2026_09" in text


def test_columns_go_over_the_wire_as_postgres_writes_them(postgres: Server) -> None:
    """Our binary rows against the server's own reading and writing of them."""
    import psycopg

    rng = np.random.default_rng(5)
    n = 200
    columns = {
        "ts": rng.integers(0, 2**47, n), "tag_id": rng.integers(0, 2**31, n), "value": rng.normal(size=n) * 1e9,
        "quality": rng.integers(0, 4, n), "reason_id": rng.integers(0, 2**31, n),
        "arrival": rng.integers(0, 2**47, n), "version": rng.integers(0, 1000, n),
    }  # fmt: skip
    columns["value"][:3] = [np.nan, np.inf, -0.0]
    with psycopg.connect(postgres.new_database(), autocommit=True) as connection:
        connection.execute(f"CREATE TABLE stage ({postgres_copy.STAGE})")
        with connection.cursor().copy("COPY stage FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(postgres_copy.encode(columns))
        found = connection.execute(f"SELECT n, {', '.join(columns)} FROM stage ORDER BY n").fetchall()
        assert [row[0] for row in found] == list(range(n))
        for place, name in enumerate(columns, 1):
            np.testing.assert_array_equal([row[place] for row in found], columns[name])
        with connection.cursor().copy(
            f"COPY (SELECT {postgres_copy.COPIED} FROM stage ORDER BY n) TO STDOUT (FORMAT BINARY)"
        ) as copy:
            again = postgres_copy.decode(b"".join(bytes(block) for block in copy))
    for name, values in columns.items():
        np.testing.assert_array_equal(again[name], values)


def test_a_later_schema_is_refused(postgres: Server) -> None:
    url = postgres.new_database()
    open_historian(url).close()
    rows_of(url, "INSERT INTO historian.schema_version VALUES (99, 0)")
    with pytest.raises(HistorianError, match="has schema 99, this program knows"):
        open_historian(url)


def test_a_migration_happens_whole_or_not_at_all(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres.new_database()
    store = open_historian(url)
    store.append([Sample("a", START_MS, START_MS, 1.0)])
    store.close()
    steps = postgres_schema._MIGRATIONS
    broken = "ALTER TABLE historian.sample ADD COLUMN x integer; CREATE TABLE historian.tag (id integer)"
    monkeypatch.setattr(postgres_schema, "_MIGRATIONS", (*steps, broken))
    monkeypatch.setattr(postgres_schema, "SCHEMA_VERSION", len(steps) + 1)
    with pytest.raises(HistorianError, match="already exists"):
        open_historian(url)
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'sample' AND column_name = 'x'"
    assert rows_of(url, columns) == [(0,)]
    whole = "ALTER TABLE historian.sample ADD COLUMN x integer"
    monkeypatch.setattr(postgres_schema, "_MIGRATIONS", (*steps, whole))
    store = open_historian(url)
    assert store.range()["value"].tolist() == [1.0]
    store.close()
    assert rows_of(url, columns) != [(0,)]
    assert rows_of(url, "SELECT version FROM historian.schema_version ORDER BY 1") == [
        (version,) for version in range(1, len(steps) + 2)
    ]


def test_a_hypertable_takes_the_place_of_partitions(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """This server has no TimescaleDB: a function of its name notes that it was asked, the table stays as it is."""
    url = postgres.new_database()
    rows_of(
        url,
        "CREATE TABLE asked (relation text, column_name text, chunk bigint); "
        "CREATE FUNCTION create_hypertable(relation regclass, time_column_name name, chunk_time_interval bigint, "
        "create_default_indexes boolean) RETURNS void LANGUAGE sql AS "
        "$$INSERT INTO public.asked VALUES (relation::text, time_column_name, chunk_time_interval)$$",
    )
    monkeypatch.setattr(postgres_schema, "_load_timescale", lambda connection: True)
    store = open_historian(url)
    assert rows_of(url, "SELECT * FROM asked") == [("historian.sample", "ts", 7 * DAY_MS)]
    store.append([Sample("a", START_MS + k * DAY_MS, START_MS, float(k)) for k in range(100)])
    store.append([Sample("a", START_MS, START_MS + 9, 7.0)])
    assert store.range()["value"].tolist() == [7.0, *(float(k) for k in range(1, 100))]
    assert store.retain(Retention(days=10.0), START_MS + 100 * DAY_MS) == 91
    store.close()


def test_two_writers_at_once_store_everything_once(postgres: Server, tmp_path: Path) -> None:
    import threading

    url = postgres.new_database()
    stores = [open_historian(url, spool=tmp_path / "spool") for _ in range(2)]

    def work(store: Historian, seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(10):
            picked = rng.permutation(200)[:100]
            store.append([Sample(f"t{k}", START_MS + k, START_MS, float(k)) for k in picked.tolist()])
            store.flush()

    threads = [threading.Thread(target=work, args=(store, seed)) for seed, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tables = [store.range() for store in stores]
    assert tables[0]["value"].tolist() == tables[1]["value"].tolist() == [float(k) for k in range(200)]
    assert sum(store.status.counters.stored for store in stores) == 200
    assert all(store.status.counters.failures == 0 for store in stores)
    for store in stores:
        store.close()


def test_what_a_failed_transaction_taught_is_forgotten(postgres: Server) -> None:
    url = postgres.new_database()
    engine = PostgresEngine(url)
    engine.open()
    rows_of(url, "ALTER TABLE historian.sample ADD CONSTRAINT small CHECK (value < 10)")
    interner = Interner()
    with pytest.raises(HistorianError, match="small"):
        engine.write(interner.batch([[Sample("new", START_MS, START_MS, 11.0, reason="why")]])[0])
    engine.write(interner.batch([[Sample("new", START_MS, START_MS, 9.0, reason="why")]])[0])
    assert engine.select(Period(None, 0, 2**47)).value.tolist() == [9.0]
    engine.close()
