"""Compare Uman's pipes ranked by learnt break rates with an oracle that knows the hidden ones, and with age alone.

    python benchmarks/renewal.py

Prints the share of the expected breaks on the first 20 % of length; the ranking does not see the hidden rates.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from hydro.engine import Engine
from models.breaks import caught, fit_breaks
from networks import load
from umanflow.planner.renewal import history_of

_SHARE = 0.2


def main() -> None:
    """Rank and score."""
    uman = load("uman")
    with Engine(uman) as engine:
        names, history = history_of(uman, engine.topology, engine.read("link", "diameter"))
    with (Path(uman.source).parent / "truth" / "pipes.csv").open(encoding="utf-8") as file:
        hidden = {row["pipe"]: float(row["breaks_per_km_year"]) for row in csv.DictReader(file)}
    true = np.array([hidden[name] for name in names])
    orders = {
        "oracle": -true, "learnt": -fit_breaks(history).rate(history.last_year + 1)[0],
        "breaks_per_km": -history.breaks.sum(axis=1) / history.length, "age": history.laid.astype(np.float64),
    }  # fmt: skip
    found = {
        k: caught(np.argsort(v, kind="stable"), history.length, true * history.length, _SHARE)
        for k, v in orders.items()
    }
    shares = {k: round(v / found["oracle"], 3) for k, v in found.items()}
    print(
        json.dumps({"benchmark": "renewal", "share_of_length": _SHARE, "of_oracle": shares, "oracle": found["oracle"]})
    )


if __name__ == "__main__":
    main()
