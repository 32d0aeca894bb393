"""Bulk reading of EPANET 2.2, which has no function for it, against its getters one by one."""

import numpy as np
import pytest

import hydro.project
from hydro.engine import Engine
from hydro.errors import EpanetError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")


def test_the_compiled_loop_reads_what_the_getters_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine("Net3", "2.2") as engine:
        engine.start()
        engine.solve()
        wanted = [(kind, name) for kind, name in (("node", "pressure"), ("node", "demand"), ("link", "flow"))]
        single = [engine.read(kind, name) for kind, name in wanted]
        monkeypatch.setattr(hydro.project, "_COMPILING", 0)
        for (kind, name), values in zip(wanted, single, strict=True):
            assert engine.read(kind, name).tolist() == values.tolist()
        assert np.ptp(single[0]) > 1.0
        too_many = np.empty(len(engine.topology.nodes) + 1)
        with pytest.raises(EpanetError, match="undefined node"):
            engine.project.read("node", "pressure", too_many)
