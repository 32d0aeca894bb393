"""A report's content as blocks: every number is rounded and every sentence made here."""

from __future__ import annotations

from collections.abc import Sequence

from umanflow.report.banner import synthetic
from umanflow.report.blocks import (
    Block,
    Bullets,
    Cell,
    Column,
    Document,
    Form,
    FormRow,
    Heading,
    Table,
    Text,
    Tile,
    Tiles,
)
from umanflow.report.case import Case
from umanflow.report.content import Content, Summary
from umanflow.report.maps import MapMaker
from umanflow.report.sentences import KIND, MISSING, STATUS, limit_text, unwatched_text
from umanflow.report.site import Site
from umanflow.report.view_event import closure_text, coordinates, event_group, search_text
from umanflow.report.view_health import health_blocks
from umanflow.report.view_zones import zone_blocks
from umanflow.report.wording import NONE, Wording

_BLANK_ROWS = 3


def document_of(content: Content, site: Site, wording: Wording) -> Document:
    """Turn a report into blocks of text and pictures in one language."""
    maps = MapMaker(content, site, [h.sensor for h in content.health], wording)
    blocks: list[Block] = [tiles_of(content.summary, wording)]
    blocks += _events(content, wording)
    blocks += [Heading(wording.say("Map"), 2, "map-section"), maps.network()]
    blocks += _unknown(content, site, wording)
    blocks += _truth(content, wording)
    blocks += zone_blocks(content, wording)
    blocks += _dispatch(content, wording)
    if content.cases:
        blocks.append(Heading(wording.say("Each event"), 2))
    cost = content.summary.cost_per_m3
    blocks += [event_group(case, maps, wording, cost, content.period_end) for case in content.cases]
    blocks += _form(content, wording)
    blocks += health_blocks(content, wording)
    blocks += _unwatched(content, wording)
    blocks += _versions(content, wording)
    period = wording.fill(
        "{start} to {end}", start=wording.minute(content.period_start), end=wording.minute(content.period_end)
    )
    clock = f" ({content.clock})" if content.clock else ""
    return Document(
        title=wording.fill("Leak report: {network}", network=content.network),
        subtitle=f"{period}{clock}",
        language=wording.language,
        banner=banner_of(content, wording),
        blocks=tuple(blocks),
        footer=wording.fill("umanflow {version}", version=dict(content.versions).get("umanflow", "")),
        page_of=wording.say("page {n} of {of}"),
    )


def banner_of(content: Content, wording: Wording) -> str:
    """What must be said above all; empty where there is nothing."""
    return synthetic(wording) if content.is_synthetic else ""


def tiles_of(summary: Summary, wording: Wording) -> Tiles:
    """The numbers at the head."""
    say, unknown = wording.say, wording.say("unknown")
    price = (
        say("the cost of lost water is not stated")
        if summary.cost_per_m3 is None
        else wording.fill("at {price} per m³", price=wording.money(summary.cost_per_m3, 2))
    )
    money = [unknown if v is None else wording.money(v) for v in (summary.lost_money, summary.money_per_day)]
    ended = wording.count("{n} ended", "{n} ended", summary.n_ended)
    return Tiles(
        (
            Tile(say("Open leaks"), wording.number(summary.n_open), ended),
            Tile(
                say("Lost now"),
                wording.flow(summary.flow_m3h),
                wording.fill("{volume} a day", volume=wording.volume(summary.lost_per_day_m3)),
            ),
            Tile(say("Lost to date"), wording.volume(summary.lost_m3), say("by open and ended leaks")),
            Tile(say("Cost to date"), money[0], price),
            Tile(say("Each day of waiting"), money[1], price),
            Tile(say("Withdrawn"), wording.number(summary.n_withdrawn), say("called false by later data")),
        )
    )


