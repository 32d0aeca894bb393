"""Water balance: the worked example of docs/methods/balance.md, published examples, laws, and Monte Carlo."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.balance import Balance, Entry, Source, Volumes, balance_of, under_registered
from models.balance_components import (
    DEFAULT_BREAKS_PER_YEAR,
    Breaks,
    components_of,
    condition_factor,
    intervention,
    unavoidable_background,
)
from models.balance_indicators import (
    UARL,
    UARL_PARTS,
    UARL_PARTS_US,
    UARL_US,
    Prices,
    System,
    band_awwa,
    band_eu,
    band_per_connection,
    band_world_bank,
    indicators_of,
    uarl,
    uarl_us,
    values_of,
)
from models.uncertain import Z95, Lack, Uncertain, divide, exact, stated

YEAR_S, DAY_S = 365 * 86_400.0, 86_400.0
GALLON_L, MILE_KM, PSI_M = 3.785411784, 1.609344, 0.7030696


def entry(name: str, volume: float, percent: float, source: Source = Source.MEASURED, **more: object) -> Entry:
    return Entry(name, stated(name, volume, volume * percent / 100.0), source, **more)


def town(**changes: object) -> Volumes:
    lines: dict[str, object] = {
        "supplied": (entry("own", 2e6, 2.0), entry("bought", 3e6, 2.0)),
        "billed_metered": (
            entry("customers", 2.9e6, 1.0, under=stated("under", 0.04, 0.01), under_source=Source.ASSUMED),
        ),
        "billed_unmetered": (entry("villages", 1e5, 10.0, Source.STATED),),
        "unbilled_metered": (),
        "unbilled_unmetered": (entry("flushing", 25_000.0, 50.0, Source.ASSUMED),),
        "unauthorised": (entry("theft", 12_500.0, 50.0, Source.ASSUMED),),
        "data_handling": (entry("errors", 7_500.0, 50.0, Source.ASSUMED),),
    }
    return Volumes(**(lines | changes))


def number(result: object) -> Uncertain:
    assert isinstance(result, Uncertain)
    return result


SYSTEM = System(exact(220e3), exact(17_000.0), exact(0.0), exact(40.0), exact(1.0))


@pytest.fixture(scope="module")
def balance() -> Balance:
    return balance_of(town())


# the worked example -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "half"),
    [
        ("supplied", 5_000_000, 72_111),
        ("billed", 3_000_000, 30_676),
        ("authorised", 3_025_000, 33_125),
        ("non_revenue", 2_000_000, 78_365),
        ("losses", 1_975_000, 79_355),
        ("meter_under_registration", 120_833, 31_490),
        ("apparent_losses", 140_833, 32_323),
        ("real_losses", 1_834_167, 86_093),
        ("revenue", 3_000_000, 30_676),
    ],
)
def test_lines_of_the_worked_example(balance: Balance, key: str, value: float, half: float) -> None:
    volume = number(balance.volume(key))
    assert volume.value == pytest.approx(value, abs=0.5)
    assert volume.half == pytest.approx(half, abs=0.6)


def test_indicators_of_the_worked_example(balance: Balance) -> None:
    found = indicators_of(balance.volume("real_losses"), YEAR_S, SYSTEM)
    assert number(found.carl).value * DAY_S == pytest.approx(5_025.1, abs=0.1)
    assert number(found.uarl).value * DAY_S == pytest.approx(702.4, abs=0.05)
    assert number(found.ili).value == pytest.approx(7.154, abs=0.001)
    assert number(found.per_connection).value * DAY_S * 1e3 == pytest.approx(295.6, abs=0.05)
    assert number(found.per_length).value * DAY_S * 1e3 == pytest.approx(22.84, abs=0.01)
    assert number(found.density).value * 1e3 == pytest.approx(77.3, abs=0.05)
    assert found.misleading == ()
    ratio = number(divide(balance.volume("billed"), balance.volume("supplied")))
    assert (ratio.value, ratio.half) == (pytest.approx(0.6), pytest.approx(0.010606, abs=1e-5))


def test_money_of_the_worked_example(balance: Balance) -> None:
    prices = Prices(exact(34.16), exact(14.0), exact(115e6))
    v = balance.volume
    found = values_of(v("real_losses"), v("apparent_losses"), v("unbilled"), prices)
    assert number(found.real_losses).value == pytest.approx(25_678_333, abs=1)
    assert number(found.apparent_losses).value == pytest.approx(4_810_867, abs=1)
    assert number(found.unbilled).value == pytest.approx(350_000)
    assert number(found.non_revenue).value == pytest.approx(30_839_200, abs=1)
    assert number(found.ratio).value == pytest.approx(0.26817, abs=1e-5)


def test_components_of_the_worked_example(balance: Balance) -> None:
    hours = 3_600.0
    breaks = (
        Breaks("mains", True, exact(29.0), exact(12.0 / hours), exact(1.0), *map(exact, (0.0, DAY_S, 2.0 * DAY_S))),
        Breaks("found", False, exact(2.0), exact(6.0 / hours), exact(1.0), *map(exact, (48.0 * DAY_S, 0.0, 2 * DAY_S))),
    )
    found = components_of(balance.volume("real_losses"), YEAR_S, SYSTEM, breaks, exact(3.0))
    assert number(unavoidable_background(SYSTEM)).value * DAY_S == pytest.approx(440.49, abs=0.01)
    assert number(found.unavoidable).value == pytest.approx(160_778, abs=1)
    assert number(found.background).value == pytest.approx(482_334, abs=1)
    assert number(found.reported).value == pytest.approx(29 * 691.2)
    assert number(found.unreported).value == pytest.approx(2 * 6 * 0.8 * 24 * 50)
    assert number(found.hidden).value == pytest.approx(1_320_268, abs=2)
    assert number(found.factor_most).value == pytest.approx((1_834_167 - 20_044.8 - 11_520) / 160_778, abs=1e-3)
    measured = condition_factor(exact(50.0 / hours), SYSTEM)
    assert number(measured).value == pytest.approx(50.0 * 24 / 440.49, abs=1e-3)


def test_intervention_of_the_worked_example() -> None:
    found = intervention(exact(1_125_000.0), exact(14.0), exact(450.0 / DAY_S / YEAR_S))
    assert number(found.interval).value / (YEAR_S / 12) == pytest.approx(11.87, abs=0.005)
    assert number(found.share_a_year).value == pytest.approx(1.0109, abs=1e-4)
    assert number(found.budget_a_year).value == pytest.approx(1_137_308, abs=2)
    assert number(found.unreported_a_year).value * DAY_S == pytest.approx(222.57, abs=0.01)


# published examples ---------------------------------------------------------------------------------------------------


def test_limits_of_san_francisco_as_published() -> None:
    """Thornton, Sturm and Kunkel, Water Loss Control, 2nd ed. 2008, table 7.5: million gal, sources of 2.55 %."""
    sources = {"1": 7_512.80, "2": 10_519.84, "3": 6_580.71, "4": 4_411.61, "5": 7.60}
    supplied = tuple(entry(name, volume, 2.55) for name, volume in sources.items())
    none: dict[str, object] = dict.fromkeys(("billed_unmetered", "unbilled_unmetered", "unauthorised"), ())
    found = balance_of(town(supplied=supplied, billed_metered=(entry("b", 24_778.64, 1.1253),), **none))
    assert 100 * number(found.volume("supplied")).half / 29_032.56 == pytest.approx(1.3, abs=0.05)
    non_revenue = number(found.volume("non_revenue"))
    assert non_revenue.value == pytest.approx(4_253.92, abs=0.01)
    assert 100 * non_revenue.half / non_revenue.value == pytest.approx(11.2, abs=0.05)
    assert non_revenue.sd**2 == pytest.approx(59_148.0, rel=0.002)


def test_economic_intervention_as_published() -> None:
    """Iwaponline 655196, table 7: 0.47485 $/m3, 100 $/km, 3 m3/km/d a year: 7.4 months, 161 %, 291,688 m3 a year."""
    length_km = 138_508.0 / (100.0 * 12.0 / math.sqrt(0.789 * 100.0 / 0.47485 / 3.0))
    rise = 3.0 * length_km / DAY_S / YEAR_S
    found = intervention(exact(100.0 * length_km), exact(0.47485), exact(rise))
    assert number(found.interval).value / (YEAR_S / 12) == pytest.approx(7.4, abs=0.05)
    assert number(found.share_a_year).value == pytest.approx(1.61, abs=0.005)
    assert number(found.unreported_a_year).value * YEAR_S == pytest.approx(291_688, rel=1e-3)


def test_uarl_and_ili_of_the_usual_check() -> None:
    """220 km, 17,000 connections, 40 m: 702 m3/d; 5,000 m3/d of real losses: ILI 7.1."""
    assert number(uarl(SYSTEM)).value * DAY_S == pytest.approx(702, abs=0.5)
    assert number(indicators_of(exact(5_000.0 * 365), YEAR_S, SYSTEM).ili).value == pytest.approx(7.1, abs=0.05)


@pytest.mark.parametrize("part", ["background", "reported", "unreported"])
def test_parts_of_uarl_are_those_in_us_units(part: str) -> None:
    us, si = UARL_PARTS_US[part], UARL_PARTS[part]
    assert us.mains * GALLON_L / MILE_KM / PSI_M == pytest.approx(si.mains, rel=0.002)
    assert us.connection * GALLON_L / PSI_M == pytest.approx(si.connection, rel=0.01)
    assert us.private * GALLON_L / MILE_KM / PSI_M == pytest.approx(si.private, rel=0.002)


def test_parts_add_up_to_uarl_and_its_variants_agree() -> None:
    for name in ("mains", "connection", "private"):
        whole = sum(getattr(part, name) for part in UARL_PARTS.values())
        assert whole == pytest.approx(getattr(UARL, name), rel=0.005)
        assert sum(getattr(part, name) for part in UARL_PARTS_US.values()) == pytest.approx(
            getattr(UARL_US, name), rel=0.01
        )
    with_private = System(exact(220e3), exact(17_000.0), exact(85e3), exact(40.0), exact(1.0))
    us = uarl_us(220 / MILE_KM, 17_000, 85 / MILE_KM, 40 / PSI_M) * GALLON_L / 1e3
    assert number(uarl(with_private)).value * DAY_S == pytest.approx(us, rel=0.01)


def test_parts_of_uarl_follow_from_breaks() -> None:
    """At 50 m: breaks a year x m3/h x 24 x days, by metre of pressure and day, L; and 20 and 1.25 L/h of background."""

    def each(name: str) -> float:
        number_a_year, flow, days = DEFAULT_BREAKS_PER_YEAR[name]
        return number_a_year * flow * 24 * days * 1e3 / 365 / 50

    assert each("mains, reported") == pytest.approx(UARL_PARTS["reported"].mains, rel=0.01)
    assert each("mains, unreported") == pytest.approx(UARL_PARTS["unreported"].mains, rel=0.01)
    assert each("services, reported") == pytest.approx(UARL_PARTS["reported"].connection, rel=0.01)
    assert each("services, unreported") == pytest.approx(UARL_PARTS["unreported"].connection, rel=0.03)
    assert pytest.approx(UARL_PARTS["background"].mains) == 20.0 * 24 / 50
    assert pytest.approx(UARL_PARTS["background"].connection, rel=0.01) == 1.25 * 24 / 50
    assert pytest.approx(UARL_PARTS["background"].private, rel=0.02) == 33.0 * 24 / 50


# bands ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ili", "income", "world_bank", "eu", "awwa"),
    [
        (0.9, "high", "A", "A1", "below_1"), (1.9, "high", "A", "A2", "1_to_3"), (2.0, "high", "B", "B1", "1_to_3"),
        (7.1, "high", "C", "C2", "5_to_8"), (7.1, "low-middle", "B", "B2", "5_to_8"),
        (3.9, "low-middle", "A", "A2", "3_to_5"), (16.1, "low-middle", "D", "D1", "above_8"),
        (25.0, "low-middle", "D", "D2", "above_8"),
    ],
)  # fmt: skip
def test_bands(ili: float, income: str, world_bank: str, eu: str, awwa: str) -> None:
    assert (band_world_bank(ili, income), band_eu(ili, income), band_awwa(ili)) == (world_bank, eu, awwa)


@given(st.floats(5.0, 80.0), st.floats(0.1, 30.0))
def test_the_matrix_goes_with_pressure_and_income(pressure: float, per_metre: float) -> None:
    flow = per_metre * pressure * 1e-3 / DAY_S
    expected = "ABCD"[sum(per_metre >= limit - 1e-9 for limit in (5.0, 10.0, 20.0))]
    if min(abs(per_metre - limit) for limit in (5.0, 10.0, 20.0)) > 1e-6:
        assert band_per_connection(flow, pressure, "low-middle") == expected
        assert band_per_connection(flow / 2.0, pressure, "high") == expected


def test_ili_misleads_in_small_and_low_zones() -> None:
    def why(connections: object, pressure: object) -> tuple[str, ...]:
        system = System(exact(10e3), connections, exact(0.0), pressure, exact(1.0))
        return indicators_of(exact(1e5), YEAR_S, system).misleading

    assert why(exact(2_999.0), exact(40.0)) == ("few_connections",)
    assert why(exact(3_000.0), exact(24.9)) == ("low_pressure",)
    assert why(exact(1_000.0), exact(20.0)) == ("few_connections", "low_pressure")
    assert why(Lack(("network.connections",)), exact(30.0)) == ("unknown",)
    assert why(exact(3_000.0), exact(25.0)) == ()


def test_half_a_day_of_pressure_halves_uarl_and_doubles_losses_under_pressure() -> None:
    half = System(SYSTEM.mains, SYSTEM.connections, SYSTEM.private, SYSTEM.pressure, exact(0.5))
    day, night = (indicators_of(exact(1e6), YEAR_S, system) for system in (SYSTEM, half))
    assert number(night.uarl).value == pytest.approx(0.5 * number(day.uarl).value)
    assert number(night.per_connection).value == pytest.approx(2.0 * number(day.per_connection).value)


# laws -----------------------------------------------------------------------------------------------------------------


def test_lines_add_up_and_errors_of_one_input_count_once(balance: Balance) -> None:
    v = {key: number(line.volume) for key, line in balance.lines.items()}
    assert v["authorised"].value + v["losses"].value == pytest.approx(v["supplied"].value)
    assert v["apparent_losses"].value + v["real_losses"].value == pytest.approx(v["losses"].value)
    assert v["revenue"].value + v["non_revenue"].value == pytest.approx(v["supplied"].value)
    whole = v["authorised"] + v["apparent_losses"] + v["real_losses"] - v["supplied"]
    assert (whole.value, whole.sd) == (pytest.approx(0.0, abs=1e-6), pytest.approx(0.0, abs=1e-6))


@given(st.floats(1.0, 1e6), st.floats(0.0, 0.5))
def test_what_meters_miss_is_their_share_of_what_passes(registered: float, share: float) -> None:
    missed = under_registered(exact(registered), exact(share)).value
    assert missed == pytest.approx(share * (registered + missed), rel=1e-9, abs=1e-9)


def test_limits_agree_with_monte_carlo(balance: Balance) -> None:
    random = np.random.default_rng(11)

    def drawn(value: float, half: float) -> np.ndarray:
        return random.normal(value, half / Z95, 400_000)

    supplied = drawn(2e6, 4e4) + drawn(3e6, 6e4)
    metered, under = drawn(2.9e6, 29e3), drawn(0.04, 0.01)
    missed = metered * under / (1.0 - under)
    rest = drawn(1e5, 1e4) + drawn(25e3, 12.5e3) + drawn(12.5e3, 6.25e3) + drawn(7.5e3, 3.75e3)
    real = supplied - metered - missed - rest
    found = number(balance.volume("real_losses"))
    assert found.sd == pytest.approx(float(real.std()), rel=0.01)
    low, high = np.quantile(real, (0.025, 0.975))
    assert (found.low, found.high) == (pytest.approx(low, rel=2e-3), pytest.approx(high, rel=2e-3))
    ili = number(indicators_of(balance.volume("real_losses"), YEAR_S, SYSTEM).ili)
    assert ili.sd == pytest.approx(float((real / 365 / 702.4).std()), rel=0.01)


def test_what_nobody_stated_is_lacking_and_never_filled() -> None:
    found = balance_of(town(unauthorised=None, billed_metered=(entry("customers", 2.9e6, 1.0),)))
    assert found.volume("apparent_losses") == Lack(("unauthorised", "billed_metered.customers.under_registration"))
    assert found.volume("real_losses") == found.volume("apparent_losses")
    assert found.lines["meter_under_registration"].source == found.lines["unauthorised"].source == Source.NONE
    assert number(found.volume("non_revenue")).value == 2e6
    assert balance_of(town(supplied=None)).volume("non_revenue") == Lack(("supplied",))
    values = values_of(found.volume("real_losses"), exact(1.0), exact(1.0), Prices(exact(1.0), exact(1.0), exact(1.0)))
    assert isinstance(values.non_revenue, Lack)


def test_every_line_knows_its_source(balance: Balance) -> None:
    sources = {key: line.source for key, line in balance.lines.items()}
    assert sources["supplied"] == Source.MEASURED
    assert sources["billed_unmetered"] == Source.STATED
    assert sources["unbilled_metered"] == Source.STATED  # somebody says that there is none
    assert sources["meter_under_registration"] == Source.ASSUMED
    assert sources["real_losses"] == Source.COMPUTED
    mixed = balance_of(town(supplied=(entry("a", 4e6, 1.0), entry("b", 1e6, 1.0, Source.ASSUMED))))
    assert mixed.lines["supplied"].source == Source.ASSUMED


def test_exports_and_storage_are_taken_off_and_contradictions_are_found() -> None:
    supplied = (
        entry("own", 4e6, 2.0),
        entry("to the village", 5e5, 2.0, sign=-1.0),
        entry("tank", 1e3, 1.0, sign=-1.0),
    )
    assert number(balance_of(town(supplied=supplied)).volume("supplied")).value == 3_499_000
    assert balance_of(town(supplied=(entry("own", 3.1e6, 1.0),))).findings == ("negative_real_losses",)
    assert balance_of(town(supplied=(entry("own", 3.15e6, 2.0),))).findings == ("maybe_negative_real_losses",)
    assert balance_of(town()).findings == ()
