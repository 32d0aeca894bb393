"""Cumulative sums: small lasting shifts of a residual whose usual value and spread are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.scoring.compiled import Floats, Ints, kernel
from models.scoring.contract import AnyFloats, Scanner, Scorer, State
from models.scoring.lanes import (
    WIDTH,
    any_less,
    larger,
    load,
    padded,
    splat,
    store,
    tail,
    where_finite,
    where_less,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CusumState(State):
    """Both sums of every channel.

    Attributes
    ----------
    up, down
        float64 [n_lanes], sums of what lies above and below the usual, in standard deviations.
    up_onset, down_onset
        float64 [n_lanes], row with which each sum began, or will begin.
    """

    up: Floats
    down: Floats
    up_onset: Floats
    down_onset: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Cusum(Scanner[CusumState]):
    """Two-sided CUSUM of standardised residuals; a sum that alarms starts again from zero.

    The score is the larger sum, negative for the lower one, before it starts again. A missing reading leaves the sums.

    Attributes
    ----------
    drift
        Allowance k per row, in standard deviations: half the shift that matters.
    limit
        Alarm level h, in standard deviations; its false alarms are tabled in docs/methods/scoring.md.

    Notes
    -----
    E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954).
    """

    drift: float = 0.5
    limit: float = 5.0

    def __post_init__(self) -> None:
        """Check what was set."""
        Scorer.__post_init__(self)
        self.need("drift", self.drift >= 0.0, "a number of standard deviations, 0 or more")

    def start(self, n_channels: int) -> CusumState:
        """Return the state before the first row."""
        up, down, up_onset, down_onset = (padded(n_channels) for _ in range(4))
        return CusumState.fresh(n_channels, up=up, down=down, up_onset=up_onset, down_onset=down_onset)

    def _run(
        self, state: CusumState, rows: AnyFloats, first: int, step: int, scores: Floats, places: Ints, found: Floats
    ) -> tuple[int, int]:
        sums = state.up, state.down, state.up_onset, state.down_onset
        return _cusum(rows, first, step, self.drift, self.limit, *sums, scores, places, found)


@kernel
def _cusum(
    rows: AnyFloats, first: int, step: int, drift: float, limit: float,
    up: Floats, down: Floats, up_onset: Floats, down_onset: Floats,
    scores: Floats, places: Ints, found: Floats,
) -> tuple[int, int]:  # fmt: skip
    """Carry the sums through rows from `first` on, in place.

    Where `scores` has rows they are filled; where `places` has, alarms are written until another row's might not fit.
    Returns the row to go on with and how many alarms there were.
    """
    n_rows, n_channels = rows.shape
    n_full = n_channels // WIDTH * WIDTH
    is_dense, is_sparse = scores.shape[0] > 0, places.shape[0] > 0
    zero, k, h = splat(0.0), splat(drift), splat(limit)
    spare = np.full(WIDTH, np.nan)
    n_found = 0
    for t in range(first, n_rows):
        if is_sparse and n_found + n_channels > places.shape[0]:
            return t, n_found
        following, peak = splat(np.float64(step + t + 1)), zero
        for c in range(0, n_channels, WIDTH):
            if c < n_full:
                x = load(rows, t * n_channels + c)
            else:
                tail(rows, t, c, spare)
                x = load(spare, 0)
            u = load(up, c) + where_finite(x, x - k, zero)
            d = load(down, c) + where_finite(x, zero - x - k, zero)
            # a sum of zero begins with the next row
            store(up_onset, c, where_less(zero, u, load(up_onset, c), following))
            store(down_onset, c, where_less(zero, d, load(down_onset, c), following))
            u, d = larger(u, zero), larger(d, zero)
            store(up, c, u)
            store(down, c, d)
            peak = larger(larger(u, d), peak)
        if is_dense:
            _write(rows, t, up, down, scores, spare)
        if any_less(h, peak):
            n_found = _begin_again(
                step + t, n_channels, limit, up, down, up_onset, down_onset, places, found, n_found
            )  # fmt: skip
    return n_rows, n_found


@kernel
def _write(rows: AnyFloats, t: int, up: Floats, down: Floats, scores: Floats, spare: Floats) -> None:
    """Fill a row of scores: the larger sum of each channel, negative for the lower one."""
    n_channels = rows.shape[1]
    n_full = n_channels // WIDTH * WIDTH
    zero, nothing = splat(0.0), splat(np.nan)
    for c in range(0, n_full, WIDTH):
        u, d = load(up, c), load(down, c)
        at = t * n_channels + c
        store(scores, at, where_finite(load(rows, at), where_less(u, d, zero - d, u), nothing))
    for c in range(n_full, n_channels):
        s = up[c] if up[c] >= down[c] else -down[c]
        scores[t, c] = s if abs(rows[t, c]) < np.inf else np.nan


@kernel
def _begin_again(
    now: int, n_channels: int, limit: float, up: Floats, down: Floats, up_onset: Floats, down_onset: Floats,
    places: Ints, found: Floats, n_found: int,
) -> int:  # fmt: skip
    """Note a row's alarms, where there is a table for them, and set their sums to zero."""
    h = splat(limit)
    for first in range(0, n_channels, WIDTH):
        if not any_less(h, larger(load(up, first), load(down, first))):
            continue
        for c in range(first, min(first + WIDTH, n_channels)):
            if not (up[c] > limit or down[c] > limit):
                continue
            is_up = up[c] >= down[c]
            if places.shape[0] > 0:
                places[n_found, 0], places[n_found, 1] = now, c
                places[n_found, 2] = np.int64(up_onset[c] if is_up else down_onset[c])
                found[n_found] = up[c] if is_up else -down[c]
                n_found += 1
            if is_up:
                up[c], up_onset[c] = 0.0, now + 1.0
            else:
                down[c], down_onset[c] = 0.0, now + 1.0
    return n_found
