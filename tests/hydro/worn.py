"""A plant of two districts that is older than its model, and what its instruments say."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from hydro.engine import Engine
from hydro.record import Record
from tests.hydro.inp import two_districts, write_inp
from tests.hydro.plant import measure

SENSORS = ("a11", "a22", "a30", "a13", "b00", "b11", "b20")
METERS = ("in_1", "in_2", "in_b")
OFFSET = pd.Series([0.25, -0.4, 0.1, 0.0, 0.3, -0.15, 0.5], SENSORS)
NOISE_M = 0.01


def write_plant(path: Path, hours: int = 96, pipes: str = "", junctions: str = "") -> Path:
    """Write the model with further lines of pipes and junctions."""
    body = two_districts().replace("[PUMPS]", pipes + "[PUMPS]").replace("[JUNCTIONS]\n", "[JUNCTIONS]\n" + junctions)
    return write_inp(path, body, hours=hours, step="0:05", pattern_step="0:15")


def aged(factor: Callable[[str, float], float]) -> Callable[[Engine], None]:
    """Make pipes lose so many times the head, by name and diameter (m)."""

    def prepare(engine: Engine) -> None:
        pipes, diameter = engine.topology.pipes, engine.read("link", "diameter")
        by = np.array([factor(engine.topology.links[k], float(diameter[k])) for k in pipes.tolist()])
        engine.set_values("link", pipes, "length", engine.topology.length[pipes] * by)

    return prepare


def leaking(node: str, coefficient: float) -> Callable[[Engine], None]:
    """Let a node leak: coefficient x sqrt(pressure), m3/s."""
    return lambda engine: engine.set_value("node", engine.topology.node(node), "emitter", coefficient)


def read(
    path: Path, hours: int, *preparations: Callable[[Engine], None], sensors: tuple[str, ...] = SENSORS, seed: int = 1
) -> Record:
    """What the instruments say: offsets of those that have one, and noise."""

    def prepare(engine: Engine) -> None:
        for preparation in preparations:
            preparation(engine)

    record = measure(path, hours, sensors, METERS, ("tower",), prepare)
    noise = NOISE_M * np.random.default_rng(seed).standard_normal(record.pressure.shape)
    offset = OFFSET.reindex(list(sensors)).fillna(0.0)
    return replace(record, pressure=record.pressure + noise + offset)


def joined(first: Record, second: Record, at: pd.Timestamp) -> Record:
    """One record up to a time, another from it on."""
    before, after = first.between(first.start, at), second.between(at, second.end + pd.Timedelta("1s"))
    return Record(
        pressure=pd.concat([before.pressure, after.pressure]),
        flow=pd.concat([before.flow, after.flow]),
        level=pd.concat([before.level, after.level]),
    )
