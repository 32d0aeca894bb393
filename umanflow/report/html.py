"""A report as one page that opens without a network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from networks import Topology
from umanflow.report.content import Content
from umanflow.report.network_map import draw_map
from umanflow.report.storing import replace_text
from umanflow.report.view import event_view, health_rows, minute, tiles_of, truth_rows, truth_sentence

_EVENT_HEADS = (
    "Detected",
    "Pipe",
    "Flow, m³/h",
    "Within 300 m",
    "Search, m",
    "Began",
    "Status",
    "District",
    "Lost, m³",
)
_TRUTH_HEADS = ("Pipe", "Began", "Flow, m³/h", "Result", "Detected", "Distance, m", "Estimate, m³/h")
_HEALTH_HEADS = ("Sensor", "Quantity", "Received", "Status", "Note")


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("umanflow.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.j2")


def render_html(content: Content, topology: Topology, sensors: Sequence[str]) -> str:
    """Render a report as one self-contained page; the same content gives the same text.

    Parameters
    ----------
    content
        What it says.
    topology
        Of the network; a pipe that it does not have is listed, but neither measured nor drawn.
    sensors
        Nodes or links with an instrument, for the map.
    """
    unknown = sorted({row.pipe_best for row in content.events} - set(topology.link_index))
    return _template().render(
        content=content,
        period=f"{minute(content.period_start)} to {minute(content.period_end)}",
        created=minute(content.created),
        tiles=tiles_of(content.summary),
        event_heads=_EVENT_HEADS,
        events=[event_view(row, content, topology, sensors) for row in content.events],
        map=draw_map(content.events, topology, sensors, content.crs, "map"),
        unknown=", ".join(unknown),
        truth_heads=_TRUTH_HEADS,
        truth=None if content.truth is None else truth_rows(content.truth),
        truth_sentence=truth_sentence(content),
        health_heads=_HEALTH_HEADS,
        health=health_rows(content.health),
    )


def write_report(content: Content, topology: Topology, sensors: Sequence[str], folder: Path) -> Path:
    """Write report.html; its path is returned.

    Raises
    ------
    ReportError
        If the folder cannot be written.
    """
    path = folder / "report.html"
    replace_text(path, render_html(content, topology, sensors))
    return path
