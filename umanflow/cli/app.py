"""The application of commands, and what a user's mistake looks like: one line, exit code 2."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from umanflow.cli import calibrate, demo, detect, live, networks, report, simulate

app = typer.Typer(
    name="umanflow",
    help="Water networks: EPANET hydraulics, Modbus polling, leak detection.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("umanflow"))
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Water networks: EPANET hydraulics, Modbus polling, leak detection."""


app.add_typer(networks.app, name="networks")
app.add_typer(live.history, name="history")
app.command("simulate")(simulate.simulate)
app.command("plc")(live.plc)
app.command("poll")(live.poll)
app.command("calibrate")(calibrate.calibrate)
app.command("detect")(detect.detect)
app.command("report")(report.report)
app.command("demo")(demo.demo)


def main() -> None:
    """Run the command line; a user's mistake gives one line on stderr and exit code 2."""
    from hydro.errors import HydraulicError
    from models.errors import DetectionError
    from networks.errors import NetworkError
    from scada.errors import ScadaError
    from umanflow.errors import UserError

    try:
        app()
    except (HydraulicError, NetworkError, DetectionError, ScadaError, UserError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'system'}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(text: str) -> None:
    print(f"umanflow: {' '.join(text.split())}", file=sys.stderr)
    sys.exit(2)
