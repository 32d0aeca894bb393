"""The programme: measures by year under the budget, how to see that each worked, and what the years bring."""

from __future__ import annotations

from dataclasses import replace

from umanflow.planner.programme import Measure, Year
from umanflow.planner.report.plots import money_plot, parts_plot
from umanflow.planner.report.section import Section
from umanflow.planner.report.story import Story
from umanflow.planner.report.words import KINDS
from umanflow.planner.surveys import Survey
from umanflow.planner.verification import Check
from umanflow.report.blocks import Block, Heading, Pair, Table, Text
from umanflow.report.layers import Layer
from umanflow.report.listing import Field, Listing


def programme(story: Story) -> Section:
    """The section on the years."""
    say, wording = story.say, story.wording
    measures, years, surveys, checks = _measures(story), _years(story), _surveys(story), _checks(story)
    text = story.fill(
        "Under a budget of {budget} a year. Every year is simulated with everything, with finding and pressure, with "
        "finding alone, and with nothing done.", budget=wording.millions(story.plan.given.programme.budget)
    )  # fmt: skip
    blocks: list[Block] = [
        Heading(say("Programme"), 2, "programme"),
        Text(text, "lead"),
        Heading(say("Measures by year, and how to see that each worked"), 3),
        measures.table(wording, is_compact=True),
        Heading(say("What the years bring"), 3),
        Pair((parts_plot(story.plan.programme, wording),), (money_plot(story.plan.programme, wording),)),
        years.table(wording, without=_ONLY_IN_BOOK, is_compact=True),
        Text(say(
            "Leakage and breaks: with the programme, below without. Revenue water: as simulated, below its 90 % "
            "limits. Spent: measures and repairs of found leaks; saved: water at its variable cost, repairs of "
            "breaks, electricity. Balance: discounted, all years until then."
        ), "soft"),
    ]  # fmt: skip
    if surveys.rows:
        blocks += [Heading(say("How often it pays to look for leaks"), 3), surveys.table(wording, is_compact=True)]
        blocks.append(
            Text(
                say(
                    "Between two surveys unreported leakage rises; a survey pays once what was lost since the last "
                    "one is worth what it costs. Unavoidable: background of a system in good order. Remains: "
                    "unreported leakage on average."
                ),
                "soft",
            )
        )
    if checks.rows:
        blocks += [Heading(say("What to measure to see that a step worked"), 3), _checks_table(story, checks)]
        blocks.append(
            Text(
                say(
                    "A value measured within its 90 % limits is what was promised; one outside says that the step, or "
                    "the model, is wrong. The workbook says with what and when."
                ),
                "soft",
            )
        )
    return Section(tuple(blocks), (measures, years, surveys, checks), (_layer(story),))


def _surveys(story: Story) -> Listing[Survey]:
    say = story.say
    fields = (
        Field[Survey]("district", say("District"), lambda s: s.district),
        Field[Survey]("length_m", say("Length, m"), lambda s: s.length, "number"),
        Field[Survey]("connections", say("Connections"), lambda s: s.connections, "count", weight=1.2),
        Field[Survey]("leakage_m3d", say("Leakage, m³/d"), lambda s: s.leakage, "number"),
        Field[Survey]("unavoidable_m3d", say("Unavoidable, m³/d"), lambda s: s.unavoidable, "number", weight=1.2),
        Field[Survey]("rise_m3d", say("Rises by, m³/d a year"), lambda s: s.rise, "number", 1, 1.1),
        Field[Survey]("cost", say("Survey"), lambda s: s.cost, "money"),
        Field[Survey]("interval_months", say("Every so many months"), lambda s: s.interval, "number", 1, 1.1),
        Field[Survey]("remains_m3d", say("Remains, m³/d"), lambda s: s.economic, "number", 1),
        Field[Survey]("first_year", say("First in"), lambda s: s.first_year or None, "year", weight=0.8),
    )
    return Listing(say("Surveys"), fields, story.plan.programme.surveys)


def _checks(story: Story) -> Listing[Check]:
    say, wording = story.say, story.wording
    fields = (
        Field[Check]("year", say("Year"), lambda c: c.year or None, "year", weight=0.6),
        Field[Check]("kind", say("Measure"), lambda c: wording.words(KINDS, c.kind), weight=1.2),
        Field[Check]("where", say("Where"), lambda c: story.sentence(c.where)),
        Field[Check]("quantity", say("What"), lambda c: story.sentence(c.quantity), weight=3.0),
        Field[Check]("unit", say("Unit"), lambda c: say(c.unit), weight=0.8),
        Field[Check]("instrument", say("With what"), lambda c: story.sentence(c.instrument), weight=2.0),
        Field[Check]("when", say("When"), lambda c: story.sentence(c.when), weight=2.6),
        Field[Check]("before", say("Before"), lambda c: c.before, "number", 1, 0.8),
        Field[Check]("expected", say("Expected"), lambda c: c.expected, "number", 1, 1.0),
        Field[Check]("low", say("Low"), lambda c: c.low, "number", 1, 0.7),
        Field[Check]("high", say("High"), lambda c: c.high, "number", 1, 0.7),
    )
    return Listing(say("Verification"), fields, story.plan.programme.checks)


