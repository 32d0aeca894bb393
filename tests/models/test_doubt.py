"""Responses that are known up to errors of their own, against likelihoods with every covariance written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from models.doubt import Learnt
from models.evidence import Scanner
from models.growth import shapes
from models.noise import Noise, even
from tests import naive

RISES = (2, 5)


def problem(seed: int, n_blocks: int, n_channels: int):
    random = np.random.default_rng(seed)
    root, bias = random.standard_normal((2, n_channels + 2, n_channels))
    noise = Noise(root.T @ root / n_channels, 0.3 * bias.T @ bias, 6.0)
    covariance = naive.window_covariance(noise.white, noise.slow, noise.memory, n_blocks)
    responses = random.standard_normal((4, n_channels))
    doubt = 0.3 * random.standard_normal((4, 2, n_channels))
    residuals = 2.0 * random.standard_normal((n_blocks, n_channels))
    return noise, covariance, responses, doubt, residuals


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(3, 7), st.integers(1, 4))
def test_the_gain_is_the_likelihood_ratio_with_the_responses_doubt_in_it(seed, n_blocks, n_channels):
    noise, covariance, responses, doubt, residuals = problem(seed, n_blocks, n_channels)
    cost = 0.2
    scanner = Scanner(noise, n_blocks, RISES, cost)
    found = scanner.weigh(residuals, plain := scanner.scan(residuals, responses), responses, doubt)
    grown = shapes(n_blocks, RISES).values
    best = plain.gain.max()
    nothing = multivariate_normal(np.zeros(residuals.size), covariance).logpdf(residuals.ravel())
    for k in np.flatnonzero(plain.gain > 0.5 * best):
        shape, flow = grown[:, plain.shape[k]], found.flow[k]
        wider = covariance + flow**2 * np.kron(np.outer(shape, shape), doubt[k].T @ doubt[k])
        leak = multivariate_normal(flow * np.outer(shape, responses[k]).ravel(), wider).logpdf(residuals.ravel())
        assert found.gain[k] == pytest.approx(max(0.0, leak - nothing - cost * flow), rel=1e-5, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(3, 7), st.integers(1, 4))
def test_a_misfit_is_what_the_covariances_let_expect(seed, n_blocks, n_channels):
    noise, covariance, _, doubt, left = problem(seed, n_blocks, n_channels)
    flow = np.linspace(0.0, 2.0, n_blocks)
    mean, rest = Scanner(noise, n_blocks, RISES).misfit(left, flow, doubt[0])
    prior = doubt[0].T @ doubt[0]
    shared = np.kron(flow[None, :], prior)  # covariance of the misfit with the window
    inverse = np.linalg.inv(covariance + np.kron(np.outer(flow, flow), prior))
    np.testing.assert_allclose(mean, shared @ inverse @ left.ravel(), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(rest.T @ rest, prior - shared @ inverse @ shared.T, rtol=1e-5, atol=1e-8)


def test_what_calibration_told_takes_variance_away_only_where_it_looked():
    random = np.random.default_rng(5)
    deviation, seen, wanted = (
        random.uniform(0.1, 0.5, 6),
        random.standard_normal((3, 6)),
        random.standard_normal((2, 6)),
    )
    _, size, direction = np.linalg.svd(seen * deviation, full_matrices=False)
    learnt = Learnt(deviation, direction.T, size**2 / (1.0 + size**2))
    posterior = np.linalg.inv(np.diag(1.0 / deviation**2) + seen.T @ seen)
    np.testing.assert_allclose(learnt.covariance(wanted), wanted @ posterior @ wanted.T, rtol=1e-9)


def test_a_block_in_which_something_lasting_began_stands_between_its_neighbours_and_a_lasting_step_stays():
    random = np.random.default_rng(2)
    noise = Noise(np.eye(5), np.zeros((5, 5)), 10.0)
    residual = random.standard_normal((12, 5))
    residual[6] += 8.0
    residual[7:] += 20.0
    residual[3] -= 12.0
    levelled = even(residual, noise)
    np.testing.assert_allclose(levelled[6], 0.5 * (residual[5] + residual[7]))
    np.testing.assert_allclose(levelled[3], 0.5 * (residual[2] + residual[4]))
    others = [k for k in range(12) if k not in (3, 6)]
    np.testing.assert_array_equal(levelled[others], residual[others])
