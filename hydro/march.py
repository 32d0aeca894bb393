"""Many leaks at once through a day: each with its own tanks and controls, linear about moments that they share.

At every moment the runs are put into groups that stand alike: the same settings, tank levels within a hand's breadth.
Each group is solved by EPANET once, at its mean level and without a leak, and linearised; every run's pressures and
tank inflows follow from the group's by its leak and by its own levels. So a pump that comes on later in some runs is on
or off in each as it should be, and only what is left is linear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hydro.leakruns import Places
from hydro.moments import Moments, Response
from hydro.switching import Switching

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEVEL_BIN = 0.25  # m; tank levels of one group


@dataclass(frozen=True, slots=True)
class Clock:
    """When a model is solved.

    Attributes
    ----------
    grid
        int64 [n], s: every moment at which all runs are solved, from 0 to the end.
    report
        Interval of reported results, s.
    pattern_step, pattern_start
        s.
    """

    grid: Ints
    report: int
    pattern_step: int
    pattern_start: int

    def period(self, now: int) -> int:
        """Number of the pattern period at a time."""
        return (now + self.pattern_start) // self.pattern_step


class March:
    """Runs with leaks, all together.

    Parameters
    ----------
    moments
        Of the model, for runs with given settings: EPANET begins each solution at the flows of its last one, so that
        runs whose pumps stand differently had better ask different ones.
    switching
        Its tanks and controls.
    clock
        When it is solved.
    demand
        Gives the demand of every junction without leaks at a time, m3/s.
    places, flow
        The leaks and their flow, m3/s. One more run, the last, is without a leak.

    Attributes
    ----------
    margin : float64 [n_leaks + 1], s
        How near to a report step a tank's level has switched something; infinite where nothing was switched.
    """

    def __init__(
        self, moments: Callable[[Floats], Moments], switching: Switching, clock: Clock,
        demand: Callable[[int], Floats], places: Places, flow: float,
    ) -> None:  # fmt: skip
        self.moments, self.switching, self.clock, self.demand = moments, switching, clock, demand
        self.places, self.flow, n = places, flow, len(places) + 1
        self._nodes = np.vstack([places.nodes, np.zeros((1, 2), dtype=np.int64)])
        self._flows = np.append(np.full(n - 1, flow / 2.0), 0.0)  # at each of the two junctions
        stored = [float(tank.volume(np.array(tank.start))) for tank in switching.tanks]
        self.volume = np.tile(np.array(stored, dtype=np.float64), (n, 1))
        self.inflow = np.zeros_like(self.volume)
        self.settings = np.tile(switching.initial, (n, 1))
        self.margin = np.full(n, np.inf)

    def run(self, visit: Callable[[int, int, Floats, Floats], None]) -> Floats:
        """Go through the day.

        Parameters
        ----------
        visit
            Called at each report step with its row, its time, and the level and settings of the run without a leak.

        Returns
        -------
        float64 [n_steps, n_sensors, n_leaks + 1], m
            Pressures of every run; the last is without a leak.
        """
        grid, report = self.clock.grid, self.clock.report
        rows = int(grid[-1]) // report + 1
        out = np.empty((rows, len(self.moments(self.settings[-1]).sensors), len(self.volume)))
        for now, then in zip(grid.tolist(), [*grid[1:].tolist(), int(grid[-1])], strict=True):
            row, rest = divmod(now, report)
            self._interval(now, then - now, out[row] if rest == 0 else None)
            if rest == 0:
                visit(row, now, *self._base)
        return out

    def _interval(self, now: int, seconds: int, out: Floats | None) -> None:
        """Solve all runs at a moment, and let each go on to the next through its own events."""
        demand, period = self.demand(now), self.clock.period(now)
        left, going, is_first = np.full(len(self.volume), float(seconds)), np.arange(len(self.volume)), True
        while len(going):
            settings, volume = self.settings[going], self.volume[going]
            self.switching.act(float(now) if is_first else None, volume, self.inflow[going], settings)
            self._note(going, settings, now + seconds - left[going])
            self.settings[going] = settings
            level = self._levels(volume)
            if is_first:
                self._base = level[-1], settings[-1].copy()
            inflow = np.empty_like(volume)
            for runs in self._groups(level, settings, volume):
                response, mean = self._solve(demand, period, level[runs], settings[runs[0]])
                away = level[runs] - mean
                members = going[runs]
                into = response.inflow_by_leak[:, self._nodes[members]].sum(axis=2) * self._flows[members]
                inflow[runs] = response.inflow + into.T + away @ response.inflow_by_level.T
                if out is not None and is_first:
                    _pressures(
                        response.pressure, response.pressure_by_leak, response.pressure_by_level, self._nodes,
                        self._flows, away, members, out,
                    )  # fmt: skip
            self.inflow[going] = inflow
            wait = self.switching.until_event(volume, inflow, settings, left[going])
            self.switching.fill(volume, inflow, wait)
            self.volume[going] = volume
            left[going] -= wait
            going, is_first = going[left[going] > 0.0], False

    def _note(self, going: Ints, settings: Floats, when: Floats) -> None:
        """Keep how near to a report step any tank's level has switched something in each run, s."""
        switched = (settings != self.settings[going]).any(axis=1) & ~self.switching.is_due(when)
        after = when % self.clock.report
        near = np.where(switched, np.minimum(after, self.clock.report - after), np.inf)
        self.margin[going] = np.minimum(self.margin[going], near)

    def _levels(self, volume: Floats) -> Floats:
        levels = np.empty_like(volume)
        for k, tank in enumerate(self.switching.tanks):
            levels[:, k] = tank.level(volume[:, k])
        return levels

    def _groups(self, level: Floats, settings: Floats, volume: Floats) -> Iterator[Ints]:
        """Runs that stand alike: settings, levels, and whether a tank is full or empty."""
        bins = np.round((level - level[-1]) / _LEVEL_BIN)
        limits = [np.sign((volume[:, k] >= t.most) * 1.0 - (volume[:, k] <= t.least)) for k, t in
                  enumerate(self.switching.tanks)]  # fmt: skip
        key = np.zeros(len(level), dtype=np.int64)
        for column in (*settings.T, *bins.T, *limits):
            if len(column) and (column != column[0]).any():
                _, code = np.unique(column, return_inverse=True)
                _, key = np.unique(key * (int(code.max()) + 1) + code, return_inverse=True)
        if not key.any():
            yield np.arange(len(key))
            return
        for k in range(int(key.max()) + 1):
            yield np.flatnonzero(key == k)

    def _solve(self, demand: Floats, period: int, level: Floats, settings: Floats) -> tuple[Response, Floats]:
        mean = level.mean(axis=0)
        moments = self.moments(settings)
        moments.impose(demand, period, mean, settings)
        return moments.respond(), mean


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _pressures(
    pressure: Floats, by_leak: Floats, by_level: Floats, nodes: Ints, flows: Floats, away: Floats, members: Ints,
    out: Floats,
) -> None:  # fmt: skip
    """Pressures of a group's members [n_sensors, n_runs], in place."""
    n_tanks = away.shape[1]
    for j in range(len(pressure)):
        row, answer = by_leak[j], out[j]
        for run in members:
            answer[run] = pressure[j] + flows[run] * (row[nodes[run, 0]] + row[nodes[run, 1]])
        for t in range(n_tanks):
            slope = by_level[j, t]
            for k in range(len(members)):
                answer[members[k]] += slope * away[k, t]
