"""A town of four streets for reports: its INP with tables beside it, and what a detection of it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hydro.engine import Engine
from hydro.record import Record
from models.leak import Estimate, Leak
from models.localise import Candidate
from networks import load
from umanflow.detection import write_json
from umanflow.report import write_leaks
from umanflow.report.measured import days_of

CRS = "EPSG:32636"
ROWS = COLUMNS = 4
STREETS = ("Європейська", "Ґалаґанівська", "Київська", "Їжакевича")
DEMAND_LPS = 0.5
CONNECTIONS = 10
START = pd.Timestamp("2026-01-01", tz="UTC")
DAYS = 60


def junction(row: int, column: int) -> str:
    return f"J-{row}{column}"


def write_town(folder: Path, has_places: bool = True, has_tables: bool = True) -> Path:
    """Four streets, one above the other, joined at both ends; each joint can be shut at its lower end."""
    folder.mkdir(parents=True, exist_ok=True)
    nodes = [(r, c) for r in range(ROWS) for c in range(COLUMNS)]
    streets = [(f"H-{r}{c}", junction(r, c), junction(r, c + 1)) for r in range(ROWS) for c in range(COLUMNS - 1)]
    joints = [(f"V-{r}{c}", junction(r, c), junction(r + 1, c)) for r in range(ROWS - 1) for c in (0, COLUMNS - 1)]
    pipes = [("MAIN", "R", junction(0, 0)), *streets, *joints]
    lines = ["[TITLE]", "A town for reports", "[JUNCTIONS]"]
    lines += [f"{junction(r, c)} 100 {DEMAND_LPS}" for r, c in nodes]
    lines += ["[RESERVOIRS]", "R 150", "[PIPES]"]
    lines += [
        f"{name} {a} {b} {300 if name == 'MAIN' else 200} {300 if name == 'MAIN' else 150} 120 0 Open"
        for name, a, b in pipes
    ]
    lines += ["[TIMES]", "Duration 24:00", "[OPTIONS]", "Units LPS", "Headloss H-W"]
    if has_places:
        lines += ["[COORDINATES]", "R 293700 5403000"]
        lines += [f"{junction(r, c)} {294000 + 100 * c} {5403000 + 100 * r}" for r, c in nodes]
    (folder / "town.inp").write_text("\n".join([*lines, "[END]", ""]), encoding="utf-8")
    if has_tables:
        _tables(folder, nodes, pipes, joints)
    return folder / "town.inp"


def _tables(
    folder: Path,
    nodes: Sequence[tuple[int, int]],
    pipes: Sequence[tuple[str, str, str]],
    joints: Sequence[tuple[str, str, str]],
) -> None:
    rows = [f"{junction(r, c)},A,{STREETS[r]},{CONNECTIONS},2" for r, c in nodes]
    _csv(folder / "nodes.csv", "node,dma,street,connections,storeys", rows)
    rows = [f"S{name[1:]},{name},{below},isolation" for name, below, _ in joints]
    _csv(folder / "valves.csv", "valve,pipe,node,kind", rows)
    rows = [f"{n},PE,2000,0,A,{STREETS[int(n[2])] if n != 'MAIN' else 'Лісова'}" for n, _, _ in pipes]
    _csv(folder / "pipes.csv", "pipe,material,year,breaks,dma,street", rows)


def _csv(path: Path, head: str, rows: Sequence[str]) -> None:
    path.write_text("\n".join([head, *rows, ""]), encoding="utf-8")


def leak(event: int, pipe: str = "H-31", status: str = "open", **changes: object) -> Leak:
    """A leak that began on 1 February and may lie in three streets."""
    candidates = (Candidate(pipe, 0.5), Candidate("H-21", 0.3), Candidate("H-11", 0.18))
    values: dict[str, object] = {
        "event": event, "detected": START + pd.Timedelta(days=33), "pipe": pipe,
        "flow": Estimate(0.001, 0.0009, 0.0011),
        "probability": 0.8, "search_length": 200.0, "candidates": candidates, "kind": "abrupt", "dma": "A",
        "start": START + pd.Timedelta(days=31), "start_low": START + pd.Timedelta(days=30),
        "start_high": START + pd.Timedelta(days=32), "pipe_best": pipe, "flow_best": 0.001, "probability_best": 0.8,
        "candidates_best": candidates, "ended": START + pd.Timedelta(days=50) if status == "ended" else None,
        "status": status, "evidence": (("J-30", -8.0), ("balance of MAIN", 12.0), ("J-33", -6.5)),
    }  # fmt: skip
    return Leak(**{**values, **changes})  # type: ignore[arg-type]


def record(leak_from: int = 31, leak: float = 0.001) -> Record:
    """Sixty days of a meter and two loggers, in quarters of an hour: less is used at night, and a leak begins."""
    times = pd.date_range(START, periods=DAYS * 96, freq="15min")
    hour = (times - times.floor("D")) / pd.Timedelta(hours=1)
    use = ROWS * COLUMNS * DEMAND_LPS / 1000.0 * (0.6 + 0.4 * np.sin((np.asarray(hour) - 8.0) / 24.0 * 2.0 * np.pi))
    running = np.asarray(times >= START + pd.Timedelta(days=leak_from))
    flow = pd.DataFrame({"MAIN": use + leak * running}, index=times)
    pressure = pd.DataFrame({"J-30": 40.0 - 0.5 * running, "J-33": np.full(len(times), 40.0)}, index=times)
    pressure.iloc[1000:3000, 1] = np.nan
    return Record(pressure=pressure, flow=flow, level=pd.DataFrame(index=times), demand=pd.DataFrame(index=times))


def residuals(leak_from: int = 31) -> pd.DataFrame:
    """Sixty daily frames of three channels; what the leak moves is there from its start on."""
    rng = np.random.default_rng(4)
    index = pd.date_range(START, periods=DAYS, freq="1D", name="time")
    running = np.arange(DAYS) >= leak_from
    noise = rng.normal(0.0, 1.0, (DAYS, 3))
    moved = running[:, None] * np.array([-8.0, 12.0, -6.5])
    return pd.DataFrame((noise + moved) * [0.05, 1e-4, 0.05], index=index, columns=["J-30", "balance of MAIN", "J-33"])


def write_folder(
    folder: Path,
    inp: Path,
    leaks: Sequence[Leak],
    crs: str | None = CRS,
    has_days: bool = True,
    timezone: str | None = None,
) -> Path:
    """What `umanflow detect` leaves behind."""
    folder.mkdir(parents=True, exist_ok=True)
    network = load(inp, crs)
    with Engine(network) as engine:
        topology = engine.topology
    network.folder = inp.parent
    write_leaks(leaks, topology, folder, crs, timezone, network.pipes)
    residuals().to_parquet(folder / "residuals.parquet")
    if has_days:
        days_of(record(), timezone).to_parquet(folder / "days.parquet")
    write_json(
        [
            {"instrument": "MAIN", "quantity": "flow", "available": 1.0, "state": "ok"},
            {"instrument": "J-30", "quantity": "pressure", "available": 1.0, "state": "ok"},
            {"instrument": "J-33", "quantity": "pressure", "available": 0.65, "state": "ok"},
            {"instrument": "J-13", "quantity": "pressure", "available": 0.0, "state": "silent"},
        ],
        folder / "health.json",
    )
    run = {
        "network": str(inp), "sha256": network.sha256, "crs": crs, "clock": timezone, "from": START.isoformat(),
        "to": (START + pd.Timedelta(days=DAYS)).isoformat(), "created": "2026-03-02T01:00:00+00:00",
        "districts": [{"name": "MAIN", "inflow_m3h": 28.8, "is_closed": True}],
        "versions": {"umanflow": "0.1.0", "wntr": "1.5.0"},
        "settings": {"learning": "7 days 00:00:00", "least_share": "0.004", "least_flow": str(0.2 / 3600.0)},
        "something new": [1, 2, 3],
    }  # fmt: skip
    write_json(run, folder / "run.json")
    return folder


def add_to_leaks(folder: Path, **fields: object) -> None:
    """Add fields to each entry of leaks.json, as a later detector may."""
    entries = json.loads((folder / "leaks.json").read_text(encoding="utf-8"))
    (folder / "leaks.json").write_text(json.dumps([{**entry, **fields} for entry in entries]), encoding="utf-8")
