"""The forecaster: accuracy, what it learns from and what not, its band, its state."""

import copy
import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.errors import NotEnoughData, WrongRule
from models.forecast import (
    Abnormal,
    Event,
    Forecaster,
    Settings,
    SpecialDays,
    Stream,
    country_days,
    restore,
    save,
    to_days,
)
from models.forecast.parts import Fading, flat_and_gain, median_of_seen, shape_of
from tests.models.town import FIRST, SPECIAL, profile, town

_SETTINGS = Settings(special=SPECIAL)


def _learnt(n_days: int = 70, seed: int = 1, n: int = 1, settings: Settings = _SETTINGS) -> Forecaster:
    forecaster = Forecaster([f"D{k + 1}" for k in range(n)], settings)
    forecaster.learn(town(n_days, seed, n))
    return forecaster


def test_beats_the_week_before_by_far() -> None:
    days = town(133, 2, 3)
    forecaster = Forecaster(days.channels, _SETTINGS)
    ours, naive = [], []
    for k, date in enumerate(days.dates[:126]):
        if k >= 63 and date.weekday() == 0:
            ours.append(np.abs(forecaster.forecast().values - days.values[k : k + 7]).mean())
            naive.append(np.abs(days.values[k - 7 : k] - days.values[k : k + 7]).mean())
        forecaster.step(date, days.values[k])
    assert np.mean(ours) < 0.8 * np.mean(naive)


def test_holiday_is_forecast_as_a_sunday() -> None:
    forecaster = _learnt(105)  # until 20 April 2025, Easter; the Monday after is a holiday
    forecast = forecaster.forecast(2)
    monday, tuesday = forecast.values[0, :, 0], forecast.values[1, :, 0]
    assert np.abs(monday - profile(6)).mean() < 0.5 * np.abs(monday - profile(0)).mean()
    assert np.abs(tuesday - profile(1)).mean() < 0.5 * np.abs(tuesday - profile(6)).mean()


def test_band_holds_what_it_says() -> None:
    days = town(140, 3, 2)
    forecaster = Forecaster(days.channels, _SETTINGS)
    inner, outer = [], []
    for k, date in enumerate(days.dates):
        if k > 80:
            forecast, y = forecaster.forecast(1), days.values[k]
            outer.append((y > forecast.band[0, 0]) & (y < forecast.band[3, 0]))
            inner.append((y > forecast.band[1, 0]) & (y < forecast.band[2, 0]))
        forecaster.step(date, days.values[k])
    assert 0.84 < np.mean(outer) < 0.94
    assert 0.44 < np.mean(inner) < 0.56


def test_marked_burst_changes_nothing() -> None:
    days = town(84, 4)
    abnormal = np.zeros((24, 1), dtype=bool)
    abnormal[9:20] = True
    forecasts = []
    for burst in (0.0, 30.0, -4.0):
        forecaster = Forecaster(days.channels, _SETTINGS)
        for k, date in enumerate(days.dates):
            in_burst = k in (70, 71, 72)
            values = days.values[k] + burst * abnormal if in_burst else days.values[k]
            forecaster.step(date, values, abnormal=abnormal if in_burst else None)
        forecasts.append(forecaster.forecast())
    for other in forecasts[1:]:
        np.testing.assert_array_equal(forecasts[0].values, other.values)
        np.testing.assert_array_equal(forecasts[0].band, other.band)


def test_marked_month_leaves_the_forecast_where_it_was() -> None:
    days = town(119, 5, noise=0.02)
    forecaster = Forecaster(days.channels, _SETTINGS)
    everything = np.ones((24, 1), dtype=bool)
    for k, date in enumerate(days.dates[:112]):
        leaking = k >= 84
        forecaster.step(date, days.values[k] + 3.0 * leaking, abnormal=everything if leaking else None)
    assert np.abs(forecaster.forecast().values - days.values[112:119]).mean() < 0.06 * days.values.mean()


def test_unmarked_month_of_leak_moves_the_held_forecast_little_and_the_shape_not() -> None:
    days = town(130, 6)
    leak = 2.0
    clean, leaking = Forecaster(days.channels, _SETTINGS), Forecaster(days.channels, _SETTINGS)
    for k, date in enumerate(days.dates[:120]):
        clean.step(date, days.values[k])
        leaking.step(date, days.values[k] + leak * (k >= 90))
    followed = (leaking.forecast().values - clean.forecast().values).mean()
    held = (leaking.forecast(hold_night=True).values - clean.forecast(hold_night=True).values).mean()
    assert followed == pytest.approx(leak, rel=0.25)  # the next week's inflow will have it
    assert abs(held) < 0.15 * leak
    shape = [f.values - f.values.min(axis=1, keepdims=True) for f in (leaking.forecast(), clean.forecast())]
    assert np.abs(shape[0] - shape[1]).mean() < 0.1 * leak


def test_one_wild_reading_moves_little() -> None:
    calm, wild = _learnt(), _learnt()
    days = town(71, 1)
    values = days.values[70].copy()
    calm.step(days.dates[70], values)
    values[12] = 1e6
    wild.step(days.dates[70], values)
    assert np.abs(calm.forecast().values - wild.forecast().values).max() < 2.0


