"""Residuals of hours: what the same driven model says of every hour, before the day is over.

A day's frame rests on what had come in by midnight: gaps are bridged from both their sides, clocks are put right, what
stood still is left out from its beginning on. Hours are made of their own past alone, so that a record which ends at
any hour tells the same of the hours before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.drive import Drive
from hydro.record import Record
from models.health_bridge import Bridge
from models.health_clock import Clocks
from models.health_frames import leave_out

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


@dataclass(frozen=True, slots=True)
class Simulated:
    """What the model said of a record whose days were over.

    Attributes
    ----------
    drive
        What was imposed.
    wanted
        bool [n], the intervals that were simulated.
    expected
        float64 [n, n_instruments], without the instruments' zeros.
    """

    drive: Drive
    wanted: NDArray[np.bool_]
    expected: Floats


def as_known(
    watch: Watch, record: Record, bridge: Bridge, clocks: Clocks, phase: int, daily: Simulated
) -> tuple[Floats, Floats]:
    """Measurements and residuals of intervals, each from what was known at its end.

    Parameters
    ----------
    record
        As it was known by the hour (`models.hours_raw`).
    bridge
        For blocks of one hour.
    clocks
        Those of the record's days.
    phase
        Of the model's week.
    daily
        What the model said of the days. Where hours were driven alike all through, it said the same of them.

    Returns
    -------
    measured : float64 [n, n_instruments]
    residual : float64 [n, n_picked + n_balances]
    """
    model, step, n_picked = watch.model, watch.settings.step, len(watch.channels.picked)
    fine = record.resampled(step)
    bridged = bridge.bridged(fine, daily.drive.times)
    drive = model.drive(bridged.record, step, phase, watch.per_block)
    measured = watch.measured(fine, drive)
    wanted = _is_read(watch, measured)
    is_same = np.array_equal(wanted, daily.wanted) and _is_same(drive, daily.drive)
    expected = daily.expected if is_same else np.hstack(model.expect(drive, wanted))
    for k, lag in enumerate(clocks.lags):
        measured[k * watch.per_block : (k + 1) * watch.per_block, lag != 0] = np.nan
    untrusted = leave_out(watch, measured, expected, bridged)
    nominal = watch.nominal(drive, phase)
    residual = watch.channels.residuals(measured, expected + watch.zeros, drive, nominal)
    residual[:, n_picked:][untrusted] = np.nan
    return measured, residual


def _is_same(one: Drive, other: Drive) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
        for name in ("demand", "level", "pump_flow", "inflow", "known")
    )


def _is_read(watch: Watch, measured: Floats) -> NDArray[np.bool_]:
    """Intervals in which most pressures were read, bool [n]."""
    n = len(watch.model.sensor_nodes)
    found: NDArray[np.bool_] = np.isfinite(measured[:, :n]).sum(axis=1) >= 0.5 * n
    return found


def has_hours(watch: Watch) -> bool:
    """Whether blocks are days and intervals parts of hours: else nothing is watched by the hour."""
    per_hour = round(HOUR / watch.settings.step)
    return watch.settings.block == _DAY and per_hour >= 1 and per_hour * watch.settings.step == HOUR


def hourly(watch: Watch, record: Record, times: pd.DatetimeIndex, measured: Floats, residual: Floats) -> Hours:
    """Means of hours; what is read at all hours alike has none.

    Only what is known at an hour's end may count in it: whether most pressures were read is asked of the hour itself,
    not of its day, and an hour that the record holds in part is left out.

    Parameters
    ----------
    measured, residual
        float64 [n, n_instruments] and [n, n_picked + n_balances], of intervals that begin at `times`.
    """
    names, per_hour = watch.channels.names, round(HOUR / watch.settings.step)
    if not has_hours(watch):
        return Hours(times[0], np.empty((0, len(names))))
    known = np.where(_is_read(watch, measured)[:, None], residual, np.nan)
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

    What a tank took up in an interval is told by its mean level before and after. Districts beside it are late with it
    but where a pump's measured flow parts them: what passes is then what was measured, whatever the tank does.
    """
    model, channels = watch.model, watch.channels
    late = {number for number, district in enumerate(model.districts) if len(district.tanks)}
    parted = {model.topology.links[link] for link in model.pumps.tolist()}
    while True:
        open_ = {meter for number in late for meter in model.districts[number].meters} - parted
        beside = {number for number, district in enumerate(model.districts) if open_ & set(district.meters)}
        if beside <= late:
            break
        late |= beside
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
    return record.end + min(paces, default=pd.Timedelta(0))
