"""What of a record is no evidence for its frames: clocks put right, bridged drivers, hours without supply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.health_bridge import Bridged
from models.health_clock import Clocks

if TYPE_CHECKING:
    from models.watch import Watch

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_DRY = 0.4  # of the expected pressure: there is no water in the pipe
_REFILL = 3  # intervals


def clocks_of(watch: Watch, start: pd.Timestamp) -> Clocks:
    """Clocks of a record that begins then; what an earlier one told of them still holds."""
    model, driving = watch.model, {m for d in watch.model.districts if d.is_closed for m in d.meters}
    step, per_block = watch.settings.step, watch.per_block
    clocks = Clocks(model.instruments, len(model.sensor_nodes), sorted(driving), step, per_block)
    earlier = [time for time in watch.clocks if time < start]
    if earlier:
        clocks.follow(watch.clocks[max(earlier)])
    return clocks


def leave_out(watch: Watch, measured: Floats, expected: Floats, bridged: Bridged) -> Bools:
    """Leave out what is no evidence, in place.

    That is pressures that hang on a tank whose level was not read, and a district while it is without supply and
    until it is filled again: most of its pressures are then far below what any leak would leave.

    Parameters
    ----------
    measured, expected
        float64 [n, n_instruments].

    Returns
    -------
    bool [n, n_balances], where a balance cannot be trusted either, or rests on what was bridged.
    """
    model = watch.model
    found = np.zeros((len(measured), len(watch.channels.balances)), dtype=bool)
    for number, district in enumerate(model.districts):
        inside = model.engine.junctions[district.junctions]
        near = np.flatnonzero(np.isin(model.sensor_nodes, inside))
        tanks = np.isin(model.tank_nodes, district.tanks)
        dry = _without_supply(measured[:, near], expected[:, near])
        measured[np.ix_(dry | bridged.level[:, tanks].any(axis=1), near)] = np.nan
        if number in watch.channels.balances:
            meters = [model.flow_meters.index(m) for m in district.meters]
            lost = bridged.flow[:, meters].any(axis=1) | bridged.level[:, tanks].any(axis=1)
            found[:, watch.channels.balances.index(number)] = dry | lost
    return found


def _without_supply(measured: Floats, expected: Floats) -> Bools:
    """Bool [n], whether most pressures of a district have collapsed, and some time after."""
    seen = np.isfinite(measured) & np.isfinite(expected) & (expected > 5.0)
    low = (seen & (measured < _DRY * np.where(seen, expected, 1.0))).sum(axis=1)
    collapsed: Bools = np.asarray((low >= 2) & (low > 0.5 * seen.sum(axis=1)))
    found = collapsed.copy()
    for later in range(1, _REFILL + 1):
        found[later:] |= collapsed[:-later]
    return found
