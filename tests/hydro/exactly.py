"""What EPANET makes of a scenario at the tightest accuracy that it gets through: the fast solver's oracle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.course import Course, as_tight_as_can_be
from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.reached import reached
from hydro.scenario import Scenario
from networks import Network

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trace:
    """One scenario at every report step: m [n_steps, n_nodes], m3/s [n_steps, n_links] and [n_steps]."""

    pressure: Floats
    flow: Floats
    leak: Floats


def exactly(
    network: Network, scenario: Scenario, nodes: tuple[str, ...], links: tuple[str, ...], seconds: int
) -> Trace:
    """Run a scenario in an engine of its own."""
    with Engine(network) as engine:
        engine.duration = seconds
        return as_tight_as_can_be(engine, lambda accuracy: _run(engine, scenario, nodes, links, accuracy))


def _run(engine: Engine, scenario: Scenario, nodes: tuple[str, ...], links: tuple[str, ...], accuracy: float) -> Trace:
    step = engine.report_step
    count = engine.duration // step + 1
    trace = Trace(np.empty((count, len(nodes))), np.empty((count, len(links))), np.zeros(count))
    course, row = Course(engine, scenario, accuracy=accuracy), 0
    try:
        seen = [engine.topology.node(name) for name in nodes]
        metered = [engine.topology.link(name) for name in links]
        course.begin()
        while True:
            now = engine.solve()
            if now == row * step and row < count:
                pressure = np.where(reached(engine, now), engine.read("node", "pressure"), np.nan)
                trace.pressure[row], trace.flow[row] = pressure[seen], engine.read("link", "flow")[metered]
                trace.leak[row] = course.leak_flows().sum()
                row += 1
            if engine.advance() <= 0:
                break
            course.prepare()
    finally:
        course.end()
    if row < count:
        raise HydraulicError("EPANET stopped")
    return trace
