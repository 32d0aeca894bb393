"""Exact leak scenarios per second: `hydro.run_batch` against WNTR's EpanetSimulator, on one core and on two.

    python benchmarks/batch.py [NET [SCENARIOS]]

The same leaks (an orifice at a junction, open all day) for 24 h at the model's own steps, three sensors kept. EPANET's
accuracy is the model's own on both sides, and, on ours, 1e-6 too, which batches take by default. WNTR sets an emitter
and runs; its time is taken on a sample. Rounds alternate; medians and ratios; one JSON line.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import wntr

from hydro.batch import Sensors, run_batch
from hydro.engine import Engine
from hydro.leaks import orifice
from hydro.scenario import Leak, Scenario
from networks import find, load

_ROUNDS = 3
_WNTR_SAMPLE = 6
_AREA = 1e-4


def main() -> None:
    """Time them."""
    name, count = sys.argv[1] if len(sys.argv) > 1 else "L-TOWN", int(sys.argv[2]) if len(sys.argv) > 2 else 128
    path = find(name)[1]
    with Engine(path) as engine:
        junctions = [engine.topology.nodes[k] for k in engine.junctions.tolist()]
        own = engine.accuracy
    junctions = junctions[:: max(len(junctions) // count, 1)][:count]
    scenarios = [Scenario(j, (Leak(junction=j, area=_AREA),)) for j in junctions]
    sensors = Sensors(nodes=tuple(junctions[:3]))
    network = load(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = wntr.network.WaterNetworkModel(str(path))
    model.options.time.duration = 86400

    def ours(jobs: int, accuracy: float) -> float:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            run_batch(network, scenarios, Path(folder) / "b.parquet", sensors, 24.0, accuracy=accuracy, jobs=jobs,
                      part_size=16)  # fmt: skip
            return len(scenarios) / (time.perf_counter() - began)

    def theirs() -> float:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for j in junctions[:_WNTR_SAMPLE]:
                model.get_node(j).emitter_coefficient = orifice(_AREA, 0.75)
                wntr.sim.EpanetSimulator(model).run_sim(file_prefix=str(Path(folder) / "run"))
                model.get_node(j).emitter_coefficient = None
        return _WNTR_SAMPLE / (time.perf_counter() - began)

    ours(2, own)  # starts the worker processes
    rows: dict[str, list[float]] = {"wntr": [], "one core": [], "two cores": [], "one core, 1e-6": []}
    for _ in range(_ROUNDS):
        rows["wntr"].append(theirs())
        rows["one core"].append(ours(1, own))
        rows["two cores"].append(ours(2, own))
        rows["one core, 1e-6"].append(ours(1, 1e-6))
    rate = {what: statistics.median(values) for what, values in rows.items()}
    ratio = {
        "one core / wntr": statistics.median(a / b for a, b in zip(rows["one core"], rows["wntr"], strict=True)),
        "two cores / one": statistics.median(a / b for a, b in zip(rows["two cores"], rows["one core"], strict=True)),
    }
    for what, value in rate.items():
        print(f"{what:>16}: {value:6.1f} scenarios/s")
    for what, value in ratio.items():
        print(f"{what:>16}: {value:6.2f} x")
    versions = {p: version(p) for p in ("umanflow", "wntr", "owa-epanet")}
    print(json.dumps({
        "benchmark": "batch", "machine": platform.machine(), **versions, "network": name, "scenarios": len(scenarios),
        "accuracy": own, "per_s": {k: round(v, 2) for k, v in rate.items()},
        "ratio": {k: round(v, 2) for k, v in ratio.items()},
    }))  # fmt: skip


if __name__ == "__main__":
    main()
