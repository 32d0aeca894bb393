"""A pilgrimage and a holiday are surges, a leak is flat: on the synthetic Uman's demand and on invented towns."""

import datetime as dt

import numpy as np
import pytest

from models.forecast import Event, Forecaster, Settings, SpecialDays, country_days, explain
from models.forecast.days import Days
from models.inflow_watch import InflowWatch
from networks.uman import demand
from tests.models.town import Floats, town

_MEAN = demand.CONSUMPTION_M3D / 86.4  # L/s
_LEAKAGE = 0.38 / 0.62 * _MEAN  # what the city loses day and night
_PILGRIMS = demand.PILGRIMS_M3D / 86.4
_FIRST = dt.date(2025, 7, 7)  # a Monday
_FEAST = dt.date(2025, 9, 11)  # as the model of Uman has it


def _uman(n_days: int, seed: int, share: float, pilgrims: bool = True) -> Days:
    """Inflow of a block that takes `share` of Uman's water and all of its pilgrims, L/s."""
    random = np.random.default_rng(seed)
    dates = tuple(_FIRST + dt.timedelta(days=k) for k in range(n_days))
    kinds = {"residential": 0.76, "commercial": 0.13, "industrial": 0.11}
    week = sum(part * np.array(demand.week(kind)) for kind, part in kinds.items())
    guests = np.array(demand.week("pilgrimage"))
    values = np.empty((n_days, 24, 1))
    for k, date in enumerate(dates):
        hours = slice(24 * date.weekday(), 24 * date.weekday() + 24)
        people = share * _MEAN * week[hours] * demand.season(date) * random.lognormal(0.0, 0.02)
        if pilgrims:
            people = people + _PILGRIMS * demand.pilgrimage(date) * guests[hours]
        values[k, :, 0] = people * random.lognormal(0.0, 0.04, 24) + share * _LEAKAGE
    return Days(dates, values, ("sofiivka",))


def _excess(days: Days, begin: dt.date, n: int, extra: Floats | float = 0.0) -> tuple[Floats, Floats, Floats]:
    """Residual and shape of some days by the forecast of the evening before them, and the usual spread."""
    forecaster = Forecaster(days.channels)
    at = days.dates.index(begin)
    for k in range(at):
        forecaster.step(days.dates[k], days.values[k])
    forecast = forecaster.forecast(n)
    residual = days.values[at : at + n] + extra - forecast.values
    return residual[:, :, 0], forecast.shape[:, :, 0], forecaster.spread()[0]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("share", [0.10, 0.25])
def test_pilgrimage_is_a_surge(seed: int, share: float) -> None:
    days = _uman(73, seed, share)
    event = Event("pilgrimage", "09-11", 8)
    said = explain(*_excess(days, _FEAST, 6), name=event.name, night_share=event.night_share)
    assert said.kind == "surge"
    assert said.probability < 0.5
    assert said.gain > 5.0 * said.gain_deviation
    assert said.name == "pilgrimage"


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("share", [0.10, 0.25])
def test_leak_of_the_same_volume_is_flat(seed: int, share: float) -> None:
    days = _uman(73, seed, share, pilgrims=False)
    leak = _PILGRIMS * np.array([demand.pilgrimage(_FEAST + dt.timedelta(days=k)) for k in range(6)]).mean()
    residual, shape, spread = _excess(days, _FEAST, 6, leak)
    said = explain(residual, shape, spread)
    assert explain(residual, shape, spread, "pilgrimage", 2.0 / 3.0).kind == "leak"  # even where guests are expected
    assert said.kind == "leak"
    assert said.probability > 0.95
    assert said.flat == pytest.approx(leak, rel=0.25)


def test_usual_days_are_usual() -> None:
    days = _uman(90, 4, 0.25, pilgrims=False)
    forecaster, kinds = Forecaster(days.channels), []
    for k, date in enumerate(days.dates[:-3]):
        if k > 50 and k % 3 == 0:
            ahead = forecaster.forecast(3)
            residual = days.values[k : k + 3] - ahead.values
            kinds.append(explain(residual[:, :, 0], ahead.shape[:, :, 0], forecaster.spread()[0]).kind)
        forecaster.step(date, days.values[k])
    assert kinds.count("usual") >= len(kinds) - 2


def test_less_demand_is_neither() -> None:
    days = town(80, 3)
    residual, shape, spread = _excess(days, days.dates[77], 3)
    assert explain(residual - 3.0 * shape, shape, spread).kind == "less"


def test_leak_in_a_surge_is_both() -> None:
    days = town(80, 4)
    residual, shape, spread = _excess(days, days.dates[77], 3)
    said = explain(residual + 3.0 + 3.0 * shape, shape, spread)
    assert said.kind == "both"
    assert said.is_leak
    assert said.flat == pytest.approx(3.0, abs=0.8)


def test_nothing_seen_is_usual() -> None:
    nothing = np.full((2, 24), np.nan)
    said = explain(nothing, np.ones((2, 24)), np.eye(2))
    assert (said.kind, said.probability) == ("usual", 0.0)


@pytest.mark.parametrize("leak", [0.0, 12.0])
def test_watch_takes_no_guests_for_a_leak_but_finds_one_among_them(leak: float) -> None:
    special = SpecialDays(events=(Event("pilgrimage", "09-11", 8),))
    days = _uman(85, 5, 0.25)
    at = days.dates.index(_FEAST)
    days.values[at + 1 :] += leak
    watch = InflowWatch(days.channels, Settings(special=special))
    alarms = [a for k, d in enumerate(days.dates) for a in watch.step(d, days.values[k]) if d >= _FEAST]
    assert bool(alarms) == bool(leak)
    assert watch.known[0] == pytest.approx(leak, rel=0.25)
    if leak:
        assert alarms[0].kind == "leak"
        assert alarms[0].date <= days.dates[at + 9]  # while the guests are there, or as soon as they have left


def test_guests_that_nobody_has_named_do_raise_an_alarm() -> None:
    days = _uman(72, 5, 0.10)
    watch = InflowWatch(days.channels)
    alarms = [a for k, d in enumerate(days.dates) for a in watch.step(d, days.values[k]) if d >= _FEAST]
    assert alarms  # half of what they take is taken day and night: without the calendar it cannot be told


def test_watch_does_not_take_holidays_for_leaks() -> None:
    special = country_days("UA")
    days = town(130, 6, special=special)
    watch = InflowWatch(days.channels, Settings())  # not told of holidays
    holidays = [k for k, d in enumerate(days.dates) if special.holiday(d) is not None and d.weekday() < 5]
    assert len(holidays) >= 3
    alarms = [d for k, d in enumerate(days.dates) if watch.step(d, days.values[k])]
    assert not [d for d in alarms if special.holiday(d) is not None]
