"""Calibrate the driven model on a quiet week: pipe resistances, demand shares, sensor offsets.

Maximum a posteriori by Gauss-Newton with the implicit derivatives of `hydro.derivatives`: every pipe's resistance and
every junction's demand share is free about the INP's value, with a prior that says how far it may be off. Few sensors
cannot tell thousands of pipes apart; the prior leaves what they do not see where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.sparse.csgraph import connected_components

from hydro.derivatives import derivatives
from hydro.driven import Drive, DrivenModel
from hydro.errors import RecordError

Floats = NDArray[np.float64]

_MOST_STATES = 84
_NEGLIGIBLE = 1e-4  # of an instrument's deviation, by one deviation of a parameter
_ITERATIONS = 4
_ROUNDS = 3
_LEAST_GAIN = 2e-3
_MAD = 1.4826
_HUBER = 2.5


def _robust_weight(residual: Floats, seen: NDArray[np.bool_], floor: Floats) -> Floats:
    """Inverse deviation of each residual: its column's own spread, outliers held down (Huber); 0 where not seen.

    An instrument at the end of a thin pipe follows single customers and must not bend the whole model; moments at
    which a pump or a tank's inlet switched within the interval fit no steady state.
    """
    spread = floor.copy()
    for column, (values, there) in enumerate(zip(np.abs(residual).T, (seen & np.isfinite(residual)).T, strict=True)):
        if there.any():  # a missing cell holds no residual: it must not widen the column
            spread[column] = max(_MAD * float(np.median(values[there])), floor[column])
    size = np.nan_to_num(np.abs(residual) / spread)
    weight = np.where(size > _HUBER, np.sqrt(_HUBER / np.maximum(size, _HUBER)), 1.0) / spread
    return np.where(seen, weight, 0.0)


@dataclass(frozen=True, slots=True)
class Prior:
    """How far the INP may be from the truth, one standard deviation; and how well it can fit at all.

    Attributes
    ----------
    resistance, demand
        Of the natural logarithm of a pipe's resistance and a junction's demand share.
    offset
        Of a pressure sensor's zero (elevation), m.
    pressure, flow
        Least misfit that is to be expected, m and share of the meter's mean flow; each instrument's own is learnt.
    """

    resistance: float = 0.3
    demand: float = 0.3
    offset: float = 0.3
    pressure: float = 0.01
    flow: float = 0.004


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was learnt.

    Attributes
    ----------
    resistance
        float64 [n_pipes], factor on each pipe's head loss.
    demand
        float64 [n_junctions], factor on each junction's demand share.
    offset
        float64 [n_pressure_sensors], m, what a sensor shows above the model.
    before, after
        Misfit of pressures, m, as a standard deviation that single moments do not move (1.48 x median).
    """

    resistance: Floats
    demand: Floats
    offset: Floats
    before: float
    after: float


def calibrate(model: DrivenModel, drive: Drive, measured: Floats, prior: Prior | None = None) -> Calibration:
    """Fit the model to measurements of a period and leave it corrected.

    Parameters
    ----------
    model
        Driven by the same instruments; its factors are replaced by the calibrated ones.
    drive
        Boundary conditions of the period, built with the model's factors at 1.
    measured
        float64 [n, n_instruments], pressures (m) then flows (m3/s); NaN is missing.
    prior
        Standard deviations; the defaults suit a maintained model.

    Raises
    ------
    RecordError
        If no interval of the period can be driven.
    """
    prior = prior or Prior()
    usable = np.flatnonzero(model.is_drivable(drive))
    if len(usable) < 12:
        raise RecordError(
            f"only {len(usable)} intervals of the learning period have every inlet flow, pump flow and tank level; "
            "calibration needs 12: give a longer history"
        )
    pressure, _ = model.expect(drive.rows(usable))
    usable = usable[np.isfinite(pressure).all(axis=1)]
    # instruments report at their own pace: take moments at which most of them did
    if len(usable) == 0:
        raise RecordError("EPANET can solve no interval of the learning period: check the model and the meters' signs")
    seen = np.isfinite(measured[usable]).sum(axis=1)
    usual = np.sort(seen)[::-1][min(_MOST_STATES, len(seen) - 1)]
    usable = usable[seen >= 0.9 * usual]
    rows = usable[np.unique(np.linspace(0, len(usable) - 1, min(_MOST_STATES, len(usable))).astype(int))]
    fit = _Fit(model, drive.rows(rows), measured[rows], prior)
    return fit.run()


