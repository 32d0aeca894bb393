"""Putting samples in order of tag, and deleting old ones, in bounded steps inside a transaction of the caller's.

When the table `sample` has grown, its oldest part becomes a slice of `compact`; sixteen slices become one of the next
level. So a day of one tag lies in few places however many tags there are, and every sample is rewritten a few times
only. A sample is always in exactly one place.
"""

from __future__ import annotations

import sqlite3

from scada.historian.engine import Retention

__all__ = ["compact", "delete_old", "is_urgent"]

HOT_ROWS = 400_000  # when there are more, the oldest are moved
BUSY_ROWS = 4_000_000  # up to these, samples that wait to be stored go first
_STEP_ROWS = 100_000
_MERGED_ROWS = 25_000  # in one step: it must not hold up the next batch
_FAN = 16
_TOP_LEVEL = 2
_DELETED_AT_ONCE = 50_000
_HOUR_MS = 3_600_000
Cleaned = dict[tuple[int, str], int]  # slice and rule: time before which there is nothing more to delete
_COPIED = "tag_id, ts, value, quality, reason_id, arrival, version"


def compact(run: sqlite3.Connection) -> bool:
    """Make one step; return whether another is worth while."""
    # the row after so many: found by walking the key, at most once a step
    if run.execute("SELECT 1 FROM sample LIMIT 1 OFFSET ?", (HOT_ROWS,)).fetchone() is not None:
        _move_oldest(run)
        return True
    return _merge(run)


def is_urgent(run: sqlite3.Connection) -> bool:
    """Whether the table by time has grown so long that putting it in order comes before more samples."""
    return run.execute("SELECT 1 FROM sample LIMIT 1 OFFSET ?", (BUSY_ROWS,)).fetchone() is not None


def _move_oldest(run: sqlite3.Connection) -> None:
    cut = run.execute("SELECT ts FROM sample ORDER BY ts LIMIT 1 OFFSET ?", (_STEP_ROWS,)).fetchone()[0]
    first = run.execute("SELECT min(ts) FROM sample").fetchone()[0]
    slice_id = run.execute("INSERT INTO slice (level, from_ts, to_ts) VALUES (0, ?, ?)", (first, cut)).lastrowid
    run.execute(
        f"INSERT INTO compact SELECT ?, {_COPIED} FROM sample WHERE ts <= ? ORDER BY tag_id, ts", (slice_id, cut)
    )
    run.execute(
        "INSERT INTO latest SELECT tag_id, max(ts) FROM sample WHERE ts <= ? GROUP BY tag_id "
        "ON CONFLICT (tag_id) DO UPDATE SET ts = max(ts, excluded.ts)",
        (cut,),
    )
    run.execute("DELETE FROM sample WHERE ts <= ?", (cut,))


def _merge(run: sqlite3.Connection) -> bool:
    """Move the tags with the lowest numbers from slices into the one they are to become."""
    row = run.execute("SELECT into_id FROM slice WHERE into_id IS NOT NULL LIMIT 1").fetchone()
    target = row[0] if row is not None else _begin_merge(run)
    if target is None:
        return False
    sources = [number for (number,) in run.execute("SELECT id FROM slice WHERE into_id = ?", (target,))]
    bounds = []
    for source in sources:
        query = "SELECT tag_id FROM compact WHERE slice_id = ? ORDER BY tag_id LIMIT 1 OFFSET ?"
        row = run.execute(query, (source, max(1, _MERGED_ROWS // _FAN))).fetchone()
        bounds.append(row[0] if row is not None else None)
    bound = min((number for number in bounds if number is not None), default=2**62)
    marks = ",".join(map(str, sources))
    run.execute(
        f"INSERT INTO compact SELECT ?, {_COPIED} FROM compact WHERE slice_id IN ({marks}) AND tag_id <= ? "
        "ORDER BY tag_id, ts",
        (target, bound),
    )
    run.execute(f"DELETE FROM compact WHERE slice_id IN ({marks}) AND tag_id <= ?", (bound,))
    if bound == 2**62:
        run.execute("DELETE FROM slice WHERE into_id = ?", (target,))
    return True


def _begin_merge(run: sqlite3.Connection) -> int | None:
    for level in range(_TOP_LEVEL):
        query = "SELECT id, from_ts, to_ts FROM slice WHERE level = ? ORDER BY id LIMIT ?"
        found = run.execute(query, (level, _FAN)).fetchall()
        if len(found) == _FAN:
            values = (level + 1, min(f[1] for f in found), max(f[2] for f in found))
            target = run.execute("INSERT INTO slice (level, from_ts, to_ts) VALUES (?, ?, ?)", values).lastrowid
            run.execute(f"UPDATE slice SET into_id = ? WHERE id IN ({','.join(str(f[0]) for f in found)})", (target,))
            return target
    return None


def delete_old(run: sqlite3.Connection, retention: Retention, now_ms: int, cleaned: Cleaned) -> int:
    """Delete some samples that are too old; return how many, 0 when none is left.

    Whole hours go at once, so that a slice is looked through once an hour at most; `cleaned` remembers which were.
    """
    numbers = dict(run.execute("SELECT name, id FROM tag").fetchall())
    ruled = {numbers[name]: name for name in retention.tag_days if name in numbers}
    others = f"tag_id NOT IN ({','.join(map(str, ruled))})"
    rules = [(retention.before_ms(None, now_ms), others)]
    rules += [(retention.before_ms(name, now_ms), f"tag_id = {number}") for number, name in ruled.items()]
    for before_ms, whose in rules:
        if before_ms is None:
            continue
        cut = before_ms // _HOUR_MS * _HOUR_MS
        for table, key in (("sample", "ts, tag_id"), ("revision", "tag_id, ts, arrival")):
            if deleted := _delete(run, table, key, f"ts < {cut} AND {whose}"):
                return deleted
        if deleted := _delete_sliced(run, cut, whose, cleaned):
            return deleted
    return 0


def _delete_sliced(run: sqlite3.Connection, cut: int, whose: str, cleaned: Cleaned) -> int:
    for number, last in run.execute(f"SELECT id, to_ts FROM slice WHERE from_ts < {cut} ORDER BY id").fetchall():
        if cleaned.get((number, whose), 0) >= min(cut, last + 1):
            continue
        where = f"slice_id = {number} AND ts < {cut} AND {whose}"
        if deleted := _delete(run, "compact", "slice_id, tag_id, ts", where):
            return deleted
        cleaned[number, whose] = cut
        is_empty = run.execute(f"SELECT 1 FROM compact WHERE slice_id = {number} LIMIT 1").fetchone() is None
        # one that takes part in a merge goes with it
        if (
            is_empty
            and run.execute(
                f"SELECT 1 FROM slice WHERE into_id = {number} OR (id = {number} AND into_id IS NOT NULL)"
            ).fetchone()
            is None
        ):
            run.execute(f"DELETE FROM slice WHERE id = {number}")
    return 0


def _delete(run: sqlite3.Connection, table: str, key: str, where: str) -> int:
    some = f"SELECT {key} FROM {table} WHERE {where} LIMIT {_DELETED_AT_ONCE}"
    return run.execute(f"DELETE FROM {table} WHERE ({key}) IN ({some})").rowcount
