"""What a leak at each node, or a rougher pipe, does to the instruments: implicit derivatives of the hydraulics.

At a solved state the equations of the global gradient method (Todini and Pilati 1988; EPANET 2.2 manual, chapter 12)
are linearised: with p = dq/dh of every link, continuity at the free nodes reads A dH = -dd, where A is the weighted
Laplacian of the p. One factorisation and one adjoint solve per instrument give its derivative by the demand of every
node and the resistance of every pipe.

An active PRV holds the head behind it, so that head is no unknown; what flows through it is what the nodes behind
it take, so its downstream row is added to its upstream row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import splu

from hydro.engine import Engine
from hydro.headloss import friction

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CV, _PIPE, _PUMP, _PRV, _PSV = 0, 1, 2, 3, 4
_OPEN_VALVE_GRADIENT = 1e-3  # m per m3/s: a valve that is open and takes next to nothing
_HELD_M = 1e-3
_CLOSED = 1e-12  # conductance that keeps a cut-off node's row regular


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Derivatives of instruments at one state.

    Attributes
    ----------
    by_demand
        float64 [n_nodes, n_instruments], m per m3/s for pressures and m3/s per m3/s for flows.
    by_resistance
        float64 [n_links, n_instruments], by the natural logarithm of a pipe's resistance; 0 for pumps and valves.
    """

    by_demand: Floats
    by_resistance: Floats


def sensitivity(engine: Engine, nodes: Ints, links: Ints) -> Sensitivity:
    """Differentiate the state that the engine has just solved.

    Parameters
    ----------
    engine
        After `solve`.
    nodes
        int64 [k], nodes whose pressure is measured.
    links
        int64 [m], links whose flow is measured.

    Returns
    -------
    Sensitivity
        Instruments in the order nodes, links.

    Notes
    -----
    A running pump's slope is taken as half its head over its flow where EPANET gives no closed form: within a few
    tens of per cent of a pump curve's. Pumps whose flow is measured are no part of a driven model.
    """
    topology = engine.topology
    n, start, end = len(topology.nodes), topology.start, topology.end
    loss, conductance = _links(engine)
    fixed = ~topology.is_junction
    active = _active_prvs(engine)
    # row in which a node's continuity stands: its own, or that of the node upstream of its PRV
    row = np.arange(n)
    for link in active:
        row[row == row[end[link]]] = row[start[link]]
        fixed[end[link]] = True
    conductance[active] = 0.0
    free = np.flatnonzero(~fixed)
    place = np.full(n, -1, dtype=np.int64)
    place[free] = np.arange(len(free))
    matrix = _matrix(row, place, start, end, conductance, len(free))
    factor = splu(matrix)
    wanted = _instruments(place, start, end, conductance, active, nodes, links, len(free))
    adjoint = np.zeros((n + 1, wanted.shape[1]))
    adjoint[free] = factor.solve(wanted, "T")  # type: ignore[call-overload]  # the stubs know no transpose
    # a change of demand enters at the row in which the node's continuity stands; fixed heads take anything
    seen = np.where(place[row] >= 0, row, n)
    by_demand = -adjoint[seen]
    drive = (conductance * loss)[:, None]
    by_resistance = drive * (adjoint[seen[start]] - adjoint[seen[end]])
    _add_direct(by_demand, by_resistance, links, active, start, end, drive, len(nodes))
    return Sensitivity(by_demand[:n], by_resistance)


def _links(engine: Engine) -> tuple[Floats, Floats]:
    """Friction loss, m, and conductance dq/dh, m2/s, of every link."""
    flow, kinds = engine.read("link", "flow"), engine.link_types
    is_pipe = engine.topology.is_pipe
    loss, gradient = np.zeros_like(flow), np.full_like(flow, _OPEN_VALVE_GRADIENT)
    read = {name: engine.read("link", name)[is_pipe] for name in ("length", "diameter", "roughness", "minor_loss")}
    loss[is_pipe], gradient[is_pipe] = friction(
        flow[is_pipe], read["length"], read["diameter"], engine.roughness_si(read["roughness"]),
        read["minor_loss"], engine.headloss_law,
    )  # fmt: skip
    head = engine.read("node", "head")
    drop = np.abs(head[engine.topology.start] - head[engine.topology.end])
    others = ~is_pipe & (np.abs(flow) > 1e-9)
    factor = np.where(kinds == _PUMP, 0.5, 2.0)
    gradient[others] = np.maximum((factor * drop)[others] / np.abs(flow[others]), _OPEN_VALVE_GRADIENT)
    # EPANET: status 0 and below closed; a check valve shows closed too
    shut = engine.read("link", "status") <= 0
    return loss, np.where(shut, _CLOSED, 1.0 / gradient)


