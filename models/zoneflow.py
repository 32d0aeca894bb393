"""How much of a zone's inflow is use and how much leaks all day: a Bayesian night flow.

    rest(t) = c N(t) (1 + d(hour)) + W (P(t) / mean P)^N1 + error

N is the model's nominal demand of those without a meter, c what they really take of it, d how far the hours of their
use are off the model's pattern (a Gaussian process around the clock), W what is lost. Use is smallest at night, and so
is what an unknown d can hide: the fit weighs the hours by that, and minimum night flow less legitimate use falls out
of it with limits. Everything is linear once c d is of the size of the last c.

Night flow: Lambert, "Night-day factor" (2017), AWWA M36; unavoidable background leakage: Lambert et al. 1999.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.uncertain import Uncertain

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOURS = 24
_ROUNDS = 4
_MAD = 1.4826
_FAR = 4.0
_NIGHT_H = 6  # the least hour is looked for before this one
_LEAST_SPREAD = 0.002  # of the mean inflow: no hour is better known
PATTERN = "pattern of use"


@dataclass(frozen=True, slots=True)
class Habits:
    """How far hours of use may be off a model's pattern, one standard deviation.

    Attributes
    ----------
    pattern
        Of the logarithm of an hour's use, once the day's mean is taken off.
    reach_h
        Over so many hours neighbours are off together.
    shared
        Share of that variance that is common to all zones and to customers with a meter.
    scale
        Of a zone's use as a share of the model's, where no meter tells it.
    losses_n1
        Exponent of leakage with pressure.
    """

    pattern: float = 0.12
    reach_h: float = 3.0
    shared: float = 0.75
    scale: float = 0.5
    losses_n1: float = 1.0


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is known of the hours' deviations from the model's pattern.

    Attributes
    ----------
    mean
        float64 [24], expected logarithm of each hour's factor.
    shared, own
        float64 [24, 24], covariance of it that all zones have in common, and of each zone by itself.
    """

    mean: Floats
    shared: Floats
    own: Floats


def clock_covariance(habits: Habits) -> Floats:
    """Covariance of the hours' deviations, float64 [24, 24]: falling around the clock, and zero for the day's mean.

    It is rough (exponential): with a smooth one, how sharply use rises in the morning would seem to tell what leaks.
    """
    hour = np.arange(HOURS)
    apart = np.abs(hour[:, None] - hour[None, :])
    apart = np.minimum(apart, HOURS - apart)
    near = np.exp(-apart / habits.reach_h)
    centre = np.eye(HOURS) - 1.0 / HOURS
    covariance = centre @ near @ centre
    return np.asarray(habits.pattern**2 * covariance / covariance.diagonal().mean())


def pattern_of(habits: Habits, ratio: Floats | None = None, error: float = 0.0) -> Pattern:
    """Belief in the hours' deviations, sharpened by what customers' meters say of those who have one.

    Parameters
    ----------
    ratio
        float64 [24], logarithm of metered use over the same customers' nominal demand, the day's mean taken off.
    error
        Its standard error, because only some customers have one.
    """
    whole = clock_covariance(habits)
    shared, own = habits.shared * whole, (1.0 - habits.shared) * whole
    if ratio is None:
        return Pattern(np.zeros(HOURS), shared, own)
    # one customer's hours go together as those of all do
    seen = whole * (1.0 + (error / habits.pattern) ** 2)
    gain = np.linalg.lstsq(seen.T, shared.T, rcond=1e-9)[0].T
    return Pattern(gain @ ratio, shared - gain @ shared, own)


@dataclass(frozen=True, slots=True)
class Intake:
    """What a zone took, interval by interval.

    Attributes
    ----------
    rest
        float64 [n], net inflow less what customers' meters saw, m3/s; NaN is missing.
    metered
        float64 [n], what they saw, m3/s.
    nominal
        float64 [n], the model's use of those without a meter, background leakage left out, m3/s.
    pressure
        float64 [n], m, at the average zone point; ones where it is not known.
    hour
        int64 [n], of the clock.
    inputs
        Name -> (float64 [n], standard deviation as a share): flows whose meters may be wrong all the time, m3/s, with
        the sign with which they enter `rest`.
    """

    rest: Floats
    metered: Floats
    nominal: Floats
    pressure: Floats
    hour: Ints
    inputs: Mapping[str, tuple[Floats, float]]


