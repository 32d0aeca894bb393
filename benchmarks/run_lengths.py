"""Tabulate false alarms against delay: average run lengths of every scorer that has a limit, in rows.

    python benchmarks/run_lengths.py [--rows 2000000]

CUSUM and EWMA chart by their integral equations (`models.scoring.runlength`). Page-Hinkley and the likelihood ratios
have none that is simple: they run over independent normal readings (16 channels, fixed seed), and each mean is printed
with its standard error; `--rows` are the rows of all channels together. Readings that depend on each other alarm more
often than these tables say. Prints tables in Markdown and ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import version
from typing import Any

import numpy as np

from models.scoring import Glr, PageHinkley, Scorer
from models.scoring.runlength import cusum_limit, cusum_run_length, ewma_limit, ewma_run_length

_SEED, _CHANNELS, _CHUNK = 7, 16, 4096
_SHIFTS = (0.0, 0.5, 1.0, 2.0, 3.0)
# a false alarm on one channel in so many rows: a day, a week, a year of quarter hours, a year of 100 channels' such
_LENGTHS = (96, 672, 35_040, 3_504_000)


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Print a table in Markdown."""
    print(f"\n{title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def digits(length: float) -> str:
    """Three digits."""
    return f"{length:,.0f}" if length >= 100 else f"{length:.1f}" if length >= 10 else f"{length:.2f}"


def run_length(scorer: Scorer[Any], shift: float, rows: int, lead: int) -> tuple[float, float]:
    """Mean rows to the first alarm after a start, and its standard error; the shift comes after `lead` quiet rows.

    A channel whose run ends before the shift does not count.
    """
    rng = np.random.default_rng(_SEED)
    ends: list[int] = []
    used = 0
    while used < rows:
        state, waiting, age = scorer.start(_CHANNELS), np.ones(_CHANNELS, dtype=bool), 0
        while waiting.any() and age < rows:
            chunk = rng.standard_normal((_CHUNK if shift == 0.0 else lead + 256, _CHANNELS))
            chunk[max(lead - age, 0) :] += shift
            state, alarms = scorer.alarms(state, chunk)
            for step, channel in zip(alarms.step.tolist(), alarms.channel.tolist(), strict=True):
                if waiting[channel]:
                    waiting[channel] = False
                    if step >= lead:
                        ends.append(step + 1 - lead)
            age += len(chunk)
            used += chunk.size
    return float(np.mean(ends)), float(np.std(ends) / np.sqrt(len(ends)))


def main() -> None:
    """Print the tables and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    options = parser.parse_args()
    head = [f"shift {shift:g}" for shift in _SHIFTS]
    result: dict[str, Any] = {}
    lines = []
    for drift in (0.25, 0.5, 1.0):
        for length in _LENGTHS:
            limit = cusum_limit(drift, length)
            found = [cusum_run_length(drift, limit, shift) for shift in _SHIFTS]
            lines.append([f"{drift:g}", f"{limit:.2f}", *map(digits, found)])
            result[f"cusum k={drift:g} h={limit:.2f}"] = [round(value, 2) for value in found]
    table("CUSUM", ["k", "h", *head], lines)
    lines = []
    for weight in (0.05, 0.1, 0.25):
        for length in _LENGTHS:
            limit = ewma_limit(weight, length)
            found = [ewma_run_length(weight, limit, shift) for shift in _SHIFTS]
            lines.append([f"{weight:g}", f"{limit:.3f}", *map(digits, found)])
            result[f"ewma weight={weight:g} L={limit:.3f}"] = [round(value, 2) for value in found]
    table("EWMA chart", ["weight", "L", *head], lines)
    lines = []
    measured: list[tuple[str, Scorer[Any], int]] = [
        *((f"step, limit {limit:g}", Glr(limit=limit), 0) for limit in (5.0, 7.0, 9.0)),
        *((f"ramp, limit {limit:g}", Glr(shape="ramp", limit=limit), 0) for limit in (5.0, 7.0, 9.0)),
        *(
            (f"Page-Hinkley, drift 0.5, limit {limit:g}", PageHinkley(drift=0.5, limit=limit), 200)
            for limit in (5.0, 8.0)
        ),
    ]
    for name, scorer, lead in measured:
        found_with = [run_length(scorer, shift, options.rows, lead) for shift in _SHIFTS]
        lines.append([name, *(f"{digits(mean)} ± {digits(error)}" for mean, error in found_with)])
        result[name] = [round(mean, 2) for mean, _ in found_with]
    table("Likelihood ratio over 96 rows, and Page-Hinkley (after 200 quiet rows), measured", ["", *head], lines)
    versions = {name: version(name) for name in ("numpy", "scipy", "numba")}
    print(json.dumps({"benchmark": "run_lengths", "seed": _SEED, **result, "machine": platform.machine(), **versions}))


if __name__ == "__main__":
    main()
