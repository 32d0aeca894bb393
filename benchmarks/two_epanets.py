"""Where EPANET 2.2 (WNTR's) and 2.3 (owa-epanet) differ on the catalogue, and at which nodes.

Each network runs through `hydro.Simulator` on both libraries, from its own file, for a day or its own duration if that
is shorter. Nodes are told apart: those that some open link joins to a source, and those that none does (behind closed
pumps, valves and pipes), where demand cannot be met and a head has no meaning.

    python benchmarks/two_epanets.py [--markdown] [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydro import Simulator
from hydro.engine import Engine
from hydro.errors import HydraulicError
from networks import NetworkError, catalogue, load

_DAY = 86400
_SAME = 1e-3  # m: what is told of


def connected(engine: Engine, status: NDArray[Any]) -> NDArray[np.bool_]:
    """Nodes that open links join to a tank or reservoir, bool [n_steps, n_nodes]."""
    top = engine.topology
    sources = np.flatnonzero(engine.node_types != 0)
    reached = np.zeros((len(status), len(top.nodes)), dtype=bool)
    for step, row in enumerate(status):
        reached[step, sources] = True
        is_open = row != 0
        start, end = top.start[is_open], top.end[is_open]
        while True:
            joined = reached[step, start] | reached[step, end]
            before = int(reached[step].sum())
            reached[step, start[joined]] = reached[step, end[joined]] = True
            if int(reached[step].sum()) == before:
                break
    return reached


def compare(name: str) -> dict[str, Any]:
    """Largest difference of head at connected and at cut-off nodes, m, and of flow, m3/s; when it begins."""
    network = load(name)
    try:
        runs = [_day(network, library) for library in ("2.2", "2.3")]
    except HydraulicError as error:
        return {"name": name, "refused": str(error).partition(": ")[2][:90]}
    old, new = runs
    steps = min(len(old.node["head"]), len(new.node["head"]))
    head = np.abs(old.node["head"].to_numpy()[:steps] - new.node["head"].to_numpy()[:steps])
    flow = np.abs(old.link["flowrate"].to_numpy()[:steps] - new.link["flowrate"].to_numpy()[:steps])
    with Engine(network) as engine:
        reached = connected(engine, old.link["status"].to_numpy()[:steps])
        reached &= connected(engine, new.link["status"].to_numpy()[:steps])
    differs = np.flatnonzero((head > _SAME).any(axis=1))
    states = old.link["status"].to_numpy()[:steps] != new.link["status"].to_numpy()[:steps]
    return {
        "name": name,
        "steps": [len(run.node["head"]) for run in runs],
        "connected_m": float(head[reached].max(initial=0.0)),
        "cut_off_m": float(head[~reached].max(initial=0.0)),
        "cut_off_nodes": int((~reached).any(axis=0).sum()),
        "flow": float(flow.max(initial=0.0)),
        "states": int(states.sum()),
        "first_h": float(old.node["head"].index[differs[0]] / 3600) if len(differs) else None,
        "warnings": [len(run.warned) for run in runs],
    }


def _day(network: Any, library: Any) -> Any:
    simulator = Simulator(network, library=library)
    results = simulator.run_sim()
    for tables in (results.node, results.link):
        for key, table in tables.items():
            tables[key] = table.loc[: min(_DAY, int(table.index[-1]))]
    results.warned = simulator.enData.errcodelist
    return results


def line(found: dict[str, Any]) -> str:
    """One row of the table in docs/validation/simulator.md."""
    if "refused" in found:
        return f"| {found['name']} | refused: {found['refused']} | | | | |"
    first = "" if found["first_h"] is None else f"{found['first_h']:g}"
    return (
        f"| {found['name']} | {found['connected_m']:.1e} | {found['cut_off_m']:.1e} ({found['cut_off_nodes']}) | "
        f"{found['flow']:.1e} | {found['states']} | {first} |"
    )


def main() -> None:
    """Print the table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    rows = []
    for name in options.names or [entry.name for entry in catalogue()]:
        try:
            rows.append(compare(name))
        except NetworkError as error:
            rows.append({"name": name, "refused": str(error)[:90]})
        print(line(rows[-1]) if options.markdown else rows[-1], flush=True)
    packages = {package: version(package) for package in ("wntr", "owa-epanet")}
    print(json.dumps({"machine": platform.platform(), "packages": packages, "networks": rows}))


if __name__ == "__main__":
    main()
