"""Days on which people use water differently: public holidays of a country, and named events such as a pilgrimage.

A day is written as a rule: `12-25` (every year), `2026-03-01` (once), or an anchor that wanders with the moon and days
before or after it: `easter+1`, `orthodox-easter+49`, `rosh-hashanah-2`. Feasts count here even where they are working
days: Ukraine has had no days off under martial law, but Easter is still kept.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from models.errors import WrongRule

_RULE = re.compile(
    r"(?:(?P<anchor>easter|orthodox-easter|rosh-hashanah)(?P<offset>[+-]\d+)?"
    r"|(?:(?P<year>\d{4})-)?(?P<month>\d{2})-(?P<day>\d{2}))"
)
_HEBREW_EPOCH = -1_373_428  # days before 1 January of year 1 on which 1 Tishrei of year 1 would begin, less one


def easter(year: int) -> dt.date:
    """Easter Sunday of the western churches.

    Notes
    -----
    The anonymous Gregorian algorithm, J. Meeus, "Astronomical Algorithms" (1991), chapter 8.
    """
    golden, century, rest = year % 19, year // 100, year % 100
    epact = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return dt.date(year, month, day + 1)


def orthodox_easter(year: int) -> dt.date:
    """Easter Sunday of the churches that reckon it by the Julian calendar, as a Gregorian date.

    Notes
    -----
    Meeus's Julian algorithm; the calendars lie century - century / 4 - 2 days apart.
    """
    moon = (19 * (year % 19) + 15) % 30
    weekday = (2 * (year % 4) + 4 * (year % 7) - moon + 34) % 7
    month, day = divmod(moon + weekday + 114, 31)
    century = year // 100
    return dt.date(year, month, day + 1) + dt.timedelta(days=century - century // 4 - 2)


def rosh_hashanah(year: int) -> dt.date:
    """First day (1 Tishrei) of the Jewish year that begins in a Gregorian year.

    Notes
    -----
    Molad arithmetic and postponements after N. Dershowitz and E. M. Reingold, "Calendrical Calculations" (2018),
    chapter 8.
    """
    hebrew = year + 3761
    before, this, after = (_elapsed(y) for y in (hebrew - 1, hebrew, hebrew + 1))
    delay = 2 if after - this == 356 else 1 if this - before == 382 else 0
    return dt.date.fromordinal(_HEBREW_EPOCH + this + delay + 1)


def _elapsed(hebrew: int) -> int:
    """Days from the epoch to the molad of a Hebrew year, put off where it falls on a forbidden weekday."""
    months = (235 * hebrew - 234) // 19
    parts = 12_084 + 13_753 * months
    days = 29 * months + parts // 25_920
    return days + 1 if (3 * (days + 1)) % 7 < 3 else days


_ANCHORS: Mapping[str, Callable[[int], dt.date]] = {
    "easter": easter,
    "orthodox-easter": orthodox_easter,
    "rosh-hashanah": rosh_hashanah,
}


def day_of(rule: str, year: int) -> dt.date | None:
    """The day that a rule names in a year; None where it names none.

    Raises
    ------
    WrongRule
        If the rule cannot be read.
    """
    match = _RULE.fullmatch(rule)
    if match is None:
        raise WrongRule(
            f"'{rule}' names no day: write MM-DD, YYYY-MM-DD, or easter, orthodox-easter or rosh-hashanah with +N or -N"
        )
    if match["anchor"]:
        return _ANCHORS[match["anchor"]](year) + dt.timedelta(days=int(match["offset"] or 0))
    if match["year"] and int(match["year"]) != year:
        return None
    try:
        return dt.date(year, int(match["month"]), int(match["day"]))
    except ValueError as error:
        if rule == "02-29":
            return None
        raise WrongRule(f"'{rule}' names no day of {year}: {error}") from error


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day on which people live as on a Sunday.

    Attributes
    ----------
    name
        For a person.
    rule
        See the module.
    first, last
        Years in which it is kept.
    """

    name: str
    rule: str
    first: int = 1
    last: int = 9999


@dataclass(frozen=True, slots=True)
class Event:
    """Some days that are like no others, every year or once: nothing is learnt from them but the event's own surge.

    Attributes
    ----------
    name
        For a person: `pilgrimage`.
    begins
        Rule of its first day.
    days
        How many days it lasts.
    night_share
        Most that its guests take in the quiet of the night, of their mean.
    """

    name: str
    begins: str
    days: int = 1
    night_share: float = 2.0 / 3.0


