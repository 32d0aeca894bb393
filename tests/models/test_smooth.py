"""Hindsight: leaks that a greedy search gets wrong, found from the whole record of a town without hydraulics."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from models.growth import Growth
from models.rules import Rules
from models.smooth import Known, Smoothed, smooth
from models.smooth_effect import Effects, Supposed
from models.smooth_judge import Judge
from models.smooth_seek import Seeker
from models.watch import Watch
from tests.models.linear_town import PIPE_M, LinearTown, TownLeak

N_BLOCKS = 120
Q = 1.0 / 3600.0


def watch_of(town: LinearTown) -> Watch:
    return cast(Watch, town)


def look_back(town: LinearTown, leaks: list[TownLeak], known: list[Known], seed: int = 3) -> list[Smoothed]:
    frames = town.frames(leaks, N_BLOCKS, seed)
    return smooth(watch_of(town), frames, np.arange(float(N_BLOCKS)), known, Rules())


def near(found: list[Smoothed], leak: TownLeak) -> Smoothed:
    """The one leak that was found within 300 m of a true one."""
    close = [s for s in found if abs(s.place.link - leak.pipe) * PIPE_M <= 300.0]
    assert len(close) == 1, [(s.place.link, s.growth) for s in found]
    return close[0]


TWO = [TownLeak(10, Growth(30.0, 0.0, 6.0 * Q)), TownLeak(24, Growth(40.0, 40.0, 9.0 * Q))]


def test_two_overlapping_leaks_that_were_taken_for_one_between_them() -> None:
    greedy = [Known(17, Growth(31.0, 0.0, 12.0 * Q))]
    found = look_back(LinearTown(), TWO, greedy)
    assert len(found) == 2
    for leak in TWO:
        one = near(found, leak)
        assert one.growth.end is None
        assert one.growth.peak == pytest.approx(leak.growth.peak, rel=0.25)
        assert one.onset_low <= one.growth.onset <= one.onset_high
        assert one.growth.onset == pytest.approx(leak.growth.onset, abs=max(1.5, 0.25 * leak.growth.rise))


def test_one_leak_that_was_told_in_three_pieces() -> None:
    true = TownLeak(24, Growth(30.0, 50.0, 9.0 * Q))
    pieces = [
        Known(26, Growth(45.0, 0.0, 2.0 * Q, 62.0)),
        Known(22, Growth(62.0, 0.0, 5.0 * Q, 75.0)),
        Known(25, Growth(75.0, 0.0, 8.0 * Q)),
    ]
    found = look_back(LinearTown(), [true], pieces)
    assert len(found) == 1
    assert near(found, true).growth.rise > 25.0


def test_a_leak_that_nobody_told_and_one_that_there_was_not() -> None:
    true = TownLeak(33, Growth(50.0, 0.0, 6.0 * Q, 90.0))
    found = look_back(LinearTown(), [true], [Known(5, Growth(20.0, 0.0, 3.0 * Q))])
    assert len(found) == 1
    one = near(found, true)
    assert one.growth.end == pytest.approx(90.0, abs=1.0)


def test_a_record_without_leaks_has_none() -> None:
    assert look_back(LinearTown(), [], [Known(5, Growth(20.0, 0.0, 3.0 * Q))]) == []


def test_what_a_crew_mended_stays_at_its_pipe_until_its_end() -> None:
    true = TownLeak(10, Growth(30.0, 0.0, 6.0 * Q, 60.5))
    found = look_back(LinearTown(), [true], [Known(12, Growth(28.0, 0.0, 6.0 * Q, 60.5), is_repaired=True)])
    assert [s.place.link for s in found if s.growth.end == 60.5] == [12]


def test_the_order_of_what_was_known_does_not_matter_and_twice_is_the_same() -> None:
    known = [
        Known(9, Growth(31.0, 0.0, 5.0 * Q)),
        Known(23, Growth(60.0, 0.0, 5.0 * Q)),
        Known(30, Growth(80.0, 0.0, Q)),
    ]
    once, again = look_back(LinearTown(), TWO, known), look_back(LinearTown(), TWO, known)
    turned = look_back(LinearTown(), TWO, known[::-1])
    assert [(s.place.link, s.growth) for s in once] == [(s.place.link, s.growth) for s in again]
    assert [s.place.link for s in once] == [s.place.link for s in turned]


def test_gaps_in_the_record_do_not_hide_a_leak() -> None:
    town, true = LinearTown(), TownLeak(24, Growth(40.0, 0.0, 6.0 * Q))
    frames = town.frames([true], N_BLOCKS, 3)
    random = np.random.default_rng(8)
    for frame in frames:
        frame.values[random.random(len(frame.values)) < 0.1] = np.nan
    kept = [k for k in range(N_BLOCKS) if not 60 <= k < 70]
    found = smooth(watch_of(town), [frames[k] for k in kept], np.array(kept, dtype=float), [], Rules())
    assert near(found, true).growth.onset == pytest.approx(40.0, abs=1.0)


def judge_of(town: LinearTown, leaks: list[TownLeak]) -> Judge:
    blocks = np.arange(float(N_BLOCKS))
    frames = town.frames(leaks, N_BLOCKS, 4)
    values = np.stack([f.values for f in frames])
    return Judge(watch_of(town), Effects(watch_of(town), frames, blocks), values, Rules())


def test_a_leak_more_never_fits_worse_and_leaving_one_out_never_better() -> None:
    judge = judge_of(LinearTown(), TWO)
    leaks = [Supposed(leak.pipe, leak.growth) for leak in TWO]
    judge.simulate(leaks)
    both = judge.balanced(leaks)
    residual: Any = [judge.residual_in(judge.balanced(some)) for some in (leaks[:1], leaks[1:])]
    doubts = judge.doubts(both)
    best = float((judge.residual_in(both) * doubts.weigh(judge.residual_in(both))).sum())
    for left in residual:
        assert float((left * doubts.weigh(left)).sum()) >= best


def test_the_value_does_not_depend_on_the_order_of_leaks() -> None:
    judge = judge_of(LinearTown(), TWO)
    leaks = [Supposed(leak.pipe, leak.growth) for leak in TWO]
    judge.simulate(leaks)
    assert judge.value(leaks) == pytest.approx(judge.value(leaks[::-1]), abs=1e-6)


def test_the_gain_that_a_search_promises_is_what_the_posterior_gains() -> None:
    judge = judge_of(LinearTown(), TWO[:1])
    judge.simulate([])
    found = Seeker(judge).best([])
    assert found is not None
    before = judge.value([])
    doubts = judge.doubts([found.leak])
    gained = judge.value([found.leak]) - before + doubts.log_volume + judge.prior([found.leak])
    # the doubts about the leak itself take up a little more of the residual than the search counts on
    assert gained >= found.gain
    assert gained == pytest.approx(found.gain, rel=0.1)


def test_a_leak_that_is_known_twice_is_one_and_one_that_never_shows_is_none() -> None:
    true = TownLeak(10, Growth(30.0, 0.0, 6.0 * Q))
    twice = [Known(10, Growth(30.0, 0.0, 3.0 * Q))] * 2
    found = look_back(LinearTown(), [true], [*twice, Known(20, Growth(10.0, 0.0, Q, 10.0))])
    assert len(found) == 1
    assert near(found, true).growth.peak == pytest.approx(6.0 * Q, rel=0.15)
