"""What crews tell: where they looked and found nothing, and what a leak was measured to lose.

A search that finds nothing does not clear a pipe for sure: a crew overlooks one leak in ten right where it looks, and
farther off more, until at 300 m it has looked nowhere. By Bayes' rule the probability of every pipe is multiplied by
that of overlooking a leak in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from networks import Topology

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OVERLOOKED = 0.1  # share of leaks that a crew does not find where it looks
REACH_M = 300.0  # of a correlator, along the pipe
MEASURED = 0.1  # standard deviation of a crew's measurement of a leak, as a share


@dataclass(frozen=True, slots=True)
class DrySearch:
    """A place where a crew looked for a leak and found none.

    Attributes
    ----------
    pipe
        Name.
    time
        When, UTC: it says nothing of leaks that began later.
    """

    pipe: str
    time: pd.Timestamp


def overlooked(distance: Floats) -> Floats:
    """Probability that a search did not find a leak, by its distance along the pipes, m."""
    looked = np.clip(1.0 - distance / REACH_M, 0.0, 1.0)
    missed: Floats = 1.0 - (1.0 - OVERLOOKED) * looked
    return missed


class Searches:
    """Dry searches, and what they say of each pipe.

    Parameters
    ----------
    topology, pipes
        Of the network, and int64 [n_pipes], the links that can leak.
    """

    def __init__(self, topology: Topology, pipes: Ints) -> None:
        self._topology, self._pipes = topology, pipes
        self._times: list[float] = []
        self._logs: list[Floats] = []

    def __len__(self) -> int:
        """Number of searches."""
        return len(self._times)

    def add(self, pipe: str, time: float) -> None:
        """Take a search.

        Parameters
        ----------
        time
            On the detector's clock, blocks.
        """
        distance = self._topology.distance_from_link(self._topology.link(pipe))[self._pipes]
        self._times.append(time)
        self._logs.append(np.log(overlooked(distance)))

    def believed(self, onset: float | Floats) -> Floats | None:
        """Logarithm of the probability that a leak was overlooked in each pipe, float64 [n_pipes].

        Parameters
        ----------
        onset
            Since when it runs, blocks; one number, or one for each pipe. None is returned where nobody looked since.
        """
        began = np.broadcast_to(np.asarray(onset, dtype=np.float64), (len(self._pipes),))
        total = np.zeros(len(self._pipes))
        for time, log in zip(self._times, self._logs, strict=True):
            total += np.where(began <= time, log, 0.0)
        return total if total.any() else None


def with_measurement(flow: float, deviation: float, measured: float, error: float | None = None) -> tuple[float, float]:
    """Join an estimated flow and a measurement, each weighed by its error, m3/s.

    Parameters
    ----------
    error
        Standard deviation of the measurement, m3/s; a crew's where not given.

    Returns
    -------
    flow, deviation : float
    """
    own = max(deviation, 1e-9) ** -2
    told = max(abs(MEASURED * measured) if error is None else error, 1e-9) ** -2
    return (own * flow + told * measured) / (own + told), (own + told) ** -0.5


def searched(searches: Sequence[DrySearch], until: pd.Timestamp) -> tuple[list[DrySearch], list[DrySearch]]:
    """Split searches into those up to a time and those after it, each in order."""
    ordered = sorted(searches, key=lambda s: s.time)
    return [s for s in ordered if s.time <= until], [s for s in ordered if s.time > until]
