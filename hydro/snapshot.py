"""The hydraulic state of a run at one moment, apart from the engine that computed it.

It can be kept, pickled, and given to another engine with the same network: many ways on from one morning.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.changes import CHECK_VALVE, GPV, PIPE, PUMP, Changes, Key, Value
from hydro.errors import HydraulicError
from hydro.opened import OpenNetwork
from networks import Topology

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CLOSED = 2
_FIXED = (2, 3)  # closed and open; a valve without a setting is fixed so


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of a run.

    Attributes
    ----------
    network
        Fingerprint of the names of the network's nodes and links.
    time
        s since the run's beginning.
    level
        float64 [n_tanks], m above each tank's bottom.
    state
        int64 [n_links], EPANET's status code.
    setting
        float64 [n_links], in the INP's own units; 0 where a valve is fixed open or closed.
    changes
        What the run had changed by name, SI.
    """

    network: str
    time: int
    level: Floats
    state: Ints
    setting: Floats
    changes: dict[Key, Value]


def fingerprint(topology: Topology) -> str:
    """Fingerprint of the names of nodes and links."""
    names = "\n".join([*topology.nodes, "", *topology.links])
    return hashlib.sha256(names.encode()).hexdigest()


def capture(network: OpenNetwork, changes: Changes) -> Snapshot:
    """Take the state of the run that is under way."""
    tanks = network.tanks
    return Snapshot(
        network=fingerprint(network.topology),
        time=network.project.time("now"),
        level=(network.read("node", "head") - network.read("node", "elevation"))[tanks],
        state=network.read("link", "state").astype(np.int64),
        setting=network.read("link", "setting"),
        changes=dict(changes.made),
    )


def go_on_from(network: OpenNetwork, snapshot: Snapshot, changes: Changes, flows: int) -> None:
    """Begin a run at a snapshot's moment, in its state.

    Parameters
    ----------
    flows
        EPANET's flag: whether the iteration begins at its own initial flows or at those of the last solution.

    Raises
    ------
    HydraulicError
        If the snapshot is of another network.
    """
    if snapshot.network != fingerprint(network.topology):
        raise HydraulicError(
            f"{network.project.where}: the snapshot is of a network with other elements; put in the same leaks first"
        )
    project, topology = network.project, network.topology
    for node, level in zip(network.tanks.tolist(), snapshot.level.tolist(), strict=True):
        low, high = (network.value("node", node, key) for key in ("min_level", "max_level"))
        changes.put(("node", topology.nodes[node], "tank_level"), min(max(level, low), high))
    # EPANET's next report, to whose grid it returns after a tank's or a control's event, is a report step from the
    # beginning: let that be the one that follows the snapshot
    step = max(project.time("report_step"), 1)
    project.set_time("report_step", (snapshot.time // step + 1) * step)
    project.start(flows)
    project.set_time("report_step", step)
    project.set_time("now", snapshot.time)
    _set_links(network, snapshot)


def _set_links(network: OpenNetwork, snapshot: Snapshot) -> None:
    """Give every link the status and setting it had; what EPANET shut for a moment only is left to EPANET."""
    kinds, state, setting = network.link_types, snapshot.state, snapshot.setting
    present, present_setting = network.read("link", "state"), network.read("link", "setting")
    is_pipe = kinds == PIPE
    shut = state == _CLOSED
    for link in np.flatnonzero(is_pipe & (shut != (present == _CLOSED))).tolist():
        network.set_value("link", link, "status", float(not shut[link]))
    others = ~is_pipe & (kinds != CHECK_VALVE) & (kinds != GPV)
    for link in np.flatnonzero(others & ((state != present) | (setting != present_setting))).tolist():
        fixed = setting[link] == 0.0 and state[link] in _FIXED
        if fixed or (kinds[link] == PUMP and shut[link]):
            network.set_value("link", link, "status", float(not shut[link]))
        else:
            network.set_value("link", link, "setting", float(setting[link]))
    for link in np.flatnonzero((kinds == GPV) & (shut != (present == _CLOSED))).tolist():
        network.set_value("link", link, "status", float(not shut[link]))