def _events(content: Content, wording: Wording) -> list[Block]:
    say = wording.say
    heading = Heading(say("Events"), 2)
    if not content.cases:
        return [heading, Text(say("No leak was found in this period."))]
    columns = (
        Column(say("No."), True, 0.6),
        Column(say("Detected"), False, 1.6),
        Column(say("Pipe"), False, 1.5),
        Column(wording.fill("Flow, {unit}", unit=wording.flow_unit), True, 1.4),
        Column(say("Within 300 m"), True, 1.1),
        Column(say("Search, m"), True, 1.1),
        Column(say("Began"), False, 1.9),
        Column(say("Status"), False, 1.5),
        Column(say("District"), False, 1.5),
        Column(say("Lost, m³"), True, 1.1),
    )
    note = say(
        "Large: as known at the end of the period. Below, “alarm”: as known when the alarm was raised, with the 95 % "
        "interval of the flow. “Within 300 m”: probability that the leak lies within 300 m of pipe from the pipe "
        "named. “Search”: metres of pipe that held 80 % of the probability at the alarm. “Lost”: latest flow from the "
        "beginning to the end of the leak or of the period; this overstates leaks that grew."
    )
    rows = tuple(_event_row(case, wording) for case in content.cases)
    return [heading, Table(columns, rows), Text(note, "soft")]


def _event_row(case: Case, wording: Wording) -> tuple[Cell, ...]:
    row = case.row
    alarm = wording.say("alarm: {value}")
    moved = (alarm.format(value=row.pipe),) if row.pipe != row.pipe_best else ()
    interval = wording.fill(
        "{low} to {high}",
        low=wording.bare_flow(row.flow_low_m3h, row.flow_high_m3h),
        high=wording.bare_flow(row.flow_high_m3h),
    )
    began = (
        wording.fill("from {time}", time=wording.minute(row.start_low)),
        wording.fill("to {time}", time=wording.minute(row.start_high)),
    )
    return (
        Cell(str(row.event), link=f"event-{row.event}"),
        Cell(wording.minute(row.detected), (wording.words(KIND, row.kind),)),
        Cell(row.pipe_best, moved),
        Cell(wording.bare_flow(row.flow_best_m3h), (alarm.format(value=wording.bare_flow(row.flow_m3h)), interval)),
        Cell(wording.percent(row.probability_best), (alarm.format(value=wording.percent(row.probability)),)),
        Cell(wording.number(row.search_length_m)),
        Cell(wording.minute(row.start), began),
        Cell(wording.words(STATUS, row.status), (wording.minute(row.ended),) if row.ended else (), row.status),
        Cell(row.dma or NONE, (case.place.street,) if case.place.street else ()),
        Cell(wording.number(case.lost_m3)),
    )


def _unknown(content: Content, site: Site, wording: Wording) -> list[Block]:
    names = sorted({row.pipe_best for row in content.events} - set(site.topology.link_index))
    if not names:
        return []
    text = wording.fill(
        "Not in this network, so neither measured nor drawn: {names}. The report was asked for with another model "
        "than the detection.",
        names=", ".join(names),
    )
    return [Text(text, "warn")]


def _truth(content: Content, wording: Wording) -> list[Block]:
    if content.truth is None:
        return []
    say = wording.say
    found = sum(leak.found for leak in content.truth)
    sentence = wording.fill("Found {n} of {of}.", n=found, of=len(content.truth))
    if content.false_alarms is not None:
        sentence += " " + wording.fill("False alarms: {n}.", n=content.false_alarms)
    unit = wording.flow_unit
    columns = (
        Column(say("Pipe"), False, 1.5),
        Column(say("Began"), False, 2.0),
        Column(wording.fill("Flow, {unit}", unit=unit), True),
        Column(say("Result"), False),
        Column(say("Detected"), False, 2.0),
        Column(say("Distance, m"), True),
        Column(wording.fill("Estimate, {unit}", unit=unit), True),
    )
    rows = tuple(
        (
            Cell(leak.pipe),
            Cell(wording.minute(leak.start)),
            Cell(wording.bare_flow(leak.flow_m3h)),
            Cell(say("found") if leak.found else say("missed"), status="ended" if leak.found else "missed"),
            Cell(wording.minute(leak.detected)),
            Cell(NONE if leak.distance_m is None else wording.number(leak.distance_m)),
            Cell(NONE if leak.flow_est_m3h is None else wording.bare_flow(leak.flow_est_m3h)),
        )
        for leak in content.truth
    )
    return [Heading(say("Leaks put in, and what became of them"), 2), Text(sentence), Table(columns, rows)]


