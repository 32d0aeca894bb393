"""Set-points of pressure-reducing valves by the hour: as low as customers' free head allows, and simulated again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Network, load
from umanflow.errors import UserError
from umanflow.planner.simulation import Day, run_day

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDS = 8
_SETTLED_M = 0.05
_LEAST_SETTING_M = 5.0
_WORTH_M = 2.0  # a new valve has to take this much off, on average
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
        Names.
    is_new
        Whether it has to be bought.
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
class PressurePlan:
    """Set-points and their effect.

    Attributes
    ----------
    valves, zones
        In the order of the network's table of blocks.
    saved, saved_fixed
        m3 a day, with set-points by hour and with one set-point each.
    n_customers, n_met_before, n_met_after
        Nodes with customers, and those of them whose free head is kept all day.
    least_slack
        Least of what nodes that had their free head before have above it now, m; not below zero.
    """

    valves: tuple[ValvePlan, ...]
    zones: tuple[ZoneEffect, ...]
    saved: float
    saved_fixed: float
    n_customers: int
    n_met_before: int
    n_met_after: int
    least_slack: float


@dataclass(frozen=True)
class _Zone:
    name: str
    valve: str
    inlet: str
    is_new: bool
    nodes: Ints
    outlet: int


def plan_pressure(network: Network, norm: Norm) -> PressurePlan:
    """Find set-points for the blocks' valves, and new valves where they pay.

    The day is the second of the model's run. A set-point is lowered by what the worst customer of the block has to
    spare in that hour, and simulated again until nothing moves; free head that was short before is not made shorter.

    Parameters
    ----------
    network
        With tables of nodes (storeys) and blocks.
    norm
        What customers are due.

    Raises
    ------
    UserError
        If the network has no tables of blocks and nodes.
    """
    if network.nodes is None or network.dmas is None:
        raise UserError(
            f"{network.source}: pressure is planned by blocks; put nodes.csv and dmas.csv into the folder "
            f"{network.source.stem}.tables beside the INP, or let the plan design blocks first"
        )
    with Engine(network) as engine:
        new = _new_valves(engine, network)
    equipped = _with_valves(network, new)
    with Engine(equipped) as engine:
        return _Search(engine, network, new, norm).plan()


def control_lines(plan: PressurePlan, unit: float = 1.0) -> list[str]:
    """Lines for `[CONTROLS]` of an INP that hold the set-points by the clock.

    Parameters
    ----------
    unit
        m per unit of pressure of the file: 1 for metres, 0.7032 for psi.
    """
    return [
        f"LINK {valve.valve} {setting / unit:.2f} AT CLOCKTIME {hour}:00"
        for valve in plan.valves
        for hour, setting in enumerate(valve.after.tolist())
    ]


def _new_valves(engine: Engine, network: Network) -> dict[str, tuple[str, bool]]:
    """Inlets without a valve by block: the link, and whether water runs from its first node to its second."""
    assert network.dmas is not None
    engine.start()
    engine.solve()
    flow = engine.read("link", "flow")
    rows = zip(network.dmas["dma"], network.dmas["inlet"], network.dmas["prv"], strict=True)
    return {
        str(dma): (str(inlet), bool(flow[engine.topology.link(inlet)] >= 0.0)) for dma, inlet, prv in rows if not prv
    }


def equipped_network(network: Network, plan: PressurePlan) -> Network:
    """The network with the new valves of a plan."""
    with Engine(network) as engine:
        bare = _new_valves(engine, network)
    wanted = {valve.zone for valve in plan.valves if valve.is_new}
    return _with_valves(network, {dma: where for dma, where in bare.items() if dma in wanted}) if wanted else network


def _with_valves(network: Network, new: Mapping[str, tuple[str, bool]]) -> Network:
    """The network with a valve behind each of these inlets, wide open."""
    changed = load(network.source, network.crs, network.folder)
    model = changed.model
    for dma, (inlet, is_forward) in new.items():
        link = model.get_link(inlet)
        behind = link.end_node if is_forward else link.start_node
        chamber = f"PLAN-{dma}"
        model.add_junction(chamber, elevation=behind.elevation, coordinates=behind.coordinates)
        node = model.get_node(chamber)
        if is_forward:
            link.end_node = node
        else:
            link.start_node = node
        model.add_valve(
            f"PLAN-PRV-{dma}", chamber, behind.name, diameter=link.diameter, valve_type="PRV", initial_setting=200.0,
            initial_status="ACTIVE",
        )  # fmt: skip
    return changed


class _Search:
    """Set-points are tried on one open engine, a run of two days for each trial."""

    def __init__(self, engine: Engine, network: Network, new: Mapping[str, tuple[str, bool]], norm: Norm) -> None:
        assert network.nodes is not None
        assert network.dmas is not None
        self._engine, self._norm = engine, norm
        topology = engine.topology
        members = {str(name): rows["node"] for name, rows in network.nodes.groupby("dma")}
        self._zones: list[_Zone] = []
        for dma, inlet, prv in zip(network.dmas["dma"], network.dmas["inlet"], network.dmas["prv"], strict=True):
            valve = str(prv) or f"PLAN-PRV-{dma}"
            nodes = np.array([topology.node(n) for n in members.get(str(dma), ())], dtype=np.int64)
            if not len(nodes):
                raise UserError(f"dmas.csv has the block '{dma}', of which nodes.csv has no node; mend either")
            outlet = int(topology.end[topology.link(valve)])
            self._zones.append(_Zone(str(dma), valve, str(inlet), dma in new, nodes, outlet))
        homes = network.nodes[network.nodes["connections"] > 0]
        self._customers = np.array([topology.node(n) for n in homes["node"]], dtype=np.int64)
        self._due = np.full(len(topology.nodes), -np.inf)
        self._due[self._customers] = norm.head(homes["storeys"].to_numpy())

    def plan(self) -> PressurePlan:
        """Search, and leave out new valves that do not pay."""
        before = self._run(None)
        own = self._behind(before)
        # as it was where that was less than the norm; never lower there
        need = np.minimum(self._due + self._norm.margin, before.pressure.min(axis=0))
        is_free = np.array([True] * len(self._zones))
        settings = self._settle(own, need, is_free)
        for k, zone in enumerate(self._zones):
            is_free[k] = not zone.is_new or float((own[:, k] - settings[:, k]).mean()) >= _WORTH_M
        if not is_free.all():
            settings = self._settle(own, need, is_free)
        after = self._run(settings, is_free)
        fixed = np.broadcast_to(settings.max(axis=0), settings.shape).copy()
        return self._told(before, self._run(fixed, is_free), after, own, settings, is_free)

    def _run(self, settings: Floats | None, is_free: NDArray[np.bool_] | None = None) -> Day:
        """Simulate a day; settings float64 [24, n_zones]."""
        if settings is None:
            return run_day(self._engine)
        held = {z.valve: settings[:, k] for k, z in enumerate(self._zones) if is_free is None or is_free[k]}
        return run_day(self._engine, held)

    def _behind(self, day: Day) -> Floats:
        """Highest pressure behind each valve in each hour, float64 [24, n_zones]."""
        outlets = [zone.outlet for zone in self._zones]
        return np.array([day.pressure[day.hour == hour][:, outlets].max(axis=0) for hour in range(24)])

    def _settle(self, own: Floats, need: Floats, is_free: NDArray[np.bool_]) -> Floats:
        """Lower set-points until the worst customer of each block has just what is due."""
        settings = own.copy()
        for _ in range(_ROUNDS):
            day = self._run(settings, is_free)
            behind, moved = self._behind(day), 0.0
            for hour in range(24):
                slack = (day.pressure[day.hour == hour] - need).min(axis=0)
                for k, zone in enumerate(self._zones):
                    if is_free[k] and len(zone.nodes):
                        spare = float(slack[zone.nodes].min())
                        wanted = min(behind[hour, k], settings[hour, k]) - spare
                        new = float(np.clip(wanted, _LEAST_SETTING_M, max(own[hour, k], _LEAST_SETTING_M)))
                        moved = max(moved, abs(new - settings[hour, k]))
                        settings[hour, k] = new
            if moved < _SETTLED_M:
                break
        return settings

    def _told(
        self, before: Day, fixed: Day, after: Day, own: Floats, settings: Floats, is_free: NDArray[np.bool_]
    ) -> PressurePlan:
        due, customers = self._due[self._customers], self._customers
        met = [(day.pressure[:, customers] >= due - 1e-3).all(axis=0) for day in (before, after)]
        slack = after.pressure[:, customers][:, met[0]].min(axis=0) - due[met[0]]
        lost = [day.leakage_m3d for day in (before, fixed, after)]
        valves, zones = [], []
        for k, zone in enumerate(self._zones):
            if not is_free[k]:
                continue
            valves.append(ValvePlan(
                zone.valve, zone.name, zone.inlet, zone.is_new, own[:, k], settings[:, k], float(settings[:, k].max())
            ))  # fmt: skip
            here = [np.average(day.pressure[:, zone.nodes].mean(axis=1), weights=day.weight) for day in (before, after)]
            top = [float(day.pressure[:, zone.nodes].max()) for day in (before, after)]
            fewer = _BURSTS_BY_PRESSURE * (1.0 - top[1] / top[0])
            leaks = [float(values[zone.nodes].sum()) for values in lost]
            zones.append(ZoneEffect(
                zone.name, leaks[0], leaks[1], leaks[2], float(here[0]), float(here[1]), top[0], top[1],
                float(np.clip(fewer, 0.0, 1.0)),
            ))  # fmt: skip
        total = [float(values.sum()) for values in lost]
        return PressurePlan(
            tuple(valves), tuple(zones), total[0] - total[2], total[0] - total[1], len(customers), int(met[0].sum()),
            int(met[1].sum()), float(slack.min()) if len(slack) else 0.0,
        )  # fmt: skip
