"""Pressure of districts by the model: that of nodes weighted by their connections, hour by hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from models.nightflow import n1_of_favad, zone_pressure
from networks import Network
from networks.dma import Dma

Floats = NDArray[np.float64]

_DAY_S, _HOUR_S = 86_400, 3_600


@dataclass(frozen=True, slots=True)
class Zones:
    """What the model says of districts.

    Attributes
    ----------
    pressure
        District -> float64 [24], mean in each hour of the model's second day at the average zone point, m.
    n1
        District -> exponent of its leakage at its mean pressure (FAVAD), where the network's leakage is known.
    tank_area
        Tank -> m2.
    tank_place
        Tank -> its node.
    ends
        Link -> its start and end node.
    homes
        Nodes with connections; all junctions where nobody has counted them.
    """

    pressure: dict[str, Floats]
    n1: dict[str, float]
    tank_area: dict[str, float]
    tank_place: dict[str, int]
    ends: dict[str, tuple[int, int]]
    homes: tuple[str, ...]


def model_zones(network: Network, dmas: Sequence[Dma]) -> Zones:
    """Run two days of the model and take the second."""
    with Engine(network) as engine:
        topology = engine.topology
        weight = _connections(network, topology.nodes)
        engine.duration = 2 * _DAY_S
        times, seconds, rows = [], [], []
        engine.start()
        while True:
            times.append(engine.solve())
            rows.append(engine.read("node", "pressure"))
            seconds.append(engine.advance())
            if seconds[-1] <= 0:
                break
        start = engine.clock_start
        tanks = {topology.nodes[k]: k for k in engine.tanks.tolist()}
        areas = {name: engine.tank_area(k) for name, k in tanks.items()}
    pressure, lasts = np.array(rows), np.array(seconds, dtype=np.float64)
    second_day = (np.array(times) >= _DAY_S) & (lasts > 0.0)
    hour = (np.array(times) + start) // _HOUR_S % 24
    found: dict[str, Floats] = {}
    for dma in dmas:
        inside = weight[dma.nodes]
        if inside.sum() <= 0.0:  # nobody has counted connections: all junctions alike
            inside = topology.is_junction[dma.nodes].astype(np.float64)
        zone = zone_pressure(pressure[:, dma.nodes], inside)
        found[dma.name] = np.array(
            [np.average(zone[at], weights=lasts[at]) if (at := second_day & (hour == h)).any() else np.nan
             for h in range(24)]
        )  # fmt: skip
    ends = {name: (int(a), int(b)) for name, a, b in zip(topology.links, topology.start, topology.end, strict=True)}
    exponents = _exponents(network, dmas, ends, topology.length, topology.link_index, found)
    counted = weight > 0.0 if (weight > 0.0).any() else topology.is_junction
    homes = tuple(topology.nodes[k] for k in np.flatnonzero(counted))
    return Zones(found, exponents, areas, tanks, ends, homes)


def _connections(network: Network, names: Sequence[str]) -> Floats:
    weight = np.zeros(len(names))
    if network.nodes is not None:
        place = {name: k for k, name in enumerate(names)}
        for node, count in zip(network.nodes["node"], network.nodes["connections"], strict=True):
            weight[place[str(node)]] = float(count)
    return weight


def _exponents(
    network: Network,
    dmas: Sequence[Dma],
    ends: dict[str, tuple[int, int]],
    length: Floats,
    place: dict[str, int],
    pressure: dict[str, Floats],
) -> dict[str, float]:
    """N1 of each district's leakage: both of its ends inside, areas summed."""
    if network.leakage is None:
        return {}
    found = {}
    for dma in dmas:
        inside = set(dma.nodes.tolist())
        area = growth = 0.0
        for pipe, per_100m, more in zip(
            network.leakage.pipes, network.leakage.area_mm2, network.leakage.expansion_mm2, strict=True
        ):
            if all(end in inside for end in ends[pipe]):
                metres = float(length[place[pipe]])
                area += float(per_100m) * metres
                growth += float(more) * metres
        mean = float(np.nanmean(pressure[dma.name]))
        if area + growth > 0.0:
            found[dma.name] = n1_of_favad(mean, area, growth)
    return found
