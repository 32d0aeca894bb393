"""A leak as it is reported."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from models.localise import Candidate


@dataclass(frozen=True, slots=True)
class Estimate:
    """A flow with its 95 % interval, m3/s."""

    flow: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Leak:
    """An event of the detector: what was known when it was raised, and what is known now.

    Attributes
    ----------
    event
        Number, from 1, in the order of `detected`.
    detected
        UTC time at which the alarm was raised, from data that had arrived by then alone.
    pipe, flow, probability, search_length, candidates
        Where and how much, as known at `detected`: the probability is that of lying within 300 m of the pipe, the
        search length holds 80 % of the probability, m.
    kind
        "abrupt", "growing" or "old" (open before the data begin), as known at `detected`.
    dma
        Name of the district.
    start
        Since when the leak has run with a probability of 90 %, as known now (never after it was told), with a 95 %
        interval for the onset.
    pipe_best, flow_best, probability_best
        Where and how much, as known now.
    ended
        When it was repaired, known or recognised; None while it runs.
    status
        "open", "ended" or "withdrawn" (later data spoke against it).
    evidence
        (channel, standard deviations) of the instruments that say most, at `detected`.
    """

    event: int
    detected: pd.Timestamp
    pipe: str
    flow: Estimate
    probability: float
    search_length: float
    candidates: tuple[Candidate, ...]
    kind: str
    dma: str
    start: pd.Timestamp
    start_low: pd.Timestamp
    start_high: pd.Timestamp
    pipe_best: str
    flow_best: float
    probability_best: float
    candidates_best: tuple[Candidate, ...]
    ended: pd.Timestamp | None
    status: str
    evidence: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Untold:
    """A leak that stands at the end without an alarm: too small, found too late or too unsure to be told.

    Attributes
    ----------
    start, start_low, start_high, pipe, flow, probability, ended
        As a leak's `start`, `start_low`, `start_high`, `pipe_best`, `flow_best`, `probability_best` and `ended`.
    """

    pipe: str
    start: pd.Timestamp
    start_low: pd.Timestamp
    start_high: pd.Timestamp
    flow: float
    probability: float
    ended: pd.Timestamp | None
