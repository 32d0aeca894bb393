"""What `umanflow poll --plan` tells: the requests, and what they ask of the wire."""

from __future__ import annotations

from collections.abc import Mapping

from scada.endpoint import Endpoint, parse_url
from scada.plan import Request, plan
from scada.traffic import Traffic, traffic_of
from umanflow.config import Config
from umanflow.tagging import tags_of

__all__ = ["plan_rows", "planned", "traffic_rows"]

Plan = Mapping[str, tuple[Endpoint, list[Request]]]


def planned(config: Config) -> Plan:
    """The requests that polling will make, by device."""
    table = tags_of(config)
    return {
        device.name: (
            parse_url(device.url),
            plan(table.by_device[device.name], device.max_registers, device.max_bits, device.max_gap),
        )
        for device in config.devices
        if device.name in table.by_device
    }


def plan_rows(found: Plan) -> list[dict[str, object]]:
    """One row for each request."""
    return [
        {
            "device": device,
            "table": request.table,
            "start": request.start,
            "count": request.count,
            "interval_s": request.tags[0].interval_s,
            "tags": len(request.tags),
            **_rates(traffic_of([request], endpoint)),
        }
        for device, (endpoint, requests) in found.items()
        for request in requests
    ]


def traffic_rows(found: Plan) -> list[dict[str, object]]:
    """One row for each device, and their sum."""
    rows: list[dict[str, object]] = []
    total, tags = Traffic(), 0
    for device, (endpoint, requests) in found.items():
        traffic, count = traffic_of(requests, endpoint), sum(len(request.tags) for request in requests)
        total += traffic
        tags += count
        rows.append({"device": device, "transport": endpoint.scheme, "tags": count, **_rates(traffic)})
        if endpoint.line is not None:
            rows[-1]["line_share"] = round(traffic.line_share, 3)
    rows.append({"device": "total", "transport": "", "tags": tags, **_rates(total)})
    if any("line_share" in row for row in rows):
        rows = [{**row, "line_share": row.get("line_share")} for row in rows]
    return rows


def _rates(traffic: Traffic) -> dict[str, object]:
    return {
        "requests_per_s": round(traffic.requests, 4),
        "registers_per_s": round(traffic.registers, 3),
        "bytes_out_per_s": round(traffic.bytes_out, 2),
        "bytes_in_per_s": round(traffic.bytes_in, 2),
    }
