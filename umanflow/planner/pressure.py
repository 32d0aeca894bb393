"""Set-points of pressure-reducing valves by the hour: as low as customers' free head allows, and simulated again.

Valves of blocks' inlets, other valves that the model has (such as those at a station's outlet), inlets that have none,
and places inside blocks where a valve of its own pays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Network, load
from networks.closed import closed_links
from networks.export import inp_bytes
from networks.inp.controlled import controlled
from umanflow.errors import UserError
from umanflow.planner.places import Candidate, Ground, Prices, candidates, hourly_flow
from umanflow.planner.setpoints import Search, Zone
from umanflow.planner.simulation import Day, run_day
from umanflow.planner.valving import NewValve, with_valves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_WORTH_M = 2.0  # a new valve at an inlet has to take this much off, on average
_PLACES = 6  # inside blocks that are simulated
_PRV = 3
_BURSTS_BY_PRESSURE = 1.4  # percent fewer bursts for each percent of maximum pressure (Thornton and Lambert 2007)


@dataclass(frozen=True, slots=True)
class Norm:
    """Free head that customers are due, m, by storeys (ДБН В.2.5-74:2013: 10 m for one, 4 m for each further).

    Attributes
    ----------
    first, further, most
        m; no customer is to have more than `most`.
    margin
        Kept above the norm, m, for what the model does not know.
    """

    first: float = 10.0
    further: float = 4.0
    most: float = 60.0
    margin: float = 1.0

    def head(self, storeys: Ints) -> Floats:
        """Free head by number of storeys, m; houses of none count as of one."""
        return self.first + self.further * (np.maximum(storeys, 1) - 1.0)


@dataclass(frozen=True, slots=True)
class ValvePlan:
    """One valve: what it is to hold.

    Attributes
    ----------
    valve, zone, inlet
        Names; a valve inside a block has a zone of its own, "BLOCK/PIPE".
    is_new
        Whether it has to be bought.
    closes
        Pipes that are shut for it.
    is_forward
        Whether a new valve stands at the second end of its pipe.
    before, after
        float64 [24], m behind the valve, by hour of the day.
    fixed
        The one setting that would do all day, m.
    """

    valve: str
    zone: str
    inlet: str
    is_new: bool
    before: Floats
    after: Floats
    fixed: float
    closes: tuple[str, ...] = ()
    is_forward: bool = True


@dataclass(frozen=True, slots=True)
class ZoneEffect:
    """What a zone gains, re-simulated: leakage m3/d, mean and highest pressure m, share of bursts that stays away."""

    zone: str
    leakage_before: float
    leakage_fixed: float
    leakage_after: float
    mean_before: float
    mean_after: float
    highest_before: float
    highest_after: float
    fewer_bursts: float


@dataclass(frozen=True, slots=True)
class PlaceTried:
    """A place inside a block that was simulated.

    Attributes
    ----------
    zone, block, pipe, closes
        "BLOCK/PIPE", the block, the pipe that would get the valve, pipes that would be shut.
    n_customers
        Nodes with customers behind it.
    leakage, estimate, saved
        m3/d: behind it, what was estimated, and what the simulation saves beside the blocks' own set-points.
    fewer_breaks
        A year.
    cost, worth
        UAH; what it saves over the horizon, discounted.
    is_chosen
        Whether it is part of the plan: it is worth more than it costs.
    """

    zone: str
    block: str
    pipe: str
    closes: tuple[str, ...]
    n_customers: int
    leakage: float
    estimate: float
    saved: float
    fewer_breaks: float
    cost: float
    worth: float
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class PressurePlan:
    """Set-points and their effect.

    Attributes
    ----------
    valves, zones
        In the order of the network's table of blocks, then other valves, then places inside.
    places
        Inside blocks that were simulated, the best estimate first.
    saved, saved_fixed
        m3 a day, with set-points by hour and with one set-point each.
    n_customers, n_met_before, n_met_after
        Nodes with customers, and those of them whose free head is kept all day.
    least_slack
        Least of what nodes that had their free head before have above it now, m; not below zero.
    checked
        m3 a day that the written file saves when it is simulated by itself.
    inp
        The whole model with the valves, the pipes that are shut, and the set-points in its controls.
    """

    valves: tuple[ValvePlan, ...]
    zones: tuple[ZoneEffect, ...]
    places: tuple[PlaceTried, ...]
    saved: float
    saved_fixed: float
    n_customers: int
    n_met_before: int
    n_met_after: int
    least_slack: float
    checked: float
    _inp: bytes

    @property
    def inp(self) -> bytes:
        """The whole model with the valves, the pipes that are shut, and the set-points in its controls."""
        return self._inp


DEFAULT_PRICES = Prices(450_000.0, 120_000.0, (15_000.0, 180_000.0), 12.0, 35_000.0, 20, 0.08)


def plan_pressure(network: Network, norm: Norm, prices: Prices = DEFAULT_PRICES) -> PressurePlan:
    """Find set-points for the valves that there are, and new valves where they pay.

    The day is the second of the model's run. A set-point is lowered by what the worst customer of the zone has to
    spare in that hour, and simulated again until nothing moves; free head that was short before is not made shorter.

    Parameters
    ----------
    network
        With tables of nodes (storeys) and blocks, or valves of its own; without a table every customer is due one
        storey's head.
    norm
        What customers are due.
    prices
        Of valves inside blocks.

    Raises
    ------
    UserError
        If there is neither a table of blocks nor a valve.
    """
    with Engine(network) as engine:
        before = run_day(engine)
        fixed = _present_zones(engine, network)
        inlets = _bare_inlets(engine, network)
        if not fixed and not inlets:
            raise UserError(
                f"{network.source}: pressure is planned by blocks or valves, and there is none; put nodes.csv and "
                f"dmas.csv into the folder {network.source.stem}.tables beside the INP, or build blocks first"
            )
    return _Planner(network, norm, prices, before).plan(fixed, inlets)


def control_lines(plan: PressurePlan, unit: float = 1.0) -> list[str]:
    """Lines for `[CONTROLS]` of an INP that hold the set-points by the clock.

    Parameters
    ----------
    unit
        m per unit of pressure of the file: 1 for metres, 0.7032 for psi.
    """
    return [
        f"LINK {valve.valve} {setting / unit:.4f} AT CLOCKTIME {hour}:00"
        for valve in plan.valves
        for hour, setting in enumerate(valve.after.tolist())
    ]


@dataclass(frozen=True)
class _Named:
    """A zone by names: positions differ between the network and the one with new valves."""

    name: str
    valve: str
    inlet: str
    new: NewValve | None
    nodes: tuple[str, ...]
    closes: tuple[str, ...] = ()

    def at(self, engine: Engine) -> Zone:
        """The same by positions."""
        topology = engine.topology
        nodes = np.array([topology.node(n) for n in self.nodes], dtype=np.int64)
        outlet = int(topology.end[topology.link(self.valve)])
        return Zone(self.name, self.valve, self.inlet, self.new is not None, nodes, outlet, self.closes)


def _members(network: Network) -> dict[str, tuple[str, ...]]:
    """Nodes by block of the network's tables."""
    if network.nodes is None or network.dmas is None:
        return {}
    grouped = {str(name): tuple(str(n) for n in rows["node"]) for name, rows in network.nodes.groupby("dma")}
    for dma in network.dmas["dma"]:
        if not grouped.get(str(dma)):
            raise UserError(f"dmas.csv has the block '{dma}', of which nodes.csv has no node; mend either")
    return {str(dma): grouped[str(dma)] for dma in network.dmas["dma"]}


