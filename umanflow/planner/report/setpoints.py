"""Pressure: set-points by the hour, what they save, and the free head that they keep."""

from __future__ import annotations

from collections.abc import Callable

from umanflow.planner.pressurefacts import PlaceTried, PressurePlan, ValvePlan, ZoneEffect
from umanflow.planner.report.plots import setpoint_plots
from umanflow.planner.report.section import Section
from umanflow.planner.report.story import Story, share
from umanflow.report.blocks import Block, Facts, Figure, Heading, Legend, Text
from umanflow.report.ground import Clicks, Pin, line_icon
from umanflow.report.layers import Layer
from umanflow.report.listing import Field, Listing

_HOURS = 24
_HALF_DAY = 12
_ONLY_IN_BOOK = ("fixed_m3d", "night_before_m3h", "night_after_m3h")


def setpoints(story: Story) -> Section | None:
    """The section on pressure; none where no set-points could be planned."""
    plan, say = story.plan.pressure, story.say
    heading = Heading(say("Pressure"), 2, "pressure")
    if plan is None:
        return Section((heading, Text(say("No set-points were planned; the gaps in the data say why."))))
    if not plan.valves:
        return Section(
            (heading, _facts(story, plan), Text(say("No valve would lower the pressure enough to be worth it.")))
        )
    effects, by_hour = _effects(story, plan), _by_hour(story, plan)
    blocks: list[Block] = [heading, _facts(story, plan), _map(story, plan)]
    blocks += [Heading(say("What each block gains, simulated again"), 3)]
    blocks.append(
        effects.table(story.wording, without=("fixed_m3d", "night_before_m3h", "night_after_m3h"), is_compact=True)
    )
    blocks.append(Text(say(
        "Leakage: today and with the set-points, m³/d. Mean and highest pressure: today and with the set-points, m. "
        "Bursts: fewer by 1.4 % for each 1 % of the highest pressure."
    ), "soft"))  # fmt: skip
    places = _places(story, plan)
    if places.rows:
        blocks.append(Heading(say("Places inside blocks that were tried"), 3))
        blocks.append(
            places.table(wording=story.wording, without=("estimate_m3d", "zone", "short", "short_m"), is_compact=True)
        )
        blocks.append(
            Text(
                say(
                    "Saved: beside what the blocks' own set-points save, simulated. Worth: water and repairs over the "
                    "horizon, discounted. A place is chosen where it is worth more than it costs and no customer gets "
                    "less free head than is due, or than now where that is less."
                ),
                "soft",
            )
        )
    blocks.append(Heading(say("Set-points by the hour of the day"), 3))
    blocks += setpoint_plots(plan.valves, story.wording)
    for first in range(0, _HOURS, _HALF_DAY):
        hidden = {f"h{hour:02d}" for hour in range(_HOURS) if not first <= hour < first + _HALF_DAY}
        caption = story.fill("Set-points, m, from {first}:00 to {last}:00", first=first, last=first + _HALF_DAY)
        blocks += [Heading(caption, 4), by_hour.table(story.wording, without=hidden | {"block"}, is_compact=True)]
    blocks.append(Text(say(
        "setpoints.inp holds the same as controls for EPANET. Set one valve at a time, at night, and look at the "
        "critical customer's pressure before the next."
    )))  # fmt: skip
    layers = (_layer(story, by_hour),)
    return Section(tuple(blocks), (effects, places, by_hour), layers)


def _places(story: Story, plan: PressurePlan) -> Listing[PlaceTried]:
    say = story.say
    fields = (
        Field[PlaceTried]("zone", say("Zone"), lambda p: p.zone),
        Field[PlaceTried]("block", say("Block"), lambda p: p.block, weight=0.7),
        Field[PlaceTried]("pipe", say("Pipe"), lambda p: p.pipe),
        Field[PlaceTried]("closes", say("Shut for it"), lambda p: ", ".join(p.closes), weight=1.4),
        Field[PlaceTried]("customers", say("Places with customers"), lambda p: p.n_customers, "count"),
        Field[PlaceTried]("leakage_m3d", say("Leakage, m³/d"), lambda p: p.leakage, "number", 1),
        Field[PlaceTried]("estimate_m3d", say("Estimated, m³/d"), lambda p: p.estimate, "number", 1),
        Field[PlaceTried]("saved_m3d", say("Saved, m³/d"), lambda p: p.saved, "number", 1),
        Field[PlaceTried]("cost", say("Cost"), lambda p: p.cost, "money"),
        Field[PlaceTried]("worth", say("Worth"), lambda p: p.worth, "money"),
        Field[PlaceTried]("short", say("Places left short"), lambda p: p.n_short, "count"),
        Field[PlaceTried]("short_m", say("Short by up to, m"), lambda p: p.short_m, "number", 1),
        Field[PlaceTried]("chosen", say("Chosen"), lambda p: p.is_chosen, "flag", weight=0.8),
        Field[PlaceTried]("why", say("Why"), lambda p: story.sentence(p.why), weight=3.0, raw=lambda p: p.why),
    )
    return Listing(say("Places of valves"), fields, plan.places)


