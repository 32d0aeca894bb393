"""What a batch keeps of each run, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hydro.engine import LINK_RESULTS, NODE_RESULTS, Engine
from hydro.library import LibraryName
from hydro.quality import Quality, followed
from networks import Network

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sensors:
    """What a batch keeps of each run.

    Attributes
    ----------
    nodes
        Junctions whose pressure, and tanks whose level, is kept, m.
    links
        Links whose flow is kept, m3/s.
    all
        Everything of every node and link instead.
    """

    nodes: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    all: bool = False


EVERYTHING = Sensors(all=True)


def usual_sensors(network: Network | WaterNetworkModel, library: LibraryName) -> Sensors:
    """Sensors that a network lists; where it lists none, what a plant knows and every pressure.

    That is the pressure of every junction, the level of every tank, and the flow of every pump and of every link at a
    tank or reservoir.
    """
    table = network.sensors if isinstance(network, Network) else None
    if table is not None and len(table):
        of = {
            quantity: tuple(table.loc[table["quantity"] == quantity, "element"])
            for quantity in ("pressure", "level", "flow")
        }
        return Sensors(tuple(dict.fromkeys([*of["pressure"], *of["level"]])), tuple(dict.fromkeys(of["flow"])))
    with Engine(network, library) as engine:
        topology = engine.topology
        nodes = [topology.nodes[k] for k in (*engine.junctions.tolist(), *engine.tanks.tolist())]
        at_source = ~topology.is_junction[topology.start] | ~topology.is_junction[topology.end]
        metered = np.union1d(np.flatnonzero(at_source), engine.pumps)
        return Sensors(tuple(nodes), tuple(topology.links[k] for k in metered.tolist()))


def column_name(quantity: str, unit: str, element: str) -> str:
    """`quantity[unit]:element`; a state has no unit."""
    return f"{quantity}{f'[{unit}]' if unit else ''}:{element}"


def parts_of(column: str) -> tuple[str, str, str]:
    """Quantity, unit and element of a column's name; an element may hold any of the signs itself."""
    head, _, element = column.partition(":")
    quantity, _, unit = head.partition("[")
    return quantity, unit.rstrip("]"), element


class Columns:
    """Which values of a solved moment are kept, in order.

    Attributes
    ----------
    names
        Of all columns.
    n_read
        Number of those that instruments read: all but water quality, which comes last.

    Raises
    ------
    UnknownElement, HydraulicError
        If a sensor is none of the network's, or the model asks for no water quality.
    """

    def __init__(self, engine: Engine, sensors: Sensors, quality: Quality | None = None) -> None:
        self.all = sensors.all
        topology = engine.topology
        self.nodes = topology.nodes if sensors.all else sensors.nodes
        self.links = topology.links if sensors.all else sensors.links
        for name in self.nodes:
            topology.node(name)
        for name in self.links:
            topology.link(name)
        self._reads: list[tuple[str, str, NDArray[np.int64]]] = []
        self._has_quality = quality is not None
        tanks = {topology.nodes[k] for k in engine.tanks.tolist()}
        if sensors.all:
            quantities = [(q, unit, self.nodes) for q, unit in NODE_RESULTS.items()]
            quantities += [(q, unit, self.links) for q, unit in LINK_RESULTS.items()]
            self.names = [column_name(q, unit, name) for q, unit, names in quantities for name in names]
        else:
            self.names = [column_name("level" if n in tanks else "pressure", "m", n) for n in self.nodes]
            self.names += [column_name("flow", "m3/s", n) for n in self.links]
        self.n_read = len(self.names)
        read = [parts_of(name)[0] for name in self.names]
        self.is_level, self.is_flow, self.is_pressure = (
            np.array([quantity == wanted for quantity in read], dtype=np.bool_)
            for wanted in ("level", "flow", "pressure")
        )
        if quality is not None:
            what, unit = followed(engine, quality)
            self.names += [column_name(what, unit, name) for name in self.nodes]
            self.names += [column_name(f"{what}_in_link", unit, name) for name in self.links]

    def bind(self, engine: Engine) -> None:
        """Find the elements; those that a scenario's leaks added have moved some of them."""
        topology = engine.topology
        node = np.array([topology.node_index[name] for name in self.nodes], dtype=np.int64)
        link = np.array([topology.link_index[name] for name in self.links], dtype=np.int64)
        self._reads = [("node", quantity, node) for quantity in (NODE_RESULTS if self.all else ("pressure",))]
        self._reads += [("link", quantity, link) for quantity in (LINK_RESULTS if self.all else ("flow",))]
        if self._has_quality:
            self._reads += [("node", "quality", node), ("link", "quality", link)]
        self._reads = [read for read in self._reads if len(read[2])]

    def read(self, engine: Engine, out: Floats) -> None:
        """Take the solved moment."""
        place = 0
        for kind, quantity, wanted in self._reads:
            out[place : place + len(wanted)] = engine.read(kind, quantity)[wanted]
            place += len(wanted)
