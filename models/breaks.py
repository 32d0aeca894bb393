"""How often each pipe will break, from what it is and how often it broke.

A pipe's breaks are a Poisson process whose rate follows a power of its age (a Weibull process; Cox and Lewis 1966;
Kleiner and Rajani, "Comprehensive review of structural deterioration of water mains", Urban Water 3, 2001):

    rate(t) = length x exp(b_material + c_material log age(t) + d log diameter) x group x own

The first factor is a Poisson regression over pipe-years (scikit-learn). `group` (a street, a laying contract) and `own`
are gamma-distributed with mean one: what a pipe's own history says beyond its kind, drawn towards one as far as chance
explains it (empirical Bayes; Clayton and Kaldor, Biometrics 43, 1987).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv
from sklearn.linear_model import PoissonRegressor

from models.errors import NotEnoughData

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEAST_BREAKS = 20
_PRIOR_YEARS = 0.5  # a pipe is half a year old in the year after it was laid
_PULL = 1e-3  # of coefficients towards none; per unit of exposure
_MOST_SHAPE = 1e4  # a frailty so narrow is none
_LIMITS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class BreakHistory:
    """Pipes and their breaks in a span of whole years.

    Attributes
    ----------
    length
        float64 [n_pipes], km.
    diameter
        float64 [n_pipes], m.
    material, group
        Names [n_pipes]; an empty group stands alone.
    laid
        int64 [n_pipes], year; 0 where nobody knows, which counts as the median of the material.
    first_year
        Of the record.
    breaks
        int64 [n_pipes, n_years].
    """

    length: Floats
    diameter: Floats
    material: tuple[str, ...]
    group: tuple[str, ...]
    laid: Ints
    first_year: int
    breaks: Ints

    @property
    def last_year(self) -> int:
        """Last year of the record."""
        return self.first_year + int(self.breaks.shape[1]) - 1

    def until(self, year: int) -> BreakHistory:
        """The same pipes with the record up to a year, and no pipe that was laid later."""
        return BreakHistory(
            self.length, self.diameter, self.material, self.group, self.laid, self.first_year,
            self.breaks[:, : year - self.first_year + 1],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class BreakModel:
    """What was learnt.

    Attributes
    ----------
    base, slope
        By material: log rate of one km of mean diameter at one year of age, and the power of age.
    diameter_power
        Power of the diameter.
    group_shape, own_shape
        Of the gamma factors; the larger, the less pipes of one kind differ.
    """

    base: dict[str, float]
    slope: dict[str, float]
    diameter_power: float
    group_shape: float
    own_shape: float
    _history: BreakHistory
    _laid: Ints
    _mean_diameter: float
    _group_factor: Floats
    _shape: Floats
    _scale: Floats

    def rate(self, year: int) -> tuple[Floats, Floats, Floats]:
        """Breaks per km and year of every pipe, with the limits of a 95 % interval.

        Parameters
        ----------
        year
            Any; a pipe keeps ageing.

        Returns
        -------
        rate, low, high : float64 [n_pipes]
        """
        kind = self._kind(np.full(len(self._laid), year)) * self._group_factor
        low, high = (kind * gammaincinv(self._shape, q) * self._scale for q in _LIMITS)
        return kind * self._shape * self._scale, low, high

    def expected(self, first: int, last: int) -> Floats:
        """Breaks of every pipe from one year to another, both included, float64 [n_pipes]."""
        years = range(first, last + 1)
        return sum((self.rate(year)[0] for year in years), np.zeros(len(self._laid))) * self._history.length

    def _kind(self, year: Ints) -> Floats:
        """Breaks per km and year of a pipe of its kind."""
        history = self._history
        base = np.array([self.base[m] for m in history.material])
        slope = np.array([self.slope[m] for m in history.material])
        size = self.diameter_power * np.log(history.diameter / self._mean_diameter)
        return np.asarray(np.exp(base + slope * np.log(_age(year, self._laid)) + size))


def fit_breaks(history: BreakHistory) -> BreakModel:
    """Learn from a record of breaks.

    Raises
    ------
    NotEnoughData
        If there are too few breaks to tell materials and ages apart.
    """
    total = int(history.breaks.sum())
    if total < _LEAST_BREAKS:
        raise NotEnoughData(
            f"{total} breaks in {history.breaks.shape[1]} years: at least {_LEAST_BREAKS} are needed to learn rates; "
            "give a longer record, or rates by material"
        )
    laid = _known_years(history)
    materials = sorted(set(history.material))
    kind = np.array([materials.index(m) for m in history.material])
    mean = float(np.exp(np.average(np.log(history.diameter), weights=history.length)))
    base, slope, power = _regress(history, laid, kind, len(materials), mean)
    model = BreakModel(
        dict(zip(materials, base.tolist(), strict=True)), dict(zip(materials, slope.tolist(), strict=True)), power,
        _MOST_SHAPE, _MOST_SHAPE, history, laid, mean, np.ones(len(laid)), np.ones(len(laid)), np.ones(len(laid)),
    )  # fmt: skip
    return _with_factors(model)


def _age(year: Ints, laid: Ints) -> Floats:
    return np.maximum(np.asarray(year - laid, dtype=np.float64), 0.0) + _PRIOR_YEARS


def _known_years(history: BreakHistory) -> Ints:
    """Year of laying; that of the material's median metre where it is unknown."""
    laid = history.laid.copy()
    for material in set(history.material):
        of_it = np.array([m == material for m in history.material])
        known = of_it & (laid > 0)
        year = np.median(laid[known]) if known.any() else np.median(laid[laid > 0])
        laid[of_it & (laid <= 0)] = int(year)
    return laid


