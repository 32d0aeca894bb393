"""Questions to a PostgreSQL historian, inside a snapshot of the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from scada.historian import postgres_copy
from scada.historian.engine import Buckets, Gaps, Period, Rows
from scada.sample import Quality

__all__ = ["buckets", "gaps", "newest", "select", "span"]

_COLUMNS = "ts, tag_id, value, quality, reason_id, arrival, version"


def select(run: Any, period: Period) -> Rows:
    """Return samples of a period by time and tag."""
    names = _names(run, period.tags)
    return _rows(run, names, _source(period, names), period.is_every)


def buckets(run: Any, period: Period, step_ms: int) -> Buckets:
    """Return GOOD samples gathered in steps, by time and tag."""
    names = _names(run, period.tags)
    query = (
        f"SELECT ts / {step_ms} * {step_ms}, tag_id, avg(value), min(value), max(value), count(*) "
        f"FROM ({_source(period, names)}) s WHERE quality = {int(Quality.GOOD)} AND value IS NOT NULL GROUP BY 1, 2"
    )
    name_of = {number: name for name, number in names}
    found = [(row[0], name_of[row[1]], *row[2:]) for row in run.execute(query, binary=True).fetchall()]
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


def gaps(run: Any, period: Period, least_ms: int) -> Gaps:
    """Return steps longer than `least_ms`, and the ends of the record."""
    names = _names(run, period.tags)
    name_of = {number: name for name, number in names}
    valued = f"FROM ({_source(period, names)}) s WHERE quality <= {int(Quality.UNCERTAIN)} AND value IS NOT NULL"
    steps = (
        "SELECT tag_id, before, ts FROM "
        f"(SELECT tag_id, ts, lag(ts) OVER (PARTITION BY tag_id ORDER BY ts) AS before {valued}) g "
        f"WHERE ts - before > {least_ms}"
    )
    ends = f"SELECT tag_id, min(ts), max(ts) {valued} GROUP BY tag_id"
    return Gaps(
        [(name_of[number], before, after) for number, before, after in run.execute(steps).fetchall()],
        {name_of[number]: (first, last) for number, first, last in run.execute(ends).fetchall()},
    )


def newest(run: Any, tags: Sequence[str] | None) -> Rows:
    """Return the newest sample of each tag, found from the end of its key."""
    names = _names(run, tags)
    query = (
        "SELECT s.* FROM historian.tag t CROSS JOIN LATERAL "
        f"(SELECT {_COLUMNS} FROM historian.sample WHERE tag_id = t.id ORDER BY ts DESC LIMIT 1) s "
        f"WHERE t.id = ANY(ARRAY[{_numbers(names)}]::integer[])"
    )
    return _rows(run, names, query)


def span(run: Any) -> tuple[int, int] | None:
    """Return the times of the oldest and the newest sample."""
    ends = [
        run.execute(
            "SELECT s.ts FROM historian.tag t CROSS JOIN LATERAL (SELECT ts FROM historian.sample "
            f"WHERE tag_id = t.id ORDER BY ts {way} LIMIT 1) s ORDER BY 1 {way} LIMIT 1"
        ).fetchone()
        for way in ("ASC", "DESC")
    ]
    return (ends[0][0], ends[1][0]) if ends[0] is not None else None


def _names(run: Any, tags: Sequence[str] | None) -> list[tuple[str, int]]:
    """Names and numbers in the order of Python's texts, whatever the server's collation."""
    if tags is None:
        found = run.execute("SELECT name, id FROM historian.tag").fetchall()
    else:
        found = run.execute("SELECT name, id FROM historian.tag WHERE name = ANY(%s)", (list(tags),)).fetchall()
    return sorted(found)


def _numbers(names: Iterable[tuple[str, int]]) -> str:
    return ",".join(str(number) for _, number in names)  # numbers of our own, so no parameters


def _source(period: Period, names: list[tuple[str, int]]) -> str:
    """A query for one row for each tag and time: the current one, or the last that was known."""
    whose = "" if period.tags is None else f"AND tag_id = ANY(ARRAY[{_numbers(names)}]::integer[])"
    where = f"ts >= {period.from_ms} AND ts < {period.to_ms} {whose}"
    current = f"SELECT {_COLUMNS} FROM historian.sample WHERE {where}"
    older = f"SELECT {_COLUMNS} FROM historian.revision WHERE {where}"
    if period.known_ms is None:
        return f"{current} UNION ALL {older}" if period.is_every else current
    return (
        f"SELECT DISTINCT ON (ts, tag_id) {_COLUMNS} FROM ({current} UNION ALL {older}) k "
        f"WHERE arrival <= {period.known_ms} ORDER BY ts, tag_id, arrival DESC"
    )


def _rows(run: Any, names: list[tuple[str, int]], query: str, by_arrival: bool = False) -> Rows:
    texts = dict(run.execute("SELECT id, text FROM historian.reason").fetchall())
    with run.cursor().copy(f"COPY (SELECT {postgres_copy.COPIED} FROM ({query}) q) TO STDOUT (FORMAT BINARY)") as copy:
        found = postgres_copy.decode(b"".join(bytes(block) for block in copy))
    rank = np.zeros(max((number for _, number in names), default=0) + 1, np.intp)
    for position, (_, number) in enumerate(names):
        rank[number] = position
    places = rank[found["tag_id"]]
    order = np.lexsort((found["arrival"], places, found["ts"]) if by_arrival else (places, found["ts"]))
    column: dict[str, Any] = {name: values[order] for name, values in found.items()}
    return Rows(
        names=np.array([name for name, _ in names], dtype=object),
        reasons=np.array([texts.get(number, "") for number in range(max(texts, default=0) + 1)], dtype=object),
        ts=column["ts"],
        tag=places[order],
        value=column["value"],
        quality=column["quality"].astype(np.uint8),
        reason=column["reason_id"].astype(np.intp),
        arrival=column["arrival"],
        version=column["version"].astype(np.int64),
    )
