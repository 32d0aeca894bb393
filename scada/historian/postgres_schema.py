"""The tables of a PostgreSQL historian, in a schema of their own, `historian`.

Samples lie in one partition for each month of UTC (or in a hypertable where TimescaleDB is loaded), under the key
(tag, time), with a BRIN index by time for what asks for all tags.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from scada.errors import HistorianError

__all__ = ["LOCK", "SCHEMA_VERSION", "is_partitioned", "make_partition", "migrate", "months"]

_logger = logging.getLogger(__name__)
LOCK = 0x756D616E  # advisory: one process changes tables at a time
_CHUNK_MS = 7 * 86_400_000

_COLUMNS = (
    "tag_id integer NOT NULL, ts bigint NOT NULL, value double precision, quality smallint NOT NULL, "
    "reason_id integer NOT NULL, arrival bigint NOT NULL, version integer NOT NULL"
)
_FIRST = f"""
CREATE TABLE historian.tag (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE historian.reason (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL UNIQUE);
CREATE TABLE historian.tag_config (
    tag_id integer NOT NULL REFERENCES historian.tag, version integer NOT NULL, key text NOT NULL,
    since bigint NOT NULL, config text NOT NULL, PRIMARY KEY (tag_id, version)
);
CREATE TABLE historian.revision ({_COLUMNS}, PRIMARY KEY (tag_id, ts, arrival));
CREATE TABLE historian.sample ({_COLUMNS}, PRIMARY KEY (tag_id, ts)) {{kind}};
CREATE INDEX sample_by_time ON historian.sample USING brin (ts);
"""
_ALARMS = """
CREATE TABLE historian.alarm_entry (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run text NOT NULL, number integer NOT NULL,
    ts bigint NOT NULL, recorded bigint NOT NULL, alarm text NOT NULL, position text NOT NULL, priority text NOT NULL,
    event text NOT NULL, state_before text NOT NULL, state_after text NOT NULL, is_active boolean NOT NULL,
    hidden text NOT NULL, value double precision, cause text NOT NULL, who text NOT NULL, why text NOT NULL,
    until_ts bigint, is_chattering boolean NOT NULL, UNIQUE (run, number)
);
CREATE INDEX alarm_entry_by_alarm ON historian.alarm_entry (alarm, seq);
CREATE INDEX alarm_entry_by_time ON historian.alarm_entry (ts);
CREATE TABLE historian.alarm_command (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, issued bigint NOT NULL, alarm text NOT NULL,
    action text NOT NULL, who text NOT NULL, why text NOT NULL, for_s double precision NOT NULL, taken bigint,
    answer text
);
CREATE INDEX alarm_command_waiting ON historian.alarm_command (number) WHERE taken IS NULL;
"""
_MIGRATIONS = (_FIRST, _ALARMS)
SCHEMA_VERSION = len(_MIGRATIONS)


def migrate(connection: Any, where: str, has_timescale: bool | None = None) -> None:
    """Make the tables, or bring older ones to this program's version; each all or nothing.

    Parameters
    ----------
    connection : psycopg.Connection
        With autocommit.
    where : str
        The database, for messages.
    has_timescale : bool, optional
        Found out by default.

    Raises
    ------
    HistorianError
        A later program wrote them.
    psycopg.Error
        They cannot be made.
    """
    if _version(connection, where) == SCHEMA_VERSION:
        return
    if has_timescale is None:
        has_timescale = _load_timescale(connection)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        connection.execute("CREATE SCHEMA IF NOT EXISTS historian")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS historian.schema_version (version integer PRIMARY KEY, applied bigint NOT NULL)"
        )
        # another process may have been quicker
        for version in range(_version(connection, where) + 1, SCHEMA_VERSION + 1):
            kind = "" if has_timescale else "PARTITION BY RANGE (ts)"
            connection.execute(_MIGRATIONS[version - 1].format(kind=kind))
            if version == 1 and has_timescale:
                connection.execute(
                    f"SELECT create_hypertable('historian.sample', 'ts', chunk_time_interval => {_CHUNK_MS}::bigint, "
                    "create_default_indexes => false)"
                )
            connection.execute(
                "INSERT INTO historian.schema_version VALUES (%s, (extract(epoch FROM now()) * 1000)::bigint)",
                (version,),
            )


def _version(connection: Any, where: str) -> int:
    if connection.execute("SELECT to_regclass('historian.schema_version')").fetchone()[0] is None:
        return 0
    found = connection.execute("SELECT coalesce(max(version), 0) FROM historian.schema_version").fetchone()[0]
    if found > SCHEMA_VERSION:
        raise HistorianError(f"{where} has schema {found}, this program knows {SCHEMA_VERSION}; update it")
    return int(found)


def _load_timescale(connection: Any) -> bool:
    import psycopg

    libraries = connection.execute("SELECT current_setting('shared_preload_libraries')").fetchone()[0]
    if "timescaledb" not in libraries:
        return False
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except psycopg.Error as error:
        _logger.warning("TimescaleDB is loaded but cannot be used, so there will be monthly partitions: %s", error)
        return False
    return True


def is_partitioned(connection: Any) -> bool:
    """Return whether the months are partitions of ours."""
    query = "SELECT relkind = 'p' FROM pg_class WHERE oid = 'historian.sample'::regclass"
    return bool(connection.execute(query).fetchone()[0])


def months(times_ms: Any) -> list[str]:
    """Return the months of times as ``2026-09``."""
    return [str(month) for month in np.unique(times_ms.astype("datetime64[ms]").astype("datetime64[M]"))]


def make_partition(connection: Any, month: str) -> None:
    """Make the partition of a month unless it is there."""
    first = np.datetime64(month, "M")
    low, high = (int(m.astype("datetime64[ms]").astype(np.int64)) for m in (first, first + 1))
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS historian.sample_{month.replace('-', '_')} PARTITION OF historian.sample "
        f"FOR VALUES FROM ({low}) TO ({high})"
    )
