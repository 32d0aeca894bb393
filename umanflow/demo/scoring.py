"""Compare what was reported with what the twin did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from models.detect import Detection
from models.leak import Leak
from umanflow.demo.leaks import DrawnLeak

_REACH_M = 300.0


@dataclass(frozen=True, slots=True)
class Row:
    """One true leak.

    Attributes
    ----------
    event
        The report that found it, or None.
    distance
        Pipe length from the true pipe's centre to the reported pipe's, m.
    reach
        How far off still counts as found, m: 300, or two pipe lengths where the pipe is longer.
    """

    drawn: DrawnLeak
    flow: float
    event: Leak | None
    distance: float | None
    reach: float

    @property
    def found(self) -> bool:
        """Whether a report lies within reach."""
        return self.event is not None

    def as_json(self) -> dict[str, object]:
        """One object of demo.json's `leaks`."""
        start = pd.Timestamp(self.drawn.leak.start_ms, unit="ms", tz="UTC").floor("s")
        return {
            "pipe": self.drawn.leak.pipe,
            "start": start.isoformat(),
            "flow_m3h": round(3600.0 * self.flow, 2),
            "found": self.found,
            "detected": self.event.detected.isoformat() if self.event else None,
            "distance_m": round(self.distance, 0) if self.distance is not None else None,
            "flow_est_m3h": round(3600.0 * self.event.flow_best, 2) if self.event else None,
        }


@dataclass(frozen=True, slots=True)
class Score:
    """All true leaks, and the reports that belong to none."""

    rows: list[Row]
    false_alarms: list[Leak]


def score_leaks(drawn: Sequence[DrawnLeak], flows: Callable[[str], pd.Series], found: Detection) -> Score:
    """Match reports and true leaks, by the place that is held for best at the end.

    A report counts for the nearest leak within reach that was running when it was raised, once; further reports near
    a leak that is found are no false alarms. Reports that were withdrawn count as false alarms all the same: a crew
    may have gone.
    """
    topology = found.topology
    distances = {d.leak.pipe: topology.distance_from_link(topology.link(d.leak.pipe)) for d in drawn}
    reaches = {p: max(_REACH_M, 2.0 * float(topology.length[topology.link(p)])) for p in distances}
    matched: dict[str, tuple[Leak, float]] = {}
    false = []
    for leak in found.leaks:
        place = topology.link(leak.pipe_best)
        near = [
            (float(distances[d.leak.pipe][place]), d.leak.pipe)
            for d in drawn
            if d.leak.start_ms <= leak.detected.value // 1_000_000
            and distances[d.leak.pipe][place] <= reaches[d.leak.pipe]
        ]
        if not near or leak.status == "withdrawn":
            false.append(leak)
            continue
        distance, pipe = min(near)
        if pipe not in matched:
            matched[pipe] = leak, distance
    rows = []
    for d in drawn:
        match = matched.get(d.leak.pipe)
        event = match[0] if match is not None else None
        metres = match[1] if match is not None else None
        rows.append(Row(d, float(flows(d.leak.pipe).iloc[-1]), event, metres, reaches[d.leak.pipe]))
    return Score(rows, false)
