"""How far the effect of a leak may be from its simulation, because the model's pipes and demands are not known.

A leak sends its flow through pipes whose resistance calibration has hardly seen. With theta the logarithms of pipe
resistances and demand shares, P their covariance after calibration and J(q) the instruments' Jacobian with a leak of
flow q running, the effect of the leak is off by (J(q) - J(0)) dtheta: covariance (J(q) - J(0)) P (J(q) - J(0))'.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.calibration import Prior
from hydro.derivatives import derivatives
from hydro.driven import Drive, DrivenModel

Floats = NDArray[np.float64]

_LEAST = 0.3  # a direction of the parameters that was seen less than this, in prior deviations, counts as unseen


@dataclass(frozen=True, slots=True)
class Learnt:
    """What calibration has told of the parameters: P = D (I - V diag(told) V') D, D the prior's deviations.

    Attributes
    ----------
    deviation
        float64 [n_parameters], prior standard deviation of log resistances, then of log demand shares.
    directions
        float64 [n_parameters, k], V.
    told
        float64 [k], share of the prior variance that is gone.
    """

    deviation: Floats
    directions: Floats
    told: Floats

    def covariance(self, jacobian: Floats) -> Floats:
        """Covariance of what a Jacobian float64 [n, n_parameters] makes of the parameters, float64 [n, n]."""
        scaled = jacobian * self.deviation
        seen = scaled @ self.directions
        found: Floats = scaled @ scaled.T - (seen * self.told) @ seen.T
        return found


def jacobian(model: DrivenModel, drive: Drive, row: int, demand: Floats) -> Floats:
    """Derivatives of the instruments by log resistances and log demand shares at one moment.

    Parameters
    ----------
    drive
        With the leaks in it.
    demand
        float64 [n_junctions], m3/s, what customers take.

    Returns
    -------
    float64 [n_instruments, n_pipes + n_junctions]
    """
    model.impose(drive, row)
    model.solve()
    s = derivatives(model.engine, model.sensor_nodes, model.meter_links)
    response = model.leak_response(s.by_demand, demand)
    return np.hstack([s.by_resistance[model.topology.pipes].T, (response * demand[:, None]).T])


def learn(model: DrivenModel, drive: Drive, customers: Floats, misfit: float, prior: Prior) -> Learnt:
    """What the moments of a calibration have told.

    Parameters
    ----------
    drive
        The moments, with known leaks in them.
    customers
        float64 [n, n_junctions], m3/s, demand without the leaks.
    misfit
        Standard deviation of pressures about the calibrated model, m.
    """
    n_pipes, n_sensors = len(model.topology.pipes), len(model.sensor_nodes)
    deviation = np.concatenate([np.full(n_pipes, prior.resistance), np.full(len(model.engine.junctions), prior.demand)])
    model.forget()
    rows = np.stack([jacobian(model, drive, k, customers[k])[:n_sensors] for k in range(len(customers))])
    # a sensor's zero is free: only what differs from moment to moment tells of resistances
    spread = max(misfit, prior.pressure)
    mean = rows.mean(axis=0, keepdims=True)
    keep = np.sqrt(1.0 / (1.0 + len(rows) * prior.offset**2 / spread**2))
    scaled = ((rows - mean + keep * mean) * (deviation / spread)).reshape(-1, len(deviation))
    # there are far fewer rows than parameters: the directions follow from the rows' products
    power, mix = np.linalg.eigh(scaled @ scaled.T)
    seen = power > _LEAST**2
    directions = scaled.T @ mix[:, seen] / np.sqrt(power[seen])
    return Learnt(deviation, directions, power[seen] / (1.0 + power[seen]))
