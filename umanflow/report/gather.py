"""From what a detection left behind to what a report says."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from hydro.engine import Engine
from umanflow.report.alternatives import moved_by, residual_series, verdicts_of
from umanflow.report.case import Case, Place, RepairCheck, Search, Series
from umanflow.report.closing import closure_of, plan_of
from umanflow.report.content import (
    Content,
    SensorHealth,
    TrueLeak,
    lost_interval_m3,
    lost_m3,
    summarise,
)
from umanflow.report.faults import faults_of
from umanflow.report.measured import median_between, night_series, night_table
from umanflow.report.row import CandidateRow, LeakRow
from umanflow.report.site import Site
from umanflow.report.unwatched import unwatched_of
from umanflow.report.zones import ZoneTable

SHARES = (0.50, 0.80, 0.95)
_WEEK = timedelta(days=7)
_BEFORE = timedelta(days=30)
_AFTER = timedelta(days=14)
_ROUNDED = 1e-4  # candidates are rounded


@dataclass(frozen=True, slots=True)
class Findings:
    """What a detection left behind.

    Attributes
    ----------
    rows
        Of leaks.json.
    run
        Content of run.json.
    health
        Content of health.json.
    residuals, days
        Of residuals.parquet and days.parquet; None where they were not kept.
    zones
        Of zones.json; None where there is none.
    """

    rows: tuple[LeakRow, ...]
    run: Mapping[str, Any]
    health: Sequence[Mapping[str, Any]]
    residuals: pd.DataFrame | None = None
    days: pd.DataFrame | None = None
    zones: ZoneTable | None = None


def gather(
    findings: Findings,
    site: Site,
    cost_per_m3: float | None = None,
    truth: tuple[TrueLeak, ...] | None = None,
    false_alarms: int | None = None,
) -> Content:
    """Work out everything that a report says.

    Raises
    ------
    ReportError
        If the coordinates' reference system does not exist.
    """
    run = findings.run
    start, end = naive(str(run["from"])), naive(str(run["to"]))
    health = _health(findings)
    nights = night_table(findings.days)
    opened = [row for row in findings.rows if row.status == "open"]
    if opened and site.segments is not None:
        with Engine(site.network) as engine:
            cases = [case_of(row, findings, site, nights, engine) for row in findings.rows]
    else:
        cases = [case_of(row, findings, site, nights, None) for row in findings.rows]
    return Content(
        network=site.network.name,
        period_start=start,
        period_end=end,
        cases=tuple(cases),
        summary=summarise(findings.rows, end, cost_per_m3),
        is_synthetic=site.network.is_synthetic,
        clock=str(run.get("clock") or ""),
        crs=site.network.crs,
        versions=_versions(run, findings.rows),
        health=health,
        faults=faults_of(findings.health),
        unwatched=unwatched_of(run, site, health, findings.residuals, start, end),
        missing=_missing(findings, site, cost_per_m3),
        zones=findings.zones,
        limits=tuple(str(limit) for limit in run.get("limits") or ()),
        truth=truth,
        false_alarms=false_alarms,
    )


def naive(text: str) -> datetime:
    """Read a time of run.json: the clock's own hands."""
    return datetime.fromisoformat(text).replace(tzinfo=None)


def case_of(row: LeakRow, findings: Findings, site: Site, nights: pd.DataFrame | None, engine: Engine | None) -> Case:
    """Work out one event.

    Parameters
    ----------
    nights
        Of `night_table`.
    engine
        Of the network, for step tests; None where none is wanted.
    """
    end = naive(str(findings.run["to"]))
    candidates = row.candidates_best or row.candidates
    lengths = {c.pipe: _length(site, c.pipe) for c in candidates}
    search = search_of(candidates, lengths)
    width = next(s.metres for s in search if s.share == 0.80)
    clock = str(findings.run.get("clock") or "") or None
    dma = site.district(row.dma, row.pipe_best)
    inlets = () if dma is None else site.signed_inlets(dma)
    has_tank = dma is not None and not site.topology.is_junction[dma.nodes].all()
    # a tank fills at night: what flows in then is not what is used
    night = None if dma is None or has_tank else night_series(nights, inlets, dma.name)
    moved = moved_by(row, findings.residuals, clock)
    low, high = lost_interval_m3(row, end)
    return Case(
        row=row,
        place=_place(row, site),
        search=search,
        lost_m3=lost_m3(row, end),
        lost_low_m3=low,
        lost_high_m3=high,
        closure=closure_of(row, site),
        plan=plan_of(row, site, width, engine),
        verdicts=verdicts_of(row, moved, night, end, findings.rows),
        check=_check(row, night, inlets, has_tank),
        residuals=residual_series(row, moved, end),
        night=_around(row, night, end),
        lengths=lengths,
    )


