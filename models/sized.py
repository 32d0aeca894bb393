"""Responses by a leak's own size: head loss grows faster than flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hydro.derivatives import derivatives
from hydro.drive import Drive
from hydro.driven import DrivenModel
from models.frame import typical_rows

if TYPE_CHECKING:
    from models.watch import Watch

Floats = NDArray[np.float64]

MIDDLING = 2  # among responses by size, that of a middling leak
WORTH_SIZING = 0.25  # share of the best pipe's gain from which on a pipe's response is fitted to its leak's size
_CHUNK = 64
_MOST_RESPONSE = 2e6  # m per m3/s: a leak of 0.2 m3/h that takes 110 m off a sensor lies where no water comes


def best_size(now: Floats, sizes: Floats) -> NDArray[np.int64]:
    """Which of some responses by size suits each candidate, int64 [n]: the one nearest to the flow that it gives.

    Parameters
    ----------
    now
        float64 [1 + n_sizes, n], flow that each response gives, m3/s.
    sizes
        float64 [n_sizes], flow that each response was made with but the first, which is a small leak's.
    """
    made = np.concatenate([[0.4 * sizes[0]], sizes])[:, None]
    found: NDArray[np.int64] = np.argmin(np.abs(np.log(np.maximum(now, 1e-9) / made)), axis=0)
    return found


def at_size(sized: Floats, flow: Floats, sizes: Floats) -> Floats:
    """Response of each candidate at a flow of its own, between those by size, float64 [n, n_channels].

    Parameters
    ----------
    sized
        float64 [1 + n_sizes, n, n_channels].
    flow
        float64 [n], m3/s.
    sizes
        float64 [n_sizes], see `best_size`.
    """
    made = np.log(np.concatenate([[0.4 * sizes[0]], sizes]))
    position = np.interp(np.log(np.maximum(flow, 1e-9)), made, np.arange(len(made)))
    low = np.minimum(position.astype(np.int64), len(sizes) - 1)
    share, everyone = (position - low)[:, None], np.arange(len(flow))
    between: Floats = (1.0 - share) * sized[low, everyone] + share * sized[low + 1, everyone]
    return between


def summed(watch: Watch, leaks: Mapping[int, Floats]) -> Floats:
    """Effects of leaks one by one, added up, float64 [n, n_channels]: where all of them have no solution together.

    Parameters
    ----------
    leaks
        Link -> float64 [n], m3/s.
    """
    total = np.zeros((len(next(iter(leaks.values()))), len(watch.channels.names)))
    sized = np.concatenate([watch.responses[None], watch.secants])
    for link, flow in leaks.items():
        own = sized[:, int(np.searchsorted(watch.pipes, link))]
        total += flow[:, None] * at_size(np.repeat(own[:, None], len(flow), axis=1), flow, watch.sizes)
    return total


def respond_at_size(watch: Watch, typical: Drive, flow: float) -> Floats:
    """Effect of a sizeable leak in each pipe, per m3/s, by simulation.

    The leak comes on top of what flows in at a quiet time; what the driving takes off the other demands is small
    beside them and is taken off by the tangent.
    """
    model, n_picked = watch.model, len(watch.channels.picked)
    rows = typical_rows(typical.demand.sum(axis=1), np.arange(len(typical.times)))
    drive = typical.rows(rows)
    driving = _driving(model, drive)
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
    solved = np.asarray(np.isfinite(change).all(axis=1)) & watch.responses.any(axis=1)
    secants[solved, :n_picked] = change[solved][:, watch.channels.picked]
    return of_fed_pipes(secants)


def of_fed_pipes(responses: Floats) -> Floats:
    """Responses [n_pipes, n_channels] with none at pipes behind a closed pump or valve: nothing can leak there."""
    is_fed = np.abs(responses).max(axis=1) < _MOST_RESPONSE
    return np.where(is_fed[:, None], responses, 0.0)


def _driving(model: DrivenModel, drive: Drive) -> Floats:
    """What the driving takes off per m3/s of leak at each junction, float64 [n_junctions, n_instruments]."""
    junctions = model.engine.junctions
    total = np.zeros((len(junctions), len(model.instruments)))
    model.forget()
    for row in range(len(drive.times)):
        model.impose(drive, row)
        model.solve()
        by_demand = derivatives(model.engine, model.sensor_nodes, model.meter_links).by_demand
        total += by_demand[junctions] - model.leak_response(by_demand, drive.demand[row])
    return total / len(drive.times)
