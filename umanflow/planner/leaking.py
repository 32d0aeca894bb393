"""How much a network leaks when some of its pipes leak less or more than the model says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Leaking:
    """An engine's own leakage, as it was found, by pipe.

    Leakage of pipes (FAVAD) is scaled pipe by pipe. An emitter of a junction stands for what leaks in the halves of the
    pipes that join there, by length.
    """

    engine: Engine
    area: Floats
    expansion: Floats
    emitter: Floats

    @classmethod
    def of(cls, engine: Engine) -> Leaking:
        """Read what leaks; `scale` starts from there."""
        area, expansion = (engine.read("link", f"leak_{name}").copy() for name in ("area", "expansion"))
        return cls(engine, area, expansion, engine.read("node", "emitter").copy())

    def scale(self, factor: Floats) -> None:
        """Let every pipe leak a factor of what it did at first, float64 [n_links]; between runs."""
        engine, topology = self.engine, self.engine.topology
        pipes = topology.pipes
        leaking = pipes[(self.area[pipes] > 0.0) | (self.expansion[pipes] > 0.0)]
        for name, values in (("leak_area", self.area), ("leak_expansion", self.expansion)):
            engine.set_values("link", leaking, name, factor[leaking] * values[leaking])
        nodes = np.flatnonzero(self.emitter > 0.0)
        if len(nodes):
            length = np.where(topology.is_pipe, np.maximum(topology.length, 1e-6), 0.0)
            total, scaled = np.zeros(len(topology.nodes)), np.zeros(len(topology.nodes))
            for end in (topology.start, topology.end):
                np.add.at(total, end, length)
                np.add.at(scaled, end, length * factor)
            share = np.divide(scaled, total, out=np.ones_like(total), where=total > 0.0)
            engine.set_values("node", nodes, "emitter", share[nodes] * self.emitter[nodes])

    def by_pipe(self, leakage: Floats) -> Floats:
        """Share what leaks at nodes (float64 [n_nodes]) out to the pipes that join there; float64 [n_links].

        FAVAD leakage goes by leak area, emitters by length.
        """
        topology = self.engine.topology
        weight = np.where(topology.is_pipe, self.area + 30.0 * self.expansion, 0.0) * np.maximum(topology.length, 1e-6)
        if not weight.sum() > 0.0:
            weight = np.where(topology.is_pipe, np.maximum(topology.length, 1e-6), 0.0)
        total = np.zeros(len(topology.nodes))
        for end in (topology.start, topology.end):
            np.add.at(total, end, weight)
        per = np.divide(leakage, total, out=np.zeros_like(total), where=total > 0.0)
        return np.asarray(weight * (per[topology.start] + per[topology.end]))
