"""What the fast solver does not know how to do: such a network is EPANET's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hydro.engine import Engine
from networks import Network

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

_PRV, _PSV, _FCV = 3, 4, 6
_TOLERANCES = ("HTOL", "QTOL", "RQTOL")


def doubts(engine: Engine, network: Network | WaterNetworkModel) -> str:
    """Say why a network is not for the fast solver.

    Returns
    -------
    One line, or nothing if it is.
    """
    if engine.project.count("rules"):
        return "the network has rules"
    if isinstance(network, Network) and not network.is_changed:
        for name in _TOLERANCES:
            if network.document.option(name):
                return f"the network sets EPANET's {name}"
    for link in engine.pumps.tolist():
        if engine.project.get("link", link, "power") > 0.0:
            # head times flow is given: more than one state may satisfy that, and which EPANET finds hangs on its path
            return f"pump {engine.topology.links[link]} is of constant power"
    kind, start, end = engine.link_types, engine.topology.start, engine.topology.end
    regulating = np.flatnonzero(np.isin(kind, (_PRV, _PSV, _FCV)))
    for link in regulating.tolist():
        # EPANET's balance of a node that a valve holds leaves out the flow of another such valve there
        held = {_PRV: end[link], _PSV: start[link]}.get(int(kind[link]), -1)
        others = regulating[regulating != link]
        if held >= 0 and bool(np.any((start[others] == held) | (end[others] == held))):
            node, valve = engine.topology.nodes[held], engine.topology.links[link]
            return f"another valve joins node {node}, which valve {valve} holds"
    return ""
