"""`umanflow simulate`: one run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class EpanetVersion(StrEnum):
    """Which EPANET library runs."""

    v23 = "2.3"
    v22 = "2.2"


def simulate(
    network: Annotated[str, typer.Argument(metavar="NET", help="Catalogue name or INP file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Result: .parquet, .csv or .nc.")],
    hours: Annotated[float | None, typer.Option(help="Length of the run; the model's own by default.", min=0.0)] = None,
    pdd: Annotated[bool, typer.Option("--pdd", help="Pressure-driven demand, full at 20 m.")] = False,
    leak: Annotated[list[str] | None, typer.Option(help="PIPE:DIAMETER_MM[@HH:MM], again for more.")] = None,
    epanet: Annotated[EpanetVersion, typer.Option(help="Library: 2.3, or 2.2 as in WNTR.")] = EpanetVersion.v23,
) -> None:
    """Run a network in EPANET, in process, and write pressures, heads, demands, flows, velocities and statuses.

    A leak is a round hole in the middle of the pipe with a discharge coefficient of 0.75.

    Example: umanflow simulate ky4 --hours 24 --leak P-100:20@06:00 -o ky4.parquet
    """
    from hydro.export import check_path, write
    from hydro.run import parse_leak, run
    from networks import load
    from umanflow.cli.progress import progress_bar

    check_path(output)
    leaks = [parse_leak(text) for text in leak or []]
    opened = load(network)  # with what is known beside its INP
    with progress_bar() as move:
        results = run(opened, hours, pdd, leaks, epanet.value, lambda share: move("simulate", share))
    for warning in results.warnings:
        typer.echo(f"umanflow: {opened.source.name}: {warning}", err=True)
    write(results, output)
