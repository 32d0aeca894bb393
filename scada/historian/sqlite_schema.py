"""The tables of a SQLite historian and how older files become new ones.

`sample` takes what comes: its key (time, tag) makes a commit touch the last pages only, whereas the key (tag, time)
rewrites pages all over the file. From there samples go in slices to `compact`, which has those of one tag side by side.
"""

from __future__ import annotations

import sqlite3
import time

from scada.errors import HistorianError

__all__ = ["SCHEMA_VERSION", "migrate"]

_FIRST = """
CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE reason (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE sample (
    ts INTEGER NOT NULL, tag_id INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL, reason_id INTEGER NOT NULL,
    arrival INTEGER NOT NULL, PRIMARY KEY (ts, tag_id)
) WITHOUT ROWID;
CREATE TABLE latest (tag_id INTEGER PRIMARY KEY, ts INTEGER NOT NULL);
INSERT INTO reason (id, text) VALUES (0, '');
"""
_SLICES_REVISIONS_CONFIGURATIONS = """
ALTER TABLE sample ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
CREATE TABLE slice (
    id INTEGER PRIMARY KEY, level INTEGER NOT NULL, from_ts INTEGER NOT NULL, to_ts INTEGER NOT NULL,
    into_id INTEGER
);
CREATE TABLE compact (
    slice_id INTEGER NOT NULL, tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,
    reason_id INTEGER NOT NULL, arrival INTEGER NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (slice_id, tag_id, ts)
) WITHOUT ROWID;
CREATE TABLE revision (
    tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL, reason_id INTEGER NOT NULL,
    arrival INTEGER NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (tag_id, ts, arrival)
) WITHOUT ROWID;
CREATE TABLE tag_config (
    tag_id INTEGER NOT NULL, version INTEGER NOT NULL, key TEXT NOT NULL, since INTEGER NOT NULL, config TEXT NOT NULL,
    PRIMARY KEY (tag_id, version)
) WITHOUT ROWID;
CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied INTEGER NOT NULL);
"""
_ALARMS = """
CREATE TABLE alarm_entry (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, number INTEGER NOT NULL, ts INTEGER NOT NULL,
    recorded INTEGER NOT NULL, alarm TEXT NOT NULL, position TEXT NOT NULL, priority TEXT NOT NULL,
    event TEXT NOT NULL, state_before TEXT NOT NULL, state_after TEXT NOT NULL, is_active INTEGER NOT NULL,
    hidden TEXT NOT NULL, value REAL, cause TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL, until_ts INTEGER,
    is_chattering INTEGER NOT NULL, UNIQUE (run, number)
);
CREATE INDEX alarm_entry_by_alarm ON alarm_entry (alarm, seq);
CREATE INDEX alarm_entry_by_time ON alarm_entry (ts);
CREATE TABLE alarm_command (
    number INTEGER PRIMARY KEY AUTOINCREMENT, issued INTEGER NOT NULL, alarm TEXT NOT NULL, action TEXT NOT NULL,
    who TEXT NOT NULL, why TEXT NOT NULL, for_s REAL NOT NULL, taken INTEGER, answer TEXT
);
CREATE INDEX alarm_command_waiting ON alarm_command (number) WHERE taken IS NULL;
"""
_MIGRATIONS = (_FIRST, _SLICES_REVISIONS_CONFIGURATIONS, _ALARMS)
SCHEMA_VERSION = len(_MIGRATIONS)


def migrate(connection: sqlite3.Connection, path: object) -> None:
    """Bring a file to this program's schema, all steps in one transaction; a new file gets all of it.

    Raises
    ------
    HistorianError
        A later program wrote the file.
    sqlite3.Error
        The file cannot be written; it is as it was.
    """
    if _version(connection, path) == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # another process may have been quicker
        for version in range(_version(connection, path) + 1, SCHEMA_VERSION + 1):
            for statement in filter(str.strip, _MIGRATIONS[version - 1].split(";")):
                connection.execute(statement)
            if version > 1:
                connection.execute("INSERT INTO schema_version VALUES (?, ?)", (version, time.time_ns() // 1_000_000))
            connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, path: object) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise HistorianError(f"{path} has schema {version}, this program knows {SCHEMA_VERSION}; update it")
    return version
