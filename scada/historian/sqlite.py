"""Samples in one SQLite file, in WAL mode: one writer at a time, any number of readers."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scada.errors import HistorianAway, HistorianError
from scada.historian import sqlite_read, sqlite_slices
from scada.historian.alarms import AlarmStore
from scada.historian.batch import Batch, Meaning
from scada.historian.engine import Buckets, Gaps, Period, Retention, Rows, Version, Written
from scada.historian.revisions import Changes, Content, settle
from scada.historian.sqlite_schema import SCHEMA_VERSION, migrate

__all__ = ["SCHEMA_VERSION", "SqliteEngine"]

_BUSY_MS = 2000
_COLUMNS = 7  # of the table sample
# of one INSERT: fewer calls than executemany, each of which hands the interpreter over; few sizes, since SQLite keeps
# the program of each, a megabyte for the largest
_ROWS_AT_ONCE = (4000, 500, 60, 8, 1)
_CHECKPOINT_PAGES = 4000
_LARGEST_LOG = 64 << 20
_AWAY = ("locked", "busy")
_MENDS = {
    "locked": "another program is writing to it; end that program",
    "full": "make room on the disk",
    "readonly": "let this user write to the file and its folder",
    "not a database": "name another file, or move this one away",
    "malformed": "the file is damaged; move it away and bring back a copy of it",
    "unable to open": "make its folder, and let this user write there",
}


class SqliteEngine:
    """A historian's database in one file.

    Parameters
    ----------
    path : Path
        Created with its schema when it does not exist; its folder must.

    Notes
    -----
    `synchronous = FULL`: a commit is on the disk when it returns, a power cut loses nothing of it. NaN is stored as
    NULL, for SQLite knows no NaN.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._tag_ids: dict[str, int] = {}
        self._reason_ids: dict[str, int] = {}
        self._versions: dict[tuple[int, str], int] = {}
        self._cleaned: sqlite_slices.Cleaned = {}

    def open(self) -> None:
        """Open the file, create or update its tables."""
        with self._translated("open"):
            try:
                self._writer = self._connect()
                self._writer.execute("PRAGMA journal_mode = WAL")
                migrate(self._writer, self._path)
                self._reader = self._connect()
                self._reader.execute("PRAGMA query_only = 1")
            except sqlite3.OperationalError as error:
                self.close()
                if "readonly" not in str(error) or not self._open_to_read():
                    raise
            except BaseException:
                self.close()
                raise

    def _open_to_read(self) -> bool:
        """Open a file that is somebody else's to write; return whether its schema is the one we read."""
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        self._reader = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        try:
            return bool(self._reader.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION)
        except sqlite3.Error:
            self.close()
            return False

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        for pragma in (
            f"busy_timeout = {_BUSY_MS}",
            "synchronous = FULL",
            "temp_store = MEMORY",
            "cache_size = -65536",  # KiB
            f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
            f"journal_size_limit = {_LARGEST_LOG}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def write(self, batch: Batch) -> Written:
        """Store a batch in one transaction."""
        try:
            with self._translated("write"), self._transaction() as run:
                tag_ids, versions = self._intern_tags(run, batch)
                reason_ids = np.array([self._reason_id(run, text) for text in batch.reasons], np.int64)
                tag, reason = tag_ids[batch.tag], reason_ids[batch.reason]
                order = np.lexsort((tag, batch.time_ms))  # stable: of two equals the first stays the first
                columns = (
                    batch.time_ms,
                    tag,
                    batch.value,
                    batch.quality,
                    reason,
                    batch.arrival_ms,
                    versions[batch.tag],
                )
                return _store(run, [column[order] for column in columns])
        except HistorianError:
            # numbers of names that were rolled back are nobody's
            self._tag_ids.clear()
            self._reason_ids.clear()
            self._versions.clear()
            raise

    def _intern_tags(self, run: sqlite3.Connection, batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        for meaning in batch.meanings:
            self._remember(run, meaning)
        numbers, versions = [], []
        for name, key in zip(batch.tags, batch.keys, strict=True):
            tag_id = self._tag_id(run, name)
            numbers.append(tag_id)
            versions.append(self._version(run, tag_id, key) if key else 0)
        return np.array(numbers, np.int64), np.array(versions, np.int64)

    def _tag_id(self, run: sqlite3.Connection, name: str) -> int:
        if (known := self._tag_ids.get(name)) is None:
            known = self._tag_ids[name] = _number(run, "tag", "name", name)
        return known

    def _reason_id(self, run: sqlite3.Connection, text: str) -> int:
        if (known := self._reason_ids.get(text)) is None:
            known = self._reason_ids[text] = _number(run, "reason", "text", text)
        return known

    def _remember(self, run: sqlite3.Connection, meaning: Meaning) -> None:
        """Store a meaning unless it is the one in force."""
        tag_id = self._tag_id(run, meaning.tag)
        query = "SELECT version, key, config FROM tag_config WHERE tag_id = ? ORDER BY version DESC LIMIT 1"
        version, key, config = run.execute(query, (tag_id,)).fetchone() or (0, "", "")
        if key != meaning.key:
            version += 1
            row = (tag_id, version, meaning.key, meaning.since_ms, meaning.config)
            run.execute("INSERT INTO tag_config VALUES (?, ?, ?, ?, ?)", row)
        elif not config:  # its samples came first
            change = "UPDATE tag_config SET config = ?, since = ? WHERE tag_id = ? AND version = ?"
            run.execute(change, (meaning.config, meaning.since_ms, tag_id, version))
        self._versions[tag_id, meaning.key] = version

    def _version(self, run: sqlite3.Connection, tag_id: int, key: str) -> int:
        if (known := self._versions.get((tag_id, key))) is None:
            query = "SELECT version FROM tag_config WHERE tag_id = ? AND key = ? ORDER BY version DESC LIMIT 1"
            row = run.execute(query, (tag_id, key)).fetchone()
            if row is None:  # the record that described it was lost; the number still tells it from the others
                query = "SELECT coalesce(max(version), 0) + 1 FROM tag_config WHERE tag_id = ?"
                row = run.execute(query, (tag_id,)).fetchone()
                run.execute("INSERT INTO tag_config VALUES (?, ?, ?, 0, '')", (tag_id, row[0], key))
            known = self._versions[tag_id, key] = int(row[0])
        return known

    def maintain(self, is_busy: bool = False) -> bool:
        """Move samples from the table by time to slices by tag, and small slices to larger ones, for a moment."""
        with self._translated("write"), self._transaction() as run:
            if is_busy and not sqlite_slices.is_urgent(run):
                return True
            return sqlite_slices.compact(run)

    def retain(self, retention: Retention, now_ms: int) -> int:
        """Delete some of what is too old."""
        with self._translated("write"), self._transaction() as run:
            return sqlite_slices.delete_old(run, retention, now_ms, self._cleaned)

    def select(self, period: Period) -> Rows:
        """Return samples of a period by time and tag."""
        with self._read() as run:
            return sqlite_read.select(run, period)

    def buckets(self, period: Period, step_ms: int) -> Buckets:
        """Return GOOD samples gathered in steps, by time and tag."""
        with self._read() as run:
            return sqlite_read.buckets(run, period, step_ms)

    def gaps(self, period: Period, least_ms: int) -> Gaps:
        """Return steps between samples with a value that are longer than `least_ms`."""
        with self._read() as run:
            return sqlite_read.gaps(run, period, least_ms)

    def newest(self, tags: Sequence[str] | None) -> Rows:
        """Return the newest sample of each tag."""
        with self._read() as run:
            return sqlite_read.newest(run, tags)

    def span(self) -> tuple[int, int] | None:
        """Return the times of the oldest and the newest sample, UTC ms."""
        with self._read() as run:
            return sqlite_read.span(run)

    def versions(self, tag: str) -> list[Version]:
        """Return the configurations of a tag, oldest first."""
        query = (
            "SELECT version, since, config FROM tag_config JOIN tag ON tag.id = tag_id WHERE name = ? ORDER BY version"
        )
        with self._read() as run:
            return [Version(*row) for row in run.execute(query, (tag,))]

    def current_configs(self) -> dict[str, str]:
        """Return the newest configuration of each described tag."""
        query = "SELECT name, config, max(version) FROM tag_config JOIN tag ON tag.id = tag_id GROUP BY tag_id"
        with self._read() as run:
            return {name: config for name, config, _ in run.execute(query)}

    @property
    def alarms(self) -> AlarmStore:
        """The journal of alarms, in the same file."""
        return AlarmStore(self._read, self._change, "?", "")

    def close(self) -> None:
        """Close the file."""
        with self._writing, self._reading:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        """A snapshot: every query of a block sees the same samples."""
        with self._reading, self._translated("read"):
            if self._reader is None:
                raise HistorianError(f"historian {self._path} is not open")
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                if self._reader.in_transaction:
                    self._reader.execute("ROLLBACK")

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._translated("write"), self._transaction() as run:
            yield run

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing:
            run = self._writer
            if run is None:
                raise sqlite3.OperationalError("readonly database" if self._reader is not None else "it is closed")
            run.execute("BEGIN IMMEDIATE")
            try:
                yield run
                run.execute("COMMIT")
            except BaseException:
                if run.in_transaction:
                    run.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            text = str(error)
            mend = next((f"; {mend}" for sign, mend in _MENDS.items() if sign in text), "")
            kind = HistorianAway if any(sign in text for sign in _AWAY) else HistorianError
            raise kind(f"cannot {action} historian {self._path}: {text}{mend}") from error


def _number(run: sqlite3.Connection, table: str, column: str, text: str) -> int:
    run.execute(f"INSERT OR IGNORE INTO {table} ({column}) VALUES (?)", (text,))
    return int(run.execute(f"SELECT id FROM {table} WHERE {column} = ?", (text,)).fetchone()[0])


_Columns = Sequence[NDArray[Any]]
_INSERTS = [
    (size, f"INSERT OR IGNORE INTO sample VALUES {','.join(['(?,?,?,?,?,?,?)'] * size)}") for size in _ROWS_AT_ONCE
]


def _store(run: sqlite3.Connection, columns: _Columns) -> Written:
    """Store rows that are in order of time and tag: in bulk those that can only be new, with care the others."""
    ts, tag = columns[0], columns[1]
    sliced_to = run.execute("SELECT max(to_ts) FROM slice").fetchone()[0]
    is_plain = np.ones(len(ts), bool) if sliced_to is None else ts > sliced_to
    is_twin = (ts[1:] == ts[:-1]) & (tag[1:] == tag[:-1])
    is_plain[1:] &= ~is_twin
    is_plain[:-1] &= ~is_twin
    rows = int(is_plain.sum())
    stored = _insert(run, columns if rows == len(ts) else [column[is_plain] for column in columns])
    is_plain &= stored == rows  # one of them was there: which, and does it say the same?
    if is_plain.all():
        return Written(stored, 0, 0)
    changes = _apply(run, [column[~is_plain] for column in columns])
    already = stored if stored < rows else 0  # compared with themselves
    return Written(stored + len(changes.fresh), changes.revised, changes.repeated - already)


def _insert(run: sqlite3.Connection, columns: _Columns) -> int:
    """Insert rows, all but those whose key is there; return how many."""
    rows, stored = len(columns[0]), 0
    if not rows:
        return 0
    cells: list[Any] = [None] * (_COLUMNS * rows)
    for place, column in enumerate(columns):
        cells[place::_COLUMNS] = column.tolist()
    start = 0
    for size, statement in _INSERTS:
        while rows - start >= size:
            some = cells[_COLUMNS * start : _COLUMNS * (start + size)]
            stored += run.execute(statement, some).rowcount
            start += size
    return stored


_FIND = """
SELECT g.ts, g.tag_id, 0, s.value, s.quality, s.reason_id, s.arrival, s.version
FROM temp.asked g CROSS JOIN sample s ON s.ts = g.ts AND s.tag_id = g.tag_id
UNION ALL
SELECT g.ts, g.tag_id, c.slice_id, c.value, c.quality, c.reason_id, c.arrival, c.version
FROM temp.asked g CROSS JOIN slice l ON l.from_ts <= g.ts AND l.to_ts >= g.ts
CROSS JOIN compact c ON c.slice_id = l.id AND c.tag_id = g.tag_id AND c.ts = g.ts
"""
_FIND_OLDER = """
SELECT r.ts, r.tag_id, r.value, r.quality, r.reason_id, r.arrival, r.version
FROM temp.asked g CROSS JOIN revision r ON r.tag_id = g.tag_id AND r.ts = g.ts
"""


def _apply(run: sqlite3.Connection, columns: _Columns) -> Changes:
    """Store rows whose key may be there already: as new, as a revision, or not at all."""
    cells = [column.tolist() for column in columns]
    keys: list[tuple[int, int]] = list(zip(cells[0], cells[1], strict=True))
    contents: Iterable[Content] = (
        (None if value != value else value, *rest)  # NaN
        for value, *rest in zip(*cells[2:], strict=True)
    )
    run.execute("CREATE TEMP TABLE IF NOT EXISTS asked (ts INTEGER, tag_id INTEGER, PRIMARY KEY (ts, tag_id))")
    run.execute("DELETE FROM temp.asked")
    run.executemany("INSERT OR IGNORE INTO temp.asked VALUES (?, ?)", keys)
    stored: dict[tuple[int, int], Content] = {}
    place: dict[tuple[int, int], int] = {}
    for ts, tag_id, slice_id, *content in run.execute(_FIND):
        stored[ts, tag_id] = tuple(content)
        place[ts, tag_id] = slice_id
    older: dict[tuple[int, int], list[Content]] = {}
    for ts, tag_id, *content in run.execute(_FIND_OLDER):
        older.setdefault((ts, tag_id), []).append(tuple(content))
    changes = settle(zip(keys, contents, strict=True), stored, older)
    run.executemany("INSERT INTO sample VALUES (?,?,?,?,?,?,?)", [(*key, *row) for key, row in changes.fresh.items()])
    revisions = [(tag_id, ts, *row) for (ts, tag_id, _), row in changes.revisions.items()]
    run.executemany("INSERT OR IGNORE INTO revision VALUES (?,?,?,?,?,?,?)", revisions)
    change = "SET value = ?, quality = ?, reason_id = ?, arrival = ?, version = ? WHERE ts = ? AND tag_id = ?"
    for key, row in changes.updates.items():
        if place[key]:
            run.execute(f"UPDATE compact {change} AND slice_id = ?", (*row, *key, place[key]))
        else:
            run.execute(f"UPDATE sample {change}", (*row, *key))
    return changes
