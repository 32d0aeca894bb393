"""Pressure pairs, the rule of the BattLeDIM entrant LILA: one to compare with.

Each pressure is predicted from each other one and the inflow by a regression of a leak-free time; a leak lowers the
pressures near it below what the others let expect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import NotEnoughData

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LOSS = 1.852  # exponent of head loss by flow, Hazen and Williams


@dataclass(frozen=True, slots=True)
class PressurePairs:
    """Regressions of every pressure on every other, fitted on a leak-free time.

    Attributes
    ----------
    coefficients
        float64 [n_sensors, n_sensors, 3]: of 1, of the other pressure and of inflow^1.852, for [other, predicted].
    mean, deviation
        float64 [n_sensors], of the mean error over all others in that time, m.
    """

    coefficients: Floats
    mean: Floats
    deviation: Floats

    @classmethod
    def fit(cls, pressure: Floats, inflow: Floats) -> PressurePairs:
        """Fit on a leak-free time.

        Parameters
        ----------
        pressure
            float64 [n_steps, n_sensors], m; NaN where missing.
        inflow
            float64 [n_steps], the district's, in any unit.

        Raises
        ------
        NotEnoughData
            If there are fewer than two sensors, or ten steps with all of them.
        """
        n = pressure.shape[1]
        seen = np.isfinite(pressure).all(axis=1) & np.isfinite(inflow)
        if n < 2 or seen.sum() < 10:
            raise NotEnoughData(
                f"pressure pairs need two sensors and ten steps in which all report; there are {n} and {seen.sum()}"
            )
        p, loss = pressure[seen], np.abs(inflow[seen]) ** _LOSS
        coefficients = np.zeros((n, n, 3))
        for other in range(n):
            design = np.column_stack([np.ones(len(p)), p[:, other], loss])
            coefficients[other] = np.linalg.lstsq(design, p, rcond=None)[0].T
        rough = cls(coefficients, np.zeros(n), np.ones(n))
        error = rough.errors(pressure[seen], inflow[seen])
        return cls(coefficients, error.mean(axis=0), np.maximum(error.std(axis=0), 1e-9))

    def errors(self, pressure: Floats, inflow: Floats) -> Floats:
        """Mean over all others of prediction less pressure, float64 [n_steps, n_sensors], m."""
        n = pressure.shape[1]
        loss = np.abs(inflow) ** _LOSS
        total = np.zeros(pressure.shape)
        count = np.zeros(pressure.shape)
        for other in range(n):
            k = self.coefficients[other]
            error = k[:, 0] + pressure[:, other, None] * k[:, 1] + loss[:, None] * k[:, 2] - pressure
            error[:, other] = np.nan
            total += np.nan_to_num(error)
            count += np.isfinite(error)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(count > 0, total / count, np.nan)

    def alarms(self, pressure: Floats, inflow: Floats, delta: float = 4.0, threshold: float = 3.0) -> Bools:
        """Steps and sensors at which the one-sided CUSUM stands above its threshold.

        Parameters
        ----------
        delta
            Shift that matters, in standard deviations.
        threshold
            In standard deviations.

        Returns
        -------
        bool [n_steps, n_sensors]; a missing error leaves the sum as it was.

        Notes
        -----
        C = max(0, C + x - mean - delta s / 2), alarm where C > threshold s; I. Daniel et al., "A sequential
        pressure-based algorithm for data-driven leakage identification and model-based localization in water
        distribution networks", J. Water Resour. Plann. Manage. 148 (2022). The published code's values are taken.
        """
        step = (self.errors(pressure, inflow) - self.mean) / self.deviation - delta / 2.0
        total = np.zeros(step.shape[1])
        above = np.zeros(step.shape, dtype=bool)
        for k, row in enumerate(np.nan_to_num(step)):
            total = np.maximum(0.0, total + row)
            above[k] = total > threshold
        return above
