"""Blocks: parts of the street network behind one or two meters, designed, shut off and tried by simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Network
from umanflow.errors import UserError
from umanflow.planner.blockdesign import Block, BlockRules, Design, Short
from umanflow.planner.blockfacts import Facts, facts_of, usual_day
from umanflow.planner.partition import Streets, partition
from umanflow.planner.pressure import Norm
from umanflow.planner.sentence import Sentence
from umanflow.report.wording import mark

__all__ = ["Block", "BlockRules", "Design", "design_blocks"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_VALVED = 0.5  # cutting where a valve stands costs half
_CAPACITY = 2.63  # Hazen-Williams: flow by diameter
_SLACKS = (0.35, 0.2, 0.5)
_NONE = -1
_SHORT_M = 0.01
_PRV = 3
_RAISES, _MENDS = 4, 20
_MORE_INLETS, _TRIED = 2, 12  # beyond the rules where customers go short; border pipes that are tried at a time


def design_blocks(network: Network, rules: BlockRules, norm: Norm, reopen: bool = False) -> list[Design]:
    """Design blocks in several ways, simulate each, and give the best first.

    Parameters
    ----------
    network
        Its tables of pipes (kind), nodes (connections, storeys) and valves are used where they are.
    rules, norm
        What has to be kept.
    reopen
        Forget which links are shut now, as if nobody had ever cut the network. Where every such design leaves customers
        short (pressure zones that are joined may have no common inlet), designs that leave shut what is shut are made
        too.

    Returns
    -------
    list of Design
        Fewest customers newly short, then fewest blocks newly without fire flow, then isolated, then cheapest.

    Raises
    ------
    UserError
        If no street network is left beside the trunks.
    """
    designs = _designs(network, rules, norm, reopen)
    if reopen and all(design.short for design in designs):
        designs += _designs(network, rules, norm, reopen=False)
    return sorted(
        designs, key=lambda d: (len(d.newly_short), len(d.without_fire(rules.fire_head)), not d.is_isolated, d.cost)
    )


def _designs(network: Network, rules: BlockRules, norm: Norm, reopen: bool) -> list[Design]:
    with Engine(network) as engine:
        facts = facts_of(engine, network, norm, reopen)
        designer, seen, designs = _Designer(engine, facts, rules), set(), []
        for slack in _SLACKS:
            label = designer.labels(slack)
            if label.tobytes() not in seen:
                seen.add(label.tobytes())
                designs.append(replace(designer.design(label, slack), is_reopened=reopen))
    return designs


class _Designer:
    """Designs on one open engine; links are shut in it and opened again."""

    def __init__(self, engine: Engine, facts: Facts, rules: BlockRules) -> None:
        self._engine, self._facts, self._rules = engine, facts, rules

    def design(self, label: Ints, slack: float) -> Design:
        """Choose inlets, simulate, and add inlets where customers would go short."""
        facts = self._facts
        inlets = self._inlets(label)
        short, lowest = self._newly_short(label, inlets)
        for _ in range(self._rules.inlets - 1):
            more = self._second_inlets(label, inlets, short)
            if not more:
                break
            inlets |= more
            short, lowest = self._newly_short(label, inlets)
        raised, short, lowest = self._raised(label, inlets, short, lowest)
        inlets, short, lowest = self._mended(label, inlets, short, lowest)
        closed = self._closures(label, inlets)
        blocks = self._blocks(label, inlets, closed)
        outside = float(facts.connections[label == _NONE].sum())
        crossing = (label[facts.topology.start] != label[facts.topology.end]) & ~facts.is_closed
        left = self._told(label, short, lowest, blocks)
        for name, (before, _) in raised.items():
            self._engine.set_setting(name, before)
        settings = {name: after for name, (_, after) in raised.items()}
        cost = sum(block.cost for block in blocks)
        return Design(blocks, cost, int(crossing.sum()), left, settings, outside, slack)

    def _raised(
        self, label: Ints, inlets: set[int], short: Ints, lowest: Floats
    ) -> tuple[dict[str, tuple[float, float]], Ints, Floats]:
        """Raise set-points that were made for other blocks, by what customers behind the valves would be short.

        Returns
        -------
        dict, Ints, Floats
            Set-point before and after, m, by valve; who is short then, and the least pressure of every node.
        """
        engine, topology = self._engine, self._facts.topology
        raised: dict[str, tuple[float, float]] = {}
        for _ in range(_RAISES):
            behind = label[topology.end]
            moved = False
            for valve in np.flatnonzero((engine.link_types == _PRV) & np.isin(behind, label[short])).tolist():
                mine = short[label[short] == behind[valve]]
                if behind[valve] == _NONE or not len(mine):
                    continue
                name = topology.links[valve]
                now = engine.value("link", valve, "init_setting") * engine.pressure_unit
                first = raised[name][0] if name in raised else now
                after = now + float((self._facts.due[mine] - lowest[mine]).max()) + _SHORT_M
                raised[name] = first, after
                engine.set_setting(name, after)
                moved = True
            if not moved:
                break
            short, lowest = self._newly_short(label, inlets)
        return raised, short, lowest

    def _mended(self, label: Ints, inlets: set[int], short: Ints, lowest: Floats) -> tuple[set[int], Ints, Floats]:
        """Open border pipes again, with a meter, while that leaves fewer customers short."""
        for _ in range(_MENDS):
            if not len(short):
                break
            best = (len(short), self._missing(short, lowest)), inlets, short, lowest
            for link in self._worth_opening(label, inlets, short):
                now, then = self._newly_short(label, inlets | {link})
                found = (len(now), self._missing(now, then)), inlets | {link}, now, then
                if found[0] < best[0]:
                    best = found
            if best[0] >= (len(short), self._missing(short, lowest) - _SHORT_M):
                break
            _, inlets, short, lowest = best
        return inlets, short, lowest

    def _missing(self, short: Ints, lowest: Floats) -> float:
        return float((self._facts.due[short] - lowest[short]).sum())

    def _worth_opening(self, label: Ints, inlets: set[int], short: Ints) -> list[int]:
        """Closed border pipes of blocks with short customers, those first that carry most when all is open."""
        found: set[int] = set()
        for block in np.unique(label[short]).tolist():
            if block == _NONE:
                found |= self._closures(label, inlets)
                continue
            links, _ = self._border(label, block)
            found |= set(links.tolist()) - inlets
        topology = self._facts.topology
        full = {
            int(block)
            for block in np.unique(label[label >= 0]).tolist()
            if len(inlets & set(self._border(label, block)[0].tolist())) >= self._rules.inlets + _MORE_INLETS
        }
        found = {k for k in found if not full & {int(label[topology.start[k]]), int(label[topology.end[k]])}}
        return sorted(found, key=lambda k: (-abs(float(self._facts.flow[k])), k))[:_TRIED]

    def _told(self, label: Ints, short: Ints, lowest: Floats, blocks: Sequence[Block]) -> tuple[Short, ...]:
        """Who stays short, and why."""
        facts = self._facts
        numbers = np.unique(label[label >= 0]).tolist()
        found = []
        for node in short.tolist():
            block = blocks[numbers.index(int(label[node]))] if label[node] != _NONE else None
            told = mark("fed through {inlets}; no other border pipe that is opened leaves fewer short")
            why = (
                Sentence(told, inlets=", ".join(block.inlets))
                if block is not None
                else Sentence(mark("on a trunk, whose flow the closed borders of blocks change"))
            )
            found.append(Short(
                facts.topology.nodes[node], block.name if block is not None else "", float(facts.due[node]),
                float(facts.present[node]), float(lowest[node]), why,
            ))  # fmt: skip
        return tuple(found)

    def labels(self, slack: float) -> Ints:
        """Block of every node; `_NONE` for trunks and chambers."""
        facts, topology = self._facts, self._facts.topology
        on_trunk = ~topology.is_junction
        on_trunk[topology.start[facts.is_trunk]] = on_trunk[topology.end[facts.is_trunk]] = True
        street = np.flatnonzero(~on_trunk)
        if not facts.connections[street].sum() > 0.0:
            raise UserError(
                Sentence(mark("every customer is on a trunk: there is no street network to be cut into blocks"))
            )
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

    def _newly_short(self, label: Ints, inlets: set[int]) -> tuple[Ints, Floats]:
        """Customers whose free head is kept now and would not be, and the least pressure of every node."""
        facts, closed = self._facts, sorted(self._closures(label, inlets))
        self._shut(closed)
        _, lowest, _ = usual_day(self._engine)
        self._open(closed)
        kept = (facts.due > 0.0) & (facts.present >= facts.due)
        return np.flatnonzero(kept & (lowest < facts.due - _SHORT_M)), lowest

    def _blocks(self, label: Ints, inlets: set[int], closed: set[int]) -> tuple[Block, ...]:
        facts, topology = self._facts, self._facts.topology
        names, found = topology.links, []
        before = [self._with_fire(label, block) for block in np.unique(label[label >= 0]).tolist()]
        prices = self._prices(label, inlets, closed)
        self._shut(sorted(closed))
        for number, block in enumerate(np.unique(label[label >= 0]).tolist()):
            inside = label == block
            links, others = self._border(label, block)
            beyond = dict(zip(links.tolist(), others.tolist(), strict=True))
            meters = [k for k in links.tolist() if k in inlets]
            # between two blocks a meter is named with the one that it feeds
            mine = [
                k for k in meters if beyond[k] == _NONE or self._inflow(label, block, np.array([k]))[0] >= 0.0
            ] or meters
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
