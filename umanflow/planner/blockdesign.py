"""A design of blocks: what it has to keep, its blocks, and whom it leaves short."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlockRules:
    """What a design has to keep.

    Attributes
    ----------
    least, most
        Connections of a block.
    inlets
        Most meters of a block; up to two more where customers would go short otherwise.
    fire_flow, fire_head
        m3/s at one hydrant of a block in the hour of most demand, and the free head that has to be left there, m.
    meter_cost, valve_cost
        By diameter in m: price = first + second x diameter, UAH.
    """

    least: float = 500.0
    most: float = 1500.0
    inlets: int = 2
    fire_flow: float = 0.010
    fire_head: float = 10.0
    meter_cost: tuple[float, float] = (120_000.0, 900_000.0)
    valve_cost: tuple[float, float] = (15_000.0, 180_000.0)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a design.

    Attributes
    ----------
    name
        Of the design.
    nodes
        Names.
    connections, length
        Number, and m of pipe with both ends inside.
    inlets
        Links that get a meter.
    closed
        Links across the border that are shut; `new_valves` of them need a valve.
    new_valves
        Links.
    is_isolated
        Whether no open link leads from a source into the block when the meters at its border are shut, at the
        statuses that EPANET computes.
    fire_left
        Least free head at a node with the fire flow, m; `fire_before` without blocks.
    fire_before
        See there.
    cost
        Of its meters and new valves, UAH; what stands between two blocks counts for the one that water runs into, or
        for the first.
    """

    name: str
    nodes: tuple[str, ...]
    connections: float
    length: float
    inlets: tuple[str, ...]
    closed: tuple[str, ...]
    new_valves: tuple[str, ...]
    is_isolated: bool
    fire_left: float
    fire_before: float
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Short:
    """A node that a design leaves short: its block, the free head that is due, what it has now and would have, m; why.

    Free heads are the least of the day.
    """

    node: str
    block: str
    due: float
    before: float
    after: float
    why: str


@dataclass(frozen=True, slots=True)
class Design:
    """Blocks of a whole network.

    Attributes
    ----------
    blocks
        By number.
    cost
        Of meters and valves, UAH.
    n_boundary
        Links across borders, inlets among them.
    short
        Nodes with customers that keep their free head all day now, and would not. A design with any is no advice.
    raised
        Set-points, m, of valves that stood for other blocks and have to be raised so that nobody goes short.
    outside
        Connections on trunks, in no block.
    slack
        Of the partition that gave it.
    is_reopened
        Whether it opens what is shut now, but for its own borders.
    """

    blocks: tuple[Block, ...]
    cost: float
    n_boundary: int
    short: tuple[Short, ...]
    raised: dict[str, float]
    outside: float
    slack: float
    is_reopened: bool = False

    @property
    def newly_short(self) -> tuple[str, ...]:
        """Names of the nodes that are newly short."""
        return tuple(short.node for short in self.short)

    @property
    def is_isolated(self) -> bool:
        """Whether every block is."""
        return all(block.is_isolated for block in self.blocks)

    def without_fire(self, least: float) -> tuple[str, ...]:
        """Blocks in which a fire had a free head of so much, m, and would not have it any more."""
        return tuple(block.name for block in self.blocks if block.fire_left < least <= block.fire_before)
