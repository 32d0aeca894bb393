"""Leaks that were learnt as demand show when they end: by what crews report, and without."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from models.detector import Detector
from models.frame import Frame
from models.rules import Repair, Rules
from models.watch import Watch
from tests.models.grid import START, read_grid, write_grid

PIPE, FLOW, REPAIRED = "v41", 7.0, 14.4
LEARNT = 7


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Watch, list[Frame], float]]:
    """A watch that took a leak for demand, its frames, and what leaked, m3/s."""
    inp = write_grid(tmp_path_factory.mktemp("grid"))
    record, lost = read_grid(inp, 24, {PIPE: FLOW}, 1, repaired={PIPE: REPAIRED})
    watch = Watch(inp, record)
    yield watch, list(watch.frames(record)), float(lost[PIPE].iloc[: 96 * 14].mean())
    watch.close()


def replay(town: tuple[Watch, list[Frame], float], repairs: tuple[Repair, ...] = (), until: int = 24) -> Detector:
    watch, frames, _ = town
    detector = Detector(watch, Rules(), repairs)
    for k, frame in enumerate(frames[:until]):
        if k < LEARNT:
            detector.learn(frame)
        else:
            detector.step(frame)
    return detector


def at(days: float) -> pd.Timestamp:
    return START + pd.Timedelta(days=days)


def assert_nothing_is_left(detector: Detector) -> None:
    """Levels before and after are those of the known leaks."""
    residual, white = detector.ledger.residual, detector.watch.noise.white
    sd = np.sqrt(np.diag(white))
    assert np.all(np.abs(residual[-5:].mean(axis=0)) < 2.0 * sd)
    assert np.all(np.abs(residual[2:13].mean(axis=0)) < 2.0 * sd)


def test_a_reported_repair_tells_the_size_of_a_leak_that_nobody_knew(town):
    detector = replay(town, (Repair(PIPE, at(REPAIRED)),))
    (entry,) = detector.old_ends.entered
    assert detector.watch.topology.links[entry.place.link] == PIPE
    assert entry.growth.end == pytest.approx(REPAIRED)
    assert entry.alarm.flow.low < town[2] < entry.alarm.flow.high
    assert detector.leaks() == []  # nobody has to dig for it
    assert_nothing_is_left(detector)


def test_what_was_measured_joins_what_the_step_tells(town):
    repairs = [(Repair(PIPE, at(REPAIRED), flow),) for flow in (None, 1.3 * town[2])]
    plain, told = (replay(town, r).old_ends.entered[0] for r in repairs)
    assert plain.growth.peak < told.growth.peak < 1.3 * town[2]
    width = [e.alarm.flow.high - e.alarm.flow.low for e in (plain, told)]
    assert width[1] < width[0]


def test_an_unreported_repair_is_recognised_and_placed(town):
    detector = replay(town)
    (entry,) = detector.old_ends.entered
    topology = detector.watch.topology
    assert topology.distance_from_link(topology.link(PIPE))[entry.place.link] <= 300.0
    assert entry.growth.end == pytest.approx(REPAIRED, abs=0.5)
    assert entry.alarm.flow.low < town[2] < entry.alarm.flow.high
    assert detector.leaks() == []
    assert_nothing_is_left(detector)


def test_nothing_is_known_of_it_before_it_ends(town):
    repairs = (Repair(PIPE, at(REPAIRED)),)
    early = replay(town, repairs, until=14)
    assert early.old_ends.entered == []
    assert not early.old_ends.shift.any()
    np.testing.assert_array_equal(early.ledger.residual, replay(town, until=14).ledger.residual)


def test_a_repair_that_leaves_no_step_is_forgotten(town):
    detector = replay(town, (Repair("h12", at(9.0)),), until=14)
    assert detector.old_ends.entered == []
    assert not detector.old_ends.shift.any()


def test_a_leak_that_begins_is_no_end(tmp_path_factory: pytest.TempPathFactory):
    inp = write_grid(tmp_path_factory.mktemp("grid"))
    record, _ = read_grid(inp, 14, {PIPE: FLOW}, 3, begun={PIPE: 9.4})
    watch = Watch(inp, record)
    detector = replay((watch, list(watch.frames(record)), 0.0), until=14)
    watch.close()
    assert detector.old_ends.entered == []
    assert [e for e in detector.ledger.entries if e.is_open]
