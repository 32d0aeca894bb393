"""leaks.csv, leaks.json and leaks.geojson: what other programs read."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from models.leak import Leak
from networks import Topology
from umanflow.report.earth import Earth
from umanflow.report.errors import ReportError
from umanflow.report.layers import dump_json, line_of
from umanflow.report.row import LeakRow, rows_of
from umanflow.report.storing import replace_text

COLUMNS = (
    "event",
    "detected",
    "pipe",
    "flow_m3h",
    "flow_low_m3h",
    "flow_high_m3h",
    "probability",
    "search_length_m",
    "kind",
    "dma",
    "start",
    "pipe_best",
    "flow_best_m3h",
    "probability_best",
    "ended",
    "status",
    "x",
    "y",
    "street",
)
_TIME = "%Y-%m-%d %H:%M:%S"
_DETECT_AGAIN = "run `umanflow detect` again with this --out"


def write_leaks(
    leaks: Sequence[Leak],
    topology: Topology,
    folder: Path,
    crs: str | None,
    timezone: str | None,
    pipes: pd.DataFrame | None = None,
) -> None:
    """Write leaks.csv and leaks.json, and leaks.geojson where the coordinates' system is known.

    Parameters
    ----------
    leaks
        As the detector reports them.
    folder
        Made if missing. A leaks.geojson of an earlier run is removed where none is written now.
    crs
        Of the INP's coordinates ("EPSG:32636"), or None.
    timezone
        Of the record's clock, or None where its times were taken as they stand.
    pipes
        The network's table of pipes (`networks.Network.pipes`): names of DMAs and streets.

    Raises
    ------
    ReportError
        If the folder cannot be written, there is no such time zone, or the coordinates do not fit the reference
        system. In the last case leaks.csv and leaks.json are already there.
    """
    rows = rows_of(leaks, topology, timezone, pipes)
    replace_text(folder / "leaks.csv", leaks_csv(rows))
    replace_text(folder / "leaks.json", leaks_json(rows))
    _remove(folder / "leaks.geojson")
    if crs is not None:
        replace_text(folder / "leaks.geojson", geojson_of(rows, topology, crs))


def read_leaks(folder: Path) -> tuple[LeakRow, ...]:
    """Read leaks.json back.

    Raises
    ------
    ReportError
        If the file is missing or not what `write_leaks` writes.
    """
    path = folder / "leaks.json"
    try:
        return TypeAdapter(tuple[LeakRow, ...]).validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ReportError("no such file", str(path), "give the --out folder of `umanflow detect`") from error
    except OSError as error:
        raise ReportError(f"cannot be read: {error.strerror or error}", str(path), _DETECT_AGAIN) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = _place(first["loc"])
        raise ReportError(f"is broken: {first['msg']}", f"{path}{place}", _DETECT_AGAIN) from error


def _place(location: tuple[int | str, ...]) -> str:
    if not location:
        return ""
    if not isinstance(location[0], int):
        return f", {location[0]}"
    field = ".".join(str(part) for part in location[1:])
    return f", entry {location[0] + 1}" + (f", '{field}'" if field else "")


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"cannot be removed: {error.strerror or error}", str(path), "remove it by hand") from error


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime(_TIME)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _properties(row: LeakRow) -> dict[str, object]:
    return {column: _plain(getattr(row, column)) for column in COLUMNS}


def leaks_csv(rows: Sequence[LeakRow]) -> str:
    """leaks.csv of some rows."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_properties(row) for row in rows)
    return buffer.getvalue()


def leaks_json(rows: Sequence[LeakRow]) -> str:
    """leaks.json of some rows."""
    return dump_json([_plain(asdict(row)) for row in rows])


def geojson_of(rows: Sequence[LeakRow], topology: Topology, crs: str) -> str:
    """leaks.geojson of some rows, longitude and latitude; a pipe without coordinates has no geometry.

    Raises
    ------
    ReportError
        If there is no such reference system, or the coordinates do not fit it.
    """
    earth = Earth(crs)
    features = [
        {
            "type": "Feature",
            "geometry": earth.geometry(line_of(topology, row.pipe_best), f"pipe '{row.pipe_best}'"),
            "properties": _properties(row),
        }
        for row in rows
    ]
    return dump_json({"type": "FeatureCollection", "features": features})
