"""A report's content as the texts that its page shows: every number is rounded and every sum made here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from networks import Topology
from umanflow.report.content import Content, SensorHealth, Summary, TrueLeak, lost_m3
from umanflow.report.evidence_plot import draw_evidence
from umanflow.report.network_map import draw_place
from umanflow.report.row import CandidateRow, LeakRow

_TOP = 10
_SHARES = (0.50, 0.80, 0.95)
_NONE = "–"
_FLOW_NOW = {"open": "Flow now", "ended": "Flow while it ran", "withdrawn": "Flow, last estimate"}


@dataclass(frozen=True, slots=True)
class Tile:
    """One number of the summary."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EventView:
    """One event, ready to be shown.

    Attributes
    ----------
    cells
        Row of the table of events: text, then lines of small text below it.
    search
        (share of the probability, metres in how many pipes).
    candidates
        (rank, pipe, length, probability, sum of the probabilities).
    """

    number: int
    status: str
    cells: tuple[tuple[str, ...], ...]
    facts: tuple[tuple[str, str], ...]
    search: tuple[tuple[str, str], ...]
    candidates: tuple[tuple[str, str, str, str, str], ...]
    candidates_note: str
    evidence: tuple[tuple[str, str], ...]
    plot: Markup
    place: Markup


def number(value: float, digits: int = 0) -> str:
    """Write a number with its thousands apart, 12 345.6, with spaces that do not break."""
    text = f"{value:,.{digits}f}".replace(",", "\u00a0")
    return text.removeprefix("-") if float(f"{value:.{digits}f}") == 0.0 else text


def percent(share: float, digits: int = 0) -> str:
    """Write a share in per cent."""
    return f"{number(100.0 * share, digits)}\u00a0%"


def minute(time: datetime | None) -> str:
    """Write a time to the minute."""
    return _NONE if time is None else time.strftime("%Y-%m-%d\u00a0%H:%M")


def tiles_of(summary: Summary) -> tuple[Tile, ...]:
    """Prepare the numbers at the head of the page."""
    price = f"at {number(summary.price_per_m3, 2)} {summary.currency}/m³"
    return (
        Tile("Open leaks", number(summary.n_open), f"{summary.n_ended} ended"),
        Tile("Lost now", f"{number(summary.flow_m3h, 1)} m³/h", f"{number(summary.lost_per_day_m3)} m³ a day"),
        Tile("Lost to date", f"{number(summary.lost_m3)} m³", "by open and ended leaks"),
        Tile("Cost to date", f"{number(summary.lost_money)} {summary.currency}", price),
        Tile("Each day of delay", f"{number(summary.money_per_day)} {summary.currency}", price),
        Tile("Withdrawn", number(summary.n_withdrawn), "called false by later data"),
    )


def event_view(row: LeakRow, content: Content, topology: Topology, sensors: Sequence[str]) -> EventView:
    """Prepare one event."""
    lost = lost_m3(row, content.period_end)
    candidates = row.candidates_best or row.candidates
    return EventView(
        number=row.event,
        status=row.status,
        cells=_cells(row, lost),
        facts=_facts(row, lost, content.summary),
        search=_search(candidates, topology),
        candidates=_candidates(candidates, topology),
        candidates_note=f"The first {_TOP} of {len(candidates)} candidate pipes." if len(candidates) > _TOP else "",
        evidence=tuple((e.channel, f"{e.sigmas:+.1f}") for e in row.evidence),
        plot=draw_evidence(row.evidence, f"e{row.event}"),
        place=draw_place(row, topology, sensors, content.crs, f"m{row.event}"),
    )


def _cells(row: LeakRow, lost: float) -> tuple[tuple[str, ...], ...]:
    moved = f"alarm: {row.pipe}" if row.pipe != row.pipe_best else ""
    interval = f"{number(row.flow_low_m3h, 1)} to {number(row.flow_high_m3h, 1)}"
    return (
        (minute(row.detected), row.kind),
        (row.pipe_best, moved),
        (number(row.flow_best_m3h, 1), f"alarm: {number(row.flow_m3h, 1)}", interval),
        (percent(row.probability_best), f"alarm: {percent(row.probability)}"),
        (number(row.search_length_m), ""),
        (minute(row.start), f"from {minute(row.start_low)}", f"to {minute(row.start_high)}"),
        (row.status, minute(row.ended) if row.ended is not None else ""),
        (row.dma or _NONE, row.street),
        (number(lost), ""),
    )


