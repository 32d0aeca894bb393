"""Blocks: parts of the street network behind one or two meters, designed, shut off and tried by simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Network
from umanflow.errors import UserError
from umanflow.planner.blockfacts import Facts, facts_of, usual_day
from umanflow.planner.partition import Streets, partition
from umanflow.planner.pressure import Norm

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_VALVED = 0.5  # cutting where a valve stands costs half
_CAPACITY = 2.63  # Hazen-Williams: flow by diameter
_SLACKS = (0.35, 0.2, 0.5)
_NONE = -1
_SHORT_M = 0.01


@dataclass(frozen=True, slots=True)
class BlockRules:
    """What a design has to keep.

    Attributes
    ----------
    least, most
        Connections of a block.
    inlets
        Most meters of a block.
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
    newly_short
        Nodes with customers that keep their free head all day now, and would not.
    outside
        Connections on trunks, in no block.
    slack
        Of the partition that gave it.
    """

    blocks: tuple[Block, ...]
    cost: float
    n_boundary: int
    newly_short: tuple[str, ...]
    outside: float
    slack: float

    @property
    def is_isolated(self) -> bool:
        """Whether every block is."""
        return all(block.is_isolated for block in self.blocks)

    def without_fire(self, least: float) -> tuple[str, ...]:
        """Blocks in which a fire had a free head of so much, m, and would not have it any more."""
        return tuple(block.name for block in self.blocks if block.fire_left < least <= block.fire_before)


def design_blocks(network: Network, rules: BlockRules, norm: Norm, reopen: bool = False) -> list[Design]:
    """Design blocks in several ways, simulate each, and give the best first.

    Parameters
    ----------
    network
        Its tables of pipes (kind), nodes (connections, storeys) and valves are used where they are.
    rules, norm
        What has to be kept.
    reopen
        Forget which links are shut now, as if nobody had ever cut the network.

    Returns
    -------
    list of Design
        Fewest customers newly short, then fewest blocks newly without fire flow, then isolated, then cheapest.

    Raises
    ------
    UserError
        If no street network is left beside the trunks.
    """
    with Engine(network) as engine:
        facts = facts_of(engine, network, norm, reopen)
        designer, seen, designs = _Designer(engine, facts, rules), set(), []
        for slack in _SLACKS:
            label = designer.labels(slack)
            if label.tobytes() not in seen:
                seen.add(label.tobytes())
                designs.append(designer.design(label, slack))
    return sorted(
        designs, key=lambda d: (len(d.newly_short), len(d.without_fire(rules.fire_head)), not d.is_isolated, d.cost)
    )


class _Designer:
    """Designs on one open engine; links are shut in it and opened again."""

    def __init__(self, engine: Engine, facts: Facts, rules: BlockRules) -> None:
        self._engine, self._facts, self._rules = engine, facts, rules

    def design(self, label: Ints, slack: float) -> Design:
        """Choose inlets, simulate, and add inlets where customers would go short."""
        facts = self._facts
        inlets = self._inlets(label)
        short = self._newly_short(label, inlets)
        for _ in range(self._rules.inlets - 1):
            more = self._second_inlets(label, inlets, short)
            if not more:
                break
            inlets |= more
            short = self._newly_short(label, inlets)
        closed = self._closures(label, inlets)
        blocks = self._blocks(label, inlets, closed)
        outside = float(facts.connections[label == _NONE].sum())
        crossing = (label[facts.topology.start] != label[facts.topology.end]) & ~facts.is_closed
        names = tuple(facts.topology.nodes[k] for k in short.tolist())
        return Design(blocks, sum(block.cost for block in blocks), int(crossing.sum()), names, outside, slack)

    def labels(self, slack: float) -> Ints:
        """Block of every node; `_NONE` for trunks and chambers."""
        facts, topology = self._facts, self._facts.topology
        on_trunk = ~topology.is_junction
        on_trunk[topology.start[facts.is_trunk]] = on_trunk[topology.end[facts.is_trunk]] = True
        street = np.flatnonzero(~on_trunk)
        if not facts.connections[street].sum() > 0.0:
            raise UserError("every customer is on a trunk: there is no street network to be cut into blocks")
        place = np.full(len(topology.nodes), -1, dtype=np.int64)
        place[street] = np.arange(len(street))
        keep = (place[topology.start] >= 0) & (place[topology.end] >= 0) & ~facts.is_closed
        keep &= topology.start != topology.end
        size = np.where(topology.is_pipe, np.maximum(facts.diameter, 0.05), 0.05) ** _CAPACITY
        cost = size * np.where(facts.has_valve, _VALVED, 1.0)
        graph = Streets(
            place[topology.start[keep]], place[topology.end[keep]], cost[keep], facts.connections[street]
        )  # fmt: skip
        label = np.full(len(topology.nodes), _NONE, dtype=np.int64)
        label[street] = self._merged(graph, partition(graph, self._rules.least, self._rules.most, slack))
        return label

    def _merged(self, graph: Streets, label: Ints) -> Ints:
        """Give parts that are too small to a neighbour, largest shared border first; without one they are no block."""
        label = label.copy()
        while True:
            numbers = np.unique(label[label >= 0])
            size = {int(k): float(graph.size[label == k].sum()) for k in numbers}
            small = sorted((k for k in size if size[k] < self._rules.least), key=lambda k: size[k])
            for part in small:
                a, b = label[graph.start], label[graph.end]
                shared = {
                    int(other): float(graph.cost[((a == part) & (b == other)) | ((a == other) & (b == part))].sum())
                    for other in numbers
                    if other != part and size[part] + size[int(other)] <= self._rules.most
                }
                near = max(shared, key=lambda k: shared[k], default=_NONE)
                if near != _NONE and shared[near] > 0.0:
                    label[label == part] = near
                    break
                if size[part] < 0.5 * self._rules.least:
                    label[label == part] = _NONE
                    break
            else:
                return label

    def _border(self, label: Ints, block: int) -> tuple[Ints, Ints]:
        """Open links across a block's border, and the block on their other side."""
        facts, topology = self._facts, self._facts.topology
        a, b = label[topology.start], label[topology.end]
        links = np.flatnonzero(((a == block) != (b == block)) & ~facts.is_closed)
        return links, np.where(a[links] == block, b[links], a[links])

    def _inflow(self, label: Ints, block: int, links: Ints) -> Floats:
        topology = self._facts.topology
        return np.where(label[topology.end[links]] == block, 1.0, -1.0) * self._facts.flow[links]

    def _inlets(self, label: Ints) -> set[int]:
        """One inlet for each block, from a trunk where one touches it, else from a block that has an inlet already."""
        waiting, fed, inlets = set(np.unique(label[label >= 0]).tolist()), {_NONE}, set()
        while waiting:
            offers = []
            for block in waiting:
                links, other = self._border(label, block)
                ready = np.array([int(o) in fed for o in other], dtype=bool)
                if ready.any():
                    inflow = self._inflow(label, block, links[ready])
                    best = int(np.argmax(inflow))
                    offers.append((float(inflow[best]), block, int(links[ready][best])))
            if not offers:  # only through links that are shut: what feeds it is inside
                break
            _, block, link = max(offers)
            inlets.add(link)
            fed.add(block)
            waiting.remove(block)
        return inlets

    def _second_inlets(self, label: Ints, inlets: set[int], short: Ints) -> set[int]:
        """Another inlet for each block with customers newly short."""
        more = set()
        for block in np.unique(label[short]).tolist():
            if block == _NONE:
                continue
            links, other = self._border(label, block)
            free = np.array(
                [int(k) not in inlets and o == _NONE for k, o in zip(links, other, strict=True)], dtype=bool
            )
            if free.any():
                more.add(int(links[free][int(np.argmax(self._inflow(label, block, links[free])))]))
        return more

    def _closures(self, label: Ints, inlets: set[int]) -> set[int]:
        facts, topology = self._facts, self._facts.topology
        crossing = (label[topology.start] != label[topology.end]) & ~facts.is_closed
        return set(np.flatnonzero(crossing).tolist()) - inlets

    def _shut(self, links: Sequence[int]) -> None:
        for link in links:
            self._engine.set_status(self._facts.topology.links[link], is_open=False)

    def _open(self, links: Sequence[int]) -> None:
        for link in links:
            self._engine.set_status(self._facts.topology.links[link], is_open=True)

    def _newly_short(self, label: Ints, inlets: set[int]) -> Ints:
        """Customers whose free head was kept and would not be."""
        facts, closed = self._facts, sorted(self._closures(label, inlets))
        self._shut(closed)
        _, lowest, _ = usual_day(self._engine)
        self._open(closed)
        kept = (facts.due > 0.0) & (facts.lowest >= facts.due)
        return np.flatnonzero(kept & (lowest < facts.due - _SHORT_M))

    def _blocks(self, label: Ints, inlets: set[int], closed: set[int]) -> tuple[Block, ...]:
        facts, topology = self._facts, self._facts.topology
        names, found = topology.links, []
        before = [self._with_fire(label, block) for block in np.unique(label[label >= 0]).tolist()]
        prices = self._prices(label, inlets, closed)
        self._shut(sorted(closed))
        for number, block in enumerate(np.unique(label[label >= 0]).tolist()):
            inside = label == block
            links, _ = self._border(label, block)
            meters = [k for k in links.tolist() if k in inlets]
            mine = [k for k in meters if self._inflow(label, block, np.array([k]))[0] >= 0.0] or meters
            shut = [k for k in links.tolist() if k in closed]
            both = inside[topology.start] & inside[topology.end] & topology.is_pipe
            found.append(Block(
                f"B{number + 1:02d}", tuple(topology.nodes[k] for k in np.flatnonzero(inside).tolist()),
                float(facts.connections[inside].sum()), float(topology.length[both].sum()),
                tuple(names[k] for k in mine), tuple(names[k] for k in shut),
                tuple(names[k] for k in shut if not facts.has_valve[k]), self._is_isolated(label, block, meters),
                self._with_fire(label, block), before[number], prices[block],
            ))  # fmt: skip
        self._open(sorted(closed))
        return tuple(found)

    def _is_isolated(self, label: Ints, block: int, inlets: Sequence[int]) -> bool:
        """Shut all meters at a block's border: no open link may lead from a source into it."""
        engine, topology = self._engine, self._facts.topology
        self._shut(inlets)
        engine.start()
        engine.solve()
        is_open = engine.read("link", "status") > 0.0
        engine.stop()
        self._open(inlets)
        part = topology.districts(~is_open)
        watered = np.isin(part, np.unique(part[~topology.is_junction]))
        return not bool(watered[label == block].any())

    def _with_fire(self, label: Ints, block: int) -> float:
        """Least free head that the fire flow leaves at the block's weakest customer, m."""
        engine, facts = self._engine, self._facts
        customers = np.flatnonzero((label == block) & (facts.connections > 0.0))
        weakest = int(customers[np.argmin(facts.lowest[customers])])
        engine.start()
        while engine.solve() < facts.worst_hour and engine.advance() > 0:
            pass
        taken = float(engine.read("node", "demand")[weakest])
        engine.set_demand(facts.topology.nodes[weakest], max(taken, 0.0) + self._rules.fire_flow)
        engine.solve()
        left = float(engine.read("node", "pressure")[weakest])
        engine.stop()
        return left

    def _prices(self, label: Ints, inlets: set[int], closed: set[int]) -> dict[int, float]:
        """Meters and new valves by block, UAH, each counted once."""
        facts, rules, topology = self._facts, self._rules, self._facts.topology
        price = dict.fromkeys(np.unique(label[label >= 0]).tolist(), 0.0)
        bought = [(k, rules.meter_cost, bool(facts.flow[k] >= 0.0)) for k in sorted(inlets)]
        bought += [(k, rules.valve_cost, False) for k in sorted(closed) if not facts.has_valve[k]]
        for link, (first, by_diameter), is_forward in bought:
            ends = int(label[topology.start[link]]), int(label[topology.end[link]])
            into, other = ends[::-1] if is_forward else ends
            price[into if into != _NONE else other] += first + by_diameter * float(facts.diameter[link])
        return price
