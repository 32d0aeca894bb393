"""Commands to simulated PLCs become hydraulics: the programs of pumps and valves, and the engine they act on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.holds import Control, resume, suspend
from scada.plc.program import PumpProgram, ValveProgram
from scada.tag import Tag

Floats = NDArray[np.float64]

_NOMINAL_HZ = 50.0
_RAMP_STEP_S = 5  # so that ramps and interlocks act while they happen
_CALM_STEP_S = 86_400
_TYPE_PUMP, _TYPE_PRV = 2, 3
_PUMP_SIGNALS = ("command", "speed_setpoint", "running", "fault", "speed", "run_hours", "inhibited")


@dataclass(slots=True)
class _Station:
    """A pump station: node rows of its two sides (None where not measured) and the pumps by number."""

    device: str
    suction: int | None
    discharge: int | None
    is_automatic: bool = True
    pumps: dict[str, tuple[str, PumpProgram]] = field(default_factory=dict)


class Controls:
    """The PLCs' programs between what is written to them and the hydraulics.

    While a station is in automatic the model's own controls run its pumps. A command to a pump takes the station out
    of automatic; writing 1 to ``in_automatic`` gives it back. Interlocks act in both modes.

    Parameters
    ----------
    engine
        Its links are driven.
    tags
        Of the PLCs: ``<device>.pumpN_command`` names a pump by its element, ``<device>.pressure_setpoint`` a valve.
    """

    def __init__(self, engine: Engine, tags: Iterable[Tag]) -> None:
        self._engine = engine
        self._links = engine.topology.link_index
        self._rows = {name: k for k, name in enumerate(engine.topology.nodes)}
        self._stations: dict[str, _Station] = {}
        self._suspended: dict[str, list[Control]] = {}  # of the links that the model's controls leave alone
        self._valves: dict[str, tuple[str, ValveProgram]] = {}
        self._names = {tag.name: tag for tag in tags}
        setting = engine.read("link", "setting") * engine.pressure_unit
        for tag in self._names.values():
            link = self._links.get(tag.element)
            if link is None:
                continue
            device, _, signal = tag.name.rpartition(".")
            kind = engine.link_types[link]
            if signal == "pressure_setpoint" and kind == _TYPE_PRV:
                self._valves[tag.name] = tag.element, ValveProgram(float(setting[link]))
            elif signal.startswith("pump") and signal.endswith("_command") and kind == _TYPE_PUMP:
                self._station(device).pumps[signal.removesuffix("_command")] = tag.element, PumpProgram()

    def _station(self, device: str) -> _Station:
        if device not in self._stations:
            ends = self._row(f"{device}.suction_pressure"), self._row(f"{device}.discharge_pressure")
            self._stations[device] = _Station(device, *ends)
        return self._stations[device]

    def _row(self, name: str) -> int | None:
        tag = self._names.get(name)
        return None if tag is None else self._rows.get(tag.element)

    def command(self, t_ms: int, commands: Mapping[str, float]) -> None:
        """Take what was written since the last call, by tag."""
        for name, value in commands.items():
            device, _, signal = name.rpartition(".")
            station = self._stations.get(device)
            if name in self._valves:
                self._valves[name][1].refer(value)
            elif station is not None:
                self._command_station(station, signal, value, t_ms)

    def _command_station(self, station: _Station, signal: str, value: float, t_ms: int) -> None:
        pump, _, what = signal.partition("_")
        if signal == "reset" and value:
            for _, program in station.pumps.values():
                program.reset()
        elif signal == "in_automatic":
            self._switch(station, bool(value))
        elif signal == "pressure_setpoint":
            self._switch(station, False)
            for _, program in station.pumps.values():
                program.setpoint = value
        elif pump in station.pumps and what in {"command", "speed_setpoint"}:
            self._switch(station, False)
            program = station.pumps[pump][1]
            if what == "speed_setpoint":
                program.refer(value)
            elif value:
                program.start(t_ms)
            else:
                program.stop()

    def _switch(self, station: _Station, is_automatic: bool) -> None:
        if station.is_automatic != is_automatic:
            station.is_automatic = is_automatic
            for element, program in station.pumps.values():
                self._hold(element, is_held=not is_automatic or program.is_tripped)

    def _hold(self, element: str, is_held: bool) -> None:
        """Have the model's controls leave a link alone, or act on it again."""
        if is_held and element not in self._suspended:
            self._suspended[element] = suspend(self._engine, element)
        elif not is_held and element in self._suspended:
            resume(self._engine, self._suspended.pop(element))

    def step(self, seconds: float, pressure: Floats, status: Floats, setting: Floats) -> None:
        """Let the programs act; the engine is solved next.

        Parameters
        ----------
        seconds
            Since the last call.
        pressure
            float64 [n_nodes], m.
        status, setting
            float64 [n_links], open or shut, and a pump's relative speed.
        """
        for station in self._stations.values():
            suction = math.nan if station.suction is None else float(pressure[station.suction])
            discharge = math.nan if station.discharge is None else float(pressure[station.discharge])
            for element, program in station.pumps.values():
                link = self._links[element]
                if station.is_automatic and not program.is_tripped:
                    program.follow(_NOMINAL_HZ * float(setting[link]) if status[link] > 0.0 else 0.0)
                program.count(seconds, is_running=program.speed > 0.0)
                self._drive(station, element, program, seconds, suction, discharge)
        for element, valve in self._valves.values():
            if valve.is_moving:
                self._engine.set_setting(element, valve.move(seconds))

    def _drive(
        self,
        station: _Station,
        element: str,
        program: PumpProgram,
        seconds: float,
        suction: float,
        discharge: float,
    ) -> None:
        before = program.speed
        if program.guard(seconds, suction):
            self._hold(element, is_held=True)
        elif not station.is_automatic:
            program.move(seconds, discharge)
        elif not program.is_tripped:
            self._hold(element, is_held=False)
            return
        if program.speed != before or program.is_tripped:
            self._engine.set_speed(element, program.speed / _NOMINAL_HZ)

    @property
    def longest_step_s(self) -> int:
        """Longest hydraulic step while something moves, s."""
        pumps = (
            program.is_moving and not station.is_automatic
            for station in self._stations.values()
            for _, program in station.pumps.values()
        )
        valves = (valve.is_moving for _, valve in self._valves.values())
        return _RAMP_STEP_S if any(pumps) or any(valves) else _CALM_STEP_S

    def values(self, t_ms: int) -> dict[str, float]:
        """Engineering values of the tags that the programs know."""
        shown: dict[str, float] = {name: valve.target for name, (_, valve) in self._valves.items()}
        for station in self._stations.values():
            shown[f"{station.device}.in_automatic"] = float(station.is_automatic)
            shown[f"{station.device}.has_alarm"] = float(any(p.is_tripped for _, p in station.pumps.values()))
            shown[f"{station.device}.reset"] = 0.0
            for pump, (_, program) in station.pumps.items():
                values = (
                    float(program.is_wanted),
                    program.reference,
                    float(program.speed > 0.0),
                    float(program.is_tripped),
                    program.speed,
                    program.run_s / 3600.0,
                    float(program.is_inhibited(t_ms)),
                )
                prefix = f"{station.device}.{pump}_"
                shown |= {prefix + signal: value for signal, value in zip(_PUMP_SIGNALS, values, strict=True)}
        return {name: value for name, value in shown.items() if name in self._names}
