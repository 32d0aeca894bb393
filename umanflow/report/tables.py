"""A report for other programs: report.json and dispatch.csv."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from umanflow.report.content import Content

DISPATCH_COLUMNS = (
    "order",
    "event",
    "pipe",
    "street",
    "latitude",
    "longitude",
    "x",
    "y",
    "search_50_m",
    "search_80_m",
    "search_95_m",
    "flow_m3h",
    "m3_per_day",
    "money_per_day",
    "valves",
    "shut_already",
    "customers",
    "customers_downstream",
)
_TIME = "%Y-%m-%d %H:%M:%S"


def render_json(content: Content, currency: str) -> str:
    """Everything that a report says, in m3/h and the events' clock; null where something is unknown.

    What arrived day by day stands in the detection's days.parquet.
    """
    plain = _plain(content)
    for sensor in plain["health"]:
        del sensor["daily"]
    plain["currency"] = currency
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.strftime(_TIME)
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def render_dispatch(content: Content) -> str:
    """Open leaks, the one that loses most first; cells are empty where something is unknown."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(DISPATCH_COLUMNS)
    cost = content.summary.cost_per_m3
    for order, case in enumerate(content.open_cases, start=1):
        place, closure = case.place, case.closure
        day = 24.0 * case.row.flow_best_m3h
        writer.writerow(
            _cell(value)
            for value in (
                order,
                case.row.event,
                case.row.pipe_best,
                place.street,
                place.latitude,
                place.longitude,
                place.x,
                place.y,
                *(s.metres for s in case.search),
                case.row.flow_best_m3h,
                day,
                None if cost is None else day * cost,
                None if closure is None else " ".join(closure.valves),
                None if closure is None else " ".join(closure.shut),
                None if closure is None else closure.customers,
                None if closure is None else closure.customers_beyond,
            )
        )
    return buffer.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    return float(f"{value:.9g}") if isinstance(value, float) else value
