"""How well a set of leaks explains a whole record: the logarithm of its posterior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from models.growth import Growth
from models.rules import Rules
from models.smooth_effect import Effects, Supposed
from models.smooth_field import Doubts, Field, without_gaps
from models.watch import Watch

Floats = NDArray[np.float64]

_LOOSE = 0.25  # share by which another leak may turn out larger or smaller while one is sought
_NEIGHBOURS, _NEIGHBOUR_M, _NEIGHBOUR_DOUBT = 4, 300.0, 0.2
_PATTERNS, _PATTERN_DOUBT = 12, 0.06
_SMALL = 0.3  # doubts of less than this squared are lost in the noise
_END_COST, _RISE_COST = 8.0, 3.0
_MOST_KEPT = 600
_RIDGE = 1e-6


class Judge:
    """Says how well a set of leaks explains a record."""

    def __init__(self, watch: Watch, effects: Effects, values: Floats, rules: Rules) -> None:
        self.watch, self.effects, self.rules = watch, effects, rules
        self._values = values
        self.field = Field(watch.noise, effects.blocks)
        self._patterns = self.field.responses(_PATTERN_DOUBT * _patterns(watch))
        self.cost = 1.0 / (rules.usual_share * watch.largest_take)
        self.each = rules.gain
        self.n_pressures = len(watch.channels.picked)
        self._units: dict[tuple[int, Growth], Floats] = {}
        self._owns: dict[tuple[int, int], Floats] = {}
        self.temper = 1.0

    def doubts(self, leaks: Sequence[Supposed], is_loose: bool = False) -> Doubts:
        """What is uncertain about leaks; loose ones may also be larger or smaller."""
        flows = np.array([leak.growth.flow(self.effects.blocks) for leak in leaks])
        flows = flows.reshape(len(leaks), len(self.effects.blocks))
        rotated = self.field.flows(flows)
        directions = []
        for leak, flow in zip(leaks, rotated, strict=True):
            response = self.effects.response(leak.at, leak.growth.peak)
            found = np.vstack([self._patterns, self._own(leak.at, leak.growth.peak)])
            # what lies far below the noise need not be carried along
            told = (found**2) @ (self.field.precision @ flow**2) > _SMALL
            told[np.argmax((found**2).sum(axis=1))] = True
            parts = [found[told]]
            if is_loose:
                parts.append(self.field.responses(_LOOSE * response)[None])
            directions.append(np.vstack(parts))
        return Doubts(self.field, rotated, directions)

    def _own(self, at: int, flow: float) -> Floats:
        """What one m3/s from a pipe may do beyond its response: be in the next street, or weigh more or less."""
        key = (at, round(8.0 * np.log(max(flow, 1e-9))))
        if key not in self._owns:
            watch = self.watch
            response = self.effects.response(at, flow)
            distance = watch.topology.distance_from_link(int(watch.pipes[at]))[watch.pipes]
            near = np.flatnonzero(distance < _NEIGHBOUR_M)
            weight = watch.topology.length[watch.pipes[near]]
            spread = np.stack([self.effects.response(int(k), flow) for k in near]) - response
            _, size, direction = np.linalg.svd(spread * np.sqrt(weight / weight.sum())[:, None], full_matrices=False)
            own = response.copy()
            own[self.n_pressures :] = 0.0
            self._owns[key] = self.field.responses(
                np.vstack(
                    [
                        _NEIGHBOUR_DOUBT * size[:_NEIGHBOURS, None] * direction[:_NEIGHBOURS],
                        self.rules.size_doubt * own,
                    ]
                )
            )
        return self._owns[key]

    def value(self, leaks: Sequence[Supposed]) -> float:
        """Logarithm of the posterior, up to a constant."""
        residual = self.residual_in(leaks)
        doubts = self.doubts(leaks)
        fit = -0.5 * float((residual * doubts.weigh(residual)).sum())
        return fit / self.temper - doubts.log_volume - self.prior(leaks)

    def misfit(self, leaks: Sequence[Supposed]) -> float:
        """Chi-square of what leaks leave unexplained, per value."""
        residual = self.residual_in(leaks)
        return float((residual * self.doubts(leaks).weigh(residual)).sum()) / residual.size

    def prior(self, leaks: Sequence[Supposed]) -> float:
        """What leaks cost: each one, that it grew, that it ended unseen by a crew, its size."""
        free = [leak for leak in leaks if not leak.is_repaired]
        ends = sum(leak.growth.end is not None for leak in free)
        rises = sum(leak.growth.rise > 0 for leak in free)
        size = self.cost * sum(leak.growth.peak for leak in leaks)
        return self.each * len(free) + _END_COST * ends + _RISE_COST * rises + size

    def unit(self, leak: Supposed) -> Floats:
        """Effect of a leak per m3/s of its peak, in the field's coordinates."""
        key = (leak.at, leak.growth)
        if key not in self._units:
            if len(self._units) > _MOST_KEPT:
                self._units.clear()
            flows, responses = self.effects.parts(leak)
            self._units[key] = self.field.responses(responses).T @ self.field.flows(flows) / leak.growth.peak
        return self._units[key]

    def residual_in(self, leaks: Sequence[Supposed]) -> Floats:
        """What leaks leave unexplained, in the field's coordinates."""
        left = self._base.copy()
        for leak in leaks:
            left -= leak.growth.peak * self.unit(leak)
        return left

    def simulate(self, leaks: Sequence[Supposed]) -> None:
        """Simulate leaks together: what others are like is told against that."""
        self.effects.simulate(leaks)
        expected = self.effects.several(leaks)
        whole = expected + without_gaps(self._values - expected, self.effects.blocks, self.watch.noise)
        self._base = self.field.values(whole - self.effects.together)

    def _gram(self, leaks: Sequence[Supposed], doubts: Doubts) -> tuple[Floats, Floats]:
        """Products of what one m3/s of each leak does, float64 [n, n], and those effects under the inverse noise."""
        weighed = np.stack([doubts.weigh(self.unit(leak)).ravel() for leak in leaks])
        units = np.stack([self.unit(leak).ravel() for leak in leaks])
        gram = weighed @ units.T
        # two leaks that do the same share their flow
        return 0.5 * (gram + gram.T) + np.diag(_RIDGE * np.diag(gram) + 1e-12), weighed

    def losses(self, leaks: Sequence[Supposed]) -> Floats:
        """Log likelihood that each leak is worth to first order, with the others' flows fitted anew, float64 [n]."""
        if not leaks:
            return np.empty(0)
        gram, _ = self._gram(leaks, self.doubts(leaks))
        peaks = np.array([leak.growth.peak for leak in leaks])
        losses: Floats = 0.5 * peaks**2 / np.maximum(np.diag(np.linalg.inv(gram)), 1e-30)
        return losses

    def balanced(self, leaks: Sequence[Supposed]) -> list[Supposed]:
        """Leaks with the flows that fit best together; those that need none are left out."""
        leaks = list(leaks)
        for _ in range(2):
            if not leaks:
                break
            gram, weighed = self._gram(leaks, self.doubts(leaks))
            peaks = np.array([leak.growth.peak for leak in leaks])
            right = weighed @ self.residual_in(leaks).ravel() + gram @ peaks - self.cost
            size, direction = np.linalg.eigh(gram)
            root = direction * np.sqrt(np.maximum(size, _RIDGE * size[-1]))
            found = nnls(root.T, np.linalg.solve(root, right))[0]
            leaks = [
                replace(leak, growth=replace(leak.growth, peak=float(q)))
                for leak, q in zip(leaks, found, strict=True)
                if q > 1e-9
            ]
        return leaks


def _patterns(watch: Watch) -> Floats:
    """What a unit leak anywhere may do to the pressures, float64 [k, n_channels], as independent directions."""
    weight = np.sqrt(watch.topology.length[watch.pipes])
    _, size, direction = np.linalg.svd(
        watch.responses * (weight / np.linalg.norm(weight))[:, None], full_matrices=False
    )
    patterns: Floats = size[:_PATTERNS, None] * direction[:_PATTERNS]
    patterns[:, len(watch.channels.picked) :] = 0.0
    return patterns
