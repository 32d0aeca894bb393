"""What zones lose at night, as sheets of a workbook."""

from __future__ import annotations

from collections.abc import Iterable

from umanflow.report.content import Content
from umanflow.report.view_zones import HEADS, PERIODS, lack_text, zone_name
from umanflow.report.wording import Wording
from umanflow.report.workbook import Sheet, Value
from umanflow.report.zones import PARTS, Span, ZoneRow


def zone_sheets(content: Content, wording: Wording) -> tuple[Sheet, ...]:
    """Zones, the pipes in which unexplained losses may be, leaks known by their end alone; none without a statement."""
    table, say = content.zones, wording.say
    if table is None:
        return ()
    places = (say("Zone"), say("Period"), say("No."), say("Candidate pipe"), say("Probability"))
    ended = (
        say("Pipe"), wording.fill("Flow, {unit}", unit=wording.flow_unit), say("Probability within 300 m"),
        say("Ended"), say("Recognised"),
    )  # fmt: skip
    return (
        Sheet(say("Zones"), _heads(wording), [_row(row, wording) for row in table.rows]),
        Sheet(say("Zones' candidates"), places, _candidates(table.rows, wording)),
        Sheet(say("Known by their end"), ended, [
            (leak.pipe, wording.flow_value(leak.flow_m3h), leak.probability, leak.ended, leak.recognised)
            for leak in table.ended_unknown
        ]),
    )  # fmt: skip


def _heads(wording: Wording) -> tuple[str, ...]:
    say, unit = wording.say, wording.flow_unit
    flows = []
    for part in PARTS:
        what = say(HEADS[part])
        flows += [f"{what}, {unit}"]
        flows += [wording.fill("{what}, low, {unit}", what=what, unit=unit)]
        flows += [wording.fill("{what}, high, {unit}", what=what, unit=unit)]
    return (
        say("Zone"), say("Period"), say("Period from"), say("Period to"),
        wording.fill("Mean inflow, {unit}", unit=unit), say("Hour of the night"), *flows, say("Likeliest pipe"),
        say("Probability within 300 m"), say("Why there are no numbers"),
    )  # fmt: skip


def _row(row: ZoneRow, wording: Wording) -> tuple[Value, ...]:
    flows: list[Value] = []
    for part in PARTS:
        span: Span | None = getattr(row, part)
        flows += [None] * 3 if span is None else [wording.flow_value(v) for v in (span.value, span.low, span.high)]
    first = row.candidates[0].pipe if row.candidates else None
    return (
        zone_name(row, wording), wording.words(PERIODS, row.period), row.start, row.end,
        wording.flow_value(row.inflow_m3h), row.night_hour, *flows, first, row.probability,
        lack_text(row, wording) if row.lack else None,
    )  # fmt: skip


def _candidates(rows: Iterable[ZoneRow], wording: Wording) -> list[tuple[Value, ...]]:
    return [
        (zone_name(row, wording), wording.words(PERIODS, row.period), rank, candidate.pipe, candidate.probability)
        for row in rows
        for rank, candidate in enumerate(row.candidates, start=1)
    ]
