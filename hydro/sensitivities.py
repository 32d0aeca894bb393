"""`hydro.sensitivity`: what a leak at each node, and each pipe's roughness, does to the sensors, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.library import LibraryName
from hydro.linearised import Linearised
from hydro.scenario import PressureDriven
from networks import Network
from networks.whole import whole_file

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ACCURACY = 1e-4  # EPANET's criterion of convergence; L-Town's own 0.01 leaves a state that solves no equation


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Derivatives of sensors along a run, at the report steps.

    A leak is an outflow that does not follow the pressure, in the first instant: tanks keep their levels, pumps and
    valves the state that they are in.

    Attributes
    ----------
    times
        int64 [n_steps], s.
    sensors, links
        Nodes whose pressure and links whose flow is measured.
    nodes, pipes
        Names of all nodes and of all pipes.
    dpressure_dleak
        float64 [n_steps, n_sensors, n_nodes], m per m3/s; 0 at tanks and reservoirs.
    dpressure_droughness
        float64 [n_steps, n_sensors, n_pipes], m per unit of the roughness coefficient in the network's law:
        Hazen-Williams C, Darcy-Weisbach m, Manning n. None where it was not asked for.
    dflow_dleak, dflow_droughness
        The same for the metered links, m3/s per m3/s and m3/s per unit.
    cut_off
        bool [n_steps, n_nodes], nodes that only closed links join to a tank, a reservoir or a valve that holds a head:
        EPANET gives them a head all the same, which has no meaning; nor has what is derived from it.
    """

    times: Ints
    sensors: tuple[str, ...]
    links: tuple[str, ...]
    nodes: tuple[str, ...]
    pipes: tuple[str, ...]
    dpressure_dleak: Floats
    dpressure_droughness: Floats | None
    dflow_dleak: Floats
    dflow_droughness: Floats | None
    cut_off: Bools


def sensitivity(
    network: Network | WaterNetworkModel | Path | str,
    sensors: Sequence[str],
    links: Sequence[str] = (),
    hours: float | None = None,
    *,
    roughness: bool = True,
    pressure_driven: bool = False,
    library: LibraryName = "2.3",
    progress: Callable[[float], None] | None = None,
) -> Sensitivity:
    """Differentiate pressures and flows by leaks and roughnesses at every report step of a run.

    Parameters
    ----------
    network
        What `Engine` accepts.
    sensors
        Names of nodes.
    links
        Names of links with a flow meter.
    hours
        Length of the run; by default the model's own.
    roughness
        Whether the derivatives by roughness are wanted.
    pressure_driven
        Deliver less where the pressure is below 20 m, as in `hydro.run.run`.
    library
        EPANET "2.3" or WNTR's "2.2".
    progress
        Called with the share that is done.

    Raises
    ------
    UnknownElement
        If the network has no such node or link.
    HydraulicError
        If no sensor is given, if EPANET stops before the end, or if the answer does not fit into memory.
    """
    if not (len(sensors) or len(links)):
        raise HydraulicError("no sensor is given: name at least one node")
    with Engine(network, library) as engine:
        topology = engine.topology
        nodes = np.array([topology.node(name) for name in sensors], dtype=np.int64)
        meters = np.array([topology.link(name) for name in links], dtype=np.int64)
        if pressure_driven:
            driven = PressureDriven()
            engine.set_pressure_driven(driven.minimum, driven.required, driven.exponent)
        engine.set_hours(hours)
        engine.set_accuracy(min(engine.accuracy, _ACCURACY))
        return _along(engine, nodes, meters, roughness, progress)


def _along(
    engine: Engine, nodes: Ints, meters: Ints, roughness: bool, progress: Callable[[float], None] | None
) -> Sensitivity:
    topology, step, duration = engine.topology, max(engine.report_step, 1), engine.duration
    count, n = duration // step + 1, len(nodes)
    pipes = topology.pipes
    try:
        by_leak = np.empty((count, n + len(meters), len(topology.nodes)))
        by_roughness = np.empty((count, n + len(meters), len(pipes) if roughness else 0))
    except MemoryError as error:
        raise HydraulicError(
            f"{count} steps of {n + len(meters)} sensors and {len(topology.nodes)} nodes do not fit into memory: "
            "take fewer hours or sensors"
        ) from error
    cut_off = np.empty((count, len(topology.nodes)), dtype=np.bool_)
    linearised, row = None, 0
    for now in engine.steps():
        if now == row * step and row < count:
            linearised = linearised or Linearised(engine)
            linearised.update(engine)
            linearised.adjoint(nodes, meters, by_leak[row])
            if roughness:
                by_roughness[row] = _by_roughness(linearised, by_leak[row], meters, n)
            cut_off[row] = linearised.cut_off()
            row += 1
        if progress is not None and duration:
            progress(now / duration)
    if row < count:
        raise HydraulicError(f"EPANET stopped after {(row - 1) * step / 3600:.2f} h: {engine.describe_warning()}")
    np.subtract(0.0, by_leak, out=by_leak)  # a leak is the contrary of an inflow; no zero turns into -0
    return Sensitivity(
        np.arange(count, dtype=np.int64) * step,
        tuple(topology.nodes[k] for k in nodes.tolist()), tuple(topology.links[k] for k in meters.tolist()),
        topology.nodes, tuple(topology.links[k] for k in pipes.tolist()),
        by_leak[:, :n], by_roughness[:, :n] if roughness else None,
        by_leak[:, n:], by_roughness[:, n:] if roughness else None, cut_off,
    )  # fmt: skip


def _by_roughness(linearised: Linearised, adjoint: Floats, meters: Ints, first: int) -> Floats:
    pipes = linearised.topology.pipes
    per_log = linearised.by_resistance(adjoint, meters, first)[:, pipes]
    return np.asarray(per_log * (linearised.power[pipes] / linearised.roughness))


def write_sensitivity(result: Sensitivity, path: Path) -> None:
    """Write derivatives as NumPy's `.npz`: the fields of `Sensitivity` that are there, under their names.

    Raises
    ------
    HydraulicError
        If the file cannot be written.
    """
    arrays = {
        "times": result.times, "sensors": np.array(result.sensors), "nodes": np.array(result.nodes),
        "dpressure_dleak": result.dpressure_dleak, "cut_off": result.cut_off,
    }  # fmt: skip
    if result.links:
        arrays |= {"links": np.array(result.links), "dflow_dleak": result.dflow_dleak}
    if result.dpressure_droughness is not None:
        arrays |= {"pipes": np.array(result.pipes), "dpressure_droughness": result.dpressure_droughness}
    if result.links and result.dflow_droughness is not None:
        arrays["dflow_droughness"] = result.dflow_droughness
    try:
        with whole_file(path) as temporary:
            np.savez(temporary, **arrays)  # type: ignore[arg-type]  # the stubs take every name for allow_pickle
    except OSError as error:
        raise HydraulicError(f"{path}: cannot be written: {error.strerror or error}") from error


def check_npz(path: Path) -> None:
    """Refuse a file that could not be written, before the work.

    Raises
    ------
    HydraulicError
        If its ending is not .npz or its folder does not exist.
    """
    if path.suffix != ".npz":
        raise HydraulicError(f"{path}: end the file's name in .npz")
    if not path.resolve().parent.is_dir():
        raise HydraulicError(f"{path}: its folder does not exist; make it first")
