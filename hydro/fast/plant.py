"""A model laid out for the kernels: nodes in the order of elimination, plain pipes before devices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.fast.model import FCV, MISSING, PIPE, PRV, PSV, PUMP, Model, Tanks
from hydro.fast.outlets import DEMAND, EMITTER, FIXED_AREA, GROWING_AREA
from hydro.fast.powers import logarithm_table, power_table
from hydro.fast.symbolic import Pattern, analyse
from hydro.fast.tables import Clock, Devices, Draws, Links, Plant, Structure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_EXPONENT = (1.852, 2.0, 2.0)
_ORIFICE = 4.8149766e-6  # EPANET's 0.6 sqrt(2 g), with mm2 in m2
_FOOT = 0.3048
_HUNDRED = 100.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things of the model are in the kernels' arrays.

    Attributes
    ----------
    node, link
        int64, row of each node and number of each link of the model.
    pipe_leak
        float64 [n_links, 2] of the model: `pipe_leakage`.
    """

    node: Ints
    link: Ints
    pipe_leak: Floats


def lay_out(model: Model, duration: int) -> tuple[Plant, Layout, Floats]:
    """Arrange a model for runs of a duration.

    Returns
    -------
    Plant
    Layout
    float64 [n_outlets], the outlets' coefficients.
    """
    n, n_nodes = model.n_junctions, len(model.elevation)
    free = (model.start < n) & (model.end < n)
    pattern = analyse(n, np.stack((model.start[free], model.end[free]), axis=1))
    row = np.concatenate((pattern.place, np.arange(n, n_nodes)))
    order = _link_order(model)
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    structure = Structure(n, n_nodes, pattern.first, pattern.rows, pattern.target)
    links = _links(model, order, row, pattern)
    tanks = model.tanks._replace(node=row[model.tanks.node])
    controls = model.controls
    node = np.where(controls.node >= 0, row[controls.node], -1)
    controls = controls._replace(link=number[controls.link], node=node)
    pipe_leak = pipe_leakage(model)
    draws, coefficient = _draws(model, row, pipe_leak)
    devices = _devices(model, order, links, tanks, draws)
    clock = Clock(
        duration, model.hydraulic_step, model.report_step, model.pattern_step, model.pattern_start, model.clock_start,
        np.ascontiguousarray(model.demand[:, pattern.order]), row[model.source], model.source_head,
        np.ascontiguousarray(model.speed[:, order[links.n_plain :]]),
    )  # fmt: skip
    plant = Plant(structure, links, devices, draws, tanks, controls, model.curves, clock)
    return plant, Layout(row, number, pipe_leak), coefficient


def _link_order(model: Model) -> Ints:
    """Plain pipes without minor loss, plain pipes with it, devices."""
    tanks = np.zeros(len(model.elevation), dtype=bool)
    tanks[model.tanks.node] = True
    plain = (model.kind == PIPE) & (model.status > 2) & ~tanks[model.start] & ~tanks[model.end]
    plain[model.controls.link] = False
    group = np.where(~plain, 2, np.where(model.minor > 0.0, 1, 0))
    return np.argsort(group, kind="stable").astype(np.int64)


def _resistance(model: Model) -> Floats:
    """Of pipes, as hydcoeffs.c's `resistcoeff`; 0 of others."""
    pipe = model.kind <= PIPE
    length, diameter = np.where(pipe, model.length, 0.0), np.where(pipe, model.diameter, 1.0)
    roughness = np.where(pipe, model.roughness, 1.0)
    if model.law == 0:
        return 4.727 * length / roughness**1.852 / diameter**4.871
    if model.law == 1:
        return length / 2.0 / 32.2 / diameter / (np.pi * diameter**2 / 4.0) ** 2
    return (4.0 * roughness / (1.49 * np.pi * diameter**2)) ** 2 * (diameter / 4.0) ** -1.333 * length


def _links(model: Model, order: Ints, row: Ints, pattern: Pattern) -> Links:
    n = model.n_junctions
    start, end = model.start[order], model.end[order]
    slot = np.full(len(order), len(pattern.rows), dtype=np.int64)
    for k in np.flatnonzero((start < n) & (end < n) & (start != end)).tolist():
        slot[k] = pattern.entry(int(start[k]), int(end[k]))
    kind, minor = model.kind[order], model.minor[order]
    resistance, exponent = _resistance(model)[order], _EXPONENT[model.law]
    tanks = np.isin(np.arange(len(row)), model.tanks.node)
    plain = (kind == PIPE) & (model.status[order] > 2) & ~tanks[start] & ~tanks[end]
    plain &= ~np.isin(order, model.controls.link)
    diameter = np.where(model.diameter[order] > 0.0, model.diameter[order], 1.0)
    with np.errstate(divide="ignore"):
        conductance = np.where(plain, 1.0 / (exponent * resistance), 0.0)
    return Links(
        n_plain=int(plain.sum()),
        n_smooth=int((plain & (minor <= 0.0)).sum()),
        start=row[start],
        end=row[end],
        slot=slot,
        kind=kind,
        resistance=resistance,
        minor=minor,
        exponent=exponent,
        rough=model.roughness[order] / diameter,
        viscous=model.viscosity * diameter,
        conductance=conductance,
        power=power_table(-0.9 if model.law == 1 else 1.0 - exponent),
        logarithm=logarithm_table(),
        law=model.law,
    )