def _regress(
    history: BreakHistory, laid: Ints, kind: Ints, n_materials: int, mean: float
) -> tuple[Floats, Floats, float]:
    """Poisson regression over pipe-years in the ground."""
    n_years = history.breaks.shape[1]
    year = np.tile(history.first_year + np.arange(n_years), len(laid))
    pipe = np.repeat(np.arange(len(laid)), n_years)
    there = year > laid[pipe]
    year, pipe, count = year[there], pipe[there], history.breaks.ravel()[there]
    exposure = history.length[pipe]
    logs = np.log(_age(year, laid[pipe]))
    columns = np.zeros((len(pipe), 2 * n_materials + 1))
    rows = np.arange(len(pipe))
    centre = float(np.average(logs, weights=exposure))
    columns[rows, kind[pipe]] = 1.0
    # a common power of age, and each material's difference from it: a material with few breaks has the common one
    columns[rows, n_materials + kind[pipe]] = logs - centre
    columns[:, -1] = np.log(history.diameter[pipe] / mean)
    common = np.hstack([columns, (logs - centre)[:, None]])
    model = PoissonRegressor(alpha=_PULL, solver="newton-cholesky", max_iter=200, tol=1e-8)
    model.fit(common, count / exposure, sample_weight=exposure)
    weight = np.asarray(model.coef_, dtype=np.float64)
    slope = weight[n_materials : 2 * n_materials] + weight[-1]
    base = float(model.intercept_) + weight[:n_materials] - slope * centre
    return base, slope, float(weight[-2])


def _with_factors(model: BreakModel) -> BreakModel:
    """Add what groups and single pipes say of themselves."""
    history = model._history
    years = history.first_year + np.arange(history.breaks.shape[1])
    expected = np.zeros(len(model._laid))
    for year in years.tolist():
        expected += np.where(year > model._laid, model._kind(np.full(len(model._laid), year)), 0.0) * history.length
    broken = history.breaks.sum(axis=1).astype(np.float64)
    factor, doubt, group_shape = _groups(history.group, expected, broken)
    mu = expected * factor
    own_shape = _shape_of(mu, broken)
    shape, mean = own_shape + broken, (own_shape + broken) / (own_shape + mu)
    # relative variances of the two factors together, as one gamma distribution
    both = 1.0 / ((1.0 + doubt) * (1.0 + 1.0 / shape) - 1.0)
    return BreakModel(
        model.base, model.slope, model.diameter_power, group_shape, own_shape, history, model._laid,
        model._mean_diameter, factor, both, mean / both,
    )  # fmt: skip


def _groups(group: tuple[str, ...], expected: Floats, broken: Floats) -> tuple[Floats, Floats, float]:
    """Factor of each pipe's group, its relative variance, and the shape of what groups differ by."""
    factor, doubt, shape = np.ones(len(group)), np.zeros(len(group)), _MOST_SHAPE
    names = sorted(set(group) - {""})
    if names:
        number = {name: k for k, name in enumerate(names)}
        of = np.array([number.get(g, -1) for g in group])
        inside = of >= 0
        mu, y = (
            np.bincount(of[inside], weights=v[inside], minlength=len(names)).astype(np.float64)
            for v in (expected, broken)
        )
        shape = _shape_of(mu, y)
        factor[inside] = ((shape + y) / (shape + mu))[of[inside]]
        doubt[inside] = (1.0 / (shape + y))[of[inside]]
    return factor, doubt, shape


def _shape_of(expected: Floats, counted: Floats) -> float:
    """Shape of the gamma factor that makes counts vary as they do: Var y = mu + mu^2 / shape, by moments."""
    excess = float(np.sum((counted - expected) ** 2 - expected))
    square = float(np.sum(expected**2))
    return min(square / excess, _MOST_SHAPE) if excess > 0.0 else _MOST_SHAPE


def caught(order: Ints, length: Floats, expected: Floats, share: float) -> float:
    """Of all expected breaks, those on the first pipes of an order that make a share of the length.

    Parameters
    ----------
    order
        int64 [n_pipes], first the pipe to be renewed first.
    length, expected
        float64 [n_pipes], km and breaks.
    share
        Of the length, 0 to 1; a pipe that is cut counts by its part.
    """
    along = np.concatenate(([0.0], np.cumsum(length[order])))
    sums = np.concatenate(([0.0], np.cumsum(expected[order])))
    return float(np.interp(share * along[-1], along, sums) / sums[-1])
