"""Time implicit derivatives against finite differences of EPANET in process, side by side.

    python benchmarks/sensitivity.py [NET ...]

For each network, one state of its morning: the whole matrix of pressures by leaks, and 33 sensors' rows, everything
counted from reading the state to the answer. Finite differences are the fastest honest ones: one-sided, one solution
for each junction from the flows of the last one, in one open engine; where there are more than 1,000 junctions a
seeded sample of 300 is timed and scaled up. The two alternate; medians and their ratio are printed, and one JSON line.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from hydro.engine import Engine
from hydro.linearised import Linearised

_REPEATS = 7
_SENSORS = 33
_SAMPLE = 300
_MORNING_S = 8 * 3600
_LEAK = 1e-4  # m3/s
_ACCURACY = 1e-4
_SEED = 20


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _differences(engine: Engine, demand: np.ndarray, taps: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Derivatives of all pressures by a leak at each tap, float64 [n_taps, n_nodes]."""
    out = np.empty((len(taps), len(base)))
    pressure = np.empty_like(base)
    for row, tap in enumerate(taps.tolist()):
        engine.set_value("node", tap, "base_demand", demand[tap] + _LEAK)
        engine.start(keep_flows=True)
        engine.solve()
        engine.read("node", "pressure", pressure)
        out[row] = (pressure - base) / _LEAK
        engine.set_value("node", tap, "base_demand", demand[tap])
    return out


def measure(name: str) -> dict[str, float]:
    """Time one network, ms."""
    chance = np.random.default_rng(_SEED)
    with Engine(name) as engine:
        demand = engine.demand_at(_MORNING_S)
        engine.freeze_demands()
        engine.drop_controls()
        engine.duration = 0
        engine.set_accuracy(_ACCURACY)
        engine.set_demands(demand)
        engine.start()
        engine.solve()
        base, junctions = engine.read("node", "pressure"), engine.junctions
        sampled = len(junctions) > 1000
        taps = chance.choice(junctions, _SAMPLE, replace=False) if sampled else junctions
        sensors = np.sort(chance.choice(junctions, _SENSORS, replace=False))
        none = np.empty(0, dtype=np.int64)
        linearised = Linearised(engine)
        matrix = np.zeros((len(junctions), len(base)))
        rows = np.zeros((_SENSORS, len(base)))

        def whole() -> None:
            linearised.update(engine)
            linearised.adjoint(junctions, none, matrix)

        def some() -> None:
            linearised.update(engine)
            linearised.adjoint(sensors, none, rows)

        whole(), some()
        found = {"whole": [], "rows": [], "differences": []}
        by_difference = np.empty(0)
        for _ in range(_REPEATS if not sampled else 3):
            engine.set_demands(demand)
            engine.start()
            engine.solve()
            found["whole"].append(_timed(whole))
            found["rows"] += [_timed(some) for _ in range(20)]
            began = time.perf_counter()
            by_difference = _differences(engine, demand, taps, base)
            found["differences"].append((time.perf_counter() - began) * len(junctions) / len(taps))
        analysed = _timed(lambda: Linearised(engine))
    ms = {key: 1000.0 * statistics.median(values) for key, values in found.items()}
    by_difference = by_difference[:, junctions]
    error = np.linalg.norm(-matrix[:, taps].T - by_difference, axis=1) / np.linalg.norm(by_difference, axis=1)
    return {
        "junctions": len(junctions), "differences_ms": round(ms["differences"], 1), "whole_ms": round(ms["whole"], 2),
        "ratio": round(ms["differences"] / ms["whole"], 1), "rows_33_ms": round(ms["rows"], 3),
        "once_per_network_ms": round(1000.0 * analysed, 2), "sampled": int(sampled) * _SAMPLE,
        "median_error": float(f"{np.median(error):.1e}"),
    }  # fmt: skip


def main() -> None:
    """Time each network."""
    results = {}
    for name in sys.argv[1:] or ["L-TOWN", "BWSN_Network_2"]:
        r = results[name] = measure(name)
        scaled = f" ({r['sampled']} leaks timed, scaled up)" if r["sampled"] else ""
        print(
            f"{name}: {r['junctions']} junctions; differences {r['differences_ms']} ms{scaled}, whole matrix "
            f"{r['whole_ms']} ms, {r['ratio']} x; {_SENSORS} rows {r['rows_33_ms']} ms; analysis of the topology "
            f"{r['once_per_network_ms']} ms once; median disagreement with one-sided differences {r['median_error']}"
        )
    versions = {p: version(p) for p in ("umanflow", "owa-epanet", "numpy", "scipy", "numba")}
    print(json.dumps({"benchmark": "sensitivity", "machine": platform.machine(), **versions, "networks": results}))


if __name__ == "__main__":
    main()