@dataclass(frozen=True, slots=True)
class Night:
    """The least hour of a zone's night, m3/s.

    Attributes
    ----------
    hour
        Of the clock.
    flow
        What came in; it is what the others add up to.
    use
        Legitimate use.
    losses
        What leaked.
    mean_losses
        What leaks on average over the day.
    scale
        Use as a share of the model's, of those without a meter.
    """

    hour: int
    flow: Uncertain
    use: Uncertain
    losses: Uncertain
    mean_losses: Uncertain
    scale: float


def split(
    intake: Intake,
    pattern: Pattern,
    habits: Habits,
    zone: str,
    scale: tuple[float, float] | None = None,
    night_use: Uncertain | None = None,
) -> Night | None:
    """Tell use from losses.

    Parameters
    ----------
    zone
        Name, for the parts of the errors that are the zone's own.
    scale
        Expected c and its standard deviation, where meters of the zone's customers tell it.
    night_use
        What those without a meter use in the least hour, m3/s, as far as people and properties are counted.

    Returns
    -------
    Night or None
        None where no whole day's hours were seen.
    """
    seen = np.isfinite(intake.rest) & np.isfinite(intake.nominal) & np.isfinite(intake.pressure)
    if len(np.unique(intake.hour[seen])) < HOURS:
        return None
    hours = _Hours.of(intake, seen, habits)
    least = int(np.argmin(hours.inflow[:_NIGHT_H]))
    total = float(hours.nominal.sum())
    guess = float(hours.rest.sum()) / total if total > 0.0 else 0.0
    expected, deviation = scale or (max(guess, 0.0), habits.scale * max(guess, 1e-9))
    estimate, reach = np.array([expected, 0.0]), np.empty((2, 0))
    for _ in range(_ROUNDS):
        estimate, reach = _fit(hours, pattern, estimate[0], (expected, deviation), night_use, least)
    parts = _parts(hours, pattern, float(estimate[0]), reach[1], zone, night_use, deviation)
    mean = Uncertain(float(estimate[1]), parts)
    losses = float(hours.growth[least]) * mean
    # what the meters are off by is in the flow too: of that the limits of losses and use hold their part
    flow = float(hours.inflow[least])
    measured = Uncertain(flow, {f"nights of {zone}": float(hours.error[least]), **_meters(hours, least)})
    use = Uncertain(flow - losses.value, losses.parts)
    return Night(least, measured, use, losses, mean, float(estimate[0]))


@dataclass(frozen=True, slots=True)
class _Hours:
    """An intake as a usual day."""

    rest: Floats
    inflow: Floats
    nominal: Floats
    growth: Floats
    error: Floats
    inputs: Mapping[str, tuple[Floats, float]]

    @classmethod
    def of(cls, intake: Intake, seen: NDArray[np.bool_], habits: Habits) -> _Hours:
        hour = intake.hour[seen]
        growth = np.maximum(intake.pressure, 0.1) ** habits.losses_n1
        growth = (growth / growth[seen].mean())[seen]
        rest, nominal = intake.rest[seen], intake.nominal[seen]
        middle, weekly = _by_hour(np.median, rest, hour), _by_hour(np.median, nominal, hour)
        scale = float(middle.sum() / weekly.sum()) if weekly.sum() > 0.0 else 0.0
        residual = rest - middle[hour] - scale * (nominal - weekly[hour])
        spread = _MAD * _by_hour(np.median, np.abs(residual), hour)
        floor = _LEAST_SPREAD * float(np.abs(middle).mean())
        spread = np.maximum(spread, np.maximum(0.5 * float(np.median(spread)), floor))
        # hours of a burst or a refill are left out; of the others use and model have the same days in their means
        kept = np.abs(residual) <= _FAR * spread[hour]

        def usual(values: Floats) -> Floats:
            return _by_hour(np.mean, values[kept], hour[kept])

        return cls(
            usual(rest), usual(rest + intake.metered[seen]), usual(nominal), usual(growth),
            spread / np.sqrt(np.bincount(hour[kept], minlength=HOURS)),
            {name: (usual(values[seen]), share) for name, (values, share) in intake.inputs.items()},
        )  # fmt: skip


