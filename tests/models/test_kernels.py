"""Compiled kernels against their slow twins."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.kernels import best_shape, cusum
from tests import naive

Array = np.ndarray[Any, Any]


class State:
    """What the kernel keeps between calls."""

    def __init__(self, n_channels: int) -> None:
        self.high, self.low = np.zeros(n_channels), np.zeros(n_channels)
        self.age = np.zeros((2, n_channels), dtype=np.int64)

    def run(self, values: Array, drift: float, threshold: float) -> Array:
        alarm = np.full(values.shape, 99, dtype=np.int64)
        cusum(values, drift, threshold, self.high, self.low, self.age, alarm)
        return alarm

    def same(self, other: "State") -> bool:
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in ("high", "low", "age"))


# sixteenths are exact in binary: sums then do not depend on the order of rounding
_value = st.one_of(st.integers(-80, 80).map(lambda k: k / 16.0), st.just(float("nan")))
_streams = st.tuples(st.integers(0, 40), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=_value)
)
_drift = st.sampled_from([0.0, 0.25, 0.5, 1.0])
_threshold = st.sampled_from([0.5, 2.0, 5.0, 8.0])


@settings(deadline=None, max_examples=150)
@given(values=_streams, drift=_drift, threshold=_threshold)
def test_cusum_is_its_twin(values: Array, drift: float, threshold: float) -> None:
    state = State(values.shape[1])
    alarm = state.run(values, drift, threshold)
    assert alarm.tolist() == naive.cusum(values, drift, threshold)
    twins = [naive.Cusum(drift, threshold) for _ in range(values.shape[1])]
    for row in values:
        for twin, x in zip(twins, row, strict=True):
            twin.step(float(x))
    assert state.high.tolist() == [twin.up.total for twin in twins]
    assert state.low.tolist() == [twin.down.total for twin in twins]
    assert state.age.tolist() == [[twin.up.age for twin in twins], [twin.down.age for twin in twins]]


@settings(deadline=None, max_examples=100)
@given(values=_streams, drift=_drift, threshold=_threshold, data=st.data())
def test_cusum_is_split_proof(values: Array, drift: float, threshold: float, data: st.DataObject) -> None:
    whole, parts = State(values.shape[1]), State(values.shape[1])
    expected = whole.run(values, drift, threshold)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=5)))
    alarms = [parts.run(part, drift, threshold) for part in np.split(values, cuts)]
    assert np.array_equal(np.concatenate(alarms), expected)
    assert whole.same(parts)


@settings(deadline=None, max_examples=60)
@given(values=_streams, drift=_drift, threshold=_threshold, data=st.data())
def test_missing_values_pass(values: Array, drift: float, threshold: float, data: st.DataObject) -> None:
    """A gap in a channel leaves its state, and its alarms elsewhere, as if the steps had not been."""
    column = values[:, :1]
    places = sorted(data.draw(st.lists(st.integers(0, len(column)), max_size=6)))
    gappy = np.insert(column, places, np.nan, axis=0)
    one, other = State(1), State(1)
    plain, with_gaps = one.run(column, drift, threshold), other.run(gappy, drift, threshold)
    kept = np.delete(with_gaps, np.array([p + k for k, p in enumerate(places)], dtype=int), axis=0)
    assert np.array_equal(kept, plain)
    assert one.same(other)
    assert (with_gaps[np.isnan(gappy)] == 0).all()


@settings(deadline=None, max_examples=60)
@given(values=_streams, drift=_drift, threshold=_threshold)
def test_cusum_is_symmetric(values: Array, drift: float, threshold: float) -> None:
    up, down = State(values.shape[1]), State(values.shape[1])
    a, b = up.run(values, drift, threshold), down.run(-values, drift, threshold)
    assert np.array_equal(a, -b)
    assert np.array_equal(up.high, down.low)
    assert np.array_equal(up.age[0], down.age[1])


def test_alarm_tells_the_onset_and_starts_again() -> None:
    values = np.array([-1.0, -1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.0])[:, None]
    state = State(1)
    alarm = state.run(values, 0.5, 4.0)
    # 1.5 a step: passes 4 in the third step of the change, and again three steps later
    assert alarm[:, 0].tolist() == [0, 0, 0, 0, 3, 0, 0, 3, 0]
    assert state.high[0] == 0.0
    assert state.age[0, 0] == 0


def test_reset_leaves_the_other_side_and_channels() -> None:
    state = State(2)
    state.low[:] = 1.0
    state.age[1] = 2
    alarm = state.run(np.array([[9.0, 0.25]]), 0.25, 4.0)
    assert alarm.tolist() == [[1, 0]]
    assert state.high.tolist() == [0.0, 0.0]
    assert state.low.tolist() == [0.0, 0.5]
    assert state.age.tolist() == [[0, 0], [0, 3]]


def test_threshold_itself_is_no_alarm() -> None:
    assert State(1).run(np.array([[2.0], [2.0]]), 0.0, 4.0).tolist() == [[0], [0]]
    assert State(1).run(np.array([[2.0], [2.0625]]), 0.0, 4.0).tolist() == [[0], [2]]


@pytest.mark.parametrize("seed", [1, 2])
def test_quiet_noise_rarely_alarms_and_a_shift_does(seed: int) -> None:
    chance = np.random.default_rng(seed)
    values = chance.standard_normal((2000, 4))
    quiet = State(4).run(values, 0.5, 8.0)
    assert np.count_nonzero(quiet) <= 4  # one in some 5,000 to 10,000 steps is expected
    values[1000:, 2] += 1.5
    alarm = State(4).run(values, 0.5, 8.0)
    first = int(np.flatnonzero(alarm[1000:, 2] > 0)[0])
    assert first < 30
    assert alarm[1000 + first, 2] == pytest.approx(first + 1, abs=12)


# likelihood ratio -----------------------------------------------------------------------------------------------------

_tables = st.tuples(st.integers(0, 6), st.integers(1, 7)).flatmap(
    lambda shape: st.tuples(
        arrays(np.float64, shape, elements=st.one_of(st.floats(-50, 50, width=32), st.just(float("nan")))),
        arrays(np.float64, shape, elements=st.one_of(st.just(0.0), st.floats(0.125, 100, width=32))),
    )
)


@settings(deadline=None, max_examples=150)
@given(_tables, st.one_of(st.just(0.0), st.floats(0.01, 10.0)))
def test_best_shape_is_its_twin(tables: tuple[Array, Array], cost: float) -> None:
    match, energy = tables
    n = len(match)
    gain, flow, shape = np.full(n, -7.0), np.full(n, -7.0), np.full(n, -7, dtype=np.int64)
    best_shape(match, energy, cost, gain, shape, flow)
    gains, shapes, flows = naive.best_shape(match, energy, cost)
    # among equal gains the first shape counts, up to the last bit of rounding
    np.testing.assert_allclose(gain, gains, rtol=1e-9, atol=1e-9)
    told = np.array(gains) > 1e-9
    np.testing.assert_allclose(flow[told], np.array(flows)[told], rtol=1e-12)
    assert shape[told].tolist() == [s for s, one in zip(shapes, told, strict=True) if one]


def test_best_shape_without_positive_flow_is_none() -> None:
    match = np.array([[-3.0, -1.0], [0.0, 0.0], [2.0, np.nan], [2.0, 3.0]])
    energy = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [1.0, 4.0]])
    gain, flow, shape = np.empty(4), np.empty(4), np.empty(4, dtype=np.int64)
    best_shape(match, energy, 0.0, gain, shape, flow)
    assert shape.tolist() == [-1, -1, -1, 0]
    assert gain.tolist() == [0.0, 0.0, 0.0, 2.0]
    assert flow.tolist() == [0.0, 0.0, 0.0, 2.0]
