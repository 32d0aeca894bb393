"""The forecaster: `step(day)` scores a day against what was expected of it, then learns from what was usual in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.errors import NotEnoughData, WrongRule
from models.forecast.band import Band
from models.forecast.days import Days
from models.forecast.features import HORIZON, N_FEATURES, Memory, Outlook
from models.forecast.parts import Fading, flat_and_gain, mean_of_seen, median_of_seen
from models.forecast.special_days import SpecialDays
from models.forecast.weights import Weights

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SCALE_HALF_LIFE = 60.0
_FAR = 4.0  # standard deviations
_KNOWN = 10.0  # days of a spread before it says what is far
_CLIP = 5.0  # usual errors; a reading beyond is learnt as if it were there
_YOUNG = 35  # days that a leak may run before its nights pass for usual
_ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Settings:
    """How forecasts are made.

    Attributes
    ----------
    slots
        Parts of a day.
    special
        Holidays and events of the place.
    levels
        Quantiles of the band.
    night
        First and last hour of the quiet of the night, local time; its level is a leak's.
    reference
        Days whose median night is the usual one in a forecast that holds it.
    n_weather
        Number of daily weather values that are given (rain, highest temperature, ...); 0 for none.
    """

    slots: int = 24
    special: SpecialDays = field(default_factory=SpecialDays)
    levels: tuple[float, ...] = (0.05, 0.25, 0.75, 0.95)
    night: tuple[float, float] = (2.0, 5.0)
    reference: int = 91
    n_weather: int = 0

    def night_slots(self) -> slice:
        """Slots of the quiet hours."""
        first, last = (round(hour / 24.0 * self.slots) for hour in self.night)
        return slice(first, max(last, first + 1))


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of some days.

    Attributes
    ----------
    dates
        Local days.
    values
        float64 [n_days, n_slots, n_channels].
    band
        float64 [n_levels, n_days, n_slots, n_channels], quantiles; NaN while too few errors are known.
    shape
        float64 [n_days, n_slots, n_channels], how each slot takes part when people take more: 0 at the quietest,
        1 on average.
    """

    dates: tuple[dt.date, ...]
    values: Floats
    band: Floats
    shape: Floats


@dataclass(frozen=True, slots=True)
class Score:
    """One day against what was expected of it the evening before.

    Attributes
    ----------
    date
        Local day.
    expected, residual
        float64 [n_slots, n_channels].
    flat, gain
        float64 [n_channels], parts of the residual; see `models.forecast.parts.flat_and_gain`.
    """

    date: dt.date
    expected: Floats
    residual: Floats
    flat: Floats
    gain: Floats


