"""Pipes leak as FAVAD says, whether the INP or the network says that they do."""

from pathlib import Path

import numpy as np
import pytest

from hydro.engine import Engine
from hydro.errors import HydraulicError
from networks import Leakage, UnknownElement, load
from tests.networks.odd import PLAIN, with_section, write

LEAKY = PLAIN.replace("Accuracy 0.0001", "Accuracy 0.00001\n Trials 200").replace("200 100 0 CV", "200 100 0 Open")
AREA = {"p1": 100.0, "p2": 50.0, "p3": 30.0}
EXPANSION = {"p1": 2.0, "p2": 1.0, "p3": 0.0}


def favad(area: float, expansion: float, length: float, head: float) -> float:
    """m3/s; EPANET's discharge coefficient and gravity (32.2 ft/s2)."""
    g = 32.2 * 0.3048
    whole = length / 100.0 * 1e-6
    return float(Leakage.discharge_coefficient * np.sqrt(2 * g) * whole * (area * head**0.5 + expansion * head**1.5))


def leak(*pipes: str) -> Leakage:
    return Leakage(pipes, np.array([AREA[p] for p in pipes]), np.array([EXPANSION[p] for p in pipes]))


@pytest.mark.parametrize("units", ["LPS", "CMH", "GPM"])
@pytest.mark.parametrize("said_by", ["file", "network"])
def test_leakage_is_favad_and_mass_is_kept(tmp_path: Path, units: str, said_by: str) -> None:
    text = LEAKY.replace("LPS", units)
    if units == "GPM":  # the same street in feet and inches
        text = text.replace(" 10 1\n", " 30 15\n")
    network = load(write(tmp_path / "street.inp", text))
    leakage = leak("p1", "p2", "p3")
    if said_by == "file":
        foot = 0.3048 if units == "GPM" else 1.0
        lines = [f" {p} {AREA[p] * foot} {EXPANSION[p] * foot}" for p in leakage.pipes]
        network = load(write(tmp_path / "file.inp", with_section("LEAKAGE", "\n".join(lines), text)))
    else:
        network.leakage = leakage
    with Engine(network) as engine:
        topology = engine.topology
        for _ in engine.steps():
            head = engine.read("node", "pressure")
            at_node, along = engine.read("node", "leakage"), engine.read("link", "leakage")
            expected = np.zeros(len(head))
            for pipe in leakage.pipes:
                k = topology.link(pipe)
                ends = [n for n in (topology.start[k], topology.end[k]) if topology.is_junction[n]]
                for node in ends:  # half at each junction, all of it where the other end is no junction
                    expected[node] += favad(AREA[pipe], EXPANSION[pipe], topology.length[k], head[node]) / len(ends)
            np.testing.assert_allclose(at_node, expected, rtol=2e-3, atol=1e-8)
            assert along.sum() == pytest.approx(at_node.sum(), rel=1e-4)
            # what enters a junction leaves it as demand, of which leakage is a part
            flow, demand = engine.read("link", "flow"), engine.read("node", "demand")
            balance = np.zeros(len(head))
            np.add.at(balance, topology.end, flow)
            np.subtract.at(balance, topology.start, flow)
            np.testing.assert_allclose(balance[topology.is_junction], demand[topology.is_junction], atol=1e-6)
    assert at_node.sum() > 1e-3


def test_leakage_stays_with_a_changed_model_and_with_a_split_pipe(tmp_path: Path) -> None:
    network = load(write(tmp_path / "street.inp", with_section("LEAKAGE", " p2 50 1", LEAKY)))
    network.model.get_link("p3").diameter = 0.16
    with Engine(network) as engine:
        engine.start()
        engine.solve()
        before = engine.read("link", "leakage").sum()
        assert before > 1e-4
    with Engine(network) as engine:
        engine.add_leak("p2")
        engine.start()
        engine.solve()
        assert engine.read("link", "leakage").sum() == pytest.approx(before, rel=0.03)


def test_leakage_can_be_taken_away(tmp_path: Path) -> None:
    network = load(write(tmp_path / "street.inp", with_section("LEAKAGE", " p2 50 1", LEAKY)))
    network.leakage = None
    for library in ("2.3", "2.2"):
        with Engine(network, library) as engine:
            engine.start()
            engine.solve()
            demand = engine.read("node", "demand")
            assert demand[engine.topology.node("b")] == pytest.approx(2e-3, rel=1e-6)


def test_2_2_refuses_leakage_in_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "street.inp", with_section("LEAKAGE", " p2 50 1", LEAKY))
    with pytest.raises(HydraulicError, match=r"1 pipes? ha.* leakage, which EPANET 2\.2") as caught:
        Engine(path, "2.2")
    assert "\n" not in str(caught.value)
    network = load(write(tmp_path / "dry.inp", LEAKY))
    network.leakage = leak("p1")
    with pytest.raises(HydraulicError, match="leakage"):
        Engine(network, "2.2")


def test_leakage_of_an_unknown_pipe_is_refused(tmp_path: Path) -> None:
    network = load(write(tmp_path / "dry.inp", LEAKY))
    network.leakage = Leakage(("nowhere",), np.ones(1), np.ones(1))
    with pytest.raises(UnknownElement, match="nowhere"):
        Engine(network)
