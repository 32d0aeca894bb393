"""Districts of a network: its tables, its meters and its hydraulics joined."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from hydro.engine import Engine
from networks import Network
from networks.closed import closed_links
from networks.dma import Boundary, Consumption, Dma, districts_of, find_dmas

_HOUR_S = 3600


def find_districts(network: Network, meters: Collection[str] = ()) -> list[Dma]:
    """Districts of a network's table of nodes; without one those that its meters cut out.

    Parameters
    ----------
    network
        The network. Demand is the mean over its duration, a day at least.
    meters
        Metered links beside those of the network's table of instruments.

    Raises
    ------
    UnknownElement
        If the network has no such meter, or a table names what the network has not.
    """
    with Engine(network) as engine:
        topology = engine.topology
        for meter in meters:
            topology.link(meter)
        demand = np.zeros(len(topology.nodes))
        hours = max(24, engine.duration // _HOUR_S)
        demand[engine.junctions] = np.mean([engine.demand_at(hour * _HOUR_S) for hour in range(hours)], axis=0)
        reservoirs = [topology.nodes[k] for k in np.flatnonzero(engine.node_types == 1)]
    sensors, nodes = network.sensors, network.nodes
    metered = set(meters)
    if sensors is not None:
        metered |= {str(link) for link in sensors.loc[sensors["quantity"] == "flow", "element"]}
    boundary = Boundary(frozenset(metered), closed_links(network))
    if nodes is None:
        return districts_of(topology, boundary, reservoirs, Consumption(demand))
    connections = np.zeros(len(topology.nodes), dtype=np.int64)
    connections[[topology.node(str(name)) for name in nodes["node"]]] = nodes["connections"].to_numpy()
    dma_of = {str(node): str(dma) for node, dma in zip(nodes["node"], nodes["dma"], strict=True)}
    return find_dmas(topology, dma_of, boundary, Consumption(demand, connections))
