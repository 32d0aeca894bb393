"""Draw the map of the synthetic Uman from the model.

    python -m networks.uman.map [FILE.png]

draws docs/uman.png anew: zones, DMAs, mains, stations, meters and loggers in UTM 36N.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from networks.network import Network, load
from networks.uman import mapinsets, mapstyle, terrain
from networks.uman.mapdata import MapData, read_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_ROOT = Path(__file__).resolve().parents[2]
_MARGIN = 380.0  # m around the city
_CONTOURS_M = 10


def draw(network: Network, file: Path) -> None:
    """Draw the map into a PNG.

    Parameters
    ----------
    network
        Uman, with its tables.
    file
        To be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    data = read_map(network)
    figure = Figure(figsize=(16.0, 9.0), facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.03, 0.958, "Uman water network", fontsize=23, weight="bold", va="center")
    figure.text(
        0.287, 0.958, "SYNTHETIC", fontsize=21, weight="bold", color="white", va="center",
        bbox={"boxstyle": "round,pad=0.28", "facecolor": mapstyle.WARNING, "edgecolor": "none"},
    )  # fmt: skip
    figure.text(
        0.410, 0.958, "invented pipes and demands on public facts: no real network", fontsize=14, va="center",
        color=mapstyle.WARNING,
    )  # fmt: skip
    city = figure.add_axes((0.030, 0.040, 0.722, 0.878))
    _city(city, data)
    mapinsets.supply(figure.add_axes((0.762, 0.590, 0.080, 0.310)), data)
    mapinsets.babanka(figure.add_axes((0.850, 0.640, 0.144, 0.260)), data)
    legend = figure.add_axes((0.762, 0.040, 0.232, 0.530))
    mapinsets.legend(legend, data)
    figure.savefig(file, dpi=150, metadata={"Software": None})


def _city(axes: Axes, data: MapData) -> None:
    inside = np.array([xy for node, xy in data.xy.items() if node.startswith("J-")])
    low, high = inside.min(axis=0) - _MARGIN, inside.max(axis=0) + _MARGIN
    frame = axes.get_window_extent()
    wanted = frame.width / frame.height  # the frame is filled: more ground on the sides that have room
    width, height = high - low
    more = np.array([max(0.0, wanted * height - width), max(0.0, width / wanted - height)]) / 2.0
    low, high = low - more, high + more
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_aspect("equal", adjustable="box")
    _ground(axes, low, high)
    mapstyle.pipes(axes, data, fill_width=17.0)
    _rivers(axes)
    mapstyle.instruments(axes, data)
    mapstyle.stations(axes, data)
    _block_names(axes, data)
    _scale_and_north(axes)
    axes.set_title("EPSG:32636 (UTM 36N), m", fontsize=8.5, loc="right", pad=3, color="0.35")
    axes.ticklabel_format(style="plain", useOffset=False)
    axes.tick_params(labelsize=8, colors="0.35", length=3, pad=2)
    for label in axes.get_yticklabels():
        label.set_rotation(90)
        label.set_verticalalignment("center")


def _ground(axes: Axes, low: Floats, high: Floats) -> None:
    """Contours of the analytic ground, wider than the city: the axes may show more than they were asked for."""
    x, y = np.meshgrid(np.linspace(low[0] - 3e3, high[0] + 3e3, 400), np.linspace(low[1] - 3e3, high[1] + 3e3, 300))
    local = np.column_stack([x.ravel(), y.ravel()]) - np.asarray(terrain.CENTRE_UTM)
    height = terrain.height(local / 1000.0).reshape(x.shape)
    levels = np.arange(130, 240, _CONTOURS_M)
    lines = axes.contour(x, y, height, levels=levels, colors="#c9bfae", linewidths=0.6, zorder=0)
    axes.clabel(lines, levels=levels[1::2].tolist(), fmt="%d m", fontsize=7, colors="#9c8f78")


def _rivers(axes: Axes) -> None:
    for name, course, at, turn in (
        ("Kamianka", terrain.KAMIANKA, (-4.45, 2.72), -8.0), ("Umanka", terrain.UMANKA, (-2.55, -2.32), 31.0),
    ):  # fmt: skip
        line = terrain.to_utm(mapstyle.smooth(course))
        axes.plot(*line.T, color=mapstyle.WATER, linewidth=3.2, solid_capstyle="round", zorder=4)
        place = terrain.to_utm(np.array([at]))[0]
        axes.text(
            place[0], place[1], name, fontsize=11, style="italic", color=mapstyle.WATER, rotation=turn, ha="center",
            va="center", zorder=9, path_effects=mapstyle.halo(),
        )  # fmt: skip


def _block_names(axes: Axes, data: MapData) -> None:
    for name, (x, y) in data.block_places().items():
        if name != "BAB":
            axes.text(
                x, y, name, fontsize=15, weight="bold", ha="center", va="center", zorder=12,
                color=mapstyle.ZONES[data.zone_of[name]].dark, path_effects=mapstyle.halo(3.2),
            )  # fmt: skip


def _scale_and_north(axes: Axes) -> None:
    from matplotlib.patches import Rectangle

    x0, y0, kilometre = 0.025, 0.045, 1000.0
    left = axes.get_xlim()[0] + x0 * np.ptp(axes.get_xlim())
    base = axes.get_ylim()[0] + y0 * np.ptp(axes.get_ylim())
    for part, colour in enumerate(("black", "white", "black", "white")):
        place = (left + 0.25 * part * kilometre, base)
        axes.add_patch(
            Rectangle(place, 0.25 * kilometre, 45.0, facecolor=colour, edgecolor="black", linewidth=0.8, zorder=14)
        )
    for metres, text in ((0.0, "0"), (0.5 * kilometre, "500"), (kilometre, "1000 m")):
        x, y = left + metres, base + 75.0
        axes.text(x, y, text, fontsize=9, ha="center", zorder=14, path_effects=mapstyle.halo())
    arrow = {"arrowstyle": "-|>", "linewidth": 2.0, "color": "black"}
    north = axes.annotate("N", (0.965, 0.975), (0.965, 0.885), xycoords="axes fraction", arrowprops=arrow, zorder=14)
    north.set(fontsize=16, weight="bold", horizontalalignment="center", verticalalignment="center")


if __name__ == "__main__":
    draw(load("uman"), Path(sys.argv[1]) if len(sys.argv) > 1 else _ROOT / "docs" / "uman.png")
