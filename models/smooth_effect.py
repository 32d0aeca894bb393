"""What leaks do to a whole record: by simulation of all together, and one by one to first order between simulations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.frame import Frame
from models.growth import Growth
from models.watch import Watch

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Supposed:
    """A leak that is supposed to have run.

    Attributes
    ----------
    at
        Position among the pipes that can leak.
    growth
        On the detector's clock.
    is_repaired
        A crew has mended it: its place and its end are known.
    """

    at: int
    growth: Growth
    is_repaired: bool = False


class Effects:
    """Effects of leaks on every block of a record.

    Between simulations the effect of each leak follows from its response at the size that it has in each block; what
    leaks do together beyond that is taken from the last simulation.

    Parameters
    ----------
    watch
        What simulates.
    frames
        The blocks that are there.
    blocks
        float64 [n_blocks], their numbers on the detector's clock.
    """

    def __init__(self, watch: Watch, frames: Sequence[Frame], blocks: Floats) -> None:
        self._watch, self._frames, self.blocks = watch, list(frames), blocks
        self._sized = watch.sized(watch.responses)
        self._made = np.log(np.concatenate([[0.4 * watch.sizes[0]], watch.sizes]))
        n_channels = len(watch.channels.names)
        self._simulated: Floats = np.zeros((len(blocks), n_channels))
        self._last: list[dict[int, tuple[float, ...]]] = [{} for _ in blocks]
        self.together: Floats = np.zeros((len(blocks), n_channels))

    def response(self, at: int, flow: float) -> Floats:
        """Effect of one m3/s from a pipe at a size, float64 [n_channels]."""
        response: Floats = self._shares(np.array([flow]))[0] @ self._sized[:, at]
        return response

    def _shares(self, flows: Floats) -> Floats:
        """Weights of the responses by size that make up those at some flows, float64 [n, n_sizes]."""
        position = np.interp(np.log(np.maximum(flows, 1e-9)), self._made, np.arange(len(self._made)))
        shares: Floats = np.maximum(1.0 - np.abs(position[:, None] - np.arange(len(self._made))), 0.0)
        return shares

    def parts(self, leak: Supposed) -> tuple[Floats, Floats]:
        """Effect of one leak alone as flows, float64 [k, n_blocks], through responses, float64 [k, n_channels]."""
        growth = leak.growth
        flow = growth.flow(self.blocks)
        if growth.rise == 0:  # at its size from the first moment on
            return flow[None], self.response(leak.at, growth.peak)[None]
        shares = self._shares(flow)
        used = np.flatnonzero(shares.any(axis=0))
        return (flow[:, None] * shares[:, used]).T, self._sized[used, leak.at]

    def one(self, leak: Supposed) -> Floats:
        """Effect of one leak alone, float64 [n_blocks, n_channels]."""
        flows, responses = self.parts(leak)
        return flows.T @ responses

    def several(self, leaks: Sequence[Supposed]) -> Floats:
        """Effects of leaks together, float64 [n_blocks, n_channels]."""
        total = self.together.copy()
        for leak in leaks:
            total += self.one(leak)
        return total

    def simulate(self, leaks: Sequence[Supposed]) -> None:
        """Simulate leaks together, where they differ from what was simulated last."""
        links = [int(self._watch.pipes[leak.at]) for leak in leaks]
        parts = [_parts(leaks, block) for block in self.blocks.tolist()]
        rows, weights, flows = [], [], []
        for k, moments in enumerate(parts):
            middles = np.array([m for m, _ in moments])
            now: dict[int, tuple[float, ...]] = {}
            for link, leak in zip(links, leaks, strict=True):
                flow = leak.growth.moment(middles)
                if np.any(flow > 0.0):
                    now[link] = tuple((flow + np.array(now.get(link, 0.0))).tolist())
            if now == self._last[k]:
                continue
            self._last[k] = now
            self._simulated[k] = 0.0
            for j, (_, weight) in enumerate(moments):
                rows.append(k)
                weights.append(weight)
                flows.append({link: flow[j] for link, flow in now.items()})
        if rows:
            running = sorted({link for each in flows for link in each})
            together = {link: np.array([each.get(link, 0.0) for each in flows]) for link in running}
            found = self._watch.effect([self._frames[k] for k in rows], together)
            np.add.at(self._simulated, rows, found * np.array(weights)[:, None])
        self.together = self._simulated - sum((self.one(leak) for leak in leaks), np.zeros_like(self._simulated))


def _parts(leaks: Sequence[Supposed], block: float) -> list[tuple[float, float]]:
    """Middles and lengths of the parts of a block in which no leak begins at once or ends."""
    cuts = {0.0, 1.0}
    for growth in (leak.growth for leak in leaks):
        ends = (growth.onset if growth.rise == 0 else None, growth.end)
        cuts.update(at - block for at in ends if at is not None and 0.0 < at - block < 1.0)
    return [(block + 0.5 * (low + high), high - low) for low, high in pairwise(sorted(cuts))]
