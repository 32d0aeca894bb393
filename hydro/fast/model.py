"""A network as the kernels take it: arrays in EPANET's own units, ft and ft3/s.

Its tolerances and constants are in these, and its conversion factors are rounded (28.317 L/s to the ft3/s): to agree
within a millimetre one has to round as it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydro import contents
from hydro.engine import Engine
from hydro.fast.pumps import Pump, pump_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# EPANET's units per ft3/s, in the order of its codes (types.h); they are rounded there
_FLOW = (1.0, 448.831, 0.64632, 0.5382, 1.9837, 28.317, 1699.0, 2.4466, 101.94, 2446.6, 0.028317)
_FIRST_METRIC = 5
FOOT = 0.3048
_PSI_PER_FOOT, _KPA_PER_PSI, _BAR_PER_PSI = 0.4333, 6.895, 0.068948
_HORSEPOWER_KW = 0.7457
_VISCOSITY = 1.1e-5
CHECK_VALVE, PIPE, PUMP, PRV, PSV, PBV, FCV, TCV, GPV, PCV = range(10)
CLOSED, OPEN, ACTIVE = 2, 3, 4
MISSING = -1e10
_ORIFICE = 4.8149766e-6  # EPANET's 0.6 sqrt(2 g), with mm2 in m2
BELOW, ABOVE, AT_TIME, AT_CLOCK = range(4)


@dataclass(frozen=True, slots=True)
class Units:
    """What EPANET divides the numbers of the file by."""

    flow: float
    head: float
    pressure: float
    diameter: float
    power: float
    psi: float
    metric: bool


class Tanks(NamedTuple):
    """Tanks, each at a node; float64 [n_tanks], ft and ft3.

    `curve` is the number of a volume curve, or -1 for a cylinder; `unit` of length in the curves, per ft.
    """

    node: Ints
    bottom: Floats
    level: Floats
    lowest: Floats
    highest: Floats
    area: Floats
    volume: Floats
    least: Floats
    most: Floats
    curve: Ints
    overflows: Ints
    unit: float


class Controls(NamedTuple):
    """Simple controls; `grade` is a head, `time` s, `node` and `tank` are -1 where there is none."""

    kind: Ints
    link: Ints
    node: Ints
    tank: Ints
    status: Ints
    setting: Floats
    grade: Floats
    time: Ints


class Curves(NamedTuple):
    """All curves end to end, in the file's units."""

    first: Ints
    x: Floats
    y: Floats


class Outlets(NamedTuple):
    """Flows out of junctions that follow pressure: head above `base` = coefficient x flow^exponent.

    Attributes
    ----------
    node, kind
        int64 [n]; kind 0 emitter, 1 leakage of fixed area, 2 leakage whose area grows, 3 demand.
    coefficient, exponent, base
        float64 [n], ft and ft3/s.
    no_backflow
        int64 [n], 1 where the flow cannot turn.
    """

    node: Ints
    kind: Ints
    coefficient: Floats
    exponent: Floats
    base: Floats
    no_backflow: Ints


@dataclass(frozen=True)
class Model:
    """Everything of a network that a run needs, in EPANET's order of nodes and links.

    Attributes
    ----------
    start, end, kind, length, diameter, roughness, minor
        By link; ft, minor loss on the flow's square.
    status, setting
        Initial; a valve whose status is fixed has the setting `MISSING`.
    demand
        float64 [n_periods, n_junctions], ft3/s, by pattern period modulo n_periods.
    source_head, speed
        float64 [n_periods, n], heads of reservoirs, speeds of pumps with a pattern (else NaN), by period.
    pressures
        Minimum and required pressure, ft, and exponent of pressure-driven demand; None for fixed demand.
    """

    units: Units
    law: int
    viscosity: float
    elevation: Floats
    n_junctions: int
    start: Ints
    end: Ints
    kind: Ints
    length: Floats
    diameter: Floats
    roughness: Floats
    minor: Floats
    status: Ints
    setting: Floats
    pumps: dict[int, Pump]
    valve_curve: dict[int, int]
    tanks: Tanks
    controls: Controls
    curves: Curves
    emitter: Floats
    emitter_exponent: float
    emitter_backflow: bool
    leak_area: Floats
    leak_expansion: Floats
    pressures: tuple[float, float, float] | None
    demand: Floats
    source: Ints
    source_head: Floats
    speed: Floats
    pattern_step: int
    pattern_start: int
    report_step: int
    hydraulic_step: int
    clock_start: int


def units_of(engine: Engine) -> Units:
    """EPANET's conversion factors, as rounded as its own."""
    code, project = engine.project.flow_units(), engine.project
    metric, gravity = code >= _FIRST_METRIC, project.option("specific_gravity")
    psi = _PSI_PER_FOOT * gravity
    pressure = (psi, _KPA_PER_PSI * psi, FOOT, _BAR_PER_PSI * psi, 1.0)[int(project.option("pressure_unit"))]
    return Units(
        flow=_FLOW[code],
        head=FOOT if metric else 1.0,
        pressure=pressure,
        diameter=1000.0 * FOOT if metric else 12.0,
        power=_HORSEPOWER_KW if metric else 1.0,
        psi=psi,
        metric=metric,
    )


