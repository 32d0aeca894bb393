"""What an excess over the forecast is: people taking more, or water running out day and night alike.

A leak runs at night as by day: it is flat. People who take more take it when people take water: their surge has the
shape of demand and leaves the quiet of the night nearly as it was. Guests of a named event may be awake at night; what
they take then is at most a share of what they take on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.forecast.parts import flat_and_gain

Floats = NDArray[np.float64]
Kind = Literal["usual", "leak", "surge", "both", "less"]

_SURE = 9.21  # chi-square of two degrees of freedom that 1 % of usual days pass
_COMMON = 0.5  # part of a day's error that the next days share
TOWN_NIGHT = 1.0 / 3.0  # most that a town's people take in the quiet of the night, of their mean
_SECOND_CAUSE = 6.6  # chi-square by which two causes must explain more than one


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an excess is.

    Attributes
    ----------
    kind
        `leak` (flat), `surge` (by the shape of demand), `both`, `less` (demand fell) or `usual`.
    flat, gain
        Mean flat part and mean demand-shaped part of the excess, in the channel's unit.
    flat_deviation, gain_deviation
        Their standard deviations.
    probability
        Of a leak being part of it, against people alone, both thought as likely beforehand.
    name
        The holiday's or event's, where the days have one.
    """

    kind: Kind
    flat: float
    gain: float
    flat_deviation: float
    gain_deviation: float
    probability: float
    name: str | None = None

    @property
    def is_leak(self) -> bool:
        """Whether a leak is part of it."""
        return self.kind in ("leak", "both")


def explain(
    residual: Floats, shape: Floats, spread: Floats, name: str | None = None, night_share: float = TOWN_NIGHT
) -> Explanation:
    """Explain the residual of some whole days of one channel.

    Parameters
    ----------
    residual
        float64 [n_days, n_slots], measured less forecast, with a forecast made before the excess began.
    shape
        float64 [n_days, n_slots], of the forecast.
    spread
        float64 [2, 2], covariance of the flat and gain parts of one usual day (`Forecaster.spread`).
    name
        Holiday or event of those days.
    night_share
        Most that people take in the quiet of the night, of their mean: `Event.night_share` on an event's days.

    Notes
    -----
    With the mean parts z = (flat, gain) and their covariance S, a cause along the direction d is worth the chi-square
    (d' S^-1 z)^2 / (d' S^-1 d) where it is positive. A leak's d is (1, 0). People's is any (a, 1) with a from 0 to
    night_share / (1 - night_share): all of z' S^-1 z where z lies between, else the better edge. Days share half of
    their error, so that a week is surer than a day, but not seven times.
    """
    flat, gain = flat_and_gain(residual.T, shape.T)
    seen = np.isfinite(flat)
    if not seen.any() or not np.isfinite(spread).all():
        return Explanation("usual", np.nan, np.nan, np.nan, np.nan, 0.0, name)
    z = np.array([flat[seen].mean(), gain[seen].mean()])
    covariance = spread * (_COMMON + (1.0 - _COMMON) / seen.sum())
    covariance = covariance + (1e-6 * np.trace(covariance) + 1e-12) * np.eye(2)  # a spread of one day has rank one
    precision = np.linalg.inv(covariance)
    whole = float(z @ precision @ z)
    most = night_share / (1.0 - night_share)
    leak = _along(np.array([1.0, 0.0]), z, precision)
    is_within = 0.0 <= z[0] <= most * z[1]
    surge = whole if is_within else max(_along(np.array([a, 1.0]), z, precision) for a in (0.0, most))
    deviation = np.sqrt(np.diag(covariance))
    probability = 1.0 / (1.0 + np.exp(np.clip((surge - max(leak, whole - _SECOND_CAUSE)) / 2.0, -50.0, 50.0)))
    kind = _kind(z, whole, leak, surge)
    if kind in ("usual", "less"):
        probability = 0.0
    return Explanation(
        kind, float(z[0]), float(z[1]), float(deviation[0]), float(deviation[1]), float(probability), name
    )


def _along(direction: Floats, z: Floats, precision: Floats) -> float:
    """Chi-square that one cause explains."""
    match = float(direction @ precision @ z)
    return match * match / float(direction @ precision @ direction) if match > 0.0 else 0.0


def _kind(z: Floats, whole: float, leak: float, surge: float) -> Kind:
    if whole < _SURE:
        return "usual"
    if max(leak, surge) < 0.5 * whole and z.sum() < 0.0:
        return "less"
    if z.min() > 0.0 and whole - max(leak, surge) > _SECOND_CAUSE:
        return "both"
    return "leak" if leak > surge else "surge"
