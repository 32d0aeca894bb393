"""Samples in a PostgreSQL database, reached with psycopg."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from scada.errors import HistorianAway, HistorianError
from scada.historian import postgres_copy, postgres_read
from scada.historian.alarms import AlarmStore
from scada.historian.batch import Batch
from scada.historian.engine import Buckets, Gaps, Period, Retention, Rows, Version, Written
from scada.historian.postgres_schema import is_partitioned, make_partition, migrate, months
from scada.historian.revisions import Content, settle

__all__ = ["PostgresEngine"]

_CONNECT_S = 5
_WRITE_MS = 300_000  # a server that hangs holds up nobody: samples go to the spool meanwhile
_READ_MS = 300_000
_DELETED_AT_ONCE = 50_000
_HOUR_MS = 3_600_000
_PASSING = ("starting up", "shutting down", "recovery", "too many", "terminating", "remaining connection slots")


class PostgresEngine:
    """A historian's database on a PostgreSQL server.

    Parameters
    ----------
    url : str
        ``postgresql://user@host:port/database``; the password may stand in ~/.pgpass.

    Raises
    ------
    HistorianError
        psycopg is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise HistorianError("PostgreSQL needs one more package: pip install 'umanflow[postgres]'") from error
        self._psycopg = psycopg
        self._url = url
        self.name = _without_password(url)
        self._writer: psycopg.Connection[Any] | None = None
        self._reader: psycopg.Connection[Any] | None = None
        self._reading = threading.Lock()
        self._write_lock = threading.Lock()
        self._tag_ids: dict[str, int] = {}
        self._reason_ids: dict[str, int] = {}
        self._versions: dict[tuple[int, str], int] = {}
        self._months: set[str] = set()
        self._has_months = True

    def open(self) -> None:
        """Connect, make or update the tables."""
        with self._translated("open"):
            self._write_connection()

    def _connect(self, longest_ms: int) -> Any:
        return self._psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=_CONNECT_S,
            application_name="umanflow historian",
            options=f"-c statement_timeout={longest_ms} -c timezone=UTC -c client_min_messages=warning",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )

    def _write_connection(self) -> Any:
        if self._writer is None or self._writer.closed:
            self._forget()
            connection = self._connect(_WRITE_MS)
            try:
                migrate(connection, self.name)
                self._has_months = is_partitioned(connection)
                connection.execute(f"CREATE TEMP TABLE stage ({postgres_copy.STAGE}) ON COMMIT DELETE ROWS")
            except BaseException:
                connection.close()
                raise
            self._writer = connection
        return self._writer

    def _forget(self) -> None:
        """What was learned in a transaction that failed may not be so."""
        self._tag_ids.clear()
        self._reason_ids.clear()
        self._versions.clear()
        self._months.clear()

    def write(self, batch: Batch) -> Written:
        """Store a batch in one transaction."""
        with self._writing() as run:
            self._remember(run, batch)
            self._intern(run, "tag", "name", batch.tags, self._tag_ids)
            self._intern(run, "reason", "text", batch.reasons, self._reason_ids)
            tag_ids = np.array([self._tag_ids[name] for name in batch.tags], np.int64)
            reason_ids = np.array([self._reason_ids[text] for text in batch.reasons], np.int64)
            versions = np.array(self._versions_of(run, tag_ids, batch.keys), np.int64)
            if self._has_months:
                for month in months(batch.time_ms):
                    if month not in self._months:
                        make_partition(run, month)
                        self._months.add(month)
            columns: dict[str, NDArray[Any]] = {
                "ts": batch.time_ms,
                "tag_id": tag_ids[batch.tag],
                "value": batch.value,
                "quality": batch.quality,
                "reason_id": reason_ids[batch.reason],
                "arrival": batch.arrival_ms,
                "version": versions[batch.tag],
            }
            return _store(run, columns)

    def _intern(self, run: Any, table: str, column: str, texts: Sequence[str], known: dict[str, int]) -> None:
        missing = sorted({text for text in texts if text not in known})  # in order: two writers must not deadlock
        if missing:
            run.execute(
                f"INSERT INTO historian.{table} ({column}) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", (missing,)
            )
            found = run.execute(f"SELECT {column}, id FROM historian.{table} WHERE {column} = ANY(%s)", (missing,))
            known.update(found.fetchall())

    def _remember(self, run: Any, batch: Batch) -> None:
        """Store those meanings that are not in force."""
        if not batch.meanings:
            return
        self._intern(run, "tag", "name", [meaning.tag for meaning in batch.meanings], self._tag_ids)
        query = (
            "SELECT DISTINCT ON (tag_id) tag_id, version, key, config FROM historian.tag_config "
            "WHERE tag_id = ANY(%s) ORDER BY tag_id, version DESC"
        )
        numbers = [self._tag_ids[meaning.tag] for meaning in batch.meanings]
        current = {row[0]: row[1:] for row in run.execute(query, (numbers,)).fetchall()}
        rows = []
        for tag_id, meaning in zip(numbers, batch.meanings, strict=True):
            version, key, config = current.get(tag_id, (0, "", ""))
            if key != meaning.key or not config:
                version += key != meaning.key
                rows.append((tag_id, version, meaning.key, meaning.since_ms, meaning.config))
                current[tag_id] = (version, meaning.key, meaning.config)
            self._versions[tag_id, meaning.key] = version
        with run.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO historian.tag_config VALUES (%s, %s, %s, %s, %s) ON CONFLICT (tag_id, version) "
                "DO UPDATE SET config = excluded.config, since = excluded.since WHERE tag_config.config = ''",
                rows,
            )

    def _versions_of(self, run: Any, tag_ids: NDArray[np.int64], keys: Sequence[str]) -> list[int]:
        wanted = [(int(tag_id), key) for tag_id, key in zip(tag_ids, keys, strict=True)]
        if any(key and (tag_id, key) not in self._versions for tag_id, key in wanted):
            query = "SELECT tag_id, key, max(version) FROM historian.tag_config GROUP BY tag_id, key"
            self._versions.update(((tag_id, key), version) for tag_id, key, version in run.execute(query).fetchall())
        for tag_id, key in wanted:
            if key and (tag_id, key) not in self._versions:
                # the record that described it was lost; the number still tells it from the others
                query = (
                    "INSERT INTO historian.tag_config SELECT %s, coalesce(max(version), 0) + 1, %s, 0, '' "
                    "FROM historian.tag_config WHERE tag_id = %s RETURNING version"
                )
                self._versions[tag_id, key] = run.execute(query, (tag_id, key, tag_id)).fetchone()[0]
        return [self._versions[pair] if pair[1] else 0 for pair in wanted]

    def maintain(self, is_busy: bool = False) -> bool:
        """Do nothing: the server keeps its tables in order."""
        return False

    def retain(self, retention: Retention, now_ms: int) -> int:
        """Delete some of what is too old; months that are too old for every tag go whole."""
        with self._writing() as run:
            if self._has_months and (dropped := _drop_months(run, retention, now_ms)):
                self._months.clear()
                return dropped
            ids = dict(run.execute("SELECT name, id FROM historian.tag").fetchall())
            ruled = [ids[name] for name in retention.tag_days if name in ids]
            rules = [(retention.before_ms(None, now_ms), f"tag_id <> ALL(ARRAY{ruled}::integer[])")]
            rules += [
                (retention.before_ms(name, now_ms), f"tag_id = {ids[name]}")
                for name in retention.tag_days
                if name in ids
            ]
            for before_ms, whose in rules:
                if before_ms is None:
                    continue
                for table, key in (("sample", "tag_id, ts"), ("revision", "tag_id, ts, arrival")):
                    where = f"ts < {before_ms // _HOUR_MS * _HOUR_MS} AND {whose}"
                    some = f"SELECT {key} FROM historian.{table} WHERE {where} LIMIT {_DELETED_AT_ONCE}"
                    if deleted := run.execute(f"DELETE FROM historian.{table} WHERE ({key}) IN ({some})").rowcount:
                        return int(deleted)
            return 0

    def select(self, period: Period) -> Rows:
        """Return samples of a period by time and tag."""
        with self._read() as run:
            return postgres_read.select(run, period)

    def buckets(self, period: Period, step_ms: int) -> Buckets:
        """Return GOOD samples gathered in steps, by time and tag."""
        with self._read() as run:
            return postgres_read.buckets(run, period, step_ms)

    def gaps(self, period: Period, least_ms: int) -> Gaps:
        """Return steps between samples with a value that are longer than `least_ms`."""
        with self._read() as run:
            return postgres_read.gaps(run, period, least_ms)

    def newest(self, tags: Sequence[str] | None) -> Rows:
        """Return the newest sample of each tag."""
        with self._read() as run:
            return postgres_read.newest(run, tags)

    def span(self) -> tuple[int, int] | None:
        """Return the times of the oldest and the newest sample, UTC ms."""
        with self._read() as run:
            return postgres_read.span(run)

    def versions(self, tag: str) -> list[Version]:
        """Return the configurations of a tag, oldest first."""
        query = (
            "SELECT version, since, config FROM historian.tag_config JOIN historian.tag ON tag.id = tag_id "
            "WHERE name = %s ORDER BY version"
        )
        with self._read() as run:
            return [Version(*row) for row in run.execute(query, (tag,)).fetchall()]

    def current_configs(self) -> dict[str, str]:
        """Return the newest configuration of each described tag."""
        query = (
            "SELECT DISTINCT ON (name) name, config FROM historian.tag_config JOIN historian.tag ON tag.id = tag_id "
            "ORDER BY name, version DESC"
        )
        with self._read() as run:
            return dict(run.execute(query).fetchall())

    @property
    def alarms(self) -> AlarmStore:
        """The journal of alarms, in the same database."""
        return AlarmStore(self._read, self._writing, "%s", "historian.")

    def close(self) -> None:
        """Let the server go."""
        with self._write_lock, self._reading:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None

    @contextmanager
    def _read(self) -> Iterator[Any]:
        with self._reading, self._translated("read"):
            if self._reader is None or self._reader.closed:
                self._reader = self._connect(_READ_MS)
            with self._reader.transaction():
                self._reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                yield self._reader

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        with self._write_lock, self._translated("write"):
            run = self._write_connection()
            try:
                with run.transaction():
                    yield run
            except BaseException:
                self._forget()
                raise

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            yield
        except self._psycopg.Error as error:
            text = str(error).strip().partition("\n")[0] or type(error).__name__
            is_refusal = "FATAL:" in text and not any(sign in text for sign in _PASSING)
            is_away = isinstance(error, self._psycopg.OperationalError | self._psycopg.InterfaceError)
            kind = HistorianAway if is_away and not is_refusal else HistorianError
            raise kind(f"cannot {action} historian {self.name}: {text}") from error


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}@{host}"))


