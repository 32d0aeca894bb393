"""From evidence to a place, against brute force on small networks."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import localise
from models.evidence import Evidence
from models.localise import Place, locate
from networks import Topology

NEAR = 300.0


def street(lengths: list[float]) -> Topology:
    """Pipes end to end, with a valve at the end."""
    n = len(lengths) + 1
    return Topology(
        nodes=tuple(f"n{k}" for k in range(n + 1)),
        links=(*(f"p{k}" for k in range(n - 1)), "valve"),
        start=np.arange(n, dtype=np.int64),
        end=np.arange(1, n + 1, dtype=np.int64),
        length=np.array([*lengths, 0.0]),
        is_pipe=np.array([True] * (n - 1) + [False]),
        is_junction=np.ones(n + 1, dtype=bool),
        xy=np.zeros((n + 1, 2)),
    )


def evidence_of(gain: list[float]) -> Evidence:
    n = len(gain)
    nothing = np.zeros(n)
    first = np.zeros(n, dtype=np.int64)
    return Evidence(np.array(gain), nothing, nothing, nothing, first, nothing, first)


def probabilities(gain: list[float], lengths: list[float], temper: float, growth: float) -> list[float]:
    best = max(gain)
    weights = [
        math.exp((g - best) / (temper + growth * best)) * max(metres, 1.0)
        for g, metres in zip(gain, lengths, strict=True)
    ]
    return [w / sum(weights) for w in weights]


def mass_near(probability: list[float], lengths: list[float], centre: int) -> float:
    """Probability within 300 m of pipe from one pipe's centre to another's, along the street."""
    middles = [sum(lengths[:k]) + lengths[k] / 2.0 for k in range(len(lengths))]
    return sum(p for p, at in zip(probability, middles, strict=True) if abs(at - middles[centre]) <= NEAR)


_streets = st.integers(1, 14).flatmap(
    lambda n: st.tuples(
        # lengths of 7 m and their like never put two centres at just 300 m
        st.lists(st.sampled_from([0.25, 7.0, 31.0, 97.0, 211.0, 403.0]), min_size=n, max_size=n),
        st.lists(st.floats(0.0, 60.0), min_size=n, max_size=n),
    )
)


def place_of(lengths: list[float], gain: list[float], temper: float = 2.5, growth: float = 0.02) -> Place:
    topology = street(lengths)
    return locate(evidence_of(gain), topology, topology.pipes, temper, growth)


@settings(deadline=None, max_examples=150)
@given(_streets, st.floats(0.5, 5.0), st.floats(0.0, 0.1))
def test_place_is_brute_forces(case: tuple[list[float], list[float]], temper: float, growth: float) -> None:
    lengths, gain = case
    expected = probabilities(gain, lengths, temper, growth)
    masses = [mass_near(expected, lengths, k) for k in range(len(lengths))]
    place = place_of(lengths, gain, temper, growth)
    # the best place covers the most; among such as cover about as much, the likelier pipe itself counts
    worth = [mass + localise._OWN_WEIGHT * own for mass, own in zip(masses, expected, strict=True)]
    assert place.probability == pytest.approx(masses[place.link], rel=1e-9)
    assert worth[place.link] == pytest.approx(max(worth), rel=1e-9)
    assert masses[place.link] >= max(masses) - localise._OWN_WEIGHT - 1e-9
    for one in place.candidates:
        assert one.probability == pytest.approx(expected[int(one.pipe[1:])], rel=1e-9, abs=1e-300)


@settings(deadline=None, max_examples=100)
@given(_streets)
def test_candidates_are_the_likeliest_and_hold_95_percent(case: tuple[list[float], list[float]]) -> None:
    lengths, gain = case
    expected = probabilities(gain, lengths, 2.5, 0.02)
    assert sum(expected) == pytest.approx(1.0)
    place = place_of(lengths, gain)
    found = [one.probability for one in place.candidates]
    assert found == sorted(found, reverse=True)
    assert len({one.pipe for one in place.candidates}) == len(found)
    assert 0.95 - 1e-9 <= sum(found) <= 1.0 + 1e-9
    assert sum(found[:-1]) < 0.95 + 1e-9  # and no more of them than it takes
    assert max(expected) == pytest.approx(found[0])


@settings(deadline=None, max_examples=100)
@given(_streets)
def test_search_length_holds_80_percent(case: tuple[list[float], list[float]]) -> None:
    lengths, gain = case
    place = place_of(lengths, gain)
    ranked = sorted(zip(probabilities(gain, lengths, 2.5, 0.02), lengths, strict=True), reverse=True)
    masses = np.cumsum([p for p, _ in ranked])
    needed = int(np.searchsorted(masses, 0.8 - 1e-9)) + 1
    # pipes that are alike may change places; their lengths are alike too, or nearly
    assert place.search_length <= sum(lengths) + 1e-9
    assert place.search_length >= min(lengths)
    if len({p for p, _ in ranked}) == len(ranked) and abs(masses[needed - 1] - 0.8) > 1e-6:
        assert place.search_length == pytest.approx(sum(metres for _, metres in ranked[:needed]))


def test_probabilities_of_even_evidence_are_lengths() -> None:
    place = place_of([100.0, 300.0, 600.0], [5.0, 5.0, 5.0])
    assert {one.pipe: round(one.probability, 9) for one in place.candidates} == {"p0": 0.1, "p1": 0.3, "p2": 0.6}
    assert sum(one.probability for one in place.candidates) == pytest.approx(1.0)


def test_the_middle_of_a_cluster_beats_a_single_pipe() -> None:
    # p5 explains the most by itself, but the three pipes at the other end lie near each other
    lengths = [90.0, 90.0, 90.0, 2000.0, 2000.0, 120.0]
    place = place_of(lengths, [10.0, 10.0, 10.0, 0.0, 0.0, 10.5])
    assert place.candidates[0].pipe == "p5"
    assert place.link in (0, 1, 2)


def test_more_evidence_is_surer() -> None:
    lengths = [400.0] * 8
    sure = [place_of(lengths, [g, *([0.0] * 7)]).probability for g in (0.0, 5.0, 20.0, 60.0)]
    assert sure == sorted(sure)
    assert sure[0] == pytest.approx(1.0 / 8.0)
    assert sure[-1] > 0.99


def test_pipes_are_numbered_as_links() -> None:
    # candidates that are not the network's first links
    topology = street([50.0, 60.0, 70.0, 80.0])
    pipes = np.array([2, 3], dtype=np.int64)
    place = locate(evidence_of([0.0, 50.0]), topology, pipes, 1.0, 0.0)
    assert place.candidates[0].pipe == "p3"
    assert place.link in (2, 3)
    assert place.probability == pytest.approx(1.0)
