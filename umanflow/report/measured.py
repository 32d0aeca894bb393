"""What the instruments measured, day by day: night flows, and how much arrived."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from hydro.record import Record
from umanflow.report.case import Series
from umanflow.report.errors import ReportError

FILE = "days.parquet"
QUANTITIES = ("pressure", "flow", "level", "demand")
COLUMNS = ("day", "instrument", "quantity", "received", "mean", "night")
_NIGHT_H = 6  # the least flow of an hour is looked for before this hour
_ENOUGH = 92.0 / 96.0  # of a day's values, for its night flow to count
_HOUR_S = 3600.0


def days_of(record: Record, timezone: str | None = None) -> pd.DataFrame:
    """Sum a record up by days of a clock.

    Parameters
    ----------
    timezone
        Of the days; those of the record's own clock where not given.

    Returns
    -------
    DataFrame
        day (naive midnight of the clock), instrument, quantity, received (share of the day's values), mean and night in
        SI. The night flow is the least mean of an hour between 0 and 6 o'clock; NaN for other quantities, and on days
        with less than 92 of 96 values.
    """
    parts = []
    for quantity in QUANTITIES:
        table: pd.DataFrame = getattr(record, quantity)
        if table.empty or not len(table.columns):
            continue
        local = table.tz_convert(timezone or "UTC").tz_localize(None)
        midnight = pd.DatetimeIndex(local.index).floor("D")
        every = own_steps(local)
        received = (local.notna() * every).groupby(midnight).mean().clip(upper=1.0)
        mean = local.groupby(midnight).mean()
        night = _night(local, midnight, received, every) if quantity == "flow" else received * math.nan
        stacked = pd.concat({"received": received, "mean": mean, "night": night}, axis=1)
        stacked.columns.names = ["value", "instrument"]
        long = stacked.stack("instrument", future_stack=True).rename_axis(["day", "instrument"]).reset_index()
        parts.append(long.assign(quantity=quantity, instrument=long["instrument"].astype(str)))
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def own_steps(table: pd.DataFrame) -> pd.Series:
    """Rows between two values of each column, its own interval in steps of the table: a logger's is longer.

    Returns
    -------
    Series
        int, index the columns; 1 where a column has fewer than two values.
    """
    steps = []
    for column in table.columns:
        gaps = np.diff(np.flatnonzero(table[column].notna().to_numpy()))
        steps.append(max(1, int(np.median(gaps))) if len(gaps) else 1)
    return pd.Series(steps, index=table.columns, dtype=np.int64)


def _night(local: pd.DataFrame, midnight: pd.DatetimeIndex, received: pd.DataFrame, every: pd.Series) -> pd.DataFrame:
    gaps = np.diff(local.index.to_numpy()).astype("timedelta64[s]").astype(np.int64)
    step_s = float(np.median(gaps)) if len(gaps) else _HOUR_S
    hour = max(1, round(_HOUR_S / step_s)) if step_s > 0.0 else 1
    # an hour that began before midnight is the day before's
    moment = (pd.DatetimeIndex(local.index) - midnight).to_numpy().astype("timedelta64[s]").astype(np.int64)
    is_night = (moment >= (hour - 1) * step_s) & (moment < _NIGHT_H * _HOUR_S)
    columns = {}
    for column in local.columns:
        hourly = local[column].rolling(hour, min_periods=max(1, hour // int(every[column]))).mean()
        columns[column] = hourly[is_night].groupby(midnight[is_night]).min()
    return pd.DataFrame(columns).reindex(received.index).where(received >= _ENOUGH)


def read_days(folder: Path) -> pd.DataFrame | None:
    """Read the days that `umanflow detect` kept; None where it kept none.

    Raises
    ------
    ReportError
        If the file is broken.
    """
    return _read(folder / FILE, set(COLUMNS))


def read_residuals(folder: Path) -> pd.DataFrame | None:
    """Read residuals.parquet, [n_frames, n_channels] with a UTC index; None where there is none.

    Raises
    ------
    ReportError
        If the file is broken.
    """
    return _read(folder / "residuals.parquet", set())


def _read(path: Path, columns: set[str]) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    mend = "run `umanflow detect` again with this --out"
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ReportError(f"cannot be read: {str(error).splitlines()[0]}", str(path), mend) from error
    if missing := columns - set(table.columns):
        raise ReportError(f"has no column '{sorted(missing)[0]}'", str(path), mend)
    return table


def night_table(days: pd.DataFrame | None) -> pd.DataFrame | None:
    """Night flows by day and meter, m3/s; None where no days were kept."""
    if days is None:
        return None
    flows = days[days["quantity"] == "flow"]
    return flows.pivot(index="day", columns="instrument", values="night")


def night_series(flows: pd.DataFrame | None, inlets: Sequence[tuple[str, int]], label: str) -> Series | None:
    """Night flow into a district, m3/h: its meters added up with their signs; None where one of them is missing.

    Parameters
    ----------
    flows
        Of `night_table`.
    """
    if flows is None or not inlets:
        return None
    if any(link not in flows.columns for link, _ in inlets):
        return None
    total = sum((3600.0 * sign * flows[link] for link, sign in inlets), start=pd.Series(0.0, flows.index))
    if not np.isfinite(total).any():
        return None
    times = tuple(pd.Timestamp(day).to_pydatetime() for day in total.index)
    return Series(label, times, tuple(float(v) for v in total))


def median_between(series: Series | None, since: datetime, until: datetime) -> float | None:
    """Median of a series' values in a period; None where there is none."""
    if series is None:
        return None
    values = [v for t, v in zip(series.times, series.values, strict=True) if since <= t < until and math.isfinite(v)]
    return float(np.median(values)) if values else None
