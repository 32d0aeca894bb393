"""Finite differences of EPANET itself: one state, solved again with another demand, resistance or roughness."""

import numpy as np

from hydro.engine import Engine

Array = np.ndarray


class Moment:
    """One state that can be solved again with another demand or resistance."""

    def __init__(self, engine: Engine, demand: Array, without_pumps: bool) -> None:
        self.engine, self.demand = engine, demand.copy()
        engine.freeze_demands()
        engine.drop_controls()
        engine.duration = 0
        engine.set_accuracy(1e-6)
        self.solve(self.demand)
        if without_pumps:
            self.replace_pumps()
        self.base_flow = np.abs(self.solve(self.demand)[1])

    def replace_pumps(self) -> None:
        """Shut the pumps and let their flow be a demand, as the driven model does."""
        engine, topology = self.engine, self.engine.topology
        flow = engine.read("link", "flow")
        for pump in engine.pumps.tolist():
            for node, sign in ((topology.start[pump], 1.0), (topology.end[pump], -1.0)):
                if topology.is_junction[node]:
                    self.demand[node] += sign * flow[pump]
            engine.set_value("link", pump, "init_status", 0.0)

    def solve(self, demand: Array) -> tuple[Array, Array]:
        self.engine.set_demands(demand)
        self.engine.start()
        self.engine.solve()
        return self.engine.read("node", "pressure"), self.engine.read("link", "flow")

    def instruments(self, demand: Array, nodes: Array, links: Array) -> Array:
        pressure, flow = self.solve(demand)
        return np.concatenate([pressure[nodes], flow[links]])

    def by_demand(self, which: Array, nodes: Array, links: Array, step: float = 5e-5) -> Array:
        rows = []
        for k in which:
            change = np.zeros_like(self.demand)
            change[k] = step
            up, down = (self.instruments(self.demand + s * change, nodes, links) for s in (1.0, -1.0))
            rows.append((up - down) / (2.0 * step))
        self.solve(self.demand)
        return np.array(rows)

    def by_roughness(self, which: Array, nodes: Array, links: Array, step: float = 2e-3) -> Array:
        rough = self.engine.read("link", "roughness")
        rows = []
        for k in which.tolist():
            sides = []
            for sign in (1.0, -1.0):
                self.engine.set_value("link", k, "roughness", rough[k] * (1.0 + sign * step))
                sides.append(self.instruments(self.demand, nodes, links))
            self.engine.set_value("link", k, "roughness", rough[k])
            rows.append((sides[0] - sides[1]) / (2.0 * step * self.engine.roughness_si(rough)[k]))
        self.solve(self.demand)
        return np.array(rows)

    def by_resistance(self, which: Array, nodes: Array, links: Array, step: float = 5e-3, by: str = "length") -> Array:
        """By the logarithm of resistance: a factor on the length, or one on Hazen-Williams' roughness."""
        before, power = self.engine.read("link", by), 1.0 if by == "length" else -1.0 / 1.852
        rows = []
        for k in which.tolist():
            sides = []
            for sign in (1.0, -1.0):
                self.engine.set_value("link", k, by, before[k] * np.exp(sign * step * power))
                sides.append(self.instruments(self.demand, nodes, links))
            self.engine.set_value("link", k, by, before[k])
            rows.append((sides[0] - sides[1]) / (2.0 * step))
        self.solve(self.demand)
        return np.array(rows)


def error(found: Array, expected: Array) -> float:
    """Relative Frobenius error."""
    assert np.linalg.norm(expected) > 0.0
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
