"""A power cut, simulated: pumps stand still from an hour on, tanks run out, and customers' taps with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.holds import Holds
from umanflow.planner.customers import Customers
from umanflow.planner.simulation import DAY, HOUR

Floats = NDArray[np.float64]

_EVERY = 2  # hours between the beginnings that are tried
_LONGEST = 8  # hours that a cut is followed to see how long storage lasts
_DRY_M = 3.0  # less than this does not reach a tap on the ground floor
_FEW = 0.01  # of all connections: storage has run out once so many more are dry
_REQUIRED_M = 10.0


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut: the hour at which it begins, connections dry and short when it ends, hours until storage has run out.

    Attributes
    ----------
    hour
        Of the clock.
    dry, short
        Connections that had water (their free head) before and have none (less) at any time of the stated cut.
    lasts
        Hours until one connection in a hundred is dry; NaN where that does not come within eight.
    """

    hour: int
    dry: float
    short: float
    lasts: float


@dataclass(frozen=True, slots=True)
class CutTest:
    """The same cut at every second hour of a day.

    Attributes
    ----------
    outage
        Hours.
    connections
        All of them; nodes where nobody has counted connections.
    cuts
        By hour of the clock.
    """

    outage: float
    connections: float
    cuts: tuple[Cut, ...]

    @property
    def worst(self) -> Cut:
        """The one that leaves most connections dry, then the one that lasts least."""
        return max(self.cuts, key=lambda cut: (cut.dry, -cut.lasts if np.isfinite(cut.lasts) else -np.inf, cut.short))


def try_cut(engine: Engine, customers: Customers, outage: float, skip: int) -> CutTest:
    """Cut the power at every second hour of a day, demand driven by pressure.

    Parameters
    ----------
    skip
        Days that run before the one in which power is cut.
    """
    model = engine.demand_model
    engine.set_pressure_driven(0.0, _REQUIRED_M, 0.5)
    try:
        cuts = [_cut(engine, customers, outage, skip * DAY + hour * HOUR) for hour in range(0, 24, _EVERY)]
    finally:
        engine.restore_demand_model(model)
    return CutTest(outage, float(customers.connections.sum()), tuple(cuts))


def _cut(engine: Engine, customers: Customers, outage: float, begin: int) -> Cut:
    holds, pumps = Holds(engine), [engine.topology.links[k] for k in engine.pumps.tolist()]
    count, few = customers.connections, _FEW * customers.connections.sum()
    engine.duration = begin + _LONGEST * HOUR
    had = met = np.zeros(len(customers.at), dtype=bool)
    dry = short = np.zeros(len(customers.at), dtype=bool)
    lasts, is_cut = float("nan"), False
    engine.start()
    while True:
        if is_cut:
            holds.enforce()
        now = engine.solve()
        if not is_cut and now >= begin:
            pressure = engine.read("node", "pressure")[customers.at]
            had, met = pressure >= _DRY_M, pressure >= customers.due
            for pump in pumps:
                holds.hold(pump)
            is_cut = True
            now = engine.solve()
        if is_cut:
            pressure = engine.read("node", "pressure")[customers.at]
            gone = had & (pressure < _DRY_M)
            if now <= begin + outage * HOUR:
                dry, short = dry | gone, short | (met & (pressure < customers.due))
            if not np.isfinite(lasts) and count[gone].sum() > few:
                lasts = (now - begin) / HOUR
            if np.isfinite(lasts) and now >= begin + outage * HOUR:
                break
        if engine.advance() <= 0:
            break
    holds.clear()
    engine.stop()
    hour = int((engine.clock_start + begin) // HOUR % 24)
    return Cut(hour, float(count[dry].sum()), float(count[short].sum()), lasts)
