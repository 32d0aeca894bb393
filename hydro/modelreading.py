"""What a WNTR model holds, in the words of `hydro.reading`."""

from __future__ import annotations

from typing import Any

import numpy as np
from wntr.epanet.util import FlowUnits, HydParam, from_si
from wntr.network.controls import AndCondition, OrCondition, SimTimeCondition, TimeOfDayCondition, _ControlType
from wntr.network.elements import LinkStatus

from hydro.reading import Reading, Value

_PARAMETERS = {
    "VOLUME": (HydParam.Length, HydParam.Volume),
    "HEAD": (HydParam.Flow, HydParam.HydraulicHead),
    "HEADLOSS": (HydParam.Flow, HydParam.HydraulicHead),
    "EFFICIENCY": (HydParam.Flow, None),
}
_STATISTICS = ("NONE", "AVERAGED", "MINIMUM", "MAXIMUM", "RANGE")


def read(model: Any) -> Reading:
    """Read a `WaterNetworkModel`."""
    reading = Reading()
    _nodes(model, reading)
    _links(model, reading)
    units = FlowUnits[model.options.hydraulic.inpfile_units.upper()]
    _series(model, reading, units)
    _controls(model, reading)
    _options(model, reading, units)
    return reading


def _name(thing: Any) -> str:
    return str(thing.name) if thing is not None else ""


def _nodes(model: Any, reading: Reading) -> None:
    for name, node in model.nodes():
        reading.put("node type", name, node.node_type.lower())
        is_reservoir = node.node_type == "Reservoir"
        reading.put("elevation", name, float(node.base_head if is_reservoir else node.elevation))
        reading.put("coordinates", name, tuple(float(c) for c in node.coordinates))
        if node.node_type == "Junction":
            reading.put("emitter", name, float(node.emitter_coefficient or 0.0))
            demands = [(float(d.base_value), d.pattern_name or "") for d in node.demand_timeseries_list]
            reading.put("demands", name, tuple(d for d in demands if d[0] != 0.0))
        elif is_reservoir:
            reading.put("head pattern", name, node.head_pattern_name or "")
        else:
            _tank(reading, name, node)


def _tank(reading: Reading, name: str, tank: Any) -> None:
    facts = {"min level": tank.min_level, "max level": tank.max_level, "initial level": tank.init_level,
             "overflow": bool(tank.overflow)}  # fmt: skip
    if tank.vol_curve is None:
        # where the file gives no volume below the lowest level EPANET takes the cylinder's
        volume = tank.min_vol or np.pi / 4.0 * tank.diameter**2 * tank.min_level
        facts |= {"tank diameter": tank.diameter, "min volume": volume}
    for fact, value in facts.items():
        reading.put(fact, name, float(value))
    reading.put("volume curve", name, _name(tank.vol_curve))


def _links(model: Any, reading: Reading) -> None:
    for name, link in model.links():
        kind = link.link_type
        reading.put("ends", name, (link.start_node_name, link.end_node_name))
        reading.put("closed", name, float(link.initial_status == LinkStatus.Closed))
        if kind == "Pump":
            _pump(reading, name, link)
            continue
        reading.put("diameter", name, float(link.diameter))
        reading.put("minor loss", name, float(link.minor_loss))
        if kind == "Pipe":
            reading.put("link type", name, "check valve" if link.check_valve else "pipe")
            reading.put("length", name, float(link.length))
            reading.put("roughness", name, float(link.roughness))
        else:
            reading.put("link type", name, link.valve_type)
            if link.valve_type == "GPV":
                reading.put("head-loss curve", name, link.headloss_curve_name)
            else:
                reading.put("setting", name, float(link.initial_setting))


def _pump(reading: Reading, name: str, pump: Any) -> None:
    reading.put("link type", name, "pump")
    has_power = pump.pump_type == "POWER"
    reading.put("pump power", name, float(pump.power) if has_power else 0.0)
    reading.put("head curve", name, "" if has_power else pump.pump_curve_name)
    reading.put("speed pattern", name, pump.speed_pattern_name or "")
    if pump.initial_status != LinkStatus.Closed:
        setting = pump.initial_setting
        speed = setting if isinstance(setting, (int, float)) else pump.base_speed
        reading.put("speed", name, float(speed))