class Forecaster:
    """State of forecasting for some channels of one kind (inflows, or pressures).

    Parameters
    ----------
    channels
        Names.
    settings
        How forecasts are made.

    Attributes
    ----------
    last
        The last day learnt; None before any.
    memory, weights, band, scales, spreads, nights, pending, surges
        What was learnt; `models.forecast.keep` saves it, nobody else needs it.
    """

    def __init__(self, channels: Sequence[str], settings: Settings | None = None) -> None:
        self.channels = tuple(channels)
        self.settings = s = settings or Settings()
        self.last: dt.date | None = None
        n = len(self.channels)
        self.memory = Memory(s.slots, n, s.n_weather, s.special)
        self.weights = Weights(n, N_FEATURES + s.n_weather)
        self.band = Band(s.slots, n)
        self.scales = Fading((n,), _SCALE_HALF_LIFE)
        self.nights: Floats = np.full((s.reference, n), np.nan)
        self.pending: list[Outlook] = []  # of the last evenings, latest last
        self.surges: dict[tuple[str, int], Fading] = {}
        self.spreads = Fading((2, 2, n), _SCALE_HALF_LIFE)

    # learning -----------------------------------------------------------------------------------------------------

    def learn(self, days: Days, weather: Floats | None = None) -> None:
        """Take consecutive days, e.g. a history.

        Parameters
        ----------
        weather
            float64 [n_days, n_weather].
        """
        for k, date in enumerate(days.dates):
            self.step(date, days.values[k], None if weather is None else weather[k])

    def step(
        self, date: dt.date, values: Floats, weather: Floats | None = None, abnormal: Bools | None = None
    ) -> Score:
        """Score one day, then learn from what was usual in it.

        Parameters
        ----------
        date
            After `last`; days between count as missing.
        values
            float64 [n_slots, n_channels], NaN where missing.
        weather
            float64 [n_weather], that day's.
        abnormal
            bool [n_slots, n_channels], what was called abnormal: scored, but not learnt from.

        Raises
        ------
        WrongRule
            If the day does not follow, or has the wrong number of slots or channels.
        """
        self._check(date, values)
        weather_ = np.full(self.settings.n_weather, np.nan) if weather is None else np.asarray(weather, dtype=float)
        while self.last is not None and date > self.last + _ONE_DAY:
            self._take(self.last + _ONE_DAY, np.full_like(values, np.nan), np.full_like(weather_, np.nan), None)
        usual = values if abnormal is None else np.where(abnormal, np.nan, values)
        return self._take(date, values, weather_, usual)

    def _check(self, date: dt.date, values: Floats) -> None:
        shape = (self.settings.slots, len(self.channels))
        if values.shape != shape:
            raise WrongRule(
                f"{date}: a day of {values.shape} was given; this forecaster takes {shape} (slots, channels)"
            )
        if self.last is not None and date <= self.last:
            raise WrongRule(f"{date}: not after {self.last}, the last day learnt; give days in order, each once")

    def _take(self, date: dt.date, values: Floats, weather: Floats, usual: Floats | None) -> Score:
        """Score a day and learn from `usual`, its part that may be learnt from."""
        if self.last is None:
            self.last = date - _ONE_DAY
        outlook = self._outlook(1)
        expected = self._expected(outlook, weather[None, :])[0] + self._surge(date, outlook.shape[0])
        residual = values - expected
        flat, gain = flat_and_gain(residual, outlook.shape[0])
        learnt = np.full_like(values, np.nan) if usual is None else self._clipped(usual, expected)
        event = self.settings.special.event(date)
        if event is not None:
            seen = np.full_like(values, np.nan) if usual is None else usual
            self._learn_surge((event[0].name, event[1]), seen, expected, outlook.shape[0], date)
            learnt = np.full_like(values, np.nan)
        self._learn_spread(learnt - expected, outlook.shape[0])
        self._learn_weights(learnt, weather)
        self.memory.add(date, learnt, weather)
        night = learnt[self.settings.night_slots()]
        self.nights[:-1] = self.nights[1:]
        self.nights[-1] = mean_of_seen(night)
        self.last = date
        self.pending.append(self.memory.outlook(self._next(HORIZON)))
        del self.pending[:-HORIZON]
        return Score(date, expected, residual, flat, gain)

    def _clipped(self, values: Floats, expected: Floats) -> Floats:
        """Readings with what is wildly off held at the edge of what may be."""
        reach = _CLIP * self.band.scale()
        free = np.isnan(expected) | np.isnan(reach)
        clipped = np.clip(values, np.where(free, -np.inf, expected - reach), np.where(free, np.inf, expected + reach))
        return np.asarray(clipped, dtype=np.float64)

    def surge_of(self, name: str, offset: int) -> Fading:
        """What is remembered of a day of an event."""
        return self.surges.setdefault((name, offset), Fading((2, len(self.channels)), 1.0))

    def _learn_weights(self, learnt: Floats, weather: Floats) -> None:
        """Compare a day with what each of the last evenings let expect of it."""
        scale = np.nan_to_num(self.scales.mean())
        weights = self.weights.values()
        for ahead, outlook in enumerate(reversed(self.pending)):
            base = outlook.base[ahead]
            features = self._with_weather(outlook, weather[None, :].repeat(HORIZON, axis=0))[ahead]
            said = base + np.einsum("sck,ck->sc", features, weights[ahead])
            self.band.add(ahead, learnt - said)
            if ahead == 0:
                self.scales.add(mean_of_seen(np.abs(learnt - base)))
                scale = np.nan_to_num(self.scales.mean())
            self.weights.add(ahead, features, learnt - base, scale)

    def _learn_spread(self, residual: Floats, shape: Floats) -> None:
        """Remember how far the flat and the gain part of a usual day vary together; wild days count as far ones."""
        parts = np.stack(flat_and_gain(residual, shape))
        reach = _FAR * np.sqrt(np.diagonal(self.spread(), axis1=1, axis2=2)).T
        is_known = self.spreads.weight[0, 0] > _KNOWN
        parts = np.where(is_known, np.clip(parts, -reach, reach), parts)
        self.spreads.add(parts[:, None] * parts[None, :])

    def _learn_surge(self, key: tuple[str, int], seen: Floats, expected: Floats, shape: Floats, date: dt.date) -> None:
        """Remember what an event adds, to expect it the next time."""
        plain = expected - self._surge(date, shape)
        self.surge_of(*key).add(np.stack(flat_and_gain(seen - plain, shape)))

    # forecasting --------------------------------------------------------------------------------------------------

    def forecast(
        self, n_days: int = HORIZON, weather: Floats | None = None, hold_night: bool = False, with_band: bool = True
    ) -> Forecast:
        """Forecast the days after the last one learnt.

        Parameters
        ----------
        n_days
            At most 7.
        weather
            float64 [n_days, n_weather], as forecast; NaN where not known.
        hold_night
            Expect the night flow of the last months instead of the last days: what would be without a leak that
            began in between and that nobody has marked.
        with_band
            Without it the band is NaN, which takes a tenth of the time.

        Raises
        ------
        NotEnoughData
            Before any day was learnt.
        WrongRule
            If `n_days` is not 1 to 7.
        """
        if self.last is None:
            raise NotEnoughData("nothing has been learnt yet: give the forecaster at least a week of days")
        if not 1 <= n_days <= HORIZON:
            raise WrongRule(f"{n_days} days were asked for; forecasts reach 1 to {HORIZON} days ahead")
        dates = self._next(n_days)
        outlook = self._outlook(n_days)
        given = np.full((n_days, self.settings.n_weather), np.nan) if weather is None else weather
        values = self._expected(outlook, given)
        if hold_night:
            values = values - self.night_excess()
        for k, date in enumerate(dates):
            values[k] += self._surge(date, outlook.shape[k])
        n_levels = len(self.settings.levels)
        error = self.band.quantiles(self.settings.levels, n_days) if with_band else np.full((n_levels, 1, 1, 1), np.nan)
        band = values + error
        return Forecast(tuple(dates), values, band, outlook.shape)

    def night_excess(self) -> Floats:
        """How much more than usual the nights of the coming week are expected to take, float64 [n_channels].

        Usual is the median night of the reference days, or of those among them that are older than five weeks where
        that is less: a leak that began since then does not count as usual.
        """
        outlook = self._outlook(HORIZON)
        values = self._expected(outlook, np.full((HORIZON, self.settings.n_weather), np.nan))
        coming = values[:, self.settings.night_slots()].mean(axis=(0, 1))
        usual = np.fmin(median_of_seen(self.nights), median_of_seen(self.nights[:-_YOUNG]))
        return np.asarray(np.nan_to_num(coming - usual), dtype=np.float64)

    def spread(self) -> Floats:
        """Covariance of the flat and the gain part of a usual day's residual, float64 [n_channels, 2, 2]."""
        mean: Floats = self.spreads.mean().transpose(2, 0, 1)
        return mean

    def scale(self) -> Floats:
        """Usual absolute error a day ahead, float64 [n_slots, n_channels]."""
        return self.band.scale()

    def _next(self, n_days: int) -> list[dt.date]:
        assert self.last is not None
        return [self.last + (k + 1) * _ONE_DAY for k in range(n_days)]

    def _outlook(self, n_days: int) -> Outlook:
        """What the last evening lets expect of the next days."""
        if not self.pending:
            return self.memory.outlook(self._next(n_days))
        whole = self.pending[-1]
        return Outlook(whole.base[:n_days], whole.features[:n_days], whole.shape[:n_days], whole.weather)

    def _with_weather(self, outlook: Outlook, weather: Floats) -> Floats:
        """Features with those of the weather: how it differs from that of late, by the shape of demand."""
        if self.settings.n_weather == 0:
            return outlook.features
        n = len(outlook.base)
        change = np.nan_to_num(weather[:n] - outlook.weather)
        return np.concatenate([outlook.features, outlook.shape[..., None] * change[:, None, None, :]], axis=-1)

    def _expected(self, outlook: Outlook, weather: Floats) -> Floats:
        n = len(outlook.base)
        features = self._with_weather(outlook, weather)
        expected: Floats = outlook.base + np.einsum("dsck,dck->dsc", features, self.weights.values()[:n])
        return expected

    def _surge(self, date: dt.date, shape: Floats) -> Floats:
        """What an event is known to add on a day, float64 [n_slots, n_channels]."""
        event = self.settings.special.event(date)
        known = self.surges.get((event[0].name, event[1])) if event is not None else None
        if known is None:
            return np.zeros_like(shape)
        flat, gain = np.nan_to_num(known.mean())
        return np.asarray(flat + gain * shape, dtype=np.float64)
