"""WNTR's model to INP without WNTR's rounding.

WNTR writes patterns and curves to six decimals, settings of rules to six digits, pressure limits to two decimals and
reaction coefficients to four; what is written here gives back what was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

from wntr.epanet.io import InpFile
from wntr.epanet.util import FlowUnits, HydParam, MassUnits, QualParam, from_si, to_si
from wntr.network.controls import (
    AndCondition,
    OrCondition,
    SimTimeCondition,
    TimeOfDayCondition,
    ValueCondition,
    _ControlType,
)
from wntr.network.elements import Junction, LinkStatus, Pipe, Tank, Valve

from networks.inp.clock import as_duration, as_time_of_day, for_control

_PRESSURE_VALVES = ("PRV", "PSV", "PBV")
_CURVES = {
    "VOLUME": (HydParam.Length, HydParam.Volume),
    "HEAD": (HydParam.Flow, HydParam.HydraulicHead),
    "HEADLOSS": (HydParam.Flow, HydParam.HydraulicHead),
    "EFFICIENCY": (HydParam.Flow, None),
}
_ATTRIBUTES = {"demand": HydParam.Demand, "head": HydParam.HydraulicHead, "level": HydParam.HydraulicHead,
               "flow": HydParam.Flow, "pressure": HydParam.Pressure}  # fmt: skip


def _exact(value: float) -> str:
    """Twelve digits: what a conversion to SI and back leaves, without its noise."""
    return f"{value:.12g}"


class ExactInpFile(InpFile):  # type: ignore[misc]
    """WNTR's writer with full precision where WNTR rounds."""

    def _put(self, f: BinaryIO, lines: Iterator[str] | list[str]) -> None:
        f.write("".join(f"{line}\n" for line in (*lines, "")).encode("utf-8"))

    def _from_si(self, value: float, kind: HydParam) -> float:
        return float(from_si(self.flow_units, value, kind))

    def _setting(self, link: Any, value: Any) -> str:
        if isinstance(link, Valve):
            if link.valve_type in _PRESSURE_VALVES:
                return _exact(self._from_si(value, HydParam.Pressure))
            if link.valve_type == "FCV":
                return _exact(self._from_si(value, HydParam.Flow))
        return _exact(value) if isinstance(value, (int, float)) else str(value)

    def _write_title(self, f: BinaryIO, wn: Any) -> None:
        self._put(f, ["[TITLE]", *getattr(wn, "title", ())])  # WNTR adds a path and the time of day

    def _write_patterns(self, f: BinaryIO, wn: Any) -> None:
        lines = ["[PATTERNS]"]
        for name in wn.pattern_name_list:
            values = [_exact(value) for value in wn.get_pattern(name).multipliers]
            lines += [f" {name} {' '.join(values[k : k + 6])}" for k in range(0, len(values), 6)]
        self._put(f, lines)

    def _write_curves(self, f: BinaryIO, wn: Any) -> None:
        lines = ["[CURVES]"]
        for name in wn.curve_name_list:
            curve = wn.get_curve(name)
            kinds = _CURVES.get(curve.curve_type, (None, None))
            for point in curve.points:
                x, y = (v if k is None else self._from_si(v, k) for v, k in zip(point, kinds, strict=True))
                lines.append(f" {name} {_exact(x)} {_exact(y)}")
        self._put(f, lines)

    def _write_status(self, f: BinaryIO, wn: Any) -> None:
        lines = ["[STATUS]"]
        for name in wn.pump_name_list:
            pump = wn.links[name]
            if pump.initial_status == LinkStatus.Closed:
                lines.append(f" {name} CLOSED")
            elif isinstance(pump.initial_setting, (int, float)) and pump.initial_setting != 1.0:
                lines.append(f" {name} {_exact(pump.initial_setting)}")
        for name in wn.valve_name_list:
            valve = wn.links[name]
            if valve.initial_status != LinkStatus.Active:
                lines.append(f" {name} {LinkStatus(valve.initial_status).name.upper()}")
        self._put(f, lines)

    def _write_demands(self, f: BinaryIO, wn: Any) -> None:
        lines = ["[DEMANDS]"]
        for name, junction in wn.junctions():
            demands = junction.demand_timeseries_list
            if len(demands) > 1 or any(demand.category for demand in demands):
                for demand in demands:
                    base = _exact(self._from_si(demand.base_value, HydParam.Demand))
                    category = f" ;{demand.category}" if demand.category else ""
                    lines.append(f" {name} {base} {demand.pattern_name or ''}{category}")
        self._put(f, lines)

    def _write_controls(self, f: BinaryIO, wn: Any) -> None:
        controls = [c for _, c in wn.controls() if c.epanet_control_type is not _ControlType.rule]
        self._put(f, ["[CONTROLS]", *(text for text in map(self._control, controls) if text)])

    def _control(self, control: Any) -> str:
        action, condition = control._then_actions[0], control._condition
        link, attribute = action.target()
        if not hasattr(link, "start_node_name"):  # a leak of WNTR's own simulator
            return ""
        value = action._value
        state = LinkStatus(value).name.upper() if attribute == "status" else self._setting(link, value)
        head = f" LINK {link.name} {state}"
        if isinstance(condition, TimeOfDayCondition):
            return f"{head} AT CLOCKTIME {for_control(round(condition._threshold))}"
        if isinstance(condition, SimTimeCondition):
            return f"{head} AT TIME {for_control(round(condition._threshold))}"
        node = condition._source_obj
        kind = HydParam.Pressure if isinstance(node, Junction) else HydParam.HydraulicHead
        relation = "BELOW" if "<" in condition._relation.symbol else "ABOVE"
        return f"{head} IF NODE {node.name} {relation} {_exact(self._from_si(condition._threshold, kind))}"

    def _write_rules(self, f: BinaryIO, wn: Any) -> None:
        lines = ["[RULES]"]
        for key, control in wn.controls():
            if control.epanet_control_type is not _ControlType.rule:
                continue
            lines += [f"RULE {control.name or key}", *self._conditions(control._condition, "IF")]
            for word, actions in (("THEN", control._then_actions), ("ELSE", control._else_actions)):
                lines += [f" {word if k == 0 else 'AND'} {self._action(action)}" for k, action in enumerate(actions)]
            lines += [f" PRIORITY {control._priority}", ""]
        self._put(f, lines)

    def _action(self, action: Any) -> str:
        thing, attribute = action.target()
        return self._clause(thing, attribute, "=", action._value)

    def _conditions(self, condition: Any, word: str) -> list[str]:
        if isinstance(condition, (OrCondition, AndCondition)):
            joint = "OR" if isinstance(condition, OrCondition) else "AND"
            first = self._conditions(condition._condition_1, word)
            return first + self._conditions(condition._condition_2, joint)
        if isinstance(condition, TimeOfDayCondition):
            time = " ".join(as_time_of_day(round(condition._threshold)))
            return [f" {word} SYSTEM CLOCKTIME {condition._relation.symbol} {time}"]
        if isinstance(condition, SimTimeCondition):
            return [f" {word} SYSTEM TIME {condition._relation.symbol} {as_duration(round(condition._threshold))}"]
        assert isinstance(condition, ValueCondition)
        clause = self._clause(
            condition._source_obj, condition._source_attr, condition._relation.symbol, condition._threshold
        )
        return [f" {word} {clause}"]

    def _clause(self, thing: Any, attribute: str, relation: str, value: Any) -> str:
        kind = "VALVE" if isinstance(thing, Valve) else getattr(thing, "link_type", None) or thing.node_type
        attribute = attribute.lower()
        if attribute == "status":
            text = LinkStatus(int(value)).name.upper() if isinstance(value, (int, float)) else str(value)
        elif attribute in ("setting", "base_speed"):
            attribute, text = "setting", self._setting(thing, value)
        elif attribute in _ATTRIBUTES:
            text = _exact(self._from_si(value, _ATTRIBUTES[attribute]))
        else:
            text = str(value)
        return f"{kind.upper()} {thing.name} {attribute.upper()} {relation} {text}"

    def _write_options(self, f: BinaryIO, wn: Any, version: float = 2.2) -> None:
        buffer = BytesIO()
        super()._write_options(buffer, wn, version=version)
        text = buffer.getvalue().decode("utf-8")
        hydraulic = wn.options.hydraulic
        for name, value in (("MINIMUM", hydraulic.minimum_pressure), ("REQUIRED", hydraulic.required_pressure)):
            exact = _exact(max(self._from_si(value, HydParam.Pressure), 0.1 if name == "REQUIRED" else 0.0))
            text = re.sub(rf"(?m)^({name} PRESSURE\s+)\S+", rf"\g<1>{exact}", text)
        f.write(text.encode("utf-8"))

    def _write_energy(self, f: BinaryIO, wn: Any) -> None:
        energy = wn.options.energy
        lines = ["[ENERGY]"]
        if energy.global_efficiency is not None:
            lines.append(f" GLOBAL EFFICIENCY {_exact(energy.global_efficiency)}")
        if energy.global_price is not None:
            lines.append(f" GLOBAL PRICE {_exact(to_si(self.flow_units, energy.global_price, HydParam.Energy))}")
        if energy.demand_charge is not None:
            lines.append(f" DEMAND CHARGE {_exact(energy.demand_charge)}")
        if energy.global_pattern is not None:
            lines.append(f" GLOBAL PATTERN {energy.global_pattern}")
        for name, pump in wn.pumps():
            if pump.efficiency_curve_name is not None:
                lines.append(f" PUMP {name} EFFIC {pump.efficiency_curve_name}")
            if pump.energy_price is not None:
                price = to_si(self.flow_units, pump.energy_price, HydParam.Energy)
                lines.append(f" PUMP {name} PRICE {_exact(price)}")
            if pump.energy_pattern is not None:
                lines.append(f" PUMP {name} PATTERN {pump.energy_pattern}")
        self._put(f, lines)

    def _write_reactions(self, f: BinaryIO, wn: Any) -> None:
        options = wn.options.reaction
        mass = self.mass_units or MassUnits.mg

        def rate(value: float, kind: QualParam, order: float) -> str:
            return _exact(from_si(self.flow_units, value, kind, mass_units=mass, reaction_order=order))

        bulk, wall = QualParam.BulkReactionCoeff, QualParam.WallReactionCoeff
        lines = ["[REACTIONS]"]
        orders = (("BULK", options.bulk_order), ("TANK", options.tank_order), ("WALL", options.wall_order))
        lines += [f" ORDER {name} {int(order)}" for name, order in orders]
        lines.append(f" GLOBAL BULK {rate(options.bulk_coeff, bulk, options.bulk_order)}")
        lines.append(f" GLOBAL WALL {rate(options.wall_coeff, wall, options.wall_order)}")
        if options.limiting_potential is not None:
            lines.append(f" LIMITING POTENTIAL {_exact(options.limiting_potential)}")
        if options.roughness_correl is not None:
            lines.append(f" ROUGHNESS CORRELATION {_exact(options.roughness_correl)}")
        for name, tank in wn.nodes(Tank):
            if tank.bulk_coeff is not None:
                lines.append(f" TANK {name} {rate(tank.bulk_coeff, bulk, options.bulk_order)}")
        for name, pipe in wn.links(Pipe):
            for word, value, kind, order in (
                ("BULK", pipe.bulk_coeff, bulk, options.bulk_order),
                ("WALL", pipe.wall_coeff, wall, options.wall_order),
            ):
                if value is not None:
                    lines.append(f" {word} {name} {rate(value, kind, order)}")
        self._put(f, lines)


def model_bytes(wn: Any) -> bytes:
    """INP of a `WaterNetworkModel` in the units of the file that it was read from."""
    import tempfile
    from pathlib import Path

    writer = ExactInpFile()
    with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
        path = Path(folder) / "model.inp"
        if getattr(wn, "_inpfile", None) is not None:
            writer.mass_units = wn._inpfile.mass_units
        units = FlowUnits[str(wn.options.hydraulic.inpfile_units).upper()]
        writer.write(str(path), wn, units=units, force_coordinates=True)
        return path.read_bytes()
