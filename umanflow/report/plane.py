"""Where a network's links lie on paper, and what a length there means."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from networks import Topology
from umanflow.report.wording import Wording, mark

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_KM, _M = mark("km"), mark("m")
_FAR = 0.6  # of the extent of nine tenths


class Plan:
    """Where links lie.

    Attributes
    ----------
    segments
        float64 [n_links, 2, 2], both ends of each link.
    seen
        bool [n_links], whether both have coordinates.
    is_schematic
        Whether the network has no coordinates: then x is the distance from its source along pipes, m, and y only keeps
        branches apart.
    """

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        xy = topology.xy
        known = np.isfinite(xy).all(axis=1)
        self.is_schematic = not (known.any() and float(np.ptp(xy[known], axis=0).max()) > 0.0)
        self.xy: Floats = schematic(topology) if self.is_schematic else xy
        self.segments: Floats = self.xy[np.stack([topology.start, topology.end], axis=1)]
        self.seen: Bools = np.asarray(np.isfinite(self.segments).all(axis=(1, 2)))

    def link(self, pipe: str) -> int | None:
        """Position of a pipe that can be drawn."""
        link = self.topology.link_index.get(pipe)
        return link if link is not None and self.seen[link] else None

    def point(self, name: str) -> Floats | None:
        """Place of an instrument: a node, or the centre of a link."""
        node = self.topology.node_index.get(name)
        if node is not None:
            point: Floats = self.xy[node]
            return point if np.isfinite(point).all() else None
        link = self.link(name)
        return None if link is None else self.segments[link].mean(axis=0)

    def beside(self, node: int, link: int) -> Floats:
        """Place of a valve at a node, a little way along its link, float64 [2]."""
        middle = self.segments[link].mean(axis=0)
        return np.asarray(self.xy[node] + 0.12 * (middle - self.xy[node]))


def schematic(topology: Topology) -> Floats:
    """Places for the nodes of a network without coordinates, float64 [n_nodes, 2].

    x is the distance from the nearest source along pipes; branches of the tree of shortest ways lie above each other,
    each leaf on a line of its own. What no source reaches comes below, from its first node.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    n = len(topology.nodes)
    length = np.maximum(topology.length, 1e-3)
    order = np.argsort(-length, kind="stable")  # of parallel links the shortest is written last
    graph = coo_array((length[order], (topology.start[order], topology.end[order])), shape=(n, n)).todok().tocsr()
    roots = [int(k) for k in np.flatnonzero(~topology.is_junction)] or [0]
    x = np.full(n, np.inf)
    before = np.full(n, -1, dtype=np.int64)
    while not np.isfinite(x).all():
        found, parent, _ = dijkstra(graph, directed=False, indices=roots, return_predecessors=True, min_only=True)
        new = np.isfinite(found) & ~np.isfinite(x)
        x[new], before[new] = found[new], parent[new]
        roots = [int(np.flatnonzero(~np.isfinite(x))[0])] if not np.isfinite(x).all() else []
    rows = _rows(x, before)
    spread = max(float(x.max()), 1.0) / max(float(rows.max()), 1.0) * 0.7
    return np.stack([x, -rows * spread], axis=1)


def _rows(x: Floats, before: Ints) -> Floats:
    """Line of each node: a leaf's own, a branch's the middle of its branches', float64 [n_nodes]."""
    n = len(x)
    children: list[list[int]] = [[] for _ in range(n)]
    tops = []
    for node in range(n):
        if before[node] >= 0:
            children[int(before[node])].append(node)
        else:
            tops.append(node)
    rows = np.zeros(n)
    leaf = 0.0
    stack = [(node, False) for node in reversed(tops)]
    while stack:
        node, is_done = stack.pop()
        if not children[node]:
            rows[node] = leaf
            leaf += 1.0
        elif is_done:
            rows[node] = float(np.mean(rows[children[node]]))
        else:
            stack.append((node, True))
            stack += [(child, False) for child in reversed(children[node])]
    return rows


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of the plane that is shown and its size on paper, px."""

    x: float
    y: float
    per_px: float
    width: float
    height: float

    def on_paper(self, points: Floats) -> Floats:
        """Points of the plane, float64 [..., 2], on paper: y runs down."""
        moved = (points - np.array([self.x, self.y])) / self.per_px
        return np.stack([moved[..., 0], self.height - moved[..., 1]], axis=-1)

    def shows(self, points: Floats) -> Bools:
        """Whether points of paper, float64 [..., 2], lie inside."""
        return np.asarray(((points >= 0.0) & (points <= np.array([self.width, self.height]))).all(axis=-1))

    def touches(self, segments: Floats) -> Bools:
        """Whether the boxes of lines on paper, float64 [n, 2, 2], reach inside."""
        size = np.array([self.width, self.height])
        return np.asarray(((segments.min(axis=1) <= size) & (segments.max(axis=1) >= 0.0)).all(axis=1))


def frame_of(points: Floats, width: float, heights: tuple[float, float], margin: float) -> Frame:
    """Fit points into a sheet.

    Parameters
    ----------
    points
        float64 [n, 2].
    width, heights
        Of the sheet, px; its height lies between two limits.
    margin
        Share of the extent that is left free on each side.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.maximum((high - low) * (1.0 + 2.0 * margin), max(float((high - low).max()), 1e-9) * 0.05)
    height = float(np.clip(width * size[1] / size[0], *heights))
    per_px = max(float(size[0]) / width, float(size[1]) / height)
    x, y = (low + high) / 2.0 - np.array([width, height]) * per_px / 2.0
    return Frame(float(x), float(y), per_px, width, height)


def core_of(points: Floats) -> Floats:
    """Points without those far outside of where nine tenths of each coordinate lie: long mains would shrink the city.

    Parameters
    ----------
    points
        float64 [n, 2].

    Returns
    -------
    float64 [k, 2]
        All of them where none is far.
    """
    low, high = np.quantile(points, (0.05, 0.95), axis=0)
    reach = _FAR * np.maximum(high - low, float((high - low).max()) * 0.2)
    near = ((points >= low - reach) & (points <= high + reach)).all(axis=1)
    core: Floats = points[near]
    return core if len(core) else points


def nice_length(most: float) -> float:
    """Find the largest of 1, 2, 5, 10, 20 ... that is no longer than a length."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= most or step == 1.0)


def unit_of(crs: str | None, is_schematic: bool = False) -> str:
    """Unit of the coordinates: "m", "degree", or another system's own word; "" where unknown."""
    if is_schematic:
        return "m"
    try:
        system = CRS.from_user_input(crs) if crs is not None else None
    except CRSError:
        system = None
    if system is None or not system.axis_info:
        return ""
    if system.is_geographic:
        return "degree"
    unit = system.axis_info[0].unit_name
    return "m" if unit in {"metre", "meter"} else str(unit)


def scale_text(length: float, unit: str, wording: Wording) -> str:
    """Write a length with the unit of the coordinates, or "map units" where that is unknown."""
    if unit == "m" and length >= 1000.0:
        return f"{_plain(length / 1000.0, wording)} {wording.say(_KM)}"
    if unit == "m":
        return f"{_plain(length, wording)} {wording.say(_M)}"
    if unit == "degree":
        return wording.fill("{n}° of longitude", n=_plain(length, wording))
    if not unit:
        return wording.fill("{n} map units", n=_plain(length, wording))
    return f"{_plain(length, wording)} {unit}"


def _plain(value: float, wording: Wording) -> str:
    digits = max(0, -math.floor(math.log10(value) + 1e-9)) if value > 0.0 else 0
    return wording.number(value, digits)
