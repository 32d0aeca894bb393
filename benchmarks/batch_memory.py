"""Peak memory of a batch by its length: it must not grow with the number of scenarios.

    python benchmarks/batch_memory.py [N ...]

Each length runs in a process of its own, on Net1 (one moment, one sensor), scenarios made by a generator; the peak is
that of the process that hands out the work; of the workers, the largest at the end. One JSON line.
"""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

_CODE = "import sys; sys.path.insert(0, {root!r}); from benchmarks.batch_memory import one; one({n})"


def one(n: int) -> None:
    """Run a batch of n scenarios and print its peak memory."""
    import psutil

    from hydro.batch import Sensors, run_batch
    from hydro.scenario import Leak, Scenario

    stories = (Scenario(f"s{k}", (Leak(junction="22", area=1e-6 * (k + 1)),)) for k in range(n))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = run_batch("Net1", stories, Path(folder) / "b.parquet", Sensors(nodes=("22",)), hours=0.0, jobs=2,
                         part_size=256)  # fmt: skip
        seconds = time.perf_counter() - began
        size = (Path(folder) / "b.parquet").stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    workers = [child.memory_info().rss / 2**20 for child in psutil.Process().children(recursive=True)]
    print(json.dumps({"scenarios": done.n_scenarios, "self_mb": round(peak), "worker_mb": round(max(workers)),
                      "s": round(seconds, 1), "file_mb": round(size / 2**20, 1)}))  # fmt: skip


def main() -> None:
    """Run each length."""
    root, rows = str(Path(__file__).parents[1]), []
    for n in [int(a) for a in sys.argv[1:]] or [1_000, 10_000, 100_000]:
        code = _CODE.format(root=root, n=n)
        found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        rows.append(json.loads(found.stdout.splitlines()[-1]))
        print(rows[-1])
    print(json.dumps({"benchmark": "batch_memory", "machine": platform.machine(), "umanflow": version("umanflow"),
                      "runs": rows}))  # fmt: skip


if __name__ == "__main__":
    main()
