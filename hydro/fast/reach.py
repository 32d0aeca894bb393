"""Which nodes closed links cut off from every source: a head there means nothing."""

from __future__ import annotations

from typing import Any

from numba import njit

from hydro.fast.devices import PRV, holds
from hydro.fast.sites import AT_NODE, MID_PIPE

CLOSED_CONDUCTANCE = 1e-7  # above that of a closed link
_OPEN_STATUS = 2
_FACTOR = 31


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def find_reached(
    size: int, links: Any, devices: Any, conductance: Any, status: Any, setting: Any, scenario: Any, resistance: Any,
    outlets: Any, outlet_size: Any, lane: int, reach: Any,
) -> None:  # fmt: skip
    """Mark the nodes that open links join to where a head is given: a source, a held node, an outlet under pressure.

    Parameters
    ----------
    reach
        `tables.Reach`; nothing is done where its lane was last filled at the same statuses.
    """
    signature = _signature(devices, links.kind, links.n_plain, status, setting, scenario, resistance, lane)
    if reach.signature[lane] == signature:
        return
    reach.signature[lane] = signature
    parent, known = reach.parent, len(reach.parent) - 1
    _give(size, links, devices, status, setting, scenario, resistance, outlets, outlet_size, lane, parent)
    for k in range(len(links.start)):
        if k >= links.n_plain and status[k - links.n_plain, lane] <= _OPEN_STATUS:
            continue
        if conductance[k, lane] > CLOSED_CONDUCTANCE:
            _join(parent, links.start[k], links.end[k])
    for s in range(scenario.n_sites[lane]):  # whose conductance was taken out of the common update
        if scenario.kind[s, lane] == MID_PIPE:
            where = scenario.where[s, lane]
            _join(parent, links.start[where], links.end[where])
            if resistance[s, lane] > 0.0:
                _join(parent, links.start[where], known)
    for i in range(known):
        reach.reached[i, lane] = 1 if _top(parent, i) == known else 0


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _give(
    size: int, links: Any, devices: Any, status: Any, setting: Any, scenario: Any, resistance: Any, outlets: Any,
    outlet_size: Any, lane: int, parent: Any,
) -> None:  # fmt: skip
    """Put each node where a head is given under the last entry, and every other under itself."""
    known = len(parent) - 1
    for i in range(len(parent)):
        parent[i] = i if i < size else known
    for o in range(len(outlets)):
        if outlet_size[o, lane] > 0.0:
            parent[outlets[o]] = known
    for s in range(scenario.n_sites[lane]):
        if scenario.kind[s, lane] == AT_NODE and resistance[s, lane] > 0.0:
            parent[scenario.where[s, lane]] = known
    for d in range(len(devices.status)):
        k = links.n_plain + d
        if holds(links.kind[k], status[d, lane], setting[d, lane]):
            parent[links.end[k] if links.kind[k] == PRV else links.start[k]] = known


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _signature(
    devices: Any, kind: Any, n_plain: int, status: Any, setting: Any, scenario: Any, resistance: Any, lane: int
) -> Any:
    """A number that changes when a status does."""
    number = 1
    for d in range(len(devices.status)):
        is_holding = holds(kind[n_plain + d], status[d, lane], setting[d, lane])
        number = number * _FACTOR + (2 if is_holding else (1 if status[d, lane] > _OPEN_STATUS else 0))
    for s in range(scenario.n_sites[lane]):
        number = number * _FACTOR + (1 if resistance[s, lane] > 0.0 else 0)
    return number


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _top(parent: Any, node: int) -> Any:
    """Head of the set that a node belongs to; the greatest number of all stays on top."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _join(parent: Any, a: int, b: int) -> None:
    a, b = _top(parent, a), _top(parent, b)
    if a < b:
        parent[a] = b
    elif b < a:
        parent[b] = a
