"""What a detection cannot do, for lack of what."""

from __future__ import annotations

import numpy as np

from hydro.districts import District
from models.watch import Watch

NO_PRESSURE = (
    "no pressure column: a leak shows in its district's night flow and balance alone; where in the district it is "
    "cannot be told"
)
NO_FLOW = (
    "no flow column: no district has a balance and demand is the model's own; leaks show in pressures alone, and their "
    "size rests on the model"
)
NO_BALANCE = "no district is wholly measured: leaks show in pressures alone"
OPEN = "district {name}: no balance, for lack of {lack}"
BLIND = "district {name}: no pressure sensor in it; a leak there has no place"
NO_METER = "a flow meter at its boundary"
NO_LEVEL = "the level of tank {tanks}"
NO_SOURCE = "a meter behind {sources}"
NO_MORE = "meters at all of its boundary"
SENTENCES = (NO_PRESSURE, NO_FLOW, NO_BALANCE, OPEN, BLIND, NO_METER, NO_LEVEL, NO_SOURCE, NO_MORE)
"""Every sentence and its parts, with the names left out: reports tell them in other languages."""


def limits_of(watch: Watch) -> list[str]:
    """One sentence for each thing that the instruments do not allow."""
    model, topology = watch.model, watch.topology
    found = []
    if not model.pressure_sensors:
        found.append(NO_PRESSURE)
    if not model.flow_meters:
        found.append(NO_FLOW)
    elif not watch.channels.balances:
        found.append(NO_BALANCE)
    open_ones = [d for d in model.districts if len(d.junctions) and not d.is_closed and model.flow_meters]
    found += [OPEN.format(name=d.name, lack=_lack(watch, d)) for d in open_ones]
    inside = np.zeros(len(topology.nodes), dtype=bool)
    inside[model.sensor_nodes] = True
    for number, district in enumerate(model.districts):
        blind = model.pressure_sensors and not inside[model.engine.junctions[district.junctions]].any()
        if blind and number in watch.channels.balances:
            found.append(BLIND.format(name=district.name))
    return found


def _lack(watch: Watch, district: District) -> str:
    """What would close a district's balance."""
    engine, topology = watch.model.engine, watch.topology
    tanks = [topology.nodes[n] for n in district.tanks if topology.nodes[n] not in watch.model.level_sensors]
    if not district.meters:
        return NO_METER
    if tanks:
        return NO_LEVEL.format(tanks=", ".join(tanks))
    sources = [topology.nodes[int(n)] for n in np.flatnonzero(engine.node_types == 1)]
    return NO_SOURCE.format(sources=", ".join(sources)) if sources else NO_MORE
