"""Minimum night flow, as the benchmark LeakDB uses it: the simplest rule that finds leaks, and one to compare with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def night_flow_rule(inflow: Floats, share: float, window: int = 10) -> Bools:
    """Days whose least flow exceeds the least of the last usual days by a share.

    Parameters
    ----------
    inflow
        float64 [n_days, n_slots]; a day of which nothing was seen is neither usual nor not.
    share
        0.1 for the rule "MNF 10 %".
    window
        Usual days that are looked back on.

    Returns
    -------
    bool [n_days]; the first `window` days teach only.

    Notes
    -----
    S. G. Vrachimis et al., "LeakDB: a benchmark dataset for leakage diagnosis in water distribution networks",
    WDSA/CCWI (2018): a day is called leaking if min(day) - min(window) > share x min(window), and enters the window
    only if it is not.
    """
    seen = np.isfinite(inflow).sum(axis=1) > 0
    least = np.where(seen, np.nanmin(np.where(seen[:, None], inflow, 0.0), axis=1), np.nan)
    called = [False] * len(inflow)
    usual: list[float] = []
    for day, flow in enumerate(least.tolist()):
        if np.isnan(flow):
            continue
        if len(usual) >= window:
            floor = min(usual[-window:])
            called[day] = flow - floor > share * floor
        if not called[day]:
            usual.append(flow)
    return np.array(called, dtype=np.bool_)
