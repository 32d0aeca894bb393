"""Run `umanflow demo` on ten seeds and count those on which both leaks are found within reach.

    python benchmarks/demo_seeds.py [--seeds 10] [--days 28] [--out DIR]

Found is what the demo itself calls found: a report whose pipe, as held for best at the end, lies within 300 m of pipe
of the true one, or two pipe lengths where the pipe is longer. Prints a row a seed and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path


def main() -> None:
    """Run the seeds one after another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(1, options.seeds + 1):
            out = (options.out or Path(temporary)) / f"seed-{seed}"
            command = [sys.executable, "-m", "umanflow", "demo", "--seed", str(seed), "--days", str(options.days)]
            subprocess.run([*command, "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
            result = json.loads((out / "demo.json").read_text(encoding="utf-8"))
            leaks = result["leaks"]
            distances = [leak["distance_m"] for leak in leaks]
            print(
                f"seed {seed:2d}: {sum(leak['found'] for leak in leaks)} of {len(leaks)} found, metres off "
                f"{', '.join('-' if d is None else f'{d:.0f}' for d in distances)}; "
                f"{result['false_alarms']} false alarms; {result['seconds']:.0f} s",
                flush=True,
            )
            rows.append(result)
    both = sum(all(leak["found"] for leak in row["leaks"]) for row in rows)
    leaks = [leak for row in rows for leak in row["leaks"]]
    found = sum(leak["found"] for leak in leaks)
    alarms = [row["false_alarms"] for row in rows]
    print(f"both leaks found on {both} of {len(rows)} seeds; {found} of {len(leaks)} leaks", end="; ")
    print(f"median {statistics.median(alarms)} false alarms")
    print(
        json.dumps(
            {
                "benchmark": "demo_seeds",
                "python": platform.python_version(),
                "machine": platform.machine(),
                "umanflow": version("umanflow"),
                "seeds": len(rows),
                "both_found": both,
                "leaks_found": found,
                "false_alarms": alarms,
                "median_seconds": statistics.median(row["seconds"] for row in rows),
            }
        )
    )


if __name__ == "__main__":
    main()
