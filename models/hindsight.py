"""What alarms turned out to be: each is matched to a leak of the whole record, or withdrawn.

What was known when an alarm was raised stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.leak import Leak, Untold
from models.smooth import Smoothed
from models.watch import Watch
from models.window import Window

Floats = NDArray[np.float64]

_NEAR_M, _FAR_M = 300.0, 500.0
_LIKE, _ALIKE = 0.5, 0.8
_AFTER = 10.0  # blocks after its end in which an alarm may still be about a leak
_PER_BLOCK = 1e-3  # of two alarms about one leak the earlier is the one


def looked_back(
    alarms: Sequence[Leak], found: Sequence[Smoothed], watch: Watch, window: Window
) -> tuple[list[Leak], list[Untold]]:
    """Tell of every alarm what it turned out to be.

    Parameters
    ----------
    alarms
        As the detector tells them.
    found
        The leaks of the whole record.
    window
        Whose clock `found` goes by.

    Returns
    -------
    alarms : list of Leak
        In the same order. The first alarm about a leak stands for it; another about the same leak is withdrawn and
        tells of that leak too; one about none is withdrawn and keeps what the detector told last.
    others : list of Untold
        Leaks that no alarm is about: found too late to have been told.
    """
    if not found or not alarms:
        return [replace(alarm, status="withdrawn") for alarm in alarms], [_untold(k, watch, window) for k in found]
    likeness = np.array([[_likeness(alarm, leak, watch, window) for leak in found] for alarm in alarms])
    rows, columns = linear_sum_assignment(likeness, maximize=True)
    stands = {int(a): int(k) for a, k in zip(rows, columns, strict=True) if likeness[a, k] > 0.0}
    told = []
    for a, alarm in enumerate(alarms):
        best = stands.get(a, int(np.argmax(likeness[a])))
        if likeness[a, best] <= 0.0:
            told.append(replace(alarm, status="withdrawn"))
        else:
            told.append(_told(alarm, found[best], watch, window, a in stands))
    return told, [_untold(leak, watch, window) for k, leak in enumerate(found) if k not in stands.values()]


def _likeness(alarm: Leak, leak: Smoothed, watch: Watch, window: Window) -> float:
    """How well an alarm fits a leak: 0 where it cannot be about it."""
    block = window.number(alarm.detected)
    growth = leak.growth
    if leak.onset_low > block or (growth.end is not None and growth.end + _AFTER < block):
        return 0.0
    link = watch.topology.link(alarm.pipe)
    distance = float(watch.topology.distance_from_link(link)[leak.place.link])
    response = watch.secants[1, int(np.searchsorted(watch.pipes, link))]
    cosine = _cosine(response, leak.unit, np.sqrt(np.diag(watch.noise.white)))
    if distance > _FAR_M and cosine < _LIKE:
        return 0.0
    near = 2.0 if distance <= _NEAR_M else 1.0 if distance <= _FAR_M or cosine > _ALIKE else 0.0
    return float(1.0 + near + cosine - _PER_BLOCK * max(0.0, block - growth.onset))


def _cosine(one: Floats, other: Floats, scale: Floats) -> float:
    a, b = one / scale, other / scale
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-30))


def _told(alarm: Leak, leak: Smoothed, watch: Watch, window: Window, is_first: bool) -> Leak:
    growth = leak.growth
    end = None if growth.end is None else window.time(growth.end)
    start, low, high = (min(window.time(b), alarm.detected) for b in (leak.since, leak.onset_low, leak.onset_high))
    return replace(
        alarm,
        start=start,
        start_low=low,
        start_high=high,
        pipe_best=watch.topology.links[leak.place.link],
        flow_best=float(growth.flow(window.blocks[-1:])[0]) if end is None else growth.peak,
        probability_best=leak.place.probability,
        candidates_best=leak.place.candidates,
        ended=end,
        status="withdrawn" if not is_first else "open" if end is None else "ended",
    )


def _untold(leak: Smoothed, watch: Watch, window: Window) -> Untold:
    start, low, high = (window.time(block) for block in (leak.since, leak.onset_low, leak.onset_high))
    end = None if leak.growth.end is None else window.time(leak.growth.end)
    pipe = watch.topology.links[leak.place.link]
    return Untold(pipe, start, low, high, leak.growth.peak, leak.place.probability, end)
