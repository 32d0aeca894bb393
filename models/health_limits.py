"""What a detection cannot do, for lack of what."""

from __future__ import annotations

import numpy as np

from hydro.districts import District
from models.watch import Watch


def limits_of(watch: Watch) -> list[str]:
    """One sentence for each thing that the instruments do not allow."""
    model, topology = watch.model, watch.topology
    found = []
    if not model.pressure_sensors:
        found.append(
            "no pressure column: a leak shows in its district's night flow and balance alone; where in the district it "
            "is cannot be told"
        )
    if not model.flow_meters:
        found.append(
            "no flow column: no district has a balance and demand is the model's own; leaks show in pressures alone, "
            "and their size rests on the model"
        )
    elif not watch.channels.balances:
        found.append("no district is wholly measured: leaks show in pressures alone")
    open_ones = [d for d in model.districts if len(d.junctions) and not d.is_closed and model.flow_meters]
    found += [f"district {d.name}: no balance, for lack of {_lack(watch, d)}" for d in open_ones]
    inside = np.zeros(len(topology.nodes), dtype=bool)
    inside[model.sensor_nodes] = True
    for number, district in enumerate(model.districts):
        blind = model.pressure_sensors and not inside[model.engine.junctions[district.junctions]].any()
        if blind and number in watch.channels.balances:
            found.append(f"district {district.name}: no pressure sensor in it; a leak there has no place")
    return found


def _lack(watch: Watch, district: District) -> str:
    """What would close a district's balance."""
    engine, topology = watch.model.engine, watch.topology
    tanks = [topology.nodes[n] for n in district.tanks if topology.nodes[n] not in watch.model.level_sensors]
    if not district.meters:
        return "a flow meter at its boundary"
    if tanks:
        return f"the level of tank {', '.join(tanks)}"
    sources = [topology.nodes[int(n)] for n in np.flatnonzero(engine.node_types == 1)]
    return f"a meter behind {', '.join(sources)}" if sources else "meters at all of its boundary"
