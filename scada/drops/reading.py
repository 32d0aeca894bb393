"""From a table to samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scada.drops.distinct import codes
from scada.drops.finding import Finding
from scada.drops.layout import columns_of, footer_rows, serial_of
from scada.drops.localtime import Told, to_utc
from scada.drops.meaning import Directory, TaggedPoint, quality_of
from scada.drops.numbers import MISSING, AmbiguousNumbers, read_column, recognise_decimal
from scada.drops.profile import Profile
from scada.drops.readings import Readings
from scada.drops.stamps import AmbiguousDates, read_stamps
from scada.drops.table import Table
from scada.errors import DropError
from scada.historian.batch import LATEST_MS
from scada.quality import REASONS
from scada.sample import Quality, Reason
from scada.tag import Tag

__all__ = ["read_readings"]

Ints = NDArray[np.int64]
_CLOCKS_APART_MS = 300_000  # a logger's clock and the server's
_HOURS_MEND = 'send both hours in one file, or state repeated_hour = "first", "second" or "arrival"'


@dataclass(slots=True)
class _Taken:
    """Columns of samples as they are gathered: parts to be put together."""

    tags: dict[str, Tag] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=lambda: {reason.value: k for k, reason in enumerate(REASONS)})
    numbers: dict[str, int] = field(default_factory=dict)  # of tags
    row: list[NDArray[np.intp]] = field(default_factory=list)
    tag: list[NDArray[np.int32]] = field(default_factory=list)
    value: list[NDArray[np.float64]] = field(default_factory=list)
    quality: list[NDArray[np.uint8]] = field(default_factory=list)
    reason: list[NDArray[np.int32]] = field(default_factory=list)

    def add(
        self,
        tagged: TaggedPoint,
        rows: NDArray[np.intp],
        raw: NDArray[np.float64],
        said: tuple[NDArray[np.uint8], NDArray[np.int32]] | None,
    ) -> None:
        """Take what a point reads in some rows; `said` is the quality and reason by the file."""
        values, quality, why = tagged.judged(raw)
        reason = why.astype(np.int32)
        if said is not None:
            is_said = said[0] > Quality.GOOD
            quality = np.where(is_said, said[0], quality)
            reason = np.where(is_said | (said[1] > 0) & (reason == 0), said[1], reason)
        self.tags.setdefault(tagged.tag.name, tagged.tag)
        self.row.append(rows)
        self.tag.append(np.full(len(rows), self.numbers.setdefault(tagged.tag.name, len(self.numbers)), np.int32))
        self.value.append(values)
        self.quality.append(quality.astype(np.uint8))
        self.reason.append(reason.astype(np.int32))

    def reason_number(self, text: str) -> int:
        """The number of a reason."""
        return self.reasons.setdefault(text, len(self.reasons))


def read_readings(table: Table, profile: Profile, tags: Mapping[str, Tag], arrival_ms: int, name: str) -> Readings:
    """Read the samples of a table.

    Parameters
    ----------
    table : Table
    profile : Profile
    tags : mapping of str to Tag
    arrival_ms : int
        When the table came, UTC ms, where no column says so.
    name : str
        Of the file, for the logger's serial number.

    Raises
    ------
    DropError
        Nothing in the table can be taken: its times, its decimal sign, or which columns are tags is not known.
    """
    return _Reading(table, profile, tags, arrival_ms, name).readings()


class _Reading:
    """One table being read."""

    def __init__(self, table: Table, profile: Profile, tags: Mapping[str, Tag], arrival_ms: int, name: str) -> None:
        self._table, self._profile, self._tags = table, profile, tags
        self._arrival_ms = arrival_ms
        self._columns = columns_of(table, profile)
        self._findings = list(table.findings)
        self._rejected = len(table.findings)
        self._taken = _Taken()
        self._plain: dict[int, NDArray[np.float64]] = {}
        self._missing = MISSING | {word.strip().casefold() for word in profile.missing}
        self._serial = serial_of(table, profile, name)
        self._footers = footer_rows(table, self._columns, profile)

    def readings(self) -> Readings:
        """Read it all."""
        table, columns = self._table, self._columns
        point, names = (None, []) if columns.point is None else table.codes(columns.point)
        wall, is_told = self._times(columns.time, point)
        arrival = np.full(len(table.lines), self._arrival_ms, np.int64)
        if columns.arrival is not None:
            arrival, knows_arrival = self._times((columns.arrival,), None)
            is_told &= knows_arrival
        rows = np.flatnonzero(is_told)
        if point is None:
            self._wide(rows)
        else:
            self._long(rows, point, names)
        readings = self._together(wall, arrival)
        self._findings.sort(key=lambda finding: finding.line)
        if not len(readings) and not self._findings and not len(self._footers):
            self._findings.append(Finding(table.file, 0, "has no values", "look at its cells", "warning"))
        if len(readings):
            ahead = int((readings.time_ms - readings.arrival_ms).max())
            if ahead > _CLOCKS_APART_MS:
                what = f"its readings go on {ahead / 3_600_000:.1f} h after it came"
                mend = f"look at the logger's clock, and whether its zone is {self._profile.zone}"
                self._findings.append(Finding(table.file, 0, what, mend, "warning"))
        return readings

    def _reject(self, row: int, what: str, mend: str) -> None:
        self._rejected += 1
        self._findings.append(
            Finding(self._table.file, self._table.lines[row], what, mend, text=self._table.row_text(row))
        )

    # time -------------------------------------------------------------------------------------------------------

    def _times(self, places: tuple[int, ...], series: Ints | None) -> tuple[Ints, NDArray[np.bool_]]:
        """UTC of each row, and which rows have one; the others are told."""
        table, profile = self._table, self._profile
        if len(places) > 1:
            parts = zip(*(table.column(place) for place in places), strict=True)
            numbers, cells = codes([" ".join(str(part).strip() for part in row) for row in parts])
        else:
            numbers, cells = table.codes(places[0])
        try:
            stamps = read_stamps(numbers, cells, profile.time_format, profile.date_order)
        except AmbiguousDates as error:
            raise DropError(table.file, 0, error.what, error.mend) from error
        if places == self._columns.time:  # a tag may be called Max: what has a time is a reading
            self._footers -= set(np.flatnonzero(stamps.is_good).tolist()) if self._footers else set()
        is_local = stamps.is_good & ~stamps.is_utc
        utc, is_told = stamps.wall_ms.copy(), stamps.is_good.copy()
        local = np.flatnonzero(is_local)
        utc[local], told = to_utc(
            stamps.wall_ms[local], profile.zone, None if series is None else series[local], self._arrival_ms,
            profile.repeated_hour,
        )  # fmt: skip
        is_told[local] &= told == Told.GOOD
        for row in np.flatnonzero(~stamps.is_good).tolist():
            if row not in self._footers:
                cell = cells[numbers[row]]
                what = f"'{cell}' is no time" if cell not in {"", None} else "the row has no time"
                self._reject(row, what, "write it as the others, or state time_format")
        for row, why in zip(local[told != Told.GOOD].tolist(), told[told != Told.GOOD].tolist(), strict=True):
            cell = cells[numbers[row]]
            if why == Told.MISSING_HOUR:
                what = f"'{cell}' does not exist in {profile.zone}: the clocks are put forward"
                self._reject(row, what, 'if the logger keeps winter time, state zone = "+02:00" or what it is')
            else:
                self._reject(row, f"'{cell}' comes twice in {profile.zone}, and which is not known", _HOURS_MEND)
        outside = is_told & ((utc < 0) | (utc >= LATEST_MS))
        for row in np.flatnonzero(outside).tolist():
            self._reject(row, f"'{cells[numbers[row]]}' is outside the calendar", "mend the logger's clock")
        return utc, is_told & ~outside

    # values -----------------------------------------------------------------------------------------------------

    def _read_plain(self, places: list[int]) -> str:
        """Read columns in bulk where that will do; else return the decimal sign to read them by."""
        if self._table.body is not None:
            plain = self._table.body.numbers(places, self._profile.decimal, self._missing)
            if plain is not None:
                self._plain = plain
                return ""
        if self._profile.decimal:
            return self._profile.decimal
        try:
            return recognise_decimal([self._table.column(place) for place in places], self._table.delimiter)
        except AmbiguousNumbers as error:
            raise DropError(self._table.file, 0, error.what, error.mend) from error

    def _wide(self, rows: NDArray[np.intp]) -> None:
        table, suffix = self._table, self._profile.quality_suffix
        folded = {name.casefold(): place for place, name in enumerate(table.names)}
        others = {
            place for name, place in folded.items()
            if suffix and name.endswith(suffix.casefold()) and name[: -len(suffix)] in folded
        }  # fmt: skip
        places = [k for k, name in enumerate(table.names) if name and k not in self._columns.others | others]
        directory = Directory(table.file, self._profile, self._tags, self._serial, len(places) == 1)
        tagged_points = {place: directory.tagged(table.names[place], table.units[place]) for place in places}
        owner: dict[str, str] = {}
        for place, tagged in list(tagged_points.items()):
            if tagged is not None and owner.setdefault(tagged.tag.name, table.names[place]) != table.names[place]:
                what = f"'{table.names[place]}' is tag {tagged.tag.name} as '{owner[tagged.tag.name]}' is"
                directory.findings.append(Finding(table.file, 0, what, "mend points; the first is taken"))
                tagged_points[place] = None
        found = {place: tagged for place, tagged in tagged_points.items() if tagged is not None}
        self._findings += directory.findings
        if not found:
            raise self._nothing(directory, [table.names[place] for place in places])
        decimal = self._read_plain(list(found))
        of_row = self._said(self._columns.quality, self._columns.reason)
        for place, tagged in found.items():
            said = of_row
            if suffix and (quality := folded.get(table.names[place].casefold() + suffix.casefold())) is not None:
                said = self._said(quality, None)
            self._take(tagged, place, rows, decimal, said)

    def _take(
        self,
        tagged: TaggedPoint,
        place: int,
        rows: NDArray[np.intp],
        decimal: str,
        said: tuple[NDArray[np.uint8], NDArray[np.int32]] | None,
    ) -> None:
        """Take the values of one column in some rows."""
        if place in self._plain:
            values = self._plain[place][rows]
        else:
            column = self._table.column(place)
            cells = column if len(rows) == len(column) else [column[row] for row in rows.tolist()]
            values, wrong = read_column(cells, decimal, self._missing)
            for k in wrong.tolist():
                what = f"'{cells[k]}' in column '{self._table.names[place]}' is no number"
                self._reject(int(rows[k]), what, "mend it, or state it under missing")
        is_there = ~np.isnan(values)
        if said is not None:
            is_there &= said[0][rows] != _UNKNOWN
        if is_there.all():
            self._taken.add(tagged, rows, values, None if said is None else (said[0][rows], said[1][rows]))
        else:
            kept = rows[is_there]
            self._taken.add(tagged, kept, values[is_there], None if said is None else (said[0][kept], said[1][kept]))

    def _long(self, rows: NDArray[np.intp], point: Ints, names: list[Any]) -> None:
        table, columns = self._table, self._columns
        assert columns.value is not None
        directory = Directory(table.file, self._profile, self._tags, self._serial, len(names) == 1)
        unit, units = (np.zeros(len(point), np.int64), [""]) if columns.unit is None else table.codes(columns.unit)
        kind = point * len(units) + unit
        decimal = self._read_plain([columns.value])
        said = self._said(columns.quality, columns.reason)
        kinds, first = np.unique(kind[rows], return_index=True)
        order = np.argsort(kind[rows], kind="stable")
        pieces = np.split(rows[order], np.searchsorted(kind[rows][order], kinds[1:]))
        is_any = False
        for number, begin, piece in sorted(
            zip(kinds.tolist(), first.tolist(), pieces, strict=True), key=lambda x: x[1]
        ):
            name = names[number // len(units)]
            line = table.lines[int(rows[begin])]
            tagged = directory.tagged(
                "" if name is None else str(name).strip(), str(units[number % len(units)] or ""), line
            )
            if tagged is not None:
                is_any = True
                self._take(tagged, columns.value, piece, decimal, said)
        self._findings += directory.findings
        if len(rows) and not is_any:
            raise self._nothing(directory, [str(name) for name in names])

    def _nothing(self, directory: Directory, names: list[str]) -> DropError:
        wrong = next((finding for finding in directory.findings if finding.severity == "error"), None)
        if wrong is not None:
            return DropError(wrong.file, wrong.line, wrong.what, wrong.mend)
        listed = ", ".join(f"'{name}'" for name in names[:5])
        return DropError(self._table.file, 0, f"none of {listed} is a tag", "name their tags under points")

    def _said(self, quality: int | None, reason: int | None) -> tuple[NDArray[np.uint8], NDArray[np.int32]] | None:
        """What the file itself says of each row: quality, and number of its reason."""
        if quality is None:
            return None
        table = self._table
        numbers, words = table.codes(quality)
        found = [quality_of(word, self._profile.quality_words) for word in words]
        by_word = np.array([_UNKNOWN if each is None else each for each in found], np.uint8)
        said = by_word[numbers]
        for row in np.flatnonzero(said == _UNKNOWN).tolist():
            if row not in self._footers:
                what = f"quality '{words[numbers[row]]}' is not known"
                self._reject(row, what, "say what it means under quality")
        why = np.where(said == Quality.GOOD, 0, self._taken.reason_number(Reason.SOURCE.value)).astype(np.int32)
        if reason is not None:
            numbers, texts = table.codes(reason)
            given = np.array([self._taken.reason_number(str(text or "").strip()) for text in texts], np.int32)[numbers]
            why = np.where(given > 0, given, why)
        return said, why

    # together ---------------------------------------------------------------------------------------------------

    def _together(self, times: Ints, arrivals: Ints) -> Readings:
        """Samples by time and tag; what stands twice in a file is taken once."""
        taken = self._taken
        row = np.concatenate([*taken.row, np.array([], np.intp)])
        tag, reason = (np.concatenate([*parts, np.array([], np.int32)]) for parts in (taken.tag, taken.reason))
        value = np.concatenate([*taken.value, np.array([], np.float64)])
        quality = np.concatenate([*taken.quality, np.array([], np.uint8)])
        time = times[row]
        # parts are in the order of the file, and each tag stands in one: what is equal stays in that order
        order = np.argsort(time * max(1, len(taken.tags)) + tag, kind="stable")
        if self._columns.arrival is not None:
            order = order[np.lexsort((arrivals[row][order], tag[order], time[order]))]
        row, tag, reason, value, quality, time = (x[order] for x in (row, tag, reason, value, quality, time))
        arrival = arrivals[row]
        is_again = np.zeros(len(row), bool)
        is_again[1:] = (time[1:] == time[:-1]) & (tag[1:] == tag[:-1]) & (arrival[1:] == arrival[:-1])
        if is_again.any():
            leader = np.maximum.accumulate(np.where(is_again, 0, np.arange(len(row))))
            names = list(taken.tags)
            differs = is_again & (value != value[leader])
            for k in np.flatnonzero(differs).tolist():
                line = self._table.lines[int(row[leader[k]])]
                name = names[int(tag[k])]
                self._reject(
                    int(row[k]), f"{name} has another value for this time on line {line}", "remove one of them"
                )
            kept = ~is_again
            row, tag, reason, value, quality, time = (x[kept] for x in (row, tag, reason, value, quality, time))
            arrival = arrivals[row]
        return Readings(
            tuple(taken.tags.values()), tuple(taken.reasons), tag, reason, time, arrival, value, quality,
            self._findings, len(self._table.lines) - len(self._footers), self._rejected, len(self._footers),
        )  # fmt: skip


_UNKNOWN = 255
