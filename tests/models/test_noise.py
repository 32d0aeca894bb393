"""Covariances of leak-free residuals."""

from typing import Any

import numpy as np
import pytest

from models.noise import Noise, from_structure, learn, with_known

Array = np.ndarray[Any, Any]


def structural(seed: int = 3, n_channels: int = 4) -> Noise:
    chance = np.random.default_rng(seed)
    demand = 0.02 * chance.standard_normal((30, n_channels))
    return from_structure(demand, np.full(n_channels, 0.01), np.full(n_channels, 0.03), memory=25.0)


def drawn(white: Array, n_blocks: int, seed: int) -> Array:
    return np.random.default_rng(seed).multivariate_normal(np.zeros(len(white)), white, n_blocks)


def test_structure_is_demand_through_the_model_and_each_instruments_own() -> None:
    demand = np.array([[1.0, 0.0], [2.0, 1.0]])
    noise = from_structure(demand, np.array([0.5, 0.25]), np.array([3.0, 4.0]), memory=7.0)
    assert noise.white.tolist() == [[5.25, 2.0], [2.0, 1.0625]]
    assert noise.slow.tolist() == [[14.0, 2.0], [2.0, 17.0]]
    assert noise.memory == 7.0


def test_many_blocks_outweigh_the_structure() -> None:
    guess = structural()
    truth = np.diag([1.0, 4.0, 9.0, 0.25]) * 1e-3
    truth[0, 1] = truth[1, 0] = 1.2e-3
    learnt = learn(guess, drawn(truth, 4000, seed=1))
    np.testing.assert_allclose(np.diag(learnt.white), np.diag(truth), rtol=0.1)
    scale = np.sqrt(np.outer(np.diag(truth), np.diag(truth)))
    np.testing.assert_allclose(learnt.white / scale, truth / scale, atol=0.07)


def test_few_blocks_keep_the_structures_shape_at_the_seen_size() -> None:
    guess = structural()
    quiet = learn(guess, drawn(0.01 * guess.white, 8, seed=2))
    loud = learn(guess, drawn(9.0 * guess.white, 8, seed=2))
    np.testing.assert_allclose(loud.white, 900.0 * quiet.white, rtol=1e-9)
    assert 2.0 < np.trace(loud.white) / np.trace(guess.white) < 30.0


@pytest.mark.parametrize("n_blocks", [0, 1, 4])
def test_too_few_blocks_teach_nothing(n_blocks: int) -> None:
    guess = structural()
    assert learn(guess, drawn(guess.white, n_blocks, seed=4)) is guess


def test_gaps_are_left_out() -> None:
    guess = structural()
    residuals = drawn(guess.white, 40, seed=5)
    residuals[20:] += 5.0
    gappy = np.insert(residuals, 20, np.nan, axis=0)  # the step falls into the gap
    learnt = learn(guess, gappy)
    assert np.isfinite(learnt.white).all()
    halves = learn(guess, np.vstack([residuals[:20], np.full((1, 4), np.nan), residuals[20:] - 5.0]))
    np.testing.assert_allclose(learnt.white, halves.white, rtol=1e-9)


@pytest.mark.parametrize("n_blocks", [6, 20, 200])
def test_learnt_noise_is_a_covariance(n_blocks: int) -> None:
    guess = structural()
    learnt = learn(guess, drawn(guess.white, n_blocks, seed=6))
    np.testing.assert_allclose(learnt.white, learnt.white.T, rtol=1e-12)
    assert np.linalg.eigvalsh(learnt.white).min() > 0.0
    assert learnt.memory == guess.memory


def test_slow_changes_are_invisible() -> None:
    guess = structural()
    residuals = drawn(guess.white, 300, seed=7)
    drifting = residuals + np.linspace(0.0, 1.0, 300)[:, None]
    np.testing.assert_allclose(learn(guess, drifting).white, learn(guess, residuals).white, rtol=0.05, atol=1e-5)


def test_one_leak_that_begins_changes_little() -> None:
    guess = structural()
    residuals = drawn(guess.white, 60, seed=8)
    stepped = residuals.copy()
    stepped[30:] += 50.0
    before, after = learn(guess, residuals).white, learn(guess, stepped).white
    assert np.trace(after) < 1.3 * np.trace(before)


def test_drift_is_never_more_than_the_structures() -> None:
    guess = structural()
    loud, quiet = (learn(guess, drawn(factor * guess.white, 100, seed=9)) for factor in (25.0, 0.04))
    np.testing.assert_array_equal(loud.slow, guess.slow)
    assert np.trace(quiet.slow) < 0.2 * np.trace(guess.slow)


def test_known_leaks_are_doubted() -> None:
    guess = structural()
    doubts = np.array([[0.1, 0.0, 0.0, 0.2], [0.0, 0.3, 0.0, 0.0]])
    doubted = with_known(guess, doubts)
    np.testing.assert_allclose(doubted.slow - guess.slow, doubts.T @ doubts, atol=1e-15)
    assert doubted.white is guess.white
    np.testing.assert_array_equal(with_known(guess, np.empty((0, 4))).slow, guess.slow)
