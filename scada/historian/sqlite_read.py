"""Questions to a SQLite historian, inside a snapshot of the caller's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from scada.historian.engine import Buckets, Gaps, Period, Rows
from scada.sample import Quality

__all__ = ["buckets", "gaps", "newest", "select", "span"]

_COLUMNS = "ts, tag_id, value, quality, reason_id, arrival, version"
# every cell of a row costs as much as the row itself: the small ones travel as one
_REASON, _VERSION = 2, 22  # bits from the right
_PACKED = f"ts, tag_id, value, arrival, quality | (reason_id << {_REASON}) | (version << {_VERSION})"
_MANY = 1000  # names that are looked up one by one
_FEW = 20  # a query for less than this part of the tags looks them up time by time


def select(run: sqlite3.Connection, period: Period) -> Rows:
    """Return samples of a period by time and tag."""
    names = _names(run, period.tags)
    if period.known_ms is None:
        # one after the other: a compound query copies every row once more
        queries: tuple[str, ...] = _places(run, period, names, _PACKED)
        if period.is_every:
            queries = (*queries, f"SELECT {_PACKED} FROM ({_older(period, names)})")
    else:
        queries = (f"SELECT {_PACKED} FROM ({_source(run, period, names)})",)
    found = [row for query in queries for row in run.execute(query, _limits(period)).fetchall()]
    return _rows(run, names, found, period.is_every)


def buckets(run: sqlite3.Connection, period: Period, step_ms: int) -> Buckets:
    """Return GOOD samples gathered in steps, by time and tag."""
    names = _names(run, period.tags)
    query = (
        f"SELECT ts / {step_ms} * {step_ms}, tag_id, avg(value), min(value), max(value), count(*) "
        f"FROM ({_source(run, period, names)}) WHERE quality = {int(Quality.GOOD)} AND value IS NOT NULL GROUP BY 1, 2"
    )
    name_of = {number: name for name, number in names}
    found = [(row[0], name_of[row[1]], *row[2:]) for row in run.execute(query, _limits(period))]
    found.sort(key=lambda row: row[:2])
    ts, tag, mean, low, high, count = zip(*found, strict=True) if found else ((),) * 6
    return Buckets(
        np.array(ts, np.int64),
        np.array(tag, object),
        np.array(mean, np.float64),
        np.array(low, np.float64),
        np.array(high, np.float64),
        np.array(count, np.int64),
    )


def gaps(run: sqlite3.Connection, period: Period, least_ms: int) -> Gaps:
    """Return steps longer than `least_ms`, and the ends of the record."""
    names = _names(run, period.tags)
    name_of = {number: name for name, number in names}
    valued = f"FROM ({_source(run, period, names)}) WHERE quality <= {int(Quality.UNCERTAIN)} AND value IS NOT NULL"
    steps = (
        "SELECT tag_id, before, ts FROM "
        f"(SELECT tag_id, ts, lag(ts) OVER (PARTITION BY tag_id ORDER BY ts) AS before {valued}) "
        f"WHERE ts - before > {least_ms}"
    )
    ends = f"SELECT tag_id, min(ts), max(ts) {valued} GROUP BY tag_id"
    return Gaps(
        [(name_of[number], before, after) for number, before, after in run.execute(steps, _limits(period))],
        {name_of[number]: (first, last) for number, first, last in run.execute(ends, _limits(period))},
    )


def newest(run: sqlite3.Connection, tags: Sequence[str] | None) -> Rows:
    """Return the newest sample of each tag: of those by time, or of those in slices."""
    names = _names(run, tags)
    numbers = _numbers(names)
    young = f"SELECT max(ts), {_PACKED[4:]} FROM sample WHERE tag_id IN ({numbers}) GROUP BY tag_id"
    old = (
        "SELECT c.ts, c.tag_id, c.value, c.arrival, "
        f"c.quality | (c.reason_id << {_REASON}) | (c.version << {_VERSION}) FROM latest n "
        "CROSS JOIN slice l ON l.from_ts <= n.ts AND l.to_ts >= n.ts "
        "CROSS JOIN compact c ON c.slice_id = l.id AND c.tag_id = n.tag_id AND c.ts = n.ts "
        f"WHERE n.tag_id IN ({numbers})"
    )
    found: dict[int, tuple[Any, ...]] = {}
    for row in [*run.execute(old), *run.execute(young)]:
        if row[1] not in found or found[row[1]][0] < row[0]:
            found[row[1]] = row
    return _rows(run, names, list(found.values()))


def span(run: sqlite3.Connection) -> tuple[int, int] | None:
    """Return the times between which all samples lie; of a slice that lost its oldest, the times that it began with."""
    has_rows = "EXISTS (SELECT 1 FROM compact WHERE slice_id = slice.id)"  # while slices merge some are empty
    rows = [
        *run.execute("SELECT min(ts) FROM sample"),
        *run.execute("SELECT max(ts) FROM sample"),
        *run.execute(f"SELECT min(from_ts) FROM slice WHERE {has_rows}"),
        *run.execute(f"SELECT max(to_ts) FROM slice WHERE {has_rows}"),
    ]
    times = [row[0] for row in rows if row[0] is not None]
    return (min(times), max(times)) if times else None


def _names(run: sqlite3.Connection, tags: Sequence[str] | None) -> list[tuple[str, int]]:
    """Names and numbers by name, asked for each time since other processes write too."""
    if tags is not None and len(tags) <= _MANY:
        marks = ",".join("?" * len(tags))
        return sorted(run.execute(f"SELECT name, id FROM tag WHERE name IN ({marks})", tags).fetchall())
    known = run.execute("SELECT name, id FROM tag ORDER BY name").fetchall()
    if tags is None:
        return known
    wanted = set(tags)
    return [(name, number) for name, number in known if name in wanted]


def _numbers(names: Iterable[tuple[str, int]]) -> str:
    return ",".join(str(number) for _, number in names)  # numbers of our own, so no parameters


def _limits(period: Period) -> dict[str, int | None]:
    return {"low": period.from_ms, "high": period.to_ms, "known": period.known_ms}


def _places(
    run: sqlite3.Connection, period: Period, names: list[tuple[str, int]], columns: str = _COLUMNS
) -> tuple[str, str]:
    """Queries for the current samples of a period: those by time, and those in slices."""
    numbers = _numbers(names)
    is_within = "ts >= :low AND ts < :high"
    tags = run.execute("SELECT coalesce(max(id), 0) FROM tag").fetchone()[0]
    is_all = period.tags is None or len(names) == tags
    whose = "" if is_all else f"AND tag_id IN ({numbers})"
    by_time = f"SELECT {columns} FROM sample WHERE {is_within} {whose}"
    if not is_all and len(names) * _FEW < tags:
        # from one time to the next by the key: the times between are few where thousands of tags share them
        by_time = (
            f"WITH RECURSIVE moment(t) AS (SELECT min(ts) FROM sample WHERE {is_within} UNION ALL "
            "SELECT (SELECT min(ts) FROM sample WHERE ts > t AND ts < :high) FROM moment WHERE t IS NOT NULL) "
            f"SELECT {columns} FROM moment CROSS JOIN sample ON ts = t AND tag_id IN ({numbers})"
        )
    sliced = (
        f"SELECT {columns} FROM slice l CROSS JOIN compact c ON c.slice_id = l.id {whose} AND {is_within} "
        "WHERE l.to_ts >= :low AND l.from_ts < :high"
    )
    return by_time, sliced


def _source(run: sqlite3.Connection, period: Period, names: list[tuple[str, int]]) -> str:
    """A query for one row for each tag and time: the current one, or the last that was known."""
    by_time, sliced = _places(run, period, names)
    current = f"SELECT * FROM ({by_time}) UNION ALL {sliced}"
    if period.known_ms is None:
        return current
    every = f"SELECT * FROM ({current}) UNION ALL {_older(period, names)}"
    # SQLite takes the other columns from the row with the maximum
    return (
        "SELECT ts, tag_id, value, quality, reason_id, max(arrival) AS arrival, version "
        f"FROM ({every}) WHERE arrival <= :known GROUP BY ts, tag_id"
    )


def _older(period: Period, names: list[tuple[str, int]]) -> str:
    """A query for the samples of a period that were replaced."""
    whose = "" if period.tags is None else f"AND tag_id IN ({_numbers(names)})"
    return f"SELECT {_COLUMNS} FROM revision WHERE ts >= :low AND ts < :high {whose}"


def _rows(
    run: sqlite3.Connection, names: list[tuple[str, int]], found: list[tuple[Any, ...]], by_arrival: bool = False
) -> Rows:
    texts = dict(run.execute("SELECT id, text FROM reason").fetchall())
    ts, tag, value, arrival, packed = zip(*found, strict=True) if found else ((),) * 5
    rank = np.zeros(max((number for _, number in names), default=0) + 1, np.intp)
    for position, (_, number) in enumerate(names):
        rank[number] = position
    times = np.array(ts, np.int64)
    places = rank[np.array(tag, np.intp)]
    came = np.array(arrival, np.int64)
    order = np.lexsort((came, places, times) if by_arrival else (places, times))
    small = np.array(packed, np.int64)[order]
    return Rows(
        names=np.array([name for name, _ in names], dtype=object),
        reasons=np.array([texts.get(number, "") for number in range(max(texts, default=0) + 1)], dtype=object),
        ts=times[order],
        tag=places[order],
        value=np.array(value, np.float64)[order],  # None becomes NaN
        quality=(small & (1 << _REASON) - 1).astype(np.uint8),
        reason=(small >> _REASON & (1 << _VERSION - _REASON) - 1).astype(np.intp),
        arrival=came[order],
        version=small >> _VERSION,
    )
