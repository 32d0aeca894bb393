"""Instruments as blocks: which sent too little, what was found wrong with them, and valves that are not as modelled."""

from __future__ import annotations

from collections.abc import Sequence

from umanflow.report.blocks import Block, Cell, Column, Figure, Heading, Legend, Table, Text
from umanflow.report.charts import draw_health
from umanflow.report.content import Content, SensorHealth
from umanflow.report.faults import FaultRow
from umanflow.report.sentences import HEALTH
from umanflow.report.wording import Wording, mark

_GOOD = 0.92  # of the expected values
_MOST_POOR = 40
_MOST_FAULTS = 40
_STRIPS = 50  # in one picture: more do not fit a sheet
WRONG = {
    "closed valve": mark("a valve near it is shut"),
    "open valve": mark("a valve lets water into another district"),
    "surge": mark("surge of demand, no leak"),
}
UNITS = {
    "m": mark("{n} m"),
    "m/d": mark("{n} m a day"),
    "of what flows": mark("{n} of what flows"),
    "s": mark("{n} s"),
}
_M3S = "m3/s"
_HOUR_S = 3600.0


def health_blocks(content: Content, wording: Wording) -> list[Block]:
    """The section on instruments; nothing where nobody told of any."""
    if not content.health and not content.faults:
        return []
    say = wording.say
    poor = [h for h in content.health if h.status != "good" or h.received < _GOOD]
    shown = [h for h in content.health if h.quantity != "demand" or h in poor[:_MOST_POOR]]
    sentence = wording.count(
        "{n} instrument; {good} of them sent at least 92 % of its values and moved.",
        "{n} instruments; {good} of them sent at least 92 % of their values and moved.",
        len(content.health),
        good=wording.number(len(content.health) - len(poor)),
    )
    blocks: list[Block] = [Heading(say("Sensor health"), 2), Text(sentence)]
    if poor:
        columns = (
            Column(say("Sensor"), False, 2.0),
            Column(say("Quantity"), False, 1.4),
            Column(say("Received"), True, 1.0),
            Column(say("Status"), False, 1.4),
        )
        rows = tuple(
            (
                Cell(h.sensor),
                Cell(h.quantity_text(wording)),
                Cell(wording.percent(h.received, 1)),
                Cell(wording.words(HEALTH, h.status), status="" if h.status == "good" else "missed"),
            )
            for h in sorted(poor, key=lambda h: (h.received, h.sensor))[:_MOST_POOR]
        )
        blocks.append(Table(columns, rows, is_compact=True))
        if len(poor) > _MOST_POOR:
            blocks.append(Text(wording.fill("The worst {n} of {of} are listed.", n=_MOST_POOR, of=len(poor)), "soft"))
    return [*blocks, *_faults(content.faults, wording), *_strips(shown, wording)]


def _faults(faults: Sequence[FaultRow], wording: Wording) -> list[Block]:
    if not faults:
        return []
    say = wording.say
    columns = (
        Column(say("Sensor or pipe"), False, 1.6),
        Column(say("What was wrong"), False, 2.4),
        Column(say("Since"), False, 1.6),
        Column(say("Until"), False, 1.6),
        Column(say("By how much"), True, 1.6),
    )
    rows = tuple(
        (
            Cell(fault.element),
            Cell(fault_text(fault, wording)),
            Cell(wording.minute(fault.since)),
            Cell(say("still") if fault.until is None else wording.minute(fault.until)),
            Cell(size_text(fault, wording)),
        )
        for fault in faults[:_MOST_FAULTS]
    )
    blocks: list[Block] = [Heading(say("What was found wrong, and when"), 3), Table(columns, rows, is_compact=True)]
    if len(faults) > _MOST_FAULTS:
        text = wording.fill("The first {n} of {of}; the workbook has all.", n=_MOST_FAULTS, of=len(faults))
        blocks.append(Text(text, "soft"))
    return blocks


def fault_text(fault: FaultRow, wording: Wording) -> str:
    """What was wrong, in words."""
    return wording.words({**HEALTH, **WRONG}, fault.kind)


def size_text(fault: FaultRow, wording: Wording) -> str:
    """How much, in words; nothing where the number says nothing to a reader."""
    if fault.unit == _M3S:
        return wording.flow(_HOUR_S * fault.size)
    if (fault.unit not in UNITS and fault.kind != "unit") or fault.kind == "stuck":
        return ""
    digits = 0 if abs(fault.size) >= 100.0 else 1 if abs(fault.size) >= 10.0 else 2
    number = wording.number(fault.size, digits)
    if fault.kind == "unit":
        return wording.fill("{n} times, as in {unit}", n=number, unit=fault.unit)
    return wording.fill(UNITS[fault.unit], n=number)


def _strips(health: Sequence[SensorHealth], wording: Wording) -> list[Block]:
    say = wording.say
    kinds = (
        ("h-good", say("92 % and more of the day's values")),
        ("h-some", say("50 to 92 %")),
        ("h-bad", say("less than 50 %")),
    )
    legend = tuple(
        Legend(f'<svg viewBox="0 0 22 12" width="22" height="12"><path class="strip {c}" d="M2 6L20 6"/></svg>', text)
        for c, text in kinds
    )
    found: list[Block] = []
    for start in range(0, len(health), _STRIPS):
        svg = draw_health(health[start : start + _STRIPS], wording)
        if svg:
            name = f"health-{start // _STRIPS + 1}"
            found.append(Figure(name, svg, say("Values that arrived, day by day"), legend))
    return found
