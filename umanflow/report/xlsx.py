"""A leak report as a workbook; one sheet goes back to the detector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from umanflow.report.case import Case
from umanflow.report.content import Content
from umanflow.report.sentences import CAUSE, FINDING, HEALTH, KIND, MISSING, STATUS, unwatched_text, verdict_text
from umanflow.report.view import banner_of, limits_of
from umanflow.report.view_health import fault_text
from umanflow.report.wording import Wording, mark
from umanflow.report.workbook import Sheet, Value, book_of
from umanflow.report.zonesheets import zone_sheets

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

REPAIRS_SHEET = "repairs"  # read by `umanflow detect --repairs`, so in no language
REPAIRS_COLUMNS = ("pipe", "repaired", "found", "measured_flow_m3h")
_BLANK_ROWS = 20
_HOW_TO = mark("Crews fill in the sheet “{sheet}”; umanflow detect --repairs reads it.")


def render_xlsx(content: Content, wording: Wording) -> bytes:
    """Write a report as a workbook; the same content gives the same bytes."""
    say = wording.say
    sheets = (
        Sheet(say("Summary"), ("", ""), _summary(content, wording)),
        Sheet(say("Events"), _event_heads(wording), (_event(case, content, wording) for case in content.cases)),
        Sheet(say("Candidate pipes"), _candidate_heads(wording), _candidates(content)),
        Sheet(say("Dispatch list"), _dispatch_heads(wording), _dispatch(content, wording)),
        Sheet(say("Step test"), _step_heads(wording), _steps(content)),
        Sheet(say("Alternatives"), _alternative_heads(wording), _alternatives(content, wording)),
        *zone_sheets(content, wording),
        Sheet(say("Sensor health"), _health_heads(wording), _health(content, wording)),
        Sheet(say("Faults"), _fault_heads(wording), _faults(content, wording)),
        Sheet(say("Not watched"), (say("What was not watched, and why"),), _unwatched(content, wording)),
        Sheet(say("Versions"), (say("What"), say("Version")), content.versions),
        Sheet(REPAIRS_SHEET, REPAIRS_COLUMNS, _repairs(content), _finish_repairs),
    )
    return book_of(sheets, wording.fill("Leak report: {network}", network=content.network), content.period_end)


def _repairs(content: Content) -> list[Sequence[Value]]:
    return [(case.row.pipe_best, None, None, None) for case in content.open_cases]


def _finish_repairs(sheet: Worksheet) -> None:
    """Let crews choose and type what the detector reads."""
    from openpyxl.worksheet.datavalidation import DataValidation

    sheet.auto_filter.ref = None
    last = sheet.max_row + _BLANK_ROWS
    choice = DataValidation(type="list", formula1='"yes,dry"', allow_blank=True)
    flow = DataValidation(type="decimal", operator="greaterThanOrEqual", formula1="0", allow_blank=True)
    sheet.add_data_validation(choice)
    sheet.add_data_validation(flow)
    choice.add(f"C2:C{last}")
    flow.add(f"D2:D{last}")
    for row in range(2, last + 1):
        sheet.cell(row, 2).number_format = "yyyy-mm-dd hh:mm"
    for letter, width in zip("ABCD", (16, 20, 10, 22), strict=True):
        sheet.column_dimensions[letter].width = width


def _summary(content: Content, wording: Wording) -> list[Sequence[Value]]:
    summary, say = content.summary, wording.say
    unknown = say("unknown")
    money = [unknown if v is None else v for v in (summary.cost_per_m3, summary.lost_money, summary.money_per_day)]
    rows: list[Sequence[Value]] = [
        (wording.fill("Leak report: {network}", network=content.network), None),
        (say("Period from"), content.period_start),
        (say("Period to"), content.period_end),
        (say("Clock"), content.clock or unknown),
        (say("Open leaks"), summary.n_open),
        (say("Ended leaks"), summary.n_ended),
        (say("Withdrawn events"), summary.n_withdrawn),
        (wording.fill("Lost now, {unit}", unit=wording.flow_unit), wording.flow_value(summary.flow_m3h)),
        (say("Lost to date, m³"), summary.lost_m3),
        (say("Lost each day of waiting, m³"), summary.lost_per_day_m3),
        (wording.fill("Cost of a lost m³, {currency}", currency=wording.currency), money[0]),
        (wording.fill("Cost to date, {currency}", currency=wording.currency), money[1]),
        (wording.fill("Each day of waiting, {currency}", currency=wording.currency), money[2]),
        (wording.fill(_HOW_TO, sheet=REPAIRS_SHEET), None),
    ]
    banner = banner_of(content, wording)
    return [(banner, None), *rows] if banner else rows


def _event_heads(wording: Wording) -> tuple[str, ...]:
    unit = wording.flow_unit
    return (
        wording.say("Event"), wording.say("Status"), wording.say("Kind"), wording.say("Detected"), wording.say("Began"),
        wording.say("Began at the earliest"), wording.say("Began at the latest"), wording.say("Ended"),
        wording.say("Likeliest pipe"), wording.say("Street"), wording.say("District"),
        wording.fill("Flow, {unit}", unit=unit), wording.fill("Flow at the alarm, {unit}", unit=unit),
        wording.fill("Flow, low, {unit}", unit=unit), wording.fill("Flow, high, {unit}", unit=unit),
        wording.say("Probability within 300 m"), wording.say("Search 50 %, m"), wording.say("Search 80 %, m"),
        wording.say("Search 95 %, m"), wording.say("Lost, m³"), wording.say("Lost, low, m³"),
        wording.say("Lost, high, m³"),
        wording.fill("Cost to date, {currency}", currency=wording.currency),
    )  # fmt: skip


def _event(case: Case, content: Content, wording: Wording) -> tuple[Value, ...]:
    row, cost = case.row, content.summary.cost_per_m3
    flows = (row.flow_best_m3h, row.flow_m3h, row.flow_low_m3h, row.flow_high_m3h)
    return (
        row.event, wording.words(STATUS, row.status), wording.words(KIND, row.kind), row.detected, row.start,
        row.start_low, row.start_high, row.ended, row.pipe_best, case.place.street or None, row.dma or None,
        *(wording.flow_value(flow) for flow in flows), row.probability_best,
        *(s.metres for s in case.search), case.lost_m3, case.lost_low_m3, case.lost_high_m3,
        wording.say("unknown") if cost is None else case.lost_m3 * cost,
    )  # fmt: skip


def _candidate_heads(wording: Wording) -> tuple[str, ...]:
    say = wording.say
    return (say("Event"), say("No."), say("Candidate pipe"), say("Length, m"), say("Probability"))


def _candidates(content: Content) -> Iterable[tuple[Value, ...]]:
    for case in content.cases:
        for rank, c in enumerate(case.row.candidates_best or case.row.candidates, start=1):
            yield case.row.event, rank, c.pipe, case.lengths.get(c.pipe), c.probability


def _dispatch_heads(wording: Wording) -> tuple[str, ...]:
    return (
        wording.say("Order"), wording.say("Event"), wording.say("Likeliest pipe"), wording.say("Street"),
        wording.say("Latitude"), wording.say("Longitude"), wording.say("x of the model"), wording.say("y of the model"),
        wording.say("Search 80 %, m"), wording.fill("Flow, {unit}", unit=wording.flow_unit),
        wording.say("Valves to shut"), wording.say("Shut already, to be checked"),
        wording.say("Customers without water"), wording.say("Of them cut off downstream"),
        wording.fill("Each day of waiting, {currency}", currency=wording.currency),
    )  # fmt: skip


def _dispatch(content: Content, wording: Wording) -> Iterable[tuple[Value, ...]]:
    unknown, cost = wording.say("unknown"), content.summary.cost_per_m3
    for order, case in enumerate(content.open_cases, start=1):
        place, closure = case.place, case.closure
        dry = (None, None) if closure is None else (closure.customers, closure.customers_beyond)
        yield (
            order, case.row.event, case.row.pipe_best, place.street or unknown, place.latitude, place.longitude,
            place.x, place.y, case.search[1].metres, wording.flow_value(case.row.flow_best_m3h),
            unknown if closure is None else ", ".join(closure.valves),
            unknown if closure is None else ", ".join(closure.shut),
            *(unknown if n is None else n for n in dry),
            unknown if cost is None else 24.0 * case.row.flow_best_m3h * cost,
        )  # fmt: skip


def _step_heads(wording: Wording) -> tuple[str, ...]:
    unit = wording.flow_unit
    return (
        wording.say("Event"), wording.say("Step"), wording.say("Shut now"), wording.say("Pipes cut off, m"),
        wording.say("Probability"), wording.say("Customers without water"),
        wording.fill("Fall if elsewhere, {unit}", unit=unit), wording.fill("Fall if here, {unit}", unit=unit),
    )  # fmt: skip


def _steps(content: Content) -> Iterable[tuple[Value, ...]]:
    for case in content.cases:
        for number, s in enumerate(case.plan.steps, start=1):
            falls = (s.fall_without_m3h, s.fall_with_m3h)
            yield case.row.event, number, ", ".join(s.valves), s.length_m, s.share, s.customers, *falls


def _alternative_heads(wording: Wording) -> tuple[str, ...]:
    return (wording.say("Event"), wording.say("Other cause"), wording.say("Finding"), wording.say("Reason"))


def _alternatives(content: Content, wording: Wording) -> Iterable[tuple[Value, ...]]:
    for case in content.cases:
        for v in case.verdicts:
            yield case.row.event, wording.say(CAUSE[v.cause]), wording.say(FINDING[v.finding]), verdict_text(v, wording)


def _health_heads(wording: Wording) -> tuple[str, ...]:
    return (wording.say("Sensor"), wording.say("Quantity"), wording.say("Received"), wording.say("Status"))


def _health(content: Content, wording: Wording) -> Iterable[tuple[Value, ...]]:
    for h in content.health:
        yield h.sensor, h.quantity_text(wording), h.received, wording.words(HEALTH, h.status)


def _fault_heads(wording: Wording) -> tuple[str, ...]:
    say = wording.say
    return (say("Sensor or pipe"), say("What was wrong"), say("Since"), say("Until"), say("Size"), say("Unit"))


def _faults(content: Content, wording: Wording) -> Iterable[tuple[Value, ...]]:
    for f in content.faults:
        yield f.element, fault_text(f, wording), f.since, f.until, f.size, f.unit


def _unwatched(content: Content, wording: Wording) -> Iterable[tuple[Value, ...]]:
    for unwatched in content.unwatched:
        yield (unwatched_text(unwatched, wording),)
    for text in limits_of(content, wording):
        yield (text,)
    for name in content.missing:
        yield (wording.words(MISSING, name),)
