"""Alarm tables: read, checked and written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scada.alarms.alarm import Alarm, AlarmTable
from scada.alarms.check import AlarmSurroundings, check_alarms
from scada.alarms.tablefile import format_csv, format_toml, parse_alarms
from scada.errors import TagError, TagErrors
from scada.tags import write_whole

__all__ = ["CheckedAlarms", "check_file", "read_alarms", "write_alarms"]


@dataclass(frozen=True, slots=True)
class CheckedAlarms:
    """An alarm file and what is wrong with it.

    Attributes
    ----------
    alarms : tuple of Alarm
        Rows whose cells could all be read.
    findings : tuple of TagError
        By line.
    """

    alarms: tuple[Alarm, ...]
    findings: tuple[TagError, ...]

    @property
    def errors(self) -> list[TagError]:
        """The findings that keep the table from being used."""
        return [finding for finding in self.findings if finding.severity == "error"]


def check_file(path: str | Path, around: AlarmSurroundings | None = None) -> CheckedAlarms:
    """Read an alarm table and find every mistake in it.

    Parameters
    ----------
    path : path
        A CSV with ``,``, or ``;`` or tabs and decimal comma, or TOML; columns as the attributes of :class:`Alarm`.
    around : AlarmSurroundings, optional
        Tags and devices that are known.
    """
    parsed = parse_alarms(Path(path))
    found = [*parsed.errors, *check_alarms(parsed.alarms, around, str(path), parsed.lines, parsed.broken)]
    return CheckedAlarms(tuple(parsed.alarms), tuple(sorted(found, key=lambda error: error.line)))


def read_alarms(path: str | Path, around: AlarmSurroundings | None = None) -> AlarmTable:
    """Read an alarm table.

    Raises
    ------
    TagErrors
        With every mistake in the file: line, what, how to mend.
    """
    checked = check_file(path, around)
    if checked.errors:
        raise TagErrors(checked.errors)
    return AlarmTable(checked.alarms)


def write_alarms(path: str | Path, alarms: Iterable[Alarm]) -> None:
    """Write an alarm table that :func:`read_alarms` reads back equal, as TOML or CSV by its ending."""
    target = Path(path)
    write_whole(target, format_toml(alarms) if target.suffix.lower() == ".toml" else format_csv(alarms))