_IT = (
    Holiday("New Year's Day", "01-01"),
    Holiday("Epiphany", "01-06"),
    Holiday("Easter Sunday", "easter"),
    Holiday("Easter Monday", "easter+1"),
    Holiday("Liberation Day", "04-25"),
    Holiday("Labour Day", "05-01"),
    Holiday("Republic Day", "06-02"),
    Holiday("Assumption", "08-15"),
    Holiday("All Saints", "11-01"),
    Holiday("Immaculate Conception", "12-08"),
    Holiday("Christmas Day", "12-25"),
    Holiday("Saint Stephen", "12-26"),
)
_UA = (
    Holiday("New Year's Day", "01-01"),
    Holiday("Christmas, Julian", "01-07", last=2023),
    Holiday("Women's Day", "03-08"),
    Holiday("Easter Sunday", "orthodox-easter"),
    Holiday("Easter Monday", "orthodox-easter+1"),
    Holiday("Trinity", "orthodox-easter+49"),
    Holiday("Trinity Monday", "orthodox-easter+50"),
    Holiday("Labour Day", "05-01"),
    Holiday("Victory Day", "05-09", last=2023),
    Holiday("Remembrance and Victory", "05-08", first=2024),
    Holiday("Constitution Day", "06-28"),
    Holiday("Statehood Day", "07-28", first=2022, last=2023),
    Holiday("Statehood Day", "07-15", first=2024),
    Holiday("Independence Day", "08-24"),
    Holiday("Defenders' Day", "10-14", first=2015, last=2022),
    Holiday("Defenders' Day", "10-01", first=2023),
    Holiday("Christmas Day", "12-25", first=2017),
)
_PL = (
    Holiday("New Year's Day", "01-01"),
    Holiday("Epiphany", "01-06"),
    Holiday("Easter Sunday", "easter"),
    Holiday("Easter Monday", "easter+1"),
    Holiday("Labour Day", "05-01"),
    Holiday("Constitution Day", "05-03"),
    Holiday("Pentecost", "easter+49"),
    Holiday("Corpus Christi", "easter+60"),
    Holiday("Assumption", "08-15"),
    Holiday("All Saints", "11-01"),
    Holiday("Independence Day", "11-11"),
    Holiday("Christmas Eve", "12-24", first=2025),
    Holiday("Christmas Day", "12-25"),
    Holiday("Saint Stephen", "12-26"),
)
COUNTRIES: Mapping[str, tuple[Holiday, ...]] = {"IT": _IT, "PL": _PL, "UA": _UA}


@dataclass(frozen=True, slots=True)
class SpecialDays:
    """Holidays and events of a place.

    Attributes
    ----------
    holidays
        Days that are like Sundays.
    events
        Days that are like no others.
    """

    holidays: tuple[Holiday, ...] = ()
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        for rule in [h.rule for h in self.holidays] + [e.begins for e in self.events]:
            day_of(rule, 2024)

    def holiday(self, day: dt.date) -> str | None:
        """Name of the holiday that a day is."""
        return _holidays_of(self.holidays, day.year).get(day)

    def event(self, day: dt.date) -> tuple[Event, int] | None:
        """The event that a day belongs to, and which of its days it is, from 0."""
        for event in self.events:
            for year in (day.year, day.year + 1, day.year - 1):
                first = day_of(event.begins, year)
                if first is not None and 0 <= (day - first).days < event.days:
                    return event, (day - first).days
        return None

    def kind(self, day: dt.date) -> int:
        """Day of the week whose habits hold, Monday 0; a holiday is a Sunday."""
        return 6 if self.holiday(day) is not None else day.weekday()


@cache
def _holidays_of(holidays: tuple[Holiday, ...], year: int) -> dict[dt.date, str]:
    found: dict[dt.date, str] = {}
    for holiday in holidays:
        for near in (year - 1, year, year + 1):
            day = day_of(holiday.rule, near) if holiday.first <= near <= holiday.last else None
            if day is not None and day.year == year:
                found.setdefault(day, holiday.name)
    return found


def country_days(
    country: str | None, holidays: tuple[Holiday, ...] = (), events: tuple[Event, ...] = ()
) -> SpecialDays:
    """Holidays of a country, with some of a town's own.

    Parameters
    ----------
    country
        ISO 3166 code that `COUNTRIES` has; None for none.
    holidays, events
        Added to them.

    Raises
    ------
    WrongRule
        If the country is not known or a rule cannot be read.
    """
    if country is not None and country not in COUNTRIES:
        raise WrongRule(
            f"no holidays of '{country}' are known ({', '.join(COUNTRIES)} are); list them as rules instead"
        )
    return SpecialDays((COUNTRIES[country] if country else ()) + holidays, events)
