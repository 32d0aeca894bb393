"""`umanflow tags`: tag tables checked, taken from other programs and given to them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="Tag tables.", no_args_is_help=True, rich_markup_mode=None)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Addressing = Annotated[
    Literal["wire", "document", "modicon"] | None,
    typer.Option(
        help="How addresses are written: from 0, from 1, or 40001 and 400001; the configuration's, else wire."
    ),
]
_Config = Annotated[Path | None, typer.Option("--config", help="umanflow.toml: devices and network to check against.")]


@app.command("check")
def check_table(
    file: Annotated[Path, typer.Argument(help="Tag table, CSV or TOML.")],
    config: _Config = None,
    addressing: _Addressing = None,
    as_json: _Json = False,
) -> None:
    """Find every mistake of a tag table at once; exits with 2 when there is an error, with 0 when all are warnings.

    Example: umanflow tags check tags.csv --config umanflow.toml
    """
    from scada.tags import check_file
    from umanflow.cli.mistakes import counted, fail_on, show_mistakes
    from umanflow.tagtables import addressing_of, surroundings_of

    checked = check_file(file, surroundings_of(config), addressing_of(config, addressing))
    devices = len({tag.device for tag in checked.tags})
    summary = f"{file}: {len(checked.tags)} good rows, {devices} devices"
    show_mistakes(
        checked.findings, as_json, {"file": str(file), "tags": len(checked.tags), "devices": devices}, summary
    )
    fail_on(len(checked.errors), f"{file}: {counted(len(checked.errors), 'error')}; mend the rows listed")


@app.command("import")
def import_table(
    file: Annotated[Path, typer.Argument(help="Telegraf's TOML, Ignition's CSV or JSON, or a CSV of Telegraf's keys.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Tag table to write, .csv or .toml.")],
    source: Annotated[
        Literal["telegraf", "ignition"] | None, typer.Option("--format", help="Recognised where not given.")
    ] = None,
    order: Annotated[
        Literal["ABCD", "CDAB", "BADC", "DCBA"] | None,
        typer.Option(help="Order of values of several words, which Ignition's tables do not state."),
    ] = None,
    interval: Annotated[float | None, typer.Option(help="Seconds between reads, where not stated.", min=0.001)] = None,
    device: Annotated[str | None, typer.Option(help="Device of rows that name none.")] = None,
    zero_based: Annotated[bool, typer.Option("--zero-based", help="Ignition's addresses count from 0.")] = False,
    as_json: _Json = False,
) -> None:
    """Take the tags of another program; rows that cannot be taken are listed, and then the exit code is 2.

    Example: umanflow tags import telegraf.conf -o tags.csv
    """
    from scada.exchange import ImportOptions, import_tags
    from scada.tags import check_tags, write_tags
    from umanflow.cli.mistakes import counted, fail_on, show_mistakes

    found = import_tags(file, ImportOptions(order, interval, device, zero_based), source)
    # what the other program takes and we do not: overlaps and the like
    findings = [*found.findings, *check_tags(found.tags, None, str(file), found.lines)]
    findings.sort(key=lambda finding: finding.line)
    if found.tags:
        write_tags(out, found.tags)
    devices = [
        {"name": device.name, "url": device.url or None, "unit": device.unit} for device in found.devices.values()
    ]
    summary = f"{out}: {len(found.tags)} tags" if found.tags else f"{file}: no tag can be taken; nothing is written"
    facts: dict[str, object] = {"file": str(file), "out": str(out) if found.tags else None, "tags": len(found.tags)}
    show_mistakes(findings, as_json, {**facts, "devices": devices}, summary)
    if not as_json:
        for entry in devices:
            url, unit = entry["url"] or "tcp://…", 1 if entry["unit"] is None else entry["unit"]
            print(f'[[devices]]  # for umanflow.toml\nname = "{entry["name"]}"\nurl = "{url}"\nunit = {unit}')
    wrong = sum(finding.severity == "error" for finding in findings)
    fail_on(wrong or not found.tags, f"{file}: {counted(wrong, 'row')} not taken; mend what is listed")


@app.command("export")
def export_table(
    file: Annotated[Path, typer.Argument(help="Tag table, CSV or TOML.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write.")],
    target: Annotated[
        Literal["csv", "toml", "telegraf", "ignition"] | None,
        typer.Option(
            "--format", help="By the ending where not given: .csv and .toml are our own, .conf is Telegraf's."
        ),
    ] = None,
    config: _Config = None,
    addressing: _Addressing = None,
    zero_based: Annotated[bool, typer.Option("--zero-based", help="Ignition's addresses count from 0.")] = False,
    as_json: _Json = False,
) -> None:
    """Write a tag table in another form: our CSV or TOML, Telegraf's TOML, Ignition's CSV.

    Example: umanflow tags export tags.csv --format telegraf --config umanflow.toml -o telegraf.conf
    """
    from scada.tags import read_tags, write_whole
    from umanflow.cli.mistakes import counted, fail_on, show_mistakes
    from umanflow.tagtables import addressing_of, format_table

    table = read_tags(file, None, addressing_of(config, addressing))
    text, findings = format_table(table.tags, target, out, config, zero_based)
    write_whole(out, text)
    left_out = sum(finding.severity == "error" for finding in findings)
    summary = f"{out}: {len(table) - left_out} tags"
    show_mistakes(findings, as_json, {"file": str(file), "out": str(out), "tags": len(table) - left_out}, summary)
    fail_on(left_out, f"{out}: {counted(left_out, 'tag')} left out; see the list")
