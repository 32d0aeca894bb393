"""Pumps and valves: their slope of head against flow in the state that EPANET has reached.

Source of every formula: EPANET's hydcoeffs.c (2.2 and 2.3) and chapter 12 of its manual. A link's conductance is
dq/d(head loss), m2/s. Active PRVs and PSVs have none: they hold a head (see `hydro.derivatives`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log, pi

import numpy as np

from hydro.contents import curves
from hydro.engine import Engine
from hydro.headloss import CUBIC_FOOT, FOOT, GRADIENT, GRAVITY, LEAST_GRADIENT

Points = list[tuple[float, float]]

PUMP, PRV, PSV, PBV, FCV, TCV, GPV, PCV = 2, 3, 4, 5, 6, 7, 8, 9
SHUT = 1e-8 / GRADIENT  # conductance of whatever is closed, and of an FCV that holds its flow
_WIDE_OPEN = 1e6 / GRADIENT  # of a valve without loss
_ACTIVE_STATE = 4  # EPANET's StatusType
_CONSTANT_POWER, _POWER_FUNCTION, _CUSTOM = 0, 1, 2  # kinds of pump
_LEAST_CURVE_SLOPE = 1e-6 * GRADIENT
_HORSEPOWER_HEAD = 8.814 * FOOT * CUBIC_FOOT  # m x m3/s of one horsepower, EPANET's
_KILOWATTS = 0.7457  # in a horsepower
_MOST_LOSS = 1e8  # EPANET's limit of a loss coefficient, in its own units


@dataclass(frozen=True, slots=True)
class Curve:
    """Straight pieces through points; the outer ones go on."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def slope(self, x: float) -> float:
        """Slope of the piece that EPANET takes at x."""
        k = next((k for k in range(1, len(self.x)) if self.x[k] >= x), len(self.x) - 1)
        return (self.y[k] - self.y[k - 1]) / (self.x[k] - self.x[k - 1])


@dataclass(frozen=True, slots=True)
class Fitting:
    """A pump or a valve.

    Attributes
    ----------
    link
        Its index.
    kind
        EPANET's link type.
    start, end
        Nodes.
    local
        Minor loss of a valve that is fully open, m per (m3/s)2.
    area
        Of the valve, m2.
    curve
        Head curve of a pump, head-loss curve of a GPV (m3/s, m), opening curve of a PCV (per cent).
    pump
        EPANET's kind of pump.
    law
        Coefficient and exponent of a pump: a and n of a power function, head x flow of constant power; m and m3/s.
    """

    link: int
    kind: int
    start: int
    end: int
    local: float = 0.0
    area: float = 0.0
    curve: Curve | None = None
    pump: int = -1
    law: tuple[float, float] = (0.0, 0.0)


def read_fittings(engine: Engine) -> tuple[Fitting, ...]:
    """Pumps and valves of a model; only after EPANET has begun a run does it know what kind its pumps are."""
    topology = engine.topology
    links = np.flatnonzero(~topology.is_pipe).tolist()
    points = list(curves(engine.project).values()) if links else []
    found = []
    for link in links:
        ends = int(topology.start[link]), int(topology.end[link])
        kind = int(engine.link_types[link])
        if kind == PUMP:
            found.append(_pump(engine, link, ends, points))
            continue
        diameter = engine.value("link", link, "diameter")
        area = pi / 4.0 * diameter**2
        local = engine.value("link", link, "minor_loss") / (2.0 * GRAVITY * area**2)
        found.append(Fitting(link, kind, *ends, local, area, _valve_curve(engine, link, kind, points)))
    return tuple(found)


def _curve(points: Points, x_unit: float = 1.0, y_unit: float = 1.0) -> Curve:
    return Curve(tuple(x * x_unit for x, _ in points), tuple(y * y_unit for _, y in points))


def _pump(engine: Engine, link: int, ends: tuple[int, int], points: list[Points]) -> Fitting:
    pump = engine.project.pump_type(link)
    if pump == _CONSTANT_POWER:
        # EPANET takes the number it answers with for kW with metric flows, for horsepower with others
        unit = _HORSEPOWER_HEAD / (1.0 if engine.length_unit == FOOT else _KILOWATTS)
        return Fitting(link, PUMP, *ends, pump=pump, law=(unit * engine.project.get("link", link, "power"), -1.0))
    if pump not in (_POWER_FUNCTION, _CUSTOM):
        return Fitting(link, PUMP, *ends, pump=pump)
    number = int(engine.project.get("link", link, "head_curve"))
    curve = _curve(points[number - 1], engine.flow_unit, engine.length_unit)
    law = _power_function(curve) if pump == _POWER_FUNCTION else (0.0, 0.0)
    return Fitting(link, PUMP, *ends, curve=curve, pump=pump, law=law)


def _power_function(curve: Curve) -> tuple[float, float]:
    """Head = shut-off head - a q^n through one point or three, as EPANET fits it: a and n."""
    if len(curve.x) == 1:
        flow, head = curve.x[0], curve.y[0]
        shutoff, flow_2, head_2 = 1.33334 * head, 2.0 * flow, 0.0
    else:
        shutoff, flow, head, flow_2, head_2 = curve.y[0], curve.x[1], curve.y[1], curve.x[2], curve.y[2]
    n = log((shutoff - head_2) / (shutoff - head)) / log(flow_2 / flow)
    return (shutoff - head) / flow**n, n


