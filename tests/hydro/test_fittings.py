"""Every kind of pump, valve and outflow, in every state, against central differences of EPANET itself."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydro.derivatives import derivatives, of_engine
from hydro.engine import Engine
from hydro.fittings import Curve
from hydro.library import LibraryName
from hydro.sensitivities import sensitivity
from tests.hydro.inp import write_inp
from tests.hydro.moment import Moment, error

LIBRARIES = get_args(LibraryName)
# the fitting "x" leads from b to c, beside the thin way a-e; "pond" feeds e; numbers are L/s, m and mm
_DEMANDS = {"a": 0, "b": 5, "c": 6, "d": 8, "e": 3, "idle": 0}
_PIPES = (
    ("p1", "lake", "a", 800, 250, 0), ("p2", "a", "b", 300, 200, 0), ("p3", "c", "d", 400, 150, 2),
    ("p4", "d", "e", 300, 100, 0), ("p5", "c", "e", 500, 100, 0), ("p6", "e", "pond", 900, 150, 0),
    ("p7", "d", "idle", 200, 100, 0), ("p8", "a", "e", 900, 100, 0), ("p9", "idle", "e", 250, 80, 0),
)  # fmt: skip
VALVES = {
    # name: (line, pond, EPANET's state)
    "PRV at work": ("x b c 200 PRV 45 0", 40, 4),
    "PRV at work with a loss of its own": ("x b c 150 PRV 45 8", 40, 4),
    "PRV open": ("x b c 150 PRV 90 8", 40, 3),
    "PRV open without loss": ("x b c 150 PRV 90 0", 40, 3),
    "PRV shut": ("x b c 150 PRV 45 0", 85, 2),
    "PSV at work": ("x b c 150 PSV 67 0", 40, 4),
    "PSV at work with a loss of its own": ("x b c 150 PSV 67 3", 40, 4),
    "PSV open": ("x b c 150 PSV 20 8", 40, 3),
    "PSV shut": ("x b c 150 PSV 90 8", 40, 2),
    "PBV at work": ("x b c 150 PBV 12 0", 40, 4),
    "PBV overcome": ("x b c 100 PBV 0.1 40", 40, 4),
    "FCV at work": ("x b c 150 FCV 6 0", 40, 4),
    "FCV that cannot": ("x b c 150 FCV 500 3", 40, 6),
    "TCV": ("x b c 100 TCV 60 2", 40, 4),
    "GPV": ("x b c 150 GPV loss 0", 40, 3),
    "PCV": ("x b c 100 PCV 30 2 opening", 40, 4),
    "PCV above its curve": ("x b c 100 PCV 95 2 opening", 40, 4),
    "PCV below its curve": ("x b c 100 PCV 8 2 opening", 40, 4),
    "PCV without a curve": ("x b c 100 PCV 40 2", 40, 4),
}
_CURVES = {
    "loss": ((0, 0), (5, 0.6), (12, 4), (60, 60)),
    "one": ((20, 30),),
    "three": ((0, 45), (15, 38), (40, 15)),
    "custom": ((0, 50), (8, 46), (16, 39), (30, 22), (55, 3)),
}
_OPENING = " opening 10 4\n opening 50 30\n opening 90 85\n"
PUMPS = {
    "one point": ("HEAD one", 75, 3), "one point at another speed": ("HEAD one SPEED 0.85", 75, 3),
    "three points": ("HEAD three", 80, 3), "three points at another speed": ("HEAD three SPEED 1.1", 80, 3),
    "custom": ("HEAD custom", 80, 3), "custom at another speed": ("HEAD custom SPEED 0.9", 80, 3),
    "constant power": ("POWER 4", 80, 3), "against too much head": ("HEAD one SPEED 0.3", 110, 0),
}  # fmt: skip


def write(path: Path, sections: str, law: str = "H-W", units: str = "LPS", pond: float = 40.0) -> Path:
    """The same network in either system of units; the sections are the caller's."""
    flow, foot, inch = (1.0, 1.0, 1.0) if units == "LPS" else (0.0630901964, 0.3048, 25.4)
    rough = {"H-W": 110, "D-W": 0.4, "C-M": 0.012}[law]
    lines = ["[JUNCTIONS]", *(f" {name} 0 {demand / flow}" for name, demand in _DEMANDS.items())]
    lines += ["[RESERVOIRS]", f" lake {70 / foot}", f" pond {pond / foot}", "[CURVES]", _OPENING]
    lines += [f" {name} {q / flow} {h / foot}" for name, points in _CURVES.items() for q, h in points]
    lines.append("[PIPES]")
    lines += [f" {p} {a} {b} {m / foot} {mm / inch} {rough} {k} Open" for p, a, b, m, mm, k in _PIPES]
    return write_inp(path / "net.inp", "\n".join(lines) + "\n" + sections, units, law)


