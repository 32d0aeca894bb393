"""One extended-period run, with leaks, into arrays."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hydro.engine import LINK_RESULTS, NODE_RESULTS, Engine
from hydro.errors import HydraulicError
from hydro.library import LibraryName
from networks import Network

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]

DISCHARGE_COEFFICIENT = 0.75  # WNTR's default for add_leak; EPANET 2.3's own [LEAKAGE] uses 0.6
_GRAVITY = 9.81
_LEAK_ACCURACY = 1e-6
_LEAK = re.compile(r"^(?P<pipe>.+?):(?P<diameter>[0-9]+(?:\.[0-9]+)?)(?:@(?P<hours>\d{1,4}):(?P<minutes>[0-5]\d))?$")
WAGNER = (0.0, 20.0, 0.5)  # pressure-driven demand: minimum and required pressure, m, and the exponent


@dataclass(frozen=True, slots=True)
class OrificeLeak:
    """A round hole in the middle of a pipe; flow = Cd A sqrt(2 g p).

    Attributes
    ----------
    pipe
        Link name.
    diameter
        Of the hole, m.
    start
        When it opens, s after the run's beginning.
    """

    pipe: str
    diameter: float
    start: int = 0

    @property
    def coefficient(self) -> float:
        """Flow per square root of pressure, m3/s per m^0.5, with a discharge coefficient of 0.75."""
        return float(DISCHARGE_COEFFICIENT * np.pi / 4.0 * self.diameter**2 * np.sqrt(2.0 * _GRAVITY))


def parse_leak(text: str) -> OrificeLeak:
    """Read `PIPE:DIAMETER_MM[@HH:MM]`.

    Raises
    ------
    HydraulicError
        If the text has another form.
    """
    match = _LEAK.match(text)
    if match is None or float(match["diameter"]) <= 0.0:
        raise HydraulicError(f"leak '{text}': write PIPE:DIAMETER_MM or PIPE:DIAMETER_MM@HH:MM, such as p123:12@06:00")
    start = int(match["hours"] or 0) * 3600 + int(match["minutes"] or 0) * 60
    return OrificeLeak(match["pipe"], float(match["diameter"]) / 1000.0, start)


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
        float64 [n_steps, n_elements] by quantity: pressure and head m, demand m3/s; flow m3/s, velocity m/s, status.
    leak_flows
        float64 [n_steps] by pipe, m3/s.
    warnings
        EPANET's warnings, each with the hour at which it first appeared.
    """

    times: NDArray[np.int64]
    nodes: tuple[str, ...]
    links: tuple[str, ...]
    node_values: dict[str, Floats]
    link_values: dict[str, Floats]
    leak_flows: dict[str, Floats]
    warnings: tuple[str, ...]


def run(
    network: Network | WaterNetworkModel | Path | str,
    hours: float | None = None,
    pressure_driven: bool = False,
    leaks: Sequence[OrificeLeak] = (),
    library: LibraryName = "2.3",
    progress: Callable[[float], None] | None = None,
) -> Results:
    """Run a network from its initial state.

    Parameters
    ----------
    network
        What `Engine` accepts.
    hours
        Length of the run; by default the model's own.
    pressure_driven
        Deliver less where the pressure is below 20 m (Wagner, exponent 0.5), instead of the demand at any pressure.
    leaks
        Orifices; each adds a junction `leak~PIPE` and the pipe's second half `leak~PIPE~2`.
    library
        EPANET "2.3" or WNTR's "2.2".
    progress
        Called with the share that is done.

    Raises
    ------
    HydraulicError
        Its leaves: EPANET refuses the model or a step; also if a leak cannot be put in.
    """
    with Engine(network, library) as engine:
        if pressure_driven:
            engine.set_pressure_driven(*WAGNER)
        if hours is not None:
            engine.duration = round(hours * 3600)
        nodes = [engine.add_leak(leak.pipe) for leak in leaks]
        if leaks:  # a leak is small beside the flows whose change EPANET's own criterion adds up
            engine.set_accuracy(min(engine.accuracy, _LEAK_ACCURACY))
        return _collect(engine, list(zip(leaks, nodes, strict=True)), progress)


def _collect(engine: Engine, leaks: list[tuple[OrificeLeak, int]], progress: Callable[[float], None] | None) -> Results:
    step, duration = max(engine.report_step, 1), engine.duration
    count = duration // step + 1
    topology = engine.topology
    node_values = {name: np.empty((count, len(topology.nodes))) for name in NODE_RESULTS}
    link_values = {name: np.empty((count, len(topology.links))) for name in LINK_RESULTS}
    warnings: dict[int, str] = {}
    usual, row = engine.hydraulic_step, 0
    times = np.arange(count, dtype=np.int64) * step
    engine.start()
    _open(engine, leaks, 0)
    while True:
        now = engine.solve()
        if engine.warning:
            warnings.setdefault(engine.warning, f"{now / 3600:.2f} h: {engine.describe_warning()}")
        if now == row * step and row < count:
            for name, table in node_values.items():
                engine.read("node", name, table[row])
            for name, table in link_values.items():
                engine.read("link", name, table[row])
            row += 1
        _open(engine, leaks, now)
        waiting = [leak.start - now for leak, _ in leaks if leak.start > now]
        engine.set_hydraulic_step(min([usual, *waiting]))
        if progress is not None and duration:
            progress(now / duration)
        if engine.advance() <= 0:
            break
    if row < count:
        raise HydraulicError(
            f"EPANET stopped after {times[max(row - 1, 0)] / 3600:.2f} h: {'; '.join(warnings.values())}"
        )
    flows = {
        leak.pipe: np.where(times > leak.start, leak.coefficient, 0.0)
        * np.sqrt(np.maximum(node_values["pressure"][:, node], 0.0))
        for leak, node in leaks
    }
    return Results(times, topology.nodes, topology.links, node_values, link_values, flows, tuple(warnings.values()))


def _open(engine: Engine, leaks: list[tuple[OrificeLeak, int]], now: int) -> None:
    for leak, node in leaks:
        if leak.start <= now:
            engine.open_leak(node, leak.coefficient)
