"""Samples in one SQLite file.

The table is keyed by (time, tag): a commit of new samples touches the last pages only, whereas the key (tag, time)
rewrites pages all over the file. Reasons and tag names are stored once and referred to by number. NaN is stored as
NULL, for SQLite knows no NaN.
"""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scada.errors import HistorianError
from scada.sample import Quality, Sample

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCHEMA_VERSION", "SqliteHistorian"]

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE reason (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE sample (
    ts INTEGER NOT NULL, tag_id INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL, reason_id INTEGER NOT NULL,
    arrival INTEGER NOT NULL, PRIMARY KEY (ts, tag_id)
) WITHOUT ROWID;
CREATE TABLE latest (tag_id INTEGER PRIMARY KEY, ts INTEGER NOT NULL);
INSERT INTO reason (id, text) VALUES (0, '');
"""
_BUSY_MS = 5000


@dataclass(frozen=True, slots=True)
class _Found:
    """Rows of a query by time and tag: names and reasons, and for each row ts [ms], their indices, value, quality."""

    names: NDArray[np.object_]
    reasons: NDArray[np.object_]
    ts: NDArray[np.int64]
    tag: NDArray[np.intp]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    reason: NDArray[np.intp]


_Row = tuple[int, int, float | None, int, int, int]


class SqliteHistorian:
    """A historian in one file, in WAL mode: one writer, any number of readers.

    Parameters
    ----------
    path : Path
        Created with its schema when it does not exist; its folder must.
    batch_rows : int
        Samples that are written at once.
    batch_s : float
        Longest time a sample waits for the others while samples come, s.
    pending_rows : int
        Samples kept in memory while the file cannot be written; beyond, the oldest are dropped.

    Attributes
    ----------
    dropped : int
        Samples lost because the file could not be written for too long.

    Raises
    ------
    HistorianError
        The file cannot be opened, is no database, or was written by a later version.
    """

    def __init__(self, path: Path, batch_rows: int = 5000, batch_s: float = 1.0, pending_rows: int = 500_000) -> None:
        self.path = path
        self.dropped = 0
        self._batch_rows = batch_rows
        self._batch_s = batch_s
        self._pending_rows = pending_rows
        self._is_failing = False
        self._rows: list[_Row] = []
        self._flushed = time.monotonic()
        self._lock = threading.RLock()
        self._tag_ids: dict[str, int] = {}
        self._reason_ids: dict[str, int] = {}
        with self._translated("open"):
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except (sqlite3.Error, HistorianError):
                self._connection.close()
                raise

    def _prepare(self) -> None:
        run = self._connection.execute
        run(f"PRAGMA busy_timeout = {_BUSY_MS}")
        version = run("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise HistorianError(f"{self.path} has schema {version}, this program knows {SCHEMA_VERSION}; update it")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")  # a power cut may lose the last commits, never the file
        if version == 0:
            self._create()
        self._tag_ids = dict(run("SELECT name, id FROM tag").fetchall())
        self._reason_ids = dict(run("SELECT text, id FROM reason").fetchall())

    def _create(self) -> None:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        # another process may have been quicker
        if run("PRAGMA user_version").fetchone()[0] == 0:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                run(statement)
            run(f"PRAGMA user_version = {SCHEMA_VERSION}")
        run("COMMIT")

    def append(self, samples: Sequence[Sample]) -> None:
        """Take samples and write them when enough have come or enough time went by.

        Raises
        ------
        HistorianError
            They cannot be written; they stay in memory for the next try.
        """
        with self._lock:
            ids, reasons = self._tag_ids, self._reason_ids
            for sample in samples:
                tag_id = ids.get(sample.tag)
                reason_id = reasons.get(sample.reason)
                if tag_id is None:
                    tag_id = self._number("tag", "name", sample.tag, ids)
                if reason_id is None:
                    reason_id = self._number("reason", "text", sample.reason, reasons)
                value = None if math.isnan(sample.value) else sample.value
                row = (sample.time_ms, tag_id, value, int(sample.quality), reason_id, sample.arrival_ms)
                self._rows.append(row)
            excess = len(self._rows) - self._pending_rows
            if excess > 0:
                del self._rows[:excess]
                self.dropped += excess
            # while the file fails, a full batch is no reason to try at once again
            is_full = len(self._rows) >= self._batch_rows and not self._is_failing
            if is_full or time.monotonic() - self._flushed >= self._batch_s:
                self.flush()

    def _number(self, table: str, column: str, text: str, known: dict[str, int]) -> int:
        with self._translated("write"):
            self._connection.execute(f"INSERT OR IGNORE INTO {table} ({column}) VALUES (?)", (text,))
            row = self._connection.execute(f"SELECT id FROM {table} WHERE {column} = ?", (text,)).fetchone()
        known[text] = int(row[0])
        return known[text]

    def flush(self) -> None:
        """Write what was taken so far, in one transaction.

        Raises
        ------
        HistorianError
            It cannot be written; it stays in memory for the next try.
        """
        with self._lock:
            self._flushed = time.monotonic()
            if not self._rows:
                return
            self._is_failing = True  # until it went well
            newest: dict[int, int] = {}
            for ts, tag_id, *_ in self._rows:
                newest[tag_id] = max(ts, newest.get(tag_id, ts))
            with self._translated("write"), self._transaction():
                self._connection.executemany("INSERT OR IGNORE INTO sample VALUES (?, ?, ?, ?, ?, ?)", self._sorted())
                self._connection.executemany(
                    "INSERT INTO latest VALUES (?, ?) ON CONFLICT (tag_id) DO UPDATE SET ts = max(ts, excluded.ts)",
                    newest.items(),
                )
            self._rows.clear()
            self._is_failing = False

    def _sorted(self) -> list[_Row]:
        # in key order the pages fill one after the other; the sort is stable, so the first of two equals still wins
        return sorted(self._rows, key=lambda row: row[:2])

    def last(self, tags: Sequence[str] | None = None) -> dict[str, Sample]:
        """Return the newest sample of each tag that has one; of all tags by default."""
        query = (
            "SELECT tag.name, sample.ts, arrival, value, quality, reason.text FROM latest "
            "JOIN tag ON tag.id = latest.tag_id JOIN sample ON sample.ts = latest.ts AND sample.tag_id = latest.tag_id "
            "JOIN reason ON reason.id = reason_id"
        )
        with self._lock, self._translated("read"):
            self.flush()
            rows = self._connection.execute(query).fetchall()
        wanted = None if tags is None else set(tags)
        return {
            name: Sample(name, ts, arrival, math.nan if value is None else value, Quality(quality), reason)
            for name, ts, arrival, value, quality, reason in rows
            if wanted is None or name in wanted
        }

    def range(
        self, tags: Sequence[str] | None = None, from_ms: int | None = None, to_ms: int | None = None
    ) -> pd.DataFrame:
        """Return samples of a half-open period.

        Parameters
        ----------
        tags : sequence of str, optional
            All by default; unknown ones have no rows.
        from_ms, to_ms : int, optional
            ``from_ms <= time < to_ms``, UTC ms; the whole history by default.

        Returns
        -------
        DataFrame
            time (datetime64[ms, UTC]), tag (str), value (float64), quality (uint8), reason (str), by time and tag.
        """
        import pandas as pd

        found = self._select(tags, from_ms, to_ms)
        return pd.DataFrame(
            {
                "time": _timestamps(found.ts),
                "tag": pd.Series(found.names[found.tag], dtype="str"),
                "value": found.value,
                "quality": found.quality,
                "reason": pd.Series(found.reasons[found.reason], dtype="str"),
            }
        )

    def frame(
        self, tags: Sequence[str] | None = None, from_ms: int | None = None, to_ms: int | None = None
    ) -> pd.DataFrame:
        """Return samples of a half-open period, one column for each tag.

        Returns
        -------
        DataFrame
            float64, index UTC; NaN where there is no sample or it is not GOOD. Columns are `tags` in their order, or
            every tag with a sample.
        """
        import pandas as pd

        found = self._select(tags, from_ms, to_ms)
        times, row = np.unique(found.ts, return_inverse=True)
        is_good = found.quality == int(Quality.GOOD)
        grid = np.full((len(times), len(found.names)), np.nan)
        grid[row[is_good], found.tag[is_good]] = found.value[is_good]
        wide = pd.DataFrame(grid, index=_timestamps(times), columns=list(found.names))
        wide.index.name = "time"
        return (
            wide[[found.names[tag] for tag in np.unique(found.tag)]]
            if tags is None
            else wide.reindex(columns=list(tags))
        )

    def _select(self, tags: Sequence[str] | None, from_ms: int | None, to_ms: int | None) -> _Found:
        low, high = -(2**63) if from_ms is None else from_ms, 2**63 - 1 if to_ms is None else to_ms
        query = "SELECT ts, tag_id, value, quality, reason_id FROM sample WHERE ts >= ? AND ts < ?"
        with self._lock, self._translated("read"):
            self.flush()
            known = self._connection.execute("SELECT name, id FROM tag ORDER BY name").fetchall()  # others write too
            texts = dict(self._connection.execute("SELECT id, text FROM reason").fetchall())
            if tags is not None:
                wanted = set(tags)
                known = [(name, number) for name, number in known if name in wanted]
                query += f" AND tag_id IN ({','.join(str(number) for _, number in known)})"  # numbers of our own
            rows = self._connection.execute(query, (low, high)).fetchall()
        # times in ms are whole numbers far below 2^53, so float64 holds every column exactly
        table = np.array(rows, dtype=np.float64).reshape(-1, 5)
        rank = np.zeros(max((number for _, number in known), default=0) + 1, dtype=np.intp)
        for position, (_, number) in enumerate(known):
            rank[number] = position
        tag = rank[table[:, 1].astype(np.intp)]
        order = np.lexsort((tag, table[:, 0]))
        table = table[order]
        return _Found(
            np.array([name for name, _ in known], dtype=object),
            np.array([texts.get(number, "") for number in range(max(texts, default=0) + 1)], dtype=object),
            table[:, 0].astype(np.int64),
            tag[order],
            table[:, 2],
            table[:, 3].astype(np.uint8),
            table[:, 4].astype(np.intp),
        )

    def export(
        self,
        path: str | Path,
        tags: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> int:
        """Write samples of a half-open period to a file; the old file stays until the new one is whole.

        Parameters
        ----------
        path : path
            ``.csv`` or ``.parquet``; columns time (ISO 8601 UTC with milliseconds), tag, value, quality (word), reason.
        tags, from_ms, to_ms
            As in :meth:`range`.

        Returns
        -------
        int
            Rows written.

        Raises
        ------
        HistorianError
            Another ending, or the file cannot be written.
        """
        target = Path(path)
        if target.suffix not in {".csv", ".parquet"}:
            raise HistorianError(f"{target} does not end in .csv or .parquet")
        table = self.range(tags, from_ms, to_ms)
        table["time"] = table["time"].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str.slice(stop=23) + "Z"
        table["quality"] = table["quality"].map({int(quality): quality.name for quality in Quality})
        partial = target.with_name(f".{target.name}.partial")
        try:
            if target.suffix == ".csv":
                table.to_csv(partial, index=False, lineterminator="\n")
            else:
                table.to_parquet(partial, index=False)
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise HistorianError(f"{target} cannot be written: {error.strerror or error}") from error
        return len(table)

    def close(self) -> None:
        """Write what was taken so far and close the file."""
        with self._lock:
            try:
                self.flush()
            finally:
                self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except sqlite3.Error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise HistorianError(f"cannot {action} historian {self.path}: {error}") from error


def _timestamps(ts: NDArray[np.int64]) -> pd.DatetimeIndex:
    import pandas as pd

    return pd.DatetimeIndex(ts.astype("datetime64[ms]")).tz_localize("UTC")
