"""`umanflow plc`, `poll` and `history`: what runs beside a plant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from umanflow.logs import LogFormat, LogLevel, set_up_logging

history = typer.Typer(help="The historian.", no_args_is_help=True, rich_markup_mode=None)
_Config = Annotated[Path, typer.Option("--config", help="umanflow.toml")]


def plc(
    config: _Config,
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds.", min=0.0)] = None,
) -> None:
    """Serve simulated PLCs, driven by the hydraulic twin of the configured network.

    Example: umanflow plc --config umanflow.toml
    """
    from umanflow.config import read_config
    from umanflow.service import run_plc

    run_plc(read_config(config), duration)


def poll(
    config: _Config,
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds.", min=0.0)] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print the requests and their traffic, and stop.")] = False,
    status: Annotated[
        bool,
        typer.Option(
            "--status",
            help="With --duration: print each device's figures at the end. Alone: of whoever polls this configuration.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    log_format: Annotated[LogFormat, typer.Option(help="How log lines look on stderr.")] = LogFormat.TEXT,
    log_level: Annotated[LogLevel, typer.Option(help="The least that is logged.")] = LogLevel.INFO,
) -> None:
    """Poll the configured devices into the historian; only reads (function codes 1 to 4).

    Example: umanflow poll --config umanflow.toml --duration 60 --status
    """
    from umanflow.cli.table import show
    from umanflow.config import read_config
    from umanflow.errors import UserError
    from umanflow.polling import plan_rows, planned, traffic_rows
    from umanflow.pollstatus import headline, read_status, status_rows
    from umanflow.service import run_poll

    settings = read_config(config)
    if plan:
        found = planned(settings)
        show(plan_rows(found), as_json)
        if not as_json:
            typer.echo("")
            show(traffic_rows(found), as_json=False)
        return
    if status and duration is None:
        if not settings.metrics.status:
            raise UserError("[metrics] status is empty: no status is kept; set it, or add --duration to poll now")
        current = read_status(settings.path(settings.metrics.status))
    else:
        set_up_logging(log_level, log_format)
        current = run_poll(settings, duration)
    if status:
        if not as_json:
            typer.echo(headline(current))
        show(status_rows(current), as_json)


@history.command("export")
def export_history(
    config: _Config,
    output: Annotated[Path, typer.Option("-o", "--output", help="CSV or Parquet file.")],
    tags: Annotated[str | None, typer.Option(help="Names, separated by commas; all by default.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="ISO 8601 time.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="ISO 8601 time.")] = None,
    known_at: Annotated[
        str | None, typer.Option("--known-at", help="Only what had arrived by this time, as it was known then.")
    ] = None,
    daily: Annotated[
        bool, typer.Option("--daily", help="The output is a folder; one Parquet file for each day of UTC.")
    ] = False,
) -> None:
    """Write samples as time, tag, value, quality, reason.

    Example: umanflow history export --config umanflow.toml --from 2026-01-05 -o samples.csv
    """
    from umanflow.config import read_config
    from umanflow.errors import UserError
    from umanflow.service import export_days, export_samples

    names = [name.strip() for name in tags.split(",")] if tags else None
    if daily:
        if known_at is not None:
            raise UserError("--daily writes what is known now; leave --known-at out, or write one file")
        files = export_days(read_config(config), output, names, since, until)
        typer.echo(f"{len(files)} days in {output}")
        return
    rows = export_samples(read_config(config), output, names, since, until, known_at)
    typer.echo(f"{rows} samples in {output}")
