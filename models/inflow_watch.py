"""Leaks from a district's inflow alone: what comes in beyond the forecast, flat over the day.

Every evening's forecast of the next week stays open for seven days; what comes in beyond it, averaged over the days
since, is a window for each age: a likelihood ratio over all onsets within the week. Longer windows compare the days of
late with those before, for leaks that grow. A leak that was found is taken off before anything is learnt. The days of
a named event enter no window; there only what its guests cannot explain is an alarm.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.excess import Excess, by_part, parts_of_day
from models.forecast.explain import TOWN_NIGHT, Explanation, explain
from models.forecast.forecaster import Forecast, Forecaster, Settings
from models.forecast.parts import mean_of_seen, median_of_seen

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Kind = Literal["leak", "grown", "shrunk", "ended"]

_AGES = 7  # days for which a forecast stays open
_SLOW = (7, 14, 28)  # days of late, against twice as many before
_SETTLED = 30  # days before which nothing is raised
_ENDED, _ENDED_SOON = 0.6, 0.7  # share of a known leak whose loss is its end; in the quiet days after its alarm
_ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rules:
    """When an alarm is raised.

    Attributes
    ----------
    threshold
        Standard deviations of the leak's part that an alarm needs.
    end_threshold
        The same for the end of a known leak.
    least_share
        Smallest leak that is raised, share of the mean inflow: small errors that last are sure to be there, but not
        to be leaks.
    quiet_days
        Days after an alarm of a channel in which it raises no other but a sure end.
    """

    threshold: float = 4.5
    end_threshold: float = 3.0
    least_share: float = 0.01
    quiet_days: int = 14


@dataclass(frozen=True, slots=True)
class InflowAlarm:
    """What the inflow tells of a leak.

    Attributes
    ----------
    channel
        Name.
    kind
        `leak`: a new one; `grown`: more where one is known already (a second cannot be told from inflow alone);
        `shrunk`, `ended`: some of what is known, or most of it, runs no more.
    date
        The last day that was looked at.
    start
        First day of the window that tells most.
    flow
        Flat excess in that window, in the channel's unit; negative where less is lost.
    sigmas
        Standard deviations of the leak's part.
    explanation
        Against a surge of demand.
    """

    channel: str
    kind: Kind
    date: dt.date
    start: dt.date
    flow: float
    sigmas: float
    explanation: Explanation


@dataclass(slots=True)
class _Open:
    """A forecast, and what the days since took beyond it."""

    forecast: Forecast
    residual: list[Floats] = field(default_factory=list)  # each [n_slots, n_channels]
    parts: list[Floats] = field(default_factory=list)  # each [n_channels, n_parts]


class InflowWatch:
    """Watches the inflow of some districts.

    Parameters
    ----------
    channels
        Names of the districts.
    settings
        Of the forecast.
    rules
        When an alarm is raised.

    Attributes
    ----------
    forecaster
        What is usual without the known leaks.
    known
        float64 [n_channels], flow of the leaks that are known and not yet ended, in the channels' unit.
    sigmas, flow
        float64 [n_windows, n_channels], the leak's part of each window on the last day, in standard deviations and
        in the channels' unit; NaN where not known.
    """

    def __init__(self, channels: Sequence[str], settings: Settings | None = None, rules: Rules | None = None) -> None:
        self.forecaster = Forecaster(channels, settings)
        self.rules = rules or Rules()
        n = len(self.forecaster.channels)
        n_parts = parts_of_day(self.forecaster.settings.slots)
        self.known: Floats = np.zeros(n)
        self.sigmas: Floats = np.full((_AGES + len(_SLOW), n), np.nan)
        self.flow: Floats = np.full_like(self.sigmas, np.nan)
        self._excess = Excess(_AGES + len(_SLOW), n, n_parts)
        self._open: list[_Open] = []  # oldest first
        self._past: Floats = np.full((3 * max(_SLOW), n, n_parts), np.nan)  # days by part, latest last
        self._quiet: list[dt.date | None] = [None] * n
        self._seen = np.zeros(n, dtype=np.int64)  # days of each channel

    def learn(self, date: dt.date, values: Floats, weather: Floats | None = None) -> None:
        """Take a day of the history: it teaches, but raises nothing."""
        self._take(date, values, weather, None, raising=False)

    def step(
        self, date: dt.date, values: Floats, weather: Floats | None = None, abnormal: Bools | None = None
    ) -> list[InflowAlarm]:
        """Take a whole day; return the alarms that it raised.

        Parameters
        ----------
        date, values, weather, abnormal
            See `Forecaster.step`. What is abnormal is neither scored nor learnt from.
        """
        return self._take(date, values, weather, abnormal, raising=True)

    def peek(self, date: dt.date, values: Floats) -> Floats:
        """Score a day that is not over yet: the windows of open forecasts, with the day so far.

        Parameters
        ----------
        values
            float64 [n_slots, n_channels], NaN from now on.

        Returns
        -------
        float64 [n_windows, n_channels], standard deviations. Nothing is learnt and no alarm is kept.
        """
        sigmas = np.full((_AGES, len(self.known)), np.nan)
        if self.forecaster.last is None or (date - self.forecaster.last).days != 1:
            return sigmas
        opened = [*self._open, _Open(self._forecast())][-_AGES:]
        surge = self._surge(opened[-1].forecast)
        for one in opened:
            k = len(one.parts)
            today = by_part(values - self.known - one.forecast.values[k])
            window = mean_of_seen(np.stack([*one.parts, today]))
            sigmas[k] = self._excess.score(window[None], surge, slice(k, k + 1))[0][0]
        return sigmas

    def repaired(self, channel: str) -> None:
        """Take a channel's known leak for mended: from the next day on nothing is taken off."""
        self._set_known(self.forecaster.channels.index(channel), 0.0, 0)

    # a day --------------------------------------------------------------------------------------------------------

    def _take(
        self, date: dt.date, values: Floats, weather: Floats | None, abnormal: Bools | None, *, raising: bool
    ) -> list[InflowAlarm]:
        gap = 1 if self.forecaster.last is None else (date - self.forecaster.last).days
        usual = values if abnormal is None else np.where(abnormal, np.nan, values)
        is_event = self.forecaster.settings.special.event(date) is not None
        counted = np.full_like(values, np.nan) if is_event else usual - self.known
        self._shift_past(min(gap, len(self._past)), by_part(counted))
        if gap > 1:
            self._open.clear()
        elif self.forecaster.last is not None:
            del self._open[: -_AGES + 1]
            self._open.append(_Open(self._forecast()))
        self._score(usual - self.known, counted)
        alarms = self._alarms(date) if raising and self._open else []
        self.forecaster.step(date, values - self.known, weather, abnormal)
        self._seen += np.isfinite(usual).any(axis=0)
        return alarms

    def _forecast(self) -> Forecast:
        return self.forecaster.forecast(_AGES, with_band=False)

    def _shift_past(self, gap: int, parts: Floats) -> None:
        self._past[:-gap] = self._past[gap:]
        self._past[-gap:] = np.nan
        self._past[-1] = parts

    @staticmethod
    def _surge(forecast: Forecast) -> Floats:
        """What demand as a whole moving by its mean would add, float64 [n_channels, n_parts]."""
        mean = np.nan_to_num(np.abs(mean_of_seen(forecast.values[0])))
        return np.asarray(by_part(forecast.shape[0]) * mean[:, None], dtype=np.float64)

    def _score(self, net: Floats, counted: Floats) -> None:
        """Score all windows by what counts, then learn how they usually are."""
        windows = np.full((_AGES + len(_SLOW), len(self.known), self._past.shape[-1]), np.nan)
        for one in self._open:
            k = len(one.parts)
            one.residual.append(net - one.forecast.values[k])
            one.parts.append(by_part(counted - one.forecast.values[k]))
            windows[k] = mean_of_seen(np.stack(one.parts))
        for k, days in enumerate(_SLOW):
            late, before = self._past[-days:], self._past[-3 * days : -days]
            windows[_AGES + k] = median_of_seen(late, days // 2) - median_of_seen(before, days)
        surge = self._surge(self._open[-1].forecast) if self._open else np.zeros(windows.shape[1:])
        self.sigmas, self.flow = self._excess.score(windows, surge)
        self._excess.learn(windows)

    # alarms -------------------------------------------------------------------------------------------------------

    def _alarms(self, date: dt.date) -> list[InflowAlarm]:
        found = []
        event = self.forecaster.settings.special.event(date)
        for c in np.flatnonzero(self._seen >= _SETTLED).tolist():
            until = self._quiet[c]
            is_quiet = until is not None and date <= until
            kind: Kind = "grown" if self.known[c] > 0.0 else "leak"
            if event is not None:
                found += [] if is_quiet else self._in_event(kind, c, event[1] + 1, date)
                continue
            less = self._loss_of(c, is_quiet)
            if less is not None:
                found.append(self._alarm(less[0], c, less[1], date))
                continue
            sigmas = np.where(self.flow[:, c] >= self._least(c), self.sigmas[:, c], -np.inf)
            window = int(np.argmax(sigmas))
            if not is_quiet and sigmas[window] > self.rules.threshold:
                found.append(self._alarm(kind, c, window, date))
        return found

    def _least(self, channel: int) -> float:
        """Smallest leak that is raised."""
        return float(
            self.rules.least_share * np.nan_to_num(np.nanmean(np.abs(self._open[-1].forecast.values[..., channel])))
        )

    def _loss_of(self, channel: int, is_quiet: bool) -> tuple[Kind, int] | None:
        """Whether a known leak loses less, and the window that tells it; in its quiet days only a sure end counts."""
        known = self.known[channel]
        down = np.nan_to_num(-self.sigmas[:, channel], nan=-np.inf)
        window = int(np.argmax(down))
        lost = -self.flow[window, channel]
        if known <= 0.0 or down[window] <= (self.rules.threshold if is_quiet else self.rules.end_threshold):
            return None
        if lost > (_ENDED_SOON if is_quiet else _ENDED) * known:
            return "ended", window
        return None if is_quiet or lost < self._least(channel) else ("shrunk", window)

    def _in_event(self, kind: Kind, channel: int, days: int, date: dt.date) -> list[InflowAlarm]:
        """The alarm, if any, of the part of an event's excess that its guests cannot explain."""
        if not self._open or days > _AGES:
            return []
        said = self._explain(channel, days, date)
        special = self.forecaster.settings.special
        event = special.event(date)
        share = event[0].night_share if event is not None else TOWN_NIGHT
        flow = said.flat - share / (1.0 - share) * max(said.gain, 0.0)
        sigmas = flow / said.flat_deviation if said.flat_deviation > 0.0 else 0.0
        if not said.is_leak or not sigmas > self.rules.threshold:
            return []
        name = self.forecaster.channels[channel]
        return [self._raise(InflowAlarm(name, kind, date, date - (days - 1) * _ONE_DAY, flow, sigmas, said), days)]

    def _alarm(self, kind: Kind, channel: int, window: int, date: dt.date) -> InflowAlarm:
        name = self.forecaster.channels[channel]
        days = window + 1 if window < _AGES else _SLOW[window - _AGES]
        flow = float(self.flow[window, channel])
        sigmas = float(self.sigmas[window, channel])
        said = self._explain(channel, min(days, _AGES), date)
        return self._raise(InflowAlarm(name, kind, date, date - (days - 1) * _ONE_DAY, flow, sigmas, said), days)

    def _raise(self, alarm: InflowAlarm, days: int) -> InflowAlarm:
        """Take what an alarm says for known."""
        channel = self.forecaster.channels.index(alarm.channel)
        self._quiet[channel] = alarm.date + self.rules.quiet_days * _ONE_DAY
        self._set_known(channel, 0.0 if alarm.kind == "ended" else self.known[channel] + alarm.flow, days)
        return alarm

    def _set_known(self, channel: int, flow: float, days: int) -> None:
        """Change what is taken off, for the last days too."""
        if days:
            self._past[-days:, channel] -= flow - self.known[channel]
        self.known[channel] = flow

    def _explain(self, channel: int, days: int, date: dt.date) -> Explanation:
        """Explain the days since an evening, by the forecast made on it."""
        one = next((o for o in self._open if len(o.residual) == days), self._open[0])
        n = len(one.residual)
        residual = np.stack([r[:, channel] for r in one.residual])
        special = self.forecaster.settings.special
        event = special.event(date)
        name, share = special.holiday(date), TOWN_NIGHT
        if event is not None:
            name, share = event[0].name, event[0].night_share
        return explain(residual, one.forecast.shape[:n, :, channel], self.forecaster.spread()[channel], name, share)
