"""`umanflow batch`: many scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from umanflow.cli.simulate import Bulk, Dose, EpanetVersion, Kind, Wall


def batch(
    network: Annotated[str, typer.Argument(metavar="NET", help="Catalogue name or INP file.")],
    scenarios: Annotated[Path, typer.Option(metavar="FILE", help="Scenarios: .csv or .toml.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Result: .parquet, .csv or .nc.")],
    sensors: Annotated[
        str, typer.Option(metavar="FILE|LIST", help="Nodes to keep; by default the network's own sensors.")
    ] = "",
    flows: Annotated[str, typer.Option(metavar="FILE|LIST", help="Links to keep.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Keep everything of every node and link.")] = False,
    hours: Annotated[
        float | None, typer.Option(help="Length of each run; the model's own by default.", min=0.0)
    ] = None,
    pdd: Annotated[bool, typer.Option("--pdd", help="Pressure-driven demand, full at 20 m.")] = False,
    quality: Kind = None,
    chlorine: Dose = 0.5,
    bulk: Bulk = -0.5,
    wall: Wall = 0.0,
    accuracy: Annotated[
        float | None,
        typer.Option(help="EPANET's accuracy; the model's, with leaks at most 1e-6, by default.", min=1e-8),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Our own solver where it proves heads within 1 mm of EPANET's.")
    ] = False,
    jobs: Annotated[int, typer.Option(help="Processes; -1 for all cores.")] = -1,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler, such as tcp://host:8786.")
    ] = None,
    epanet: Annotated[EpanetVersion, typer.Option(help="Library: 2.3, or 2.2 as in WNTR.")] = EpanetVersion.v23,
) -> None:
    """Run many scenarios of one network exactly and write one file.

    A network that lists no sensors keeps every pressure, the tanks' levels, and the flows of pumps and sources.
    Killed and started again, it goes on where it was: finished parts stand in OUTPUT.parts until the file is whole.
    docs/scenarios.md lists the columns of both files.

    Example: umanflow batch ky4 --scenarios leaks.csv --sensors J-10,J-100 --jobs 4 -o leaks.parquet
    """
    from hydro.batch import EVERYTHING, Sensors, run_batch
    from hydro.export import check_path
    from hydro.quality import Quality
    from hydro.scenariofile import read_scenarios
    from hydro.targets import check_scenarios
    from networks import load
    from umanflow.cli.names import read_names
    from umanflow.cli.progress import counting_bar
    from umanflow.cli.simulate import driven

    if jobs == 0 or jobs < -1:
        raise typer.BadParameter("a number of processes, or -1 for all cores", param_hint="--jobs")
    check_path(output)
    followed = Quality.parse(quality, chlorine, bulk, wall) if quality is not None else None
    wanted = EVERYTHING if everything else None
    if (sensors or flows) and not everything:
        nodes = read_names(sensors, "--sensors") if sensors else []
        wanted = Sensors(tuple(nodes), tuple(read_names(flows, "--flows") if flows else []))
    opened = load(network)
    # every mistake in the file is said before anything runs
    total = check_scenarios(opened, read_scenarios(scenarios), str(scenarios), epanet.value)
    stories = (driven(story) if pdd else story for story in read_scenarios(scenarios))
    with counting_bar("scenarios", total) as move:
        done = run_batch(
            opened, stories, output, wanted, hours, epanet.value, accuracy, fast, jobs, dask, progress=move,
            quality=followed,
        )  # fmt: skip
    for name, why in list(done.failed.items())[:10]:
        typer.echo(f"umanflow: scenario {name}: {why}", err=True)
    failed = f", {len(done.failed)} could not be run" if done.failed else ""
    quick = f", {done.n_fast} by the fast solver" if fast else ""
    earlier = f" ({done.n_scenarios - done.n_new} were there)" if done.n_new < done.n_scenarios else ""
    typer.echo(f"{done.n_scenarios} scenarios{earlier}{quick}{failed}: {output}")
