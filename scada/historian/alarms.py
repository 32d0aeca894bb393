"""The journal of alarms, and the commands that wait for whoever evaluates them, in the historian's database."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from scada.alarms.entry import Command, Entry

__all__ = ["AlarmStore", "Answer", "entry_of", "row_of"]

Answer = tuple[int, int, str]  # number of a command, when it was carried out [UTC ms], why not (empty where it was)
_COLUMNS = (
    "run, number, ts, alarm, position, priority, event, state_before, state_after, is_active, hidden, value, cause, "
    "who, why, until_ts, is_chattering"
)
_Transaction = Callable[[], AbstractContextManager[Any]]


class AlarmStore:
    """Alarms' entries and commands; one form of SQL for both databases.

    Parameters
    ----------
    read, change : callable
        Context managers that give a connection inside a transaction, errors translated to HistorianError.
    mark : str
        How the database writes a parameter.
    prefix : str
        Of its tables.
    """

    def __init__(self, read: _Transaction, change: _Transaction, mark: str, prefix: str) -> None:
        self._read, self._change = read, change
        self._entry, self._commands = f"{prefix}alarm_entry", f"{prefix}alarm_command"
        self._mark = mark

    def write(self, entries: Iterable[Entry], answers: Iterable[Answer] = ()) -> int:
        """Store entries, and what became of commands, in one transaction; those that are there change nothing.

        Returns
        -------
        int
            Entries that are new.

        Raises
        ------
        HistorianError
            The database does not take them.
        """
        now_ms = time.time_ns() // 1_000_000
        marks = ", ".join([self._mark] * 18)
        insert = f"INSERT INTO {self._entry} ({_COLUMNS}, recorded) VALUES ({marks}) ON CONFLICT DO NOTHING"
        update = (
            f"UPDATE {self._commands} SET taken = {self._mark}, answer = {self._mark} "
            f"WHERE number = {self._mark} AND taken IS NULL"
        )
        with self._change() as run:
            cursor = run.cursor()
            rows = [(*row_of(entry), now_ms) for entry in entries]
            if rows:
                cursor.executemany(insert, rows)
            stored = cursor.rowcount if rows else 0
            for number, taken_ms, answer in answers:
                run.execute(update, (taken_ms, answer, number))
        return int(stored)

    def newest(self) -> dict[str, Entry]:
        """Return the last entry of each alarm."""
        query = (
            f"SELECT {_COLUMNS} FROM {self._entry} WHERE seq IN "
            f"(SELECT max(seq) FROM {self._entry} WHERE alarm <> '' GROUP BY alarm)"
        )
        with self._read() as run:
            return {entry.alarm: entry for entry in map(entry_of, run.execute(query).fetchall())}

    def since(self) -> dict[str, int]:
        """Return when each alarm came into its state, UTC ms."""
        query = f"SELECT alarm, max(ts) FROM {self._entry} WHERE state_before <> state_after GROUP BY alarm"
        with self._read() as run:
            return dict(run.execute(query).fetchall())

    def select(
        self, from_ms: int | None = None, to_ms: int | None = None, alarms: Sequence[str] | None = None
    ) -> list[Entry]:
        """Return entries in the order they were written.

        Parameters
        ----------
        from_ms, to_ms : int, optional
            ``from_ms <= time < to_ms``, UTC ms.
        alarms : sequence of str, optional
            Ids; all by default.
        """
        low, high = from_ms if from_ms is not None else -(2**62), to_ms if to_ms is not None else 2**62
        query = f"SELECT {_COLUMNS} FROM {self._entry} WHERE ts >= {self._mark} AND ts < {self._mark} ORDER BY seq"
        with self._read() as run:
            found = [entry_of(row) for row in run.execute(query, (low, high)).fetchall()]
        return found if alarms is None else [entry for entry in found if entry.alarm in set(alarms)]

    def post(self, command: Command) -> int:
        """Leave a command for whoever evaluates the alarms; return its number."""
        columns = "issued, alarm, action, who, why, for_s"
        marks = ", ".join([self._mark] * 6)
        insert = f"INSERT INTO {self._commands} ({columns}) VALUES ({marks}) RETURNING number"
        row = (command.time_ms, command.alarm, command.action, _clean(command.who), _clean(command.why), command.for_s)
        with self._change() as run:
            return int(run.execute(insert, row).fetchone()[0])

    def waiting(self) -> list[Command]:
        """Return the commands that nobody has taken up, oldest first, with the time they were left."""
        columns = "alarm, action, who, why, for_s, issued, number"
        query = f"SELECT {columns} FROM {self._commands} WHERE taken IS NULL ORDER BY number"
        with self._read() as run:
            return [Command(*row) for row in run.execute(query).fetchall()]

    def answer(self, number: int) -> str | None:
        """Return what became of a command: empty where it was carried out, else why not; None while it waits."""
        query = f"SELECT answer FROM {self._commands} WHERE number = {self._mark}"
        with self._read() as run:
            row = run.execute(query, (number,)).fetchone()
        return None if row is None else row[0]


def row_of(entry: Entry) -> tuple[object, ...]:
    """Return an entry as the cells of its row."""
    return (
        entry.run,
        entry.number,
        entry.time_ms,
        entry.alarm,
        entry.position,
        entry.priority,
        entry.event,
        entry.before,
        entry.after,
        entry.is_active,
        "|".join(entry.hidden),
        None if math.isnan(entry.value) else entry.value,
        entry.cause,
        _clean(entry.who),
        _clean(entry.why),
        entry.until_ms,
        entry.is_chattering,
    )


def entry_of(row: Sequence[Any]) -> Entry:
    """Return the entry of a row's cells."""
    run, number, ts, alarm, position, priority, event, before, after, is_active, hidden, value, *rest = row
    cause, who, why, until_ms, is_chattering = rest
    return Entry(
        run=run,
        number=number,
        time_ms=ts,
        alarm=alarm,
        position=position,
        priority=priority,
        event=event,
        before=before,
        after=after,
        is_active=bool(is_active),
        hidden=tuple(hidden.split("|")) if hidden else (),
        value=math.nan if value is None else value,
        cause=cause,
        who=who,
        why=why,
        until_ms=until_ms,
        is_chattering=bool(is_chattering),
    )


def _clean(text: str) -> str:
    """Text that every database takes: neither NUL nor half a surrogate pair."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode()
