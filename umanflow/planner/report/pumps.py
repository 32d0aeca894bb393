"""Pump schedules: when which pump runs, what that saves, and how long tanks last when the power is cut."""

from __future__ import annotations

from collections.abc import Callable

from umanflow.planner.cuts import Cut
from umanflow.planner.pumpplan import PumpPlan, Reserve
from umanflow.planner.pumprun import TankDays
from umanflow.planner.report.pumpplots import cut_plot, energy_plot, price_plot
from umanflow.planner.report.section import Section
from umanflow.planner.report.story import Story
from umanflow.planner.report.words import PRICES
from umanflow.report.blocks import Block, Facts, Heading, Keep, Pair, Text
from umanflow.report.listing import Field, Listing

_HOURS = 24
Pump = tuple[str, str, dict[int, float]]
Tank = tuple[TankDays, TankDays]


def pumps(story: Story) -> Section | None:
    """The section on pumps."""
    plan, say, wording = story.plan.pumping, story.say, story.wording
    heading = Heading(say("Pumps"), 2, "pumps")
    if plan is None:
        return Section((heading, Text(say("No pump schedule was planned; the gaps in the data say why."))))
    timetable, tanks = _timetable(story, plan), _tanks(story, plan)
    reserves, cuts = _reserves(story, plan), _cuts(story, plan)
    blocks: list[Block] = [heading]
    if not plan.is_kept:
        why = "; ".join(story.sentence(one) for one in plan.why)
        blocks.append(
            Text(story.fill("This schedule is no advice, it does not keep everything: {why}", why=why), "warn")
        )
    blocks += [_facts(story, plan), Pair((energy_plot(plan, wording),), (price_plot(plan, wording),))]
    blocks += [Heading(say("Timetable"), 3), timetable.table(wording, without=("station",), is_compact=True)]
    blocks.append(Text(say("Speed in per cent by hour of the clock; a dash is standing still."), "soft"))
    if tanks.rows:
        blocks.append(Keep((Heading(say("Levels of tanks"), 3), tanks.table(wording, is_compact=True))))
    if reserves.rows:
        title = story.fill("Storage against a power cut of {n} h", n=wording.number(plan.cuts_after.outage, 1))
        blocks.append(Keep((Heading(title, 3), reserves.table(wording, is_compact=True))))
    blocks += _cut_blocks(story, plan, cuts)
    return Section(tuple(blocks), (timetable, tanks, reserves, cuts))


def _facts(story: Story, plan: PumpPlan) -> Facts:
    say, wording = story.say, story.wording
    was, becomes = plan.before, plan.after

    def change(before: float, after: float, tell: Callable[[float], str]) -> str:
        return story.fill("{before} now, {after} with the schedule", before=tell(before), after=tell(after))

    def whole(unit: str) -> Callable[[float], str]:
        return lambda value: f"{wording.number(value)}\u00a0{unit}"

    return Facts((
        (say("Price of electricity by the hour"), wording.words(PRICES, plan.price_source)),
        (say("Cost of electricity a day"), change(was.even_cost, becomes.even_cost, wording.money)),
        (say("Electricity a day"), change(was.energy, becomes.energy, whole(say("kWh")))),
        (say("Highest power"), change(was.peak, becomes.peak, whole(say("kW")))),
        (say("Starts of pumps a day"), change(was.starts, becomes.starts, lambda v: wording.number(v, 1))),
        (say("Places with less free head than needed"), change(was.n_short, becomes.n_short, wording.number)),
    ))  # fmt: skip


def _timetable(story: Story, plan: PumpPlan) -> Listing[Pump]:
    say = story.say
    found: dict[str, Pump] = {}
    for hour in plan.hours:
        found.setdefault(hour.pump, (hour.pump, hour.station, {}))[2][hour.hour] = hour.speed
    hours = tuple(Field[Pump](f"h{k:02d}", str(k), _speed(k), "number", 0, 0.9) for k in range(_HOURS))
    fields = (
        Field[Pump]("pump", say("Pump"), lambda p: p[0], weight=3.0),
        Field[Pump]("station", say("Station"), lambda p: p[1]),
        *hours,
    )
    return Listing(say("Pumps"), fields, tuple(found.values()))


