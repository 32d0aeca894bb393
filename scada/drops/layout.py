"""Which column of a table is what."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from scada.drops.profile import Profile
from scada.drops.stamps import looks_like_time
from scada.drops.table import Table
from scada.errors import DropError

__all__ = ["Columns", "columns_of", "footer_rows", "serial_of"]

_LOOKED_AT = 50  # rows
_CLOCK = re.compile(r"\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?(?:\s*[AaPp]\.?[Mm]\.?)?")
_TIMES = {
    "time", "timestamp", "t_stamp", "datetime", "date time", "date/time", "date", "time stamp", "reading time",
    "sample time", "ts", "час", "дата", "дата і час", "дата/час", "дата час", "дата та час", "мітка часу",
}  # fmt: skip
_POINTS = {
    "tag", "tagname", "tag name", "tagpath", "tag path", "point", "point name", "channel", "sensor", "logger",
    "logger id", "series", "variable", "parameter", "path", "тег", "точка", "канал", "датчик", "параметр",
}  # fmt: skip
_VALUES = {
    "value", "reading", "val", "measurement", "floatvalue", "значення", "показ", "показання", "величина",
}  # fmt: skip
_QUALITIES = {"quality", "qual", "dataintegrity", "quality code", "якість"}
_REASONS = {"reason", "причина"}
_UNITS = {"unit", "units", "uom", "одиниця", "од.", "одиниці"}
_FOOTERS = (
    "total", "sum", "average", "avg", "mean", "minimum", "maximum", "min", "max", "count", "end of", "eof", "st. dev",
    "std", "generated", "exported", "printed", "page", "разом", "всього", "усього", "підсумок", "сума", "середнє",
    "сер.", "мінімум", "максимум", "мін", "макс", "кількість", "кінець", "сформовано", "итого", "всего", "среднее",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Columns:
    """Places of the columns.

    Attributes
    ----------
    time : tuple of int
        One, or those of date and clock.
    point, value, quality, reason, arrival, unit : int or None
        `point` and `value` in the long layout only.
    """

    time: tuple[int, ...]
    point: int | None = None
    value: int | None = None
    quality: int | None = None
    reason: int | None = None
    arrival: int | None = None
    unit: int | None = None

    @property
    def is_long(self) -> bool:
        """Whether each row is one reading."""
        return self.point is not None

    @property
    def others(self) -> set[int]:
        """Columns that hold no values of the wide layout."""
        places = (self.quality, self.reason, self.arrival, self.unit)
        return {*self.time, *(place for place in places if place is not None)}


def columns_of(table: Table, profile: Profile) -> Columns:
    """Find the columns, as stated or by their names and cells.

    Raises
    ------
    DropError
        There is no time, or a column that is stated is not there.
    """
    stated = {
        role: _place(table, getattr(profile, f"{role}_column"), f"{role}_column")
        for role in ("point", "value", "quality", "reason", "arrival")
    }
    time = tuple(_stated(table, name, "time_columns") for name in profile.time_columns) or _time(table, profile)
    folded = [" ".join(name.casefold().split()) for name in table.names]
    point = stated["point"] if stated["point"] is not None else _named(folded, _POINTS, time)
    value = stated["value"] if stated["value"] is not None else _named(folded, _VALUES, time)
    if profile.layout == "long" and (point is None or value is None):
        missing = "point_column" if point is None else "value_column"
        raise DropError(table.file, 0, f"its {missing.partition('_')[0]} column is not known", f"state {missing}")
    quality, reason, unit = (_named(folded, words, time) for words in (_QUALITIES, _REASONS, _UNITS))
    if stated["quality"] is not None:
        quality = stated["quality"]
    if stated["reason"] is not None:
        reason = stated["reason"]
    if profile.layout == "wide" or point is None or value is None:
        # a word for all values of a row, unless it is one of them
        measured = {name.casefold() for name in profile.points}
        if stated["quality"] is None and quality is not None and folded[quality] in measured:
            quality = None
        return Columns(time, quality=quality, reason=reason if quality is not None else None, arrival=stated["arrival"])
    return Columns(time, point, value, quality=quality, reason=reason, arrival=stated["arrival"], unit=unit)


def _place(table: Table, name: str, key: str) -> int | None:
    return _stated(table, name, key) if name else None


def _stated(table: Table, name: str, key: str) -> int:
    folded = [known.casefold() for known in table.names]
    if name.strip().casefold() not in folded:
        known = ", ".join(table.names[:8])
        raise DropError(table.file, 0, f"has no column '{name}' but {known}", f"mend {key}")
    return folded.index(name.strip().casefold())


def _named(names: Sequence[str], words: Collection[str], taken: tuple[int, ...]) -> int | None:
    return next((place for place, name in enumerate(names) if name in words and place not in taken), None)


def _time(table: Table, profile: Profile) -> tuple[int, ...]:
    """The time's column by its cells, else by its name."""
    for place in range(len(table.names)):
        cells = table.first_cells(place, _LOOKED_AT)
        if any(map(_is_time, cells)):
            # some program writes the clock in a column of its own
            after = table.first_cells(place + 1, _LOOKED_AT) if place + 1 < len(table.names) else []
            has_clock = any(isinstance(cell, datetime) or len(str(cell).strip()) > 11 for cell in cells)
            if (
                not has_clock
                and after
                and all(_is_clock(clock) for cell, clock in zip(cells, after, strict=True) if _is_time(cell))
            ):
                return place, place + 1
            return (place,)
    for place, name in enumerate(table.names):
        if " ".join(name.casefold().split()) in _TIMES:
            return (place,)
    if profile.time_format:
        return (0,)
    raise DropError(table.file, 0, "has no column with times", "state time_columns and time_format")


def _is_time(cell: Any) -> bool:
    return isinstance(cell, datetime) or (isinstance(cell, str) and looks_like_time(cell))


def _is_clock(cell: Any) -> bool:
    return isinstance(cell, str) and _CLOCK.fullmatch(cell.strip()) is not None


def footer_rows(table: Table, columns: Columns, profile: Profile) -> set[int]:
    """Rows that may be no readings, if they have no time: totals and the like, by the word they begin with."""
    words = (*_FOOTERS, *(word.casefold() for word in profile.footers))
    found: set[int] = set()
    for place in {0, columns.time[0]}:
        numbers, distinct = table.codes(place)
        begins = [k for k, text in enumerate(distinct) if isinstance(text, str) and _is_footer(text, words)]
        if begins:
            found |= set(np.flatnonzero(np.isin(numbers, begins)).tolist())
    return found


def _is_footer(text: str, words: tuple[str, ...]) -> bool:
    text = text.strip()
    return text[:1].isalpha() and text.casefold().startswith(words) and not looks_like_time(text)  # Mar 5, 2026


def serial_of(table: Table, profile: Profile, name: str) -> str:
    """The logger's serial number, in the file's name or above the table's names.

    Raises
    ------
    DropError
        The profile asks for one and there is none.
    """
    if not profile.serial:
        return ""
    for text in (name, *table.above):
        found = re.search(profile.serial, text)
        if found is not None:
            return (found[1] if found.re.groups else found[0]).strip()
    what = f"has no serial number like '{profile.serial}' in its name or above its table"
    raise DropError(table.file, 0, what, "mend serial")
