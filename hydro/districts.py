"""Cutting a network at its flow meters: districts, and links that a measured flow stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine

Ints = NDArray[np.int64]

_PUMP, _FLOW_CONTROL = 2, 6


@dataclass(frozen=True, slots=True)
class District:
    """A part of the network bounded by flow meters.

    Attributes
    ----------
    name
        Its inlets' names joined, or its only node's.
    junctions
        int64 [k], positions among the network's junctions.
    meters, signs
        Metered links at its boundary and +1 where their positive flow enters, -1 where it leaves.
    tanks
        Its tanks' node indices.
    is_closed
        Whether everything that crosses its boundary is measured.
    """

    name: str
    junctions: Ints
    meters: tuple[str, ...]
    signs: tuple[int, ...]
    tanks: tuple[int, ...]
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Replaced:
    """Links that a meter's flow stands for: they are closed, and nodes take their share of the flow instead."""

    meter: int
    links: tuple[int, ...]
    takes: tuple[tuple[int, float], ...]


def find_districts(engine: Engine, flow_meters: Sequence[str], level_sensors: Sequence[str]) -> tuple[District, ...]:
    """Cut a network at its flow meters and at what is closed in its file.

    Parameters
    ----------
    engine
        Just opened.
    flow_meters, level_sensors
        Metered links, and tanks whose level is known.
    """
    topology = engine.topology
    boundary = np.isin(np.array(topology.links, dtype=object), flow_meters)
    closed = engine.read("link", "init_status") == 0
    is_pump = engine.link_types == _PUMP
    # a pump that is off in the file may run; a closed pipe or valve is a boundary
    labels = topology.districts(boundary | (closed & ~is_pump))
    position = np.full(len(topology.nodes), -1, dtype=np.int64)
    position[engine.junctions] = np.arange(len(engine.junctions))
    found: list[District] = []
    for label in np.unique(labels[engine.junctions]):
        members = np.flatnonzero(labels == label)
        meters, signs = [], []
        for name in flow_meters:
            k = topology.link_index[name]
            enters = int(labels[topology.end[k]] == label) - int(labels[topology.start[k]] == label)
            if enters:
                meters.append(name)
                signs.append(enters)
        tanks = tuple(int(n) for n in members if engine.node_types[n] == 2)
        reservoirs = [n for n in members if engine.node_types[n] == 1]
        unseen = [n for n in tanks if topology.nodes[n] not in level_sensors]
        inside = position[members]
        first = topology.nodes[int(members[0])]
        name = "+".join(m for m, s in zip(meters, signs, strict=True) if s > 0) or "+".join(meters) or first
        found.append(
            District(
                name=name if name not in {d.name for d in found} else f"{name} at {first}",
                junctions=inside[inside >= 0],
                meters=tuple(meters),
                signs=tuple(signs),
                tanks=tanks,
                is_closed=bool(meters) and not reservoirs and not unseen,
            )
        )
    return tuple(found)


def replacement(engine: Engine, meter: int, is_shut: bool) -> Replaced | None:
    """What a metered link's flow takes the place of; None where the model finds the flow itself."""
    topology, kinds = engine.topology, engine.link_types
    ends = (int(topology.start[meter]), int(topology.end[meter]))
    if kinds[meter] == _PUMP or is_shut:
        return Replaced(meter, (meter,), ((ends[0], 1.0), (ends[1], -1.0)))
    for near, far, sign in ((*ends, -1.0), (*ends[::-1], 1.0)):
        touching = np.flatnonzero((topology.start == near) | (topology.end == near))
        pumps = [int(k) for k in touching if k != meter]
        if topology.is_junction[near] and pumps and np.isin(kinds[pumps], (_PUMP, _FLOW_CONTROL)).all():
            others = [int(topology.start[k] + topology.end[k] - near) for k in pumps]
            inflow = ((far, sign), *((node, -sign / len(pumps)) for node in others))
            return Replaced(meter, (meter, *pumps), inflow)
    return None
