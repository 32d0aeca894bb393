"""What stands in the levels of a calibrated model's residuals: what differs by the state of flow, not from day to day.

A leak that runs through the whole record moves no residual from one day to the next. But the calibration cannot hide it
everywhere: a pipe's wrong resistance loses head as Q^1.85 over the day and a wrong share of demand follows all
demand, a sensor's offset stays, and a leak is the same at night when the pipes are quiet. Records are put together by
state of flow; what resistances, shares and offsets could do is noise, with their priors, and the rest tells of leaks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hydro.calibration import Calibration, Prior
from hydro.derivatives import derivatives
from hydro.drive import Drive
from models.watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STATES = 6
_POINTS = 3  # moments of each state at which the model is differentiated
_MAD = 1.4826
_FAR = 3.5
_TOGETHER = 3.0  # successive hours are wrong together: so many count as one
_LEAST_M, _LEAST_SHARE = 0.004, 0.003  # no level is better known, m and share of a meter's flow
_HOURS_DIFFER = 0.08  # of a junction's share of demand from state to state, standard deviation of its logarithm
_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of every independent instrument at some states of flow, as one vector.

    Attributes
    ----------
    data
        float64 [n], n = n_states x n_picked, what the measurements are above the model as it was before anything was
        learnt of resistances, shares and offsets (to first order) and without leaks.
    noise
        float64 [n, n], covariance of errors: measurement, and demand by the hour.
    learnt
        float64 [n, n], covariance of all that a calibration may change.
    small
        float64 [n_pipes, n], response to a small leak in each pipe, per m3/s.
    sized
        float64 [1 + n_sizes, n_pipes, n], the same for leaks of the watch's sizes, the small one's first; all as to a
        small one until they are simulated.
    moments
        Interval that stands for each state.
    """

    data: Floats
    noise: Floats
    learnt: Floats
    small: Floats
    sized: Floats
    moments: Ints

    def simulated(self, watch: Watch, drive: Drive) -> Levels:
        """Levels with the responses to sizeable leaks, by simulation."""
        by_size = [_at_size(watch, drive, self.moments, q, self.small) for q in watch.sizes.tolist()]
        return replace(self, sized=np.stack([self.small, *by_size]))


def read_levels(watch: Watch, drive: Drive, measured: Floats, calibration: Calibration, prior: Prior) -> Levels:
    """Put a record together by states of flow.

    Parameters
    ----------
    drive
        Of the learning period, built with the calibrated shares.
    measured
        float64 [n, n_instruments].
    calibration
        What the model has in it.
    """
    model, picked = watch.model, watch.channels.picked
    expected = np.hstack(model.expect(drive))
    expected[:, : len(calibration.offset)] += calibration.offset
    residual = (measured - expected)[:, picked]
    states = _states(drive, residual)
    size = np.nanmean(np.abs(measured[:, picked]), axis=0)
    is_pressure = picked < len(model.sensor_nodes)
    floor = np.where(is_pressure, _LEAST_M, _LEAST_SHARE * size)
    level, error = _means(residual, states, floor)
    n_states, n = level.shape
    change, hourly, tangent = _differentiated(watch, drive, states, prior)
    noise = np.zeros((n_states * n, n_states * n))
    for k in range(n_states):
        part = slice(k * n, (k + 1) * n)
        noise[part, part] = np.diag(error[k] ** 2) + hourly[k].T @ hourly[k]
    flat = change.reshape(-1, n_states * n)
    learnt = np.concatenate([calibration.offset, np.log(calibration.resistance), np.log(calibration.demand)])
    data = level.ravel() + (learnt / _deviations(watch, prior)) @ flat
    small = tangent.transpose(1, 0, 2).reshape(len(watch.pipes), -1)
    sized = np.broadcast_to(small, (1 + len(watch.sizes), *small.shape))
    moments = np.concatenate([_typical(drive, rows, 1) for rows in states])
    return Levels(data, noise, flat.T @ flat, small, sized, moments)


def _states(drive: Drive, residual: Floats) -> list[Ints]:
    """Intervals of each state: equal numbers in order of what all districts take."""
    usable = np.flatnonzero(np.isfinite(residual).any(axis=1))
    order = usable[np.argsort(drive.demand[usable].sum(axis=1), kind="stable")]
    return [np.sort(part).astype(np.int64) for part in np.array_split(order, STATES)]


