"""Which weekday a model's weekly patterns begin with."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hydro.driven import DrivenModel
from hydro.record import Record


def find_phase(model: DrivenModel, record: Record, step: pd.Timedelta) -> int:
    """Find the day of the week at which the model's patterns begin from the measured inflow.

    A weekly pattern does not say which day is its first; the phase under which the districts' nominal demand follows
    their inflow best in the record's first week is taken, and 0 (Monday) where it makes no difference.

    Parameters
    ----------
    model
        Driven by the record's instruments.
    record
        Raw or resampled.
    step
        Interval of means.
    """
    head = record.between(record.start, record.start + pd.Timedelta("7D")).resampled(step)
    inflow = model.drive(head, step, 0).inflow
    times = pd.date_range(head.start.floor(step), head.end, freq=step)
    closed = [k for k, d in enumerate(model.districts) if d.is_closed and len(d.junctions)]
    scores = []
    for phase in range(7):
        nominal = model.nominal_demand(times, step, phase)
        by_district = np.stack([nominal[:, d.junctions].sum(axis=1) for d in model.districts], axis=1)
        total, expected = inflow[:, closed].sum(axis=1), by_district[:, closed].sum(axis=1)
        seen = np.isfinite(total)
        flat = seen.sum() < 48 or np.std(expected[seen]) < 1e-12
        scores.append(0.0 if flat else float(np.corrcoef(total[seen], expected[seen])[0, 1]))
    best = int(np.argmax(scores))
    return best if scores[best] > scores[0] + 1e-6 else 0
