"""New pressure-reducing valves in a network, and the whole model with a plan's set-points as a file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from networks import Network, load

WIDE_OPEN_M = 200.0


@dataclass(frozen=True, slots=True)
class NewValve:
    """A valve to be built into a pipe, at the end that lies in its zone.

    Attributes
    ----------
    name
        Of the valve; its chamber is `name` + "-IN".
    pipe
        That it is built into.
    is_forward
        Whether the zone is at the pipe's second node.
    """

    name: str
    pipe: str
    is_forward: bool


def with_valves(network: Network, valves: Sequence[NewValve], closed: Collection[str] = ()) -> Network:
    """The network with these valves, wide open, and some pipes shut for good."""
    changed = load(network.source, network.crs, network.folder)
    model = changed.model
    for valve in valves:
        link = model.get_link(valve.pipe)
        behind = link.end_node if valve.is_forward else link.start_node
        chamber = f"{valve.name}-IN"
        model.add_junction(chamber, elevation=behind.elevation, coordinates=behind.coordinates)
        node = model.get_node(chamber)
        if valve.is_forward:
            link.end_node = node
        else:
            link.start_node = node
        model.add_valve(
            valve.name, chamber, behind.name, diameter=link.diameter, valve_type="PRV", initial_setting=WIDE_OPEN_M,
            initial_status="ACTIVE",
        )  # fmt: skip
    for name in closed:
        model.get_link(name).initial_status = "CLOSED"
    return changed
