"""Simple controls and tanks for many runs at once, with EPANET's own rules of when they act (its hydraul.c)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.contents import controls
from hydro.engine import Engine

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PIPE, _PUMP, _FCV = 1, 2, 6
_DAY = 86_400
_STILL = 1e-6 * 0.3048**3  # m3/s, EPANET's QZERO: a tank that takes less stands still


@dataclass(frozen=True, slots=True)
class Control:
    """One simple control: what it sets, and when.

    Attributes
    ----------
    link
        Position among the controlled links.
    setting
        Speed of a pump, 1 or 0 for a pipe that is opened or closed, flow of an FCV in the INP's unit.
    kind
        "above", "below", "time" or "clocktime".
    tank
        Position among the tanks; -1 for times.
    mark
        Volume of the tank at which it acts, m3; or a time, s.
    """

    link: int
    setting: float
    kind: str
    tank: int
    mark: float


class Tank:
    """Volume and level of a tank.

    Parameters
    ----------
    engine, node
        Where it stands.

    Attributes
    ----------
    start : float
        Level at the start, m.
    least, most : float
        Volumes between which it works, m3.
    """

    def __init__(self, engine: Engine, node: int) -> None:
        self.start = engine.value("node", node, "tank_level")
        low, high = (engine.value("node", node, name) for name in ("min_level", "max_level"))
        number = int(engine.project.get("node", node, "volume_curve"))
        if number:
            from hydro.contents import curves

            unit = engine.length_unit
            points = np.array(list(curves(engine.project).values())[number - 1], dtype=np.float64)
            self._levels, self._volumes = points[:, 0] * unit, points[:, 1] * unit**3
        else:
            self._levels = np.array([low, high if high > low else low + 1.0])
            self._volumes = self._levels * engine.tank_area(node)
        self.least, self.most = float(self.volume(np.array(low))), float(self.volume(np.array(high)))

    def volume(self, level: Floats) -> Floats:
        """Volume at a level, m3; the outermost pieces go on."""
        return _through(self._levels, self._volumes, level)

    def level(self, volume: Floats) -> Floats:
        """Level at a volume, m."""
        return _through(self._volumes, self._levels, volume)


def _through(x: Floats, y: Floats, at: Floats) -> Floats:
    piece = np.clip(np.searchsorted(x, at), 1, len(x) - 1)
    return np.asarray(y[piece - 1] + (at - x[piece - 1]) * (y[piece] - y[piece - 1]) / (x[piece] - x[piece - 1]))


class Switching:
    """Tanks and simple controls of a model.

    Parameters
    ----------
    engine
        Before its controls are dropped.

    Attributes
    ----------
    links
        int64 [n_links], the pumps, pipes and FCVs that controls set.
    initial
        float64 [n_links], their settings at the start.
    tanks
        Of the engine's tank nodes, in their order.
    obstacle
        Why runs with leaks cannot be told from the controls alone, or an empty text.
    """

    def __init__(self, engine: Engine) -> None:
        self.clock_start = engine.clock_start
        self.tanks = tuple(Tank(engine, node) for node in engine.tanks.tolist())
        found = controls(engine.project)
        self.obstacle = self._obstacle(engine)
        self.links = np.array(sorted({control.link for control in found}), dtype=np.int64)
        place = {link: k for k, link in enumerate(self.links.tolist())}
        self.initial = np.array([self._at_start(engine, link) for link in self.links.tolist()], dtype=np.float64)
        tank_of = {node: k for k, node in enumerate(engine.tanks.tolist())}
        self.controls = []
        for control in found if not self.obstacle else []:
            setting = float(np.clip(control.setting, 0.0, 1.0)) if np.isinf(control.setting) else control.setting
            tank = tank_of[control.node] if control.node >= 0 else -1
            mark = control.level
            if tank >= 0:
                mark = float(self.tanks[tank].volume(np.array(control.level * engine.length_unit)))
            self.controls.append(Control(place[control.link], setting, control.kind, tank, mark))

    @staticmethod
    def _obstacle(engine: Engine) -> str:
        if engine.project.count("rules"):
            return "the model has rules"
        for control in controls(engine.project):
            kind = engine.link_types[control.link]
            if kind not in (_PIPE, _PUMP, _FCV) or (kind == _FCV and np.isinf(control.setting)):
                return "a control opens or closes a valve, or sets one that is no FCV"
            if kind == _PUMP and engine.project.get("link", control.link, "pattern") > 0.0:
                return "a pump has a pattern of speeds and a control"
            if control.node >= 0 and engine.topology.is_junction[control.node]:
                return "a control follows the pressure of a junction"
            if control.node >= 0 and control.node not in engine.tanks:
                return "a control follows a reservoir"
        return ""

    @staticmethod
    def _at_start(engine: Engine, link: int) -> float:
        kind, is_open = engine.link_types[link], engine.project.get("link", link, "init_status") != 0.0
        if kind == _PIPE:
            return float(is_open)
        return engine.project.get("link", link, "init_setting") if is_open or kind == _FCV else 0.0

    def act(self, now: float | None, volume: Floats, inflow: Floats, settings: Floats) -> None:
        """Let the controls act on each run at a moment, in their order, in place.

        Parameters
        ----------
        now
            Time, s, where it is the same in all runs and whole; None between, where times cannot act.
        volume, inflow
            float64 [n_runs, n_tanks], m3 and m3/s; the inflow is that of the solution before.
        settings
            float64 [n_runs, n_links].
        """
        for control in self.controls:
            if control.tank < 0:
                daily = control.kind == "clocktime"
                due = now is not None and control.mark == ((now + self.clock_start) % _DAY if daily else now)
                if due:
                    settings[:, control.link] = control.setting
                continue
            one_second = np.abs(inflow[:, control.tank])
            stored = volume[:, control.tank]
            below = control.kind == "below"
            hit = stored <= control.mark + one_second if below else stored >= control.mark - one_second
            settings[hit, control.link] = control.setting

    def is_due(self, when: Floats) -> Bools:
        """Whether a control that follows the time acts at each of these times, s."""
        due = np.zeros(len(when), dtype=np.bool_)
        for control in self.controls:
            if control.kind == "clocktime":
                due |= (when + self.clock_start) % _DAY == control.mark
            elif control.kind == "time":
                due |= when == control.mark
        return due

    def until_event(self, volume: Floats, inflow: Floats, settings: Floats, longest: Floats) -> Floats:
        """Time to the next control, full or empty tank of each run, s, whole and at most `longest` [n_runs]."""
        wait = longest.copy()
        for control in self.controls:
            if control.tank >= 0:
                missing, rate = control.mark - volume[:, control.tank], inflow[:, control.tank]
                towards = (missing > 0.0) & (rate > 0.0) if control.kind == "above" else (missing < 0.0) & (rate < 0.0)
                _sooner(wait, missing, rate, towards & (settings[:, control.link] != control.setting))
        for k, tank in enumerate(self.tanks):
            rate = inflow[:, k]
            missing = np.where(rate > 0.0, tank.most, tank.least) - volume[:, k]
            _sooner(wait, missing, rate, (np.abs(rate) > _STILL) & (np.sign(missing) == np.sign(rate)))
        return wait

    def fill(self, volume: Floats, inflow: Floats, seconds: Floats) -> None:
        """Let the tanks of each run take what flows in for a while, float64 [n_runs] s, in place."""
        for k, tank in enumerate(self.tanks):
            rate = inflow[:, k]
            moved = volume[:, k] + np.where(np.abs(rate) > _STILL, rate, 0.0) * seconds
            moved = np.where(moved + rate >= tank.most, tank.most, moved)
            volume[:, k] = np.where((moved - rate <= tank.least) & (moved < tank.most), tank.least, moved)


def _sooner(wait: Floats, missing: Floats, rate: Floats, due: Bools) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        seconds = np.round(missing / rate)
    due = due & (seconds > 0.0) & (seconds < wait)
    wait[due] = seconds[due]
