"""What the parts of the build hand to each other: nodes, pipes, blocks of the plan."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from networks.uman import terrain

Floats = NDArray[np.float64]


@dataclass(slots=True)
class PlanNode:
    """A junction to be. Position in km from the centre, height in m, demand in m3/d."""

    name: str
    xy: tuple[float, float]
    height: float
    dma: str = ""
    street: str = ""
    storeys: int = 0
    connections: int = 0
    residential: float = 0.0
    commercial: float = 0.0
    industrial: float = 0.0


@dataclass(slots=True)
class PlanPipe:
    """A pipe to be. Length in m, diameter in mm; `kind` is street, trunk, inlet, boundary or supply."""

    name: str
    start: str
    end: str
    length: float
    kind: str
    dma: str = ""
    street: str = ""
    diameter: int = 100
    material: str = ""
    year: int = 0
    roughness: float = 100.0
    is_closed: bool = False


@dataclass(slots=True)
class Block:
    """A small DMA: crossings of the street graph, its zone and the head it is fed at, m."""

    name: str
    zone: str
    large: str
    crossings: list[int]
    head: float = 0.0
    has_prv: bool = False
    inlet: int = -1
    kind: str = "mixed"


@dataclass(slots=True)
class Plan:
    """The city on paper."""

    nodes: dict[str, PlanNode] = field(default_factory=dict)
    pipes: list[PlanPipe] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    inlets: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # DMA: meter pipe, PRV or "", first node
    crossing_names: dict[tuple[str, int], str] = field(default_factory=dict)
    trunk_names: dict[tuple[str, int], str] = field(default_factory=dict)

    def add_node(self, name: str, xy: tuple[float, float], **more: object) -> PlanNode:
        """Add a junction; its height is the ground's, rounded to a centimetre."""
        ground = float(np.round(terrain.height(np.array([xy]))[0], 2))
        node = PlanNode(name, xy, ground, **more)  # type: ignore[arg-type] # fields by name
        self.nodes[name] = node
        return node

    def length(self, start: str, end: str) -> float:
        """Straight length between two nodes as the map has them, m, at least a metre."""
        a, b = terrain.to_utm(np.array([self.nodes[start].xy, self.nodes[end].xy]))
        return max(1.0, float(np.round(np.hypot(*(a - b)), 1)))

    def add_pipe(self, start: str, end: str, kind: str, name: str = "", **more: object) -> PlanPipe:
        """Add a pipe; its length is the straight line's unless it is given."""
        length = more.pop("length", None)
        pipe = PlanPipe(
            name or f"P-{len(self.pipes) + 1:04d}", start, end,
            float(length) if length is not None else self.length(start, end), kind, **more,  # type: ignore[arg-type]
        )  # fmt: skip
        self.pipes.append(pipe)
        return pipe

    @property
    def street_pipes(self) -> list[PlanPipe]:
        """Pipes that customers are connected to."""
        return [p for p in self.pipes if p.kind == "street"]
