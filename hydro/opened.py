"""A network open in EPANET: its structure, its properties and results as numpy arrays in SI units."""

from __future__ import annotations

from ctypes import byref, c_double, c_int
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from hydro.errors import HydraulicError
from hydro.library import LibraryName
from hydro.opening import as_network, open_project, pressure_unit
from hydro.project import Project
from hydro.units import emitter_factor, is_metric, si_factors
from networks import Leakage, Network, Topology, UnknownElement

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_JUNCTION, _RESERVOIR, _TANK = 0, 1, 2
_PIPE_TYPES = (0, 1)  # check-valve pipe, pipe
_PUMP = 2
_STEADY = "~steady"
_OF_THE_MOMENT = ("base_demand", "tank_level")


Structure = tuple[Topology, Ints, Ints]


class OpenNetwork:
    """An open network without a clock; `hydro.Engine` runs it. Every number in and out is SI (m, m3/s, s).

    Parameters
    ----------
    network
        A `networks.Network`, a `WaterNetworkModel`, an INP path or a catalogue name.
    library
        "2.3" (owa-epanet, the default) or "2.2" (WNTR's own).
    report
        Where EPANET's own report, with its warnings, is to stay; by default it is thrown away.

    Attributes
    ----------
    topology : networks.Topology
        Nodes and links in EPANET's order: junctions first, then tanks and reservoirs.
    revision : int
        How often `set_value` or `set_values` changed something other than demands and levels.

    Raises
    ------
    EpanetError
        If EPANET refuses the file.
    """

    def __init__(
        self,
        network: Network | WaterNetworkModel | Path | str,
        library: LibraryName = "2.3",
        report: Path | None = None,
    ) -> None:
        opened = as_network(network)
        self._project: Project = open_project(opened, library, report)
        pressure = pressure_unit(self._project, is_metric(self._project), opened)
        self._factor = si_factors(self._project, pressure)
        self._frozen: tuple[tuple[str, ...], Floats, list[Floats]] | None = None
        self.revision = 0
        self.take_structure(self._read_structure())
        if isinstance(opened, Network):
            try:
                self._set_leakage(opened.leakage)
            except UnknownElement:
                self.close()
                raise

    def _set_leakage(self, leakage: Leakage | None) -> None:
        """Let pipes leak as the network says, whatever the INP holds."""
        if not self._project.library.has_bulk:
            return  # `open_project` has refused a network that leaks
        for name in ("leak_area", "leak_expansion"):
            present = self.read("link", name)[self.topology.pipes]
            wanted = np.zeros(len(self.topology.links))
            if leakage is not None:
                places = [self.pipe(pipe) for pipe in leakage.pipes]
                wanted[places] = leakage.area_mm2 if name == "leak_area" else leakage.expansion_mm2
            if not np.allclose(wanted[self.topology.pipes], present, rtol=1e-9, atol=0.0):
                self.set_values("link", self.topology.pipes, name, wanted[self.topology.pipes])

    @property
    def leaks(self) -> bool:
        """Whether pipes have background leakage."""
        return self._project.library.has_bulk and bool((self.read("link", "leak_area") > 0.0).any())

    def emitter_flow(self) -> Floats:
        """Flow of the emitter at each junction at the solved moment, float64 [n_junctions], m3/s."""
        coefficient = self.read("node", "emitter")[self.junctions]
        head = np.maximum(self.read("node", "pressure")[self.junctions], 0.0)
        return np.asarray(coefficient * head**self.emitter_exponent)

    def pipe(self, name: str) -> int:
        """Position of a pipe.

        Raises
        ------
        UnknownElement
            If the network has no such pipe.
        """
        link = self.topology.link_index.get(name)
        if link is None or not self.topology.is_pipe[link]:
            raise UnknownElement("pipe", name, "the network")
        return link

    def take_structure(self, structure: Structure) -> None:
        """Go by another structure, after nodes or links came or went."""
        for cached in ("junctions", "tanks", "pumps", "_demand_table"):
            self.__dict__.pop(cached, None)
        self.topology, self.node_types, self.link_types = structure

    @property
    def structure(self) -> Structure:
        """Topology with EPANET's types of nodes and links."""
        return self.topology, self.node_types, self.link_types

    def _read_structure(self) -> Structure:
        project = self._project
        node_types, link_types = project.types("node"), project.types("link")
        ends = project.link_nodes()
        length = np.empty(len(ends))
        project.read("link", "length", length)
        is_pipe = np.isin(link_types, _PIPE_TYPES)
        topology = Topology(
            nodes=project.ids("node"),
            links=project.ids("link"),
            start=ends[:, 0].copy(),
            end=ends[:, 1].copy(),
            length=np.where(is_pipe, length * self._factor["length"], 0.0),
            is_pipe=is_pipe,
            is_junction=node_types == _JUNCTION,
            xy=project.coordinates(),
        )
        return topology, node_types, link_types

    def __enter__(self) -> Self:
        """Use in a `with` statement."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free EPANET's memory."""
        self.close()

    def close(self) -> None:
        """Free EPANET's memory and temporary files."""
        self._project.close()

    # structure ----------------------------------------------------------------------------------------------------

    @cached_property
    def junctions(self) -> Ints:
        """int64 [n_junctions], the nodes that are junctions."""
        return np.flatnonzero(self.node_types == _JUNCTION).astype(np.int64)

    @cached_property
    def tanks(self) -> Ints:
        """int64 [n_tanks], the nodes that are tanks, without reservoirs."""
        return np.flatnonzero(self.node_types == _TANK).astype(np.int64)

    @cached_property
    def pumps(self) -> Ints:
        """int64 [n_pumps], the links that are pumps."""
        return np.flatnonzero(self.link_types == _PUMP).astype(np.int64)

    def tank_area(self, node: int) -> float:
        """Horizontal area of a cylindrical tank, m2."""
        return float(np.pi / 4.0 * self.value("node", node, "tank_diameter") ** 2)

    def demand_at(self, seconds: int) -> Floats:
        """Demand of every junction that the model's patterns ask for at a time of its clock.

        Returns
        -------
        float64 [n_junctions], m3/s
        """
        weights, patterns = self._demand_table
        step = max(self._project.time("pattern_step"), 1)
        period = (seconds + self._project.time("pattern_start")) // step
        factors = np.array([pattern[period % len(pattern)] for pattern in patterns])
        demand: Floats = weights @ factors
        return demand

    @property
    def pattern_step(self) -> int:
        """Interval of the model's patterns, s."""
        return self._project.time("pattern_step")

    @cached_property
    def _demand_table(self) -> tuple[Floats, list[Floats]]:
        """Base demand by junction and pattern, m3/s, and the patterns' multipliers."""
        if self._frozen is not None:  # as the model had it; a junction that came since has none
            names, known, multipliers = self._frozen
            row = {name: k for k, name in enumerate(names)}
            weights = np.zeros((len(self.junctions), known.shape[1]))
            for place, node in enumerate(self.junctions.tolist()):
                if (k := row.get(self.topology.nodes[node])) is not None:
                    weights[place] = known[k]
            return weights, multipliers
        project = self._project
        entries = [(k, base, number) for k in self.junctions for base, number in project.demands(int(k))]
        default = int(project.option("default_pattern")) if project.library.has_bulk else 0
        numbers = sorted({number or default for _, _, number in entries})
        column = {number: c for c, number in enumerate(numbers)}
        weights = np.zeros((len(self.junctions), len(numbers)))
        scale = self._factor["demand"] * project.option("demand_multiplier")
        for node, base, number in entries:
            weights[node, column[number or default]] += base * scale
        return weights, [project.pattern(number) for number in numbers]

    @property
    def project(self) -> Project:
        """The open EPANET project, in the INP's own units."""
        return self._project

    @property
    def pressure_unit(self) -> float:
        """Metres of water in the INP's unit of pressure; a PRV's setting is in that unit."""
        return self._factor["pressure"]

    @property
    def flow_unit(self) -> float:
        """m3/s in the INP's unit of flow."""
        return self._factor["flow"]

    @property
    def length_unit(self) -> float:
        """Metres in the INP's unit of length."""
        return self._factor["length"]

    @property
    def leak_unit(self) -> float:
        """m3/s per m^0.5 in the INP's unit of an emitter whose exponent is 0.5."""
        return emitter_factor(self._project, 0.5)

    @property
    def emitter_exponent(self) -> float:
        """Exponent of pressure in the flow of every emitter: EPANET has one for the whole model."""
        return self._project.option("emitter_exponent")

    def set_emitter_exponent(self, exponent: float) -> None:
        """Change the exponent of every emitter."""
        self._project.set_option("emitter_exponent", exponent)
        self._factor["emitter"] = emitter_factor(self._project, exponent)

    @property
    def headloss_law(self) -> int:
        """EPANET's code of the head-loss formula: 0 Hazen-Williams, 1 Darcy-Weisbach, 2 Chezy-Manning."""
        return int(self._project.option("headloss_form"))

    def roughness_si(self, roughness: Floats) -> Floats:
        """Roughness as the head-loss law takes it: Darcy-Weisbach's from the INP's mm or 0.001 ft to m."""
        if self.headloss_law != 1:
            return roughness
        return roughness * (0.001 * self._factor["length"])

    # values -------------------------------------------------------------------------------------------------------

    def read(self, kind: str, name: str, out: Floats | None = None) -> Floats:
        """Read a result or property of all nodes or links.

        Parameters
        ----------
        kind
            "node" or "link".
        name
            Such as "pressure", "head", "demand", "flow", "velocity", "status"; "leakage" of nodes or links in 2.3.
        out
            float64 [n_elements]; made where not given.

        Returns
        -------
        float64 [n_elements], SI
        """
        if out is None:
            out = np.empty(len(self.topology.nodes if kind == "node" else self.topology.links))
        self._project.read(kind, name, out)
        factor = self._factor.get(name, 1.0)
        if factor != 1.0:
            out *= factor
        return out

    def value(self, kind: str, index: int, name: str) -> float:
        """One property of one node or link, SI."""
        return self._project.get(kind, index, name) * self._factor.get(name, 1.0)

    def result(self, quantity: str, name: str) -> float:
        """One result of the solved moment by name: pressure, head, demand of a node; flow, velocity, status of a link.

        Raises
        ------
        UnknownElement
            If the network has no such element.
        HydraulicError
            If there is no such quantity.
        """
        for kind, quantities in (("node", ("pressure", "head", "demand")), ("link", ("flow", "velocity", "status"))):
            if quantity in quantities:
                index = self.topology.node(name) if kind == "node" else self.topology.link(name)
                return self.value(kind, index, quantity)
        raise HydraulicError(f"'{quantity}' is no result; ask for pressure, head, demand, flow, velocity or status")

    def set_value(self, kind: str, index: int, name: str, value: float) -> None:
        """Change one property of one node or link, SI; holds from the next `solve`."""
        self.revision += name not in _OF_THE_MOMENT
        self._project.set(kind, index, name, value / self._factor.get(name, 1.0))

    def set_values(self, kind: str, indices: Ints, name: str, values: Floats) -> None:
        """Change one property of many nodes or links, SI."""
        self.revision += name not in _OF_THE_MOMENT
        self._project.write(kind, indices, name, values / self._factor.get(name, 1.0))

    def set_demands(self, demand: Floats) -> None:
        """Set the demand of every junction, float64 [n_junctions] m3/s, in place of its base demand.

        Only meaningful after `freeze_demands`, which takes patterns and further categories away.
        """
        self.set_values("node", self.junctions, "base_demand", demand)

    def steady_pattern(self) -> int:
        """EPANET's number of a pattern that is always 1; 2.3 takes 0 for the model's default pattern."""
        project = self._project
        if not project.library.has_bulk or project.option("default_pattern") == 0.0:
            return 0
        names = project.ids("pattern")
        if _STEADY not in names:
            project.call("addpattern", _STEADY.encode())
            return len(names) + 1
        return names.index(_STEADY) + 1

    def freeze_demands(self) -> None:
        """Make demand follow `set_demands` alone: one category, no pattern, multiplier 1.

        `demand_at` still says what the model asks for.
        """
        if self.is_frozen:
            return
        project = self._project
        names = tuple(self.topology.nodes[k] for k in self.junctions.tolist())
        self._frozen = (names, *self._demand_table)
        for node in self.junctions.tolist():
            for category in range(len(project.demands(node))):
                project.set_base_demand(node, category, 0.0)
                project.call("setdemandpattern", node + 1, category + 1, 0)
        project.set_option("demand_multiplier", 1.0)
        if project.library.has_bulk:
            project.set_option("default_pattern", 0)

    @property
    def is_frozen(self) -> bool:
        """Whether demand follows `set_demands` alone."""
        return self._frozen is not None

    def drop_controls(self) -> None:
        """Take simple controls and rules away: statuses then change only by `set_value`."""
        for _ in range(self._project.count("controls")):
            self._project.call("deletecontrol", 1)
        for _ in range(self._project.count("rules")):
            self._project.call("deleterule", 1)

    @property
    def accuracy(self) -> float:
        """EPANET's convergence criterion (sum of flow changes over sum of flows)."""
        return self._project.option("accuracy")

    def set_accuracy(self, accuracy: float) -> None:
        """Set EPANET's convergence criterion (sum of flow changes over sum of flows)."""
        self._project.set_option("accuracy", accuracy)

    def set_pressure_driven(self, minimum: float, required: float, exponent: float) -> None:
        """Deliver (p - minimum) / (required - minimum) to the exponent of the demand where p < required, m."""
        unit = self._factor["pressure"]
        self._project.call("setdemandmodel", 1, minimum / unit, required / unit, exponent)

    @property
    def demand_model(self) -> tuple[int, float, float, float]:
        """EPANET's demand model: 0 by demand or 1 by pressure, with minimum and required pressure, m, and exponent."""
        kind, unit = c_int(), self._factor["pressure"]
        values = [c_double() for _ in range(3)]
        self._project.call("getdemandmodel", byref(kind), *(byref(v) for v in values))
        return kind.value, values[0].value * unit, values[1].value * unit, values[2].value

    def restore_demand_model(self, model: tuple[int, float, float, float]) -> None:
        """Set a demand model that `demand_model` gave."""
        if self.demand_model != model:
            unit = self._factor["pressure"]
            self._project.call("setdemandmodel", model[0], model[1] / unit, model[2] / unit, model[3])
