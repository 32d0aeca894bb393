"""Time a 24 h run in process against WNTR's EpanetSimulator, side by side.

    python benchmarks/engine.py [NET ...]

Prints the median of alternating repeats and their ratio for each network, and one JSON line. WNTR writes and reads
files for every run; umanflow keeps the project in memory and returns arrays.
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

from hydro.run import run
from networks import find

_REPEATS = 5


def main() -> None:
    """Time each network."""
    rows = {}
    for name in sys.argv[1:] or ["Net3", "ky4", "L-TOWN"]:
        path = find(name)[1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = wntr.network.WaterNetworkModel(str(path))
        model.options.time.duration = 86400
        ours, theirs = [], []
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(_REPEATS):
                began = time.perf_counter()
                run(path, 24.0)
                ours.append(time.perf_counter() - began)
                began = time.perf_counter()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    wntr.sim.EpanetSimulator(model).run_sim(file_prefix=str(Path(folder) / "run"))
                theirs.append(time.perf_counter() - began)
        ratio = statistics.median(theirs) / statistics.median(ours)
        rows[name] = {"ours_s": round(statistics.median(ours), 4), "wntr_s": round(statistics.median(theirs), 4)}
        rows[name]["ratio"] = round(ratio, 1)
        print(f"{name:>8}: in process {rows[name]['ours_s']} s, WNTR {rows[name]['wntr_s']} s, {ratio:.1f} x")
    versions = {p: version(p) for p in ("umanflow", "wntr", "owa-epanet")}
    print(json.dumps({"benchmark": "engine", "machine": platform.machine(), **versions, "networks": rows}))


if __name__ == "__main__":
    main()
