"""What flows in, less what flows out, less what is stored, over an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.scoring.compiled import Floats, Ints, kernel
from models.scoring.contract import AnyFloats, Scorer, State, as_rows


@dataclass(frozen=True, slots=True)
class District:
    """A part of the network whose water is counted.

    Attributes
    ----------
    meters
        Column of each flow meter, m3/s, and 1.0 where it counts what comes in, -1.0 where what goes out.
    tanks
        Column of each tank's level, m, and its area, m2.
    """

    meters: tuple[tuple[int, float], ...]
    tanks: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceState(State):
    """The last interval of every district, by row modulo the interval.

    Attributes
    ----------
    meters, tanks
        Where each district's terms begin (int64 [n_districts + 1]), their columns (int64) and factors (float64).
    flow
        float64 [interval, n_districts], net flow in, m3/s; NaN where a meter is missing.
    doubt
        float64 [interval, n_districts], variance of that by the meters' accuracy, m6/s2.
    volume
        float64 [interval, n_districts], in the tanks, m3; NaN where a level is missing.
    sums
        float64 [2, n_districts], of flow and doubt over the rows that are there.
    count
        int64 [n_districts], how many those are.
    """

    meters: tuple[Ints, Ints, Floats]
    tanks: tuple[Ints, Ints, Floats]
    flow: Floats
    doubt: Floats
    volume: Floats
    sums: Floats
    count: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class MassBalance(Scorer[BalanceState]):
    """Mean imbalance of each district over the last interval, in standard deviations of its instruments.

    A frame's columns are meters and levels; the scores' columns are districts. The usual take of customers who have no
    meter is part of the imbalance: put it into the frame as one more meter.

    Attributes
    ----------
    districts
        Their meters and tanks.
    interval
        Rows.
    interval_s
        Seconds from row to row.
    flow_error
        Standard error of a meter, as a share of its flow.
    level_error
        Standard error of a level, m.
    floor
        Least standard deviation of an imbalance, m3/s.
    coverage
        Share of the interval's rows that must be there; levels must be at both of its ends.
    limit
        Alarm beyond so many standard deviations.
    """

    is_by_channel: ClassVar[bool] = False

    districts: tuple[District, ...] = ()
    interval: int = 96
    interval_s: float = 900.0
    flow_error: float = 0.004
    level_error: float = 0.005
    floor: float = 1e-5
    coverage: float = 0.75
    limit: float = 5.0

    def __post_init__(self) -> None:
        """Check what was set."""
        Scorer.__post_init__(self)
        self.need(
            "districts",
            bool(self.districts) and all(district.meters for district in self.districts),
            "districts that have meters",
        )
        self.need("interval", self.interval >= 1, "1 row or more")
        self.need("interval_s", self.interval_s > 0.0, "seconds above 0")
        self.need("floor", self.floor > 0.0, "m3/s above 0")
        self.need("coverage", 0.0 < self.coverage <= 1.0, "a share above 0, at most 1")

    def width(self, n_channels: int) -> int:
        """As many columns as districts."""
        return len(self.districts)

    def start(self, n_channels: int) -> BalanceState:
        """Return the state before the first row."""
        used = [column for district in self.districts for column, _ in (*district.meters, *district.tanks)]
        self.need("districts", min(used) >= 0 and max(used) < n_channels, f"columns from 0 to {n_channels - 1}")
        shape = self.interval, len(self.districts)
        return BalanceState.fresh(
            n_channels,
            meters=_table([district.meters for district in self.districts]),
            tanks=_table([district.tanks for district in self.districts]),
            flow=np.full(shape, np.nan),
            doubt=np.zeros(shape),
            volume=np.full(shape, np.nan),
            sums=np.zeros((2, len(self.districts))),
            count=np.zeros(len(self.districts), dtype=np.int64),
        )

    def _score(self, state: BalanceState, rows: Floats, scores: Floats, step: int) -> BalanceState:
        self._run(state, rows, step, scores, np.empty_like(scores))
        return state

    def imbalance(self, state: BalanceState, frame: AnyFloats) -> tuple[BalanceState, Floats, Floats]:
        """Mean imbalance over the interval that ends with each row, and its standard deviation.

        Returns
        -------
        state, imbalance, deviation
            The next state; float64 [n_times, n_districts] twice, m3/s.
        """
        state.check()
        rows = as_rows(frame, state.n_channels).astype(np.float64, copy=False)
        scores, deviation = np.empty((2, len(rows), len(self.districts)))
        self._run(state, rows, state.step, scores, deviation)
        return state.after(len(rows)), scores * deviation, deviation

    def _run(self, state: BalanceState, rows: Floats, step: int, scores: Floats, deviation: Floats) -> None:
        seconds = self.interval * self.interval_s
        errors = self.flow_error, self.level_error / seconds, self.floor
        _balance(
            rows, step, *state.meters, *state.tanks, seconds, *errors, self.coverage * self.interval,
            state.flow, state.doubt, state.volume, state.sums, state.count, scores, deviation,
        )  # fmt: skip


def _table(terms: list[tuple[tuple[int, float], ...]]) -> tuple[Ints, Ints, Floats]:
    """Where each district's terms begin, their columns and factors, one district after the other."""
    ends = np.cumsum([0, *(len(district) for district in terms)], dtype=np.int64)
    columns = np.array([column for district in terms for column, _ in district], dtype=np.int64)
    return ends, columns, np.array([factor for district in terms for _, factor in district], dtype=np.float64)


