"""A town for the tests of hindsight whose pressures answer leaks in proportion: a `Watch` without hydraulics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.frame import Frame
from models.growth import Growth
from models.noise import Noise
from networks import Topology

Floats = NDArray[np.float64]

N_PIPES, N_SENSORS, PIPE_M = 40, 8, 100.0
START = pd.Timestamp("2025-01-01", tz="UTC")
DAY = pd.Timedelta("1D")


@dataclass(frozen=True)
class TownLeak:
    """A leak of the town: the number of its pipe, and how it grew, blocks and m3/s."""

    pipe: int
    growth: Growth


class LinearTown:
    """A street of 40 pipes with eight sensors and a balance.

    A leak lowers each sensor by 200 s/m2 times its flow, less with the distance; half of the street's balance is
    lost in weather. It stands in for `Watch`.
    """

    def __init__(self) -> None:
        n = N_PIPES + 1
        self.topology = Topology(
            nodes=tuple(f"n{k}" for k in range(n)),
            links=tuple(f"p{k}" for k in range(N_PIPES)),
            start=np.arange(N_PIPES, dtype=np.int64),
            end=np.arange(1, n, dtype=np.int64),
            length=np.full(N_PIPES, PIPE_M),
            is_pipe=np.ones(N_PIPES, dtype=bool),
            is_junction=np.ones(n, dtype=bool),
            xy=np.zeros((n, 2)),
        )
        self.pipes = np.arange(N_PIPES, dtype=np.int64)
        at = np.linspace(0, N_PIPES - 1, N_SENSORS)
        distance = np.abs(self.pipes[:, None] - at[None, :])
        pressures = -200.0 * np.exp(-distance / 8.0) - 8.0
        self.responses: Floats = np.hstack([pressures, np.ones((N_PIPES, 1))])
        self.sizes: Floats = np.array([2.5, 6.0, 15.0]) / 3600.0
        self.secants: Floats = np.stack([self.responses] * 3)
        self.largest_take = 100.0 / 3600.0
        self.inflow_of_pipes: Floats = np.full(N_PIPES, self.largest_take)
        self.channels = SimpleNamespace(
            names=(*(f"s{k}" for k in range(N_SENSORS)), "balance of town"), picked=np.arange(N_SENSORS)
        )
        deviation = np.array([0.05] * N_SENSORS + [2.0 / 3600.0])
        self.noise = Noise(np.diag(deviation**2), np.diag((0.5 * deviation) ** 2), 25.0)
        self.settings = SimpleNamespace(block=DAY)
        self.model = SimpleNamespace(is_empty=lambda drive: np.zeros((1, 0), dtype=bool))  # no tanks
        # the town is as its model has it
        self.doubts = SimpleNamespace(at=lambda pipe, used: np.empty((0, N_SENSORS + 1)))

    def blind(self, frame: Frame) -> NDArray[np.bool_]:
        """No pipe's district is without its sensors."""
        return np.zeros(N_PIPES, dtype=bool)

    def sized(self, responses: Floats) -> Floats:
        """Responses by size: all the same."""
        return np.stack([responses] * 4)

    def effect(self, frames: Sequence[Frame], leaks: Mapping[int, Floats]) -> Floats:
        """Effects of leaks, which add up."""
        total = np.zeros((len(frames), N_SENSORS + 1))
        for link, flow in leaks.items():
            total += np.outer(flow, self.responses[link])
        return total

    def frames(self, leaks: Sequence[TownLeak], n_blocks: int, seed: int) -> list[Frame]:
        """What the town's instruments show."""
        random = np.random.default_rng(seed)
        blocks = np.arange(float(n_blocks))
        values = random.normal(size=(n_blocks, N_SENSORS + 1)) * np.sqrt(np.diag(self.noise.white))
        kernel = np.exp(-np.abs(blocks[:, None] - blocks[None, :]) / self.noise.memory)
        slow = np.linalg.cholesky(kernel + 1e-9 * np.eye(n_blocks)) @ random.normal(size=values.shape)
        values += slow * np.sqrt(np.diag(self.noise.slow))
        for leak in leaks:
            values += np.outer(leak.growth.flow(blocks), self.responses[leak.pipe])
        nothing: Any = None
        return [
            Frame(START + k * DAY, START + (k + 1) * DAY, v, nothing, np.empty((0, 0))) for k, v in enumerate(values)
        ]
