"""Score `umanflow detect` on L-Town by BattLeDIM's rule.

    python benchmarks/ltown.py [--data ../shared/data/ltown] [--out DIR] [--skip-run]

Runs the command as a user would (2018 as history with its repairs, 2019 as data), then scores both columns of
leaks.csv: `detected` with `pipe`, what was known when the alarm was raised, and `start` with `pipe_best`, hindsight
(withdrawn events left out of hindsight: they are called false by then). Prints true, false, missed and EUR, and one
JSON line. The rule is in A. Vrachimis et al., "Battle of the Leakage Detection and Isolation Methods", J. Water Resour.
Plann. Manage. 148 (2022): a detection counts once, for the nearest not yet found leak within 300 m of pipe that is
active at the reported time; it earns 0.80 EUR for each m3 the leak still loses, less 500 EUR x distance / 300 m; a
detection near no active leak costs 500 EUR, one near a leak that is found already nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from hydro.engine import Engine
from networks import Topology, find

_REACH_M, _PRICE, _FALSE = 300.0, 0.8, 500.0


@dataclass(frozen=True)
class Truth:
    """The leaks, and the volume that each loses per time step, m3."""

    leaks: pd.DataFrame
    volumes: pd.DataFrame

    @property
    def most(self) -> float:
        """EUR for reporting every leak in its place at its first moment."""
        return _PRICE * float(self.volumes.to_numpy().sum())


def read_truth(folder: Path, year: int) -> Truth:
    """Read the leak list and flows of a year."""
    leaks = pd.read_csv(folder / f"leaks_{year}.csv", parse_dates=["start", "end"])
    flows = pd.read_csv(folder / f"leak_flows_{year}.csv.gz", index_col=0, parse_dates=True)
    hours = (flows.index[1] - flows.index[0]) / pd.Timedelta("1h")
    return Truth(leaks, flows * hours)


def score(reports: pd.DataFrame, truth: Truth, topology: Topology) -> dict[str, object]:
    """Score reports with columns time and pipe."""
    found: dict[str, float] = {}
    false, euros = 0, 0.0
    first = truth.volumes.index[0]
    for row in reports.sort_values("time", kind="stable").itertuples():
        distance = topology.distance_from_link(topology.link(row.pipe))
        near = [
            (distance[topology.link(leak.pipe)], leak.pipe)
            for leak in truth.leaks.itertuples()
            if max(leak.start, first) <= row.time <= leak.end and distance[topology.link(leak.pipe)] <= _REACH_M
        ]
        fresh = [pair for pair in near if pair[1] not in found]
        if fresh:
            metres, pipe = min(fresh)
            left = truth.volumes[pipe]
            found[pipe] = _PRICE * float(left[left.index >= row.time].sum()) - _FALSE * metres / _REACH_M
            euros += found[pipe]
        elif not near:
            false += 1
            euros -= _FALSE
    missed = [pipe for pipe in truth.volumes.columns if pipe not in found]
    return {
        "true": len(found),
        "false": false,
        "missed": len(missed),
        "eur": round(euros),
        "share": round(euros / truth.most, 4),
        "missed_pipes": missed,
    }


def run(data: Path, out: Path) -> float:
    """Run the command; return its wall time, s."""
    began = time.monotonic()
    command = [
        sys.executable, "-m", "umanflow", "detect", "--network", str(find("L-TOWN")[1]), "--data", str(data / "2019"),
        "--history", str(data / "2018"), "--repairs", str(data / "repairs_2018.csv"), "--out", str(out),
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def main() -> None:
    """Run and score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ltown"))
    parser.add_argument("--out", type=Path, help="folder of the detection; a temporary one by default")
    parser.add_argument("--skip-run", action="store_true", help="score what is in --out")
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"{options.data}: no such folder; give L-Town's data with --data")
    with tempfile.TemporaryDirectory() as temporary:
        out = options.out or Path(temporary)
        seconds = None if options.skip_run else run(options.data, out)
        table = pd.read_csv(out / "leaks.csv", parse_dates=["detected", "start"])
    truth = read_truth(options.data / "truth", 2019)
    with Engine("L-TOWN") as engine:
        topology = engine.topology
    kept = table[table["status"] != "withdrawn"]
    first = truth.volumes.index[0]
    columns = {
        "detected": pd.DataFrame({"time": table["detected"], "pipe": table["pipe"]}),
        "start": pd.DataFrame({"time": kept["start"].clip(lower=first), "pipe": kept["pipe_best"]}),
    }
    scores = {name: score(reports, truth, topology) for name, reports in columns.items()}
    print(f"L-Town 2019, maximum {truth.most:,.0f} EUR, {len(truth.leaks)} leaks; {len(table)} events")
    for name, result in scores.items():
        print(
            f"{name:>9}: {result['true']} true, {result['false']} false, {result['missed']} missed, "
            f"{result['eur']:,} EUR = {100 * result['share']:.1f} %; missed {', '.join(result['missed_pipes'])}"
        )
    machine = {"python": platform.python_version(), "machine": platform.machine(), "umanflow": version("umanflow")}
    print(json.dumps({"benchmark": "ltown", **machine, "seconds": seconds and round(seconds, 1), **scores}))


if __name__ == "__main__":
    main()
