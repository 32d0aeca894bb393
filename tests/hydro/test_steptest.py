"""A step test by simulation: what customers cut off took, and the leak, are what the inlet loses."""

import pytest

from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.steptest import Closing, expect_steps

_TOWN = """
[JUNCTIONS]
A 100 2
B 100 3
C 100 4
[RESERVOIRS]
R 150
[PIPES]
IN R A 100 300 120 0 Open
AB A B 100 200 120 0 Open
BC B C 100 200 120 0 Open
[TIMES]
Duration 24:00
[OPTIONS]
Units LPS
Headloss H-W
[END]
"""
_STEPS = [Closing(("BC",), ("C",), "C"), Closing(("AB",), ("B", "C"), "B")]


@pytest.fixture
def engine(tmp_path):
    path = tmp_path / "town.inp"
    path.write_text(_TOWN)
    with Engine(path) as opened:
        yield opened


def test_inflow_falls_by_what_is_cut_off(engine):
    expected = expect_steps(engine, _STEPS, [("IN", 1)], 0.001)
    assert expected.without == pytest.approx([0.009, 0.005, 0.002], abs=1e-6)
    assert expected.fall_without == pytest.approx([0.004, 0.003], abs=1e-6)
    # the leak grows a little with the pressure that shutting off C brings
    assert expected.fall_with == pytest.approx([0.005, 0.004], abs=2e-5)


def test_a_meter_that_leaves_counts_against(engine):
    expected = expect_steps(engine, _STEPS[:1], [("IN", 1), ("AB", -1)], 0.001)
    assert expected.without == pytest.approx([0.002, 0.002], abs=1e-6)


def test_the_engine_is_as_before(engine):
    first = expect_steps(engine, _STEPS, [("IN", 1)], 0.001)
    again = expect_steps(engine, _STEPS, [("IN", 1)], 0.001)
    assert again.fall_with == pytest.approx(first.fall_with, abs=1e-9)
    engine.start()
    engine.solve()
    assert engine.result("flow", "IN") == pytest.approx(0.009, abs=1e-6)


def test_no_pressure_is_told(tmp_path):
    path = tmp_path / "dry.inp"
    path.write_text(_TOWN.replace("R 150", "R 100.5"))
    with Engine(path) as dry, pytest.raises(HydraulicError, match="pressure"):
        expect_steps(dry, _STEPS, [("IN", 1)], 0.001)
