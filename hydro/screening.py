"""Fast screening: what each of many leaks does to the sensors over a day, nearly, and how nearly."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hydro.contents import demand_model
from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.leakruns import LeakRuns, Places, find_places
from hydro.library import LibraryName
from hydro.march import Clock, March
from hydro.moments import Moments, MomentsPool
from hydro.opening import as_network
from hydro.switching import Switching
from networks import Network

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ACCURACY = 1e-4  # of EPANET, here and in the exact runs; L-Town's own 0.01 is coarser than a small leak's effect
_SEEN = 1e-4  # m; a leak that moves no sensor by more has no relative error
# EPANET lets a control act at whole seconds and up to one early: so near to a report step nobody knows its side
_DOUBT_S = 2.0
_MOST_DOUBTED = 0.05  # of all leaks; more are named, but not run
_APART = 0.02  # m; where the day without a leak is not followed to this, nothing is


@dataclass(frozen=True, slots=True)
class Screening:
    """Change of pressure by leaks.

    Attributes
    ----------
    times
        int64 [n_steps], s.
    sensors, leaks
        Names of nodes; of junctions and pipes.
    flow
        Of each leak, m3/s.
    change
        float64 [n_steps, n_sensors, n_leaks], m; what the leak adds to the pressure, mostly below 0.
    is_exact
        bool [n_leaks], leaks that were run in EPANET from beginning to end: the checked ones, and those with which a
        tank switches something within two seconds of a report step, so that nobody can tell on which side.
    in_doubt
        bool [n_leaks], those of the latter that were too many to be run: 5 % of all leaks are, the nearest first.
    reason
        Why all leaks were run exactly, or an empty text where they were not.
    checked, errors
        Leaks picked at random that were run exactly too, and the relative error that the screening had there:
        ||screened - exact|| / ||exact|| over all steps and sensors; NaN where the leak moves no sensor by 0.1 mm.
    screening_s, exact_s
        Time of the screening, and of one exact run, s.
    """

    times: Ints
    sensors: tuple[str, ...]
    leaks: tuple[str, ...]
    flow: float
    change: Floats
    is_exact: Bools
    in_doubt: Bools
    reason: str
    checked: tuple[str, ...]
    errors: Floats
    screening_s: float
    exact_s: float

    def summary(self) -> str:
        """How many leaks, and how good, in one line."""
        if self.reason:
            return f"{len(self.leaks)} leaks of {3600.0 * self.flow:g} m3/h, all run exactly: {self.reason}"
        known = self.errors[np.isfinite(self.errors)]
        error = f"median {np.median(known):.1%}, largest {known.max():.1%}" if len(known) else "none of them is seen"
        beside = int(self.is_exact.sum()) - len(self.checked)
        return (
            f"{len(self.leaks)} leaks of {3600.0 * self.flow:g} m3/h screened, {beside} of them run exactly, as they "
            f"switch something beside a report step; relative error of {len(self.checked)} picked at random: {error}"
        )


def screen(
    network: Network | WaterNetworkModel | Path | str,
    sensors: Sequence[str],
    leaks: Sequence[str] | None = None,
    flow: float = 5.0 / 3600.0,
    hours: float | None = None,
    *,
    sweeps: int = 1,
    check: int = 4,
    seed: int = 0,
    library: LibraryName = "2.3",
) -> Screening:
    """Screen leaks of constant flow that run from the beginning, one at a time.

    Parameters
    ----------
    network
        What `Engine` accepts.
    sensors
        Names of nodes whose pressure is measured.
    leaks
        Names of junctions and pipes; all junctions where not given. A leak in a pipe counts half at each end.
    flow
        Of each leak, m3/s.
    hours
        Length of the run; by default the model's own.
    sweeps
        Moments of the day, spread over its demands, at which every leak is solved at its full size: what the linear
        response misses there is added at all moments, interpolated by the demand of the whole network.
    check
        Leaks that are run exactly too, to measure the error; they are picked at random by `seed`.

    Returns
    -------
    Screening
        With its own error. Where runs cannot be told from the model's simple controls (rules, controls that follow a
        junction's pressure or set most valves), or where the day without a leak is not EPANET's, all leaks are run
        exactly, and `reason` says why.

    Raises
    ------
    UnknownElement
        If the network has no such sensor, junction or pipe.
    HydraulicError
        If demand follows the pressure, no sensor is given, or EPANET stops before the end.
    """
    if not len(sensors):
        raise HydraulicError("no sensor is given: name at least one node")
    if leaks is not None and not len(leaks):
        raise HydraulicError("no leak is given: name at least one junction or pipe")
    if not flow > 0.0:
        raise HydraulicError(f"a leak of {3600.0 * flow:g} m3/h is none: give its flow, m3/s, above 0")
    opened = as_network(network)
    with Engine(opened, library) as engine:
        if demand_model(engine.project)[0]:
            raise HydraulicError(
                "the model's demand follows the pressure, which screening cannot: set DEMAND MODEL DDA in [OPTIONS]"
            )
        engine.set_hours(hours)
        engine.set_accuracy(min(engine.accuracy, _ACCURACY))
        topology = engine.topology
        nodes = np.array([topology.node(name) for name in sensors], dtype=np.int64)
        names = tuple(topology.nodes[k] for k in engine.junctions.tolist()) if leaks is None else tuple(leaks)
        places = find_places(engine, names)
        runs = LeakRuns(engine, nodes)
        _check_memory(runs.count, len(nodes), len(places))
        switching = Switching(engine)
        began, reason, change = time.perf_counter(), switching.obstacle, None
        margin = np.full(len(places), np.inf)
        base = runs.base()
        if not reason:
            pool = MomentsPool(lambda: Engine(opened, library), nodes, switching.links, _ACCURACY)
            with pool as moments:
                change, own, margin = _screened(engine, moments, switching, places, flow, sweeps)
            apart = float(np.abs(own - base).max())
            if not apart <= _APART:
                reason = f"moments on their own miss EPANET's day without a leak by {apart:.2g} m"
        found = np.zeros((*base.shape, len(places))) if reason or change is None else change
        in_doubt = margin <= _DOUBT_S if not reason else np.zeros(len(places), dtype=np.bool_)
        nearest = np.argsort(margin, kind="stable")[: int(np.ceil(_MOST_DOUBTED * len(places)))]
        doubted = np.sort(nearest[in_doubt[nearest]])
        in_doubt[doubted] = False
        _run_exactly(runs, base, places, doubted, flow, found)
        screening_s = time.perf_counter() - began
        picked = np.arange(len(places))
        if not reason:
            rest = np.setdiff1d(picked, doubted)
            picked = np.sort(np.random.default_rng(seed).choice(rest, min(check, len(rest)), replace=False))
        errors, exact_s = _run_exactly(runs, base, places, picked, flow, found)
        return Screening(
            np.arange(runs.count, dtype=np.int64) * max(engine.report_step, 1),
            tuple(topology.nodes[k] for k in nodes.tolist()), names, flow, found,
            np.isin(np.arange(len(places)), [*picked, *doubted]), in_doubt, reason,
            () if reason else tuple(names[k] for k in picked.tolist()), np.empty(0) if reason else errors,
            screening_s, exact_s,
        )  # fmt: skip


def _check_memory(n_steps: int, n_sensors: int, n_leaks: int) -> None:
    try:
        np.empty((n_steps, n_sensors, n_leaks + 1))
    except MemoryError as error:
        raise HydraulicError(
            f"{n_steps} steps of {n_sensors} sensors and {n_leaks} leaks do not fit into memory: take fewer"
        ) from error


def _screened(
    engine: Engine, pool: MomentsPool, switching: Switching, places: Places, flow: float, sweeps: int
) -> tuple[Floats, Floats, Floats]:
    """Change of pressure by the march and the sweeps [n_steps, n_sensors, n_leaks]; the pressure without; margins."""
    clock = _clock(engine, switching)
    demands = {now: engine.demand_at(now) for now in clock.grid.tolist()}
    march = March(pool.of, switching, clock, demands.__getitem__, places, flow)
    total = np.array([demands[now].sum() for now in clock.grid.tolist() if now % clock.report == 0])
    picked = _spread(total, sweeps)
    missed = np.zeros((max(len(picked), 1), pool.n_sensors, len(places)))

    def visit(row: int, now: int, level: Floats, settings: Floats) -> None:
        for k in np.flatnonzero(picked == row).tolist():
            moments = pool.of(settings)
            moments.impose(demands[now], clock.period(now), level, settings)
            missed[k] = _sweep(moments, demands[now], places, flow)

    pressure = march.run(visit)
    below, share = (
        _between(total, total[picked]) if len(picked) else (np.zeros(len(total), dtype=np.int64), total * 0.0)
    )
    _finish(pressure, missed, below, share)
    return pressure[:, :, :-1], pressure[:, :, -1], march.margin[:-1]


def _clock(engine: Engine, switching: Switching) -> Clock:
    """Every moment that EPANET solves whatever the leaks do."""
    end, report = engine.duration, max(engine.report_step, 1)
    step, start = max(engine.project.time("pattern_step"), 1), engine.project.time("pattern_start")
    grid = {*range(0, end + 1, report), *range(0, end + 1, max(engine.hydraulic_step, 1)), end}
    grid.update(range(-start % step, end + 1, step))
    for control in switching.controls:
        if control.kind == "time":
            grid.add(int(control.mark))
        elif control.kind == "clocktime":
            grid.update(range(int(control.mark - engine.clock_start) % 86_400, end + 1, 86_400))
    return Clock(np.array(sorted(t for t in grid if t <= end), dtype=np.int64), report, step, start)


def _spread(total: Floats, count: int) -> Ints:
    """Rows whose total demands are spread over those of the day, in rising order; the middle one where it is one."""
    order = np.argsort(total, kind="stable")
    if count <= 1 or total[order[0]] == total[order[-1]]:
        return np.asarray(order[len(order) // 2 :][: min(count, 1)])
    return np.asarray(order[np.unique(np.linspace(0, len(order) - 1, count).round().astype(np.int64))])


def _between(total: Floats, picked: Floats) -> tuple[Ints, Floats]:
    """Which two picked demands each total lies between: the lower one's position, and how far on."""
    if len(picked) == 1:
        return np.zeros(len(total), dtype=np.int64), np.zeros(len(total))
    below = np.clip(np.searchsorted(picked, total) - 1, 0, len(picked) - 2)
    width = np.maximum(picked[below + 1] - picked[below], 1e-12)
    return below.astype(np.int64), np.clip((total - picked[below]) / width, 0.0, 1.0)


