"""What was taken already: files by their content, queries by how far they came. One small SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scada.errors import HistorianError

__all__ = ["State", "TakenFile"]

_TABLES = """
CREATE TABLE IF NOT EXISTS taken (
    fingerprint TEXT PRIMARY KEY, file TEXT NOT NULL, arrival INTEGER NOT NULL, taken INTEGER NOT NULL,
    samples INTEGER NOT NULL, tag TEXT NOT NULL, time INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mark (source TEXT PRIMARY KEY, time INTEGER NOT NULL, tag TEXT NOT NULL) WITHOUT ROWID;
"""
_VERSION = 1


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file that was taken.

    Attributes
    ----------
    fingerprint : str
        Of its content and of the profile it was read by.
    file : str
    arrival_ms, taken_ms : int
        When it came, and when it was taken, UTC ms.
    samples : int
    tag : str
    time_ms : int
        One of its samples: while the historian has it, the file need not be taken again. An empty tag where the file
        held none.
    """

    fingerprint: str
    file: str
    arrival_ms: int
    taken_ms: int
    samples: int
    tag: str
    time_ms: int


class State:
    """The file of what was taken.

    Parameters
    ----------
    path : Path
        Made when it does not exist.

    Raises
    ------
    HistorianError
        It cannot be opened, or a later program wrote it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._run = sqlite3.connect(path, isolation_level=None, timeout=10.0, check_same_thread=False)
            self._run.execute("PRAGMA journal_mode = WAL")
            self._run.execute("PRAGMA synchronous = FULL")
            version = self._run.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise HistorianError(f"{path} has version {version}, this program knows {_VERSION}; update it")
            self._run.executescript(_TABLES)
            self._run.execute(f"PRAGMA user_version = {_VERSION}")

    def find(self, fingerprint: str) -> TakenFile | None:
        """Return the file of this fingerprint if it was taken."""
        with self._translated():
            row = self._run.execute("SELECT * FROM taken WHERE fingerprint = ?", (fingerprint,)).fetchone()
        return None if row is None else TakenFile(*row)

    def note(self, file: TakenFile) -> None:
        """Remember a file."""
        row = (file.fingerprint, file.file, file.arrival_ms, file.taken_ms, file.samples, file.tag, file.time_ms)
        with self._translated():
            self._run.execute("INSERT OR REPLACE INTO taken VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def mark(self, source: str) -> tuple[int, str] | None:
        """Return how far a query came: time of its newest sample, UTC ms, and its tag."""
        with self._translated():
            row = self._run.execute("SELECT time, tag FROM mark WHERE source = ?", (source,)).fetchone()
        return None if row is None else (int(row[0]), str(row[1]))

    def set_mark(self, source: str, time_ms: int, tag: str) -> None:
        """Remember how far a query came."""
        with self._translated():
            self._run.execute("INSERT OR REPLACE INTO mark VALUES (?, ?, ?)", (source, time_ms, tag))

    def close(self) -> None:
        """Let the file go."""
        self._run.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            mend = "let this user write there, and make room on the disk"
            raise HistorianError(f"{self._path}: cannot be used: {error}; {mend}") from error
