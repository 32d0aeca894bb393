"""Alarms and what they turned out to be."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from models.growth import Growth
from models.hindsight import looked_back
from models.leak import Estimate, Leak, Untold
from models.localise import Candidate, Place
from models.smooth import Smoothed
from models.watch import Watch
from models.window import Window
from tests.models.linear_town import DAY, N_SENSORS, START, LinearTown

Q = 1.0 / 3600.0
FROZEN = ("event", "detected", "pipe", "flow", "probability", "search_length", "candidates", "kind", "dma", "evidence")


@pytest.fixture
def town() -> LinearTown:
    return LinearTown()


@pytest.fixture
def window(town: LinearTown) -> Window:
    window = Window(60, DAY, N_SENSORS + 1)
    for frame in town.frames([], 120, 1):
        window.append(frame, np.zeros(N_SENSORS + 1), town.noise)
    return window


def at(block: float) -> pd.Timestamp:
    return START + block * DAY


def alarm(event: int, pipe: int, block: float) -> Leak:
    flow = Estimate(2.0 * Q, Q, 3.0 * Q)
    candidates = (Candidate(f"p{pipe}", 0.7),)
    return Leak(
        event, at(block), f"p{pipe}", flow, 0.7, 200.0, candidates, "abrupt", "D", at(block - 3.0), at(block - 4.0),
        at(block - 2.0), f"p{pipe}", 2.0 * Q, 0.7, candidates, None, "open", (("s1", -5.0),),
    )  # fmt: skip


def leak(town: LinearTown, pipe: int, onset: float, end: float | None = None) -> Smoothed:
    place = Place(pipe, (Candidate(f"p{pipe}", 1.0),), 0.9, 100.0)
    return Smoothed(
        place, Growth(onset, 0.0, 5.0 * Q, end), town.responses[pipe], onset - 1.0, onset + 1.0, onset + 0.5
    )


def look(
    town: LinearTown, window: Window, alarms: list[Leak], found: list[Smoothed]
) -> tuple[list[Leak], list[Untold]]:
    told, others = looked_back(alarms, found, cast(Watch, town), window)
    for before, after in zip(alarms, told, strict=True):
        assert [getattr(after, name) for name in FROZEN] == [getattr(before, name) for name in FROZEN]
    return told, others


def test_an_alarm_tells_of_the_leak_near_it(town: LinearTown, window: Window) -> None:
    (told,), others = look(town, window, [alarm(1, 10, 50.0)], [leak(town, 12, 40.0), leak(town, 30, 40.0)])
    assert (told.pipe_best, told.status, told.flow_best) == ("p12", "open", 5.0 * Q)
    assert (told.start_low, told.start, told.start_high) == (at(39.0), at(40.5), at(41.0))
    assert [other.pipe for other in others] == ["p30"]


def test_of_two_alarms_about_one_leak_the_earlier_stands(town: LinearTown, window: Window) -> None:
    alarms = [alarm(1, 11, 45.0), alarm(2, 11, 60.0)]
    (first, second), others = look(town, window, alarms, [leak(town, 12, 40.0)])
    assert (first.status, second.status) == ("open", "withdrawn")
    assert first.pipe_best == second.pipe_best == "p12"
    assert others == []


def test_an_alarm_about_nothing_is_withdrawn_as_it_was_told(town: LinearTown, window: Window) -> None:
    raised = alarm(1, 10, 50.0)
    for found in ([], [leak(town, 35, 40.0)], [leak(town, 10, 60.0)], [leak(town, 10, 10.0, 30.0)]):
        (told,), others = look(town, window, [raised], found)
        assert told == replace(raised, status="withdrawn")
        assert [other.pipe for other in others] == [f"p{one.place.link}" for one in found]


def test_a_leak_that_has_ended_says_when(town: LinearTown, window: Window) -> None:
    (told,), _ = look(town, window, [alarm(1, 10, 50.0)], [leak(town, 10, 40.0, 70.25)])
    assert (told.status, told.ended, told.flow_best) == ("ended", at(70.25), 5.0 * Q)


def test_nothing_began_after_it_was_told(town: LinearTown, window: Window) -> None:
    (told,), _ = look(town, window, [alarm(1, 10, 40.0)], [leak(town, 10, 40.0)])
    assert told.start == told.start_high == told.detected


def test_leaks_go_to_the_alarms_that_fit_them_best_together(town: LinearTown, window: Window) -> None:
    # taken one by one the first alarm, which fits both, would leave the second leak without one
    alarms = [alarm(1, 12, 50.0), alarm(2, 9, 52.0)]
    told, others = look(town, window, alarms, [leak(town, 11, 40.0), leak(town, 14, 41.0)])
    assert [one.pipe_best for one in told] == ["p14", "p11"]
    assert others == []
