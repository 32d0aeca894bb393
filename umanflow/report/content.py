"""What a leak report says, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from umanflow.report.row import LeakRow

PRICE_PER_M3 = 34.16  # UAH
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
        What another day of delay costs.
    price_per_m3, currency
        Of lost water.
    """

    n_open: int
    n_ended: int
    n_withdrawn: int
    flow_m3h: float
    lost_m3: float
    lost_money: float
    lost_per_day_m3: float
    money_per_day: float
    price_per_m3: float
    currency: str


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
    note
        More about it.
    """

    sensor: str
    quantity: str
    received: float
    status: str
    note: str = ""


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
    title, network
        Heading, and the network's name.
    period_start, period_end, created
        In the clock of the events' times; losses are counted to `period_end`.
    events
        In the order of their numbers.
    summary
        Of these events (`summarise`).
    note
        A banner, such as "SYNTHETIC data"; empty for none.
    clock
        Name of the clock, such as "Europe/Kyiv"; empty where unknown.
    crs
        Of the INP's coordinates; None where unknown.
    versions
        (what, version) of program, model and data.
    health
        Instruments.
    truth
        The leaks that were put in, where they are known.
    false_alarms
        Events that match none of these; None where unknown.
    """

    title: str
    network: str
    period_start: datetime
    period_end: datetime
    created: datetime
    events: tuple[LeakRow, ...]
    summary: Summary
    note: str = ""
    clock: str = ""
    crs: str | None = None
    versions: tuple[tuple[str, str], ...] = ()
    health: tuple[SensorHealth, ...] = ()
    truth: tuple[TrueLeak, ...] | None = None
    false_alarms: int | None = None


def lost_m3(row: LeakRow, until: datetime) -> float:
    """Water lost by one leak, m3: its latest flow from its start to its end, or to `until` while it runs.

    A growing leak ran slower at first, so that this overstates it; a withdrawn event has lost nothing.
    """
    if row.status == "withdrawn":
        return 0.0
    end = until if row.ended is None else min(row.ended, until)
    return row.flow_best_m3h * max(0.0, (end - row.start).total_seconds()) / _HOUR_S


def summarise(
    events: Sequence[LeakRow], until: datetime, price_per_m3: float = PRICE_PER_M3, currency: str = "UAH"
) -> Summary:
    """Count and add up events.

    Parameters
    ----------
    until
        To when losses are counted, in the events' clock.
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
        lost_money=lost * price_per_m3,
        lost_per_day_m3=24.0 * flow,
        money_per_day=24.0 * flow * price_per_m3,
        price_per_m3=price_per_m3,
        currency=currency,
    )
