"""Many scenarios of one network: sixteen at a time by the own solver, by EPANET what that cannot prove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.errors import EpanetError, HydraulicError
from hydro.fast.doubts import doubts
from hydro.fast.scenario import Scenario, check
from hydro.fast.twin import place_leaks, run_tightly
from hydro.splice import take_orifice_exponent
from networks import Network, UnknownElement, load

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]
FAST, EPANET, NOBODY = "fast", "epanet", "nobody"


@dataclass(frozen=True, slots=True)
class Batch:
    """Results of many scenarios at every report step.

    Attributes
    ----------
    times
        int64 [n_steps], s.
    nodes, links
        Names of what was reported.
    pressure
        float64 [n_scenarios, n_steps, n_nodes], m; NaN where closed links cut a node off from every source, so that
        its head means nothing.
    flow
        float64 [n_scenarios, n_steps, n_links], m3/s.
    leak
        float64 [n_scenarios, n_steps], m3/s: what runs out of all leaks of a scenario.
    exact_by
        For each scenario "fast", "epanet", or "nobody" where EPANET stopped too; its results are then NaN.
    why_not
        Why the fast solver did not try, for the whole network; empty if it did.
    """

    times: NDArray[np.int64]
    nodes: tuple[str, ...]
    links: tuple[str, ...]
    pressure: Floats
    flow: Floats
    leak: Floats
    exact_by: tuple[str, ...]
    why_not: str


def solve_leaks(
    network: Network | WaterNetworkModel | Path | str,
    scenarios: Sequence[Scenario],
    nodes: Sequence[str] = (),
    links: Sequence[str] = (),
    hours: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> Batch:
    """Run scenarios of one network.

    Heads are within 1 mm of EPANET's at a tight accuracy: a scenario counts as solved by the fast solver only where at
    every moment the last step of all heads was under 0.1 mm and that of all flows under 0.01 L/s, every status stood,
    and no switch hung on less than that; all others are run by EPANET, at an accuracy of 1e-6 where it gets
    through with that.

    Parameters
    ----------
    network
        What `Engine` accepts.
    scenarios
        Leaks, closed pipes and demand factors.
    nodes, links
        Names of what to report: pressure of nodes, flow of links.
    hours
        Length of the run; by default the model's own.
    progress
        Called with the share that is done.

    Raises
    ------
    UnknownElement
        If a name is not in the network.
    HydraulicError
        If EPANET refuses the network, or if it has emitters of another exponent than a leak's.
    """
    opened = load(network) if isinstance(network, (str, Path)) else network
    with Engine(opened) as engine:
        if hours is not None:
            engine.duration = round(hours * 3600)
        for scenario in scenarios:
            check(engine.topology, scenario)
        for name in nodes:
            if name not in engine.topology.node_index:
                raise UnknownElement("node", name, "the network")
        for name in links:
            if name not in engine.topology.link_index:
                raise UnknownElement("link", name, "the network")
        take_orifice_exponent(engine)
        steps = engine.duration // engine.report_step + 1
        shape = (len(scenarios), steps)
        batch = Batch(
            np.arange(steps, dtype=np.int64) * engine.report_step, tuple(nodes), tuple(links),
            np.full((*shape, len(nodes)), np.nan), np.full((*shape, len(links)), np.nan), np.full(shape, np.nan), (),
            doubts(engine, opened),
        )  # fmt: skip
        exact_by = [EPANET] * len(scenarios)
        if not batch.why_not:
            _run_fast(engine, batch, scenarios, exact_by, progress)
        _run_epanet(engine, opened, batch, scenarios, exact_by, progress)
    return Batch(
        batch.times, batch.nodes, batch.links, batch.pressure, batch.flow, batch.leak, tuple(exact_by), batch.why_not
    )


def _run_fast(
    engine: Engine,
    batch: Batch,
    scenarios: Sequence[Scenario],
    exact_by: list[str],
    progress: Callable[[float], None] | None,
) -> None:
    from hydro.fast.lanes import WIDTH  # numba takes its time to import
    from hydro.fast.solver import Solver

    solver = Solver(engine, batch.nodes, batch.links)
    for begin in range(0, len(scenarios), WIDTH):
        some = scenarios[begin : begin + WIDTH]
        part = slice(begin, begin + len(some))
        batch.pressure[part], batch.flow[part], batch.leak[part], proved = solver.run(some)
        for k in np.flatnonzero(proved).tolist():
            exact_by[begin + k] = FAST
        if progress is not None:
            progress((begin + len(some)) / len(scenarios))


def _run_epanet(
    engine: Engine,
    network: Network | WaterNetworkModel,
    batch: Batch,
    scenarios: Sequence[Scenario],
    exact_by: list[str],
    progress: Callable[[float], None] | None,
) -> None:
    """Run what is left; a leak in a pipe splits it, so that such a scenario needs an engine of its own."""
    left = [k for k, who in enumerate(exact_by) if who == EPANET]
    for done, k in enumerate(left, start=1):
        scenario = scenarios[k]
        try:
            if any(leak.pipe for leak in scenario.leaks):
                with Engine(network) as own:
                    own.duration = engine.duration
                    at = place_leaks(own, scenario)
                    trace = run_tightly(own, scenario, at, batch.nodes, batch.links)
            else:
                trace = run_tightly(engine, scenario, place_leaks(engine, scenario), batch.nodes, batch.links)
        except EpanetError:
            raise
        except HydraulicError:
            exact_by[k] = NOBODY
            batch.pressure[k], batch.flow[k], batch.leak[k] = np.nan, np.nan, np.nan
        else:
            batch.pressure[k], batch.flow[k], batch.leak[k] = trace.pressure, trace.flow, trace.leak
        if progress is not None:
            progress(done / len(left))
