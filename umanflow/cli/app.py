"""The application of commands, and what a user's mistake looks like: one line, exit code 2."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer

from umanflow.cli import (
    alarms,
    balance,
    batch,
    calibrate,
    demo,
    detect,
    ingest,
    live,
    networks,
    plan,
    report,
    sensitivity,
    simulate,
    tags,
    write,
)

# what wrong options raise; the library has no public name for it
_WRONG_USAGE: Any = typer.BadParameter.__mro__[1]

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
app.add_typer(tags.app, name="tags")
app.add_typer(alarms.app, name="alarms")
app.command("simulate")(simulate.simulate)
app.command("sensitivity")(sensitivity.sensitivity)
app.command("batch")(batch.batch)
app.command("plc")(live.plc)
app.command("poll")(live.poll)
app.command("ingest")(ingest.ingest)
app.command("calibrate")(calibrate.calibrate)
app.command("write")(write.write)
app.command("audit")(write.audit)
app.command("detect")(detect.detect)
app.command("report")(report.report)
app.command("balance")(balance.balance)
app.command("plan")(plan.plan)
app.command("demo")(demo.demo)


def main() -> None:
    """Run the command line; a user's mistake gives one line on stderr and exit code 2."""
    from hydro.errors import HydraulicError
    from models.errors import DetectionError
    from networks.errors import NetworkError
    from scada.errors import ScadaError
    from umanflow.errors import UserError

    try:
        sys.exit(app(standalone_mode=False) or 0)
    except _WRONG_USAGE as error:
        context = error.ctx
        if context is not None and error.message == context.get_help():  # no argument at all
            print(context.get_help(), file=sys.stderr)
            sys.exit(2)
        _fail(f"{error.format_message().rstrip('.')}; see {context.command_path if context else 'umanflow'} --help")
    except typer.Abort:
        sys.exit(130)
    except (HydraulicError, NetworkError, DetectionError, ScadaError, UserError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'system'}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(text: str) -> None:
    print(f"umanflow: {' '.join(text.split())}", file=sys.stderr)
    sys.exit(2)
