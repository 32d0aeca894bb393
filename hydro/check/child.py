"""The process in which EPANET meets a file that may kill it: `python -m hydro.check.child INP FOLDER SECONDS`.

EPANET is C: a hostile file can make it crash, run for ever or ask for all memory. None of that reaches the parent,
which reads what this process leaves in the folder: EPANET's report and `day.json`.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

MEMORY = 4 * 2**30
FILE_SIZE = 2**30
CPU_S = 60
REPORT, DAY = "report.txt", "day.json"


def _limit_resources() -> None:
    """Bound memory, files and processor time where the system can."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock is the only limit
        return
    limits = {"RLIMIT_AS": MEMORY, "RLIMIT_CPU": CPU_S, "RLIMIT_FSIZE": FILE_SIZE, "RLIMIT_CORE": 0}
    for name, most in limits.items():
        with suppress(ValueError, OSError, AttributeError):  # a lower limit is already set, or the kind is unknown
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main(inp: Path, folder: Path, seconds: float) -> None:
    """Open the file, run its first day, and write what was seen."""
    _limit_resources()
    from hydro.check.day import run_day
    from hydro.engine import Engine
    from hydro.errors import EpanetError
    from networks import NetworkError

    answer: dict[str, object] = {}
    try:
        with Engine(inp, report=folder / REPORT) as engine:
            answer["day"] = asdict(run_day(engine, seconds))
    except EpanetError as error:
        answer["code"] = error.code
    except NetworkError:
        answer["code"] = 200
    except MemoryError:
        answer["code"] = 101
    (folder / DAY).write_text(json.dumps(answer), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
