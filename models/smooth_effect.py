"""What leaks do to a whole record: by simulation of all together, and one by one to first order between simulations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.frame import Frame
from models.growth import Growth
from models.watch import Watch

Floats = NDArray[np.float64]

_NEAR, _LEAST = 0.03, 0.02 / 3600.0  # share and m3/s by which a flow may differ from one that was simulated
_NEAR_SHARE = 0.02  # of a block


def _is_near(flows: Mapping[int, float], old: Mapping[int, float]) -> bool:
    return all(
        abs(flows.get(link, 0.0) - old.get(link, 0.0)) <= _NEAR * flows.get(link, 0.0) + _LEAST
        for link in flows.keys() | old.keys()
    )


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
    is_held
        The record does not show how it began: it stays as it is, but for its end.
    """

    at: int
    growth: Growth
    is_repaired: bool = False
    is_held: bool = False

    @property
    def is_free(self) -> bool:
        """Whether it may move, end otherwise, or not have been there at all."""
        return not (self.is_repaired or self.is_held)


@dataclass(slots=True)
class _Simulated:
    """What was simulated of one block: the flows, in each of its parts, and what they do together beyond their sum."""

    parts: list[tuple[float, dict[int, float]]]
    together: Floats

    def covers(self, parts: list[tuple[float, dict[int, float]]]) -> bool:
        """Whether flows are so near those simulated that what they do together is the same."""
        return len(parts) == len(self.parts) and all(
            abs(share - old_share) < _NEAR_SHARE and _is_near(flows, old)
            for (share, flows), (old_share, old) in zip(parts, self.parts, strict=True)
        )


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
        self._known: dict[int, _Simulated] = {}
        self.together: Floats = np.zeros((len(blocks), len(watch.channels.names)))

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
        """Simulate leaks together, in the blocks where their flows are not those simulated last."""
        flows = self._flows(leaks, self.blocks + 0.5)
        cut = {k: self._in_parts(leaks, float(self.blocks[k])) for k in self._cut(leaks)}
        rows, weights, moments = [], [], []
        missing: dict[int, list[tuple[float, dict[int, float]]]] = {}
        for k in range(len(self.blocks)):
            parts = cut.get(k) or [(1.0, {link: q for link, flow in flows.items() if (q := float(flow[k])) > 0.0})]
            if k in self._known and self._known[k].covers(parts):
                self.together[k] = self._known[k].together
                continue
            missing[k] = parts
            rows += [k] * len(parts)
            weights += [share for share, _ in parts]
            moments += [now for _, now in parts]
        if not missing:
            return
        links = sorted({link for now in moments for link in now})
        together = {link: np.array([now.get(link, 0.0) for now in moments]) for link in links}
        found = self._watch.effect([self._frames[k] for k in rows], together)
        simulated = np.zeros_like(self.together)
        np.add.at(simulated, rows, found * np.array(weights)[:, None])
        apart = sum((self.one(leak) for leak in leaks), np.zeros_like(simulated))
        for k, parts in missing.items():
            self.together[k] = simulated[k] - apart[k]
            self._known[k] = _Simulated(parts, self.together[k].copy())

    def _flows(self, leaks: Sequence[Supposed], moments: Floats) -> dict[int, Floats]:
        """Flow of each link at moments, link -> float64 [n], m3/s."""
        flows: dict[int, Floats] = {}
        for leak in leaks:
            link = int(self._watch.pipes[leak.at])
            flows[link] = flows.get(link, np.zeros(len(moments))) + leak.growth.moment(moments)
        return flows

    def _cut(self, leaks: Sequence[Supposed]) -> list[int]:
        """Rows of the blocks in which a leak begins at once or ends."""
        cuts = [g.onset for g in (leak.growth for leak in leaks) if g.rise == 0]
        cuts += [g.end for g in (leak.growth for leak in leaks) if g.end is not None]
        rows = np.searchsorted(self.blocks, np.floor(cuts))
        found = {k for k, cut in zip(rows.tolist(), cuts, strict=True) if k < len(self.blocks)}
        return sorted(k for k in found if len(_parts(leaks, float(self.blocks[k]))) > 1)

    def _in_parts(self, leaks: Sequence[Supposed], block: float) -> list[tuple[float, dict[int, float]]]:
        """Share of a block and flow of each link in it, for each part in which no leak begins at once or ends."""
        moments = _parts(leaks, block)
        flows = self._flows(leaks, np.array([middle for middle, _ in moments]))
        return [(w, {link: float(q[j]) for link, q in flows.items() if q[j] > 0.0}) for j, (_, w) in enumerate(moments)]


def _parts(leaks: Sequence[Supposed], block: float) -> list[tuple[float, float]]:
    """Middles and lengths of the parts of a block in which no leak begins at once or ends."""
    cuts = {0.0, 1.0}
    for growth in (leak.growth for leak in leaks):
        ends = (growth.onset if growth.rise == 0 else None, growth.end)
        cuts.update(at - block for at in ends if at is not None and 0.0 < at - block < 1.0)
    return [(block + 0.5 * (low + high), high - low) for low, high in pairwise(sorted(cuts))]
