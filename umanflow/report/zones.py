"""What each zone loses at night, as `zones.json` of a detection tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from umanflow.report.errors import ReportError
from umanflow.report.row import CandidateRow

FILE = "zones.json"
PARTS = ("night_flow", "legitimate_use", "background", "excess", "explained", "unexplained")
ALL = "all"
_DETECT_AGAIN = "run `umanflow detect` again with this --out"


@dataclass(frozen=True, slots=True)
class Span:
    """A flow and its 95 % limits, m3/h."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ZoneRow:
    """A zone's night in one period; `models.zones.Zone` says what each part means.

    Attributes
    ----------
    zone
        Name; "all" is the sum of those that can be told.
    period
        "first" or "last": the days that were learnt from, and the last fortnight of the data.
    start, end
        Of the period, in the events' clock.
    inflow_m3h
        Mean net inflow.
    night_hour
        In which least comes in; None for the sum.
    night_flow, legitimate_use, background, excess, explained, unexplained
        None where they cannot be told; `lack` then says why.
    candidates
        Pipes in which unexplained losses may be, the likeliest first; none where pressures say nothing.
    probability
        That what is unexplained lies within 300 m of the first of them; None where there is none.
    """

    zone: str
    period: str
    start: datetime
    end: datetime
    inflow_m3h: float
    night_hour: int | None
    night_flow: Span | None
    legitimate_use: Span | None
    background: Span | None
    excess: Span | None
    explained: Span | None
    unexplained: Span | None
    candidates: tuple[CandidateRow, ...]
    probability: float | None
    lack: str

    @property
    def is_losing(self) -> bool:
        """Whether something surely leaks that no event explains."""
        return self.unexplained is not None and self.unexplained.low > 0.0


@dataclass(frozen=True, slots=True)
class EndedUnknown:
    """A leak that was older than the record and was known only by its end; times in the events' clock."""

    pipe: str
    flow_m3h: float
    probability: float
    ended: datetime
    recognised: datetime


@dataclass(frozen=True, slots=True)
class ZoneTable:
    """Zones of both periods, and leaks that were known by their end alone."""

    rows: tuple[ZoneRow, ...]
    ended_unknown: tuple[EndedUnknown, ...] = ()

    def of(self, period: str) -> tuple[ZoneRow, ...]:
        """Rows of one period."""
        return tuple(row for row in self.rows if row.period == period)


def read_zones(folder: Path) -> ZoneTable | None:
    """Read zones.json; None where the detection wrote none.

    Raises
    ------
    ReportError
        If the file is not what `umanflow detect` writes.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return ZoneTable(
            tuple(_row(entry) for entry in content["zones"]), tuple(_ended(entry) for entry in content["ended_unknown"])
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ReportError(f"cannot be read: {error.strerror or error}", str(path), _DETECT_AGAIN) from error
    except KeyError as error:
        raise ReportError(f"is broken: has no {error}", str(path), _DETECT_AGAIN) from error
    except (TypeError, ValueError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise ReportError(f"is broken: {error}", str(path), _DETECT_AGAIN) from error


def _row(entry: Mapping[str, Any]) -> ZoneRow:
    hour, told = entry["night_hour"], entry["candidate_probability"]
    candidates = tuple(CandidateRow(str(c["pipe"]), float(c["probability"])) for c in entry["candidates"])
    return ZoneRow(
        zone=str(entry["zone"]),
        period=str(entry["period"]),
        start=_time(entry["from"]),
        end=_time(entry["to"]),
        inflow_m3h=float(entry["inflow_m3h"]),
        night_hour=None if hour is None else int(hour),
        **{part: _span(entry, part) for part in PARTS},
        candidates=candidates,
        probability=float(told) if candidates and told is not None else None,
        lack=str(entry["lack"] or ""),
    )


def _span(entry: Mapping[str, Any], part: str) -> Span | None:
    numbers = [entry[f"{part}{limit}_m3h"] for limit in ("", "_low", "_high")]
    return None if any(number is None for number in numbers) else Span(*(float(number) for number in numbers))


def _ended(entry: Mapping[str, Any]) -> EndedUnknown:
    return EndedUnknown(
        str(entry["pipe"]), float(entry["flow_m3h"]), float(entry["probability"]), _time(entry["ended"]),
        _time(entry["recognised"]),
    )  # fmt: skip


def _time(text: str) -> datetime:
    """The clock's own hands."""
    return datetime.fromisoformat(text).replace(tzinfo=None)
