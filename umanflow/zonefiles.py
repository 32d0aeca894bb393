"""zones.csv and zones.json: what each zone loses at night, explained by found leaks and not."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from models.uncertain import Uncertain
from models.zones import Zone
from models.zonestatement import Statement
from umanflow.report.storing import replace_text

_HOUR_S = 3600.0
_PARTS = ("night_flow", "legitimate_use", "background", "excess", "explained", "unexplained")
COLUMNS = (
    "zone",
    "period",
    "from",
    "to",
    "inflow_m3h",
    "night_hour",
    *(f"{part}{limit}_m3h" for part in _PARTS for limit in ("", "_low", "_high")),
    "candidate",
    "candidate_probability",
    "lack",
)
_PERIODS = {"first": "first days", "last": "last days"}


def _values(zone: Zone) -> dict[str, Uncertain | None]:
    numbers = (zone.night_flow, zone.use, zone.background, zone.excess, zone.explained, zone.unexplained)
    return dict(zip(_PARTS, numbers, strict=True))


def _limits(part: str, value: Uncertain) -> tuple[float, float, float]:
    """Value and limits, m3/h; nothing but an estimate and the rest of a difference lies below zero."""
    low = value.low if part in ("excess", "unexplained") else max(value.low, 0.0)
    return tuple(round(_HOUR_S * v, 3) + 0.0 for v in (value.value, low, value.high))  # type: ignore[return-value]


def _row(zone: Zone, period: str, timezone: str | None) -> dict[str, object]:
    zone_of = timezone or "UTC"
    row: dict[str, object] = {
        "zone": zone.name, "period": period, "from": zone.start.tz_convert(zone_of).strftime("%Y-%m-%d %H:%M:%S"),
        "to": zone.end.tz_convert(zone_of).strftime("%Y-%m-%d %H:%M:%S"),
        "inflow_m3h": round(_HOUR_S * zone.inflow, 3), "night_hour": zone.hour if zone.hour >= 0 else None,
    }  # fmt: skip
    for part, value in _values(zone).items():
        for name, number in zip(("", "_low", "_high"), _limits(part, value) if value else (None,) * 3, strict=True):
            row[f"{part}{name}_m3h"] = number
    row["candidate"] = zone.candidates[0].pipe if zone.candidates else None
    row["candidate_probability"] = round(zone.told, 4) if zone.candidates else None
    row["lack"] = zone.lack
    return row


def rows_of(statement: Statement, timezone: str | None) -> list[dict[str, object]]:
    """Rows of zones.csv."""
    parts: Sequence[tuple[str, tuple[Zone, ...]]] = (("first", statement.first), ("last", statement.last))
    return [_row(zone, name, timezone) for name, zones in parts for zone in zones]


def zone_rows(statement: Statement) -> list[dict[str, object]]:
    """A short table for a person, m3/h, of the last period."""
    shown: list[dict[str, object]] = []
    for zone in statement.last:
        row: dict[str, object] = {"zone": zone.name}
        for part, value in _values(zone).items():
            text = None
            if value is not None:
                middle, low, high = _limits(part, value)
                text = f"{middle:.1f} ({low:.1f} to {high:.1f})"
            row[part.replace("_", " ") + ", m3/h"] = text
        row["lack"] = zone.lack or None
        shown.append(row)
    return shown


def write_zones(statement: Statement, folder: Path, timezone: str | None) -> None:
    """Write zones.csv and zones.json; the second also has every candidate, and ends of leaks that nobody had known."""
    import json

    rows = rows_of(statement, timezone)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    replace_text(folder / "zones.csv", text.getvalue())
    zones = [*statement.first, *statement.last]
    for row, zone in zip(rows, zones, strict=True):
        row["candidates"] = [{"pipe": c.pipe, "probability": round(c.probability, 4)} for c in zone.candidates]
        row["errors_m3h"] = (
            {}
            if zone.excess is None
            else {
                name: round(_HOUR_S * abs(sd), 3) for name, sd in zone.excess.parts.items() if abs(sd) * _HOUR_S >= 5e-4
            }
        )
    ends = [
        {
            "pipe": end.pipe, "flow_m3h": round(_HOUR_S * end.flow, 3), "probability": round(end.probability, 4),
            "ended": _time(end.ended, timezone), "recognised": _time(end.recognised, timezone),
        }
        for end in statement.ends
    ]  # fmt: skip
    content = {"zones": rows, "ended_unknown": ends}
    replace_text(folder / "zones.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _time(time: pd.Timestamp, timezone: str | None) -> str:
    return time.tz_convert(timezone or "UTC").strftime("%Y-%m-%d %H:%M:%S")
