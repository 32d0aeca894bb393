"""`umanflow report`: a page for people, files for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    detections: Annotated[Path | None, typer.Option(help="Folder that umanflow detect wrote.")] = None,
    config: Annotated[Path | None, typer.Option(help="umanflow.toml: report a period of its historian.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Begin of the period, ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="End of the period, ISO 8601.")] = None,
    lang: Annotated[str, typer.Option(help="Language: en.")] = "en",
    formats: Annotated[str, typer.Option("--format", help="html, csv, json, geojson; several with commas.")] = "html",
) -> None:
    """Write a leak report.

    Example: umanflow report --detections found --out report --format html,csv
    """
    from umanflow.cli.progress import progress_bar
    from umanflow.config import read_config
    from umanflow.errors import UserError
    from umanflow.reporting import parse_formats, report_folder, report_period

    wanted = parse_formats(formats)
    if lang != "en":
        raise UserError(f"--lang {lang} is not built yet; there is en")
    if (detections is None) == (config is None):
        raise UserError("give either --detections DIR or --config FILE")
    if detections is not None:
        files = report_folder(detections, out, wanted)
    else:
        assert config is not None
        with progress_bar() as move:
            files = report_period(read_config(config), since, until, out, wanted, move)
    for file in files:
        typer.echo(str(file))
