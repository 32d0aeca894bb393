"""How far the effect of a leak may be from its simulation, because the model's pipes and demands are not known.

A leak sends its flow through pipes whose resistance calibration has hardly seen. With theta the logarithms of pipe
resistances and demand shares, P their covariance after calibration and J(q) the instruments' Jacobian with a leak of
flow q running, the effect of the leak is off by (J(q) - J(0)) dtheta: covariance (J(q) - J(0)) P (J(q) - J(0))'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hydro.calibration import Prior
from hydro.derivatives import derivatives
from hydro.drive import Drive
from hydro.driven import DrivenModel
from hydro.errors import EpanetError
from models.frame import typical_rows

if TYPE_CHECKING:
    from models.watch import Watch

Floats = NDArray[np.float64]

_STATES, _ROWS = 48, 1600  # moments of the calibration that are looked at, and sensors times moments at most
_PIPES = 450  # pipes that are tried; the others err like the most similar of them
_DIRECTIONS = 8
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


@dataclass(frozen=True, slots=True)
class Doubts:
    """How far the response of each pipe may be off.

    Attributes
    ----------
    directions
        float64 [n_pipes, k, n_channels], independent errors of one m3/s, one standard deviation each.
    made
        float64 [n_pipes], size of the responses that they belong to, over the picked channels.
    n_picked
        Channels that are not balances.
    """

    directions: Floats
    made: Floats
    n_picked: int

    def of(self, used: Floats) -> Floats:
        """Directions for responses float64 [n_pipes, n_channels], scaled to their size, [n_pipes, k, n_channels]."""
        return self._scaled(self.directions, self.made, used)

    def at(self, pipe: int, used: Floats) -> Floats:
        """The same for one pipe's response, float64 [k, n_channels]."""
        return self._scaled(self.directions[pipe], self.made[pipe], used)

    def _scaled(self, directions: Floats, made: Floats, used: Floats) -> Floats:
        share = np.minimum(_size(used, self.n_picked) / made, 30.0)
        scaled: Floats = directions * share[..., None, None]
        return scaled


def doubts_of(watch: Watch, typical: Drive, drive: Drive, customers: Floats) -> Doubts:
    """Learn how far responses may be off.

    Parameters
    ----------
    typical
        Moments at which responses are made.
    drive
        What the model was calibrated on, with known leaks in it.
    customers
        float64 [n, n_junctions], m3/s, demand without them.
    """
    model, picked = watch.model, watch.channels.picked
    usable = np.flatnonzero(model.is_drivable(drive) & np.isfinite(customers).all(axis=1))
    n_states = int(np.clip(_ROWS // max(len(model.sensor_nodes), 1), 4, _STATES))
    rows = usable[np.unique(np.linspace(0, len(usable) - 1, n_states).astype(int))]
    learnt = learn(model, drive.rows(rows), customers[rows], watch.calibration.after, Prior())
    flow, secants = float(watch.sizes[1]), watch.secants[1]
    row = typical_rows(typical.demand.sum(axis=1), np.arange(len(typical.times)))[1]
    one = typical.rows(np.array([row]))
    model.forget()
    base = jacobian(model, one, 0, one.demand[0])
    tried = np.unique(np.linspace(0, len(watch.pipes) - 1, _PIPES).astype(int))
    found = np.zeros((len(tried), _DIRECTIONS, secants.shape[1]))
    for k, link in enumerate(watch.pipes[tried].tolist()):
        if not secants[tried[k]].any():  # nothing can leak there
            continue
        leaking = watch.with_leaks(one, {link: np.full(1, flow)})
        try:
            change = (jacobian(model, leaking, 0, one.demand[0]) - base) / flow
        except EpanetError:
            model.forget()
            continue
        size, direction = np.linalg.eigh(learnt.covariance(change[picked]))
        kept = np.argsort(-size)[:_DIRECTIONS]
        found[k, : len(kept), : len(picked)] = np.sqrt(np.maximum(size[kept], 0.0))[:, None] * direction[:, kept].T
    # a pipe that was not tried errs like the one that was and looks most like it
    made = _size(secants, len(picked))
    unit = secants[:, : len(picked)] / made[:, None]
    like = tried[np.argmax(unit @ unit[tried].T, axis=1)]
    like[tried] = tried
    directions = found[np.searchsorted(tried, like)] * (made / made[like])[:, None, None]
    return Doubts(directions, made, len(picked))


def _size(responses: Floats, n_picked: int) -> Floats:
    size: Floats = np.maximum(np.linalg.norm(responses[..., :n_picked], axis=-1), 1e-15)
    return size
