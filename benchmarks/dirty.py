"""Detection in a city that leaks when its record begins: what is stated, what is found, and what it costs later.

    python benchmarks/dirty.py --out DIR [--seeds 11 12] [--days 28] [--old 0 2 6] [--data ../shared/data/ltown]

Makes the worlds that are missing (`benchmarks/worlds.py --old N`), runs `umanflow detect` on each as a user would, once
with the repairs of the history alone and, where old leaks are repaired later, once with what crews then report (found,
measured flow). For each run: the true losses beside the excess that zones.csv states for the first week and for the
last fortnight, with limits; old leaks that leaks.csv places within 300 m of pipe of a true one, and those that lie near
none; and of leaks that begin in the evaluated period, BattLeDIM's share of the maximum (`benchmarks/ltown.py`) by
`detected` and `pipe`, with false alarms. Worlds of one seed differ in their old leaks alone: compare with `old 0`.
Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from ltown import Truth, read_truth, score

from hydro.engine import Engine
from networks import Topology, find

_REACH_M = 300.0
_HERE = Path(__file__).resolve().parent


def make(options: argparse.Namespace, seed: int, old: int) -> Path:
    """The folder of a world, made if it is missing."""
    folder = options.out / (f"world-{seed}" + (f"-old-{old}" if old else ""))
    if not (folder / "repairs_old.csv").exists():
        command = [
            sys.executable, str(_HERE / "worlds.py"), "--out", str(options.out), "--seeds", str(seed),
            "--days", str(options.days), "--old", str(old), "--data", str(options.data),
        ]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def detect(world: Path, with_feedback: bool) -> tuple[Path, float]:
    """Run the command; return the folder of its results and its wall time, s."""
    out = world / ("found-feedback" if with_feedback else "found")
    repairs = world / "repairs_2018.csv"
    if with_feedback:
        tables = [pd.read_csv(world / name) for name in ("repairs_2018.csv", "repairs_old.csv")]
        repairs = world / "repairs_all.csv"
        pd.concat([t for t in tables if len(t)]).to_csv(repairs, index=False)
    command = [
        sys.executable, "-m", "umanflow", "detect", "--network", str(find("L-TOWN")[1]), "--data", str(world / "2019"),
        "--history", str(world / "2018"), "--repairs", str(repairs), "--out", str(out),
    ]  # fmt: skip
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return out, time.monotonic() - began


def losses(world: Path, zones: pd.DataFrame) -> dict[str, object]:
    """True and stated losses in both periods, m3/h, at the zones' hour of night."""
    result: dict[str, object] = {}
    flows = pd.concat(
        [pd.read_csv(world / "truth" / f"leak_flows_{y}.csv.gz", index_col=0, parse_dates=True) for y in (2018, 2019)]
    ).fillna(0.0)
    for period in ("first", "last"):
        rows = zones[zones["period"] == period]
        row = rows[rows["zone"] == "all"].iloc[0]
        hours = set(rows["night_hour"].dropna().astype(int))
        part = flows.loc[row["from"] : row["to"]]
        true = float(part[part.index.hour.isin(hours)].sum(axis=1).mean())
        result[period] = {
            "true": round(true, 2), "excess": row["excess_m3h"], "low": row["excess_low_m3h"],
            "high": row["excess_high_m3h"], "explained": row["explained_m3h"],
            "is_held": bool(row["excess_low_m3h"] <= true <= row["excess_high_m3h"]),
        }  # fmt: skip
    return result


def placed(table: pd.DataFrame, truth: Truth, topology: Topology) -> dict[str, object]:
    """Old leaks told at the data's beginning, against those that ran then from before the first record."""
    first = truth.volumes.index[0]
    running = truth.leaks[(truth.leaks["start"] <= first) & (truth.leaks["end"] > first)]
    old = running[running["kind"] == "old"]
    told = table[(table["kind"] == "old") & (table["detected"] <= first)]
    found: dict[str, float] = {}
    false = 0
    for row in told.itertuples():
        distance = topology.distance_from_link(topology.link(row.pipe))
        if min((distance[topology.link(p)] for p in running["pipe"]), default=float("inf")) > _REACH_M:
            false += 1
        near = [(distance[topology.link(p)], p) for p in old["pipe"] if p not in found]
        if near and min(near)[0] <= _REACH_M:
            found[min(near)[1]] = float(min(near)[0])
    return {"old": len(old), "told": len(told), "found": len(found), "false": false}


def later(table: pd.DataFrame, truth: Truth, topology: Topology) -> dict[str, object]:
    """BattLeDIM's score of leaks that begin in the period; alarms near older ones alone count as neither."""
    first = truth.volumes.index[0]
    is_new = truth.leaks["start"] > first
    new = Truth(truth.leaks[is_new], truth.volumes[truth.leaks[is_new]["pipe"].tolist()])
    older = truth.leaks[~is_new]
    kept = []
    for row in table[table["detected"] > first].itertuples():
        distance = topology.distance_from_link(topology.link(row.pipe))

        def near(leaks: pd.DataFrame, distance: object = distance, row: object = row) -> bool:
            return any(
                one.start <= row.detected <= one.end and distance[topology.link(one.pipe)] <= _REACH_M  # type: ignore
                for one in leaks.itertuples()
            )

        if near(new.leaks) or not near(older):
            kept.append({"time": row.detected, "pipe": row.pipe})
    result = score(pd.DataFrame(kept, columns=["time", "pipe"]), new, topology)
    return {
        "leaks": int(is_new.sum()),
        "true": result["true"],
        "false": result["false"],
        "share": float(str(result["share"])),
    }


def main() -> None:
    """Run and score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12])
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--old", type=int, nargs="+", default=[0, 2, 6])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ltown"))
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"{options.data}: no such folder; give L-Town's data with --data")
    with Engine("L-TOWN") as engine:
        topology = engine.topology
    results = []
    for seed in options.seeds:
        for old in options.old:
            world = make(options, seed, old)
            truth = read_truth(world / "truth", 2019)
            has_repairs = len(pd.read_csv(world / "repairs_old.csv")) > 0
            for with_feedback in (False, True) if has_repairs else (False,):
                out, seconds = detect(world, with_feedback)
                table = pd.read_csv(out / "leaks.csv", parse_dates=["detected", "start"])
                one = {
                    "seed": seed, "old": old, "feedback": with_feedback, "seconds": round(seconds, 1),
                    **losses(world, pd.read_csv(out / "zones.csv")), "placed": placed(table, truth, topology),
                    "later": later(table, truth, topology),
                }  # fmt: skip
                results.append(one)
                said = "; ".join(
                    f"{period} true {one[period]['true']:.1f}, excess {one[period]['excess']:.1f} "  # type: ignore
                    f"({one[period]['low']:.1f} to {one[period]['high']:.1f}), "  # type: ignore
                    f"explained {one[period]['explained']:.1f}"  # type: ignore
                    for period in ("first", "last")
                )
                print(
                    f"seed {seed}, {old} old{', feedback' if with_feedback else ''}: {said}; old {one['placed']}; "
                    f"later {one['later']}; {seconds:.0f} s",
                    flush=True,
                )
    machine = {"python": platform.python_version(), "machine": platform.machine(), "umanflow": version("umanflow")}
    print(json.dumps({"benchmark": "dirty", **machine, "days": options.days, "results": results}))


if __name__ == "__main__":
    main()
