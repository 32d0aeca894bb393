"""The synthetic Uman in motion: supply, pressures, mass, tanks, age, and its export."""

import json
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hydro.emitters import fit_emitters
from hydro.engine import Engine
from hydro.run import run
from networks import Network, Topology, load
from networks.emitters import emitter_bytes

Floats = NDArray[np.float64]
_DAY_S = 86_400
_OFFTAKES = ("ZHASHKIV", "MANKIVKA")  # other towns on the main


@dataclass
class Week:
    """Every solved moment of the model's week; `seconds` is what each lasts."""

    topology: Topology
    node_types: NDArray[np.int64]
    tank_area: dict[int, float]
    warnings: set[int]
    times: Floats
    seconds: Floats
    pressure: Floats
    demand: Floats  # with leakage
    leakage: Floats
    flow: Floats

    def mean(self, values: Floats) -> Floats:
        """Mean over the week of what the links or nodes have."""
        mean: Floats = self.seconds @ values / self.seconds.sum()
        return mean

    def m3d(self, link: str) -> float:
        return float(self.mean(self.flow)[self.topology.link(link)]) * _DAY_S


@pytest.fixture(scope="module")
def uman() -> Network:
    return load("uman")


@pytest.fixture(scope="module")
def week(uman: Network) -> Week:
    rows: dict[str, list[Floats]] = {name: [] for name in ("pressure", "demand", "leakage", "flow")}
    times, seconds, codes = [], [], set()
    with Engine(uman) as engine:
        engine.start()
        while True:
            times.append(engine.solve())
            codes.add(engine.warning)
            for name, values in rows.items():
                values.append(engine.read("link" if name == "flow" else "node", name))
            seconds.append(engine.advance())
            if seconds[-1] <= 0:
                break
        areas = {tank: engine.tank_area(tank) for tank in engine.tanks.tolist()}
        return Week(
            engine.topology, engine.node_types, areas, codes - {0}, np.array(times, dtype=float),
            np.array(seconds, dtype=float), **{name: np.array(values) for name, values in rows.items()},
        )  # fmt: skip


def test_a_week_at_fifteen_minutes_without_a_warning(week: Week) -> None:
    assert week.warnings == set()
    assert week.times[-1] == 7 * _DAY_S
    assert set(np.arange(0, 7 * _DAY_S + 1, 900)) <= set(week.times)


def test_supply_and_what_is_lost_of_it(week: Week) -> None:
    supply = week.m3d("GATE-METER") + week.m3d("PS3-OUT")
    leakage = float(week.mean(week.leakage).sum()) * _DAY_S
    assert supply == pytest.approx(14_000.0, rel=0.03)
    assert 0.35 < leakage / supply < 0.45
    assert week.m3d("PS3-OUT") / supply == pytest.approx(0.2, abs=0.02)  # the local source


def test_night_flow_is_plausible(uman: Network, week: Week) -> None:
    blocks = uman.dmas
    assert blocks is not None
    inflow = week.flow[:, [week.topology.link(link) for link in blocks["inlet"]]].sum(axis=1)
    hour = week.times // 3600 % 24
    night = (hour >= 2) & (hour < 4)
    least, usual = inflow[night].mean(), float(week.mean(inflow[:, None])[0])
    leaking = week.leakage[night].sum(axis=1).mean()
    assert 0.4 < least / usual < 0.7
    assert 0.5 < leaking / least < 0.85
    # legitimate use at night, L per connection and hour: a household's 2.5 and leaking toilets, shops and works
    assert 2.0 < (least - leaking) * 3.6e6 / 17_000 < 8.0


def test_free_head_by_storeys_and_no_more_than_sixty_metres(uman: Network, week: Week) -> None:
    nodes = uman.nodes
    assert nodes is not None
    later = week.times >= _DAY_S
    pressure = week.pressure[later][:, [week.topology.node(name) for name in nodes["node"]]]
    homes = (nodes["connections"] > 0).to_numpy()
    needed = 10.0 + 4.0 * (nodes["storeys"].to_numpy()[homes] - 1)
    met = (pressure[:, homes] >= needed).all(axis=0)
    assert met.mean() >= 0.95
    assert not met.all()  # the weak spots that a planner is to find
    assert pressure.max() <= 60.0
    assert week.pressure[:, week.node_types == 0].min() > 0.0


def test_mass_is_kept_at_every_step(week: Week) -> None:
    supply = -week.demand[:, week.node_types == 1].sum(axis=1)
    taken = week.demand[:, week.node_types == 0].sum(axis=1)  # demand and leakage
    stored = np.zeros(len(week.times))
    for tank, area in week.tank_area.items():
        stored[:-1] += area * np.diff(week.pressure[:, tank]) / week.seconds[:-1]
    left = (supply - taken - stored)[:-1]
    # EPANET rounds a tank's volume to the second in which a control acts, and converges to 1e-4 of all flow
    assert np.abs(left).max() < 0.005 * supply.mean()
    assert abs(float(week.seconds[:-1] @ left)) < 1e-4 * float(week.seconds @ supply)


