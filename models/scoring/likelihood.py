"""Generalised likelihood ratio of a change that began at some row of the window: a step, or a growth from nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from models.scoring.compiled import Floats, Ints, kernel
from models.scoring.contract import AnyFloats, Scanner, Scorer, State
from models.scoring.lanes import (
    WIDTH,
    any_less,
    blocks,
    fetch_early,
    load,
    magnitude,
    product,
    splat,
    store,
    tail,
    where_finite,
    where_less,
)

_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlrState(State):
    """The window of every channel; sixteen channels lie side by side.

    Attributes
    ----------
    recent
        float64 [n_blocks, window, WIDTH], readings by row modulo the window; NaN where missing, infinite before the
        start and the last alarm, where no change is looked for.
    """

    recent: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Glr(Scanner[GlrState]):
    """How much better a change explains a window of standardised residuals than none: half the chi-square.

    The score is that of the best onset, negative for a decrease; a channel that alarms forgets what was before. For an
    onset of template s (all 1, or 1, 2, 3, ... from the onset on) the gain is (sum s x)^2 / (2 sum s^2) over the
    readings there are; it belongs to the size (sum s x) / (sum s^2).

    Attributes
    ----------
    shape
        "step" or "ramp".
    window
        Rows in which the change may have begun.
    limit
        Alarm level, half chi-square; its false alarms are tabled in docs/methods/scoring.md.

    Notes
    -----
    A. S. Willsky and H. L. Jones, "A generalized likelihood ratio approach to the detection and estimation of jumps in
    linear systems", IEEE Trans. Automatic Control 21 (1976); T. L. Lai, "Sequential changepoint detection in quality
    control and dynamical systems", J. Royal Statistical Society B 57 (1995), for the window.
    """

    shape: Literal["step", "ramp"] = "step"
    window: int = 96
    limit: float = 10.0

    def __post_init__(self) -> None:
        """Check what was set."""
        Scorer.__post_init__(self)
        self.need("shape", self.shape in ("step", "ramp"), "'step' or 'ramp'")
        self.need("window", self.window >= 1, "1 row or more")

    def start(self, n_channels: int) -> GlrState:
        """Return the state before the first row."""
        return GlrState.fresh(n_channels, recent=np.full((blocks(n_channels), self.window, WIDTH), np.inf))

    def _run(
        self, state: GlrState, rows: AnyFloats, first: int, step: int, scores: Floats, places: Ints, found: Floats
    ) -> tuple[int, int]:
        return _likelihood(rows, first, step, self.shape == "ramp", self.limit, state.recent, scores, places, found)


@kernel
def _likelihood(
    rows: AnyFloats, first: int, step: int, is_ramp: bool, limit: float, recent: Floats,
    scores: Floats, places: Ints, found: Floats,
) -> tuple[int, int]:  # fmt: skip
    """Carry windows through rows from `first` on, in place; scores and alarms as for the CUSUM."""
    n_rows, n_channels = rows.shape
    n_full, window = n_channels // WIDTH * WIDTH, recent.shape[1]
    is_dense, is_sparse = scores.shape[0] > 0, places.shape[0] > 0
    nothing, h = splat(np.nan), splat(limit)
    spare, best, age = np.full(WIDTH, np.nan), np.empty(WIDTH), np.empty(WIDTH)
    n_found = 0
    for t in range(first, n_rows):
        if is_sparse and n_found + n_channels > places.shape[0]:
            return t, n_found
        position = (step + t) % window
        for c in range(0, n_channels, WIDTH):
            if c < n_full:
                x = load(rows, t * n_channels + c)
            else:
                tail(rows, t, c, spare)
                x = load(spare, 0)
            base = c * window
            store(recent, base + position * WIDTH, where_finite(x, x, nothing))
            if is_ramp:
                _best_ramp(recent, base, window, position, best, age)
            else:
                _best_step(recent, base, window, position, best, age)
            gain = where_finite(x, load(best, 0), nothing)
            store(best, 0, gain)
            last = min(c + WIDTH, n_channels)
            if is_dense:
                for channel in range(c, last):
                    scores[t, channel] = best[channel - c]
            if any_less(h, gain) or any_less(gain, splat(0.0) - h):
                n_found = _forget(step + t, c, last, limit, best, age, recent, places, found, n_found)
    return n_rows, n_found


# the comparison with the best so far takes longer than the sums: two of them, taking turns, do not wait for each other
@kernel
def _best_step(recent: Floats, base: int, window: int, position: int, best: Floats, age: Floats) -> None:
    """Gain and age of the best onset of a step, signed, going back from the newest row."""
    zero, one = splat(0.0), splat(1.0)
    total, n, rows = zero, zero, zero
    champion = other = (zero, one, zero)
    i = position
    for _ in range(window):
        fetch_early(recent, base + (window + i) * WIDTH)
        x = load(recent, base + i * WIDTH)
        total, n, rows = total + where_finite(x, x, zero), n + where_finite(x, one, zero), rows + one
        champion, other = other, _better(champion, total, n, rows)
        i = i - 1 if i > 0 else window - 1
    _finish(champion, other, best, age)


@kernel
def _best_ramp(recent: Floats, base: int, window: int, position: int, best: Floats, age: Floats) -> None:
    """The same for a ramp: one row further back, each reading's share in the template is larger by one."""
    zero, one = splat(0.0), splat(1.0)
    total, n, rows, largest = zero, zero, zero, splat(_LARGEST)
    ramp, shares, squares = zero, zero, zero
    champion = other = (zero, one, zero)
    i = position
    for _ in range(window):
        fetch_early(recent, base + (window + i) * WIDTH)
        x = load(recent, base + i * WIDTH)
        total, n, rows = total + where_finite(x, x, zero), n + where_finite(x, one, zero), rows + one
        ramp, squares = where_less(largest, x, zero, ramp + total), squares + shares + shares + n
        shares = shares + n
        champion, other = other, _better(champion, ramp, squares, rows)
        i = i - 1 if i > 0 else window - 1
    _finish(champion, other, best, age)


