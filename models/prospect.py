"""What a set of loggers promises, and the set that nobody thought about: what a choice is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hydro.engine import Engine
from models.sensing import Assumptions, Zone


def place_evenly(engine: Engine, zones: Sequence[Zone], count: int) -> tuple[str, ...]:
    """Spread loggers by length of pipe: each as far as can be from those before; what a plan is compared with."""
    topology, found = engine.topology, []
    share = np.array([zone.length.sum() for zone in zones])
    quota = np.floor(count * share / share.sum()).astype(int)
    rest = np.argsort(-(count * share / share.sum() - quota), kind="stable")
    quota[rest[: count - int(quota.sum())]] += 1
    for zone, number in zip(zones, quota.tolist(), strict=True):
        nearest = np.full(len(zone.nodes), np.inf)
        for k in range(number):
            if k:
                at = int(np.argmax(nearest))
            else:  # the middle of the zone
                middle = topology.distance_from_nodes(zone.nodes[:1])[0][zone.nodes]
                at = int(np.argsort(middle)[len(middle) // 2])
            found.append(topology.nodes[int(zone.nodes[at])])
            nearest = np.minimum(nearest, topology.distance_from_nodes(zone.nodes[at : at + 1])[0][zone.nodes])
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a set of loggers promises.

    Attributes
    ----------
    detected
        Share of pipe metres whose leak is seen.
    distance
        Median from a leak to the pipe that looks most like it, m; all leaks, seen or not.
    within
        Share of leaks placed within 300 m.
    """

    detected: float
    distance: float
    within: float


def expect(
    engine: Engine, zones: Sequence[Zone], sensors: Sequence[str], assumed: Assumptions, seed: int = 0, draws: int = 8
) -> Prospect:
    """Foretell detection and location by drawing leaks, noise and model error in the linear model."""
    rng = np.random.default_rng(seed)
    wanted = {engine.topology.node(name) for name in sensors}
    distance, weight, seen = [], [], []
    for zone in zones:
        places = [k for k, node in enumerate(zone.nodes.tolist()) if node in wanted]
        moved = zone.response[:, places] * assumed.leak
        variance = assumed.noise**2 + (assumed.model_error * moved) ** 2
        strength = np.sqrt(np.sum(moved**2, axis=1)) / assumed.noise if places else np.zeros(len(moved))
        for _ in range(draws):
            read = moved + rng.standard_normal(moved.shape) * np.sqrt(variance)
            misfit = np.sum((read[:, None, :] - moved) ** 2 / variance + np.log(variance), axis=2)
            at = np.argmin(misfit - 2.0 * np.log(zone.length), axis=1)
            distance.append(zone.distance[np.arange(len(at)), at])
            weight.append(zone.length)
            seen.append(strength >= assumed.detected)
    far, metres, is_seen = np.concatenate(distance), np.concatenate(weight), np.concatenate(seen)
    order = np.argsort(far)
    along = np.cumsum(metres[order]) / metres.sum()
    return Prospect(
        float(metres[is_seen].sum() / metres.sum()), float(far[order][np.searchsorted(along, 0.5)]),
        float(metres[far <= 300.0].sum() / metres.sum()),
    )  # fmt: skip
