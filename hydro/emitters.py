"""FAVAD leakage as emitters of one exponent, fitted at the pressures of a simulated day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.errors import HydraulicError
from networks import Network
from networks.emitters import Emitters

Floats = NDArray[np.float64]
_DAY_S = 86_400
_EXPONENTS = np.arange(0.50, 1.505, 0.01)  # a fixed orifice to an area that grows with pressure


def fit_emitters(network: Network) -> tuple[Emitters, float]:
    """Find emitters that leak what the network's pipes leak.

    EPANET puts half of a pipe's leakage at each of its ends. The first day is simulated with it in EPANET 2.3; for
    every exponent each junction's coefficient is the one that gives its leakage of the day, and the exponent is the
    one that follows the day's course best (least squares over junctions and time).

    Returns
    -------
    Emitters
        Of those junctions that leak.
    float
        The INP's unit of flow, m3/s, which its emitters are written in.

    Raises
    ------
    HydraulicError
        If nothing leaks, if the model has emitters already, or if EPANET refuses a step.
    """
    with Engine(network) as engine:
        if not engine.leaks:
            raise HydraulicError(f"{network.source}: no pipe leaks, so that there is nothing to put into emitters")
        if np.any(engine.read("node", "emitter") > 0.0):
            raise HydraulicError(
                f"{network.source}: the model has emitters already, and EPANET has one exponent for all; "
                "export its leakage as favad or none"
            )
        engine.duration = _DAY_S
        seconds, pressure, leakage = _day(engine)
        junctions, flow_unit = engine.junctions, engine.flow_unit
        names = [engine.topology.nodes[k] for k in junctions.tolist()]
    leaking = np.flatnonzero((leakage[:, junctions] * seconds[:, None]).sum(axis=0) > 0.0)
    head = np.maximum(pressure[:, junctions[leaking]], 1e-3)
    exponent, coefficient = _best(np.log(head), leakage[:, junctions[leaking]], seconds)
    return Emitters(tuple(names[k] for k in leaking.tolist()), coefficient, exponent), flow_unit


def _day(engine: Engine) -> tuple[Floats, Floats, Floats]:
    """Length of every step, s, with pressure, m, and leakage, m3/s, [step, node]."""
    seconds, pressure, leakage = [], [], []
    engine.start()
    while True:
        engine.solve()
        pressure.append(engine.read("node", "pressure"))
        leakage.append(engine.read("node", "leakage"))
        seconds.append(engine.advance())
        if seconds[-1] <= 0:
            break
    if len(seconds) == 1:  # a model of one moment
        seconds[0] = 1
    return np.array(seconds, dtype=np.float64), np.array(pressure), np.array(leakage)


def _best(log_head: Floats, flow: Floats, seconds: Floats) -> tuple[float, Floats]:
    """The exponent of least squares, and the coefficients that keep every junction's volume."""
    volume = seconds @ flow
    misfit, found = np.inf, (0.5, volume)
    for exponent in _EXPONENTS.round(2).tolist():
        power = np.exp(exponent * log_head)
        coefficient = volume / (seconds @ power)
        error = float(seconds @ ((coefficient * power - flow) ** 2).sum(axis=1))
        if error < misfit:
            misfit, found = error, (exponent, coefficient)
    return found
