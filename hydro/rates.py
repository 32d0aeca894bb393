"""How fast what is estimated may change, and how well instruments read."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

_MEMORY, _WANDER = pd.Timedelta("25D"), pd.Timedelta("12h")


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast what is estimated may change, and how well instruments read.

    Attributes
    ----------
    walk
        Random walk of all withdrawals of a district together, share of its inflow per square root of a day.
    first
        Their standard deviation at the beginning where no calibration tells it, share of the inflow.
    largest
        Jump that is believed at most, share of the district's inflow.
    give
        How far an area may take less than its share, share of its demand.
    demand
        Standard deviation of a junction's demand about its share from interval to interval, share of it.
    usual, usual_white
        Of a district's take about its usual: slowly, and from interval to interval, share of the inflow.
    meter
        Of a balance where all customers are metered, share of the inflow.
    inflow
        Of the meters through which a district is fed, share of its inflow.
    pressure, drift
        Least deviation of a pressure reading, and of its slow wandering, m; where a calibration knows an instrument's
        misfit, half of that variance is noise and half wanders.
    flow
        Of a meter that does not drive the model, share of its mean.
    memory, wander
        Over which slow errors of the model and the districts, and wandering ones of the instruments, forget.
    """

    walk: float = 0.01
    first: float = 0.1
    largest: float = 0.6
    give: float = 0.1
    demand: float = 0.3
    usual: float = 0.05
    usual_white: float = 0.05
    meter: float = 0.02
    inflow: float = 0.005
    pressure: float = 0.01
    drift: float = 0.005
    flow: float = 0.01
    memory: pd.Timedelta = _MEMORY
    wander: pd.Timedelta = _WANDER
