"""What is joined to what: unconnected nodes, islands, closed-off areas, dead ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from networks.check.finding import Hit, counted, shown
from networks.check.limits import Limits
from networks.check.model import Bools, Ints, Model
from networks.check.registry import check


def _parts(model: Model, links: Bools) -> Ints:
    """int64 [n_nodes], number of the connected part of each node when only some links exist."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(model.nodes)
    ends = model.ends[links & model.is_joined]
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n))
    _, labels = connected_components(graph.tocsr(), directed=False)
    return labels.astype(np.int64)


def _degree(model: Model) -> Ints:
    return np.bincount(model.ends[model.is_joined].ravel(), minlength=len(model.nodes))


def _without_source(model: Model, labels: Ints) -> Iterator[Ints]:
    """Nodes of every part that has no reservoir and no tank, largest part first."""
    fed = np.zeros(int(labels.max(initial=-1)) + 1, dtype=bool)
    fed[labels[model.is_source]] = True
    dry = np.flatnonzero(~fed[labels])
    if not len(dry):
        return
    dry = dry[np.argsort(labels[dry], kind="stable")]
    parts = np.split(dry, np.flatnonzero(np.diff(labels[dry])) + 1)
    yield from sorted(parts, key=len, reverse=True)


def _demand(model: Model, nodes: Ints) -> str:
    return shown(float(model.demand[nodes].sum() / model.units.flow), model.units.flow_name)


@check("no-source", "error", "models without reservoir and tank", "add the reservoir or tank that feeds the network")
def no_source(model: Model, limits: Limits) -> Iterator[Hit]:
    """Without a fixed head nothing can be computed."""
    if model.nodes and not model.is_source.any():
        yield Hit("", "the model has no reservoir and no tank")


@check("unconnected", "error", "nodes that no link touches", "join the node to the network, or delete it")
def unconnected(model: Model, limits: Limits) -> Iterator[Hit]:
    """Nodes without links, which EPANET refuses."""
    if not model.links:
        return
    for k in np.flatnonzero((_degree(model) == 0) & ~model.is_double):
        node = model.nodes[k]
        yield Hit(node.label, "no pipe, pump or valve touches it", "", node.section, node.row.line)


@check("island", "error", "parts that no source can reach", "join the part to the network, or give it a source")
def island(model: Model, limits: Limits) -> Iterator[Hit]:
    """Parts without reservoir and tank even when every link is open; single nodes are `unconnected`."""
    if not model.is_source.any():
        return
    for nodes in _without_source(model, _parts(model, np.ones(len(model.links), dtype=bool))):
        if len(nodes) > 1:
            first = model.nodes[nodes[0]]
            size = counted(len(nodes), "node")
            reason = f"{size}, this one first, have no way to a reservoir or tank; demand {_demand(model, nodes)}"
            yield Hit(first.label, reason, size, first.section, first.row.line)


@check("closed-off", "warning", "areas behind closed links", "open a link, or add the control that opens it")
def closed_off(model: Model, limits: Limits) -> Iterator[Hit]:
    """Areas that closed pipes, valves and pumps cut off and no control opens."""
    if not model.is_source.any() or not model.links:
        return
    shut = np.array([s == "closed" for s in model.status], dtype=bool)
    moved = np.array([link.name in model.controlled for link in model.links], dtype=bool)
    shut &= ~moved
    if not shut.any():
        return
    whole = _parts(model, np.ones(len(model.links), dtype=bool))
    fed = set(whole[model.is_source].tolist())
    parts = _parts(model, ~shut)
    gates = _gates(model, parts, shut)
    for nodes in _without_source(model, parts):
        if int(whole[nodes[0]]) not in fed:
            continue  # an island anyway
        around = gates.get(int(parts[nodes[0]]), [])
        names = ", ".join(model.links[g].label for g in around[:3]) + (" and others" if len(around) > 3 else "")
        first = model.nodes[nodes[0]]
        wet = model.demand[nodes].any()
        value = counted(len(nodes), "node")
        reason = f"{value}, this one first, behind closed {names}; demand {_demand(model, nodes)}"
        yield Hit(first.label, reason, value, first.section, first.row.line, severity=None if wet else "note")


def _gates(model: Model, parts: Ints, shut: Bools) -> dict[int, list[int]]:
    """Closed links at the border of each part."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for k in np.flatnonzero(shut & model.is_joined).tolist():
        a, b = parts[model.ends[k]].tolist()
        if a != b:
            found[a].append(k)
            found[b].append(k)
    return found


@check("dead-end", "note", "dead ends with demand", "expected on branches; elsewhere look for a missing link")
def dead_end(model: Model, limits: Limits) -> Iterator[Hit]:
    """Junctions with demand at the end of a single link."""
    for k in np.flatnonzero((_degree(model) == 1) & model.is_junction & (model.demand > 0.0)):
        node = model.nodes[k]
        value = _demand(model, np.array([k]))
        yield Hit(node.label, "one link alone feeds its demand", value, node.section, node.row.line)
