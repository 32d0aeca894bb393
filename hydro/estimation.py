"""State estimation step by step: heads, flows and demands everywhere, with variances, from what instruments say.

The record drives the model (`hydro.driven`); what the pressures show beyond it is put down to water that leaves areas
of the network (a random walk that may jump), to the junctions' own noise and to slow errors of instruments and
districts. The estimate is the mean of the first two, put back into EPANET: every step is a hydraulic solution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.calibrated import Calibrated
from hydro.drive import Drive
from hydro.driven import DrivenModel
from hydro.errors import EpanetError, RecordError
from hydro.estimator import Estimator, State, Step
from hydro.fitdata import STEP
from hydro.opening import Source, as_network
from hydro.phase import find_phase
from hydro.rates import Rates
from hydro.record import Record
from hydro.spread import Spread
from hydro.usual import Usual, excess

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Progress = Callable[[str, float], None]

_REFERENCES = 6
_UNSOLVED = 110
_CARRY = pd.Timedelta("2h")


@dataclass(frozen=True)
class Estimate:
    """Heads, flows and demands at every step, and what the instruments had to say.

    Attributes
    ----------
    times
        DatetimeIndex [n], start of each interval.
    nodes, links
        Names of the outputs' elements.
    head, head_deviation
        float64 [n, n_nodes], m; NaN in steps that could not be driven or solved, and at nodes between a pump and the
        meter that stands for it.
    flow, flow_deviation
        float64 [n, n_links], m3/s.
    demand, demand_deviation
        float64 [n, n_nodes], m3/s; tanks and reservoirs take what flows into them, whose deviation is NaN.
    withdrawal, withdrawal_deviation
        float64 [n, n_areas], m3/s beyond each area's share.
    area_centres
        Junctions at the areas' middles.
    instruments
        Pressure sensors, flow meters, then "balance of <district>".
    expected
        float64 [n, n_pressure_sensors + n_flow_meters], what the instruments should read, m and m3/s.
    score
        float64 [n, n_instruments], each reading against what all others let expect, in standard deviations; NaN where
        missing or imposed on the model.
    is_doubted
        bool [n, n_instruments], readings that were not believed.
    is_complete
        bool [n], False where the boundary had to be guessed from the usual take or the last reading.
    state
        To go on from.
    """

    times: pd.DatetimeIndex
    nodes: tuple[str, ...]
    links: tuple[str, ...]
    head: Floats
    head_deviation: Floats
    flow: Floats
    flow_deviation: Floats
    demand: Floats
    demand_deviation: Floats
    withdrawal: Floats
    withdrawal_deviation: Floats
    area_centres: tuple[str, ...]
    instruments: tuple[str, ...]
    expected: Floats
    score: Floats
    is_doubted: Bools
    is_complete: Bools
    state: State

    def suspects(self, share: float = 0.2) -> dict[str, float]:
        """Instruments that were not believed in more than a share of the steps in which they spoke, and that share."""
        spoke = np.isfinite(self.score).sum(axis=0)
        doubted = self.is_doubted.sum(axis=0) / np.maximum(spoke, 1)
        return {name: float(d) for name, d in zip(self.instruments, doubted, strict=True) if d > share}


class Estimation:
    """An estimator fed by records: it keeps the model open between them.

    Parameters
    ----------
    network
        What `Engine` accepts; with a calibration, the one that was calibrated.
    record
        Whose instruments drive the model; also where reference moments for the variances come from.
    calibration
        What `hydro.calibrate` learnt on a history, or None.
    step
        Interval of means; the calibration's by default.
    rates
        How fast things change.
    outputs
        Nodes and links whose variances are wanted; all of them by default.
    status
        What links did: columns are names, index UTC; 0 is closed, above it open, and for a pump its speed. NaN leaves
        a link as it was, and so do links whose flow is measured in their place.

    Raises
    ------
    RecordError
        If the record cannot drive the model.
    """

    def __init__(
        self,
        network: Source,
        record: Record,
        calibration: Calibrated | None = None,
        step: pd.Timedelta | None = None,
        rates: Rates | None = None,
        outputs: tuple[tuple[str, ...], tuple[str, ...]] | None = None,
        status: pd.DataFrame | None = None,
    ) -> None:
        opened = as_network(network)
        self.calibration, self.rates = calibration, rates or Rates()
        self.step = step or (calibration.step if calibration is not None else STEP)
        self.model = DrivenModel(opened, record, calibration.closed if calibration is not None else None)
        try:
            self._check(calibration, status)
            if calibration is not None:
                self.model.scale(calibration.resistance, calibration.demand)
            self._status = status
            means = record.resampled(self.step)
            self.phase = find_phase(self.model, means, self.step)
            drive, nominal, _ = self._drive(means)
            inflow = np.where(np.isfinite(drive.inflow), drive.inflow, np.nan)
            seen = np.isfinite(inflow)
            mean = np.where(seen, inflow, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
            own = np.array([nominal[:, d.junctions].sum(axis=1).mean() for d in self.model.districts])
            size = np.where(seen.any(axis=0), np.abs(mean), own)
            self.estimator = Estimator(self.model, calibration, nominal.mean(axis=0), size, self.rates)
            self._outputs(outputs)
            self.spread = self._spread(drive)
            self.state = self.estimator.begin(self.spread.instrument_errors())
        except BaseException:
            self.model.close()
            raise

    def close(self) -> None:
        """Free the engine."""
        self.model.close()

    def _check(self, calibration: Calibrated | None, status: pd.DataFrame | None) -> None:
        topology = self.model.topology
        if calibration is not None and (
            len(calibration.resistance) != len(topology.pipes)
            or len(calibration.demand) != len(self.model.engine.junctions)
        ):
            raise RecordError(
                "the calibration is of another network: it has "
                f"{len(calibration.resistance)} pipes and {len(calibration.demand)} junctions; calibrate this one"
            )
        if calibration is not None and calibration.districts != tuple(d.name for d in self.model.districts):
            raise RecordError(
                "the record's flow meters and levels cut other districts than those that were calibrated: "
                "give the same instruments (columns without values will do)"
            )
        for name in () if status is None else status.columns:
            topology.link(name)

    def _outputs(self, outputs: tuple[tuple[str, ...], tuple[str, ...]] | None) -> None:
        topology = self.model.topology
        nodes, links = outputs if outputs is not None else (topology.nodes, topology.links)
        self._nodes = np.array([topology.node(name) for name in nodes], dtype=np.int64)
        self._links = np.array([topology.link(name) for name in links], dtype=np.int64)

    # boundary -----------------------------------------------------------------------------------------------------

    def _drive(self, means: Record) -> tuple[Drive, Floats, Bools]:
        """Boundary conditions before withdrawals, gaps filled; nominal demand; which intervals had none to fill."""
        model, calibration = self.model, self.calibration
        drive = model.drive(means, self.step, self.phase)
        nominal = model.nominal_demand(drive.times, self.step, self.phase)
        shaped = nominal * model.demand_factor
        is_complete = model.is_drivable(drive)
        demand = drive.demand.copy()
        if calibration is not None:
            hour = calibration.layout.hours.at(drive.times)
            level = calibration.hours[hour][:, calibration.layout.zones.of]
            missing = np.isnan(demand)
            # within a closed district the settled sum makes only the proportions count
            demand *= np.where(self._metered(), 1.0, level)
            demand = np.where(missing, shaped * level, demand)
        demand = np.where(np.isnan(demand), shaped, demand)
        carry = max(int(_CARRY / self.step), 1)
        level_m, pump = _carried(drive.level, carry), _carried(drive.pump_flow, carry)
        return Drive(drive.times, demand, level_m, pump, drive.inflow, drive.known), nominal, is_complete

    def _metered(self) -> Bools:
        """Bool [n_junctions], whose demand is measured."""
        nodes = [self.model.topology.node(name) for name in self.model.customer_meters]
        return np.isin(self.model.engine.junctions, nodes)

    def _spread(self, drive: Drive) -> Spread:
        """Variances, with reference moments at quantiles of the demand."""
        usable = np.flatnonzero(self.model.is_drivable(drive))
        if not len(usable):
            raise RecordError(
                "no interval of the record has every tank level and pump flow; give a record of the driving instruments"
            )
        settled = self._settled(drive)
        order = usable[np.argsort(settled.demand[usable].sum(axis=1), kind="stable")]
        rows = order[((np.arange(_REFERENCES) + 0.5) / _REFERENCES * len(order)).astype(int)]
        junctions = np.flatnonzero(np.isin(self.model.engine.junctions, self._nodes)).astype(np.int64)
        rows = np.array(list(dict.fromkeys(rows.tolist())), dtype=np.int64)
        return Spread(self.estimator, settled, rows, self._nodes, self._links, junctions)

    def _settled(self, drive: Drive) -> Drive:
        """The drive with every closed district at its net inflow, or at its usual take where that is not known."""
        total = self.estimator.sharing.totals(drive.demand)
        for k, takers in enumerate(self.estimator.sharing.takers):
            if len(takers):
                total[:, k] = np.where(np.isfinite(drive.inflow[:, k]), drive.inflow[:, k], total[:, k])
        demand = self.estimator.sharing.settle(drive.demand, total)
        return Drive(drive.times, demand, drive.level, drive.pump_flow, drive.inflow, drive.known)

    # steps --------------------------------------------------------------------------------------------------------

    def run(self, record: Record, progress: Progress | None = None, every: int = 1) -> Estimate:
        """Estimate every interval of a record, or each n-th, going on from the last state."""
        move = progress or (lambda stage, share: None)
        means = record.resampled(self.step)
        raw, nominal, is_complete = self._drive(means)
        drive = self._settled(raw)
        measured = np.hstack(
            [
                means.pressure.reindex(index=drive.times, columns=list(self.model.pressure_sensors)).to_numpy(float),
                means.flow.reindex(index=drive.times, columns=list(self.model.flow_meters)).to_numpy(float),
            ]
        )
        beyond, unsteady = self._balances(drive, nominal), self._unsteady(drive)
        chosen = np.arange(0, len(drive.times), every)
        collected = _Collected(self, drive.times[chosen])
        drivable = self.model.is_drivable(drive)
        self.model.forget()
        for place, row in enumerate(chosen.tolist()):
            self._set_status(drive.times[row])
            if drivable[row]:
                self._take(collected, place, drive, row, (measured[row], beyond[row], unsteady[row]))
            if place % 64 == 0:
                move("estimate", place / len(chosen))
        move("estimate", 1.0)
        return collected.finish(self.state, is_complete[chosen])

    def _balances(self, drive: Drive, nominal: Floats) -> Floats:
        if self.calibration is None:
            return np.empty((len(drive.times), 0))
        usual: dict[int, Usual] = {k: self.calibration.usual[k] for k in self.estimator.balances}
        return excess(drive, self.estimator.sharing, nominal, self.calibration.layout.hours, usual)

    def _unsteady(self, drive: Drive) -> Floats:
        """Deviation of each district's net inflow, float64 [n, n_districts], m3/s.

        Meters err by a share; where the inflow bends from interval to interval (a pump that started within one) its
        mean stands for no steady state, and the storage of tanks is not known to the interval. Where it was not
        measured at all it is the usual take, give or take.
        """
        size, rates = self.estimator.inflow, self.rates
        bend = np.zeros_like(drive.inflow)
        if len(bend) > 2:
            bend[1:-1] = np.abs(drive.inflow[2:] - 2.0 * drive.inflow[1:-1] + drive.inflow[:-2]) / 2.0
        missing = ~np.isfinite(drive.inflow)
        return np.where(missing, 3.0 * rates.usual * size, np.hypot(rates.inflow * size, np.nan_to_num(bend)))

    def _take(
        self, collected: _Collected, place: int, drive: Drive, row: int, seen: tuple[Floats, Floats, Floats]
    ) -> None:
        try:
            self.state, step = self.estimator.step(self.state, drive, row, *seen)
        except EpanetError as error:
            if error.code != _UNSOLVED:
                raise
            self.model.forget()
            return
        collected.take(place, step, self.state)

    def _set_status(self, time: pd.Timestamp) -> None:
        """Put in what links did at a time."""
        if self._status is None:
            return
        place = int(self._status.index.searchsorted(time, side="right")) - 1
        if place < 0:
            return
        engine, topology = self.model.engine, self.model.topology
        for name, value in self._status.iloc[place].items():
            link = topology.link(str(name))
            if np.isfinite(value) and link not in self.model.pumps:
                engine.set_value("link", link, "init_status", float(value > 0.0))
                if value > 0.0 and link in engine.pumps:
                    engine.set_value("link", link, "init_setting", float(value))


class _Collected:
    """Results of steps as they come."""

    def __init__(self, estimation: Estimation, times: pd.DatetimeIndex) -> None:
        self.estimation, self.times = estimation, times
        estimator, n = estimation.estimator, len(times)
        nodes, links = len(estimation._nodes), len(estimation._links)
        self.n_areas, m = estimator.n_areas, estimator.n_instruments + estimator.n_balances
        self.head, self.head_deviation = np.full((n, nodes), np.nan), np.full((n, nodes), np.nan)
        self.flow, self.flow_deviation = np.full((n, links), np.nan), np.full((n, links), np.nan)
        self.demand, self.demand_deviation = np.full((n, nodes), np.nan), np.full((n, nodes), np.nan)
        self.withdrawal = np.full((n, self.n_areas), np.nan)
        self.withdrawal_deviation = np.full((n, self.n_areas), np.nan)
        self.expected = np.full((n, estimator.n_instruments), np.nan)
        self.score, self.is_doubted = np.full((n, m), np.nan), np.zeros((n, m), dtype=bool)
        junctions = estimation.model.engine.junctions
        self._of_junctions = np.flatnonzero(np.isin(estimation._nodes, junctions))
        # outputs of demands come in the junctions' order, nodes in the caller's
        self._of_junctions = self._of_junctions[np.argsort(estimation._nodes[self._of_junctions], kind="stable")]

    def take(self, row: int, step: Step, state: State) -> None:
        """Keep one step."""
        nodes, links = self.estimation._nodes, self.estimation._links
        variance = self.estimation.spread.variances(step)
        a, b = len(nodes), len(nodes) + len(links)
        self.head[row], self.flow[row], self.demand[row] = step.head[nodes], step.flow[links], step.demand[nodes]
        self.head_deviation[row], self.flow_deviation[row] = np.sqrt(variance[:a]), np.sqrt(variance[a:b])
        self.demand_deviation[row, self._of_junctions] = np.sqrt(variance[b:])
        self.withdrawal[row] = state.mean[: self.n_areas]
        self.withdrawal_deviation[row] = np.sqrt(np.maximum(np.diag(state.covariance)[: self.n_areas], 0.0))
        self.expected[row], self.score[row], self.is_doubted[row] = step.expected, step.told.score, step.told.doubted

    def finish(self, state: State, is_complete: Bools) -> Estimate:
        """The estimate."""
        estimation = self.estimation
        topology, model, estimator = estimation.model.topology, estimation.model, estimation.estimator
        return Estimate(
            times=self.times,
            nodes=tuple(topology.nodes[k] for k in estimation._nodes),
            links=tuple(topology.links[k] for k in estimation._links),
            head=self.head, head_deviation=self.head_deviation, flow=self.flow, flow_deviation=self.flow_deviation,
            demand=self.demand, demand_deviation=self.demand_deviation, withdrawal=self.withdrawal,
            withdrawal_deviation=self.withdrawal_deviation,
            area_centres=tuple(topology.nodes[model.engine.junctions[k]] for k in estimator.areas.centre),
            instruments=(*model.instruments, *(f"balance of {model.districts[k].name}" for k in estimator.balances)),
            expected=self.expected, score=self.score, is_doubted=self.is_doubted, is_complete=is_complete, state=state,
        )  # fmt: skip


def _carried(values: Floats, most: int) -> Floats:
    """Gaps of at most so many intervals filled with the last reading."""
    return np.asarray(pd.DataFrame(values).ffill(limit=most).to_numpy(dtype=np.float64))


def estimate(
    network: Source,
    record: Record,
    calibration: Calibrated | None = None,
    step: pd.Timedelta | None = None,
    rates: Rates | None = None,
    outputs: tuple[tuple[str, ...], tuple[str, ...]] | None = None,
    status: pd.DataFrame | None = None,
    progress: Progress | None = None,
) -> Estimate:
    """Estimate heads, flows and demands everywhere at every interval of a record.

    Parameters
    ----------
    network, record, calibration, step, rates, outputs, status
        See `Estimation`; `Estimation` itself serves records that come piece by piece.
    progress
        Called with (stage, share).

    Raises
    ------
    RecordError
        If the record cannot drive the model.
    """
    estimation = Estimation(network, record, calibration, step, rates, outputs, status)
    try:
        return estimation.run(record, progress)
    finally:
        estimation.close()
