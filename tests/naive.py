"""Slow, obvious twins of the compiled kernels and of the scan: the oracles of the tests."""

import math
import statistics
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


# scorers: one channel, the whole record at once -----------------------------------------------------------------------

Judged = tuple[float, int]
"""A score and the row in which what it sees began (the row itself where the scorer tells no onset)."""


@dataclass
class Side:
    """One side of one channel's CUSUM, as Page wrote it down."""

    total: float = 0.0
    onset: int = 0

    def take(self, step: float, row: int) -> None:
        if self.total == 0.0:
            self.onset = row
        self.total = max(self.total + step, 0.0)


def cusum(values: list[float], drift: float, limit: float) -> list[Judged]:
    up, down, judged = Side(), Side(), []
    for row, x in enumerate(values):
        if not math.isfinite(x):
            judged.append((math.nan, row))
            continue
        up.take(x - drift, row)
        down.take(-x - drift, row)
        side = up if up.total >= down.total else down
        judged.append((side.total if side is up else -side.total, side.onset))
        if side.total > limit:
            side.total = 0.0
    return judged


def page_hinkley(values: list[float], drift: float, limit: float, memory: float, warmup: int) -> list[Judged]:
    """With the sums and their extremes written out."""
    judged: list[Judged] = []
    rises, falls, mean = [(0.0, -1)], [(0.0, -1)], 0.0
    for row, x in enumerate(values):
        if not math.isfinite(x):
            judged.append((math.nan, row))
            continue
        n = len(rises)
        mean += max(1.0 / n, 1.0 / memory) * (x - mean)
        rises.append((rises[-1][0] + x - mean - drift, row))
        falls.append((falls[-1][0] + x - mean + drift, row))
        lowest = min(range(n + 1), key=lambda i: (rises[i][0], -i))
        highest = max(range(n + 1), key=lambda i: (falls[i][0], i))
        up, down = rises[-1][0] - rises[lowest][0], falls[highest][0] - falls[-1][0]
        sums, extreme = (rises, lowest) if up >= down else (falls, highest)
        since = sums[extreme + 1][1] if extreme < n else row + 1
        score = math.nan if n < warmup else up if up >= down else -down
        judged.append((score, since))
        if abs(score) > limit:
            rises, falls, mean = [(0.0, row)], [(0.0, row)], 0.0
    return judged


def weighted(learnt: list[float], weight: float) -> tuple[float, float]:
    """Mean and variance of readings of which the k-th counted max(1/k, weight) when it was new."""
    shares: list[float] = []
    for k in range(1, len(learnt) + 1):
        gain = max(1.0 / k, weight)
        shares = [share * (1.0 - gain) for share in shares] + [gain]
    mean = sum(share * x for share, x in zip(shares, learnt, strict=True))
    return mean, sum(share * (x - mean) ** 2 for share, x in zip(shares, learnt, strict=True))


def ewma(values: list[float], weight: float, limit: float, floor: float, warmup: int, patience: int) -> list[Judged]:
    judged: list[Judged] = []
    learnt: list[float] = []
    missed: list[int] = []
    for row, x in enumerate(values):
        if not math.isfinite(x):
            judged.append((math.nan, row))
            continue
        score = math.nan
        if len(learnt) >= warmup:
            mean, variance = weighted(learnt, weight)
            score = (x - mean) / max(math.sqrt(variance), floor)
        if abs(score) > limit:
            missed.append(row)
            judged.append((score, missed[0]))
            if len(missed) == patience:
                learnt, missed = [], []
            continue
        missed = []
        judged.append((score, row))
        learnt.append(x)
    return judged


def chart(values: list[float], weight: float) -> list[Judged]:
    """Every reading's share written out."""
    judged: list[Judged] = []
    seen: list[float] = []
    for row, x in enumerate(values):
        seen += [x] if math.isfinite(x) else []
        level = sum(weight * (1.0 - weight) ** age * y for age, y in enumerate(reversed(seen)))
        judged.append((level / math.sqrt(weight / (2.0 - weight)) if math.isfinite(x) else math.nan, row))
    return judged


def rolling_median(values: list[float], window: int, enough: int, floor: float) -> list[Judged]:
    judged: list[Judged] = []
    for row, x in enumerate(values):
        there = [y for y in values[max(row - window, 0) : row] if math.isfinite(y)]
        score = math.nan
        if math.isfinite(x) and len(there) >= enough:
            middle = statistics.median_low(there)
            spread = statistics.median_low([abs(y - middle) for y in there])
            score = (x - middle) / max(1.4826022185056018 * spread, floor)
        judged.append((score, row))
    return judged


def robust_z(values: list[float], history: int, enough: float, floor: float) -> list[Judged]:
    past = [x for x in values[:history] if math.isfinite(x)]
    judged: list[Judged] = []
    for row, x in enumerate(values):
        score = math.nan
        if row >= history and math.isfinite(x) and len(past) >= enough * history:
            middle = statistics.median(past)
            spread = statistics.median([abs(y - middle) for y in past])
            score = (x - middle) / max(1.4826022185056018 * spread, floor)
        judged.append((score, row))
    return judged


def glr(values: list[float], shape: str, window: int, limit: float) -> list[Judged]:
    """Every onset tried, latest first."""
    judged: list[Judged] = []
    begin = 0
    for row, x in enumerate(values):
        best, onset = 0.0, row
        for first in range(row, max(row - window, begin - 1), -1):
            there = [(i - first + 1 if shape == "ramp" else 1, values[i]) for i in range(first, row + 1)]
            there = [(s, y) for s, y in there if math.isfinite(y)]
            match, energy = sum(s * y for s, y in there), sum(s * s for s, _ in there)
            gain = match * abs(match) / (2.0 * energy) if energy else 0.0
            # among equals, up to rounding, the later counts
            if abs(gain) > abs(best) * (1.0 + 1e-12):
                best, onset = gain, first
        judged.append((best if math.isfinite(x) else math.nan, onset))
        if math.isfinite(x) and abs(best) > limit:
            begin = row + 1
    return judged


