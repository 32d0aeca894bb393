"""The first page: what to do, what it costs, what it brings."""

from __future__ import annotations

from umanflow.planner.programme import Measure
from umanflow.planner.report.plots import ratio_plot
from umanflow.planner.report.section import Section
from umanflow.planner.report.story import Story
from umanflow.planner.report.words import KINDS
from umanflow.report.blocks import Block, Bullets, Heading, Text, Tile, Tiles
from umanflow.report.listing import Field, Listing

_SURE = 0.9


def summary(story: Story) -> Section:
    """What a director reads."""
    say = story.say
    blocks: list[Block] = [_tiles(story), Heading(say("What to do"), 2), Bullets(tuple(_steps(story)))]
    programme, target = story.plan.programme, story.plan.given.programme.target
    blocks.append(Heading(say("Revenue water, with the programme and without"), 2))
    blocks.append(ratio_plot(programme, target, story.wording, "plot-ratio"))
    blocks.append(Text(_verdict(story)))
    if story.plan.given.assumed:
        blocks.append(Text(_assumed(story), "soft"))
    return Section(tuple(blocks), (_listing(story),))


def _tiles(story: Story) -> Tiles:
    say, fill, wording = story.say, story.fill, story.wording
    programme, given = story.plan.programme, story.plan.given
    first, last = programme.years[0], programme.years[-1]
    saved = sum(year.saved for year in programme.years)
    reached = programme.reaches(given.programme.target)
    return Tiles((
        Tile(
            say("Cost of the programme"), wording.millions(story.spent),
            fill("{first} to {last}, {money} a year at most", first=first.year, last=last.year,
                 money=wording.millions(max(year.cost for year in programme.years))),
        ),
        Tile(
            say("Revenue water at the end"), wording.percent(last.ratio, 1),
            fill("90 % within {low} to {high}; without: {nothing}", low=wording.percent(last.ratio_low, 1),
                 high=wording.percent(last.ratio_high, 1), nothing=wording.percent(last.ratio_nothing, 1)),
        ),
        Tile(
            fill("Target of {share}", share=wording.percent(given.programme.target)),
            fill("reached in {year}", year=reached) if reached is not None else say("not reached"),
            fill("probability at the end of {year}: {share}", year=last.year, share=wording.percent(last.reached)),
        ),
        Tile(
            say("Water saved"), fill("{n} million m³", n=wording.number(story.saved_m3 / 1e6, 1)),
            fill("{volume} a day in {year}", volume=wording.volume(last.leakage_nothing - last.leakage),
                 year=last.year),
        ),
        Tile(
            say("Money saved"), wording.millions(saved),
            fill("{money} in {year}: water, repairs, pumping", money=wording.millions(last.saved), year=last.year),
        ),
        Tile(
            say("Payback"),
            str(programme.payback) if programme.payback is not None else say("not in these years"),
            fill("balance at the end of {year}: {money}, discounted by {share} a year", year=last.year,
                 money=wording.millions(last.balance), share=wording.percent(given.programme.discount, 1)),
        ),
        Tile(
            say("Energy"), fill("{n} MWh less a year", n=wording.number(last.energy / 1000.0)),
            fill("{n} t of CO₂ a year less in {year}", n=wording.number(last.co2 / 1000.0), year=last.year),
        ),
        Tile(
            say("Breaks"), fill("{n} a year", n=wording.number(last.breaks)),
            fill("in {year}; without the programme {n}", year=last.year, n=wording.number(last.breaks_nothing)),
        ),
        Tile(
            say("Renewed"), fill("{n} km", n=wording.number(last.renewed, 1)),
            fill("{n} measures in {years} years", n=wording.number(len(programme.measures)),
                 years=len(programme.years)),
        ),
    ))  # fmt: skip


def _steps(story: Story) -> list[str]:
    """One line for each kind of measure, in the order in which they begin."""
    grouped: dict[str, list[Measure]] = {}
    for measure in story.plan.programme.measures:
        grouped.setdefault(measure.kind, []).append(measure)
    lines = []
    for kind, measures in grouped.items():
        first, last = measures[0].year, measures[-1].year
        when = str(first) if first == last else story.fill("{first} to {last}", first=first, last=last)
        if len(measures) == 1:
            what = story.sentence(measures[0].what)
        elif kind == "survey":
            what = story.fill("leaks looked for in {n} years", n=len(measures))
        else:
            what = story.fill(
                "{km} km in {n} pipes, best first", km=story.wording.number(story.plan.programme.years[-1].renewed, 1),
                n=story.wording.number(len(story.year_of_pipe)),
            )  # fmt: skip
        lines.append(story.fill(
            "{when} – {kind}: {what}. {money}", when=when, kind=story.wording.words(KINDS, kind), what=what,
            money=story.wording.millions(sum(m.cost for m in measures)),
        ))  # fmt: skip
    return lines or [story.say("Nothing: the model names no measure that could be paid for.")]


def _verdict(story: Story) -> str:
    """What the plot says, in words; nothing is made better than it is."""
    programme, target = story.plan.programme, story.plan.given.programme.target
    last, share = programme.years[-1], story.wording.percent
    values = {"target": share(target), "year": last.year, "chance": share(last.reached), "ratio": share(last.ratio, 1)}
    if last.reached >= _SURE:
        return story.fill("The target of {target} is reached by {year} with a probability of {chance}.", **values)
    if last.ratio >= target:
        return story.fill(
            "The target of {target} is reached by {year} as simulated, but only with a probability of {chance}: what "
            "measures bring is uncertain, and each step is to be verified before the next.", **values
        )  # fmt: skip
    return story.fill(
        "The target of {target} is not reached by {year}: {ratio} is simulated, and the probability of the target is "
        "{chance}. More money, more years or more finding of leaks are needed.", **values
    )  # fmt: skip


def _assumed(story: Story) -> str:
    return story.wording.count(
        "{n} number behind this plan is an assumption of the program and not the utility's own; they are listed at "
        "the end. State your own in plan.toml and run umanflow plan again.",
        "{n} numbers behind this plan are assumptions of the program and not the utility's own; they are listed at "
        "the end. State your own in plan.toml and run umanflow plan again.",
        len(story.plan.given.assumed),
    )


def _listing(story: Story) -> Listing[tuple[str, float | None]]:
    say, programme = story.say, story.plan.programme
    last = programme.years[-1]
    money = {"currency": story.wording.currency}
    rows = [
        (story.fill("Cost of the programme, {currency}", **money), story.spent),
        (story.fill("Money saved, {currency}", **money), sum(year.saved for year in programme.years)),
        (story.fill("Discounted balance at the end, {currency}", **money), last.balance),
        (say("Year of payback"), None if programme.payback is None else float(programme.payback)),
        (say("Water saved, m³"), story.saved_m3),
        (say("Revenue water at the end"), last.ratio),
        (say("Revenue water at the end, low"), last.ratio_low),
        (say("Revenue water at the end, high"), last.ratio_high),
        (say("Revenue water at the end if nothing is done"), last.ratio_nothing),
        (say("Probability of the target"), last.reached),
        (say("Energy a year less, kWh"), last.energy),
        (say("CO₂ a year less, kg"), last.co2),
    ]
    fields = (
        Field[tuple[str, float | None]]("what", say("What"), lambda row: row[0]),
        Field[tuple[str, float | None]]("value", say("Value"), lambda row: row[1], "number", 2),
    )
    return Listing(say("Summary"), fields, rows)
