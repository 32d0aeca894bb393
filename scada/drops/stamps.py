"""Dates and clocks as loggers write them, without a zone: what a text says, and which way a file writes them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scada.drops.profile import DateOrder

__all__ = ["AmbiguousDates", "Stamps", "looks_like_time", "read_stamps"]

_CLOCK = (
    r"(?P<h>\d{1,2})[:.](?P<m>\d{2})(?:[:.](?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
)
_THEN = rf"(?:(?:T|,?\s+){_CLOCK})?"
_DAY = r"(?:[A-Za-z]{2,9}\.?,?\s+)?"
_FORMS = {
    "year first": re.compile(rf"(?P<y>\d{{4}})(?P<sep>[-/.])(?P<a>\d{{1,2}})(?P=sep)(?P<b>\d{{1,2}}){_THEN}"),
    "dots": re.compile(rf"(?P<a>\d{{1,2}})\.(?P<b>\d{{1,2}})\.(?P<y>\d{{4}}|\d{{2}}){_THEN}"),
    "numbers": re.compile(rf"(?P<a>\d{{1,2}})(?P<sep>[-/])(?P<b>\d{{1,2}})(?P=sep)(?P<y>\d{{4}}|\d{{2}}){_THEN}"),
    "day and name": re.compile(
        rf"{_DAY}(?P<a>\d{{1,2}})[-. /]?(?P<name>[A-Za-z]{{3,9}})\.?[-, /]*(?P<y>\d{{4}}){_THEN}"
    ),
    "name and day": re.compile(rf"{_DAY}(?P<name>[A-Za-z]{{3,9}})\.?\s+(?P<a>\d{{1,2}}),?\s+(?P<y>\d{{4}}){_THEN}"),
    "digits": re.compile(
        r"(?P<y>20\d{2})(?P<a>0[1-9]|1[0-2])(?P<b>0[1-9]|[12]\d|3[01])"
        r"[T ]?(?P<h>[01]\d|2[0-4])(?P<m>[0-5]\d)(?P<s>[0-5]\d)?(?P<zone>Z)?"
    ),
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EXCEL_DAY_ZERO_MS = -2_209_161_600_000  # 1899-12-30
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 # the clock on the wall
_MS = timedelta(milliseconds=1)


class AmbiguousDates(Exception):
    """The day and the month cannot be told apart, or contradict each other; the text is what and mend."""

    def __init__(self, what: str, mend: str) -> None:
        self.what, self.mend = what, mend
        super().__init__(f"{what}; {mend}")


@dataclass(frozen=True, slots=True)
class Stamps:
    """Times as written.

    Attributes
    ----------
    wall_ms : int64 [n]
        By the clock on the wall, ms since 1970 of that clock; where there is an offset UTC.
    is_utc : bool [n]
        Whether the text bore an offset.
    is_good : bool [n]
        Whether it is a time at all.
    """

    wall_ms: NDArray[np.int64]
    is_utc: NDArray[np.bool_]
    is_good: NDArray[np.bool_]


def looks_like_time(text: str) -> bool:
    """Tell whether a text is a date, with or without a clock."""
    text = text.strip()
    return len(text) >= 6 and any(form.fullmatch(text) for form in _FORMS.values())


def read_stamps(
    rows: NDArray[np.int64], distinct: Sequence[Any], time_format: str = "", order: DateOrder = ""
) -> Stamps:
    """Read the times of one file.

    Parameters
    ----------
    rows : int64 [n]
        The number of each row's cell.
    distinct : sequence
        The cells by their numbers: texts, or times and numbers as databases and workbooks have them.
    time_format : str
        As in :class:`~scada.drops.profile.Profile`.
    order : {'', 'dmy', 'mdy', 'ymd'}

    Raises
    ------
    AmbiguousDates
        Day and month cannot be told apart by what stands in the file.
    """
    read = _reader(distinct, time_format, order)
    wall = np.zeros(len(distinct), np.int64)
    is_utc, is_good = np.zeros(len(distinct), bool), np.ones(len(distinct), bool)
    for k, cell in enumerate(distinct):
        found = _plain(cell) if isinstance(cell, datetime) else read(cell)
        if found is None:
            is_good[k] = False
        else:
            wall[k], is_utc[k] = found
    return Stamps(wall[rows], is_utc[rows], is_good[rows])


_Read = Callable[[Any], tuple[int, bool] | None]


def _reader(distinct: Sequence[Any], time_format: str, order: DateOrder) -> _Read:
    if time_format in {"unix", "unix-ms", "excel"}:
        return _NUMBERS[time_format]
    if time_format:
        return lambda cell: _by_format(cell, time_format)
    texts = [cell.strip() for cell in distinct if isinstance(cell, str)]
    counts: Counter[str] = Counter()
    for text in texts[:1000]:
        counts.update(name for name, form in _FORMS.items() if form.fullmatch(text))
    if not counts:
        return lambda cell: None
    name = counts.most_common(1)[0][0]
    form = _FORMS[name]
    chosen = _order_of(name, form, texts, order)
    return lambda cell: _by_form(cell, form, chosen)


def _order_of(name: str, form: re.Pattern[str], texts: Iterable[str], stated: DateOrder) -> DateOrder:
    """Which of the numbers of a date is the day."""
    if name in {"year first", "digits"}:
        return "ymd"
    if name.startswith(("day", "name")):
        return "dmy"
    pairs = {(found["a"], found["b"], found["y"], found[0]) for text in texts if (found := form.fullmatch(text))}
    short = [whole for _, _, year, whole in pairs if len(year) == 2]
    if short and not stated and name == "numbers":
        raise AmbiguousDates(f"'{min(short)}' may begin with day, month or year", 'state date_order = "dmy"')
    first = min((whole for a, _, _, whole in pairs if int(a) > 12), default="")
    second = min((whole for _, b, _, whole in pairs if int(b) > 12), default="")
    if stated:
        return stated
    if first and second:
        raise AmbiguousDates(f"'{first}' begins with the day, '{second}' with the month", "state time_format")
    if second and name == "dots":
        raise AmbiguousDates(f"'{second}' has dots and begins with the month", 'state date_order = "mdy"')
    if first or name == "dots":  # dots stand between day, month and year wherever they stand between numbers
        return "dmy"
    if second:
        return "mdy"
    example = min(whole for *_, whole in pairs)
    what = f"'{example}' may be day/month or month/day, and no date of the file tells which"
    raise AmbiguousDates(what, 'state date_order = "dmy" or "mdy"')


def _by_form(cell: Any, form: re.Pattern[str], order: DateOrder) -> tuple[int, bool] | None:
    if not isinstance(cell, str):
        return None
    found = form.fullmatch(cell.strip())
    if found is None:
        return None
    part = found.groupdict()
    year = int(part["y"])
    if "name" in part:
        month = _MONTHS.index(part["name"][:3].lower()) + 1 if part["name"][:3].lower() in _MONTHS else 0
        day = int(part["a"])
    else:
        a, b = int(part["a"]), int(part["b"])
        month, day = (b, a) if order == "dmy" else (a, b)
        if order == "ymd" and len(part["y"]) == 2:
            year, month, day = a, b, year
    hour = int(part.get("h") or 0)
    if part.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if part["half"].lower() == "p" else 0)
    fraction = (part.get("f") or "0").ljust(3, "0")[:3]
    clock = hour, int(part.get("m") or 0), int(part.get("s") or 0), int(fraction)
    return _moment(year if year > 99 else 2000 + year, month, day, clock, part.get("zone"))


def _moment(
    year: int, month: int, day: int, clock: tuple[int, int, int, int], zone: str | None
) -> tuple[int, bool] | None:
    hour, minute, second, ms = clock
    is_midnight = hour == 24 and not (minute or second or ms)  # of the next day
    try:
        wall = datetime(year, month, day, 0 if is_midnight else hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None
    total = (wall - _EPOCH) // _MS + ms + (86_400_000 if is_midnight else 0)
    if not zone:
        return total, False
    if zone in {"Z", "UTC", "GMT"}:
        return total, True
    minutes = 60 * int(zone[1:3]) + int(zone[3:].lstrip(":") or 0)
    return total - 60_000 * (minutes if zone[0] == "+" else -minutes), True


def _by_format(cell: Any, time_format: str) -> tuple[int, bool] | None:
    try:
        return _plain(datetime.strptime(str(cell).strip(), time_format))  # noqa: DTZ007 # the zone comes later
    except ValueError:
        return None


def _plain(moment: datetime) -> tuple[int, bool]:
    if moment.tzinfo is None:
        return (moment - _EPOCH) // _MS, False
    return (moment.astimezone(UTC).replace(tzinfo=None) - _EPOCH) // _MS, True


def _number(cell: Any) -> float | None:
    try:
        number = float(cell.strip().replace(",", ".") if isinstance(cell, str) else cell)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and abs(number) < 1e15 else None


def _unix(cell: Any, factor: float) -> tuple[int, bool] | None:
    number = _number(cell)
    return None if number is None else (round(number * factor), True)


def _excel(cell: Any) -> tuple[int, bool] | None:
    number = _number(cell)
    if number is None or not 1.0 <= number < 2_958_466.0:
        return None
    return _EXCEL_DAY_ZERO_MS + 1000 * round(number * 86_400.0), False  # to the second: a day has no more digits


_NUMBERS: dict[str, _Read] = {
    "unix": lambda cell: _unix(cell, 1000.0),
    "unix-ms": lambda cell: _unix(cell, 1.0),
    "excel": _excel,
}
