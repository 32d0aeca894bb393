"""balance.json and balance.csv, what other programs read, and all files of a balance together."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.uncertain import Lack, Result
from networks.whole import whole_file
from umanflow.balance.content import bands_of, drivers_of, findings_of, page_of, results_of
from umanflow.balance.html import render_html
from umanflow.balance.language import Language
from umanflow.balance.pdf import render_pdf
from umanflow.balance.study import Study
from umanflow.balance.xlsx import render_xlsx
from umanflow.errors import UserError

FORMATS = ("json", "csv", "html", "xlsx", "pdf")
# what is not a volume of the period, m3
_UNITS = {
    "revenue_ratio": "1", "nrw_ratio": "1", "apparent_ratio": "1", "carl": "m3/s", "uarl": "m3/s", "ili": "1",
    "per_connection": "m3/s", "per_connection_metre": "m3/s/m", "per_length": "m3/s/m", "density": "1/m",
    "value_ratio": "1", "factor": "1", "factor_most": "1", "interval": "s", "share_a_year": "1/a",
    "unreported_a_year": "m3/s",
}  # fmt: skip


def parse_formats(text: str) -> tuple[str, ...]:
    """Read a list of formats.

    Raises
    ------
    UserError
        If one is unknown.
    """
    formats = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for name in formats:
        if name not in FORMATS:
            raise UserError(f"--format {name} is unknown; there are {', '.join(FORMATS)}")
    return tuple(dict.fromkeys(formats)) or FORMATS


def write_balance(study: Study, out: Path, language: Language, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write a study into a folder, which is made if missing; return the files.

    Raises
    ------
    UserError
        If the folder cannot be written.
    """
    page = page_of(study, language)
    made = {
        "json": lambda: json_of(study).encode("utf-8"),
        "csv": lambda: csv_of(study).encode("utf-8"),
        "html": lambda: render_html(page).encode("utf-8"),
        "xlsx": lambda: render_xlsx(page, study.balance, language),
        "pdf": lambda: render_pdf(page),
    }
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in formats:
            path = out / f"balance.{name}"
            with whole_file(path) as temporary:
                temporary.write_bytes(made[name]())
            written.append(path)
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror or error}; choose another --out") from error
    return written


def unit_of(key: str, currency: str) -> str:
    """Unit of a result in the files."""
    if key in ("value_real", "value_apparent", "value_unbilled", "value_nrw"):
        return currency
    return f"{currency}/a" if key == "budget_a_year" else _UNITS.get(key, "m3")


def json_of(study: Study) -> str:
    """Everything as numbers in SI, with limits, sources, and what is lacking."""
    case = study.case
    value = {
        "name": case.name,
        "synthetic": case.is_synthetic,
        "period": {
            "from": case.period.start.isoformat(),
            "to": case.period.end.isoformat(),
            "seconds": case.period.duration,
            "clock": case.period.clock or None,
        },
        "versions": dict(case.versions),
        "findings": findings_of(study, Language("en")),
        "results": {
            key: {
                "unit": unit_of(key, case.currency),
                **_plain(result),
                **({"source": str(study.balance.lines[key].source)} if key in study.balance.lines else {}),
            }
            for key, result in results_of(study).items()
        },
        "bands": bands_of(study),
        "misleading": study.indicators.misleading,
        "variance_shares": drivers_of(study),
        "entries": [
            {
                "line": line,
                "name": entry.name,
                "sign": entry.sign,
                **_plain(entry.volume),
                "source": str(entry.source),
                "under_registration": None if entry.under is None else _plain(entry.under),
                "note": entry.note,
            }
            for line, entry in case.entries
        ],
        "inputs": [
            {"key": g.key, "value": g.value, "limits": g.half, "source": str(g.source)} for g in case.given
        ],
        "districts": [_district(dma) for dma in study.dmas],
    }  # fmt: skip
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _plain(result: Result) -> dict[str, Any]:
    if isinstance(result, Lack):
        return {"value": None, "low": None, "high": None, "lacks": list(result.names)}
    return {"value": result.value, "low": result.low, "high": result.high}


def _district(dma: Any) -> dict[str, Any]:
    of, night = dma.of, dma.of.night
    return {
        "dma": of.name,
        "inflow_m3": _plain(of.inflow),
        "inflow_source": str(of.inflow_source),
        "coverage": of.coverage,
        "billed_m3": _plain(of.billed),
        "billed_source": str(of.billed_source),
        "revenue_ratio": _plain(dma.revenue_ratio),
        "real_losses_m3": _plain(dma.real_losses),
        "per_connection_m3s": _plain(dma.indicators.per_connection),
        "ili": _plain(dma.indicators.ili),
        "misleading": list(dma.indicators.misleading),
        "night": {
            "nights": night.nights,
            "flow_m3s": _plain(night.flow),
            "use_m3s": _plain(night.use),
            "use_source": str(night.use_source),
            "n1": _plain(night.n1),
            "n1_source": str(night.n1_source),
            "night_day_factor_h": _plain(night.factor),
            "pressure_source": str(night.factor_source),
            "real_losses_m3": _plain(dma.night_losses),
            "gap_m3": _plain(dma.gap),
        },
        "findings": list(dma.findings),
        "notes": dict(of.notes),
    }


def csv_of(study: Study) -> str:
    """Results of the whole system and of districts, a row each: where, key, value, limits, unit, source, lacks."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("where", "key", "value", "low", "high", "unit", "source", "lacks"))
    lines = study.balance.lines
    for key, result in results_of(study).items():
        source = str(lines[key].source) if key in lines else "computed"
        _row(writer, "system", key, result, unit_of(key, study.case.currency), source)
    for dma in study.dmas:
        of = dma.of
        for key, result, unit, source in (
            ("inflow", of.inflow, "m3", str(of.inflow_source)),
            ("billed", of.billed, "m3", str(of.billed_source)),
            ("revenue_ratio", dma.revenue_ratio, "1", "computed"),
            ("real_losses", dma.real_losses, "m3", "computed"),
            ("per_connection", dma.indicators.per_connection, "m3/s", "computed"),
            ("night_flow", of.night.flow, "m3/s", "measured" if of.night.nights else "computed"),
            ("night_use", of.night.use, "m3/s", str(of.night.use_source)),
            ("n1", of.night.n1, "1", str(of.night.n1_source)),
            ("night_day_factor", of.night.factor, "h", str(of.night.factor_source)),
            ("real_losses_by_night", dma.night_losses, "m3", "computed"),
            ("gap", dma.gap, "m3", "computed"),
        ):
            _row(writer, of.name, key, result, unit, source)
    return buffer.getvalue()


def _row(writer: Any, where: str, key: str, result: Result, unit: str, source: str) -> None:
    if isinstance(result, Lack):
        writer.writerow((where, key, "", "", "", unit, source, "; ".join(result.names)))
    else:
        writer.writerow((where, key, *(f"{v:.10g}" for v in (result.value, result.low, result.high)), unit, source, ""))
