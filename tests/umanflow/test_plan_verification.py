"""Surveys at the least cost, and limits that a measurement is held against."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from umanflow.planner.surveys import plan_survey, surveys_in
from umanflow.planner.verification import check_renewal, limits_of_change


def test_interval_is_that_of_lambert_and_fantozzi_by_hand() -> None:
    """12 km at 6,000 UAH, 12 UAH/m3, 10 m3/d a year: sqrt(0.789 x 72,000 / 120) = 21.76 months."""
    found = plan_survey("C1", (12_000.0, 900.0), 300.0, 40.0, 10.0, 6_000.0, 12.0)
    assert found.interval == pytest.approx(np.sqrt(0.789 * 72_000.0 / 120.0), rel=1e-3)
    assert found.a_year == pytest.approx(12.0 / found.interval)
    assert found.budget == pytest.approx(72_000.0 * 12.0 / found.interval)
    assert found.economic == pytest.approx(found.budget / 12.0 / 365.0)
    # unavoidable background: (20 x 12 + 1.25 x 900) L/h at 50 m, at 40 m to the power 1.5
    assert found.unavoidable == pytest.approx((20 * 12 + 1.25 * 900) * 0.8**1.5 * 24 / 1000)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 40.0), st.floats(1.0, 60.0), st.floats(500.0, 20_000.0), st.floats(0.5, 3.0))
def test_no_other_interval_costs_less(km: float, rise: float, price: float, factor: float) -> None:
    found = plan_survey("X", (1000.0 * km, 100.0), 100.0, 40.0, rise, price, 10.0)

    def cost(years: float) -> float:
        return found.cost / years + 10.0 * 365.0 * rise * years / 2.0

    best = cost(found.interval / 12.0)
    assert best <= cost(factor * found.interval / 12.0) + 1e-9 * best
    assert best == pytest.approx(2.0 * found.budget, rel=1e-6)


def test_nothing_that_does_not_rise_is_surveyed() -> None:
    found = plan_survey("X", (1000.0, 10.0), 0.0, 40.0, 0.0, 6_000.0, 10.0)
    assert np.isnan(found.interval)
    assert [surveys_in(found, year, 1) for year in range(1, 6)] == [0] * 5


@settings(max_examples=30, deadline=None)
@given(st.floats(2.0, 60.0), st.integers(0, 4))
def test_surveys_follow_one_another_by_the_interval(months: float, ready: int) -> None:
    found = plan_survey("X", (1000.0, 10.0), 1.0, 40.0, 1.0, 1_000.0, 10.0)
    from dataclasses import replace

    found = replace(found, interval=months)
    number = [surveys_in(found, year, ready) for year in range(1, 41)]
    assert number[:ready] == [0] * ready
    assert number[ready] >= 1  # the first comes in the year after
    assert sum(number) == pytest.approx((40 - ready) * 12.0 / months, abs=1.0)


@settings(max_examples=30, deadline=None)
@given(st.floats(1.0, 500.0), st.floats(1.0, 500.0), st.floats(0.0, 0.8))
def test_limits_hold_the_middle_of_what_is_uncertain(before: float, after: float, spread: float) -> None:
    low, high = limits_of_change(before, after, spread)
    sigma = np.sqrt(np.log1p(spread**2))
    drawn = before + (after - before) * np.random.default_rng(1).lognormal(-0.5 * sigma**2, sigma, 20_000)
    assert low <= high
    assert (np.quantile(drawn, [0.05, 0.95])) == pytest.approx([low, high], abs=0.03 * abs(after - before) + 1e-9)
    assert low - 1e-9 <= np.median(drawn) <= high + 1e-9


def test_breaks_of_renewed_pipes_are_held_against_poisson() -> None:
    found = check_renewal(12, 4.0, 0.5, 2030)
    assert (found.before, found.expected) == (12.0, 1.5)
    assert (found.low, found.high) == (poisson.ppf(0.05, 1.5), poisson.ppf(0.95, 1.5))


def test_every_step_of_a_programme_has_a_check(tmp_path: Path) -> None:
    """A town's plan: what is measured after each measure, with before, expected and limits."""
    from tests.umanflow.test_plan_pressure import town
    from umanflow.planner.files import write_plan
    from umanflow.planner.inputs import PlanInput
    from umanflow.planner.study import make_plan

    given = PlanInput.model_validate({
        "programme": {"years": 4, "budget": 5e6}, "blocks": {"least": 5}, "sensors": {"count": 2, "leak": 20.0},
        "leakage": {"survey_km": 50_000.0},
    })  # fmt: skip
    plan = make_plan(town(tmp_path), given)
    kinds = {measure.kind for measure in plan.programme.measures}
    assert {"pressure", "loggers", "survey"} <= kinds
    checks = plan.programme.checks
    assert kinds <= {check.kind for check in checks}
    for check in checks:
        assert check.low - 1e-9 <= check.expected <= check.high + 1e-9
        assert check.year == 0 or any(m.year == check.year and m.kind == check.kind for m in plan.programme.measures)
    night = next(c for c in checks if c.kind == "pressure" and c.unit == "m³/h")
    (zone,) = plan.pressure.zones if plan.pressure is not None else ()
    assert (night.before, night.expected) == (zone.night_before, zone.night_after)
    assert night.expected < night.before
    (survey,) = plan.programme.surveys
    due = [year for year in range(1, 5) if surveys_in(survey, year, 1)]
    assert [m.year for m in plan.programme.measures if m.kind == "survey"] == [2026 + year for year in due]
    assert all(m.cost == pytest.approx(survey.cost * surveys_in(survey, m.year - 2026, 1))
               for m in plan.programme.measures if m.kind == "survey")  # fmt: skip
    write_plan(plan, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "plan.json").read_text("utf-8"))
    assert len(told["programme"]["checks"]) == len(checks)
    assert told["programme"]["surveys"][0]["district"] == "Z"
    assert told["diagnosis"]["age_days"] > 0
    assert told["pumping"] is None
    assert "inp" not in told["pressure"]
    assert (tmp_path / "out" / "pressure.inp").is_file()
    assert (tmp_path / "out" / "verification.csv").read_text("utf-8").startswith("year,kind,where,quantity,unit")
