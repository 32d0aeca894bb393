"""One event as blocks."""

from __future__ import annotations

import math
from datetime import datetime

from umanflow.report.blocks import (
    Block,
    Cell,
    Column,
    Facts,
    Figure,
    Group,
    Heading,
    Keep,
    Legend,
    Pair,
    Table,
    Text,
)
from umanflow.report.case import Case
from umanflow.report.charts import curve_icon, draw_days, draw_evidence
from umanflow.report.maps import MapMaker
from umanflow.report.row import EvidenceRow
from umanflow.report.sentences import CAUSE, FINDING, KIND, STATUS, channel_text, meters_text, plan_text, verdict_text
from umanflow.report.wording import NONE, Wording, mark

_TOP = 10
_FLOW_NOW = {
    "open": mark("Flow now"),
    "ended": mark("Flow while it ran"),
    "withdrawn": mark("Flow, last estimate"),
}


def event_group(case: Case, maps: MapMaker, wording: Wording, cost: float | None, until: datetime) -> Group:
    """Everything about one event."""
    row = case.row
    heading = Heading(
        wording.fill("Event {n}: pipe {pipe}", n=row.event, pipe=row.pipe_best),
        3,
        "",
        row.status,
        wording.words(STATUS, row.status),
    )
    place = maps.place(case)
    right: list[Block] = [place] if place is not None else [Text(wording.say("No place to draw."), "soft")]
    right += [_candidates(case, wording), _search_text(case, wording)]
    left: list[Block] = [_facts(case, wording, cost), *_evidence(case, wording)]
    blocks: list[Block] = [
        heading,
        Pair(tuple(left), tuple(right)),
        *_plots(case, wording),
        *_verdicts(case, wording),
        *_closing(case, wording),
        *_plan(case, wording),
    ]
    return Group(tuple(blocks), f"event-{row.event}")


def _facts(case: Case, wording: Wording, cost: float | None) -> Facts:
    row = case.row
    say, fill = wording.say, wording.fill
    lost = (
        wording.volume(case.lost_m3)
        if case.lost_high_m3 == 0.0
        else fill(
            "{lost} ({low} to {high})",
            lost=wording.volume(case.lost_m3),
            low=wording.volume(case.lost_low_m3),
            high=wording.volume(case.lost_high_m3),
        )
    )
    facts = [
        (
            say("Likeliest pipe"),
            fill("{pipe}, within 300 m: {p}", pipe=row.pipe_best, p=wording.percent(row.probability_best)),
        ),
        (say("Street"), case.place.street or say("unknown")),
        (say("Coordinates"), coordinates(case, wording)),
        (wording.words(_FLOW_NOW, row.status), wording.flow(row.flow_best_m3h)),
        (
            say("Flow at the alarm"),
            fill(
                "{flow}, 95 % within {interval}",
                flow=wording.flow(row.flow_m3h),
                interval=wording.flow_interval(row.flow_low_m3h, row.flow_high_m3h),
            ),
        ),
        (say("Began"), wording.minute(row.start)),
        (
            say("Began between"),
            fill("{low} and {high}", low=wording.minute(row.start_low), high=wording.minute(row.start_high)),
        ),
        (say("Alarm"), f"{wording.minute(row.detected)}, {wording.words(KIND, row.kind)}"),
    ]
    if row.ended is not None:
        facts.append((say("Ended"), wording.minute(row.ended)))
    if row.pipe != row.pipe_best:
        facts.append((say("Pipe at the alarm"), f"{row.pipe}, {wording.percent(row.probability)}"))
    facts.append((say("District"), row.dma or say("unknown")))
    facts.append((say("Lost to date"), lost))
    unknown = say("unknown")
    facts.append((say("Cost to date"), unknown if cost is None else wording.money(case.lost_m3 * cost)))
    if row.status == "open":
        day = 24.0 * row.flow_best_m3h
        price = unknown if cost is None else wording.money(day * cost)
        facts.append((say("Each day of waiting"), f"{wording.volume(day)}, {price}"))
    return Facts(tuple(facts))


def coordinates(case: Case, wording: Wording) -> str:
    """Where the middle of the pipe is."""
    place = case.place
    if place.longitude is not None and place.latitude is not None:
        return f"{place.latitude:.5f}, {place.longitude:.5f}"
    if place.x is not None and place.y is not None:
        return wording.fill("x {x}, y {y} (of the model)", x=f"{place.x:.1f}", y=f"{place.y:.1f}")
    return wording.say("unknown")


