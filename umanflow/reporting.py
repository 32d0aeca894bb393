"""`umanflow report`: a detection folder, data files, or a period of the historian become a report."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from models.detect import Progress, detect
from networks import Network, load
from umanflow.config import Config
from umanflow.detection import detect_folder, write_detection
from umanflow.errors import UserError
from umanflow.pipeline import frame_of, measured_tags, record_of
from umanflow.report.content import Content, TrueLeak
from umanflow.report.files import geojson_of, leaks_csv, leaks_json, read_leaks
from umanflow.report.gather import Findings, gather, naive
from umanflow.report.measured import read_days, read_residuals
from umanflow.report.site import Site, site_of
from umanflow.report.storing import replace_bytes, replace_text
from umanflow.report.tables import render_dispatch, render_json
from umanflow.report.wording import Wording
from umanflow.report.zones import read_zones
from umanflow.service import milliseconds
from umanflow.store import open_store
from umanflow.tagging import every_tag

FORMATS = ("html", "pdf", "csv", "xlsx", "geojson", "gpkg", "json")
_RUN_KEYS = ("network", "sha256", "from", "to", "versions")
_DATE = "{date}"


@dataclass(frozen=True, slots=True)
class Request:
    """How a report is asked for.

    Attributes
    ----------
    out
        Folder; `{date}` in it becomes the day of the period's end.
    formats
        Some of `FORMATS`.
    language, units
        "uk" or "en"; "m3/h" or "L/s".
    cost_per_m3, currency
        Of lost water; None where unknown.
    tables
        Folder of an INP's tables (`networks.load`), or None.
    """

    out: Path
    formats: tuple[str, ...] = ("html",)
    language: str = "en"
    units: str = "m3/h"
    cost_per_m3: float | None = None
    currency: str = "UAH"
    tables: Path | None = None

    def wording(self) -> Wording:
        """The language and units.

        Raises
        ------
        ReportError
            If there is no such language, unit or currency.
        """
        return Wording(self.language, self.units, self.currency)


def parse_formats(text: str, known: Sequence[str] = FORMATS) -> tuple[str, ...]:
    """Read a list of formats out of those that are known.

    Raises
    ------
    UserError
        If one is unknown.
    """
    formats = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    for name in formats:
        if name not in known:
            raise UserError(f"--format {name} is unknown; there are {', '.join(known)}")
    return formats or ("html",)


def report_folder(detections: Path, request: Request, network: str | None = None, crs: str | None = None) -> list[Path]:
    """Make a report of what `umanflow detect` wrote; return the files.

    Parameters
    ----------
    network
        INP file or catalogue name, where the one that run.json names has moved.
    crs
        Of its coordinates; what run.json says where not given.

    Raises
    ------
    UserError, ReportError
        If the folder is not such a folder, or its network is gone or another.
    """
    rows = read_leaks(detections)
    run = _read_json(detections / "run.json")
    missing = [key for key in _RUN_KEYS if not isinstance(run, dict) or key not in run]
    if missing:
        raise UserError(f"{detections / 'run.json'}: has no '{missing[0]}'; run umanflow detect again")
    health = _read_json(detections / "health.json")
    opened = load(network or run["network"], crs or run.get("crs"), request.tables)
    if opened.sha256 != run["sha256"]:
        raise UserError(f"{opened.source}: is not the network of this detection; run umanflow detect again")
    findings = Findings(rows, run, health, read_residuals(detections), read_days(detections), read_zones(detections))
    return write_report(findings, opened, request)


def write_report(
    findings: Findings,
    network: Network,
    request: Request,
    truth: tuple[TrueLeak, ...] | None = None,
    false_alarms: int | None = None,
) -> list[Path]:
    """Write a report in every format that is asked for; return the files.

    Everything is made before anything is written: a report that cannot be made leaves the last one as it was.

    Raises
    ------
    UserError
        If GeoJSON is asked for and where the network lies on Earth is unknown.
    ReportError
        If a file cannot be made or written.
    """
    wording = request.wording()
    if "geojson" in request.formats and network.crs is None:
        raise UserError(
            f"--format geojson: where {network.name} lies on Earth is not known; "
            "state it with --crs EPSG:..., or ask for gpkg"
        )
    meters = [str(h["instrument"]) for h in findings.health if h["quantity"] == "flow"]
    site = site_of(network, meters)
    content = gather(findings, site, request.cost_per_m3, truth, false_alarms)
    out = dated(request.out, content.period_end)
    made = _render(findings, content, site, request, wording)
    written = []
    for name, body in made.items():
        if isinstance(body, str):
            replace_text(out / name, body)
        else:
            replace_bytes(out / name, body)
        written.append(out / name)
    return written


def _render(
    findings: Findings, content: Content, site: Site, request: Request, wording: Wording
) -> dict[str, str | bytes]:
    from umanflow.report.gpkg import render_gpkg
    from umanflow.report.html import render_html
    from umanflow.report.pdf import render_pdf
    from umanflow.report.view import document_of
    from umanflow.report.xlsx import render_xlsx

    made: dict[str, str | bytes] = {}
    document = document_of(content, site, wording) if {"html", "pdf"} & set(request.formats) else None
    for name in request.formats:
        if name == "html" and document is not None:
            made["report.html"] = render_html(document)
        elif name == "pdf" and document is not None:
            made["report.pdf"] = render_pdf(document, content.period_end)
        elif name == "csv":
            made["leaks.csv"] = leaks_csv(findings.rows)
            made["dispatch.csv"] = render_dispatch(content)
        elif name == "xlsx":
            made["report.xlsx"] = render_xlsx(content, wording)
        elif name == "geojson" and content.crs is not None:
            made["leaks.geojson"] = geojson_of(findings.rows, site.topology, content.crs)
        elif name == "gpkg":
            made["report.gpkg"] = render_gpkg(content, site)
        elif name == "json":
            made["leaks.json"] = leaks_json(findings.rows)
            made["report.json"] = render_json(content, request.currency)
    return made


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; give a folder that umanflow detect wrote") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}; run umanflow detect again") from error


def report_files(
    network: Network,
    data: Path,
    history: Path | None,
    repairs: Path | None,
    request: Request,
    timezone: str | None,
    progress: Progress,
) -> list[Path]:
    """Detect leaks in data files and report them; what the detection writes is left in the folder `detection`."""
    request.wording()
    with tempfile.TemporaryDirectory(prefix="umanflow-") as name:
        detect_folder(network, data, history, repairs, Path(name), timezone, progress)
        end = naive(str(_read_json(Path(name) / "run.json")["to"]))
        folder = dated(request.out, end) / "detection"
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(Path(name).iterdir()):
            replace_bytes(folder / file.name, file.read_bytes())
    return report_folder(folder, request, str(network.source), network.crs)


def dated(out: Path, end: datetime) -> Path:
    """A folder with the period's last day in its name where it asks for that."""
    return Path(str(out).replace(_DATE, end.strftime("%Y-%m-%d")))


