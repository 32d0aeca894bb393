"""Residuals of hours: what the same driven model says of every hour, before the day is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.record import Record

if TYPE_CHECKING:
    from models.watch import Watch

Floats = NDArray[np.float64]

HOUR = pd.Timedelta(hours=1)
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """Residuals of consecutive hours.

    Attributes
    ----------
    start
        UTC, of the first.
    values
        float64 [n_hours, n_channels], m and m3/s; NaN is missing.
    """

    start: pd.Timestamp
    values: Floats

    def of(self, start: pd.Timestamp, block: pd.Timedelta) -> Floats:
        """The hours of a block that begins at `start`; fewer where they end before it does."""
        first = round((start - self.start) / HOUR)
        return self.values[first : first + round(block / HOUR)]


def hourly(watch: Watch, record: Record, times: pd.DatetimeIndex, measured: Floats, residual: Floats) -> Hours:
    """Means of hours; what is read at all hours alike has none.

    Only what is known at an hour's end may count in it: whether most pressures were read is asked of the hour itself,
    not of its day, and an hour that the record holds in part is left out.

    Parameters
    ----------
    measured, residual
        float64 [n, n_instruments] and [n, n_picked + n_balances], of intervals that begin at `times`.
    """
    step, names = watch.settings.step, watch.channels.names
    per_hour = round(HOUR / step)
    if watch.settings.block != _DAY or per_hour < 1 or per_hour * step != HOUR:
        return Hours(times[0], np.empty((0, len(names))))
    n_pressures = len(watch.model.sensor_nodes)
    is_read = np.isfinite(measured[:, :n_pressures]).sum(axis=1) >= 0.5 * n_pressures
    known = np.where(is_read[:, None], residual, np.nan)
    n_hours = min(len(times) // per_hour, int((_end(record) - times[0]) / HOUR))
    split = known[: n_hours * per_hour].reshape(n_hours, per_hour, -1)
    seen = np.isfinite(split)
    count = seen.sum(axis=1)
    values = np.full((n_hours, len(names)), np.nan)
    means = np.where(seen, split, 0.0).sum(axis=1) / np.maximum(count, 1)
    values[:, : split.shape[2]] = np.where(2 * count >= per_hour, means, np.nan)
    return Hours(times[0], values)


def lagging(watch: Watch) -> NDArray[np.bool_]:
    """Channels that are known an hour late, bool [n_channels]: those of districts with a tank.

    What a tank took up in an interval is told by its mean level before and after.
    """
    model, channels = watch.model, watch.channels
    late = [number for number, district in enumerate(model.districts) if len(district.tanks)]
    found = np.zeros(len(channels.names), dtype=bool)
    for k, column in enumerate(channels.picked.tolist()):
        if column < len(model.sensor_nodes):
            inside = [model.sensor_nodes[column] in model.engine.junctions[model.districts[n].junctions] for n in late]
            found[k] = any(inside)
        else:
            name = model.flow_meters[column - len(model.sensor_nodes)]
            found[k] = any(name in model.districts[n].meters for n in late)
    for k, number in enumerate(channels.districts, start=len(channels.picked)):
        found[k] = number in late
    return found


def _end(record: Record) -> pd.Timestamp:
    """When the last reading's interval was over."""
    paces = [
        pd.Timedelta(np.median(np.diff(table.index[:1000])))
        for table in (record.pressure, record.flow, record.level, record.demand)
        if len(table) > 1
    ]
    return record.end + min(paces)
