"""One extended-period run, with whatever happens in it, into arrays."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hydro.course import Course, as_leaks_allow
from hydro.engine import LINK_RESULTS, NODE_RESULTS, Engine
from hydro.errors import HydraulicError, RunStopped, ScenarioError
from hydro.library import LibraryName
from hydro.opening import as_network
from hydro.quality import Quality, QualityRun
from hydro.scenario import Leak, Scenario
from networks import Network

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]

_LEAK = re.compile(r"^(?P<pipe>.+?):(?P<diameter>[0-9]+(?:\.[0-9]+)?)(?:@(?P<hours>\d{1,4}):(?P<minutes>[0-5]\d))?$")


def parse_leak(text: str) -> Leak:
    """Read `PIPE:DIAMETER_MM[@HH:MM]`: a round hole in the middle of a pipe.

    Raises
    ------
    ScenarioError
        If the text has another form.
    """
    match = _LEAK.match(text)
    if match is None or float(match["diameter"]) <= 0.0:
        raise ScenarioError(f"leak '{text}': write PIPE:DIAMETER_MM or PIPE:DIAMETER_MM@HH:MM, such as p123:12@06:00")
    start = int(match["hours"] or 0) * 3600 + int(match["minutes"] or 0) * 60
    return Leak(pipe=match["pipe"], diameter=float(match["diameter"]) / 1000.0, start=start)


@dataclass(frozen=True, slots=True)
class Results:
    """What a run gave at each report step.

    Attributes
    ----------
    times
        int64 [n_steps], s.
    nodes, links
        Names.
    node_values, link_values
        float64 [n_steps, n_elements] by quantity: pressure and head m, demand m3/s; flow m3/s, velocity m/s, status;
        and water quality where it was asked for.
    leak_flows
        float64 [n_steps] by pipe or junction, m3/s.
    warnings
        EPANET's warnings, each as it first appeared: when, where, why.
    units
        Of each quantity.
    """

    times: NDArray[np.int64]
    nodes: tuple[str, ...]
    links: tuple[str, ...]
    node_values: dict[str, Floats]
    link_values: dict[str, Floats]
    leak_flows: dict[str, Floats]
    warnings: tuple[str, ...]
    units: dict[str, str]


def run(
    network: Network | WaterNetworkModel | Path | str,
    scenario: Scenario | None = None,
    hours: float | None = None,
    library: LibraryName = "2.3",
    quality: Quality | None = None,
    progress: Callable[[float], None] | None = None,
) -> Results:
    """Run a network from its initial state.

    Parameters
    ----------
    network
        What `Engine` accepts.
    scenario
        What happens to it. Each leak in a pipe adds a junction `leak~PIPE` and the pipe's second part `leak~PIPE~2`.
    hours
        Length of the run; by default the model's own.
    library
        EPANET "2.3" or WNTR's "2.2".
    quality
        Water age, chlorine or a trace, by EPANET; None for hydraulics alone.
    progress
        Called with the share that is done.

    Raises
    ------
    HydraulicError
        Its leaves: EPANET refuses the model or a step; the scenario cannot be.
    """
    opened, story = as_network(network), scenario or Scenario()

    def attempt(accuracy: float | None) -> Results:
        with Engine(opened, library) as engine:
            engine.set_hours(hours)
            course = Course(engine, story, opened if isinstance(opened, Network) else None, accuracy)
            return _collection(engine, course, quality).run(progress)

    def own() -> float:
        with Engine(opened, library) as engine:
            return engine.accuracy

    results, looser = as_leaks_allow(story, own, attempt)
    if looser is None:
        return results
    note = f"solved at an accuracy of {looser:g}: EPANET did not get through at the 1e-6 that leaks are given"
    return replace(results, warnings=(*results.warnings, note))


def _collection(engine: Engine, course: Course, quality: Quality | None) -> _Collection:
    try:
        return _Collection(engine, course, quality)
    except MemoryError as error:
        steps = engine.duration // max(engine.report_step, 1) + 1
        raise HydraulicError(f"{steps} report steps of everything do not fit into memory: take fewer hours") from error


class _Collection:
    """Everything that one run gives at its report steps."""

    def __init__(self, engine: Engine, course: Course, quality: Quality | None) -> None:
        self._engine, self._course, self._quality = engine, course, quality
        self._step = max(engine.report_step, 1)
        self._count = engine.duration // self._step + 1
        self._row = 0
        n, m = len(engine.topology.nodes), len(engine.topology.links)
        self._nodes = {name: np.empty((self._count, n)) for name in NODE_RESULTS}
        self._links = {name: np.empty((self._count, m)) for name in LINK_RESULTS}
        self._leaks = np.empty((self._count, len(course.holes)))
        self._warnings: dict[int, str] = {}

    def run(self, progress: Callable[[float], None] | None) -> Results:
        engine, course = self._engine, self._course
        duration = engine.duration
        course.begin()
        quality = QualityRun(engine, self._quality) if self._quality is not None else None
        tables = self._quality_tables(quality)
        while True:
            now = engine.solve()
            if quality is not None:
                quality.solve()
            self._note_warnings()
            if now == self._row * self._step and self._row < self._count:
                self._take(quality, tables)
            if progress is not None and duration:
                progress(now / duration)
            step = engine.advance()
            if quality is not None:
                quality.advance()
            if step <= 0:
                break
            course.prepare()
        if self._row < self._count:
            raise RunStopped(max(self._row - 1, 0) * self._step, "; ".join(self._warnings.values()))
        return self._results(quality, tables)

    def _quality_tables(self, quality: QualityRun | None) -> tuple[Floats, Floats] | None:
        if quality is None:
            return None
        topology = self._engine.topology
        return np.empty((self._count, len(topology.nodes))), np.empty((self._count, len(topology.links)))

    def _take(self, quality: QualityRun | None, tables: tuple[Floats, Floats] | None) -> None:
        engine, row = self._engine, self._row
        for name, table in self._nodes.items():
            engine.read("node", name, table[row])
        for name, table in self._links.items():
            engine.read("link", name, table[row])
        self._leaks[row] = self._course.leak_flows()
        if quality is not None and tables is not None:
            quality.at_nodes(tables[0][row])
            quality.in_links(tables[1][row])
        self._row += 1

    def _note_warnings(self) -> None:
        """Keep the first of each kind."""
        if self._engine.warning and self._engine.warning not in self._warnings:
            for trouble in self._engine.troubles():
                self._warnings.setdefault(trouble.code, str(trouble))

    def _results(self, quality: QualityRun | None, tables: tuple[Floats, Floats] | None) -> Results:
        topology = self._engine.topology
        units = dict(NODE_RESULTS | LINK_RESULTS)
        if quality is not None and tables is not None:
            inside = f"{quality.name}_in_link"  # a node and a link may have one name
            self._nodes[quality.name], self._links[inside] = tables
            units[quality.name] = units[inside] = quality.unit
        flows = {hole.name: self._leaks[:, k] for k, hole in enumerate(self._course.holes)}
        times = np.arange(self._count, dtype=np.int64) * self._step
        warnings = tuple(self._warnings.values())
        return Results(times, topology.nodes, topology.links, self._nodes, self._links, flows, warnings, units)
