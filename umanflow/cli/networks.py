"""`umanflow networks`: the catalogue and the model check."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="The catalogue of networks.", no_args_is_help=True, rich_markup_mode=None)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_networks(as_json: _Json = False) -> None:
    """List every network that can be opened by name.

    Example: umanflow networks list --json
    """
    from networks import catalogue
    from umanflow.cli.table import show

    show(
        [
            {"name": e.name, "source": e.source, "kB": round(e.size_bytes / 1000), "description": e.description}
            for e in catalogue()
        ],
        as_json,
    )


@app.command("show")
def show_network(
    name: Annotated[str, typer.Argument(help="Catalogue name or INP file.")], as_json: _Json = False
) -> None:
    """Show what a network consists of.

    Example: umanflow networks show ky4
    """
    import numpy as np

    from hydro.engine import Engine
    from networks import load
    from umanflow.cli.table import show

    network = load(name)
    with Engine(network) as engine:
        topology = engine.topology
        demand = np.mean([engine.demand_at(hour * 3600) for hour in range(24)], axis=0).sum() * 3600.0
        facts: dict[str, object] = {
            "name": network.name,
            "file": str(network.source),
            "sha256": network.sha256,
            "junctions": len(engine.junctions),
            "tanks": len(engine.tanks),
            "reservoirs": int((engine.node_types == 1).sum()),
            "pipes": len(topology.pipes),
            "pumps": len(engine.pumps),
            "valves": int((engine.link_types > 2).sum()),
            "pipe length km": round(float(topology.length.sum()) / 1000.0, 3),
            "mean demand m3/h": round(float(demand), 3),
        }
    if as_json:
        show([facts], True)
    else:
        show([{"what": key, "value": str(value)} for key, value in facts.items()], False)


@app.command("check")
def check_network(
    file: Annotated[str, typer.Argument(metavar="FILE", help="INP file or catalogue name.")],
    as_json: _Json = False,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Findings to show of each check; JSON has all.")] = 5,
    fail_on: Annotated[
        Literal["error", "warning", "never"],
        typer.Option("--fail-on", help="Exit with 1 when there is a finding this bad, for use in CI."),
    ] = "never",
) -> None:
    """Check a model: what EPANET refuses, what cannot be meant, and what its first day shows.

    Example: umanflow networks check city.inp --fail-on error
    """
    from umanflow.checking import check_file
    from umanflow.cli.findings import show_findings

    report = check_file(file)
    show_findings(report, rows, as_json)
    if report.is_as_bad_as(fail_on):
        raise typer.Exit(1)


@app.command("export")
def export_network(
    name: Annotated[str, typer.Argument(help="Catalogue name or INP file.")],
    file: Annotated[Path, typer.Argument(help="INP file to write.")],
) -> None:
    """Copy a network's INP file.

    Example: umanflow networks export ky4 ky4.inp
    """
    from networks import load

    network = load(name)
    temporary = file.with_name(f".{file.name}")
    shutil.copyfile(network.source, temporary)
    temporary.replace(file)
