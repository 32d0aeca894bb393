"""Night flow and volumes of meters: worked examples, laws, and what is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.balance_indicators import System
from models.dmabalance import DmaInput, Night, dma_balance
from models.inflow import usual_day, volume_of_flow, volume_of_total
from models.nightflow import (
    NightUse,
    daily_loss,
    favad,
    n1_of_favad,
    n1_of_pressures,
    night_day_factor,
    night_lines,
    typical_night,
    zone_pressure,
)
from models.uncertain import Lack, Uncertain, exact, stated

HOUR_S, DAY_S = 3_600.0, 86_400.0
SHAPE = 1.0 - 0.6 * np.cos(2 * np.pi * (np.arange(96) / 96 - 0.125))  # least at 3 o'clock


def slow_line(day: np.ndarray) -> float:
    """The obvious twin: every four readings in a row, by hand."""
    if np.isfinite(day).sum() < 92:
        return float("nan")
    sums = [sum(day[k : k + 4]) / 4 for k in range(93)]
    return min(s for s in sums if s == s)


def test_the_night_line_is_the_least_mean_of_an_hour() -> None:
    random = np.random.default_rng(2)
    days = SHAPE * random.uniform(0.9, 1.1, (40, 96))
    days[3, 10:13] = np.nan  # 93 are left
    days[4, 60:65] = np.nan  # 91 are left
    found = night_lines(days)
    assert found.flow == pytest.approx([slow_line(day) for day in days], nan_ok=True)
    assert found.valid == 39
    assert np.isnan(found.flow[4])
    assert found.place[4] == -1
    assert all(4 <= place <= 20 for place in np.delete(found.place, 4))
    with pytest.raises(ValueError, match="96 quarters"):
        night_lines(np.ones((2, 48)))


def test_limits_of_a_typical_night_hold() -> None:
    held, random = [], np.random.default_rng(4)
    for _ in range(400):
        gain = 1.0 + random.normal(0.0, 0.02 / 1.96)
        nights = night_lines(np.ones((14, 96)) * gain * random.normal(10.0, 0.5, (14, 1)))
        typical = typical_night(nights, 0.02, "m")
        assert typical is not None
        held.append(typical.covers(10.0))
    assert np.mean(held) > 0.9
    assert typical_night(night_lines(np.full((2, 96), np.nan)), 0.02, "m") is None


def test_the_worked_night() -> None:
    use = NightUse(people=exact(2_880.0), active=exact(0.06), each=exact(0.010 / HOUR_S))
    assert use.flow.value * HOUR_S == pytest.approx(1.728)
    pressure = np.array([50.0] * 8 + [40.0] * 16)
    factor = night_day_factor(pressure, 50.0, exact(1.0))
    assert factor.value == pytest.approx(20.8)
    loss = daily_loss(exact(12.0 / HOUR_S), use.flow, factor)
    assert loss.value * DAY_S == pytest.approx(213.66, abs=0.01)


def test_the_factor_is_24_where_pressure_stands_still_and_knows_the_error_of_n1() -> None:
    assert night_day_factor(np.full(24, 33.0), 33.0, stated("n1", 1.1, 0.4)).half == pytest.approx(0.0)
    pressure = np.array([50.0] * 6 + [35.0] * 18)
    found = night_day_factor(pressure, 50.0, stated("n1", 1.0, 0.1))
    ends = [night_day_factor(pressure, 50.0, exact(n1)).value for n1 in (0.9, 1.1)]
    assert found.half == pytest.approx(abs(ends[1] - ends[0]) / 2, rel=0.01)
    with pytest.raises(ValueError, match="above 0 m"):
        night_day_factor(np.zeros(24), 33.0, exact(1.0))


def test_use_by_person_and_by_property_never_mix() -> None:
    one = exact(1.0)
    with pytest.raises(ValueError, match="by person and by property"):
        NightUse(people=one, active=one, each=one, properties=one, per_property=one)
    with pytest.raises(ValueError, match="together"):
        NightUse(people=one)
    with pytest.raises(ValueError, match="needs people"):
        NightUse()
    both = NightUse(
        properties=exact(100.0), per_property=exact(2.0), others=exact(5.0), per_other=exact(7.0), large=one
    )
    assert both.flow.value == 236.0


@given(st.floats(0.3, 1.6), st.floats(1e-4, 1.0))
def test_n1_of_pressures_undoes_a_power(n1: float, scale: float) -> None:
    pressure = np.array([50.0, 45.0, 38.0, 30.0])
    assert n1_of_pressures(pressure, scale * pressure**n1) == pytest.approx(n1, abs=1e-9)


def test_n1_of_the_worked_step_and_of_favad() -> None:
    assert n1_of_pressures(np.array([50.0, 40.0]), np.array([10.0, 8.37])) == pytest.approx(0.797, abs=1e-3)
    assert n1_of_favad(40.0, 1e-4, 1.5e-6) == pytest.approx(0.875)
    assert float(favad(40.0, 1e-4, 1.5e-6)) == pytest.approx(2.689e-3, rel=1e-3)
    near = np.array([39.99, 40.01])
    assert n1_of_pressures(near, favad(near, 1e-4, 1.5e-6)) == pytest.approx(0.875, abs=1e-6)
    assert (n1_of_favad(40.0, 1e-4, 0.0), n1_of_favad(40.0, 0.0, 1e-6)) == (0.5, 1.5)
    with pytest.raises(ValueError, match="two or more different"):
        n1_of_pressures(np.array([40.0, 40.0]), np.array([1.0, 1.0]))


def test_the_zone_point_weighs_nodes_by_connections() -> None:
    assert zone_pressure(np.array([[30.0, 60.0]]), np.array([2.0, 1.0])).tolist() == [40.0]


# meters ---------------------------------------------------------------------------------------------------------------

WEEK_H = 168
FLOW = 0.01 * (1.0 + 0.5 * np.sin(2 * np.pi * np.arange(WEEK_H) / 24))


def test_a_flow_read_all_the_time_is_its_sum() -> None:
    found = volume_of_flow(FLOW, 0.0, WEEK_H * HOUR_S, 0.01, "m")
    assert found.volume is not None
    assert found.volume.value == pytest.approx(FLOW.sum() * HOUR_S)
    assert found.volume.sd == pytest.approx(0.01 * found.volume.value)
    assert (found.coverage, found.is_total) == (1.0, False)


def test_gaps_are_filled_by_their_hours_and_widen_limits() -> None:
    random = np.random.default_rng(6)
    held = []
    for _ in range(300):
        true = FLOW * (1.0 + 0.08 * random.standard_normal(7).repeat(24))
        seen = true.copy()
        first = int(random.integers(0, WEEK_H - 40))
        seen[first : first + 36] = np.nan
        found = volume_of_flow(seen, 0.0, WEEK_H * HOUR_S, 0.0, "m")
        assert found.coverage == pytest.approx((WEEK_H - 36) / WEEK_H)
        assert found.volume is not None
        held.append(found.volume.covers(float(true.sum() * HOUR_S)))
    assert np.mean(held) >= 0.9
    steady = volume_of_flow(np.where(np.arange(WEEK_H) % 24 == 5, np.nan, FLOW), 0.0, WEEK_H * HOUR_S, 0.0, "m")
    assert steady.volume is not None  # an hour that is never read is the mean's
    assert steady.coverage == pytest.approx(23 / 24)


def test_half_a_period_is_too_little() -> None:
    seen = FLOW.copy()
    seen[: WEEK_H // 2 + 1] = np.nan
    found = volume_of_flow(seen, 0.0, WEEK_H * HOUR_S, 0.01, "m")
    assert found.volume is None
    assert found.coverage < 0.5


def test_a_totaliser_counts_while_nobody_reads_it() -> None:
    times = np.array([0.0, 10.0, 160.0, 168.0]) * HOUR_S
    totals = np.concatenate([[0.0], np.cumsum(FLOW) * HOUR_S])[[0, 10, 160, 168]]
    found = volume_of_total(times, totals, 0.0, WEEK_H * HOUR_S, np.full(WEEK_H, np.nan), None, 0.01, "m")
    assert found.volume is not None
    assert found.volume.value == pytest.approx(FLOW.sum() * HOUR_S)
    assert (found.coverage, found.is_total) == (1.0, True)


def test_a_totaliser_wraps_and_is_exchanged() -> None:
    end = 100 * HOUR_S
    times = np.arange(101) * HOUR_S
    hourly = np.full(100, 1.0 / HOUR_S)
    wrapped = np.mod(np.arange(101) + 950.0, 1_000.0)
    found = volume_of_total(times, wrapped, 0.0, end, hourly, 1_000.0, 0.0, "m")
    assert found.volume is not None
    assert (found.volume.value, found.coverage) == (pytest.approx(100.0), 1.0)
    exchanged = np.concatenate([np.arange(51) + 5_000.0, np.arange(50)])
    found = volume_of_total(times, exchanged, 0.0, end, hourly, 1e6, 0.0, "m")
    assert found.volume is not None
    assert found.volume.value == pytest.approx(100.0)  # the hour of the exchange is filled
    assert found.coverage == pytest.approx(0.99)
    late = volume_of_total(times[20:], np.arange(81.0), 0.0, end, hourly, None, 0.0, "m")
    assert late.volume is not None
    assert (late.volume.value, late.coverage) == (pytest.approx(100.0), pytest.approx(0.8))
    assert late.volume.half > 0.0 or usual_day(hourly)[1] == 0.0
    alone = volume_of_total(times[20:], np.arange(81.0), 0.0, end, np.full(100, np.nan), None, 0.0, "m")
    assert alone.volume is not None
    assert alone.volume.value == pytest.approx(100.0)
    assert volume_of_total(times[:0], times[:0], 0.0, end, hourly, None, 0.0, "m").volume is None


# districts ------------------------------------------------------------------------------------------------------------


def district(**changes: object) -> DmaInput:
    known: dict[str, object] = {
        "name": "D",
        "inflow": stated("inflow", 10_000.0, 200.0),
        "billed": stated("billed", 6_000.0, 120.0),
        "unbilled_share": stated("share", 0.05, 0.02),
        "system": System(exact(10e3), exact(900.0), exact(0.0), exact(35.0), exact(1.0)),
        "night": Night(stated("q", 0.005, 1e-4), exact(0.0005), exact(24.0), exact(1.0)),
    }
    return DmaInput(**(known | changes))


def test_a_district_by_balance_and_by_night() -> None:
    found = dma_balance(district(), 7 * DAY_S)
    real, night = found.real_losses, found.night_losses
    assert isinstance(real, Uncertain)
    assert isinstance(night, Uncertain)
    assert real.value == pytest.approx(10_000 - 6_000 * 1.05)
    assert real.half == pytest.approx(np.hypot(np.hypot(200, 120 * 1.05), 6_000 * 0.02))
    assert night.value == pytest.approx(0.0045 * 7 * DAY_S)
    assert found.indicators.misleading == ("few_connections",)
    assert found.findings == ("night_disagrees",)


def test_a_district_lacks_what_it_lacks() -> None:
    found = dma_balance(district(billed=Lack(("dma.D.billed",))), DAY_S)
    assert found.real_losses == Lack(("dma.D.billed",))
    assert isinstance(found.night_losses, Uncertain)
    assert found.findings == ()
    odd = dma_balance(district(night=Night(exact(0.001), exact(0.002), exact(24.0), exact(1.0))), DAY_S)
    assert "negative_night_leakage" in odd.findings
    assert "negative_real_losses" in dma_balance(district(billed=exact(11_000.0)), DAY_S).findings
