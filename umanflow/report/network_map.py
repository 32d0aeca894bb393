"""The network and its leaks as a map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from networks import Topology
from umanflow.report.labels import place_labels
from umanflow.report.row import LeakRow
from umanflow.report.svg import new_figure, shorten, styled, to_svg

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_STRIP_IN = 0.82  # below the map, for scale bar and legend
_FAR = 0.6  # of the extent of nine tenths
_NAMED = 4
_MOST_LETTERS = 14
_PIPE, _SENSOR = "#a9b1b8", "#1f6fb2"
# probability from, colour, line width, name in the legend
_CLASSES = (
    (0.20, "#a50f15", 3.4, "20 % and more"),
    (0.05, "#ef5a28", 2.8, "5 to 20 %"),
    (0.01, "#fdae52", 2.4, "1 to 5 %"),
    (0.0, "#f7d98a", 2.0, "under 1 %"),
)
_STATUS = {"open": "#6a0dad", "ended": "#157f5b", "withdrawn": "#5f6770"}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Size of a map, inches, and the share of what it shows that is left free around it."""

    width: float
    least_height: float
    most_height: float
    margin: float


_NETWORK = _Sheet(10.2, 3.6, 6.2, 0.06)
_PLACE = _Sheet(5.4, 2.9, 2.9, 0.15)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The part of the plane that is shown: left, bottom, width, height; and the map's size in inches."""

    x: float
    y: float
    width: float
    height: float
    width_in: float
    height_in: float


class _Plan:
    """Where things lie.

    Attributes
    ----------
    segments
        float64 [n_links, 2, 2], both ends of each link.
    seen
        bool [n_links], whether both have coordinates.
    """

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.segments: Floats = topology.xy[np.stack([topology.start, topology.end], axis=1)]
        self.seen: Bools = np.asarray(np.isfinite(self.segments).all(axis=(1, 2)))

    def link(self, pipe: str) -> int | None:
        """Position of a pipe that can be drawn."""
        link = self.topology.link_index.get(pipe)
        return link if link is not None and self.seen[link] else None

    def point(self, name: str) -> Floats | None:
        """Place of an instrument: a node, or the centre of a link."""
        node = self.topology.node_index.get(name)
        if node is not None:
            point: Floats = self.topology.xy[node]
            return point if np.isfinite(point).all() else None
        link = self.link(name)
        return None if link is None else self.segments[link].mean(axis=0)


def draw_map(
    events: Sequence[LeakRow], topology: Topology, sensors: Sequence[str], crs: str | None, prefix: str
) -> Markup:
    """Draw pipes, the candidates of open leaks by probability, the best pipe of each event, and sensors.

    Parameters
    ----------
    sensors
        Nodes or links with an instrument; names that the network does not have are left out, of events too.
    crs
        Of the coordinates, for the scale bar's unit.

    Returns
    -------
    Markup
        Empty where the network has no coordinates.
    """
    plan = _Plan(topology)
    if not plan.seen.any():
        return Markup("")
    places = [plan.segments[link] for row in events if (link := plan.link(row.pipe_best)) is not None]
    frame = _frame(np.vstack([_core(plan.segments[plan.seen].reshape(-1, 2)), *places]), _NETWORK)
    with styled():
        figure, axes = _canvas(frame, _STRIP_IN)
        legend = _draw_pipes(axes, plan, frame) + _draw_sensors(axes, plan, sensors, frame)
        legend += _draw_candidates(axes, plan, [row for row in events if row.status == "open"])
        placed = [(row, link) for row in events if (link := plan.link(row.pipe_best)) is not None]
        legend += _draw_best(axes, plan, placed)
        colours = [_STATUS[row.status] for row, _ in placed]
        _draw_labels(
            axes, [str(row.event) for row, _ in placed], colours, [plan.segments[k].mean(axis=0) for _, k in placed]
        )
        _draw_scale(figure, frame, crs, 0.28)
        figure.legend(
            handles=legend, loc="lower right", bbox_to_anchor=(0.995, 0.0), ncols=4, frameon=False, fontsize=8.0
        )
        return to_svg(figure, prefix, "Map of the network with its leaks, candidate pipes and sensors")