def agrees(engine: Engine, limit: float = 1e-3, by: str = "length") -> None:
    """Compare every pressure and flow by every demand and every resistance, changed by length or by roughness."""
    moment = Moment(engine, engine.demand_at(0), without_pumps=False)
    nodes, links = engine.junctions, np.arange(len(engine.topology.links))
    found, n = derivatives(engine, nodes, links), len(nodes)
    pipes = engine.topology.pipes
    for part in (slice(0, n), slice(n, None)):
        expected = moment.by_demand(nodes, nodes, links)[:, part]
        assert error(found.by_demand[nodes][:, part], expected) < limit
        expected = moment.by_resistance(pipes, nodes, links, by=by)[:, part]
        assert error(found.by_resistance[pipes][:, part], expected) < limit


# EPANET 2.2 knows no PCV
@pytest.mark.parametrize(
    ("name", "library"), [(n, k) for k in LIBRARIES for n in VALVES if k == "2.3" or "PCV" not in VALVES[n][0]]
)
def test_valve(name: str, library: LibraryName, tmp_path: Path) -> None:
    line, pond, state = VALVES[name]
    with Engine(write(tmp_path, f"[VALVES]\n {line}\n", pond=pond), library) as engine:
        # EPANET gives a PBV at work a conductance whose rounding is seen in its own differences
        agrees(engine, 5e-3 if name == "PBV at work" else 1e-3)
        x = engine.topology.link("x")
        assert engine.project.get("link", x, "state") == state


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("fixed", ["Open", "Closed"])
@pytest.mark.parametrize("kind", ["PRV 45", "PSV 67", "PBV 12", "FCV 6", "TCV 60", "GPV loss"])
def test_valve_that_is_fixed(kind: str, fixed: str, library: LibraryName, tmp_path: Path) -> None:
    sections = f"[VALVES]\n x b c 150 {kind} 7\n[STATUS]\n x {fixed}\n"
    with Engine(write(tmp_path, sections), library) as engine:
        agrees(engine)
        assert engine.project.get("link", engine.topology.link("x"), "state") == (3 if fixed == "Open" else 2)


@pytest.mark.parametrize("units", ["LPS", "GPM"])
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", list(PUMPS))
def test_pump(name: str, library: LibraryName, units: str, tmp_path: Path) -> None:
    line, pond, state = PUMPS[name]
    if units == "GPM":
        line = line.replace("POWER 4", f"POWER {4 / 0.7457}")
    with Engine(write(tmp_path, f"[PUMPS]\n x b c {line}\n", pond=pond, units=units), library) as engine:
        agrees(engine)
        assert engine.project.get("link", engine.topology.link("x"), "state") == state


@pytest.mark.parametrize("library", LIBRARIES)
def test_pump_that_is_off(library: LibraryName, tmp_path: Path) -> None:
    with Engine(write(tmp_path, "[PUMPS]\n x b c HEAD three\n[STATUS]\n x Closed\n"), library) as engine:
        agrees(engine)
        assert engine.result("flow", "x") == 0.0


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("pond", "passes"), [(40, 1), (140, 0)])
def test_check_valve(pond: float, passes: int, library: LibraryName, tmp_path: Path) -> None:
    with Engine(write(tmp_path, " x b c 50 150 110 3 CV\n", pond=pond), library) as engine:
        agrees(engine)
        assert engine.read("link", "status")[engine.topology.link("x")] == passes


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("law", ["H-W", "D-W", "C-M"])
def test_law_and_roughness(law: str, library: LibraryName, tmp_path: Path) -> None:
    path = write(tmp_path, " x b c 50 150 {} 3 Open\n".format({"H-W": 110, "D-W": 0.4, "C-M": 0.012}[law]), law)
    with Engine(path, library) as engine:
        agrees(engine)
        moment = Moment(engine, engine.demand_at(0), without_pumps=False)
        pipes, nodes = engine.topology.pipes, engine.junctions
        links = np.arange(len(engine.topology.links))
        expected = moment.by_roughness(pipes, nodes, links)
        names = [engine.topology.nodes[k] for k in nodes]
    found = sensitivity(path, names, [*engine.topology.links], library=library)
    n = len(nodes)
    assert found.dpressure_droughness is not None
    assert found.dflow_droughness is not None
    assert error(found.dpressure_droughness[0].T, expected[:, :n]) < 1e-3
    assert error(found.dflow_droughness[0].T, expected[:, n:]) < 1e-3


@pytest.mark.parametrize("demand", [0.15, 0.25, 0.29, 0.5])  # Re about 1900, 3200, 3700 and 6400 in a pipe of 100 mm
def test_darcy_weisbach_between_laminar_and_turbulent(demand: float, tmp_path: Path) -> None:
    body = (
        f"[JUNCTIONS]\n far 0 {demand}\n end 0 0.05\n[RESERVOIRS]\n lake 50\n"
        "[PIPES]\n p lake far 3000 100 0.4 5 Open\n q far end 3000 50 0.4 0 Open\n"
    )
    with Engine(write_inp(tmp_path / "thin.inp", body, "LPS", "D-W")) as engine:
        moment = Moment(engine, engine.demand_at(0), without_pumps=False)
        nodes, none = engine.junctions, np.empty(0, dtype=np.int64)
        found = derivatives(engine, nodes, none).by_demand[nodes]
        assert error(found, moment.by_demand(nodes, nodes, none, step=1e-7)) < 1e-3


