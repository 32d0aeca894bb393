"""A record as it was known at the end of each hour: no reading counts for more than its past says of it.

Days are cleaned when they are over (`models.health_raw`): a column that stood still all afternoon is left out of the
morning too. Hours cannot wait. Of the hours of a day only what was sound by the end of the day before counts; what
stands still is left out from the moment on at which it has stood too long.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.record import QUANTITIES, Record

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SPOILT = 0.1  # of a day's readings that were no measurements: the next day's hours do without the instrument
_FAR = 0.8  # natural logarithm: no pressure more than doubles


def known_by_hour(
    raw: Record,
    cleaned: Record,
    block: pd.Timedelta,
    still: Mapping[tuple[str, str], float],
    before: tuple[Record, Record] | None = None,
) -> Record:
    """Readings that a watch by hours may rest on, as they came in; NaN elsewhere.

    Parameters
    ----------
    raw, cleaned
        The same record as it was read and as its days were cleaned.
    block
        Length of a day, from the record's start on.
    still
        Seconds for which an instrument may stand still, by quantity and name.
    before
        The record before it, raw and cleaned.
    """
    tables = {}
    for quantity in QUANTITIES:
        table, mended = getattr(raw, quantity), getattr(cleaned, quantity)
        if table.empty:
            tables[quantity] = table
            continue
        values = table.to_numpy(dtype=float, copy=True)
        day = ((table.index - raw.start) // block).to_numpy(dtype=np.int64)
        spoilt = _spoilt(values, mended[list(table.columns)].to_numpy(dtype=float), day)
        first = np.zeros(values.shape[1], dtype=bool)
        if before is not None:
            first = _spoilt_last(getattr(before[0], quantity), getattr(before[1], quantity), block, table.columns)
        late = np.vstack([first, spoilt])[day]
        usual = _usual(mended[list(table.columns)].to_numpy(dtype=float), day)[day] if quantity == "pressure" else None
        limits = np.array([still.get((quantity, str(name)), np.inf) for name in table.columns])
        late |= _stands(values, table.index, limits)
        if usual is not None:
            with np.errstate(all="ignore"):
                late |= np.abs(np.log(values / usual)) > _FAR
        tables[quantity] = pd.DataFrame(np.where(late, np.nan, values), table.index, table.columns)
    return Record(**tables)


def _spoilt(raw: Floats, cleaned: Floats, day: NDArray[np.int64]) -> Bools:
    """Whether much of what each column read in each day was altered when it was over, bool [n_days, n_columns]."""
    n_days = int(day[-1]) + 1
    seen, altered = np.zeros((n_days, raw.shape[1])), np.zeros((n_days, raw.shape[1]))
    is_seen = np.isfinite(raw)
    np.add.at(seen, day, is_seen)
    np.add.at(altered, day, is_seen & (raw != cleaned))
    found: Bools = altered > _SPOILT * seen
    return found


def _spoilt_last(raw: pd.DataFrame, cleaned: pd.DataFrame, block: pd.Timedelta, columns: pd.Index) -> Bools:
    """The same of the last day of an earlier record, bool [n_columns]."""
    if raw.empty:
        return np.zeros(len(columns), dtype=bool)
    since = raw.index > raw.index[-1] - block
    parts = [table.reindex(columns=columns).to_numpy(dtype=float)[since] for table in (raw, cleaned)]
    last: Bools = _spoilt(parts[0], parts[1], np.zeros(int(since.sum()), dtype=np.int64))[0]
    return last


def _usual(cleaned: Floats, day: NDArray[np.int64]) -> Floats:
    """Median of the last day before each in which a column was read, float64 [n_days, n_columns]; NaN before it."""
    found = np.full((int(day[-1]) + 1, cleaned.shape[1]), np.nan)
    edges = np.searchsorted(day, np.arange(len(found) + 1))
    for k in range(1, len(found)):
        part = cleaned[edges[k - 1] : edges[k]]
        seen = np.isfinite(part).any(axis=0)
        found[k] = found[k - 1]
        if seen.any():
            found[k, seen] = np.nanmedian(part[:, seen], axis=0)
    return found


def _stands(values: Floats, times: pd.DatetimeIndex, limits: Floats) -> Bools:
    """Readings that repeat the ones before for longer than they may, bool [n, n_columns]."""
    seconds = ((times - times[0]) / pd.Timedelta("1s")).to_numpy(dtype=float)
    found = np.zeros(values.shape, dtype=bool)
    for k, column in enumerate(values.T):
        seen = np.flatnonzero(np.isfinite(column))
        if len(seen) and np.isfinite(limits[k]):
            is_new = np.concatenate([[True], np.diff(column[seen]) != 0.0])
            since = seen[np.maximum.accumulate(np.where(is_new, np.arange(len(seen)), 0))]
            found[seen, k] = seconds[seen] - seconds[since] >= limits[k]
    return found
