"""Make unseen worlds for the detector: two years of a network that differs from its model, with leaks of their own.

    python benchmarks/worlds.py --out DIR [--seeds 1 2 3] [--days 365] [--faults | --calm] [--old 0] [--data FOLDER]

Each world is a folder in the layout of `data/ltown` (`2018/` history, `2019/` evaluation, `repairs_2018.csv`,
`truth/`) and is scored by `benchmarks/ltown.py --data DIR/world-1`. Drawn from the seed: roughness and diameter of each
pipe, each junction's share of demand and its slow wander, weather, season, sensors' offsets and noise, and the leaks:
pipes by length, about half at once and half growing with the square of time; large ones are repaired after weeks, small
ones stay. The instruments are those of the data given. `--faults` lets instruments fail and shuts a valve, `--calm`
leaves the evaluation year without a new leak but not without disturbance (`benchmarks/world_events.py`); what was drawn
is in `truth/faults.csv`. With `--old N` that many leaks more run at their full size before the first record; the world
is else the one without, its draws included, so that the two can be compared.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from world_events import Calm, Events, Faults

from hydro.engine import Engine
from hydro.record import Record, read_record
from networks import find

Floats = NDArray[np.float64]

_STEP_S, _GRAVITY = 300, 9.80665
_START = pd.Timestamp("2018-01-01")
_DISCHARGE = 0.75
KEPT = float(np.exp(-1 / 30))  # of a junction's wander, from day to day


@dataclass(frozen=True)
class Mismatch:
    """How far a world is from its model, standard deviations; drawn anew for each world within a factor of 1.5."""

    roughness: float = 0.12
    diameter: float = 0.02
    demand: float = 0.25
    wander: float = 0.06  # a junction's share over a month
    day: float = 0.015  # all demand, from day to day
    season: float = 0.07
    junction: float = 0.15  # one junction, from step to step
    offset_m: float = 0.15
    pressure_m: float = 0.015
    flow: float = 0.004
    customer: float = 0.02

    @classmethod
    def drawn(cls, random: np.random.Generator) -> Mismatch:
        """One world's own."""
        return cls(**{k: v * float(np.exp(random.uniform(-0.4, 0.4))) for k, v in vars(cls()).items()})


@dataclass(frozen=True)
class WorldLeak:
    """One leak of a world; times in steps from the beginning."""

    pipe: str
    start: int
    peak: int
    end: int
    diameter: float
    is_old: bool = False

    def opening(self, step: int) -> float:
        """Share of the final area."""
        if not self.start <= step < self.end:
            return 0.0
        return 1.0 if step >= self.peak else ((step - self.start) / (self.peak - self.start)) ** 2


