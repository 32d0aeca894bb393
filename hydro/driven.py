"""The model driven by measurements: what every pressure and flow should be, given what flowed in.

The network is cut at its flow meters into districts. Every district's demand is scaled so that it takes up exactly
the net inflow that was measured (meters in, less meters out, less what its tanks stored); tanks stand at their measured
levels; a metered pump is replaced by its flow. What then remains between a measured and a modelled pressure is the
model's error or water that leaves at the wrong place: a leak's share of the inflow is spread over the demands by the
driving, so its signature is the difference between leaving at one node and leaving everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro import contents
from hydro.districts import find_districts, replacement
from hydro.drive import Drive
from hydro.engine import Engine
from hydro.errors import EpanetError, RecordError
from hydro.fast.doubts import doubts
from hydro.opening import Source, as_network
from hydro.record import Record
from networks import Topology

if TYPE_CHECKING:
    from hydro.fast.snapshots import Snapshots

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_UNSOLVED = 110
_FULL_M = 0.03
_WORTH_READYING = 32  # moments
_ACCURACY = 1e-4  # EPANET's default of 0.001 to 0.01 leaves centimetres of noise


class DrivenModel:
    """A model that takes its boundary from a Record.

    Moments are solved by `hydro.fast`, as far as it proves them, and else by EPANET.

    Parameters
    ----------
    network
        What `hydro.Engine` accepts.
    record
        Any record of the instruments that will drive the model: only its columns are used here.
    closed
        Statuses that differ from the file's: whether a link is closed, by name.

    Attributes
    ----------
    is_fast
        Whether the own solver takes this network.

    Raises
    ------
    RecordError
        If an instrument stands at an element that the network does not have.
    """

    def __init__(self, network: Source, record: Record, closed: Mapping[str, bool] | None = None) -> None:
        opened = as_network(network)
        self.engine = Engine(opened)
        self.topology: Topology = self.engine.topology
        self.pressure_sensors = tuple(record.pressure.columns)
        self.flow_meters = tuple(record.flow.columns)
        self.level_sensors = tuple(record.level.columns)
        self.customer_meters = tuple(record.demand.columns)
        self.demand_factor = np.ones(len(self.engine.junctions))
        self._is_warm = False
        self._snapshots: Snapshots | None = None
        self._asked, self._ready = -1, -1  # revisions of the network: asked about last, and made ready for
        try:
            for name, is_closed in (closed or {}).items():
                self.engine.set_value("link", self.topology.link(name), "init_status", 0.0 if is_closed else 1.0)
            self._check_names()
            self.sensor_nodes = np.array([self.topology.node(n) for n in self.pressure_sensors], dtype=np.int64)
            self.meter_links = np.array([self.topology.link(m) for m in self.flow_meters], dtype=np.int64)
            self.districts = find_districts(self.engine, self.flow_meters, self.level_sensors)
            self._prepare()
            self.is_fast = not contents.demand_model(self.engine.project)[0] and not doubts(self.engine, opened)
        except BaseException:
            self.engine.close()
            raise

    def close(self) -> None:
        """Free the engine."""
        self.engine.close()

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments that the model predicts: pressure sensors, then flow meters."""
        return self.pressure_sensors + self.flow_meters

    def scale(self, resistance: Floats, demand: Floats) -> None:
        """Correct the model.

        Parameters
        ----------
        resistance
            float64 [n_pipes], factor on each pipe's head loss, against the INP.
        demand
            float64 [n_junctions], factor on each junction's share of its district's demand, against the INP.
        """
        # a pipe's length stands for its resistance: head loss is proportional to it under every head-loss law
        self.engine.set_values("link", self.topology.pipes, "length", self._length * resistance)
        self.demand_factor = demand

    def _check_names(self) -> None:
        topology = self.topology
        tanks = {topology.nodes[k] for k in self.engine.tanks}
        junctions = {topology.nodes[k] for k in self.engine.junctions}
        for kind, names, known, what in (
            ("pressure", self.pressure_sensors, set(topology.node_index), "node"),
            ("flow", self.flow_meters, set(topology.link_index), "link"),
            ("level", self.level_sensors, tanks, "tank"),
            ("demand", self.customer_meters, junctions, "junction"),
        ):
            strange = [n for n in names if n not in known]
            if strange:
                raise RecordError(f"{kind} column '{strange[0]}' is no {what} of the network; rename or remove it")

    def _prepare(self) -> None:
        """Take over everything that the measurements impose."""
        engine, topology = self.engine, self.topology
        self._nominal = engine.demand_at  # read before the patterns go
        self._nominal(0)
        self.background: Floats = self._take_leakage()
        # what else is lost all day, m3/s at each junction, is no demand either: `models.dirtystart` learns it
        self.losses: Floats = np.zeros_like(self.background)
        self.tank_nodes = np.array([topology.node(n) for n in self.level_sensors], dtype=np.int64)
        shut = engine.read("link", "init_status") == 0
        # a pump, pumps or a flow control valve behind a meter, a link that is closed in the file and may open: their
        # flow takes their place
        self.replaced = [
            found for k in self.meter_links.tolist() if (found := replacement(engine, k, bool(shut[k]))) is not None
        ]
        self.pumps = np.array([r.meter for r in self.replaced], dtype=np.int64)
        self._length = topology.length[topology.pipes]
        engine.freeze_demands()
        engine.drop_controls()
        engine.duration = 0
        engine.set_accuracy(_ACCURACY)
        for link in (k for r in self.replaced for k in r.links):
            engine.set_value("link", link, "init_status", 0.0)
        limits = [[engine.value("node", int(n), name) for name in ("min_level", "max_level")] for n in self.tank_nodes]
        self._level_limits = np.array(limits).reshape(-1, 2).T

    def _take_leakage(self) -> Floats:
        """Mean background leakage of the model's first day at each junction, m3/s; from here on it is demand.

        What flows in is measured, losses included: what leaks, along pipes or through emitters, is a part of the inflow
        that has its own places.
        """
        engine = self.engine
        lost = np.zeros(len(engine.junctions))
        has_emitters = bool((engine.read("node", "emitter") > 0.0).any())
        if not engine.leaks and not has_emitters:
            return lost
        engine.duration = 86400
        engine.start()
        seconds = 0
        while True:
            engine.solve()
            leaking = engine.emitter_flow() if has_emitters else np.zeros(len(lost))
            if engine.leaks:
                leaking += engine.read("node", "leakage")[engine.junctions]
            step = engine.advance()
            if step <= 0:
                break
            lost += leaking * step
            seconds += step
        if engine.leaks:
            for name in ("leak_area", "leak_expansion"):
                engine.set_values("link", self.topology.pipes, name, np.zeros(len(self.topology.pipes)))
        if has_emitters:
            engine.set_values("node", engine.junctions, "emitter", np.zeros(len(lost)))
        return lost / seconds

    # what drives --------------------------------------------------------------------------------------------------

    def drive(self, record: Record, step: pd.Timedelta, phase: int = 0, per_block: int = 0) -> Drive:
        """Turn a record into boundary conditions.

        Parameters
        ----------
        record, step
            Resampled already, and the length of its intervals.
        phase
            Days by which the model's patterns are ahead of a week that begins on Monday.
        per_block
            Intervals after each of which nothing later is known yet; 0 where the whole record is.
        """
        times = self.intervals(record, step)
        level = self._snapped(_aligned(record.level, times, self.level_sensors))
        flow = _aligned(record.flow, times, self.flow_meters)
        customers = _aligned(record.demand, times, self.customer_meters)
        inflow = self._net_inflow(flow, level, step, per_block)
        junction = np.full(len(self.topology.nodes), -1, dtype=np.int64)
        junction[self.engine.junctions] = np.arange(len(self.engine.junctions))
        metered = junction[np.array([self.topology.node(n) for n in self.customer_meters], dtype=np.int64)]
        nominal = self.nominal_demand(times, step, phase) * self.demand_factor
        demand, known = self._scaled(nominal, inflow, customers, metered)
        columns = [self.flow_meters.index(self.topology.links[p]) for p in self.pumps]
        return Drive(times, demand, level, flow[:, columns], inflow, known)

    @property
    def level_limits(self) -> Floats:
        """Lowest and highest level of each tank, float64 [2, n_tanks], m."""
        return self._level_limits

    def intervals(self, record: Record, step: pd.Timedelta) -> pd.DatetimeIndex:
        """Start of every interval of a record."""
        return pd.date_range(record.start.floor(step), record.end, freq=step)

    def _snapped(self, level: Floats) -> Floats:
        """Levels within the model's limits; as good as full is full: the inlet is shut then, in EPANET as outside."""
        low, high = self._level_limits
        return np.where(level > high - _FULL_M, high, np.maximum(level, low + _FULL_M))

    def nominal_demand(self, times: pd.DatetimeIndex, step: pd.Timedelta, phase: int = 0) -> Floats:
        """Demand that the INP's patterns give at the middle of each interval, float64 [n, n_junctions], m3/s."""
        middle = times + step / 2
        seconds = (middle.day_of_week + phase) % 7 * 86400 + middle.hour * 3600 + middle.minute * 60
        unique, inverse = np.unique(seconds.to_numpy(), return_inverse=True)
        table = (
            np.array([self._nominal(int(s) - self.engine.clock_start) for s in unique]) + self.background + self.losses
        )
        expanded: Floats = table[inverse]
        return expanded

    def with_losses(self, drive: Drive, lost: Floats) -> Drive:
        """Drive with leaks, float64 [n, n_junctions], m3/s, in it and each district's other demands that much less."""
        demand = drive.demand.copy()
        for district in self.districts:
            inside = district.junctions
            if district.is_closed and len(inside):
                total = demand[:, inside].sum(axis=1)
                share = np.where(np.abs(total) > 1e-9, lost[:, inside].sum(axis=1) / total, 0.0)
                demand[:, inside] *= (1.0 - share)[:, None]
        return replace(drive, demand=demand + lost)

    def _net_inflow(self, flow: Floats, level: Floats, step: pd.Timedelta, per_block: int = 0) -> Floats:
        """Net inflow of each district, float64 [n, n_districts], m3/s; NaN where it is not measured."""
        inflow = np.full((len(flow), len(self.districts)), np.nan)
        seconds = step.total_seconds()
        # levels are means of the interval: the storage change within it is the central difference
        slope = np.full_like(level, np.nan)
        if len(level) > 2:
            slope[1:-1] = (level[2:] - level[:-2]) / (2.0 * seconds)
            slope[0], slope[-1] = (level[1] - level[0]) / seconds, (level[-1] - level[-2]) / seconds
            last = np.arange(per_block - 1, len(level) if per_block > 1 else 0, max(per_block, 1))
            slope[last] = (level[last] - level[last - 1]) / seconds
        for k, district in enumerate(self.districts):
            if not district.is_closed:
                continue
            columns = [self.flow_meters.index(m) for m in district.meters]
            inflow[:, k] = flow[:, columns] @ np.array(district.signs, dtype=float)
            for tank in district.tanks:
                column = self.level_sensors.index(self.topology.nodes[tank])
                inflow[:, k] -= self.engine.tank_area(tank) * slope[:, column]
        return inflow

    def _scaled(self, nominal: Floats, inflow: Floats, customers: Floats, metered: Ints) -> tuple[Floats, Floats]:
        """Spread each district's inflow over its junctions: customers' meters first, the rest as the model would."""
        demand = nominal.copy()
        known = np.zeros_like(inflow)
        if len(metered):
            demand[:, metered] = np.where(np.isnan(customers), demand[:, metered], customers)
        for k, district in enumerate(self.districts):
            if not district.is_closed or not len(district.junctions):
                continue
            inside = district.junctions
            seen = np.intersect1d(metered, inside)
            free = np.setdiff1d(inside, seen)
            known[:, k] = demand[:, seen].sum(axis=1)
            rest = inflow[:, k] - known[:, k]
            # where nearly everybody is metered the rest has no shape of its own: spread it over all
            if nominal[:, free].sum() < 0.1 * nominal[:, inside].sum():
                rest = inflow[:, k] - demand[:, inside].sum(axis=1)
                demand[:, inside] += _shares(nominal[:, inside]) * rest[:, None]
            else:
                demand[:, free] = _shares(nominal[:, free]) * rest[:, None]
        return demand, known

    # what follows -------------------------------------------------------------------------------------------------

    def _taken(self, drive: Drive, rows: Ints) -> Floats:
        """What leaves at each junction in some intervals, flows of replaced pumps with it, float64 [n, n_junctions]."""
        taken = drive.demand[rows]
        for k, replaced in enumerate(self.replaced):
            for node, sign in replaced.takes:
                if node < taken.shape[1]:  # a tank or reservoir takes any flow
                    taken[:, node] += sign * drive.pump_flow[rows, k]
        return taken

    def impose(self, drive: Drive, row: int) -> None:
        """Put one interval's boundary conditions into the engine."""
        self.engine.set_demands(self._taken(drive, np.array([row]))[0])
        if len(self.tank_nodes):
            self.engine.set_values("node", self.tank_nodes, "tank_level", drive.level[row])

    def forget(self) -> None:
        """Begin the next solution from EPANET's own initial flows: what follows depends on nothing before."""
        self._is_warm = False

    def solve(self) -> tuple[Floats, Floats]:
        """Solve the imposed moment.

        Returns
        -------
        pressure : float64 [n_nodes], m
        flow : float64 [n_links], m3/s
        """
        self.engine.start(keep_flows=self._is_warm)
        self._is_warm = False  # not after a failure
        self.engine.solve()
        self._is_warm = True
        return self.engine.read("node", "pressure"), self.engine.read("link", "flow")

    def leak_response(self, by_demand: Floats, demand: Floats) -> Floats:
        """Response of the driven instruments to a leak at each junction.

        The district's inflow is as measured, so what leaks at a node is missing at the district's other demands: with
        S_n the response to demand at n alone and w_i node i's share, the driven response is S_n - sum_i w_i S_i.

        Parameters
        ----------
        by_demand
            float64 [n_nodes, n_instruments], of `hydro.derivatives`.
        demand
            float64 [n_junctions], m3/s.

        Returns
        -------
        float64 [n_junctions, n_instruments], m per m3/s and m3/s per m3/s
        """
        response = by_demand[self.engine.junctions]
        for district in self.districts:
            share = np.maximum(demand[district.junctions], 0.0)
            if district.is_closed and share.sum() > 0.0:
                response[district.junctions] -= (share / share.sum()) @ response[district.junctions]
        return response

    def is_empty(self, drive: Drive) -> NDArray[np.bool_]:
        """Moments at which a tank stands at its bottom, bool [n, n_tanks]: what it feeds then lacks pressure."""
        low = self._level_limits[0]
        empty: NDArray[np.bool_] = drive.level <= low + _FULL_M + 1e-6
        return empty

    def is_drivable(self, drive: Drive) -> NDArray[np.bool_]:
        """Bool [n], the intervals in which everything that drives was measured."""
        imposed = np.hstack([drive.demand, drive.level, drive.pump_flow])
        return np.asarray(np.isfinite(imposed).all(axis=1))

    def is_adrift(self, drive: Drive) -> NDArray[np.bool_]:
        """Bool [n, n_pressure_sensors], sensors in a district whose only tank is as good as empty, or was next to then.

        EPANET and the town shut an empty tank off: its level no longer tells the district's head.
        """
        adrift = np.zeros((len(drive.times), len(self.sensor_nodes)), dtype=bool)
        empty = np.nan_to_num(drive.level, nan=np.inf) <= self._level_limits[0] + _FULL_M + 1e-6
        empty[1:] |= empty[:-1].copy()
        empty[:-1] |= empty[1:].copy()
        for district in self.districts:
            columns = np.flatnonzero(np.isin(self.tank_nodes, np.array(district.tanks, dtype=np.int64)))
            if len(columns) and len(columns) == len(district.tanks):
                inside = np.isin(self.sensor_nodes, self.engine.junctions[district.junctions])
                adrift |= empty[:, columns].all(axis=1)[:, None] & inside
        return adrift

    def expect(self, drive: Drive, wanted: NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """Modelled values at the instruments for every interval.

        Parameters
        ----------
        wanted
            bool [n], the intervals that matter; all where not given.

        Returns
        -------
        pressure : float64 [n, n_pressure_sensors], m
        flow : float64 [n, n_flow_meters], m3/s
            NaN where it was not wanted, where the model could not be driven or EPANET found no solution.
        """
        pressure = np.full((len(drive.times), len(self.sensor_nodes)), np.nan)
        flow = np.full((len(drive.times), len(self.flow_meters)), np.nan)
        self.forget()
        drivable = self.is_drivable(drive)
        rows = np.flatnonzero(drivable if wanted is None else drivable & wanted)
        for row in rows[~self._expect_fast(drive, rows, pressure, flow)]:
            try:
                self.impose(drive, int(row))
                p, q = self.solve()
            except EpanetError as error:
                if error.code != _UNSOLVED:
                    raise
                continue
            pressure[row], flow[row] = p[self.sensor_nodes], q[self.meter_links]
        return pressure, flow

    def _expect_fast(self, drive: Drive, rows: Ints, pressure: Floats, flow: Floats) -> NDArray[np.bool_]:
        """Fill in what the own solver proves, bool [n_rows]; the rest is EPANET's."""
        if not self.is_fast or not self._made_ready(drive, rows):
            return np.zeros(len(rows), dtype=bool)
        assert self._snapshots is not None
        p, q, proved = self._snapshots.solve(self._taken(drive, rows), drive.level[rows])
        pressure[rows[proved]], flow[rows[proved]] = p[proved], q[proved]
        return proved

    def _made_ready(self, drive: Drive, rows: Ints) -> bool:
        """Make the own solver ready for the network as it is, if that is worth while."""
        before, self._asked = self._asked, self.engine.revision
        if self._ready == self.engine.revision or not len(rows):
            return bool(len(rows))
        if len(rows) < _WORTH_READYING and before != self.engine.revision:
            return False  # a pipe is closed for a moment
        from hydro.fast.snapshots import Snapshots  # numba takes its time to import

        try:
            self.impose(drive, int(rows[0]))
            self.solve()
        except EpanetError as error:
            if error.code != _UNSOLVED:
                raise
            return False
        self._snapshots = Snapshots(self.engine, self.sensor_nodes, self.meter_links, self.tank_nodes)
        self._ready = self.engine.revision
        self.forget()
        return True


def _shares(nominal: Floats) -> Floats:
    """Share of each column in its row's sum; equal shares where the model has no demand."""
    total = nominal.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: Floats = np.where(total > 0.0, nominal / total, 1.0 / nominal.shape[1])
    return shares


def _aligned(table: pd.DataFrame, times: pd.DatetimeIndex, columns: tuple[str, ...]) -> Floats:
    return table.reindex(index=times, columns=list(columns)).to_numpy(dtype=np.float64)
