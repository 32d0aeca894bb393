"""A network as EPANET has read it and as the WNTR model holds it, in the same words, so that they can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hydro import contents
from hydro.engine import Engine

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

FLOW_UNITS = ("CFS", "GPM", "MGD", "IMGD", "AFD", "LPS", "LPM", "MLD", "CMH", "CMD", "CMS")
_LINKS = ("check valve", "pipe", "pump", "PRV", "PSV", "PBV", "FCV", "TCV", "GPV", "PCV")
_NODES = ("junction", "reservoir", "tank")
_LAWS = ("H-W", "D-W", "C-M")
_PRESSURE_VALVES = ("PRV", "PSV", "PBV")
_OPTIONS = ("accuracy", "trials", "demand multiplier", "emitter exponent", "specific gravity", "viscosity")
_TIMES = ("duration", "hydraulic step", "pattern step", "pattern start", "report step", "report start", "rule step",
          "start time", "statistic")  # fmt: skip
Value = float | str | tuple[Any, ...]


@dataclass
class Reading:
    """What a network consists of: for each kind of fact, a value by element.

    Attributes
    ----------
    tables
        Such as "elevation" -> {"J1": 12.0}; numbers are SI, but curves keep the INP's units, as EPANET does not say
        what an unused curve is for.
    """

    tables: dict[str, dict[str, Value]] = field(default_factory=dict)

    def put(self, fact: str, element: str, value: Value) -> None:
        """Add one value."""
        self.tables.setdefault(fact, {})[element] = value


def read_epanet(engine: Engine) -> Reading:
    """Read what EPANET has understood of a file."""
    reading = Reading()
    _epanet_nodes(engine, reading)
    _epanet_links(engine, reading)
    _epanet_rest(engine, reading)
    return reading


def _name_of(names: tuple[str, ...], number: float) -> str:
    return names[int(number) - 1] if number > 0 else ""


def _epanet_nodes(engine: Engine, reading: Reading) -> None:
    project, names = engine.project, engine.topology.nodes
    patterns, curves = project.ids("pattern"), project.ids("curve")
    default = _name_of(patterns, project.option("default_pattern")) if project.library.has_bulk else ""
    elevation, emitter = engine.read("node", "elevation"), engine.read("node", "emitter")
    for k, name in enumerate(names):
        kind = _NODES[engine.node_types[k]]
        reading.put("node type", name, kind)
        reading.put("elevation", name, float(elevation[k]))
        x, y = np.nan_to_num(engine.topology.xy[k])
        reading.put("coordinates", name, (float(x), float(y)))
        if kind == "junction":
            reading.put("emitter", name, float(emitter[k]))
            scale = engine.flow_unit
            demands = [(base * scale, _name_of(patterns, number) or default) for base, number in project.demands(k)]
            reading.put("demands", name, tuple(d for d in demands if d[0] != 0.0))
        elif kind == "reservoir":
            reading.put("head pattern", name, _name_of(patterns, project.get("node", k, "pattern")))
        else:
            _epanet_tank(engine, reading, k, name, curves)


def _epanet_tank(engine: Engine, reading: Reading, k: int, name: str, curves: tuple[str, ...]) -> None:
    facts = {"min level": "min_level", "max level": "max_level", "initial level": "tank_level"}
    curve = _name_of(curves, engine.project.get("node", k, "volume_curve"))
    if not curve:  # else EPANET works diameter and volume out of the curve
        facts |= {"tank diameter": "tank_diameter", "min volume": "min_volume"}
    for fact, property_ in facts.items():
        reading.put(fact, name, engine.value("node", k, property_))
    reading.put("volume curve", name, curve)
    reading.put("overflow", name, engine.project.get("node", k, "overflow"))


def _epanet_links(engine: Engine, reading: Reading) -> None:
    topology = engine.topology
    values = {fact: engine.read("link", fact) for fact in ("diameter", "length", "minor_loss", "init_status")}
    roughness = engine.roughness_si(engine.read("link", "roughness"))
    setting = engine.read("link", "init_setting")
    for k, name in enumerate(topology.links):
        kind = _LINKS[engine.link_types[k]]
        reading.put("link type", name, kind)
        reading.put("ends", name, (topology.nodes[topology.start[k]], topology.nodes[topology.end[k]]))
        reading.put("closed", name, float(values["init_status"][k] == 0))
        if kind != "pump":
            reading.put("diameter", name, float(values["diameter"][k]))
            reading.put("minor loss", name, float(values["minor_loss"][k]))
        if topology.is_pipe[k]:
            reading.put("length", name, float(values["length"][k]))
            reading.put("roughness", name, float(roughness[k]))
        elif kind == "pump":
            _epanet_pump(engine, reading, k, name, float(setting[k]))
        elif kind == "GPV":
            curves = engine.project.ids("curve")
            # 2.2 keeps a GPV's curve as its setting
            number = engine.project.get("link", k, "headloss_curve") if engine.project.library.has_bulk else setting[k]
            reading.put("head-loss curve", name, _name_of(curves, number))
        else:
            reading.put("setting", name, float(setting[k]) * _setting_unit(engine, kind))


def _setting_unit(engine: Engine, kind: str) -> float:
    if kind in _PRESSURE_VALVES:
        return engine.pressure_unit
    return engine.flow_unit if kind == "FCV" else 1.0


def _epanet_pump(engine: Engine, reading: Reading, k: int, name: str, speed: float) -> None:
    project = engine.project
    power = engine.value("link", k, "power")
    reading.put("pump power", name, power)
    # a constant-power pump has no curve: EPANET answers with an error
    curve = project.get("link", k, "head_curve") if power == 0.0 else 0.0
    reading.put("head curve", name, _name_of(project.ids("curve"), curve))
    reading.put("speed pattern", name, _name_of(project.ids("pattern"), project.get("link", k, "pattern")))
    if not reading.tables["closed"][name]:
        reading.put("speed", name, speed)


def _epanet_rest(engine: Engine, reading: Reading) -> None:
    project = engine.project
    for name, values in contents.patterns(project).items():
        reading.put("pattern", name, tuple(values.tolist()))
    for name, points in contents.curves(project).items():
        reading.put("curve", name, tuple(v for point in points for v in point))
    for k, control in enumerate(contents.controls(project)):
        reading.put("control", str(k), _epanet_control(engine, control))
    for k, rule in enumerate(contents.rules(project)):
        reading.put("rule", str(k), rule)
    _epanet_options(engine, reading)
    counts = {"junctions": len(engine.junctions), "tanks": len(engine.tanks), "links": len(engine.topology.links)}
    for name in ("nodes", "patterns", "curves", "controls", "rules"):
        counts[name] = project.count(name)
    for name, number in counts.items():
        reading.put("count", name, float(number))


def _epanet_control(engine: Engine, control: contents.SimpleControl) -> Value:
    topology, setting, level = engine.topology, control.setting, control.level
    if np.isfinite(setting):
        setting *= _setting_unit(engine, _LINKS[engine.link_types[control.link]])
    if control.node < 0:
        return (control.kind, topology.links[control.link], setting, "", level)
    level *= engine.pressure_unit if topology.is_junction[control.node] else engine.length_unit
    return (control.kind, topology.links[control.link], setting, topology.nodes[control.node], level)


def _epanet_options(engine: Engine, reading: Reading) -> None:
    project = engine.project
    reading.put("option", "flow units", FLOW_UNITS[project.flow_units()])
    reading.put("option", "head-loss law", _LAWS[engine.headloss_law])
    for name in _OPTIONS:
        reading.put("option", name, project.option(name.replace(" ", "_")))
    for name in _TIMES:
        reading.put("option", name, float(project.time(name.replace(" ", "_"))))
    model, minimum, required, exponent = contents.demand_model(project)
    reading.put("option", "demand model", float(model))
    if model:
        reading.put("option", "minimum pressure", minimum * engine.pressure_unit)
        reading.put("option", "required pressure", required * engine.pressure_unit)
        reading.put("option", "exponent", exponent)


def read_model(model: WaterNetworkModel) -> Reading:
    """Read what a WNTR model holds."""
    from hydro.modelreading import read

    return read(model)
