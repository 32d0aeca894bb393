"""What a score is worth: the probability of an event, learnt from scores whose outcome is known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.errors import NotEnoughData
from models.scoring.compiled import Floats
from models.scoring.contract import Scorer, State

S = TypeVar("S", bound=State)


class Probability(ABC):
    """A rising function from the size of a score to a probability."""

    @abstractmethod
    def of(self, sizes: Floats) -> Floats:
        """Return the probability of an event for each score's size; NaN goes through."""


@dataclass(frozen=True, slots=True)
class Isotonic(Probability):
    """Probabilities that only rise, straight between steps: for some hundred outcomes or more.

    Attributes
    ----------
    sizes, probabilities
        float64 [n], where they bend.

    Notes
    -----
    B. Zadrozny and C. Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD
    (2002).
    """

    sizes: Floats
    probabilities: Floats

    def of(self, sizes: Floats) -> Floats:
        """Return the probability of an event for each score's size."""
        found: Floats = np.interp(sizes, self.sizes, self.probabilities)
        return found


@dataclass(frozen=True, slots=True)
class Platt(Probability):
    """A logistic curve: for few outcomes.

    Attributes
    ----------
    slope, intercept
        Of the log odds over the size.

    Notes
    -----
    J. C. Platt, "Probabilistic outputs for support vector machines" (1999), with its targets (n+ + 1) / (n+ + 2) and
    1 / (n- + 2) in the place of 1 and 0.
    """

    slope: float
    intercept: float

    def of(self, sizes: Floats) -> Floats:
        """Return the probability of an event for each score's size."""
        from scipy.special import expit

        found: Floats = expit(self.slope * sizes + self.intercept)
        return found


def fit_isotonic(scores: Floats, is_event: NDArray[np.bool_]) -> Isotonic:
    """Learn probabilities that rise with the size of the score.

    Parameters
    ----------
    scores
        float64 [n]; NaN is left out.
    is_event
        bool [n], what became of each.

    Raises
    ------
    NotEnoughData
        All were events, or none was.
    """
    from sklearn.isotonic import IsotonicRegression

    sizes, outcome = _known(scores, is_event)
    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(sizes, outcome)
    return Isotonic(np.asarray(model.X_thresholds_, float), np.asarray(model.y_thresholds_, float))


def fit_platt(scores: Floats, is_event: NDArray[np.bool_]) -> Platt:
    """Learn a logistic curve; parameters and errors as for `fit_isotonic`."""
    from sklearn.linear_model import LogisticRegression

    sizes, outcome = _known(scores, is_event)
    n_events, n = float(outcome.sum()), len(outcome)
    targets = np.where(outcome > 0.0, (n_events + 1.0) / (n_events + 2.0), 1.0 / (n - n_events + 2.0))
    # soft targets are outcomes of both kinds, weighted
    scale = max(float(sizes.std()), 1e-12)
    model = LogisticRegression(C=np.inf, max_iter=1000).fit(
        np.concatenate([sizes, sizes])[:, None] / scale,
        np.repeat([1, 0], n),
        sample_weight=np.concatenate([targets, 1.0 - targets]),
    )
    return Platt(float(model.coef_[0, 0]) / scale, float(model.intercept_[0]))


def _known(scores: Floats, is_event: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    sizes, outcome = np.abs(np.asarray(scores, float)), np.asarray(is_event, float)
    is_there = np.isfinite(sizes)
    sizes, outcome = sizes[is_there], outcome[is_there]
    if len(outcome) == 0 or outcome.min() == outcome.max():
        raise NotEnoughData(
            f"probabilities need scores with and without an event; there are {int(outcome.sum())} with one "
            f"of {len(outcome)}"
        )
    return sizes, outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated(Scorer[S], Generic[S]):
    """Another scorer, its scores brought to probabilities.

    Attributes
    ----------
    scorer
        Whose scores.
    probability
        What they are worth.
    limit
        Alarm above this probability.
    """

    limit: float = 0.5
    scorer: Scorer[S] = field()
    probability: Probability = field()

    def width(self, n_channels: int) -> int:
        """As the scorer's."""
        return self.scorer.width(n_channels)

    def start(self, n_channels: int) -> S:
        """Return the scorer's state before the first row."""
        return self.scorer.start(n_channels)

    def _score(self, state: S, rows: Floats, scores: Floats, step: int) -> S:
        state = self.scorer._score(state, rows, scores, step)
        scores[:] = self.probability.of(np.abs(scores))
        return state
