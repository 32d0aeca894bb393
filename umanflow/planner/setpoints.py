"""The search for set-points: valves are lowered by what their worst customer has to spare, and simulated again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from umanflow.planner.simulation import Day, run_day

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_ROUNDS = 8
_SETTLED_M = 0.05
_LEAST_SETTING_M = 5.0


@dataclass(frozen=True)
class Zone:
    """What one valve holds.

    Attributes
    ----------
    name, valve, inlet
        Names; the inlet is the pipe that the valve stands in, or the valve itself.
    is_new
        Whether the valve has to be bought.
    nodes
        int64, behind it.
    outlet
        Its second node.
    closes
        Links that are shut for it.
    """

    name: str
    valve: str
    inlet: str
    is_new: bool
    nodes: Ints
    outlet: int
    closes: tuple[str, ...] = ()


class Search:
    """Set-points are tried on one open engine, a run of two days for each trial.

    Parameters
    ----------
    engine
        With every valve of the zones, those to be bought wide open.
    need
        float64 [n_nodes], m to be kept; minus infinite where there is no customer.
    coarse
        Go by the hour: to compare variants, not to promise.
    """

    def __init__(self, engine: Engine, zones: Sequence[Zone], need: Floats, coarse: bool = False) -> None:
        self._engine, self.zones, self.need, self._coarse = engine, tuple(zones), need, coarse
        for zone in zones:
            if zone.is_new:  # a valve that is open and nothing else until it is set: EPANET need not try its status
                engine.set_status(zone.valve, is_open=True)

    def run(self, settings: Floats | None, is_free: Bools) -> Day:
        """Simulate a day.

        Parameters
        ----------
        settings
            float64 [24, n_zones], m; None for the model's own.
        is_free
            bool [n_zones], valves that are set; what is shut for the others stays open.
        """
        if settings is None:
            return run_day(self._engine, None, self._coarse)
        shut = [name for k, zone in enumerate(self.zones) if is_free[k] for name in zone.closes]
        for name in shut:
            self._engine.set_status(name, is_open=False)
        held = {z.valve: settings[:, k] for k, z in enumerate(self.zones) if is_free[k]}
        day = run_day(self._engine, held, self._coarse)
        for name in shut:
            self._engine.set_status(name, is_open=True)
        return day

    def behind(self, day: Day) -> Floats:
        """Highest pressure behind each valve in each hour, float64 [24, n_zones]."""
        outlets = [zone.outlet for zone in self.zones]
        found = np.array([day.pressure[day.hour == hour][:, outlets].max(axis=0) for hour in range(24)])
        return np.asarray(np.maximum(found, 0.0))  # no valve is set below zero

    def settle(self, own: Floats, start: Floats, is_set: Bools, moves: Bools) -> Floats:
        """Lower set-points until the worst customer of each zone has just what he needs.

        Parameters
        ----------
        own
            float64 [24, n_zones], the most that a valve may hold.
        start
            float64 [24, n_zones].
        is_set, moves
            bool [n_zones], valves that are set at all, and those whose set-points are looked for.
        """
        settings = start.copy()
        held = self._held(is_set)
        for _ in range(_ROUNDS):
            day = self.run(settings, is_set)
            behind, moved = self.behind(day), 0.0
            for hour in range(24):
                slack = (day.pressure[day.hour == hour] - self.need).min(axis=0)
                for k in np.flatnonzero(moves).tolist():
                    spare = float(slack[held[k]].min(initial=np.inf))
                    if not np.isfinite(spare):
                        continue
                    wanted = min(behind[hour, k], settings[hour, k]) - spare
                    new = float(np.clip(wanted, _LEAST_SETTING_M, max(own[hour, k], _LEAST_SETTING_M)))
                    moved = max(moved, abs(new - settings[hour, k]))
                    settings[hour, k] = new
            if moved < _SETTLED_M:
                break
        return settings

    def _held(self, is_set: Bools) -> list[Ints]:
        """Nodes that each valve alone answers for: what an inner valve holds is not the outer one's."""
        found = []
        for zone in self.zones:
            inner = [
                other.nodes
                for j, other in enumerate(self.zones)
                if is_set[j] and other is not zone and len(other.nodes) < len(zone.nodes)
                and np.isin(other.nodes, zone.nodes).all()
            ]  # fmt: skip
            found.append(np.setdiff1d(zone.nodes, np.concatenate(inner)) if inner else zone.nodes)
        return found