# outflows that follow the pressure ------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("units", ["LPS", "GPM"])
@pytest.mark.parametrize("exponent", [0.5, 1.2])
def test_emitters(exponent: float, units: str, library: LibraryName, tmp_path: Path) -> None:
    sections = " x b c 50 150 110 3 Open\n[EMITTERS]\n d 0.4\n e 0.2\n idle 0.3\n[VALVES]\n"
    path = write(tmp_path, sections, units=units)
    path.write_text(path.read_text().replace("Emitter Exponent 0.5", f"Emitter Exponent {exponent}"))
    with Engine(path, library) as engine:
        agrees(engine)
        assert engine.emitter_flow().sum() > 1e-4


def test_leakage_of_pipes(tmp_path: Path) -> None:
    sections = " x b c 50 150 110 3 Open\n[LEAKAGE]\n p3 40 0.5\n p4 60 0\n p7 0 2\n p1 30 0.1\n"
    with Engine(write(tmp_path, sections)) as engine:
        agrees(engine, by="roughness")  # a longer pipe leaks more
        assert engine.read("node", "leakage").sum() > 1e-3


def leak_differences(engine: Engine, tap: int, nodes: np.ndarray) -> np.ndarray:
    """Derivative by a fixed outflow at a node without demand: below zero EPANET takes a demand as given."""
    sides = []
    step = 2e-6
    for times in (1.0, 3.0):
        engine.set_value("node", tap, "base_demand", -times * step)
        engine.start()
        for _ in range(10):
            engine.solve()
        sides.append(engine.read("node", "pressure")[nodes])
    engine.set_value("node", tap, "base_demand", 0.0)
    return np.asarray((sides[0] - sides[1]) / (2.0 * step))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("emits", [False, True])
@pytest.mark.parametrize(("minimum", "required"), [(0.0, 80.0), (45.0, 75.0), (0.0, 20.0)])
def test_pressure_driven_demand(
    minimum: float, required: float, emits: bool, library: LibraryName, tmp_path: Path
) -> None:
    sections = " x b c 50 150 110 3 Open\n" + ("[EMITTERS]\n c 0.3\n" if emits else "")
    with Engine(write(tmp_path, sections), library) as engine:
        engine.set_pressure_driven(minimum, required, 0.6)
        engine.set_accuracy(1e-6)
        engine.duration = 0
        engine.start()
        for _ in range(10):
            engine.solve()
        nodes, none = engine.junctions, np.empty(0, dtype=np.int64)
        found = derivatives(engine, nodes, none).by_demand
        delivered = engine.read("node", "demand")
        assert (delivered[engine.topology.node("d")] < 0.0079) == (required > 20.0)
        for name in ("a", "idle"):
            tap = engine.topology.node(name)
            assert error(found[tap], leak_differences(engine, tap, nodes)) < 2e-3


def test_what_is_cut_off_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, "[VALVES]\n x b c 150 TCV 5 0\n")
    path.write_text(path.read_text().replace("[TIMES]", "[STATUS]\n p7 Closed\n p9 Closed\n[TIMES]"))
    found = sensitivity(path, ["d"])
    assert [name for name, cut in zip(found.nodes, found.cut_off[0], strict=True) if cut] == ["idle"]


def test_the_equations_follow_what_is_set(tmp_path: Path) -> None:
    with Engine(write(tmp_path, "[PUMPS]\n x b c HEAD three\n")) as engine:
        agrees(engine)
        kept = of_engine(engine)
        engine.set_value("link", engine.topology.link("p3"), "length", 1500.0)
        engine.set_value("node", engine.topology.node("d"), "emitter", 2e-4)
        agrees(engine)
        assert of_engine(engine) is kept
        engine.project.stop()
        assert engine.add_leak("p4") >= 0
        engine.start()
        engine.solve()
        assert of_engine(engine) is not kept  # another topology


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.1, 10.0), min_size=2, max_size=6), st.floats(-5.0, 60.0))
def test_a_curves_slope_is_that_of_the_piece(steps: list[float], x: float) -> None:
    xs = tuple(np.cumsum(steps).tolist())
    curve = Curve(xs, tuple(v * v for v in xs))
    slope = curve.slope(x)
    pieces = np.diff(np.square(xs)) / np.diff(xs)
    assert np.isclose(pieces, slope).any()
    if x <= xs[0]:
        assert slope == pytest.approx(pieces[0])
    if x > xs[-1]:
        assert slope == pytest.approx(pieces[-1])
