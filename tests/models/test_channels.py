"""What is steady in a district's inflow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.channels import Channels

HOURS = np.arange(24.0)
SHAPE = (1.0 + 0.6 * np.sin(2.0 * np.pi * (HOURS - 8.0) / 24.0))[:, None]


def channels(steady: list[int]) -> Channels:
    return Channels(
        ("balance of a", "steady inflow of a")[: 1 + len(steady)],
        np.empty(0, dtype=np.int64), (0,), 0, np.ones(1), np.zeros(1, dtype=bool), np.array(steady, dtype=np.int64),
    )  # fmt: skip


@given(st.floats(-0.3, 0.3), st.floats(0.0, 0.01), st.floats(0.001, 0.1))
def test_weather_scales_demand_and_leaves_what_is_steady_alone(weather, leak, demand):
    found = channels([0]).means(weather * demand * SHAPE + leak, demand * SHAPE)
    assert found[1] == pytest.approx(leak, abs=1e-9)
    assert found[0] == pytest.approx(leak + weather * demand * SHAPE.mean(), abs=1e-9)


def test_missing_hours_are_left_out_and_half_a_day_says_nothing_of_what_is_steady():
    balance = 0.2 * SHAPE + 0.004
    balance[3:6] = np.nan
    assert channels([0]).means(balance, SHAPE)[1] == pytest.approx(0.004, abs=1e-9)
    balance[10:20] = np.nan
    assert np.isnan(channels([0]).means(balance, SHAPE)[1])
    assert np.isnan(channels([0]).means(np.full_like(balance, np.nan), SHAPE)).all()


def test_a_district_without_a_daily_shape_has_its_mean_alone():
    assert channels([]).means(0.2 * SHAPE, SHAPE).shape == (1,)
