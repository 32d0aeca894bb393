"""A small town on a grid for tests of the instruments' health: two metered inlets, eight pressure loggers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from hydro.engine import Engine
from hydro.record import Record

START = pd.Timestamp("2026-01-05", tz="UTC")
SIDE, STEP_S = 6, 900
SENSORS = ("J02", "J05", "J14", "J21", "J33", "J40", "J52", "J55")
METERS = ("IN-1", "IN-2")
_DAY = 86400 // STEP_S


def write_town(path: Path) -> Path:
    """Write the town's INP: 36 junctions, 60 pipes, two reservoirs at opposite corners."""
    chance = np.random.default_rng(4)
    lines = ["[JUNCTIONS]"]
    for row in range(SIDE):
        lines += [f"J{row}{col} {10.0 + 2.0 * chance.random():.2f} {0.5 + chance.random():.3f}" for col in range(SIDE)]
    lines += ["[RESERVOIRS]", "R1 60", "R2 60", "[PIPES]"]
    lines += ["IN-1 R1 J00 300 250 120 0 Open", "IN-2 R2 J55 600 200 120 0 Open"]
    for row in range(SIDE):
        for col in range(SIDE):
            size = 150 if row in (0, 3) or col in (0, 3) else 100
            if col + 1 < SIDE:
                lines.append(f"P{row}{col}E J{row}{col} J{row}{col + 1} 200 {size} 110 0 Open")
            if row + 1 < SIDE:
                lines.append(f"P{row}{col}S J{row}{col} J{row + 1}{col} 200 {size} 110 0 Open")
    shape = (
        1.0 + 0.5 * np.sin(2 * np.pi * (np.arange(24) - 9) / 24) + 0.25 * np.sin(4 * np.pi * (np.arange(24) - 7) / 24)
    )
    lines += ["[PATTERNS]", *(f"1 {value:.3f}" for value in shape), "[TIMES]", "Duration 24:00"]
    lines += ["Pattern Timestep 1:00", "Hydraulic Timestep 0:15", "[OPTIONS]", "Units LPS", "Headloss H-W", "[END]"]
    path.write_text("\n".join(lines) + "\n")
    return path


def simulate(
    inp: Path,
    days: int,
    seed: int = 1,
    leak: tuple[str, float, float] | None = None,
    shut: tuple[str, float] | None = None,
    feast: tuple[float, float] | None = None,
    noise_m: float = 0.015,
) -> Record:
    """What the instruments show.

    Parameters
    ----------
    leak
        Pipe, day of its beginning, flow in m3/s.
    shut
        Pipe that is closed, and from which day.
    feast
        Days from and to which four junctions of a corner take thrice as much.
    """  # fmt: skip
    chance = np.random.default_rng(seed)
    with Engine(inp) as engine:
        topology, n = engine.topology, len(engine.junctions)
        sensors = np.array([topology.node(name) for name in SENSORS])
        meters = np.array([topology.link(name) for name in METERS])
        nominal = np.array([engine.demand_at(k * STEP_S)[:n] for k in range(_DAY)])
        share = np.exp(chance.normal(0.0, 0.15, n))
        engine.freeze_demands()
        engine.set_accuracy(1e-5)
        engine.duration = 0
        pressure, flow = [], []
        for step in range(days * _DAY):
            taken = nominal[step % _DAY] * share * np.exp(chance.normal(0.0, 0.1, n) + chance.normal(0.0, 0.01))
            if feast is not None and feast[0] * _DAY <= step < feast[1] * _DAY:
                taken[[16, 17, 22, 23]] *= 3.0
            if leak is not None and step >= leak[1] * _DAY:
                for node in (topology.start[topology.link(leak[0])], topology.end[topology.link(leak[0])]):
                    taken[node] += 0.5 * leak[2]
            if shut is not None and step == int(shut[1] * _DAY):
                engine.set_value("link", topology.link(shut[0]), "init_status", 0.0)
            engine.set_demands(taken)
            engine.start()
            engine.solve()
            pressure.append(engine.read("node", "pressure")[sensors])
            flow.append(engine.read("link", "flow")[meters])
    times = pd.date_range(START, periods=days * _DAY, freq=f"{STEP_S}s")
    shown = (
        np.array(pressure)
        + chance.normal(0.0, 0.2, len(sensors))
        + chance.normal(0.0, noise_m, (len(times), len(sensors)))
    )
    flows = np.array(flow) * (1.0 + chance.normal(0.0, 0.004, (len(times), len(meters))))
    return Record(
        pressure=pd.DataFrame(shown.round(3), index=times, columns=list(SENSORS)),
        flow=pd.DataFrame(flows, index=times, columns=list(METERS)),
    )


def day(number: float) -> pd.Timestamp:
    """A time of the town, in days from its start."""
    return START + pd.Timedelta(days=number)


def changed(record: Record, **columns: Mapping[str, pd.Series]) -> Record:
    """A record with some columns of some tables replaced."""
    tables = {q: getattr(record, q).copy() for q in ("pressure", "flow", "level", "demand")}
    for quantity, new in columns.items():
        for name, values in new.items():
            tables[quantity][name] = values
    return Record(**tables)
