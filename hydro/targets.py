"""What the events of a scenario are about: names, found in a network before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.errors import ScenarioError
from hydro.library import LibraryName
from hydro.scenario import Closure, Event, FireFlow, Leak, PowerCut, PumpTrip, Scenario, Setting, Surge
from networks import Network, UnknownElement

Ints = NDArray[np.int64]
_BLOCK = "dma:"


def check_targets(engine: Engine, scenario: Scenario, network: object = None) -> None:
    """Refuse names that the network does not have.

    Parameters
    ----------
    network
        Where blocks are named (`dma:NAME`), the `networks.Network` that knows their junctions.

    Raises
    ------
    UnknownElement, ScenarioError
        For the first of them.
    """
    for event in scenario.events:
        if isinstance(event, Leak):
            if event.pipe:
                engine.pipe(event.pipe)
            else:
                _junction(engine, event, event.junction)
        elif isinstance(event, (Surge, FireFlow)):
            junctions_of(engine, event, network)
        else:
            for link in links_of(engine, event):
                engine.topology.link(link)


def check_scenarios(network: Network, scenarios: Iterable[Scenario], where: str, library: LibraryName = "2.3") -> int:
    """Refuse scenarios that name what the network does not have; return how many scenarios there are.

    Parameters
    ----------
    where
        The scenarios' file, for the error.

    Raises
    ------
    ScenarioError
        With the first of them, by name.
    """
    count = 0
    with Engine(network, library) as engine:
        for scenario in scenarios:
            try:
                check_targets(engine, scenario, network)
            except (UnknownElement, ScenarioError) as error:
                raise ScenarioError(f"{where}: scenario '{scenario.name}': {error}") from error
            count += 1
    return count


def links_of(engine: Engine, event: Event) -> tuple[str, ...]:
    """Links that an event holds shut or at a setting.

    Raises
    ------
    ScenarioError
        If a pump is none.
    """
    if isinstance(event, (Closure, Setting)):
        return (event.link,)
    pumps = tuple(engine.topology.links[k] for k in engine.pumps.tolist())
    named = (event.pump,) if isinstance(event, PumpTrip) else event.pumps if isinstance(event, PowerCut) else ()
    for name in named:
        if name not in pumps:
            raise ScenarioError(f"{event.kind()}: the network has no pump '{name}'")
    return named or pumps


def junctions_of(engine: Engine, event: Surge | FireFlow, network: object) -> Ints:
    """Places in `engine.junctions` of the junctions whose demand an event changes.

    Raises
    ------
    UnknownElement, ScenarioError
        If the network has no such node or block, or the node is no junction.
    """
    names = (event.junction,) if isinstance(event, FireFlow) else event.junctions
    if not names:
        return np.arange(len(engine.junctions))
    found: list[int] = []
    for name in names:
        nodes = [_junction(engine, event, junction) for junction in junctions_of_block(name, network)]
        found += [int(np.searchsorted(engine.junctions, node)) for node in nodes]
    return np.array(found, dtype=np.int64)


def _junction(engine: Engine, event: Event, name: str) -> int:
    node = engine.topology.node(name)
    if not engine.topology.is_junction[node]:
        raise ScenarioError(f"{event.kind()}: '{name}' is no junction")
    return node


def junctions_of_block(name: str, network: object) -> list[str]:
    """Junctions of a block `dma:NAME`; any other name stands for itself.

    Raises
    ------
    ScenarioError
        If the network knows no such block.
    """
    if not name.startswith(_BLOCK):
        return [name]
    block = name[len(_BLOCK) :]
    nodes = network.nodes if isinstance(network, Network) else None
    if nodes is None:
        raise ScenarioError(f"surge: the network has no table of blocks, so '{name}' means nothing")
    names = nodes.loc[nodes["dma"] == block, "node"]
    if not len(names):
        raise ScenarioError(f"surge: the network has no block '{block}'")
    return [str(junction) for junction in names]
