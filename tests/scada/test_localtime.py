"""Every instant through the clock on the wall and back, through both changes of the clock."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.drops.localtime import Told, fixed_offset_ms, to_utc, zone_exists
from tests.scada.drop import ms

KYIV = "Europe/Kyiv"
UTC = dt.UTC
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
HOUR_MS = 3_600_000


def wall(utc_ms: list[int], zone: str = KYIV) -> np.ndarray:
    """What the clock on the wall shows, by zoneinfo."""
    found = []
    for t in utc_ms:
        local = (EPOCH + dt.timedelta(milliseconds=t)).astimezone(ZoneInfo(zone))
        found.append((local.replace(tzinfo=UTC) - EPOCH) // dt.timedelta(milliseconds=1))
    return np.array(found, np.int64)


def is_twice(utc_ms: int, zone: str = KYIV) -> bool:
    local = (EPOCH + dt.timedelta(milliseconds=utc_ms)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return len({local.replace(tzinfo=ZoneInfo(zone), fold=fold).utcoffset() for fold in (0, 1)}) == 2


instants = st.integers(ms("1996-01-01") // 60_000, ms("2037-01-01") // 60_000).map(lambda minutes: 60_000 * minutes)
changes = st.sampled_from(
    [ms("2026-03-29T01:00Z"), ms("2026-10-25T01:00Z"), ms("2025-10-26T01:00Z"), ms("1997-10-26T01:00Z")]
)


@given(instants | changes.flatmap(lambda t: st.integers(-180, 180).map(lambda k: t + 60_000 * k)))
def test_every_instant_alone_comes_back_or_is_told(t: int) -> None:
    found, told = to_utc(wall([t]), KYIV)
    if is_twice(t):
        assert told[0] == Told.UNDECIDED
    else:
        assert (found[0], told[0]) == (t, Told.GOOD)


@given(changes, st.sampled_from([1, 5, 10, 15, 20, 30, 60]), st.integers(0, 40), st.integers(130, 400), st.booleans())
def test_a_series_through_a_change_comes_back(
    change: int, step_min: int, before: int, after: int, is_backward: bool
) -> None:
    step = 60_000 * step_min
    first = (change - HOUR_MS) // step * step - step * (1 + before)
    instants = list(range(first, change + HOUR_MS + 60_000 * after, step))
    if is_backward:
        instants.reverse()
    found, told = to_utc(wall(instants), KYIV)
    assert found.tolist() == instants
    assert not told.any()


@given(changes, st.sampled_from([5, 15, 30]), st.data())
def test_what_is_told_is_true_whatever_is_missing(change: int, step_min: int, data: st.DataObject) -> None:
    """Readings may be missing: what is decided by order alone is right, or the hour is told as undecided."""
    step = 60_000 * step_min
    instants = list(range(change - 6 * HOUR_MS, change + 6 * HOUR_MS, step))
    gone = data.draw(st.sets(st.integers(0, len(instants) - 1), max_size=4))
    kept = [t for k, t in enumerate(instants) if k not in gone]
    found, told = to_utc(wall(kept), KYIV)
    assert [int(f) for f, w in zip(found, told, strict=True) if not w] == [
        t for t, w in zip(kept, told, strict=True) if not w
    ]
    assert not told.any() or step_min == 30


@given(st.integers(0, 3), st.integers(0, 3))
def test_one_pass_is_told_by_its_neighbours(lead: int, tail: int) -> None:
    """The end of a file in the first hour, the beginning of one in the second."""
    change = ms("2026-10-25T01:00Z")
    step = 15 * 60_000
    ending = [change - HOUR_MS + k * step for k in range(-1 - lead, 1 + tail)]
    found, told = to_utc(wall(ending), KYIV)
    assert (found.tolist(), told.any()) == (ending, False)
    beginning = [change + k * step for k in range(3 - tail, 6 + lead)]
    found, told = to_utc(wall(beginning), KYIV)
    assert (found.tolist(), told.any()) == (beginning, False)


def test_one_pass_with_neighbours_on_both_sides_is_nobodys_guess() -> None:
    lost_an_hour = [ms("2026-10-24T23:45Z") + k * 900_000 for k in range(5)] + [ms("2026-10-25T02:00Z")]
    for instants in (lost_an_hour, [*lost_an_hour[:1], *(t + HOUR_MS for t in lost_an_hour[1:5]), lost_an_hour[5]]):
        found, told = to_utc(wall(instants), KYIV)
        assert told.tolist() == [0, 2, 2, 2, 2, 0]
        assert found[[0, 5]].tolist() == [instants[0], instants[5]]
    assert to_utc(wall(lost_an_hour), KYIV, rule="first")[0].tolist() == lost_an_hour
    second = [t + HOUR_MS if 0 < k < 5 else t for k, t in enumerate(lost_an_hour)]
    assert to_utc(wall(lost_an_hour), KYIV, rule="second")[0].tolist() == second


def test_a_reading_is_never_later_than_its_arrival() -> None:
    first = [ms("2026-10-25T00:00Z") + k * 900_000 for k in range(4)]
    second = [t + HOUR_MS for t in first]
    found, told = to_utc(wall(first), KYIV, arrival_ms=first[-1] + 60_000)
    assert (found.tolist(), told.any()) == (first, False)
    assert to_utc(wall(second), KYIV, arrival_ms=second[-1] + 60_000)[1].all()
    for hour in (first, second):
        found, told = to_utc(wall(hour), KYIV, arrival_ms=hour[-1] + 60_000, rule="arrival")
        assert (found.tolist(), told.any()) == (hour, False)


def test_every_logger_has_its_own_order() -> None:
    instants = [ms("2026-10-24T22:00Z") + k * 1_800_000 for k in range(12)]
    by_time = wall([t for t in instants for _ in range(2)])
    series = np.array([0, 1] * 12)
    found, told = to_utc(by_time, KYIV, series)
    assert found.tolist() == [t for t in instants for _ in range(2)]
    assert not told.any()
    one_after_another = wall(instants * 2)
    found, told = to_utc(one_after_another, KYIV, np.repeat([0, 1], 12))
    assert found.tolist() == instants * 2
    assert not told.any()


def test_the_hour_that_does_not_exist() -> None:
    walls = np.array([ms("2026-03-29T02:59"), ms("2026-03-29T03:00"), ms("2026-03-29T03:59"), ms("2026-03-29T04:00")])
    found, told = to_utc(walls, KYIV)
    assert told.tolist() == [0, Told.MISSING_HOUR, Told.MISSING_HOUR, 0]
    assert found[[0, 3]].tolist() == [ms("2026-03-29T00:59Z"), ms("2026-03-29T01:00Z")]
    winter, told = to_utc(walls, "+02:00")  # a logger that is never put forward
    assert (winter.tolist(), told.any()) == ((walls - 2 * HOUR_MS).tolist(), False)


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        ("UTC", 0),
        ("+02:00", 7_200_000),
        ("UTC+2", 7_200_000),
        ("-0330", -12_600_000),
        ("GMT-3", -10_800_000),
        (KYIV, None),
    ],
)
def test_offsets(zone: str, offset: int | None) -> None:
    assert fixed_offset_ms(zone) == offset
    assert zone_exists(zone)
    assert not zone_exists("Europe/Kyivv")


@given(
    st.sampled_from(["America/St_Johns", "Australia/Lord_Howe", "Europe/London", "Asia/Kathmandu"]),
    st.integers(0, 17_000),
)
def test_other_zones_come_back_too(zone: str, day: int) -> None:
    instants = [ms("1985-01-01") + 86_400_000 * day + 600_000 * k for k in range(300)]
    found, told = to_utc(wall(instants, zone), zone)
    good = told == Told.GOOD
    assert found[good].tolist() == [t for t, is_good in zip(instants, good, strict=True) if is_good]
    assert good.sum() >= len(instants) - 12  # a file may begin or end within the hour
