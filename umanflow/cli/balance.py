"""`umanflow balance`: the IWA water balance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

if TYPE_CHECKING:
    from umanflow.balance.language import FlowUnit, Lang


def balance(
    out: Annotated[Path | None, typer.Option(help="Folder for balance.json and its like.")] = None,
    input_file: Annotated[Path | None, typer.Option("--input", help="TOML: volumes, network, prices.")] = None,
    config: Annotated[Path | None, typer.Option(help="umanflow.toml: measured volumes from its historian.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Begin of the historian's period, ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="End of the period, ISO 8601.")] = None,
    lang: Annotated[str | None, typer.Option(help="Language: uk or en; the configuration's by default.")] = None,
    formats: Annotated[str, typer.Option("--format", help="json,csv,html,xlsx,pdf; all by default.")] = "",
    flow_unit: Annotated[str, typer.Option(help="Unit of flows in documents: m3/h, m3/d or L/s.")] = "m3/h",
    example: Annotated[
        bool,
        typer.Option("--example", help="Print an input file of Uman (SYNTHETIC); with --config one for a historian."),
    ] = False,
) -> None:
    """Compute the IWA water balance with 95 % limits, ILI and the revenue-water ratio.

    Example: umanflow balance --example > balance.toml; umanflow balance --input balance.toml --out balance --lang uk
    """
    from umanflow.balance.errors import BalanceError
    from umanflow.balance.language import FlowUnit, Lang
    from umanflow.errors import UserError

    if example:
        from networks import find

        path = find("uman")[1].with_name("balance.toml" if config is None else "balance-historian.toml")
        typer.echo(path.read_text(encoding="utf-8"), nl=False)
        return
    if out is None:
        raise UserError("--out is missing; give a folder for the balance")
    if input_file is None and config is None:
        raise UserError("give --input FILE.toml, or --config FILE with --from and --to; see --example")
    if lang not in (None, *get_args(Lang)):
        raise UserError(f"--lang {lang} is unknown; there are uk and en")
    if flow_unit not in get_args(FlowUnit):
        raise UserError(f"--flow-unit {flow_unit} is unknown; there are {', '.join(get_args(FlowUnit))}")
    try:
        files = _write(
            out, input_file, config, since, until, cast("Lang | None", lang), formats, cast("FlowUnit", flow_unit)
        )
    except BalanceError as error:
        for line in error.lines:
            typer.echo(f"umanflow: {' '.join(line.split())}", err=True)
        raise typer.Exit(2) from error
    for file in files:
        typer.echo(str(file))


def _write(
    out: Path,
    input_file: Path | None,
    config_file: Path | None,
    since: str | None,
    until: str | None,
    lang: Lang | None,
    formats: str,
    flow_unit: FlowUnit,
) -> list[Path]:
    from umanflow.balance.files import parse_formats, write_balance
    from umanflow.balance.language import Language
    from umanflow.balance.study import study_file, study_period
    from umanflow.config import read_config
    from umanflow.errors import UserError

    wanted = parse_formats(formats)
    if config_file is None:
        assert input_file is not None
        if since is not None or until is not None:
            raise UserError("--from and --to choose a period of the historian; give --config too, or leave them out")
        return write_balance(study_file(input_file), out, Language(lang or "en", flow_unit), wanted)
    config = read_config(config_file)
    said = input_file or (config.path(config.balance.file) if config.balance.file else None)
    if said is None:
        raise UserError(
            f'{config_file}: balance.file is missing; write [balance] file = "balance.toml", or give --input'
        )
    study = study_period(config, since, until, said)
    return write_balance(study, out, Language(lang or config.language, flow_unit), wanted)
