"""An invented town's inflow for the tests of forecasting: week, season, holidays, noise; and what may befall it."""

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from models.forecast import Days, Event, SpecialDays, country_days

Floats = NDArray[np.float64]

FIRST = dt.date(2025, 1, 6)  # a Monday
SPECIAL = country_days("UA", events=(Event("pilgrimage", "rosh-hashanah-2", 8),))


def profile(kind: int) -> Floats:
    """Inflow of a day by hour, L/s: 4 of leakage all day, people by the clock."""
    hour = np.arange(24.0) + 0.5
    peaks = (
        ((7.5, 1.2, 14.0), (13.0, 3.0, 9.0), (19.5, 2.0, 13.0)) if kind < 5 else ((10.0, 2.2, 13.0), (19.0, 3.0, 12.0))
    )
    return 4.0 + 1.0 + sum(size * np.exp(-0.5 * ((hour - at) / wide) ** 2) for at, wide, size in peaks)


def town(n_days: int, seed: int, n: int = 1, noise: float = 0.04, special: SpecialDays = SPECIAL) -> Days:
    """Days of some alike districts."""
    random = np.random.default_rng(seed)
    dates = tuple(FIRST + dt.timedelta(days=k) for k in range(n_days))
    base = np.stack([profile(special.kind(d)) for d in dates])[:, :, None]
    year = np.array([1.0 + 0.08 * np.cos(2 * np.pi * (d.timetuple().tm_yday - 196) / 365.25) for d in dates])
    people = (base - 4.0) * year[:, None, None] * random.lognormal(0.0, 0.02, (n_days, 1, n))
    values = 4.0 + people * random.lognormal(0.0, noise, (n_days, 24, n))
    return Days(dates, values, tuple(f"D{k + 1}" for k in range(n)))
