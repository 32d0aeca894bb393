"""Every kernel against its slow, obvious twin, on streams that hypothesis makes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.scoring import (
    Cusum,
    District,
    Ewma,
    EwmaChart,
    FlatLine,
    Glr,
    MassBalance,
    PageHinkley,
    RobustZ,
    RollingMedian,
    Scorer,
    Spike,
    WeeklyBand,
)
from tests import naive

Array = np.ndarray[Any, Any]

# sixteenths are exact in binary: sums do not depend on their order; limits are no sums of them
_value = st.one_of(
    st.integers(-80, 80).map(lambda k: k / 16.0), st.sampled_from([math.nan, math.inf, 0.0, 1.0, 1.0, 30.0])
)


def _streams(rows: int = 60, channels: int = 18) -> st.SearchStrategy[Array]:
    shape = st.tuples(st.integers(0, rows), st.integers(1, channels))
    return shape.flatmap(lambda shape: arrays(np.float64, shape, elements=_value, fill=st.nothing()))


def _against(
    scorer: Scorer[Any], values: Array, twin: Callable[[list[float]], list[naive.Judged]], is_exact: bool = False
) -> None:
    """Scores of every channel, and onsets of the alarms."""
    n_channels = values.shape[1]
    _, scores = scorer.score(scorer.start(n_channels), values)
    _, alarms = scorer.alarms(scorer.start(n_channels), values)
    told = {
        (step, channel): onset for step, channel, onset in zip(alarms.step, alarms.channel, alarms.onset, strict=True)
    }
    expected: dict[tuple[int, int], int] = {}
    for channel in range(n_channels):
        judged = twin(values[:, channel].tolist())
        twins = np.array([score for score, _ in judged])
        if is_exact:
            np.testing.assert_array_equal(scores[:, channel], twins)
        else:
            np.testing.assert_allclose(scores[:, channel], twins, rtol=1e-9, atol=1e-9)
        for row, (score, onset) in enumerate(judged):
            if abs(score) > scorer.limit:
                expected[row, channel] = onset
    assert told == expected


@settings(deadline=None, max_examples=40)
@given(_streams(), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from([0.51, 2.01, 5.01, 8.01]))
def test_cusum(values: Array, drift: float, limit: float) -> None:
    _against(Cusum(drift=drift, limit=limit), values, lambda x: naive.cusum(x, drift, limit), is_exact=True)


@settings(deadline=None, max_examples=40)
@given(_streams(), st.sampled_from([0.01, 0.3]), st.sampled_from([7.1234, 20.567]), st.sampled_from([3.0, 1e9]))
def test_page_hinkley(values: Array, drift: float, limit: float, memory: float) -> None:
    scorer = PageHinkley(drift=drift, limit=limit, memory=memory, warmup=3)
    _against(scorer, values, lambda x: naive.page_hinkley(x, drift, limit, memory, 3))


@settings(deadline=None, max_examples=40)
@given(_streams(), st.sampled_from([0.03, 0.3]), st.sampled_from([1.2345, 3.4567]), st.sampled_from([0, 1, 3]))
def test_ewma(values: Array, weight: float, limit: float, patience: int) -> None:
    scorer = Ewma(weight=weight, limit=limit, floor=0.123, warmup=4, patience=patience)
    _against(scorer, values, lambda x: naive.ewma(x, weight, limit, 0.123, 4, patience))


@settings(deadline=None, max_examples=25)
@given(_streams(rows=40, channels=4), st.sampled_from([0.03, 0.3]))
def test_moments(values: Array, weight: float) -> None:
    """Mean and variance after each row, however the stream is cut."""
    scorer = Ewma(weight=weight, limit=1e9, warmup=2)
    half, n = len(values) // 2, values.shape[1]
    state, *first = scorer.moments(scorer.start(n), values[:half])
    _, *rest = scorer.moments(state, values[half:])
    means, variances = (np.concatenate(parts) for parts in zip(first, rest, strict=True))
    for channel in range(n):
        seen: list[float] = []
        for row, x in enumerate(values[:, channel].tolist()):
            seen += [x] if math.isfinite(x) else []
            expected = naive.weighted(seen, weight) if seen else (math.nan, math.nan)
            np.testing.assert_allclose([means[row, channel], variances[row, channel]], expected, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(_streams(channels=5), st.sampled_from([0.05, 0.4, 1.0]))
def test_ewma_chart(values: Array, weight: float) -> None:
    _against(EwmaChart(weight=weight, limit=2.71828), values, lambda x: naive.chart(x, weight))


@settings(deadline=None, max_examples=40)
@given(_streams(), st.sampled_from([(2, 2), (7, 3), (12, 5), (24, 24)]))
def test_rolling_median(values: Array, sizes: tuple[int, int]) -> None:
    scorer = RollingMedian(window=sizes[0], enough=sizes[1], floor=0.25, limit=2.5)
    _against(scorer, values, lambda x: naive.rolling_median(x, *sizes, 0.25), is_exact=True)


@settings(deadline=None, max_examples=30)
@given(
    _streams(rows=40), st.sampled_from(["step", "ramp"]), st.sampled_from([1, 2, 9, 16]), st.sampled_from([3.33, 40.1])
)
def test_glr(values: Array, shape: Any, window: int, limit: float) -> None:
    _against(Glr(shape=shape, window=window, limit=limit), values, lambda x: naive.glr(x, shape, window, limit))


@settings(deadline=None, max_examples=30)
@given(_streams(), st.integers(1, 4), st.sampled_from([0.0, 86400.0 * 6.9]), st.sampled_from([(0.1, 0.9), (0.0, 0.75)]))
def test_weekly_band(values: Array, keep: int, first_s: float, shares: tuple[float, float]) -> None:
    keep += 1
    slots = [int((first_s + 30000.0 * row) / (7 * 86400 / 5)) % 5 for row in range(len(values))]
    scorer = WeeklyBand(
        interval_s=30000.0, first_s=first_s, n_slots=5, keep=keep, low=shares[0], high=shares[1], enough=2, floor=0.2,
        limit=2.7182,
    )  # fmt: skip
    _against(scorer, values, lambda x: naive.weekly(x, slots, keep, shares, 2, 0.2, 2.7182))


@settings(deadline=None, max_examples=30)
@given(_streams(), st.sampled_from([0.0, 0.125, 2.0]))
def test_flat_line(values: Array, tolerance: float) -> None:
    _against(FlatLine(tolerance=tolerance, limit=2.5), values, lambda x: naive.flat(x, tolerance), is_exact=True)


@settings(deadline=None, max_examples=30)
@given(_streams(), st.sampled_from([0.02, 0.4]))
def test_spike(values: Array, weight: float) -> None:
    scorer = Spike(weight=weight, floor=0.25, warmup=4, limit=2.7182)
    _against(scorer, values, lambda x: naive.spike(x, weight, 0.25, 4, 2.7182))


@settings(deadline=None, max_examples=25)
@given(_streams(channels=3), st.data())
def test_robust_z(values: Array, data: st.DataObject) -> None:
    n = data.draw(st.integers(4, 8))
    scorer = RobustZ(history=n, enough=0.25, floor=0.2, limit=2.7182)
    _against(scorer, values, lambda x: naive.robust_z(x, n, 0.25, 0.2))


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 40).flatmap(lambda n: arrays(np.float64, (n, 6), elements=_value, fill=st.nothing())),
    st.integers(1, 7), st.sampled_from([0.3, 1.0]),
)  # fmt: skip
def test_mass_balance(values: Array, interval: int, coverage: float) -> None:
    districts = (District(((0, 1.0), (1, -1.0))), District(((2, 1.0),), ((4, 3.0), (5, 10.0))), District(((3, -1.0),)))
    scorer = MassBalance(districts=districts, interval=interval, interval_s=4.0, coverage=coverage)
    _, found, deviation = scorer.imbalance(scorer.start(6), values)
    there = np.where(np.isfinite(values), values, np.nan)
    flows = np.column_stack([there[:, 0] - there[:, 1], there[:, 2], -there[:, 3]])
    volumes = [None, 3.0 * there[:, 4] + 10.0 * there[:, 5], None]
    for district in range(3):
        twin = naive.imbalance(flows[:, district], volumes[district], interval, coverage * interval, 4.0 * interval)
        np.testing.assert_allclose(found[:, district], twin, rtol=1e-9, atol=1e-9)
    assert (deviation[np.isfinite(deviation)] >= scorer.floor).all()
