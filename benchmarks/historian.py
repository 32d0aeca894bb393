"""How fast the historian takes samples, holds them, and finds them again. Prints one JSON line.

Three measurements, each on a new store in a temporary folder:

append    50,000 tags, one sample each at every second of a simulated clock, one commit a second of ours, as fast as
          they are taken; samples are made while it runs, and slices are put in order while it runs.
steady    50,000 samples a second by the wall clock; none may be lost and memory may not grow.
find      one tag's day at 10 s (8,640 samples) out of many rows, as a pandas frame; the store is closed and opened
          before, each tag is asked for once.

    python benchmarks/historian.py [--url URL] [--folder DIR] [--minutes 10] [--rows 100] [--only append,steady,find]

``--rows`` is in millions: 10 by default, 100 is the goal's size and needs 5 GB. ``--url postgresql://…`` takes an empty
database instead of SQLite files.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import resource
import shutil
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from scada.historian import Historian, WriterSettings, open_historian
from scada.historian.batch import Batch
from scada.sample import Sample

TAGS = 50_000
START_MS = 1_790_000_000_000 // 86_400_000 * 86_400_000
DAY_MS = 86_400_000
STEP_MS = 10_000
SEED = 20260105


NAMES = tuple(f"tag-{k:05d}" for k in range(TAGS))


def slot(moment: int, values: list[float]) -> list[Sample]:
    """One sample of every tag."""
    at = START_MS + 1000 * moment
    return [Sample(name, at, at + 40, value) for name, value in zip(NAMES, values, strict=True)]


def append(store: Historian, slots: int) -> dict[str, object]:
    """Samples as fast as they are taken; they are made before."""
    rng = np.random.default_rng(SEED)
    values = [rng.normal(30.0, 5.0, TAGS).round(3).tolist() for _ in range(10)]
    store.append(slot(0, values[0]))  # the tags' names
    store.flush()
    before = store.status.counters
    ready = [slot(moment, values[moment % 10]) for moment in range(1, slots + 1)]
    gc.freeze()  # a reader's samples do not live long enough to be looked through
    began, busy = time.perf_counter(), time.process_time()
    for samples in ready:
        store.append(samples, is_patient=True)
    store.flush()
    seconds = time.perf_counter() - began
    counters = store.status.counters
    rows = slots * TAGS
    if counters.stored - before.stored != rows or counters.dropped:
        raise SystemExit(f"samples were lost: {counters}")
    return {
        "append_rows": rows,
        "append_rows_per_s": round(rows / seconds),
        "append_commits": counters.batches - before.batches,
        "append_s": round(seconds, 2),
        "append_cores": round((time.process_time() - busy) / seconds, 2),
    }


def steady(store: Historian, seconds: int) -> dict[str, object]:
    """50,000 samples a second by the wall clock."""
    rng = np.random.default_rng(SEED)
    values = [rng.normal(30.0, 5.0, TAGS).round(3).tolist() for _ in range(10)]
    memory: list[float] = []
    began, busy = time.perf_counter(), time.process_time()
    for moment in range(seconds):
        samples = slot(moment, values[moment % 10])
        for start in range(0, TAGS, 100):  # as devices of a hundred tags deliver them
            store.append(samples[start : start + 100])
        memory.append(resident_mb())
        time.sleep(max(0.0, began + moment + 1 - time.perf_counter()))
    store.flush()
    took = time.perf_counter() - began
    counters = store.status.counters
    table = store.resample(None, DAY_MS / 1000)
    stored = int(table["count"].sum())
    third = max(1, seconds // 3)
    return {
        "steady_s": seconds, "steady_took_s": round(took, 1), "steady_samples": seconds * TAGS,
        "steady_lost": seconds * TAGS - stored, "steady_spooled": counters.spooled,
        "steady_longest_delay_s": round(counters.longest_delay_s, 2),
        "steady_cores": round((time.process_time() - busy) / took, 2),
        "steady_memory_mb": [round(statistics.median(memory[k * third : (k + 1) * third]), 1) for k in range(3)],
    }  # fmt: skip


def resident_mb() -> float:
    """Memory in use now; the highest so far where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fill(store: Historian, rows: int) -> tuple[int, float]:
    """A day at 10 s of as many tags as it takes; straight to the engine, as the writer hands it over."""
    slots = DAY_MS // STEP_MS
    tags = rows // slots
    names = tuple(f"tag-{k:05d}" for k in range(tags))
    rng = np.random.default_rng(SEED)
    together = max(1, 50_000 // tags)
    began = time.perf_counter()
    for first in range(0, slots, together):
        count = min(together, slots - first)
        at = np.repeat(START_MS + STEP_MS * np.arange(first, first + count), tags)
        n = count * tags
        store._engine.write(
            Batch(
                tags=names,
                keys=("",) * tags,
                reasons=("",),
                tag=np.tile(np.arange(tags, dtype=np.int32), count),
                reason=np.zeros(n, np.int32),
                time_ms=at,
                arrival_ms=at + 40,
                value=rng.normal(30.0, 5.0, n).round(3),
                quality=np.zeros(n, np.uint8),
            )
        )
        while store._engine.maintain():
            pass
    return tags, time.perf_counter() - began


def find(url: str, rows: int) -> dict[str, object]:
    """One tag's day out of many rows."""
    store = open_historian(url)
    tags, seconds = fill(store, rows)
    store.close()
    store = open_historian(url)
    rng = np.random.default_rng(SEED)
    times, again, busy, means = [], [], [], []
    for tag in rng.choice(tags, 41, replace=False):
        name = f"tag-{tag:05d}"
        for found in (times, again):
            began, began_busy = time.perf_counter(), time.process_time()
            table = store.range([name], START_MS, START_MS + DAY_MS)
            found.append(1000 * (time.perf_counter() - began))
        busy.append(1000 * (time.process_time() - began_busy))
        if len(table) != DAY_MS // STEP_MS:
            raise SystemExit(f"{len(table)} samples of {name} were found")
        began = time.perf_counter()
        if len(store.resample([name], 900.0, START_MS, START_MS + DAY_MS)) != 96:
            raise SystemExit("steps are missing")
        means.append(1000 * (time.perf_counter() - began))
    began = time.perf_counter()
    store.last()
    last_s = time.perf_counter() - began
    store.close()
    return {
        "find_rows": tags * (DAY_MS // STEP_MS),
        "find_fill_rows_per_s": round(tags * (DAY_MS // STEP_MS) / seconds),
        "find_first_ms": round(times[0], 1),
        "find_median_ms": round(statistics.median(times[1:]), 1),
        "find_worst_ms": round(max(times[1:]), 1),
        "find_again_median_ms": round(statistics.median(again[1:]), 1),
        "find_again_cpu_ms": round(statistics.median(busy[1:]), 1),
        "resample_median_ms": round(statistics.median(means), 1),
        "last_of_all_tags_s": round(last_s, 2),
    }


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="an empty database instead of SQLite files")
    parser.add_argument(
        "--folder", type=Path, help="where the files are made; the system's temporary folder by default"
    )
    parser.add_argument("--minutes", type=float, default=0.5, help="length of the steady run")
    parser.add_argument("--rows", type=float, default=10.0, help="millions of rows to find one day among")
    parser.add_argument("--slots", type=int, default=40, help="seconds of samples to append")
    parser.add_argument("--only", default="append,steady,find", help="some of append, steady, find")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="historian-", dir=options.folder))
    found: dict[str, object] = {}
    try:
        for name in options.only.split(","):
            url = options.url or f"sqlite:///{folder}/{name}.db"
            if name == "find":
                found |= find(url, int(options.rows * 1e6))
            else:
                # a commit a second at the rate that is to be reached; whoever appends waits for room
                rows = 150_000 if name == "append" else 2 * TAGS
                settings = WriterSettings(
                    batch_s=2.0 if name == "append" else 1.0, batch_rows=rows, queue_rows=8 * rows
                )
                store = open_historian(url, settings, spool=folder / "spool")
                try:
                    found |= (
                        append(store, options.slots) if name == "append" else steady(store, int(60 * options.minutes))
                    )
                finally:
                    store.close()
            if not options.url:
                found[f"{name}_mb"] = round(sum(p.stat().st_size for p in folder.glob(f"{name}.db*")) / 2**20)
                for path in folder.glob(f"{name}.db*"):
                    path.unlink()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({
        "benchmark": "historian", "engine": (options.url or "sqlite").partition(":")[0], **found,
        "goal": {"append_rows_per_s": 150_000, "find_median_ms": 20.0, "steady_lost": 0},
        "python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "cores": os.cpu_count(),
        "machine": platform.machine(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