def test_event_is_not_learnt_as_usual_but_expected_the_next_time() -> None:
    special = SpecialDays(events=(Event("fair", "2025-03-20", 3), Event("fair", "2025-05-15", 3)))
    days = town(140, 7, special=special)
    fair = [k for k, d in enumerate(days.dates) if special.event(d) is not None]
    surge = 0.3 * shape_of(profile(3)[:, None]) * profile(3).mean()
    days.values[fair] += surge
    settings = Settings(special=special)
    forecaster, before = Forecaster(days.channels, settings), None
    for k, date in enumerate(days.dates[: fair[3]]):
        if k == fair[0]:
            before = forecaster.forecast(3)
        forecaster.step(date, days.values[k])
    assert before is not None
    assert (days.values[fair[0]] - before.values[0]).mean() > 0.2 * profile(3).mean()  # the first comes as a surprise
    error = days.values[fair[3:]] - forecaster.forecast(3).values
    assert np.abs(error.mean()) < 0.05 * profile(3).mean()


def test_weather_is_learnt_where_it_is_given() -> None:
    random = np.random.default_rng(8)
    days = town(100, 8, noise=0.02)
    warm = random.normal(20.0, 5.0, (100, 1))
    values = days.values + 0.03 * (warm - 20.0)[:, :, None] * shape_of(profile(0)[:, None]) * 10.0
    errors = []
    for n_weather in (0, 1):
        forecaster = Forecaster(days.channels, Settings(special=SPECIAL, n_weather=n_weather))
        error = []
        for k, date in enumerate(days.dates):
            given = warm[k] if n_weather else None
            if k > 75:
                ahead = forecaster.forecast(1, None if given is None else given[None])
                error.append(np.abs(ahead.values[0] - values[k]).mean())
            forecaster.step(date, values[k], given)
        errors.append(np.mean(error))
    assert errors[1] < 0.6 * errors[0]


def test_pressures_are_forecast_too() -> None:
    days = town(100, 9)
    pressure = 60.0 - 0.02 * days.values**1.85
    forecaster = Forecaster(("P1",), _SETTINGS)
    for k, date in enumerate(days.dates[:93]):
        forecaster.step(date, pressure[k])
    error = np.abs(forecaster.forecast().values - pressure[93:100]).mean()
    assert error < 0.2 * pressure.std()


def test_gaps_and_missing_days() -> None:
    days = town(90, 10)
    random = np.random.default_rng(10)
    values = np.where(random.uniform(size=days.values.shape) < 0.1, np.nan, days.values)
    forecaster = Forecaster(days.channels, _SETTINGS)
    for k, date in enumerate(days.dates[:83]):
        if k not in (40, 41, 42, 77):
            forecaster.step(date, values[k])
    assert forecaster.last == days.dates[82]
    assert np.abs(forecaster.forecast().values - days.values[83:90]).mean() < 0.1 * days.values.mean()


def test_first_days() -> None:
    forecaster = Forecaster(("D1",), _SETTINGS)
    with pytest.raises(NotEnoughData, match="nothing has been learnt"):
        forecaster.forecast()
    days = town(3, 11)
    forecaster.step(days.dates[0], days.values[0])
    forecast = forecaster.forecast()
    np.testing.assert_allclose(forecast.values[0], days.values[0])  # all that is known
    assert np.isnan(forecast.band).all()
    with pytest.raises(WrongRule, match="not after"):
        forecaster.step(days.dates[0], days.values[0])
    with pytest.raises(WrongRule, match="slots, channels"):
        forecaster.step(days.dates[1], np.zeros((96, 1)))
    with pytest.raises(WrongRule, match="1 to 7"):
        forecaster.forecast(8)


def test_state_survives_a_file(tmp_path: Path) -> None:
    special = SpecialDays(events=(Event("fair", "2025-02-10", 2),))
    settings = Settings(special=special)
    forecaster = _learnt(60, 12, 2, settings)
    save(forecaster, tmp_path / "state.npz")
    again = restore(tmp_path / "state.npz", settings)
    rest = town(70, 12, 2)
    for one in (forecaster, again):
        for k in range(60, 70):
            one.step(rest.dates[k], rest.values[k])
    for hold in (False, True):
        a, b = forecaster.forecast(hold_night=hold), again.forecast(hold_night=hold)
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.band, b.band)
    np.testing.assert_array_equal(forecaster.spread(), again.spread())
    assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]


def test_state_of_other_settings_is_refused(tmp_path: Path) -> None:
    save(_learnt(10), tmp_path / "state.npz")
    with pytest.raises(WrongRule, match="other settings"):
        restore(tmp_path / "state.npz", Settings(slots=96))
    (tmp_path / "state.npz").write_bytes(b"no")
    with pytest.raises(WrongRule, match="no saved forecast"):
        restore(tmp_path / "state.npz")