@kernel
def _better(champion: Any, match: Any, energy: Any, age: Any) -> Any:
    """The better of two explanations (match, energy, age), the first where they are equal; nothing is divided."""
    least = product(product(champion[0], champion[0]), energy)
    new = product(product(match, match), champion[1])
    return (
        where_less(least, new, match, champion[0]),
        where_less(least, new, energy, champion[1]),
        where_less(least, new, age, champion[2]),
    )


@kernel
def _finish(champion: Any, other: Any, best: Floats, age: Floats) -> None:
    """Write gain and age of the better one; where they are equal, the newer."""
    (m, e, a), (m2, e2, a2) = champion, other
    young = where_less(a2, a, m2, m), where_less(a2, a, e2, e), where_less(a2, a, a2, a)
    old = where_less(a2, a, m, m2), where_less(a2, a, e, e2), where_less(a2, a, a, a2)
    match, energy, since = _better(young, old[0], old[1], old[2])
    store(best, 0, product(match, product(splat(0.5), magnitude(match))) / energy)
    store(age, 0, since)


@kernel
def _forget(
    now: int, first: int, last: int, limit: float, best: Floats, age: Floats, recent: Floats,
    places: Ints, found: Floats, n_found: int,
) -> int:  # fmt: skip
    """Note the alarms of a few channels, where there is a table for them, and empty their windows."""
    for c in range(first, last):
        lane = c - first
        if not abs(best[lane]) > limit:
            continue
        if places.shape[0] > 0:
            places[n_found, 0], places[n_found, 1], places[n_found, 2] = now, c, now + 1 - np.int64(age[lane])
            found[n_found] = best[lane]
            n_found += 1
        recent[first // WIDTH, :, lane] = np.inf
    return n_found
