"""Leakage leaves in one form, never in two."""

from pathlib import Path

import numpy as np
import pytest

from networks import Leakage, load
from tests.networks.odd import PLAIN, with_section, write
from umanflow.exporting import Form, export_inp


@pytest.mark.parametrize("form", ["emitters", "favad", "none", None])
def test_an_export_never_holds_both(tmp_path: Path, form: Form | None) -> None:
    network = load(write(tmp_path / "a.inp", PLAIN))
    network.leakage = Leakage(("p1", "p2"), np.array([100.0, 50.0]), np.array([2.0, 1.0]))
    export_inp(network, tmp_path / "out.inp", form)
    out = load(tmp_path / "out.inp")
    emitters = sum(1 for _ in out.document.section("EMITTERS"))
    assert (out.leakage is not None) == (form == "favad")
    assert (emitters > 0) == (form in ("emitters", None))
    assert network.leakage is not None


def test_leakage_of_the_file_stays_in_it(tmp_path: Path) -> None:
    source = write(tmp_path / "a.inp", with_section("LEAKAGE", " p1 100 2"))
    export_inp(load(source), tmp_path / "out.inp")
    assert (tmp_path / "out.inp").read_bytes() == source.read_bytes()
