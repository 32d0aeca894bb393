"""Databases of other systems, read only."""

from __future__ import annotations

import math
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from scada.drops.localtime import fixed_offset_ms
from scada.errors import QueryError

__all__ = ["SCHEMES", "check_sql", "plain_url", "rows_of"]

SCHEMES = ("sqlite", "postgresql", "postgres", "odbc")
_SINCE = re.compile(r"(?<![:\w]):since\b")
_CHUNK = 100_000
Answer = tuple[list[str], list[list[Any]]]


def plain_url(url: str) -> str:
    """The URL as it may be shown: without a password."""
    if url.startswith("odbc:"):
        return re.sub(r"(?i)(pwd|password)=[^;]*", r"\1=…", url)
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.netloc.rpartition('@')[2]}"))


def check_sql(sql: str) -> str:
    """Return what is wrong with a query: what; mend. Empty where nothing is."""
    words = re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL).strip().rstrip(";").strip()
    if not words.lower().startswith(("select", "with")) or ";" in words:
        return "sql is no single SELECT; write one that begins with SELECT or WITH"
    if not _SINCE.search(words):
        return "sql has no :since, and would read everything every time; write WHERE … >= :since"
    return ""


def rows_of(url: str, sql: str, since: Any, zone: str, timeout_s: float) -> Iterator[Answer]:
    """Ask a database; yield names of columns and some rows, until there are no more.

    Parameters
    ----------
    url : str
        ``sqlite:///file.db``, ``postgresql://user@host/database``, or ``odbc:`` and a connection string.
    sql : str
        A SELECT with ``:since``.
    since : object
        What ``:since`` stands for, as the database takes it.
    zone : str
        In which PostgreSQL compares times without a zone with those that have one.
    timeout_s : float

    Raises
    ------
    QueryError
    """
    shown = plain_url(url)
    ask = {"sqlite": _sqlite, "postgresql": _postgres, "postgres": _postgres, "odbc": _odbc}.get(url.partition(":")[0])
    if ask is None:
        raise QueryError(f"'{shown}' is no database; write sqlite:///file.db, postgresql://… or odbc:…")
    yield from ask(url, shown, sql, since, zone, timeout_s)


def _sqlite(url: str, shown: str, sql: str, since: Any, zone: str, timeout_s: float) -> Iterator[Answer]:
    path = Path(url[len("sqlite:///") :])
    if not path.is_file():
        raise QueryError(f"{shown}: no such file; mend the url")
    until = time.monotonic() + timeout_s
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=timeout_s)) as run:
            run.execute("PRAGMA query_only = 1")
            run.set_progress_handler(lambda: time.monotonic() > until, 100_000)
            cursor = run.execute(sql, {"since": since})
            yield from _chunks(cursor)
    except sqlite3.Error as error:
        raise QueryError(f"{shown}: {error}; mend the sql, or its tables") from error


def _postgres(url: str, shown: str, sql: str, since: Any, zone: str, timeout_s: float) -> Iterator[Answer]:
    try:
        import psycopg
    except ImportError as error:
        raise QueryError(f"{shown}: psycopg is not installed; install umanflow[postgres]") from error
    text = _SINCE.sub("%(since)s", sql.replace("%", "%%")).strip().rstrip(";")
    try:
        with psycopg.connect(url, connect_timeout=max(2, int(timeout_s)), application_name="umanflow-ingest") as run:
            run.read_only = True
            run.execute(f"SET statement_timeout = {int(1000 * timeout_s)}")
            run.execute("SELECT set_config('TimeZone', %s, false)", (_postgres_zone(zone),))
            with run.cursor(name="umanflow") as cursor:
                cursor.itersize = _CHUNK
                cursor.execute(text.encode(), {"since": since})
                yield from _chunks(cursor)
    except psycopg.Error as error:
        line = str(error).strip().partition("\n")[0] or type(error).__name__
        raise QueryError(f"{shown}: {line}; mend the sql, or the server's rights") from error


def _postgres_zone(zone: str) -> str:
    offset = fixed_offset_ms(zone)
    if offset is None or not offset:
        return zone if offset is None else "UTC"
    minutes = abs(offset) // 60_000
    # POSIX counts westwards
    return f"<fixed>{'-' if offset > 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def _odbc(url: str, shown: str, sql: str, since: Any, zone: str, timeout_s: float) -> Iterator[Answer]:
    from importlib import import_module

    try:
        pyodbc = import_module("pyodbc")
    except ImportError as error:
        raise QueryError(f"{shown}: pyodbc is not installed; install umanflow[odbc]") from error
    text, count = _SINCE.subn("?", sql)
    login_s = max(1, math.ceil(timeout_s))
    try:
        # readonly is only a wish, which some drivers do not hear: what is not committed is rolled back
        with closing(pyodbc.connect(url[len("odbc:") :], readonly=True, autocommit=False, timeout=login_s)) as run:
            cursor = run.cursor()
            with _cancelled(cursor, timeout_s):
                cursor.execute(text, [since] * count)
                yield from _chunks(cursor)
    except pyodbc.Error as error:
        line = str(error).strip().partition("\n")[0]
        raise QueryError(f"{shown}: {line}; mend the sql, or the connection string") from error


@contextmanager
def _cancelled(cursor: Any, timeout_s: float) -> Iterator[None]:
    """Cancel a statement that is not done in time: many drivers keep no time themselves."""
    timer = threading.Timer(timeout_s, cursor.cancel)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # so that nobody cancels what is closed


def _chunks(cursor: Any) -> Iterator[Answer]:
    rows = cursor.fetchmany(_CHUNK)
    names = [str(column[0]) for column in cursor.description]
    while rows:
        yield names, [list(row) for row in rows]
        rows = cursor.fetchmany(_CHUNK)
