"""`umanflow calibrate`: from a data folder to a calibrated INP and a report of what the data could not tell."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from hydro.calibrated import Calibrated, Progress, calibrate
from hydro.identifiability import correlations
from hydro.record import read_record
from hydro.repair import Repair
from hydro.retuned import retuned
from networks import Network
from networks.export import write_whole
from umanflow.detection import read_repairs
from umanflow.errors import UserError
from umanflow.report.storing import replace_text

_UNTOLD = 0.8  # posterior over prior variance above which the data told next to nothing
_TIED = 0.9
_LISTED = 12


def check_output(path: Path) -> None:
    """Refuse a file that could not be written, before the work.

    Raises
    ------
    UserError
        If it is no .inp or its folder does not exist.
    """
    if path.suffix.lower() != ".inp":
        raise UserError(f"{path}: the calibrated model is an INP; end the file's name in .inp")
    if not path.resolve().parent.is_dir():
        raise UserError(f"{path}: its folder does not exist; make it first")


def calibrate_folder(
    network: Network,
    data: Path,
    repairs: Path | None,
    out: Path,
    timezone: str | None = None,
    apply_suspects: bool = False,
    progress: Progress | None = None,
) -> Calibrated:
    """Calibrate on a data folder; write the INP, and beside it `<name>.json` and `<name>.md`."""
    check_output(out)
    record = read_record(data, timezone)
    known = read_repairs(repairs, timezone) if repairs is not None else ()
    found = calibrate(network, record, known, progress=progress, apply_suspects=apply_suspects)
    try:
        text = retuned(found)
    except ValueError as error:
        raise UserError(f"{network.source}: {error}") from error
    content = report(found, known)
    write_whole(out, text)
    replace_text(out.with_suffix(".json"), json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    replace_text(out.with_suffix(".md"), as_text(content))
    return found


# report ---------------------------------------------------------------------------------------------------------------


def report(found: Calibrated, repairs: Sequence[Repair]) -> dict[str, object]:
    """Everything that the INP cannot hold, for programs."""
    return {
        "network": str(found.network.source),
        "sha256": found.network.sha256,
        "from": found.period[0].isoformat(),
        "to": found.period[1].isoformat(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "groups": group_rows(found),
        "sensors": sensor_rows(found),
        "meters": _meter_rows(found),
        "demand": _demand_rows(found),
        "suspects": _suspect_rows(found),
        "applied": {name: "closed" if closed else "open" for name, closed in found.closed.items()},
        "leaks": _leak_rows(found, repairs),
        "beyond_usual_m3h": _excess_rows(found),
        "cannot_tell": _untold(found),
        "tied": _ties(found),
        "independent_intervals": round(1.0 / found.posterior.temper, 3),
        "versions": {
            "python": platform.python_version(),
            **{p: version(p) for p in ("umanflow", "owa-epanet", "numpy", "scipy", "pandas")},
        },
    }


def group_rows(found: Calibrated) -> list[dict[str, object]]:
    """Roughness by group: factor on head loss with its 95 % interval, and how much of it the data told."""
    part = found.layout.slices[1]
    value, deviation = found.parameters[part], found.deviations[part]
    told = found.posterior.information[:, part]
    names = (*found.sensors, *found.meters)
    rows = []
    for k, (name, count) in enumerate(zip(found.layout.groups.names, found.layout.groups.counts.tolist(), strict=True)):
        best = np.argsort(-told[: len(names), k])[:3]
        ratio = float(found.posterior.ratio[part][k])
        rows.append(
            {
                "group": name,
                "pipes": count,
                "headloss_factor": _round(np.exp(value[k])),
                "low": _round(np.exp(value[k] - 1.96 * deviation[k])),
                "high": _round(np.exp(value[k] + 1.96 * deviation[k])),
                "variance_left": _round(ratio),
                "told": ratio <= _UNTOLD,
                "sensors": [names[j] for j in best.tolist() if told[j, k] > 0.0],
            }
        )
    return rows


def sensor_rows(found: Calibrated) -> list[dict[str, object]]:
    """Offset of every pressure sensor, and its fit before and after, of days fitted and held out."""
    part = found.layout.slices[0]
    rows: list[dict[str, object]] = []
    for k, name in enumerate(found.sensors):
        rows.append(
            {
                "sensor": name,
                "offset_m": _round(found.offset[k]),
                "offset_sd_m": _round(found.deviations[part][k]),
                **{f"{column}_m": _round(found.misfit[column].to_numpy()[k]) for column in found.misfit.columns},
            }
        )
    return rows


def _meter_rows(found: Calibrated) -> list[dict[str, object]]:
    return [
        {"meter": name, **{f"{c}_m3h": _round(3600.0 * found.misfit[c].to_numpy()[k]) for c in found.misfit.columns}}
        for k, name in enumerate(found.meters, start=len(found.sensors))
    ]


def _demand_rows(found: Calibrated) -> list[dict[str, object]]:
    return [
        {
            "zone": zone,
            "hours": hour,
            "factor": _round(found.hours[row, column]),
            "sd": _round(found.hours_deviation[row, column]),
        }
        for column, zone in enumerate(found.layout.zones.names)
        for row, hour in enumerate(found.layout.hours.names)
    ]


def _suspect_rows(found: Calibrated) -> list[dict[str, object]]:
    return [
        {
            "link": s.link,
            "model_says": "open" if s.is_closed else "closed",
            "data_say": "closed" if s.is_closed else "open",
            "log_likelihood_ratio": _round(s.gain),
            "as_likely": list(s.alternatives),
            "rms_before_m": _round(s.rms_before),
            "rms_after_m": _round(s.rms_after),
            "moves": {name: _round(value) for name, value in s.evidence},
        }
        for s in found.suspects
    ]


def _leak_rows(found: Calibrated, repairs: Sequence[Repair]) -> list[dict[str, object]]:
    """Repaired leaks by period, as far as they were seen to run."""
    part = found.layout.slices[6]
    flows = found.parameters[part] + np.array([known for *_, known in found.layout.leaks])
    starts = pd.to_datetime(found.layout.periods, utc=True)
    rows: list[dict[str, object]] = []
    for repair in repairs:
        until = pd.Timestamp(repair.time).as_unit("ns").value
        own = [k for k, (_, at, _, _) in enumerate(found.layout.leaks) if at == until]
        rows.append(
            {
                "pipe": repair.pipe,
                "repaired": pd.Timestamp(repair.time).isoformat(),
                "flow_m3h": {
                    starts[found.layout.leaks[k][2]].strftime("%Y-%m-%d"): _round(3600.0 * flows[k])
                    for k in own
                    if 3600.0 * flows[k] > 0.5
                },
            }
        )
    return rows


def _excess_rows(found: Calibrated) -> list[dict[str, object]]:
    starts = pd.to_datetime(found.layout.periods, utc=True)
    return [
        {"district": found.districts[k], "from": starts[p].strftime("%Y-%m-%d"), "m3h": _round(3600.0 * value)}
        for k, usual in found.usual.items()
        for p, value in enumerate(usual.excess.tolist())
    ]


def _untold(found: Calibrated) -> dict[str, object]:
    """What the data left as it was believed before."""
    offset, group, pipe, _, junction, _, _ = found.layout.slices
    ratio = found.posterior.ratio
    sensors = [n for n, r in zip(found.sensors, ratio[offset], strict=True) if r > _UNTOLD]
    groups = [n for n, r in zip(found.layout.groups.names, ratio[group], strict=True) if r > _UNTOLD]
    return {
        "groups": groups,
        "offsets": sensors,
        "pipes": int((ratio[pipe] > _UNTOLD).sum()),
        "of_pipes": len(ratio[pipe]),
        "junctions": int((ratio[junction] > _UNTOLD).sum()),
        "of_junctions": len(ratio[junction]),
    }


def _ties(found: Calibrated) -> list[dict[str, object]]:
    """Groups and offsets that the data tell only together."""
    offset, group, *_ = found.layout.slices
    index = np.r_[offset, group]
    names = [*(f"offset of {s}" for s in found.sensors), *(f"group {g}" for g in found.layout.groups.names)]
    table = correlations(found.posterior.covariance[np.ix_(index, index)])
    rows, columns = np.where(np.triu(np.abs(table), 1) > _TIED)
    pairs = sorted(zip(rows.tolist(), columns.tolist(), strict=True), key=lambda p: -abs(table[p]))
    return [{"one": names[a], "other": names[b], "correlation": _round(table[a, b])} for a, b in pairs]


def _round(value: float) -> float:
    return float(f"{float(value):.4g}")


# words ----------------------------------------------------------------------------------------------------------------


def as_text(content: dict[str, object]) -> str:
    """The same for a person, as Markdown."""
    untold = content["cannot_tell"]
    assert isinstance(untold, dict)
    lines = [
        "# Calibration",
        "",
        f"{content['network']}, {content['from']} to {content['to']}.",
        "",
        "## Statuses that the data contradict",
        "",
        *_table(content["suspects"], "None."),
        "",
        "## Head loss by group of pipes",
        "",
        "Factor on head loss against the INP with its 95 % interval; `variance_left` is posterior over prior variance.",
        "",
        *_table(content["groups"], "None."),
        "",
        "## What the data could not tell",
        "",
        f"- groups: {', '.join(untold['groups']) or 'none'}",
        f"- sensor offsets: {', '.join(untold['offsets']) or 'none'}",
        f"- {untold['pipes']} of {untold['of_pipes']} pipes one by one, "
        f"{untold['junctions']} of {untold['of_junctions']} junctions' shares",
        "",
        *_table(content["tied"], "No two groups or offsets are told only together."),
        "",
        "## Pressure sensors",
        "",
        "Deviation of measured less modelled that single moments do not move; held-out days were not fitted.",
        "",
        *_table(content["sensors"], "None."),
        "",
        "## Flow meters",
        "",
        *_table(content["meters"], "None."),
        "",
        "## Repaired leaks, m3/h by fortnight",
        "",
        *_table(content["leaks"], "None were given."),
        "",
        "## Demand beyond the usual, m3/h",
        "",
        *_table(content["beyond_usual_m3h"], "No district is closed by meters."),
        "",
        "## Demand factors",
        "",
        *_table(content["demand"], "None."),
        "",
    ]
    return "\n".join(lines)


def _table(rows: object, nothing: str) -> list[str]:
    assert isinstance(rows, list)
    if not rows:
        return [nothing]
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(_cell(row[head]) for head in heads) + " |" for row in rows]


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v:g}" for k, v in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(str(v) for v in value) or "-"
    return f"{value:g}" if isinstance(value, float) else str(value)
