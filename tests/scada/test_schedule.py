"""Slots: aligned, drift-free, never bunched."""

import random

from hypothesis import given
from hypothesis import strategies as st

from scada.backoff import Backoff
from scada.schedule import Schedule


def test_slots_are_multiples_of_the_interval() -> None:
    schedule = Schedule([60_000, 1_000], [0, 0], 90_500)
    assert schedule.next_wake_ms() == 91_000
    assert schedule.take_due(91_000) == [(1, 91_000, 0)]
    assert schedule.next_wake_ms() == 120_000


@given(
    intervals=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    start=st.integers(0, 1000),
    delays=st.lists(st.integers(0, 120), min_size=1, max_size=40),
    data=st.data(),
)
def test_every_slot_is_served_once_or_counted_as_missed(
    intervals: list[int], start: int, delays: list[int], data: st.DataObject
) -> None:
    phases = [data.draw(st.integers(0, interval - 1)) for interval in intervals]
    schedule = Schedule(intervals, phases, start)
    now, served, missed = start, [0] * len(intervals), [0] * len(intervals)
    last_slot: dict[int, int] = {}
    for delay in delays:
        wake = schedule.next_wake_ms()
        assert wake is not None
        now = max(now, wake)
        due = schedule.take_due(now)
        assert due
        for entry, slot, left_out in due:
            assert slot % intervals[entry] == 0
            assert slot > last_slot.get(entry, -1)
            assert now - intervals[entry] < slot + phases[entry] <= now, "no older than one interval"
            last_slot[entry] = slot
            served[entry] += 1
            missed[entry] += left_out
            schedule.give_back(entry, slot)
        now += delay
    for entry, interval in enumerate(intervals):
        first = -(-start // interval) * interval
        last = last_slot.get(entry, first - interval)
        assert served[entry] + missed[entry] == (last - first) // interval + 1


def test_overload_leaves_gaps_and_no_bursts() -> None:
    schedule = Schedule([10], [0], 0)
    assert schedule.take_due(0) == [(0, 0, 0)]
    schedule.give_back(0, 0)
    assert schedule.take_due(57) == [(0, 50, 4)]
    schedule.give_back(0, 50)
    assert schedule.next_wake_ms() == 60


def test_end_is_not_included_whatever_the_phase() -> None:
    schedule = Schedule([10, 10], [0, 3], 0)
    assert schedule.next_wake_ms(0) is None
    assert schedule.take_due(50, until_ms=0) == []
    assert schedule.take_due(50, until_ms=21) == [(0, 20, 2), (1, 20, 2)]


def test_pause_of_the_reader_is_not_made_up_for() -> None:
    schedule = Schedule([10, 7], [0, 2], 0)
    schedule.skip_stale(1_000)
    assert schedule.take_due(1_000) == [(1, 994, 0), (0, 1_000, 0)]


def test_times_that_come_again_are_served_again() -> None:
    schedule = Schedule([10, 7], [0, 2], 0)
    assert schedule.turn_back(100, 5) == 0
    for entry, slot_ms, _ in schedule.take_due(100):
        schedule.give_back(entry, slot_ms)
    assert schedule.turn_back(96, 5) == 0, "so little is waited out"
    assert schedule.next_wake_ms() == 107
    assert schedule.turn_back(41, 5) == 59
    assert schedule.next_wake_ms() == 44
    assert schedule.take_due(51) == [(1, 49, 1), (0, 50, 0)]
    assert schedule.turn_back(51, 5) == 0


def test_pause_ends_when_it_would_have_though_the_clock_is_set_back() -> None:
    backoff = Backoff(1000, random.Random(1))
    backoff.turn_back(5)
    assert not backoff.is_holding(0)
    backoff.fail(100_000)
    backoff.turn_back(60_000)
    assert backoff.is_holding(40_500)
    assert not backoff.is_holding(41_001)


def test_backoff_doubles_up_to_its_longest() -> None:
    backoff = Backoff(1000, random.Random(1), longest_ms=5000)
    pauses = []
    for _ in range(6):
        backoff.fail(0)
        pauses.append(next(t for t in range(0, 6000, 10) if not backoff.is_holding(t)))
    for pause, longest in zip(pauses, [1000, 2000, 4000, 5000, 5000, 5000], strict=True):
        assert 0.75 * longest <= pause <= longest + 10
    backoff.succeed()
    assert not backoff.is_holding(0)
    assert backoff.failures == 0
