"""Score the faults that `umanflow detect` tells of instruments against what was put into a world.

    python benchmarks/worlds.py --out /tmp/worlds --seeds 1 --faults
    python benchmarks/ltown.py --data /tmp/worlds/world-1 --out /tmp/found
    python benchmarks/health.py --data /tmp/worlds/world-1 --out /tmp/found

A fault counts as told if health.json has one of its kind at its element (a closed valve: within 300 m of pipe) that
begins within ten days of it. Told where there is none, gaps and
spikes aside, it is false. Prints a line for each and one JSON line.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from hydro.engine import Engine
from networks import find

_REACH_M, _NEAR = 300.0, pd.Timedelta("10D")
_LEFT_OUT = ("gap", "spike")


def main() -> None:
    """Read both and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the world")
    parser.add_argument("--out", type=Path, required=True, help="folder of the detection")
    options = parser.parse_args()
    truth = pd.read_csv(options.data / "truth" / "faults.csv", parse_dates=["start", "end"])
    truth = truth[truth["kind"].isin(["stuck", "drift", "offset", "clock", "unit", "closed valve", "meter exchanged"])]
    rows = json.loads((options.out / "health.json").read_text())
    told = pd.DataFrame([{"element": row["instrument"]} | fault for row in rows for fault in row["faults"]])
    for name in ("since", "until", "told"):
        told[name] = pd.to_datetime(told[name]).dt.tz_localize(None)
    told = told[(told["since"] >= truth["start"].min() - _NEAR) & ~told["kind"].isin(_LEFT_OUT)]
    with Engine(find("L-TOWN")[1]) as engine:
        topology = engine.topology
    used: set[object] = set()
    named = noticed = 0
    for fault in truth.itertuples():
        if fault.kind == "closed valve":
            away = topology.distance_from_link(topology.link(fault.element))
            near = [away[topology.link(e)] <= _REACH_M if k == "closed valve" else False
                    for e, k in zip(told["element"], told["kind"], strict=True)]  # fmt: skip
            here = told[pd.Series(near, index=told.index, dtype=bool)]
        else:
            here = told[told["element"] == fault.element]
        during = here[(here["since"] >= fault.start - _NEAR) & (here["since"] <= fault.end + _NEAR)]
        used |= set(during.index)
        kind = "meter" if fault.kind == "meter exchanged" else fault.kind
        same = during[(during["kind"] == kind) & (abs(during["since"] - fault.start) <= _NEAR)]
        named += len(same) > 0
        noticed += len(during) > 0
        best = same.iloc[0] if len(same) else during.iloc[0] if len(during) else None
        found = "not told" if best is None else (
            f"{best['kind']} since {best['since']:%m-%d %H:%M}, told after "
            f"{(best['told'] - fault.start) / pd.Timedelta('1D'):.1f} d, size {best['size']:.4g} {best['unit']}"
        )  # fmt: skip
        print(f"{fault.element:>8} {fault.kind:<15} {fault.start:%m-%d %H:%M} {fault.size:8.4g}: {found}")
    false = told[~told.index.isin(used)]
    counts = {str(k): int(n) for k, n in false["kind"].value_counts().items()}
    print(json.dumps({
        "benchmark": "health", "faults": len(truth), "named": named, "noticed": noticed, "false": counts,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
