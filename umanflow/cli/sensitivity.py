"""`umanflow sensitivity`: what a leak at each node does to the sensors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

_BETWEEN = re.compile(r"[\s,;]+")


def _names(text: str) -> list[str]:
    """Names in a file, or in the text itself: EPANET's names hold neither blanks nor commas."""
    from umanflow.errors import UserError

    path = Path(text)
    try:
        is_file = path.is_file()
    except OSError:  # a list longer than a path may be
        is_file = False
    if is_file:
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: cannot be read as text: {error}; write one name a line") from error
        text = "\n".join(line.split("#")[0] for line in text.splitlines())
    elif path.suffix in (".txt", ".csv"):
        raise UserError(f"{path}: no such file; give a file with one name a line, or names with commas between")
    names = [name for name in _BETWEEN.split(text) if name]
    if not names:
        raise UserError(f"--sensors {path}: no names in it; write one a line, or commas between them")
    return names


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
    from umanflow.cli.progress import progress_bar

    check_npz(output)
    opened = load(network)
    nodes, links = _names(sensors), _names(flows) if flows else []
    with progress_bar() as move:
        result = compute(
            opened, nodes, links, hours, roughness=roughness, pressure_driven=pdd,
            progress=lambda share: move("differentiate", share),
        )  # fmt: skip
    write_sensitivity(result, output)
