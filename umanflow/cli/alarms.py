"""`umanflow alarms`: the alarm table, the alarms as they stand, what people do to them, the journal, its figures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from umanflow.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from scada.alarms import Entry

app = typer.Typer(help="Alarms of the plant.", no_args_is_help=True, rich_markup_mode=None)
_Config = Annotated[Path, typer.Option("--config", help="umanflow.toml")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Name = Annotated[str, typer.Argument(metavar="TAG/ALARM", help="As `umanflow alarms list --all` names it.")]
_Who = Annotated[str, typer.Option(help="Your name, for the journal.")]
_Why = Annotated[str, typer.Option(help="Reason, for the journal.")]
_From = Annotated[str | None, typer.Option("--from", help="ISO 8601 time.")]
_To = Annotated[str | None, typer.Option("--to", help="ISO 8601 time.")]
_Output = Annotated[Path | None, typer.Option("-o", "--output", help="CSV or Parquet file.")]
_DURATION = re.compile(r"(\d+(?:[.,]\d+)?)\s*(s|m|min|h|d)?")
_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_WEEK_MS = 7 * 86_400_000


@app.command("check")
def check_table(
    file: Annotated[Path, typer.Argument(help="Alarm table, CSV or TOML.")],
    config: Annotated[
        Path | None, typer.Option("--config", help="umanflow.toml: tags and devices to check against.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Find every mistake of an alarm table at once; exits with 2 when there is an error, with 0 when all are warnings.

    Example: umanflow alarms check alarms.csv --config umanflow.toml
    """
    from scada.alarms.tables import check_file
    from umanflow.alarming import surroundings_of
    from umanflow.cli.mistakes import fail_on, show_mistakes
    from umanflow.config import read_config
    from umanflow.tagging import every_tag

    around = None
    if config is not None:
        settings = read_config(config)
        around = surroundings_of(settings, every_tag(settings))
    checked = check_file(file, around)
    tags = len({alarm.tag for alarm in checked.alarms})
    summary = f"{file}: {len(checked.alarms)} good rows, {tags} tags"
    show_mistakes(checked.findings, as_json, {"file": str(file), "alarms": len(checked.alarms), "tags": tags}, summary)
    fail_on(len(checked.errors), f"{file}: {len(checked.errors)} errors; mend the rows listed")


@app.command("list")
def list_alarms(
    config: _Config,
    is_all: Annotated[bool, typer.Option("--all", help="Normal ones too.")] = False,
    as_json: _Json = False,
) -> None:
    """List the alarms that are not normal, the gravest first.

    Example: umanflow alarms list --config umanflow.toml
    """
    from umanflow.alarming import standing_rows
    from umanflow.cli.table import show
    from umanflow.config import read_config
    from umanflow.tagging import every_tag

    settings = read_config(config)
    rows = standing_rows(settings, every_tag(settings), is_all)
    if not as_json:
        shown = ("alarm", "state", "priority", "since", "value", "suppresses", "suppressed by", "until", "text")
        rows = [{key: row[key] for key in shown} for row in rows]
    show(rows, as_json)


def _do(config: Path, name: str, action: str, who: str, why: str, for_s: float = 0.0) -> None:
    from scada.alarms import Command
    from umanflow.alarming import post
    from umanflow.config import read_config
    from umanflow.tagging import every_tag

    settings = read_config(config)
    typer.echo(post(settings, every_tag(settings), Command(name, action, who.strip(), why.strip(), for_s)))


@app.command("ack")
def acknowledge(name: _Name, config: _Config, who: _Who, why: _Why = "") -> None:
    """Say that you have seen an alarm.

    Example: umanflow alarms ack ps-1.flow/H --config umanflow.toml --who "O. Koval"
    """
    _do(config, name, "acknowledge", who, why)


@app.command("reset")
def reset(name: _Name, config: _Config, who: _Who, why: _Why = "") -> None:
    """Let go of a latching alarm that has returned to normal and is acknowledged.

    Example: umanflow alarms reset ps-1.mains_failed/on --config umanflow.toml --who "O. Koval"
    """
    _do(config, name, "reset", who, why)


@app.command("shelve")
def shelve(
    name: _Name,
    config: _Config,
    who: _Who,
    why: _Why = "",
    duration: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 1d.")] = "",
) -> None:
    """Put an alarm away for a time; needs a reason.

    Example: umanflow alarms shelve log-01.pressure/L --config umanflow.toml --who "O. Koval" --why "works" --for 2h
    """
    if not duration:
        raise UserError("shelving needs a time limit; write --for 2h")
    _do(config, name, "shelve", who, why, read_duration(duration))


@app.command("unshelve")
def unshelve(name: _Name, config: _Config, who: _Who, why: _Why = "") -> None:
    """Take an alarm back before its time is over.

    Example: umanflow alarms unshelve log-01.pressure/L --config umanflow.toml --who "O. Koval"
    """
    _do(config, name, "unshelve", who, why)


@app.command("suppress")
def suppress(name: _Name, config: _Config, who: _Who, why: _Why = "") -> None:
    """Suppress an alarm by design until somebody ends it; needs a reason.

    Example: umanflow alarms suppress ps-4.flow/L --config umanflow.toml --who "O. Koval" --why "winter regime"
    """
    _do(config, name, "suppress", who, why)


