"""Scorers that learn with scikit-learn, against what it says itself, and what they are for."""

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest

from models.errors import NotEnoughData
from models.scoring import Calibrated, Expected, Forest, Mahalanobis, RobustZ, fit_isotonic, fit_platt
from models.scoring.learned import robust_moments


def test_forest_ranks_rows_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((600, 4))
    rows[550:] += 6.0
    scorer = Forest(history=400, n_trees=50, n_samples=128, seed=3)
    _, scores = scorer.score(scorer.start(4), rows)
    forest = IsolationForest(n_estimators=50, max_samples=128, random_state=3).fit(rows[:400])
    anomaly = -forest.score_samples(rows[400:])
    assert np.isnan(scores[:400]).all()
    np.testing.assert_array_equal(np.argsort(scores[400:, 0]), np.argsort(anomaly))
    assert (scores[550:] > scorer.limit).mean() > 0.9
    assert (scores[400:550] > scorer.limit).mean() < 0.1


def test_mahalanobis_is_chi_square_brought_to_normal() -> None:
    rng = np.random.default_rng(6)
    rows = rng.standard_normal((5000, 1)) + 0.3 * rng.standard_normal((5000, 5)) + 40.0
    scorer = Mahalanobis(history=1000)
    state, scores = scorer.score(scorer.start(5), rows)
    deviation = rows[:1000].std(axis=0)
    shrunk = LedoitWolf().fit(rows[:1000] / deviation)
    squared = shrunk.mahalanobis(rows[1000:] / deviation)

    def expected(squared: np.ndarray, n: int) -> np.ndarray:
        # shrinking makes distances smaller: their median is brought back to chi-square's
        of_history = np.median(shrunk.mahalanobis(rows[:1000] / deviation))
        scale = of_history / (5 * (1.0 - 2.0 / 45.0) ** 3)
        return (np.cbrt(squared / scale / n) - (1.0 - 2.0 / (9 * n))) / np.sqrt(2.0 / (9 * n))

    np.testing.assert_allclose(scores[1000:, 0], expected(squared, 5), rtol=1e-6, atol=1e-8)
    assert scores[1000:].mean() == pytest.approx(0.0, abs=0.1)
    assert scores[1000:].std() == pytest.approx(1.0, abs=0.1)
    # two channels that part company, each well inside what it does by itself
    odd = rows[:1000].mean(axis=0) + np.array([2.0, -2.0, 0.0, 0.0, 0.0]) * deviation
    state, one = scorer.score(state, odd[None, :])
    assert np.abs((odd - rows[:1000].mean(axis=0)) / deviation).max() < 3.0
    assert one[0, 0] > scorer.limit
    # without a channel the rest is judged by its own covariance
    odd[2] = np.nan
    _, part = scorer.score(state, odd[None, :])
    there = [0, 1, 3, 4]
    covariance = shrunk.covariance_[np.ix_(there, there)]
    left = ((odd - rows[:1000].mean(axis=0)) / deviation)[there]
    squared_part = left @ np.linalg.solve(covariance, left)
    assert part[0, 0] == pytest.approx(expected(squared_part, 4), rel=1e-6)


def test_expectation_takes_the_weather_out() -> None:
    rng = np.random.default_rng(7)
    weather = rng.uniform(-10.0, 30.0, (1500, 2))
    noise = rng.standard_normal((1500, 3))
    flows = np.array([20.0, 5.0, 90.0]) + weather @ np.array([[0.5, -1.0, 0.0], [0.1, 0.0, 3.0]]) + 0.4 * noise
    flows[100:150, 1] += 30.0  # abnormal rows of the history are not learnt
    flows[1200:, 0] += 4.0
    scorer = Expected(n_covariates=2, history=700, penalty=0.0)
    state, scores = scorer.score(scorer.start(5), np.hstack([flows, weather]))
    assert state.model is not None
    np.testing.assert_allclose(state.model.slopes, [[0.5, 0.1], [-1.0, 0.0], [0.0, 3.0]], atol=0.01)
    np.testing.assert_allclose(state.model.intercept, [20.0, 5.0, 90.0], atol=0.15)
    np.testing.assert_allclose(scores[700:1200], noise[700:1200], atol=0.4)
    assert np.median(scores[1200:, 0]) == pytest.approx(10.0, rel=0.1)


