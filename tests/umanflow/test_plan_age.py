"""Age of the water: a pipe's own travel time, a tank's turnover, and Uman's main."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hydro.engine import Engine
from networks import load
from umanflow.planner.age import water_age
from umanflow.planner.diagnosis import diagnose
from umanflow.planner.pressure import Norm
from umanflow.planner.simulation import run_day

_LINE = """[RESERVOIRS]
R 60
[JUNCTIONS]
A 10 2
B 10 1
[PIPES]
P1 R A 3600 200 120
P2 A B 1800 100 120
[QUALITY]
A 5
[TIMES]
Duration 24
Hydraulic Timestep 1:00
Quality Timestep 0:01
Pattern Timestep 1:00
[OPTIONS]
Units LPS
Headloss H-W
Quality Chlorine mg/L
[END]
"""


def test_age_is_volume_over_flow(tmp_path: Path) -> None:
    """Plug flow: hours to A and B are volumes of pipe over flows, whatever the model's own quality is."""
    path = tmp_path / "line.inp"
    path.write_text(_LINE)
    first = np.pi * 0.1**2 * 3600.0 / 3e-3 / 3600.0
    second = first + np.pi * 0.05**2 * 1800.0 / 1e-3 / 3600.0
    with Engine(path) as engine:
        at = [engine.topology.node(n) for n in ("A", "B")]
        age = water_age(engine, 10)
    assert age.mean[at] == pytest.approx([first, second], rel=0.01)
    assert age.highest[at] == pytest.approx([first, second], rel=0.02)
    assert age.is_settled.all()
    assert age.days == 3  # settled after the second, which the third shows


def test_what_has_not_settled_is_told(tmp_path: Path) -> None:
    path = tmp_path / "line.inp"
    path.write_text(_LINE.replace("B 10 1", "B 10 0.01"))
    with Engine(path) as engine:
        b = engine.topology.node("B")
        age = water_age(engine, 4)
    assert (age.days, age.is_settled[b]) == (4, False)
    assert age.mean[b] == pytest.approx(24.0 * 3.5, rel=0.05)  # it has never been reached by new water


def test_the_diagnosis_names_the_oldest_water(tmp_path: Path) -> None:
    path = tmp_path / "line.inp"
    path.write_text(_LINE)
    network = load(path)
    with Engine(network) as other:
        age = water_age(other, 10)
    with Engine(network) as engine:
        found = diagnose(network, engine, run_day(engine), Norm(), engine.topology.length, age, 11.0)
        without = diagnose(network, engine, run_day(engine), Norm(), engine.topology.length)
    assert [place.element for place in found.old] == ["B", "A"]
    assert found.n_old == 1
    assert (found.age_days, found.age_settled) == (3, 1.0)
    assert [row.node for row in found.nodes_age] == ["A", "B", "R"]
    assert (without.old, without.age_days, without.nodes_age) == ((), 0, ())
