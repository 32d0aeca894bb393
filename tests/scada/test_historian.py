"""One contract for every historian, and what is particular to SQLite."""

import math
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.errors import HistorianError
from scada.historian import Historian, WriterSettings, open_historian
from scada.historian.sqlite import SCHEMA_VERSION
from scada.sample import Quality, Sample

DAY_MS = 1_790_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Historian]:
    historian = open_historian(f"sqlite:///{tmp_path}/history.db")
    yield historian
    historian.close()


def good(tag: str, minute: int, value: float) -> Sample:
    return Sample(tag, DAY_MS + 60_000 * minute, DAY_MS + 60_000 * minute + 5, value)


def test_range_is_half_open_and_in_order(store: Historian) -> None:
    store.append([good("b", 2, 2.0), good("a", 1, 1.0), good("b", 1, 1.5), good("a", 3, 3.0)])
    table = store.range(["a", "b", "unknown"], DAY_MS + 60_000, DAY_MS + 180_000)
    assert list(table.columns) == ["time", "tag", "value", "quality", "reason"]
    assert table["tag"].tolist() == ["a", "b", "b"]
    assert table["value"].tolist() == [1.0, 1.5, 2.0]
    assert str(table["time"].dtype) == "datetime64[ms, UTC]"
    assert table["time"].iloc[0].value // 1_000_000 == DAY_MS + 60_000
    assert len(store.range()) == 4
    assert len(store.range(["b"])) == 2
    assert len(store.range([])) == 0


def test_appending_again_changes_nothing(store: Historian) -> None:
    store.append([good("a", 1, 1.0)])
    store.flush()
    store.append([good("a", 1, 9.0), good("a", 2, 2.0), good("a", 2, 8.0)])
    assert store.range()["value"].tolist() == [1.0, 2.0]


def test_frame_shows_good_values_only(store: Historian) -> None:
    at = DAY_MS
    store.append(
        [
            Sample("a", at, at, 1.0),
            Sample("b", at, at, 2.0, Quality.UNCERTAIN, "range"),
            Sample("a", at + 1, at + 1, math.nan, Quality.BAD, "timeout"),
            Sample("b", at + 1, at + 1, 3.0),
        ]
    )
    frame = store.frame(["b", "a", "c"])
    assert list(frame.columns) == ["b", "a", "c"]
    np.testing.assert_array_equal(frame.to_numpy(), [[np.nan, 1.0, np.nan], [3.0, np.nan, np.nan]])
    assert str(frame.index.dtype) == "datetime64[ms, UTC]"
    assert list(store.frame().columns) == ["a", "b"]
    assert store.frame(["c"]).shape == (0, 1)


def test_last_is_the_newest_by_time_not_by_arrival(store: Historian) -> None:
    assert store.last() == {}
    store.append([good("a", 5, 5.0), good("b", 1, 1.0)])
    store.flush()
    late = Sample("a", DAY_MS + 120_000, DAY_MS + 999_000, 2.0)
    store.append([late])
    assert store.last() == {"a": good("a", 5, 5.0), "b": good("b", 1, 1.0)}
    assert set(store.last(["b", "c"])) == {"b"}


@settings(max_examples=50)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "рівень"]),
            st.integers(0, 20),
            st.floats(allow_nan=True),
            st.sampled_from(Quality),
            st.sampled_from(["", "nan", "timeout", "exception-4"]),
        ),
        max_size=40,
    )
)
def test_store_agrees_with_a_dictionary(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple]) -> None:
    historian = open_historian(f"sqlite:///{tmp_path_factory.mktemp('db')}/h.db", WriterSettings(batch_rows=7))
    naive: dict[tuple[int, str], Sample] = {}
    for tag, minute, value, quality, reason in rows:
        sample = Sample(tag, DAY_MS + minute, DAY_MS, value, quality, reason)
        historian.append([sample])
        naive.setdefault((sample.time_ms, tag), sample)
    table = historian.range()
    last = historian.last()
    historian.close()
    expected = [naive[key] for key in sorted(naive)]
    assert table["tag"].tolist() == [sample.tag for sample in expected]
    np.testing.assert_array_equal(table["value"].to_numpy(), [sample.value for sample in expected])
    assert table["quality"].tolist() == [int(sample.quality) for sample in expected]
    assert table["reason"].tolist() == [sample.reason for sample in expected]
    for tag, sample in last.items():
        assert sample.time_ms == max(time_ms for time_ms, other in naive if other == tag)