def _by_hour(what: Callable[[Floats], np.float64], values: Floats, hour: Ints) -> Floats:
    return np.array([what(values[hour == h]) for h in range(HOURS)])


def _fit(
    hours: _Hours, pattern: Pattern, scale: float, prior: tuple[float, float], use: Uncertain | None, least: int
) -> tuple[Floats, Floats]:
    """Use's scale c and losses W, and their estimator: float64 [2] and [2, 24 + what was believed before]."""
    covariance = _covariance(hours, pattern, scale)
    design = np.column_stack([hours.nominal * np.exp(pattern.mean), hours.growth])
    data = [*hours.rest.tolist(), prior[0]]
    rows, extra = [*design, np.array([1.0, 0.0])], [prior[1] ** 2]
    if use is not None and design[least, 0] > 0.0:
        rows.append(np.array([design[least, 0], 0.0]))
        data.append(use.value)
        extra.append(max(use.sd, 1e-9) ** 2)
    whole = np.zeros((len(data), len(data)))
    whole[:HOURS, :HOURS] = covariance
    whole[range(HOURS, len(data)), range(HOURS, len(data))] = extra
    matrix = np.stack(rows)
    weighted = np.linalg.solve(whole, matrix)
    found = np.linalg.inv(matrix.T @ weighted)
    reach = found @ weighted.T
    estimate = reach @ np.array(data)
    if estimate[0] < 0.0:  # nobody gives water back: all of it is lost
        estimate[0] = 0.0
    return estimate, reach


def _covariance(hours: _Hours, pattern: Pattern, scale: float) -> Floats:
    used = scale * hours.nominal
    whole = np.outer(used, used) * (pattern.shared + pattern.own) + np.diag(hours.error**2)
    for values, share in hours.inputs.values():
        whole += share**2 * np.outer(values, values)
    return np.asarray(whole)


def _parts(
    hours: _Hours, pattern: Pattern, scale: float, reach: Floats, zone: str, use: Uncertain | None, deviation: float
) -> dict[str, float]:
    """What each independent input adds to the error of W, m3/s."""
    pull = reach[:HOURS]
    used = pull * scale * hours.nominal
    parts = {
        PATTERN: math.sqrt(max(float(used @ pattern.shared @ used), 0.0)),
        f"pattern of {zone}": math.sqrt(max(float(used @ pattern.own @ used), 0.0)),
        f"nights of {zone}": float(np.linalg.norm(pull * hours.error)),
        f"scale of {zone}": float(reach[HOURS] * deviation),
    }
    if use is not None and len(reach) > HOURS + 1:
        parts[f"night use of {zone}"] = float(reach[HOURS + 1] * use.sd)
    for name, (values, share) in hours.inputs.items():
        parts[name] = float(pull @ values * share)
    return parts


def _meters(hours: _Hours, hour: int) -> dict[str, float]:
    return {name: float(values[hour] * share) for name, (values, share) in hours.inputs.items() if share > 0.0}


def unavoidable_background(length_m: float, connections: float, pressure: float) -> float:
    """Unavoidable background leakage, m3/s: (20 Lm + 1.25 Nc) (P / 50)^1.5 L/h with Lm in km (Lambert et al. 1999)."""
    litres = (20.0 * length_m / 1000.0 + 1.25 * connections) * (max(pressure, 0.0) / 50.0) ** 1.5
    return float(litres / 3.6e6)