def search_of(candidates: Sequence[CandidateRow], lengths: Mapping[str, float]) -> tuple[Search, ...]:
    """Metres of pipe, the likeliest first, that hold given shares of the probability."""
    found: dict[float, Search] = {}
    total, metres = 0.0, 0.0
    for count, candidate in enumerate(sorted(candidates, key=lambda c: -c.probability), start=1):
        total += candidate.probability
        metres += lengths.get(candidate.pipe, 0.0)
        for share in SHARES:
            if share not in found and total >= share - _ROUNDED:
                found[share] = Search(share, metres, count)
    return tuple(found.get(share, Search(share, None, None)) for share in SHARES)


def _length(site: Site, pipe: str) -> float:
    link = site.topology.link_index.get(pipe)
    return math.nan if link is None else float(site.topology.length[link])


def _place(row: LeakRow, site: Site) -> Place:
    on_earth = site.on_earth(row.x, row.y)
    return Place(
        pipe=row.pipe_best,
        street=row.street or site.streets.get(row.pipe_best, ""),
        x=row.x,
        y=row.y,
        longitude=None if on_earth is None else on_earth[0],
        latitude=None if on_earth is None else on_earth[1],
    )


def _check(row: LeakRow, night: Series | None, inlets: tuple[tuple[str, int], ...], has_tank: bool) -> RepairCheck:
    scale = row.flow_best_m3h / row.flow_m3h if row.flow_m3h > 0.0 else 1.0
    ended = row.ended
    return RepairCheck(
        inlets=inlets,
        has_tank=has_tank,
        fall_m3h=row.flow_best_m3h,
        fall_low_m3h=min(row.flow_low_m3h * scale, row.flow_best_m3h),
        fall_high_m3h=max(row.flow_high_m3h * scale, row.flow_best_m3h),
        before_m3h=None if ended is None else median_between(night, ended - _WEEK, ended),
        after_m3h=None if ended is None else median_between(night, ended, ended + _WEEK),
    )


def _around(row: LeakRow, night: Series | None, until: datetime) -> Series | None:
    if night is None:
        return None
    since, end = row.start - _BEFORE, min(until, (row.ended or until) + _AFTER)
    keep = [k for k, t in enumerate(night.times) if since <= t <= end]
    if sum(math.isfinite(night.values[k]) for k in keep) < 2:
        return None
    return Series(night.label, tuple(night.times[k] for k in keep), tuple(night.values[k] for k in keep))


def _health(findings: Findings) -> tuple[SensorHealth, ...]:
    daily: dict[tuple[str, str], tuple[tuple[datetime, float], ...]] = {}
    if findings.days is not None and len(findings.days):
        for (instrument, quantity), part in findings.days.groupby(["instrument", "quantity"], sort=False):
            daily[str(instrument), str(quantity)] = tuple(
                (pd.Timestamp(day).to_pydatetime(), float(share))
                for day, share in zip(part["day"], part["received"], strict=True)
            )
    return tuple(
        SensorHealth(
            sensor=str(h["instrument"]),
            quantity=str(h["quantity"]),
            received=float(h["available"]),
            status="good" if h["state"] == "ok" else str(h["state"]),
            daily=daily.get((str(h["instrument"]), str(h["quantity"])), ()),
        )
        for h in findings.health
        if h["quantity"] != "pipe"
    )


def _versions(run: Mapping[str, Any], rows: Sequence[LeakRow]) -> tuple[tuple[str, str], ...]:
    results = hashlib.sha256(repr(rows).encode()).hexdigest()
    known = sorted((str(k), str(v)) for k, v in dict(run["versions"]).items())
    return (*known, ("network sha256", str(run["sha256"])[:16]), ("results sha256", results[:16]))


def _missing(findings: Findings, site: Site, cost_per_m3: float | None) -> tuple[str, ...]:
    found = {
        "valves": site.segments is None,
        "nodes": site.connections is None,
        "days": findings.days is None,
        "zones": findings.zones is None,
        "crs": site.network.crs is None,
        "cost": cost_per_m3 is None,
    }
    return tuple(name for name, is_missing in found.items() if is_missing)
