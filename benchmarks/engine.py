"""Time the engine's loop against a bare loop of the same library, and a whole run against WNTR's EpanetSimulator.

    python benchmarks/engine.py [NET ...]

The bare loop calls EN_runH and EN_nextH through ctypes and reads pressures and flows in one call each (2.3) or in one
compiled loop each (2.2): nothing can be left out of it. Ours is `Engine.solve`, `read` and `advance`, in SI. Medians of
alternating repeats and their ratios; one JSON line.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from ctypes import byref, c_long
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import numpy as np
import wntr

from hydro.engine import Engine
from hydro.library import LibraryName
from hydro.run import run
from networks import find

_REPEATS = 15
_DAY = 86400


def bare(engine: Engine) -> Callable[[], None]:
    """A loop of nothing but the library's own calls."""
    project = engine.project
    functions = [project.library.function(name) for name in ("initH", "runH", "nextH")]
    handle, now, step = project._handle, c_long(), c_long()
    pressure, flow = np.empty(len(engine.topology.nodes)), np.empty(len(engine.topology.links))

    def loop() -> None:
        init, solve, advance = functions
        init(handle, 10)
        while True:
            solve(handle, byref(now))
            project.read("node", "pressure", pressure)
            project.read("link", "flow", flow)
            advance(handle, byref(step))
            if step.value <= 0:
                return

    return loop


def ours(engine: Engine) -> Callable[[], None]:
    """The same through the engine."""
    pressure, flow = np.empty(len(engine.topology.nodes)), np.empty(len(engine.topology.links))

    def loop() -> None:
        for _ in engine.steps():
            engine.read("node", "pressure", pressure)
            engine.read("link", "flow", flow)

    return loop


def median_ratio(one: Callable[[], None], other: Callable[[], None]) -> tuple[float, float, float]:
    """Medians of alternating repeats, s, and the median of their ratios."""
    times: list[tuple[float, float]] = []
    for _ in range(_REPEATS):
        pair = []
        for call in (one, other):
            began = time.perf_counter()
            call()
            pair.append(time.perf_counter() - began)
        times.append((pair[0], pair[1]))
    ratios = [a / b for a, b in times]
    return statistics.median(a for a, _ in times), statistics.median(b for _, b in times), statistics.median(ratios)


def loops(path: Path) -> dict[str, float]:
    """Our loop over the bare one, for each library."""
    found = {}
    for library in get_args(LibraryName):
        with Engine(path, library) as engine:
            engine.duration = _DAY
            engine.start()
            mine, theirs = ours(engine), bare(engine)
            mine()
            theirs()
            _, _, found[library] = median_ratio(mine, theirs)
    return found


def whole_run(path: Path) -> tuple[float, float, float]:
    """A run with every table, in process and through WNTR, which writes and reads files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = wntr.network.WaterNetworkModel(str(path))
        model.options.time.duration = _DAY
        with tempfile.TemporaryDirectory() as folder:
            prefix = str(Path(folder) / "run")
            wntrs: Callable[[], None] = lambda: wntr.sim.EpanetSimulator(model).run_sim(file_prefix=prefix)  # noqa: E731
            return median_ratio(wntrs, lambda: run(path, hours=24.0) and None)  # type: ignore[func-returns-value]


def main() -> None:
    """Time each network."""
    rows = {}
    for name in sys.argv[1:] or ["Net3", "ky4", "L-TOWN"]:
        path = find(name)[1]
        loop, (theirs, mine, ratio) = loops(path), whole_run(path)
        rows[name] = {
            "loop_over_bare": {library: round(value, 3) for library, value in loop.items()},
            "run_s": round(mine, 4), "wntr_s": round(theirs, 4), "wntr_over_run": round(ratio, 2),
        }  # fmt: skip
        print(f"{name:>8}: loop {loop['2.3']:.2f} x bare (2.2: {loop['2.2']:.2f} x), run {ratio:.1f} x as fast as WNTR")
    versions = {p: version(p) for p in ("umanflow", "wntr", "owa-epanet")}
    print(json.dumps({"benchmark": "engine", "machine": platform.machine(), **versions, "networks": rows}))


if __name__ == "__main__":
    main()
