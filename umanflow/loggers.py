"""Simulated battery loggers: they send files at their own pace, as real ones do: with holes, late, and corrected.

Files look like the export of a portal opened in a Ukrainian office: local time, decimal comma, a few lines above the
table. Each begins with the last reading of the delivery before, so that the hour that comes twice in autumn can be told
from the order of its readings. A file's time is that of the delivery in the city.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from scada.drops.units import conversion
from scada.plc.process import Process
from scada.tag import Tag

_TWIN_UNITS = {"pressure": "m", "level": "m", "flow": "m3/h"}
_LATEST = 3  # deliveries
_CORRECTION = 0.1  # standard deviation of what a correction adds, in the tag's unit

Row = tuple[int, float]  # time and value; NaN where the logger has none


@dataclass(frozen=True, slots=True)
class LoggerGroup:
    """Loggers that send together.

    Attributes
    ----------
    name
        With which their files begin.
    tags
        One for each logger.
    delivery_ms
        How often they send.
    late, gaps, revised
        How often a logger's part comes late, has a hole, or is sent again corrected; shares of deliveries.
    """

    name: str
    tags: tuple[Tag, ...]
    delivery_ms: int
    late: float = 0.0
    gaps: float = 0.0
    revised: float = 0.0


@dataclass(slots=True)
class _Logger:
    """What one logger holds: readings since the last delivery, the last one before, and those to be sent again."""

    tag: Tag
    factor: float
    new: list[Row] = field(default_factory=list)
    before: list[Row] = field(default_factory=list)
    to_revise: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class _Waiting:
    """A file that comes later."""

    due_ms: int
    name: str
    columns: dict[str, list[Row]]


class LoggerPortal:
    """Collects readings of loggers and writes their files.

    Parameters
    ----------
    folder
        Where files go; made where it is not.
    groups
    zone
        Of the times in the files.
    seed
        Of holes, delays and corrections.
    """

    def __init__(self, folder: Path, groups: Sequence[LoggerGroup], zone: str, seed: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._groups, self._zone = folder, groups, ZoneInfo(zone)
        self._random = np.random.default_rng([seed, 2])
        self._loggers = {
            group.name: [_Logger(tag, conversion(_TWIN_UNITS.get(tag.quantity, ""), tag)) for tag in group.tags]
            for group in groups
        }
        self._since: dict[str, int] = {}
        self._waiting: list[_Waiting] = []

    @property
    def slot_ms(self) -> int:
        """How often a reading of any logger is due, ms."""
        return math.gcd(*(tag.interval_ms for group in self._groups for tag in group.tags))

    def take(self, t_ms: int, values: Mapping[str, float]) -> list[Path]:
        """Note the readings of one moment, in the twin's units; return the files that were sent."""
        written = []
        for group in self._groups:
            due = [logger for logger in self._loggers[group.name] if t_ms % logger.tag.interval_ms == 0]
            for logger in due:
                logger.new.append((t_ms, round(values[logger.tag.name] * logger.factor, 2)))
            if due:
                began = self._since.setdefault(group.name, t_ms)
                if t_ms + min(logger.tag.interval_ms for logger in due) - began >= group.delivery_ms:
                    del self._since[group.name]
                    written += self._deliver(group, t_ms)
        written += [self._write(f.name, f.columns, t_ms) for f in self._waiting if f.due_ms <= t_ms]
        self._waiting = [file for file in self._waiting if file.due_ms > t_ms]
        return written

    def _deliver(self, group: LoggerGroup, t_ms: int) -> list[Path]:
        columns: dict[str, list[Row]] = {}
        written = []
        for logger in self._loggers[group.name]:
            is_late, has_gap, is_revised = self._random.random(3) < (group.late, group.gaps, group.revised)
            if logger.to_revise:
                correction = round(float(self._random.normal(0.0, _CORRECTION)), 2)
                mended = {t: round(value + correction, 2) for t, value in logger.to_revise}
                logger.before = [(t, mended.get(t, value)) for t, value in logger.before]
                name = f"{group.name}-{logger.tag.name}-corrected"
                written.append(self._write(name, {logger.tag.name: list(mended.items())}, t_ms))
            if has_gap:
                self._tear(logger.new)
            rows = logger.before + logger.new
            if is_late:
                due_ms = t_ms + int(self._random.integers(1, _LATEST + 1)) * group.delivery_ms
                name = f"{group.name}-{logger.tag.name}-late"
                self._waiting.append(_Waiting(due_ms, name, {logger.tag.name: rows}))
            else:
                columns[logger.tag.name] = rows
            logger.to_revise = list(logger.new) if is_revised and not is_late else []
            logger.before = rows[-1:]
            logger.new = []
        if columns:
            written.append(self._write(group.name, columns, t_ms))
        return written

    def _tear(self, rows: list[Row]) -> None:
        """Take a stretch of readings away."""
        length = int(self._random.integers(1, max(2, len(rows) // 2 + 1)))
        begin = int(self._random.integers(0, max(1, len(rows) - length + 1)))
        for k in range(begin, min(begin + length, len(rows))):
            rows[k] = rows[k][0], math.nan

    def _write(self, name: str, columns: Mapping[str, Sequence[Row]], t_ms: int) -> Path:
        """Write a file under a temporary name with the delivery's time, then put it there."""
        units = {tag.name: tag.unit for group in self._groups for tag in group.tags}
        table: dict[int, dict[str, float]] = {}
        for tag, rows in columns.items():
            for t, value in rows:
                table.setdefault(t, {})[tag] = value
        heads = [f"{tag} [{units[tag]}]" if units[tag] else tag for tag in columns]
        lines = ["SYNTHETIC;portal of simulated loggers", f"Zone;{self._zone.key}", ";".join(["Дата і час", *heads])]
        for t in sorted(table):
            cells = [_number(table[t].get(tag, math.nan)) for tag in columns]
            lines.append(";".join([f"{self._local(t):%d.%m.%Y %H:%M}", *cells]))
        path = self._folder / f"{name}-{_utc(t_ms):%Y%m%dT%H%M}.csv"
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8-sig", newline="")
        os.utime(partial, ns=(t_ms * 1_000_000, t_ms * 1_000_000))
        return partial.replace(path)

    def _local(self, t_ms: int) -> datetime:
        return _utc(t_ms).astimezone(self._zone)


def _utc(t_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=t_ms)


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}".replace(".", ",")


class LoggedProcess:
    """A process whose loggers send files; it is moved on to each moment at which one of them reads.

    Parameters
    ----------
    process
        Shows the loggers' tags too.
    portal
    start_ms
        UTC ms at which it begins.
    """

    def __init__(self, process: Process, portal: LoggerPortal, start_ms: int) -> None:
        self._process, self._portal = process, portal
        self._next_ms = -(-start_ms // portal.slot_ms) * portal.slot_ms

    def advance(self, t_ms: int, commands: Mapping[str, float]) -> Mapping[str, float]:
        """Move on to a time; see `scada.plc.process.Process`."""
        while self._next_ms <= t_ms:
            self._portal.take(self._next_ms, self._process.advance(self._next_ms, commands))
            commands = {}
            self._next_ms += self._portal.slot_ms
        return self._process.advance(t_ms, commands)
