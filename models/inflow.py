"""Volumes from meters that miss readings: what passed in a period, how much of it was seen, and limits for the rest.

A totaliser counts on while nobody reads it, so that only what lies before its first and after its last reading is
missing. A flow has to be read all the time. What is missing is taken to be what flows at that hour of other days; how
far a day's flow strays from that widens the limits, as if all missing hours of a gap strayed together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.uncertain import Uncertain

Floats = NDArray[np.float64]
HOUR_S = 3600.0
_DAY_H = 24
LEAST_COVERAGE = 0.5
_FEW_DAYS_SD = 0.2  # of the flow, where too few days tell how it strays


@dataclass(frozen=True, slots=True)
class Metered:
    """What a meter says of a period.

    Attributes
    ----------
    volume
        m3; None where less than half of the period was seen.
    coverage
        Share of the period that was seen, 0 to 1.
    is_total
        Whether it comes from a totaliser.
    """

    volume: Uncertain | None
    coverage: float
    is_total: bool


def volume_of_total(
    times: Floats, totals: Floats, start: float, end: float, hourly: Floats, wrap: float | None, sd: float, name: str
) -> Metered:
    """Volume from a totaliser.

    Parameters
    ----------
    times, totals
        float64 [n], s and m3, in order of time; no NaN.
    start, end
        The period, s.
    hourly
        float64 [n_hours], mean flow of each hour of the period from whatever is known, m3/s; NaN where unknown. It
        fills what lies outside the readings.
    wrap
        Volume at which the totaliser starts from zero, m3, or None. A fall that is no wrap is an exchanged meter: what
        passed meanwhile is missing.
    sd
        Of the meter, share.
    name
        Of the meter.
    """
    steps, seen = np.diff(totals), np.diff(times)
    fallen = steps < 0.0
    if wrap is not None:
        wrapped = fallen & (steps < -0.5 * wrap)
        steps = np.where(wrapped, steps + wrap, steps)
        fallen &= ~wrapped
    counted = float(steps[~fallen].sum())
    covered = float(seen[~fallen].sum())
    holes = [(float(times[k]), float(times[k + 1])) for k in np.flatnonzero(fallen)]
    if len(times):
        holes += [(start, float(times[0])), (float(times[-1]), end)]
    else:
        holes = [(start, end)]
    if len(times) > 1 and not np.isfinite(hourly).any():
        hourly = np.full(len(hourly), counted / covered if covered > 0.0 else math.nan)
    return _filled(counted, covered, holes, start, end, hourly, sd, name, is_total=True)


def volume_of_flow(hourly: Floats, start: float, end: float, sd: float, name: str) -> Metered:
    """Volume from readings of flow.

    Parameters
    ----------
    hourly
        float64 [n_hours], mean of the readings in each hour of the period, m3/s; NaN where there were none. The last
        hour may be cut off by the period's end.
    """
    edges = np.minimum(start + HOUR_S * np.arange(len(hourly) + 1), end)
    lengths = np.diff(edges)
    known = np.isfinite(hourly)
    counted = float((hourly[known] * lengths[known]).sum())
    holes = [(float(edges[k]), float(edges[k + 1])) for k in np.flatnonzero(~known)]
    return _filled(counted, float(lengths[known].sum()), holes, start, end, hourly, sd, name, is_total=False)


def _filled(
    counted: float,
    covered: float,
    holes: list[tuple[float, float]],
    start: float,
    end: float,
    hourly: Floats,
    sd: float,
    name: str,
    is_total: bool,
) -> Metered:
    coverage = covered / (end - start)
    holes = [(a, b) for a, b in holes if b > a]
    if coverage < LEAST_COVERAGE or not np.isfinite(hourly).any():
        return Metered(None, coverage, is_total)
    usual, stray = usual_day(hourly)
    extra, error = 0.0, 0.0
    for first, last in _joined(holes):
        extra += _usual_volume(first - start, last - start, usual)
        error = math.hypot(error, stray * (last - first))
    volume = counted + extra
    return Metered(Uncertain(volume, {name: sd * volume, f"gaps of {name}": error}), coverage, is_total)


def usual_day(hourly: Floats) -> tuple[Floats, float]:
    """Mean flow by hour of the day counted from the period's begin, and how far days stray from it.

    Returns
    -------
    tuple
        float64 [24], m3/s; standard deviation of a day's mean, m3/s.
    """
    whole = np.full(-(-len(hourly) // _DAY_H) * _DAY_H, np.nan)
    whole[: len(hourly)] = hourly
    days = whole.reshape(-1, _DAY_H)
    mean = float(np.nanmean(days))
    known = np.isfinite(days)
    counts = known.sum(axis=0)
    usual = np.where(counts > 0, np.where(known, days, 0.0).sum(axis=0) / np.maximum(counts, 1), mean)
    residual = np.where(known, days - usual, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    full = residual[known.sum(axis=1) >= _DAY_H // 2]
    return usual, float(full.std(ddof=1)) if len(full) > 2 else _FEW_DAYS_SD * abs(mean)


def _usual_volume(first: float, last: float, usual: Floats) -> float:
    volume, now = 0.0, first
    while now < last:
        edge = min(last, (math.floor(now / HOUR_S + 1e-9) + 1) * HOUR_S)
        volume += float(usual[int(now // HOUR_S + 1e-9) % _DAY_H]) * (edge - now)
        now = edge
    return volume


def _joined(holes: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Holes that touch are one: their errors go together."""
    found: list[tuple[float, float]] = []
    for first, last in sorted(holes):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found
