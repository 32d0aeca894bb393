"""What zones lose at night, as blocks."""

from __future__ import annotations

from collections.abc import Sequence

from umanflow.report.blocks import Block, Bullets, Cell, Column, Heading, Table, Text
from umanflow.report.content import Content
from umanflow.report.wording import NONE, Wording, mark
from umanflow.report.zones import ALL, PARTS, EndedUnknown, Span, ZoneRow

_TOLD = 0.5  # probability within 300 m below which a pipe is no place to send a crew to
_NOTE = mark(
    "In the hour of the night in which least flows in, with 95 % limits. Excess: night flow less legitimate use "
    "and background leakage. Explained: by leaks of this report that ran then. Unexplained: leaks that nobody has "
    "found, or use that the model does not know. Where pressures do not tell the place, only the zone is known: a "
    "step test or listening has to find it."
)
HEADS = {
    "night_flow": mark("Night flow"),
    "legitimate_use": mark("Legitimate use"),
    "background": mark("Background"),
    "excess": mark("Excess"),
    "explained": mark("Explained"),
    "unexplained": mark("Unexplained"),
}
PERIODS = {"last": mark("last days"), "first": mark("first days")}
LACKS = {
    "not every flow across its boundary is measured": mark("not every flow across its boundary is measured"),
    "nobody lives in it": mark("nobody lives in it"),
    "some hours of the day were never measured": mark("some hours of the day were never measured"),
}


def zone_blocks(content: Content, wording: Wording) -> list[Block]:
    """The section on zones; nothing where the detection told nothing of them."""
    table, say = content.zones, wording.say
    if table is None:
        return []
    blocks: list[Block] = [Heading(say("What zones lose at night"), 2, "zones")]
    if not table.rows:
        return [*blocks, Text(say("There is no zone: no meter bounds one."))]
    last, first = table.of("last"), table.of("first")
    blocks += _summary(last, wording)
    for period, rows in (("last", last), ("first", first)):
        if not rows or (period == "first" and last and rows[0].start >= last[0].start):
            continue  # a short record has but one period
        blocks += [Heading(_title(period, rows, wording), 3), _table(rows, wording)]
    blocks.append(Text(say(_NOTE), "soft"))
    if table.ended_unknown:
        blocks.append(Text(say("Leaks older than the record, known only since they ended:"), "lead"))
        blocks.append(Bullets(tuple(_ended(leak, wording) for leak in table.ended_unknown)))
    return blocks


def zone_name(row: ZoneRow, wording: Wording) -> str:
    """A zone's name; that of the sum in the reader's language."""
    return wording.say("all zones") if row.zone == ALL else row.zone


def lack_text(row: ZoneRow, wording: Wording) -> str:
    """Why a zone has no numbers."""
    return wording.words(LACKS, row.lack)


def _title(period: str, rows: Sequence[ZoneRow], wording: Wording) -> str:
    start, end = wording.day(rows[0].start), wording.day(rows[0].end)
    if period == "last":
        return wording.fill("The last days, {start} to {end}", start=start, end=end)
    return wording.fill("The first days, {start} to {end}", start=start, end=end)


def _summary(rows: Sequence[ZoneRow], wording: Wording) -> list[Block]:
    """One sentence on all zones together, or on the only one that can be told."""
    told = [row for row in rows if not row.lack]
    if not told:
        return [Text(wording.say("No zone can be told; the table says why."), "lead")]
    whole = told[-1]
    if whole.excess is None or whole.explained is None or whole.unexplained is None:
        return []
    text = wording.fill(
        "More than legitimate use and background leakage: {excess} ({low} to {high}). Leaks that were found explain "
        "{explained}; {rest} remain unexplained.",
        excess=wording.flow(whole.excess.value),
        low=wording.bare_flow(whole.excess.low, whole.excess.high),
        high=wording.bare_flow(whole.excess.high),
        explained=wording.flow(whole.explained.value),
        rest=wording.flow(whole.unexplained.value),
    )
    return [Text(text, "lead")]


def _table(rows: Sequence[ZoneRow], wording: Wording) -> Table:
    columns = (
        Column(wording.fill("Zone, {unit}", unit=wording.flow_unit), False, 1.5),
        *(Column(wording.say(HEADS[part]), True, 1.3) for part in PARTS),
        Column(wording.say("Where the unexplained may be"), False, 2.0),
    )
    return Table(columns, tuple(_row(row, wording) for row in rows), is_compact=True)


def _row(row: ZoneRow, wording: Wording) -> tuple[Cell, ...]:
    hour = () if row.night_hour is None else (f"{row.night_hour}:00",)
    spans: tuple[Span | None, ...] = tuple(getattr(row, part) for part in PARTS)
    return (
        Cell(zone_name(row, wording), hour),
        *(_span(span, wording) for span in spans),
        _place(row, wording),
    )


def _span(span: Span | None, wording: Wording) -> Cell:
    if span is None:
        return Cell(NONE)
    like = max(abs(span.low), abs(span.high))
    value, low, high = (wording.bare_flow(v, like).replace("-", "\u2212") for v in (span.value, span.low, span.high))
    limits = wording.fill("{low} to {high}", low=low, high=high)
    return Cell(value, (limits,) if low != high else ())


def _place(row: ZoneRow, wording: Wording) -> Cell:
    """Where what is not explained may be, as far as pressures tell."""
    if row.lack:
        return Cell(lack_text(row, wording))
    if row.zone == ALL:
        return Cell(NONE)
    if not row.is_losing:
        return Cell(wording.say("nothing beyond its limits"))
    if row.probability is None:
        return Cell(wording.say("pressures do not tell"))
    near = wording.fill("{share} within 300 m of {pipe}", share=wording.percent(row.probability),
                        pipe=row.candidates[0].pipe)  # fmt: skip
    if row.probability < _TOLD:
        return Cell(wording.say("pressures do not tell"), (near,))
    return Cell(row.candidates[0].pipe, (near,))


def _ended(leak: EndedUnknown, wording: Wording) -> str:
    return wording.fill(
        "pipe {pipe} ({share} within 300 m), {flow}: ended {ended}, recognised {recognised}",
        pipe=leak.pipe, share=wording.percent(leak.probability), flow=wording.flow(leak.flow_m3h),
        ended=wording.minute(leak.ended), recognised=wording.minute(leak.recognised),
    )  # fmt: skip