def _dispatch(content: Content, wording: Wording) -> list[Block]:
    say = wording.say
    heading = Heading(say("Dispatch list"), 2, "dispatch")
    cases = content.open_cases
    if not cases:
        return [heading, Text(say("Nothing waits for a crew."))]
    columns = (
        Column(say("Order"), True, 0.7),
        Column(say("Event"), True, 0.7),
        Column(say("Street and coordinates"), False, 2.2),
        Column(say("Pipes, likeliest first"), False, 1.6),
        Column(say("Search"), False, 2.0),
        Column(say("Flow, and a day of waiting"), True, 1.7),
        Column(say("Valves to shut"), False, 1.7),
        Column(say("Customers without water"), True, 1.4),
    )
    cost = content.summary.cost_per_m3
    rows = []
    for order, case in enumerate(cases, start=1):
        row = case.row
        valves, customers = closure_text(case, wording)
        price = say("cost unknown") if cost is None else wording.money(24.0 * row.flow_best_m3h * cost)
        names = [c.pipe for c in (row.candidates_best or row.candidates)[:3]] or [row.pipe_best]
        rows.append(
            (
                Cell(str(order)),
                Cell(str(row.event), link=f"event-{row.event}"),
                Cell(case.place.street or say("street unknown"), (coordinates(case, wording),)),
                Cell(names[0], tuple(names[1:])),
                Cell("", search_text(case, wording)),
                Cell(wording.flow(row.flow_best_m3h), (wording.volume(24.0 * row.flow_best_m3h), price)),
                Cell(valves),
                Cell(customers),
            )
        )
    return [heading, Text(say("Open leaks, the one that loses most first."), "lead"), Table(columns, tuple(rows))]


def _form(content: Content, wording: Wording) -> list[Block]:
    say = wording.say
    rows = [FormRow(str(c.row.event), c.row.pipe_best, c.place.street) for c in content.open_cases]
    rows += [FormRow("", "", "")] * _BLANK_ROWS
    labels = {
        "event": say("Event"),
        "pipe": say("Pipe"),
        "repaired": say("Repaired, date and time"),
        "found": say("Found"),
        "yes": say("yes"),
        "dry": say("dry"),
        "flow": wording.fill("Measured flow, {unit}", unit=wording.flow_unit),
        "save": say("Save repairs.csv"),
        "empty": say("Fill in at least one pipe and its time."),
        "wrong": say("A flow is no number:"),
        "signed": say("Crew, date, signature"),
    }
    text = say(
        "What the crew found goes back to the detector: save the file and give it to umanflow detect --repairs. “dry” "
        "means that they dug or listened at this pipe and found no leak. Times are on the report's clock."
    )
    per_m3h = wording.flow_value(1.0)
    return [Heading(say("What the crew found"), 2, "form"), Text(text, "lead"), Form(tuple(rows), labels, per_m3h)]


def limits_of(content: Content, wording: Wording) -> list[str]:
    """What the instruments do not allow, as sentences."""
    texts = [limit_text(limit, wording) for limit in content.limits]
    return [f"{text[:1].upper()}{text[1:]}." for text in texts]


def _unwatched(content: Content, wording: Wording) -> list[Block]:
    items: Sequence[str] = [*(unwatched_text(u, wording) for u in content.unwatched), *limits_of(content, wording)]
    blocks: list[Block] = [Heading(wording.say("What was not watched, and why"), 2)]
    blocks.append(Bullets(tuple(items)) if items else Text(wording.say("Nothing that this detection knows of.")))
    if content.missing:
        blocks.append(Text(wording.say("Unknown in this report, and why:")))
        blocks.append(Bullets(tuple(wording.words(MISSING, name) for name in content.missing)))
    return blocks


def _versions(content: Content, wording: Wording) -> list[Block]:
    columns = (Column(wording.say("What"), False, 1.0), Column(wording.say("Version"), False, 2.0))
    rows = tuple((Cell(what), Cell(version)) for what, version in content.versions)
    return [Heading(wording.say("Versions of data, model and program"), 2), Table(columns, rows, is_compact=True)]
