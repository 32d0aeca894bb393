"""From evidence to a place: ranked pipes, their probabilities, and how much pipe to search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evidence import Evidence
from networks import Topology

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NEAR_M = 300.0  # within this length of pipe a crew with a correlator finds the leak
_SEARCH_SHARE = 0.8
_OWN_WEIGHT = 0.2
_MOST = 400


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pipe where the leak may be.

    Attributes
    ----------
    pipe
        Link name.
    probability
        That the leak is in this very pipe.
    """

    pipe: str
    probability: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a leak is.

    Attributes
    ----------
    link
        The pipe near which most of the probability lies.
    candidates
        Pipes in falling order of probability, 95 % of it.
    probability
        That the leak lies within 300 m of pipe from `link`.
    search_length
        Metres of pipe that hold 80 % of the probability.
    best
        The likeliest pipe itself, in which the leak is simulated; -1 where that is `link`.
    """

    link: int
    candidates: tuple[Candidate, ...]
    probability: float
    search_length: float
    best: int = -1

    @property
    def pipe(self) -> int:
        """The link in which the leak is simulated."""
        return self.best if self.best >= 0 else self.link


def locate(
    evidence: Evidence,
    topology: Topology,
    pipes: Ints,
    temper: float,
    temper_growth: float,
    believed: Floats | None = None,
) -> Place:
    """Turn a scan into a place.

    Parameters
    ----------
    evidence
        Of a scan over `pipes`.
    temper, temper_growth
        The log likelihood is divided by `temper + temper_growth x gain`: the model's own errors grow with the leak,
        and an untempered posterior would be far too sure.
    believed
        float64 [n_pipes], logarithm of what else is known of each pipe, such as what searches found; not tempered.
    """
    best = float(evidence.gain.max())
    log = (evidence.gain - best) / (temper + temper_growth * best)
    if believed is not None:
        log = log + believed
        log -= log.max()
    weight = np.exp(log) * np.maximum(topology.length[pipes], 1.0)
    probability = weight / weight.sum()
    order = np.argsort(-probability)
    mass = np.cumsum(probability[order])
    within = order[: int(np.searchsorted(mass, 0.95)) + 1]
    search = order[: int(np.searchsorted(mass, _SEARCH_SHARE)) + 1]
    top = order[:_MOST]
    near = np.array([probability[topology.distance_from_link(int(k))[pipes] <= _NEAR_M].sum() for k in pipes[top]])
    # among places that cover about as much, the likelier pipe itself
    centre = int(top[int(np.argmax(near + _OWN_WEIGHT * probability[top]))])
    return Place(
        link=int(pipes[centre]),
        candidates=tuple(Candidate(topology.links[pipes[k]], float(probability[k])) for k in within),
        probability=float(near[top == centre].max()),
        search_length=float(topology.length[pipes[search]].sum()),
        best=int(pipes[int(np.argmax(log))]),
    )
