"""A junction put into a pipe, or hung onto a node, and taken out again.

EPANET keeps junctions before tanks and reservoirs, so a new junction moves those up by one. Everything here needs a
network without an open run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.errors import HydraulicError
from hydro.opened import OpenNetwork, Structure
from networks import Topology

Floats = NDArray[np.float64]

_LONGEST_NAME = 24  # EPANET's names have 31 characters at most, and the second half of the pipe takes two more
_STUB_M = 1.0
_JUNCTION, _PIPE = 0, 1


@dataclass(frozen=True, slots=True)
class Splice:
    """What was put in.

    Attributes
    ----------
    node, link
        Names of the new junction and the new pipe.
    before
        Structure of the network without it.
    cut
        The pipe that was cut, or None for a stub.
    length
        Of that pipe before the cut, m.
    """

    node: str
    link: str
    before: Structure
    cut: int | None = None
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
    height = [network.value("node", k, "elevation") for k in ends]
    length = network.value("link", link, "length")
    kept = ["diameter", "roughness", "bulk_decay", "wall_decay"]
    if project.library.has_bulk:  # 2.3, which knows leakage; it counts by length, so both parts keep it
        kept += ["leak_area", "leak_expansion"]
    values = {key: network.value("link", link, key) for key in kept}
    xy = topology.xy[ends[0]] * (1.0 - position) + topology.xy[ends[1]] * position
    before = network.structure
    project.drop_trace()
    node = project.add_junction(name)
    network.set_value("node", node, "elevation", height[0] * (1.0 - position) + height[1] * position)
    if np.isfinite(xy).all():
        project.set_place(node, *xy.tolist())
    rest = project.add_pipe(f"{name}~2", name, topology.nodes[ends[1]])
    for key, value in {**values, "length": length * (1.0 - position)}.items():
        network.set_value("link", rest, key, value)
    project.set_ends(link, _moved(ends[0], node), node)
    network.set_value("link", link, "length", length * position)
    project.trace_again()
    grown = _grown(before, name, xy, f"{name}~2", (node, _moved(ends[1], node)), length * (1.0 - position))
    grown[0].end[link], grown[0].length[link] = node, length * position
    network.take_structure(grown)
    return Splice(name, f"{name}~2", before, link, length)


def hang_stub(network: OpenNetwork, node: int, name: str) -> Splice:
    """Hang a pipe of one metre with a dead end onto a node, wide enough to lose no head."""
    topology, project = network.topology, network.project
    elevation = network.value("node", node, "elevation")
    before, xy = network.structure, topology.xy[node]
    project.drop_trace()
    end = project.add_junction(name)
    network.set_value("node", end, "elevation", elevation)
    if np.isfinite(xy).all():
        project.set_place(end, *xy.tolist())
    stub = project.add_pipe(f"{name}~2", topology.nodes[node], name)
    smooth = {0: 140.0, 1: 1e-4, 2: 0.01}[network.headloss_law]
    for key, value in (("length", _STUB_M), ("diameter", 1.0), ("roughness", smooth)):
        network.set_value("link", stub, key, value)
    project.trace_again()
    network.take_structure(_grown(before, name, xy, f"{name}~2", (_moved(node, end), end), _STUB_M))
    return Splice(name, f"{name}~2", before)


def _grown(
    before: Structure, node: str, xy: Floats, pipe: str, ends: tuple[int, int], length: float
) -> Structure:  # fmt: skip
    """The structure with one more junction, after the last, and one more pipe, at the end."""
    topology, node_types, link_types = before
    place = int(topology.is_junction.sum())
    return (
        Topology(
            nodes=(*topology.nodes[:place], node, *topology.nodes[place:]),
            links=(*topology.links, pipe),
            start=np.append(topology.start + (topology.start >= place), ends[0]),
            end=np.append(topology.end + (topology.end >= place), ends[1]),
            length=np.append(topology.length, length),
            is_pipe=np.append(topology.is_pipe, True),
            is_junction=np.insert(topology.is_junction, place, True),
            xy=np.insert(topology.xy, place, xy, axis=0),
        ),
        np.insert(node_types, place, _JUNCTION),
        np.append(link_types, _PIPE),
    )


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
    node = topology.node(splice.node)
    if splice.cut is not None:
        last = int(splice.before[0].end[splice.cut])
        project.set_ends(splice.cut, int(topology.start[splice.cut]), _moved(last, node))
        network.set_value("link", splice.cut, "length", splice.length)
    project.drop_trace()
    project.remove("link", topology.link(splice.link))
    project.remove("node", node)
    project.trace_again()
    network.take_structure(splice.before)


def _moved(node: int, added: int) -> int:
    """Index of a node after a junction was added: what stood behind the junctions stands one further."""
    return node + 1 if node >= added else node
