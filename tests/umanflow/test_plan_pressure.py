"""Pressure plans: what they promise is what EPANET gives when their set-points stand in the model's controls."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hydro.engine import Engine
from networks import Network, load
from umanflow.errors import UserError
from umanflow.planner.places import Prices
from umanflow.planner.pressure import DEFAULT_PRICES, Norm, PressurePlan, plan_pressure
from umanflow.planner.simulation import run_day

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")

_DAY = 86_400
_TOWN = """[TITLE]
town
[RESERVOIRS]
R 90
[JUNCTIONS]
M 20 0
X1 20 0
X2 20 0
A 20 6 day
B 35 6 day
C 22 4 day
[PIPES]
P0 R M 2000 400 120
P1 X2 A 600 200 110
P2 A B 500 150 110
P3 A C 700 150 110
IN M X1 50 200 120
[VALVES]
V X1 X2 200 PRV 60 0
[EMITTERS]
A 0.2
B 0.2
C 0.2
[PATTERNS]
day 0.3 0.2 0.2 0.3 0.6 1.0 1.8 2.0 1.6 1.3 1.2 1.2
day 1.1 1.1 1.0 1.1 1.3 1.7 1.9 1.6 1.2 0.8 0.6 0.4
[TIMES]
Duration 48
Hydraulic Timestep 1:00
Pattern Timestep 1:00
[OPTIONS]
Units LPS
Headloss H-W
Accuracy 0.00001
Emitter Exponent 1
[END]
"""


def town(folder: Path, setting: float = 60.0, storeys: int = 5) -> Network:
    (folder / "town.inp").write_text(_TOWN.replace("PRV 60", f"PRV {setting:g}"))
    rows = "".join(f"{n},Z,street,10,{storeys}\n" for n in "ABC")
    tables = folder / "town.tables"
    tables.mkdir(exist_ok=True)
    (tables / "nodes.csv").write_text("node,dma,street,connections,storeys\n" + rows)
    (tables / "dmas.csv").write_text("dma,large_block,zone,inlet,prv,critical_node\nZ,ALL,all,IN,V,B\n")
    return load(folder / "town.inp")


def with_controls(network: Network, plan: PressurePlan, folder: Path) -> Path:
    """The model that the plan has written."""
    path = folder / "planned.inp"
    path.write_bytes(plan.inp)
    return path


def second_day(path: Path | Network) -> tuple[np.ndarray, np.ndarray]:
    """Pressure of every node at every step, and the volume that leaks, m3, by node; chambers of new valves go."""
    pressures, lost = [], []
    with Engine(path) as engine:
        engine.duration = 2 * _DAY
        engine.start()
        while True:
            now = engine.solve()
            leak = np.zeros(len(engine.topology.nodes))
            leak[engine.junctions] = engine.emitter_flow()
            leak += engine.read("node", "leakage")
            pressure = engine.read("node", "pressure").copy()
            step = engine.advance()
            if step <= 0:
                return np.array(pressures), np.sum(lost, axis=0)
            if now >= _DAY:
                pressures.append(pressure)
                lost.append(leak * step)


def test_set_points_are_as_low_as_the_worst_customer_allows(tmp_path: Path) -> None:
    network, norm = town(tmp_path), Norm(margin=1.0)
    plan = plan_pressure(network, norm)
    (valve,) = plan.valves
    assert valve.before == pytest.approx(np.full(24, 60.0), abs=1e-6)
    assert (valve.after <= valve.before + 1e-9).all()
    assert valve.after[3] < valve.after[7] - 0.5  # at night the pipes take less
    pressure, leakage = second_day(with_controls(network, plan, tmp_path))
    with Engine(network) as engine:
        b = engine.topology.node("B")
    due = 10.0 + 4.0 * 4
    assert pressure[:, b].min() >= due + norm.margin - 0.1
    assert pressure[:, b].max() <= due + norm.margin + 1.0  # nothing is left to spare for long
    before = second_day(network)[1].sum()
    assert before - leakage.sum() == pytest.approx(plan.saved, rel=0.01)
    assert plan.saved > plan.saved_fixed > 0.0
    assert (plan.n_customers, plan.n_met_before, plan.n_met_after) == (3, 3, 3)
    assert plan.least_slack == pytest.approx(norm.margin, abs=0.1)


def test_free_head_that_is_short_is_not_made_shorter(tmp_path: Path) -> None:
    network = town(tmp_path, setting=45.0, storeys=9)  # 42 m are due, B has less than 30
    plan = plan_pressure(network, Norm())
    before, after = second_day(network)[0], second_day(with_controls(network, plan, tmp_path))[0]
    with Engine(network) as engine:
        b = engine.topology.node("B")
    assert after[:, b].min() >= before[:, b].min() - 0.05
    assert plan.n_met_after == plan.n_met_before == 0
    assert plan.saved > 0.0  # at night there is more than at the worst hour


def test_a_network_without_blocks_and_valves_is_told_what_it_needs(tmp_path: Path) -> None:
    network = town(tmp_path)
    (tmp_path / "town.tables" / "dmas.csv").unlink()
    network.source.write_text(network.source.read_text().replace("V X1 X2 200 PRV 60 0", "V X1 X2 200 TCV 1 0"))
    with pytest.raises(UserError, match=r"nodes\.csv and dmas\.csv into the folder town\.tables beside the INP"):
        plan_pressure(load(network.source), Norm())


def test_a_valve_that_no_table_names_is_planned_too(tmp_path: Path) -> None:
    """The same town without tables of blocks: its valve is found in the model, with what lies behind it."""
    with_table = plan_pressure(town(tmp_path), Norm())
    (tmp_path / "town.tables" / "dmas.csv").unlink()
    without = plan_pressure(load(tmp_path / "town.inp"), Norm())
    assert [valve.valve for valve in without.valves] == ["V"]
    assert without.valves[0].after == pytest.approx(with_table.valves[0].after, abs=0.1)
    assert without.saved == pytest.approx(with_table.saved, rel=0.01)


def test_a_low_part_of_a_block_gets_a_valve_of_its_own_where_that_pays(tmp_path: Path) -> None:
    network = town(tmp_path)
    low = (
        network.source.read_text()
        .replace("C 22 4 day", "C 2 4 day\nC2 0 2 day")
        .replace("P3 A C 700 150 110", "P3 A C 700 150 110\nP4 C C2 300 100 110")
        .replace("C 0.2\n[PAT", "C 0.3\nC2 0.3\n[PAT")
    )
    network.source.write_text(low)
    with (tmp_path / "town.tables" / "nodes.csv").open("a") as file:
        file.write("C2,Z,street,10,2\n")
    dear = Prices(1e9, 120_000.0, (15_000.0, 180_000.0), 12.0, 35_000.0, 20, 0.08)
    none = plan_pressure(load(network.source), Norm(), dear)
    assert none.places == ()
    plan = plan_pressure(load(network.source), Norm())
    (place,) = [place for place in plan.places if place.is_chosen]
    assert (place.block, place.pipe) == ("Z", "P3")
    assert place.worth > place.cost
    assert plan.saved > none.saved + 0.8 * place.saved > none.saved
    assert plan.saved == pytest.approx(plan.checked, rel=0.01)
    assert plan.n_met_after == plan.n_met_before
    # from the file alone: customers behind it have what is due, and not much more at the worst of them
    with Engine(with_controls(network, plan, tmp_path)) as engine:
        day = run_day(engine)
        at = [engine.topology.node(n) for n in ("C", "C2")]
        assert (day.pressure[:, at[0]] >= 10.0 + 4.0 * 4 - 0.01).all()
        assert day.pressure[:, at[0]].min() < 10.0 + 4.0 * 4 + 2.5
    assert DEFAULT_PRICES.worth(1.0, 0.0) == pytest.approx(
        sum(365.25 * 12.0 / 1.08**year for year in range(1, 21)), rel=1e-9
    )


def test_a_place_that_leaves_customers_short_says_so(tmp_path: Path) -> None:
    """A deep part fed through two narrow pipes: with one of them shut the other one does not bring enough."""
    network = town(tmp_path)
    network.source.write_text(
        network.source.read_text()
        .replace("C 22 4 day", "C 0 6 day\nC2 0 2 day")
        .replace("P3 A C 700 150 110", "P3 A C 700 110 110\nP5 A C 700 105 110\nP4 C C2 300 150 110")
        .replace("C 0.2\n[PAT", "C 0.15\nC2 0.15\n[PAT")
    )
    with (tmp_path / "town.tables" / "nodes.csv").open("a") as file:
        file.write("C2,Z,street,10,2\n")
    plan = plan_pressure(load(network.source), Norm())
    (place,) = plan.places
    assert place.closes == ("P5",)
    assert place.worth > place.cost
    assert place.n_short == 1
    assert place.short_m > 1.0
    assert not place.is_chosen
    assert place.why == f"leaves 1 places with customers short, by up to {place.short_m:.1f} m"
    assert plan.n_met_after == plan.n_met_before
    # the same without what is due: nobody is short, and only the money decides
    free = replace(place, n_short=0)
    assert (free.why, replace(free, worth=0.0).why) == (
        "pays, and nobody is short", "costs more than it is worth")  # fmt: skip


@pytest.mark.parametrize("elevation", [10, 20])
def test_what_a_part_alone_feeds_gets_its_valve_too(tmp_path: Path, elevation: int) -> None:
    """Behind a deep part stand houses that have less to spare: a valve for the part must not cut them off."""
    network = town(tmp_path)
    network.source.write_text(
        network.source.read_text()
        .replace("C 22 4 day", f"C 2 4 day\nC2 0 2 day\nD {elevation} 0.2 day")
        .replace("P3 A C 700 150 110", "P3 A C 700 150 110\nP4 C C2 300 150 110\nP6 C2 D 100 100 110")
        .replace("C 0.2\n[PAT", "C 0.15\nC2 0.15\n[PAT")
    )
    with (tmp_path / "town.tables" / "nodes.csv").open("a") as file:
        file.write("C2,Z,street,10,2\nD,Z,street,10,5\n")
    cheap = Prices(10_000.0, 0.0, (0.0, 0.0), 12.0, 35_000.0, 20, 0.08)
    plan = plan_pressure(load(network.source), Norm(), cheap)
    (place,) = plan.places
    assert (place.pipe, place.closes, place.n_customers) == ("P3", (), 3)
    assert place.n_short == 0
    assert place.is_chosen
    assert plan.n_met_after == plan.n_met_before == 4


def test_set_points_are_written_in_the_unit_of_the_file(tmp_path: Path) -> None:
    network = town(tmp_path)
    metres = plan_pressure(network, Norm())
    network.source.write_text(network.source.read_text().replace("[OPTIONS]", "[OPTIONS]\nPressure kPa").replace(
        "PRV 60 0", f"PRV {60 / 0.101972:.4f} 0"))  # fmt: skip
    kilopascals = plan_pressure(load(network.source), Norm())
    assert kilopascals.unit == pytest.approx(0.102, abs=1e-3)
    assert kilopascals.valves[0].after == pytest.approx(metres.valves[0].after, abs=0.2)
    assert kilopascals.checked == pytest.approx(metres.checked, rel=0.03)


def test_a_block_without_nodes_is_told(tmp_path: Path) -> None:
    network = town(tmp_path)
    with (tmp_path / "town.tables" / "dmas.csv").open("a") as file:
        file.write("Y,ALL,all,IN,V,B\n")
    with pytest.raises(UserError, match="block 'Y', of which"):
        plan_pressure(load(network.source), Norm())


def test_a_block_without_a_valve_gets_one_where_it_pays(tmp_path: Path) -> None:
    network = town(tmp_path)
    text = network.source.read_text().replace("V X1 X2 200 PRV 60 0", "").replace("[VALVES]\n", "")
    network.source.write_text(text.replace("IN M X1 50 200 120", "IN M X1 50 200 120\nON X1 X2 5 200 120"))
    (tmp_path / "town.tables" / "dmas.csv").write_text(
        "dma,large_block,zone,inlet,prv,critical_node\nZ,ALL,all,IN,,B\n"
    )
    plan = plan_pressure(load(network.source), Norm())
    (valve,) = plan.valves
    assert (valve.valve, valve.is_new, valve.inlet) == ("PLAN-PRV-Z", True, "IN")
    assert plan.saved > 0.0
    enough = plan_pressure(town(tmp_path, setting=30.0, storeys=1), Norm())
    assert enough.valves[0].after.max() < 30.0


def test_plan_of_uman_keeps_what_was_kept_and_saves_what_it_says(tmp_path: Path) -> None:
    uman = load("uman")
    plan = plan_pressure(uman, Norm(), places=0)
    pressure, leakage = second_day(with_controls(uman, plan, tmp_path))
    before, lost = second_day(uman)
    assert uman.nodes is not None
    homes = uman.nodes[uman.nodes["connections"] > 0]
    with Engine(uman) as engine:
        at = [engine.topology.node(n) for n in homes["node"]]
    with Engine(tmp_path / "planned.inp") as engine:
        there = [engine.topology.node(n) for n in homes["node"]]
    due = 10.0 + 4.0 * (homes["storeys"].to_numpy() - 1)
    kept = (before[:, at] >= due).all(axis=0)
    assert kept.sum() == plan.n_met_before > 2_000
    assert (pressure[:, there] >= due - 0.01)[:, kept].all()
    assert lost.sum() - leakage.sum() == pytest.approx(plan.saved, rel=0.03)
    assert plan.saved > 0.02 * lost.sum()
    for valve in plan.valves:
        assert (valve.after <= valve.before + 1e-6).all()