def _facts(row: LeakRow, lost: float, summary: Summary) -> tuple[tuple[str, str], ...]:
    flow_at_alarm = (
        f"{number(row.flow_m3h, 1)} m³/h, 95 % within {number(row.flow_low_m3h, 1)} to {number(row.flow_high_m3h, 1)}"
    )
    facts = [
        ("Best pipe now", f"{row.pipe_best}, within 300 m: {percent(row.probability_best)}"),
        ("Pipe at the alarm", f"{row.pipe}, within 300 m: {percent(row.probability)}"),
        (_FLOW_NOW[row.status], f"{number(row.flow_best_m3h, 1)} m³/h"),
        ("Flow at the alarm", flow_at_alarm),
        ("Began", minute(row.start)),
        ("Began between", f"{minute(row.start_low)} and {minute(row.start_high)}"),
        ("Ended", minute(row.ended)),
        ("Lost to date", f"{number(lost)} m³, {number(lost * summary.price_per_m3)} {summary.currency}"),
    ]
    if row.x is not None and row.y is not None:
        facts.append(("Centre of the pipe", f"x {row.x:.2f}, y {row.y:.2f} (model coordinates)"))
    if row.status != "ended":
        facts = [fact for fact in facts if fact[0] != "Ended"]
    return tuple(facts)


def _length(pipe: str, topology: Topology) -> float:
    link = topology.link_index.get(pipe)
    return 0.0 if link is None else float(topology.length[link])


def _search(candidates: Sequence[CandidateRow], topology: Topology) -> tuple[tuple[str, str], ...]:
    """How many pipes, and metres of them, hold given shares of the probability; shares not reached are left out."""
    found, total, metres = [], 0.0, 0.0
    for count, candidate in enumerate(candidates, start=1):
        before, total = total, total + candidate.probability
        metres += _length(candidate.pipe, topology)
        found += [
            (percent(share), f"{number(metres)} m in {number(count)} {'pipe' if count == 1 else 'pipes'}")
            for share in _SHARES
            if before < share - 1e-4 <= total  # candidates are rounded
        ]
    return tuple(found)


def _candidates(candidates: Sequence[CandidateRow], topology: Topology) -> tuple[tuple[str, str, str, str, str], ...]:
    rows, total = [], 0.0
    for rank, candidate in enumerate(candidates[:_TOP], start=1):
        total += candidate.probability
        length = number(_length(candidate.pipe, topology)) if candidate.pipe in topology.link_index else _NONE
        rows.append((str(rank), candidate.pipe, length, percent(candidate.probability, 1), percent(total, 1)))
    return tuple(rows)


def truth_rows(truth: Iterable[TrueLeak]) -> tuple[tuple[str, ...], ...]:
    """Prepare the demo's table: what was put in, and what became of it."""
    return tuple(
        (
            leak.pipe,
            minute(leak.start),
            number(leak.flow_m3h, 1),
            "found" if leak.found else "missed",
            minute(leak.detected),
            _NONE if leak.distance_m is None else number(leak.distance_m),
            _NONE if leak.flow_est_m3h is None else number(leak.flow_est_m3h, 1),
        )
        for leak in truth
    )


def truth_sentence(content: Content) -> str:
    """Say how many of the known leaks were found."""
    truth = content.truth or ()
    found = sum(leak.found for leak in truth)
    false = "" if content.false_alarms is None else f"; false alarms: {content.false_alarms}"
    return f"Found {found} of {len(truth)}{false}."


def health_rows(health: Iterable[SensorHealth]) -> tuple[tuple[str, ...], ...]:
    """Prepare the table of instruments."""
    return tuple((h.sensor, h.quantity, percent(h.received, 1), h.status, h.note) for h in health)
