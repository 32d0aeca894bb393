"""`umanflow plan`: a modernisation plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from umanflow.planner.study import Plan


def plan(
    network: Annotated[str, typer.Argument(metavar="NET", help="Catalogue name or INP file.")],
    out: Annotated[Path, typer.Option(help="Folder of the plan.")],
    given: Annotated[Path | None, typer.Option("--input", help="TOML of prices, norms and rules.")] = None,
    tables: Annotated[Path | None, typer.Option(help="Folder of nodes.csv …; NAME.tables by default.")] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of the INP's coordinates, such as EPSG:32636.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the report: uk, en, or uk,en for both.")] = "en",
    units: Annotated[str, typer.Option(help="Unit of flows: m3/h or L/s.")] = "m3/h",
    formats: Annotated[
        str, typer.Option("--format", help="html,pdf,xlsx,geojson,gpkg; csv and json are always written.")
    ] = "html",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Plan blocks, pressure, loggers and renewal, and follow revenue water through the years.

    Every effect is simulated. OUT gets the report, plan.json, tables as CSV, set-points for EPANET, and plan.toml: the
    whole input, with what was assumed marked, to be changed and run again.

    Example: umanflow plan uman --input plan.toml --out plan --lang uk --format html,pdf,xlsx
    """
    from networks import load
    from umanflow.cli.progress import progress_bar
    from umanflow.planner.files import write_plan
    from umanflow.planner.inputs import read_input
    from umanflow.planner.report import FORMATS, plan_files, wordings
    from umanflow.planner.report.files import check_formats
    from umanflow.planner.study import make_plan
    from umanflow.report.storing import replace_bytes
    from umanflow.reporting import parse_formats

    languages, wanted = wordings(lang, units), parse_formats(formats, (*FORMATS, "csv", "json"))
    entered, city = read_input(given), load(network, crs, tables)
    check_formats(city, wanted)
    with progress_bar() as move:
        found = make_plan(city, entered, lambda share: move("plan", share))
    report = plan_files(found, city, wanted, languages)
    write_plan(found, out)
    for name, body in report.items():
        replace_bytes(out / name, body)
    _print(found, as_json)


def _print(found: Plan, as_json: bool) -> None:
    """What is worth knowing at once: notes on stderr, the years as a table."""
    from umanflow.cli.table import show

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
