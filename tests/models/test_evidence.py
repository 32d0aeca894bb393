"""The scan against generalised least squares with the whole covariance written out."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evidence import Scanner
from models.growth import shapes
from models.noise import Noise
from tests import naive

Array = np.ndarray[Any, Any]


class Problem:
    """A small random window with every covariance dense."""

    def __init__(self, seed: int, n_blocks: int, n_channels: int, rank: int, memory: float) -> None:
        self.chance = np.random.default_rng(seed)
        self.n_blocks, self.rises = n_blocks, (2, 5)
        root = self.chance.standard_normal((n_channels + 3, n_channels))
        bias = self.chance.standard_normal((rank, n_channels))
        self.noise = Noise(root.T @ root / n_channels, 2.0 * bias.T @ bias, memory)
        self.responses = self.chance.standard_normal((6, n_channels))
        self.covariance = naive.window_covariance(self.noise.white, self.noise.slow, memory, n_blocks)
        self.residuals = self.chance.multivariate_normal(
            np.zeros(n_blocks * n_channels), self.covariance, method="cholesky"
        ).reshape(n_blocks, n_channels)
        self.scanner = Scanner(self.noise, n_blocks, self.rises)
        self.shapes = shapes(n_blocks, self.rises)

    def leak(self, candidate: int, which: int, flow: float) -> Array:
        return flow * np.outer(self.shapes.values[:, which], self.responses[candidate])

    def column(self, onset: float, rise: int) -> int:
        return int(np.flatnonzero((self.shapes.onset == onset) & (self.shapes.rise == rise))[0])


_problems = st.builds(
    Problem,
    seed=st.integers(0, 10_000),
    n_blocks=st.integers(1, 8),
    n_channels=st.integers(1, 4),
    rank=st.integers(0, 3),  # the slow part may be singular, or absent
    memory=st.floats(0.5, 40.0),
)


@settings(deadline=None, max_examples=40)
@given(_problems)
def test_scan_is_generalised_least_squares(problem: Problem) -> None:
    found = problem.scanner.scan(problem.residuals, problem.responses)
    for candidate, response in enumerate(problem.responses):
        tried = [
            naive.explain(problem.residuals, response, values, problem.covariance) for values in problem.shapes.values.T
        ]
        best = max(one.gain for one in tried)
        assert found.gain[candidate] == pytest.approx(best, rel=1e-6, abs=1e-9)
        if best < 1e-6:
            continue
        column = problem.column(found.onset[candidate], int(found.rise[candidate]))
        picked = tried[column]  # of shapes as good as each other any may be named
        assert picked.gain == pytest.approx(best, rel=1e-6)
        assert found.flow[candidate] == pytest.approx(picked.flow, rel=1e-6)
        assert found.deviation[candidate] == pytest.approx(picked.deviation, rel=1e-6)
        assert found.now[candidate] == pytest.approx(picked.flow * problem.shapes.values[-1, column], rel=1e-6)


@settings(deadline=None, max_examples=40)
@given(_problems)
def test_whitened_window_has_the_likelihood(problem: Problem) -> None:
    whitened = problem.scanner.whiten(problem.residuals)
    dense = problem.residuals.ravel() @ np.linalg.solve(problem.covariance, problem.residuals.ravel())
    assert whitened @ whitened == pytest.approx(dense, rel=1e-6)


@settings(deadline=None, max_examples=40)
@given(_problems)
def test_whitened_products_are_whitened_leaks(problem: Problem) -> None:
    flows = problem.chance.standard_normal((3, problem.n_blocks))
    found = problem.scanner.whiten_products(flows, problem.responses[0])
    for row, flow in zip(found, flows, strict=True):
        expected = problem.scanner.whiten(np.outer(flow, problem.responses[0]))
        np.testing.assert_allclose(row, expected, atol=1e-9 * max(1.0, np.abs(expected).max()))


@settings(deadline=None, max_examples=30)
@given(_problems)
def test_alike_is_the_cosine_in_the_noise(problem: Problem) -> None:
    inverse = np.linalg.inv(problem.noise.white)
    one, others = problem.responses[0], problem.responses
    norm = np.sqrt(np.einsum("ij,jk,ik->i", others, inverse, others))
    expected = others @ inverse @ one / norm / norm[0]
    np.testing.assert_allclose(problem.scanner.alike(one, others), expected, atol=1e-7)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("onset", "rise"), [(0.0, 0), (4.0, 0), (1.0, 5), (-2.0, 5)])
def test_leak_without_noise_is_found_where_it_is(seed: int, onset: float, rise: int) -> None:
    problem = Problem(seed, n_blocks=8, n_channels=5, rank=2, memory=20.0)
    column = problem.column(onset, rise)
    for candidate in range(len(problem.responses)):
        found = problem.scanner.scan(problem.leak(candidate, column, 0.004), problem.responses)
        assert found.best == candidate
        assert found.flow[candidate] == pytest.approx(0.004, rel=1e-6)
        assert (found.onset[candidate], found.rise[candidate]) == (onset, rise)
        assert found.now[candidate] == pytest.approx(0.004 * problem.shapes.values[-1, column], rel=1e-6)
        growth = found.growth(candidate, first_block=100)
        assert (growth.onset, growth.rise) == (100.0 + onset, rise)
        assert growth.peak == pytest.approx(0.004, rel=1e-6)


def test_gain_grows_with_the_square_of_the_flow() -> None:
    problem = Problem(11, n_blocks=8, n_channels=5, rank=2, memory=20.0)
    column = problem.column(3.0, 0)
    gains = [problem.scanner.scan(problem.leak(2, column, q), problem.responses).gain for q in (0.5, 1.0, 2.0, 4.0)]
    for less, more in itertools.pairwise(gains):
        np.testing.assert_allclose(more, 4.0 * less, rtol=1e-9)


def test_gain_grows_with_flow_in_noise_too() -> None:
    problem = Problem(12, n_blocks=8, n_channels=5, rank=2, memory=20.0)
    column = problem.column(3.0, 0)
    gains = [
        problem.scanner.scan(problem.residuals + problem.leak(2, column, q), problem.responses).gain[2]
        for q in (2.0, 4.0, 8.0, 16.0)
    ]
    assert gains == sorted(gains)
    assert gains[-1] > 10.0 * gains[0]


def test_water_that_comes_in_is_no_leak() -> None:
    problem = Problem(13, n_blocks=6, n_channels=1, rank=1, memory=20.0)
    responses = np.abs(problem.responses)
    found = problem.scanner.scan(-np.outer(np.ones(6), responses[0]), responses)
    assert (found.gain == 0.0).all()
    assert (found.flow == 0.0).all()
    assert np.isfinite(found.deviation).all()


def test_deviation_is_the_spread_of_the_flow() -> None:
    problem = Problem(14, n_blocks=6, n_channels=4, rank=2, memory=10.0)
    root = np.linalg.cholesky(problem.covariance)
    column = problem.column(0.0, 0)
    chance = np.random.default_rng(15)
    flows = []
    for _ in range(300):
        noise = (root @ chance.standard_normal(len(root))).reshape(6, 4)
        flow = naive.explain(
            noise + problem.leak(0, column, 50.0), problem.responses[0], problem.shapes.values[:, column],
            problem.covariance,
        ).flow  # fmt: skip
        flows.append(flow)
    found = problem.scanner.scan(problem.leak(0, column, 50.0), problem.responses)
    assert np.mean(flows) == pytest.approx(50.0, abs=0.3 * found.deviation[0])
    assert np.std(flows) == pytest.approx(found.deviation[0], rel=0.15)
