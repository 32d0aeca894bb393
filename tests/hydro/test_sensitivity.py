"""`hydro.sensitivity` on real networks, at several hours of their day, against finite differences in the run itself."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hydro
from hydro.derivatives import derivatives, of_engine
from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.screening import screen
from hydro.sensitivities import check_npz, sensitivity, write_sensitivity
from networks import UnknownElement, load
from tests.hydro.inp import town, write_inp
from tests.hydro.moment import error

Array = np.ndarray

ACCURACY = 1e-4
AGREED = 3e-3
SURE = 1.5e-3  # two differences that agree so well tell the derivative; others are EPANET's own noise
# EPANET gives pipes that take next to no water a derivative that only the smallest leaks see, and leaves others
# unsettled by more than that: the first pair of leaks (m3/s) whose differences agree is believed
LEAKS = (2e-5, 1.5e-4, 6e-4)
FACTORS = (4e-3, 2e-2)  # of a resistance


class Running:
    """A run that is stopped at a moment and solved there again, with its controls, statuses and tank levels."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        engine.demand_at(0)  # the patterns, before they are taken away
        engine.freeze_demands()
        engine.set_accuracy(ACCURACY)

    def until(self, seconds: int) -> None:
        """Go on to a moment of the run, from its start or from the last one."""
        while True:
            self.demand = self.engine.demand_at(self.clock)
            self.engine.set_demands(self.demand)
            assert self.engine.solve() == self.clock
            if self.clock == seconds:
                break
            self.clock += self.engine.advance()
        self.settle(60)
        self.states = self.statuses()

    def start(self, hours: int) -> None:
        self.engine.duration = hours * 3600
        self.engine.start()
        self.clock = 0

    def statuses(self) -> Array:
        return np.stack([self.engine.read("link", "state"), self.engine.read("link", "setting")])

    def settle(self, most: int = 15) -> Array:
        """Solve the moment again until nothing moves: its accuracy leaves more open than a small leak changes."""
        before = self.engine.read("node", "pressure")
        for _ in range(most):
            self.engine.solve()
            after = self.engine.read("node", "pressure")
            if np.abs(after - before).max() < 1e-8:
                break
            before = after
        return after

    def difference(self, change: Callable[[float], None], steps: tuple[float, ...]) -> Array | None:
        """Derivative of all pressures, or None where EPANET gives no sure one or a status flips."""
        for step in steps:
            found = [self.central(change, step), self.central(change, 3.0 * step)]
            if found[0] is None or found[1] is None:
                continue
            if np.linalg.norm(found[0] - found[1]) < SURE * np.linalg.norm(found[0]):
                return found[0]
        return None

    def central(self, change: Callable[[float], None], step: float) -> Array | None:
        sides = []
        for signed in (step, -step):
            change(signed)
            sides.append(self.settle())
            flipped = (self.statuses() != self.states).any()
            change(0.0)
            self.settle()
            if flipped:
                return None
        return np.asarray((sides[0] - sides[1]) / (2.0 * step))

    def leak(self, node: int, flow: float) -> None:
        demand = self.demand.copy()
        demand[node] += flow
        self.engine.set_demands(demand)

    def lengthen(self, link: int, length: float, factor: float) -> None:
        self.engine.set_value("link", link, "length", length * np.exp(factor))


def compare(
    running: Running, chance: np.random.Generator, n_leaks: int, n_pipes: int
) -> tuple[list[float], list[float]]:
    """Relative error of each sure column, by the Euclidean norm over all junctions that have a head."""
    engine, topology = running.engine, running.engine.topology
    alive = engine.junctions[~of_engine(engine).cut_off()[engine.junctions]]
    found = derivatives(engine, alive, np.empty(0, dtype=np.int64))
    by_leak, by_pipe = [], []
    for node in chance.choice(alive, n_leaks, replace=False).tolist():
        sure = running.difference(lambda x, k=node: running.leak(k, x), LEAKS)
        if sure is not None:
            by_leak.append(error(found.by_demand[node], sure[alive]))
    # pipes that matter: of others the pressures tell EPANET's own differences nothing
    matter = np.argsort(np.linalg.norm(found.by_resistance, axis=1))[-max(len(topology.links) // 20, 30) :]
    for link in chance.choice(matter, n_pipes, replace=False).tolist():
        length = float(topology.length[link])
        sure = running.difference(lambda x, k=link, m=length: running.lengthen(k, m, x), FACTORS)
        if sure is not None:
            by_pipe.append(error(found.by_resistance[link], sure[alive]))
    return by_leak, by_pipe


# Net3: custom pump curves; Net6: 61 pumps, PRVs; ky4, ky10: constant power, PRVs; L-TOWN: PRVs, a pump and a tank
@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("Net3", (0, 6, 14, 20)),
        ("Net6", (0, 5, 13)),
        ("ky4", (0, 8, 20)),
        ("ky10", (0, 8, 13)),
        ("L-TOWN", (0, 8, 19)),
    ],
)
def test_agrees_with_finite_differences(name: str, hours: tuple[int, ...]) -> None:
    chance, seen = np.random.default_rng(7), set()
    n_leaks, n_pipes = {"Net6": (8, 6), "ky10": (40, 15)}.get(name, (15, 10))
    with Engine(name) as engine:
        running = Running(engine)
        running.start(max(hours))
        for hour in hours:
            running.until(hour * 3600)
            seen.add(running.states[0].tobytes())
            by_leak, by_pipe = compare(running, chance, n_leaks, n_pipes)
            print(f"{name} {hour} h: {len(by_leak)} leaks {max(by_leak):.1e}, {len(by_pipe)} pipes {max(by_pipe):.1e}")
            assert len(by_leak) >= 3
            assert len(by_pipe) >= 2
            assert max(by_leak) < AGREED
            assert max(by_pipe) < AGREED
    assert len(seen) >= 2  # pumps and valves in different states


