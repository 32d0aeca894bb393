"""What was found wrong with instruments, and valves that are not as the model has them, as health.json tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_GAP = "gap"  # the strips of received values show these


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One fault; `models.health.Fault` says what each field means.

    Attributes
    ----------
    element, quantity
        Instrument and what it measures; "pipe" for a valve and for a surge of demand.
    kind
        Its key.
    since, until
        In the events' clock; `until` is None while it lasts.
    size, unit
        How much.
    """

    element: str
    quantity: str
    kind: str
    since: datetime
    until: datetime | None
    size: float
    unit: str


def faults_of(health: Sequence[Mapping[str, Any]]) -> tuple[FaultRow, ...]:
    """All faults but gaps; those that last first, then the latest first."""
    found = [
        FaultRow(
            str(entry["instrument"]), str(entry["quantity"]), str(fault["kind"]), _time(fault["since"]),
            None if fault.get("until") is None else _time(fault["until"]), float(fault["size"]), str(fault["unit"]),
        )
        for entry in health
        for fault in entry.get("faults") or ()
        if fault["kind"] != _GAP
    ]  # fmt: skip
    found.sort(key=lambda row: (row.element, row.kind))
    found.sort(key=lambda row: row.since, reverse=True)
    return tuple(sorted(found, key=lambda row: row.until is not None))


def _time(text: str) -> datetime:
    """The clock's own hands."""
    return datetime.fromisoformat(text).replace(tzinfo=None)
