"""The linearised equations of a network: analysed once, factorised at every state, solved for any instruments.

At a solved state the equations of the global gradient method (Todini and Pilati 1988; EPANET 2.2 manual, chapter 12)
read, for a small change: with p = dq/dh of every link and s = dq/dp of every outflow that follows the pressure,
continuity at the free nodes is A dH = -dd, where A is the Laplacian weighted with p, plus s on its diagonal.

A PRV at work holds the head behind it and a PSV the head before it, so that head is no unknown; the valve passes what
continuity there asks for. With E the incidence of such valves at free (F) and held (P) nodes,

    (A_FF - E_F E_P^-1 A_PF) dH_F = -dd_F + E_F E_P^-1 dd_P,

a change of A of as many ranks as there are such valves: the factorised A_FF is corrected by the formula of Sherman,
Morrison and Woodbury, and its pattern never changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hydro.engine import Engine
from hydro.fittings import PRV, SHUT, Fitting, State, conductance, holds_head, read_fittings
from hydro.headloss import DARCY_WEISBACH, LEAST_GRADIENT, VISCOSITY, least_gradient, pipe_loss, resistances
from hydro.ldl import analyse, factorise, solve
from hydro.outflows import Outflows
from networks import Topology

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_ALONE = 1e-12  # m2/s, keeps the row of a node without any open link regular
_BLOCK = 48  # most instruments solved together: wide enough for SIMD, narrow enough for the cache
_CHUNK = 64  # nodes put into the answer together


class Linearised:
    """The equations of one engine's network about the state that `update` took over; it keeps no engine alive.

    Parameters
    ----------
    engine
        After its first `solve`.

    Attributes
    ----------
    conductance : float64 [n_links], m2/s
    drive : float64 [n_links], m3/s
        Change of each pipe's flow by the logarithm of its resistance at given heads, with the sign turned.
    power : float64 [n_links]
        Derivative of the logarithm of a pipe's resistance by that of its roughness coefficient.
    roughness : float64 [n_pipes], the coefficient as the head-loss law takes it
    valves
        PRVs and PSVs that hold a head.
    """

    def __init__(self, engine: Engine) -> None:
        topology = self.topology = engine.topology
        self.size = int(topology.is_junction.sum())  # junctions come first
        inner = topology.is_junction[topology.start] & topology.is_junction[topology.end]
        self.pattern = analyse(self.size, topology.start[inner], topology.end[inner])
        self._slot = np.full(len(topology.links), -1, dtype=np.int64)
        self._slot[inner] = self.pattern.slot
        self._fittings = read_fittings(engine)
        self.power = np.zeros(len(topology.links))
        self.drive = np.zeros(len(topology.links))
        self._known_holds: dict[tuple[int, ...], _Holds] = {}
        self.read_constants(engine)

    def read_constants(self, engine: Engine) -> None:
        """Read what only changes where somebody sets it: pipes, emitters, demand model, viscosity."""
        project = engine.project
        pipes = self.topology.pipes
        length, diameter, rough, minor = (
            engine.read("link", name)[pipes] for name in ("length", "diameter", "roughness", "minor_loss")
        )
        self._law = engine.headloss_law
        self._diameter, self.roughness = diameter, engine.roughness_si(rough)
        self._resistance, self._local = resistances(self._law, length, diameter, self.roughness, minor)
        self._viscosity = VISCOSITY * project.option("viscosity") if self._law == DARCY_WEISBACH else VISCOSITY
        self._linear = least_gradient(self._law, project.library.name)
        self._least_valve = LEAST_GRADIENT / 2.0 if project.library.name == "2.3" else LEAST_GRADIENT
        self._outflows = Outflows(engine)

    # the state ----------------------------------------------------------------------------------------------------

    def update(self, engine: Engine) -> None:
        """Take over the state that the engine has just solved, and factorise."""
        flow, status = engine.read("link", "flow"), engine.read("link", "status")
        self.conductance = np.zeros(len(flow))
        self._is_shut = status <= 0.0
        _pipes(
            self._law, self.topology.pipes, flow, status, self._resistance, self._local, self._diameter,
            self.roughness, self._viscosity, self._linear, self.conductance, self.drive, self.power,
        )  # fmt: skip
        self.valves = self._fit(engine, flow, status)
        outflow = self._outflows.slopes(engine)
        self._factorise(np.zeros(self.size) if outflow is None else outflow[: self.size])

    def _fit(self, engine: Engine, flow: Floats, status: Floats) -> tuple[Fitting, ...]:
        """Put in the conductances of pumps and valves; return the valves that hold a head."""
        holding = []
        for fitting in self._fittings:
            link = fitting.link
            state = _state(engine, fitting, float(flow[link]), bool(status[link] <= 0.0))
            if holds_head(fitting, state):
                holding.append(fitting)
                continue
            self.conductance[link] = conductance(fitting, state, engine.pressure_unit, self._least_valve)
        return tuple(holding)

    def _factorise(self, outflow: Floats) -> None:
        pattern, topology = self.pattern, self.topology
        held_by = np.array([v.end if v.kind == PRV else v.start for v in self.valves], dtype=np.int64)
        self._held_nodes = held_by
        self._held = np.zeros(len(topology.nodes), dtype=np.bool_)
        self._held[held_by] = True
        off, diagonal = _assemble(
            topology.start, topology.end, self._slot, pattern.place, self.conductance, self._held, outflow,
            len(pattern.above),
        )  # fmt: skip
        tree = (pattern.first, pattern.above, pattern.parent, pattern.column)
        self._factor = (pattern.column, *factorise(*tree, off, diagonal))
        if self.valves:
            self._correct()

    def _correct(self) -> None:
        """Prepare the low-rank correction of the valves that hold a head."""
        key = tuple(valve.link for valve in self.valves)
        if key not in self._known_holds:
            self._known_holds[key] = _Holds(self.valves, self.topology, self._held_nodes, self.pattern.place)
        holds = self._holds = self._known_holds[key]
        self._towards = np.zeros((self.size, len(key)))  # A_PF transposed, in the order of elimination
        np.subtract.at(self._towards, (holds.beyond, holds.column), self.conductance[holds.link])
        self._through = self._towards.copy()
        solve(*self._factor, self._through)
        self._small = np.linalg.inv(np.eye(len(key)) + holds.onto @ self._through[holds.free])

    def cut_off(self) -> Bools:
        """Nodes that nothing but closed links joins to a fixed or held head, bool [n_nodes]: a head means nothing."""
        open_links = self.conductance > 2.0 * SHUT
        open_links[[valve.link for valve in self.valves]] = True
        start, end = self.topology.start[open_links], self.topology.end[open_links]
        n = len(self.topology.nodes)
        _, label = connected_components(coo_array((np.ones(len(start)), (start, end)), shape=(n, n)), directed=False)
        fed = label[~self.topology.is_junction]
        return np.asarray(~np.isin(label, fed))

    # instruments --------------------------------------------------------------------------------------------------

    def adjoint(self, nodes: Ints, links: Ints, out: Floats | None = None) -> Floats:
        """Change of each instrument by an inflow at each node.

        Parameters
        ----------
        nodes
            int64 [k], nodes whose pressure is measured.
        links
            int64 [m], links whose flow is measured.
        out
            float64 [k + m, n_nodes]; made where not given.

        Returns
        -------
        float64 [k + m, n_nodes], m per m3/s for pressures and m3/s per m3/s for flows
            0 at tanks and reservoirs: they take whatever comes.
        """
        if out is None:
            out = np.empty((len(nodes) + len(links), len(self.topology.nodes)))
        order = np.arange(len(nodes))
        if len(nodes) > _BLOCK:  # neighbours in the order of elimination reach the same part of the tree
            key = np.where(nodes < self.size, self.pattern.place[np.minimum(nodes, self.size - 1)], self.size)
            order = np.argsort(key, kind="stable")
        for rows in _blocks(order):
            seen = np.zeros((self.size, len(rows)))
            picked = nodes[rows]
            is_free = (picked < self.size) & ~self._held[picked]
            seen[self.pattern.place[picked[is_free]], np.flatnonzero(is_free)] = 1.0
            self._solve(seen, np.zeros((len(self.valves), len(rows))), rows, out)
        for rows in _blocks(np.arange(len(links))):
            seen, direct = self._flows(links[rows])
            self._solve(seen, direct, len(nodes) + rows, out)
        return out

    def _solve(self, seen: Floats, direct: Floats, rows: Ints, out: Floats) -> None:
        """Solve for a block of instruments [n, k] and put it into rows of the answer."""
        solve(*self._factor, seen)
        held = direct
        if self.valves:
            holds = self._holds
            seen -= self._through @ (self._small @ (holds.onto @ seen[holds.free]))
            held = holds.onto @ seen[holds.free] + direct
        _spread(self.pattern.place, seen, self._held_nodes, held, rows, out)

    def _flows(self, links: Ints) -> tuple[Floats, Floats]:
        """Derivative of flows by the free heads [n, k], and by inflow at the held nodes at given heads [m, k]."""
        seen = np.zeros((self.size, len(links)))
        direct = np.zeros((len(self.valves), len(links)))
        holding = {valve.link: v for v, valve in enumerate(self.valves)}
        for column, link in enumerate(links.tolist()):
            if self._is_shut[link]:  # no flow, and none to come: what seeps through EPANET's resistance is not reported
                continue
            if link in holding:
                inverse = self._holds.inverse[holding[link]]
                seen[:, column] = -self._towards @ inverse
                direct[:, column] = inverse
                continue
            for node, sign in ((self.topology.start[link], 1.0), (self.topology.end[link], -1.0)):
                if node < self.size and not self._held[node]:
                    seen[self.pattern.place[node], column] += sign * self.conductance[link]
        return seen, direct

    def by_resistance(self, adjoint: Floats, links: Ints, first: int) -> Floats:
        """Change of each instrument by the logarithm of each pipe's resistance.

        Parameters
        ----------
        adjoint
            What `adjoint` gave, float64 [n_instruments, n_nodes].
        links
            int64 [m], the metered links.
        first
            Row of the first of them.

        Returns
        -------
        float64 [n_instruments, n_links], 0 for pumps and valves
        """
        out = _by_resistance(self.topology.start, self.topology.end, self.drive, adjoint)
        holding = {valve.link for valve in self.valves}
        for row, link in enumerate(links.tolist(), start=first):
            if link not in holding:
                out[row, link] -= self.drive[link]
        return np.asarray(out)


class _Holds:
    """What stays the same as long as the same valves hold a head.

    Parameters
    ----------
    valves, held
        The valves, and int64 [m], the nodes whose head they hold.
    place
        int64 [n], order of elimination.
    """

    def __init__(self, valves: tuple[Fitting, ...], topology: Topology, held: Ints, place: Ints) -> None:
        column = {node: r for r, node in enumerate(held.tolist())}
        met = [
            (link, int(place[other]), r)
            for node, r in column.items()
            for link, other in _links_at(topology, node)
            if other < len(place) and other not in column
        ]
        self.link, self.beyond, self.column = np.array(met, dtype=np.int64).reshape(-1, 3).T
        incidence = np.zeros((len(valves), len(valves)))
        ends: list[tuple[int, int, float]] = []  # free end, valve, sign
        for v, valve in enumerate(valves):
            for node, sign in ((valve.start, 1.0), (valve.end, -1.0)):
                if node in column:
                    incidence[column[node], v] += sign
                elif node < len(place):
                    ends.append((node, v, sign))
        self.inverse = np.linalg.inv(incidence)
        self.free = place[np.array([node for node, _, _ in ends], dtype=np.int64)]
        self.onto = np.zeros((len(valves), len(ends)))  # -(E_F E_P^-1)' on the free ends
        for k, (_, v, sign) in enumerate(ends):
            self.onto[:, k] -= self.inverse[v] * sign


def _links_at(topology: Topology, node: int) -> list[tuple[int, int]]:
    """Links that meet a node, and the nodes at their other ends."""
    links = np.flatnonzero((topology.start == node) | (topology.end == node)).tolist()
    return [(k, int(topology.end[k] if topology.start[k] == node else topology.start[k])) for k in links]


def _blocks(rows: Ints) -> list[Ints]:
    """Rows in blocks of about one size."""
    if len(rows) <= _BLOCK:
        return [rows] if len(rows) else []
    return list(np.array_split(rows, -(-len(rows) // _BLOCK)))


def _state(engine: Engine, fitting: Fitting, flow: float, is_shut: bool) -> State:
    get, link = engine.project.get, fitting.link
    if is_shut:
        return State(flow, True, 0, 0.0)
    return State(flow, False, int(get("link", link, "state")), get("link", link, "setting"))


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _pipes(
    law: int, pipes: Ints, flow: Floats, status: Floats, resistance: Floats, local: Floats, diameter: Floats,
    roughness: Floats, viscosity: float, linear: float, conductance: Floats, drive: Floats, power: Floats,
) -> None:  # fmt: skip
    """Conductance, drive and power of every pipe, in place by link; a shut check valve is closed too (status 0)."""
    for k in range(len(pipes)):
        link = pipes[k]
        if status[link] <= 0.0:
            conductance[link], drive[link], power[link] = SHUT, 0.0, 0.0
            continue
        loss, gradient, share, power[link] = pipe_loss(
            law, flow[link], resistance[k], local[k], diameter[k], roughness[k], viscosity, linear
        )
        conductance[link] = 1.0 / gradient
        drive[link] = share * loss / gradient


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _assemble(
    start: Ints, end: Ints, slot: Ints, place: Ints, conductance: Floats, held: Bools, outflow: Floats, n_off: int
) -> Any:
    """Strict upper triangle and diagonal of A_FF; held nodes keep a row of their own, joined to nothing."""
    n = len(place)
    off, diagonal = np.zeros(n_off), np.empty(n)
    for node in range(n):
        diagonal[place[node]] = 1.0 if held[node] else outflow[node] + _ALONE
    for k in range(len(start)):
        a, b, p = start[k], end[k], conductance[k]
        if a < n and not held[a]:
            diagonal[place[a]] += p
        if b < n and not held[b]:
            diagonal[place[b]] += p
        if slot[k] >= 0 and not held[a] and not held[b]:
            off[slot[k]] -= p
    return off, diagonal


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _spread(place: Ints, seen: Floats, held_nodes: Ints, held: Floats, rows: Ints, out: Floats) -> None:
    """Put a block [n, k] in the order of elimination into rows [k] of the answer, in the order of the nodes."""
    n, width = seen.shape
    for low in range(0, n, _CHUNK):
        high = min(low + _CHUNK, n)
        for c in range(width):
            answer = out[rows[c]]
            for node in range(low, high):
                answer[node] = seen[place[node], c]
    for c in range(width):
        for node in range(n, out.shape[1]):
            out[rows[c], node] = 0.0
        for r in range(len(held_nodes)):
            out[rows[c], held_nodes[r]] = held[r, c]


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _by_resistance(start: Ints, end: Ints, drive: Floats, adjoint: Floats) -> Any:
    n_instruments, n = len(adjoint), len(start)
    out = np.empty((n_instruments, n))
    for c in range(n_instruments):
        row = adjoint[c]
        for k in range(n):
            out[c, k] = drive[k] * (row[start[k]] - row[end[k]])
    return out