class _Fit:
    """One Gauss-Newton fit; parameters are offsets, log resistances and log demand shares in one vector."""

    def __init__(self, model: DrivenModel, drive: Drive, measured: Floats, prior: Prior) -> None:
        self.model, self.drive, self.measured = model, drive, measured
        self.n_sensors, self.n_pipes = len(model.sensor_nodes), len(model.topology.pipes)
        self.sd = np.concatenate(
            [
                np.full(self.n_sensors, prior.offset),
                np.full(self.n_pipes, prior.resistance),
                np.full(len(model.engine.junctions), prior.demand),
            ]
        )
        flows = np.abs(measured[:, self.n_sensors :])
        size = np.nansum(flows, axis=0) / np.maximum(np.isfinite(flows).sum(axis=0), 1)
        self.noise = np.concatenate([np.full(self.n_sensors, prior.pressure), np.maximum(prior.flow * size, 1e-5)])
        # a meter that drives the model cannot be misfit; one whose twin at a district's boundary does is still told
        self.weight = np.where(np.isnan(measured), 0.0, 1.0 / self.noise)
        forced = np.isin(model.meter_links, model.pumps)
        self.weight[:, self.n_sensors :][:, forced] = 0.0
        self.measured = np.nan_to_num(measured)

    def run(self) -> Calibration:
        """Fit in rounds, each with the weights that the last one's residuals ask for."""
        theta = np.zeros_like(self.sd)
        residual = self.residual(theta)
        first, seen = self.misfit(residual), self.weight > 0.0
        for _ in range(_ROUNDS):
            self.weight = _robust_weight(residual, seen, self.noise)
            theta = self.descend(theta)
            residual = self.residual(theta)
        offset, resistance, demand = self.split(theta)
        last = self.misfit(residual)
        return Calibration(np.exp(resistance), np.exp(demand), offset, first, last)

    def descend(self, theta: Floats) -> Floats:
        """Gauss-Newton with step halving from a start."""
        residual, jacobian = self.linearise(theta)
        cost = self.cost(residual, theta)
        for _ in range(_ITERATIONS):
            target = self.solve(residual, jacobian, theta)
            step = 1.0
            while step > 0.02:
                trial = theta + step * (target - theta)
                trial_residual = self.residual(trial)
                trial_cost = self.cost(trial_residual, trial)
                if trial_cost < cost:
                    break
                step /= 2.0
            if trial_cost >= cost:
                break
            gain, theta, cost = (cost - trial_cost) / cost, trial, trial_cost
            if gain < _LEAST_GAIN:
                break
            residual, jacobian = self.linearise(theta)
        return theta

    def split(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        a, b = self.n_sensors, self.n_sensors + self.n_pipes
        return theta[:a], theta[a:b], theta[b:]

    def cost(self, residual: Floats, theta: Floats) -> float:
        total = float(((residual * self.weight) ** 2).sum() + ((theta / self.sd) ** 2).sum())
        return total if np.isfinite(total) else np.inf  # a trial that EPANET cannot solve is no trial

    def misfit(self, residual: Floats) -> float:
        values = residual[:, : self.n_sensors][self.weight[:, : self.n_sensors] > 0.0]
        return float(_MAD * np.nanmedian(np.abs(values))) if len(values) else 0.0

    def drive_at(self, theta: Floats) -> Drive:
        """The drive with each district's demand redistributed by the trial shares; puts the resistances in."""
        _, resistance, demand = self.split(theta)
        factor = np.exp(demand)
        self.model.scale(np.exp(resistance), factor)
        shared = self.drive.demand * factor
        for district in self.model.districts:
            inside = district.junctions
            total = shared[:, inside].sum(axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = np.where(np.abs(total) > 1e-12, self.drive.demand[:, inside].sum(axis=1) / total, 1.0)
            shared[:, inside] *= scale[:, None]
        d = self.drive
        return Drive(d.times, shared, d.level, d.pump_flow, d.inflow, d.known)

    def residual(self, theta: Floats) -> Floats:
        offset, _, _ = self.split(theta)
        pressure, flow = self.model.expect(self.drive_at(theta))
        residual = self.measured - np.hstack([pressure, flow])
        residual[:, : self.n_sensors] -= offset
        return residual

    def linearise(self, theta: Floats) -> tuple[Floats, Floats]:
        """Residual [n, n_instruments] and its Jacobian [n, n_instruments, n_parameters] with the sign of the model."""
        model, offset = self.model, theta[: self.n_sensors]
        drive = self.drive_at(theta)
        n_instruments = len(self.noise)
        residual = np.empty_like(self.measured)
        jacobian = np.zeros((len(self.measured), n_instruments, len(theta)))
        sensors = np.arange(self.n_sensors)
        model.forget()
        for row in range(len(self.measured)):
            model.impose(drive, row)
            pressure, flow = model.solve()
            residual[row] = self.measured[row] - np.concatenate(
                [pressure[model.sensor_nodes] + offset, flow[model.meter_links]]
            )
            s = derivatives(model.engine, model.sensor_nodes, model.meter_links)
            response = model.leak_response(s.by_demand, drive.demand[row])
            jacobian[row, sensors, sensors] = 1.0
            jacobian[row, :, self.n_sensors : self.n_sensors + self.n_pipes] = s.by_resistance[model.topology.pipes].T
            jacobian[row, :, self.n_sensors + self.n_pipes :] = (response * drive.demand[row][:, None]).T
        return residual, jacobian

    def solve(self, residual: Floats, jacobian: Floats, theta: Floats) -> Floats:
        """Minimise the linearised cost; the jacobian is used up.

        Blocks behind pressure-reducing valves share no parameter with the others: each such part is solved by itself.
        """
        jacobian *= self.weight[:, :, None]
        jacobian *= self.sd
        target = residual * self.weight + jacobian @ (theta / self.sd)
        reached = np.asarray((np.abs(jacobian) > _NEGLIGIBLE).any(axis=0))
        scaled = np.zeros_like(theta)
        shared = reached.astype(np.float32) @ reached.T.astype(np.float32)
        _, labels = connected_components(np.asarray(shared > 0.0))
        for label in np.unique(labels):
            instruments = np.flatnonzero(labels == label)
            parameters = np.flatnonzero(reached[instruments].any(axis=0))
            if len(parameters) == 0:
                continue
            keep = self.weight[:, instruments].ravel() > 0.0
            part = jacobian[:, instruments[:, None], parameters].reshape(-1, len(parameters))
            scaled[parameters] = _ridge(part[keep], target[:, instruments].ravel()[keep])
        return np.asarray(scaled * self.sd)


def _ridge(a: Floats, b: Floats) -> Floats:
    """Solve (a'a + I) x = a'b in the space of data or of parameters, whichever is smaller."""
    if len(b) > a.shape[1]:
        return np.asarray(solve(a.T @ a + np.eye(a.shape[1]), a.T @ b, assume_a="pos"), dtype=np.float64)
    return np.asarray(a.T @ solve(a @ a.T + np.eye(len(b)), b, assume_a="pos"), dtype=np.float64)
