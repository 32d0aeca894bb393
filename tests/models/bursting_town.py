"""A small town by the hour, run by the engine: week, weather, guests, power cuts, and bursts.

How far it is from its model, and what its instruments read, are the middle of `benchmarks/worlds.py`: readings every
five minutes, of which an hour's mean is kept. Beside that its demand varies by 1 % from hour to hour all together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.record import Record

START = pd.Timestamp("2025-01-06", tz="UTC")  # a Monday
SIDE = 6
TAKE = 25e-3  # m3/s, of the whole town
SENSORS = ("j00", "j05", "j14", "j21", "j33", "j42", "j50", "j55")
_BY_HOUR = np.array(
    [5, 4, 4, 4, 5, 7, 11, 14, 13, 12, 11, 11, 11, 10, 10, 10, 11, 13, 14, 14, 12, 10, 8, 6], dtype=float
)
_READINGS = 12.0  # in an hour
_ROUGHNESS, _DIAMETER, _SHARE, _WANDER, _DAY, _HOUR = 0.12, 0.02, 0.25, 0.06, 0.015, 0.01
_JUNCTION, _PRESSURE_M, _FLOW = (sd / _READINGS**0.5 for sd in (0.15, 0.015, 0.004))
_OFFSET_M, _KEPT = 0.15, np.exp(-1.0 / 30.0)
BY_HOUR = _BY_HOUR / _BY_HOUR.mean()


@dataclass(frozen=True)
class Burst:
    """Water that leaves at a pipe from an hour on, m3/s."""

    pipe: str
    hour: float
    flow: float


def write_town(folder: Path) -> Path:
    """A grid of 36 junctions and 60 pipes behind one metered main."""
    random = np.random.default_rng(7)
    names = [f"j{i}{k}" for i in range(SIDE) for k in range(SIDE)]
    base = random.uniform(0.5, 1.5, len(names))
    base *= 1000.0 * TAKE / base.sum()
    lines = ["[JUNCTIONS]", "in 20 0", *(f"{n} 10 {b:.4f}" for n, b in zip(names, base, strict=True))]
    lines += [
        "[RESERVOIRS]",
        "source 70",
        "[PIPES]",
        "main source in 50 300 120 0 Open",
        "first in j00 100 300 120 0 Open",
    ]
    for i in range(SIDE):
        for k in range(SIDE):
            if k + 1 < SIDE:
                lines.append(f"e{i}{k} j{i}{k} j{i}{k + 1} 150 {120 if i else 150} 110 0 Open")
            if i + 1 < SIDE:
                lines.append(f"s{i}{k} j{i}{k} j{i + 1}{k} 150 {120 if k else 150} 110 0 Open")
    lines += ["[PATTERNS]", *(f"day {' '.join(f'{v:.4f}' for v in BY_HOUR[k : k + 6])}" for k in range(0, 24, 6))]
    lines += [
        "[OPTIONS]",
        "Units LPS",
        "Headloss H-W",
        "Pattern day",
        "[TIMES]",
        "Duration 24:00",
        "Pattern Timestep 1:00",
    ]
    path = folder / "town.inp"
    path.write_text("\n".join([*lines, "[END]", ""]))
    return path


def run_town(
    inp: Path, days: int, bursts: Sequence[Burst] = (), seed: int = 1, surges: Mapping[int, float] | None = None,
    cuts: Sequence[int] = (),
) -> Record:  # fmt: skip
    """Hourly means of its instruments.

    Parameters
    ----------
    surges
        Factor on a day's demand, by the day's number: guests, a holiday.
    cuts
        Hours at which a power cut begins: three hours without water or readings, then two in which tanks in houses
        refill.
    """
    random = np.random.default_rng(seed)
    hours = np.arange(24 * days)
    day = hours // 24
    weather = _drift(random, days, 1, 0.7, _DAY)[:, 0]
    factor = BY_HOUR[hours % 24] * np.exp(weather[day] + random.normal(0.0, _HOUR, len(hours)))
    weekend = day % 7 >= 5
    factor *= np.where(weekend, 1.08 - 0.06 * np.cos((hours % 24 - 10) / 24 * 2 * np.pi), 1.0)
    for number, by in (surges or {}).items():
        factor[day == number] *= by
    out = np.zeros(len(hours), dtype=bool)
    for cut in cuts:
        out[cut : cut + 3] = True
        factor[cut + 3 : cut + 5] *= 1.5
    pressure, flow = np.empty((len(hours), len(SENSORS))), np.empty(len(hours))
    with Engine(inp) as engine:
        topology = engine.topology
        base = engine.demand_at(0) / BY_HOUR[0]
        for name, spread in (("roughness", _ROUGHNESS), ("diameter", _DIAMETER)):
            own = engine.read("link", name)[topology.pipes] * np.exp(random.normal(0.0, spread, len(topology.pipes)))
            engine.set_values("link", topology.pipes, name, own)
        share = base * np.exp(random.normal(0.0, _SHARE, len(base)))
        base = share * base.sum() / share.sum()
        wander = np.exp(_drift(random, days, len(base), _KEPT, _WANDER))
        nodes, main = [topology.node(n) for n in SENSORS], topology.link("main")
        engine.freeze_demands()
        engine.duration = 0
        engine.set_accuracy(1e-5)
        for hour in hours.tolist():
            demand = base * wander[hour // 24] * factor[hour] * np.exp(random.normal(0.0, _JUNCTION, len(base)))
            for burst in bursts:
                link = topology.link(burst.pipe)
                runs = float(np.clip(hour + 1 - burst.hour, 0.0, 1.0)) * burst.flow
                demand[[topology.start[link], topology.end[link]]] += 0.5 * runs
            engine.set_demands(demand)
            engine.start(keep_flows=hour > 0)
            engine.solve()
            pressure[hour], flow[hour] = engine.read("node", "pressure")[nodes], engine.read("link", "flow")[main]
    pressure += random.normal(0.0, _OFFSET_M, len(SENSORS)) + random.normal(0.0, _PRESSURE_M, pressure.shape)
    flow *= 1.0 + random.normal(0.0, _FLOW, len(flow))
    pressure[out], flow[out] = np.nan, np.nan
    times = START + pd.to_timedelta(hours, unit="h")
    return Record(pressure=pd.DataFrame(pressure, times, list(SENSORS)), flow=pd.DataFrame({"main": flow}, index=times))


def _drift(random: np.random.Generator, days: int, n: int, kept: float, spread: float) -> NDArray[np.float64]:
    """What wanders from day to day about zero, float64 [days, n]."""
    found = np.empty((days, n))
    state = random.normal(0.0, spread, n)
    for k in range(days):
        state = kept * state + random.normal(0.0, spread * np.sqrt(1.0 - kept**2), n)
        found[k] = state
    return found
