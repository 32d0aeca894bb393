"""The files of a plan's report; all of them from the same sections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from networks import Network
from umanflow.errors import UserError
from umanflow.planner.report.section import Section
from umanflow.planner.report.sections import SECTIONS
from umanflow.planner.report.story import Story
from umanflow.planner.study import Plan
from umanflow.report.banner import synthetic
from umanflow.report.blocks import Block, Document
from umanflow.report.layers import geojson_of, gpkg_of
from umanflow.report.site import site_of
from umanflow.report.workbook import Sheet, book_of
from umanflow.report.wording import Wording

FORMATS = ("html", "pdf", "xlsx", "geojson", "gpkg")


def plan_files(plan: Plan, network: Network, formats: Sequence[str], wording: Wording) -> dict[str, str | bytes]:
    """Make a plan's report; the same plan gives the same bytes.

    Parameters
    ----------
    network
        That the plan is of.
    formats
        Some of `FORMATS`.
    wording
        With the domain `plan`.

    Returns
    -------
    dict
        Content by file name.

    Raises
    ------
    UserError
        If GeoJSON is asked for and where the network lies on Earth is unknown.
    ReportError
        If a file cannot be made.
    """
    check_formats(network, formats)
    story = Story(plan, site_of(network, ()), wording)
    sections = [section for make in SECTIONS if (section := make(story)) is not None]
    date = datetime(plan.given.programme.start_year, 1, 1)  # noqa: DTZ001 a date, not a moment
    made: dict[str, str | bytes] = {}
    document = _document(story, sections)
    layers = [layer for section in sections for layer in section.layers]
    for name in formats:
        if name == "html":
            from umanflow.report.html import render_html

            made["plan.html"] = render_html(document)
        elif name == "pdf":
            from umanflow.report.pdf import render_pdf

            made["plan.pdf"] = render_pdf(document, date)
        elif name == "xlsx":
            made["plan.xlsx"] = book_of(_sheets(story, sections), document.title, date)
        elif name == "geojson":
            made["plan.geojson"] = geojson_of(layers, str(network.crs))
        elif name == "gpkg":
            made["plan.gpkg"] = gpkg_of(layers, network.crs, date)
    return made


def check_formats(network: Network, formats: Sequence[str]) -> None:
    """Refuse what cannot be made, before anything is computed.

    Raises
    ------
    UserError
        If GeoJSON is asked for and where the network lies on Earth is unknown.
    """
    if "geojson" in formats and network.crs is None:
        raise UserError(
            f"--format geojson: where {network.name} lies on Earth is not known; "
            "state it with --crs EPSG:..., or ask for gpkg"
        )


def _document(story: Story, sections: Sequence[Section]) -> Document:
    wording, years = story.wording, story.plan.programme.years
    blocks: list[Block] = [block for section in sections for block in section.blocks]
    return Document(
        title=wording.fill("Modernisation plan: {network}", network=story.plan.network),
        subtitle=wording.fill("{first} to {last}", first=years[0].year, last=years[-1].year),
        language=wording.language,
        banner=synthetic(wording) if story.plan.is_synthetic else "",
        blocks=tuple(blocks),
        footer=wording.say("Every effect is simulated in EPANET; what is assumed is listed above."),
        page_of=wording.say("page {n} of {of}"),
    )


def _sheets(story: Story, sections: Sequence[Section]) -> list[Sheet]:
    sheets = [listing.sheet(story.wording) for section in sections for listing in section.listings]
    if story.plan.is_synthetic:
        first = sheets[0]
        sheets[0] = Sheet(first.name, first.heads, [*first.rows, (synthetic(story.wording), None)])
    return sheets
