"""One step of state estimation: prediction, what the instruments say of it, and the hydraulics that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.areas import Areas, find_areas
from hydro.calibrated import Calibrated
from hydro.derivatives import derivatives
from hydro.drive import Drive
from hydro.driven import DrivenModel
from hydro.filtering import Observation, Update, hold_above, update
from hydro.rates import Rates
from hydro.sharing import Sharing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DAY = pd.Timedelta("1D")
_ABSURD_M = 1e4
_ABYSS_M = 20.0  # no leak draws the pressure at its own place below zero by so much
_REPAIRED = 1.3  # of what an area was taken to lose: it may have been underrated
_LEAST_SHARE = 0.1
_LENGTHS = (1.0, 0.5, 0.25, 0.125, 0.0)


@dataclass(frozen=True, slots=True)
class State:
    """What is known between steps.

    Attributes
    ----------
    time
        Of the last step, or None before the first.
    mean
        float64 [n], withdrawals of areas, slow excess of districts (m3/s), slow errors of instruments and wandering
        ones (m, m3/s).
    covariance
        float64 [n, n].
    may_jump
        bool [n], withdrawals that the last step asked to jump, and those of their districts: a change has to last for
        two steps.
    """

    time: pd.Timestamp | None
    mean: Floats
    covariance: Floats
    may_jump: Bools


@dataclass(frozen=True, slots=True)
class Step:
    """One step's outcome.

    Attributes
    ----------
    head, flow, demand
        float64 [n_nodes] m, [n_links] m3/s, [n_nodes] m3/s: one hydraulic solution, so that mass and energy balance.
    expected
        float64 [n_instruments], what the instruments should read in it, m and m3/s.
    told
        What the observation told.
    prior
        float64 [n, n], covariance before it, jumps included.
    response
        float64 [n_instruments + n_balances, n], of the instruments by the state.
    nodal
        float64 [n_junctions, n_instruments + n_balances], covariance of junctions' own noise with the instruments.
    by_inflow
        float64 [n_districts, n_instruments + n_balances], response to an error of each district's inflow.
    inflow_variance
        float64 [n_districts], of that error, m6/s2.
    total
        Demand of all districts, m3/s.
    """

    head: Floats
    flow: Floats
    demand: Floats
    expected: Floats
    told: Update
    prior: Floats
    response: Floats
    nodal: Floats
    by_inflow: Floats
    inflow_variance: Floats
    total: float


class Estimator:
    """State estimation on a driven model.

    Parameters
    ----------
    model
        Driven by the record's instruments; the calibration is put into it.
    calibration
        What was learnt on a history, or None: the model is then taken as it is, its errors as a maintained model's.
    nominal
        float64 [n_junctions], mean nominal demand, m3/s.
    inflow
        float64 [n_districts], mean net inflow, m3/s.
    rates
        How fast things change.
    """

    def __init__(
        self, model: DrivenModel, calibration: Calibrated | None, nominal: Floats, inflow: Floats, rates: Rates
    ) -> None:
        self.model, self.calibration, self.rates = model, calibration, rates
        self.sharing = Sharing(model, nominal)
        self.areas: Areas = (
            calibration.areas
            if calibration is not None
            else find_areas(model.topology, model.engine.junctions, model.districts, model.sensor_nodes)
        )
        self.inflow = inflow
        # without a calibration nothing says what is usual, and the balance says nothing
        known = calibration.usual if calibration is not None else {}
        self.balances = [k for k, takers in enumerate(self.sharing.takers) if len(takers) and k in known]
        self.n_areas, self.n_balances = len(self.areas), len(self.balances)
        self.n_instruments = len(model.instruments)
        self.offset = np.zeros(self.n_instruments)
        if calibration is not None:
            place = {name: k for k, name in enumerate(calibration.sensors)}
            for k, name in enumerate(model.pressure_sensors):
                self.offset[k] = calibration.offset[place[name]] if name in place else 0.0
        self.is_forced = np.concatenate(
            [np.zeros(len(model.sensor_nodes), dtype=bool), np.isin(model.meter_links, model.pumps)]
        )
        self.n_states = self.n_areas + self.n_balances + 2 * self.n_instruments
        self.misfit = self._misfit()
        share = self.areas.length / np.bincount(self.areas.district, self.areas.length)[self.areas.district]
        self._size = inflow[self.areas.district]
        self._walk = (rates.walk * self._size) ** 2 * share
        self._first = (rates.first * self._size) ** 2 * share
        mean_demand = self.areas.spread.astype(bool).T @ nominal
        self._lower = np.concatenate([-rates.give * mean_demand, np.full(self.n_states - self.n_areas, -np.inf)])
        days = np.full(self.n_states, rates.memory / _DAY)
        days[: self.n_areas], days[-self.n_instruments :] = np.inf, rates.wander / _DAY
        self._memory = days

    def _misfit(self, column: str = "rms_held_out") -> Floats:
        """Misfit of each instrument to a calibrated model on days that it was not fitted to; 0 where unknown."""
        if self.calibration is None:
            return np.zeros(self.n_instruments)
        known = self.calibration.misfit[column]
        return np.array([known.get(name, 0.0) for name in self.model.instruments], dtype=np.float64)

    @property
    def unexplained(self) -> float:
        """Deviation of a pressure that no parameter and no moment of switching explains, m."""
        steady = self._misfit("after_held_out")[: len(self.model.sensor_nodes)]
        return float(np.median(steady)) if len(steady) else 0.0

    # before anything was seen -------------------------------------------------------------------------------------

    def begin(self, error: Floats) -> State:
        """State before the first step.

        Parameters
        ----------
        error
            float64 [n_instruments, n_instruments], covariance of the calibrated model's own error at the instruments.
        """
        mean = np.zeros(self.n_states)
        covariance = np.zeros((len(mean), len(mean)))
        areas = slice(0, self.n_areas)
        covariance[areas, areas] = np.diag(self._first)
        if self.calibration is not None and self.calibration.is_settled:
            mean[areas], covariance[areas, areas] = self.calibration.last_withdrawals()
            covariance[areas, areas] += np.diag(14.0 * self._walk)  # a fortnight's mean is not its end
        self._slow = self._slow_covariance(error)
        covariance[self.n_areas :, self.n_areas :] = self._slow
        return State(None, mean, covariance, np.zeros(len(mean), dtype=bool))

    def _slow_covariance(self, error: Floats) -> Floats:
        rates, n, m = self.rates, self.n_balances, self.n_instruments
        slow = np.zeros((n + 2 * m, n + 2 * m))
        slow[:n, :n] = np.diag([(rates.usual * self.inflow[k]) ** 2 for k in self.balances])
        slow[n : n + m, n : n + m] = error
        least = np.where(np.arange(m) < len(self.model.sensor_nodes), rates.drift, 1e-6)
        slow[n + m :, n + m :] = np.diag(np.maximum(least**2, 0.5 * self.misfit**2))
        return slow

    # a step -------------------------------------------------------------------------------------------------------

    def predict(self, state: State, time: pd.Timestamp) -> State:
        """Carry a state to the next time: withdrawals walk, slow errors forget."""
        if state.time is None:
            return State(time, state.mean, state.covariance, state.may_jump)
        days = (time - state.time) / _DAY
        n, factor = self.n_areas, np.exp(-days / self._memory)
        covariance = state.covariance * np.outer(factor, factor)
        covariance[:n, :n] += np.diag(self._walk * days)
        lost = np.sqrt(1.0 - factor[n:] ** 2)
        covariance[n:, n:] += np.outer(lost, lost) * self._slow
        return State(time, state.mean * factor, covariance, state.may_jump)

    def withdrawn(self, mean: Floats) -> Floats:
        """What leaves each junction beyond its share, float64 [n_junctions], m3/s."""
        return np.asarray(self.areas.spread @ mean[: self.n_areas])

    def step(
        self, state: State, drive: Drive, row: int, measured: Floats, balance: Floats, unsteady: Floats
    ) -> tuple[State, Step]:
        """Take one interval in.

        Parameters
        ----------
        state
            After the last interval.
        drive
            Boundary conditions; `demand` before any withdrawal.
        row
            Interval of the drive.
        measured
            float64 [n_instruments], pressures (m) then flows (m3/s); NaN is missing.
        balance
            float64 [n_balances], what districts take beyond their usual, m3/s; NaN is missing.
        unsteady
            float64 [n_districts], deviation of each closed district's net inflow in this interval, m3/s.

        Raises
        ------
        EpanetError
            If EPANET finds no solution.
        """
        before = self.predict(state, drive.times[row])
        one = drive.rows(np.array([row]))
        # an inflow that nobody measured is the usual take and what leaves besides, estimated like the rest
        missing = ~np.isfinite(one.inflow)
        usual = self.sharing.totals(one.demand)
        total = usual + np.where(missing, self.sharing.totals(self.withdrawn(before.mean)[None, :]), 0.0)
        guess = self._solve(one, total, self.withdrawn(before.mean))
        s = derivatives(self.model.engine, self.model.sensor_nodes, self.model.meter_links)
        response = self.sharing.response(s.by_demand, guess.demand)
        seen, nodal = self._observe(before, guess, response, measured, balance)
        by_inflow = self._by_inflow(s.by_demand, guess.demand)
        noise = seen.noise + by_inflow.T @ (by_inflow * np.square(unsteady)[:, None])
        seen = replace(seen, noise=noise)
        reach = self._reach(before.mean)
        doubtful = np.arange(len(seen.value)) < len(self.model.sensor_nodes)
        told = update(before.mean, before.covariance, seen, before.may_jump, reach, doubtful)
        mean = hold_above(told.mean, told.covariance, self._lower)
        own = np.clip(nodal @ told.gain, -0.9 * np.maximum(guess.demand, 0.0), None)
        error = np.square(unsteady) * (by_inflow @ told.gain)
        # the tangent is no guide far away: at the quiet end of a network head loss grows with the square of the flow
        worst = self._contradiction(guess, measured, told)
        for length in _LENGTHS:
            reached = before.mean + length * (mean - before.mean)
            besides = self.sharing.totals(self.withdrawn(reached)[None, :])
            total = usual + np.where(missing, besides + length * error, 0.0)
            final = self._solve(one, total, self.withdrawn(reached) + length * own)
            is_possible = final.lowest > min(guess.lowest, 0.0) - _ABYSS_M
            if is_possible and self._contradiction(final, measured, told) <= worst:
                break
        mean = reached
        prior = before.covariance + np.diag(told.jumped)
        step = Step(
            final.head, final.flow, final.taken, final.expected + self.offset, told, prior, seen.response, nodal,
            by_inflow, np.square(unsteady), float(total.sum()),
        )  # fmt: skip
        return State(before.time, mean, told.covariance, self._neighbours(told.wanted | (told.jumped > 0.0))), step

    def _reach(self, mean: Floats) -> tuple[Floats, Floats]:
        """How far withdrawals may jump: down to nothing, with a repair, and up to the largest that is believed."""
        down, up = np.zeros(self.n_states), np.zeros(self.n_states)
        down[: self.n_areas] = -_REPAIRED * np.maximum(mean[: self.n_areas], 0.0)
        up[: self.n_areas] = self.rates.largest * self._size
        return down, up

    def _contradiction(self, solved: _Solved, measured: Floats, told: Update) -> float:
        """How far the believed instruments are from a solution, in squared deviations."""
        m = self.n_instruments
        error = measured - solved.expected - self.offset
        error = np.where(np.isfinite(error) & ~self.is_forced, error, 0.0)
        return float(error @ told.precision[:m, :m] @ error)

    def _neighbours(self, wanted: Bools) -> Bools:
        """Withdrawals of the districts in which one was asked to jump."""
        may = np.zeros(self.n_states, dtype=bool)
        may[: self.n_areas] = np.isin(self.areas.district, self.areas.district[wanted[: self.n_areas]])
        return may

    def _by_inflow(self, by_demand: Floats, demand: Floats) -> Floats:
        """What an error of each district's net inflow does to everything that is observed."""
        effect = np.zeros((len(self.sharing.takers), self.n_instruments + self.n_balances))
        effect[:, : self.n_instruments] = self.sharing.by_total(by_demand, demand)
        for k, district in enumerate(self.balances):
            effect[district, self.n_instruments + k] = 1.0
        return effect

    def _observe(
        self, before: State, guess: _Solved, response: Floats, measured: Floats, balance: Floats
    ) -> tuple[Observation, Floats]:
        """The observation at a predicted state, and the covariance of junctions' own noise with the instruments."""
        rates, n, m, d = self.rates, self.n_areas, self.n_instruments, self.n_balances
        h = np.zeros((m + d, self.n_states))
        h[:m, :n] = response.T @ self.areas.spread
        h[:m, n + d : n + d + m] = h[:m, n + d + m :] = np.eye(m)
        for k, district in enumerate(self.balances):
            h[m + k, :n] = self.areas.district == district
            h[m + k, n + k] = 1.0
        value = np.concatenate([measured - guess.expected - self.offset, balance]) - np.concatenate(
            [h[:m, n + d :] @ before.mean[n + d :], h[m:, : n + d] @ before.mean[: n + d]]
        )
        value[:m][self.is_forced] = np.nan
        share = np.where(self.sharing.metered, rates.meter, rates.demand)
        variance = (share * guess.demand) ** 2
        nodal = np.hstack([variance[:, None] * response, np.zeros((len(variance), d))])
        noise = np.zeros((m + d, m + d))
        noise[:m, :m] = response.T @ nodal[:, :m]
        n_sensors = len(self.model.sensor_nodes)
        own = np.concatenate(
            [np.full(n_sensors, rates.pressure), np.maximum(rates.flow * np.abs(guess.expected[n_sensors:]), 1e-5)]
        )
        own = np.maximum(own, np.sqrt(0.5) * self.misfit)
        takes = [self._balance_noise(k) for k in self.balances]
        noise[np.diag_indices(m + d)] += np.concatenate([own, takes]) ** 2
        return Observation(value, h, noise), nodal

    def _balance_noise(self, district: int) -> float:
        assert self.calibration is not None
        inflow, usual = float(self.inflow[district]), self.calibration.usual[district]
        return max(usual.spread, self.rates.meter * inflow, 1e-6)

    def _solve(self, one: Drive, total: Floats, extra: Floats) -> _Solved:
        """Hydraulics with withdrawals: EPANET's solution, and what the instruments should read without offsets."""
        model = self.model
        extra = self._possible(one.demand[0], total[0], extra)
        demand = self.sharing.settle(one.demand, total, extra[None, :])
        model.impose(replace(one, demand=demand), 0)
        pressure, flow = model.solve()
        if np.abs(pressure).max() > _ABSURD_M:
            # begun at the last flows, EPANET can leave a pressure-reducing valve shut and a quarter without supply
            model.forget()
            pressure, flow = model.solve()
        engine = model.engine
        expected = np.concatenate([pressure[model.sensor_nodes], flow[model.meter_links]])
        head, taken = engine.read("node", "head"), engine.read("node", "demand")
        head[np.abs(pressure) > _ABSURD_M] = np.nan  # nothing supplies it
        expected[np.abs(expected) > _ABSURD_M] = np.nan
        self._put_back(head, flow, taken, one.pump_flow[0])
        return _Solved(head, flow, demand[0] - extra, taken, expected, float(pressure.min()))

    def _possible(self, demand: Floats, total: Floats, extra: Floats) -> Floats:
        """Withdrawals cut so that a tenth of what a district takes is left to its customers, float64 [n_junctions]."""
        cut = extra.copy()
        for number, takers in enumerate(self.sharing.takers):
            inside = self.sharing.districts[number].junctions
            free = total[number] - (demand[inside].sum() - demand[takers].sum())
            most, asked = max((1.0 - _LEAST_SHARE) * free, 0.0), extra[inside].sum()
            if len(takers) and asked > most:
                cut[inside] *= most / asked
        return cut

    def _put_back(self, head: Floats, flow: Floats, taken: Floats, measured: Floats) -> None:
        """Give pumps that a meter stood for their flow, and the nodes at their ends their own demand, in place."""
        topology = self.model.topology
        for replaced, q in zip(self.model.replaced, measured.tolist(), strict=True):
            meter, *pumps = replaced.links
            flow[meter] = q
            for node, sign in replaced.takes:
                if topology.is_junction[node]:
                    taken[node] -= sign * q
            ends = {int(topology.start[meter]), int(topology.end[meter])}
            for pump in pumps:
                near = ends & {int(topology.start[pump]), int(topology.end[pump])}
                towards = topology.start[meter] in near  # from the pumps through the meter
                forward = topology.end[pump] in near if towards else topology.start[pump] in near
                flow[pump] = (q if forward else -q) / len(pumps)
                head[list(near)] = np.nan  # between the pumps and their meter nothing holds a head
        if self.model.replaced:  # tanks and reservoirs take what arrives
            arriving = np.zeros(len(taken))
            np.add.at(arriving, topology.end, flow)
            np.subtract.at(arriving, topology.start, flow)
            taken[~topology.is_junction] = arriving[~topology.is_junction]


@dataclass(frozen=True, slots=True)
class _Solved:
    """A solution.

    `demand` is that of the junctions without what leaves besides, float64 [n_junctions], m3/s; `lowest` the least
    pressure, m.
    """

    head: Floats
    flow: Floats
    demand: Floats
    taken: Floats
    expected: Floats
    lowest: float