_FIND = """
SELECT s.ts, s.tag_id, s.value, s.quality, s.reason_id, s.arrival, s.version
FROM historian.sample s JOIN (SELECT DISTINCT tag_id, ts FROM stage) g USING (tag_id, ts)
ORDER BY s.tag_id, s.ts FOR UPDATE OF s
"""
_FIND_OLDER = """
SELECT r.ts, r.tag_id, r.value, r.quality, r.reason_id, r.arrival, r.version
FROM historian.revision r JOIN (SELECT DISTINCT tag_id, ts FROM stage) g USING (tag_id, ts)
"""


def _store(run: Any, columns: dict[str, NDArray[Any]]) -> Written:
    """Store rows: in bulk those that are new, with care those whose key is there."""
    with run.cursor().copy("COPY stage FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(postgres_copy.encode(columns))
    others = "quality, reason_id, arrival, version"
    stored: int = run.execute(
        f"INSERT INTO historian.sample (tag_id, ts, value, {others}) "
        f"SELECT tag_id, ts, nullif(value, 'NaN'), {others} FROM stage ORDER BY tag_id, ts, n ON CONFLICT DO NOTHING"
    ).rowcount
    if stored == len(columns["ts"]):
        return Written(stored, 0, 0)
    keys = list(zip(columns["ts"].tolist(), columns["tag_id"].tolist(), strict=True))
    cells = [columns[name].tolist() for name in ("value", "quality", "reason_id", "arrival", "version")]
    contents = ((None if value != value else value, *rest) for value, *rest in zip(*cells, strict=True))  # NaN
    current: dict[tuple[int, int], Content] = {}
    older: dict[tuple[int, int], list[Content]] = {}
    with run.cursor(binary=True) as cursor:
        for ts, tag_id, *content in cursor.execute(_FIND):
            current[ts, tag_id] = tuple(content)
        for ts, tag_id, *content in cursor.execute(_FIND_OLDER):
            older.setdefault((ts, tag_id), []).append(tuple(content))
    changes = settle(zip(keys, contents, strict=True), current, older)
    with run.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO historian.revision (ts, tag_id, value, {others}) VALUES (%s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT DO NOTHING",
            [(*key[:2], *row) for key, row in changes.revisions.items()],
        )
        cursor.executemany(
            "UPDATE historian.sample SET value = %s, quality = %s, reason_id = %s, arrival = %s, version = %s "
            "WHERE ts = %s AND tag_id = %s",
            [(*row, *key) for key, row in changes.updates.items()],
        )
    return Written(stored, changes.revised, changes.repeated - stored)


def _drop_months(run: Any, retention: Retention, now_ms: int) -> int:
    """Drop the partitions that every rule lets go; return how many samples they had."""
    cuts = [retention.before_ms(None, now_ms), *(retention.before_ms(name, now_ms) for name in retention.tag_days)]
    known = [cut for cut in cuts if cut is not None]
    if len(known) < len(cuts):
        return 0
    first_kept = f"sample_{months(np.array([max(0, min(known))]))[0].replace('-', '_')}"
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'historian.sample'::regclass"
    dropped = 0
    for (name,) in run.execute(query).fetchall():
        if name.rpartition(".")[2] < first_kept:
            dropped += run.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            run.execute(f"DROP TABLE {name}")
    return dropped
