"""Where pressure loggers have to stand so that leaks are told apart: a greedy choice with a bound, then exchanges.

A leak of flow q in pipe i moves logger s by q R_is. Two pipes i and j of a zone are told apart by

    c_ij = sum over s of q^2 (R_is - R_js)^2 / (noise^2 + model error^2 q^2 (R_is^2 + R_js^2) / 2)

and what is left to confuse is  F = sum over pairs of L_i L_j d_ij exp(-c_ij / 2), the metres between a leak and where
it might as well be. What a set of loggers takes away from F is monotone and submodular, so that the greedy choice takes
away at least 63 % of what the best set does (Nemhauser, Wolsey and Fisher, Math. Programming 14, 1978); the gains that
are left bound the best set from above, usually much more closely (Leskovec et al., KDD 2007).
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hydro.derivatives import derivatives
from hydro.engine import Engine
from models.errors import DetectionError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_HOURS = (3, 8, 13, 19)
_MOST_PIPES = 500  # of a zone; more are thinned out evenly
_MOST_NODES = 400
_ENOUGH = 1e-3  # an exchange has to bring this share


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What loggers and leaks are like.

    Attributes
    ----------
    leak
        Size that is to be found, m3/s.
    noise
        Standard deviation of a day's mean residual of a logger, m.
    model_error
        Of a response, as a share of it.
    detected
        Deviations that all loggers together have to move for a leak to be seen.
    """

    leak: float
    noise: float = 0.006
    model_error: float = 0.12
    detected: float = 4.0


@dataclass(frozen=True, slots=True)
class Zone:
    """A district whose inflow is measured, and what leaks in it do to loggers in it.

    Attributes
    ----------
    name
        As the network has it.
    nodes
        int64 [n], where a logger may stand.
    pipes
        int64 [m], where leaks are.
    length
        float64 [m], metres that each of those pipes stands for.
    distance
        float64 [m, m], between the middles of pipes along pipes, m.
    response
        float64 [m, n], m per m3/s, inflow held as measured.
    """

    name: str
    nodes: Ints
    pipes: Ints
    length: Floats
    distance: Floats
    response: Floats


@dataclass(frozen=True, slots=True)
class Placement:
    """Loggers in the order in which they help.

    Attributes
    ----------
    sensors
        Node names; those that were there before come first.
    n_fixed
        Number of those.
    confused
        float64 [n + 1], metres between a leak and where it might as well be, with the first 0, 1, … loggers.
    at_least
        Share of the best possible gain that the choice surely has.
    """

    sensors: tuple[str, ...]
    n_fixed: int
    confused: Floats
    at_least: float


def zones_of(engine: Engine, members: Mapping[str, Sequence[str]]) -> list[Zone]:
    """Prepare districts for `place_sensors`.

    Parameters
    ----------
    engine
        With the network; its first day is run.
    members
        Names of the nodes of each district.

    Raises
    ------
    DetectionError
        If a district has no pipe with both ends in it.
    """
    topology = engine.topology
    inside = {
        name: np.array(sorted(topology.node(n) for n in nodes), dtype=np.int64) for name, nodes in members.items()
    }
    pipes = {
        name: np.flatnonzero(np.isin(topology.start, nodes) & np.isin(topology.end, nodes) & topology.is_pipe)
        for name, nodes in inside.items()
    }
    for name, found in pipes.items():
        if not len(found):
            raise DetectionError(f"zone {name}: no pipe has both ends in it; leave the zone out")
    places = {name: _thin(nodes[topology.is_junction[nodes]], _MOST_NODES) for name, nodes in inside.items()}
    leaks = {name: _thin(found, _MOST_PIPES) for name, found in pipes.items()}
    response = _responses(engine, inside, places, leaks)
    zones = []
    for name, chosen in leaks.items():
        distance = np.array([topology.distance_from_link(int(k))[chosen] for k in chosen])
        share = topology.length[pipes[name]].sum() / max(topology.length[chosen].sum(), 1.0)
        length = np.maximum(topology.length[chosen], 1.0) * share
        zones.append(Zone(name, places[name], chosen, length, distance, response[name]))
    return zones


