"""Outflows that follow the pressure: how much more leaves a junction per metre.

Emitters, pressure-driven demand and the leakage of pipes (EPANET 2.3) each add to the diagonal of the equations of
continuity. Source: EPANET's hydcoeffs.c and leakage.c.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydro.contents import demand_model
from hydro.engine import Engine
from hydro.headloss import LEAST_GRADIENT

Floats = NDArray[np.float64]

_LEAST_PRESSURE = 1e-9  # m; below it a slope is taken as at it: roots have no derivative at 0


class Outflows:
    """What of a model's outflows follows the pressure; read again with every instance.

    Parameters
    ----------
    engine
        Its pipes' leakage and length, its emitters and its demand model are those of this moment.
    """

    def __init__(self, engine: Engine) -> None:
        project, topology = engine.project, engine.topology
        self._emitter = engine.read("node", "emitter")
        self._emits = bool((self._emitter > 0.0).any())
        self._exponent = project.option("emitter_exponent")
        self._flows_back = not project.library.has_bulk or project.option("emitter_backflow") != 0.0
        model, minimum, required, self._demand_exponent = demand_model(project)
        unit = engine.pressure_unit
        self._limits = (minimum * unit, required * unit) if model else None
        self._fixed_hole = self._growing_hole = np.zeros(0)
        self._leaks = engine.leaks
        if self._leaks:
            length = engine.read("link", "length")
            both = topology.is_junction[topology.start] & topology.is_junction[topology.end]
            # the whole of a pipe leaks at its junction where the other end is a tank or a reservoir
            share = np.where(topology.is_pipe, length * np.where(both, 0.5, 1.0), 0.0)
            self._fixed_hole = _per_node(engine, share * engine.read("link", "leak_area"))
            self._growing_hole = _per_node(engine, share * engine.read("link", "leak_expansion"))

    def slopes(self, engine: Engine) -> Floats | None:
        """Derivative of outflow by pressure at the solved state, float64 [n_nodes], m2/s; None if nothing follows."""
        if not (self._emits or self._limits or self._leaks):
            return None
        pressure = engine.read("node", "pressure")
        total = np.zeros_like(pressure)
        if self._emits:
            total += self._emitter_slopes(pressure)
        if self._leaks:
            total += self._leakage_slopes(pressure, engine.read("node", "leakage"))
        if self._limits is not None:
            total += self._demand_slopes(engine, pressure, *self._limits)
        return np.where(engine.topology.is_junction, total, 0.0)

    def _emitter_slopes(self, pressure: Floats) -> Floats:
        head = np.maximum(np.abs(pressure), _LEAST_PRESSURE)
        slope = self._exponent * self._emitter * head ** (self._exponent - 1.0)
        slope = np.minimum(slope, self._exponent / LEAST_GRADIENT)
        return np.where((pressure > 0.0) | self._flows_back, slope, 0.0)

    def _leakage_slopes(self, pressure: Floats, flow: Floats) -> Floats:
        """FAVAD: flow = a p^0.5 + b p^1.5, of which EPANET gives the sum."""
        head = np.maximum(pressure, _LEAST_PRESSURE)
        fixed, growing = self._fixed_hole, self._growing_hole * head
        with np.errstate(invalid="ignore"):
            exponent = np.where(flow > 0.0, (0.5 * fixed + 1.5 * growing) / (fixed + growing), 0.0)
        return np.where(pressure > 0.0, exponent * np.maximum(flow, 0.0) / head, 0.0)

    def _demand_slopes(self, engine: Engine, pressure: Floats, minimum: float, required: float) -> Floats:
        """Wagner: demand x ((p - minimum) / (required - minimum)) ^ exponent between the two pressures."""
        delivered = engine.read("node", "demand")
        if self._emits:
            above = np.where(self._flows_back, np.sign(pressure) * np.abs(pressure) ** self._exponent,
                             np.maximum(pressure, 0.0) ** self._exponent)  # fmt: skip
            delivered = delivered - self._emitter * above
        if self._leaks:
            delivered = delivered - engine.read("node", "leakage")
        between = (pressure > minimum) & (pressure < required) & (delivered > 0.0)
        head = np.maximum(pressure - minimum, _LEAST_PRESSURE)
        return np.where(between, self._demand_exponent * delivered / head, 0.0)


def _per_node(engine: Engine, of_link: Floats) -> Floats:
    topology, n = engine.topology, len(engine.topology.nodes)
    at_start, at_end = (np.bincount(ends, of_link, n) for ends in (topology.start, topology.end))
    return np.asarray(at_start + at_end, dtype=np.float64)
