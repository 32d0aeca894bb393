"""Which of the scenarios that EPANET runs are simple enough for the fast solver, and what they are to it."""

from __future__ import annotations

import math

import hydro.scenario as told
from hydro.fast.scenario import Closure, Leak, Scenario

_MIDDLE = 0.5


def simplified(scenario: told.Scenario) -> Scenario | None:
    """Give the scenario as the fast solver takes it, or None where it has to be EPANET's.

    It takes orifices at junctions and in the middle of pipes, closed pipes, and a factor on all demand of the whole
    run; no noise, no pressure-driven demand beside the model's own, nothing that grows or widens.
    """
    if scenario.pressure_driven is not None or scenario.noise.demand:
        return None
    leaks: list[Leak] = []
    closures: list[Closure] = []
    factor = 1.0
    for event in scenario.events:
        if isinstance(event, told.Burst):
            return None  # its size hangs on the pipe's
        if isinstance(event, told.Leak):
            if event.expansion or event.growth or (event.pipe and event.position != _MIDDLE):
                return None
            area = event.hole(0.0) * event.discharge / told.DISCHARGE
            leaks.append(Leak(math.sqrt(4.0 * area / math.pi), event.pipe, event.junction, event.start, event.end))
        elif isinstance(event, told.Closure):
            closures.append(Closure(event.link, event.start, event.end))
        elif isinstance(event, told.Surge) and not event.junctions and not event.start and event.end is None:
            factor *= event.factor
        else:
            return None
    if {closure.pipe for closure in closures} & {leak.pipe for leak in leaks}:
        return None
    return Scenario(tuple(leaks), tuple(closures), factor)
