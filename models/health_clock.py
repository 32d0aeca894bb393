"""Loggers whose clock is off: what they read follows the model better some intervals earlier or later."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.health import CLOCK, Fault

Floats = NDArray[np.float64]

_LOOK_BACK = pd.Timedelta("3D")
_MOST = pd.Timedelta("6h")
_BETTER = 0.4  # of the variance that is left under the lag so far
_FOLLOWS = 0.15  # of the expected variance: what is left under the better lag must be little
_LEAST = 0.5  # of the look-back must have been read


class Clocks:
    """Lag of every instrument's clock, told block by block.

    Parameters
    ----------
    names
        [n_instruments]: pressures, then flows.
    n_pressures
        How many are pressures.
    drivers
        Flow meters that drive the model: where most pressures seem late together, it is these that are early.
    step, per_block
        Length of an interval, and intervals in a block.

    Attributes
    ----------
    lag
        int64 [n_instruments], intervals, as known now.
    lags
        The same as it was known before each block that was retimed, and after the last.
    """

    def __init__(
        self, names: Sequence[str], n_pressures: int, drivers: Sequence[str], step: pd.Timedelta, per_block: int
    ) -> None:
        self.names, self.n_pressures, self.drivers = list(names), n_pressures, list(drivers)
        self.step, self.per_block = step, per_block
        self.lag = np.zeros(len(names), dtype=np.int64)
        self.lags: list[NDArray[np.int64]] = []
        self.faults: list[Fault] = []
        self._open: dict[int, Fault] = {}
        self._lags = np.arange(-(_MOST // step), _MOST // step + 1)

    def follow(self, earlier: Clocks) -> None:
        """Go on from what the clocks of an earlier record were."""
        self.lag, self._open = earlier.lag.copy(), dict(earlier._open)

    def retimed(self, measured: Floats, expected: Floats, times: pd.DatetimeIndex) -> Floats:
        """Readings put to the time at which they were taken, as far as was known by the end of each block.

        Parameters
        ----------
        measured, expected
            float64 [n, n_instruments].
        """
        found = measured.copy()
        back = int(_LOOK_BACK / self.step)
        self.lags = [self.lag.copy()]
        for at in range(0, len(measured) - self.per_block + 1, self.per_block):
            end = at + self.per_block
            rows = slice(max(0, end - back), end)
            self._tell(measured[rows], expected[rows], times[rows])
            for k in np.flatnonzero(self.lag):
                lag = int(self.lag[k])
                block = np.full(self.per_block, np.nan)
                source = np.arange(at, end) + lag
                known = (source >= 0) & (source < end)  # what is stamped later was not there yet
                block[known] = measured[source[known], k]
                found[at:end, k] = block
            self.lags.append(self.lag.copy())
        return found

    def _tell(self, measured: Floats, expected: Floats, times: pd.DatetimeIndex) -> None:
        """Look at the last days and change lags."""
        left = np.stack([_variance(measured, expected, int(lag)) for lag in self._lags])
        everyone = np.arange(len(self.names))
        with np.errstate(all="ignore"):
            moves = np.array([np.var(c[np.isfinite(c)]) if np.isfinite(c).any() else np.nan for c in expected.T])
        best = np.argmin(np.where(np.isfinite(left), left, np.inf), axis=0)
        now = self.lag - self._lags[0]
        with np.errstate(invalid="ignore"):
            is_other = left[best, everyone] < _BETTER * left[now, everyone]
            is_other &= left[best, everyone] < _FOLLOWS * moves
        # at the edge there may be a better one beyond
        is_other &= (best > 0) & (best < len(self._lags) - 1)
        changed = np.flatnonzero(is_other)
        told = times[-1] + self.step
        pressures = changed[changed < self.n_pressures]
        is_many = len(pressures) > max(2, 0.5 * self.n_pressures) and bool(self.drivers)
        if is_many and len(set(self._lags[best[pressures]])) == 1:
            self._tell_drivers(int(self._lags[best[pressures[0]]]), told)
            return
        for k in changed.tolist():
            lag = int(self._lags[best[k]])
            since = self._since(measured[:, k], expected[:, k], times, int(self.lag[k]), lag)
            better = 1.0 - left[best[k], k] / left[now[k], k]
            self._change(k, lag, since, told, float(better))

    def _change(self, k: int, lag: int, since: pd.Timestamp, told: pd.Timestamp, better: float) -> None:
        before = self._open.pop(k, None)
        if before is not None:
            before.until = since
        self.lag[k] = lag
        if lag == 0:
            return
        quantity = "pressure" if k < self.n_pressures else "flow"
        seconds = lag * self.step.total_seconds()
        text = f"shifted by {seconds / 60.0:+.0f} min it leaves {100.0 * better:.0f} % less of its variance unexplained"
        self._open[k] = Fault(self.names[k], quantity, CLOCK, since, told, seconds, "s", text)
        self.faults.append(self._open[k])

    def _tell_drivers(self, lag: int, told: pd.Timestamp) -> None:
        if -1 in self._open:
            return
        seconds = -lag * self.step.total_seconds()
        text = f"most pressures follow the model {-seconds / 60.0:+.0f} min from where its inflow puts them"
        self._open[-1] = Fault(
            "+".join(self.drivers), "flow", CLOCK, told - _LOOK_BACK, told, seconds, "s", text
        )  # fmt: skip
        self.faults.append(self._open[-1])

    def _since(
        self, measured: Floats, expected: Floats, times: pd.DatetimeIndex, before: int, after: int
    ) -> pd.Timestamp:
        """The interval from which on the new lag serves better."""
        old, new = (_residual(measured[:, None], expected[:, None], lag)[:, 0] for lag in (before, after))
        middle = np.nanmedian(new)
        gain = np.nan_to_num((old - middle) ** 2 - (new - middle) ** 2)
        # gained from an interval on: the best is where the sum from there to the end is largest
        since = int(np.argmax(np.cumsum(gain[::-1])[::-1]))
        return pd.Timestamp(times[since])


def _residual(measured: Floats, expected: Floats, lag: int) -> Floats:
    """Measured at t less expected at t - lag, NaN where that lies outside, float64 [n, n_channels]."""
    shifted = np.full_like(expected, np.nan)
    if lag >= 0:
        shifted[lag:] = expected[: len(expected) - lag]
    else:
        shifted[:lag] = expected[-lag:]
    found: Floats = measured - shifted
    return found


def _variance(measured: Floats, expected: Floats, lag: int) -> Floats:
    """What a lag leaves unexplained, NaN where too little was read, float64 [n_channels]."""
    residual = _residual(measured, expected, lag)
    seen = np.isfinite(residual)
    count = seen.sum(axis=0)
    with np.errstate(all="ignore"):
        mean = np.where(seen, residual, 0.0).sum(axis=0) / count
        variance = np.where(seen, (residual - mean) ** 2, 0.0).sum(axis=0) / count
    found: Floats = np.where(count >= _LEAST * len(measured), variance, np.nan)
    return found
