"""The algebra of one estimation step: which instruments to believe, what has changed, what follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_GROSS = 1e6  # variance of an instrument that is not believed, in units of what was expected of it
_SUSPICION = 4.0  # standard deviations
_CHANGE = 0.7  # of a faulty instrument's evidence: no area has quite the shape of a leak in one of its pipes
_MOST_DOUBTED = 0.3  # share of the instruments
_PASSES = 8


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen at one step and how it depends on the state.

    Attributes
    ----------
    value
        float64 [m], measured less predicted; NaN is missing.
    response
        float64 [m, n], derivative by the state.
    noise
        float64 [m, m], covariance of what the state does not explain.
    """

    value: Floats
    response: Floats
    noise: Floats


@dataclass(frozen=True, slots=True)
class Update:
    """What an observation told.

    Attributes
    ----------
    mean, covariance
        float64 [n], [n, n], state afterwards.
    gain
        float64 [m], S^-1 (value): what every instrument pulls; 0 where missing.
    precision
        float64 [m, m], S^-1 with zero rows where missing.
    jumped
        float64 [n], variance that was given to states which had to jump.
    wanted
        bool [n], states whose jump would have explained the observation best, but that may not jump yet.
    score
        float64 [m], each instrument's residual against what all others let expect, in standard deviations.
    doubted
        bool [m], instruments that were not believed.
    """

    mean: Floats
    covariance: Floats
    gain: Floats
    precision: Floats
    jumped: Floats
    wanted: Bools
    score: Floats
    doubted: Bools


def update(
    mean: Floats,
    covariance: Floats,
    seen: Observation,
    can_jump: Bools,
    reach: tuple[Floats, Floats],
    can_be_doubted: Bools,
) -> Update:
    """Take an observation in.

    An instrument that lies beyond four standard deviations of what all others let expect (the largest normalised
    residual first; Handschin and others 1975) is either wrong or shows a change: if a jump of one state explains the
    whole observation about as well as an error of that instrument alone, the state is let loose, if it may jump; else
    the instrument is not believed at this step.

    Parameters
    ----------
    mean, covariance
        float64 [n], [n, n], predicted state.
    can_jump
        bool [n], states that may jump.
    reach
        float64 [n] twice, how far a state may jump downwards (negative) and upwards at most; 0 for those that never do.
    can_be_doubted
        bool [m].
    """
    there = np.isfinite(seen.value)
    value = np.where(there, seen.value, 0.0)
    h = seen.response
    jumped, doubted = np.zeros(len(mean)), np.zeros(len(value), dtype=bool)
    wanted = np.zeros(len(mean), dtype=bool)
    expected = np.sqrt(np.maximum(np.diag(seen.noise), 1e-30))
    precision, gain = np.zeros_like(seen.noise), np.zeros_like(value)
    score = np.full(len(value), np.nan)
    first: Floats | None = None
    for _ in range(_PASSES):
        spread = (h * jumped) @ h.T + h @ covariance @ h.T + seen.noise
        spread[np.diag_indices(len(value))] += np.where(doubted, _GROSS * expected**2, 0.0)
        precision, gain = _solve(spread, value, there)
        own = np.diag(precision)
        with np.errstate(divide="ignore", invalid="ignore"):
            score = np.where(there, gain / np.sqrt(own), np.nan)
        first = score if first is None else first
        open_to_doubt = np.where(there & ~doubted & can_be_doubted, np.abs(score), 0.0)
        worst = int(np.argmax(open_to_doubt))
        if open_to_doubt[worst] < _SUSPICION or doubted.sum() >= _MOST_DOUBTED * there.sum():
            break
        state, evidence, size = _best_jump(h, precision, gain, jumped == 0.0, reach)
        is_better = state >= 0 and evidence >= _CHANGE * open_to_doubt[worst] ** 2
        if is_better and can_jump[state]:
            jumped[state] = size**2
            continue
        doubted[worst] = True
        if is_better:
            wanted[state] = True
    predicted = covariance + np.diag(jumped)
    cross = predicted @ h.T
    after = predicted - cross @ precision @ cross.T
    # what was doubted keeps the score that made it so
    assert first is not None
    score = np.where(doubted, first, score)
    return Update(mean + cross @ gain, (after + after.T) / 2.0, gain, precision, jumped, wanted, score, doubted)


def _solve(spread: Floats, value: Floats, there: Bools) -> tuple[Floats, Floats]:
    precision = np.zeros_like(spread)
    at = np.ix_(there, there)
    if there.any():
        precision[at] = cho_solve(cho_factor(spread[at]), np.eye(int(there.sum())))
    return precision, np.asarray(precision @ value)


def _best_jump(
    h: Floats, precision: Floats, gain: Floats, can_jump: Bools, reach: tuple[Floats, Floats]
) -> tuple[int, float, float]:
    """The state whose jump explains most: its number, twice its log likelihood ratio, and the jump."""
    pull = h.T @ gain
    weight = np.einsum("mn,mk,kn->n", h, precision, h, optimize=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(weight > 0.0, pull / weight, 0.0)
    able = can_jump & (size != 0.0) & (size >= reach[0]) & (size <= reach[1])
    if not able.any():
        return -1, 0.0, 0.0
    evidence = np.where(able, pull * size, -1.0)
    best = int(np.argmax(evidence))
    return best, float(evidence[best]), float(size[best])


def hold_above(mean: Floats, covariance: Floats, lower: Floats) -> Floats:
    """The mean under bounds: what falls below is held at its bound and moves the others with it.

    Parameters
    ----------
    lower
        float64 [n]; minus infinity where there is no bound.
    """
    held = np.flatnonzero(mean < lower)
    result = mean
    for _ in range(_PASSES):
        if not len(held):
            return result
        inner = covariance[np.ix_(held, held)]
        inner = inner + np.diag(1e-9 * np.diag(inner) + 1e-30)
        pull = cho_solve(cho_factor(inner), (lower - mean)[held])
        result = mean + covariance[:, held] @ pull
        more = np.setdiff1d(np.flatnonzero(result < lower - 1e-12), held)
        if not len(more):
            break
        held = np.union1d(held, more)
    return np.maximum(result, lower)
