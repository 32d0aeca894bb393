"""Where a network is worst, and what is not known about it: pressure, velocity, losses, breaks, gaps in the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Network
from umanflow.planner.condition import customers_of
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
    """A block as it is: m3/d taken and leaking, L per connection and day, mean pressure m, breaks per km and year."""

    block: str
    connections: float
    length: float
    demand: float
    leakage: float
    per_connection: float
    pressure: float
    breaks: float


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
    blocks: tuple[BlockState, ...]
    gaps: tuple[str, ...]


_GAPS = {
    "pipes": mark("pipes.csv (material, year): no renewal ranking, no roughness by age"),
    "breaks": mark("breaks.csv: no break rates"),
    "nodes": mark("nodes.csv (connections, storeys): free head is taken as for one storey, connections from demand"),
    "valves": mark("valves.csv: customers out of water during a repair are unknown"),
    "dmas": mark("dmas.csv: no blocks, so no pressure plan before blocks are built"),
    "hydrants": mark("hydrants.csv: fire flow is tried at customers"),
}
_NO_LEAKAGE = mark("leakage: the model has none, so nothing can be saved by pressure or renewal; calibrate it first")


def diagnose(network: Network, engine: Engine, day: Day, norm: Norm, lengths: Floats) -> Diagnosis:
    """Look at a simulated day.

    Parameters
    ----------
    engine
        Of the network, for names.
    day
        As it is.
    lengths
        float64 [n_links], m.
    """
    topology, nodes = engine.topology, network.nodes
    block_of = dict(zip(nodes["node"], nodes["dma"], strict=True)) if nodes is not None else {}
    demand, leakage = day.demand_m3d, day.leakage_m3d
    at, due = customers_of(network, topology, day, norm)
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
    gaps = tuple(text for table, text in _GAPS.items() if getattr(network, table) is None)
    if not leakage.sum() > 0.0:
        gaps += (_NO_LEAKAGE,)
    return Diagnosis(
        float(demand.sum()), float(leakage.sum()), day.pumping, len(at), int((lowest < due).sum()),
        int((highest > norm.most).sum()), places(np.array(short, dtype=np.int64), lowest, due),
        places(np.array(high, dtype=np.int64), highest, most), fast, _blocks(network, engine, day, lengths), gaps,
    )  # fmt: skip


def _blocks(network: Network, engine: Engine, day: Day, lengths: Floats) -> tuple[BlockState, ...]:
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
            broken.get(str(name), 0.0) / years / km if km else float("nan"),
        ))  # fmt: skip
    return tuple(found)
