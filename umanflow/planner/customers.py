"""Who is to have water, and how much head he is due."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from networks import Network, Topology
from umanflow.planner.pressure import Norm
from umanflow.planner.simulation import Day

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Customers:
    """Nodes with customers.

    Attributes
    ----------
    at
        int64 [n], nodes.
    due
        float64 [n], free head by storeys, m.
    connections
        float64 [n]; one each where nobody has counted them.
    counted
        Whether connections are known.
    """

    at: Ints
    due: Floats
    connections: Floats
    counted: bool


def customers_of(network: Network, topology: Topology, day: Day, norm: Norm) -> Customers:
    """Nodes with connections of the network's table, or else those that take water, each due one storey's head."""
    if network.nodes is not None:
        homes = network.nodes[network.nodes["connections"] > 0]
        at = np.array([topology.node(str(n)) for n in homes["node"]], dtype=np.int64)
        return Customers(
            at, norm.head(homes["storeys"].to_numpy()), homes["connections"].to_numpy().astype(np.float64), True
        )
    at = np.flatnonzero(day.demand_m3d > 0.0).astype(np.int64)
    return Customers(at, np.full(len(at), norm.first), np.ones(len(at)), False)