def _speed(hour: int) -> Callable[[Pump], float | None]:
    """Speed of an hour in per cent; None while the pump stands still."""
    return lambda pump: 100.0 * pump[2][hour] if pump[2].get(hour) else None


def _tanks(story: Story, plan: PumpPlan) -> Listing[Tank]:
    say = story.say
    fields = (
        Field[Tank]("tank", say("Tank"), lambda t: t[0].tank, weight=1.4),
        Field[Tank]("low_m", say("Works from, m"), lambda t: t[1].low, "number", 2),
        Field[Tank]("high_m", say("Works to, m"), lambda t: t[1].high, "number", 2),
        Field[Tank]("least_before_m", say("Least now, m"), lambda t: t[0].least, "number", 2),
        Field[Tank]("least_after_m", say("Least then, m"), lambda t: t[1].least, "number", 2),
        Field[Tank]("highest_before_m", say("Highest now, m"), lambda t: t[0].highest, "number", 2),
        Field[Tank]("highest_after_m", say("Highest then, m"), lambda t: t[1].highest, "number", 2),
    )
    return Listing(say("Tanks"), fields, tuple(zip(plan.before.tanks, plan.after.tanks, strict=True)))


def _reserves(story: Story, plan: PumpPlan) -> Listing[Reserve]:
    say = story.say
    fields = (
        Field[Reserve]("zone", say("Zone"), lambda r: r.zone, weight=1.4),
        Field[Reserve]("usable_m3", say("Usable, m³"), lambda r: r.usable, "number"),
        Field[Reserve]("needed_m3", say("Needed at the worst hour, m³"), lambda r: r.needed, "number", weight=1.4),
        Field[Reserve]("enough", say("Full tanks are enough"), lambda r: r.is_enough, "flag", weight=1.2),
        Field[Reserve]("least_before_m3", say("Least held now, m³"), lambda r: r.least_before, "number"),
        Field[Reserve]("least_after_m3", say("Least held then, m³"), lambda r: r.least_after, "number"),
    )
    return Listing(say("Storage"), fields, plan.reserves)


def _cuts(story: Story, plan: PumpPlan) -> Listing[tuple[Cut, Cut]]:
    say = story.say
    Row = tuple[Cut, Cut]
    fields = (
        Field[Row]("hour", say("Hour"), lambda r: r[0].hour, "count"),
        Field[Row]("dry_before", say("Connections dry now"), lambda r: r[0].dry, "count"),
        Field[Row]("dry_after", say("Connections dry then"), lambda r: r[1].dry, "count"),
        Field[Row]("short_before", say("Connections short now"), lambda r: r[0].short, "count"),
        Field[Row]("short_after", say("Connections short then"), lambda r: r[1].short, "count"),
        Field[Row]("lasts_before_h", say("Water lasts now, h"), lambda r: r[0].lasts, "number", 1),
        Field[Row]("lasts_after_h", say("Water lasts then, h"), lambda r: r[1].lasts, "number", 1),
    )
    rows = tuple(zip(plan.cuts_before.cuts, plan.cuts_after.cuts, strict=True))
    return Listing(say("Power cuts"), fields, rows)


def _cut_blocks(story: Story, plan: PumpPlan, cuts: Listing[tuple[Cut, Cut]]) -> list[Block]:
    if not cuts.rows:
        return []
    wording, worst = story.wording, plan.cuts_after.worst
    text = story.fill(
        "A cut of {n} h is worst when it begins at {hour}:00: {dry} of {of} connections are dry at some time of it.",
        n=wording.number(plan.cuts_after.outage, 1), hour=worst.hour, dry=wording.number(worst.dry),
        of=wording.number(plan.cuts_after.connections),
    )  # fmt: skip
    return [Heading(story.say("Power cuts, simulated"), 3), Text(text, "lead"), cut_plot(plan, wording)]
