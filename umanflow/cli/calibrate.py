"""`umanflow calibrate`: a calibrated model, and what the data could not tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def calibrate(
    network: Annotated[str, typer.Argument(metavar="NET", help="Catalogue name or INP file.")],
    data: Annotated[Path, typer.Option(help="Folder in BattLeDIM's layout.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Calibrated model: FILE.inp; FILE.json, FILE.md.")],
    repairs: Annotated[Path | None, typer.Option(help="CSV pipe,repaired[,found,measured_flow_m3h].")] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone of timestamps that carry none.")] = None,
    apply_suspects: Annotated[
        bool, typer.Option("--apply-suspects", help="Give suspected links the status that the data say.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit roughness, demand and sensor offsets to measurements; name what they contradict and what they cannot tell.

    FILE.inp is the model with the fitted roughness and demand; FILE.json and FILE.md beside it hold sensor offsets,
    suspected statuses, intervals, and the fit before and after on days that were fitted and days that were not.

    Example: umanflow calibrate city.inp --data 2018 --repairs repairs.csv -o calibrated.inp
    """
    from networks import load
    from umanflow.calibrating import calibrate_folder, group_rows, sensor_rows
    from umanflow.cli.progress import progress_bar
    from umanflow.cli.table import show

    with progress_bar() as move:
        found = calibrate_folder(load(network), data, repairs, output, timezone, apply_suspects, move)
    for s in found.suspects:
        was, now = ("open", "closed") if s.is_closed else ("closed", "open")
        others = f" (as likely: {', '.join(s.alternatives)})" if s.alternatives else ""
        typer.echo(f"umanflow: {s.link} is {was} in the model, the data say {now}{others}", err=True)
    rows: list[dict[str, object]] = [
        {
            "what": f"pipes: {row['group']}",
            "value": row["headloss_factor"],
            "low": row["low"],
            "high": row["high"],
            "unit": "x headloss",
            "told": row["told"],
        }
        for row in group_rows(found)
    ]
    rows += [
        {
            "what": f"sensor {row['sensor']}",
            "value": row["offset_m"],
            "low": _number(row["offset_m"]) - 1.96 * _number(row["offset_sd_m"]),
            "high": _number(row["offset_m"]) + 1.96 * _number(row["offset_sd_m"]),
            "unit": "m offset",
            "told": _number(row["offset_sd_m"]) ** 2 <= 0.8 * found.beliefs.offset**2,
        }
        for row in sensor_rows(found)
    ]
    show(rows, as_json)


def _number(value: object) -> float:
    assert isinstance(value, float)
    return value