def draw_place(row: LeakRow, topology: Topology, sensors: Sequence[str], crs: str | None, prefix: str) -> Markup:
    """Draw the surroundings of one leak: its candidates by probability, the first of them by name.

    Returns
    -------
    Markup
        Empty where none of them can be drawn.
    """
    plan = _Plan(topology)
    candidates = row.candidates_best or row.candidates
    names = [row.pipe_best, *(c.pipe for c in candidates)]
    links = list(dict.fromkeys(link for name in names if (link := plan.link(name)) is not None))
    if not links:
        return Markup("")
    frame = _frame(plan.segments[links].reshape(-1, 2), _PLACE)
    with styled():
        figure, axes = _canvas(frame, 0.0)
        _draw_pipes(axes, plan, frame)
        _draw_sensors(axes, plan, sensors, frame)
        _draw_candidates(axes, plan, [row])
        best = plan.link(row.pipe_best)
        _draw_best(axes, plan, [] if best is None else [(row, best)])
        named = links[:_NAMED]
        colours = [_STATUS[row.status] if link == best else "#333333" for link in named]
        texts = [shorten(topology.links[link], _MOST_LETTERS) for link in named]
        _draw_labels(axes, texts, colours, [plan.segments[link].mean(axis=0) for link in named])
        _draw_scale(figure, frame, crs, 0.1)
        return to_svg(figure, prefix, f"Map of the surroundings of event {row.event}")


def _core(points: Floats) -> Floats:
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


def _frame(points: Floats, sheet: _Sheet) -> _Frame:
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.maximum((high - low) * (1.0 + 2.0 * sheet.margin), max(float((high - low).max()), 1e-9) * 0.05)
    height_in = float(np.clip(sheet.width * size[1] / size[0], sheet.least_height, sheet.most_height))
    per_inch = max(float(size[0]) / sheet.width, float(size[1]) / height_in)
    width, height = per_inch * sheet.width, per_inch * height_in
    x, y = (low + high) / 2.0 - np.array([width, height]) / 2.0
    return _Frame(float(x), float(y), width, height, sheet.width, height_in)


def _canvas(frame: _Frame, strip_in: float) -> tuple[Figure, Axes]:
    figure = new_figure(frame.width_in, frame.height_in + strip_in)
    whole = frame.height_in + strip_in
    axes = figure.add_axes((0.0, strip_in / whole, 1.0, frame.height_in / whole))
    axes.set_axis_off()
    axes.set(xlim=(frame.x, frame.x + frame.width), ylim=(frame.y, frame.y + frame.height))
    return figure, axes


def _draw_pipes(axes: Axes, plan: _Plan, frame: _Frame) -> list[Artist]:
    low = np.array([frame.x, frame.y])
    high = low + np.array([frame.width, frame.height])
    segments = plan.segments[plan.seen]
    within = np.all((segments.min(axis=1) <= high) & (segments.max(axis=1) >= low), axis=1)
    segments = segments[within]
    # one outline for all pipes: far fewer bytes than a path for each
    codes = np.tile([int(Outline.MOVETO), int(Outline.LINETO)], len(segments))
    outline = Outline(segments.reshape(-1, 2), codes.astype(Outline.code_type))
    axes.add_patch(PathPatch(outline, fill=False, edgecolor=_PIPE, linewidth=0.8, zorder=1))
    return [Line2D([], [], color=_PIPE, linewidth=0.8, label="pipe")]


def _draw_sensors(axes: Axes, plan: _Plan, sensors: Sequence[str], frame: _Frame) -> list[Artist]:
    places = [point for name in sensors if (point := plan.point(name)) is not None]
    low, size = np.array([frame.x, frame.y]), np.array([frame.width, frame.height])
    places = [point for point in places if np.all((point >= low) & (point <= low + size))]
    if not places:
        return []
    x, y = np.stack(places).T
    (dots,) = axes.plot(x, y, linestyle="none", marker="o", markersize=4.5, color=_SENSOR, label="sensor", zorder=4)
    dots.set(markeredgecolor="white", markeredgewidth=0.6)
    return [dots]


