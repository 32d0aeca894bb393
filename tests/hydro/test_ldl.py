"""Sparse factorisation of networks against dense algebra."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydro.engine import Engine
from hydro.ldl import Pattern, analyse, factorise, solve


def laplacian(pattern: Pattern, a: np.ndarray, b: np.ndarray, weight: np.ndarray, extra: np.ndarray) -> tuple:
    """Values for the pattern, and the dense matrix in the original order."""
    dense = np.diag(extra).astype(float)
    np.add.at(dense, (a, a), weight)
    np.add.at(dense, (b, b), weight)
    diagonal = np.empty(pattern.size)
    diagonal[pattern.place] = np.diag(dense)
    np.add.at(dense, (a, b), -weight)
    np.add.at(dense, (b, a), -weight)
    off = np.zeros(len(pattern.above))
    np.add.at(off, pattern.slot, -weight)
    return off, diagonal, dense


def check(size: int, a: np.ndarray, b: np.ndarray, chance: np.random.Generator, wide: int, unit: bool) -> None:
    pattern = analyse(size, a, b)
    assert sorted(pattern.place) == list(range(size))
    for _ in range(2):  # the same pattern with other values
        weight, extra = chance.uniform(0.1, 10.0, len(a)), chance.uniform(0.01, 1.0, size)
        off, diagonal, dense = laplacian(pattern, a, b, weight, extra)
        rows, low, pivot = factorise(pattern.first, pattern.above, pattern.parent, pattern.column, off, diagonal)
        assert (pivot > 0.0).all()
        wanted = chance.normal(size=(size, wide))
        if unit:
            wanted = np.zeros((size, wide))
            wanted[chance.integers(0, size, wide), np.arange(wide)] = 1.0
        x = np.empty_like(wanted)
        x[pattern.place] = wanted
        solve(pattern.column, rows, low, pivot, x)
        np.testing.assert_allclose(dense @ x[pattern.place], wanted, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    size=st.integers(1, 40), share=st.floats(0.0, 4.0), seed=st.integers(0, 10_000), wide=st.integers(1, 5),
    unit=st.booleans(),
)  # fmt: skip
def test_any_graph(size: int, share: float, seed: int, wide: int, unit: bool) -> None:
    chance = np.random.default_rng(seed)
    count = int(share * size) if size > 1 else 0
    a = chance.integers(0, size, count)
    b = (a + chance.integers(1, max(size, 2), count)) % size  # repeated pairs and loose nodes happen
    check(size, a, b, chance, wide, unit)


@pytest.mark.parametrize("name", ["Net3", "ky4"])
def test_a_network(name: str) -> None:
    with Engine(name) as engine:
        topology = engine.topology
    inner = topology.is_junction[topology.start] & topology.is_junction[topology.end]
    size = int(topology.is_junction.sum())
    check(size, topology.start[inner], topology.end[inner], np.random.default_rng(3), 40, unit=True)
    pattern = analyse(size, topology.start[inner], topology.end[inner])
    assert pattern.column[-1] < 4 * size  # a good order: water networks fill in hardly at all