def _sweep(moments: Moments, demand: Floats, places: Places, flow: float) -> Floats:
    """What the linear response misses at the imposed moment, by solving every leak there [n_sensors, n_leaks], m."""
    response, engine = moments.respond(), moments.engine
    linear = response.pressure_by_leak[:, places.nodes].sum(axis=2) * (flow / 2.0)
    missed: Floats = np.empty_like(linear)
    # EPANET begins at the flows of the last leak: neighbours first
    for leak in np.argsort(moments.near()[places.nodes[:, 0]], kind="stable").tolist():
        a, b = places.nodes[leak].tolist()
        engine.set_value("node", a, "base_demand", demand[a] + flow / 2.0)
        engine.set_value("node", b, "base_demand", demand[b] + (flow if a == b else flow / 2.0))
        missed[:, leak] = moments.solve() - response.pressure - linear[:, leak]
        for node in (a, b):
            engine.set_value("node", node, "base_demand", demand[node])
    return missed


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _finish(pressure: Floats, missed: Floats, below: Ints, share: Floats) -> None:
    """Turn pressures of all runs into changes against the last one, with what the linear response missed, in place."""
    n_steps, n_sensors, n_runs = pressure.shape
    for k in range(n_steps):
        low, w = below[k], share[k]
        high = min(low + 1, len(missed) - 1)
        for j in range(n_sensors):
            row, base = pressure[k, j], pressure[k, j, n_runs - 1]
            one, other = missed[low, j], missed[high, j]
            for n in range(n_runs - 1):
                row[n] += (1.0 - w) * one[n] + w * other[n] - base


def _run_exactly(
    runs: LeakRuns, base: Floats, places: Places, picked: Ints, flow: float, found: Floats
) -> tuple[Floats, float]:
    """Run some leaks in EPANET and put them in place of what was found; its errors, and the time of one run, s."""
    errors, began = np.empty(len(picked)), time.perf_counter()
    for k, leak in enumerate(picked.tolist()):
        exact = runs.run(places.nodes[leak], flow) - base
        errors[k] = relative_error(found[:, :, leak], exact)
        found[:, :, leak] = exact
    return errors, (time.perf_counter() - began) / len(picked) if len(picked) else float("nan")


def relative_error(found: Floats, exact: Floats) -> float:
    """||found - exact|| / ||exact||, NaN where the exact change is nowhere more than 0.1 mm."""
    if np.abs(exact).max() <= _SEEN:
        return float("nan")
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
