"""Leaks from inflow alone, and the rules that ours is compared with."""

import copy
import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.errors import NotEnoughData
from models.excess import Excess, by_part, parts_of_day
from models.forecast import Settings
from models.inflow_watch import InflowAlarm, InflowWatch, Rules
from models.night_rule import night_flow_rule
from models.pairs import PressurePairs
from tests import naive
from tests.models.town import SPECIAL, Floats, profile, town

_SETTINGS = Settings(special=SPECIAL)
_MEAN = profile(0).mean()


def _watch(values: Floats, seed: int, n: int = 1, rules: Rules | None = None) -> tuple[InflowWatch, list[InflowAlarm]]:
    days = town(len(values), seed, n)
    watch = InflowWatch(days.channels, _SETTINGS, rules)
    return watch, [a for k, d in enumerate(days.dates) for a in watch.step(d, values[k])]


def test_step_is_found_the_next_day_with_its_size() -> None:
    days = town(100, 1)
    values = days.values.copy()
    values[80:] += 0.2 * _MEAN
    watch, alarms = _watch(values, 1)
    assert [a.kind for a in alarms] == ["leak"]
    assert alarms[0].date == days.dates[80]
    assert alarms[0].flow == pytest.approx(0.2 * _MEAN, rel=0.3)
    assert alarms[0].explanation.kind == "leak"
    assert watch.known[0] == pytest.approx(0.2 * _MEAN, rel=0.3)


def test_small_step_and_slow_growth_are_found_within_weeks() -> None:
    for grown in (np.ones(50), np.clip(np.arange(50) / 30.0, 0.0, 1.0)):
        days = town(130, 2)
        values = days.values.copy()
        values[80:] += 0.15 * _MEAN * grown[:, None, None]
        _, alarms = _watch(values, 2)
        found = [a for a in alarms if a.date >= days.dates[80]]
        assert found
        assert (found[0].date - days.dates[80]).days < 35


def test_quiet_months_are_quiet() -> None:
    values = town(150, 3, 2).values
    _, alarms = _watch(values, 3, 2)
    assert len(alarms) <= 1


def test_end_of_a_leak_is_recognised_and_nothing_is_taken_off_any_more() -> None:
    days = town(135, 4)
    values = days.values.copy()
    values[80:110] += 0.25 * _MEAN
    watch, alarms = _watch(values, 4)
    assert [a.kind for a in alarms] == ["leak", "ended"]
    assert abs((alarms[1].date - days.dates[110]).days) <= 3
    assert watch.known[0] == 0.0


def test_repair_that_was_told_is_believed() -> None:
    days = town(90, 5)
    values = days.values.copy()
    values[80:] += 0.25 * _MEAN
    watch, _ = _watch(values, 5)
    assert watch.known[0] > 0.0
    watch.repaired("D1")
    assert watch.known[0] == 0.0


def test_a_found_leak_is_not_learnt() -> None:
    days = town(105, 6)
    values = days.values.copy()
    values[80:] += 0.25 * _MEAN
    leaking, _ = _watch(values, 6)
    clean, _ = _watch(days.values, 6)
    change = (leaking.forecaster.forecast().values - clean.forecaster.forecast().values).mean()
    assert abs(change + leaking.known[0] - 0.25 * _MEAN) < 0.03 * _MEAN
    assert abs(change) < 0.1 * _MEAN


def test_peek_sees_the_leak_before_the_day_is_over_and_changes_nothing() -> None:
    days = town(81, 7)
    watch = InflowWatch(days.channels, _SETTINGS)
    for k in range(80):
        watch.step(days.dates[k], days.values[k])
    twin = copy.deepcopy(watch)
    today = days.values[80] + 0.3 * _MEAN
    today[9:] = np.nan
    assert np.nanmax(watch.peek(days.dates[80], today)) > 4.5
    calm = days.values[80].copy()
    calm[9:] = np.nan
    assert np.nanmax(watch.peek(days.dates[80], calm)) < 4.5
    np.testing.assert_array_equal(watch.forecaster.forecast().values, twin.forecaster.forecast().values)
    assert watch.step(days.dates[80], days.values[80]) == twin.step(days.dates[80], days.values[80])
    np.testing.assert_array_equal(watch.sigmas, twin.sigmas)


def test_abnormal_days_raise_nothing_and_gaps_do_no_harm() -> None:
    days = town(110, 8)
    watch = InflowWatch(days.channels, _SETTINGS)
    random = np.random.default_rng(8)
    alarms = []
    everything = np.ones((24, 1), dtype=bool)
    for k, date in enumerate(days.dates):
        values = np.where(random.uniform(size=(24, 1)) < 0.1, np.nan, days.values[k])
        if k in (60, 61, 62, 90):
            continue
        marked = 100 <= k < 103
        alarms += watch.step(date, values + 20.0 * marked, abnormal=everything if marked else None)
    assert not alarms