def _devices(model: Model, order: Ints, links: Links, tanks: Tanks, draws: Draws) -> Devices:
    chosen = order[links.n_plain :]
    pump = np.zeros((len(chosen), 6))
    curve = np.full(len(chosen), -1, dtype=np.int64)
    for d, link in enumerate(chosen.tolist()):
        if model.kind[link] == PUMP:
            p = model.pumps[link]
            pump[d] = p.kind, p.shutoff, p.resistance, p.exponent, p.highest, p.first_flow
            curve[d] = p.curve
        curve[d] = model.valve_curve.get(link, int(curve[d]))
    tank_of = np.full(len(model.elevation), -1, dtype=np.int64)
    tank_of[model.tanks.node] = np.arange(len(model.tanks.node))
    setting = model.setting[chosen]
    holding = np.isin(model.kind[chosen], (PRV, PSV, FCV)) & (setting != MISSING)
    first, beside, sign, outlet_first, outlet = _surroundings(model, links, draws)
    return Devices(
        status=np.where(holding, 4, model.status[chosen]),
        setting=setting,
        pump=pump,
        curve=curve,
        diameter=model.diameter[chosen],
        elevation=np.stack((model.elevation[model.start[chosen]], model.elevation[model.end[chosen]]), axis=1),
        tank=np.stack((tank_of[model.start[chosen]], tank_of[model.end[chosen]]), axis=1),
        beside_first=first,
        beside=beside,
        beside_sign=sign,
        outlet_first=outlet_first,
        outlet=outlet,
        flow_unit=model.units.flow,
        head_unit=model.units.head,
    )


def _surroundings(model: Model, links: Links, draws: Draws) -> tuple[Ints, Ints, Floats, Ints, Ints]:
    """Links and outlets at the node that each PRV or PSV may hold."""
    first, beside, sign, outlet_first, outlet = [0], [], [], [0], []
    for k in range(links.n_plain, len(links.kind)):
        if links.kind[k] in (PRV, PSV):
            held = links.end[k] if links.kind[k] == PRV else links.start[k]
            for other in np.flatnonzero((links.start == held) | (links.end == held)).tolist():
                if other != k:
                    beside.append(other)
                    sign.append(1.0 if links.start[other] == held else -1.0)
            outlet += np.flatnonzero(draws.row == held).tolist()
        first.append(len(beside))
        outlet_first.append(len(outlet))
    whole = [np.array(values, dtype=np.int64) for values in (first, beside, outlet_first, outlet)]
    return whole[0], whole[1], np.array(sign, dtype=np.float64), whole[2], whole[3]


def pipe_leakage(model: Model) -> Floats:
    """Discharge of half of each pipe's leaks, float64 [n_links, 2]: of fixed area and of growing area, ft and ft3/s.

    Source: leakage.c. A pipe between two fixed heads does not leak; one with a single junction leaks there alone.
    """
    n = model.n_junctions
    junctions = (model.start < n).astype(float) + (model.end < n)
    share = np.where((model.kind <= PIPE) & (junctions > 0), model.length / _HUNDRED, 0.0)
    share = np.where(junctions == 2, 0.5 * share, share)
    fixed, growing = _ORIFICE * model.leak_area / _FOOT**2, _ORIFICE * model.leak_expansion / _FOOT
    return np.stack((fixed * share, growing * share), axis=1)


def leak_coefficient(discharge: Floats, kind: Ints) -> Floats:
    """Head-loss coefficient of leakage, 0 where nothing leaks."""
    power = np.where(kind == FIXED_AREA, -2.0, -2.0 / 3.0)
    return np.where(discharge > 0.0, np.where(discharge > 0.0, discharge, 1.0) ** power, 0.0)


def _draws(model: Model, row: Ints, per_pipe: Floats) -> tuple[Draws, Floats]:
    n = model.n_junctions
    at_node = np.zeros((len(model.elevation), 2))
    np.add.at(at_node, model.start, per_pipe)
    np.add.at(at_node, model.end, per_pipe)
    emitting = np.flatnonzero(model.emitter > 0.0)
    node, kind, exponent = [emitting], [np.full(len(emitting), EMITTER)], [1.0 / model.emitter_exponent]
    coefficient = [model.emitter[emitting]]
    counts = [len(emitting)]
    for j, code, power in ((0, FIXED_AREA, 2.0), (1, GROWING_AREA, 2.0 / 3.0)):
        leaking = np.flatnonzero(at_node[:n, j] > 0.0)
        node.append(leaking)
        kind.append(np.full(len(leaking), code))
        coefficient.append(leak_coefficient(at_node[leaking, j], kind[-1]))
        exponent.append(power)
        counts.append(len(leaking))
    required, base = 0.0, 0.0
    if model.pressures is not None:
        least, most, power = model.pressures
        required, base = max(most - least, 0.1), least
        wanting = np.flatnonzero((model.demand > 0.0).any(axis=0))
        node.append(wanting)
        kind.append(np.full(len(wanting), DEMAND))
        coefficient.append(np.zeros(len(wanting)))
        exponent.append(1.0 / power)
        counts.append(len(wanting))
    nodes, kinds = np.concatenate(node).astype(np.int64), np.concatenate(kind).astype(np.int64)
    exponents = np.repeat(exponent, counts)
    tables = {power: power_table(power - 1.0) for power in set(exponent)}
    table = np.array([tables[power] for power in exponents.tolist()]).reshape(len(nodes), 23)
    draws = Draws(
        row=row[nodes],
        kind=kinds,
        exponent=exponents,
        base=model.elevation[nodes] + np.where(kinds == DEMAND, base, 0.0),
        barrier=np.where((kinds == EMITTER) & model.emitter_backflow, 0, 1).astype(np.int64),
        table=table,
        required=required,
    )
    return draws, np.concatenate(coefficient)
