"""`umanflow detect`: batch detection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def detect(
    network: Annotated[str, typer.Option(help="INP file or catalogue name.")],
    data: Annotated[Path, typer.Option(help="Folder in BattLeDIM's layout.")],
    out: Annotated[Path, typer.Option(help="Folder for leaks.csv and its like.")],
    history: Annotated[Path | None, typer.Option(help="Folder of what came before.")] = None,
    repairs: Annotated[Path | None, typer.Option(help="CSV pipe,repaired[,found,measured_flow_m3h].")] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone of timestamps that carry none.")] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of the INP's coordinates, such as EPSG:32636.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find leaks in a folder of measurements, and say what each zone loses at night.

    Example: umanflow detect --network city.inp --history 2018 --data 2019 --repairs repairs.csv --out found
    """
    from networks import load
    from umanflow.cli.progress import progress_bar
    from umanflow.cli.table import show
    from umanflow.detection import detect_folder
    from umanflow.zonefiles import zone_rows

    with progress_bar() as move:
        found = detect_folder(load(network, crs), data, history, repairs, out, timezone, move)
    show(
        [
            {
                "event": leak.event,
                "detected": leak.detected.strftime("%Y-%m-%d %H:%M"),
                "pipe": leak.pipe,
                "m3/h": round(3600.0 * leak.flow.flow, 2),
                "kind": leak.kind,
                "pipe now": leak.pipe_best,
                "status": leak.status,
            }
            for leak in found.leaks
        ],
        as_json,
    )
    if not as_json:
        print()
        show(zone_rows(found.statement), as_json=False)
    for limit in found.health.limits:
        typer.echo(limit, err=True)
