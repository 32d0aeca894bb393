"""Where samples are kept: one interface, and the database by URL."""

from __future__ import annotations

from pathlib import Path

from scada.errors import HistorianError
from scada.historian.engine import Engine, Retention
from scada.historian.settings import Counters, HistorianStatus, WriterSettings
from scada.historian.spool import Spool
from scada.historian.store import Historian

__all__ = ["Counters", "Historian", "HistorianStatus", "Retention", "WriterSettings", "open_historian"]

_SPOOL_BYTES = 1 << 30


def open_historian(
    url: str,
    settings: WriterSettings | None = None,
    spool: str | Path | None = None,
    spool_bytes: int = _SPOOL_BYTES,
    may_be_away: bool = False,
) -> Historian:
    """Open the historian at a URL.

    Parameters
    ----------
    url : str
        ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``postgresql://user@host:port/database``.
    settings : WriterSettings, optional
        Batches, memory, retention.
    spool : path, optional
        Folder where samples wait while the database is away; beside a SQLite file by default (``history.db.spool``),
        ``umanflow-spool`` in the current folder for a server. Made when it is needed, gone when it is empty.
    spool_bytes : int
        Bound of the spool; 0 keeps samples in memory only.
    may_be_away : bool
        Take samples though the database does not answer yet.

    Raises
    ------
    HistorianError
        The store cannot be opened, or its URL is unknown.
    """
    engine, beside = _engine(url)
    settings = settings or WriterSettings()
    folder = beside if spool is None else Path(spool)

    def open_spool() -> Spool:
        return Spool(folder, spool_bytes, settings.policy)

    return Historian(engine, settings, open_spool if spool_bytes > 0 else None, may_be_away)


def _engine(url: str) -> tuple[Engine, Path]:
    """Return the engine and its spool's folder."""
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and separator and len(rest) > 1 and rest.startswith("/"):
        from scada.historian.sqlite import SqliteEngine

        path = Path(rest[1:])
        return SqliteEngine(path), path.with_name(f"{path.name}.spool")
    if scheme in {"postgresql", "postgres"} and separator and rest:
        from scada.historian.postgres import PostgresEngine

        return PostgresEngine(url), Path("umanflow-spool")
    raise HistorianError(
        f"historian url '{url}' is unknown; write sqlite:///history.db or postgresql://user@host/database"
    )