def _present_zones(engine: Engine, network: Network) -> list[_Named]:
    """Valves that the network has: those of blocks, then the others with what lies behind them up to the next."""
    members, found, topology = _members(network), [], engine.topology
    if members:
        assert network.dmas is not None
        rows = zip(network.dmas["dma"], network.dmas["inlet"], network.dmas["prv"], strict=True)
        found = [_Named(str(d), str(prv), str(i), None, members[str(d)]) for d, i, prv in rows if prv]
    known = {zone.valve for zone in found}
    cut = ~topology.is_pipe
    closed = closed_links(network)
    cut |= np.array([name in closed for name in topology.links])
    part = topology.districts(cut)
    fed = np.isin(part, part[~topology.is_junction])  # a tank or source holds the pressure there
    for valve in np.flatnonzero(engine.link_types == _PRV).tolist():
        name, zone = topology.links[valve], part[topology.end[valve]]
        if name not in known and name not in closed and not fed[topology.end[valve]]:
            nodes = tuple(topology.nodes[k] for k in np.flatnonzero(part == zone).tolist())
            found.append(_Named(name, name, name, None, nodes))
    return found


def _bare_inlets(engine: Engine, network: Network) -> list[_Named]:
    """Inlets of blocks without a valve: one that would be built in."""
    members = _members(network)
    if not members:
        return []
    assert network.dmas is not None
    engine.start()
    engine.solve()
    flow = engine.read("link", "flow")
    engine.stop()
    found = []
    for dma, inlet, prv in zip(network.dmas["dma"], network.dmas["inlet"], network.dmas["prv"], strict=True):
        if not prv:
            new = NewValve(f"PLAN-PRV-{dma}", str(inlet), bool(flow[engine.topology.link(str(inlet))] >= 0.0))
            found.append(_Named(str(dma), new.name, str(inlet), new, members[str(dma)]))
    return found