@kernel
def _balance(
    rows: Floats, step: int, meter_ends: Ints, meters: Ints, signs: Floats, tank_ends: Ints, tanks: Ints, areas: Floats,
    seconds: float, flow_error: float, level_error: float, floor: float, enough: float,
    flow: Floats, doubt: Floats, volume: Floats, sums: Floats, count: Ints, scores: Floats, deviation: Floats,
) -> None:  # fmt: skip
    """Carry the intervals on, in place."""
    interval = flow.shape[0]
    for t in range(rows.shape[0]):
        position = (step + t) % interval
        for district in range(flow.shape[1]):
            net, variance, stored, of_levels = 0.0, 0.0, 0.0, 0.0
            for i in range(meter_ends[district], meter_ends[district + 1]):
                q = rows[t, meters[i]]
                net += signs[i] * q
                variance += (flow_error * q) ** 2
            for i in range(tank_ends[district], tank_ends[district + 1]):
                stored += areas[i] * rows[t, tanks[i]]
                of_levels += 2.0 * (level_error * areas[i]) ** 2
            _take(position, district, net, variance, flow, doubt, sums, count)
            change = 0.0
            if tank_ends[district + 1] > tank_ends[district]:
                change = (stored - volume[position, district]) / seconds
            volume[position, district] = stored if abs(stored) < np.inf else np.nan
            # every district's sums are made anew once an interval, each at a row of its own: rounding does not pile up
            if (step + t + district) % interval == 0:
                _add_up(district, flow, doubt, sums)
            scores[t, district], deviation[t, district] = np.nan, np.nan
            if step + t + 1 >= interval and count[district] >= enough and abs(change) < np.inf:
                mean, spread = sums[0, district] / count[district], sums[1, district] / count[district]
                spread = np.sqrt(max(spread + of_levels, floor * floor))
                scores[t, district], deviation[t, district] = (mean - change) / spread, spread


@kernel
def _take(
    position: int, district: int, net: float, variance: float, flow: Floats, doubt: Floats, sums: Floats, count: Ints
) -> None:
    """Put a row's flow in the place of the one that leaves the interval."""
    if abs(flow[position, district]) < np.inf:
        sums[0, district] -= flow[position, district]
        sums[1, district] -= doubt[position, district]
        count[district] -= 1
    flow[position, district] = net if abs(net) < np.inf else np.nan
    doubt[position, district] = variance
    if abs(net) < np.inf:
        sums[0, district] += net
        sums[1, district] += variance
        count[district] += 1


@kernel
def _add_up(district: int, flow: Floats, doubt: Floats, sums: Floats) -> None:
    """Sum a district's interval anew."""
    sums[:, district] = 0.0
    for i in range(flow.shape[0]):
        if abs(flow[i, district]) < np.inf:
            sums[0, district] += flow[i, district]
            sums[1, district] += doubt[i, district]
