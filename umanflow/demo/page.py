"""The demo's report page: the same as any report, with the truth beside it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from umanflow.demo.road import Outcome
from umanflow.report import Findings, TrueLeak, read_leaks
from umanflow.report.measured import read_days, read_residuals
from umanflow.report.zones import read_zones
from umanflow.reporting import Request, write_report

_TARIFF = 34.16  # UAH per m3: Uman's water tariff of 2023


def write_page(outcome: Outcome, out: Path) -> Path:
    """Write report.html into the demo's folder; return its path."""
    truth = tuple(
        TrueLeak(
            pipe=row.drawn.leak.pipe,
            start=datetime.fromtimestamp(row.drawn.leak.start_ms / 1000, UTC).replace(tzinfo=None),
            flow_m3h=3600.0 * row.flow,
            found=row.found,
            detected=row.event.detected.to_pydatetime().replace(tzinfo=None) if row.event else None,
            distance_m=row.distance,
            flow_est_m3h=3600.0 * row.event.flow_best if row.event else None,
        )
        for row in outcome.score.rows
    )
    findings = Findings(
        read_leaks(out),
        json.loads((out / "run.json").read_text(encoding="utf-8")),
        json.loads((out / "health.json").read_text(encoding="utf-8")),
        read_residuals(out),
        read_days(out),
        read_zones(out),
    )
    false_alarms = len(outcome.score.false_alarms)
    return write_report(findings, outcome.network, Request(out, cost_per_m3=_TARIFF), truth, false_alarms)[0]