def _evidence(case: Case, wording: Wording) -> list[Block]:
    named = [EvidenceRow(channel_text(e.channel, wording), e.sigmas) for e in case.row.evidence]
    svg = draw_evidence(named, wording)
    if not svg:
        return [Text(wording.say("The detection kept no evidence for this event."), "soft")]
    return [Figure(f"evidence-{case.row.event}", svg, wording.say("Evidence at the alarm"))]


def _candidates(case: Case, wording: Wording) -> Block:
    candidates = case.row.candidates_best or case.row.candidates
    if not candidates:
        return Text(wording.say("The detection named no candidate pipes."), "soft")
    rows, total = [], 0.0
    for rank, candidate in enumerate(candidates[:_TOP], start=1):
        total += candidate.probability
        length = case.lengths.get(candidate.pipe, math.nan)
        rows.append(
            (
                Cell(str(rank)),
                Cell(candidate.pipe),
                Cell(wording.number(length) if math.isfinite(length) else NONE),
                Cell(wording.percent(candidate.probability, 1)),
                Cell(wording.percent(total, 1)),
            )
        )
    columns = (
        Column(wording.say("No."), True, 0.6),
        Column(wording.say("Candidate pipe"), False, 2.0),
        Column(wording.say("Length, m"), True, 1.2),
        Column(wording.say("Probability"), True, 1.5),
        Column(wording.say("Sum"), True, 1.0),
    )
    return Table(columns, tuple(rows), is_compact=True)


def search_text(case: Case, wording: Wording) -> tuple[str, ...]:
    """Metres to search for each share of the probability."""
    return tuple(
        wording.fill("{share}: not reached", share=wording.percent(s.share))
        if s.metres is None or s.n_pipes is None
        else wording.count(
            "{share}: {metres} in {n} pipe",
            "{share}: {metres} in {n} pipes",
            s.n_pipes,
            share=wording.percent(s.share),
            metres=wording.metres(s.metres),
        )
        for s in case.search
    )


def _search_text(case: Case, wording: Wording) -> Text:
    candidates = case.row.candidates_best or case.row.candidates
    note = ""
    if len(candidates) > _TOP:
        note = wording.fill("The first {n} of {of} candidate pipes.", n=_TOP, of=len(candidates)) + " "
    return Text(note + wording.fill("To search for {list}.", list="; ".join(search_text(case, wording))), "soft")


def _plots(case: Case, wording: Wording) -> list[Block]:
    row = case.row
    marks = [(row.start, wording.say(mark("S"))), (row.detected, wording.say(mark("A")))]
    meaning = wording.say("S: start, A: alarm")
    if row.ended is not None:
        marks.append((row.ended, wording.say(mark("E"))))
        meaning = wording.say("S: start, A: alarm, E: end")
    found: list[Figure] = []
    svg = draw_days(
        case.residuals,
        marks,
        wording.say("standard deviations"),
        wording.say("Residuals of the instruments that say most"),
        wording,
    )
    if svg:
        caption = wording.fill("Residuals, from 30 quiet days before. {marks}.", marks=meaning)
        legend = tuple(Legend(curve_icon(k), channel_text(s.label, wording)) for k, s in enumerate(case.residuals))
        found.append(Figure(f"residuals-{row.event}", svg, caption, legend))
    if case.night is not None:
        scaled = case.night.__class__(
            case.night.label, case.night.times, tuple(wording.flow_value(v) for v in case.night.values)
        )
        label = wording.fill("Night flow into district {name}", name=case.night.label)
        svg = draw_days([scaled], marks, wording.flow_unit, label, wording)
        if svg:
            caption = wording.fill(
                "{label}: least mean of an hour between 0 and 6 o'clock. {marks}.", label=label, marks=meaning
            )
            found.append(Figure(f"night-{row.event}", svg, caption))
    if len(found) == 2:
        return [Pair((found[0],), (found[1],))]
    if found:
        why = wording.say("The district's night flow was not measured or not kept.")
        if case.night is not None:
            why = wording.say("There are no residuals of the days before and after to show.")
        elif case.check.has_tank:
            why = wording.say("The district holds a tank: its inflow at night does not show what is used.")
        return [Pair((found[0],), (Text(why, "soft"),))]
    return []


def _verdicts(case: Case, wording: Wording) -> list[Block]:
    columns = (
        Column(wording.say("Other cause"), False, 1.4),
        Column(wording.say("Finding"), False, 1.0),
        Column(wording.say("Reason"), False, 4.0),
    )
    rows = tuple(
        (
            Cell(wording.say(CAUSE[v.cause])),
            Cell(wording.say(FINDING[v.finding])),
            Cell(verdict_text(v, wording)),
        )
        for v in case.verdicts
    )
    return [Keep((Heading(wording.say("Alternatives"), 4), Table(columns, rows, is_compact=True)))]


