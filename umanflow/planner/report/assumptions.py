"""What the plan was computed from: every number, whether somebody stated it, and the versions of data and program."""

from __future__ import annotations

import platform
from importlib.metadata import version

from umanflow.planner.report.section import Section
from umanflow.planner.report.story import Story
from umanflow.planner.report.words import GIVEN
from umanflow.report.blocks import Block, Heading, Text
from umanflow.report.listing import Field, Listing, yes_or_no
from umanflow.report.wording import NONE

_PROGRAMS = ("umanflow", "wntr", "owa-epanet", "numpy", "scipy", "scikit-learn")
Given = tuple[str, object, bool]


def assumptions(story: Story) -> Section:
    """The last section."""
    say, wording = story.say, story.wording
    given, versions = _given(story), _versions(story)
    blocks: list[Block] = [
        Heading(say("Assumptions"), 2, "assumptions"),
        Text(say(
            "Every number that the plan is made from, as it stands in plan.toml. “Assumed” is what nobody stated: the "
            "program's own value, to be replaced by the utility's."
        ), "lead"),
        given.table(wording, is_compact=True),
        Heading(say("Versions of data, model and program"), 2),
        versions.table(wording, is_compact=True),
    ]  # fmt: skip
    return Section(tuple(blocks), (given, versions))


def _given(story: Story) -> Listing[Given]:
    say, given = story.say, story.plan.given
    assumed = set(given.assumed)
    rows = [
        (f"{section}.{key}", getattr(getattr(given, section), key), f"{section}.{key}" in assumed)
        for section in type(given).model_fields
        for key in type(getattr(given, section)).model_fields
    ]
    fields = (
        Field[Given]("key", say("In plan.toml"), lambda row: row[0], weight=1.6),
        Field[Given]("what", say("What"), lambda row: story.wording.words(GIVEN, row[0]), weight=3.0),
        Field[Given]("value", say("Value"), lambda row: _value(story, row), weight=1.2),
        Field[Given]("assumed", say("Assumed"), lambda row: row[2], "flag", weight=0.8),
    )
    return Listing(say("Assumptions"), fields, rows)


def _value(story: Story, row: Given) -> str:
    """A value in words; years and seeds without separators."""
    key, value, _ = row
    if isinstance(value, bool):
        return yes_or_no(value, story.wording)
    if isinstance(value, (int, float)):
        whole = isinstance(value, int) or float(value).is_integer()
        digits = 0 if whole else len(f"{value:.9f}".rstrip("0").rpartition(".")[2])
        return str(value) if key.endswith((".start_year", ".seed")) else story.wording.number(value, digits)
    if isinstance(value, tuple):
        return "; ".join(_value(story, ("", part, False)) for part in value) or NONE
    return str(value)


def _versions(story: Story) -> Listing[tuple[str, str]]:
    plan = story.plan
    rows = [(story.say("Network"), plan.network), ("SHA-256", plan.sha256), ("Python", platform.python_version())]
    rows += [(name, version(name)) for name in _PROGRAMS]
    fields = (
        Field[tuple[str, str]]("what", story.say("What"), lambda row: row[0]),
        Field[tuple[str, str]]("version", story.say("Version"), lambda row: row[1], weight=2.0),
    )
    return Listing(story.say("Versions"), fields, rows)
