"""Changes by name, such as a pump's speed: made between runs they stay, made in a run they end with it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hydro.errors import HydraulicError
from hydro.opened import OpenNetwork
from networks import UnknownElement

CHECK_VALVE, PIPE, PUMP, PRV, PSV, PBV, FCV, TCV, GPV = range(9)
FIRST_VALVE = PRV
# names of EPANET's link types, in its order
LINK_TYPES = ("check valve", "pipe", "pump", "PRV", "PSV", "PBV", "FCV", "TCV", "GPV")
_SETTING = {PUMP: "speed", PRV: "m", PSV: "m", PBV: "m", FCV: "m3/s", TCV: "loss coefficient"}

# kind, element's name, property
Key = tuple[str, str, str]
# SI; for a demand the steady flow that takes its place, or the model's categories (base in the INP's unit, pattern)
Value = float | tuple[tuple[float, int], ...]
_DEMAND = "demand"


def setting_unit(network: OpenNetwork, link: int) -> float:
    """SI per unit of a link's setting in EPANET: metres for PRV, PSV and PBV, m3/s for an FCV, 1 for the others.

    Raises
    ------
    HydraulicError
        If links of that kind have no setting.
    """
    kind = int(network.link_types[link])
    if kind not in _SETTING:
        name = network.topology.links[link]
        raise HydraulicError(f"link '{name}': a {LINK_TYPES[kind]} has no setting; open or close it instead")
    return {"m": network.pressure_unit, "m3/s": network.flow_unit}.get(_SETTING[kind], 1.0)


@dataclass(slots=True)
class Changes:
    """What was changed in a run, and what stood there before.

    Attributes
    ----------
    running
        Whether a run is under way: what is changed now ends with it.
    made
        Present value of everything that was changed in this run, SI.
    """

    network: OpenNetwork
    running: bool = False
    made: dict[Key, Value] = field(default_factory=dict)
    _before: dict[Key, Value] = field(default_factory=dict)

    def put(self, key: Key, value: Value) -> None:
        """Change one property; in a run, remember what it was."""
        if self.running:
            if key not in self._before:
                self._before[key] = self._read(key)
            self.made[key] = value
        self._write(key, value)

    def undo(self) -> None:
        """Give every property back what it had before the run."""
        for key, value in self._before.items():
            self._write(key, value)
        self._before.clear()
        self.made.clear()

    def replace(self, wanted: dict[Key, Value]) -> None:
        """Have these changes made, and no others."""
        self.undo()
        for key, value in wanted.items():
            self.put(key, value)

    def _index(self, key: Key) -> int:
        topology = self.network.topology
        return topology.node(key[1]) if key[0] == "node" else topology.link(key[1])

    def _read(self, key: Key) -> Value:
        index = self._index(key)
        if key[2] == _DEMAND:
            return tuple(self.network.project.demands(index))
        return self.network.value(key[0], index, key[2])

    def _write(self, key: Key, value: Value) -> None:
        index, project = self._index(key), self.network.project
        if key[2] != _DEMAND:
            self.network.set_value(key[0], index, key[2], float(value))  # type: ignore[arg-type]
            return
        if not isinstance(value, tuple):  # steady, m3/s
            steady = value / (self.network.flow_unit * project.option("demand_multiplier"))
            pattern, count = self.network.steady_pattern(), max(len(project.demands(index)), 1)
            value = tuple((steady if k == 0 else 0.0, pattern) for k in range(count))
        for category, (base, number) in enumerate(value):
            project.set_base_demand(index, category, base)
            project.call("setdemandpattern", index + 1, category + 1, number)

    # what users change --------------------------------------------------------------------------------------------

    def status(self, name: str, is_open: bool) -> None:
        """Open or close a link; what EPANET computes from it is not a property of the model."""
        network = self.network
        link = network.topology.link(name)
        if network.link_types[link] == CHECK_VALVE:
            raise HydraulicError(f"link '{name}': EPANET opens and closes a check valve itself; make it a pipe first")
        network.set_value("link", link, "status" if self.running else "init_status", float(is_open))

    def setting(self, name: str, value: float) -> None:
        """Give a valve its setting or a pump its speed."""
        network = self.network
        link = network.topology.link(name)
        unit = setting_unit(network, link)
        if not np.isfinite(value) or value < 0.0:
            raise HydraulicError(f"link '{name}': setting {value:g} is not zero or more")
        if network.link_types[link] == PUMP and network.value("link", link, "pattern") > 0.0:
            self.put(("link", name, "pattern"), 0.0)  # it would set the speed again at every step
        network.set_value("link", link, "setting" if self.running else "init_setting", value / unit)

    def demand(self, name: str, demand: float) -> None:
        """Have a junction take a steady demand in place of everything that the model asks for there."""
        self._junction(name)
        multiplier = self.network.project.option("demand_multiplier")
        if multiplier <= 0.0:
            raise HydraulicError(f"junction '{name}': the model multiplies every demand by {multiplier:g}")
        if not np.isfinite(demand):
            raise HydraulicError(f"junction '{name}': demand {demand:g} is no number")
        self.put(("node", name, _DEMAND), demand)

    def emitter(self, name: str, coefficient: float) -> None:
        """Let a junction spray: flow = coefficient x pressure^exponent."""
        self._junction(name)
        if not np.isfinite(coefficient) or coefficient < 0.0:
            raise HydraulicError(f"junction '{name}': emitter coefficient {coefficient:g} is not zero or more")
        self.put(("node", name, "emitter"), coefficient)

    def tank_level(self, name: str, level: float) -> None:
        """Set the level of a tank, m above its bottom."""
        network = self.network
        node = network.topology.node(name)
        if node not in network.tanks:
            raise UnknownElement("tank", name, "the network")
        low, high = (network.value("node", node, key) for key in ("min_level", "max_level"))
        if not low - 1e-9 <= level <= high + 1e-9:
            raise HydraulicError(f"tank '{name}': level {level:g} m is not between {low:g} and {high:g} m")
        self.put(("node", name, "tank_level"), min(max(level, low), high))

    def _junction(self, name: str) -> int:
        network = self.network
        node = network.topology.node(name)
        if not network.topology.is_junction[node]:
            raise UnknownElement("junction", name, "the network")
        return node