def _thin(indices: Ints, most: int) -> Ints:
    """At most so many, evenly from the whole."""
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).round().astype(np.int64)]


def _responses(
    engine: Engine, inside: Mapping[str, Ints], places: Mapping[str, Ints], leaks: Mapping[str, Ints]
) -> dict[str, Floats]:
    """Response of the places of each zone to its leaks, m per m3/s, mean over hours of a day.

    A zone's inflow is measured, so a leak takes the place of demand spread over the zone: its response is taken less
    the mean by demand.
    """
    topology = engine.topology
    loggers = np.concatenate(list(places.values()))
    first = dict(zip(places, np.cumsum([0, *map(len, places.values())])[:-1].tolist(), strict=True))
    found = {name: np.zeros((len(leaks[name]), len(places[name]))) for name in inside}
    for hour in _HOURS:
        engine.start()
        while engine.solve() < hour * 3600 and engine.advance() > 0:
            pass
        taken = np.maximum(engine.read("node", "demand"), 0.0)
        by_demand = derivatives(engine, loggers, np.array([], dtype=np.int64)).by_demand
        for name, nodes in inside.items():
            columns = by_demand[:, first[name] : first[name] + len(places[name])]
            weight = taken[nodes] if taken[nodes].sum() > 0.0 else np.ones(len(nodes))
            usual = weight @ columns[nodes] / weight.sum()
            ends = 0.5 * (columns[topology.start[leaks[name]]] + columns[topology.end[leaks[name]]])
            found[name] += (ends - usual) / len(_HOURS)
    return found


@njit(cache=True)  # type: ignore[untyped-decorator]
def _gain(left: Floats, moved: Floats, noise: float, error: float) -> float:
    """What a logger takes away from `left` [m, m], of which the part above the diagonal counts."""
    total = 0.0
    for i in range(len(moved)):
        for j in range(i + 1, len(moved)):
            if left[i, j] > 0.0:
                square = (moved[i] - moved[j]) ** 2
                spread = noise + 0.5 * error * (moved[i] ** 2 + moved[j] ** 2)
                total += left[i, j] * (1.0 - np.exp(-0.5 * square / spread))
    return total


@njit(cache=True)  # type: ignore[untyped-decorator]
def _take(left: Floats, moved: Floats, noise: float, error: float) -> None:
    """Take away from `left` what a logger tells apart."""
    for i in range(len(moved)):
        for j in range(i + 1, len(moved)):
            square = (moved[i] - moved[j]) ** 2
            spread = noise + 0.5 * error * (moved[i] ** 2 + moved[j] ** 2)
            left[i, j] *= np.exp(-0.5 * square / spread)


@dataclass
class _Choice:
    """Loggers chosen so far in one zone; `left` is what they leave to confuse."""

    zone: Zone
    assumed: Assumptions
    total: float  # metres of all zones
    chosen: list[int] = field(default_factory=list)
    left: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.left = self._whole()

    def _whole(self) -> Floats:
        """Pairs weighted by their lengths; a pair counts from both sides."""
        length = self.zone.length
        share = 2.0 * np.outer(length, length) / (length.sum() * self.total)
        return np.triu(share * self.zone.distance, 1)

    def _facts(self, place: int) -> tuple[Floats, float, float]:
        moved = np.ascontiguousarray(self.zone.response[:, place]) * self.assumed.leak
        return moved, self.assumed.noise**2, self.assumed.model_error**2

    def gain(self, place: int) -> float:
        return 0.0 if place in self.chosen else float(_gain(self.left, *self._facts(place)))

    def take(self, place: int) -> None:
        self.chosen.append(place)
        _take(self.left, *self._facts(place))

    def drop(self, place: int) -> None:
        self.chosen.remove(place)
        self.left = self._whole()
        for other in self.chosen:
            _take(self.left, *self._facts(other))


