"""Isolation forest: rows that are easily told from the others, whatever the channels mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from models.errors import NotEnoughData
from models.scoring.compiled import Floats
from models.scoring.learned import Learned, robust_moments


@dataclass(frozen=True, slots=True)
class Woods:
    """A grown forest and what its own rows look like to it.

    Attributes
    ----------
    forest
        sklearn.ensemble.IsolationForest.
    known
        int64 [n_known], columns that it looks at.
    middle
        float64 [n_known], their medians, in the place of what is missing.
    usual, spread
        Median and scaled median absolute deviation of the anomaly of its own rows.
    """

    forest: Any
    known: Any
    middle: Floats
    usual: float
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest(Learned[Woods]):
    """scikit-learn's isolation forest over whole rows; one score a row.

    The score is the anomaly (2 to the power of minus the mean path length, in units of what is expected) against that
    of the history, in robust standard deviations; it saturates, since nothing can be told from
    the others faster than at once. Missing channels count as usual; a row without any has no score.

    Attributes
    ----------
    n_trees, n_samples
        Trees, and rows of the history that each is grown from.
    seed
        Of the trees.
    limit
        Alarm beyond so many standard deviations.

    Notes
    -----
    F. T. Liu, K. M. Ting and Z.-H. Zhou, "Isolation forest", ICDM (2008).
    """

    is_by_channel: ClassVar[bool] = False

    n_trees: int = 100
    n_samples: int = 256
    seed: int = 0
    limit: float = 3.5

    def __post_init__(self) -> None:
        """Check what was set."""
        Learned.__post_init__(self)
        self.need("n_trees", self.n_trees >= 1, "1 tree or more")
        self.need("n_samples", self.n_samples >= 2, "2 rows or more")

    def width(self, n_channels: int) -> int:
        """One score a row."""
        return 1

    def _fit(self, history: Floats) -> Woods:
        from sklearn.ensemble import IsolationForest

        known = np.flatnonzero(np.isfinite(history).any(axis=0))
        if len(known) == 0:
            raise NotEnoughData(
                f"Forest: none of {history.shape[1]} channels was read in the first {len(history)} rows; "
                "begin the stream where there are readings"
            )
        middle, _ = robust_moments(history[:, known])
        rows = np.where(np.isfinite(history[:, known]), history[:, known], middle)
        forest = IsolationForest(
            n_estimators=self.n_trees, max_samples=min(self.n_samples, len(rows)), random_state=self.seed, n_jobs=1
        ).fit(rows)
        usual, spread = robust_moments(-forest.score_samples(rows)[:, None])
        return Woods(forest, known, middle, float(usual[0]), max(float(spread[0]), 1e-9))

    def _judge(self, model: Woods, rows: Floats, scores: Floats) -> None:
        seen = rows[:, model.known]
        is_there = np.isfinite(seen)
        anomaly = -model.forest.score_samples(np.where(is_there, seen, model.middle))
        scores[:, 0] = np.where(is_there.any(axis=1), (anomaly - model.usual) / model.spread, np.nan)
