"""How the files of one kind of logger, or the answers of one query, are written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Literal

from scada.sample import Quality

__all__ = ["DATE_ORDERS", "REPEATED_HOURS", "Arrival", "DateOrder", "Layout", "Point", "Profile", "RepeatedHour"]

Layout = Literal["", "wide", "long"]
DateOrder = Literal["", "dmy", "mdy", "ymd"]
RepeatedHour = Literal["order", "first", "second", "arrival"]
Arrival = Literal["file", "now"]
DATE_ORDERS = ("dmy", "mdy", "ymd")
REPEATED_HOURS = ("order", "first", "second", "arrival")


@dataclass(frozen=True, slots=True)
class Point:
    """What a column, a channel or a point of the file is called here.

    Attributes
    ----------
    tag : str
    unit : str
        Unit of the values in the file; empty where the file says it, or it is the tag's.
    scale, offset : float
        Value in that unit = number in the file x scale + offset.
    """

    tag: str
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    """How a file is written. What is empty is recognised from the file itself.

    Attributes
    ----------
    name : str
    pattern : str
        Of the file's name, with ``*`` and ``?``; alternatives with a bar between them. Case does not matter.
    layout : {'', 'wide', 'long'}
        A column for each point; or a row for each reading.
    points : mapping of str to Point
        By column or point; with a serial number ``serial/column`` goes before ``column``. A point that is not listed
        and is called like a tag is that tag.
    ignore : tuple of str
        Columns or points that are nobody's, with ``*`` and ``?``.
    columns : tuple of str
        Names of the columns, for files without a header.
    header_line : int
        Line of the header; 0 where it is recognised.
    time_columns : tuple of str
        The time's column, or those of date and clock.
    point_column, value_column, quality_column, reason_column, arrival_column : str
        Of the long layout; the arrival of the wide one too.
    quality_suffix : str
        In the wide layout column ``X`` and this is the quality of column ``X``.
    quality_words : mapping of str to Quality
        What the file writes, beside the words and OPC codes known.
    serial : str
        Regular expression with one group: the logger's serial number in the file's name, or in a line above the header.
    encoding, delimiter, decimal : str
    missing : tuple of str
        Words that mean "no value", beside those known.
    footers : tuple of str
        Words with which a row begins that is no reading, beside those known.
    time_format : str
        As of `strptime`; or ``unix``, ``unix-ms``, ``excel`` (days since 1900).
    date_order : {'', 'dmy', 'mdy', 'ymd'}
    zone : str
        Of times without an offset: a name such as Europe/Kyiv, ``UTC``, or an offset such as ``+02:00``.
    repeated_hour : {'order', 'first', 'second', 'arrival'}
        Which of the two hours a local time means that comes twice: told by the order in the file; always one of them;
        or the later one that is not after the file's arrival.
    unit : str
        Of every value, where neither point nor header says another.
    arrival : {'file', 'now'}
        When the readings came: the file's modification time, or when they are taken.
    final_newline : bool
        A last line without its end was cut off, and is not taken.
    """

    name: str = "recognised"
    pattern: str = "*"
    layout: Layout = ""
    points: Mapping[str, Point] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    header_line: int = 0
    time_columns: tuple[str, ...] = ()
    point_column: str = ""
    value_column: str = ""
    quality_column: str = ""
    reason_column: str = ""
    arrival_column: str = ""
    quality_suffix: str = ""
    quality_words: Mapping[str, Quality] = field(default_factory=dict)
    serial: str = ""
    encoding: str = ""
    delimiter: str = ""
    decimal: str = ""
    missing: tuple[str, ...] = ()
    footers: tuple[str, ...] = ()
    time_format: str = ""
    date_order: DateOrder = ""
    zone: str = "UTC"
    repeated_hour: RepeatedHour = "order"
    unit: str = ""
    arrival: Arrival = "file"
    final_newline: bool = False

    def fits(self, name: str) -> bool:
        """Tell whether a file of this name is written so."""
        return any(fnmatchcase(name.casefold(), part.strip().casefold()) for part in self.pattern.split("|"))

    def ignores(self, point: str) -> bool:
        """Tell whether a column or point is nobody's."""
        return any(fnmatchcase(point.casefold(), part.casefold()) for part in self.ignore)

    def key(self) -> str:
        """Digest of everything that decides what becomes of a file."""
        parts = []
        for entry in fields(self):
            value = getattr(self, entry.name)
            parts.append(f"{entry.name}={sorted(value.items()) if isinstance(value, Mapping) else value!r}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
