"""What a leak at each node, or a rougher pipe, does to the instruments: implicit derivatives at one solved state."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.linearised import Linearised

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_KNOWN: WeakKeyDictionary[Engine, Linearised] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Derivatives:
    """Derivatives of instruments at one state.

    Attributes
    ----------
    by_demand
        float64 [n_nodes, n_instruments], m per m3/s for pressures and m3/s per m3/s for flows.
    by_resistance
        float64 [n_links, n_instruments], by the natural logarithm of a pipe's resistance; 0 for pumps and valves.
    """

    by_demand: Floats
    by_resistance: Floats


def derivatives(engine: Engine, nodes: Ints, links: Ints) -> Derivatives:
    """Differentiate the state that the engine has just solved.

    Parameters
    ----------
    engine
        After `solve`.
    nodes
        int64 [k], nodes whose pressure is measured.
    links
        int64 [m], links whose flow is measured.

    Returns
    -------
    Derivatives
        Instruments in the order nodes, links. A demand is an outflow that does not follow the pressure, such as a
        small leak; a resistance is a factor on the friction loss, such as a longer pipe's.
    """
    linearised = of_engine(engine)
    adjoint = linearised.adjoint(nodes, links)
    by_resistance = linearised.by_resistance(adjoint, links, len(nodes))
    return Derivatives(-adjoint.T, by_resistance.T)


def of_engine(engine: Engine) -> Linearised:
    """The engine's linearised equations at the state it has just solved; what they are made of is read again."""
    found = _KNOWN.get(engine)
    if found is None or found.topology is not engine.topology:
        found = _KNOWN[engine] = Linearised(engine)
    else:
        found.read_constants(engine)
    found.update(engine)
    return found
