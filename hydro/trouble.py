"""What EPANET's warnings are about: which elements, how far, and what usually causes it.

EPANET gives one code for a whole moment. The elements are found in the solution itself, by the same criteria
(EPANET's source, report.c, writehydwarn).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.codes import WARNINGS
from hydro.opened import OpenNetwork
from hydro.project import Project

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_PUMP, _FIRST_VALVE = 2, 3
_XHEAD, _CLOSED, _XFLOW, _XFCV, _XPRESSURE = 0, 2, 5, 6, 7
_UNBALANCED, _UNSTABLE = 1, 2
_MOST_NAMES = 3
_LOW_M = -1e-3
_ILL = re.compile(r"ill-conditioned at node\s+(\S+)", re.IGNORECASE)
_NEGATIVE = (
    "the pressure is negative",
    "look for demand that the sources cannot lift or pipes that are too thin; pressure-driven demand delivers less",
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of trouble at one moment.

    Attributes
    ----------
    time
        s since the run's beginning.
    code
        EPANET's warning code: 1 unbalanced, 2 unstable, 3 disconnected, 4 pumps, 5 valves, 6 negative pressures.
    elements
        Names of nodes or links, the worst first.
    said
        EPANET's words.
    cause, mend
        What it means and what usually helps.
    value
        The worst element's figure with its unit, or an empty text.
    """

    time: int
    code: int
    elements: tuple[str, ...]
    said: str
    cause: str
    mend: str
    value: str = ""

    def __str__(self) -> str:
        """One line: when, what EPANET says, where, why."""
        hours, minutes = self.time // 3600, self.time % 3600 // 60
        shown = ", ".join(self.elements[:_MOST_NAMES])
        more = len(self.elements) - _MOST_NAMES
        where = f" ({shown}{f' and {more} more' if more > 0 else ''}{f': {self.value}' if self.value else ''})"
        return (
            f"at {hours}:{minutes:02d} h EPANET says '{self.said}'{where if shown else ''}: {self.cause}; {self.mend}"
        )


def find_troubles(network: OpenNetwork, now: int, warning: int) -> list[Trouble]:
    """Find what a warning of the last solved moment is about.

    Parameters
    ----------
    now
        Time of the moment, s.
    warning
        EPANET's code; 0 gives nothing.
    """
    if not warning:
        return []
    found = [*_unsolved(network, warning), *_disconnected(network), *_links(network), *_negative(network)]
    said = network.project.library.describe
    troubles = [Trouble(now, code, names, said(code), *words, value) for code, names, words, value in found]
    if warning not in {t.code for t in troubles}:  # EPANET's criterion is finer than ours: pass on its words
        troubles.append(Trouble(now, warning, (), said(warning), "EPANET does not say where", "run networks check"))
    return troubles


_Found = tuple[int, tuple[str, ...], tuple[str, str], str]


def _names(network: OpenNetwork, kind: str, size: Floats, wanted: Bools) -> tuple[str, ...]:
    names = network.topology.nodes if kind == "node" else network.topology.links
    at = np.flatnonzero(wanted)
    return tuple(names[k] for k in at[np.argsort(-size[at], kind="stable")].tolist())


def _unsolved(network: OpenNetwork, warning: int) -> list[_Found]:
    """Where continuity is worst when the iteration ended without balance."""
    if warning not in (_UNBALANCED, _UNSTABLE):
        return []
    topology, flow = network.topology, network.read("link", "flow")
    excess = -network.read("node", "demand")
    np.add.at(excess, topology.end, flow)
    np.add.at(excess, topology.start, -flow)
    size = np.where(topology.is_junction, np.abs(excess), 0.0)
    names = _names(network, "node", size, size > max(1e-6, 0.1 * float(size.max())))
    words = WARNINGS["not-balanced" if warning == _UNBALANCED else "unstable"]
    return [(warning, names, words, f"{float(size.max()) * 1000.0:.3g} L/s out of balance")]


def _disconnected(network: OpenNetwork) -> list[_Found]:
    """Junctions that want water and to which no open way leads."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    topology, n = network.topology, len(network.topology.nodes)
    is_open = network.read("link", "state") > _CLOSED
    ends = (topology.start[is_open], topology.end[is_open])
    graph = coo_array((np.ones(int(is_open.sum())), ends), shape=(n, n))
    _, part = connected_components(graph, directed=False)
    fed = np.zeros(part.max() + 1, dtype=bool)
    fed[part[~topology.is_junction]] = True
    demand = network.read("node", "demand")
    names = _names(network, "node", demand, topology.is_junction & ~fed[part] & (demand > 0.0))
    return [(3, names, WARNINGS["cut-off"], "")] if names else []


def _links(network: OpenNetwork) -> list[_Found]:
    """Pumps beyond their curve and valves that cannot hold their setting."""
    state, kinds = network.read("link", "state"), network.link_types
    setting = network.read("link", "setting")
    pumps = (kinds == _PUMP) & (setting > 0.0) & np.isin(state, (_XHEAD, _XFLOW))
    valves = (kinds >= _FIRST_VALVE) & np.isin(state, (_XFCV, _XPRESSURE))
    found: list[_Found] = []
    for code, wanted, check in ((4, pumps, "pump-range"), (5, valves, "valve-range")):
        names = _names(network, "link", np.zeros(len(kinds)), wanted)
        if names:
            found.append((code, names, WARNINGS[check], ""))
    return found


def _negative(network: OpenNetwork) -> list[_Found]:
    """Junctions that want water below their ground."""
    pressure, demand = network.read("node", "pressure"), network.read("node", "demand")
    names = _names(
        network, "node", -pressure, network.topology.is_junction & (demand > 0.0) & (pressure < _LOW_M)
    )  # fmt: skip
    if not names:
        return []
    worst = float(pressure[network.topology.node(names[0])])
    return [(6, names, _NEGATIVE, f"{worst:.1f} m")]


def ill_conditioned_node(project: Project) -> str:
    """Node at which EPANET's matrix could not be solved, as its report names it, or an empty text."""
    named = _ILL.findall(project.written())
    return str(named[-1]) if named else ""
