"""A place is told once: a withdrawn alarm that was right after all stands again."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from models.growth import Growth
from models.leak import Estimate
from models.ledger import Alarm, Entry, Ledger
from models.localise import Candidate, Place
from models.revise import Reviser
from models.rules import Rules
from models.telling import withdrawn_before
from models.watch import Watch
from tests.models.linear_town import DAY, PIPE_M, START, LinearTown

Q = 1.0 / 3600.0
N_BLOCKS = 100


def entry_at(town: LinearTown, pipe: int, onset: float, told: float | None) -> Entry:
    """An open leak; told at a block, or waiting to be told."""
    place = Place(pipe, (Candidate(f"p{pipe}", 1.0),), 1.0, PIPE_M)
    time = START + (told if told is not None else N_BLOCKS) * DAY
    alarm = Alarm(time, place, Estimate(Q, Q, Q), "abrupt", 50.0, ())
    unit = town.responses[pipe]
    raised = round(onset + 2.0)
    return Entry(alarm, raised, place, Growth(onset, 0.0, Q), unit, 0.1 * unit[None, :], is_told=told is not None)


@pytest.fixture
def reviser() -> Reviser:
    town = LinearTown()
    ledger = Ledger(cast(Watch, town), 60)
    for frame in town.frames([], N_BLOCKS, 1):
        ledger.append(frame, town.noise)
    told = entry_at(town, 20, onset=70.0, told=73.0)
    told.withdraw(80)
    ledger.entries = [told]
    return Reviser(ledger, Rules())


@pytest.mark.parametrize(
    ("pipe", "onset", "is_same"),
    [(20, 69.0, True), (22, 71.5, True), (18, 40.0, True), (26, 69.0, False), (20, 85.0, False)],
    ids=["there", "200 m off", "long before", "600 m off", "begun after the alarm"],
)
def test_a_leak_at_the_place_of_a_withdrawn_alarm_is_that_one(
    reviser: Reviser, pipe: int, onset: float, is_same: bool
) -> None:
    told = reviser.ledger.entries[0]
    entry = entry_at(cast(LinearTown, reviser.watch), pipe, onset, None)
    assert withdrawn_before(reviser, entry, ()) is (told if is_same else None)


def test_an_alarm_that_stands_or_is_long_past_is_another(reviser: Reviser) -> None:
    told = reviser.ledger.entries[0]
    entry = entry_at(cast(LinearTown, reviser.watch), 20, 69.0, None)
    told.withdrawn = N_BLOCKS - 1 - Rules().window
    assert withdrawn_before(reviser, entry, ()) is None
    told.withdrawn, told.is_past = 80, True
    assert withdrawn_before(reviser, entry, ()) is None
    told.is_past, told.is_withdrawn = False, False
    assert withdrawn_before(reviser, entry, ()) is None


def test_what_hours_told_of_and_days_denied_counts_too_and_the_last_alarm_is_taken(reviser: Reviser) -> None:
    told = reviser.ledger.entries[0]
    town = cast(LinearTown, reviser.watch)
    burst = entry_at(town, 21, 70.0, 75.0)
    burst.withdraw(79)
    entry = entry_at(town, 20, 69.0, None)
    assert withdrawn_before(reviser, entry, [burst]) is burst
    burst.alarm = replace(burst.alarm, time=START + 71.0 * DAY)
    assert withdrawn_before(reviser, entry, [burst]) is told
