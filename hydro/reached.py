"""Nodes whose head means something: open links join them to where a head is given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hydro.contents import demand_model
from hydro.engine import Engine

_PRV, _PSV, _SHUT, _ACTIVE = 3, 4, 2, 4


def reached(engine: Engine, now: int) -> NDArray[np.bool_]:
    """Whether open links join each node to where a head is given: a source, a held node, an outlet under pressure.

    Parameters
    ----------
    engine
        With a moment solved.
    now
        That moment, s.

    Returns
    -------
    bool [n_nodes]
    """
    topology, kind = engine.topology, engine.link_types
    status = engine.read("link", "state")
    holds = np.isin(kind, (_PRV, _PSV)) & (status == _ACTIVE)
    is_open = (status > _SHUT) & ~holds
    given = ~topology.is_junction
    given[np.where(kind == _PRV, topology.end, topology.start)[holds]] = True
    given |= (engine.read("node", "emitter") > 0.0) & topology.is_junction
    if engine.leaks:
        leaking = (engine.read("link", "leak_area") > 0.0) | (engine.read("link", "leak_expansion") > 0.0)
        given[topology.start[leaking]] = given[topology.end[leaking]] = True
    if demand_model(engine.project)[0]:
        given[engine.junctions] |= engine.demand_at(now) > 0.0
    size = len(topology.nodes)
    joins = coo_array((np.ones(is_open.sum()), (topology.start[is_open], topology.end[is_open])), shape=(size, size))
    part = connected_components(joins, directed=False)[1]
    return np.isin(part, part[given])
