"""Parts of the network small enough to say where water leaves, and few enough to be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.districts import District
from networks import Topology

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PER_SENSOR = 4
_LEAST = 8


@dataclass(frozen=True, slots=True)
class Areas:
    """Areas of withdrawal: pieces of districts of about the same extent along the pipes.

    Attributes
    ----------
    spread
        float64 [n_junctions, n_areas], how a withdrawal from an area is spread over its junctions, by the pipe length
        that belongs to them; every column sums to 1.
    length
        float64 [n_areas], m of pipe.
    district
        int64 [n_areas].
    centre
        int64 [n_areas], the junction at its middle, as a position among the junctions.
    """

    spread: Floats
    length: Floats
    district: Ints
    centre: Ints

    def __len__(self) -> int:
        return len(self.length)

    def of(self, junction: int) -> int:
        """The area that a junction is in."""
        return int(np.argmax(self.spread[junction]))


def find_areas(topology: Topology, junctions: Ints, districts: tuple[District, ...], sensors: Ints) -> Areas:
    """Divide districts into areas, about four for each pressure sensor.

    Centres are chosen one after the other, each farthest along the pipes from those before (Gonzalez 1985), and every
    junction joins its nearest.

    Parameters
    ----------
    junctions
        int64 [n_junctions], node indices.
    sensors
        int64 [k], nodes with a pressure sensor.
    """
    half = np.zeros(len(topology.nodes))
    for end in (topology.start, topology.end):
        np.add.at(half, end, topology.length / 2.0)
    columns, lengths, numbers, centres = [], [], [], []
    for number, district in enumerate(districts):
        inside = district.junctions
        if len(inside) == 0 or half[junctions[inside]].sum() <= 0.0:
            continue
        count = min(len(inside), max(_LEAST, _PER_SENSOR * int(np.isin(junctions[inside], sensors).sum())))
        chosen, owner = _cover(topology, junctions[inside], count)
        for area, centre in enumerate(chosen):
            weight = np.where(owner == area, half[junctions[inside]], 0.0)
            if weight.sum() <= 0.0:
                continue
            column = np.zeros(len(junctions))
            column[inside] = weight / weight.sum()
            columns.append(column)
            lengths.append(weight.sum())
            numbers.append(number)
            centres.append(int(inside[centre]))
    return Areas(np.stack(columns, axis=1), np.array(lengths), np.array(numbers), np.array(centres))


def _cover(topology: Topology, nodes: Ints, count: int) -> tuple[list[int], Ints]:
    """Positions of centres among the nodes, and the number of the nearest for every node."""
    first = _from(topology, nodes, 0)
    chosen = [int(np.argmax(np.where(np.isfinite(first), first, -1.0)))]
    distance = _from(topology, nodes, chosen[0])
    owner = np.zeros(len(nodes), dtype=np.int64)
    while len(chosen) < count:
        chosen.append(int(np.argmax(distance)))
        new = _from(topology, nodes, chosen[-1])
        owner[new < distance] = len(chosen) - 1
        distance = np.minimum(distance, new)
    return chosen, owner


def _from(topology: Topology, nodes: Ints, at: int) -> Floats:
    distance: Floats = topology.distance_from_nodes(nodes[at : at + 1])[0, nodes]
    return distance
