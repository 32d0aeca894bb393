"""Choose the demo city's boundary valves, meters and loggers; prints `umanflow/demo/layout.toml`.

    python benchmarks/demo_layout.py > umanflow/demo/layout.toml

Blocks are the three largest quarters that remain when mains of 250 mm and more are taken out of ky4. Of the pipes that
join a quarter to the mains the largest stay open (two, far apart; one where a PRV follows). Section meters and pressure
loggers are then placed one by one, each where it takes away most of what is left to confuse: pairs of pipes too far
apart for one search (300 m or two pipe lengths) weighted by how alike a leak of 5 % of the block's inflow in either
would look, by the model's own responses. There is one logger per 25 junctions of the whole network.
"""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np

from hydro.engine import Engine
from hydro.sensitivity import sensitivity
from networks import Topology

_MAIN_MM = 250.0
_INLETS = (2, 1, 2)
_JUNCTIONS_PER_LOGGER = 25
_MAINS_LOGGERS = 2
_SECTION_METERS = 40
_PRV_SETTING_M = 32.0
_LEAK_SHARE = 0.05
_PRESSURE_M, _FLOW_M3S = 0.006, 0.15 / 3600.0  # noise of a day's mean residual
_MODEL_ERROR = 0.1  # share of a response
_HOURS = (3, 8, 13, 19)


@dataclass
class Block:
    """One quarter: its nodes, what joins it to the mains, and what is chosen."""

    name: str
    nodes: np.ndarray
    inlets: list[int]
    closed: list[int]


def find_blocks(engine: Engine) -> tuple[list[Block], np.ndarray]:
    """The quarters, and the junctions of the mains."""
    topology = engine.topology
    diameter = engine.read("link", "diameter") * 1000.0
    is_main = (diameter >= _MAIN_MM) | ~topology.is_pipe
    mains = {int(n) for n in np.concatenate([topology.start[is_main], topology.end[is_main]])}
    graph = nx.Graph()
    graph.add_nodes_from(set(range(len(topology.nodes))) - mains)
    ends = list(zip(topology.start.tolist(), topology.end.tolist(), strict=True))
    graph.add_edges_from((a, b) for a, b in ends if a not in mains and b not in mains)
    quarters = sorted(nx.connected_components(graph), key=lambda c: (-len(c), min(c)))[: len(_INLETS)]
    blocks = []
    for number, (quarter, n_inlets) in enumerate(zip(quarters, _INLETS, strict=True), start=1):
        joins = [k for k, (a, b) in enumerate(ends) if (a in quarter) != (b in quarter)]
        able = [k for k in joins if topology.is_junction[ends[k][0]] and topology.is_junction[ends[k][1]]]
        inlets = sorted(able, key=lambda k: (-round(diameter[k]), topology.links[k]))[:1]
        if n_inlets == 2:
            away = topology.distance_from_link(inlets[0])
            inlets.append(max((k for k in able if k != inlets[0]), key=lambda k: (diameter[k] >= 200, away[k])))
        closed = [k for k in joins if k not in inlets]
        blocks.append(Block(f"block-{number}", np.array(sorted(quarter), dtype=np.int64), inlets, closed))
    stations = {int(n) for p in engine.pumps for n in (topology.start[p], topology.end[p])}
    rest = np.array([k for k in sorted(mains - stations) if topology.is_junction[k]], dtype=np.int64)
    return blocks, rest


def responses(engine: Engine, block: Block, pipes: np.ndarray) -> tuple[np.ndarray, float]:
    """Response of every pressure and flow in a block to a leak in each of its pipes, and the block's inflow, m3/s."""
    topology = engine.topology
    total, inflow = 0.0, []
    for hour in _HOURS:
        demand = engine.demand_at(hour * 3600)
        engine.start()
        while engine.solve() < hour * 3600:
            engine.advance()
        by_demand = sensitivity(engine, block.nodes, pipes).by_demand
        share = demand[block.nodes] / demand[block.nodes].sum()
        by_demand = by_demand - share @ by_demand[block.nodes]
        total = total + 0.5 * (by_demand[topology.start[pipes]] + by_demand[topology.end[pipes]]) / len(_HOURS)
        inflow.append(demand[block.nodes].sum())
    return np.asarray(total), float(np.mean(inflow))


