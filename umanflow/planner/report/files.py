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
from umanflow.report.site import Site, site_of
from umanflow.report.wording import Wording
from umanflow.report.workbook import Sheet, book_of

FORMATS = ("html", "pdf", "xlsx", "geojson", "gpkg")
_TOLD = ("html", "pdf", "xlsx")


def wordings(languages: str, units: str = "m3/h") -> tuple[Wording, ...]:
    """The languages of a list such as "uk,en".

    Raises
    ------
    ReportError
        If there is no such language or unit.
    """
    names = dict.fromkeys(part.strip() for part in languages.split(",") if part.strip())
    return tuple(Wording(name, units, domain="plan") for name in names) or (Wording(units=units, domain="plan"),)


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


def plan_files(plan: Plan, network: Network, formats: Sequence[str], languages: Sequence[Wording]) -> dict[str, bytes]:
    """Make a plan's report; the same plan gives the same bytes.

    Parameters
    ----------
    network
        That the plan is of.
    formats
        Some of `FORMATS`; others are passed over.
    languages
        With the domain `plan`; with more than one, names say which (plan-uk.html). Layers are in none.

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
    site = site_of(network, ())
    date = datetime(plan.given.programme.start_year, 1, 1)  # noqa: DTZ001 a date, not a moment
    made: dict[str, bytes] = {}
    for number, wording in enumerate(languages):
        stem = "plan" if len(languages) == 1 else f"plan-{wording.language}"
        story = Story(plan, site, wording)
        sections = [section for make in SECTIONS if (section := make(story)) is not None]
        for name in formats:
            if name in _TOLD:
                made[f"{stem}.{name}"] = _told(story, sections, name, date)
            elif number == 0 and name in FORMATS:
                made[f"plan.{name}"] = _layers(sections, name, site, date)
    return made


def _told(story: Story, sections: Sequence[Section], name: str, date: datetime) -> bytes:
    """A file in the reader's language."""
    from umanflow.report.html import render_html
    from umanflow.report.pdf import render_pdf

    document = _document(story, sections)
    if name == "html":
        return render_html(document).encode("utf-8")
    if name == "pdf":
        return render_pdf(document, date)
    return book_of(_sheets(story, sections), document.title, date)


def _layers(sections: Sequence[Section], name: str, site: Site, date: datetime) -> bytes:
    layers, crs = [layer for section in sections for layer in section.layers], site.network.crs
    return geojson_of(layers, str(crs)).encode("utf-8") if name == "geojson" else gpkg_of(layers, crs, date)


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
    """A sheet for each list, the first with what must be said of a made-up network."""
    sheets = [listing.sheet(story.wording) for section in sections for listing in section.listings]
    if story.plan.is_synthetic:
        first = sheets[0]
        sheets[0] = Sheet(first.name, first.heads, [*first.rows, (synthetic(story.wording), None)])
    return sheets
