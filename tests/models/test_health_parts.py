"""The parts of the instruments' watch by themselves: columns, clocks, bridges, noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hydro.driven import DrivenModel
from hydro.record import Record
from models.frame import evened
from models.health import GAP, SPIKE, STUCK, UNIT
from models.health_bridge import Bridge
from models.health_clock import Clocks
from models.health_raw import Cleaner
from models.noise import Noise, learn, muted

START = pd.Timestamp("2026-01-05", tz="UTC")
BLOCK = pd.Timedelta("1D")


def record_of(values: np.ndarray, quantity: str = "pressure") -> Record:
    times = pd.date_range(START, periods=len(values), freq="15min")
    table = pd.DataFrame(values, index=times, columns=[f"S{k}" for k in range(values.shape[1])])
    return Record(**{quantity: table})


def noisy(n_days: int, n: int = 3, seed: int = 2) -> np.ndarray:
    chance = np.random.default_rng(seed)
    hour = np.arange(n_days * 96)[:, None] / 4.0
    return 40.0 + np.sin(2 * np.pi * hour / 24.0) + chance.normal(0.0, 0.02, (n_days * 96, n))


def cleaner_of(record: Record) -> Cleaner:
    return Cleaner(record.between(START, START + 7 * BLOCK), BLOCK)


def test_a_single_wild_reading_is_left_out_and_counted() -> None:
    values = noisy(12)
    values[1000, 1] += 4.0
    values[1050, 1] -= 3.0
    values[1080] += 2.0  # all of them together: that is water
    record = record_of(values)
    cleaner = cleaner_of(record)
    clean = cleaner.clean(record).pressure.to_numpy()
    assert np.argwhere(np.isnan(clean)).tolist() == [[1000, 1], [1050, 1]]
    (fault,) = cleaner.finish(record.end)
    assert (fault.element, fault.kind, round(fault.size)) == ("S1", SPIKE, 4)
    assert fault.evidence.startswith("2 readings")


def test_what_always_stands_for_days_is_not_stuck() -> None:
    flow = np.abs(noisy(20)) * 0.001
    flow[: 15 * 96, 2] = 0.0  # a pump that stood for the first fortnight stands again
    flow[18 * 96 :, 2] = 0.0
    record = record_of(flow, "flow")
    cleaner = cleaner_of(record)
    cleaner.clean(record)
    assert [f.kind for f in cleaner.finish(record.end)] == []


def test_a_coarser_unit_does_not_stand_still() -> None:
    """In bar two decimals are ten centimetres: the same reading comes for hours."""
    values = np.round(noisy(14), 2)
    values[10 * 96 :, 0] = np.round(0.0980665 * values[10 * 96 :, 0], 1)
    record = record_of(values)
    cleaner = cleaner_of(record)
    clean = cleaner.clean(record).pressure["S0"].to_numpy()
    assert [(f.element, f.kind) for f in cleaner.finish(record.end)] == [("S0", UNIT)]
    assert np.isfinite(clean[10 * 96 :]).mean() > 0.9


def test_two_equal_readings_beside_a_gap_do_not_stand_still() -> None:
    values = noisy(12)
    values[1000:1040, 0] = np.nan
    values[1040, 0] = values[999, 0]
    record = record_of(values)
    cleaner = cleaner_of(record)
    cleaner.clean(record)
    assert cleaner.finish(record.end) == []


def test_a_gap_across_two_records_ends_in_the_second() -> None:
    values = noisy(20)
    values[10 * 96 : 14 * 96, 0] = np.nan
    record = record_of(values)
    cleaner = cleaner_of(record)
    cleaner.clean(record.between(START, START + 12 * BLOCK))
    cleaner.clean(record.between(START + 12 * BLOCK, record.end + BLOCK))
    ended = [f for f in cleaner.finish(record.end) if f.kind == GAP]
    assert [f.element for f in ended] == ["S0"] * len(ended)
    assert ended[-1].until == START + 14 * BLOCK


def test_standing_still_is_known_only_once_it_was_seen() -> None:
    """The hours before midnight keep their readings: when that block ended nobody knew."""
    values = noisy(12)
    begin = 9 * 96 + 92
    values[begin : begin + 50, 0] = values[begin, 0]
    record = record_of(values)
    cleaner = cleaner_of(record)
    clean = cleaner.clean(record).pressure["S0"].to_numpy()
    assert np.flatnonzero(np.isnan(clean)).tolist() == list(range(10 * 96, begin + 50))
    (fault,) = cleaner.finish(record.end)
    assert (fault.kind, fault.told) == (STUCK, START + 11 * BLOCK)


def test_a_late_clock_is_put_back_without_looking_ahead() -> None:
    chance = np.random.default_rng(5)
    hours = np.arange(10 * 24)
    expected = 40.0 + np.sin(2 * np.pi * hours / 24.0)[:, None] + 0.3 * np.sin(2 * np.pi * hours / 7.0)[:, None]
    measured = expected + chance.normal(0.0, 0.02, expected.shape)
    measured[100:] = np.roll(measured, 2, axis=0)[100:]
    times = pd.date_range(START, periods=len(hours), freq="1h")
    clocks = Clocks(["S0"], 1, [], pd.Timedelta("1h"), 24)
    found = clocks.retimed(measured, expected, times)
    (fault,) = clocks.faults
    assert fault.size == 7200.0
    assert abs(fault.since - times[100]) <= pd.Timedelta("3h")
    last = slice(-24, None)
    assert np.isnan(found[last]).sum() == 2  # the last two hours are stamped tomorrow
    assert np.nanmax(np.abs(found[last] - expected[last])) < 0.1
    cut = Clocks(["S0"], 1, [], pd.Timedelta("1h"), 24).retimed(measured[: 8 * 24], expected[: 8 * 24], times[: 8 * 24])
    np.testing.assert_array_equal(cut, found[: 8 * 24])


@pytest.fixture
def tank_town(tmp_path: Path) -> Path:
    path = tmp_path / "tank.inp"
    path.write_text(
        "[JUNCTIONS]\nJ1 10 5\nJ2 10 5\n[RESERVOIRS]\nR1 60\n[TANKS]\nT1 30 3 0 6 20 0\n[PIPES]\n"
        "IN R1 J1 300 200 120 0 Open\nP1 J1 J2 300 200 120 0 Open\nP2 J2 T1 100 200 120 0 Open\n"
        "[OPTIONS]\nUnits LPS\nHeadloss H-W\n[END]\n"
    )
    return path


def test_gaps_of_what_drives_are_bridged_by_what_is_known(tank_town: Path) -> None:
    chance = np.random.default_rng(7)
    n = 40 * 24
    times = pd.date_range(START, periods=n, freq="1h")
    hour = np.arange(n)
    take = 0.010 * (1.0 + 0.4 * np.sin(2 * np.pi * hour / 24.0)) * (1.0 + chance.normal(0.0, 0.02, n))
    level, flow = np.empty(n), np.empty(n)
    now, is_on = 3.0, True
    for k in range(n):
        is_on = now < 4.5 if is_on else now < 2.0
        flow[k] = 0.025 if is_on else 0.004
        level[k] = now + 0.5 * (flow[k] - take[k]) * 3600.0 / (np.pi * 100.0)
        now += (flow[k] - take[k]) * 3600.0 / (np.pi * 100.0)
    whole = Record(
        flow=pd.DataFrame({"IN": flow}, index=times), level=pd.DataFrame({"T1": level}, index=times),
        pressure=pd.DataFrame({"J2": 40.0 - take * 100.0}, index=times),
    )  # fmt: skip
    lost_flow, lost_level = slice(35 * 24 + 5, 35 * 24 + 11), slice(37 * 24 + 6, 37 * 24 + 14)
    poor = Record(whole.pressure, whole.flow.copy(), whole.level.copy())
    poor.flow.iloc[lost_flow] = np.nan
    poor.level.iloc[lost_level] = np.nan
    model = DrivenModel(tank_town, whole)
    try:
        bridged = Bridge(model, pd.Timedelta("1h"), 24).bridged(poor, times)
    finally:
        model.close()
    np.testing.assert_array_equal(np.flatnonzero(bridged.flow[:, 0]), np.arange(lost_flow.start, lost_flow.stop))
    found = bridged.record.flow["IN"].to_numpy()[lost_flow]
    assert np.abs(found - flow[lost_flow]).mean() < 0.15 * np.ptp(flow)
    assert np.abs(bridged.record.level["T1"].to_numpy()[lost_level] - level[lost_level]).max() < 0.1
    seen = ~bridged.flow[:, 0]
    np.testing.assert_array_equal(bridged.record.flow["IN"].to_numpy()[seen], flow[seen])


def test_half_a_day_has_the_whole_days_mean() -> None:
    chance = np.random.default_rng(8)
    course = np.sin(2 * np.pi * np.arange(24) / 24.0)
    residual = np.tile(course, 20)[:, None] + chance.normal(0.0, 0.02, (480, 1))
    residual[18 * 24 : 18 * 24 + 11] = np.nan
    even = evened(residual, 24)
    assert abs(np.nanmean(residual[18 * 24 : 19 * 24])) > 0.3
    assert abs(np.nanmean(even[18 * 24 : 19 * 24])) < 0.03
    others = np.r_[0 : 18 * 24, 19 * 24 : 480]
    np.testing.assert_array_equal(even[others], residual[others])


def test_channels_that_miss_days_by_turns_still_teach() -> None:
    chance = np.random.default_rng(9)
    truth = np.diag([1.0, 4.0, 9.0]) * 1e-4
    truth[0, 1] = truth[1, 0] = 1.5e-4
    guess = Noise(np.diag([2.0, 2.0, 2.0]) * 1e-4, np.eye(3) * 1e-4, 25.0)
    values = chance.multivariate_normal(np.zeros(3), truth, 3000)
    values[chance.random(values.shape) < 0.3] = np.nan
    learnt = learn(guess, values)
    np.testing.assert_allclose(np.diag(learnt.white), np.diag(truth), rtol=0.15)
    assert learnt.white[0, 1] == pytest.approx(1.5e-4, rel=0.25)
    assert np.linalg.eigvalsh(learnt.white).min() > 0.0


def test_a_muted_channel_weighs_nothing() -> None:
    noise = Noise(np.eye(3) * 1e-4 + 5e-5, np.eye(3) * 1e-5, 25.0)
    precision = np.linalg.inv(muted(noise, np.array([False, True, False])).white)
    np.testing.assert_allclose(
        precision[np.ix_([0, 2], [0, 2])], np.linalg.inv(noise.white[np.ix_([0, 2], [0, 2])]), rtol=1e-5
    )
    assert np.abs(precision[1]).max() < 1e-3
    assert muted(noise, np.zeros(3, dtype=bool)) is noise
