"""A leak as files and pages show it: m3/h, and times in the record's own clock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
from pydantic import ConfigDict, NaiveDatetime

from models.leak import Leak
from models.localise import Candidate
from networks import Topology
from umanflow.report.errors import ReportError

_M3H = 3600.0  # m3/h per m3/s


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A pipe and the probability that the leak is in it."""

    pipe: str
    probability: float

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """An instrument and how far it moved, in standard deviations."""

    channel: str
    sigmas: float

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class LeakRow:
    """One row of leaks.csv and what leaks.json adds to it; `models.Leak` says what each field means.

    Attributes
    ----------
    x, y
        Centre of `pipe_best` in the INP's coordinates; None where it has none.
    street
        Name of the street; empty where unknown.
    """

    event: int
    detected: NaiveDatetime
    pipe: str
    flow_m3h: float
    flow_low_m3h: float
    flow_high_m3h: float
    probability: float
    search_length_m: float
    kind: str
    dma: str
    start: NaiveDatetime
    pipe_best: str
    flow_best_m3h: float
    probability_best: float
    ended: NaiveDatetime | None
    status: Literal["open", "ended", "withdrawn"]
    x: float | None
    y: float | None
    street: str
    start_low: NaiveDatetime
    start_high: NaiveDatetime
    candidates: tuple[CandidateRow, ...]
    candidates_best: tuple[CandidateRow, ...]
    evidence: tuple[EvidenceRow, ...]

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)


def rows_of(
    leaks: Sequence[Leak], topology: Topology, timezone: str | None, pipes: pd.DataFrame | None = None
) -> tuple[LeakRow, ...]:
    """Turn leaks into rows.

    Parameters
    ----------
    leaks
        SI and UTC; a time without a zone counts as UTC.
    timezone
        Of the record's clock; None where the record's times were taken as they stand.
    pipes
        Table with columns pipe, dma and street, where there is one.

    Raises
    ------
    ReportError
        If there is no such time zone.
    networks.UnknownElement
        If `pipe_best` is not in the network.
    """
    zone = _zone(timezone)
    where: dict[str, tuple[str, str]] = {}
    if pipes is not None:
        where = {
            pipe: (dma, street) for pipe, dma, street in zip(pipes["pipe"], pipes["dma"], pipes["street"], strict=True)
        }
    return tuple(_row(leak, topology, zone, where) for leak in leaks)


def _zone(timezone: str | None) -> ZoneInfo | None:
    if timezone is None:
        return None
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        mend = "write a name of the IANA list, such as Europe/Kyiv"
        raise ReportError(f"no time zone '{timezone}'", "timezone", mend) from error


def _row(leak: Leak, topology: Topology, zone: ZoneInfo | None, where: Mapping[str, tuple[str, str]]) -> LeakRow:
    x, y = topology.centre(topology.link(leak.pipe_best))
    has_place = math.isfinite(x) and math.isfinite(y)
    status: Literal["open", "ended", "withdrawn"] = (
        "withdrawn" if leak.status == "withdrawn" else "ended" if leak.status == "ended" else "open"
    )
    return LeakRow(
        event=leak.event,
        detected=_clock(leak.detected, zone),
        pipe=leak.pipe,
        flow_m3h=_flow(leak.flow.flow),
        flow_low_m3h=_flow(leak.flow.low),
        flow_high_m3h=_flow(leak.flow.high),
        probability=round(float(leak.probability), 4),
        search_length_m=round(float(leak.search_length), 1),
        kind=leak.kind,
        dma=where.get(leak.pipe, ("", ""))[0] or leak.dma,
        start=_clock(leak.start, zone),
        pipe_best=leak.pipe_best,
        flow_best_m3h=_flow(leak.flow_best),
        probability_best=round(float(leak.probability_best), 4),
        ended=None if leak.ended is None else _clock(leak.ended, zone),
        status=status,
        x=_coordinate(x) if has_place else None,
        y=_coordinate(y) if has_place else None,
        street=where.get(leak.pipe_best, ("", ""))[1],
        start_low=_clock(leak.start_low, zone),
        start_high=_clock(leak.start_high, zone),
        candidates=_candidates(leak.candidates),
        candidates_best=_candidates(leak.candidates_best),
        evidence=tuple(EvidenceRow(channel, round(float(sigmas), 3)) for channel, sigmas in leak.evidence),
    )


def _flow(flow: float) -> float:
    return round(float(flow) * _M3H, 4)


def _coordinate(value: float) -> float:
    return float(f"{value:.12g}")  # keeps millimetres of projected coordinates and of degrees


def _candidates(candidates: Iterable[Candidate]) -> tuple[CandidateRow, ...]:
    return tuple(CandidateRow(c.pipe, round(float(c.probability), 6)) for c in candidates)


def _clock(time: pd.Timestamp, zone: ZoneInfo | None) -> datetime:
    utc = (time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")).round("s")
    local = utc if zone is None else utc.tz_convert(zone)
    return local.tz_localize(None).to_pydatetime()
