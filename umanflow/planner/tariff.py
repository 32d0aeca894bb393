"""What electricity costs in each hour of the day: as the study states it, else as the model has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine

Floats = NDArray[np.float64]

HOURS = 24
_HOUR = 3_600


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices by hour of the clock.

    Attributes
    ----------
    price
        float64 [24, n_pumps], in the currency per kWh, pumps in the engine's order.
    source
        "study", "model" (its [ENERGY]) or "flat" (one price all day).
    """

    price: Floats
    source: str

    @property
    def by_hour(self) -> Floats:
        """Mean of all pumps by hour, float64 [24]."""
        return np.asarray(self.price.mean(axis=1))


def tariff_of(engine: Engine, stated: Sequence[float], flat: float) -> Tariff:
    """Find the prices.

    Parameters
    ----------
    stated
        24 prices of the study, or none: then those of the model's [ENERGY] (EPANET: price x multiplier of the pattern,
        a pump's own before the global ones), or else the flat one.
    flat
        Price where neither says any.
    """
    pumps = engine.pumps
    if stated:
        return Tariff(np.repeat(np.array(stated, dtype=np.float64)[:, None], len(pumps), axis=1), "study")
    project = engine.project
    base, common = project.option("energy_price"), int(project.option("price_pattern"))
    start = engine.clock_start
    price = np.empty((HOURS, len(pumps)))
    for k, pump in enumerate(pumps.tolist()):
        own = engine.value("link", pump, "energy_price") or base
        pattern = project.pattern(int(engine.value("link", pump, "price_pattern")) or max(common, 0))
        first = project.time("pattern_start")
        for hour in range(HOURS):
            seconds = (hour * _HOUR - start) % (HOURS * _HOUR) + first
            price[hour, k] = own * pattern[seconds // max(engine.pattern_step, 1) % len(pattern)]
    if not (price > 0.0).any():
        return Tariff(np.full((HOURS, len(pumps)), flat), "flat")
    return Tariff(price, "model" if np.ptp(price) > 0.0 else "flat")
