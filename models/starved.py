"""Frames of days on which a tank stood empty: what its district showed then is no leak's doing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hydro.driven import DrivenModel
from models.channels import Channels
from models.frame import Frame


def without_starved(model: DrivenModel, channels: Channels, frame: Frame) -> Frame:
    """A frame that knows nothing of districts whose tank is empty at one of its moments.

    Whom the tank fed lacks pressure and takes less than is asked for, and leaks lose less than they would: the driven
    model knows none of this, neither in the pressures nor in the balances.
    """
    empty = np.atleast_1d(model.is_empty(frame.drive).any(axis=0))
    if not empty.any():
        return frame
    n_picked, n_sensors = len(channels.picked), len(model.sensor_nodes)
    values = frame.values.copy()
    for number, district in enumerate(model.districts):
        if not any(empty[k] for k, tank in enumerate(model.tank_nodes.tolist()) if tank in district.tanks):
            continue
        inside = np.isin(model.sensor_nodes, model.engine.junctions[district.junctions])
        of_sensors = [k for k, one in enumerate(channels.picked.tolist()) if one < n_sensors and inside[one]]
        of_balances = [n_picked + k for k, one in enumerate(channels.districts) if one == number]
        values[of_sensors + of_balances] = np.nan
    return replace(frame, values=values)
