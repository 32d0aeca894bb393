"""The same scenario in EPANET itself: what the fast solver is measured by, and what stands in for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hydro.contents import demand_model
from hydro.engine import Engine
from hydro.errors import EpanetError, HydraulicError
from hydro.fast.scenario import NEVER, Scenario
from hydro.splice import take_orifice_exponent

Floats = NDArray[np.float64]
TIGHT = (1e-6, 1e-5, 1e-4)
_OPEN, _CLOSED = 1.0, 0.0
_PRV, _PSV, _SHUT, _ACTIVE = 3, 4, 2, 4


@dataclass(frozen=True, slots=True)
class Trace:
    """One scenario at every report step.

    Attributes
    ----------
    pressure, flow
        float64 [n_steps, n_sensors], m and m3/s.
    leak
        float64 [n_steps], m3/s, of all leaks together.
    """

    pressure: Floats
    flow: Floats
    leak: Floats


def place_leaks(engine: Engine, scenario: Scenario) -> list[int]:
    """Find each leak's junction; a pipe that leaks is split, once and for good, and its leak stays shut until a run.

    Raises
    ------
    UnknownElement
        If the network has no such pipe or node.
    """
    if scenario.leaks:
        take_orifice_exponent(engine)
    pipes: dict[str, int] = {}
    for leak in scenario.leaks:
        if leak.pipe and leak.pipe not in pipes:
            pipes[leak.pipe] = engine.add_leak(leak.pipe)
    return [pipes[leak.pipe] if leak.pipe else engine.topology.node(leak.node) for leak in scenario.leaks]


def run_tightly(
    engine: Engine, scenario: Scenario, at: list[int], nodes: tuple[str, ...], links: tuple[str, ...]
) -> Trace:
    """Run one scenario at the tightest accuracy at which EPANET gets through, from 1e-6 to the model's own.

    Raises
    ------
    HydraulicError
        If it does not get through at its own.
    """
    own = engine.accuracy
    tighter = [accuracy for accuracy in TIGHT if accuracy < own]
    try:
        for accuracy in tighter:
            engine.set_accuracy(accuracy)
            try:
                return run_scenario(engine, scenario, at, nodes, links)
            except EpanetError:
                raise
            except HydraulicError:  # stopped: it asks more of its arithmetic than there is
                continue
    finally:
        engine.set_accuracy(own)
    return run_scenario(engine, scenario, at, nodes, links)


def run_scenario(
    engine: Engine, scenario: Scenario, at: list[int], nodes: tuple[str, ...], links: tuple[str, ...]
) -> Trace:
    """Run one scenario in an open engine.

    Parameters
    ----------
    at
        Of `place_leaks`.

    Raises
    ------
    UnknownElement
        If a name is not in the network.
    HydraulicError
        If EPANET stops before the end.
    """
    project, usual, topology = engine.project, engine.hydraulic_step, engine.topology
    shut = [topology.link(closure.pipe) for closure in scenario.closures]
    seen = np.array([topology.node(name) for name in nodes], dtype=np.int64)
    metered = np.array([topology.link(name) for name in links], dtype=np.int64)
    may_turn = project.option("emitter_backflow") != 0.0
    step, own = engine.report_step, project.option("demand_multiplier")
    count = engine.duration // step + 1
    trace = Trace(np.empty((count, len(seen))), np.empty((count, len(metered))), np.zeros((count,)))
    project.set_option("demand_multiplier", own * scenario.demand_factor)
    changes, now, done = [*scenario.events(), NEVER], 0, -1
    engine.start()
    while True:
        _apply(engine, scenario, at, shut, now)
        now = engine.solve()
        if now % step == 0 and now // step < count:
            done = now // step
            pressure, flow = engine.read("node", "pressure"), engine.read("link", "flow")
            trace.pressure[done], trace.flow[done] = (
                np.where(_reached(engine, now), pressure, np.nan)[seen],
                flow[metered],
            )
            trace.leak[done] = sum(
                leak.coefficient * _root(pressure[node], may_turn)
                for leak, node in zip(scenario.leaks, at, strict=True)
                if leak.start <= now < (NEVER if leak.end is None else leak.end)
            )
        wait = next(time for time in changes if time > now) - now
        engine.set_hydraulic_step(min(usual, wait))
        length = engine.advance()
        if length <= 0:
            break
        now += length
    engine.set_hydraulic_step(usual)
    project.set_option("demand_multiplier", own)
    for node in at:
        engine.open_leak(node, 0.0)
    if done < count - 1:
        raise HydraulicError(f"EPANET stopped after {done * step / 3600:.2f} h: {engine.describe_warning()}")
    return trace


def _apply(engine: Engine, scenario: Scenario, at: list[int], shut: list[int], now: int) -> None:
    """Open leaks and close pipes as the scenario has them now."""
    total = dict.fromkeys(at, 0.0)
    for leak, node in zip(scenario.leaks, at, strict=True):
        if leak.start <= now < (NEVER if leak.end is None else leak.end):
            total[node] += leak.coefficient
    for node, coefficient in total.items():
        engine.open_leak(node, coefficient)
    for closure, link in zip(scenario.closures, shut, strict=True):
        if closure.start == now:
            engine.set_value("link", link, "status", _CLOSED)
        elif closure.end == now:
            engine.set_value("link", link, "status", _OPEN)


def _root(pressure: float, may_turn: bool) -> float:
    """Square root of the pressure behind a leak; where it sucks, flow turns if the model lets it."""
    if pressure < 0.0:
        return -float(np.sqrt(-pressure)) if may_turn else 0.0
    return float(np.sqrt(pressure))


def _reached(engine: Engine, now: int) -> NDArray[np.bool_]:
    """Whether open links join each node to where a head is given: a source, a held node, an outlet under pressure."""
    topology, kind = engine.topology, engine.link_types
    status = engine.read("link", "state")
    holds = np.isin(kind, (_PRV, _PSV)) & (status == _ACTIVE)
    is_open = (status > _SHUT) & ~holds
    given = ~topology.is_junction
    given[np.where(kind == _PRV, topology.end, topology.start)[holds]] = True
    given |= (engine.read("node", "emitter") > 0.0) & topology.is_junction
    if engine.leaks:
        leaking = (engine.read("link", "leak_area") > 0.0) | (engine.read("link", "leak_expansion") > 0.0)
        given[topology.start[leaking]] = given[topology.end[leaking]] = True
    if demand_model(engine.project)[0]:
        given[engine.junctions] |= engine.demand_at(now) > 0.0
    size = len(topology.nodes)
    joins = coo_array((np.ones(is_open.sum()), (topology.start[is_open], topology.end[is_open])), shape=(size, size))
    part = connected_components(joins, directed=False)[1]
    return np.isin(part, part[given])
