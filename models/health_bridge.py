"""What drives the model and was not read: flows by the other instruments and the hour, levels by what flowed in.

The driven model needs every flow at a district's boundary and every tank's level. A gap of hours in one of them must
not cost the day. A missing flow is taken as its conditional mean, given what else was read in that interval: deviations
of flows, pressures and stored volumes from their usual course over the day are Gaussian together, learnt from the last
four weeks. Mass balance is among what is learnt so: a tank's pump is its inflow's rise. A missing level follows the
measured inflow less the usual take, and meets the next reading where that is known by the end of the block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.driven import DrivenModel
from hydro.record import Record
from models.forecast.parts import mean_of_seen

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LOOK_BACK = pd.Timedelta("28D")
_LEAST = pd.Timedelta("3D")
_AGAIN = 7  # blocks after which it is learnt anew
_RIDGE = 0.02


@dataclass(frozen=True, slots=True)
class Bridged:
    """A record with its gaps bridged.

    Attributes
    ----------
    record
        Flows and levels filled where that was possible.
    flow, level
        bool [n, n_meters] and [n, n_tanks], what was not read.
    """

    record: Record
    flow: Bools
    level: Bools


class Bridge:
    """Bridges gaps of what drives one model.

    Parameters
    ----------
    model
        Its districts and tanks.
    step, per_block
        Length of an interval, and intervals in a block: nothing after a block's end is used in it.
    """

    def __init__(self, model: DrivenModel, step: pd.Timedelta, per_block: int) -> None:
        self.model, self.step, self.per_block = model, step, per_block
        self._again = _AGAIN
        self._before: Record | None = None

    def by(self, per_block: int) -> Bridge:
        """Another that knows what this one does, for blocks of another length; it learns anew as rarely."""
        other = Bridge(self.model, self.step, per_block)
        other._before, other._again = self._before, max(1, self._again * self.per_block // per_block)
        return other

    def bridged(self, fine: Record, times: pd.DatetimeIndex) -> Bridged:
        """Bridge the gaps of a resampled record.

        Parameters
        ----------
        times
            Every interval's start.
        """
        model = self.model
        known = self._before
        back = int(_LOOK_BACK / self.step)
        head = pd.date_range(end=times[0] - self.step, periods=back, freq=self.step)
        use_head = known is not None and known.end < times[0]
        whole = head.union(times) if use_head else times
        flow, level, pressure = (
            _rows(getattr(fine, q), getattr(known, q) if use_head else None, whole, columns)
            for q, columns in (
                ("flow", model.flow_meters), ("level", model.level_sensors), ("pressure", model.pressure_sensors),
            )
        )  # fmt: skip
        begin = len(whole) - len(times)
        lost_flow, lost_level = np.isnan(flow[begin:]), np.isnan(level[begin:])
        if lost_flow.any() or lost_level.any():
            self._fill(flow, level, pressure, whole, begin)
        self._before = fine.between(fine.end - _LOOK_BACK, fine.end + self.step)
        record = replace(
            fine,
            flow=pd.DataFrame(flow[begin:], index=times, columns=list(model.flow_meters)),
            level=pd.DataFrame(level[begin:], index=times, columns=list(model.level_sensors)),
        )
        return Bridged(record, lost_flow, lost_level)

    def _fill(self, flow: Floats, level: Floats, pressure: Floats, times: pd.DatetimeIndex, begin: int) -> None:
        """Fill flows and levels in place, block by block."""
        back = int(_LOOK_BACK / self.step)
        usual: _Usual | None = None
        age = 0
        for at in range(begin, len(times), self.per_block):
            part = slice(at, min(at + self.per_block, len(times)))
            if np.isnan(flow[part]).any() or np.isnan(level[part]).any():
                if usual is None or age >= self._again:
                    usual = self._learn(flow, level, pressure, times, slice(max(0, at - back), at))
                    age = 0
                if usual is not None:
                    self._fill_levels(flow, level, usual, times, part)
                    volume = self._stored(level[max(0, part.start - 1) : part.stop])[
                        part.start - max(0, part.start - 1) :
                    ]
                    usual.fill(flow, pressure, volume, times, part)
            age += 1

    def _learn(
        self, flow: Floats, level: Floats, pressure: Floats, times: pd.DatetimeIndex, rows: slice
    ) -> _Usual | None:
        if (rows.stop - rows.start) * self.step < _LEAST:
            return None
        stored = self._stored(level[rows])
        everything = np.hstack([flow[rows], pressure[rows], stored])
        takes = np.full((rows.stop - rows.start, level.shape[1]), np.nan)
        for k in range(level.shape[1]):
            takes[:, k] = self._entering(flow[rows], k) - stored[:, k]
        return _Usual(everything, takes, times[rows], flow.shape[1])

    def _entering(self, flow: Floats, tank: int) -> Floats:
        """What meters let into a tank's district, float64 [n], m3/s."""
        node = int(self.model.tank_nodes[tank])
        for district in self.model.districts:
            if node in district.tanks and district.is_closed and len(district.tanks) == 1:
                columns = [self.model.flow_meters.index(m) for m in district.meters]
                found: Floats = flow[:, columns] @ np.array(district.signs, dtype=float)
                return found
        return np.full(len(flow), np.nan)

    def _stored(self, level: Floats) -> Floats:
        """Flow into each tank by its level, float64 [n, n_tanks], m3/s."""
        stored = np.full_like(level, np.nan)
        if len(level) > 2 and level.shape[1]:
            stored[1:-1] = (level[2:] - level[:-2]) / 2.0
            stored[0], stored[-1] = level[1] - level[0], level[-1] - level[-2]
            areas = np.array([self.model.engine.tank_area(int(n)) for n in self.model.tank_nodes])
            stored *= areas / self.step.total_seconds()
        return stored

    def _fill_levels(self, flow: Floats, level: Floats, usual: _Usual, times: pd.DatetimeIndex, part: slice) -> None:
        """Follow the inflow less the usual take through each gap."""
        seconds = self.step.total_seconds()
        for k in range(level.shape[1]):
            column = level[:, k]
            missing = part.start + np.flatnonzero(np.isnan(column[part]))
            if not len(missing):
                continue
            area = self.model.engine.tank_area(int(self.model.tank_nodes[k]))
            net = self._entering(flow[part], k) - usual.take(times[part], k)
            rise = np.nan_to_num(net) * seconds / area
            runs = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1)
            for run in runs:
                first, last = int(run[0]), int(run[-1])
                if first == 0 or np.isnan(column[first - 1]):
                    continue
                path = column[first - 1] + np.cumsum(rise[run - part.start])
                after = last + 1
                if after < part.stop:
                    off = column[after] - (path[-1] + rise[after - part.start])
                    path = path + off * np.arange(1, len(run) + 1) / (len(run) + 1)
                low, high = self.model.level_limits[:, k]
                column[run] = np.clip(path, low, high)


