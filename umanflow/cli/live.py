"""`umanflow plc`, `poll` and `history`: what runs beside a plant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    plan: Annotated[bool, typer.Option("--plan", help="Print the requests of the plan and stop.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Print each device's figures at the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Poll the configured devices into the historian; only reads (function codes 1 to 4).

    Example: umanflow poll --config umanflow.toml --duration 60 --status
    """
    from umanflow.cli.table import show
    from umanflow.config import read_config
    from umanflow.service import plan_rows, run_poll, status_rows

    settings = read_config(config)
    if plan:
        show(plan_rows(settings), as_json)
        return
    reader = run_poll(settings, duration)
    if status:
        show(status_rows(reader), as_json)


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