def test_expectation_without_a_reading_is_none() -> None:
    rng = np.random.default_rng(8)
    frame = rng.standard_normal((100, 4))
    frame[:, 1] = np.nan
    frame[80:, 3] = np.nan
    scorer = Expected(n_covariates=1, history=50)
    _, scores = scorer.score(scorer.start(4), frame)
    assert np.isfinite(scores[50:80, [0, 2]]).all()
    assert np.isnan(scores[:, 1]).all()
    assert np.isnan(scores[80:]).all()


def test_a_reference_period_keeps_a_lasting_change_in_sight() -> None:
    rng = np.random.default_rng(9)
    frame = rng.normal(50.0, 0.3, (3000, 2))
    frame[500:, 1] -= 3.0
    scorer = RobustZ(history=400)
    _, scores = scorer.score(scorer.start(2), frame)
    assert np.median(scores[2500:, 1]) == pytest.approx(-10.0, rel=0.15)
    assert np.nanstd(scores[:, 0]) == pytest.approx(1.0, abs=0.15)


def test_moments_of_a_column_without_a_number() -> None:
    middle, spread = robust_moments(np.array([[1.0, np.nan], [3.0, np.nan], [8.0, np.inf]]))
    np.testing.assert_array_equal(middle, [3.0, np.nan])
    np.testing.assert_allclose(spread, [2.0 * 1.4826022185056018, 0.0])


@pytest.mark.parametrize("fit", [fit_isotonic, fit_platt])
def test_probabilities_come_true(fit: object) -> None:
    """Of new scores that are given a probability, that share are events."""
    rng = np.random.default_rng(10)

    def cases(n: int) -> tuple[np.ndarray, np.ndarray]:
        is_event = rng.random(n) < 0.3
        sign = rng.choice([-1.0, 1.0], n)
        return sign * np.where(is_event, rng.normal(4.0, 1.5, n), rng.normal(1.5, 1.5, n)).clip(0.0), is_event

    scores, is_event = cases(4000)
    scores[:50] = np.nan
    probability = fit(scores, is_event)  # type: ignore[operator]
    new, became = cases(20_000)
    stated = probability.of(np.abs(new))
    assert ((stated >= 0.0) & (stated <= 1.0)).all()
    for low in np.arange(0.0, 1.0, 0.2):
        inside = (stated >= low) & (stated < low + 0.2)
        if inside.sum() > 400:
            assert became[inside].mean() == pytest.approx(stated[inside].mean(), abs=0.08)
    assert (np.diff(probability.of(np.linspace(0.0, 8.0, 100))) >= 0.0).all()
    assert np.isnan(probability.of(np.array([np.nan]))).all()


def test_a_calibrated_scorer_alarms_by_probability() -> None:
    rng = np.random.default_rng(12)
    frame = rng.standard_normal((900, 3))
    frame[600:, 1] += 6.0
    inner = RobustZ(history=300)
    _, scores = inner.score(inner.start(3), frame)
    is_event = np.zeros((900, 3), dtype=bool)
    is_event[600:, 1] = True
    scorer = Calibrated(scorer=inner, probability=fit_platt(scores.ravel(), is_event.ravel()), limit=0.8)
    _, alarms = scorer.alarms(scorer.start(3), frame)
    assert set(alarms.channel.tolist()) == {1}
    assert (alarms.step >= 600).all()
    assert len(alarms) > 250


def test_outcomes_of_one_kind_teach_nothing() -> None:
    for fit in (fit_isotonic, fit_platt):
        with pytest.raises(NotEnoughData, match="3 with one of 3"):
            fit(np.array([1.0, 2.0, 3.0, np.nan]), np.array([True, True, True, False]))
