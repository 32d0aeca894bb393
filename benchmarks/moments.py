"""Moments that measurements drive: our own solver in lanes against EPANET, the same moments in the same run.

    python benchmarks/moments.py [--data ../shared/data/ltown] [--days 14] [--rounds 5]

Hours of L-Town's record, as `umanflow detect` drives them. Both sides once more against EPANET at 1e-7. Prints the
medians of alternating rounds (processor time), their ratio, how long the own solver takes to be made ready, and the
largest differences of pressures and flows at the instruments.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from hydro.driven import DrivenModel
from hydro.fast.snapshots import Snapshots
from hydro.record import read_record
from networks import find


def seconds(work: Callable[[], object]) -> float:
    """Processor time of some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Run and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ltown"))
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"{options.data}: no such folder; give L-Town's data with --data")
    step = pd.Timedelta("1h")
    record = read_record(options.data / "2018")
    record = record.between(record.start, record.start + pd.Timedelta(days=options.days)).resampled(step)
    model = DrivenModel(find("L-TOWN")[1], record)
    drive = model.drive(record, step)
    took: dict[bool, list[float]] = {True: [], False: []}
    found = {}
    for _ in range(options.rounds + 1):  # the first compiles
        for is_fast, times in took.items():
            model.is_fast = is_fast
            times.append(seconds(lambda: model.expect(drive)))
            found[is_fast] = np.hstack(model.expect(drive))
    ready = [
        seconds(lambda: Snapshots(model.engine, model.sensor_nodes, model.meter_links, model.tank_nodes))
        for _ in range(options.rounds)
    ]
    model.engine.set_accuracy(1e-7)
    exact = np.hstack(model.expect(drive))
    model.close()
    n = len(drive.times)
    fast, epanet = (statistics.median(took[key][1:]) / n for key in (True, False))
    n_pressures = len(record.pressure.columns)
    off = {name: np.abs(found[key] - exact) for name, key in (("fast", True), ("epanet", False))}
    result = {
        "moments": n, "fast_us": round(1e6 * fast, 1), "epanet_us": round(1e6 * epanet, 1),
        "ratio": round(epanet / fast, 1), "ready_ms": round(1e3 * statistics.median(ready), 1),
        "ready_in_moments_of_epanet": round(statistics.median(ready) / epanet),
        **{f"{name}_worst_mm": round(1e3 * float(d[:, :n_pressures].max()), 4) for name, d in off.items()},
        **{f"{name}_worst_L/s": round(1e3 * float(d[:, n_pressures:].max()), 5) for name, d in off.items()},
    }  # fmt: skip
    for name, value in result.items():
        print(f"{name:>28} {value}")
    versions = {p: version(p) for p in ("umanflow", "numpy", "numba")}
    print(json.dumps({"benchmark": "moments", "machine": platform.machine(), "python": sys.version.split()[0],
                      **versions, **result}))  # fmt: skip


if __name__ == "__main__":
    main()
