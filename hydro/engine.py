"""EPANET in process: opened once, run step by step, changed and gone on with, set back to an earlier moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hydro.changes import PUMP, Changes
from hydro.errors import EpanetError, HydraulicError, NoSolution
from hydro.library import INIT_FLOWS, LibraryName
from hydro.opened import OpenNetwork
from hydro.snapshot import Snapshot, capture, go_on_from
from hydro.splice import cut_pipe, take_orifice_exponent
from hydro.trouble import Trouble, find_troubles, ill_conditioned_node
from networks import Network, UnknownElement

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]

NODE_RESULTS = {"pressure": "m", "head": "m", "demand": "m3/s"}
LINK_RESULTS = {"flow": "m3/s", "velocity": "m/s", "status": ""}
_KEEP_FLOWS = 0
_MOST_HOURS = (2**31 - 1) // 3600  # seconds that every system's C long holds


class Engine(OpenNetwork):
    """A network opened in EPANET and run; every number in and out is SI (m, m3/s, s).

    A caller may stop between two steps for as long as it likes, read everything, change pumps, valves, demands,
    emitters and tank levels, and go on. One engine belongs to one thread at a time.

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
    warning : int
        EPANET's code for the last solved moment; 0 where all is well.

    Raises
    ------
    EpanetError
        If EPANET refuses the file.

    Examples
    --------
    >>> with Engine("Net3") as engine:
    ...     for now in engine.steps():
    ...         if engine.result("pressure", "15") < 20.0:
    ...             engine.set_speed("10", 1.1)
    """

    def __init__(
        self,
        network: Network | WaterNetworkModel | Path | str,
        library: LibraryName = "2.3",
        report: Path | None = None,
    ) -> None:
        super().__init__(network, library, report)
        self.warning = 0
        self._changes = Changes(self)
        self._is_solving = False
        self._is_stale = self._is_solved = self._is_pending = False

    # time ---------------------------------------------------------------------------------------------------------

    @property
    def report_step(self) -> int:
        """Interval of reported results, s."""
        return self._project.time("report_step")

    def set_report_step(self, seconds: int) -> None:
        """Set the interval of reported results, s: EPANET solves at each of them, whatever the hydraulic step."""
        self._project.set_time("report_step", seconds)

    @property
    def duration(self) -> int:
        """Length of the run, s; 0 for a single moment."""
        return self._project.time("duration")

    @duration.setter
    def duration(self, seconds: int) -> None:
        self._project.set_time("duration", seconds)

    def set_hours(self, hours: float | None) -> None:
        """Set the length of the run, h; None leaves the model's own.

        Raises
        ------
        HydraulicError
            If it is below zero, or more than EPANET's clock counts.
        """
        if hours is None:
            return
        if not 0.0 <= hours <= _MOST_HOURS:
            raise HydraulicError(f"a run of {hours:g} hours: let it be between 0 and {_MOST_HOURS}")
        self.duration = round(hours * 3600)

    @property
    def clock_start(self) -> int:
        """Time of day at which the run begins, s after midnight."""
        return self._project.time("start_time")

    @property
    def hydraulic_step(self) -> int:
        """Longest hydraulic step, s."""
        return self._project.time("hydraulic_step")

    def set_hydraulic_step(self, seconds: int) -> None:
        """Set the longest hydraulic step, s, during a run too."""
        self._project.set_time("hydraulic_step", seconds)

    @property
    def now(self) -> int:
        """The run's clock, s: the moment that was just solved, or after `advance` the next one."""
        return self._project.time("now")

    # running ------------------------------------------------------------------------------------------------------

    def start(self, keep_flows: bool = False) -> None:
        """Begin a run from the model's initial state; what the last run changed is undone.

        Parameters
        ----------
        keep_flows
            Begin the iteration at the flows of the last solution: twice as fast for a sequence of similar moments, and
            different by what the accuracy leaves open (3e-6 m at 1e-4 on L-Town). By default flows are initial too, so
            that no run depends on the one before.
        """
        self._changes.undo()
        self._project.start(0 if keep_flows else INIT_FLOWS)
        self._changes.running = True
        self._is_stale = self._is_solved = self._is_pending = False

    def solve(self) -> int:
        """Solve the current moment and return its time, s.

        Called again before `advance` it takes in what was changed meanwhile; else a change holds from the next moment.

        Raises
        ------
        NoSolution
            If EPANET cannot solve it; the error names the time and, where EPANET does, the node.
        """
        if self._is_solving:  # set while EPANET works, which lets other threads run
            raise HydraulicError("two threads use one engine at once; give each thread an engine of its own")
        self._is_solving = True
        try:
            if self._is_stale:
                go_on_from(self, capture(self, self._changes), self._changes, _KEEP_FLOWS)
                self._is_stale = False
            now, self.warning = self._project.solve()
        except EpanetError as error:
            raise self._no_solution(error) from error
        finally:
            self._is_solving = False
        self._is_solved, self._is_pending = True, False
        return now

    def advance(self) -> int:
        """Go on to the next event and return the step, s; 0 at the end of the run."""
        step = self._project.advance()
        self._is_solved = False
        return step

    def steps(self) -> Iterator[int]:
        """Run from the start; yield the time, s, of every solved moment, control events between steps included.

        Between two moments the caller may read and change whatever it likes; a changed element acts from the next
        moment on, or from this one after another `solve`.
        """
        self.start()
        while True:
            yield self.solve()
            if self.advance() <= 0:
                break

    def stop(self) -> None:
        """End the run and undo its changes; `start` does so too. Elements can come and go only then."""
        self._changes.undo()
        self._changes.running = False
        self._project.stop()

    # changing -----------------------------------------------------------------------------------------------------
    # in a run these last until its end; between runs they change the model for all runs to come

    def set_status(self, link: str, is_open: bool) -> None:
        """Open or close a pipe, pump or valve; an open valve has no setting until `set_setting`.

        Raises
        ------
        UnknownElement, HydraulicError
            If there is no such link, or EPANET does not let it be opened and closed.
        """
        self._changes.status(link, is_open)
        self._is_pending = True

    def set_setting(self, link: str, setting: float) -> None:
        """Set a valve: PRV, PSV and PBV m of pressure, FCV m3/s, TCV loss coefficient; a pump's relative speed."""
        self._changes.setting(link, setting)
        self._is_pending = True

    def set_speed(self, pump: str, speed: float) -> None:
        """Set a pump's relative speed; 0 stops it. A speed pattern of the model no longer acts.

        Raises
        ------
        UnknownElement
            If the network has no such pump.
        """
        if self.link_types[self.topology.link(pump)] != PUMP:
            raise UnknownElement("pump", pump, "the network")
        self.set_setting(pump, speed)

    def set_demand(self, junction: str, demand: float) -> None:
        """Have a junction take a steady demand, m3/s, in place of the model's base demands and patterns."""
        self._changes.demand(junction, demand)
        self._is_pending = True

    def set_emitter(self, junction: str, coefficient: float) -> None:
        """Let a junction lose coefficient x pressure^`emitter_exponent`, m3/s per m^exponent; 0 shuts it."""
        if self._changes.running and coefficient == 0.0:
            self._is_stale = True  # an emitter that is taken away keeps its last flow until a run begins anew
        self._changes.emitter(junction, coefficient)
        self._is_pending = True

    def set_tank_level(self, tank: str, level: float) -> None:
        """Set a tank's level, m above its bottom, within its limits."""
        self._changes.tank_level(tank, level)
        self._is_pending = True

    def set_leakage(self, pipe: str, area_mm2: float, expansion_mm2: float) -> None:
        """Let a pipe leak (EPANET 2.3): area mm2 per 100 m, and its growth in mm2 per metre of head per 100 m.

        EPANET takes leakage in at the beginning of a run; in a run it is made to begin again where it is.

        Raises
        ------
        HydraulicError
            If the library is 2.2, which has no leakage.
        """
        if not self._project.library.has_bulk:
            raise HydraulicError("EPANET 2.2 has no leakage along pipes; use library 2.3")
        self.pipe(pipe)
        self._changes.put(("link", pipe, "leak_area"), area_mm2)
        self._changes.put(("link", pipe, "leak_expansion"), expansion_mm2)
        self._is_stale = self._is_pending = self._changes.running

    # going back ---------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Take the hydraulic state of the run; it can be pickled and restored in another engine of this network.

        Raises
        ------
        HydraulicError
            If no run is under way.
        """
        if not self._changes.running:
            raise HydraulicError("no run is under way: call start and solve first")
        if self._is_solved and self._is_pending:
            self.solve()  # what was changed since the moment was solved belongs to it
        return capture(self, self._changes)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot's moment; `solve` is next.

        Tank levels, statuses, settings, time and everything changed by name are as they were. The flows come from a new
        solution, so they equal the first ones to within `accuracy`.

        Raises
        ------
        HydraulicError
            If the snapshot is of another network.
        """
        self._changes.running = True
        self._changes.replace(snapshot.changes)
        go_on_from(self, snapshot, self._changes, INIT_FLOWS)
        self._is_stale = self._is_solved = self._is_pending = False

    # leaks --------------------------------------------------------------------------------------------------------

    def add_leak(self, pipe: str, position: float = 0.5) -> int:
        """Prepare a leak in a pipe: a junction whose emitter is still shut; return its index.

        Call before `start`; indices of tanks and reservoirs move up by one. `open_leak` opens it. `hydro.leaks` has
        leaks that grow, that widen with pressure, and that are taken out again.

        Parameters
        ----------
        position
            Share of the pipe's length from its first node.

        Raises
        ------
        UnknownElement
            If the network has no such pipe.
        HydraulicError
            If the model already has emitters of another exponent: EPANET has one exponent for the whole model.
        """
        link = self.pipe(pipe)
        take_orifice_exponent(self)
        splice = cut_pipe(self, link, position)
        return self.topology.node(splice.node)

    def open_leak(self, node: int, coefficient: float) -> None:
        """Let a leak run: flow = coefficient x sqrt(pressure), coefficient in m3/s/m^0.5."""
        self.set_value("node", node, "emitter", coefficient)

    # warnings -----------------------------------------------------------------------------------------------------

    def report_warnings(self) -> None:
        """Have EPANET write its warnings into its report, whatever the file's [REPORT] says."""
        for command in (b"MESSAGES YES", b"STATUS NO", b"SUMMARY NO"):
            self._project.call("setreport", command)

    def describe_warning(self) -> str:
        """EPANET's words for the last warning, or an empty text."""
        return self._project.library.describe(self.warning) if self.warning else ""

    def troubles(self) -> list[Trouble]:
        """What the last solved moment's warning is about, element by element; empty where there is none."""
        return find_troubles(self, self.now, self.warning)

    def _no_solution(self, error: EpanetError) -> NoSolution:
        return NoSolution(error, self.now, ill_conditioned_node(self._project))
