"""What is wrong with an instrument, since when, by how much, and how that is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

GAP, STUCK, SPIKE, UNIT, CLOCK, OFFSET, DRIFT, METER, LEVEL, VALVE, OPEN, SURGE = (
    "gap", "stuck", "spike", "unit", "clock", "offset", "drift", "meter", "level", "closed valve", "open valve",
    "surge",
)  # fmt: skip


@dataclass(slots=True)
class Fault:
    """One thing that is wrong with one instrument, or with a pipe's valve.

    Attributes
    ----------
    element
        Name of the node or link; for a closed valve, of the pipe near which it is.
    quantity
        "pressure", "flow", "level", "demand", or "pipe" for a valve and for where a surge of demand is.
    kind
        "gap", "stuck", "spike", "unit", "clock", "offset", "drift", "meter" (a share more or less than flows),
        "level" (of a tank), "closed valve", "open valve" (water passes between districts unmeasured) or "surge" (of
        demand, which is none of an instrument).
    since, until
        UTC; `until` is None while it lasts.
    told
        UTC time by which the data that tell it had come in.
    size, unit
        How much, in the unit named: what is read beyond what is, a factor for "unit" and "meter".
    evidence
        In words.
    """

    element: str
    quantity: str
    kind: str
    since: pd.Timestamp
    told: pd.Timestamp
    size: float
    unit: str
    evidence: str
    until: pd.Timestamp | None = None

    def plain(self, zone: str = "UTC") -> dict[str, object]:
        """As JSON has it, times in a zone."""
        return {
            "kind": self.kind,
            "since": self.since.tz_convert(zone).isoformat(),
            "until": None if self.until is None else self.until.tz_convert(zone).isoformat(),
            "told": self.told.tz_convert(zone).isoformat(),
            "size": float(f"{self.size:.4g}"),
            "unit": self.unit,
            "evidence": self.evidence,
        }


@dataclass(slots=True)
class Health:
    """Every fault found, and what could not be done for lack of what."""

    faults: list[Fault] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)

    def of(self, element: str, quantity: str) -> list[Fault]:
        """The faults of one instrument, in the order of time."""
        return sorted(
            (f for f in self.faults if f.element == element and f.quantity == quantity), key=lambda f: f.since
        )