def _values(engine: Engine, kind: str, name: str) -> Floats:
    count = len(engine.topology.nodes if kind == "node" else engine.topology.links)
    out = np.empty(count)
    engine.project.read(kind, name, out)
    return out


def read_model(engine: Engine) -> Model:
    """Read a network out of EPANET."""
    units, project, topology = units_of(engine), engine.project, engine.topology
    n_junctions, kind = len(engine.junctions), engine.link_types
    elevation = _clean(_values(engine, "node", "elevation")) / units.head
    diameter = _values(engine, "link", "diameter") / units.diameter
    minor = _values(engine, "link", "minor_loss")
    minor = np.where(diameter > 0.0, 0.02517 * minor / np.maximum(diameter, 1e-9) ** 4, 0.0)
    roughness = _values(engine, "link", "roughness")
    if engine.headloss_law == 1:
        roughness = roughness / (1000.0 * units.head)
    status, setting = _initial(engine, units, kind)
    backflow = project.option("emitter_backflow") != 0.0
    source, source_head, speed, demand = _patterns(engine, units, elevation)
    return Model(
        units=units,
        law=engine.headloss_law,
        viscosity=project.option("viscosity") * _VISCOSITY,
        elevation=elevation,
        n_junctions=n_junctions,
        start=topology.start.astype(np.int64),
        end=topology.end.astype(np.int64),
        kind=kind,
        length=_values(engine, "link", "length") / units.head,
        diameter=diameter,
        roughness=roughness,
        minor=minor,
        status=status,
        setting=setting,
        pumps=_pumps(engine, units),
        valve_curve=_valve_curves(engine),
        tanks=_tanks(engine, units, elevation),
        controls=_controls(engine, units, elevation, setting),
        curves=_curves(engine),
        emitter=_emitters(engine, units, n_junctions),
        emitter_exponent=project.option("emitter_exponent"),
        emitter_backflow=backflow,
        leak_area=_values(engine, "link", "leak_area") * units.head,
        leak_expansion=_values(engine, "link", "leak_expansion") * units.head,
        pressures=_pressures(engine, units),
        demand=demand,
        source=source,
        source_head=source_head,
        speed=speed,
        pattern_step=project.time("pattern_step"),
        pattern_start=project.time("pattern_start"),
        report_step=project.time("report_step"),
        hydraulic_step=project.time("hydraulic_step"),
        clock_start=engine.clock_start,
    )


def _initial(engine: Engine, units: Units, kind: Ints) -> tuple[Ints, Floats]:
    given = _values(engine, "link", "init_status").astype(np.int64)
    setting = _values(engine, "link", "init_setting")
    setting = np.where(np.isin(kind, (PRV, PSV, PBV)), setting / units.pressure, setting)
    setting = np.where(kind == FCV, setting / units.flow, setting)
    status = given + CLOSED
    setting = np.where((kind > PUMP) & (kind != GPV) & (status != ACTIVE), MISSING, setting)
    for link in np.flatnonzero(kind == GPV).tolist():
        setting[link] = engine.project.get("link", link, "headloss_curve") - 1
    return status, setting


def _pressures(engine: Engine, units: Units) -> tuple[float, float, float] | None:
    driven, least, required, exponent = contents.demand_model(engine.project)
    return (least / units.pressure, required / units.pressure, exponent) if driven else None


def _emitters(engine: Engine, units: Units, n_junctions: int) -> Floats:
    """Head-loss coefficient of each junction's emitter, 0 without one."""
    given = _values(engine, "node", "emitter")[:n_junctions]
    power = 1.0 / engine.project.option("emitter_exponent")
    per_foot = FOOT if units.metric else units.psi
    with np.errstate(divide="ignore"):
        return np.where(given > 0.0, units.flow**power / per_foot / given**power, 0.0)


def _clean(values: Floats) -> Floats:
    """Numbers of the file, freed of what EPANET's conversion there and back has left in the last digits."""
    return np.array([float(f"{value:.11g}") for value in values.tolist()], dtype=np.float64)


def _tanks(engine: Engine, units: Units, elevation: Floats) -> Tanks:
    """Tanks, to the last bit as EPANET has them: rounding decides whether it calls a tank full that is at its top."""
    nodes, project = engine.tanks, engine.project

    def of(name: str) -> Floats:
        return np.array([project.get("node", int(k), name) for k in nodes], dtype=np.float64)

    bottom, volume = elevation[nodes], units.head**3
    diameter, least = _clean(of("tank_diameter")), of("min_volume")
    low, high, first = _clean(of("min_level")), _clean(of("max_level")), _clean(of("tank_level"))
    area = np.pi * diameter**2 / 4.0
    is_curved = of("volume_curve") > 0.0
    # the lowest volume may be stated; else it is a cylinder's
    least = np.where(np.isclose(least, area * low, rtol=1e-9), area * low, _clean(least))
    return Tanks(
        node=nodes,
        bottom=bottom,
        level=bottom + first / units.head,
        lowest=bottom + low / units.head,
        highest=bottom + high / units.head,
        area=np.pi * (diameter / units.head) ** 2 / 4.0,
        volume=np.where(is_curved, of("initial_volume"), least + area * (first - low)) / volume,
        least=np.where(is_curved, of("min_volume"), least) / volume,
        most=np.where(is_curved, of("max_volume"), least + area * (high - low)) / volume,
        curve=of("volume_curve").astype(np.int64) - 1,
        overflows=of("overflow").astype(np.int64),
        unit=units.head,
    )


