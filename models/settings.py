"""How a network is watched."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

_HOUR, _DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)
_LEARNING, _MEMORY = pd.Timedelta(days=7), pd.Timedelta(days=25)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the watch is kept.

    Attributes
    ----------
    step
        Interval over which measurements are averaged before they drive the model.
    block
        Length of the detector's frames; whole days cancel what repeats daily.
    learning
        Length of the quiet period at the beginning of the history.
    memory
        Time over which slow biases of demand and sensors forget.
    demand_noise
        Day-to-day standard deviation of one junction's demand, as a share, before any was seen.
    """

    step: pd.Timedelta = _HOUR
    block: pd.Timedelta = _DAY
    learning: pd.Timedelta = _LEARNING
    memory: pd.Timedelta = _MEMORY
    demand_noise: float = 0.15
