"""Whether stated places hold: of alarms that state a probability p of lying within 300 m, how many do.

    python benchmarks/calibration_of_places.py [--tables FILE ...] [--data DIR ...] [--rows FILE] [--plot FILE]

Alarms are those of `benchmarks/other_networks.py` (--tables, as written by it) and of `umanflow detect` on folders in
the layout of data/ltown (--data: the given year, worlds of `benchmarks/worlds.py`; the detector is run here). A stated
place holds if a leak that runs at the time of the alarm lies within 300 m of pipe of the pipe told. Ten bins of p,
each with Wilson's 95 % interval, and the goal that of what is stated at 80 % (0.7 to 0.9) between 70 and 90 % holds.

The posterior is tempered: log likelihood divided by a + b G. For each pair (a, b) of a grid the places are made anew
from the scan behind each alarm; the pair with the least mean surprise at where the leaks are, on half of them, is
checked on the other half (halves drawn by leak, so that one leak's sizes and densities stay together). --rows keeps
every alarm, CSV.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from ltown import read_truth
from stated_places import NEAR_M, gap, recorded, reliability, surprise, tempered

from hydro.record import read_record
from models.detect import detect
from models.rules import Repair, Rules
from networks import find


def alarms_of(folder: Path) -> list[dict[str, object]]:
    """Every alarm of a detection on a folder in the layout of data/ltown."""
    table = pd.read_csv(folder / "repairs_2018.csv", parse_dates=["repaired"])
    repairs = [Repair(pipe, at.tz_localize("UTC")) for pipe, at in zip(table["pipe"], table["repaired"], strict=True)]
    truth = read_truth(folder / "truth", 2019)
    with recorded() as scans:
        found = detect(find("L-TOWN")[1], read_record(folder / "2019"), read_record(folder / "2018"), repairs)
    rows = []
    for leak in found.leaks:
        gain = scans.of(leak.candidates)
        at = leak.detected.tz_localize(None)
        running = truth.leaks[(truth.leaks["start"] <= at) & (truth.leaks["end"] >= at)]["pipe"]
        true = [found.topology.link(pipe) for pipe in running]
        away = found.topology.distance_from_link(found.topology.link(leak.pipe))[true]
        near = int(np.argmin(away)) if len(away) else -1
        others = tempered(gain, found.topology, found.topology.pipes, true) if gain is not None else None
        rows.append({
            "source": folder.name, "leak": running.iloc[near] if near >= 0 else leak.pipe,
            "probability": leak.probability, "distance_m": float(away[near]) if near >= 0 else np.inf,
            "tempered": json.dumps(others) if others is not None else "",
        })  # fmt: skip
    return rows


def rows_of(paths: list[Path]) -> pd.DataFrame:
    """Alarms from tables of `benchmarks/other_networks.py` or of this script."""
    parts = []
    for path in paths:
        table = pd.read_csv(path)
        if "network" in table:
            table = table[table["is_found"].astype(bool)]
            table = table.assign(source=table["network"], leak=table["pipe"])
        parts.append(table[["source", "leak", "probability", "distance_m", "tempered"]])
    return pd.concat(parts, ignore_index=True)


def fit(alarms: pd.DataFrame, seed: int) -> dict[str, object]:
    """The temper that surprises least on half of the leaks, and how it and the present one do on the other half."""
    known = alarms[alarms["tempered"].astype(str).str.len() > 2]
    leaks = sorted(set(zip(known["source"], known["leak"], strict=True)))
    order = np.random.default_rng(seed).permutation(len(leaks))
    first = {leaks[k] for k in order[: len(leaks) // 2]}
    is_first = np.array([pair in first for pair in zip(known["source"], known["leak"], strict=True)])
    places = [json.loads(text) for text in known["tempered"]]
    parts = {key: np.array([p[key] for p in places]).T for key in places[0]}
    best = min(parts, key=lambda key: surprise(parts[key][2][is_first]))
    now = f"{Rules().temper:g} {Rules().temper_growth:g}"
    found = {}
    for name, key in (("as it is", now), ("fitted", best)):
        stated, away, mass = (part[~is_first] for part in parts[key])
        holds = away <= NEAR_M
        found[name] = {
            "temper_and_growth": key, "alarms": int(is_first.sum()),
            "surprise": round(surprise(parts[key][2][is_first]), 3), "held_out": len(stated),
            "surprise_held_out": round(surprise(mass), 3), "median_m": float(np.median(away)),
            "stated": round(float(stated.mean()), 3), "held": round(float(holds.mean()), 3),
            "gap": round(gap(stated, holds), 3), "bins": reliability(stated, holds),
        }  # fmt: skip
    return found


def show(bins: list[dict[str, float]]) -> None:
    """Print a reliability table."""
    print("| stated | alarms | mean stated | held within 300 m | 95 % interval |\n|---|---|---|---|---|")
    for b in bins:
        print(f"| {b['from']:.1f} to {b['to']:.1f} | {b['n']} | {b['stated']:.0%} | {b['held']:.0%} | "
              f"{b['low']:.0%} to {b['high']:.0%} |")  # fmt: skip


def draw(path: Path, curves: dict[str, list[dict[str, float]]]) -> None:
    """Held over stated, with intervals."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "places"
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(5.2, 5.0), layout="constrained")
    axis.plot([0, 1], [0, 1], color="0.6", lw=0.8)
    axis.fill_between([0.7, 0.9], 0.7, 0.9, color="tab:green", alpha=0.15, lw=0, label="goal")
    for (name, bins), colour in zip(curves.items(), ("tab:blue", "tab:orange", "tab:purple"), strict=False):
        stated, held = np.array([b["stated"] for b in bins]), np.array([b["held"] for b in bins])
        spread = [held - [b["low"] for b in bins], [b["high"] for b in bins] - held]
        axis.errorbar(stated, held, yerr=np.maximum(spread, 0.0), marker="o", capsize=2, color=colour, label=name)
        for b in bins:
            axis.annotate(str(int(b["n"])), (b["stated"], b["held"]), xytext=(5, -10), textcoords="offset points",
                          fontsize=7, color=colour)  # fmt: skip
    axis.set(
        xlabel="stated probability of lying within 300 m", ylabel="share that does", xlim=(0, 1.02), ylim=(0, 1.02)
    )
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="upper left")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Collect, compare, fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, nargs="+", default=[])
    parser.add_argument("--data", type=Path, nargs="+", default=[])
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not options.tables and not options.data:
        sys.exit("nothing to look at: give --tables of benchmarks/other_networks.py, or --data folders")
    began = time.perf_counter()
    parts = [rows_of(options.tables)] if options.tables else []
    parts += [pd.DataFrame(alarms_of(folder)) for folder in options.data]
    alarms = pd.concat(parts, ignore_index=True)
    if options.rows:
        alarms.to_csv(options.rows, index=False)
    bins = reliability(alarms["probability"].to_numpy(), alarms["distance_m"].to_numpy() <= NEAR_M)
    print(f"{len(alarms)} alarms of {alarms.groupby('source').size().to_dict()}")
    show(bins)
    at_80 = alarms[alarms["probability"].between(0.7, 0.9)]
    result: dict[str, object] = {
        "alarms": len(alarms), "bins": bins,
        "stated_0.7_to_0.9": {"n": len(at_80), "held": round(float((at_80["distance_m"] <= NEAR_M).mean()), 3)},
    }  # fmt: skip
    print("stated at 0.7 to 0.9:", result["stated_0.7_to_0.9"])
    halves = fit(alarms, options.seed)
    for name, half in halves.items():
        print(f"held-out half, {name}:", {k: v for k, v in half.items() if k != "bins"})
    if options.plot:
        draw(options.plot, {"as it is, all": bins, "fitted temper, held-out half": halves["fitted"]["bins"]})
    versions = {p: version(p) for p in ("umanflow", "numpy")}
    print(json.dumps({"benchmark": "calibration_of_places", "machine": platform.machine(), **versions, **result,
                      "halves": halves, "seconds": round(time.perf_counter() - began, 1)}))  # fmt: skip


if __name__ == "__main__":
    main()