@app.command("unsuppress")
def unsuppress(name: _Name, config: _Config, who: _Who, why: _Why = "") -> None:
    """End what `suppress` began.

    Example: umanflow alarms unsuppress ps-4.flow/L --config umanflow.toml --who "O. Koval"
    """
    _do(config, name, "unsuppress", who, why)


@app.command("out-of-service")
def out_of_service(name: _Name, config: _Config, who: _Who, why: _Why = "") -> None:
    """Take an alarm out of service; needs a reason.

    Example: umanflow alarms out-of-service sec-1.flow/bad --config umanflow.toml --who "O. Koval" --why "meter away"
    """
    _do(config, name, "out-of-service", who, why)


@app.command("return-to-service")
def return_to_service(name: _Name, config: _Config, who: _Who, why: _Why = "") -> None:
    """Put an alarm back into service.

    Example: umanflow alarms return-to-service sec-1.flow/bad --config umanflow.toml --who "O. Koval"
    """
    _do(config, name, "return-to-service", who, why)


@app.command("journal")
def journal(
    config: _Config, since: _From = None, until: _To = None, output: _Output = None, as_json: _Json = False
) -> None:
    """Print the journal of alarms, or write it to a file.

    Example: umanflow alarms journal --config umanflow.toml --from 2026-01-05 -o journal.csv
    """
    from umanflow.alarming import journal_entries
    from umanflow.config import read_config
    from umanflow.service import milliseconds

    entries = journal_entries(read_config(config), milliseconds(since, "--from"), milliseconds(until, "--to"))
    _show_entries(entries, output, as_json)


@app.command("replay")
def replay(
    config: _Config, since: _From = None, until: _To = None, output: _Output = None, as_json: _Json = False
) -> None:
    """Print what the alarm table, as it is now, would have made of the samples in the historian; changes nothing.

    Example: umanflow alarms replay --config umanflow.toml --from 2026-01-05 -o would-be.csv
    """
    from umanflow.alarming import replayed_entries
    from umanflow.config import read_config
    from umanflow.service import milliseconds
    from umanflow.tagging import every_tag

    settings = read_config(config)
    period = milliseconds(since, "--from"), milliseconds(until, "--to")
    _show_entries(replayed_entries(settings, every_tag(settings), *period), output, as_json)


def _show_entries(entries: Sequence[Entry], output: Path | None, as_json: bool) -> None:
    from umanflow.alarming import stamp, write_journal
    from umanflow.cli.table import show

    if output is not None:
        write_journal(output, entries)
        typer.echo(f"{len(entries)} entries in {output}")
        return
    columns = ("alarm", "event", "before", "after", "priority", "position", "cause", "who", "why")
    rows = [
        {
            "time": stamp(entry.time_ms),
            **{name: getattr(entry, name) or None for name in columns},
            "value": None if entry.value != entry.value else entry.value,
            "until": stamp(entry.until_ms),
        }
        for entry in entries
    ]
    show(rows, as_json)


@app.command("metrics")
def metrics(config: _Config, since: _From = None, until: _To = None, as_json: _Json = False) -> None:
    """Print how the alarm system does, as ISA-18.2 and EEMUA 191 measure it; of the last week by default.

    Example: umanflow alarms metrics --config umanflow.toml --from 2026-01-01
    """
    import time

    from scada.alarms.metrics import measure
    from umanflow.alarming import journal_entries
    from umanflow.cli.table import show
    from umanflow.config import read_config
    from umanflow.service import milliseconds

    to_ms = milliseconds(until, "--to") or time.time_ns() // 1_000_000
    from_ms = milliseconds(since, "--from")
    from_ms = to_ms - _WEEK_MS if from_ms is None else from_ms
    if from_ms >= to_ms:
        raise UserError("--from is not before --to; exchange them")
    found = measure(journal_entries(read_config(config), None, to_ms), from_ms, to_ms)
    parts = {
        "positions": found.positions,
        "worst": found.worst,
        "standing": found.standing,
        "priorities": found.priorities,
        "answers": found.answers,
    }
    if as_json:
        busy = found.rates[found.rates["alarms"] > 0]
        answer = {name: _records(part) for name, part in {**parts, "rates": busy}.items()}
        print(json.dumps(answer, indent=1, ensure_ascii=False))
        return
    titles = {
        "positions": "alarms by operator position",
        "worst": "the ten that came most often",
        "standing": "standing for more than 24 h",
        "priorities": "by priority",
        "answers": "time to acknowledgement",
    }
    for name, part in parts.items():
        print(f"{titles[name]}:")
        show(_records(part), False)
        print()


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    shown = table.copy()
    for column in ("time", "since"):
        if column in shown:
            shown[column] = [moment.isoformat() for moment in shown[column]]
    return [{str(key): value for key, value in row.items()} for row in shown.to_dict("records")]


def read_duration(text: str) -> float:
    """Read a time such as 90s, 30m, 2h or 1d, s."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise UserError(f"--for '{text}' is no time; write 30m, 2h or 1d")
    return float(found.group(1).replace(",", ".")) * _SECONDS[found.group(2) or "s"]
