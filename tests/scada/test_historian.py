"""One contract for every historian, run over each of its databases."""

import dataclasses
import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scada.errors import HistorianError
from scada.historian import Historian, Retention, WriterSettings, housekeeping, open_historian, sqlite_slices
from scada.sample import Quality, Sample
from scada.tag import Tag
from tests.scada.naive_store import naive, news

DAY_MS = 1_790_000_000_000
RUNS = itertools.count()


@pytest.fixture(params=["sqlite", "sqlite in small slices", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres").new_database())
    if request.param == "sqlite in small slices":
        for name, value in (("HOT_ROWS", 4), ("_STEP_ROWS", 3), ("_MERGED_ROWS", 3), ("_FAN", 2)):
            monkeypatch.setattr(sqlite_slices, name, value)
        monkeypatch.setattr(housekeeping, "_MAINTAIN_EVERY_S", 0.0)
    return f"sqlite:///{tmp_path}/history.db"


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Callable[..., Historian]:
    """Opens the same store again and again."""

    def call(**settings: object) -> Historian:
        return open_historian(url, WriterSettings(**settings), spool=tmp_path / "spool")  # type: ignore[arg-type]

    return call


@pytest.fixture
def store(opened: Callable[..., Historian]) -> Iterator[Historian]:
    historian = opened()
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


def test_last_can_tell_what_was_known(store: Historian) -> None:
    store.append([good("a", 1, 1.0), good("b", 1, 7.0)])
    store.append([Sample("a", DAY_MS + 60_000, DAY_MS + 300_000, 1.5), good("a", 10, 2.0)])
    assert store.last(known_ms=DAY_MS) == {}
    at_first = store.last(known_ms=DAY_MS + 240_000)
    assert {tag: sample.value for tag, sample in at_first.items()} == {"a": 1.0, "b": 7.0}
    assert store.last(["a"], known_ms=DAY_MS + 300_000)["a"].value == 1.5
    assert store.last(known_ms=DAY_MS + 86_400_000 * 40)["a"].value == 2.0


_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "рівень"]),
        st.integers(0, 12),
        st.integers(0, 6),
        st.sampled_from([0.0, 1.5, -2.0, math.nan, math.inf]),
        st.sampled_from(Quality),
        st.sampled_from(["", "nan", "timeout", "exception-4"]),
    ),
    max_size=40,
)


@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_ROWS, replayed=st.randoms(use_true_random=False), asked=st.integers(0, 6))
def test_store_agrees_with_a_journal(store: Historian, rows: list[tuple], replayed: Random, asked: int) -> None:
    """Whatever was revised and replayed, the store answers as a list of everything that ever came would."""
    run = f"{next(RUNS)} "
    journal = [
        Sample(run + tag, DAY_MS + moment, DAY_MS + arrival, value, quality, reason)
        for tag, moment, arrival, value, quality, reason in sorted(rows, key=lambda row: row[2])
    ]
    for start in range(0, len(journal), 7):
        store.append(journal[start : start + 7])
        store.flush()
    again = list(journal)
    replayed.shuffle(again)
    store.append(again)
    names = sorted({sample.tag for sample in journal})
    for known_ms in (None, DAY_MS + asked):
        table = store.range(names, known_ms=known_ms)
        expected = naive(journal, known_ms)
        assert table["tag"].tolist() == [sample.tag for sample in expected]
        np.testing.assert_array_equal(table["value"].to_numpy(), [sample.value for sample in expected])
        assert table["quality"].tolist() == [int(sample.quality) for sample in expected]
        assert table["reason"].tolist() == [sample.reason for sample in expected]
        last = store.last(names, known_ms)
        newest = {sample.tag: sample for sample in expected}
        assert {tag: sample.time_ms for tag, sample in last.items()} == {t: s.time_ms for t, s in newest.items()}
    every = store.range(names, is_full=True, is_every=True)
    told = [sample for _, kept in sorted(news(journal).items()) for sample in kept]
    assert every["tag"].tolist() == [sample.tag for sample in told]
    assert (every["arrival"].astype("int64")).tolist() == [sample.arrival_ms for sample in told]
    assert every["reason"].tolist() == [sample.reason for sample in told]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_ROWS, step_ms=st.integers(1, 9))
