"""A plan as files: everything as JSON, tables as CSV, set-points for EPANET, and the input to change and run again."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from networks.whole import whole_file
from umanflow.planner.inputs import input_text
from umanflow.planner.pressure import control_lines
from umanflow.planner.programme import Year
from umanflow.planner.study import Plan

Row = Sequence[object]


def write_plan(plan: Plan, folder: Path) -> list[Path]:
    """Write a plan's files; each appears whole or not at all.

    Returns
    -------
    list of Path
        In the order in which they were written; `plan.json` is the last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, (header, rows) in tables(plan).items():
        path = folder / f"{name}.csv"
        with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows([_cell(value) for value in row] for row in rows)
        written.append(path)
    texts = {"plan.toml": input_text(plan.given)}
    if plan.pressure is not None:
        texts["setpoints.inp"] = "[CONTROLS]\n" + "\n".join(control_lines(plan.pressure)) + "\n"
    texts["plan.json"] = json.dumps(_plain(plan), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    for name, text in texts.items():
        with whole_file(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
        written.append(folder / name)
    return written


def tables(plan: Plan) -> dict[str, tuple[tuple[str, ...], Iterable[Row]]]:
    """Every table of a plan by name: header and rows."""
    found: dict[str, tuple[tuple[str, ...], Iterable[Row]]] = {
        "trajectory": (tuple(f.name for f in fields(Year)), [tuple(asdict(y).values()) for y in plan.programme.years]),
        "measures": (
            ("year", "kind", "what", "cost_uah", "verify"),
            [(m.year, m.kind, m.what, m.cost, m.verify) for m in plan.programme.measures],
        ),
        "blocks": (
            ("block", "connections", "length_m", "inlets", "closed", "new_valves", "isolated", "fire_left_m",
             "fire_before_m"),
            [
                (b.name, b.connections, b.length, " ".join(b.inlets), " ".join(b.closed), " ".join(b.new_valves),
                 b.is_isolated, b.fire_left, b.fire_before)
                for b in plan.designs[0].blocks
            ],
        ),
        "block_nodes": (("node", "block"), [(n, b.name) for b in plan.designs[0].blocks for n in b.nodes]),
        "state": (
            ("block", "connections", "length_m", "demand_m3d", "leakage_m3d", "leakage_l_per_connection_d",
             "pressure_m", "breaks_per_km_year"),
            [tuple(asdict(b).values()) for b in plan.diagnosis.blocks],
        ),
    }  # fmt: skip
    if plan.pressure is not None:
        found["setpoints"] = (
            ("valve", "block", "new", "hour", "before_m", "after_m"),
            [
                (v.valve, v.zone, v.is_new, hour, v.before[hour], v.after[hour])
                for v in plan.pressure.valves
                for hour in range(24)
            ],
        )
        found["pressure"] = (
            tuple(f.name for f in fields(plan.pressure.zones[0])) if plan.pressure.zones else ("zone",),
            [tuple(asdict(z).values()) for z in plan.pressure.zones],
        )
    if plan.loggers is not None:
        confused = plan.loggers.placement.confused
        found["loggers"] = (
            ("rank", "node", "confused_m"),
            [(k + 1, name, confused[k + 1]) for k, name in enumerate(plan.loggers.placement.sensors)],
        )
        found["logger_promises"] = (
            ("loggers", "leaks_seen", "median_distance_m", "within_300_m"),
            [(count, p.detected, p.distance, p.within) for count, p in plan.loggers.promises.items()],
        )
    if plan.renewal is not None:
        r = plan.renewal
        found["renewal"] = (
            (
                "rank",
                "pipe",
                "length_m",
                "cost_uah",
                "avoided_uah",
                "breaks_per_km_year",
                "low",
                "high",
                "connections_out",
            ),
            [
                (k + 1, name, r.length[k], r.cost[k], r.avoided[k], r.rate[k], r.low[k], r.high[k], r.customers[k])
                for k, name in enumerate(r.pipes)
            ],
        )
        found["renewal_sensitivity"] = (("assumption", "first_fifth_kept"), list(r.steady.items()))
    return found


def _cell(value: object) -> object:
    if isinstance(value, (float, np.floating)):
        return "" if math.isnan(value) else f"{value:.6g}"
    return int(value) if isinstance(value, (bool, np.bool_)) else value


def _plain(value: Any) -> Any:
    """What JSON can hold; numbers that are none become null."""
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if not f.name.startswith("_")}
    if hasattr(value, "model_dump"):
        return {"values": _plain(value.model_dump()), "assumed": list(value.assumed)}
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return [_plain(entry) for entry in value.tolist()]
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
