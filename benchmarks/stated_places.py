"""How places that were stated hold: rows of told leaks, and what other tempers would have stated.

Used by `benchmarks/other_networks.py` and `benchmarks/calibration_of_places.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import models.revise
from models.evidence import Evidence
from models.localise import Candidate, Place, locate
from networks import Topology

Floats = NDArray[np.float64]

NEAR_M = 300.0
TEMPERS = (1.0, 2.5, 5.0, 10.0, 20.0, 40.0)
GROWTHS = (0.0, 0.002, 0.005, 0.02, 0.05)


@dataclass
class Scans:
    """The evidence behind every place that was sought, by its candidates, which leaks and alarms carry on."""

    known: dict[int, tuple[Place, Floats]]

    def of(self, candidates: tuple[Candidate, ...]) -> Floats | None:
        """Gain of every pipe that a place rests on, float64 [n_pipes]."""
        found = self.known.get(id(candidates))
        return found[1] if found is not None and found[0].candidates is candidates else None


@contextmanager
def recorded() -> Iterator[Scans]:
    """Remember the evidence of every place that the detector seeks meanwhile."""
    scans = Scans({})

    def remember(
        evidence: Evidence,
        topology: Topology,
        pipes: NDArray[np.int64],
        temper: float,
        growth: float,
        believed: Floats | None = None,
    ) -> Place:
        place = locate(evidence, topology, pipes, temper, growth, believed)
        scans.known[id(place.candidates)] = (place, evidence.gain)
        return place

    models.revise.locate = remember
    try:
        yield scans
    finally:
        models.revise.locate = locate


def tempered(gain: Floats, topology: Topology, pipes: NDArray[np.int64], true: Sequence[int]) -> dict[str, list[float]]:
    """For each temper: stated probability, distance to the nearest true pipe in m, and probability near true pipes."""
    found = {}
    nothing = np.zeros(len(gain))
    evidence = Evidence(gain, nothing, nothing, nothing, nothing.astype(np.int64), nothing, nothing.astype(np.int64))
    near = np.zeros(len(pipes), dtype=bool)
    for link in true:
        near |= topology.distance_from_link(link)[pipes] <= NEAR_M
    length, best = np.maximum(topology.length[pipes], 1.0), float(gain.max())
    for temper in TEMPERS:
        for growth in GROWTHS:
            place = locate(evidence, topology, pipes, temper, growth)
            weight = np.exp((gain - best) / (temper + growth * best)) * length
            away = float(topology.distance_from_link(place.link)[list(true)].min()) if len(true) else float("inf")
            mass = float(weight[near].sum() / weight.sum())
            found[f"{temper:g} {growth:g}"] = [round(place.probability, 4), round(away, 1), round(mass, 5)]
    return found


def reliability(stated: Floats, holds: NDArray[np.bool_], bins: int = 10) -> list[dict[str, float]]:
    """Of what was stated in each bin, how much holds, with a 95 % interval (Wilson).

    Parameters
    ----------
    stated
        float64 [n], probabilities.
    holds
        bool [n].
    """
    rows = []
    at = np.minimum((stated * bins).astype(int), bins - 1)
    for k in range(bins):
        inside = at == k
        n = int(inside.sum())
        if n:
            share = float(holds[inside].mean())
            low, high = wilson(share, n)
            rows.append({"from": k / bins, "to": (k + 1) / bins, "n": n, "stated": float(stated[inside].mean()),
                         "held": share, "low": low, "high": high})  # fmt: skip
    return rows


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share seen in n trials; E. B. Wilson, J. Am. Stat. Assoc. 22 (1927)."""
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(middle - half), float(middle + half)


def surprise(mass: Floats) -> float:
    """Mean surprise at where leaks are, nats, from the probability that was given to their neighbourhoods.

    A proper score of the whole posterior: one that is vague and one that is wrong pay, one that states what it knows
    pays least.
    """
    return float(-np.mean(np.log(np.clip(mass, 1e-4, 1.0))))


def gap(stated: Floats, holds: NDArray[np.bool_]) -> float:
    """Mean distance between stated and held over the alarms' bins."""
    rows = reliability(stated, holds)
    return float(sum(r["n"] * abs(r["stated"] - r["held"]) for r in rows) / len(stated))
