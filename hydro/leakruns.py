"""Leaks of constant flow, run exactly: EPANET from the model's initial state, with its own controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.errors import HydraulicError
from networks import UnknownElement

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PATTERN = "leak~constant"


@dataclass(frozen=True, slots=True)
class Places:
    """Where leaks are: at a junction, or in a pipe, then half at each of its ends as EPANET takes a pipe's leakage.

    Attributes
    ----------
    names
        Of junctions and pipes.
    nodes
        int64 [n_leaks, 2], the junctions that give the water; twice the same where there is one.
    """

    names: tuple[str, ...]
    nodes: Ints

    def __len__(self) -> int:
        """Number of leaks."""
        return len(self.names)


def find_places(engine: Engine, names: tuple[str, ...]) -> Places:
    """Find the junctions that leaks draw from.

    Raises
    ------
    UnknownElement
        If a name is neither a junction's nor a pipe's.
    """
    topology, nodes = engine.topology, []
    for name in names:
        node, link = topology.node_index.get(name, -1), topology.link_index.get(name, -1)
        ends = [node]
        if node < 0 or not topology.is_junction[node]:
            if link < 0 or not topology.is_pipe[link]:
                raise UnknownElement("junction or pipe", name, "the network")
            ends = [int(k) for k in (topology.start[link], topology.end[link]) if topology.is_junction[k]]
            if not ends:
                raise HydraulicError(f"pipe {name} joins two tanks or reservoirs: a leak in it changes nothing")
        nodes.append((ends[0], ends[-1]))
    return Places(names, np.array(nodes, dtype=np.int64).reshape(-1, 2))


class LeakRuns:
    """Runs of one model, each with one leak.

    Parameters
    ----------
    engine
        With the duration and the accuracy that the runs shall have.
    sensors
        int64 [n_sensors], nodes.
    """

    def __init__(self, engine: Engine, sensors: Ints) -> None:
        self.engine, self.sensors = engine, sensors
        self._unit = engine.flow_unit * engine.project.option("demand_multiplier")
        self._category: dict[int, int] = {}
        self.count = engine.duration // max(engine.report_step, 1) + 1

    def base(self) -> Floats:
        """Pressures without a leak, float64 [n_steps, n_sensors], m."""
        return self._run()

    def run(self, nodes: Ints, flow: float) -> Floats:
        """Pressures with a leak of constant flow, m3/s, from the start: half at each of two junctions."""
        for node in nodes.tolist():
            self._add(node, flow / 2.0 * float((nodes == node).sum()))
        pressure = self._run()
        for node in nodes.tolist():
            self._add(node, 0.0)
        return pressure

    def _add(self, node: int, flow: float) -> None:
        project = self.engine.project
        if not self._category:
            project.add_pattern(_PATTERN)
        if node not in self._category:
            self._category[node] = project.add_demand(node, _PATTERN)
        project.set_base_demand(node, self._category[node], flow / self._unit)

    def _run(self) -> Floats:
        engine, step = self.engine, max(self.engine.report_step, 1)
        out = np.empty((self.count, len(self.sensors)))
        pressure, row = np.empty(len(engine.topology.nodes)), 0
        for now in engine.steps():
            if now == row * step and row < self.count:
                engine.read("node", "pressure", pressure)
                out[row] = pressure[self.sensors]
                row += 1
        if row < self.count:
            raise HydraulicError(f"EPANET stopped after {(row - 1) * step / 3600:.2f} h: {engine.describe_warning()}")
        return out
