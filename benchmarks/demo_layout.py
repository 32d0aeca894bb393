"""Choose the demo city's boundary valves, inlets and loggers; prints `umanflow/demo/layout.toml`.

    python benchmarks/demo_layout.py > umanflow/demo/layout.toml

Blocks are the three largest quarters that remain when mains of 250 mm and more are taken out of ky4. Of the pipes that
join a quarter to the mains the largest stay open (two, far apart; one where a PRV follows). Loggers are spread by the
farthest-first rule over pipe length: one per 25 junctions of the whole network, nearly all of them in the blocks.
"""

from __future__ import annotations

import networkx as nx
import numpy as np

from hydro.engine import Engine

_MAIN_MM = 250.0
_INLETS = (2, 1, 2)
_JUNCTIONS_PER_LOGGER = 25  # of the whole network
_MAINS_LOGGERS = 2
_PRV_SETTING_M = 32.0


def spread(distance: np.ndarray, start: int, count: int) -> list[int]:
    """Farthest-first choice of `count` rows of a distance matrix."""
    chosen = [start]
    while len(chosen) < count:
        chosen.append(int(np.argmax(distance[chosen].min(axis=0))))
    return chosen


def main() -> None:
    """Print the layout."""
    with Engine("ky4") as engine:
        topology = engine.topology
        diameter = engine.read("link", "diameter") * 1000.0
        is_main = (diameter >= _MAIN_MM) | ~topology.is_pipe
        mains = {int(n) for n in np.concatenate([topology.start[is_main], topology.end[is_main]])}
        graph = nx.Graph()
        graph.add_nodes_from(set(range(len(topology.nodes))) - mains)
        for a, b in zip(topology.start.tolist(), topology.end.tolist(), strict=True):
            if a not in mains and b not in mains:
                graph.add_edge(a, b)
        quarters = sorted(nx.connected_components(graph), key=lambda c: (-len(c), min(c)))[: len(_INLETS)]
        closed, blocks = [], []
        n_loggers = len(engine.junctions) // _JUNCTIONS_PER_LOGGER
        for number, (quarter, n_inlets) in enumerate(zip(quarters, _INLETS, strict=True), start=1):
            joins = [
                k
                for k in range(len(topology.links))
                if (int(topology.start[k]) in quarter) != (int(topology.end[k]) in quarter)
            ]
            able = [
                k for k in joins if topology.is_junction[topology.start[k]] and topology.is_junction[topology.end[k]]
            ]
            inlets = sorted(able, key=lambda k: (-round(diameter[k]), topology.links[k]))[:1]
            if n_inlets == 2:
                away = topology.distance_from_link(inlets[0])
                inlets.append(max((k for k in able if k != inlets[0]), key=lambda k: (diameter[k] >= 200, away[k])))
            closed += [topology.links[k] for k in joins if k not in inlets]
            members = np.array(sorted(quarter), dtype=np.int64)
            distance = topology.distance_from_nodes(members)[:, members]
            inner = int(np.argmax([distance[k].max() for k in range(len(members))]))
            share = (n_loggers - _MAINS_LOGGERS) * len(members) // sum(map(len, quarters))
            loggers = spread(distance, inner, share)
            blocks.append((f"block-{number}", [topology.links[k] for k in inlets], [topology.nodes[members[k]] for k in loggers]))
        stations = {int(n) for p in engine.pumps for n in (topology.start[p], topology.end[p])}
        rest = np.array([k for k in sorted(mains - stations) if topology.is_junction[k]], dtype=np.int64)
        distance = topology.distance_from_nodes(rest)[:, rest]
        mains_loggers = [topology.nodes[rest[k]] for k in spread(distance, 0, _MAINS_LOGGERS)]
    quoted = lambda names: "[" + ", ".join(f'"{n}"' for n in names) + "]"  # noqa: E731
    print('# made by benchmarks/demo_layout.py\nnetwork = "ky4"')
    print(f"closed = {quoted(closed)}\n")
    for name, inlets, loggers in blocks:
        print(f'[[blocks]]\nname = "{name}"\ninlets = {quoted(inlets)}\nloggers = {quoted(loggers)}\n')
    print(f"[mains]\nloggers = {quoted(mains_loggers)}\n")
    print(f'[prv]\npipe = "{blocks[1][1][0]}"\nname = "PRV-1"\nsetting_m = {_PRV_SETTING_M}')


if __name__ == "__main__":
    main()