def test_export_writes_what_the_command_promises(store: Historian, tmp_path: Path) -> None:
    store.append([good("a", 1, 0.1), Sample("b", DAY_MS + 7, DAY_MS, math.nan, Quality.BAD, "timeout")])
    assert store.export(tmp_path / "out.csv") == 2
    text = (tmp_path / "out.csv").read_text().split("\n")
    assert text == [
        "time,tag,value,quality,reason",
        "2026-09-21T14:13:20.007Z,b,,BAD,timeout",
        "2026-09-21T14:14:20.000Z,a,0.1,GOOD,",
        "",
    ]
    assert store.export(str(tmp_path / "out.parquet"), ["a"]) == 1
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert table["time"].tolist() == ["2026-09-21T14:14:20.000Z"]
    assert table["value"].tolist() == [0.1]
    assert store.export(tmp_path / "none.csv", ["none"]) == 0
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_export_that_cannot_be_written_is_told(store: Historian, tmp_path: Path) -> None:
    with pytest.raises(HistorianError, match=r"\.csv or \.parquet"):
        store.export(tmp_path / "out.xlsx")
    with pytest.raises(HistorianError, match="cannot be written"):
        store.export(tmp_path / "nowhere" / "out.csv")


def test_samples_are_durable_by_size_and_by_time(tmp_path: Path) -> None:
    path = tmp_path / "h.db"

    def stored() -> int:
        with sqlite3.connect(path) as connection:
            count: int = connection.execute("SELECT count(*) FROM sample").fetchone()[0]
        connection.close()
        return count

    by_size = SqliteHistorian(path, batch_rows=3, batch_s=1e9)
    by_size.append([good("a", 1, 1.0), good("a", 2, 1.0)])
    assert stored() == 0
    by_size.append([good("a", 3, 1.0)])
    assert stored() == 3
    by_size.append([good("a", 4, 1.0)])
    by_size.close()
    assert stored() == 4
    by_time = SqliteHistorian(path, batch_rows=1000, batch_s=0.0)
    by_time.append([good("a", 5, 1.0)])
    assert stored() == 5
    by_time.close()


def test_file_is_as_promised(tmp_path: Path) -> None:
    store = SqliteHistorian(tmp_path / "h.db")
    store.append([good("a", 1, 1.0)])
    store.close()
    with sqlite3.connect(tmp_path / "h.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        schema = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'sample'").fetchone()[0]
        assert "PRIMARY KEY (ts, tag_id)" in schema
        assert "WITHOUT ROWID" in schema
        assert connection.execute("SELECT arrival - ts FROM sample").fetchone()[0] == 5
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(HistorianError, match="schema 99"):
        SqliteHistorian(tmp_path / "h.db")


def test_what_was_stored_is_there_after_reopening(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/h.db"
    first = open_historian(url)
    first.append([good("a", 1, 1.0)])
    first.close()
    second = open_historian(url)
    second.append([good("b", 1, 2.0), good("a", 1, 9.0)])
    third = open_historian(url)  # a page beside the poller
    second.flush()
    assert third.range(["b", "a"])["value"].tolist() == [1.0, 2.0]
    second.append([good("new", 2, 3.0)])
    second.flush()
    assert third.range(["new"])["value"].tolist() == [3.0]
    second.close()
    third.close()


def test_threads_may_read_while_another_appends(store: Historian) -> None:
    counts: list[int] = []
    reading = threading.Thread(target=lambda: counts.extend(len(store.range()) for _ in range(20)))
    reading.start()
    for minute in range(200):
        store.append([good("a", minute, 1.0)])
    reading.join()
    assert counts == sorted(counts)
    assert len(store.range()) == 200


def test_failed_write_keeps_the_samples(tmp_path: Path) -> None:
    store = SqliteHistorian(tmp_path / "h.db", batch_rows=2, batch_s=1e9, pending_rows=4)
    store.append([good("a", 0, 0.0)])
    store._connection.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(tmp_path / "h.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(HistorianError, match=r"h\.db.*locked"):
        store.append([good("a", 1, 1.0)])
    for minute in range(2, 6):
        store.append([good("a", minute, float(minute))])
    other.execute("ROLLBACK")
    other.close()
    store.flush()
    assert store.range()["value"].tolist() == [2.0, 3.0, 4.0, 5.0]
    assert store.dropped == 2
    store.close()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://user@host/db", "not built yet"),
        ("mysql://host/db", "unknown"),
        ("sqlite://", "unknown"),
        ("history.db", "unknown"),
        ("sqlite:////no/such/folder/h.db", "cannot open historian /no/such/folder/h.db"),
    ],
)
def test_url_that_cannot_be_used_is_told(url: str, text: str) -> None:
    with pytest.raises(HistorianError, match=text):
        open_historian(url)


def test_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "h.db").write_text("time,tag,value\n" * 100)
    with pytest.raises(HistorianError, match="not a database"):
        open_historian(f"sqlite:///{tmp_path}/h.db")