def _active_prvs(engine: Engine) -> Ints:
    """PRVs that hold their set-point: the pressure behind them is the setting, and lower than before them."""
    head, pressure = engine.read("node", "head"), engine.read("node", "pressure")
    start, end = engine.topology.start, engine.topology.end
    setting = engine.read("link", "setting") * engine.pressure_unit
    held = np.abs(pressure[end] - setting) < _HELD_M
    lowered = (head[start] - head[end] > 1e-4) & (engine.read("link", "flow") > 1e-9)
    return np.flatnonzero((engine.link_types == _PRV) & held & lowered).astype(np.int64)


def _matrix(row: Ints, place: Ints, start: Ints, end: Ints, conductance: Floats, size: int) -> csc_array:
    """The Laplacian of free nodes: rows are continuity, columns heads."""
    rows, columns, values = [], [], []
    for here, there in ((start, end), (end, start)):
        r = place[row[here]]
        for column, sign in ((place[here], 1.0), (place[there], -1.0)):
            keep = (r >= 0) & (column >= 0)
            rows.append(r[keep])
            columns.append(column[keep])
            values.append(sign * conductance[keep])
    diagonal = np.arange(size)
    rows.append(diagonal)
    columns.append(diagonal)
    values.append(np.full(size, _CLOSED))
    return csc_array(
        coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(size, size))
    )


def _instruments(
    place: Ints, start: Ints, end: Ints, conductance: Floats, active: Ints, nodes: Ints, links: Ints, size: int
) -> Floats:
    """Derivative of each instrument by the free heads, float64 [size, n_instruments]."""
    wanted = np.zeros((size, len(nodes) + len(links)))
    for column, node in enumerate(nodes.tolist()):
        if place[node] >= 0:
            wanted[place[node], column] = 1.0
    for column, link in enumerate(links.tolist(), start=len(nodes)):
        for other, node, sign in _passing(link, start, end, active):
            if place[node] >= 0:
                wanted[place[node], column] += sign * conductance[other]
    return wanted


def _passing(link: int, start: Ints, end: Ints, active: Ints) -> list[tuple[int, int, float]]:
    """What a link's flow depends on: (link, node, sign) so that flow = sum of sign x conductance x head + demands.

    A pipe's flow is its own. An active PRV passes what leaves the nodes whose head it and the PRVs after it hold.
    """
    if link not in active:
        return [(link, int(start[link]), 1.0), (link, int(end[link]), -1.0)]
    terms = []
    for node in _held_by(link, start, end, active):
        for other in np.flatnonzero((start == node) | (end == node)).tolist():
            if other not in active:
                away = int(end[other] if start[other] == node else start[other])
                terms += [(other, int(node), 1.0), (other, away, -1.0)]
    return terms


def _held_by(link: int, start: Ints, end: Ints, active: Ints) -> list[int]:
    """Nodes whose head is held by an active PRV or by those that follow it directly."""
    held = [int(end[link])]
    for node in held:
        held += [int(end[k]) for k in active.tolist() if start[k] == node and int(end[k]) not in held]
    return held


def _add_direct(
    by_demand: Floats,
    by_resistance: Floats,
    links: Ints,
    active: Ints,
    start: Ints,
    end: Ints,
    drive: Floats,
    first: int,
) -> None:
    """What changes a metered flow beside the heads: a pipe's own resistance, demand at a head that a PRV holds."""
    for column, link in enumerate(links.tolist(), start=first):
        if link not in active:
            by_resistance[link, column] -= drive[link, 0]
            continue
        for node in _held_by(link, start, end, active):
            by_demand[node, column] += 1.0
            for other in np.flatnonzero((start == node) | (end == node)).tolist():
                if other not in active:
                    by_resistance[other, column] -= drive[other, 0] * (1.0 if start[other] == node else -1.0)
