"""Measurements made by the engine itself: a plant whose truth is known."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hydro.engine import Engine
from hydro.record import Record

START = pd.Timestamp("2024-01-01", tz="UTC")  # a Monday
SAMPLE_S = 300


def measure(
    inp: Path, hours: int, pressures: Sequence[str], flows: Sequence[str], levels: Sequence[str],
    prepare: Callable[[Engine], None] = lambda engine: None,
) -> Record:  # fmt: skip
    """Run the network, whose report step is five minutes, and read its instruments."""
    rows, times = [], []
    with Engine(inp) as engine:
        prepare(engine)
        engine.duration = hours * 3600
        engine.set_hydraulic_step(SAMPLE_S)
        engine.set_accuracy(1e-5)
        topology = engine.topology
        nodes = [topology.node(name) for name in (*pressures, *levels)]
        links = [topology.link(name) for name in flows]
        for now in engine.steps():
            if now % SAMPLE_S == 0 and now < hours * 3600:
                times.append(now)
                rows.append(
                    np.concatenate([engine.read("node", "pressure")[nodes], engine.read("link", "flow")[links]])
                )
    values, index = np.array(rows), START + pd.to_timedelta(times, unit="s")
    assert len(index) == hours * 3600 // SAMPLE_S
    columns = np.split(values, [len(pressures), len(pressures) + len(levels)], axis=1)
    return Record(
        pressure=pd.DataFrame(columns[0], index, list(pressures)),
        level=pd.DataFrame(columns[1], index, list(levels)),
        flow=pd.DataFrame(columns[2], index, list(flows)),
    )


def settled(record: Record, step: pd.Timedelta, meters: Sequence[str], full: float = np.inf) -> np.ndarray:
    """bool [n_intervals]: no metered link went on or off and no tank filled or left its top, there or beside it."""
    running = record.flow[list(meters)].abs() > 1e-6
    at_top = record.level > full
    switched = (running != running.shift().fillna(running)).any(axis=1) | (at_top != at_top.shift().fillna(at_top)).any(
        axis=1
    )
    near = switched.resample(step).max().to_numpy(dtype=bool)
    padded = np.pad(near, 1, constant_values=True)  # the first and last have no neighbour to take a slope from
    return ~(padded[:-2] | padded[1:-1] | padded[2:])
