"""`umanflow networks`: the catalogue and the model check."""

from __future__ import annotations

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

    entries = catalogue()
    if as_json:
        fields = ("name", "source", "licence", "size_bytes", "sha256", "crs", "description")
        rows = [{**{field: getattr(e, field) for field in fields}, "path": str(e.path)} for e in entries]
    else:
        rows = [
            {"name": e.name, "source": e.source, "kB": round(e.size_bytes / 1000), "description": e.description}
            for e in entries
        ]
    show(rows, as_json)


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
            "crs": network.crs,
            "junctions": len(engine.junctions),
            "tanks": len(engine.tanks),
            "reservoirs": int((engine.node_types == 1).sum()),
            "pipes": len(topology.pipes),
            "pumps": len(engine.pumps),
            "valves": int((engine.link_types > 2).sum()),
            "pipe length km": round(float(topology.length.sum()) / 1000.0, 3),
            "mean demand m3/h": round(float(demand), 3),
            "leaking pipes": len(network.leakage) if network.leakage is not None else 0,
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


@app.command("dmas")
def show_dmas(
    name: Annotated[str, typer.Argument(metavar="NET", help="Catalogue name or INP file.")],
    meters: Annotated[str, typer.Option(help="Metered links, by comma, where no table beside the INP has them.")] = "",
    as_json: _Json = False,
) -> None:
    """Show a network's districts: inlets, boundary valves, what is inside, and whether they are isolated.

    Example: umanflow networks dmas uman
    """
    from networks import load
    from umanflow.cli.districts import rows_of
    from umanflow.cli.table import show
    from umanflow.districts import find_districts

    network = load(name)
    found = find_districts(network, [meter.strip() for meter in meters.split(",") if meter.strip()])
    show(rows_of(network, found, as_json), as_json)
    if not found:
        typer.echo("no districts: no meters are known that cut one out; name metered links with --meters", err=True)


@app.command("export")
def export_network(
    name: Annotated[str, typer.Argument(help="Catalogue name or INP file.")],
    file: Annotated[Path, typer.Argument(help="File to write: .inp, .gpkg, .geojson, .json or .shp.")],
    crs: Annotated[str | None, typer.Option(help="CRS of the network's coordinates, such as EPSG:32636.")] = None,
    leakage: Annotated[
        Literal["emitters", "favad", "none"] | None,
        typer.Option(
            help="In an INP: emitters for EPANET 2.2 and WNTR, favad for EPANET 2.3's [LEAKAGE]; by default emitters "
            "where the leakage stands beside the INP, else as the INP has it."
        ),
    ] = None,
) -> None:
    """Write a network as INP, GeoPackage, GeoJSON or shapefiles, as the ending says.

    Example: umanflow networks export ky4 ky4.inp
    """
    from networks import load
    from networks.errors import GisError
    from umanflow.exporting import export_inp

    network = load(name, crs)
    if file.suffix.lower() == ".inp":
        if not file.parent.is_dir():
            raise GisError(f"{file.parent}: no such folder")
        export_inp(network, file, leakage)
    else:
        from networks.gis import write_gis

        write_gis(network, file)


@app.command("import")
def import_network(
    package: Annotated[
        Path | None, typer.Argument(help="GeoPackage with layers called junctions, tanks, reservoirs, pipes, …")
    ] = None,
    nodes: Annotated[str | None, typer.Option(help="Layer of nodes: FILE.shp or FILE.gpkg:LAYER.")] = None,
    junctions: Annotated[str | None, typer.Option(help="Layer of junctions.")] = None,
    tanks: Annotated[str | None, typer.Option(help="Layer of tanks.")] = None,
    reservoirs: Annotated[str | None, typer.Option(help="Layer of reservoirs.")] = None,
    pipes: Annotated[str | None, typer.Option(help="Layer of pipes.")] = None,
    pumps: Annotated[str | None, typer.Option(help="Layer of pumps.")] = None,
    valves: Annotated[str | None, typer.Option(help="Layer of valves.")] = None,
    columns: Annotated[Path | None, typer.Option(help="TOML file: which column holds what.")] = None,
    crs: Annotated[str | None, typer.Option(help="CRS to write in; needed where the layers state none.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="INP file to write.")] = Path("network.inp"),
) -> None:
    """Make an INP of GIS layers.

    Example: umanflow networks import --pipes pipes.shp --nodes nodes.shp --columns map.toml -o town.inp
    """
    from networks.errors import GisError
    from networks.export import write_whole
    from networks.gisimport import ColumnMap, read_gis

    named = {"nodes": nodes, "junctions": junctions, "tanks": tanks, "reservoirs": reservoirs, "pipes": pipes,
             "pumps": pumps, "valves": valves}  # fmt: skip
    sources = {kind: place for kind, place in named.items() if place is not None}
    if package is not None and sources:
        raise GisError("name one GeoPackage, or a layer for each kind of element, not both")
    if package is not None:
        sources = {"package": str(package)}
    imported = read_gis(sources, ColumnMap.read(columns) if columns is not None else None, crs)
    write_whole(out, imported.inp)
    for note in imported.notes:
        typer.echo(note, err=True)
    typer.echo(f"{out}: coordinates are in {imported.crs}; an INP cannot say so, state it as crs in the configuration")
