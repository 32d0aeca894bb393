"""Time leak scenarios in the fast solver against EPANET in process, side by side, one thread.

    python benchmarks/fast_batch.py [--scenarios N] [NET ...]
    python benchmarks/fast_batch.py --all NET

One orifice leak of 20 mm per scenario, at junctions spread over the network, 24 h, pressure of 33 junctions and flow of
three links reported at every report step. EPANET keeps the network open, so that its time is its own loop and the
reading of the sensors. Both are timed in turn, in CPU time, group by group; given are the median time of a scenario,
the ratios against EPANET at the network's own accuracy and at 1e-6 (1e-5 where it stalls at that), how many scenarios
the fast solver left to EPANET, and the largest difference of pressure at all junctions of the others. Where that is
above 1 mm it is compared with EPANET at 1e-8 too: a switch that falls one second later moves EPANET's own results by
more. One JSON line at the end.

With --all every junction and the middle of every pipe leaks in turn, and each scenario's pressure at every junction is
compared with EPANET's at the tight accuracy; nothing is timed.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from hydro.course import Course
from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.fast.doubts import doubts
from hydro.fast.lanes import WIDTH
from hydro.fast.plan import Plan, plan_of
from hydro.fast.solver import Solver
from hydro.leaks import orifice
from hydro.scenario import DISCHARGE, Leak, Scenario
from networks import find, load

_DAY = 86400
_SENSORS, _METERS = 33, 3
_TIGHTEST = 1e-8
_DIAMETER = 0.02
_MILLIMETRE = 1e-3


def _seconds(action: Callable[[], object]) -> float:
    began = time.process_time()
    action()
    return time.process_time() - began


def _leak(junction: str = "", pipe: str = "") -> Scenario:
    return Scenario(events=(Leak(junction=junction, pipe=pipe, diameter=_DIAMETER),))


def _plans(scenarios: list[Scenario]) -> list[Plan]:
    return [plan for scenario in scenarios if (plan := plan_of(scenario))]


def _epanet(engine: Engine, scenario: Scenario, nodes: NDArray[np.int64], links: NDArray[np.int64]) -> None:
    """EPANET's loop with nothing around it but the sensors."""
    leak, step = scenario.leaks[0], engine.report_step
    at = engine.topology.node_index[leak.junction]
    count = engine.duration // step + 1
    pressure, flow = np.empty((count, len(nodes))), np.empty((count, len(links)))
    all_nodes, all_links = np.empty(len(engine.topology.nodes)), np.empty(len(engine.topology.links))
    engine.open_leak(at, orifice(leak.hole(0.0), DISCHARGE))
    for now in engine.steps():
        if now % step == 0 and now // step < count:
            pressure[now // step] = engine.read("node", "pressure", all_nodes)[nodes]
            flow[now // step] = engine.read("link", "flow", all_links)[links]
    engine.open_leak(at, 0.0)


def _tight(engine: Engine, scenario: Scenario) -> float:
    """The tightest accuracy at which EPANET gets through."""
    for accuracy in (1e-6, 1e-5, 1e-4):
        if accuracy < engine.accuracy:
            try:
                _pressures(engine, scenario, (), accuracy)
            except HydraulicError:
                continue
            return accuracy
    return engine.accuracy


def _pressures(engine: Engine, scenario: Scenario, nodes: tuple[str, ...], accuracy: float) -> NDArray[np.float64]:
    """EPANET's pressures at the report steps, m [n_steps, n_nodes].

    Raises
    ------
    HydraulicError
        If it stops before the end.
    """
    step, course = engine.report_step, Course(engine, scenario, accuracy=accuracy)
    pressure, row = np.empty((engine.duration // step + 1, len(nodes))), 0
    try:
        seen = [engine.topology.node(name) for name in nodes]
        course.begin()
        while True:
            if engine.solve() == row * step:
                pressure[row] = engine.read("node", "pressure")[seen]
                row += 1
            if engine.advance() <= 0:
                break
            course.prepare()
    finally:
        course.end()
    if row < len(pressure):
        raise HydraulicError("EPANET stopped")
    return pressure


def _difference(
    engine: Engine, scenario: Scenario, nodes: tuple[str, ...], accuracy: float, pressure: NDArray[np.float64]
) -> float:
    """Largest difference of pressure from EPANET's, m; nodes without a source are left out."""
    return float(np.nanmax(np.abs(_pressures(engine, scenario, nodes, accuracy) - pressure)))


def _agreement(engine: Engine, scenarios: list[Scenario], tight: float) -> dict[str, float]:
    """Largest difference of pressure at all junctions, mm, against EPANET, of the proved scenarios."""
    nodes = tuple(engine.topology.nodes[k] for k in engine.junctions)
    solver = Solver(engine, nodes, ())
    compared, worst, above, above_tightest = 0, 0.0, 0, 0
    for begin in range(0, len(scenarios), WIDTH):
        some = scenarios[begin : begin + WIDTH]
        pressure, _, _, proved = solver.run(_plans(some))
        for k in np.flatnonzero(proved).tolist():
            difference = _difference(engine, some[k], nodes, tight, pressure[k])
            compared += 1
            worst = max(worst, difference)
            if difference > _MILLIMETRE:
                above += 1
                try:
                    again = _difference(engine, some[k], nodes, _TIGHTEST, pressure[k])
                except HydraulicError:  # EPANET stalls at that
                    again = difference
                above_tightest += int(again > _MILLIMETRE)
    return {"compared": compared, "worst_mm": round(worst * 1e3, 4), "above_1mm": above,
            "above_1mm_at_1e-8": above_tightest}  # fmt: skip


def _one(name: str, count: int) -> dict[str, float | str]:
    network = load(find(name)[1])
    with Engine(network) as engine:
        engine.duration = _DAY
        reason = doubts(engine, network)
        if reason:
            return {"why_not": reason}
        topology, own = engine.topology, engine.accuracy
        spread = np.unique(np.linspace(0, len(engine.junctions) - 1, count).astype(np.int64))
        leaks = [
            Scenario(events=(Leak(junction=topology.nodes[k], diameter=_DIAMETER),))
            for k in engine.junctions[spread].tolist()
        ]
        seen = engine.junctions[np.linspace(0, len(engine.junctions) - 1, _SENSORS).astype(np.int64)]
        metered = np.linspace(0, len(topology.links) - 1, _METERS).astype(np.int64)
        solver = Solver(engine, [topology.nodes[k] for k in seen], [topology.links[k] for k in metered])
        solver.run(_plans(leaks[:WIDTH]))  # compiles
        times: dict[str, list[float]] = {"fast": [], "own": [], "tight": []}
        left, tight = 0, _tight(engine, leaks[0])
        for begin in range(0, len(leaks) - WIDTH + 1, WIDTH):
            some = leaks[begin : begin + WIDTH]
            result: list[NDArray[np.bool_]] = []
            seconds = _seconds(lambda some=some, result=result: result.append(solver.run(_plans(some))[3]))  # type: ignore[misc]
            times["fast"].append(seconds / len(some))
            left += int((~result[0]).sum())
            for what, accuracy in (("own", own), ("tight", tight)):
                engine.set_accuracy(accuracy)
                for scenario in some[:: len(some) // 4]:
                    times[what].append(_seconds(lambda s=scenario: _epanet(engine, s, seen, metered)))  # type: ignore[misc]
        engine.set_accuracy(own)
        ran = len(times["fast"]) * WIDTH
        median = {what: statistics.median(values) for what, values in times.items()}
        # what is left to EPANET costs its time as well
        share = left / ran
        whole = median["fast"] + share * median["tight"]
        row: dict[str, float | str] = {f"{what}_ms": round(1e3 * value, 3) for what, value in median.items()}
        row |= {"own_accuracy": own, "tight_accuracy": tight, "scenarios": ran, "left_to_epanet": left}
        row |= {
            "ratio_own": round(median["own"] / median["fast"], 1),
            "ratio_tight": round(median["tight"] / median["fast"], 1),
        }
        row |= {"ratio_own_with_fallback": round(median["own"] / whole, 1)}
        row |= {"ratio_tight_with_fallback": round(median["tight"] / whole, 1)}
        row |= _agreement(engine, leaks[:ran], tight)
        return row


def _all(name: str) -> dict[str, float]:
    """Compare every leak of a network, with all junctions as sensors."""
    network = load(find(name)[1])
    differences, left = [], 0
    with Engine(network) as engine:
        engine.duration = _DAY
        topology = engine.topology
        nodes = tuple(topology.nodes[k] for k in engine.junctions)
        leaks = [_leak(junction=node) for node in nodes]
        leaks += [_leak(pipe=topology.links[k]) for k in np.flatnonzero(engine.link_types == 1)]
        tight = _tight(engine, leaks[0])
        solver = Solver(engine, nodes, ())
        for begin in range(0, len(leaks), WIDTH):
            some = leaks[begin : begin + WIDTH]
            pressure, _, _, proved = solver.run(_plans(some))
            left += int((~proved).sum())
            for k in np.flatnonzero(proved).tolist():
                with Engine(network) as own:
                    own.duration = _DAY
                    differences.append(_difference(own, some[k], nodes, tight, pressure[k]))
    found = 1e3 * np.array(differences)
    return {"scenarios": len(leaks), "left_to_epanet": left, "tight_accuracy": tight, "worst_mm": float(found.max()),
            "median_mm": float(np.median(found)), "above_1mm": int((found > 1.0).sum())}  # fmt: skip


def main() -> None:
    """Time each network."""
    words = sys.argv[1:]
    if words[:1] == ["--all"]:
        print(json.dumps({"benchmark": "fast_batch", "network": words[1], **_all(words[1])}))
        return
    count = 4 * WIDTH
    if "--scenarios" in words:
        at = words.index("--scenarios")
        count = int(words[at + 1])
        del words[at : at + 2]
    rows = {}
    for name in words or ["L-TOWN", "Net3", "ky4", "ky10", "Net6", "BWSN_Network_2", "uman"]:
        rows[name] = _one(name, max(count, WIDTH))
        print(f"{name:>16}: {rows[name]}", flush=True)
    versions = {p: version(p) for p in ("umanflow", "owa-epanet", "numba", "numpy")}
    print(json.dumps({"benchmark": "fast_batch", "machine": platform.machine(), "cpus": os.cpu_count(),
                      "python": platform.python_version(), "lanes": WIDTH, **versions, "networks": rows}))  # fmt: skip


if __name__ == "__main__":
    main()