def _draw_candidates(axes: Axes, plan: _Plan, rows: Sequence[LeakRow]) -> list[Artist]:
    probability: dict[int, float] = {}
    for row in rows:
        for candidate in row.candidates_best or row.candidates:
            link = plan.link(candidate.pipe)
            if link is not None:
                probability[link] = max(probability.get(link, 0.0), candidate.probability)
    legend: list[Artist] = []
    most = math.inf
    for order, (least, colour, width, name) in enumerate(_CLASSES):
        links = [link for link, p in probability.items() if least <= p < most]
        most = least
        if links:
            lines = LineCollection(list(plan.segments[links]), colors=colour, linewidths=width, capstyle="round")
            lines.set_zorder(3.0 - 0.1 * order)
            axes.add_collection(lines, autolim=False)
            legend.append(Line2D([], [], color=colour, linewidth=width, label=f"candidate, {name}"))
    return legend


def _draw_best(axes: Axes, plan: _Plan, placed: Sequence[tuple[LeakRow, int]]) -> list[Artist]:
    legend: dict[str, Artist] = {}
    for row, link in placed:
        colour = _STATUS[row.status]
        centre = plan.segments[link].mean(axis=0)
        axes.plot(*plan.segments[link].T, color=colour, linewidth=4.2, solid_capstyle="round", zorder=5)
        axes.plot(*centre, marker="D", markersize=5.5, color=colour, markeredgecolor="white", zorder=7)
        legend[row.status] = Line2D([], [], color=colour, linewidth=4.2, label=f"{row.status} leak, best pipe")
    return [legend[status] for status in _STATUS if status in legend]


def _draw_labels(axes: Axes, texts: Sequence[str], colours: Sequence[str], points: Sequence[Floats]) -> None:
    """Write names beside points, where they do not cover each other."""
    if not texts:
        return
    size = (10.0 + 7.0 * max(len(text) for text in texts), 15.0)
    origin = axes.transAxes.transform((0.0, 0.0))
    corner = axes.transAxes.transform((1.0, 1.0))
    anchors = axes.transData.transform(np.stack(points)) - origin
    labels = place_labels(anchors, size, (float(corner[0] - origin[0]), float(corner[1] - origin[1])))
    for text, colour, anchor, label in zip(texts, colours, anchors, labels, strict=True):
        axes.annotate(
            text,
            tuple(anchor),
            xytext=tuple(label),
            xycoords="axes points",
            textcoords="axes points",
            ha="center",
            va="center",
            fontsize=9.0,
            fontweight="bold",
            color=colour,
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": colour, "linewidth": 1.0},
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.9, "shrinkB": 2.0},
            zorder=8,
        )


def _draw_scale(figure: Figure, frame: _Frame, crs: str | None, above_in: float) -> None:
    length = nice_length(0.2 * frame.width)
    width = length / frame.width
    x, y = 0.12 / frame.width_in, above_in / figure.get_figheight()
    tick = 0.05 / figure.get_figheight()
    bar = Line2D([x, x, x + width, x + width], [y + tick, y, y, y + tick], color="#222222", linewidth=1.2)
    figure.add_artist(bar)
    figure.text(
        x + 0.05 / frame.width_in, y + 1.4 * tick, scale_text(length, crs), ha="left", va="bottom", fontsize=8.5
    )


def nice_length(most: float) -> float:
    """Find the largest of 1, 2, 5, 10, 20 ... that is no longer than a length."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= most or step == 1.0)


def scale_text(length: float, crs: str | None) -> str:
    """Write a length with the unit of the coordinates, or "map units" where that is unknown."""
    try:
        system = CRS.from_user_input(crs) if crs is not None else None
    except CRSError:
        system = None
    if system is None or not system.axis_info:
        return f"{length:g} map units"
    if system.is_geographic:
        return f"{length:g}° of longitude"
    unit = system.axis_info[0].unit_name
    if unit in {"metre", "meter"}:
        return f"{length / 1000.0:g} km" if length >= 1000.0 else f"{length:g} m"
    return f"{length:g} {unit}"