def weekly(
    values: list[float], slots: list[int], keep: int, shares: tuple[float, float], enough: int, floor: float,
    limit: float,
) -> list[Judged]:  # fmt: skip
    judged: list[Judged] = []
    learnt: dict[int, list[float]] = {}
    for row, (x, slot) in enumerate(zip(values, slots, strict=True)):
        there = learnt.setdefault(slot, [])[-keep:]
        score = math.nan
        if math.isfinite(x) and len(there) >= enough:
            low, high = (float(np.quantile(there, share)) for share in shares)
            score = (x - (low + high) / 2.0) / max((high - low) / 2.0, floor)
        judged.append((score, row))
        if math.isfinite(x) and not abs(score) > limit:
            learnt[slot].append(x)
    return judged


def flat(values: list[float], tolerance: float) -> list[Judged]:
    judged: list[Judged] = []
    run: list[float] = []
    for row, x in enumerate(values):
        if math.isfinite(x):
            run = [*run, x] if run and abs(x - run[0]) <= tolerance else [x]
        judged.append((float(len(run)) if math.isfinite(x) else math.nan, row))
    return judged


def spike(values: list[float], weight: float, floor: float, warmup: int, limit: float) -> list[Judged]:
    judged: list[Judged] = []
    seen: list[float] = []
    usual = 0.0
    for row, x in enumerate(values):
        score = math.nan
        if math.isfinite(x):
            deviation = max(math.sqrt(math.pi) / 2.0 * usual, floor)
            if len(seen) >= warmup:
                there, back = seen[-1] - seen[-2], seen[-1] - x
                is_spike = (there > 0.0) == (back > 0.0) and there != 0.0 and back != 0.0
                size = min(abs(there), abs(back)) if is_spike else 0.0
                score = math.copysign(size, there) / deviation
            if seen:
                step = abs(x - seen[-1])
                step = min(step, limit * deviation) if len(seen) >= warmup else step
                usual += max(1.0 / len(seen), weight) * (step - usual)
            seen.append(x)
        judged.append((score, row))
    return judged


def imbalance(flows: Floats, volumes: Floats | None, interval: int, enough: float, seconds: float) -> list[float]:
    """Mean net flow of the rows of each interval that are there, less what the tanks took up."""
    found = []
    for row in range(len(flows)):
        part = flows[max(row - interval + 1, 0) : row + 1]
        there = part[np.isfinite(part)]
        change = 0.0
        if volumes is not None:
            change = (volumes[row] - volumes[row - interval]) / seconds if row >= interval else math.nan
        is_known = row + 1 >= interval and len(there) >= enough
        found.append(float(there.mean() - change) if is_known else math.nan)
    return found


# the scan -------------------------------------------------------------------------------------------------------------


def best_shape(match: Floats, energy: Floats, cost: float = 0.0) -> tuple[list[float], list[int], list[float]]:
    """Gain, shape and flow of every candidate; a shape's peak costs so much for each m3/s."""
    gains, shapes, flows = [], [], []
    for m_row, e_row in zip(match.tolist(), energy.tolist(), strict=True):
        tried = [
            (m * m / (2.0 * e) - cost * m / e, -s, m / e)
            for s, (m, e) in enumerate(zip(m_row, e_row, strict=True))
            if m > 0 and e > 0
        ]
        gain, minus_shape, flow = max((one for one in tried if one[0] > 0.0), default=(0.0, 1, 0.0))
        gains.append(gain)
        shapes.append(-minus_shape)
        flows.append(flow)
    return gains, shapes, flows


def window_covariance(white: Floats, slow: Floats, memory: float, n_blocks: int) -> Floats:
    """Covariance of a window's residuals, block by block, float64 [n_blocks x n_channels, same]."""
    n = len(white)
    whole = np.zeros((n_blocks * n, n_blocks * n))
    for s in range(n_blocks):
        for t in range(n_blocks):
            part = slow * math.exp(-abs(s - t) / memory)
            if s == t:
                part = part + white
            whole[s * n : (s + 1) * n, t * n : (t + 1) * n] = part
    return whole


@dataclass
class Explanation:
    """Generalised least squares of one candidate with one shape."""

    gain: float
    flow: float
    deviation: float


def explain(residuals: Floats, response: Floats, shape: Floats, covariance: Floats) -> Explanation:
    """How well one leak explains a window: residual = flow x shape x response + noise."""
    template = np.array([share * r for share in shape for r in response])
    weighted = np.linalg.solve(covariance, template)
    energy = float(template @ weighted)
    match = float(residuals.ravel() @ weighted)
    if match <= 0.0 or energy <= 0.0:
        return Explanation(0.0, 0.0, energy**-0.5 if energy > 0.0 else math.inf)
    return Explanation(match**2 / (2.0 * energy), match / energy, energy**-0.5)


def night_flow_rule(inflow: Floats, share: float, window: int) -> list[bool]:
    """LeakDB's rule, day by day."""
    usual: list[float] = []
    called = []
    for day in inflow.tolist():
        seen = [x for x in day if not math.isnan(x)]
        leaks = False
        if seen:
            if len(usual) >= window:
                floor = min(usual[-window:])
                leaks = min(seen) - floor > share * floor
            if not leaks:
                usual.append(min(seen))
        called.append(leaks)
    return called
