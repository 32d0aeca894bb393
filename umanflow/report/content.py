"""What a leak report says, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from umanflow.report.case import Case, Unwatched
from umanflow.report.faults import FaultRow
from umanflow.report.row import LeakRow
from umanflow.report.wording import Wording, mark
from umanflow.report.zones import ZoneTable

QUANTITIES = {
    "pressure": mark("pressure"),
    "flow": mark("flow"),
    "level": mark("level"),
    "demand": mark("consumption"),
}
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers at the head of a report.

    Attributes
    ----------
    n_open, n_ended, n_withdrawn
        Events by status; a withdrawn one was a false alarm.
    flow_m3h
        What the open leaks lose together.
    lost_m3, lost_money
        By the leaks that were not withdrawn, since each began.
    lost_per_day_m3, money_per_day
        What another day of waiting costs.
    cost_per_m3
        Of lost water; None where nobody has stated it: then no money is known either.
    """

    n_open: int
    n_ended: int
    n_withdrawn: int
    flow_m3h: float
    lost_m3: float
    lost_money: float | None
    lost_per_day_m3: float
    money_per_day: float | None
    cost_per_m3: float | None


@dataclass(frozen=True, slots=True)
class SensorHealth:
    """How an instrument served in the period.

    Attributes
    ----------
    sensor, quantity
        Element and what is measured there.
    received
        Share of the expected values that arrived and were good, 0 to 1.
    status
        "good", or a short word for what is wrong with it.
    daily
        (day, share that arrived), where it was kept.
    """

    sensor: str
    quantity: str
    received: float
    status: str
    daily: tuple[tuple[datetime, float], ...] = ()

    def quantity_text(self, wording: Wording) -> str:
        """What is measured, in words."""
        return wording.words(QUANTITIES, self.quantity)


@dataclass(frozen=True, slots=True)
class TrueLeak:
    """A leak that a simulation put in, and what became of it: a row of the demo's table, as in demo.json."""

    pipe: str
    start: datetime
    flow_m3h: float
    found: bool
    detected: datetime | None = None
    distance_m: float | None = None
    flow_est_m3h: float | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """A report.

    Attributes
    ----------
    network
        Its name.
    period_start, period_end
        In the clock of the events' times; losses are counted to `period_end`.
    cases
        Events in the order of their numbers.
    summary
        Of these events (`summarise`).
    is_synthetic
        Whether the network is a made-up one, which must be said.
    clock
        Name of the clock, such as "Europe/Kyiv"; empty where unknown.
    crs
        Of the INP's coordinates; None where unknown.
    versions
        (what, version) of program, model and data.
    health
        Instruments.
    faults
        What was found wrong with them, and with valves; gaps are in `health`.
    unwatched
        What was not watched, and why.
    missing
        Parts of the report that could not be made for want of something: "valves", "nodes", "days", "zones", "crs",
        "cost".
    zones
        What zones lose at night; None where the detection did not tell.
    limits
        What the instruments do not allow, sentences of the detection.
    truth
        The leaks that were put in, where they are known.
    false_alarms
        Events that match none of these; None where unknown.
    """

    network: str
    period_start: datetime
    period_end: datetime
    cases: tuple[Case, ...]
    summary: Summary
    is_synthetic: bool = False
    clock: str = ""
    crs: str | None = None
    versions: tuple[tuple[str, str], ...] = ()
    health: tuple[SensorHealth, ...] = ()
    faults: tuple[FaultRow, ...] = ()
    unwatched: tuple[Unwatched, ...] = ()
    missing: tuple[str, ...] = ()
    zones: ZoneTable | None = None
    limits: tuple[str, ...] = ()
    truth: tuple[TrueLeak, ...] | None = None
    false_alarms: int | None = None

    @property
    def events(self) -> tuple[LeakRow, ...]:
        """The events themselves."""
        return tuple(case.row for case in self.cases)

    @property
    def open_cases(self) -> tuple[Case, ...]:
        """Cases that wait for a crew, the one that loses most first."""
        waiting = [case for case in self.cases if case.row.status == "open"]
        return tuple(sorted(waiting, key=lambda case: (-case.row.flow_best_m3h, case.row.event)))


def lost_m3(row: LeakRow, until: datetime) -> float:
    """Water lost by one leak, m3: its latest flow from its start to its end, or to `until` while it runs.

    A growing leak ran slower at first, so that this overstates it; a withdrawn event has lost nothing.
    """
    if row.status == "withdrawn":
        return 0.0
    return row.flow_best_m3h * _hours(row, row.start, until)


def lost_interval_m3(row: LeakRow, until: datetime) -> tuple[float, float]:
    """Limits of the water lost, m3: the flow's interval at the alarm, as shares of it, with those of the start."""
    if row.status == "withdrawn":
        return 0.0, 0.0
    low, high = (row.flow_low_m3h, row.flow_high_m3h) if row.flow_m3h > 0.0 else (1.0, 1.0)
    scale = row.flow_best_m3h / row.flow_m3h if row.flow_m3h > 0.0 else row.flow_best_m3h
    least = min(low * scale, row.flow_best_m3h) * _hours(row, max(row.start_high, row.start), until)
    most = max(high * scale, row.flow_best_m3h) * _hours(row, min(row.start_low, row.start), until)
    return max(least, 0.0), most


def _hours(row: LeakRow, since: datetime, until: datetime) -> float:
    end = until if row.ended is None else min(row.ended, until)
    return max(0.0, (end - since).total_seconds()) / _HOUR_S


def summarise(events: Sequence[LeakRow], until: datetime, cost_per_m3: float | None = None) -> Summary:
    """Count and add up events.

    Parameters
    ----------
    until
        To when losses are counted, in the events' clock.
    cost_per_m3
        Of lost water; None where unknown.
    """
    status = [row.status for row in events]
    flow = sum(row.flow_best_m3h for row in events if row.status == "open")
    lost = sum(lost_m3(row, until) for row in events)
    return Summary(
        n_open=status.count("open"),
        n_ended=status.count("ended"),
        n_withdrawn=status.count("withdrawn"),
        flow_m3h=flow,
        lost_m3=lost,
        lost_money=None if cost_per_m3 is None else lost * cost_per_m3,
        lost_per_day_m3=24.0 * flow,
        money_per_day=None if cost_per_m3 is None else 24.0 * flow * cost_per_m3,
        cost_per_m3=cost_per_m3,
    )
