"""Night flow of a zone: what is used, what is lost, and whether the limits hold what they say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.uncertain import Uncertain
from models.zoneflow import (
    HOURS,
    PATTERN,
    Habits,
    Intake,
    clock_covariance,
    pattern_of,
    split,
    unavoidable_background,
)
from tests.models.grid import PATTERN as TOWN

DAYS = 7
HABITS = Habits()
HOUR = np.tile(np.arange(HOURS), DAYS)
NOMINAL = np.array(TOWN)[HOUR] * 0.010


def intake(lost: float, scale: float = 0.9, shape: np.ndarray | None = None, seed: int = 0) -> Intake:
    """A week of a zone that uses `scale` of its model and loses so much, m3/s."""
    r = np.random.default_rng(seed)
    factor = np.ones(HOURS) if shape is None else np.exp(shape)
    rest = scale * NOMINAL * factor[HOUR] * np.exp(0.02 * r.standard_normal(len(HOUR))) + lost
    nothing = np.zeros(len(HOUR))
    return Intake(rest, nothing, NOMINAL, np.full(len(HOUR), 40.0), HOUR, {"meter": (rest, 0.005)})


def split_of(one: Intake, **more: object):
    found = split(one, pattern_of(HABITS), HABITS, "zone", **more)
    assert found is not None
    return found


def test_losses_and_use_are_told_apart():
    for lost in (0.0, 0.001, 0.004):
        night = split_of(intake(lost))
        assert night.mean_losses.covers(lost)
        assert night.mean_losses.value == pytest.approx(lost, abs=2e-4)
        assert night.scale == pytest.approx(0.9, abs=0.03)


def test_nothing_lost_is_no_excess():
    night = split_of(intake(0.0))
    assert night.losses.low < 0.0 < night.losses.high


@given(st.floats(0.0, 0.01), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_the_night_adds_up(lost: float, seed: int):
    night = split_of(intake(lost, seed=seed))
    assert night.use.value + night.losses.value == pytest.approx(night.flow.value, rel=1e-12)
    # what is taken for lost is not used: their errors are the same water's
    assert dict(night.use.parts) == dict(night.losses.parts)
    assert night.hour == 3


@given(st.floats(1e-4, 0.01))
@settings(max_examples=25, deadline=None)
def test_water_that_runs_all_day_is_loss_to_the_drop(more: float):
    before, after = intake(0.001), intake(0.001)
    after = replace(after, rest=after.rest + more)
    gained = split_of(after).mean_losses.value - split_of(before).mean_losses.value
    # but for the weight that a scale believed from the inflow itself has
    assert gained == pytest.approx(more, rel=0.1)


def test_limits_hold_the_truth_as_often_as_they_say():
    """Towns drawn from the belief: their patterns differ from the model's as it says they may."""
    r = np.random.default_rng(5)
    root = np.linalg.cholesky(clock_covariance(HABITS) + 1e-12 * np.eye(HOURS))
    held = sum(
        split_of(intake(0.003, 0.9, root @ r.standard_normal(HOURS), seed)).mean_losses.covers(0.003)
        for seed in range(300)
    )
    assert 0.91 <= held / 300 <= 0.985


def test_customers_meters_tell_the_pattern_of_the_others():
    """What metered customers do at night is believed of the others, by the share that all have in common."""
    r = np.random.default_rng(6)
    whole = clock_covariance(HABITS) + 1e-12 * np.eye(HOURS)
    root = np.linalg.cholesky(whole)
    plain, taught, narrower = [], [], []
    for seed in range(100):
        shared = root @ r.standard_normal(HOURS) * HABITS.shared**0.5
        own, theirs = ((1.0 - HABITS.shared) ** 0.5 * root @ r.standard_normal(HOURS) for _ in range(2))
        one = intake(0.003, 0.9, shared + own, seed)
        pattern = pattern_of(HABITS, shared + theirs, 0.01)
        found = split(one, pattern, HABITS, "zone")
        assert found is not None
        plain.append(split_of(one).mean_losses.value - 0.003)
        taught.append(found.mean_losses.value - 0.003)
        narrower.append(found.mean_losses.sd / split_of(one).mean_losses.sd)
    assert np.std(taught) < 0.8 * np.std(plain)
    assert max(narrower) < 0.9


def test_counted_properties_narrow_the_limits():
    use = Uncertain(0.9 * 0.24 * 0.010, {"count": 1e-4})
    wide, narrow = split_of(intake(0.003)), split_of(intake(0.003), night_use=use)
    assert narrow.mean_losses.sd < 0.7 * wide.mean_losses.sd
    assert narrow.mean_losses.covers(0.003)


def test_pressure_raises_losses_at_night():
    one = intake(0.0)
    pressure = 40.0 + 10.0 * np.cos(2.0 * np.pi * (HOUR - 3) / 24.0)
    lost = 0.003 * pressure / pressure.mean()
    night = split_of(replace(one, rest=one.rest + lost, pressure=pressure))
    assert night.losses.value / night.mean_losses.value == pytest.approx(50.0 / 40.0, rel=1e-6)
    assert night.mean_losses.value == pytest.approx(0.003, abs=2e-4)


def test_a_burst_day_does_not_count():
    one = intake(0.001)
    burst = one.rest.copy()
    burst[30:36] += 0.05
    assert split_of(replace(one, rest=burst)).mean_losses.value == pytest.approx(
        split_of(one).mean_losses.value, abs=1e-4
    )


def test_hours_that_were_never_seen_are_told():
    one = intake(0.001)
    assert split(replace(one, rest=np.where(HOUR == 3, np.nan, one.rest)), pattern_of(HABITS), HABITS, "zone") is None


def test_a_zone_without_demand_loses_all():
    one = replace(intake(0.0), nominal=np.zeros(len(HOUR)), rest=np.full(len(HOUR), 0.002))
    night = split_of(one)
    assert night.mean_losses.value == pytest.approx(0.002)
    assert night.use.value == pytest.approx(0.0, abs=1e-9)


def test_the_shared_part_is_named():
    parts = split_of(intake(0.003)).mean_losses.parts
    assert abs(parts[PATTERN]) > abs(parts["nights of zone"])


def test_unavoidable_background_is_lamberts():
    # 10 km and 1,000 connections at 50 m: 200 + 1,250 L/h
    assert unavoidable_background(10_000.0, 1000.0, 50.0) == pytest.approx(1.45 / 3600.0)
    assert unavoidable_background(10_000.0, 1000.0, 25.0) == pytest.approx(1.45 / 3600.0 * 0.5**1.5)