def _curves(engine: Engine) -> Curves:
    points = list(contents.curves(engine.project).values())
    first = np.concatenate(([0], np.cumsum([len(p) for p in points]))).astype(np.int64)
    flat = np.array([v for p in points for v in p], dtype=np.float64).reshape(-1, 2)
    return Curves(first, flat[:, 0].copy(), flat[:, 1].copy())


def _pumps(engine: Engine, units: Units) -> dict[int, Pump]:
    project, curves = engine.project, list(contents.curves(engine.project).values())
    found = {}
    for link in engine.pumps.tolist():
        power = project.get("link", link, "power")
        number = int(project.get("link", link, "head_curve")) if power == 0.0 else 0
        found[link] = pump_of(number - 1, curves[number - 1] if number else [], power / units.power, units)
    return found


def _valve_curves(engine: Engine) -> dict[int, int]:
    return {
        link: int(engine.project.get("link", link, "opening_curve")) - 1
        for link in np.flatnonzero(engine.link_types == PCV).tolist()
    }


def _controls(engine: Engine, units: Units, elevation: Floats, initial: Floats) -> Controls:
    rows = []
    n_junctions, tanks = len(engine.junctions), engine.tanks.tolist()
    for control in contents.controls(engine.project):
        kind = int(engine.link_types[control.link])
        status, setting = _action(kind, control.setting, units, float(initial[control.link]))
        grade = 0.0
        if control.node >= 0:
            unit = units.pressure if control.node < n_junctions else units.head
            grade = elevation[control.node] + control.level / unit
        code = contents.CONTROL_TYPES.index(control.kind)
        time = int(control.level) if code >= AT_TIME else 0
        tank = tanks.index(control.node) if control.node in tanks else -1
        rows.append((code, control.link, control.node, tank, status, setting, grade, time))
    whole = [np.array([r[k] for r in rows], dtype=np.int64) for k in (0, 1, 2, 3, 4, 7)]
    real = [np.array([r[k] for r in rows], dtype=np.float64) for k in (5, 6)]
    return Controls(whole[0], whole[1], whole[2], whole[3], whole[4], real[0], real[1], whole[5])


def _action(kind: int, given: float, units: Units, initial: float) -> tuple[int, float]:
    """Status and setting that a control gives, as EPANET's `setcontrol` has it."""
    if np.isinf(given):
        setting = {PUMP: 1.0 if given > 0 else 0.0, GPV: initial}.get(kind, MISSING)
        return (OPEN if given > 0 else CLOSED), setting
    if kind in (PIPE, PUMP):
        return (CLOSED if given == 0.0 else OPEN), given
    if kind == GPV:
        return (CLOSED if given == 0.0 else OPEN), initial
    unit = units.pressure if kind in (PRV, PSV, PBV) else units.flow if kind == FCV else 1.0
    return ACTIVE, given / unit


def _patterns(engine: Engine, units: Units, elevation: Floats) -> tuple[Ints, Floats, Floats, Floats]:
    """What follows the clock, by period: reservoirs' heads, pumps' speeds, junctions' demands."""
    project, step = engine.project, engine.project.time("pattern_step")
    sources = np.flatnonzero(engine.node_types == 1).astype(np.int64)
    head_pattern = [int(project.get("node", int(k), "pattern")) for k in sources]
    speed_pattern = [int(project.get("link", k, "pattern")) for k in engine.pumps.tolist()]
    tables = [project.pattern(k + 1) for k in range(project.count("patterns"))]
    start = project.time("pattern_start") // step
    periods = engine.duration // step + 1 + 1
    heads = np.empty((periods, len(sources)))
    speeds = np.full((periods, len(engine.topology.links)), np.nan)
    demand = np.empty((periods, len(engine.junctions)))
    offset = project.time("pattern_start")
    for p in range(periods):
        for s, number in enumerate(head_pattern):
            factor = tables[number - 1][(p + start) % len(tables[number - 1])] if number else 1.0
            heads[p, s] = elevation[sources[s]] * factor
        for link, number in zip(engine.pumps.tolist(), speed_pattern, strict=True):
            if number:
                speeds[p, link] = tables[number - 1][(p + start) % len(tables[number - 1])]
        demand[p] = engine.demand_at((p + start) * step - offset) / engine.flow_unit / units.flow
    return sources, heads, speeds, demand
