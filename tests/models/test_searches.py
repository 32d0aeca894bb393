"""What crews tell, against Bayes' rule spelt out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evidence import Evidence
from models.localise import locate
from models.searches import MEASURED, OVERLOOKED, REACH_M, Searches, overlooked, with_measurement
from networks import UnknownElement
from tests.models.test_localise import street

TEMPER, GROWTH = 2.5, 0.02


def evidence_of(gain: list[float]) -> Evidence:
    nothing, none = np.zeros(len(gain)), np.zeros(len(gain), dtype=np.int64)
    return Evidence(np.array(gain), nothing, nothing, nothing, none, nothing, none)


def explicit(gain: list[float], lengths: list[float], dry: list[int]) -> list[float]:
    """Posterior of each pipe: prior by length, likelihood of the residuals, and of every search that found nothing."""
    middles = [sum(lengths[:k]) + lengths[k] / 2.0 for k in range(len(lengths))]
    best = max(gain)
    posterior = []
    for k, metres in enumerate(lengths):
        p = max(metres, 1.0) * math.exp((gain[k] - best) / (TEMPER + GROWTH * best))
        for pipe in dry:
            away = abs(middles[k] - middles[pipe])
            found = 0.9 * (1.0 - away / 300.0) if away < 300.0 else 0.0
            p *= 1.0 - found
        posterior.append(p)
    total = sum(posterior)
    return [p / total for p in posterior]


@given(
    st.integers(2, 10).flatmap(
        lambda n: st.tuples(
            st.lists(st.sampled_from([7.0, 31.0, 97.0, 211.0, 403.0]), min_size=n, max_size=n),
            st.lists(st.floats(0.0, 60.0), min_size=n, max_size=n),
            st.lists(st.integers(0, n - 1), min_size=1, max_size=3),
        )
    )
)
@settings(max_examples=100, deadline=None)
def test_dry_searches_move_the_posterior_as_bayes_says(case: tuple[list[float], list[float], list[int]]):
    lengths, gain, dry = case
    topology = street(lengths)
    searches = Searches(topology, topology.pipes)
    for time, pipe in enumerate(dry):
        searches.add(f"p{pipe}", float(time))
    place = locate(evidence_of(gain), topology, topology.pipes, TEMPER, GROWTH, searches.believed(-1.0))
    expected = explicit(gain, lengths, dry)
    for one in place.candidates:
        assert one.probability == pytest.approx(expected[int(one.pipe[1:])], rel=1e-6, abs=1e-12)
    assert sum(one.probability for one in place.candidates) >= 0.95 - 1e-9


def test_the_searched_pipe_falls_to_a_tenth_of_its_odds():
    topology = street([200.0] * 6)
    flat = locate(evidence_of([10.0] * 6), topology, topology.pipes, TEMPER, GROWTH)
    searches = Searches(topology, topology.pipes)
    searches.add("p0", 5.0)
    after = locate(evidence_of([10.0] * 6), topology, topology.pipes, TEMPER, GROWTH, searches.believed(0.0))
    before_of, after_of = ({c.pipe: c.probability for c in p.candidates} for p in (flat, after))
    odds = (after_of.get("p0", 0.0) / after_of["p5"]) / (before_of["p0"] / before_of["p5"])
    assert odds == pytest.approx(OVERLOOKED) or "p0" not in after_of


def test_a_search_says_nothing_of_what_began_later():
    topology = street([100.0] * 3)
    searches = Searches(topology, topology.pipes)
    searches.add("p1", 5.0)
    assert searches.believed(5.1) is None
    assert searches.believed(4.9) is not None
    mixed = searches.believed(np.array([4.0, 6.0, 4.0]))
    assert mixed is not None
    assert mixed[1] == 0.0
    assert mixed[0] < 0.0


@given(st.floats(0.0, 2000.0), st.floats(0.0, 2000.0))
def test_more_is_overlooked_farther_off(near: float, far: float):
    near, far = sorted((near, far))
    missed = overlooked(np.array([near, far]))
    assert OVERLOOKED - 1e-12 <= missed[0] <= missed[1] <= 1.0
    assert overlooked(np.array([REACH_M]))[0] == pytest.approx(1.0)


@given(st.floats(1e-4, 1e-2), st.floats(1e-5, 1e-2), st.floats(1e-4, 1e-2))
@settings(max_examples=60, deadline=None)
def test_a_measured_flow_joins_as_two_normal_beliefs(flow: float, deviation: float, measured: float):
    """Against the product of both densities on a grid."""
    error = MEASURED * measured
    joined, left = with_measurement(flow, deviation, measured)
    middle, width = (flow, deviation) if deviation < error else (measured, error)
    span = abs(flow - measured) + 10.0 * width
    grid = np.linspace(middle - span, middle + span, 200_001)
    log = -0.5 * ((grid - flow) / deviation) ** 2 - 0.5 * ((grid - measured) / error) ** 2
    density = np.exp(log - log.max())
    mean = float((grid * density).sum() / density.sum())
    sd = math.sqrt(float(((grid - mean) ** 2 * density).sum() / density.sum()))
    assert joined == pytest.approx(mean, rel=1e-3, abs=0.05 * width)
    assert left == pytest.approx(sd, rel=0.02)


def test_unknown_pipes_are_refused():
    topology = street([100.0])
    with pytest.raises(UnknownElement, match="nowhere"):
        Searches(topology, topology.pipes).add("nowhere", 0.0)