def _checks_table(story: Story, checks: Listing[Check]) -> Table:
    """Every check once: those that come back year by year stand in the workbook."""
    first: dict[tuple[str, str, str], Check] = {}
    for check in checks.rows:
        first.setdefault((check.kind, check.where, check.quantity), check)
    rows = sorted(first.values(), key=lambda c: (c.year == 0, c.year))
    return replace(checks, rows=rows).table(story.wording, _MOST_CHECKS, ("instrument", "when"), is_compact=True)


_MOST_CHECKS = 120
_ONLY_IN_BOOK = (
    "leakage_nothing_m3d", "demand_m3d", "ratio_low", "ratio_high", "ratio_nothing", "ratio_without_renewal",
    "breaks_nothing",
)  # fmt: skip


def _measures(story: Story) -> Listing[Measure]:
    say, wording = story.say, story.wording
    fields = (
        Field[Measure]("year", say("Year"), lambda m: m.year, "year", weight=0.6),
        Field[Measure]("kind", say("Measure"), lambda m: wording.words(KINDS, m.kind)),
        Field[Measure]("what", say("What"), lambda m: story.sentence(m.what), weight=2.0),
        Field[Measure]("cost", say("Cost"), lambda m: m.cost,
                       "money", weight=1.1),
        Field[Measure]("verify", say("How to see that it worked"), lambda m: story.sentence(m.verify), weight=3.2),
    )  # fmt: skip
    return Listing(say("Measures"), fields, story.plan.programme.measures)


def _years(story: Story) -> Listing[Year]:
    say, wording = story.say, story.wording
    number, percent = wording.number, wording.percent

    def without(value: float, digits: int = 0) -> tuple[str, ...]:
        return (story.fill("without: {n}", n=number(value, digits)),)

    def limits(year: Year) -> tuple[str, ...]:
        return (story.fill("{low} to {high}", low=percent(year.ratio_low, 1), high=percent(year.ratio_high, 1)),)

    fields = (
        Field[Year]("year", say("Year"), lambda y: y.year, "year", weight=0.6),
        Field[Year]("leakage_m3d", say("Leakage, m³/d"), lambda y: y.leakage, "number", 0, 1.4,
                    lambda y: without(y.leakage_nothing)),
        Field[Year]("leakage_nothing_m3d", say("Leakage without, m³/d"), lambda y: y.leakage_nothing, "number"),
        Field[Year]("demand_m3d", say("Taken, m³/d"), lambda y: y.demand, "number"),
        Field[Year]("ratio", say("Revenue water"), lambda y: y.ratio, "share", 1, 1.5, limits),
        Field[Year]("ratio_low", say("Revenue water, low"), lambda y: y.ratio_low, "share", 1),
        Field[Year]("ratio_high", say("Revenue water, high"), lambda y: y.ratio_high, "share", 1),
        Field[Year]("ratio_nothing", say("Revenue water without"), lambda y: y.ratio_nothing, "share", 1),
        Field[Year]("ratio_without_renewal", say("Revenue water without renewal"), lambda y: y.ratio_without_renewal,
                    "share", 1),
        Field[Year]("reached", say("Chance of target"), lambda y: y.reached, "share", 0, 0.9),
        Field[Year]("breaks", say("Breaks"), lambda y: y.breaks, "number", 0, 1.1,
                    lambda y: without(y.breaks_nothing)),
        Field[Year]("breaks_nothing", say("Breaks without"), lambda y: y.breaks_nothing, "number", 1),
        Field[Year]("renewed_km", say("Renewed, km"), lambda y: y.renewed, "number", 1, 1.2),
        Field[Year]("cost", say("Spent"), lambda y: y.cost, "money", weight=1.35),
        Field[Year]("saved", say("Saved"), lambda y: y.saved, "money", weight=1.35),
        Field[Year]("balance", say("Balance"), lambda y: y.balance, "money", weight=1.3),
        Field[Year]("energy_kwh", say("Energy saved, kWh"), lambda y: y.energy, "number", weight=1.0),
        Field[Year]("co2_kg", say("CO₂ saved, kg"), lambda y: y.co2, "number", weight=0.9),
    )  # fmt: skip
    return Listing(say("Years"), fields, story.plan.programme.years)


def _layer(story: Story) -> Layer:
    """Pipes that the programme renews, with the year."""
    rows = tuple((story.line(name), (name, year)) for name, year in story.year_of_pipe.items())
    return Layer("renewed", "LINESTRING", (("pipe", "TEXT"), ("year", "INTEGER")), rows)
