"""Measurements as whole local days: people live by the clock on the wall, not by UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import NotEnoughData, WrongRule

Floats = NDArray[np.float64]
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Abnormal:
    """A time in which a channel must not be learnt from: a leak that was found, a fault, an event.

    Attributes
    ----------
    start, end
        On the table's own clock, `end` not included.
    channel
        None for all.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Days:
    """Whole local days of some channels.

    Attributes
    ----------
    dates
        Consecutive local days.
    values
        float64 [n_days, n_slots, n_channels], means over slots; NaN where missing or abnormal. The hour that a
        clock change leaves out is missing, the one that it repeats is the mean of both.
    channels
        Names.
    """

    dates: tuple[dt.date, ...]
    values: Floats
    channels: tuple[str, ...]


def to_days(
    table: pd.DataFrame, timezone: str | None = None, slots: int = 24, abnormal: Sequence[Abnormal] = ()
) -> Days:
    """Lay a table out in local days.

    Parameters
    ----------
    table
        One column per channel. An index with a zone is turned to `timezone`; one without stands as it is.
    timezone
        Where people live.
    slots
        Parts of a day, over each of which means are taken.
    abnormal
        What is left out.

    Raises
    ------
    NotEnoughData
        If the table is empty.
    WrongRule
        If an abnormal time names no channel of the table.
    """
    if len(table) == 0:
        raise NotEnoughData("no measurements to lay out in days: the table is empty")
    values = table.to_numpy(dtype=float, copy=True)
    for span in abnormal:
        inside = (table.index >= span.start) & (table.index < span.end)
        if span.channel is None:
            values[inside] = np.nan
        elif span.channel in table.columns:
            values[inside, table.columns.get_loc(span.channel)] = np.nan
        else:
            raise WrongRule(f"abnormal times of '{span.channel}' are given, but the measurements have no such column")
    local = _local(pd.DatetimeIndex(table.index), timezone)
    first, last = local.min().normalize(), local.max().normalize()
    n_days = int((last - first) / _DAY) + 1
    at = ((local - first) / (_DAY / slots)).to_numpy().astype(np.int64)
    total = np.zeros((n_days * slots, values.shape[1]))
    count = np.zeros_like(total)
    np.add.at(total, at, np.nan_to_num(values))
    np.add.at(count, at, np.isfinite(values))
    mean = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
    dates = tuple((first + k * _DAY).date() for k in range(n_days))
    return Days(dates, mean.reshape(n_days, slots, -1), tuple(str(c) for c in table.columns))


def _local(index: pd.DatetimeIndex, timezone: str | None) -> pd.DatetimeIndex:
    """Times on the wall's clock, without a zone."""
    if index.tz is None:
        return index
    return (index.tz_convert(timezone) if timezone else index).tz_localize(None)
