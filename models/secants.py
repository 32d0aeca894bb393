"""What sizeable leaks do, by simulation: where little flows, head loss grows far faster than with the first drop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hydro.derivatives import derivatives
from hydro.driven import Drive
from models.frame import typical_rows

if TYPE_CHECKING:
    from models.watch import Watch

Floats = NDArray[np.float64]

_CHUNK = 64


def respond_at_size(watch: Watch, typical: Drive, flow: float) -> Floats:
    """Effect of a sizeable leak in each pipe, per m3/s, float64 [n_pipes, n_channels].

    The leak comes on top of what flows in at a quiet time; what the driving takes off the other demands is small
    beside them and is taken off by the tangent.
    """
    model, n_picked = watch.model, len(watch.channels.picked)
    rows = typical_rows(typical.demand.sum(axis=1), np.arange(len(typical.times)))
    drive = typical.rows(rows)
    driving = driving_of(watch, drive)
    taken = np.empty((len(watch.pipes), len(model.instruments)))
    total = np.zeros_like(taken)
    for row in range(len(rows)):
        base = np.hstack(model.expect(drive.rows(np.array([row]))))
        for at in range(0, len(watch.pipes), _CHUNK):
            # one pipe after another at the same moment: each solution begins near the last one
            links = watch.pipes[at : at + _CHUNK].tolist()
            one = drive.rows(np.full(len(links), row))
            lost = np.vstack([watch.lost(drive.rows(np.array([row])), {k: np.full(1, flow)}) for k in links])
            total[at : at + _CHUNK] += np.hstack(model.expect(replace(one, demand=one.demand + lost))) - base
            taken[at : at + _CHUNK] = (lost / flow) @ driving
    change = total / (len(rows) * flow) - taken
    secants = watch.responses.copy()
    solved = np.asarray(np.isfinite(change).all(axis=1))
    secants[solved, :n_picked] = change[solved][:, watch.channels.picked]
    return secants


def driving_of(watch: Watch, drive: Drive) -> Floats:
    """What the driving takes off per m3/s of leak at each junction, float64 [n_junctions, n_instruments]."""
    model = watch.model
    junctions = model.engine.junctions
    total = np.zeros((len(junctions), len(model.instruments)))
    model.forget()
    for row in range(len(drive.times)):
        model.impose(drive, row)
        model.solve()
        by_demand = derivatives(model.engine, model.sensor_nodes, model.meter_links).by_demand
        total += by_demand[junctions] - model.leak_response(by_demand, drive.demand[row])
    return total / len(drive.times)
