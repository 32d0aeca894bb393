"""Choose where Uman's pressure loggers and section meters go; prints `networks/uman/instruments.toml`.

    python benchmarks/uman_instruments.py > networks/uman/instruments.toml

Each block has a gauge behind its inlet and one at its critical point. Section meters, then the other loggers, are
placed one by one, each where it takes away most of what is left to confuse: pairs of pipes of a block too far apart for
one search (300 m) weighted by how alike a leak of 6 % of the block's inflow in either would look, by the model's own
responses. Then `python -m networks.uman.build` writes the tables anew.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from hydro.derivatives import derivatives
from hydro.engine import Engine
from networks import load

_LEAK_SHARE = 0.06
_REACH_M = 300.0
_PRESSURE_M, _FLOW_M3S = 0.006, 0.08 / 3600.0  # noise of a day's mean residual
_MODEL_ERROR = 0.12  # share of a response
_HOURS = (3, 8, 13, 19)


class Confusion:
    """How alike leaks in any two pipes of a block look to the instruments chosen so far."""

    def __init__(
        self, engine: Engine, nodes: np.ndarray, gauges: list[int], by_demand: np.ndarray, inflow: float
    ) -> None:
        topology = engine.topology
        inside = np.isin(topology.start, nodes) & np.isin(topology.end, nodes) & topology.is_pipe
        self.pipes, self.nodes = np.flatnonzero(inside), nodes
        channels = np.concatenate([nodes, len(topology.nodes) + self.pipes])
        ends = by_demand[:, channels]
        response = 0.5 * (ends[topology.start[self.pipes]] + ends[topology.end[self.pipes]])
        self.moved = response * _LEAK_SHARE * inflow
        self.variance = np.concatenate([np.full(len(nodes), _PRESSURE_M), np.full(len(self.pipes), _FLOW_M3S)]) ** 2
        length = np.maximum(topology.length[self.pipes], 1.0)
        distance = np.array([topology.distance_from_link(int(k))[self.pipes] for k in self.pipes])
        far = distance > np.maximum(_REACH_M, 2.0 * length)[:, None]
        self.weight = np.where(far, np.outer(length, length) / length.sum(), 0.0)
        self.apart = np.zeros_like(self.weight)
        self.taken: set[int] = set()
        for node in gauges:
            self.take(int(np.flatnonzero(nodes == node)[0]))

    def contrast(self, channel: int) -> np.ndarray:
        """Squared distance in deviations that one instrument adds to each pair of pipes."""
        moved = self.moved[:, channel]
        error = 0.5 * _MODEL_ERROR**2 * (moved[:, None] ** 2 + moved[None, :] ** 2)
        return (moved[:, None] - moved[None, :]) ** 2 / (self.variance[channel] + error)

    def best(self, is_meter: bool) -> tuple[float, int]:
        """The instrument that takes away most, and how much it does."""
        n = len(self.nodes)
        channels = range(n, n + len(self.pipes)) if is_meter else range(n)
        current = self.weight * np.exp(-0.5 * self.apart)
        free = [c for c in channels if c not in self.taken]
        gains = [current.sum() - (current * np.exp(-0.5 * self.contrast(c))).sum() for c in free]
        at = int(np.argmax(gains))
        return float(gains[at]), free[at]

    def take(self, channel: int) -> None:
        """Put an instrument in."""
        self.apart += self.contrast(channel)
        self.taken.add(channel)


def driven_responses(engine: Engine, blocks: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, float]]:
    """Response of every pressure and flow to a leak at every node, each block's inflow as measured; mean inflows."""
    topology = engine.topology
    links = np.arange(len(topology.links))
    total, inflow = 0.0, dict.fromkeys(blocks, 0.0)
    for hour in _HOURS:
        engine.start()
        while engine.solve() < hour * 3600:
            engine.advance()
        taken = np.maximum(engine.read("node", "demand"), 0.0)
        by_demand = derivatives(engine, np.arange(len(topology.nodes)), links).by_demand
        driven = by_demand.copy()
        for name, nodes in blocks.items():
            share = taken[nodes] / taken[nodes].sum()
            driven[nodes] -= share @ by_demand[nodes]
            inflow[name] += taken[nodes].sum() / len(_HOURS)
        total = total + driven / len(_HOURS)
    return np.asarray(total), inflow


def place(confusions: dict[str, Confusion], count: int, is_meter: bool) -> dict[str, list[int]]:
    """Place instruments one by one wherever they help most; positions among a block's nodes or pipes."""
    chosen: dict[str, list[int]] = {name: [] for name in confusions}
    offers = {name: c.best(is_meter) for name, c in confusions.items()}
    for _ in range(count):
        name = max(offers, key=lambda k: offers[k][0])
        confusion = confusions[name]
        channel = offers[name][1]
        confusion.take(channel)
        chosen[name].append(
            int(confusion.pipes[channel - len(confusion.nodes)] if is_meter else confusion.nodes[channel])
        )
        offers[name] = confusion.best(is_meter)
    return chosen


def main() -> None:
    """Print the instruments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loggers", type=int, default=60)
    parser.add_argument("--sections", type=int, default=8)
    arguments = parser.parse_args()
    network = load("uman")
    folder = network.source.parent
    dmas, nodes = pd.read_csv(folder / "dmas.csv"), pd.read_csv(folder / "nodes.csv")
    with Engine(network) as engine:
        topology = engine.topology
        blocks = {
            name: np.array(sorted(topology.node(n) for n in rows["node"]), dtype=np.int64)
            for name, rows in nodes.groupby("dma")
        }
        by_demand, inflow = driven_responses(engine, blocks)
        confusions = {}
        for row in dmas.itertuples():
            behind = f"IN-{row.dma}" if isinstance(row.prv, str) else f"CH-{row.dma}"
            gauges = [topology.node(row.critical_node)]
            if topology.node(behind) in blocks[row.dma]:
                gauges.append(topology.node(behind))
            confusions[row.dma] = Confusion(engine, blocks[row.dma], gauges, by_demand, inflow[row.dma])
        meters = place(confusions, arguments.sections, is_meter=True)
        loggers = place(confusions, arguments.loggers - len(dmas), is_meter=False)
    print("# made by benchmarks/uman_instruments.py\n\n[sections]")
    for name, chosen in meters.items():
        print(f"{name} = [{', '.join(chr(34) + topology.links[k] + chr(34) for k in chosen)}]")
    print("\n[loggers]")
    for name, chosen in loggers.items():
        print(f"{name} = [{', '.join(chr(34) + topology.nodes[k] + chr(34) for k in chosen)}]")


if __name__ == "__main__":
    main()