def _valve_curve(engine: Engine, link: int, kind: int, points: list[Points]) -> Curve | None:
    if kind == GPV:
        # 2.2 keeps a GPV's curve as its setting
        name = "headloss_curve" if engine.project.library.has_bulk else "setting"
        number = round(engine.project.get("link", link, name))
        return _curve(points[number - 1], engine.flow_unit, engine.length_unit)
    if kind == PCV:
        number = round(engine.project.get("link", link, "opening_curve"))
        return _curve(points[number - 1]) if number else None
    return None


@dataclass(frozen=True, slots=True)
class State:
    """What EPANET has reached at one pump or valve.

    Attributes
    ----------
    flow
        m3/s.
    is_closed
        Whether nothing passes, whatever the reason.
    code
        EPANET's own code of the state; 4 is a valve that works on its setting.
    setting
        Speed of a pump, setting of a valve in the INP's unit.
    """

    flow: float
    is_closed: bool
    code: int
    setting: float


def holds_head(fitting: Fitting, state: State) -> bool:
    """Whether it is a PRV or PSV at work: the head behind or before it is given, its flow follows."""
    return fitting.kind in (PRV, PSV) and state.code == _ACTIVE_STATE


def conductance(fitting: Fitting, state: State, pressure_unit: float, least: float) -> float:
    """Derivative of flow by head loss, m2/s.

    Parameters
    ----------
    pressure_unit
        Metres in the unit of a PBV's setting.
    least
        Gradient below which EPANET takes a loss as linear, m per m3/s: half of RQTOL since 2.3, RQTOL before.
    """
    if state.is_closed:
        return SHUT
    if fitting.kind == PUMP:
        return _pump_conductance(fitting, state)
    works = state.code == _ACTIVE_STATE or state.setting != 0.0
    if fitting.kind == FCV and state.code == _ACTIVE_STATE:
        return SHUT
    if fitting.kind == GPV and fitting.curve is not None:
        return 1.0 / max(fitting.curve.slope(max(abs(state.flow), 1e-6 * CUBIC_FOOT)), _LEAST_CURVE_SLOPE)
    local = fitting.local
    if fitting.kind == PBV and works and 0.0 < state.setting * pressure_unit >= local * state.flow**2:
        return _WIDE_OPEN  # the loss is the setting whatever the flow; EPANET's own conductance is 100 times as much
    if fitting.kind == TCV and works:
        local = state.setting / (2.0 * GRAVITY * fitting.area**2)
    if fitting.kind == PCV and works:
        local = _opening_loss(fitting, state.setting)
    return _open_valve(local, state.flow, least)


def _open_valve(local: float, flow: float, least: float) -> float:
    if local <= 0.0:
        return _WIDE_OPEN
    gradient = 2.0 * local * abs(flow)
    return 1.0 / (gradient if gradient >= LEAST_GRADIENT else least)


def _pump_conductance(pump: Fitting, state: State) -> float:
    flow, speed = abs(state.flow), state.setting
    if speed == 0.0:
        return SHUT
    if pump.pump == _CUSTOM and pump.curve is not None:
        return -1.0 / (pump.curve.slope(flow / speed) * speed)
    if pump.pump == _POWER_FUNCTION:
        a, n = pump.law
        n = 1.0 if abs(n - 1.0) < 1e-6 else n
        gradient = n * a * speed ** (2.0 - n) * flow ** (n - 1.0)
        return float(1.0 / max(gradient, LEAST_GRADIENT))
    if pump.pump == _CONSTANT_POWER:
        gradient = pump.law[0] / flow**2 if flow > 0.0 else np.inf
        return SHUT if gradient > 1.0 / SHUT else 1.0 / max(gradient, 1.0 / _WIDE_OPEN)
    return _WIDE_OPEN


def _opening_loss(valve: Fitting, setting: float) -> float:
    """Loss of a positional control valve by its opening in per cent (2.3), m per (m3/s)2."""
    if setting >= 100.0:
        return valve.local
    most = _MOST_LOSS * FOOT / CUBIC_FOOT**2
    if setting <= 0.0:
        return most
    ratio = setting if valve.curve is None else _opening(valve.curve, setting)
    return min(valve.local / max(min(ratio / 100.0, 1.0), 1e-6) ** 2, most)


def _opening(curve: Curve, setting: float) -> float:
    """Flow coefficient in per cent of the full one, as EPANET reads the curve, beyond its ends too."""
    if setting < curve.x[0]:
        return setting / curve.x[0] * curve.y[0]
    if setting > curve.x[-1]:
        return (setting - curve.x[-1]) / (1.0 - curve.x[-1]) * (1.0 - curve.y[-1]) + curve.y[-1]
    for (x0, y0), (x1, y1) in pairwise(zip(curve.x, curve.y, strict=True)):
        if setting <= x1:
            return y0 + (y1 - y0) / (x1 - x0) * (setting - x0)
    return curve.y[-1]