def test_stream_is_the_same_as_whole_days() -> None:
    days = town(30, 13, 2)
    whole, stream = Forecaster(days.channels, _SETTINGS), Stream(Forecaster(days.channels, _SETTINGS), "Europe/Kyiv")
    times = pd.date_range(FIRST, periods=30 * 24 * 4, freq="15min", tz="Europe/Kyiv").tz_convert("UTC")
    rows = days.values.reshape(-1, 2).repeat(4, axis=0)
    for k, (time, row) in enumerate(zip(times, rows, strict=True)):
        expected = stream.take(time, row)
        if k % 96 == 0 and k > 0:
            whole.step(days.dates[k // 96 - 1], days.values[k // 96 - 1])
            np.testing.assert_allclose(expected.value, whole.forecast(1).values[0, 0])
            np.testing.assert_allclose(expected.residual, row - expected.value)
    stream.close_day()
    whole.step(days.dates[29], days.values[29])
    np.testing.assert_allclose(stream.forecaster.forecast().values, whole.forecast().values)
    assert [s.date for s in stream.scores] == list(days.dates)
    with pytest.raises(WrongRule, match="in order"):
        stream.take(times[0], rows[0])


def test_stream_does_not_learn_what_is_called_abnormal() -> None:
    days = town(20, 14)
    streams = [Stream(Forecaster(days.channels, _SETTINGS)) for _ in range(2)]
    for k, date in enumerate(days.dates):
        for hour in range(24):
            time = pd.Timestamp(date) + pd.Timedelta(hours=hour)
            bad = k == 15 and 8 <= hour < 12
            for extra, stream in zip((0.0, 50.0), streams, strict=True):
                stream.take(time, days.values[k, hour] + extra * bad, np.array([bad]))
    for stream in streams:
        stream.close_day()
    a, b = (s.forecaster.forecast().values for s in streams)
    np.testing.assert_array_equal(a, b)


def test_clock_changes_and_abnormal_times() -> None:
    index = pd.date_range("2025-03-29 22:00", "2025-03-31 21:00", freq="h", tz="UTC", inclusive="left")
    table = pd.DataFrame({"a": np.arange(float(len(index))), "b": 1.0}, index=index)
    span = Abnormal(index[5], index[7], "a")
    days = to_days(table, "Europe/Kyiv", abnormal=(span,))
    assert days.dates == (dt.date(2025, 3, 30), dt.date(2025, 3, 31))
    assert np.flatnonzero(np.isnan(days.values[0, :, 1])).tolist() == [3]  # 03:00 is left out
    assert np.flatnonzero(np.isnan(days.values[0, :, 0])).tolist() == [3, 6, 7]
    back = pd.date_range("2025-10-25 21:00", periods=25, freq="h", tz="UTC")
    both = to_days(pd.DataFrame({"a": np.arange(25.0)}, index=back), "Europe/Kyiv")
    assert both.values[0, :5, 0].tolist() == [0.0, 1.0, 2.0, 3.5, 5.0]  # 03:00 came twice
    with pytest.raises(WrongRule, match="no such column"):
        to_days(table, "Europe/Kyiv", abnormal=(Abnormal(index[0], index[1], "c"),))
    with pytest.raises(NotEnoughData):
        to_days(table.iloc[:0])


def test_flat_and_gain_tell_leak_and_people_apart() -> None:
    random = np.random.default_rng(15)
    shape = shape_of(np.stack([profile(0), profile(6)], axis=1))
    assert shape.min() == 0.0
    np.testing.assert_allclose(shape.mean(axis=0), 1.0)
    residual = np.array([2.0, 0.5]) + np.array([0.3, 3.0]) * shape + random.normal(0.0, 0.2, (24, 2))
    residual[5] = 90.0  # one wild reading
    residual[6] = np.nan
    flat, gain = flat_and_gain(residual, shape)
    np.testing.assert_allclose(flat, [2.0, 0.5], atol=0.5)
    np.testing.assert_allclose(gain, [0.3, 3.0], atol=0.5)
    residual[:13] = np.nan
    assert np.isnan(flat_and_gain(residual, shape)[0]).all()


def test_fading_mean_and_median_against_numpy() -> None:
    random = np.random.default_rng(16)
    values = np.where(random.uniform(size=(50, 3)) < 0.3, np.nan, random.normal(size=(50, 3)))
    fading = Fading((3,), 5.0)
    for row in values:
        fading.add(row)
    for c in range(3):
        seen = values[np.isfinite(values[:, c]), c]
        weight = 0.5 ** (np.arange(len(seen))[::-1] / 5.0)
        assert fading.mean()[c] == pytest.approx(np.average(seen, weights=weight))
    np.testing.assert_allclose(median_of_seen(values), np.nanmedian(values, axis=0))
    assert np.isnan(median_of_seen(np.full((4, 2), np.nan))).all()


def test_copies_do_not_share_anything() -> None:
    one = _learnt(40)
    before = one.forecast().values
    other = copy.deepcopy(one)
    days = town(50, 1)
    for k in range(40, 50):
        other.step(days.dates[k], days.values[k] * 2.0)
    np.testing.assert_array_equal(one.forecast().values, before)


def test_italian_battle_calendar_has_the_citys_saint_only_where_told() -> None:
    assert country_days("IT").kind(dt.date(2022, 11, 1)) == 6