def last_days(days: int, timezone: str, now: datetime | None = None) -> tuple[str, str]:
    """Beginning and end of the last whole days of a clock, ISO 8601.

    Parameters
    ----------
    now
        An aware time; the machine's by default.
    """
    zone = ZoneInfo(timezone)
    today = (now or datetime.now(zone)).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    since = (today.replace(tzinfo=None) - timedelta(days=days)).replace(tzinfo=zone)
    return since.isoformat(), today.isoformat()


def report_period(
    config: Config,
    since: str | None,
    until: str | None,
    request: Request,
    repairs: Path | None,
    progress: Progress,
) -> list[Path]:
    """Detect leaks in a period of the historian and report them.

    What the detection writes is left in the report's folder `detection`.
    """
    request.wording()
    table = every_tag(config)
    wanted = measured_tags(table.tags)
    network = load(config.network_path, config.crs, request.tables)
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
    known, dry = repairs_of(repairs, config.timezone), searches_of(repairs, config.timezone)
    found = detect(network, record, repairs=known, progress=progress, searches=dry)
    end = record.end.tz_convert(config.timezone).tz_localize(None).to_pydatetime()
    folder = dated(request.out, end) / "detection"
    write_detection(found, record, network, folder, config.timezone)
    return report_folder(folder, request, str(network.source), network.crs)


def repairs_of(path: Path | None, timezone: str | None) -> Sequence[Any]:
    """Repairs of a file; none where no file is given."""
    from umanflow.detection import read_repairs

    return () if path is None else read_repairs(path, timezone)


def searches_of(path: Path | None, timezone: str | None) -> Sequence[Any]:
    """Searches of such a file that found nothing; none where no file is given."""
    from umanflow.detection import read_searches

    return () if path is None else read_searches(path, timezone)
