"""The calibrated model as an INP: roughness of pipes, demand of junctions, patterns of zones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydro.calibrated import Calibrated
from hydro.engine import Engine
from hydro.headloss import CHEZY_MANNING, HAZEN_WILLIAMS, friction
from networks import Network
from networks.adjust import Adjustments, PatternClock, adjusted
from networks.export import inp_bytes, model_bytes
from networks.inp.document import Document

Floats = NDArray[np.float64]

_HAZEN_WILLIAMS_POWER = 1.852
_ROUGHEST, _SMOOTHEST = 0.5, 1e-7  # of the diameter, and m: what Darcy-Weisbach's roughness is sought between
_HALVINGS = 60


def retuned(calibrated: Calibrated) -> bytes:
    """The INP of a calibrated model; everything that was not calibrated stands as it stood.

    Offsets of sensors and withdrawals have no place in an INP: the report holds them.

    Raises
    ------
    ValueError
        If a pattern's period divides neither a day nor a week.
    """
    with Engine(calibrated.network) as engine:
        topology = engine.topology
        pipes = [topology.links[k] for k in topology.pipes.tolist()]
        junctions = [topology.nodes[k] for k in engine.junctions.tolist()]
        roughness = _roughness(engine, calibrated.resistance)
        project = engine.project
        clock = PatternClock(project.time("pattern_step"), project.time("pattern_start"), engine.clock_start)
    layout = calibrated.layout
    zones = [layout.zones.names[k] for k in layout.zones.of.tolist()]
    changes = Adjustments(
        closed=frozenset(name for name, is_closed in calibrated.closed.items() if is_closed),
        opened=frozenset(name for name, is_closed in calibrated.closed.items() if not is_closed),
        roughness=dict(zip(pipes, roughness.tolist(), strict=True)),
        share=dict(zip(junctions, calibrated.demand.tolist(), strict=True)),
        zone=dict(zip(junctions, zones, strict=True)),
        hours={name: _Hours(calibrated, k) for k, name in enumerate(layout.zones.names)},
        has_weekend=layout.hours.has_weekend,
    )
    network = calibrated.network
    before = inp_bytes(network) if isinstance(network, Network) else model_bytes(network)
    after = adjusted(Document.of(before), clock, changes)
    return after.replace(b"\n", b"\r\n") if b"\r\n" in before else after


class _Hours:
    """Factor of a zone at a second of the model's week."""

    def __init__(self, calibrated: Calibrated, zone: int) -> None:
        self._factor, self._hours, self._phase = calibrated.hours[:, zone], calibrated.layout.hours, calibrated.phase

    def __call__(self, second: float) -> float:
        day = (int(second // 86_400) - self._phase) % 7
        hour = int(second % 86_400 // 3600)
        number = self._hours.number(np.array([day]), np.array([hour]))
        return float(self._factor[number[0]])


def _roughness(engine: Engine, factor: Floats) -> Floats:
    """Roughness that gives so many times the friction, in the INP's unit, float64 [n_pipes]."""
    pipes = engine.topology.pipes
    before = engine.read("link", "roughness")[pipes]
    if engine.headloss_law == HAZEN_WILLIAMS:
        return np.asarray(before * factor ** (-1.0 / _HAZEN_WILLIAMS_POWER))
    if engine.headloss_law == CHEZY_MANNING:
        return np.asarray(before * np.sqrt(factor))
    return _darcy_weisbach(engine, before, factor)


def _darcy_weisbach(engine: Engine, before: Floats, factor: Floats) -> Floats:
    """The same where friction also depends on the flow: at the first moment's flow, by halving the interval.

    Swamee and Jain's friction has a least value, at no roughness: a pipe that should be smoother gets that.
    """
    pipes = engine.topology.pipes
    engine.start()
    engine.solve()
    flow = np.maximum(np.abs(engine.read("link", "flow")[pipes]), 1e-6)
    length, diameter = engine.topology.length[pipes], engine.read("link", "diameter")[pipes]
    nothing = np.zeros(len(pipes))

    def loss(roughness: Floats) -> Floats:
        return friction(flow, length, diameter, roughness, nothing, engine.headloss_law)[0]

    wanted = loss(engine.roughness_si(before)) * factor
    low, high = np.full(len(pipes), np.log(_SMOOTHEST)), np.log(_ROUGHEST * diameter)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        is_too_rough = loss(np.exp(middle)) > wanted
        high, low = np.where(is_too_rough, middle, high), np.where(is_too_rough, low, middle)
    unit = float(engine.roughness_si(np.ones(1))[0])
    # laminar friction knows no roughness: such a pipe keeps its own
    turbulent = loss(np.exp(np.log(_ROUGHEST * diameter))) > loss(np.full(len(pipes), _SMOOTHEST)) * (1.0 + 1e-9)
    return np.where(turbulent, np.exp((low + high) / 2.0) / unit, before)
