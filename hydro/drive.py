"""What is imposed on a model that measurements drive."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Drive:
    """Everything that is imposed on the model, one row per interval.

    Attributes
    ----------
    times
        DatetimeIndex [n], start of each interval.
    demand
        float64 [n, n_junctions], m3/s; NaN in a row that cannot be driven.
    level
        float64 [n, n_tanks], m.
    pump_flow
        float64 [n, n_metered_pumps], m3/s.
    inflow
        float64 [n, n_districts], net inflow, m3/s.
    known
        float64 [n, n_districts], demand seen by customers' meters, m3/s.
    """

    times: pd.DatetimeIndex
    demand: Floats
    level: Floats
    pump_flow: Floats
    inflow: Floats
    known: Floats

    def rows(self, selected: Ints) -> Drive:
        """Some of the intervals."""
        values = (getattr(self, f.name)[selected] for f in fields(self))
        return Drive(*values)
