"""The map's side: the main from Bila Tserkva, Babanka, and the legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from networks.uman import mapstyle
from networks.uman.mapdata import MapData

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_NAMES = {"BILA-TSERKVA": "Bila Tserkva", "ZHASHKIV": "Zhashkiv", "MANKIVKA": "Mankivka", "GATE": "Uman"}


def _plain(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9.5, weight="bold", pad=4, loc="left")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="box", anchor="NW")


def supply(axes: Axes, data: MapData) -> None:
    """The main of 136 km and the settlement, in small."""
    _plain(axes, "DN1200, 136 km")
    for name, pipe in data.pipes.items():
        if name.startswith(("MAIN-", "BMAIN-", "PS4-OUT")):
            axes.plot(*np.array(pipe.ends).T, color=mapstyle.SUPPLY, linewidth=2.4 if name[0] == "M" else 1.2)
    city = np.array([xy for node, xy in data.xy.items() if node.startswith("J-")])
    axes.scatter(city[::5, 0], city[::5, 1], s=1.0, color=mapstyle.ZONES["centre"].pipe)
    x, y = data.xy["TOWER-B"]
    axes.scatter([x], [y], s=16.0, color=mapstyle.ZONES["babanka"].pipe, zorder=4)
    axes.annotate("Babanka", data.xy["TOWER-B"], xytext=(-12, -11), textcoords="offset points", fontsize=7.5)
    for node, name in _NAMES.items():
        x, y = data.xy[node]
        axes.scatter([x], [y], s=28.0, color="white", edgecolors=mapstyle.SUPPLY, linewidths=1.6, zorder=5)
        axes.annotate(name, (x, y), xytext=(6, 4), textcoords="offset points", fontsize=8, weight="bold")
    low = min(data.xy["GATE"][1], data.xy["TOWER-B"][1])
    left = min(xy[0] for xy in (data.xy[node] for node in _NAMES))
    axes.plot([left - 12e3, left + 8e3], [low - 9e3] * 2, color="black", linewidth=2.0)
    axes.text(left - 2e3, low - 7.5e3, "20 km", fontsize=8, ha="center")
    axes.set_xlim(left - 16e3, left + 46e3)
    axes.set_ylim(low - 12e3, data.xy["BILA-TSERKVA"][1] + 9e3)


def babanka(axes: Axes, data: MapData) -> None:
    """The settlement's own network."""
    _plain(axes, "Babanka (BAB), 17 km away")
    village = np.array([xy for node, xy in data.xy.items() if node.startswith("B-")])
    low, high = village.min(axis=0) - 170.0, village.max(axis=0) + 170.0
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    mapstyle.pipes(axes, data, fill_width=14.0)
    mapstyle.instruments(axes, data)
    x, y = data.xy["TOWER-B"]
    axes.scatter([x], [y], marker="P", s=110.0, color=mapstyle.SUPPLY, edgecolors="black", linewidths=0.9, zorder=10)
    axes.annotate(
        "TOWER-B", (x, y), xytext=(8, 7), textcoords="offset points", fontsize=9, weight="bold", zorder=13,
        path_effects=mapstyle.halo(2.8),
    )  # fmt: skip
    base = low[1] + 10.0
    axes.plot([low[0], low[0] + 500.0], [base, base], color="black", linewidth=2.0, zorder=14)
    axes.text(low[0] + 250.0, base + 25.0, "500 m", fontsize=8, ha="center", zorder=14, path_effects=mapstyle.halo())


def legend(axes: Axes, data: MapData) -> None:
    """What the signs mean, with counts."""
    from matplotlib.lines import Line2D

    axes.set_axis_off()
    table = data.sensors
    flows, loggers = table[table["quantity"] == "flow"], table[table["quantity"] == "pressure"]
    wired, sections = int((loggers["delivery"] == "plc").sum()), int((flows["role"] == "section").sum())

    def line(colour: str, width: float, style: Literal["-", ":"] = "-") -> Artist:
        return Line2D([], [], color=colour, linewidth=width, linestyle=style)

    def mark(marker: str, size: float, face: str, edge: str = "black") -> Artist:
        rim = 2.0 if face == "white" else 0.8
        return Line2D([], [], linestyle="", marker=marker, markersize=size, markerfacecolor=face,
                      markeredgecolor=edge, markeredgewidth=rim)  # fmt: skip

    entries: list[tuple[Artist, str]] = [(line(z.pipe, 5.0), f"zone: {z.text}") for z in mapstyle.ZONES.values()]
    entries += [
        (line(mapstyle.TRUNK, 3.4), "trunk main (wide: over DN250)"),
        (line(mapstyle.SUPPLY, 3.0), "supply main, station pipe"),
        (line(mapstyle.WARNING, 1.8, ":"), "closed boundary valve between DMAs"),
        (line(mapstyle.WATER, 3.2), "river"),
        (mark("*", 15.0, "#fbc02d"), "city gate: end of the main"),
        (mark("^", 10.5, "#e53935"), "pump station"),
        (mark("P", 10.5, mapstyle.SUPPLY), "water tower"),
        (mark("s", 8.5, mapstyle.SUPPLY), "ground reservoirs (three days)"),
        (mark("o", 8.0, "white", mapstyle.METER), f"flow meter at an inlet or station ({len(flows) - sections})"),
        (mark("o", 8.0, mapstyle.SECTION), f"flow meter of a section ({sections})"),
        (mark("D", 6.5, mapstyle.WIRED), f"pressure logger on a PLC ({wired})"),
        (mark("D", 6.0, mapstyle.BATTERY), f"battery pressure logger ({len(loggers) - wired})"),
    ]
    axes.legend(
        [artist for artist, _ in entries], [text for _, text in entries], loc="upper left", fontsize=10.2,
        frameon=False, borderaxespad=0.0, labelspacing=0.42, handlelength=2.2,
    )  # fmt: skip
    pipes = sum(1 for p in data.pipes.values() if p.kind == "street")
    axes.text(
        0.0, 0.0, f"SYNTHETIC: {len(data.xy):,} nodes, {pipes:,} street pipes, {len(data.zone_of)} DMAs.\n"
        "Tints tell neighbouring DMAs apart.\nContours: the model's analytic ground.",
        transform=axes.transAxes, fontsize=9, color="0.25", va="bottom",
    )  # fmt: skip