class _Planner:
    """Inlets first, then places inside what they feed, then everything from the written file."""

    def __init__(self, network: Network, norm: Norm, prices: Prices, before: Day) -> None:
        self._network, self._norm, self._prices, self._before = network, norm, prices, before

    def plan(self, fixed: Sequence[_Named], inlets: Sequence[_Named]) -> PressurePlan:
        """Search, leave out new valves that do not pay, look inside, and simulate what is written."""
        outer = [*fixed, *inlets]
        if self._network.dmas is not None:
            order = [str(dma) for dma in self._network.dmas["dma"]]
            outer.sort(key=lambda zone: order.index(zone.name) if zone.name in order else len(order))
        with Engine(self._with(outer)) as engine:
            search, before, own = self._begin(engine, outer)
            every = np.ones(len(outer), dtype=bool)
            settings = search.settle(own, own, every, every)
            drop = (own - settings).mean(axis=0)
            outer = [z for z, off in zip(outer, drop.tolist(), strict=True) if z.new is None or off >= _WORTH_M]
        with Engine(self._with(outer)) as engine:
            search, before, own = self._begin(engine, outer)
            every = np.ones(len(outer), dtype=bool)
            settings = search.settle(own, own, every, every)
            ground = self._ground(engine, search, outer, settings)
            estimates = candidates(ground, self._prices, _PLACES)
            promising = [self._named(engine, candidate) for candidate in estimates]
        zones, places = self._inside(outer, promising, estimates, settings)
        return self._told(zones, places)

    def _with(self, zones: Sequence[_Named], closed: Sequence[str] = ()) -> Network:
        new = [zone.new for zone in zones if zone.new is not None]
        return with_valves(self._network, new, closed) if new else self._network

    def _begin(
        self, engine: Engine, zones: Sequence[_Named], coarse: bool = False
    ) -> tuple[Search, Day, Floats]:
        """A search, the day as it is, and what stands behind each valve then."""
        search = Search(engine, [zone.at(engine) for zone in zones], self._need(engine), coarse)
        before = search.run(None, np.ones(len(zones), dtype=bool))
        return search, before, search.behind(before)

    def _due(self, engine: Engine) -> Floats:
        """Free head that is due at each node, float64 [n_nodes]; minus infinite where there is no customer."""
        topology, due = engine.topology, np.full(len(engine.topology.nodes), -np.inf)
        if self._network.nodes is not None:
            homes = self._network.nodes[self._network.nodes["connections"] > 0]
            due[[topology.node(str(n)) for n in homes["node"]]] = self._norm.head(homes["storeys"].to_numpy())
            return due
        with Engine(self._network) as plain:
            taking = np.flatnonzero(self._before.demand_m3d > 0.0)
            due[[topology.node(plain.topology.nodes[k]) for k in taking.tolist()]] = self._norm.first
        return due

    def _need(self, engine: Engine) -> Floats:
        """What is to be kept: as it was where that was less than the norm and its margin; never lower there."""
        due, lowest = self._due(engine), np.full(len(engine.topology.nodes), np.inf)
        with Engine(self._network) as plain:
            at = [engine.topology.node(name) for name in plain.topology.nodes]
        lowest[at] = self._before.pressure.min(axis=0)
        return np.minimum(due + self._norm.margin, lowest)

    def _ground(self, engine: Engine, search: Search, zones: Sequence[_Named], settings: Floats) -> Ground:
        """What places inside are looked for on: blocks, other valves' zones, and what lies in neither."""
        topology = engine.topology
        every = np.ones(len(zones), dtype=bool)
        held = {zone.valve: settings[:, k] for k, zone in enumerate(zones)}
        areas = {name: np.array([topology.node(n) for n in nodes]) for name, nodes in _members(self._network).items()}
        for zone in zones:
            areas.setdefault(zone.name, np.array([topology.node(n) for n in zone.nodes]))
        inside = np.zeros(len(topology.nodes), dtype=bool)
        for nodes in areas.values():
            inside[nodes] = True
        at_pump = np.zeros(len(topology.nodes), dtype=bool)
        at_pump[topology.start[engine.pumps]] = at_pump[topology.end[engine.pumps]] = True
        rest = np.flatnonzero(~inside & ~at_pump & topology.is_junction)
        if len(rest):
            areas[""] = rest
        has_valve = ~topology.is_pipe
        if self._network.valves is not None:
            known = [str(p) for p in self._network.valves["pipe"] if str(p) in topology.link_index]
            has_valve[[topology.link(p) for p in known]] = True
        engine.start()
        engine.solve()
        is_open = engine.read("link", "status") > 0.0
        engine.stop()
        return Ground(
            topology, areas, search.run(settings, every), search.need, hourly_flow(engine, held), is_open, has_valve,
            engine.read("link", "diameter"),
        )  # fmt: skip

    def _named(self, engine: Engine, candidate: Candidate) -> _Named:
        topology = engine.topology
        pipe = topology.links[candidate.inlet]
        name = f"{candidate.area}/{pipe}" if candidate.area else pipe
        new = NewValve(f"PLAN-PRV-{pipe}", pipe, candidate.is_forward)
        return _Named(
            name, new.name, pipe, new, tuple(topology.nodes[k] for k in candidate.nodes.tolist()),
            tuple(topology.links[k] for k in candidate.closes.tolist()),
        )  # fmt: skip

    def _inside(
        self, outer: list[_Named], inner: list[_Named], estimates: Sequence[Candidate], settings: Floats
    ) -> tuple[list[_Named], list[PlaceTried]]:
        """Simulate each place by itself beside the inlets' set-points, and keep those that pay."""
        if not inner:
            return outer, []
        zones, places, breaks = [*outer, *inner], [], self._breaks()
        with Engine(self._with(zones)) as engine:
            search, _, own = self._begin(engine, zones, coarse=True)
            n = len(outer)
            start = np.concatenate((settings, own[:, n:]), axis=1)
            alone = search.run(start, np.arange(len(zones)) < n)
            start[:, n:] = search.behind(alone)[:, n:]
            for k, (zone, guess) in enumerate(zip(inner, estimates, strict=True), start=n):
                is_set = (np.arange(len(zones)) < n) | (np.arange(len(zones)) == k)
                found = search.settle(start, start, is_set, np.arange(len(zones)) == k)
                day = search.run(found, is_set)
                nodes = search.zones[k].nodes
                saved = float(alone.leakage_m3d.sum() - day.leakage_m3d.sum())
                top = [float(d.pressure[:, nodes].max()) for d in (alone, day)]
                fewer = _BURSTS_BY_PRESSURE * max(1.0 - top[1] / top[0], 0.0) * self._broken(engine, nodes, breaks)
                kept = bool((day.pressure.min(axis=0) >= np.minimum(search.need, alone.pressure.min(axis=0)) - 0.1)
                            [np.isfinite(search.need)].all())  # fmt: skip
                worth = self._prices.worth(saved, fewer)
                places.append(PlaceTried(
                    zone.name, guess.area, zone.inlet, zone.closes,
                    int(np.isfinite(search.need[nodes]).sum()), guess.leakage, guess.estimate, saved, fewer,
                    guess.cost, worth, kept and worth > guess.cost,
                ))  # fmt: skip
        chosen = [zone for zone, place in zip(inner, places, strict=True) if place.is_chosen]
        return [*outer, *chosen], places

    def _breaks(self) -> dict[str, float]:
        """Recorded breaks a year by pipe; none where there is no record."""
        table = self._network.breaks
        if table is None or not len(table):
            return {}
        years = [int(str(month)[:4]) for month in table["month"] if str(month)[:4].isdecimal()]
        span = max(years) - min(years) + 1.0 if years else 1.0
        return {str(pipe): count / span for pipe, count in table["pipe"].value_counts().items()}

    def _broken(self, engine: Engine, nodes: Ints, breaks: Mapping[str, float]) -> float:
        """Breaks a year on pipes whose both ends lie in a zone."""
        topology, inside = engine.topology, np.zeros(len(engine.topology.nodes), dtype=bool)
        inside[nodes] = True
        links = [(topology.link(pipe), rate) for pipe, rate in breaks.items() if pipe in topology.link_index]
        return float(sum(rate for k, rate in links if inside[topology.start[k]] and inside[topology.end[k]]))

    def _told(self, zones: list[_Named], places: list[PlaceTried]) -> PressurePlan:
        """Settle everything together, and read what it does from the written file."""
        closed = [name for zone in zones for name in zone.closes]
        network = self._with(zones)
        with Engine(network) as engine:
            search, before, own = self._begin(engine, zones)
            every = np.ones(len(zones), dtype=bool)
            settings = search.settle(own, own, every, every)
            after = search.run(settings, every)
            fixed = np.broadcast_to(settings.max(axis=0), settings.shape).copy()
            steady = search.run(fixed, every)
            due = self._due(engine)
        valves = tuple(
            ValvePlan(z.valve, z.name, z.inlet, z.new is not None, own[:, k], settings[:, k],
                      float(settings[:, k].max()), z.closes, z.new is None or z.new.is_forward)
            for k, z in enumerate(zones)
        )  # fmt: skip
        effects = tuple(self._effect(zone, before, steady, after) for zone in search.zones)
        at = np.flatnonzero(np.isfinite(due))
        met = [(day.pressure[:, at] >= due[at] - 1e-3).all(axis=0) for day in (before, after)]
        slack = after.pressure[:, at][:, met[0]].min(axis=0) - due[at][met[0]]
        total = [float(day.leakage_m3d.sum()) for day in (before, steady, after)]
        plan = PressurePlan(
            valves, effects, tuple(places), total[0] - total[2], total[0] - total[1], len(at), int(met[0].sum()),
            int(met[1].sum()), float(slack.min()) if len(slack) else 0.0, 0.0, b"",
        )  # fmt: skip
        return self._checked(plan, self._with(zones, closed), total[0])

    def _checked(self, plan: PressurePlan, network: Network, leakage: float) -> PressurePlan:
        """Write the whole model and simulate the file."""
        bare = inp_bytes(network)
        with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
            path = Path(folder) / "planned.inp"
            path.write_bytes(bare)
            with Engine(load(path)) as engine:
                unit = engine.pressure_unit
            data = controlled(bare, [valve.valve for valve in plan.valves], control_lines(plan, unit))
            path.write_bytes(data)
            with Engine(load(path)) as engine:
                day = run_day(engine)
        return replace(plan, checked=leakage - float(day.leakage_m3d.sum()), _inp=data)

    def _effect(self, zone: Zone, before: Day, steady: Day, after: Day) -> ZoneEffect:
        nodes = zone.nodes
        mean = [float(np.average(d.pressure[:, nodes].mean(axis=1), weights=d.weight)) for d in (before, after)]
        top = [float(day.pressure[:, nodes].max()) for day in (before, after)]
        fewer = _BURSTS_BY_PRESSURE * (1.0 - top[1] / top[0]) if top[0] > 0.0 else 0.0
        lost = [float(day.leakage_m3d[nodes].sum()) for day in (before, steady, after)]
        return ZoneEffect(
            zone.name, lost[0], lost[1], lost[2], mean[0], mean[1], top[0], top[1], float(np.clip(fewer, 0.0, 1.0))
        )


def equipped_network(network: Network, plan: PressurePlan) -> Network:
    """The network with the new valves of a plan, wide open, and what is shut for them."""
    new = [NewValve(valve.valve, valve.inlet, valve.is_forward) for valve in plan.valves if valve.is_new]
    return with_valves(network, new, [name for v in plan.valves for name in v.closes]) if new else network