class _Usual:
    """How instruments usually go through the day, and how their deviations go together."""

    def __init__(self, values: Floats, takes: Floats, times: pd.DatetimeIndex, n_flows: int) -> None:
        self.n_flows = n_flows
        n_values = values.shape[1]
        self._course = _Course(np.hstack([values, takes]), times)
        off = values - self._course.at(times)[:, :n_values]
        seen = np.isfinite(off)
        self._scale = np.sqrt(np.where(seen, off**2, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1))
        self._scale = np.where(self._scale > 0.0, self._scale, 1.0)
        unit = np.where(seen, off, 0.0) / self._scale
        count = seen.astype(float).T @ seen.astype(float)
        together = np.where(count >= 24, unit.T @ unit / np.maximum(count, 1.0), 0.0)
        size, direction = np.linalg.eigh(together)
        self._together = (direction * np.maximum(size, 1e-4)) @ direction.T

    def take(self, times: pd.DatetimeIndex, tank: int) -> Floats:
        """What a tank's district usually takes, float64 [n], m3/s."""
        found: Floats = self._course.at(times)[:, len(self._scale) + tank]
        return found

    def fill(self, flow: Floats, pressure: Floats, stored: Floats, times: pd.DatetimeIndex, part: slice) -> None:
        """Put the conditional mean where a flow is missing, in place."""
        usual = self._course.at(times[part])[:, : len(self._scale)]
        off = (np.hstack([flow[part], pressure[part], stored]) - usual) / self._scale
        for row in np.flatnonzero(np.isnan(flow[part]).any(axis=1)):
            seen = np.flatnonzero(np.isfinite(off[row]))
            missing = np.flatnonzero(np.isnan(flow[part.start + row]))
            square = self._together[np.ix_(seen, seen)] + _RIDGE * np.eye(len(seen))
            guess = self._together[np.ix_(missing, seen)] @ np.linalg.solve(square, off[row, seen])
            flow[part.start + row, missing] = usual[row, missing] + guess * self._scale[missing]


class _Course:
    """Mean course over the day, of working days and of others."""

    def __init__(self, values: Floats, times: pd.DatetimeIndex) -> None:
        self._of: dict[int, Floats] = {}
        slots = _slots(times)
        for slot in np.unique(slots % 1000):
            every = values[slots % 1000 == slot]
            mean = mean_of_seen(every, 0)
            for weekend in (0, 1000):
                own = mean_of_seen(values[slots == slot + weekend], 0)
                self._of[int(slot) + weekend] = np.where(np.isfinite(own), own, mean)

    def at(self, times: pd.DatetimeIndex) -> Floats:
        """The course at some times, float64 [n, n_values]; NaN where it was never seen."""
        width = len(next(iter(self._of.values())))
        nothing = np.full(width, np.nan)
        return np.stack([self._of.get(int(slot), nothing) for slot in _slots(times)])


def _slots(times: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Minute of the day in quarters of an hour, and 1000 more at weekends."""
    quarter = (times.hour * 4 + times.minute // 15).to_numpy()
    found: NDArray[np.int64] = quarter + 1000 * (times.day_of_week.to_numpy() >= 5)
    return found


def _rows(
    table: pd.DataFrame, before: pd.DataFrame | None, times: pd.DatetimeIndex, columns: tuple[str, ...]
) -> Floats:
    """Values at some times, of a table and of what came before it."""
    if before is not None and len(before):
        table = pd.concat([before, table]) if len(table) else before
    found: Floats = table.reindex(index=times, columns=list(columns)).to_numpy(dtype=float, copy=True)
    return found
