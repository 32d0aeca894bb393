"""How long a year of L-Town takes to become a report, in all formats, and that its bytes are the same each time.

    python benchmarks/report.py [--data ../shared/data/ltown] [--detections DIR] [--runs 3]

Runs `umanflow report` as a user would, a fresh process each time, alternating the two languages. The detection folder
is made first (2018 as history with its repairs, 2019 as data: some minutes) unless one is given. L-Town's place on
Earth is not known, so that GeoJSON is left out; its table of valves is nobody's, so that closures are unknown, and the
synthetic Uman's demo is where they are computed. Prints seconds by run and by format, sizes, and one JSON line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

_FORMATS = ("html", "pdf", "csv", "xlsx", "gpkg", "json")
_TARGET_S = 20.0


def detect(data: Path, out: Path) -> None:
    """Make the detection folder."""
    command = ["detect", "--network", "L-TOWN", "--history", data / "2018", "--data", data / "2019"]
    umanflow(*command, "--repairs", data / "repairs_2018.csv", "--out", out)


def umanflow(*arguments: object) -> None:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "umanflow", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def timed(detections: Path, out: Path, formats: str, language: str) -> tuple[float, float]:
    """Seconds of one report and of the processor, with the start of the program."""
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    umanflow("report", "--detections", detections, "--out", out, "--format", formats, "--lang", language, "--cost", 1)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begin, busy


def checksums(folder: Path) -> dict[str, str]:
    """Of every file of a report."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data" / "ltown")
    parser.add_argument("--detections", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    packages = {name: version(name) for name in ("umanflow", "typst", "openpyxl", "babel", "Jinja2", "pandas")}
    print(platform.platform(), f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f},", packages)
    with tempfile.TemporaryDirectory() as folder:
        detections = arguments.detections
        if detections is None:
            detections = Path(folder) / "found"
            detect(arguments.data, detections)
        events = len(json.loads((detections / "leaks.json").read_text(encoding="utf-8")))
        seconds: dict[str, list[tuple[float, float]]] = {"uk": [], "en": []}
        sums: dict[str, list[dict[str, str]]] = {"uk": [], "en": []}
        for run in range(arguments.runs):
            for language in ("uk", "en"):
                out = Path(folder) / f"{language}{run}"
                seconds[language].append(timed(detections, out, ",".join(_FORMATS), language))
                sums[language].append(checksums(out))
                print("{} run {}: {:.1f} s, {:.1f} s of a processor".format(language, run + 1, *seconds[language][-1]))
        single = {name: timed(detections, Path(folder) / name, name, "en") for name in _FORMATS}
        sizes = {path.name: path.stat().st_size for path in sorted((Path(folder) / "en0").iterdir())}
    every = [value for values in seconds.values() for value in values]
    medians = {
        language: [statistics.median(v) for v in zip(*values, strict=True)] for language, values in seconds.items()
    }
    result = {
        "events": events,
        "seconds": {language: round(wall, 2) for language, (wall, _) in medians.items()},
        "processor_s": {language: round(busy, 2) for language, (_, busy) in medians.items()},
        "worst_s": round(max(wall for wall, _ in every), 2),
        "target_s": _TARGET_S,
        "one_format_s": {name: round(wall, 2) for name, (wall, _) in single.items()},
        "bytes": sizes,
        "same_bytes": all(found == runs[0] for runs in sums.values() for found in runs),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
