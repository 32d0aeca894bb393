"""`umanflow ingest`: loggers and other systems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from scada.drops.taking import Outcome

_TOLD = 10  # findings of each kind; all are in the file of rejects, and in --json


def ingest(
    config: Annotated[Path, typer.Option("--config", help="umanflow.toml")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR_OR_FILE", help="What to take; by default the configured folders.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: take files as they come, put them into done/ and failed/.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Tell everything that is wrong, at once, and store nothing.")
    ] = False,
    profile: Annotated[str, typer.Option(help="Read by this profile whatever the files are called.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Take files though they were taken before.")] = False,
    arrival: Annotated[
        str | None, typer.Option(metavar="file|now|TIME", help="When the files came; by default as profiles say.")
    ] = None,
    duration: Annotated[float | None, typer.Option(help="With --watch: stop after so many seconds.", min=0.0)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Take exports of loggers and of other systems into the historian: late, out of order, revised; each once.

    Rows that cannot be taken do not keep the others: they go to FILE.rejects.csv. The exit code is 2 when nothing could
    be taken, or when --check finds an error. docs/ingest.md tells what is recognised and what is configured.

    Example: umanflow ingest --config umanflow.toml --data drops/
    """
    from umanflow.cli.table import show
    from umanflow.config import read_config
    from umanflow.ingesting import Wish, fails, run_ingest
    from umanflow.service import milliseconds

    settings = read_config(config)
    moment = milliseconds(arrival, "--arrival") if arrival not in {None, "file", "now"} else None
    wish = Wish(data, profile, check, again, moment, arrival == "now")
    if watch:
        if check:
            raise typer.BadParameter("stores nothing, so there is nothing to watch for", param_hint="--check")
        _watch(settings, wish, duration)
        return
    outcomes = run_ingest(settings, wish)
    if check:
        _show_check(outcomes, as_json)
        return
    show([_row(outcome) for outcome in outcomes], as_json)
    error = fails(outcomes)
    if error is not None:
        raise error
    if not as_json:
        _tell(outcomes)


def _watch(settings: object, wish: object, duration: float | None) -> None:
    import logging
    import signal
    import threading

    from umanflow.config import Config
    from umanflow.ingesting import Wish
    from umanflow.watching import log_outcome, run_watch

    assert isinstance(settings, Config)
    assert isinstance(wish, Wish)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, frame: stop.set())
    if duration is not None:
        timer = threading.Timer(duration, stop.set)
        timer.daemon = True
        timer.start()
    run_watch(settings, wish, stop, log_outcome)


def _row(outcome: Outcome) -> dict[str, object]:
    return {
        "file": Path(outcome.file).name,
        "profile": outcome.profile,
        "verdict": outcome.verdict,
        "rows": outcome.rows,
        "samples": outcome.samples,
        "stored": outcome.stored,
        "revised": outcome.revised,
        "known": outcome.repeated,
        "not taken": outcome.rejected,
        "from": _time(outcome.first_ms),
        "to": _time(outcome.last_ms),
    }


def _time(ms: int | None) -> str | None:
    from datetime import UTC, datetime

    return None if ms is None else f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _tell(outcomes: list[Outcome]) -> None:
    """Say on stderr what was not taken."""
    from scada.drops.finding import first_of_each

    for outcome in outcomes:
        told = first_of_each(outcome.findings, _TOLD)
        for finding in told:
            typer.echo(f"umanflow: {finding}", err=True)
        if len(outcome.findings) > len(told):
            typer.echo(f"umanflow: {outcome.file}: {len(outcome.findings) - len(told)} more of these", err=True)


def _show_check(outcomes: list[Outcome], as_json: bool) -> None:
    from umanflow.cli.table import show

    findings = [finding for outcome in outcomes for finding in outcome.findings]
    rows: list[dict[str, object]] = [
        {"file": f.file, "line": f.line or None, "severity": f.severity, "what": f.what, "mend": f.mend}
        for f in findings
    ]
    if rows or as_json:
        show(rows, as_json)
    if not as_json:
        samples = sum(outcome.samples for outcome in outcomes)
        errors = sum(finding.severity == "error" for finding in findings)
        print(f"{len(outcomes)} files, {samples} samples, {errors} errors, {len(findings) - errors} warnings")
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(2)
