"""Placement of loggers against brute force, its laws, and simulated leaks."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydro.engine import Engine
from models.errors import DetectionError
from models.prospect import expect, place_evenly
from models.sensing import (
    Assumptions,
    Zone,
    _Choice,
    _confusion,
    place_sensors,
    zones_of,
)
from networks import load

_ASSUMED = Assumptions(leak=0.002, noise=0.01)


class Names:
    """As much of an engine as placing asks for."""

    def __init__(self, n: int) -> None:
        self.topology = self
        self.nodes = tuple(f"n{k}" for k in range(n))

    def node(self, name: str) -> int:
        return self.nodes.index(name)


def zone(seed: int, n_nodes: int, n_pipes: int) -> Zone:
    rng = np.random.default_rng(seed)
    place = rng.uniform(0.0, 1000.0, (n_pipes, 2))
    distance = np.abs(place[:, None] - place[None]).sum(axis=2)
    at = rng.uniform(0.0, 1000.0, (n_nodes, 2))
    response = -60.0 * np.exp(-np.abs(place[:, None] - at[None]).sum(axis=2) / 400.0)
    return Zone("z", np.arange(n_nodes), np.arange(n_pipes), rng.uniform(20, 200, n_pipes), distance, response)


def left_with(given: Zone, places: tuple[int, ...]) -> float:
    """Metres left to confuse, written as the definition has it."""
    total = 0.0
    for i, j in itertools.product(range(len(given.pipes)), repeat=2):
        apart = 0.0
        for s in places:
            a, b = given.response[i, s] * _ASSUMED.leak, given.response[j, s] * _ASSUMED.leak
            apart += (a - b) ** 2 / (_ASSUMED.noise**2 + _ASSUMED.model_error**2 * (a**2 + b**2) / 2.0)
        total += given.length[i] * given.length[j] * given.distance[i, j] * np.exp(-apart / 2.0)
    return float(total / given.length.sum() ** 2)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6))
def test_choice_is_as_good_as_it_says_against_every_other(seed: int) -> None:
    given_zone, count = zone(seed, 8, 12), 3
    placed = place_sensors(Names(8), [given_zone], count, _ASSUMED)  # type: ignore[arg-type]
    chosen = tuple(int(name[1:]) for name in placed.sensors)
    assert len(set(chosen)) == count
    whole = left_with(given_zone, ())
    assert placed.confused[0] == pytest.approx(whole)
    assert placed.confused[-1] == pytest.approx(left_with(given_zone, chosen))
    best = min(left_with(given_zone, some) for some in itertools.combinations(range(8), count))
    assert (whole - placed.confused[-1]) >= (placed.at_least - 1e-9) * (whole - best)
    assert placed.at_least >= 0.63
    assert whole - placed.confused[-1] >= 0.95 * (whole - best)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sets(st.integers(0, 6), max_size=4), st.integers(0, 6), st.integers(0, 6))
def test_a_logger_helps_the_less_the_more_there_are(seed: int, some: set[int], more: int, one: int) -> None:
    given_zone = zone(seed, 8, 10)
    few, many = _Choice(given_zone, _ASSUMED, 1.0), _Choice(given_zone, _ASSUMED, 1.0)
    for place in some:
        few.take(place)
        many.take(place)
    if more not in some:
        many.take(more)
    if one not in many.chosen:
        assert 0.0 <= many.gain(one) <= few.gain(one) + 1e-9


def test_what_is_dropped_is_as_if_it_had_never_been() -> None:
    choice = _Choice(zone(3, 8, 10), _ASSUMED, 1.0)
    choice.take(2)
    before = choice.left.copy()
    choice.take(5)
    choice.drop(5)
    np.testing.assert_allclose(choice.left, before)


def test_fixed_loggers_count_and_stay() -> None:
    zones = [zone(1, 8, 12), zone(2, 8, 12)]
    free = place_sensors(Names(8), zones[:1], 2, _ASSUMED)  # type: ignore[arg-type]
    again = place_sensors(Names(8), zones[:1], 1, _ASSUMED, fixed=free.sensors[:1])  # type: ignore[arg-type]
    assert again.sensors[0] == free.sensors[0]
    assert again.n_fixed == 1
    assert again.confused[1] == pytest.approx(free.confused[1])
    with pytest.raises(DetectionError, match="9 loggers for 8 places"):
        place_sensors(Names(8), zones[:1], 9, _ASSUMED)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def net3() -> Iterator[tuple[Engine, list[Zone]]]:
    with Engine(load("Net3")) as engine:
        names = [engine.topology.nodes[k] for k in engine.junctions]
        yield engine, zones_of(engine, {"all": names})


def pressures(engine: Engine, hour: int, more: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Pressure of all nodes at an hour, when every node takes `more` of its demand beside it."""
    engine.start()
    while engine.solve() < hour * 3600 and engine.advance() > 0:
        pass
    demand = engine.read("node", "demand").copy()
    extra = more(np.maximum(demand, 0.0))
    for node in np.flatnonzero(extra).tolist():
        engine.set_demand(engine.topology.nodes[node], float(demand[node] + extra[node]))
    engine.solve()
    return engine.read("node", "pressure").copy()


def test_responses_are_what_leaks_do_to_a_model_driven_by_its_inflow(net3: tuple[Engine, list[Zone]]) -> None:
    """Against two solved states: the leak at the ends of a pipe, and the same water spread over all demands."""
    (found,), flow, changes = net3[1], 1e-3, []
    with Engine(load("Net3")) as engine:
        engine.set_accuracy(1e-8)
        junctions, pipe = engine.junctions, int(found.pipes[10])
        ends = [int(engine.topology.start[pipe]), int(engine.topology.end[pipe])]

        def leak(demand: np.ndarray) -> np.ndarray:
            extra = np.zeros_like(demand)
            extra[ends] += flow / 2.0
            return extra

        def spread(demand: np.ndarray) -> np.ndarray:
            extra = np.zeros_like(demand)
            extra[junctions] = flow * demand[junctions] / demand[junctions].sum()
            return extra

        for hour in (3, 8, 13, 19):
            states = []
            for more in (leak, spread):
                with Engine(load("Net3")) as fresh:
                    fresh.set_accuracy(1e-8)
                    states.append(pressures(fresh, hour, more)[found.nodes])
            changes.append((states[0] - states[1]) / flow)
    expected = np.mean(changes, axis=0)
    np.testing.assert_allclose(found.response[10], expected, atol=0.02 * np.abs(expected).max())


def test_more_loggers_promise_more_and_placed_ones_most(net3: tuple[Engine, list[Zone]]) -> None:
    engine, zones = net3
    assumed = Assumptions(leak=0.005)
    promises = [
        expect(engine, zones, place_sensors(engine, zones, count, assumed).sensors, assumed) for count in (1, 4, 12)
    ]
    assert promises[0].distance >= promises[1].distance >= promises[2].distance
    assert promises[0].detected <= promises[1].detected <= promises[2].detected
    evenly = place_evenly(engine, zones, 4)
    assert len(set(evenly)) == 4
    assert expect(engine, zones, evenly, assumed).within <= promises[1].within + 0.02


def test_a_zone_without_pipes_is_refused(net3: tuple[Engine, list[Zone]]) -> None:
    engine, _ = net3
    with pytest.raises(DetectionError, match="zone x: no pipe"):
        zones_of(engine, {"x": [engine.topology.nodes[0]]})
    assert _confusion([_Choice(zone(1, 4, 4), _ASSUMED, 1.0)], []).shape == (1,)
