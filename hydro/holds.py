"""Links that are held shut, or at a setting, whatever the model's controls and rules want meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from ctypes import byref, c_double, c_int
from dataclasses import dataclass, field

import numpy as np

from hydro.changes import CHECK_VALVE, FIRST_VALVE, setting_unit
from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.project import Project

_CLOSED = 2
_AT_TIME, _AT_CLOCK = 2, 3  # EPANET's kinds of simple control; 0 and 1 look at a level
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Control:
    """One of EPANET's simple controls, in its own units."""

    number: int
    kind: int
    link: int
    setting: float
    node: int
    level: float

    @classmethod
    def read(cls, project: Project, number: int) -> Control:
        """Read a control by its 1-based number."""
        kind, link, node = c_int(), c_int(), c_int()
        setting, level = c_double(), c_double()
        project.call("getcontrol", number, byref(kind), byref(link), byref(setting), byref(node), byref(level))
        return cls(number, kind.value, link.value - 1, setting.value, node.value, level.value)

    def last_due(self, since: int, now: int, clock_start: int) -> int | None:
        """When a control by time acted last in (since, now], s; None where it did not."""
        if self.kind == _AT_TIME:
            due = int(self.level)
        elif self.kind == _AT_CLOCK:
            first = (int(self.level) - clock_start) % _DAY
            due = now - (now - first) % _DAY
        else:
            return None
        return due if since < due <= now else None


def suspend(engine: Engine, link: str) -> list[Control]:
    """Have a link's simple controls leave it alone; rules go on.

    Returns
    -------
    list of Control
        For `resume`.

    Raises
    ------
    UnknownElement
        If there is no such link.
    HydraulicError
        If it is a valve with controls and the library is 2.2, which cannot suspend those.
    """
    project, index = engine.project, engine.topology.link(link)
    controls = [Control.read(project, k + 1) for k in range(project.count("controls"))]
    mine = [control for control in controls if control.link == index]
    if mine and not project.library.has_bulk and engine.link_types[index] >= FIRST_VALVE:
        raise HydraulicError(f"valve '{link}': EPANET 2.2 cannot suspend its controls; use library 2.3")
    for control in mine:
        if project.library.has_bulk:
            project.call("setcontrolenabled", control.number, 0)
        else:  # 2.2 drops a control that is given no link
            project.call("setcontrol", control.number, control.kind, 0, control.setting, control.node, control.level)
    return mine


def resume(engine: Engine, controls: Iterable[Control]) -> None:
    """Let suspended controls act again."""
    project = engine.project
    for control in controls:
        if project.library.has_bulk:
            project.call("setcontrolenabled", control.number, 1)
        else:
            project.call(
                "setcontrol", control.number, control.kind, control.link + 1, control.setting, control.node,
                control.level,
            )  # fmt: skip


@dataclass(slots=True)
class _Held:
    """A held link: what it is held at, and what it goes back to."""

    wanted: list[float | None]  # None is shut, a number a setting in SI; the strictest counts
    since: int
    state: int
    setting: float
    controls: list[Control]


@dataclass(slots=True)
class Holds:
    """The links of one engine that are held in the run that is under way."""

    engine: Engine
    _held: dict[str, _Held] = field(default_factory=dict)

    def hold(self, link: str, setting: float | None = None) -> None:
        """Hold a link shut, or at a setting (SI), from the next solution on.

        Raises
        ------
        UnknownElement, HydraulicError
            If there is no such link, or EPANET does not let it be shut or set.
        """
        engine = self.engine
        index = engine.topology.link(link)
        if setting is not None:
            setting_unit(engine, index)
        if engine.link_types[index] == CHECK_VALVE:
            raise HydraulicError(f"link '{link}': EPANET opens and closes a check valve itself; make it a pipe first")
        if link not in self._held:
            state, value = (engine.value("link", index, name) for name in ("state", "setting"))
            self._held[link] = _Held([], engine.now, int(state), value, suspend(engine, link))
        self._held[link].wanted.append(setting)
        self._enforce(link)

    def release(self, link: str, setting: float | None = None) -> None:
        """Let go of one hold; the link goes back to what its controls would have made of it."""
        held = self._held[link]
        held.wanted.remove(setting)
        if held.wanted:
            self._enforce(link)
            return
        del self._held[link]
        due = [(when, c.setting) for c in held.controls if (when := self._due(c, held.since)) is not None]
        resume(self.engine, held.controls)
        index, engine = self.engine.topology.link(link), self.engine
        if due:
            self._act(index, max(due)[1])
        elif held.setting > 0.0 and engine.link_types[index] not in (0, 1):
            engine.set_value("link", index, "setting", held.setting)
        else:
            engine.set_value("link", index, "status", float(held.state != _CLOSED))

    def enforce(self) -> None:
        """Call before every solution: what a rule has changed is noted and taken back."""
        for link, held in self._held.items():
            index = self.engine.topology.link(link)
            state, setting = (self.engine.value("link", index, name) for name in ("state", "setting"))
            wanted = self._strictest(held)
            changed = state != _CLOSED if wanted is None else not np.isclose(setting, self._in_file(index, wanted))
            if changed:
                held.state, held.setting = int(state), setting
                self._enforce(link)

    def clear(self) -> None:
        """Let go of everything without touching the run, which is over."""
        for held in self._held.values():
            resume(self.engine, held.controls)
        self._held.clear()

    @staticmethod
    def _strictest(held: _Held) -> float | None:
        return None if None in held.wanted else held.wanted[-1]

    def _in_file(self, index: int, setting: float) -> float:
        return setting / setting_unit(self.engine, index)

    def _enforce(self, link: str) -> None:
        wanted = self._strictest(self._held[link])
        if wanted is None:
            self.engine.set_status(link, is_open=False)
        else:
            self.engine.set_setting(link, wanted)

    def _act(self, index: int, setting: float) -> None:
        """Do what a control would have done: EPANET gives a status as 0 or 1."""
        engine = self.engine
        if engine.link_types[index] >= FIRST_VALVE:
            engine.set_value("link", index, "setting", setting)
        else:
            engine.set_value("link", index, "status", float(setting > 0.0))
            if setting > 0.0 and engine.link_types[index] not in (0, 1):
                engine.set_value("link", index, "setting", setting)

    def _due(self, control: Control, since: int) -> int | None:
        return control.last_due(since, self.engine.now, self.engine.clock_start)