def test_resampled_values_are_pandas_own(store: Historian, rows: list[tuple], step_ms: int) -> None:
    run = f"{next(RUNS)} "
    samples = [
        Sample(run + tag, DAY_MS + moment, DAY_MS + moment, value, quality)
        for tag, moment, _, value, quality, _ in rows
        if not math.isinf(value)
    ]
    store.append(samples)
    names = sorted({sample.tag for sample in samples})
    found = store.resample(names, step_ms / 1000)
    wide = store.frame(names)
    expected = []
    for name in names:
        start_ms = wide.index.as_unit("ms").asi8 // step_ms * step_ms
        for start, group in wide[name].dropna().groupby(pd.Series(start_ms, wide.index)):
            expected.append((start, name, group.mean(), group.min(), group.max(), len(group)))
    rows_found = list(
        zip(found["time"].dt.as_unit("ms").astype("int64"), *(found[c] for c in list(found)[1:]), strict=True)
    )
    assert list(found) == ["time", "tag", "mean", "min", "max", "count"]
    assert [row[:2] for row in rows_found] == [row[:2] for row in sorted(expected)]
    for row, wanted in zip(rows_found, sorted(expected), strict=True):
        assert row[2:] == pytest.approx(wanted[2:])


def test_gaps_are_steps_beyond_the_tags_own_interval(store: Historian) -> None:
    store.describe([Tag("a", "d", "input", 0, "int16", interval_s=60.0), Tag("b", "d", "input", 1, "int16")], 0)
    store.append([good("a", minute, 1.0) for minute in (0, 1, 2, 6, 7)])
    at = DAY_MS + 180_000
    store.append([Sample("a", at, at, math.nan, Quality.BAD, "timeout"), Sample("c", at, at, 1.0)])
    gaps = store.gaps()
    assert gaps["tag"].tolist() == ["a"]
    assert gaps["start"].iloc[0].value // 1_000_000 == DAY_MS + 120_000
    assert gaps["end"].iloc[0].value // 1_000_000 == DAY_MS + 360_000
    assert gaps["seconds"].tolist() == [240.0]
    assert gaps["missing"].tolist() == [3]
    whole = store.gaps(["a", "b"], DAY_MS - 300_000, DAY_MS + 600_000)
    assert whole[["tag", "seconds", "missing"]].to_numpy().tolist() == [
        ["a", 300.0, 4], ["a", 240.0, 3], ["a", 180.0, 2], ["b", 900.0, 14],
    ]  # fmt: skip
    assert store.gaps(interval_s=300.0).empty
    assert store.gaps(["c"]).empty
    assert store.gaps(["a"], tolerance=5.0).empty


def test_a_new_configuration_leaves_old_samples_their_meaning(store: Historian) -> None:
    metres = Tag("a", "d", "input", 0, "int16", scale=0.1, unit="m")
    store.append([good("a", 0, 1.0)])
    store.describe([metres], DAY_MS)
    store.append([good("a", 1, 2.0)])
    store.describe([metres], DAY_MS + 5)  # the program was started again
    store.append([good("a", 2, 3.0)])
    store.describe([dataclasses.replace(metres, scale=0.01, unit="bar")], DAY_MS + 9)
    store.append([good("a", 3, 4.0), good("b", 3, 5.0)])
    table = store.range(is_full=True)
    assert list(table)[5:] == ["arrival", "version"]
    assert table["version"].tolist() == [0, 1, 1, 2, 0]
    assert (table["arrival"] - table["time"]).dt.total_seconds().tolist() == [0.005] * 5
    meanings = store.meanings("a")
    assert meanings["version"].tolist() == [1, 2]
    assert meanings["unit"].tolist() == ["m", "bar"]
    assert meanings["since"].dt.as_unit("ms").astype("int64").tolist() == [DAY_MS, DAY_MS + 9]
    assert store.meanings("b").empty


def test_days_are_exported_whole(store: Historian, tmp_path: Path) -> None:
    noon = 1_790_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000
    samples = [Sample("a", noon + 3_600_000 * hour, noon, float(hour)) for hour in range(60) if not 12 <= hour < 36]
    store.append(samples)
    files = store.export_days(tmp_path / "days")
    assert [path.name for path in files] == ["2026-09-21.parquet", "2026-09-23.parquet"]
    table = pd.concat([pd.read_parquet(path) for path in files])
    assert list(table) == ["time", "tag", "value", "quality", "reason", "arrival", "version"]
    assert table["value"].tolist() == [sample.value for sample in samples]
    assert (table["time"].dt.floor("D").dt.strftime("%Y-%m-%d.parquet").unique() == [f.name for f in files]).all()
    assert sorted(path.name for path in (tmp_path / "days").iterdir()) == [path.name for path in files]
    with pytest.raises(HistorianError, match="cannot be made"):
        store.export_days(files[0] / "x")


