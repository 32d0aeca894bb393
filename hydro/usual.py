"""What districts usually take, by hour, and what they took beyond it: from net inflows alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.drive import Drive
from hydro.groups import Hours
from hydro.sharing import Sharing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDS = 12
_HUBER = 2.5
_MAD = 1.4826
_HOLD = 8.0  # so many intervals' worth of belief in the mean factor: hours that were hardly seen stay near it


@dataclass(frozen=True, slots=True)
class Usual:
    """One district's usual take beyond what customers' meters saw.

    Attributes
    ----------
    factor
        float64 [n_classes], on the nominal demand of those without a meter.
    deviation
        float64 [n_classes], standard error of each factor; of the spread between days, not of a common error.
    excess
        float64 [n_periods], m3/s beyond it; 0 in the quietest period.
    spread
        Standard deviation of an interval's take about the usual, m3/s.
    """

    factor: Floats
    deviation: Floats
    excess: Floats
    spread: float


def find_usual(rest: Floats, nominal: Floats, hour: Ints, period: Ints, n_classes: int, n_periods: int) -> Usual:
    """Fit  rest = factor[hour] x nominal + excess[period]  by iteratively reweighted least squares.

    Hours can mimic what is constant, so the excess is told only up to a constant: the quietest period has none. What
    runs through the whole record is usual.

    Parameters
    ----------
    rest, nominal
        float64 [n], net inflow less what customers' meters saw, and nominal demand of those without, m3/s; NaN in
        `rest` is missing.
    hour, period
        int64 [n], classes.
    """
    seen = np.isfinite(rest)
    y, x, h, p = rest[seen], nominal[seen], hour[seen], period[seen]
    if not len(y):
        return Usual(np.ones(n_classes), np.full(n_classes, np.inf), np.zeros(n_periods), 0.0)
    weight = np.ones(len(y))
    excess, factor, spread = np.zeros(n_periods), np.ones(n_classes), 0.0
    for _ in range(_ROUNDS):
        excess = _excess(y, x, h, p, weight, (n_classes, n_periods))
        left = y - excess[p]
        mean = _ratio((weight * left * x).sum(), (weight * x * x).sum())
        typical = (x * x).mean()
        above = np.bincount(h, weight * left * x, n_classes) + _HOLD * typical * mean
        below = np.bincount(h, weight * x * x, n_classes) + _HOLD * typical
        factor = np.divide(above, below, out=np.full(n_classes, mean), where=below > 0.0)
        residual = np.abs(y - factor[h] * x - excess[p])
        spread = _MAD * float(np.median(residual))
        weight = np.minimum(1.0, _HUBER * spread / np.maximum(residual, 1e-15)) if spread > 0.0 else weight
    information = np.bincount(h, weight * x * x, n_classes)
    with np.errstate(divide="ignore"):
        deviation = spread / np.sqrt(information)
    return Usual(factor, deviation, excess, spread)


def _excess(y: Floats, x: Floats, h: Ints, p: Ints, weight: Floats, counts: tuple[int, int]) -> Floats:
    """Excess of each period, the factors of all hours fitted with it; 0 in the quietest."""
    n_classes, n_periods = counts
    design = np.zeros((len(y), n_classes + n_periods))
    rows = np.arange(len(y))
    design[rows, h] = x
    design[rows, n_classes + p] = 1.0
    normal = design.T @ (weight[:, None] * design)
    # hours and a constant can stand for each other: a touch of ridge chooses one of their sums
    normal[np.diag_indices(len(normal))] += 1e-6 * np.maximum(np.diag(normal), 1e-12)
    found = np.linalg.solve(normal, design.T @ (weight * y))[n_classes:]
    seen = np.bincount(p, weight, n_periods) > 0.0
    return np.asarray(np.where(seen, np.maximum(found - found[seen].min(), 0.0), 0.0))


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below > 0.0 else 1.0


def unmetered(sharing: Sharing, nominal: Floats, junctions: Ints) -> Floats:
    """Nominal demand of a district's customers without a meter, float64 [n], m3/s."""
    return np.asarray(nominal[:, junctions[~sharing.metered[junctions]]].sum(axis=1))


def excess(drive: Drive, sharing: Sharing, nominal: Floats, hours: Hours, usual: dict[int, Usual]) -> Floats:
    """What districts take beyond their usual, float64 [n, n_districts that have one], m3/s.

    Parameters
    ----------
    nominal
        float64 [n, n_junctions], the model's own demand, m3/s.
    usual
        By district.
    """
    hour = hours.at(drive.times)
    columns = [
        drive.inflow[:, k] - drive.known[:, k]
        - known.factor[hour] * unmetered(sharing, nominal, sharing.districts[k].junctions)
        for k, known in usual.items()
    ]  # fmt: skip
    return np.stack(columns, axis=1) if columns else np.empty((len(drive.times), 0))
