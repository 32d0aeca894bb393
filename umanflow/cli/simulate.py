"""`umanflow simulate`: one run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hydro.scenario import Scenario


class EpanetVersion(StrEnum):
    """Which EPANET library runs."""

    v23 = "2.3"
    v22 = "2.2"


Kind = Annotated[
    str | None, typer.Option("--quality", metavar="KIND", help="Water quality: age, chlorine, trace:NODE, or model.")
]
Dose = Annotated[float, typer.Option("--chlorine", help="Chlorine at the sources, mg/L.", min=0.0)]
Bulk = Annotated[float, typer.Option("--bulk", help="Chlorine decay in the water, 1/d.", max=0.0)]
Wall = Annotated[float, typer.Option("--wall", help="Chlorine decay at pipe walls, m/d.", max=0.0)]


def simulate(
    network: Annotated[str, typer.Argument(metavar="NET", help="Catalogue name or INP file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Result: .parquet, .csv or .nc.")],
    hours: Annotated[float | None, typer.Option(help="Length of the run; the model's own by default.", min=0.0)] = None,
    pdd: Annotated[bool, typer.Option("--pdd", help="Pressure-driven demand, full at 20 m.")] = False,
    leak: Annotated[list[str] | None, typer.Option(help="PIPE:DIAMETER_MM[@HH:MM], again for more.")] = None,
    scenario: Annotated[
        str | None, typer.Option(metavar="FILE[:NAME]", help="What happens: a scenario of a .csv or .toml.")
    ] = None,
    quality: Kind = None,
    chlorine: Dose = 0.5,
    bulk: Bulk = -0.5,
    wall: Wall = 0.0,
    epanet: Annotated[EpanetVersion, typer.Option(help="Library: 2.3, or 2.2 as in WNTR.")] = EpanetVersion.v23,
) -> None:
    """Run a network in EPANET, in process, and write pressures, heads, demands, flows, velocities and statuses.

    A leak is a round hole in the middle of the pipe with a discharge coefficient of 0.75. A file of scenarios also
    holds bursts, closures, pump trips, power cuts, surges of demand and fires; docs/scenarios.md lists its columns.

    Example: umanflow simulate ky4 --hours 24 --leak P-100:20@06:00 --quality age -o ky4.parquet
    """
    from hydro.export import check_path, write
    from hydro.quality import Quality
    from hydro.run import run
    from networks import load
    from umanflow.cli.progress import progress_bar

    check_path(output)
    story = _story(scenario, leak or [], pdd)
    followed = Quality.parse(quality, chlorine, bulk, wall) if quality is not None else None
    opened = load(network)  # with what is known beside its INP
    with progress_bar() as move:
        results = run(opened, story, hours, epanet.value, followed, lambda share: move("simulate", share))
    for warning in results.warnings:
        typer.echo(f"umanflow: {opened.source.name}: {warning}", err=True)
    write(results, output)


def _story(scenario: str | None, leaks: list[str], pdd: bool) -> Scenario:
    """The scenario that the options ask for, together."""
    from dataclasses import replace

    from hydro.run import parse_leak
    from hydro.scenario import Scenario

    base = _from_file(scenario) if scenario is not None else Scenario()
    story = replace(base, events=(*base.events, *(parse_leak(text) for text in leaks)))
    return driven(story) if pdd else story


def driven(story: Scenario) -> Scenario:
    """Let demand follow the pressure, full at 20 m where the scenario does not say."""
    from dataclasses import replace

    from hydro.scenario import PressureDriven

    return replace(story, pressure_driven=story.pressure_driven or PressureDriven())


def _from_file(text: str) -> Scenario:
    """One scenario of `FILE` or `FILE:NAME`."""
    from hydro.scenariofile import read_scenarios
    from umanflow.errors import UserError

    file, _, name = (text, "", "") if Path(text).is_file() else text.rpartition(":")
    found = list(read_scenarios(Path(file or text)))
    if not found:
        raise UserError(f"{file or text}: holds no scenario; write a row for each event")
    wanted = [scenario for scenario in found if not name or scenario.name == name]
    if len(wanted) != 1:
        names = ", ".join(s.name for s in found[:10])
        raise UserError(f"{file}: name one of its {len(found)} scenarios, such as {file}:{found[0].name} ({names})")
    return wanted[0]