def test_old_samples_go_by_rule(store: Historian) -> None:
    day = 86_400_000
    now = DAY_MS + 100 * day
    store.append([Sample(tag, DAY_MS + k * day, DAY_MS, 1.0) for tag in ("a", "b", "for ever") for k in range(100)])
    store.append([Sample("a", DAY_MS, DAY_MS + 9, 2.0)])  # a revision goes too
    rule = Retention(days=30.0, tag_days={"b": 10.0, "for ever": 1e6, "nobody": 1.0})
    assert store.retain(rule, now) in {160, 161}
    assert store.retain(rule, now) == 0
    assert Counter(store.range()["tag"]) == {"a": 30, "b": 10, "for ever": 100}
    assert store.range(known_ms=DAY_MS + 5)["time"].min() == store.range(["for ever"])["time"].min()
    assert len(store.last()) == 3
    assert store.retain(Retention(), now) == 0
    assert store.retain(Retention(days=0.0), now) == 140
    assert store.last() == {}
    assert store.span() is None


def test_samples_outside_the_calendar_hold_up_nobody(store: Historian) -> None:
    store.append([Sample("a", -1, 0, 1.0), Sample("a", 0, 10**15, 1.0), Sample("a\0b\ud800", 5, 5, 2.0, reason="x\0")])
    assert store.range()["value"].tolist() == [2.0]
    assert store.status.counters.refused == 2
    assert store.range()["reason"].tolist() == ["x\N{REPLACEMENT CHARACTER}"]


def test_a_clock_that_is_set_back_loses_nothing(store: Historian) -> None:
    """A minute is lived twice: the second reading of a slot counts, the first is kept; what lies between is new."""
    now_ms = time.time_ns() // 1_000_000
    ahead = [Sample("a", now_ms + 1000 * k, now_ms + 1000 * k, float(k)) for k in range(60)]
    store.append(ahead)
    store.flush()
    right = [Sample("a", s.time_ms + shift, s.arrival_ms + shift - 3, -1.0) for s in ahead for shift in (0, 500)]
    store.append(right[:40])
    store.flush()
    store.append(right[40:])
    table = store.range(is_full=True)
    assert len(table) == 120
    assert (table["value"] == -1.0).all()
    assert store.status.counters.backward_steps == 1
    assert store.status.counters.revised == 60
    before = store.range(known_ms=ahead[-1].arrival_ms)
    assert before["value"].tolist() == [sample.value for sample in ahead]
    assert [s.value for s in store.last(known_ms=ahead[-1].arrival_ms).values()] == [59.0]
    store.append([Sample("a", now_ms - 10**9, now_ms - 10**9, 5.0)])  # somebody's record, no step
    assert store.range(["a"], to_ms=now_ms, is_full=True)["arrival"].iloc[0].value // 10**6 == now_ms - 10**9
    assert store.status.counters.backward_steps == 1


def test_what_was_stored_is_there_after_reopening(opened: Callable[..., Historian]) -> None:
    first = opened()
    first.append([good("a", 1, 1.0)])
    first.close()
    second = opened()
    second.append([good("b", 1, 2.0), good("a", 1, 1.0)])
    third = opened()  # a page beside the poller
    second.flush()
    assert third.range(["b", "a"])["value"].tolist() == [1.0, 2.0]
    second.append([good("new", 2, 3.0)])
    second.flush()
    assert third.range(["new"])["value"].tolist() == [3.0]
    assert second.status.counters.repeated == 1
    third.append([good("new", 2, 3.0), good("old", 2, 3.0)])  # two write at the same time
    third.close()
    second.close()
    with pytest.raises(HistorianError, match="closed"):
        second.append([])


def test_threads_may_read_while_another_appends(store: Historian) -> None:
    counts: list[int] = []
    reading = threading.Thread(target=lambda: counts.extend(len(store.range()) for _ in range(10)))
    reading.start()
    for minute in range(200):
        store.append([good("a", minute, 1.0)])
    reading.join()
    assert len(counts) == 10
    assert counts == sorted(counts)
    assert len(store.range()) == 200


def test_samples_are_safe_by_size_and_by_time(opened: Callable[..., Historian]) -> None:
    reader = opened()

    def arrived(count: int) -> None:
        deadline = time.monotonic() + 30.0
        while len(reader.range()) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(reader.range()) == count

    by_size = opened(batch_rows=3, batch_s=1e6)
    by_size.append([good("a", 1, 1.0), good("a", 2, 1.0)])
    time.sleep(0.2)
    assert len(reader.range()) == 0
    by_size.append([good("a", 3, 1.0)])
    arrived(3)
    by_size.append([good("a", 4, 1.0)])
    by_size.close()
    assert len(reader.range()) == 4
    by_time = opened(batch_rows=1000, batch_s=0.05)
    by_time.append([good("a", 5, 1.0)])
    arrived(5)  # nobody asked for it
    by_time.close()
    reader.close()


def test_whoever_can_come_again_waits_for_the_database(opened: Callable[..., Historian]) -> None:
    store = opened(batch_rows=100)
    for start in range(0, 5000, 50):
        store.append([good("a", minute, 1.0) for minute in range(start, start + 50)], is_patient=True)
    assert store.status.waiting <= 250
    store.close()
    assert store.status.counters.stored == 5000


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
