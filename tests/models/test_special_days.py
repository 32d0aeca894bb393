"""Holidays and events."""

import datetime as dt

import pytest
from dateutil.easter import EASTER_ORTHODOX, EASTER_WESTERN
from dateutil.easter import easter as dateutil_easter

from models.errors import WrongRule
from models.forecast import Event, Holiday, SpecialDays, country_days
from models.forecast.special_days import day_of, easter, orthodox_easter, rosh_hashanah

_ROSH_HASHANAH = (
    "2019-09-30", "2020-09-19", "2021-09-07", "2022-09-26", "2023-09-16", "2024-10-03", "2025-09-23", "2026-09-12",
    "2027-10-02",
)  # fmt: skip


def test_easters_agree_with_another_implementation() -> None:
    for year in range(1900, 2200):
        assert easter(year) == dateutil_easter(year, EASTER_WESTERN)
        assert orthodox_easter(year) == dateutil_easter(year, EASTER_ORTHODOX)


def test_rosh_hashanah_as_it_was_kept() -> None:
    assert [rosh_hashanah(int(day[:4])).isoformat() for day in _ROSH_HASHANAH] == list(_ROSH_HASHANAH)


def test_rosh_hashanah_keeps_the_calendars_laws() -> None:
    lengths = set()
    for year in range(1950, 2150):
        this, after = rosh_hashanah(year), rosh_hashanah(year + 1)
        assert this.weekday() not in (2, 4, 6)  # never Wednesday, Friday, Sunday
        lengths.add((after - this).days)
    assert lengths <= {353, 354, 355, 383, 384, 385}


@pytest.mark.parametrize(
    ("country", "day", "name"),
    [
        ("UA", "2024-05-05", "Easter Sunday"),
        ("UA", "2025-04-20", "Easter Sunday"),
        ("UA", "2024-01-07", None),
        ("UA", "2023-01-07", "Christmas, Julian"),
        ("UA", "2025-10-01", "Defenders' Day"),
        ("IT", "2022-04-18", "Easter Monday"),
        ("IT", "2022-11-03", None),
        ("PL", "2026-06-04", "Corpus Christi"),
    ],
)
def test_countries(country: str, day: str, name: str | None) -> None:
    assert country_days(country).holiday(dt.date.fromisoformat(day)) == name


def test_own_holiday_is_added_and_counts_as_a_sunday() -> None:
    special = country_days("IT", (Holiday("San Giusto", "11-03"),))
    assert special.kind(dt.date(2022, 11, 3)) == 6
    assert special.kind(dt.date(2022, 11, 4)) == 4
    assert special.holiday(dt.date(2022, 12, 25)) == "Christmas Day"


def test_event_moves_with_the_moon_and_passes_new_year() -> None:
    special = SpecialDays(events=(Event("pilgrimage", "rosh-hashanah-2", 8), Event("fair", "12-30", 4)))
    found = special.event(dt.date(2025, 9, 21))
    assert found is not None
    assert (found[0].name, found[1]) == ("pilgrimage", 0)
    assert special.event(dt.date(2026, 9, 21)) is None
    assert special.event(dt.date(2024, 10, 8)) == (special.events[0], 7)
    assert special.event(dt.date(2026, 1, 2)) == (special.events[1], 3)


def test_rules() -> None:
    assert day_of("2026-03-01", 2025) is None
    assert day_of("02-29", 2025) is None
    assert day_of("02-29", 2024) == dt.date(2024, 2, 29)


@pytest.mark.parametrize("rule", ["13-01", "passover", "easter*2", "2025-2-3", ""])
def test_bad_rule_says_what_to_write(rule: str) -> None:
    with pytest.raises(WrongRule, match="names no day"):
        SpecialDays((Holiday("x", rule),))


def test_unknown_country_lists_the_known() -> None:
    with pytest.raises(WrongRule, match=r"'XX' .*IT, PL, UA"):
        country_days("XX")
