"""Where a network is worst, and what is not known of it: pressure, velocity, age, losses, breaks, gaps in the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Network, Topology
from umanflow.planner.age import WaterAge
from umanflow.planner.customers import customers_of
from umanflow.planner.pressure import Norm
from umanflow.planner.renewal import break_years
from umanflow.planner.simulation import Day
from umanflow.report.wording import mark

Floats = NDArray[np.float64]

_WORST = 10
_FAST_M_S = 1.5  # economic practice is 0.7 to 1.5 m/s


@dataclass(frozen=True, slots=True)
class Place:
    """One of the worst: what it is, its block, the value, and the value that it should have at most or at least."""

    element: str
    block: str
    value: float
    due: float


@dataclass(frozen=True, slots=True)
class BlockState:
    """A block as it is: m3/d taken and leaking, L per connection and day, mean pressure m, breaks per km and year.

    `age` is the mean age of what its customers take, h, `age_highest` that at the worst of them; NaN where no age was
    simulated.
    """

    block: str
    connections: float
    length: float
    demand: float
    leakage: float
    per_connection: float
    pressure: float
    breaks: float
    age: float
    age_highest: float


@dataclass(frozen=True, slots=True)
class NodeAge:
    """Age of the water at a node: mean and highest of the last simulated day, h, and whether it had settled."""

    node: str
    block: str
    mean: float
    highest: float
    is_settled: bool


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """State of the network.

    Attributes
    ----------
    demand, leakage, pumping
        m3/d, m3/d and kWh/d of work on the water.
    short, high
        Customers with too little and too much pressure, worst first, m; and how many there are of each.
    fast
        Pipes with the highest velocity, m/s.
    old, n_old
        Customers with the oldest water, mean of a day in h, and how many have older water than is due.
    age_median, age_days, age_settled
        Median over customers, h; days that were simulated; share of customers' nodes whose age had settled: where it
        has not, it is at least what is shown. NaN and 0 where no age was simulated.
    blocks
        In the order of the network.
    gaps
        What is not known and what the plan cannot do for lack of it.
    """

    demand: float
    leakage: float
    pumping: float
    n_customers: int
    n_short: int
    n_high: int
    short: tuple[Place, ...]
    high: tuple[Place, ...]
    fast: tuple[Place, ...]
    n_old: int
    old: tuple[Place, ...]
    age_median: float
    age_days: int
    age_settled: float
    blocks: tuple[BlockState, ...]
    gaps: tuple[str, ...]
    _nodes_age: tuple[NodeAge, ...]

    @property
    def nodes_age(self) -> tuple[NodeAge, ...]:
        """Age of the water at every node; empty where none was simulated."""
        return self._nodes_age


_GAPS = {
    "pipes": mark("pipes.csv (material, year): no renewal ranking, no roughness by age"),
    "breaks": mark("breaks.csv: no break rates"),
    "nodes": mark("nodes.csv (connections, storeys): free head is taken as for one storey, connections from demand"),
    "valves": mark("valves.csv: customers out of water during a repair are unknown"),
    "dmas": mark("dmas.csv: no blocks, so pressure is planned at the model's own valves alone"),
    "hydrants": mark("hydrants.csv: fire flow is tried at customers"),
}
_NO_LEAKAGE = mark("leakage: the model has none, so nothing can be saved by pressure or renewal; calibrate it first")


def diagnose(
    network: Network, engine: Engine, day: Day, norm: Norm, lengths: Floats, age: WaterAge | None = None,
    oldest: float = 72.0,
) -> Diagnosis:  # fmt: skip
    """Look at a simulated day.

    Parameters
    ----------
    engine
        Of the network, for names.
    day
        As it is.
    lengths
        float64 [n_links], m.
    age, oldest
        Of the water, and the age above which it counts as old, h.
    """
    topology, nodes = engine.topology, network.nodes
    block_of = dict(zip(nodes["node"], nodes["dma"], strict=True)) if nodes is not None else {}
    demand, leakage = day.demand_m3d, day.leakage_m3d
    customers = customers_of(network, topology, day, norm)
    at, due = customers.at, customers.due
    lowest, highest = day.pressure[:, at].min(axis=0), day.pressure[:, at].max(axis=0)

    def places(order: NDArray[np.int64], value: Floats, bound: Floats) -> tuple[Place, ...]:
        names = [topology.nodes[at[k]] for k in order]
        return tuple(
            Place(name, str(block_of.get(name, "")), float(value[k]), float(bound[k]))
            for name, k in zip(names, order.tolist(), strict=True)
        )

    short = [k for k in np.argsort(lowest - due, kind="stable")[:_WORST].tolist() if lowest[k] < due[k]]
    most = np.full(len(at), norm.most)
    high = [k for k in np.argsort(-highest, kind="stable")[:_WORST].tolist() if highest[k] > norm.most]
    quick = np.argsort(-np.where(topology.is_pipe, day.velocity, 0.0), kind="stable")[:_WORST].tolist()
    fast = tuple(
        Place(
            topology.links[k], str(block_of.get(topology.nodes[topology.end[k]], "")), float(day.velocity[k]), _FAST_M_S
        )
        for k in quick
        if day.velocity[k] > _FAST_M_S
    )
    hours = age.mean[at] if age is not None else np.full(len(at), np.nan)
    by_age = np.argsort(-hours, kind="stable")[:_WORST] if age is not None else np.zeros(0, dtype=np.int64)
    gaps = tuple(text for table, text in _GAPS.items() if getattr(network, table) is None)
    if not leakage.sum() > 0.0:
        gaps += (_NO_LEAKAGE,)
    return Diagnosis(
        float(demand.sum()), float(leakage.sum()), day.pumping, len(at), int((lowest < due).sum()),
        int((highest > norm.most).sum()), places(np.array(short, dtype=np.int64), lowest, due),
        places(np.array(high, dtype=np.int64), highest, most), fast, int((hours > oldest).sum()),
        places(by_age, hours, np.full(len(at), oldest)), float(np.median(hours)) if len(at) else float("nan"),
        age.days if age is not None else 0, float(age.is_settled[at].mean()) if age is not None else 0.0,
        _blocks(network, engine, day, lengths, age), gaps, _ages(topology, age, block_of),
    )  # fmt: skip


def _ages(topology: Topology, age: WaterAge | None, block_of: Mapping[str, str]) -> tuple[NodeAge, ...]:
    if age is None:
        return ()
    return tuple(
        NodeAge(name, str(block_of.get(name, "")), float(age.mean[k]), float(age.highest[k]), bool(age.is_settled[k]))
        for k, name in enumerate(topology.nodes)
    )


def _blocks(
    network: Network, engine: Engine, day: Day, lengths: Floats, age: WaterAge | None
) -> tuple[BlockState, ...]:
    nodes, topology = network.nodes, engine.topology
    if nodes is None:
        return ()
    demand, leakage = day.demand_m3d, day.leakage_m3d
    broken: dict[str, float] = {}
    years = 1.0
    if network.pipes is not None and network.breaks is not None and len(network.breaks):
        dma_of = dict(zip(network.pipes["pipe"], network.pipes["dma"], strict=True))
        for pipe in network.breaks["pipe"]:
            broken[dma_of.get(pipe, "")] = broken.get(dma_of.get(pipe, ""), 0.0) + 1.0
        seen = break_years(network)
        years = max(seen) - min(seen) + 1.0
    found = []
    for name, rows in nodes[nodes["dma"] != ""].groupby("dma", sort=False):
        at = np.array([topology.node(n) for n in rows["node"]], dtype=np.int64)
        inside = np.isin(topology.start, at) & np.isin(topology.end, at) & topology.is_pipe
        km = float(lengths[inside].sum()) / 1000.0
        connections, lost = float(rows["connections"].sum()), float(leakage[at].sum())
        found.append(BlockState(
            str(name), connections, 1000.0 * km, float(demand[at].sum()), lost,
            1000.0 * lost / connections if connections else float("nan"),
            float(np.average(day.pressure[:, at].mean(axis=1), weights=day.weight)),
            broken.get(str(name), 0.0) / years / km if km else float("nan"), *_age_of(age, at, demand),
        ))  # fmt: skip
    return tuple(found)


def _age_of(age: WaterAge | None, at: NDArray[np.int64], demand: Floats) -> tuple[float, float]:
    """Mean age of what customers of a block take, and that at the worst of them, h."""
    taking = at[demand[at] > 0.0]
    if age is None or not len(taking):
        return float("nan"), float("nan")
    return float(np.average(age.mean[taking], weights=demand[taking])), float(age.mean[taking].max())
