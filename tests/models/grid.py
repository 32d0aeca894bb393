"""A small town on a grid, older than its model, with leaks that run before its record begins."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hydro.engine import Engine
from hydro.record import Record
from tests.hydro.inp import write_inp

SIDE, LENGTH_M = 6, 250
START = pd.Timestamp("2024-01-01", tz="UTC")  # a Monday
STEP_S = 900
PATTERN = (
    0.35, 0.28, 0.25, 0.24, 0.27, 0.45, 1.0, 1.7, 1.75, 1.45, 1.2, 1.1,
    1.15, 1.2, 1.1, 1.0, 1.05, 1.25, 1.55, 1.7, 1.5, 1.15, 0.8, 0.5,
)  # fmt: skip
SENSORS = tuple(f"n{r}{c}" for r in (0, 2, 4, 5) for c in (0, 2, 4, 5))
METER = "main"


def write_grid(folder: Path) -> Path:
    """Write the model: 36 junctions, a reservoir, one metered inlet; thicker pipes on two streets."""
    junctions = "\n".join(
        f" n{r}{c} {5.0 + r} {0.25 + 0.05 * ((3 * r + 5 * c) % 4)!r}" for r in range(SIDE) for c in range(SIDE)
    )
    pipes = [f" {METER} lake n00 300 200 120 0 Open"]
    for r in range(SIDE):
        for c in range(SIDE):
            if c + 1 < SIDE:
                pipes.append(f" h{r}{c} n{r}{c} n{r}{c + 1} {LENGTH_M} {150 if r == 0 else 80} 110 0 Open")
            if r + 1 < SIDE:
                pipes.append(f" v{r}{c} n{r}{c} n{r + 1}{c} {LENGTH_M} {150 if c == 0 else 80} 110 0 Open")
    pattern = "\n".join(f" 1 {' '.join(f'{v:g}' for v in PATTERN[k : k + 6])}" for k in range(0, 24, 6))
    body = (
        f"[JUNCTIONS]\n{junctions}\n[RESERVOIRS]\n lake 60\n[PIPES]\n" + "\n".join(pipes) + f"\n[PATTERNS]\n{pattern}\n"
    )
    return write_inp(folder / "grid.inp", body, hours=24, step="0:15", pattern_step="1:00")


def read_grid(
    inp: Path, days: int, leaks: Mapping[str, float], seed: int, repaired: Mapping[str, float] | None = None,
    begun: Mapping[str, float] | None = None, sensors: Sequence[str] = SENSORS,
) -> tuple[Record, pd.DataFrame]:  # fmt: skip
    """What instruments say of a town whose pipes, shares and sensors differ from the model, and what leaked, m3/s.

    Parameters
    ----------
    leaks
        Pipe -> flow at 40 m of pressure, m3/h.
    repaired, begun
        Pipe -> day at which its leak ends or begins; others run all the time.
    """
    r = np.random.default_rng(seed)
    repaired, begun = repaired or {}, begun or {}
    n = days * 86400 // STEP_S
    lost, pressures, flows = np.zeros((n, len(leaks))), np.empty((n, len(sensors))), np.empty(n)
    with Engine(inp) as engine:
        pipes = engine.topology.pipes
        engine.set_values(
            "link", pipes, "length", engine.topology.length[pipes] * np.exp(r.normal(0, 0.15, len(pipes)))
        )
        nominal = [engine.demand_at(h * 3600).copy() for h in range(24)]
        share = np.exp(r.normal(0.0, 0.2, len(nominal[0])))
        nodes = [engine.add_leak(pipe) for pipe in leaks]
        topology = engine.topology
        at = [topology.node(s) for s in sensors]
        engine.freeze_demands()
        engine.set_accuracy(1e-5)
        engine.duration = (days + 1) * 86400
        engine.set_hydraulic_step(STEP_S)
        demand = np.zeros(len(engine.junctions))
        engine.start()
        for step in range(n):
            day = step * STEP_S / 86400.0
            noise = np.exp(r.normal(0.0, 0.1, len(share))) * np.exp(r.normal(0.0, 0.01))
            demand[: len(share)] = nominal[int(day * 24) % 24] * share * noise
            engine.set_demands(demand)
            for k, (pipe, flow) in enumerate(leaks.items()):
                runs = begun.get(pipe, -1.0) <= day < repaired.get(pipe, np.inf)
                engine.open_leak(nodes[k], (flow if runs else 1e-6) / 3600.0 / 40.0**0.5)
            engine.solve()
            p = engine.read("node", "pressure")
            pressures[step], flows[step] = p[at], engine.read("link", "flow")[topology.link(METER)]
            for k, (pipe, flow) in enumerate(leaks.items()):
                runs = begun.get(pipe, -1.0) <= day < repaired.get(pipe, np.inf)
                lost[step, k] = runs * flow / 3600.0 * (max(p[nodes[k]], 0.0) / 40.0) ** 0.5
            engine.advance()
    times = START + pd.to_timedelta(STEP_S * np.arange(n), unit="s")
    shown = pressures + r.normal(0.0, 0.15, len(sensors)) + r.normal(0.0, 0.01, pressures.shape)
    metered = flows * (1.0 + r.normal(0.0, 0.004, n))
    empty = pd.DataFrame(index=times)
    record = Record(
        pressure=pd.DataFrame(shown, times, list(sensors)), flow=pd.DataFrame(metered[:, None], times, [METER]),
        level=empty,
    )  # fmt: skip
    return record, pd.DataFrame(lost, times, list(leaks))
