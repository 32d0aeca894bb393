"""All entries of a ledger judged together, on a town whose leaks are known."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
import pytest

from models.growth import Growth
from models.leak import Estimate
from models.ledger import Alarm, Entry, Ledger
from models.localise import Candidate, Place
from models.revise import Reviser
from models.rules import Rules
from models.together import Together
from models.watch import Watch
from tests.models.linear_town import DAY, PIPE_M, START, LinearTown, TownLeak

N_BLOCKS, WINDOW = 180, 60
Q = 1.0 / 3600.0
NOW = START + N_BLOCKS * DAY


class Case:
    """A town with leaks, its record, and a ledger that has seen all of it."""

    def __init__(self, leaks: list[TownLeak], known: list[TownLeak], seed: int = 3) -> None:
        self.town = LinearTown()
        self.frames = self.town.frames(leaks, N_BLOCKS, seed)
        self.ledger = Ledger(cast(Watch, self.town), WINDOW)
        self.entries = [self._entry(leak) for leak in known]
        self.ledger.entries = list(self.entries)
        for frame in self.frames:
            self.ledger.append(frame, self.town.noise)
        self.together = Together(Reviser(self.ledger, Rules()))
        self.bursts: list[Entry] = []

    def _entry(self, leak: TownLeak) -> Entry:
        place = Place(leak.pipe, (Candidate(f"p{leak.pipe}", 1.0),), 1.0, PIPE_M)
        q = leak.growth.peak
        time = START + round(leak.growth.onset + 5.0) * DAY
        alarm = Alarm(time, place, Estimate(q, q, q), leak.growth.kind, 50.0, ())
        unit = self.town.responses[leak.pipe]
        return Entry(alarm, round(leak.growth.onset + 5.0), place, leak.growth, unit, 0.1 * unit[None, :], is_told=True)

    def judge(self, first: int = 0, repaired: dict[tuple[int, float], bool] | None = None) -> list[Entry]:
        """Judge on the record from a block on; return what stands."""
        assert self.together.run(self.frames[first:], self.town.noise, repaired or {}, NOW, self.bursts)
        return [entry for entry in self.ledger.entries if not entry.is_withdrawn]


def test_an_entry_between_two_leaks_becomes_one_of_them_and_the_other_is_entered() -> None:
    leaks = [TownLeak(10, Growth(60.0, 0.0, 6.0 * Q)), TownLeak(24, Growth(70.0, 40.0, 9.0 * Q))]
    case = Case(leaks, [TownLeak(17, Growth(61.0, 0.0, 12.0 * Q))])
    told = case.entries[0].alarm
    stands = case.judge()
    assert len(stands) == 2
    for leak in leaks:
        one = next(e for e in stands if abs(e.place.link - leak.pipe) * PIPE_M <= 300.0)
        assert one.growth.peak == pytest.approx(leak.growth.peak, rel=0.25)
    # what was told stays as it was; what is new waits to be told
    assert case.entries[0].alarm is told
    assert [e.is_told for e in stands] == [e is case.entries[0] for e in stands]
    new = next(e for e in stands if e is not case.entries[0])
    assert new.alarm.time == NOW
    assert new.alarm.flow.low <= new.growth.peak <= new.alarm.flow.high


def test_what_the_record_does_not_show_is_withdrawn_and_the_ledger_explains_the_rest() -> None:
    leak = TownLeak(24, Growth(100.0, 0.0, 8.0 * Q))
    case = Case([leak], [leak, TownLeak(5, Growth(130.0, 0.0, 4.0 * Q))])
    worse = float(np.square(case.ledger.residual[:, :8]).sum())
    assert case.judge() == [case.entries[0]]
    assert case.entries[1].is_withdrawn
    assert case.entries[1].withdrawn == N_BLOCKS - 1
    assert float(np.square(case.ledger.residual[:, :8]).sum()) < worse


def test_a_leak_older_than_the_record_stays_where_it_is_until_its_end() -> None:
    old = TownLeak(24, Growth(20.0, 0.0, 8.0 * Q, 130.4))
    fresh = TownLeak(8, Growth(120.0, 0.0, 5.0 * Q))
    misplaced = TownLeak(26, Growth(20.0, 0.0, 8.0 * Q))
    case = Case([old, fresh], [misplaced])
    stands = case.judge(first=60)
    entry = case.entries[0]
    assert entry in stands
    assert (entry.place.link, entry.growth.onset, entry.growth.peak) == (26, 20.0, 8.0 * Q)
    assert entry.growth.end == pytest.approx(130.4, abs=1.5)
    assert [abs(e.place.link - 8) <= 3 for e in stands if e is not entry] == [True]


def test_what_a_crew_mended_stays_at_its_pipe_until_its_end() -> None:
    mended = TownLeak(12, Growth(70.0, 0.0, 8.0 * Q, 120.5))
    case = Case([mended], [TownLeak(12, Growth(64.0, 0.0, 5.0 * Q, 120.5))])
    (entry,) = case.judge(repaired={(12, 120.5): False})
    assert (entry.place.link, entry.growth.end) == (12, 120.5)
    assert entry.growth.onset == pytest.approx(70.0, abs=1.5)
    assert entry.growth.peak == pytest.approx(8.0 * Q, rel=0.25)


def test_a_leak_that_is_known_from_its_later_repair_is_left_alone() -> None:
    now, later = TownLeak(24, Growth(60.0, 0.0, 8.0 * Q)), TownLeak(5, Growth(150.0, 0.0, 8.0 * Q, 170.0))
    case = Case([now, later], [now, later])
    for end in (120, 151, 160):  # before it begins, on its first day, and while it runs
        assert case.together.run(case.frames[:end], case.town.noise, {(5, 170.0): False}, NOW, [])
        assert [e.is_withdrawn for e in case.entries] == [False, False]
        assert case.entries[1].growth == later.growth


def test_a_leak_whose_flow_was_measured_keeps_it() -> None:
    mended = TownLeak(12, Growth(70.0, 0.0, 8.0 * Q, 120.5))
    case = Case([mended], [TownLeak(12, Growth(70.0, 0.0, 7.0 * Q, 120.5))])
    (entry,) = case.judge(repaired={(12, 120.5): True})
    assert entry.growth == Growth(70.0, 0.0, 7.0 * Q, 120.5)


def test_no_leak_is_taken_to_begin_where_too_little_of_the_record_lies_before_it() -> None:
    # it began before the record: only the levels could tell of it
    unknown = TownLeak(24, Growth(40.0, 0.0, 8.0 * Q))
    assert Case([unknown], []).judge(first=60) == []
    assert len(Case([unknown], []).judge(first=0)) == 1


def test_a_record_too_short_to_look_back_on_changes_nothing() -> None:
    case = Case([], [TownLeak(5, Growth(130.0, 0.0, 4.0 * Q))])
    assert not case.together.run(case.frames[-10:], case.town.noise, {}, pd.Timestamp(NOW), [])
    assert not case.entries[0].is_withdrawn


def test_an_alarm_does_not_come_to_stand_for_a_leak_that_began_after_it() -> None:
    later = TownLeak(24, Growth(120.0, 0.0, 8.0 * Q))
    case = Case([later], [TownLeak(25, Growth(100.0, 0.0, 2.0 * Q))])  # told at block 105
    stands = case.judge()
    assert case.entries[0].is_withdrawn
    assert [(abs(e.place.link - 24) <= 3, e.is_told) for e in stands] == [(True, False)]


@pytest.mark.parametrize("by_hour", [False, True])
def test_what_was_told_and_withdrawn_where_a_leak_ran_stands_again(by_hour: bool) -> None:
    """A crew was called there: the leak is that one's, and no other is entered."""
    leak = TownLeak(24, Growth(70.0, 40.0, 9.0 * Q))
    case = Case([leak], [leak, TownLeak(2, Growth(70.0, 40.0, 9.0 * Q))])
    near, far = case.entries
    for entry in (near, far):
        entry.withdraw(120)
    if by_hour:
        case.ledger.entries, case.bursts = [far], [near]
    told = near.alarm
    assert case.judge() == [near]
    assert near.alarm == told
    assert abs(near.growth.peak / leak.growth.peak - 1.0) < 0.2
    assert far.is_withdrawn
    assert case.bursts == []


def test_what_was_told_before_a_leak_began_stays_withdrawn() -> None:
    case = Case([TownLeak(24, Growth(100.0, 0.0, 9.0 * Q))], [TownLeak(24, Growth(70.0, 0.0, 9.0 * Q))])
    case.entries[0].withdraw(90)
    (entry,) = case.judge()
    assert entry is not case.entries[0]
