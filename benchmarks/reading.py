"""Does what we hand on agree with what EPANET reads? A table for the catalogue, or for every INP under a folder.

Each network is read by EPANET 2.3 and by `networks.load`; the two are compared fact by fact. The model is then written
to an INP again, which EPANET reads, and a day of heads and flows of both files is compared.

    python benchmarks/reading.py [--folder DIR] [--markdown]
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import platform
import time
from importlib.metadata import version
from pathlib import Path

from hydro.agreement import Agreement, compare
from networks import catalogue

_SHOWN = 3


def verdict(found: Agreement) -> str:
    """One line on a comparison: agrees, or why not."""
    if found.refused:
        return f"EPANET refuses it: {found.refused.partition(': ')[2]}"
    differing = [str(d) for d in (*found.facts, *found.written)]
    if not differing:
        return "agrees"
    more = f"; and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
    return "; ".join(differing[:_SHOWN]) + more


def files(folder: Path | None) -> list[tuple[str, Path]]:
    """Names and INP files of the catalogue, or of everything below a folder."""
    if folder is None:
        return [(entry.name, entry.path) for entry in catalogue()]
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".inp")
    return [(str(path.relative_to(folder)), path) for path in found]


def number(value: float) -> str:
    """A difference, or a dash where there was no run."""
    return "-" if math.isnan(value) else f"{value:.1e}" if value else "0"


def main() -> None:
    """Print the table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="compare every INP under this folder instead of the catalogue")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # WNTR logs what it passes over; the comparison finds it
    began = time.perf_counter()
    rows = []
    for name, path in files(options.folder):
        found = compare(path)
        rows.append((name, number(found.head_error), number(found.flow_error), verdict(found), found))
    heads = ("network", "head, m", "flow, m3/s", "verdict")
    if options.markdown:
        print("| " + " | ".join(heads) + " |\n|---|---|---|---|")
        for row in rows:
            print("| " + " | ".join(row[:4]) + " |")
    else:
        width = max((len(row[0]) for row in rows), default=7)
        print(f"{heads[0]:{width}}  {heads[1]:>8}  {heads[2]:>10}  {heads[3]}")
        for row in rows:
            print(f"{row[0]:{width}}  {row[1]:>8}  {row[2]:>10}  {row[3]}")
    results = [row[4] for row in rows]
    print(json.dumps({
        "benchmark": "reading", "networks": len(rows), "agree": sum(r.agrees for r in results),
        "refused_by_epanet": sum(bool(r.refused) for r in results),
        "largest_head_m": max((r.head_error for r in results if not math.isnan(r.head_error)), default=None),
        "seconds": round(time.perf_counter() - began, 1), "python": platform.python_version(),
        "machine": platform.machine(), "wntr": version("wntr"), "owa-epanet": version("owa-epanet"),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
