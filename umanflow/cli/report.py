"""`umanflow report`: a page and a paper for people, files for programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from umanflow.config import Config
    from umanflow.reporting import Request

_SOURCES = ("--detections", "--config", "--data")
_GOES_WITH = {
    "--from": ("--config",),
    "--to": ("--config",),
    "--last": ("--config",),
    "--network": ("--data", "--detections"),
    "--crs": ("--data", "--detections"),
    "--history": ("--data",),
    "--timezone": ("--data",),
    "--repairs": ("--data", "--config"),
}


def report(
    out: Annotated[Path, typer.Option(help="Folder for the report; {date} in it becomes the period's last day.")],
    detections: Annotated[Path | None, typer.Option(help="Folder that umanflow detect wrote.")] = None,
    config: Annotated[Path | None, typer.Option(help="umanflow.toml: report a period of its historian.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Begin of the period, ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="End of the period, ISO 8601.")] = None,
    last: Annotated[int | None, typer.Option(min=1, help="With --config: the last so many whole days.")] = None,
    network: Annotated[str | None, typer.Option(help="INP file or catalogue name, with --data.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder in BattLeDIM's layout: detect, then report.")] = None,
    history: Annotated[Path | None, typer.Option(help="With --data: folder of what came before.")] = None,
    repairs: Annotated[Path | None, typer.Option(help="What crews found: CSV, or report.xlsx filled in.")] = None,
    timezone: Annotated[str | None, typer.Option(help="With --data: zone of timestamps that carry none.")] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of the INP's coordinates, such as EPSG:32636.")] = None,
    tables: Annotated[
        Path | None, typer.Option(help="Folder with valves.csv, nodes.csv, pipes.csv of the INP.")
    ] = None,
    lang: Annotated[str | None, typer.Option(help="Language: uk or en.")] = None,
    units: Annotated[str | None, typer.Option(help="Unit of flows: m3/h or L/s.")] = None,
    cost: Annotated[float | None, typer.Option(min=0.0, help="Cost of a lost m3; money is unknown without.")] = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217 code of --cost; UAH by default.")] = None,
    formats: Annotated[str, typer.Option("--format", help="html,pdf,csv,xlsx,geojson,gpkg,json")] = "html",
) -> None:
    """Write a leak report.

    Example: umanflow report --detections found --out report --lang uk --cost 34.16 --format html,pdf,xlsx
    """
    from umanflow.config import read_config
    from umanflow.reporting import parse_formats, report_folder

    wanted = parse_formats(formats)
    _check({
        "--detections": detections, "--config": config, "--data": data, "--from": since, "--to": until, "--last": last,
        "--network": network, "--history": history, "--repairs": repairs, "--timezone": timezone, "--crs": crs,
    })  # fmt: skip
    settings = read_config(config) if config is not None else None
    request = _request(settings, out, wanted, _Money(cost, currency), lang, units, tables)
    if detections is not None:
        files = report_folder(detections, request, network, crs)
    elif settings is not None:
        files = _of_period(settings, request, (since, until), last, repairs)
    else:
        assert network is not None
        assert data is not None
        files = _of_files(network, data, request, history, repairs, timezone, crs)
    for file in files:
        typer.echo(str(file))


class _Money(NamedTuple):
    """What a lost m3 costs, as far as the command line says so."""

    cost: float | None
    currency: str | None


def _request(
    settings: Config | None,
    out: Path,
    formats: tuple[str, ...],
    money: _Money,
    lang: str | None,
    units: str | None,
    tables: Path | None,
) -> Request:
    """How the report is asked for: the command line, else the configuration, else what is usual."""
    from umanflow.config import ReportSection
    from umanflow.reporting import Request

    section = settings.report if settings is not None else ReportSection()
    said = settings.path(section.tables) if settings is not None and section.tables else None
    return Request(
        out=out,
        formats=formats,
        language=lang or (settings.language if settings is not None else "en"),
        units=units or section.units,
        cost_per_m3=money.cost if money.cost is not None else section.cost_per_m3,
        currency=money.currency or section.currency,
        tables=tables or said,
    )


def _of_period(
    settings: Config,
    request: Request,
    period: tuple[str | None, str | None],
    last: int | None,
    repairs: Path | None,
) -> list[Path]:
    """Detect and report a period of the historian."""
    from umanflow.cli.progress import progress_bar
    from umanflow.reporting import last_days, report_period

    with progress_bar() as move:
        begin, end = last_days(last, settings.timezone) if last is not None else period
        return report_period(settings, begin, end, request, repairs, move)


def _of_files(
    network: str,
    data: Path,
    request: Request,
    history: Path | None,
    repairs: Path | None,
    timezone: str | None,
    crs: str | None,
) -> list[Path]:
    """Detect and report what a data folder holds."""
    from networks import load
    from umanflow.cli.progress import progress_bar
    from umanflow.reporting import report_files

    with progress_bar() as move:
        return report_files(load(network, crs, request.tables), data, history, repairs, request, timezone, move)


def _check(given: Mapping[str, object]) -> None:
    """Refuse options that would be ignored."""
    from umanflow.errors import UserError

    sources = [name for name in _SOURCES if given[name] is not None]
    if len(sources) != 1:
        raise UserError("give one of --detections DIR, --config FILE, and --network NET --data DIR")
    for option, partners in _GOES_WITH.items():
        if given[option] is not None and sources[0] not in partners:
            raise UserError(f"{option} goes with {' or '.join(partners)}, not with {sources[0]}; leave it out")
    if given["--last"] is not None and (given["--from"] is not None or given["--to"] is not None):
        raise UserError("--last is a period already; leave out --from and --to")
    if given["--data"] is not None and given["--network"] is None:
        raise UserError("--data needs --network: an INP file or a catalogue name")
