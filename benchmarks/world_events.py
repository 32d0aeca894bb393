"""What befalls a world beside leaks: instruments that fail, a closed valve, and a calm year's disturbances.

Used by `benchmarks/worlds.py --faults` and `--calm`; what was drawn is written to `truth/faults.csv`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from worlds import World

Floats = NDArray[np.float64]

_PER_DAY, _PER_HOUR = 288, 12
_KPA = 9.80665


@dataclass
class Events:
    """Nothing happens; what does is drawn by those that inherit.

    Attributes
    ----------
    rows
        What happened: element, quantity, kind, start and end (steps), size, unit.
    """

    rows: list[dict[str, object]] = field(default_factory=list)

    def draw(self, world: World) -> None:
        """Draw everything, before the world runs."""

    def clock(self, step: int) -> int:
        """The step of the week by which people live."""
        return step

    def taken(self, step: int, demand: Floats) -> Floats:
        """What people take in a step, float64 [n_junctions], m3/s."""
        return demand

    def passed(self, step: int, head: Floats | None) -> dict[int, float]:
        """What passes unmeasured from one junction to another: junction -> m3/s that leave there."""
        return {}

    def act(self, world: World, step: int) -> None:
        """Turn valves before a step is solved."""

    def spoil(self, world: World, shown: dict[str, Floats]) -> None:
        """Let instruments fail, in place."""

    def add(self, element: str, quantity: str, kind: str, start: int, end: int, size: float, unit: str) -> None:
        """Note what happened."""
        self.rows.append({
            "element": element, "quantity": quantity, "kind": kind, "start": start, "end": end, "size": size,
            "unit": unit,
        })  # fmt: skip

    def table(self, times: pd.DatetimeIndex) -> pd.DataFrame:
        """Everything that happened, in the order of time."""
        table = pd.DataFrame(self.rows, columns=["element", "quantity", "kind", "start", "end", "size", "unit"])
        last = len(times) - 1
        for name in ("start", "end"):
            table[name] = [times[min(int(k), last)] for k in table[name]]
        return table.sort_values("start", kind="stable")


class Valves:
    """A pipe that somebody shut, in a run of steps."""

    def __init__(self, world: World, random: np.random.Generator, since: int, until: int) -> None:
        self.since, self.until, self.is_shut = since, until, False
        self.name = world.topology.links[self._choose(world, random)]

    def _choose(self, world: World, random: np.random.Generator) -> int:
        """A pipe that carries much, is no bridge, and whose loss cuts nobody off."""
        topology = world.topology
        graph = nx.Graph()
        for k in range(len(topology.links)):
            graph.add_edge(int(topology.start[k]), int(topology.end[k]))
        bridges = {frozenset(edge) for edge in nx.bridges(graph)}
        leaking = {leak.pipe for leak in world.leaks}
        able = [
            int(k)
            for k in topology.pipes
            if topology.links[k] not in leaking
            and topology.links[k] not in world.instruments.flow.columns
            and frozenset((int(topology.start[k]), int(topology.end[k]))) not in bridges
        ]
        flow = np.abs(world.flow[able])
        # valves are shut on streets, not on the trunk main: between the 75th and the 97th percentile of flow
        low, high = np.quantile(flow, [0.75, 0.97])
        return int(random.choice([k for k, q in zip(able, flow, strict=True) if low <= q <= high]))

    def act(self, world: World, step: int) -> None:
        """Shut it or open it when the time has come."""
        shut = self.since <= step < self.until
        if shut != self.is_shut:
            link = world.engine.topology.link(self.name)
            world.engine.set_value("link", link, "status", 0.0 if shut else 1.0)
            self.is_shut = shut


class Faults(Events):
    """Gaps, stuck and drifting instruments, offset jumps, a shifted clock, wrong units and a closed valve.

    All of them fall into the evaluation year but for the gaps, a tenth of every column in both.
    """

    def draw(self, world: World) -> None:
        """Draw when and where."""
        self.random = r = np.random.default_rng([world.seed, 77])
        self.year = world.days * _PER_DAY
        since = int(self.year * (1.0 + r.uniform(0.15, 0.6)))
        until = min(2 * self.year, since + int(r.uniform(60.0, 150.0) * _PER_DAY))
        self.valve = Valves(world, r, since, until)
        self.add(self.valve.name, "pipe", "closed valve", since, until, 1.0, "")

    def act(self, world: World, step: int) -> None:
        """Shut and open the valve."""
        self.valve.act(world, step)

    def _when(self, low: float, high: float) -> slice:
        """A run of days of the evaluation year."""
        since = int(self.year * (1.0 + self.random.uniform(0.05, 0.8)))
        until = since + int(self.random.uniform(low, high) * _PER_DAY)
        return slice(since, min(until, 2 * self.year))

    def spoil(self, world: World, shown: dict[str, Floats]) -> None:
        """Spoil what instruments show; each fault takes a sensor of its own."""
        r = self.random
        names = list(world.instruments.pressure.columns)
        order = iter(r.permutation(len(names)).tolist())
        pressure = shown["pressure"]

        def note(column: int, kind: str, when: slice, size: float, unit: str) -> None:
            self.add(names[column], "pressure", kind, when.start, when.stop, size, unit)

        for _ in range(2):
            k, when = next(order), self._when(6.0, 40.0)
            pressure[when, k] = pressure[when.start, k]
            note(k, "stuck", when, float(pressure[when.start, k]), "m")
        for _ in range(2):
            k, when, size = next(order), self._when(60.0, 200.0), r.choice([-1, 1]) * r.uniform(0.01, 0.03)
            pressure[when, k] += size / _PER_DAY * np.arange(when.stop - when.start)
            note(k, "drift", when, size, "m/d")
        for _ in range(2):
            k, when, size = next(order), self._when(100.0, 300.0), r.choice([-1, 1]) * r.uniform(0.3, 1.5)
            pressure[when, k] += size
            note(k, "offset", when, size, "m")
        k, when = next(order), self._when(60.0, 200.0)
        late = pressure[:, k].copy()
        pressure[when, k] = late[when.start - _PER_HOUR : when.stop - _PER_HOUR]
        note(k, "clock", when, 3600.0, "s")
        for unit, factor in (("kPa", _KPA), ("bar", _KPA / 100.0)):
            k, when = next(order), self._when(20.0, 90.0)
            pressure[when, k] *= factor
            note(k, "unit", when, factor, unit)
        meters = list(world.instruments.flow.columns)
        k, when = int(r.integers(len(meters))), self._when(3.0, 8.0)
        shown["flow"][when, k] = shown["flow"][when.start, k]
        self.add(meters[k], "flow", "stuck", when.start, when.stop, float(shown["flow"][when.start, k]), "m3/h")
        for values in shown.values():
            values[:] = np.round(values, 2)
            _gaps(values, r)
        self.add("*", "all", "gap", 0, 2 * self.year, 0.1, "")


def _gaps(values: Floats, random: np.random.Generator, share: float = 0.1, mean_h: float = 6.0) -> None:
    """Lose a share of every column, hours at a time."""
    n = len(values)
    mean = mean_h * _PER_HOUR
    for column in values.T:
        for begin in np.flatnonzero(random.random(n) < share / (1.0 - share) / mean):
            column[begin : begin + 1 + int(random.exponential(mean))] = np.nan


class Calm(Events):
    """A second year without a new leak, with everything else.

    Power cuts and refill, a boundary valve that somebody opened, a pilgrimage, clock changes (people live by summer
    time, records by UTC), and an inlet meter exchanged.
    """

    def draw(self, world: World) -> None:
        """Draw when and where."""
        self.random = r = np.random.default_rng([world.seed, 78])
        self.year = world.days * _PER_DAY
        world.leaks[:] = [leak for leak in world.leaks if leak.start < self.year]
        topology = world.topology
        junctions = world.junctions
        self.summer = [(int((y + a) * self.year), int((y + b) * self.year)) for y in (0, 1) for a, b in ((0.23, 0.82),)]
        for since, until in self.summer:
            self.add("*", "demand", "summer time", since, until, 3600.0, "s")
        self.cuts = []
        for _ in range(4):
            since = int(self.year * (1.0 + r.uniform(0.02, 0.95)))
            until = since + int(r.uniform(3.0, 9.0) * _PER_HOUR)
            self.cuts.append((since, until))
            self.add("*", "demand", "power cut", since, until, 0.55, "")
        since = int(self.year * (1.0 + r.uniform(0.5, 0.75)))
        self.feast = (since, since + 8 * _PER_DAY)
        place = int(r.choice(junctions))
        near = topology.distance_from_nodes(np.array([place]))[0][junctions]
        self.guests = 1.0 + 1.2 * np.exp(-((near / 600.0) ** 2))
        self.add(topology.nodes[place], "demand", "pilgrimage", *self.feast, 1.2, "")
        self._open_boundary(world)
        meters = list(world.instruments.flow.columns)
        inlets = [k for k, name in enumerate(meters) if topology.is_pipe[topology.link(name)]]
        self.meter, self.gain = int(r.choice(inlets)), 1.0 + r.choice([-1, 1]) * r.uniform(0.02, 0.05)
        self.exchanged = int(self.year * (1.0 + r.uniform(0.1, 0.9)))
        self.add(meters[self.meter], "flow", "meter exchanged", self.exchanged, 2 * self.year, self.gain, "")

    def _open_boundary(self, world: World) -> None:
        """A valve between the tank's district and the rest, some weeks open: the nearest pair of nodes."""
        r, topology = self.random, world.topology
        kinds = [k for k, name in enumerate(topology.links) if name in set(world.instruments.flow.columns)]
        boundary = np.zeros(len(topology.links), dtype=bool)
        boundary[kinds] = True
        labels = topology.districts(boundary)[world.junctions]
        counts = np.bincount(labels, minlength=int(labels.max()) + 1)
        small = int(np.argsort(counts)[-2])
        inside, outside = (np.flatnonzero(labels == small), np.flatnonzero(labels == int(np.argmax(counts))))
        at, other = topology.xy[world.junctions[inside]], topology.xy[world.junctions[outside]]
        away = np.hypot(*(at[:, None, :] - other[None, :, :]).transpose(2, 0, 1))
        away[away < 30.0] = np.inf  # not the two sides of the meter itself
        a, b = np.unravel_index(int(np.argmin(away)), away.shape)
        self.pair = int(inside[a]), int(outside[b])
        since = int(self.year * (1.0 + r.uniform(0.05, 0.8)))
        self.opened = (since, since + int(r.uniform(10.0, 40.0) * _PER_DAY))
        self.conductance = r.uniform(2.0, 5.0) / 3600.0 / np.sqrt(20.0)
        names = "-".join(topology.nodes[int(world.junctions[k])] for k in self.pair)
        self.add(names, "pipe", "opened boundary valve", *self.opened, 3600.0 * self.conductance, "m3/h per m^0.5")

    def clock(self, step: int) -> int:
        """Summer time: people are an hour early by UTC."""
        return step + _PER_HOUR * any(a <= step < b for a, b in self.summer)

    def act(self, world: World, step: int) -> None:
        """Without power the pumps stand still."""
        if any(since <= step < until for since, until in self.cuts):
            for pump in world.engine.pumps:
                world.engine.set_value("link", int(pump), "status", 0.0)

    def taken(self, step: int, demand: Floats) -> Floats:
        """Demand with guests and power cuts."""
        demand = demand.copy()
        if self.feast[0] <= step < self.feast[1]:
            demand *= self.guests
        for since, until in self.cuts:
            if since <= step < until:
                demand *= 0.55  # what hangs on boosters of buildings stands still
            elif until <= step < until + 4 * _PER_HOUR:
                demand *= 1.0 + 0.45 * (until - since) / (9.0 * _PER_HOUR)  # and is filled again
        return demand

    def passed(self, step: int, head: Floats | None) -> dict[int, float]:
        """What flows through the valve that was opened."""
        if head is None or not self.opened[0] <= step < self.opened[1]:
            return {}
        a, b = self.pair
        drop = float(head[b] - head[a])
        through = self.conductance * float(np.sign(drop)) * abs(drop) ** 0.5
        return {a: -through, b: through}

    def spoil(self, world: World, shown: dict[str, Floats]) -> None:
        """The new meter shows another share, and nothing for two hours."""
        shown["flow"][self.exchanged :, self.meter] *= self.gain
        shown["flow"][self.exchanged : self.exchanged + 2 * _PER_HOUR, self.meter] = np.nan
        shown["flow"][:] = np.round(shown["flow"], 2)
