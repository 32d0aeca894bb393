"""Responses by a leak's size, what a leak loses over time, and a block's mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.frame import steady_mean
from models.growth import Growth
from models.sized import at_size, best_size

SIZES = np.array([0.001, 0.002, 0.004])


@given(st.integers(0, 10_000))
def test_a_response_at_a_size_that_was_made_is_that_response(seed):
    sized = np.random.default_rng(seed).standard_normal((4, 5, 3))
    for k, flow in enumerate([0.4 * SIZES[0], *SIZES]):
        np.testing.assert_allclose(at_size(sized, np.full(5, flow), SIZES), sized[k], atol=1e-9)


def test_between_two_sizes_the_response_lies_between_and_beyond_them_it_stays():
    sized = np.array([0.0, 1.0, 2.0, 3.0])[:, None, None] * np.ones((1, 4, 2))
    between = at_size(sized, np.array([0.0, 0.0014, 0.003, 1.0]), SIZES)
    assert between[0] == pytest.approx(0.0)
    assert (between[1] > 1.0).all()
    assert (between[1] < 2.0).all()
    assert (between[2] > 2.0).all()
    assert (between[2] < 3.0).all()
    assert between[3] == pytest.approx(3.0)


def test_the_size_nearest_to_its_own_answer_is_best():
    now = np.array([[1e-4, 0.01], [0.004, 0.008], [0.0021, 0.006], [0.001, 0.0045]])
    assert best_size(now, SIZES).tolist() == [2, 3]


@given(st.floats(-5.0, 20.0), st.integers(0, 30), st.floats(1e-4, 1.0), st.one_of(st.none(), st.floats(0.1, 40.0)))
def test_a_blocks_flow_is_the_mean_of_its_moments(onset, rise, peak, end):
    growth = Growth(onset, float(rise), peak, None if end is None else onset + end)
    n = 400
    moments = growth.moment(np.arange(30 * n) / n + 0.5 / n).reshape(30, n).mean(axis=1)
    flow = growth.flow(np.arange(30.0))
    edge = np.zeros(30, dtype=bool)
    for at in (growth.onset, growth.onset + growth.rise, growth.end):
        if at is not None and 0.0 <= at < 30.0:
            edge[int(at)] = True  # where a growing leak's flow bends or stops a block's flow is its middle's
    tolerance = 0.01 * peak if rise == 0 else 1e-9 * peak + peak / (12.0 * max(rise, 1) ** 2) + 1e-9
    assert np.abs(flow - moments)[~edge].max(initial=0.0) <= tolerance
    if rise == 0:
        assert np.abs(flow - moments).max() <= 0.01 * peak


def test_a_leak_that_begins_in_a_block_stays_in_its_mean_and_a_switch_does_not():
    random = np.random.default_rng(3)
    values = random.normal(0.0, 0.01, (24, 2))
    values[14:, 0] -= 1.0
    values[9, 1] += 40.0
    mean = steady_mean(values)
    assert mean[0] == pytest.approx(-10.0 / 24.0, abs=0.02)
    assert abs(mean[1]) < 0.02


def test_a_channel_without_values_has_no_mean():
    values = np.full((24, 2), np.nan)
    values[3, 1] = 2.0
    mean = steady_mean(values)
    assert np.isnan(mean[0])
    assert mean[1] == 2.0
