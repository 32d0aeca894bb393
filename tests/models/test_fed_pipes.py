"""Pipes to which no water comes are no candidates: a closed pump lets next to nothing through."""

import numpy as np
import pytest

from hydro.derivatives import derivatives
from hydro.engine import Engine
from models.sized import of_fed_pipes

_INP = """[JUNCTIONS]
A 10 0
B 10 5
C 10 0
D 10 0
[RESERVOIRS]
R 60
[PIPES]
P1 R A 100 200 100
P2 A B 100 200 100
P3 C D 100 200 100
[PUMPS]
PU B C POWER 1
[STATUS]
PU Closed
[OPTIONS]
UNITS LPS
HEADLOSS H-W
[TIMES]
DURATION 0
[END]
"""


@pytest.fixture
def by_pipe(tmp_path):
    path = tmp_path / "shut.inp"
    path.write_text(_INP, encoding="utf-8")
    with Engine(path) as engine:
        engine.start()
        engine.solve()
        topology = engine.topology
        sensors = np.array([topology.node(n) for n in ("A", "B", "D")])
        by_node = derivatives(engine, sensors, np.array([], dtype=np.int64)).by_demand
        pipes = [topology.link(name) for name in ("P1", "P2", "P3")]
        return 0.5 * (by_node[topology.start[pipes]] + by_node[topology.end[pipes]])


def test_a_leak_behind_a_closed_pump_does_nothing_and_the_others_stay(by_pipe):
    assert np.abs(by_pipe[2]).max() > 1e6  # what the detector took for the strongest response of all
    fed = of_fed_pipes(by_pipe)
    assert not fed[2].any()
    np.testing.assert_array_equal(fed[:2], by_pipe[:2])


def test_what_is_no_number_is_no_response():
    assert not of_fed_pipes(np.array([[np.nan, 1.0], [np.inf, 1.0]])).any()
