"""The noise of a whole record: its coordinates and its doubts against dense matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.noise import Noise
from models.smooth_field import Doubts, Field

Floats = NDArray[np.float64]


def _noise(random: np.random.Generator, n: int) -> Noise:
    white, slow = random.normal(size=(n, 2 * n)), random.normal(size=(n, n))
    return Noise(white @ white.T / n, slow @ slow.T / n, 9.0)


def _dense(noise: Noise, blocks: Floats, flows: Floats, directions: list[Floats]) -> Floats:
    """Covariance of a record [n_blocks x n_channels], the slow, obvious way."""
    kernel = np.exp(-np.abs(blocks[:, None] - blocks[None, :]) / noise.memory) + 1.0
    covariance = np.kron(np.eye(len(blocks)), noise.white) + np.kron(kernel, noise.slow)
    for flow, leak in zip(flows, directions, strict=True):
        for direction in leak:
            doubt = np.kron(flow, direction)
            covariance += np.outer(doubt, doubt)
    return covariance


def test_products_under_the_noise_are_those_of_dense_matrices() -> None:
    random = np.random.default_rng(5)
    blocks = np.array([0.0, 1.0, 2.0, 5.0, 6.0, 9.0, 10.0, 11.0])
    noise = _noise(random, 4)
    flows = random.uniform(0.0, 2.0, (3, len(blocks)))
    directions = [random.normal(size=(k, 4)) for k in (2, 1, 3)]
    field = Field(noise, blocks)
    doubts = Doubts(field, field.flows(flows), [field.responses(d) for d in directions])
    inverse = np.linalg.inv(_dense(noise, blocks, flows, directions))
    record, response, shape = random.normal(size=(len(blocks), 4)), random.normal(size=4), random.uniform(size=8)
    template = np.outer(shape, response)
    weighed = doubts.weigh(field.values(record))
    assert np.isclose((weighed * field.values(record)).sum(), record.ravel() @ inverse @ record.ravel())
    assert np.isclose((weighed * field.values(template)).sum(), template.ravel() @ inverse @ record.ravel())
    energy = doubts.energy(field.responses(response)[None], field.flows(shape)[None])
    assert np.isclose(energy[0], template.ravel() @ inverse @ template.ravel())


def test_doubts_widen_the_noise_by_their_determinant() -> None:
    random = np.random.default_rng(6)
    blocks = np.arange(6.0)
    noise = _noise(random, 3)
    flows = random.uniform(0.0, 2.0, (2, 6))
    directions = [random.normal(size=(2, 3)) for _ in flows]
    field = Field(noise, blocks)
    doubts = Doubts(field, field.flows(flows), [field.responses(d) for d in directions])
    wide = np.linalg.slogdet(_dense(noise, blocks, flows, directions))[1]
    plain = np.linalg.slogdet(_dense(noise, blocks, flows[:0], []))[1]
    assert np.isclose(doubts.log_volume, 0.5 * (wide - plain))


def test_without_leaks_there_are_no_doubts() -> None:
    random = np.random.default_rng(7)
    field = Field(_noise(random, 3), np.arange(5.0))
    doubts = Doubts(field, np.empty((0, 5)), [])
    record = field.values(random.normal(size=(5, 3)))
    assert np.array_equal(doubts.weigh(record), field.precision * record)
    assert doubts.log_volume == 0.0