def _facts(story: Story, plan: PressurePlan) -> Facts:
    say, number = story.say, story.wording.number
    bought, leaking = sum(valve.is_new for valve in plan.valves), story.plan.diagnosis.leakage
    return Facts((
        (say("Leakage saved, set-points by the hour"), story.fill(
            "{volume} a day ({share} of all that leaks)", volume=story.wording.volume(plan.saved),
            share=story.wording.percent(share(plan.saved, leaking), 1) if leaking else "0")),
        (say("Leakage saved, one set-point each"),
         story.fill("{volume} a day", volume=story.wording.volume(plan.saved_fixed))),
        (say("Valves"), story.fill("{n}, of them new: {new}", n=number(len(plan.valves)), new=number(bought))),
        (say("Free head kept all day"), story.fill(
            "at {after} of {n} places with customers (today at {before})", after=number(plan.n_met_after),
            n=number(plan.n_customers), before=number(plan.n_met_before))),
        (say("Least that is left above the norm there"),
         story.fill("{n} m", n=number(plan.least_slack, 1))),
    ))  # fmt: skip


def _effects(story: Story, plan: PressurePlan) -> Listing[ZoneEffect]:
    say = story.say
    fields = (
        Field[ZoneEffect]("block", say("Block"), lambda z: z.zone),
        Field[ZoneEffect]("before_m3d", say("Leakage today"), lambda z: z.leakage_before, "number", 1),
        Field[ZoneEffect]("fixed_m3d", say("Leakage with one set-point, m³/d"), lambda z: z.leakage_fixed, "number", 1),
        Field[ZoneEffect]("after_m3d", say("Leakage then"), lambda z: z.leakage_after, "number", 1),
        Field[ZoneEffect]("saved", say("Saved"), lambda z: share(z.leakage_before - z.leakage_after, z.leakage_before),
                          "share", 1),
        Field[ZoneEffect]("mean_before_m", say("Mean pressure today"), lambda z: z.mean_before, "number", 1),
        Field[ZoneEffect]("mean_after_m", say("Mean pressure then"), lambda z: z.mean_after, "number", 1),
        Field[ZoneEffect]("highest_before_m", say("Highest pressure today"), lambda z: z.highest_before, "number", 1),
        Field[ZoneEffect]("highest_after_m", say("Highest pressure then"), lambda z: z.highest_after, "number", 1),
        Field[ZoneEffect]("night_before_m3h", say("Night flow today, m³/h"), lambda z: z.night_before, "number", 1),
        Field[ZoneEffect]("night_after_m3h", say("Night flow then, m³/h"), lambda z: z.night_after, "number", 1),
        Field[ZoneEffect]("fewer_bursts", say("Fewer bursts"), lambda z: z.fewer_bursts, "share", 1),
    )  # fmt: skip
    return Listing(say("Pressure"), fields, plan.zones)


def _by_hour(story: Story, plan: PressurePlan) -> Listing[ValvePlan]:
    say = story.say
    hours = tuple(Field[ValvePlan](f"h{hour:02d}", f"{hour}:00", _at(hour), "number", 1, 0.8) for hour in range(_HOURS))
    fields = (
        Field[ValvePlan]("valve", say("Valve"), lambda v: v.valve, weight=2.6),
        Field[ValvePlan]("block", say("Block"), lambda v: v.zone),
        Field[ValvePlan]("new", say("New"), lambda v: v.is_new, "flag", weight=1.0),
        Field[ValvePlan]("fixed_m", say("All day"), lambda v: v.fixed, "number", 1, 1.0),
        *hours,
    )
    return Listing(say("Set-points"), fields, plan.valves)


def _at(hour: int) -> Callable[[ValvePlan], float]:
    return lambda valve: float(valve.after[hour])


def _layer(story: Story, by_hour: Listing[ValvePlan]) -> Layer:
    return by_hour.layer("pressure_valves", "POINT", lambda v: story.point(v.valve) or story.point(v.inlet))


def _map(story: Story, plan: PressurePlan) -> Figure:
    say, wording, ground = story.say, story.wording, story.ground
    sheet = ground.whole(say("Map of the pressure valves"))
    sheet.pipes()
    pins = []
    for valve in plan.valves:
        at = ground.plan.point(valve.valve)
        at = at if at is not None else ground.plan.point(valve.inlet)
        if at is None:
            continue
        lowered = float((valve.before - valve.after).mean())
        facts = (
            (say("Block"), valve.zone),
            (say("Lower on average by"), story.fill("{n} m", n=wording.number(lowered, 1))),
            (say("At night (3:00)"), story.fill("{n} m", n=wording.number(float(valve.after[3]), 1))),
            (say("All day"), story.fill("{n} m", n=wording.number(valve.fixed, 1))),
        )
        text = f"{valve.zone} {wording.signed(-lowered)}"
        pins.append(Pin(valve.valve, text, at, "bought" if valve.is_new else "valve", valve.valve, facts, "pressure"))
    beyond = sheet.pins(pins)
    looks = {pin.look for pin in pins}
    legend = [Legend(line_icon("pipes"), say("pipe"))]
    if "valve" in looks:
        legend.append(
            Legend(line_icon("best s-valve"), say("valve that is there: block, mean fall of its pressure, m"))
        )
    if "bought" in looks:
        legend.append(
            Legend(line_icon("best s-bought"), say("valve to be bought: block, mean fall of its pressure, m"))
        )
    return sheet.figure("map-pressure", legend, story.caption(beyond), Clicks(story.hint, pins))
