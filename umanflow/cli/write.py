"""`umanflow write` and `umanflow audit`: the one command that changes a plant, and the record of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

_Config = Annotated[Path, typer.Option("--config", help="umanflow.toml")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def write(
    tag: Annotated[str, typer.Argument(help="Tag to write; it has to be on the list in [[writing.allow]].")],
    value: Annotated[str, typer.Argument(help="Value in the tag's unit, or text for a text tag.")],
    config: _Config,
    is_meant: Annotated[bool, typer.Option("--write", help="Without it nothing is sent.")] = False,
    why: Annotated[str, typer.Option(help="Reason, for the record.")] = "",
    as_json: _Json = False,
) -> None:
    """Write one setpoint or command, read it back and record it; refused unless configuration and command say so.

    Example: umanflow write ps-1.pressure_setpoint 42.5 --config umanflow.toml --write --why "night pressure"
    """
    from umanflow.config import read_config
    from umanflow.writing import write_value

    done = write_value(read_config(config), tag, value, is_meant, why)
    if as_json:
        print(json.dumps({"tag": done.tag, "old": done.old, "new": done.new, "read_back": done.read_back}))
    else:
        print(f"{done.tag}: {done.old} -> {done.read_back}")


def audit(config: _Config, as_json: _Json = False) -> None:
    """Check the record of writes and list it; exits with 2 when somebody changed it.

    Example: umanflow audit --config umanflow.toml
    """
    from umanflow.cli.table import show
    from umanflow.config import read_config
    from umanflow.writing import audit_of

    trail = audit_of(read_config(config))
    records = trail.records()
    unfinished = {record["id"] for record in trail.unfinished()}
    if as_json:
        print(
            json.dumps({"records": records, "unfinished": sorted(map(str, unfinished))}, ensure_ascii=False, indent=1)
        )
        return
    columns = ("n", "time", "event", "who", "tag", "old", "new", "read_back", "result", "why")
    if records:
        show([{column: record.get(column) for column in columns} for record in records], False)
    lost = f", {len(unfinished)} of them without a result: look at the device" if unfinished else ""
    print(f"{trail.path}: records: {len(records)}, the chain is whole{lost}")
