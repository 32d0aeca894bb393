"""What is known at the end of a day about the next seven: a base and the corrections that are weighed by learning."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.forecast.parts import Fading, flat_and_gain, mean_of_seen, shape_of
from models.forecast.special_days import SpecialDays

Floats = NDArray[np.float64]

HORIZON = 7
_PROFILES = (3.0, 1.2, 10.0)  # half-lives in occurrences of a weekday; the first is the base
_LEVELS = (1.0, 4.0, 15.0)  # days
_CURVES = (1.0, 4.0)  # days
_WEATHER = 4.0  # days
_YEAR = 364  # whole weeks
_SMOOTH = 7  # days on either side
_MOST_SEASON = 0.3
N_FEATURES = len(_PROFILES) - 1 + 2 * len(_LEVELS) + len(_CURVES) + 1


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one evening lets expect.

    Attributes
    ----------
    base
        float64 [n_days, n_slots, n_channels], the profile of each day.
    features
        float64 [n_days, n_slots, n_channels, n_features], corrections, 0 where not known.
    shape
        float64 [n_days, n_slots, n_channels], how demand takes part.
    weather
        float64 [n_weather], the weather of late.
    """

    base: Floats
    features: Floats
    shape: Floats
    weather: Floats


class Memory:
    """What is remembered of the days so far: profiles by kind of day, levels, curves, a year of daily means.

    Parameters
    ----------
    n_slots, n_channels, n_weather
        Sizes.
    special
        Holidays and events.
    """

    def __init__(self, n_slots: int, n_channels: int, n_weather: int, special: SpecialDays) -> None:
        self._special = special
        self.profiles = [Fading((7, n_slots, n_channels), h) for h in _PROFILES]
        self.levels = [Fading((2, n_channels), h) for h in _LEVELS]
        self.curves = [Fading((n_slots, n_channels), h) for h in _CURVES]
        self.weather = Fading((n_weather,), _WEATHER)
        self.daily: Floats = np.full((_YEAR + 2 * _SMOOTH, n_channels), np.nan)  # latest last

    def add(self, date: dt.date, values: Floats, weather: Floats) -> None:
        """Take a day.

        Parameters
        ----------
        values
            float64 [n_slots, n_channels], NaN where missing or not to be learnt from.
        weather
            float64 [n_weather].
        """
        kind = self._special.kind(date)
        base = self._filled(self.profiles[0])[kind]
        residual = values - base
        split = np.stack(flat_and_gain(residual, shape_of(base)))
        for level in self.levels:
            level.add(split)
        for curve in self.curves:
            curve.add(residual)
        for profile in self.profiles:
            profile.add(values, kind)
        self.weather.add(weather)
        self.daily[:-1] = self.daily[1:]
        enough = np.isfinite(values).mean(axis=0) >= 0.5
        self.daily[-1] = np.where(enough, mean_of_seen(values), np.nan)

    def outlook(self, dates: list[dt.date]) -> Outlook:
        """What is known about the next days; the first date is the day after the last that was added."""
        kinds = [self._special.kind(d) for d in dates]
        base, *others = (self._filled(profile)[kinds] for profile in self.profiles)
        shape = shape_of(base)
        parts: list[Floats] = [other - base for other in others]
        for level in self.levels:
            flat, gain = level.mean()
            parts += [np.broadcast_to(flat, base.shape), shape * gain]
        parts += [np.broadcast_to(curve.mean(), base.shape) for curve in self.curves]
        parts.append(self._season(len(dates))[:, None, :] * base)
        features = np.nan_to_num(np.stack(parts, axis=-1))
        return Outlook(base, features, shape, self.weather.mean())

    @staticmethod
    def _filled(profile: Fading) -> Floats:
        """A profile in which a kind of day that was not yet seen is taken for the mean of those that were."""
        mean = profile.mean()
        total, weight = profile.total.sum(axis=0), profile.weight.sum(axis=0)
        with np.errstate(invalid="ignore"):
            return np.where(np.isnan(mean), total / weight, mean)

    def _season(self, n_days: int) -> Floats:
        """Share by which demand changed a year ago from the fortnight before to each of these days."""
        n = len(self.daily)
        origin = n - _YEAR
        before = self.daily[max(0, origin - 2 * _SMOOTH) : origin]
        usual = mean_of_seen(before)
        around = [slice(origin + k - _SMOOTH, origin + k + _SMOOTH + 1) for k in range(n_days)]
        change = np.stack([mean_of_seen(self.daily[days]) for days in around])
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (change - usual) / usual
        return np.where(np.isfinite(share), np.clip(share, -_MOST_SEASON, _MOST_SEASON), 0.0)
