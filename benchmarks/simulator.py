"""`hydro.Simulator` against `wntr.sim.EpanetSimulator`: time of a run with all its tables, and peak memory.

Times are medians of runs in turn, in one process that has warmed up. Memory is that of a process of its own for every
run: the peak, and what the run added to what WNTR's import and the model had taken.

    python benchmarks/simulator.py [--rounds 7] [--skip-memory]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

CASES = (
    ("L-TOWN", 24, None),
    ("L-TOWN", None, None),
    ("BWSN_Network_2", 24, None),
    ("BWSN_Network_2", 24, 300),
    ("BWSN_Network_2", None, None),
)
WAYS = ("EpanetSimulator", "2.2", "2.3", "2.3 from the file")
_MEGABYTE = 1024.0 if sys.platform != "darwin" else 1024.0 * 1024.0


def model_of(name: str, hours: int | None, step: int | None) -> Any:
    """A catalogue network's model, perhaps for another duration (h) and step (s)."""
    import networks

    model = networks.load(name).model
    if hours is not None:
        model.options.time.duration = hours * 3600
    if step is not None:
        model.options.time.hydraulic_timestep = model.options.time.report_timestep = step
    return model


def run(way: str, model: Any, folder: str) -> Any:
    """One run and its results."""
    import wntr

    from hydro import Simulator

    if way == "EpanetSimulator":
        return wntr.sim.EpanetSimulator(model).run_sim(file_prefix=str(Path(folder) / "wntr"))
    if way.endswith("file"):
        return Simulator(Path(folder) / "case.inp", library="2.3").run_sim()
    return Simulator(model, library=way).run_sim()


def are_equal(one: Any, other: Any) -> bool:
    """Whether all tables are the same in every bit, names and times included."""
    return all(
        mine.equals(theirs) and list(mine.columns) == list(theirs.columns)
        for kind in ("node", "link")
        for mine, theirs in ((getattr(one, kind)[name], table) for name, table in getattr(other, kind).items())
    )


def peak() -> float:
    """Peak memory of this process, MB.

    On Linux not `ru_maxrss`: that begins with what the parent had.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEGABYTE


def child(way: str, name: str, hours: int | None, step: int | None) -> None:
    """Run once and print peak memory after import, after reading the model, after the run, and the tables' size."""
    import wntr  # noqa: F401

    import hydro.simulator  # noqa: F401

    imported = peak()
    model = model_of(name, hours, step) if not way.endswith("file") else None
    with tempfile.TemporaryDirectory() as folder:
        if model is None:
            subprocess.run(
                [sys.executable, __file__, "--write", folder, "--case", json.dumps([name, hours, step])], check=True
            )
        read = peak()
        results = run(way, model, folder)
    size = sum(t.to_numpy().nbytes for kind in (results.node, results.link) for t in kind.values()) / 2**20
    print(json.dumps({"import": imported, "model": read, "peak": peak(), "added": peak() - read, "tables": size}))


def write_case(model: Any, folder: str) -> None:
    """Write the model's INP, for a simulator that takes a file."""
    from networks.export import model_bytes

    (Path(folder) / "case.inp").write_bytes(model_bytes(model))


def times(model: Any, rounds: int) -> tuple[dict[str, float], bool | None]:
    """Median seconds of each way, and whether results on 2.2 are `EpanetSimulator`'s; NaN where a way fails."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        write_case(model, folder)
        try:
            same = are_equal(run("2.2", model, folder), run("EpanetSimulator", model, folder))
        except ValueError:  # a run that is cut short, see docs/validation/simulator.md
            same = None
        for _ in range(rounds):
            for way in WAYS:
                start = time.perf_counter()
                try:
                    run(way, model, folder)
                except ValueError:
                    continue
                seconds[way].append(time.perf_counter() - start)
    return {way: statistics.median(found) if found else float("nan") for way, found in seconds.items()}, same


def memory(name: str, hours: int | None, step: int | None) -> dict[str, dict[str, float]]:
    """Peak memory of each way in a process of its own, MB."""
    found = {}
    for way in WAYS:
        command = [sys.executable, __file__, "--child", way, "--case", json.dumps([name, hours, step])]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode == 0:
            found[way] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--skip-memory", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--write", help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    if options.case:
        case = json.loads(options.case)
        if options.write:
            write_case(model_of(*case), options.write)
        else:
            child(options.child, *case)
        return
    packages = {name: version(name) for name in ("wntr", "owa-epanet", "numpy", "pandas")}
    print(platform.platform(), os.cpu_count(), "cores", packages)
    summary = []
    for name, hours, step in CASES:
        label = f"{name}, {f'{hours} h' if hours else 'its own duration'}{f' @ {step} s' if step else ''}"
        median, same = times(model_of(name, hours, step), options.rounds)
        ratio = {way: round(median["EpanetSimulator"] / s, 2) for way, s in median.items()}
        used = {} if options.skip_memory else memory(name, hours, step)
        print(f"{label}: equal {same}")
        for way in WAYS:
            print(f"  {way:18} {median[way]:7.3f} s  {ratio[way]:5.2f} x ", end="")
            m = used.get(way)
            print(f" peak {m['peak']:5.0f} MB, added {m['added']:5.0f} MB, tables {m['tables']:4.0f} MB" if m else "")
        summary.append({"case": label, "equal": same, "seconds": median, "ratio": ratio, "memory": used})
    print(json.dumps({"packages": packages, "cases": summary}))


if __name__ == "__main__":
    main()
