"""How fast files of loggers are taken: a year of 60 loggers at 15 minutes. Prints one JSON line.

The same readings as one wide file with a decimal comma and Kyiv time through both changes of the clock, and as one long
file of a third of them. `pandas.read_csv` reads the wide file alone in the same run, interleaved with our reading: it
gives numbers and leaves times, zones, units, tags and mistakes to whoever calls it.

    python benchmarks/ingest.py [--days 365] [--loggers 60] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from scada.drops.file import read_file
from scada.drops.profile import Profile
from scada.drops.readings import Readings
from scada.drops.state import State
from scada.drops.tagtable import logger_tag
from scada.drops.taking import Taker
from scada.historian import open_historian
from scada.tag import Tag

SEED = 20260105
STEP_S = 900


def write_files(folder: Path, days: int, loggers: int) -> tuple[Path, Path, dict[str, Tag], int]:
    """A wide and a long file; return them with the tags and the number of readings in the wide one."""
    rng = np.random.default_rng(SEED)
    times = pd.date_range("2025-01-01", periods=days * 86_400 // STEP_S, freq=f"{STEP_S}s", tz="Europe/Kyiv")
    names = [f"log-{k:02d}" for k in range(loggers)]
    values = rng.normal(3.5, 0.4, (len(times), loggers)).round(3)
    stamps = times.strftime("%d.%m.%Y %H:%M").tolist()
    wide, long = folder / "wide.csv", folder / "long.csv"
    with wide.open("w", encoding="utf-8") as out:
        out.write("Дата;" + ";".join(f"{name} [bar]" for name in names) + "\n")
        for stamp, row in zip(stamps, values.tolist(), strict=True):
            out.write(stamp + ";" + ";".join(f"{value:.3f}".replace(".", ",") for value in row) + "\n")
    with long.open("w", encoding="utf-8") as out:
        out.write("tag,time,value,quality\n")
        iso = times.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
        for k in range(loggers // 3):
            out.writelines(
                f"{names[k]},{stamp},{value:.3f},192\n" for stamp, value in zip(iso, values[:, k], strict=True)
            )
    return wide, long, {name: logger_tag(name, "pressure", "m") for name in names}, values.size


def read(path: Path, tags: dict[str, Tag]) -> Readings:
    """Our reading of a file, without storing."""
    [found] = read_file(path, path.read_bytes(), Profile(zone="Europe/Kyiv"), tags, 0)
    if not isinstance(found, Readings) or found.rejected:
        raise SystemExit(f"{path}: was not read whole")
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--loggers", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="umanflow-") as name:
        folder = Path(name)
        wide, long, tags, count = write_files(folder, options.days, options.loggers)
        ours, pandas_alone, longs = [], [], []
        for _ in range(options.rounds):
            began = time.perf_counter()
            frame = pd.read_csv(wide, sep=";", decimal=",")
            pandas_alone.append(time.perf_counter() - began)
            began = time.perf_counter()
            found = read(wide, tags)
            ours.append(time.perf_counter() - began)
            if len(found) != count or frame.shape[0] * options.loggers != count:
                raise SystemExit("readings were lost")
            began = time.perf_counter()
            n_long = len(read(long, tags))
            longs.append(time.perf_counter() - began)
        store, state = open_historian(f"sqlite:///{folder}/h.db"), State(folder / "ingest.db")
        taker = Taker(tags, store, state)
        began = time.perf_counter()
        outcome = taker.take_file(wide, Profile(zone="Europe/Kyiv"))
        taker.remember(outcome)
        whole = time.perf_counter() - began
        if outcome.stored != count:
            raise SystemExit("samples were lost")
        began = time.perf_counter()
        known = taker.take_file(wide, Profile(zone="Europe/Kyiv"))
        passed = time.perf_counter() - began
        if known.verdict != "known":
            raise SystemExit("a file was taken twice")
        size = wide.stat().st_size
        state.close()
        store.close()
    read_s, alone_s, long_s = (statistics.median(times) for times in (ours, pandas_alone, longs))
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, pandas {pd.__version__}")
    print(f"wide: {count:,} readings, {size / 1e6:.0f} MB")
    print(f"  read          {read_s:6.2f} s  {count / read_s:12,.0f} readings/s")
    print(f"  pandas alone  {alone_s:6.2f} s  {count / alone_s:12,.0f} readings/s, ratio {read_s / alone_s:.2f}")
    print(f"  into SQLite   {whole:6.2f} s  {count / whole:12,.0f} readings/s")
    print(f"  again         {passed:6.2f} s")
    print(f"long: {n_long:,} readings")
    print(f"  read          {long_s:6.2f} s  {n_long / long_s:12,.0f} readings/s")
    figures = {
        "benchmark": "ingest", "readings": count, "read_s": round(read_s, 3), "read_per_s": round(count / read_s),
        "pandas_s": round(alone_s, 3), "ratio_to_pandas": round(read_s / alone_s, 2), "stored_s": round(whole, 2),
        "stored_per_s": round(count / whole), "again_s": round(passed, 3), "long_readings": n_long,
        "long_read_s": round(long_s, 3), "long_per_s": round(n_long / long_s),
        "python": platform.python_version(), "pandas": pd.__version__, "machine": platform.machine(),
    }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
