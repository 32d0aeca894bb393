"""`umanflow report`: a detection folder, or a period of the historian, becomes a report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hydro.engine import Engine
from models.detect import Progress, detect
from networks import Topology, load
from networks.whole import whole_file
from umanflow.config import Config
from umanflow.detection import write_detection
from umanflow.errors import UserError
from umanflow.pipeline import frame_of, measured_tags, record_of
from umanflow.report import Content, LeakRow, SensorHealth, TrueLeak, read_leaks, summarise, write_report
from umanflow.service import milliseconds
from umanflow.store import open_store
from umanflow.tagging import every_tag

FORMATS = ("html", "csv", "json", "geojson")
SYNTHETIC_NOTE = "SYNTHETIC: a made-up city, built from public facts and assumptions. No real network is shown."
PLANNED = ("pdf", "xlsx", "gpkg")


def parse_formats(text: str) -> tuple[str, ...]:
    """Read a list of formats.

    Raises
    ------
    UserError
        If one is unknown or not built yet.
    """
    formats = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for name in formats:
        if name in PLANNED:
            raise UserError(f"--format {name} is not built yet; there are {', '.join(FORMATS)}")
        if name not in FORMATS:
            raise UserError(f"--format {name} is unknown; there are {', '.join(FORMATS)}")
    return formats or ("html",)


def report_folder(detections: Path, out: Path, formats: Sequence[str]) -> list[Path]:
    """Make a report of what `umanflow detect` wrote; return the files.

    Raises
    ------
    UserError, ReportError
        If the folder is not such a folder or its network is gone.
    """
    rows = read_leaks(detections)
    run = _read_json(detections / "run.json")
    missing = {"network", "sha256", "from", "to", "created", "versions"} - set(run)
    if missing:
        raise UserError(f"{detections / 'run.json'}: has no '{sorted(missing)[0]}'; run umanflow detect again")
    out.mkdir(parents=True, exist_ok=True)
    written = []
    if "html" in formats:
        network = load(run["network"])
        if network.sha256 != run["sha256"]:
            raise UserError(f"{network.source}: has changed since the detection; run umanflow detect again")
        with Engine(network) as engine:
            topology = engine.topology
        health = _read_json(detections / "health.json")
        note = SYNTHETIC_NOTE if network.is_synthetic else ""
        written.append(write_html(rows, topology, run, health, out, network.name, note))
    for ending in ("csv", "json", "geojson"):
        source = detections / f"leaks.{ending}"
        if ending in formats:
            if not source.is_file():
                raise UserError(f"{source}: no such file; without a known CRS no leaks.geojson is made")
            if out.resolve() != detections.resolve():
                with whole_file(out / source.name) as temporary:
                    shutil.copyfile(source, temporary)
            written.append(out / source.name)
    return written


def write_html(
    rows: Sequence[LeakRow],
    topology: Topology,
    run: dict[str, Any],
    health: Sequence[dict[str, Any]],
    out: Path,
    name: str,
    note: str = "",
    truth: tuple[TrueLeak, ...] | None = None,
    false_alarms: int | None = None,
) -> Path:
    """Write report.html from what a detection folder holds."""
    end = _naive(run["to"])
    content = Content(
        title=f"Leak report: {name}",
        network=name,
        period_start=_naive(run["from"]),
        period_end=end,
        created=_naive(run["created"]),
        events=tuple(rows),
        summary=summarise(rows, end),
        note=note,
        crs=run.get("crs"),
        clock=run.get("clock") or "",
        versions=(*sorted(run["versions"].items()), ("network sha256", run["sha256"][:16])),
        health=tuple(
            SensorHealth(str(h["instrument"]), str(h["quantity"]), float(h["available"]), _word(h["state"]))
            for h in health
        ),
        truth=truth,
        false_alarms=false_alarms,
    )
    return write_report(content, topology, [str(h["instrument"]) for h in health], out)


def _word(state: object) -> str:
    return "good" if state == "ok" else str(state)


def _naive(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; give a folder that umanflow detect wrote") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}; run umanflow detect again") from error


def report_period(
    config: Config, since: str | None, until: str | None, out: Path, formats: Sequence[str], progress: Progress
) -> list[Path]:
    """Detect leaks in a period of the historian and report them."""
    table = every_tag(config)
    wanted = measured_tags(table.tags)
    network = load(config.network_path, config.crs)
    store = open_store(config)
    try:
        frame = frame_of(store, wanted, milliseconds(since, "--from"), milliseconds(until, "--to"))
    finally:
        store.close()
    if frame.empty:
        raise UserError(
            f"{config.historian_url}: holds no good samples of the period; poll first, or widen --from and --to"
        )
    record = record_of(frame, wanted)
    found = detect(network, record, progress=progress)
    write_detection(found, record, network, out, config.timezone)
    return report_folder(out, out, formats)
