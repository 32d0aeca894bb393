"""What else could have made an alarm, and what speaks against it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from umanflow.report.case import Series, Verdict
from umanflow.report.measured import median_between
from umanflow.report.row import LeakRow

Floats = NDArray[np.float64]

BALANCE = "balance of "
_STRONG = 3.0  # standard deviations
_ALONE = 0.8  # share of the evidence that one instrument may carry
_QUIET_DAYS = 30
_LEAST_DAYS = 5
_LASTING_DAYS = 7
_SHORT_DAYS = 3
_STAYS = 0.9  # of the days
_NIGHT_DAYS = 7
_SHOWN = 3
_BEFORE = timedelta(days=30)
_AFTER = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Moved:
    """Residuals as standard deviations of the quiet days before an event.

    Attributes
    ----------
    times
        Beginning of each frame, in the events' clock.
    names
        Channels.
    values
        float64 [n_frames, n_channels], NaN where unknown.
    """

    times: tuple[datetime, ...]
    names: tuple[str, ...]
    values: Floats


def moved_by(row: LeakRow, residuals: pd.DataFrame | None, clock: str | None) -> Moved | None:
    """Measure residuals from the mean of up to 30 frames before an event, in their own spread; None without frames."""
    if residuals is None or residuals.empty:
        return None
    index = pd.DatetimeIndex(residuals.index)
    local = index.tz_convert(clock or "UTC").tz_localize(None) if index.tz is not None else index
    times = tuple(t.to_pydatetime() for t in local)
    values = residuals.to_numpy(dtype=float)
    before = [k for k, t in enumerate(times) if t < row.start_low][-_QUIET_DAYS:]
    if len(before) < _LEAST_DAYS:
        return None
    quiet = values[before]
    seen = np.isfinite(quiet)
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, quiet, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(seen, (quiet - mean) ** 2, 0.0).sum(axis=0) / np.maximum(count - 1, 1))
    usable = (seen.sum(axis=0) >= _LEAST_DAYS) & (spread > 0.0)
    scaled = (values - mean) / np.where(usable, spread, math.nan)
    return Moved(times, tuple(str(c) for c in residuals.columns), scaled)


def residual_series(row: LeakRow, moved: Moved | None, until: datetime) -> tuple[Series, ...]:
    """Residuals of the instruments that said most at the alarm, around the event."""
    if moved is None:
        return ()
    end = min(until, (row.ended or until) + _AFTER)
    since = row.start - _BEFORE
    keep = [k for k, t in enumerate(moved.times) if since <= t <= end]
    names = [e.channel for e in sorted(row.evidence, key=lambda e: -abs(e.sigmas)) if e.channel in moved.names]
    found = []
    for name in names[:_SHOWN]:
        column = moved.values[:, moved.names.index(name)]
        if np.isfinite(column[keep]).any():
            found.append(Series(name, tuple(moved.times[k] for k in keep), tuple(float(column[k]) for k in keep)))
    return tuple(found)


def verdicts_of(
    row: LeakRow, moved: Moved | None, night: Series | None, until: datetime, others: Sequence[LeakRow] = ()
) -> tuple[Verdict, ...]:
    """Weigh a meter's fault, a surge of demand, and a pump's or valve's action against a leak.

    Parameters
    ----------
    moved, night
        Residuals and night flow, where known.
    until
        End of the period.
    others
        All events: those that begin or end in the same weeks of the same district hide what this one does.
    """
    surge = _surge(row, moved, night, until)
    if surge.finding == "open" and _is_hidden(row, others):
        surge = Verdict("surge", "unknown", "hidden")
    return (_meter(row), surge, _operation(row, moved, until))


def _is_hidden(row: LeakRow, others: Sequence[LeakRow]) -> bool:
    since, until = row.start_low - _BEFORE, max(row.start_high, row.detected) + _AFTER
    return any(
        other.event != row.event
        and other.dma == row.dma
        and other.status != "withdrawn"
        and any(time is not None and since <= time <= until for time in (other.start, other.ended))
        for other in others
    )


def _meter(row: LeakRow) -> Verdict:
    if not row.evidence:
        return Verdict("meter", "unknown", "no evidence")
    strong = [e for e in row.evidence if abs(e.sigmas) >= _STRONG]
    power = [e.sigmas**2 for e in row.evidence]
    top = max(row.evidence, key=lambda e: abs(e.sigmas))
    share = top.sigmas**2 / sum(power) if sum(power) > 0.0 else 1.0
    values: tuple[tuple[str, float | int | str], ...] = (("n", len(strong)), ("channel", top.channel), ("share", share))
    if len(strong) >= 3 and share < _ALONE:
        return Verdict("meter", "ruled out", "many moved", values)
    if len(strong) >= 2:
        return Verdict("meter", "unlikely", "some moved", values)
    return Verdict("meter", "open", "one moved", values)


def _surge(row: LeakRow, moved: Moved | None, night: Series | None, until: datetime) -> Verdict:
    end = min(row.ended or until, until)
    before = median_between(night, row.start_low - timedelta(days=_NIGHT_DAYS), row.start_low)
    after = median_between(night, row.start_high, min(end, row.start_high + timedelta(days=_NIGHT_DAYS)))
    nights = int((min(end, row.start_high + timedelta(days=_NIGHT_DAYS)) - row.start_high) / timedelta(days=1))
    rise = after - before if before is not None and after is not None else math.nan
    if nights >= _SHORT_DAYS and rise >= 0.5 * row.flow_m3h:
        values: tuple[tuple[str, float | int | str], ...] = (("rise", rise), ("n", nights), ("flow", row.flow_m3h))
        return Verdict("surge", "ruled out", "night rose", values)
    stayed = _stayed(row, moved, end)
    if stayed is None:
        return Verdict("surge", "unknown", "no days")
    name, days, share = stayed
    values = (("channel", name), ("n", days), ("share", share))
    if days >= _LASTING_DAYS and share >= _STAYS:
        return Verdict("surge", "ruled out", "lasted", values)
    if days >= _SHORT_DAYS and share >= _STAYS:
        return Verdict("surge", "unlikely", "lasted", values)
    return Verdict("surge", "open", "too short" if share >= _STAYS else "came and went", values)


def _stayed(row: LeakRow, moved: Moved | None, end: datetime) -> tuple[str, int, float] | None:
    """The channel that tells most, the days since the alarm, and the share of them on which it stayed away from normal.

    A balance tells more than a pressure. After two weeks a surge is over, and other leaks come and go.
    """
    if moved is None:
        return None
    known = [e for e in row.evidence if e.channel in moved.names]
    if not known:
        return None
    balances = [e for e in known if e.channel.startswith(BALANCE) and abs(e.sigmas) >= _STRONG]
    top = max(balances or known, key=lambda e: abs(e.sigmas))
    column = moved.values[:, moved.names.index(top.channel)]
    since = max(row.start_high, row.detected)
    times = zip(moved.times, column, strict=True)
    values = [v for t, v in times if since <= t < min(end, since + _AFTER) and math.isfinite(v)]
    if not values:
        return None
    away = sum(1 for v in values if v * math.copysign(1.0, top.sigmas) > 1.0)
    return top.channel, len(values), away / len(values)


def _operation(row: LeakRow, moved: Moved | None, until: datetime) -> Verdict:
    balances = [e for e in row.evidence if e.channel.startswith(BALANCE)]
    strong = max((e.sigmas for e in balances), default=0.0)
    name = max(balances, key=lambda e: e.sigmas).channel if balances else ""
    if moved is not None and strong < _STRONG:
        end = min(row.ended or until, until)
        frames = [k for k, t in enumerate(moved.times) if row.start_high <= t < end][:_LASTING_DAYS]
        columns = [k for k, n in enumerate(moved.names) if n.startswith(BALANCE) and row.dma and row.dma in n]
        for k in columns:
            seen = moved.values[frames, k]
            seen = seen[np.isfinite(seen)]
            if len(seen):
                shift = float(seen.mean() * math.sqrt(len(seen)))
                if shift > strong:
                    strong, name = shift, moved.names[k]
    if strong >= _STRONG:
        return Verdict("operation", "ruled out", "balance rose", (("channel", name), ("sigmas", strong)))
    if not row.evidence:
        return Verdict("operation", "unknown", "no evidence")
    return Verdict("operation", "open", "pressures alone")
