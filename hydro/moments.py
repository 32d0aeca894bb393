"""Single moments of a model, free of its clock: solved at any demand, tank level and setting, and linearised there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.errors import EpanetError
from hydro.linearised import Linearised

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PUMP, _FCV = 2, 6
_AT_LIMIT = 1e-9  # m


@dataclass(frozen=True, slots=True)
class Response:
    """A moment and its first-order response.

    Attributes
    ----------
    pressure
        float64 [n_sensors], m.
    inflow
        float64 [n_tanks], m3/s into each tank.
    pressure_by_leak, inflow_by_leak
        float64 [n_sensors, n_nodes], m per m3/s, and [n_tanks, n_nodes].
    pressure_by_level, inflow_by_level
        float64 [n_sensors, n_tanks], m per m, and [n_tanks, n_tanks], m2/s.
    """

    pressure: Floats
    inflow: Floats
    pressure_by_leak: Floats
    inflow_by_leak: Floats
    pressure_by_level: Floats
    inflow_by_level: Floats


class Moments:
    """A model that is asked for single moments.

    Parameters
    ----------
    engine
        Fresh; its patterns, controls and clock are taken away.
    sensors
        int64 [n_sensors], nodes.
    links
        int64 [n_links], pumps and pipes whose setting is given at each moment.
    accuracy
        EPANET's criterion of convergence.
    """

    def __init__(self, engine: Engine, sensors: Ints, links: Ints, accuracy: float) -> None:
        self.engine, self.sensors, self.links = engine, sensors, links
        topology = engine.topology
        self._empty, self._full = (
            [_limit(engine, node, name) for node in engine.tanks.tolist()] for name in ("min_level", "max_level")
        )
        self._reservoirs = np.flatnonzero(
            ~topology.is_junction & ~np.isin(np.arange(len(topology.nodes)), engine.tanks)
        )
        self._height = {int(k): engine.value("node", int(k), "elevation") for k in self._reservoirs}
        self._head_patterns = self._patterns("node", self._reservoirs)
        self._speed_patterns = self._patterns("link", engine.pumps)
        engine.freeze_demands()
        engine.drop_controls()
        engine.duration = 0
        engine.set_accuracy(accuracy)
        self._above = np.zeros(len(sensors))  # head of a reservoir above its own elevation, where a sensor is there
        self._set = np.full(len(links), np.nan)
        # links at tanks, and the direction that fills: (tank, link, sign, node at the other end)
        self._mouths = []
        for k, node in enumerate(engine.tanks.tolist()):
            for link in np.flatnonzero((topology.start == node) | (topology.end == node)).tolist():
                fills = topology.end[link] == node
                self._mouths.append(
                    (k, link, 1.0 if fills else -1.0, int((topology.start if fills else topology.end)[link]))
                )
        self._mouth_links = np.array([mouth[1] for mouth in self._mouths], dtype=np.int64)
        self._linearised: Linearised | None = None

    def _patterns(self, kind: str, elements: Ints) -> dict[int, Floats]:
        project, found = self.engine.project, {}
        for k in elements.tolist():
            number = int(project.get(kind, k, "pattern"))
            if number > 0:
                found[k] = project.pattern(number)
                project.set(kind, k, "pattern", 0.0)
        return found

    def impose(self, demand: Floats, period: int, level: Floats, settings: Floats) -> None:
        """Set a moment.

        Parameters
        ----------
        demand
            float64 [n_junctions], m3/s.
        period
            Number of the pattern period, for heads of reservoirs and speeds of pumps that follow a pattern.
        level
            float64 [n_tanks], m.
        settings
            float64 [n_links], as in `hydro.switching`.
        """
        engine = self.engine
        engine.set_demands(demand)
        for node, value, empty, full in zip(
            engine.tanks.tolist(), level.tolist(), self._empty, self._full, strict=True
        ):
            if value >= full * engine.length_unit - _AT_LIMIT:
                engine.project.set("node", node, "tank_level", full)
            elif value <= empty * engine.length_unit + _AT_LIMIT:
                engine.project.set("node", node, "tank_level", empty)
            else:
                engine.set_value("node", node, "tank_level", value)
        for node, pattern in self._head_patterns.items():
            head = self._height[node] * pattern[period % len(pattern)]
            engine.set_value("node", node, "tank_level", head)
            self._above[self.sensors == node] = head - self._height[node]
        for link, pattern in self._speed_patterns.items():
            self._switch(link, float(pattern[period % len(pattern)]))
        for k in np.flatnonzero(self._set != settings).tolist():
            self._switch(int(self.links[k]), float(settings[k]))
            self._set[k] = settings[k]

    def _switch(self, link: int, setting: float) -> None:
        engine = self.engine
        if engine.link_types[link] == _FCV:
            engine.set_value("link", link, "init_setting", setting)
            return
        engine.set_value("link", link, "init_status", float(setting > 0.0))
        if setting > 0.0 and engine.link_types[link] == _PUMP:
            engine.set_value("link", link, "init_setting", setting)

    def solve(self) -> Floats:
        """Solve the imposed moment; pressures at the sensors, float64 [n_sensors], m."""
        self.engine.start(keep_flows=True)
        self.engine.solve()
        return np.asarray(self.engine.read("node", "pressure")[self.sensors] + self._above)

    def near(self) -> Ints:
        """Position of each junction in an order in which neighbours are near, int64 [n_junctions]."""
        return self._linearised.pattern.place if self._linearised is not None else self.engine.junctions

    def respond(self) -> Response:
        """Solve the imposed moment and linearise it."""
        pressure = self.solve()
        engine, n, n_tanks = self.engine, len(self.sensors), len(self.engine.tanks)
        if self._linearised is None:
            self._linearised = Linearised(engine)
        linearised = self._linearised
        linearised.update(engine)
        adjoint = linearised.adjoint(self.sensors, self._mouth_links)
        flow = engine.read("link", "flow")
        inflow, into = np.zeros(n_tanks), np.zeros((n_tanks, adjoint.shape[1]))
        for row, (tank, link, sign, _) in enumerate(self._mouths, start=n):
            inflow[tank] += sign * flow[link]
            into[tank] += sign * adjoint[row]
        # a higher tank drives more into the node beyond its mouth, and less into itself
        by_level, into_by_level = np.zeros((n, n_tanks)), np.zeros((n_tanks, n_tanks))
        for tank, link, _, other in self._mouths:
            conductance = linearised.conductance[link]
            by_level[:, tank] += conductance * adjoint[:n, other]
            into_by_level[:, tank] += conductance * into[:, other]
            into_by_level[tank, tank] -= conductance
        return Response(pressure, inflow, -adjoint[:n], -into, by_level, into_by_level)


class MomentsPool:
    """Moments of one model for different settings, opened as they are asked for.

    Parameters
    ----------
    open_engine
        Opens the model again.
    sensors, links, accuracy
        As for `Moments`.
    most
        So many at the same time; further settings share them.
    """

    def __init__(
        self, open_engine: Callable[[], Engine], sensors: Ints, links: Ints, accuracy: float, most: int = 3
    ) -> None:
        self._open, self._arguments, self._most = open_engine, (sensors, links, accuracy), most
        self._members: list[Moments] = []
        self.n_sensors = len(sensors)
        self._place: dict[bytes, int] = {}

    def __enter__(self) -> Self:
        """Use in a `with` statement."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every engine."""
        for member in self._members:
            member.engine.close()

    def of(self, settings: Floats) -> Moments:
        """The one that these settings have."""
        place = self._place.setdefault(settings.tobytes(), len(self._place) % self._most)
        if place >= len(self._members):
            self._members.append(Moments(self._open(), *self._arguments))
        return self._members[place]


def _limit(engine: Engine, node: int, name: str) -> float:
    """The outermost level that EPANET lets a tank be set to, in the INP's unit.

    Only a tank that stands at its limit to the last bit is full or empty for EPANET; beyond it is an error.
    """
    project = engine.project
    before, level = project.get("node", node, "tank_level"), project.get("node", node, name)
    outward = np.inf if name == "max_level" else -np.inf
    found = level
    for trial in _bits(level, outward):
        try:
            project.set("node", node, "tank_level", trial)
        except EpanetError:
            continue
        found = trial
    project.set("node", node, "tank_level", before)
    return found


def _bits(level: float, outward: float) -> list[float]:
    """Some neighbouring numbers, from within to beyond."""
    trial, found = level, [level]
    for _ in range(8):
        trial = float(np.nextafter(trial, -outward))
        found.insert(0, trial)
    trial = level
    for _ in range(8):
        trial = float(np.nextafter(trial, outward))
        found.append(trial)
    return found