def test_tanks_end_the_week_where_they_began(week: Week) -> None:
    for tank in week.tank_area:
        name, level = week.topology.nodes[tank], week.pressure[:, tank]
        begin, end = float(level[0]), float(level[-1])
        assert abs(end - begin) < (0.05 * begin if name.startswith("RES-") else 1.0), name
    towers = [tank for tank in week.tank_area if week.topology.nodes[tank].startswith("TOWER-")]
    assert all(np.ptp(week.pressure[:, tank]) > 0.5 for tank in towers)  # they work


def test_every_station_pumps(week: Week) -> None:
    assert all(week.m3d(meter) > 100.0 for meter in ("PS1-OUT", "PS2-OUT", "PS3-OUT", "PS4-OUT"))


# export -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(uman: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    emitters, unit = fit_emitters(uman)
    path = tmp_path_factory.mktemp("uman") / "uman.inp"
    path.write_bytes(emitter_bytes(uman, emitters, unit))
    return path


def test_export_says_what_it_is(exported: Path) -> None:
    title = exported.read_text("utf-8").split("[JUNCTIONS]")[0]
    assert title.startswith("[TITLE]\nSYNTHETIC")
    assert "Leakage is in emitters of exponent 0.89." in title
    assert "not in this file" not in title


@pytest.mark.parametrize("library", ["2.3", "2.2"])
def test_emitters_leak_as_favad_does_without_a_warning(exported: Path, week: Week, library: str) -> None:
    with Engine(exported, library) as engine:
        leaking = supply = 0.0
        sources = np.flatnonzero(engine.node_types == 1)
        away = [engine.topology.node(name) for name in _OFFTAKES]
        engine.start()
        while True:
            now = engine.solve()
            assert engine.warning == 0, (now, engine.describe_warning())
            demand = engine.read("node", "demand")
            emitted = demand[engine.junctions].sum() - engine.demand_at(now).sum()
            step = engine.advance()
            if step <= 0:
                break
            if now < _DAY_S:
                leaking += emitted * step
            supply -= (demand[sources].sum() + demand[away].sum()) * step
    first = week.times < _DAY_S
    favad = float(week.seconds[first] @ week.leakage[first].sum(axis=1))
    assert leaking == pytest.approx(favad, rel=0.03)
    assert supply / 7.0 == pytest.approx(14_000.0, rel=0.03)


def test_wntr_opens_the_export_without_a_warning(exported: Path, week: Week) -> None:
    import wntr

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = wntr.network.WaterNetworkModel(str(exported))
    assert model.options.hydraulic.emitter_exponent == 0.89
    assert model.num_junctions == int((week.node_types == 0).sum())
    assert sum(1 for _, node in model.junctions() if node.emitter_coefficient) > 2_000


def test_water_at_the_gate_is_eleven_days_old(exported: Path) -> None:
    """An age run of EPANET's; the week begins with the ages that the main's volume and flow give.

    EPANET begins each piece of the main at the age of its far end, which shows at the gate as a saw of some hours.
    """
    pytest.importorskip("epanet")
    program = (
        "import json, sys\n"
        "from epanet import toolkit\n"  # in a process of its own: EPANETs of one process share their names
        "project = toolkit.createproject()\n"
        "toolkit.open(project, *sys.argv[1:])\n"
        "toolkit.solveH(project); toolkit.openQ(project); toolkit.initQ(project, 0)\n"
        "gate, ages = toolkit.getnodeindex(project, 'GATE'), []\n"
        "while True:\n"
        "    toolkit.runQ(project)\n"
        "    ages.append(toolkit.getnodevalue(project, gate, toolkit.QUALITY) / 24.0)\n"
        "    if toolkit.nextQ(project) <= 0: break\n"
        "print(json.dumps(ages))\n"
    )
    files = [str(exported), str(exported.with_suffix(".rpt")), str(exported.with_suffix(".out"))]
    done = subprocess.run([sys.executable, "-c", program, *files], capture_output=True, text=True, check=True)
    ages = json.loads(done.stdout)
    assert np.mean(ages) == pytest.approx(11.0, abs=0.5)
    assert np.ptp(ages) < 1.0


def test_the_file_alone_is_not_to_be_run(uman: Network) -> None:
    """What `leakage.csv` is for: without it the pumps meet too little flow, and EPANET says so."""
    bare = load(uman.source)
    bare.leakage = None
    assert run(bare, hours=12).warnings