def closure_text(case: Case, wording: Wording) -> tuple[str, str]:
    """Valves to shut, and who is without water then."""
    closure = case.closure
    if closure is None:
        return wording.say("unknown"), wording.say("unknown")
    valves = ", ".join(closure.valves) or wording.say("none: the segment is shut off already")
    if closure.customers is None or closure.customers_beyond is None:
        return valves, wording.say("unknown")
    customers = wording.number(closure.customers)
    if closure.customers_beyond:
        customers = wording.fill(
            "{n}, of them {beyond} cut off downstream", n=customers, beyond=wording.number(closure.customers_beyond)
        )
    return valves, customers


def _closing(case: Case, wording: Wording) -> list[Block]:
    valves, customers = closure_text(case, wording)
    check = case.check
    facts = [(wording.say("Valves to shut"), valves)]
    closure = case.closure
    if closure is not None:
        if closure.shut:
            facts.append((wording.say("Shut already, to be checked"), ", ".join(closure.shut)))
        facts.append(
            (
                wording.say("Segment"),
                wording.count(
                    "{n} pipe, {length}",
                    "{n} pipes, {length}",
                    closure.n_pipes,
                    length=wording.metres(closure.length_m),
                ),
            )
        )
    facts.append((wording.say("Customers without water (connections)"), customers))
    if check.inlets:
        sentence = mark("night flow at {meters} falls by {flow} ({interval})")
        if check.has_tank:
            sentence = mark("a day's mean flow at {meters} falls by {flow} ({interval})")
        expected = wording.fill(
            sentence,
            meters=meters_text(check.inlets),
            flow=wording.flow(check.fall_m3h),
            interval=wording.flow_interval(check.fall_low_m3h, check.fall_high_m3h),
        )
        facts.append((wording.say("Check after repair"), expected))
    else:
        facts.append(
            (wording.say("Check after repair"), wording.say("pressures return; the district has no metered inlet"))
        )
    if check.before_m3h is not None and check.after_m3h is not None:
        measured = wording.fill(
            "night flow in the week before {before}, after {after}",
            before=wording.flow(check.before_m3h),
            after=wording.flow(check.after_m3h),
        )
        facts.append((wording.say("Measured at the end"), measured))
    return [Keep((Heading(wording.say("Isolation and check"), 4), Facts(tuple(facts))))]


def _plan(case: Case, wording: Wording) -> list[Block]:
    plan = case.plan
    heading = Heading(wording.say("Step test"), 4)
    if plan.reason:
        return [Keep((heading, Text(plan_text(plan, wording), "soft")))]
    intro = wording.fill(
        "At {hour} o'clock, watch {meters} (expected before: {flow}). Shut in this order, wait 15 minutes after each "
        "step, and read the flow. The step at which it falls as in the last column holds the leak; then open "
        "everything again.",
        hour=f"{plan.hour:02d}:00",
        meters=meters_text(plan.inlets),
        flow=wording.flow(plan.inflow_m3h),
    )
    unit = wording.flow_unit
    columns = (
        Column(wording.say("Step"), True, 0.6),
        Column(wording.say("Shut now"), False, 2.0),
        Column(wording.say("Pipes cut off, m"), True, 1.1),
        Column(wording.say("Probability"), True, 1.1),
        Column(wording.say("Customers without water"), True, 1.3),
        Column(wording.fill("Fall if elsewhere, {unit}", unit=unit), True, 1.3),
        Column(wording.fill("Fall if here, {unit}", unit=unit), True, 1.3),
    )
    rows = tuple(
        (
            Cell(str(k)),
            Cell(", ".join(step.valves) or wording.say("nothing more")),
            Cell(wording.number(step.length_m)),
            Cell(wording.percent(step.share)),
            Cell(wording.say("unknown") if step.customers is None else wording.number(step.customers)),
            Cell(wording.bare_flow(step.fall_without_m3h)),
            Cell(wording.bare_flow(step.fall_with_m3h)),
        )
        for k, step in enumerate(plan.steps, start=1)
    )
    blocks: list[Block] = [heading, Text(intro, "lead"), Table(columns, rows, is_compact=True)]
    if plan.rest >= 0.005:
        blocks.append(
            Text(
                wording.fill(
                    "{share} of the probability lies where no step reaches.", share=wording.percent(plan.rest)
                ),
                "soft",
            )
        )
    return [Keep(tuple(blocks))]
