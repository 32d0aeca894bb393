"""Noise before any has been seen: what demands, meters and levels are known to do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.districts import District
from hydro.drive import Drive
from hydro.driven import DrivenModel
from models.channels import Channels
from models.noise import Noise, from_structure

Floats = NDArray[np.float64]

# what districts take beyond what is usual, share from block to block and slowly: each by itself, and all together
_OWN_DEMAND, _SHARED_DEMAND = (0.012, 0.03), (0.03, 0.08)
# what of a district's inflow seems steady, share of it from day to day and slowly: daily shapes differ
_STEADY = (0.04, 0.018)
_METER_ERROR, _LEVEL_ERROR_M = 0.004, 0.005
_PRESSURE_M, _FLOW_M3S = (0.002, 0.002), (3e-5, 6e-5)  # an instrument's own: in a block, and slowly


@dataclass(frozen=True, slots=True)
class Meters:
    """How flows behave at the meters.

    Attributes
    ----------
    mean
        float64 [n_meters], mean absolute flow, m3/s.
    jump
        float64 [n_meters], root mean square of the change from reading to reading, m3/s.
    through
        float64 [n_districts], mean flow into each district or out of it, whichever is more, m3/s.
    """

    mean: Floats
    jump: Floats
    through: Floats

    @classmethod
    def of(cls, model: DrivenModel, flows: Floats) -> Meters:
        """Learn from flows at the model's meters, float64 [n, n_meters], m3/s."""
        mean = np.nan_to_num(np.nanmean(np.abs(flows), axis=0))
        jump = np.sqrt(np.nan_to_num(np.nanmean(np.diff(flows, axis=0) ** 2, axis=0)))
        signed = np.nan_to_num(np.nanmean(flows, axis=0))
        through = []
        for district in model.districts:
            entering = signed[_columns(model, district)] * np.array(district.signs, dtype=float)
            through.append(max(entering[entering > 0.0].sum(), -entering[entering < 0.0].sum()))
        return cls(mean, jump, np.array(through))


def _columns(model: DrivenModel, district: District) -> list[int]:
    return [model.flow_meters.index(m) for m in district.meters]


def guess_noise(
    model: DrivenModel,
    channels: Channels,
    drive: Drive,
    by_node: Floats,
    meters: Meters,
    block: pd.Timedelta,
    step: pd.Timedelta,
    memory: pd.Timedelta,
) -> Noise:
    """Noise of a block of residuals.

    Parameters
    ----------
    by_node
        float64 [n_nodes, n_channels], response to one standard deviation of each node's demand, as a share of it.
    block, step, memory
        Length of a block and of its intervals, and how long slow changes last.
    """
    demand = np.nanmean(drive.demand, axis=0)
    through = by_node[model.engine.junctions] * demand[:, None]
    through[:, len(channels.picked) :] = 0.0
    columns = list(channels.balances)
    inflow = np.abs(np.nanmean(drive.inflow[:, columns], axis=0))
    rest = np.abs(np.nanmean(drive.inflow[:, columns] - drive.known[:, columns], axis=0))
    scale = np.where(channels.is_flat, 0.2 * rest + 0.005 * inflow, inflow)
    read = _reading_error(model, channels, meters, block, step)
    n_pressures = channels.n_pressures
    n_flows = len(channels.picked) - n_pressures
    floor, drift = (
        np.concatenate(
            [
                np.full(n_pressures, pressure),
                np.full(n_flows, flow),
                np.hypot(own * scale, read),
                steady * scale[channels.steady],
            ]
        )
        for pressure, flow, own, steady in zip(_PRESSURE_M, _FLOW_M3S, _OWN_DEMAND, _STEADY, strict=True)
    )
    nothing, none = np.zeros(len(channels.picked)), np.zeros(len(channels.steady))
    together = [np.concatenate([nothing, np.where(channels.is_flat, 0.0, s * scale), none]) for s in _SHARED_DEMAND]
    return from_structure(through, floor, drift, memory / block, (together[0], together[1]))


def _reading_error(
    model: DrivenModel, channels: Channels, meters: Meters, block: pd.Timedelta, step: pd.Timedelta
) -> Floats:
    """Error of each balance that its meters and levels alone make in a block, float64 [n_balances], m3/s.

    A flow that is read at moments is off by a jump's share of the interval in which it jumps (a pump that starts):
    evenly spread, so by jump / sqrt(12) in that interval's mean.
    """
    at_moments = 1.0 / np.sqrt(12.0 * (block / step))
    errors = []
    for number in channels.balances:
        district = model.districts[number]
        columns = _columns(model, district)
        reading = np.hypot(_METER_ERROR * meters.mean[columns], at_moments * meters.jump[columns])
        areas = np.array([model.engine.tank_area(tank) for tank in district.tanks])
        storage = np.sqrt(2.0) * _LEVEL_ERROR_M * areas / block.total_seconds()
        errors.append(float(np.sqrt(np.square(reading).sum() + np.square(storage).sum())))
    return np.array(errors)