# the function ---------------------------------------------------------------------------------------------------------


def test_every_step_is_the_states(tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=5)
    sensors, meters = ["c", "f", "tower"], ["p2", "p7"]
    found = sensitivity(inp, sensors, meters)
    np.testing.assert_array_equal(found.times, np.arange(6) * 3600)
    assert (found.sensors, found.links) == (tuple(sensors), tuple(meters))
    assert found.dpressure_dleak.shape == (6, 3, len(found.nodes))
    assert found.dflow_dleak.shape == (6, 2, len(found.nodes))
    assert found.dpressure_droughness is not None
    assert found.dpressure_droughness.shape == (6, 3, len(found.pipes))
    assert (found.dpressure_dleak[:, 2] == 0.0).all()  # a tank's level does not move within a moment
    assert (found.dpressure_dleak[:, :, found.nodes.index("tower")] == 0.0).all()
    with Engine(inp) as engine:
        nodes = np.array([engine.topology.node(name) for name in sensors])
        links = np.array([engine.topology.link(name) for name in meters])
        for row, now in enumerate(t for t in engine.steps() if t % 3600 == 0):
            state = derivatives(engine, nodes, links)
            np.testing.assert_allclose(found.dpressure_dleak[row], state.by_demand.T[:3], rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(found.dflow_dleak[row], state.by_demand.T[3:], rtol=1e-12, atol=1e-12)
            assert found.times[row] == now
    assert np.ptp(found.dpressure_dleak, axis=0).max() > 1.0  # the day is not one state


def test_less_is_computed_where_less_is_asked(tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town(), hours=5)
    shares: list[float] = []
    found = sensitivity(inp, ["c"], hours=2, roughness=False, progress=shares.append)
    assert found.dpressure_droughness is None
    assert found.dflow_droughness is None
    assert found.dpressure_dleak.shape == (3, 1, len(found.nodes))
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    whole = sensitivity(inp, ["c"], hours=2)
    np.testing.assert_array_equal(found.dpressure_dleak, whole.dpressure_dleak)


def test_pressure_driven_demand_is_differentiated(tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town().replace(" lake 60", " lake 25").replace(" tower 45", " tower 12"))
    found = sensitivity(inp, ["b", "c"], pressure_driven=True).dpressure_dleak[0]
    with Engine(inp) as engine:
        engine.set_pressure_driven(0.0, 20.0, 0.5)
        engine.start()
        engine.solve()
        nodes = np.array([engine.topology.node(name) for name in ("b", "c")])
        expected = derivatives(engine, nodes, np.empty(0, dtype=np.int64)).by_demand.T
        assert engine.read("node", "pressure")[nodes].max() < 20.0
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    given = sensitivity(inp, ["b", "c"]).dpressure_dleak[0]
    assert np.abs(given - found).max() > 0.5


def test_the_package_offers_the_function() -> None:
    assert hydro.sensitivity is sensitivity
    assert hydro.screen is screen
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = hydro.nonsense


@pytest.mark.parametrize("kind", ["node", "link"])
def test_unknown_names_are_said(kind: str, tmp_path: Path) -> None:
    inp = write_inp(tmp_path / "town.inp", town())
    with pytest.raises(UnknownElement, match=f"no {kind} 'ghost'"):
        sensitivity(inp, ["ghost"] if kind == "node" else ["a"], ["ghost"] if kind == "link" else [])


def test_no_sensor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HydraulicError, match="no sensor is given"):
        sensitivity(write_inp(tmp_path / "town.inp", town()), [])


def test_what_does_not_fit_into_memory_is_said(tmp_path: Path) -> None:
    model = load(write_inp(tmp_path / "town.inp", town(), hours=5)).model
    model.options.time.report_timestep = 1
    with pytest.raises(HydraulicError, match="do not fit into memory: take fewer hours or sensors"):
        sensitivity(model, [*"abcdef"] * 5, hours=596_523)
    with pytest.raises(HydraulicError, match="between 0 and 596523"):
        sensitivity(model, ["a"], hours=1e13)


# the file -------------------------------------------------------------------------------------------------------------


def test_the_file_holds_what_was_computed(tmp_path: Path) -> None:
    found = sensitivity(write_inp(tmp_path / "town.inp", town(), hours=2), ["c", "f"], ["p2"])
    path = tmp_path / "out.npz"
    check_npz(path)
    write_sensitivity(found, path)
    with np.load(path) as held:  # no pickles in it
        assert tuple(held["sensors"]) == found.sensors
        assert tuple(held["nodes"]) == found.nodes
        assert tuple(held["pipes"]) == found.pipes
        for name in ("times", "dpressure_dleak", "dpressure_droughness", "dflow_dleak", "dflow_droughness", "cut_off"):
            np.testing.assert_array_equal(held[name], getattr(found, name))
    assert [p.name for p in tmp_path.glob("*.npz")] == ["out.npz"]


@pytest.mark.parametrize(("name", "words"), [("a.csv", "end the file's name in .npz"), ("x/a.npz", "its folder does")])
def test_a_file_that_cannot_be_written_is_refused(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(HydraulicError, match=words):
        check_npz(tmp_path / name)