class Confusion:
    """How alike leaks in any two pipes of a block look to the instruments chosen so far."""

    def __init__(self, engine: Engine, block: Block) -> None:
        topology = engine.topology
        inside = np.isin(topology.start, block.nodes) & np.isin(topology.end, block.nodes) & topology.is_pipe
        self.pipes = np.flatnonzero(inside)
        self.nodes = block.nodes
        response, inflow = responses(engine, block, self.pipes)
        self.moved = response * _LEAK_SHARE * inflow
        noise = np.concatenate([np.full(len(block.nodes), _PRESSURE_M), np.full(len(self.pipes), _FLOW_M3S)])
        self.variance = noise**2
        length = np.maximum(topology.length[self.pipes], 1.0)
        distance = np.array([topology.distance_from_link(int(k))[self.pipes] for k in self.pipes])
        far = distance > np.maximum(300.0, 2.0 * length)[:, None]
        self.weight = np.where(far, np.outer(length, length) / length.sum(), 0.0)
        self.apart = np.zeros_like(self.weight)
        self.taken: set[int] = set()

    def contrast(self, channel: int) -> np.ndarray:
        """Squared distance in deviations that one instrument adds to each pair of pipes."""
        moved = self.moved[:, channel]
        error = 0.5 * _MODEL_ERROR**2 * (moved[:, None] ** 2 + moved[None, :] ** 2)
        return (moved[:, None] - moved[None, :]) ** 2 / (self.variance[channel] + error)

    def best(self, channels: range) -> tuple[float, int]:
        """The instrument that takes away most, and how much it does."""
        current = self.weight * np.exp(-0.5 * self.apart)
        free = [c for c in channels if c not in self.taken]
        gains = [current.sum() - (current * np.exp(-0.5 * self.contrast(c))).sum() for c in free]
        at = int(np.argmax(gains))
        return float(gains[at]), free[at]

    def take(self, channel: int) -> None:
        """Put an instrument in."""
        self.apart += self.contrast(channel)
        self.taken.add(channel)


def place(confusions: list[Confusion], count: int, is_meter: bool) -> list[list[int]]:
    """Place instruments one by one wherever they help most; positions of pipes or nodes, by block."""

    def channels(c: Confusion) -> range:
        return range(len(c.nodes), c.moved.shape[1]) if is_meter else range(len(c.nodes))

    chosen: list[list[int]] = [[] for _ in confusions]
    offers = [c.best(channels(c)) for c in confusions]
    for _ in range(count):
        k = int(np.argmax([gain for gain, _ in offers]))
        channel = offers[k][1]
        confusions[k].take(channel)
        chosen[k].append(
            int(confusions[k].pipes[channel - len(confusions[k].nodes)] if is_meter else confusions[k].nodes[channel])
        )
        offers[k] = confusions[k].best(channels(confusions[k]))
    return chosen


def farthest(topology: Topology, nodes: np.ndarray, count: int) -> list[int]:
    """Farthest-first choice among nodes."""
    distance = topology.distance_from_nodes(nodes)[:, nodes]
    chosen = [0]
    while len(chosen) < count:
        chosen.append(int(np.argmax(distance[chosen].min(axis=0))))
    return [int(nodes[k]) for k in chosen]


def main() -> None:
    """Print the layout."""
    with Engine("ky4") as engine:
        blocks, rest = find_blocks(engine)
        topology = engine.topology
        for block in blocks:
            for link in block.closed:
                engine.set_value("link", link, "init_status", 0.0)
        confusions = [Confusion(engine, block) for block in blocks]
        meters = place(confusions, _SECTION_METERS, is_meter=True)
        n_loggers = len(engine.junctions) // _JUNCTIONS_PER_LOGGER
        loggers = place(confusions, n_loggers - _MAINS_LOGGERS, is_meter=False)
        mains_loggers = farthest(topology, rest, _MAINS_LOGGERS)

    def quoted(names: list[str]) -> str:
        return "[" + ", ".join(f'"{n}"' for n in names) + "]"

    print('# made by benchmarks/demo_layout.py\nnetwork = "ky4"')
    print(f"closed = {quoted([topology.links[k] for b in blocks for k in b.closed])}\n")
    for block, sections, nodes in zip(blocks, meters, loggers, strict=True):
        print(f'[[blocks]]\nname = "{block.name}"')
        print(f"inlets = {quoted([topology.links[k] for k in block.inlets])}")
        print(f"sections = {quoted([topology.links[k] for k in sections])}")
        print(f"loggers = {quoted([topology.nodes[k] for k in nodes])}\n")
    print(f"[mains]\nloggers = {quoted([topology.nodes[k] for k in mains_loggers])}\n")
    print(f'[prv]\npipe = "{topology.links[blocks[1].inlets[0]]}"\nname = "PRV-1"\nsetting_m = {_PRV_SETTING_M}')


if __name__ == "__main__":
    main()
