"""What the inlets of a district are expected to show while a step test goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.errors import HydraulicError

Floats = NDArray[np.float64]

_DAY_S = 86_400
_LEAST_HEAD = 1.0  # m; a leak at less pressure cannot be told from none


@dataclass(frozen=True, slots=True)
class Closing:
    """One step: what is shut, who is dry, where the leak would be.

    Attributes
    ----------
    links
        Whose valves are shut at this step.
    dry
        Junctions that are cut off by it.
    leak
        Junction of the part that is cut off at which the leak is tried.
    """

    links: tuple[str, ...]
    dry: tuple[str, ...]
    leak: str


@dataclass(frozen=True, slots=True)
class Expected:
    """Flow into the district before and after each step, m3/s, at the hour of the test.

    Attributes
    ----------
    without
        float64 [n_steps + 1], while there is no leak; first before the test.
    fall_without
        float64 [n_steps], by how much the inflow falls at a step if the leak lies elsewhere.
    fall_with
        float64 [n_steps], if it lies in the part that the step cuts off.
    """

    without: Floats
    fall_without: Floats
    fall_with: Floats


def expect_steps(
    engine: Engine, closings: Sequence[Closing], inlets: Sequence[tuple[str, int]], leak: float, hour: int = 3
) -> Expected:
    """Simulate a step test at an hour of the night.

    Customers who are cut off take nothing; the leak is an orifice that loses `leak` at the pressure before the test.

    Parameters
    ----------
    engine
        Of the district's network; its run is stopped afterwards.
    closings
        In order; what was shut stays shut.
    inlets
        Metered links and +1 where their positive flow enters the district, -1 where it leaves.
    leak
        m3/s.
    hour
        Of the model's clock.

    Raises
    ------
    HydraulicError
        If EPANET finds no solution, or the leak's place has no pressure.
    """
    without = _run(engine, closings, inlets, None, 0.0, hour)
    fall_with = np.array(
        [
            run[k] - run[k + 1]
            for k in range(len(closings))
            for run in [_run(engine, closings[: k + 1], inlets, closings[k].leak, leak, hour)]
        ]
    )
    return Expected(without, without[:-1] - without[1:], fall_with)


def _run(
    engine: Engine,
    closings: Sequence[Closing],
    inlets: Sequence[tuple[str, int]],
    place: str | None,
    leak: float,
    hour: int,
) -> Floats:
    """Inflow before the test and after each closing, float64 [len(closings) + 1], m3/s."""
    try:
        _go_to(engine, hour)
        if place is not None:
            _open(engine, place, leak)
        inflow = [_inflow(engine, inlets)]
        for closing in closings:
            for link in closing.links:
                engine.set_status(link, False)
            for node in closing.dry:
                engine.set_demand(node, 0.0)
                if node == place:
                    engine.set_emitter(node, 0.0)
            engine.solve()
            inflow.append(_inflow(engine, inlets))
    finally:
        engine.stop()
    return np.array(inflow)


def _go_to(engine: Engine, hour: int) -> None:
    for now in engine.steps():
        if (engine.clock_start + now) % _DAY_S >= hour * 3600 or now >= _DAY_S or engine.duration == 0:
            return


def _open(engine: Engine, place: str, leak: float) -> None:
    node = engine.topology.node(place)
    head = engine.value("node", node, "pressure")
    if head < _LEAST_HEAD:
        raise HydraulicError(f"node '{place}' has {head:.1f} m of pressure at the hour of the test")
    present = engine.value("node", node, "emitter")
    engine.set_emitter(place, present + leak / head**engine.emitter_exponent)
    engine.solve()


def _inflow(engine: Engine, inlets: Sequence[tuple[str, int]]) -> float:
    return float(sum(sign * engine.result("flow", link) for link, sign in inlets))
