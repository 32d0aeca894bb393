"""EPANET in process: opened once, run step by step, read into numpy arrays in SI units."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from hydro.errors import HydraulicError
from hydro.library import INIT_FLOWS, LibraryName
from hydro.opening import as_network, open_project, pressure_unit
from hydro.project import Project
from networks import Leakage, Network, Topology, UnknownElement
from networks.inp.facts import FEET_OF_PRESSURE

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# m3/s per flow unit, in EPANET's order: CFS GPM MGD IMGD AFD LPS LPM MLD CMH CMD CMS
_FLOW = (
    0.0283168466, 0.0000630901964, 0.0438126364, 0.0526168042, 0.0142764102,
    0.001, 1.0 / 60000.0, 1.0 / 86.4, 1.0 / 3600.0, 1.0 / 86400.0, 1.0,
)  # fmt: skip
_FIRST_METRIC = 5
_FOOT = 0.3048
_HORSEPOWER = 745.7  # W; EPANET answers in horsepower whatever the units of the file
_JUNCTION, _RESERVOIR, _TANK = 0, 1, 2
_PIPE_TYPES = (0, 1)  # check-valve pipe, pipe
_PUMP = 2
_LONGEST_NAME = 24

NODE_RESULTS = {"pressure": "m", "head": "m", "demand": "m3/s"}
LINK_RESULTS = {"flow": "m3/s", "velocity": "m/s", "status": ""}


class Engine:
    """A network opened in EPANET; every number in and out is SI (m, m3/s, s).

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
        units = self._project.flow_units()
        metric = units >= _FIRST_METRIC
        flow, length = _FLOW[units], 1.0 if metric else _FOOT
        pressure = pressure_unit(self._project, metric, opened)
        self._factor: dict[str, float] = {
            "elevation": length, "head": length, "pressure": pressure,
            "tank_level": length, "tank_diameter": length, "min_level": length, "max_level": length,
            "min_volume": length**3, "power": _HORSEPOWER,
            "base_demand": flow, "demand": flow, "flow": flow, "velocity": length, "length": length,
            "diameter": 0.001 if metric else 0.0254,
            "emitter": flow / self._emitter_unit(metric) ** self._project.option("emitter_exponent"),
            # mm2 per 100 m of pipe, and per metre of head: EPANET 2.3.5 takes the metre in US units too
            "leakage": flow, "leak_area": 1.0 / length, "leak_expansion": 1.0 / length,
        }  # fmt: skip
        self._read_structure()
        if isinstance(opened, Network):
            try:
                self._set_leakage(opened.leakage)
            except UnknownElement:
                self.close()
                raise

    @staticmethod
    def _emitter_unit(metric: bool) -> float:
        """Metres in the unit that a coefficient counts pressure in: m or psi, whatever the file's unit of pressure."""
        return 1.0 if metric else FEET_OF_PRESSURE["PSI"] * _FOOT

    def _set_leakage(self, leakage: Leakage | None) -> None:
        """Let pipes leak as the network says, whatever the INP holds."""
        if not self._project.library.has_bulk:
            return  # `open_project` has refused a network that leaks
        for name in ("leak_area", "leak_expansion"):
            present = self.read("link", name)[self.topology.pipes]
            wanted = np.zeros(len(self.topology.links))
            if leakage is not None:
                places = [self._pipe(pipe) for pipe in leakage.pipes]
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
        return np.asarray(coefficient * head ** self._project.option("emitter_exponent"))

    def _pipe(self, name: str) -> int:
        link = self.topology.link_index.get(name)
        if link is None or not self.topology.is_pipe[link]:
            raise UnknownElement("pipe", name, "the network")
        return link

    def _read_structure(self) -> None:
        project = self._project
        node_types, self.link_types = project.types("node"), project.types("link")
        ends = project.link_nodes()
        length = np.empty(len(ends))
        project.read("link", "length", length)
        is_pipe = np.isin(self.link_types, _PIPE_TYPES)
        self.node_types = node_types
        self.topology = Topology(
            nodes=project.ids("node"),
            links=project.ids("link"),
            start=ends[:, 0].copy(),
            end=ends[:, 1].copy(),
            length=np.where(is_pipe, length * self._factor["length"], 0.0),
            is_pipe=is_pipe,
            is_junction=node_types == _JUNCTION,
            xy=project.coordinates(),
        )

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

    @cached_property
    def _demand_table(self) -> tuple[Floats, list[Floats]]:
        """Base demand by junction and pattern, m3/s, and the patterns' multipliers."""
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
        return float(self._factor["flow"] / self._emitter_unit(self._project.flow_units() >= _FIRST_METRIC) ** 0.5)

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

    def set_value(self, kind: str, index: int, name: str, value: float) -> None:
        """Change one property of one node or link, SI; holds from the next `solve`."""
        self._project.set(kind, index, name, value / self._factor.get(name, 1.0))

    def set_values(self, kind: str, indices: Ints, name: str, values: Floats) -> None:
        """Change one property of many nodes or links, SI."""
        self._project.write(kind, indices, name, values / self._factor.get(name, 1.0))

    def set_demands(self, demand: Floats) -> None:
        """Set the demand of every junction, float64 [n_junctions] m3/s, in place of its base demand.

        Only meaningful after `freeze_demands`, which takes patterns and further categories away.
        """
        self.set_values("node", self.junctions, "base_demand", demand)

    def freeze_demands(self) -> None:
        """Make demand follow `set_demands` alone: one category, no pattern, multiplier 1."""
        project = self._project
        for node in self.junctions.tolist():
            for category in range(len(project.demands(node))):
                project.set_base_demand(node, category, 0.0)
                project.call("setdemandpattern", node + 1, category + 1, 0)
        project.set_option("demand_multiplier", 1.0)
        if project.library.has_bulk:
            project.set_option("default_pattern", 0)

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

    def add_leak(self, pipe: str) -> int:
        """Prepare a leak in the middle of a pipe: a junction whose emitter is still shut; return its index.

        Call before `start`; indices of tanks and reservoirs move up by one. `open_leak` opens it.

        Raises
        ------
        UnknownElement
            If the network has no such pipe.
        HydraulicError
            If the model already has emitters of another exponent: EPANET has one exponent for the whole model.
        """
        link = self._pipe(pipe)
        self.make_orifices()
        # EPANET's names have 31 characters at most, and the second half of the pipe takes two more
        name = f"leak~{pipe}" if len(pipe) <= _LONGEST_NAME else f"leak~{pipe[:16]}~{link}"
        node = self._project.split_pipe(link, name)
        for cached in ("junctions", "tanks", "pumps", "_demand_table"):
            self.__dict__.pop(cached, None)
        self._read_structure()
        return node

    def make_orifices(self) -> None:
        """Let emitters follow the square root of pressure, as leaks do.

        Raises
        ------
        HydraulicError
            If the model already has emitters of another exponent: EPANET has one exponent for the whole model.
        """
        if abs(self._project.option("emitter_exponent") - 0.5) > 1e-9:
            if np.any(self.read("node", "emitter") > 0.0):
                raise HydraulicError(
                    "the model has emitters whose exponent is not 0.5; EPANET has one exponent for all: "
                    "remove them or give the leak as demand"
                )
            self._project.set_option("emitter_exponent", 0.5)
            self._factor["emitter"] = self.leak_unit

    def open_leak(self, node: int, coefficient: float) -> None:
        """Let a leak run: flow = coefficient x sqrt(pressure), coefficient in m3/s/m^0.5."""
        self.set_value("node", node, "emitter", coefficient)

    # time ---------------------------------------------------------------------------------------------------------

    @property
    def report_step(self) -> int:
        """Interval of reported results, s."""
        return self._project.time("report_step")

    @property
    def duration(self) -> int:
        """Length of the run, s; 0 for a single moment."""
        return self._project.time("duration")

    @duration.setter
    def duration(self, seconds: int) -> None:
        self._project.set_time("duration", seconds)

    @property
    def clock_start(self) -> int:
        """Time of day at which the run begins, s after midnight."""
        return self._project.time("start_time")

    def set_hydraulic_step(self, seconds: int) -> None:
        """Set the longest hydraulic step, s, during a run too."""
        self._project.set_time("hydraulic_step", seconds)

    @property
    def hydraulic_step(self) -> int:
        """Longest hydraulic step, s."""
        return self._project.time("hydraulic_step")

    def start(self, keep_flows: bool = False) -> None:
        """Begin a run from the model's initial state.

        Parameters
        ----------
        keep_flows
            Begin the iteration at the flows of the last solution: twice as fast for a sequence of similar moments, and
            different by what the accuracy leaves open (3e-6 m at 1e-4 on L-Town). By default flows are initial too, so
            that no run depends on the one before.
        """
        self._project.start(0 if keep_flows else INIT_FLOWS)

    def solve(self) -> int:
        """Solve the current moment and return its time, s."""
        now, warning = self._project.solve()
        self.warning = warning
        return now

    def advance(self) -> int:
        """Go on to the next event and return the step, s; 0 at the end of the run."""
        return self._project.advance()

    def steps(self) -> Iterator[int]:
        """Run from the start; yield the time, s, of every solved moment, control events between steps included."""
        self.start()
        while True:
            yield self.solve()
            if self.advance() <= 0:
                break

    def report_warnings(self) -> None:
        """Have EPANET write its warnings into its report, whatever the file's [REPORT] says."""
        for command in (b"MESSAGES YES", b"STATUS NO", b"SUMMARY NO"):
            self._project.call("setreport", command)

    def describe_warning(self) -> str:
        """EPANET's words for the last warning, or an empty text."""
        return self._project.library.describe(self.warning) if self.warning else ""
