"""Screen every junction's leak in L-TOWN over 24 h at 5 minutes, against exact runs of EPANET in process.

    python benchmarks/screening.py [--leaks N] [--flows 1,5,10]
    python benchmarks/screening.py --others

Sensors are BattLeDIM's 33. For each flow, m3/h, all leaks are run exactly too (or a seeded sample of N): the error of a
leak is ||screened - exact|| / ||exact|| over all steps and sensors. Both use EPANET at an accuracy of 1e-4 (L-Town's
own, 0.01, leaves half a per cent of a small leak's effect open); the time of exact runs at the model's own accuracy is
given beside it. Screening and exact runs alternate; medians, their ratio and one JSON line are printed.
`--others` screens leaks of 5 m3/h at 60 junctions at most of other networks, with ten sensors, and prints what 20
exact runs say about it.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from importlib.metadata import version

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hydro.engine import Engine
from hydro.leakruns import LeakRuns
from hydro.screening import relative_error, screen

_NUMBERS = (
    1, 4, 31, 54, 105, 114, 163, 188, 215, 229, 288, 296, 332, 342, 410, 415, 429,
    458, 469, 495, 506, 516, 519, 549, 613, 636, 644, 679, 722, 726, 740, 752, 769,
)  # fmt: skip
_SENSORS = [f"n{number}" for number in _NUMBERS]
_HOURS = 24
_ACCURACY = 1e-4
_REPEATS = 7
_RUNS = 12  # exact runs timed at each repeat
_SEED = 11


def _behind_tanks(engine: Engine) -> np.ndarray:
    """Junctions that pipes alone join to a tank and to no reservoir, bool [n_nodes]."""
    topology, n = engine.topology, len(engine.topology.nodes)
    pipes = topology.pipes
    graph = coo_array((np.ones(len(pipes)), (topology.start[pipes], topology.end[pipes])), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    reservoirs = np.setdiff1d(np.flatnonzero(~topology.is_junction), engine.tanks)
    return np.isin(label, label[engine.tanks]) & ~np.isin(label, label[reservoirs]) & topology.is_junction


def _runs(accuracy: float | None) -> LeakRuns:
    engine = Engine("L-TOWN")
    engine.duration = _HOURS * 3600
    if accuracy is not None:
        engine.set_accuracy(accuracy)
    return LeakRuns(engine, np.array([engine.topology.node(name) for name in _SENSORS]))


def _seconds(runs: LeakRuns, nodes: np.ndarray, flow: float) -> float:
    began = time.perf_counter()
    for node in nodes:
        runs.run(np.array([node, node]), flow)
    return (time.perf_counter() - began) / len(nodes)


def measure(flow_m3h: float, n_leaks: int | None) -> dict[str, object]:
    """Time and error at one flow."""
    flow, chance = flow_m3h / 3600.0, np.random.default_rng(_SEED)
    exact, loose = _runs(_ACCURACY), _runs(None)
    junctions, names = exact.engine.junctions, exact.engine.topology.nodes
    found = {"screen": [], "exact": [], "loose": []}
    screen("L-TOWN", _SENSORS, flow=flow, hours=0.5, check=0)
    for _ in range(_REPEATS):
        picked = chance.choice(junctions, _RUNS, replace=False)
        found["screen"].append(screen("L-TOWN", _SENSORS, flow=flow, hours=_HOURS, check=0).screening_s)
        found["exact"].append(_seconds(exact, picked, flow))
        found["loose"].append(_seconds(loose, picked[:4], flow))
    seconds = {key: statistics.median(values) for key, values in found.items()}
    which = junctions if n_leaks is None else np.sort(chance.choice(junctions, n_leaks, replace=False))
    base = exact.base()
    truth = {int(k): exact.run(np.array([k, k]), flow) - base for k in which}
    behind = _behind_tanks(exact.engine)
    row: dict[str, object] = {
        "screening_s": round(seconds["screen"], 3), "exact_run_s": round(seconds["exact"], 4),
        "ratio": round(len(junctions) * seconds["exact"] / seconds["screen"], 1),
        "ratio_own_accuracy": round(len(junctions) * seconds["loose"] / seconds["screen"], 1),
        "leaks": len(which), "behind_tank": int(behind[which].sum()),
    }  # fmt: skip
    for sweeps in (0, 1, 2):
        result = screen("L-TOWN", _SENSORS, [names[k] for k in which], flow, _HOURS, sweeps=sweeps, check=0)
        errors = np.array([relative_error(result.change[:, :, k], truth[int(n)]) for k, n in enumerate(which)])
        seen = np.isfinite(errors)
        for part, mask in (("all", seen), ("tank", seen & behind[which])):
            median, high = np.quantile(errors[mask], [0.5, 0.99])
            row[f"sweeps_{sweeps}_{part}"] = {
                "n": int(mask.sum()), "median": round(float(median), 4), "p99": round(float(high), 4),
                "largest": round(float(errors[mask].max()), 4),
            }  # fmt: skip
    return row


def others() -> None:
    """What the screening says about itself elsewhere."""
    results = {}
    for name in ("Net1", "Net3", "ky4", "Net6", "uman"):
        chance = np.random.default_rng(_SEED)
        with Engine(name) as engine:
            names = [engine.topology.nodes[k] for k in engine.junctions.tolist()]
        sensors = chance.choice(names, min(10, len(names)), replace=False).tolist()
        leaks = chance.choice(names, min(60, len(names)), replace=False).tolist()
        found = screen(name, sensors, leaks, 5.0 / 3600.0, _HOURS, check=20)
        over = int(np.nansum(found.errors > 0.1))
        results[name] = {
            "leaks": len(leaks), "median": round(float(np.nanmedian(found.errors)), 4),
            "largest": round(float(np.nanmax(found.errors)), 4), "over_10_per_cent": over,
            "screening_s": round(found.screening_s, 2), "exact_run_s": round(found.exact_s, 4),
        }  # fmt: skip
        print(f"{name}: {found.summary()}; {over} above 10 %; {found.screening_s:.2f} s, exact {found.exact_s:.4f} s")
    print(json.dumps({"benchmark": "screening, other networks", "machine": platform.machine(), "networks": results}))


def main() -> None:
    """Measure each flow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leaks", type=int, help="a sample of so many instead of all")
    parser.add_argument("--flows", default="1,5,10", help="m3/h")
    parser.add_argument("--others", action="store_true", help="other networks, by a sample")
    arguments = parser.parse_args()
    if arguments.others:
        others()
        return
    results = {}
    for flow in (float(text) for text in arguments.flows.split(",")):
        row = results[f"{flow:g}"] = measure(flow, arguments.leaks)
        print(
            f"{flow:g} m3/h: 782 leaks screened in {row['screening_s']} s, an exact run takes {row['exact_run_s']} s: "
            f"{row['ratio']} x ({row['ratio_own_accuracy']} x at the model's own accuracy)"
        )
        for sweeps in (0, 1, 2):
            for part in ("all", "tank"):
                print(f"  {sweeps} sweeps, {part}: {row[f'sweeps_{sweeps}_{part}']}")
    versions = {p: version(p) for p in ("umanflow", "owa-epanet", "numpy", "scipy", "numba")}
    print(json.dumps({"benchmark": "screening", "machine": platform.machine(), **versions, "flows_m3h": results}))


if __name__ == "__main__":
    main()
