"""`umanflow detect`: from a data folder to a folder of results."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from hydro.record import Record, read_record
from models.detect import Detection, Progress, detect
from models.rules import Repair, Rules
from models.searches import DrySearch
from models.watch import Settings
from networks import Network
from networks.whole import whole_file
from umanflow.errors import UserError
from umanflow.report.files import write_leaks
from umanflow.report.measured import FILE as DAYS_FILE
from umanflow.report.measured import days_of, own_steps
from umanflow.report.storing import replace_text
from umanflow.report.xlsx import REPAIRS_SHEET
from umanflow.zonefiles import write_zones


def read_repairs(path: Path, timezone: str | None = None) -> tuple[Repair, ...]:
    """Read a CSV `pipe,repaired[,found,measured_flow_m3h]`, or the sheet `repairs` of a report's workbook.

    Rows with `found` = dry are no repairs (`read_searches`), nor are rows of the workbook that nobody has filled in.

    Raises
    ------
    UserError
        If the file, a column or a time cannot be read.
    """
    table, times = _told(path, timezone, is_dry=False)
    flows = pd.Series(np.nan, table.index)
    if "measured_flow_m3h" in table.columns:
        flows = pd.to_numeric(table["measured_flow_m3h"], errors="coerce") / 3600.0
    return tuple(
        Repair(str(pipe), time, float(flow) if flow > 0.0 else None)
        for pipe, time, flow in zip(table["pipe"], times, flows, strict=True)
    )


def read_searches(path: Path, timezone: str | None = None) -> tuple[DrySearch, ...]:
    """Read the rows with `found` = dry of such a file: pipes at which a crew looked for a leak and found none.

    Raises
    ------
    UserError
        If the file, a column or a time cannot be read.
    """
    table, times = _told(path, timezone, is_dry=True)
    return tuple(DrySearch(str(pipe), time) for pipe, time in zip(table["pipe"], times, strict=True))


def _told(path: Path, timezone: str | None, is_dry: bool) -> tuple[pd.DataFrame, list[pd.Timestamp]]:
    """Rows of what crews tell, of one kind, and their times in UTC."""
    table = _workbook(path) if path.suffix.lower() == ".xlsx" else _csv(path)
    missing = {"pipe", "repaired"} - set(table.columns)
    if missing:
        raise UserError(f"{path}: has no column '{sorted(missing)[0]}'; its header is pipe,repaired[,found]")
    dry = pd.Series(False, table.index)
    if "found" in table.columns:
        outcome = table["found"].fillna("yes").str.strip().str.lower().replace("", "yes")
        strange = ~outcome.isin(["yes", "dry"])
        if strange.any():
            raise UserError(f"{path}: column found: '{outcome[strange].iloc[0]}' is neither yes nor dry")
        dry = outcome == "dry"
    table = table[dry if is_dry else ~dry]
    try:
        times = pd.to_datetime(table["repaired"], format="ISO8601")
    except ValueError as error:
        raise UserError(f"{path}: column repaired: {str(error).splitlines()[0]}") from error
    stamps = [pd.Timestamp(time) for time in times]
    local = [
        t.tz_localize(timezone or "UTC", ambiguous=False, nonexistent="shift_forward") if t.tz is None else t
        for t in stamps
    ]
    return table, [t.tz_convert("UTC") for t in local]


def _csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as CSV: {str(error).splitlines()[0]}") from error


def _workbook(path: Path) -> pd.DataFrame:
    """The sheet `repairs`, its cells as text, without rows that lack a pipe or a time."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
        if REPAIRS_SHEET not in book.sheetnames:
            raise UserError(f"{path}: has no sheet '{REPAIRS_SHEET}'; fill in the report.xlsx of umanflow report")
        rows = [list(row) for row in book[REPAIRS_SHEET].iter_rows(values_only=True)]
        book.close()
    except (OSError, InvalidFileException, BadZipFile, KeyError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a workbook: {str(error).splitlines()[0]}") from error
    if not rows:
        raise UserError(
            f"{path}: sheet '{REPAIRS_SHEET}' is empty; its header is pipe,repaired,found,measured_flow_m3h"
        )
    heads = [str(head) for head in rows[0]]
    texts = [
        [None if v is None else v.isoformat() if isinstance(v, datetime) else str(v).strip() for v in row]
        for row in rows[1:]
    ]
    table = pd.DataFrame(texts, columns=heads, dtype=object)
    return table.dropna(subset=[c for c in ("pipe", "repaired") if c in table.columns]).reset_index(drop=True)


def detect_folder(
    network: Network,
    data: Path,
    history: Path | None,
    repairs: Path | None,
    out: Path,
    timezone: str | None = None,
    progress: Progress | None = None,
) -> Detection:
    """Detect leaks in a data folder and write everything that `umanflow detect` promises."""
    record = read_record(data, timezone)
    before = read_record(history, timezone) if history is not None else None
    known = read_repairs(repairs, timezone) if repairs is not None else ()
    dry = read_searches(repairs, timezone) if repairs is not None else ()
    found = detect(network, record, before, known, progress=progress, searches=dry)
    write_detection(found, record, network, out, timezone)
    return found


def write_detection(found: Detection, record: Record, network: Network, out: Path, timezone: str | None) -> None:
    """Write everything that is told of a detection: leaks, zones, residuals, days, health, hindsight, run."""
    out.mkdir(parents=True, exist_ok=True)
    write_leaks(found.leaks, found.topology, out, network.crs, timezone, network.pipes)
    with whole_file(out / "residuals.parquet") as temporary:
        found.residuals.to_parquet(temporary)
    with whole_file(out / DAYS_FILE) as temporary:
        days_of(record, timezone).to_parquet(temporary)
    write_zones(found.statement, out, timezone)
    write_json(health(found, record, timezone), out / "health.json")
    write_json(_untold(found, timezone), out / "hindsight.json")
    write_json(_run(found, record, network, timezone), out / "run.json")


def write_json(content: object, path: Path) -> None:
    """Write JSON under a temporary name, then rename."""
    replace_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def health(found: Detection, record: Record, timezone: str | None = None) -> list[dict[str, object]]:
    """State of every instrument: how much came in, what was wrong with it and when; then valves found closed."""
    zone = timezone or "UTC"
    rows: list[dict[str, object]] = []
    for quantity in ("pressure", "flow", "level", "demand"):
        table: pd.DataFrame = getattr(record, quantity)
        every = own_steps(table)
        for name in table.columns:
            values = table[name].to_numpy(dtype=float)
            seen = np.isfinite(values)
            moved = float(np.nanmax(values) - np.nanmin(values)) if seen.any() else 0.0
            faults = found.health.of(str(name), quantity)
            open_now = [f.kind for f in faults if f.until is None]
            state = "silent" if not seen.any() else "flat" if moved == 0.0 else open_now[-1] if open_now else "ok"
            rows.append(
                {
                    "instrument": str(name),
                    "quantity": quantity,
                    "available": round(min(1.0, float(seen.mean()) * int(every[name])), 4),
                    "state": state,
                    "faults": [fault.plain(zone) for fault in faults],
                }
            )
    for fault in found.health.faults:
        if fault.quantity == "pipe":
            state = "closed" if fault.until is None else "ok"
            plain = {"instrument": fault.element, "quantity": "pipe", "available": 1.0, "state": state}
            rows.append(plain | {"faults": [fault.plain(zone)]})
    return rows


def _untold(found: Detection, timezone: str | None) -> list[dict[str, object]]:
    """Leaks that no alarm was raised about, in the record's clock: they have no event."""

    def clock(time: pd.Timestamp | None) -> str | None:
        return None if time is None else time.tz_convert(timezone or "UTC").strftime("%Y-%m-%d %H:%M:%S")

    return [
        {
            "pipe": leak.pipe,
            "start": clock(leak.start),
            "start_low": clock(leak.start_low),
            "start_high": clock(leak.start_high),
            "flow_m3h": round(3600.0 * leak.flow, 3),
            "probability": round(leak.probability, 4),
            "ended": clock(leak.ended),
        }
        for leak in found.untold
    ]


def _run(found: Detection, record: Record, network: Network, timezone: str | None) -> dict[str, object]:
    zone = timezone or "UTC"
    return {
        "network": str(network.source),
        "sha256": network.sha256,
        "crs": network.crs,
        "clock": timezone,
        "from": record.start.tz_convert(zone).isoformat(),
        "to": record.end.tz_convert(zone).isoformat(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "misfit_m": {"before": round(found.calibration.before, 4), "after": round(found.calibration.after, 4)},
        "districts": [
            {"name": name, "inflow_m3h": round(3600.0 * inflow, 3), "is_closed": is_closed}
            for name, inflow, is_closed in found.districts
        ],
        "limits": found.health.limits,
        "versions": {
            "python": platform.python_version(),
            **{p: version(p) for p in ("umanflow", "wntr", "owa-epanet", "numpy", "pandas", "numba")},
        },
        "settings": {k: str(v) for k, v in _fields(Settings()).items()}
        | {k: str(v) for k, v in _fields(Rules()).items()},
    }


def _fields(settings: Settings | Rules) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.__slots__}
