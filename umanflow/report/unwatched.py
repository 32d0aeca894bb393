"""What was not watched in a period, and why: an empty list of leaks means nothing without it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from umanflow.report.case import Unwatched
from umanflow.report.content import SensorHealth
from umanflow.report.site import Site

_DAYS = re.compile(r"(\d+) days")
_GOOD = 0.92  # of the expected values
_DAY = timedelta(days=1)
_MOST_NAMES = 12


def unwatched_of(
    run: Mapping[str, Any],
    site: Site,
    health: Sequence[SensorHealth],
    residuals: pd.DataFrame | None,
    start: datetime,
    end: datetime,
) -> tuple[Unwatched, ...]:
    """Collect what a detection could not see.

    Parameters
    ----------
    run
        Content of run.json.
    start, end
        Of the period, in the events' clock.
    """
    found = [
        *_times(run, residuals, start, end),
        *_districts(run),
        *_pipes(site),
        *_instruments(health),
        *_smallest(run),
    ]
    if not any(h.quantity == "pressure" for h in health):
        found.append(Unwatched("no pressure"))
    return tuple(found)


def _times(run: Mapping[str, Any], residuals: pd.DataFrame | None, start: datetime, end: datetime) -> list[Unwatched]:
    """Days that were learnt from, and days without what drives the model."""
    if residuals is None or residuals.empty:
        return []
    index = pd.DatetimeIndex(residuals.index)
    local = index.tz_convert(run.get("clock") or "UTC").tz_localize(None) if index.tz is not None else index
    found = []
    learning = _DAYS.match(str(dict(run.get("settings") or {}).get("learning", "")))
    first = local[0].to_pydatetime()
    if learning and first >= start - _DAY:  # without a history the first days of the period are learnt from
        found.append(Unwatched("learning", (("n", int(learning[1])), ("until", first + int(learning[1]) * _DAY))))
    steps = np.diff(local.to_numpy()).astype("timedelta64[s]").astype(np.int64)
    frame = float(np.median(steps)) if len(steps) else _DAY.total_seconds()
    expected = max(1, round((end - start).total_seconds() / frame))
    present = int(((local >= pd.Timestamp(start)) & (local <= pd.Timestamp(end))).sum())
    if present < expected:
        found.append(Unwatched("no drive", (("n", expected - present), ("of", expected), ("hours", frame / 3600.0))))
    return found


def _districts(run: Mapping[str, Any]) -> list[Unwatched]:
    names = [str(d.get("name")) for d in run.get("districts") or () if not d.get("is_closed", True)]
    return [Unwatched("open district", (("names", _list(names)), ("n", len(names))))] if names else []


def _pipes(site: Site) -> list[Unwatched]:
    """Pipes in no district: their balance is not known, a leak there shows in pressures alone."""
    topology = site.topology
    inside = np.zeros(len(topology.nodes), dtype=bool)
    for dma in site.districts.values():
        inside[dma.nodes] = True
    outside = topology.is_pipe & ~(inside[topology.start] & inside[topology.end])
    if not outside.any():
        return []
    length = float(topology.length[outside].sum())
    share = length / max(float(topology.length.sum()), 1e-9)
    values: tuple[tuple[str, float | int], ...] = (("n", int(outside.sum())), ("km", length / 1000.0), ("share", share))
    return [Unwatched("no district", values)]


def _instruments(health: Sequence[SensorHealth]) -> list[Unwatched]:
    found = []
    for status in ("silent", "flat"):
        names = [h.sensor for h in health if h.status == status]
        if names:
            found.append(Unwatched(status, (("names", _list(names)), ("n", len(names)))))
    poor = [h.sensor for h in health if h.status == "good" and h.received < _GOOD]
    if poor:
        found.append(Unwatched("gaps", (("names", _list(poor)), ("n", len(poor)), ("share", _GOOD))))
    return found


def _smallest(run: Mapping[str, Any]) -> list[Unwatched]:
    settings = dict(run.get("settings") or {})
    try:
        share, flow = float(settings["least_share"]), float(settings["least_flow"])
    except (KeyError, TypeError, ValueError):
        return []
    inflows = [float(d["inflow_m3h"]) for d in run.get("districts") or () if d.get("inflow_m3h") is not None]
    least = [max(3600.0 * flow, share * inflow) for inflow in inflows]
    if not least:
        return []
    return [Unwatched("too small", (("low", min(least)), ("high", max(least)), ("share", share)))]


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown}, … (+{len(names) - _MOST_NAMES})"
