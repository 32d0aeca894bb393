"""Many scenarios of one network: sixteen at a time by the own solver; what it cannot prove is the caller's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.fast.doubts import doubts
from hydro.fast.plan import Plan, check, plan_of
from hydro.scenario import Scenario
from hydro.splice import take_orifice_exponent
from networks import Network, NetworkError

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Solved:
    """One scenario at every report step.

    Attributes
    ----------
    number
        Of the scenario among those that were given.
    pressure
        float64 [n_steps, n_nodes], m; NaN where closed links cut a node off from every source, so that its head means
        nothing.
    flow
        float64 [n_steps, n_links], m3/s.
    leak
        float64 [n_steps], m3/s: what runs out of all leaks of the scenario.
    """

    number: int
    pressure: Floats
    flow: Floats
    leak: Floats


def why_not(engine: Engine, network: Network | WaterNetworkModel) -> str:
    """Say why a network is EPANET's, in one line; nothing if the fast solver takes it."""
    try:
        take_orifice_exponent(engine)
    except HydraulicError as error:
        return str(error)
    return doubts(engine, network)


def solve(
    engine: Engine, scenarios: Sequence[Scenario], nodes: Sequence[str] = (), links: Sequence[str] = ()
) -> Iterator[Solved]:
    """Solve those scenarios that the fast solver takes, and proves.

    Heads are within 1 mm of EPANET's at a tight accuracy: a scenario counts as solved only where at every moment the
    last step of all heads was under 0.1 mm and that of all flows under 0.01 L/s, every status stood, and no switch hung
    on less than that.

    Parameters
    ----------
    engine
        EPANET 2.3 with a network of which `why_not` says nothing, its duration set.
    scenarios
        Of any kind; those with names that the network does not have are left out, for EPANET to complain of.
    nodes, links
        Names of what to report: pressure of nodes, flow of links.

    Raises
    ------
    UnknownElement
        If a name to report is not in the network.
    """
    from hydro.fast.lanes import WIDTH  # numba takes its time to import
    from hydro.fast.solver import Solver

    plans = [(number, plan) for number, s in enumerate(scenarios) if (plan := plan_of(s)) and _fits(engine, plan)]
    if not plans:
        return
    solver = Solver(engine, nodes, links)
    for begin in range(0, len(plans), WIDTH):
        some = plans[begin : begin + WIDTH]
        pressure, flow, leak, proved = solver.run([plan for _, plan in some])
        for k in np.flatnonzero(proved).tolist():
            yield Solved(some[k][0], pressure[k], flow[k], leak[k])


def _fits(engine: Engine, plan: Plan) -> bool:
    try:
        check(engine.topology, plan)
    except (HydraulicError, NetworkError):
        return False
    return True
