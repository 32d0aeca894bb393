"""What the map shows, read from the model and its tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from networks.network import Network

Floats = NDArray[np.float64]

_ROOM_M = 260.0  # from a name to the nearest sign; more does not help


@dataclass(frozen=True, slots=True)
class MapPipe:
    """A pipe as drawn: its ends, m, its diameter, mm, and what it is."""

    ends: tuple[tuple[float, float], tuple[float, float]]
    diameter: float
    kind: str
    dma: str


@dataclass(frozen=True, slots=True)
class MapData:
    """The model as drawn.

    Attributes
    ----------
    xy
        Place of every node, m.
    ends
        The two nodes of every link.
    pipes
        Every pipe by name.
    zone_of
        Pressure zone by DMA.
    tint_of
        Number of a tint by DMA: neighbours in one zone have different ones.
    sensors
        The table of instruments.
    """

    xy: dict[str, tuple[float, float]]
    ends: dict[str, tuple[str, str]]
    pipes: dict[str, MapPipe]
    zone_of: dict[str, str]
    tint_of: dict[str, int]
    sensors: pd.DataFrame

    def middle(self, link: str) -> tuple[float, float]:
        """Middle between a link's nodes."""
        a, b = (self.xy[node] for node in self.ends[link])
        return (a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0

    def place(self, element: str) -> tuple[float, float]:
        """Where an instrument at a node or link is."""
        return self.xy[element] if element in self.xy else self.middle(element)

    def block_places(self) -> dict[str, tuple[float, float]]:
        """Where each DMA's name may stand: near the middle of its streets, away from what else is drawn."""
        signs = np.array([self.place(element) for element in self.sensors["element"]])
        mains = np.array([np.mean(p.ends, axis=0) for p in self.pipes.values() if p.kind in ("trunk", "boundary")])
        taken = np.vstack([signs, mains])
        found = {}
        for dma in self.zone_of:
            middles = np.array([np.mean(p.ends, axis=0) for p in self.pipes.values() if p.dma == dma])
            from_middle = np.hypot(*(middles - np.median(middles, axis=0)).T)
            room = np.hypot(*np.moveaxis(middles[:, None] - taken, -1, 0)).min(axis=1)
            x, y = middles[int(np.argmax(np.minimum(room, _ROOM_M) - 0.4 * from_middle))].tolist()
            found[dma] = (x, y)
        return found


def read_map(network: Network) -> MapData:
    """Read what the map shows.

    Raises
    ------
    ValueError
        If the network has no tables.
    """
    table, blocks, sensors, nodes = network.pipes, network.dmas, network.sensors, network.nodes
    if table is None or blocks is None or sensors is None or nodes is None:
        raise ValueError(f"{network.name} has no tables of pipes, nodes, DMAs and sensors to draw")
    document = network.document
    xy = {line.words[0]: (float(line.words[1]), float(line.words[2])) for line in document.section("COORDINATES")}
    ends = {
        line.words[0]: (line.words[1], line.words[2])
        for section in ("PIPES", "PUMPS", "VALVES")
        for line in document.section(section)
    }
    diameter = {line.words[0]: float(line.words[4]) for line in document.section("PIPES")}
    pipes = {
        pipe: MapPipe((xy[ends[pipe][0]], xy[ends[pipe][1]]), diameter[pipe], kind, dma)
        for pipe, kind, dma in zip(table["pipe"], table["kind"], table["dma"], strict=True)
    }
    zone_of = dict(zip(blocks["dma"], blocks["zone"], strict=True))
    dma_of = dict(zip(nodes["node"], nodes["dma"], strict=True))
    closed = table.loc[table["kind"] == "boundary", "pipe"]
    touching = {(dma_of[a], dma_of[b]) for a, b in (ends[pipe] for pipe in closed)}
    return MapData(xy, ends, pipes, zone_of, _tints(zone_of, touching), sensors)


def _tints(zone_of: dict[str, str], touching: set[tuple[str, str]]) -> dict[str, int]:
    """The least number that no neighbour in the same zone has yet."""
    found: dict[str, int] = {}
    for dma, zone in zone_of.items():
        beside = {b if a == dma else a for a, b in touching if dma in (a, b)}
        used = {found[other] for other in beside if other in found and zone_of[other] == zone}
        found[dma] = min(set(range(len(used) + 1)) - used)
    return found
