"""Leakage of pipes is read with its units and written back."""

from pathlib import Path

import numpy as np
import pytest

from networks import Leakage, UnreadableNetwork, load
from networks.export import inp_bytes
from networks.inp import Document
from networks.leakage import leakage_of
from tests.networks.odd import PLAIN, with_section, write


def test_metric_leakage_is_taken_as_it_stands(tmp_path: Path) -> None:
    leakage = load(write(tmp_path / "a.inp", with_section("LEAKAGE", " p1 100 2 ; old\n p3 30 0"))).leakage
    assert leakage is not None
    assert leakage.pipes == ("p1", "p3")
    assert leakage.area_mm2.tolist() == [100.0, 30.0]
    assert leakage.expansion_mm2.tolist() == [2.0, 0.0]


def test_us_leakage_counts_by_a_hundred_feet(tmp_path: Path) -> None:
    text = with_section("Leakage", " p1 100 2", PLAIN.replace("LPS", "GPM"))
    leakage = load(write(tmp_path / "a.inp", text)).leakage
    assert leakage is not None
    assert leakage.area_mm2[0] == pytest.approx(100 / 0.3048)


def test_no_section_no_leakage(tmp_path: Path) -> None:
    assert load(write(tmp_path / "a.inp", PLAIN)).leakage is None
    assert load(write(tmp_path / "b.inp", with_section("LEAKAGE", ";nothing"))).leakage is None


@pytest.mark.parametrize("line", [" p1 100", " p1 many 2", " p1"])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(UnreadableNetwork, match=r"line 24 of \[LEAKAGE\]|line 2\d of \[LEAKAGE\]"):
        load(write(tmp_path / "a.inp", with_section("LEAKAGE", line)))


def test_what_cannot_be_is_refused() -> None:
    one = np.ones(1)
    for pipes, area, expansion in ((("a", "b"), one, one), (("a",), -one, one), (("a",), one, one * np.nan)):
        with pytest.raises(ValueError):
            Leakage(pipes, area, expansion)
    with pytest.raises(ValueError, match="twice"):
        Leakage(("a", "a"), np.ones(2), np.ones(2))


@pytest.mark.parametrize("units", ["LPS", "GPM"])
def test_other_leakage_is_written(tmp_path: Path, units: str) -> None:
    network = load(write(tmp_path / "a.inp", PLAIN.replace("LPS", units)))
    network.leakage = Leakage(("p1", "p2"), np.array([12.5, 3.25]), np.array([0.5, 0.0]))
    again = leakage_of(Document.of(inp_bytes(network)))
    assert again is not None
    assert again.pipes == ("p1", "p2")
    np.testing.assert_allclose(again.area_mm2, network.leakage.area_mm2, rtol=1e-10)
    np.testing.assert_allclose(again.expansion_mm2, network.leakage.expansion_mm2, rtol=1e-10)
    network.leakage = None
    assert leakage_of(Document.of(inp_bytes(network))) is None
