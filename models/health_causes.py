"""What each fault would do to the channels: one sensor off, a meter, a tank's level, a valve closed or opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from hydro.derivatives import derivatives
from hydro.drive import Drive
from models.frame import typical_rows
from models.health import LEVEL, METER, OFFSET, OPEN, VALVE

if TYPE_CHECKING:
    from models.watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_VALVES = 1200
# in some channel, standard deviations of a block and m: a closure that does less is none to be told
_VISIBLE, _VISIBLE_M = 2.0, 0.015
_APART_M, _MOST_BOUNDARIES = 100.0, 60
_LEVEL_M, _METER_SHARE = 0.1, 0.05


@dataclass(frozen=True, slots=True)
class Cause:
    """One fault that there may be.

    Attributes
    ----------
    element, quantity, kind
        See `models.health.Fault`.
    template, curve
        float64 [n_channels], what a unit of it does to the residuals, and how that changes with its size.
    unit
        Of its size.
    channel
        The only channel that it touches, or None.
    """

    element: str
    quantity: str
    kind: str
    template: Floats
    curve: Floats
    unit: str
    channel: int | None = None

    def effect(self, size: float) -> Floats:
        """What it does at a size, float64 [n_channels]."""
        return size * self.template + 0.5 * size**2 * self.curve


def instrument_causes(watch: Watch) -> list[Cause]:
    """Every instrument that may be off."""
    model, channels = watch.model, watch.channels
    n, n_pressures = len(channels.names), channels.n_pressures
    driving = {m for d in model.districts if d.is_closed for m in d.meters}
    found = []
    for k, name in enumerate(channels.names[: len(channels.picked)]):
        if k < n_pressures or name not in driving:
            quantity, unit = ("pressure", "m") if k < n_pressures else ("flow", "m3/s")
            found.append(Cause(name, quantity, OFFSET, np.eye(n)[k], np.zeros(n), unit, k))
    rows = typical_rows(watch.typical.demand.sum(axis=1), np.arange(len(watch.typical.times)))
    drive = watch.typical.rows(rows)
    found += [Cause(m, "flow", METER, *_meter(watch, drive, m), "m3/s") for m in sorted(driving)]
    found += [Cause(name, "level", LEVEL, t, np.zeros_like(t), "m") for name, t in _levels(watch, drive)]
    return [*found, *boundary_causes(watch)]


def _meter(watch: Watch, drive: Drive, meter: str) -> tuple[Floats, Floats]:
    """What a meter that shows too much does: its districts' demands are driven up or down by it.

    Returns
    -------
    template, curve : float64 [n_channels], first and second derivative of the residuals by what it shows too much.
    """
    channels, n = watch.channels, len(watch.channels.picked)
    step = max(_METER_SHARE * watch.mean_flow(meter), 1e-5)
    low, middle, high = (_driven(watch, drive, meter, k * step)[channels.picked] for k in (-1.0, 0.0, 1.0))
    template, curve = np.zeros(len(channels.names)), np.zeros(len(channels.names))
    template[:n] = -np.nan_to_num(high - low) / (2.0 * step)
    curve[:n] = -np.nan_to_num(high + low - 2.0 * middle) / step**2
    for column, number in enumerate(channels.balances, start=n):
        district = watch.model.districts[number]
        if meter in district.meters:
            template[column] += district.signs[district.meters.index(meter)]
    if meter in channels.names:
        template[channels.names.index(meter)] += 1.0
    return template, curve


def _driven(watch: Watch, drive: Drive, meter: str, more: float) -> Floats:
    """Mean expected values where a meter shows more, float64 [n_instruments]."""
    demand, pump_flow = drive.demand.copy(), drive.pump_flow.copy()
    for district in watch.model.districts:
        inside = district.junctions
        if district.is_closed and meter in district.meters and len(inside):
            total = demand[:, inside].sum(axis=1)
            sign = district.signs[district.meters.index(meter)]
            demand[:, inside] *= (1.0 + np.where(np.abs(total) > 1e-9, sign * more / total, 0.0))[:, None]
    for column, link in enumerate(watch.model.pumps.tolist()):
        if watch.topology.links[link] == meter:
            pump_flow[:, column] += more
    expected: Floats = np.hstack(watch.model.expect(replace(drive, demand=demand, pump_flow=pump_flow))).mean(axis=0)
    return expected


def _levels(watch: Watch, drive: Drive) -> list[tuple[str, Floats]]:
    """What a level that shows a metre too much does to the residuals."""
    model, channels = watch.model, watch.channels
    base = np.hstack(model.expect(drive))
    found = []
    for k, name in enumerate(model.level_sensors):
        level = drive.level.copy()
        level[:, k] -= _LEVEL_M
        moved = (base - np.hstack(model.expect(replace(drive, level=level)))) / _LEVEL_M
        template = np.zeros(len(channels.names))
        template[: len(channels.picked)] = -np.nan_to_num(moved.mean(axis=0))[channels.picked]
        if np.abs(template).max() > 0.0:
            found.append((name, template))
    return found


def boundary_causes(watch: Watch) -> list[Cause]:
    """Places where water may pass from one district to another unmeasured, if somebody opened a valve there.

    Pipes between districts that are closed in the model, and pairs of nodes of two districts that lie close together.
    """
    topology, junctions = watch.topology, watch.model.engine.junctions
    number = np.full(len(topology.nodes), -1)
    for k, district in enumerate(watch.model.districts):
        if district.is_closed:
            number[junctions[district.junctions]] = k
    is_open = watch.model.engine.read("link", "init_status") != 0
    found: dict[tuple[int, int], str] = {}
    for link in np.flatnonzero(~is_open & topology.is_pipe).tolist():
        a, b = int(topology.start[link]), int(topology.end[link])
        if min(number[a], number[b]) >= 0 and number[a] != number[b]:
            found[a, b] = topology.links[link]
    near = []
    inside = np.flatnonzero((number >= 0) & np.isfinite(topology.xy).all(axis=1))
    metered = {watch.topology.link(m) for m in watch.model.flow_meters}
    joined = {frozenset((int(topology.start[k]), int(topology.end[k]))) for k in metered}
    for a in inside.tolist():
        others = inside[number[inside] > number[a]]
        away = np.hypot(*(topology.xy[others] - topology.xy[a]).T)
        close = np.flatnonzero(away <= _APART_M).tolist()
        near += [(float(away[k]), a, int(others[k])) for k in close if frozenset((a, int(others[k]))) not in joined]
    for _, a, b in sorted(near)[:_MOST_BOUNDARIES]:
        found.setdefault((a, b), f"{topology.nodes[a]}-{topology.nodes[b]}")
    causes = []
    for (a, b), name in found.items():
        template = watch.node_response[a] - watch.node_response[b]
        causes.append(Cause(name, "pipe", OPEN, template, np.zeros_like(template), "m3/s"))
    return causes


def valve_causes(watch: Watch) -> list[Cause]:
    """Pipes whose closing would be seen: ranked by the flow that would have to go round, then closed and solved.

    The ranking leaves out how much the way round costs, which may be many times what the pipe did: it only says which
    come first where a network has more pipes than can be closed one by one.
    """
    model, engine, topology = watch.model, watch.model.engine, watch.topology
    rows = typical_rows(watch.typical.demand.sum(axis=1), np.arange(len(watch.typical.times)))
    drive = watch.typical.rows(rows)
    deviation = np.sqrt(np.diag(watch.noise.white))[: len(watch.channels.picked)]
    first = np.zeros((len(watch.pipes), len(watch.channels.picked)))
    model.forget()
    for row in range(len(rows)):
        model.impose(drive, row)
        model.solve()
        flow = engine.read("link", "flow")[watch.pipes]
        by_demand = derivatives(engine, model.sensor_nodes, model.meter_links).by_demand[:, watch.channels.picked]
        # what the pipe carried is missing at its end and left over at its beginning; it finds its way round
        moved = by_demand[topology.end[watch.pipes]] - by_demand[topology.start[watch.pipes]]
        first += flow[:, None] * moved / len(rows)
    able = _closable(watch)
    seen = np.where(able, np.abs(first / deviation).max(axis=1), 0.0)
    chosen = np.argsort(-seen)[:_MOST_VALVES]
    chosen = np.sort(chosen[seen[chosen] > 0.0])
    base = np.hstack(model.expect(drive))
    found = []
    for link in watch.pipes[chosen].tolist():
        effect = np.zeros(len(watch.channels.names))
        effect[: len(watch.channels.picked)] = (closed(watch, drive, (link,)) - base).mean(axis=0)[
            watch.channels.picked
        ]
        most = np.abs(effect[: watch.channels.n_pressures]).max(initial=0.0)
        seen_by = np.abs(effect[: len(deviation)] / deviation).max()
        if np.isfinite(effect).all() and seen_by > _VISIBLE and most > _VISIBLE_M:
            found.append(Cause(topology.links[link], "pipe", VALVE, effect, np.zeros_like(effect), ""))
    return found


def closed(watch: Watch, drive: Drive, links: tuple[int, ...]) -> Floats:
    """Expected values with some pipes closed, float64 [n, n_instruments]."""
    engine = watch.model.engine
    try:
        for link in links:
            engine.set_value("link", link, "init_status", 0.0)
        return np.hstack(watch.model.expect(drive))
    finally:
        for link in links:
            engine.set_value("link", link, "init_status", 1.0)
        watch.model.forget()


def _closable(watch: Watch) -> NDArray[np.bool_]:
    """Bool [n_pipes], pipes without which everybody is still supplied, and that are open."""
    topology = watch.topology
    graph = nx.MultiGraph()
    graph.add_edges_from(zip(topology.start.tolist(), topology.end.tolist(), strict=True))
    bridges = {frozenset(edge) for edge in nx.bridges(nx.Graph(graph))}
    is_open = watch.model.engine.read("link", "init_status")[watch.pipes] != 0
    ends = zip(topology.start[watch.pipes].tolist(), topology.end[watch.pipes].tolist(), strict=True)
    found = np.array([frozenset(pair) not in bridges or graph.number_of_edges(*pair) > 1 for pair in ends])
    return np.asarray(found & is_open)
