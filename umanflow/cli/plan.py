"""`umanflow plan`: a modernisation plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plan(
    network: Annotated[str, typer.Argument(metavar="NET", help="Catalogue name or INP file.")],
    out: Annotated[Path, typer.Option(help="Folder of the plan.")],
    given: Annotated[Path | None, typer.Option("--input", help="TOML of prices, norms and rules.")] = None,
    tables: Annotated[Path | None, typer.Option(help="Folder of nodes.csv …; NAME.tables by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Plan blocks, pressure, loggers and renewal, and follow revenue water through the years.

    Every effect is simulated. OUT gets plan.json, tables as CSV, set-points for EPANET, and plan.toml: the whole input,
    with what was assumed marked, to be changed and run again.

    Example: umanflow plan uman --input plan.toml --out plan
    """
    from networks import load
    from umanflow.cli.progress import progress_bar
    from umanflow.cli.table import show
    from umanflow.planner.files import write_plan
    from umanflow.planner.inputs import read_input
    from umanflow.planner.study import make_plan

    wanted, city = read_input(given), load(network, tables=tables)
    with progress_bar() as move:
        found = make_plan(city, wanted, lambda share: move("plan", share))
    write_plan(found, out)
    if found.is_synthetic:
        typer.echo("umanflow: this network is SYNTHETIC", err=True)
    for note in (*found.diagnosis.gaps, *found.notes):
        typer.echo(f"umanflow: {note}", err=True)
    show(
        [
            {
                "year": year.year,
                "leakage m3/d": round(year.leakage),
                "without": round(year.leakage_nothing),
                "revenue water": round(year.ratio, 3),
                "low": round(year.ratio_low, 3),
                "high": round(year.ratio_high, 3),
                "breaks": round(year.breaks, 1),
                "renewed km": round(year.renewed, 1),
                "cost MUAH": round(year.cost / 1e6, 2),
                "saved MUAH": round(year.saved / 1e6, 2),
            }
            for year in found.programme.years
        ],
        as_json,
    )
