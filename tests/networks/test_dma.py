"""Districts on a network small enough to draw.

::

    lake - t1 ----------- t2            trunk
           |m             |n            meters
           ca             b1 -- b2      ca: chamber that no table claims
           |out           :             :  closed
           a1 -- a2 ..x.. b1            x: closed, or left open
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from networks import Topology, UnknownElement, load
from networks.closed import closed_links
from networks.dma import Boundary, Consumption, Dma, districts_of, find_dmas
from tests.networks.odd import PLAIN, with_section, write

_NODES = ("t1", "t2", "ca", "a1", "a2", "b1", "b2", "lake")
_LINKS = (
    ("main", "lake", "t1", 500.0), ("trunk", "t1", "t2", 300.0), ("m", "t1", "ca", 5.0), ("out", "ca", "a1", 7.0),
    ("a", "a1", "a2", 100.0), ("n", "t2", "b1", 6.0), ("b", "b1", "b2", 80.0), ("x", "a2", "b1", 60.0),
)  # fmt: skip
_TABLE = {"a1": "A", "a2": "A", "b1": "B", "b2": "B", "t1": ""}
_BOUNDARY = Boundary(metered=frozenset({"m", "n"}), closed=frozenset({"x"}))


def _topology() -> Topology:
    at = {name: k for k, name in enumerate(_NODES)}
    return Topology(
        nodes=_NODES,
        links=tuple(name for name, *_ in _LINKS),
        start=np.array([at[a] for _, a, _, _ in _LINKS], dtype=np.int64),
        end=np.array([at[b] for _, _, b, _ in _LINKS], dtype=np.int64),
        length=np.array([metres for *_, metres in _LINKS]),
        is_pipe=np.ones(len(_LINKS), dtype=bool),
        is_junction=np.array([name != "lake" for name in _NODES]),
        xy=np.zeros((len(_NODES), 2)),
    )


def _names(dma: Dma) -> list[str]:
    return [_NODES[k] for k in dma.nodes]


def test_inlets_valves_and_sums() -> None:
    taken = Consumption(np.array([0.5, 0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 0.0]), np.array([0, 0, 0, 3, 5, 7, 11, 0]))
    a, b = find_dmas(_topology(), _TABLE, _BOUNDARY, taken)
    assert (a.name, b.name) == ("A", "B")
    assert _names(a) == ["ca", "a1", "a2"]  # the chamber behind the meter is the district's
    assert _names(b) == ["b1", "b2"]
    assert (a.inlets, a.boundary, a.leaks) == (("m",), ("x",), ())
    assert (b.inlets, b.boundary, b.leaks) == (("n",), ("x",), ())
    assert (a.length, b.length) == (107.0, 80.0)
    assert (a.demand, b.demand) == (3.0, 12.0)
    assert (a.connections, b.connections) == (8, 18)
    assert a.is_isolated
    assert b.is_isolated


def test_an_open_unmetered_link_breaks_the_isolation_and_is_named() -> None:
    a, b = find_dmas(_topology(), _TABLE, replace(_BOUNDARY, closed=frozenset()))
    assert not a.is_isolated
    assert not b.is_isolated
    assert a.leaks == b.leaks == ("x",)
    assert a.inlets == ("m",)


def test_a_trunk_that_leaks_into_a_district_is_not_taken_for_its_chamber() -> None:
    a, b = find_dmas(_topology(), _TABLE, replace(_BOUNDARY, metered=frozenset({"m"})))
    assert a.is_isolated
    assert b.leaks == ("n",)
    assert b.inlets == ()
    assert _names(b) == ["b1", "b2"]


def test_a_closed_meter_is_a_boundary_and_no_inlet() -> None:
    a, _ = find_dmas(_topology(), _TABLE, Boundary(_BOUNDARY.metered, frozenset({"x", "m"})))
    assert (a.inlets, a.boundary) == ((), ("m", "x"))
    assert not a.is_isolated  # nothing flows in that a meter counts


def test_sums_need_no_consumption() -> None:
    a, _ = find_dmas(_topology(), _TABLE, _BOUNDARY)
    assert (a.demand, a.connections) == (0.0, None)


def test_a_node_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownElement, match="no node 'a9'"):
        find_dmas(_topology(), {"a9": "A"}, _BOUNDARY)


def test_meters_alone_cut_the_same_districts() -> None:
    cut = districts_of(_topology(), _BOUNDARY, ["lake"], Consumption(np.ones(len(_NODES))))
    assert [dma.name for dma in cut] == ["1", "2"]
    assert [_names(dma) for dma in cut] == [["ca", "a1", "a2"], ["b1", "b2"]]
    assert [dma.inlets for dma in cut] == [("m",), ("n",)]
    assert [dma.demand for dma in cut] == [3.0, 2.0]
    assert all(dma.is_isolated for dma in cut)


def test_without_the_valve_meters_cut_one_district() -> None:
    (both,) = districts_of(_topology(), replace(_BOUNDARY, closed=frozenset()), ["lake"])
    assert both.inlets == ("m", "n")
    assert _names(both) == ["ca", "a1", "a2", "b1", "b2"]


@pytest.mark.parametrize(
    ("section", "lines", "closed"),
    [
        ("STATUS", " p2 Closed", {"p2"}),
        ("STATUS", " p2 Closed\n p2 Open", set()),
        ("CONTROLS", " LINK p2 OPEN AT TIME 5", set()),
    ],
)
def test_closed_links_of_a_file(tmp_path: Path, section: str, lines: str, closed: set[str]) -> None:
    text = with_section(section, lines)
    if section == "CONTROLS":
        text = text.replace("[CONTROLS]", "[STATUS]\n p2 Closed\n[CONTROLS]")
    network = load(write(tmp_path / "a.inp", text))
    assert closed_links(network) == closed


def test_closed_links_of_a_changed_model(tmp_path: Path) -> None:
    network = load(write(tmp_path / "a.inp", PLAIN))
    assert closed_links(network) == set()
    network.model.get_link("p3").initial_status = "Closed"
    assert closed_links(network) == {"p3"}
