"""Time of a detection on a record with a tenth missing against the whole one.

    python benchmarks/missing.py [--data ../shared/data/ltown] [--days 60] [--rounds 2]

History and data of so many days each; gaps of some hours in every column (6 h on average). Whole and gappy are run by
turns in one process; what is compared is processor time, so that other work on the machine does not count. Prints the
median ratio and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from hydro.record import Record, read_record
from models.detect import detect
from networks import find


def gappy(record: Record, random: np.random.Generator) -> Record:
    """A tenth of every column missing."""
    tables = {}
    for f in fields(record):
        table = getattr(record, f.name).copy()
        values = table.to_numpy(dtype=float, copy=True)
        if len(table) > 1:
            mean = pd.Timedelta("6h") / (table.index[1] - table.index[0])
            for column in values.T:
                for begin in np.flatnonzero(random.random(len(column)) < 0.1 / 0.9 / mean):
                    column[begin : begin + 1 + int(random.exponential(mean))] = np.nan
        tables[f.name] = pd.DataFrame(values, index=table.index, columns=table.columns)
    return Record(**tables)


def main() -> None:
    """Run by turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ltown"))
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    span = pd.Timedelta(days=options.days)
    whole = [read_record(options.data / year) for year in ("2018", "2019")]
    whole = [
        whole[0].between(whole[0].end - span, whole[0].end),
        whole[1].between(whole[1].start, whole[1].start + span),
    ]
    random = np.random.default_rng(1)
    poor = [gappy(record, random) for record in whole]
    seconds: dict[str, list[float]] = {"whole": [], "gappy": []}
    for turn in range(options.rounds + 1):
        for name, (history, data) in {"whole": whole, "gappy": poor}.items():
            began = time.process_time()
            found = detect(find("L-TOWN")[1], data, history)
            if turn:  # the first compiles
                seconds[name].append(time.process_time() - began)
            print(f"{name}: {len(found.leaks)} events, {time.process_time() - began:.0f} s", flush=True)
    ratio = statistics.median(b / a for a, b in zip(seconds["whole"], seconds["gappy"], strict=True))
    machine = {"python": platform.python_version(), "machine": platform.machine(), "umanflow": version("umanflow")}
    print(f"a tenth missing takes {ratio:.2f} times as long")
    print(json.dumps({"benchmark": "missing", **machine, "days": options.days, "ratio": round(ratio, 3), **seconds}))


if __name__ == "__main__":
    main()
