"""Colours, lines and signs of the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from networks.uman.mapdata import MapData, MapPipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patheffects import AbstractPathEffect

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Zone:
    """A pressure zone's words and colours: pipes, names, and tints for neighbouring DMAs."""

    text: str
    pipe: str
    dark: str
    tints: tuple[str, ...]


ZONES = {
    "west": Zone("west (booster PS-2, TOWER-W)", "#8b5fbf", "#4b2a80", ("#eee6f8", "#d6c2ec", "#c9b4f0")),
    "centre": Zone("centre (PS-1, TOWER-C)", "#d08a1d", "#7a4a00", ("#fdf1d6", "#f7dca4", "#f3e2b0")),
    "low": Zone("low (behind PRVs)", "#3f9a5a", "#165a2c", ("#e0f3e2", "#bfe3c6", "#d2e8b9")),
    "railway": Zone("railway station", "#c8527a", "#82183f", ("#f9dde6",)),
    "babanka": Zone("Babanka", "#2f8f9d", "#0d525c", ("#d5eff2",)),
}
WATER, WARNING, TRUNK, SUPPLY = "#4a90d9", "#c62828", "#222222", "#1f4e9c"
BATTERY, WIRED, METER, SECTION = "#ff7f0e", "#7b1fa2", "#1565c0", "#00acc1"


@dataclass(frozen=True, slots=True)
class Sign:
    """A station on the map: where, which marker, what it is called and where the name stands, points."""

    element: str
    marker: str
    size: float
    colour: str
    text: str
    offset: tuple[float, float]


STATIONS = (
    Sign("GATE", "*", 330.0, "#fbc02d", "city gate", (-6.0, 15.0)),
    Sign("RES-1", "s", 95.0, SUPPLY, "reservoirs", (-65.0, -6.0)),
    Sign("PS1-D", "^", 150.0, "#e53935", "PS-1 (variable speed)", (14.0, -7.0)),
    Sign("PS2-D", "^", 150.0, "#e53935", "PS-2", (14.0, -4.0)),
    Sign("PS3-D", "^", 150.0, "#e53935", "PS-3 local source", (12.0, -15.0)),
    Sign("PS4-D", "^", 150.0, "#e53935", "PS-4 to Babanka", (-52.0, -20.0)),
    Sign("TOWER-C", "P", 150.0, SUPPLY, "TOWER-C", (12.0, 5.0)),
    Sign("TOWER-W", "P", 150.0, SUPPLY, "TOWER-W", (-36.0, 11.0)),
)


def halo(width: float = 2.4) -> list[AbstractPathEffect]:
    """A white rim, so that words can be read on lines."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="white")]


def smooth(line: Floats) -> Floats:
    """A polyline with its corners cut off, thrice (Chaikin)."""
    for _ in range(3):
        first, second = 0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]
        line = np.vstack([line[:1], np.stack([first, second], axis=1).reshape(-1, 2), line[-1:]])
    return line


def pipes(axes: Axes, data: MapData, fill_width: float) -> None:
    """Draw DMAs as broad tinted bands, then pipes by zone, boundary pipes and mains."""
    from matplotlib.collections import LineCollection

    def lines(chosen: list[MapPipe], colour: str, width: float, order: int, style: str = "solid") -> None:
        ends = [np.array(p.ends) for p in chosen]
        axes.add_collection(
            LineCollection(ends, colors=colour, linewidths=width, zorder=order, linestyles=style, capstyle="round")
        )

    every = list(data.pipes.values())
    for dma, zone in data.zone_of.items():
        streets = [p for p in every if p.kind == "street" and p.dma == dma]
        tints = ZONES[zone].tints
        lines(streets, tints[data.tint_of[dma] % len(tints)], fill_width, 1)
    for dma, zone in data.zone_of.items():
        streets = [p for p in every if p.kind == "street" and p.dma == dma]
        lines([p for p in streets if p.diameter <= 125], ZONES[zone].pipe, 0.9, 3)
        lines([p for p in streets if p.diameter > 125], ZONES[zone].pipe, 1.9, 3)
    lines([p for p in every if p.kind == "boundary"], WARNING, 1.6, 5, "dotted")
    lines([p for p in every if p.kind == "trunk" and p.diameter <= 250], TRUNK, 2.0, 6)
    lines([p for p in every if p.kind == "trunk" and p.diameter > 250], TRUNK, 3.4, 6)
    lines([p for p in every if p.kind == "supply"], SUPPLY, 3.0, 6)


def instruments(axes: Axes, data: MapData) -> None:
    """Draw meters and loggers."""
    table = data.sensors
    flows, loggers = table[table["quantity"] == "flow"], table[table["quantity"] == "pressure"]
    is_section = flows["role"] == "section"
    is_wired = loggers["delivery"] == "plc"
    for elements, marker, size, face, edge in (
        (loggers[~is_wired]["element"], "D", 34.0, BATTERY, "white"),
        (loggers[is_wired]["element"], "D", 44.0, WIRED, "white"),
        (flows[is_section]["element"], "o", 62.0, SECTION, "white"),
        (flows[~is_section]["element"], "o", 74.0, "white", METER),
    ):
        places = np.array([data.place(element) for element in elements])
        rim = 2.2 if face == "white" else 0.9
        axes.scatter(
            places[:, 0], places[:, 1], marker=marker, s=size, color=face, edgecolors=edge, linewidths=rim, zorder=8
        )


def stations(axes: Axes, data: MapData) -> None:
    """Draw the gate, reservoirs, pump stations and towers with their names."""
    for sign in STATIONS:
        x, y = data.xy[sign.element]
        axes.scatter(
            [x], [y], marker=sign.marker, s=sign.size, color=sign.colour, edgecolors="black", linewidths=0.9, zorder=10
        )
        axes.annotate(
            sign.text, (x, y), xytext=sign.offset, textcoords="offset points", fontsize=10, weight="bold", zorder=13,
            path_effects=halo(2.8),
        )  # fmt: skip