def test_excess_against_generalised_least_squares() -> None:
    random = np.random.default_rng(9)
    excess = Excess(1, 1, 8)
    root = random.normal(size=(8, 8))
    for _ in range(400):
        excess.learn((root @ random.normal(size=8))[None, None])
    surge = np.linspace(0.0, 2.0, 8)[None]
    new = random.normal(size=8) + 1.5
    sigmas, flow = excess.score(new[None, None], surge)
    usual = excess.usual.mean()[0, 0]
    whole = 0.8 * usual + 0.2 * np.diag(np.diag(usual)) + 0.01 * np.outer(surge[0], surge[0])
    one = np.ones(8)
    energy = one @ np.linalg.solve(whole, one)
    match = one @ np.linalg.solve(whole, new)
    assert flow[0, 0] == pytest.approx(match / energy, rel=1e-4)
    assert sigmas[0, 0] == pytest.approx(match / np.sqrt(energy), rel=1e-4)
    new[[2, 5]] = np.nan
    kept = np.isfinite(new)
    part = np.linalg.solve(whole[np.ix_(kept, kept)], np.stack([one[kept], new[kept]], axis=1))
    sigmas, _ = excess.score(new[None, None], surge)
    assert sigmas[0, 0] == pytest.approx(one[kept] @ part[:, 1] / np.sqrt(one[kept] @ part[:, 0]), rel=1e-3)
    assert np.isnan(excess.score(np.full((1, 1, 8), np.nan), surge)[0]).all()


def test_parts_of_a_day() -> None:
    assert [parts_of_day(n) for n in (24, 48, 96, 288, 7, 1)] == [8, 8, 8, 8, 7, 1]
    values = np.arange(48.0).reshape(24, 2)
    np.testing.assert_allclose(by_part(values)[1, 0], values[:3, 1].mean())


_flow = st.one_of(st.integers(0, 40).map(float), st.just(float("nan")))


@effort(deadline=None)
@given(
    arrays(np.float64, st.tuples(st.integers(0, 30), st.integers(1, 3)), elements=_flow),
    st.sampled_from([0.1, 0.2, 0.5]),
    st.integers(1, 5),
)
def test_night_flow_rule_against_its_twin(inflow: Floats, share: float, window: int) -> None:
    assert night_flow_rule(inflow, share, window).tolist() == naive.night_flow_rule(inflow, share, window)


def test_pressure_pairs_find_the_sensor_near_the_leak() -> None:
    random = np.random.default_rng(10)
    n = 600
    flow = 30.0 + 10.0 * np.sin(np.arange(n) / 8.0) + random.normal(0.0, 0.5, n)
    source = 60.0 + random.normal(0.0, 0.5, n)
    loss = np.array([0.002, 0.004, 0.006, 0.008])
    pressure = source[:, None] - loss * flow[:, None] ** 1.852 + random.normal(0.0, 0.02, (n, 4))
    pressure[400:, 2] -= 0.5
    pairs = PressurePairs.fit(pressure[:300], flow[:300])
    alarms = pairs.alarms(pressure, flow)
    assert not alarms[:400].any()
    assert alarms[400:410, 2].any()
    assert alarms[500:].mean(axis=0).argmax() == 2
    gap = pressure.copy()
    gap[420:430] = np.nan
    assert pairs.alarms(gap, flow)[425:430, 2].all()  # stays as it was


def test_pressure_pairs_need_two_sensors() -> None:
    with pytest.raises(NotEnoughData, match="two sensors"):
        PressurePairs.fit(np.ones((50, 1)), np.ones(50))


def test_first_days_raise_nothing() -> None:
    watch = InflowWatch(("D1",), _SETTINGS)
    random = np.random.default_rng(11)
    for k in range(20):
        assert watch.step(dt.date(2025, 1, 1) + dt.timedelta(days=k), random.uniform(0.0, 90.0, (24, 1))) == []


@pytest.mark.parametrize("slots", [24, 96])
def test_strange_channels_do_no_harm(slots: int) -> None:
    random = np.random.default_rng(12)
    watch = InflowWatch(("shut", "constant", "silent", "backward"), Settings(slots=slots))
    alarms = []
    for k in range(45):
        backward = -10.0 + np.sin(np.arange(slots)) + random.normal(0.0, 0.1, slots)
        day = np.column_stack([np.full(slots, k >= 40), np.full(slots, 5.0), np.full(slots, np.nan), backward])
        alarms += watch.step(dt.date(2025, 1, 1) + dt.timedelta(days=k), day.astype(float))
    assert [(a.channel, a.kind) for a in alarms] == [("shut", "leak")]
    finite = np.isfinite(watch.forecaster.forecast().values).all(axis=(0, 1))
    assert finite.tolist() == [True, True, False, True]
