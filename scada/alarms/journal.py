"""The way of entries to the database: first to a file, at once; so that no crash and no absent database loses any.

The file holds what the database has not confirmed, one JSON line each time, and is emptied when all of it is there.
Entries carry run and number, so delivering some of them again changes nothing.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from scada.alarms.entry import Command, Entry
from scada.errors import HistorianAway, HistorianError
from scada.historian.alarms import AlarmStore, Answer, entry_of, row_of
from scada.historian.locked import take_lock

__all__ = ["Journal"]

_logger = logging.getLogger(__name__)
_LOOK_S = 0.5  # for commands
_LONGEST_FLUSH_S = 10.0
_ENTRIES_A_LINE = 200
_Part = tuple[tuple[Entry, ...], tuple[Answer, ...]]


class Journal:
    """Brings entries to a store in a thread of its own, and commands back.

    Parameters
    ----------
    store : AlarmStore
    path : Path
        File of what waits; made when it is needed, gone when it is empty.

    Attributes
    ----------
    past : dict of str to Entry or None
        The last entry of each alarm as the store had it first; None until it answered.
    recent : list of Entry
        Those of the time before, from `since_ms`.

    Raises
    ------
    HistorianError
        Another program evaluates these alarms, or the file cannot be used.
    """

    def __init__(self, store: AlarmStore, path: Path, since_ms: int) -> None:
        self.past: dict[str, Entry] | None = None
        self.recent: list[Entry] = []
        self._store = store
        self._path = path
        self._since_ms = since_ms
        self._changed = threading.Condition()
        self._commands: list[Command] = []
        self._seen: set[int] = set()
        self._is_closing = False
        self._told = ""
        try:
            lock = take_lock(path.with_name(f"{path.name}.lock"))
            if lock is None:
                raise HistorianAway(f"{path}: another program evaluates these alarms; end that program")
            self._lock = lock
            self._parts = _read_parts(path)
            self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        except OSError as error:
            raise HistorianError(f"{path} cannot be used: {error.strerror or error}") from error
        self._deliver()
        self._thread = threading.Thread(target=self._work, name="alarm-journal", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> list[Entry]:
        """Entries that the store has not confirmed."""
        with self._changed:
            return [entry for entries, _ in self._parts for entry in entries]

    def put(self, entries: Sequence[Entry], answers: Sequence[Answer] = ()) -> None:
        """Take entries, and what became of commands; they are on the disk when this returns."""
        if not entries and not answers:
            return
        part = (tuple(entries), tuple(answers))
        data = b"".join(_lines(*part))
        with self._changed:
            self._parts.append(part)
            try:
                _write_all(self._handle, data)
            except OSError as error:  # a full disk: they wait in memory, and the database may still take them
                self._tell(f"{self._path} cannot be written: {error.strerror or error}")
            self._changed.notify_all()

    def take_commands(self) -> list[Command]:
        """Return commands that came since the last call; at the next call, while entries are being written."""
        if not self._changed.acquire(blocking=False):  # the caller has a wire to look after
            return []
        try:
            commands, self._commands = self._commands, []
            return commands
        finally:
            self._changed.release()

    def close(self) -> None:
        """Deliver what can be delivered, and let the file go; what cannot is kept in it."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(_LONGEST_FLUSH_S)
        if self._thread.is_alive():  # the database hangs; what waits is in the file
            return
        os.close(self._handle)
        if not self._parts:
            self._path.unlink(missing_ok=True)
        self._lock.release(remove=True)

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._is_closing and (self._told or not self._parts):
                    self._changed.wait(_LOOK_S)
                is_closing = self._is_closing
            self._deliver()
            if is_closing:
                return

    def _deliver(self) -> None:
        with self._changed:
            parts = list(self._parts)
        try:
            if parts:
                entries = [entry for some, _ in parts for entry in some]
                self._store.write(entries, [answer for _, some in parts for answer in some])
            if self.past is None:
                self.recent = self._store.select(self._since_ms)
                self.past = self._store.newest()
            commands = self._store.waiting()
        except HistorianError as error:
            self._tell(str(error))
            return
        with self._changed:
            del self._parts[: len(parts)]
            if parts and not self._parts:
                os.ftruncate(self._handle, 0)
            self._commands += [command for command in commands if command.number not in self._seen]
            self._seen = {command.number for command in commands}
            if self._told:
                _logger.warning("the journal of alarms is kept again")
                self._told = ""

    def _tell(self, text: str) -> None:
        """Log an error once, not for every try."""
        if text != self._told:
            _logger.error("the journal of alarms waits: %s", text)
        self._told = text


def _lines(entries: Sequence[Entry], answers: Sequence[Answer]) -> Iterator[bytes]:
    """Yield lines of JSON, in pieces, between which other threads have their turn."""
    for start in range(0, max(len(entries), 1), _ENTRIES_A_LINE):
        rows = [row_of(entry) for entry in entries[start : start + _ENTRIES_A_LINE]]
        text = json.dumps([rows, [] if start else list(answers)], ensure_ascii=False)
        yield text.encode("utf-8", "replace") + b"\n"


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    os.fsync(handle)


def _read_parts(path: Path) -> list[_Part]:
    """Read what a former run left; a line that a crash cut off was confirmed to nobody."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [part for line in lines if (part := _part(line)) is not None]


def _part(line: bytes) -> _Part | None:
    try:
        entries, answers = json.loads(line)
        return (
            tuple(map(entry_of, entries)),
            tuple((number, time_ms, text) for number, time_ms, text in answers),
        )
    except (ValueError, TypeError, KeyError):
        return None


def newest_of(past: dict[str, Entry], entries: Iterable[Entry]) -> dict[str, Entry]:
    """Return the last entry of each alarm, of what is stored and what follows it."""
    return {**past, **{entry.alarm: entry for entry in entries if entry.alarm}}