def draw_leaks(engine: Engine, random: np.random.Generator, days: int, pressure: Floats) -> list[WorldLeak]:
    """Draw two years of leaks: 4.5 to 16 m3/h when grown for those that stay, 15 to 35 for those that are repaired."""
    topology = engine.topology
    pipes = topology.pipes
    weight = topology.length[pipes] / topology.length[pipes].sum()
    per_day = 86400 // _STEP_S
    leaks: list[WorldLeak] = []
    for year, mean in ((0, 13), (1, 18)):
        n = max(3, round(mean * days / 365 + random.normal(0.0, 1.5)))
        for link in random.choice(pipes, n, replace=False, p=weight):
            start = int((year * days + random.uniform(5.0 if year else 8.0, 0.9 * days)) * per_day)
            is_large = random.random() < 0.5
            flow = random.uniform(15.0, 35.0) if is_large else random.uniform(4.5, 16.0 if year else 8.0)
            rise = 0 if random.random() < 0.5 else int(random.uniform(5.0, 60.0 if is_large else 100.0) * per_day)
            end = start + int(random.uniform(8.0, 60.0) * per_day) if is_large else 2 * days * per_day
            end = end if is_large is False or rise == 0 else max(end, start + rise // 2 + 5 * per_day)
            p = max(5.0, float(pressure[[topology.start[link], topology.end[link]]].mean()))
            area = flow / 3600.0 / (_DISCHARGE * np.sqrt(2.0 * _GRAVITY * p))
            name = topology.links[link]
            if name not in {leak.pipe for leak in leaks}:
                leaks.append(
                    WorldLeak(name, start, start + rise, min(end, 2 * days * per_day), float(np.sqrt(4 * area / np.pi)))
                )
    return sorted(leaks, key=lambda leak: leak.start)


def vary_pipes(engine: Engine, random: np.random.Generator, m: Mismatch) -> None:
    """Give every pipe a roughness and a diameter of its own."""
    pipes = engine.topology.pipes
    for name, spread in (("roughness", m.roughness), ("diameter", m.diameter)):
        engine.set_values(
            "link", pipes, name, engine.read("link", name)[pipes] * np.exp(random.normal(0.0, spread, len(pipes)))
        )


def drift(random: np.random.Generator, begin: Floats | float, keep: float, spread: float, n: int) -> Floats:
    """What changes from day to day about zero: keeps a share of the day before, float64 [n, ...]."""
    state, found = begin, []
    for _ in range(n):
        state = keep * state + random.normal(0.0, spread * np.sqrt(1 - keep**2), np.shape(state))
        found.append(state)
    return np.array(found)


def draw_old(
    engine: Engine, random: np.random.Generator, count: int, days: int, pressure: Floats, taken: set[str]
) -> list[WorldLeak]:
    """Draw leaks of 5 to 20 m3/h that run from before the first record; a third of them is repaired on the way."""
    topology, per_day = engine.topology, 86400 // _STEP_S
    free = np.array([k for k in topology.pipes.tolist() if topology.links[k] not in taken])
    weight = topology.length[free] / topology.length[free].sum()
    leaks = []
    for number, link in enumerate(random.choice(free, count, replace=False, p=weight).tolist()):
        flow = random.uniform(5.0, 20.0)
        p = max(5.0, float(pressure[[topology.start[link], topology.end[link]]].mean()))
        area = flow / 3600.0 / (_DISCHARGE * np.sqrt(2.0 * _GRAVITY * p))
        # repaired in the middle of the data: neither side of the repair is learnt from alone
        end = int((days + random.uniform(0.4, 0.7) * days) * per_day) if number % 3 == 2 else 2 * days * per_day
        leaks.append(WorldLeak(topology.links[link], 0, 0, end, float(np.sqrt(4 * area / np.pi)), True))
    return leaks


class World:
    """A network that differs from its model, run step by step."""

    def __init__(self, seed: int, days: int, instruments: Record, events: Events | None = None, old: int = 0) -> None:
        self.seed, self.events = seed, events or Events()
        self.random = np.random.default_rng([seed, 20])
        r = self.random
        self.m = Mismatch.drawn(r)
        self.days, self.instruments = days, instruments
        with Engine(find("L-TOWN")[1]) as plain:
            plain.duration = 0
            plain.start()
            plain.solve()
            pressure = plain.read("node", "pressure")
            self.leaks = draw_leaks(plain, r, days, pressure)
            own = np.random.default_rng([seed, 21])
            self.leaks += draw_old(plain, own, old, days, pressure, {leak.pipe for leak in self.leaks})
            self.n_junctions = len(plain.junctions)
            self.topology, self.junctions, self.flow = plain.topology, plain.junctions, plain.read("link", "flow")
        self.events.draw(self)
        self.engine = Engine(find("L-TOWN")[1])
        self._differ()

    def _differ(self) -> None:
        engine, r, m = self.engine, self.random, self.m
        vary_pipes(engine, r, m)
        self.share = np.exp(r.normal(0.0, m.demand, self.n_junctions))
        self.nodes = [engine.add_leak(leak.pipe) for leak in self.leaks]
        topology = engine.topology
        self.sensors = np.array([topology.node(n) for n in self.instruments.pressure.columns])
        self.meters = np.array([topology.link(n) for n in self.instruments.flow.columns])
        self.tanks = np.array([topology.node(n) for n in self.instruments.level.columns])
        junction = {int(n): k for k, n in enumerate(engine.junctions)}
        self.customers = np.array([junction[topology.node(n)] for n in self.instruments.demand.columns])
        nominal = engine.demand_at
        week = 7 * 86400
        self.table = np.array([nominal(s)[: self.n_junctions] for s in range(0, week, _STEP_S)])
        engine.freeze_demands()
        engine.set_accuracy(1e-5)
        engine.duration = (2 * self.days + 1) * 86400

    def factors(self) -> tuple[Floats, Floats]:
        """Factor on all demand at each step, and each junction's wander day by day."""
        r, m, n = self.random, self.m, 2 * self.days
        t = np.arange(n)
        day = drift(r, 0.0, 0.7, m.day, n)
        peak = r.uniform(170, 220)
        log = day + m.season * np.cos(2 * np.pi * (t - peak) / 365.0) + r.uniform(-0.03, 0.06) * t / n
        per_day = 86400 // _STEP_S
        fine = np.interp(np.arange(n * per_day) / per_day, t + 0.5, log) + r.normal(0.0, 0.012, n * per_day)
        begin = r.normal(0.0, m.wander, self.n_junctions)
        return np.exp(fine), np.exp(drift(r, begin, KEPT, m.wander, n))

    def run(self) -> tuple[dict[str, Floats], Floats]:
        """Run; return true values of each quantity and the leaks' flows, m3/s."""
        engine, r, m = self.engine, self.random, self.m
        total, wander = self.factors()
        per_day = 86400 // _STEP_S
        n = len(total)
        out = {
            "pressure": np.empty((n, len(self.sensors))), "flow": np.empty((n, len(self.meters))),
            "level": np.empty((n, len(self.tanks))), "demand": np.empty((n, len(self.customers))),
        }  # fmt: skip
        lost = np.zeros((n, len(self.leaks)))
        demand = np.zeros(len(engine.junctions))
        coefficients = [_DISCHARGE * np.pi / 4 * leak.diameter**2 * np.sqrt(2 * _GRAVITY) for leak in self.leaks]
        opening = np.zeros(len(self.leaks))
        engine.start()
        now, head = 0, None
        for step in range(n):
            noise = np.exp(r.normal(-0.5 * m.junction**2, m.junction, self.n_junctions))
            people = self.table[self.events.clock(step) % len(self.table)]
            taken = people * self.share * wander[step // per_day] * noise * total[step]
            taken = self.events.taken(step, taken)
            self.events.act(self, step)
            demand[: self.n_junctions] = taken
            for junction, flow in self.events.passed(step, head).items():
                demand[junction] += flow
            engine.set_demands(demand)
            for k, leak in enumerate(self.leaks):
                wide = leak.opening(step)
                if wide != opening[k]:
                    # a leak that was repaired leaves a film: EPANET forgets an emitter only at a new start
                    engine.open_leak(self.nodes[k], max(wide, 1e-9) * coefficients[k])
                    opening[k] = wide
            while True:
                engine.solve()
                if now == step * _STEP_S:
                    p = engine.read("node", "pressure")
                    head = engine.read("node", "head")[engine.junctions][: self.n_junctions]
                    out["pressure"][step] = p[self.sensors]
                    out["flow"][step] = engine.read("link", "flow")[self.meters]
                    out["level"][step] = p[self.tanks]
                    out["demand"][step] = taken[self.customers]
                    lost[step] = opening * coefficients * np.sqrt(np.maximum(p[self.nodes], 0.0))
                now += engine.advance()
                if now >= (step + 1) * _STEP_S:
                    break
        engine.close()
        return out, lost


def measure(world: World, truth: dict[str, Floats]) -> dict[str, Floats]:
    """What instruments make of the truth."""
    r, m = world.random, world.m
    offset = r.normal(0.0, m.offset_m, len(world.sensors))
    shown = {
        "pressure": truth["pressure"] + offset + r.normal(0.0, m.pressure_m, truth["pressure"].shape),
        "flow": 3600.0 * truth["flow"] * (1.0 + r.normal(0.0, m.flow, truth["flow"].shape)),
        "level": truth["level"] + r.normal(0.0, 0.002, truth["level"].shape),
        "demand": 3.6e6 * truth["demand"] * (1.0 + r.normal(0.0, m.customer, truth["demand"].shape)),
    }
    found = {name: np.round(values, 2) for name, values in shown.items()}
    world.events.spoil(world, found)
    return found


def write(world: World, shown: dict[str, Floats], lost: Floats, folder: Path) -> None:
    """Write a world in the layout of data/ltown."""
    per_year = world.days * 86400 // _STEP_S
    times = pd.date_range(_START, periods=2 * per_year, freq=f"{_STEP_S}s")
    columns = {q: list(getattr(world.instruments, q).columns) for q in shown}
    titles = {"pressure": "Pressures", "flow": "Flows", "level": "Levels", "demand": "Demands"}
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for year, part in ((2018, slice(0, per_year)), (2019, slice(per_year, 2 * per_year))):
        (folder / str(year)).mkdir(exist_ok=True)
        for q, values in shown.items():
            index = pd.DatetimeIndex(times[part], name="Timestamp")
            table = pd.DataFrame(values[part], index=index, columns=columns[q]).reset_index()
            table.to_parquet(folder / str(year) / f"{year}_SCADA_{titles[q]}.parquet", index=False)
        alive = [k for k in range(len(world.leaks)) if lost[part, k].max() > 1e-6]
        flows = pd.DataFrame(
            3600.0 * lost[part][:, alive], index=times[part], columns=[world.leaks[k].pipe for k in alive]
        )
        flows.rename_axis("Timestamp").round(5).to_csv(folder / "truth" / f"leak_flows_{year}.csv.gz")
        rows = []
        for k in alive:
            leak = world.leaks[k]
            end = min(leak.end, part.stop) - 1
            rows.append(
                {
                    "pipe": leak.pipe, "start": times[leak.start], "end": times[end], "diameter": leak.diameter,
                    "kind": "old" if leak.is_old else "abrupt" if leak.peak == leak.start else "incipient",
                    "peak": times[min(leak.peak, end)], "peak_m3h": 3600.0 * lost[part, k].max(),
                    "volume_m3": lost[part, k].sum() * _STEP_S,
                }
            )  # fmt: skip
        pd.DataFrame(rows).to_csv(folder / "truth" / f"leaks_{year}.csv", index=False)
    if world.events.rows:
        world.events.table(times).to_csv(folder / "truth" / "faults.csv", index=False)
    for name, known in (
        ("repairs_2018.csv", [leak for leak in world.leaks if leak.end < per_year]),
        # what crews come to know later of leaks that are older than the record
        ("repairs_old.csv", [leak for leak in world.leaks if leak.is_old and per_year <= leak.end < 2 * per_year]),
    ):
        flows = [round(3600.0 * float(lost[x.end - 1, world.leaks.index(x)]), 2) for x in known]
        table = pd.DataFrame({"pipe": [x.pipe for x in known], "repaired": [times[x.end] for x in known]})
        if name == "repairs_old.csv":
            table["found"], table["measured_flow_m3h"] = "yes", flows
        table.to_csv(folder / name, index=False)


def main() -> None:
    """Make worlds one after another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--days", type=int, default=365)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--faults", dest="events", action="store_const", const=Faults, default=Events)
    kind.add_argument("--calm", dest="events", action="store_const", const=Calm)
    parser.add_argument("--old", type=int, default=0, help="leaks that run before the first record")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ltown"))
    options = parser.parse_args()
    instruments = read_record(options.data / "2018")
    for seed in options.seeds:
        began = time.monotonic()
        world = World(seed, options.days, instruments, options.events(), options.old)
        truth, lost = world.run()
        name = f"world-{seed}" + (f"-old-{options.old}" if options.old else "")
        write(world, measure(world, truth), lost, options.out / name)
        print(f"{name}: {len(world.leaks)} leaks, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
