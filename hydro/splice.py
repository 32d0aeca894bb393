"""A junction put into a pipe, or hung onto a node, and taken out again.

EPANET keeps junctions before tanks and reservoirs, so a new junction moves those up by one. Everything here needs a
network without an open run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hydro.errors import HydraulicError
from hydro.opened import OpenNetwork

_LONGEST_NAME = 24  # EPANET's names have 31 characters at most, and the second half of the pipe takes two more
_STUB_M = 1.0


@dataclass(frozen=True, slots=True)
class Splice:
    """What was put in.

    Attributes
    ----------
    node, link
        Names of the new junction and the new pipe.
    cut
        The pipe that was cut, or None for a stub.
    end, length
        Where the pipe ended, and its length, m, before the cut.
    """

    node: str
    link: str
    cut: str | None = None
    end: str = ""
    length: float = 0.0


def leak_name(pipe: str, link: int, number: int = 1) -> str:
    """Name of the junction of a pipe's leak; the pipe's later leaks have a number."""
    word = "leak" if number == 1 else f"leak{number}"
    return f"{word}~{pipe}" if len(word) + len(pipe) <= _LONGEST_NAME + 4 else f"{word}~{pipe[:14]}~{link}"


def cut_pipe(network: OpenNetwork, link: int, position: float, name: str | None = None) -> Splice:
    """Put a junction into a pipe.

    The pipe keeps its first part; the rest is a new pipe of the same diameter and roughness. A check valve and the
    minor losses stay with the first part.

    Parameters
    ----------
    link
        Index of the pipe.
    position
        Share of the pipe's length from its first node, between 0 and 1.
    name
        Of the junction; the second part is called NAME~2.

    Raises
    ------
    HydraulicError
        If the position lies outside the pipe.
    """
    topology, project = network.topology, network.project
    pipe = topology.links[link]
    if not 0.0 < position < 1.0:
        raise HydraulicError(f"pipe '{pipe}': position {position:g} is not between 0 and 1; a leak at an end is one "
                             "of its node")  # fmt: skip
    name = name or leak_name(pipe, link)
    ends = (int(topology.start[link]), int(topology.end[link]))
    last = topology.nodes[ends[1]]
    height = [network.value("node", k, "elevation") for k in ends]
    length = network.value("link", link, "length")
    kept = ["diameter", "roughness"]
    if project.library.has_bulk:  # 2.3, which knows leakage; it counts by length, so both parts keep it
        kept += ["leak_area", "leak_expansion"]
    values = {key: network.value("link", link, key) for key in kept}
    xy = topology.xy[ends[0]] * (1.0 - position) + topology.xy[ends[1]] * position
    project.drop_trace()
    node = project.add_junction(name)
    network.set_value("node", node, "elevation", height[0] * (1.0 - position) + height[1] * position)
    if np.isfinite(xy).all():
        project.set_place(node, *xy.tolist())
    rest = project.add_pipe(f"{name}~2", name, last)
    for key, value in {**values, "length": length * (1.0 - position)}.items():
        network.set_value("link", rest, key, value)
    project.set_ends(link, _moved(ends[0], node), node)
    network.set_value("link", link, "length", length * position)
    project.trace_again()
    network.refresh()
    return Splice(name, f"{name}~2", pipe, last, length)


def hang_stub(network: OpenNetwork, node: int, name: str) -> Splice:
    """Hang a pipe of one metre with a dead end onto a node, wide enough to lose no head."""
    topology, project = network.topology, network.project
    holder = topology.nodes[node]
    elevation = network.value("node", node, "elevation")
    project.drop_trace()
    end = project.add_junction(name)
    network.set_value("node", end, "elevation", elevation)
    if np.isfinite(topology.xy[node]).all():
        project.set_place(end, *topology.xy[node].tolist())
    stub = project.add_pipe(f"{name}~2", holder, name)
    smooth = {0: 140.0, 1: 1e-4, 2: 0.01}[network.headloss_law]
    for key, value in (("length", _STUB_M), ("diameter", 1.0), ("roughness", smooth)):
        network.set_value("link", stub, key, value)
    project.trace_again()
    network.refresh()
    return Splice(name, f"{name}~2")


def take_orifice_exponent(network: OpenNetwork) -> None:
    """Give emitters the exponent of an orifice, 0.5, where none of the model's own would be bent by it.

    Raises
    ------
    HydraulicError
        If the model has emitters of another exponent: EPANET has one for the whole model.
    """
    if abs(network.emitter_exponent - 0.5) <= 1e-9:
        return
    if np.any(network.read("node", "emitter") > 0.0):
        raise HydraulicError(
            "the model has emitters whose exponent is not 0.5; EPANET has one exponent for all: "
            "remove them or give the leak as demand"
        )
    network.set_emitter_exponent(0.5)


def mend(network: OpenNetwork, splice: Splice) -> None:
    """Take out what was put in last: the network is as it was."""
    topology, project = network.topology, network.project
    if splice.cut is not None:
        link = topology.link(splice.cut)
        project.set_ends(link, int(topology.start[link]), topology.node(splice.end))
        network.set_value("link", link, "length", splice.length)
    project.drop_trace()
    project.remove("link", topology.link(splice.link))
    project.remove("node", topology.node(splice.node))
    project.trace_again()
    network.refresh()


def _moved(node: int, added: int) -> int:
    """Index of a node after a junction was added: what stood behind the junctions stands one further."""
    return node + 1 if node >= added else node
