"""The drawing: coordinates, pipes that cross, elevations that jump."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from networks.check.crossings import crossings
from networks.check.finding import Hit, shown
from networks.check.limits import Limits
from networks.check.model import Floats, Ints, Model
from networks.check.registry import check
from networks.check.units import number


@check("coordinates", "note", "nodes that are not drawn", "add the node to [COORDINATES]")
def coordinates(model: Model, limits: Limits) -> Iterator[Hit]:
    """Nodes without coordinates; said once where none has any."""
    missing = np.flatnonzero(np.isnan(model.xy[:, 0]) & ~model.is_double)
    if len(missing) and len(missing) == len(model.nodes):
        yield Hit("", "no node has coordinates: no map, no distances, no GIS export", section="COORDINATES")
        return
    for k in missing:
        node = model.nodes[k]
        yield Hit(node.label, "has no coordinates", "", node.section, node.row.line)


@check("same-place", "note", "nodes drawn upon each other", "join them if they are one node, else move one")
def same_place(model: Model, limits: Limits) -> Iterator[Hit]:
    """Nodes of the same coordinates that no pump or valve joins (stations are often drawn so)."""
    places: defaultdict[tuple[float, float], list[int]] = defaultdict(list)
    for k in np.flatnonzero(~np.isnan(model.xy[:, 0])):
        places[float(model.xy[k, 0]), float(model.xy[k, 1])].append(int(k))
    shared = [group for group in places.values() if len(group) > 1]
    if not shared:
        return
    joined = {tuple(sorted(pair)) for pair in model.ends[model.is_joined].tolist()}
    for group in shared:
        for earlier, later in itertools.pairwise(group):
            if (earlier, later) not in joined:
                node = model.nodes[later]
                reason = f"is drawn where {model.nodes[earlier].label} is, and no link joins them"
                yield Hit(node.label, reason, "", node.section, node.row.line)


def _segments(model: Model) -> tuple[Floats, Ints]:
    """float64 [n_segments, 4], both ends of every straight piece of a pipe, and int64 [n_segments], its pipe."""
    bends: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    for row in model.text.rows("VERTICES"):
        k = model.link_index.get(row.words[0])
        pair = [number(w) for w in row.words[1:3]]
        if k is not None and len(pair) == 2 and pair[0] is not None and pair[1] is not None:
            bends[k].append((pair[0], pair[1]))
    pieces: list[tuple[float, float, float, float]] = []
    owners: list[int] = []
    xy = model.xy.tolist()
    for k in np.flatnonzero(model.is_pipe & model.is_joined).tolist():
        start, end = model.ends[k]
        way = [tuple(xy[start]), *bends.get(k, ()), tuple(xy[end])]
        for a, b in itertools.pairwise(way):
            pieces.append((*a, *b))
            owners.append(k)
    table = np.array(pieces, dtype=float).reshape(-1, 4)
    # the enormous are another check's business, and would overflow here
    drawn = (np.abs(table) < 1e12).all(axis=1)
    return table[drawn], np.array(owners, dtype=np.int64)[drawn]


@check("crossing", "note", "pipes that cross without a junction", "add a junction if they meet; an overpass is fine")
def crossing(model: Model, limits: Limits) -> Iterator[Hit]:
    """Pipes that cross in the drawing and share no node; said once where the drawing is schematic."""
    pieces, owners = _segments(model)
    pairs, is_whole = crossings(pieces, owners, model.ends)
    if not is_whole:
        yield Hit("", "the drawing is too dense to look for crossing pipes")
    if len(pairs) > max(limits.crossing_count, limits.crossing_share * int(model.is_pipe.sum())):
        a, b = (model.links[k] for k in pairs[0])
        reason = f"pipes cross in {len(pairs)} places, {a.label} and {b.label} first: a schematic drawing?"
        yield Hit("", reason, str(len(pairs)), "COORDINATES")
        return
    for first, second in pairs.tolist():
        pipe = model.links[first]
        yield Hit(pipe.label, f"crosses {model.links[second].label}", "", "PIPES", pipe.row.line)


@check("elevation", "warning", "elevations that jump", "compare with the terrain; look for feet, zeros, lost digits")
def elevation(model: Model, limits: Limits) -> Iterator[Hit]:
    """Junctions far above or below all their neighbours, or off any ground; missing elevations."""
    z = model.elevation
    unit, factor = model.units.length_name, model.units.length
    low, high = limits.elevation_m
    for k in np.flatnonzero((z < low) | ((z > high) & (z < limits.enormous))):
        node = model.nodes[k]
        reason = f"the elevation is outside {low:g} to {high:g} m"
        yield Hit(node.label, reason, shown(float(z[k]) / factor, unit), node.section, node.row.line)
    for place, jump in _jumps(model, limits):
        node, k = model.nodes[place], np.intp(place)
        zero = " (0 is what missing elevations are given)" if z[k] == 0.0 else ""
        reason = f"lies {shown(abs(jump) / factor, unit)} {'above' if jump > 0 else 'below'} every neighbour{zero}"
        yield Hit(node.label, reason, shown(float(z[k]) / factor, unit), node.section, node.row.line)


def _jumps(model: Model, limits: Limits) -> Iterator[tuple[int, float]]:
    """Junctions and their height over the nearest of all neighbours, where that is more than terrain allows, m."""
    z, n = model.elevation, len(model.nodes)
    chosen = model.is_pipe & model.is_joined
    ends, length = model.ends[chosen], np.maximum(model.length[chosen], 1e-3)
    # tanks stand on towers and reservoirs have heads: only junctions tell of the ground
    ground = model.is_junction[ends].all(axis=1) & np.isfinite(z[ends]).all(axis=1)
    ends, length = ends[ground], length[ground]
    lowest, highest, slope = np.full(n, np.inf), np.full(n, -np.inf), np.full(n, np.inf)
    for a, b in ((0, 1), (1, 0)):
        rise = z[ends[:, a]] - z[ends[:, b]]
        # a node without elevation says nothing about its neighbours
        told = (z[ends[:, b]] != 0.0) | (z[ends[:, a]] == 0.0)
        here, rise, way = ends[told, a], rise[told], length[told]
        np.minimum.at(lowest, here, rise)
        np.maximum.at(highest, here, rise)
        np.minimum.at(slope, here, np.abs(rise) / way)
    nearest = np.where(lowest > 0.0, lowest, np.where(highest < 0.0, highest, 0.0))
    jumps = (np.abs(nearest) > limits.elevation_jump_m) & (slope > limits.slope) & np.isfinite(nearest)
    jumps &= np.abs(z) < limits.enormous
    # of two neighbours that differ both would be named: the one with more neighbours is right
    degree = np.bincount(ends.ravel(), minlength=n)
    doubted = ends[jumps[ends].all(axis=1)]
    more = degree[doubted[:, 0]] > degree[doubted[:, 1]]
    less = degree[doubted[:, 0]] < degree[doubted[:, 1]]
    jumps[doubted[more, 0]] = False
    jumps[doubted[less, 1]] = False
    for k in np.flatnonzero(jumps):
        yield int(k), float(nearest[k])