def place_sensors(
    engine: Engine, zones: Sequence[Zone], count: int, assumed: Assumptions, fixed: Sequence[str] = ()
) -> Placement:
    """Choose places for loggers.

    Parameters
    ----------
    engine
        Whose network the zones are of.
    zones
        Of `zones_of`.
    count
        Loggers to place, beside the fixed ones.
    assumed
        What is to be found and with what.
    fixed
        Nodes that have a logger already.

    Raises
    ------
    DetectionError
        If there are fewer places than loggers.
    """
    total = float(sum(zone.length.sum() for zone in zones))
    choices = [_Choice(zone, assumed, total) for zone in zones]
    if count > (free := sum(len(zone.nodes) for zone in zones)):
        raise DetectionError(f"{count} loggers for {free} places: place fewer")
    taken = _take_fixed(engine, choices, fixed)
    order = [*taken, *_greedily(choices, count)]
    _exchange(choices, order, len(taken))
    names = engine.topology.nodes
    confused = _confusion(choices, order)
    return Placement(
        tuple(names[int(zones[z].nodes[place])] for z, place in order), len(taken), confused,
        _at_least(choices, order, len(taken), confused),
    )  # fmt: skip


def _take_fixed(engine: Engine, choices: list[_Choice], fixed: Sequence[str]) -> list[tuple[int, int]]:
    taken = []
    for name in fixed:
        node = engine.topology.node(name)
        for z, choice in enumerate(choices):
            places = np.flatnonzero(choice.zone.nodes == node)
            if len(places):
                choice.take(int(places[0]))
                taken.append((z, int(places[0])))
    return taken


def _greedily(choices: list[_Choice], count: int) -> list[tuple[int, int]]:
    """Take what helps most, again and again; gains only fall, so that few have to be computed anew (lazy greedy)."""
    offers = [(-choice.gain(p), z, p) for z, choice in enumerate(choices) for p in range(len(choice.zone.nodes))]
    heapq.heapify(offers)
    order: list[tuple[int, int]] = []
    while len(order) < count:
        _, z, place = heapq.heappop(offers)
        now = choices[z].gain(place)
        if place in choices[z].chosen:
            continue
        if offers and now < -offers[0][0]:
            heapq.heappush(offers, (-now, z, place))
            continue
        choices[z].take(place)
        order.append((z, place))
    return order


def _exchange(choices: list[_Choice], order: list[tuple[int, int]], n_fixed: int) -> None:
    """Move each logger within its zone to where it helps most without it, while that brings something."""
    for k in range(n_fixed, len(order)):
        z, place = order[k]
        choice = choices[z]
        choice.drop(place)
        gains = [choice.gain(p) for p in range(len(choice.zone.nodes))]
        best = int(np.argmax(gains))
        if gains[best] <= gains[place] + _ENOUGH * choice.left.sum():
            best = place
        choice.take(best)
        order[k] = z, best


def _confusion(choices: list[_Choice], order: list[tuple[int, int]]) -> Floats:
    """Metres left to confuse with the first 0, 1, … loggers."""
    fresh = [_Choice(choice.zone, choice.assumed, choice.total) for choice in choices]
    found = [sum(float(choice.left.sum()) for choice in fresh)]
    for z, place in order:
        before = float(fresh[z].left.sum())
        fresh[z].take(place)
        found.append(found[-1] - before + float(fresh[z].left.sum()))
    return np.array(found)


def _at_least(choices: list[_Choice], order: list[tuple[int, int]], n_fixed: int, confused: Floats) -> float:
    """Share of the best gain: no other set gains more than this one and the largest gains that are left to it."""
    gained = float(confused[n_fixed] - confused[-1])
    left = sorted((choice.gain(p) for choice in choices for p in range(len(choice.zone.nodes))), reverse=True)
    most = min(gained + sum(left[: len(order) - n_fixed]), float(confused[n_fixed]))
    return gained / most if most > 0.0 else 1.0
