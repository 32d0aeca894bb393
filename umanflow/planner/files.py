"""A plan as files: everything as JSON, tables as CSV, set-points for EPANET, and the input to change and run again."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from networks.whole import whole_file
from umanflow.planner.inputs import input_text
from umanflow.planner.plantables import tables
from umanflow.planner.pressurefacts import control_lines
from umanflow.planner.study import Plan

__all__ = ["tables", "write_plan"]


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
    models = {}
    if plan.pressure is not None:
        models["pressure.inp"] = plan.pressure.inp
    if plan.pumping is not None and plan.pumping.is_kept:
        models["pumps.inp"] = plan.pumping.inp
    for name, data in models.items():
        with whole_file(folder / name) as temporary:
            temporary.write_bytes(data)
        written.append(folder / name)
    texts["plan.json"] = json.dumps(_plain(plan), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    for name, text in texts.items():
        with whole_file(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
        written.append(folder / name)
    return written


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