def _means(residual: Floats, states: list[Ints], floor: Floats) -> tuple[Floats, Floats]:
    """Mean of each instrument in each state, far values held at the edge, and its standard error."""
    level, error = np.zeros((len(states), len(floor))), np.full((len(states), len(floor)), 1e3)
    for k, rows in enumerate(states):
        for j, column in enumerate(residual[rows].T):
            seen = column[np.isfinite(column)]
            if len(seen) < 3:
                continue
            middle = float(np.median(seen))
            spread = max(_MAD * float(np.median(np.abs(seen - middle))), 1e-9)
            level[k, j] = np.clip(seen, middle - _FAR * spread, middle + _FAR * spread).mean()
            error[k, j] = np.hypot(spread * (_TOGETHER / len(seen)) ** 0.5, floor[j])
    return level, error


def _typical(drive: Drive, rows: Ints, count: int) -> Ints:
    """Some moments of a state, the middle of equal parts in order of demand."""
    order = rows[np.argsort(drive.demand[rows].sum(axis=1), kind="stable")]
    chosen: Ints = order[((np.arange(count) + 0.5) / count * len(order)).astype(int)]
    return chosen


def _deviations(watch: Watch, prior: Prior) -> Floats:
    model = watch.model
    return np.concatenate(
        [
            np.full(len(model.sensor_nodes), prior.offset),
            np.full(len(model.topology.pipes), prior.resistance),
            np.full(len(model.engine.junctions), prior.demand),
        ]
    )


def _differentiated(watch: Watch, drive: Drive, states: list[Ints], prior: Prior) -> tuple[Floats, Floats, Floats]:
    """Derivatives of every state's levels.

    Returns
    -------
    change : float64 [n_parameters, n_states, n_picked]
        By one prior deviation of offsets, log resistances and log shares.
    hourly : float64 [n_states, n_junctions, n_picked]
        By one deviation of how junctions' shares differ from state to state.
    leaks : float64 [n_states, n_pipes, n_picked]
        Of a small leak in each pipe, per m3/s, by what pressure makes of it in that state.
    """
    model, picked, topology = watch.model, watch.channels.picked, watch.topology
    n_sensors, n_pipes, n_junctions = len(model.sensor_nodes), len(topology.pipes), len(model.engine.junctions)
    change = np.zeros((n_sensors + n_pipes + n_junctions, len(states), len(picked)))
    hourly = np.zeros((len(states), n_junctions, len(picked)))
    by_node = np.zeros((len(states), len(topology.nodes), len(picked)))
    model.forget()
    for k, rows in enumerate(states):
        for row in _typical(drive, rows, _POINTS).tolist():
            model.impose(drive, row)
            model.solve()
            s = derivatives(model.engine, model.sensor_nodes, model.meter_links)
            response = model.leak_response(s.by_demand, drive.demand[row])[:, picked] / _POINTS
            by_share = response * drive.demand[row][:, None]
            change[n_sensors : n_sensors + n_pipes, k] += s.by_resistance[topology.pipes][:, picked] / _POINTS
            change[n_sensors + n_pipes :, k] += by_share
            hourly[k] += _HOURS_DIFFER * by_share
            by_node[k, model.engine.junctions] += response
        shown = np.flatnonzero(picked < n_sensors)
        change[picked[shown], k, shown] = 1.0
    change *= _deviations(watch, prior)[:, None, None]
    pipes = watch.pipes
    return change, hourly, 0.5 * (by_node[:, topology.start[pipes]] + by_node[:, topology.end[pipes]])


def _at_size(watch: Watch, drive: Drive, moments: Ints, flow: float, small: Floats) -> Floats:
    """Response to a sizeable leak in each pipe, per m3/s, by simulation; the small leak's where EPANET finds none."""
    model, picked, pipes = watch.model, watch.channels.picked, watch.pipes
    response = np.empty((len(moments), len(pipes), len(picked)))
    for k in range(len(moments)):
        row = moments[k : k + 1]
        base = np.hstack(model.expect(drive.rows(row)))[:, picked]
        for at in range(0, len(pipes), _CHUNK):
            links = pipes[at : at + _CHUNK].tolist()
            one = drive.rows(np.repeat(row, len(links)))
            lost = np.vstack([watch.lost(drive.rows(row), {link: np.full(1, flow)}) for link in links])
            with_leak = model.with_losses(one, lost)
            response[k, at : at + _CHUNK] = (np.hstack(model.expect(with_leak))[:, picked] - base) / flow
    flat = response.transpose(1, 0, 2).reshape(len(pipes), -1)
    solved = np.asarray(np.isfinite(flat).all(axis=1))
    return np.where(solved[:, None], flat, small)