def _series(model: Any, reading: Reading, units: FlowUnits) -> None:
    for name, pattern in model.patterns():
        reading.put("pattern", name, tuple(float(v) for v in pattern.multipliers))
    for name, curve in model.curves():
        kinds = _PARAMETERS.get(curve.curve_type, (None, None))
        points = [
            float(v if kind is None else from_si(units, v, kind))
            for point in curve.points
            for v, kind in zip(point, kinds, strict=True)
        ]
        reading.put("curve", name, tuple(points))


def _controls(model: Any, reading: Reading) -> None:
    simple, rules = 0, 0
    for _, control in model.controls():
        if control.epanet_control_type is _ControlType.rule:
            size = (_premises(control._condition), len(control._then_actions), len(control._else_actions))
            reading.put("rule", str(rules), (*size, float(control._priority)))
            rules += 1
        else:
            reading.put("control", str(simple), _simple(control))
            simple += 1
    reading.put("count", "controls", float(simple))
    reading.put("count", "rules", float(rules))


def _simple(control: Any) -> Value:
    action, condition = control._then_actions[0], control._condition
    link, attribute = action.target()
    value = action._value
    if attribute == "status":
        is_closed = LinkStatus(value) == LinkStatus.Closed
        if link.link_type == "Pump":  # for EPANET an open pump runs at speed 1
            value = 0.0 if is_closed else 1.0
        else:
            value = float("-inf") if is_closed else float("inf")
    level = float(condition._threshold)
    if isinstance(condition, TimeOfDayCondition):
        return ("clocktime", link.name, float(value), "", level)
    if isinstance(condition, SimTimeCondition):
        return ("time", link.name, float(value), "", level)
    kind = "below" if "<" in condition._relation.symbol else "above"
    return (kind, link.name, float(value), condition._source_obj.name, level)


def _premises(condition: Any) -> int:
    if isinstance(condition, (AndCondition, OrCondition)):
        return _premises(condition._condition_1) + _premises(condition._condition_2)
    return 1


def _options(model: Any, reading: Reading, units: FlowUnits) -> None:
    hydraulic, time = model.options.hydraulic, model.options.time
    # EPANET keeps the accuracy of a file between 1e-5 and 0.1
    is_driven = hydraulic.demand_model in ("PDA", "PDD")
    options: dict[str, Value] = {
        "flow units": units.name, "head-loss law": hydraulic.headloss,
        "accuracy": min(max(hydraulic.accuracy, 1e-5), 0.1),
        "trials": hydraulic.trials, "demand multiplier": hydraulic.demand_multiplier,
        "emitter exponent": hydraulic.emitter_exponent, "specific gravity": hydraulic.specific_gravity,
        "viscosity": hydraulic.viscosity, "demand model": float(is_driven), "duration": time.duration,
        "hydraulic step": time.hydraulic_timestep, "pattern step": time.pattern_timestep,
        "pattern start": time.pattern_start, "report step": time.report_timestep, "report start": time.report_start,
        "rule step": time.rule_timestep, "start time": time.start_clocktime,
        "statistic": float(_STATISTICS.index(time.statistic.upper())),
    }  # fmt: skip
    if is_driven:
        options |= {"minimum pressure": hydraulic.minimum_pressure, "required pressure": hydraulic.required_pressure,
                    "exponent": hydraulic.pressure_exponent}  # fmt: skip
    for name, value in options.items():
        reading.put("option", name, value if isinstance(value, str) else float(np.asarray(value)))
    counts = {"junctions": model.num_junctions, "tanks": model.num_tanks, "links": model.num_links,
              "nodes": model.num_nodes, "patterns": model.num_patterns, "curves": model.num_curves}  # fmt: skip
    for name, number in counts.items():
        reading.put("count", name, float(number))
