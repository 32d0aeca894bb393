"""Tables for the choice of pumps: every way to run them, in every hour, at three levels of their tanks, solved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.errors import NoSolution
from models.pumpday import PumpHours
from umanflow.planner.pumprun import Storage
from umanflow.planner.simulation import DAY, HOUR
from umanflow.planner.stations import PumpZone
from umanflow.planner.tariff import HOURS, Tariff

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEVELS = np.array([0.1, 0.5, 0.95])
_IDLE_COST = 1e4  # for a pump that turns and lifts nothing
_IDLE_M3_S = 1e-6
_ACCURACY = 1e-3  # EPANET's own; the schedule is simulated at the model's afterwards


@dataclass(frozen=True, slots=True)
class Around:
    """What the other zones do meanwhile, by hour of the day.

    Attributes
    ----------
    speed
        float64 [24, n_pumps], of all pumps; 0 for one that stands still.
    level
        float64 [24, n_tanks], of all tanks, m.
    """

    speed: Floats
    level: Floats


@dataclass(frozen=True, slots=True)
class ZoneHours:
    """A zone's tables.

    Attributes
    ----------
    hours
        For `models.pumpday`, without any reward for volumes.
    volume
        float64 [24, n_ways, n_levels, n_stations], m3 in the hour.
    drain
        float64 [24], share of the usable volume that goes in the hour while no pump of the zone runs and it is half
        full.
    """

    hours: PumpHours
    volume: Floats
    drain: Floats


class Tabulator:
    """Solves single moments of the model's second day in an engine whose pumps have no controls."""

    def __init__(
        self, engine: Engine, zones: Sequence[PumpZone], tariff: Tariff, customers: Ints, need: Floats
    ) -> None:
        self._engine, self._tariff = engine, tariff
        self._bypasses = {pipe: pump for zone in zones for pipe, pump in zone.bypasses}
        self._customers, self._need = customers, need
        self._first = engine.project.time("pattern_start")
        self._names = [engine.topology.links[k] for k in engine.pumps.tolist()]
        self._clock = engine.clock_start // HOUR
        engine.duration = 0
        engine.set_accuracy(max(engine.accuracy, _ACCURACY))

    def tabulate(self, zone: PumpZone, storage: Storage, around: Around) -> ZoneHours:
        """Solve every way of a zone while the others do what is said."""
        engine = self._engine
        ways, levels = zone.ways, _LEVELS if storage.usable > 0.0 else np.array([0.5])
        shape = (HOURS, len(ways), len(levels))
        filling, cost, lacking = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        volume = np.zeros((*shape, len(zone.stations)))
        mine = [self._names.index(name) for name in zone.pumps]
        station_of = np.repeat(np.arange(len(zone.stations)), [len(s.pumps) for s in zone.stations])
        begins = engine.clock_start
        for hour in range(HOURS):
            engine.project.set_time("pattern_start", self._first + DAY + hour * HOUR)
            engine.project.set_time("start_time", (begins + hour * HOUR) % DAY)  # set-points by the clock hold then
            price = self._tariff.price[(self._clock + hour) % HOURS, mine]
            for place, fill in enumerate(levels.tolist()):
                held = dict(zip(zone.tanks.tolist(), storage.levels(fill), strict=True))
                for k, way in enumerate(ways):
                    turning = dict(zip(zone.pumps, way, strict=True))
                    flow, power, gain, lacking[hour, k, place] = self._moment(
                        zone, self._state(around, hour, turning, held), mine
                    )
                    idle = sum(1 for s, q in zip(way, flow.tolist(), strict=True) if s > 0.0 and q < _IDLE_M3_S)
                    filling[hour, k, place] = gain * HOUR / storage.usable if storage.usable > 0.0 else 0.0
                    cost[hour, k, place] = float(power @ price) + _IDLE_COST * idle
                    np.add.at(volume[hour, k, place], station_of, flow * HOUR)
        engine.stop()
        engine.project.set_time("pattern_start", self._first)
        engine.project.set_time("start_time", begins)
        running = np.array(ways) > 0.0
        starts = (running[None, :, :] & ~running[:, None, :]).sum(axis=2).astype(np.float64)
        return ZoneHours(PumpHours(levels, filling, cost, lacking, starts), volume, -filling[:, 0].mean(axis=1))

    def _state(
        self, around: Around, hour: int, turning: dict[str, float], held: dict[int, float]
    ) -> tuple[dict[str, float], dict[int, float]]:
        """Speed of every pump and level of every tank."""
        speed = dict(zip(self._names, around.speed[hour].tolist(), strict=True)) | turning
        level = dict(zip(self._engine.tanks.tolist(), around.level[hour].tolist(), strict=True)) | held
        return speed, level

    def _moment(
        self, zone: PumpZone, state: tuple[dict[str, float], dict[int, float]], mine: Sequence[int]
    ) -> tuple[Floats, Floats, float, float]:
        """Flow m3/s and power kW of the zone's pumps, what its tanks gain m3/s, what the worst customer lacks m."""
        engine = self._engine
        links = engine.pumps[mine]
        try:
            engine.start(keep_flows=True)
            for pipe, pump in self._bypasses.items():
                engine.set_status(pipe, is_open=state[0][pump] <= 0.0)
            for name, speed in state[0].items():
                engine.set_status(name, is_open=speed > 0.0)
                if speed > 0.0:
                    engine.set_speed(name, speed)
            for node, level in state[1].items():
                engine.set_tank_level(engine.topology.nodes[node], level)
            engine.solve()
        except NoSolution:  # such a way cannot be run
            engine.stop()
            return np.zeros(len(mine)), np.zeros(len(mine)), 0.0, 1e3
        every = engine.read("link", "flow")
        flow = np.maximum(every[links], 0.0)
        for pipe, pump in zone.bypasses:
            if state[0][pump] <= 0.0:
                flow[zone.pumps.index(pump)] += abs(float(every[engine.topology.link(pipe)]))
        power = np.maximum(engine.read("link", "energy")[links], 0.0)
        pressure = engine.read("node", "pressure")
        gain = float(engine.read("node", "demand")[zone.tanks].sum())
        mine_too = np.isin(self._customers, zone.nodes)
        lack = (self._need - pressure[self._customers])[mine_too]
        return flow, power, gain, float(lack.max(initial=-1e3))


def priced(tables: ZoneHours, margin: Floats, reward: Floats) -> PumpHours:
    """The tables as the choice takes them.

    Parameters
    ----------
    margin
        float64 [24], m that customers are to have above their need.
    reward
        float64 [n_stations], off the cost of each m3 that a station gives.
    """
    hours = tables.hours
    return replace(hours, cost=hours.cost - tables.volume @ reward, lack=hours.lack + margin[:, None, None])
