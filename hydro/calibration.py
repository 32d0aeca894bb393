"""Calibrate the driven model on a quiet week: pipe resistances, demand shares, sensor offsets.

Every pipe's resistance and every junction's demand share is free about the INP's value, with a prior that says how far
it may be off (`hydro.fit`). Few sensors cannot tell thousands of pipes apart; the prior leaves what they do not see
where it was. This is what the detector watches with; `hydro.calibrated` calibrates a model for its own sake.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hydro.drive import Drive
from hydro.driven import DrivenModel
from hydro.errors import RecordError
from hydro.fit import Fit, Prior

__all__ = ["Calibration", "Prior", "calibrate", "choose_states", "expected_noise"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_STATES = 84
_TRIED = 12  # times as many intervals as are chosen are looked at


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


def calibrate(
    model: DrivenModel,
    drive: Drive,
    measured: Floats,
    prior: Prior | None = None,
    lost: Floats | None = None,
    most: int = _MOST_STATES,
) -> Calibration:
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
    lost
        float64 [n, n_junctions], m3/s, what known leaks take of the demand.
    most
        Intervals that are fitted at most.

    Raises
    ------
    RecordError
        If no interval of the period can be driven.
    """
    prior = prior or Prior()
    rows = choose_states(model, drive, measured, most)
    parameters = _Everything(model, drive.rows(rows), prior, None if lost is None else lost[rows])
    fit = Fit(model, measured[rows], expected_noise(measured[rows], len(model.sensor_nodes), prior), parameters)
    offset, resistance, demand = parameters.split(fit.run())
    return Calibration(np.exp(resistance), np.exp(demand), offset, fit.before, fit.after)


def choose_states(model: DrivenModel, drive: Drive, measured: Floats, most: int) -> Ints:
    """Intervals to fit: evenly spread over those that can be driven and solved and in which most instruments spoke.

    Raises
    ------
    RecordError
        If fewer than twelve can be driven, or none solved.
    """
    usable = np.flatnonzero(model.is_drivable(drive))
    if len(usable) < 12:
        raise RecordError(
            f"only {len(usable)} intervals of the learning period have every inlet flow, pump flow and tank level; "
            "calibration needs 12: give a longer history"
        )
    if len(usable) > _TRIED * most:
        usable = usable[np.unique(np.linspace(0, len(usable) - 1, _TRIED * most).astype(int))]
    pressure, _ = model.expect(drive.rows(usable))
    usable = usable[np.isfinite(pressure).all(axis=1)]
    # instruments report at their own pace: take moments at which most of them did
    if len(usable) == 0:
        raise RecordError("EPANET can solve no interval of the learning period: check the model and the meters' signs")
    seen = np.isfinite(measured[usable]).sum(axis=1)
    usual = np.sort(seen)[::-1][min(most, len(seen) - 1)]
    usable = usable[seen >= 0.9 * usual]
    chosen: Ints = usable[np.unique(np.linspace(0, len(usable) - 1, min(most, len(usable))).astype(int))]
    return chosen


def expected_noise(measured: Floats, n_sensors: int, prior: Prior) -> Floats:
    """Least misfit of each instrument that is to be expected, float64 [n_instruments], m and m3/s."""
    flows = np.abs(measured[:, n_sensors:])
    size = np.nansum(flows, axis=0) / np.maximum(np.isfinite(flows).sum(axis=0), 1)
    return np.concatenate([np.full(n_sensors, prior.pressure), np.maximum(prior.flow * size, 1e-5)])


class _Everything:
    """Offsets, log resistances of all pipes and log demand shares of all junctions in one vector."""

    lower: Floats | None = None
    block: Ints | None = None
    n_balances = 0

    def __init__(self, model: DrivenModel, drive: Drive, prior: Prior, lost: Floats | None = None) -> None:
        self.model, self.drive, self.lost = model, drive, lost
        self.n_sensors, self.n_pipes = len(model.sensor_nodes), len(model.topology.pipes)
        self.deviation = np.concatenate(
            [
                np.full(self.n_sensors, prior.offset),
                np.full(self.n_pipes, prior.resistance),
                np.full(len(model.engine.junctions), prior.demand),
            ]
        )

    def split(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        a, b = self.n_sensors, self.n_sensors + self.n_pipes
        return theta[:a], theta[a:b], theta[b:]

    def offset(self, theta: Floats) -> Floats:
        return theta[: self.n_sensors]

    def balance(self, theta: Floats) -> Floats:
        return np.empty((len(self.drive.times), 0))

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
        found = replace(self.drive, demand=shared)
        return found if self.lost is None else self.model.with_losses(found, self.lost)

    def jacobian(self, row: int, by_demand: Floats, by_resistance: Floats, demand: Floats, out: Floats) -> None:
        response = self.model.leak_response(by_demand, demand)
        sensors = np.arange(self.n_sensors)
        out[sensors, sensors] = 1.0
        out[:, self.n_sensors : self.n_sensors + self.n_pipes] = by_resistance[self.model.topology.pipes].T
        out[:, self.n_sensors + self.n_pipes :] = (response * demand[:, None]).T
