"""`umanflow sensitivity`: what a leak at each node does to the sensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sensitivity(
    network: Annotated[str, typer.Argument(metavar="NET", help="Catalogue name or INP file.")],
    sensors: Annotated[str, typer.Option(metavar="FILE|LIST", help="Nodes: a file, one a line, or a,b,c.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Result: .npz.")],
    hours: Annotated[float | None, typer.Option(help="Length of the run; the model's own by default.", min=0.0)] = None,
    flows: Annotated[str, typer.Option(metavar="FILE|LIST", help="Links with a flow meter too.")] = "",
    roughness: Annotated[bool, typer.Option("--roughness", help="Also by the roughness of every pipe.")] = False,
    pdd: Annotated[bool, typer.Option("--pdd", help="Pressure-driven demand, full at 20 m.")] = False,
) -> None:
    """Differentiate the pressure at sensors by a leak at every node, at each report step of a run.

    The file holds times (s), sensors, nodes and dpressure_dleak [step, sensor, node] in m per m3/s; cut_off marks
    nodes behind closed links, where a head has no meaning.

    Example: umanflow sensitivity L-TOWN --sensors n1,n105,n726 --hours 24 -o ltown.npz
    """
    from hydro.sensitivities import check_npz, write_sensitivity
    from hydro.sensitivities import sensitivity as compute
    from networks import load
    from umanflow.cli.names import read_names
    from umanflow.cli.progress import progress_bar

    check_npz(output)
    opened = load(network)
    nodes = read_names(sensors, "--sensors")
    links = read_names(flows, "--flows") if flows else []
    with progress_bar() as move:
        result = compute(
            opened, nodes, links, hours, roughness=roughness, pressure_driven=pdd,
            progress=lambda share: move("differentiate", share),
        )  # fmt: skip
    write_sensitivity(result, output)
