"""Leakage of pipes as emitters: the same water, in every unit and in both libraries."""

from pathlib import Path

import numpy as np
import pytest

from hydro.emitters import fit_emitters
from hydro.engine import Engine
from hydro.errors import HydraulicError
from networks import Leakage, Network, load
from networks.emitters import emitter_bytes
from networks.leakage import leakage_of
from tests.networks.odd import PLAIN, with_section, write


def leaky(path: Path, units: str = "LPS", extra: str = "", ratio: float = 0.02) -> Network:
    """The plain street, its leakage beside the INP."""
    text = PLAIN.replace("Accuracy 0.0001", "Accuracy 0.000001\n Trials 200\n" + extra).replace("LPS", units)
    if units == "GPM":
        text = text.replace(" 10 1\n", " 30 15\n").replace(" lake 60", " lake 200").replace(" 45 4 1 6", " 150 13 3 20")
    network = load(write(path, text))
    area = np.array([100.0, 50.0, 30.0])
    network.leakage = Leakage(("p1", "p2", "p3"), area, ratio * area)
    return network


def leaked(path: Network | Path, library: str = "2.3") -> float:
    """Leakage of a day, m3: what leaves junctions beside demand."""
    volume = 0.0
    with Engine(path, library) as engine:
        engine.duration = 86_400
        engine.start()
        while True:
            now = engine.solve()
            lost = engine.read("node", "demand")[engine.junctions].sum() - engine.demand_at(now).sum()
            step = engine.advance()
            if step <= 0:
                return volume
            volume += lost * step


@pytest.mark.parametrize("units", ["LPS", "CMH", "GPM"])
@pytest.mark.parametrize("library", ["2.3", "2.2"])
def test_emitters_leak_as_the_pipes_did(tmp_path: Path, units: str, library: str) -> None:
    network = leaky(tmp_path / "street.inp", units)
    emitters, unit = fit_emitters(network)
    out = write(tmp_path / "out.inp", emitter_bytes(network, emitters, unit).decode())
    favad = leaked(network)
    assert favad > 20.0
    assert leaked(out, library) == pytest.approx(favad, rel=0.002)
    assert leakage_of(load(out).document) is None


@pytest.mark.parametrize(("ratio", "exponent"), [(0.0, 0.5), (1e4, 1.5)])
def test_exponent_is_that_of_a_fixed_or_a_growing_opening(tmp_path: Path, ratio: float, exponent: float) -> None:
    network = leaky(tmp_path / "a.inp", ratio=ratio)
    if ratio:  # nearly all of it opens with pressure
        network.leakage = Leakage(("p1", "p2"), np.full(2, 1e-3), np.array([2.0, 1.0]))
    assert fit_emitters(network)[0].exponent == exponent


def test_each_end_of_a_pipe_gets_half(tmp_path: Path) -> None:
    network = leaky(tmp_path / "a.inp")
    network.leakage = Leakage(("p2",), np.array([100.0]), np.zeros(1))
    emitters, _ = fit_emitters(network)
    assert emitters.nodes == ("a", "b")
    assert emitters.coefficient[0] == pytest.approx(emitters.coefficient[1], rel=1e-6)


def test_the_title_and_the_exponent_are_stated_once(tmp_path: Path) -> None:
    network = leaky(tmp_path / "a.inp", extra=" Emitter Exponent 0.7")
    emitters, unit = fit_emitters(network)
    text = emitter_bytes(network, emitters, unit).decode()
    assert f"[TITLE]\nLeakage is in emitters of exponent {emitters.exponent:g}.\na town" in text
    assert text.upper().count("EMITTER EXPONENT") == 1
    assert f"Emitter Exponent\t{emitters.exponent:g}" in text


def test_what_cannot_be_fitted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HydraulicError, match="no pipe leaks"):
        fit_emitters(load(write(tmp_path / "a.inp", PLAIN)))
    network = load(write(tmp_path / "b.inp", with_section("EMITTERS", " a 0.1")))
    network.leakage = Leakage(("p1",), np.ones(1), np.ones(1))
    with pytest.raises(HydraulicError, match="has emitters already"):
        fit_emitters(network)
