"""Maximum a posteriori fit of the driven model by Gauss-Newton, whatever its parameters are.

What is free is said by a `Parameters`: everything about every pipe and junction for the detector
(`hydro.calibration`), groups, hours and withdrawals for the calibration of a model file (`hydro.calibrated`). The fit
itself knows only priors, residuals and the implicit derivatives of `hydro.derivatives`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.sparse.csgraph import connected_components

from hydro.bordered import Bordered
from hydro.derivatives import derivatives
from hydro.drive import Drive
from hydro.driven import DrivenModel

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_NEGLIGIBLE = 1e-4  # of an instrument's deviation, by one deviation of a parameter
_ITERATIONS = 4
_ROUNDS = 3
_LEAST_GAIN = 2e-3
MAD = 1.4826
_HUBER = 2.5


class Parameters(Protocol):
    """What a fit may change, in one vector.

    Attributes
    ----------
    deviation
        float64 [n], prior standard deviation of each parameter about 0.
    lower
        float64 [n], least value of each parameter, or None where all are free.
    block
        int64 [n], which parameters matter to the same few intervals (`hydro.bordered`), or None.
    n_balances
        Instruments beyond the model's own: what districts take beyond the usual.
    """

    deviation: Floats
    lower: Floats | None
    block: Ints | None
    n_balances: int

    def offset(self, theta: Floats) -> Floats:
        """float64 [n_pressure_sensors], m."""

    def drive_at(self, theta: Floats) -> Drive:
        """The drive under trial parameters; puts resistances into the model."""

    def balance(self, theta: Floats) -> Floats:
        """float64 [n, n_balances], m3/s."""

    def jacobian(self, row: int, by_demand: Floats, by_resistance: Floats, demand: Floats, out: Floats) -> None:
        """Derivatives of one interval's instruments into `out`, float64 [n_instruments + n_balances, n].

        Parameters
        ----------
        row
            Interval.
        by_demand, by_resistance
            Of `hydro.derivatives`.
        demand
            float64 [n_junctions], m3/s, that the interval was solved with.
        """


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


def robust_weight(residual: Floats, seen: Bools, floor: Floats) -> Floats:
    """Inverse deviation of each residual: its column's own spread, outliers held down (Huber); 0 where not seen.

    An instrument at the end of a thin pipe follows single customers and must not bend the whole model; moments at
    which a pump or a tank's inlet switched within the interval fit no steady state.
    """
    spread = floor.copy()
    for column, (values, there) in enumerate(zip(np.abs(residual).T, (seen & np.isfinite(residual)).T, strict=True)):
        if there.any():  # a missing cell holds no residual: it must not widen the column
            spread[column] = max(MAD * float(np.median(values[there])), floor[column])
    size = np.nan_to_num(np.abs(residual) / spread)
    weight = np.where(size > _HUBER, np.sqrt(_HUBER / np.maximum(size, _HUBER)), 1.0) / spread
    return np.where(seen, weight, 0.0)


class Fit:
    """One Gauss-Newton fit.

    Parameters
    ----------
    model
        Driven by the instruments that measured; it is left with the last trial's resistances in it.
    measured
        float64 [n, n_instruments + n_balances], pressures (m), flows and balances (m3/s); NaN is missing.
    noise
        float64 [n_instruments + n_balances], least misfit of each that is to be expected.
    parameters
        What is free.

    Attributes
    ----------
    weight
        float64 [n, n_instruments + n_balances], inverse deviation of each residual; 0 where it tells nothing.
    """

    def __init__(self, model: DrivenModel, measured: Floats, noise: Floats, parameters: Parameters) -> None:
        self.model, self.parameters, self.noise = model, parameters, noise
        self.n_sensors = len(model.sensor_nodes)
        # a meter that drives the model cannot be misfit; one whose twin at a district's boundary does is still told
        self.weight = np.where(np.isnan(measured), 0.0, 1.0 / noise)
        forced = self.n_sensors + np.flatnonzero(np.isin(model.meter_links, model.pumps))
        self.weight[:, forced] = 0.0
        self.measured = np.nan_to_num(measured)
        self.before = 0.0

    def run(self) -> Floats:
        """Fit in rounds, each with the weights that the last one's residuals ask for; return the parameters."""
        theta = np.zeros_like(self.parameters.deviation)
        residual = self.residual(theta)
        self.before, seen = self.misfit(residual), self.weight > 0.0
        for _ in range(_ROUNDS):
            self.weight = robust_weight(residual, seen, self.noise)
            theta = self.descend(theta)
            residual = self.residual(theta)
        self.after = self.misfit(residual)
        return theta

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

    def cost(self, residual: Floats, theta: Floats) -> float:
        """Twice the negative log posterior."""
        total = float(((residual * self.weight) ** 2).sum() + ((theta / self.parameters.deviation) ** 2).sum())
        return total if np.isfinite(total) else np.inf  # a trial that EPANET cannot solve is no trial

    def misfit(self, residual: Floats) -> float:
        """Misfit of pressures, m, as a standard deviation that single moments do not move."""
        values = residual[:, : self.n_sensors][self.weight[:, : self.n_sensors] > 0.0]
        return float(MAD * np.nanmedian(np.abs(values))) if len(values) else 0.0

    def residual(self, theta: Floats) -> Floats:
        """Measured less modelled, float64 [n, n_instruments + n_balances]."""
        pressure, flow = self.model.expect(self.parameters.drive_at(theta))
        residual = self.measured - np.hstack([pressure, flow, self.parameters.balance(theta)])
        residual[:, : self.n_sensors] -= self.parameters.offset(theta)
        return residual

    def linearise(self, theta: Floats) -> tuple[Floats, Floats]:
        """Residual [n, n_instruments] and its Jacobian [n, n_instruments, n_parameters] with the sign of the model."""
        model, offset = self.model, self.parameters.offset(theta)
        drive, balance = self.parameters.drive_at(theta), self.parameters.balance(theta)
        residual = np.empty_like(self.measured)
        jacobian = np.zeros((*self.measured.shape, len(theta)))
        model.forget()
        for row in range(len(self.measured)):
            model.impose(drive, row)
            pressure, flow = model.solve()
            residual[row] = self.measured[row] - np.concatenate(
                [pressure[model.sensor_nodes] + offset, flow[model.meter_links], balance[row]]
            )
            s = derivatives(model.engine, model.sensor_nodes, model.meter_links)
            self.parameters.jacobian(row, s.by_demand, s.by_resistance, drive.demand[row], jacobian[row])
        return residual, jacobian

    def whiten(self, jacobian: Floats) -> None:
        """Scale a Jacobian, in place, by each residual's weight and each parameter's prior deviation."""
        jacobian *= self.weight[:, :, None]
        jacobian *= self.parameters.deviation

    def solve(self, residual: Floats, jacobian: Floats, theta: Floats) -> Floats:
        """Minimise the linearised cost within the bounds; the jacobian is used up.

        Blocks behind pressure-reducing valves share no parameter with the others: each such part is solved by itself.
        """
        deviation, lower, block = self.parameters.deviation, self.parameters.lower, self.parameters.block
        self.whiten(jacobian)
        target = residual * self.weight + jacobian @ (theta / deviation)
        scaled = np.zeros_like(theta)
        for instruments, parameters in parts(jacobian):
            keep = self.weight[:, instruments].ravel() > 0.0
            part = jacobian[:, instruments[:, None], parameters].reshape(-1, len(parameters))[keep]
            wanted = target[:, instruments].ravel()[keep]
            if lower is None or block is None:
                scaled[parameters] = _ridge(part, wanted)
            else:
                equations = Bordered(part, wanted, block[parameters])
                scaled[parameters] = equations.solve((lower / deviation)[parameters])
        return np.asarray(scaled * deviation)


def parts(jacobian: Floats) -> Iterator[tuple[Ints, Ints]]:
    """Instruments and parameters that have to do with each other, of a whitened Jacobian; parameters may be left out.

    Yields
    ------
    instruments, parameters : int64 arrays
    """
    reached = np.asarray((np.abs(jacobian) > _NEGLIGIBLE).any(axis=0))
    shared = reached.astype(np.float32) @ reached.T.astype(np.float32)
    _, labels = connected_components(np.asarray(shared > 0.0))
    for label in np.unique(labels):
        instruments = np.flatnonzero(labels == label)
        parameters = np.flatnonzero(reached[instruments].any(axis=0))
        if len(parameters):
            yield instruments, parameters


def _ridge(a: Floats, b: Floats) -> Floats:
    """Solve (a'a + I) x = a'b in the space of data or of parameters, whichever is smaller."""
    if len(b) > a.shape[1]:
        return np.asarray(solve(a.T @ a + np.eye(a.shape[1]), a.T @ b, assume_a="pos"), dtype=np.float64)
    return np.asarray(a.T @ solve(a @ a.T + np.eye(len(b)), b, assume_a="pos"), dtype=np.float64)
