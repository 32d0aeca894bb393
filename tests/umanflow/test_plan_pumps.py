"""Pump schedules: the choice against every choice there is, the written file against EPANET 2.3, 2.2 and WNTR's own."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from hydro.engine import Engine
from models.pumpday import PumpHours, cheapest_day
from networks import Network, load
from networks.closed import closed_links
from networks.inp.controlled import controlled
from umanflow.errors import UserError
from umanflow.planner.customers import Customers, customers_of
from umanflow.planner.pressure import Norm
from umanflow.planner.pumphours import Around, Tabulator
from umanflow.planner.pumping import PumpPlan, PumpRules, plan_pumps, schedule_lines
from umanflow.planner.pumprun import Storage
from umanflow.planner.simulation import run_day
from umanflow.planner.stations import speeds_of, zones_of
from umanflow.planner.tariff import tariff_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")

_CHEAP = tuple(4.0 if hour < 7 or hour == 23 else 16.0 if 17 <= hour < 21 else 9.0 for hour in range(24))
_HILL = """[TITLE]
hill
[RESERVOIRS]
R 10
[JUNCTIONS]
S 5 0
D 5 0
A 20 12 day
B 24 8 day
[TANKS]
T 52 3 0.5 6 16 0
[PUMPS]
P1 S D HEAD C
P2 S D HEAD C
[CURVES]
C 30 55
E 15 55
E 30 74
E 45 62
[PIPES]
IN R S 100 400 120
OUT D A 1200 300 120
AB A B 600 250 120
UP A T 300 300 120
[PATTERNS]
day 0.4 0.3 0.3 0.3 0.5 0.8 1.5 1.7 1.5 1.3 1.2 1.2
day 1.1 1.0 1.0 1.1 1.3 1.6 1.7 1.4 1.1 0.8 0.6 0.5
[CONTROLS]
LINK P1 OPEN IF NODE T BELOW 3.5
LINK P1 CLOSED IF NODE T ABOVE 5.5
LINK P2 OPEN IF NODE T BELOW 1.5
LINK P2 CLOSED IF NODE T ABOVE 3.0
[ENERGY]
Global Efficiency 70
PUMP P1 EFFIC E
PUMP P2 EFFIC E
[TIMES]
Duration 96
Hydraulic Timestep 0:15
Pattern Timestep 1:00
Report Timestep 0:15
[OPTIONS]
Units LPS
Headloss H-W
Accuracy 0.0001
[END]
"""


def hill(folder: Path, text: str = _HILL) -> Network:
    path = folder / "hill.inp"
    path.write_text(text)
    return load(path)


def asked(network: Network) -> tuple[Customers, np.ndarray]:
    with Engine(network) as engine:
        day = run_day(engine)
        customers = customers_of(network, engine.topology, day, Norm())
    return customers, np.minimum(customers.due, day.pressure[:, customers.at].min(axis=0))


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, PumpPlan]:
    network = hill(tmp_path_factory.mktemp("hill"))
    plan = plan_pumps(network, *asked(network), PumpRules(outage=3.0, price=_CHEAP))
    assert plan is not None
    return network, plan


@pytest.mark.parametrize("seed", range(5))
def test_no_choice_of_five_hours_is_cheaper(seed: int) -> None:
    """Against all 3^5 days, from the same fill: the grid may cost a little, nothing may be missing."""
    rng = np.random.default_rng(seed)
    n, ways = 5, 3
    filling = np.sort(rng.uniform(-0.25, 0.3, (n, ways, 1)), axis=1) + rng.uniform(-0.02, 0.0, (n, ways, 2))
    cost = np.cumsum(rng.uniform(10.0, 60.0, (n, ways, 1)), axis=1) * np.ones(2)
    starts = np.maximum(np.arange(ways)[None, :] - np.arange(ways)[:, None], 0).astype(float)
    hours = PumpHours(np.array([0.0, 1.0]), filling, cost, np.full((n, ways, 2), -1.0), starts)
    floor, ceiling = np.full(n, 0.1), np.full(n, 0.9)
    day = cheapest_day(hours, floor, ceiling, 5.0)
    assert day.missing < 1.0 / 60.0  # a cell of the grid
    best = np.inf
    for begin in np.linspace(0.1, 0.9, 13).tolist():
        for chosen in itertools.product(range(ways), repeat=n):
            fill, spent, before, is_kept = begin, 0.0, None, True
            for hour, way in enumerate(chosen):
                spent += cost[hour, way, 0] + (0.0 if before is None else 5.0 * starts[before, way])
                fill += float(np.interp(fill, [0.0, 1.0], filling[hour, way]))
                is_kept &= 0.1 - 1e-9 <= fill <= 0.9 + 1e-9
                before = way
            if is_kept and fill >= begin - 1e-9:
                best = min(best, spent + 1e4 * (fill - begin))
    assert day.cost + 1e4 * max(float(day.fill[-1] - day.fill[0]), 0.0) <= best * 1.1 + 1e4 / 60.0
    for hour, way in enumerate(day.ways.tolist()):  # the fill is the sum of what its ways do
        change = float(np.interp(day.fill[hour], [0.0, 1.0], filling[hour, way]))
        assert day.fill[hour + 1] == pytest.approx(day.fill[hour] + change)


def test_a_schedule_is_cheaper_and_keeps_everything(planned: tuple[Network, PumpPlan]) -> None:
    _, plan = planned
    assert plan.is_kept, plan.why
    assert plan.price_source == "study"
    assert plan.after.even_cost < 0.97 * plan.before.even_cost
    assert plan.after.n_short == 0
    (tank,) = plan.after.tanks
    assert tank.low < tank.least
    assert tank.highest < tank.high
    assert abs(tank.last - tank.first) < 0.5
    assert plan.reserves[0].is_enough
    assert all(cut.dry == 0.0 for cut in plan.cuts_after.cuts)  # the reserve is there at every hour
    dear = [hour for hour in range(24) if _CHEAP[hour] == 16.0]
    assert plan.after.energy_by_hour[dear].sum() < plan.before.energy_by_hour[dear].sum()
    assert plan.after.energy_by_hour.sum() == pytest.approx(plan.after.energy)
    assert plan.after.cost == pytest.approx(float(plan.after.energy_by_hour @ np.array(_CHEAP)))
    assert len(plan.hours) == 24 * 2


def test_energy_and_levels_are_those_of_epanet_2_2_and_of_wntr(
    planned: tuple[Network, PumpPlan], tmp_path: Path
) -> None:
    """The written file in WNTR's EPANET 2.2 and in WNTR's own simulator."""
    import wntr

    _, plan = planned
    path = tmp_path / "pumps.inp"
    path.write_bytes(plan.inp)
    model = load(path).model
    model.options.time.duration = 3 * 86_400
    found = wntr.sim.EpanetSimulator(model).run_sim(file_prefix=str(tmp_path / "x"))
    (tank,) = plan.after.tanks
    level = found.node["pressure"]["T"]
    assert float(level.min()) == pytest.approx(tank.least, abs=0.02)
    assert float(level.max()) == pytest.approx(tank.highest, abs=0.02)
    model.options.time.duration = 86_400
    other = wntr.sim.WNTRSimulator(model).run_sim().node["pressure"]["T"]
    assert np.abs(other - level.loc[other.index]).max() < 0.05
    flow, head = found.link["flowrate"], found.node["head"]
    work = sum(9.80665 * flow[pump] * (head["D"] - head["S"]) for pump in ("P1", "P2")) * 0.25  # kWh in each quarter
    volume = float((flow["P1"] + flow["P2"]).iloc[:-1].sum() * 900.0) / 3.0
    assert volume == pytest.approx(sum(plan.after.volume.values()), rel=0.02)
    assert 0.55 < float(work.iloc[:-1].sum()) / 3.0 / plan.after.energy < 0.75  # efficiency, of the pumps' curve
    assert "IF NODE T" not in plan.inp.decode()


def test_a_power_cut_leaves_people_dry_only_when_the_tank_is_empty(planned: tuple[Network, PumpPlan]) -> None:
    _, plan = planned
    for test in (plan.cuts_before, plan.cuts_after):
        assert [cut.hour for cut in test.cuts] == list(range(0, 24, 2))
        for cut in test.cuts:
            lasts = cut.lasts if np.isfinite(cut.lasts) else np.inf
            assert (cut.dry > 0.0) == (lasts <= 3.0)
    # by hand: what the tank holds over what is taken
    (reserve,) = plan.reserves
    assert reserve.needed == pytest.approx(20e-3 * 3 * 3600 * 1.67, rel=0.1)


def test_without_a_reserve_more_is_saved(planned: tuple[Network, PumpPlan]) -> None:
    network, plan = planned
    free = plan_pumps(network, *asked(network), PumpRules(outage=0.0, price=_CHEAP))
    assert free is not None
    assert free.after.even_cost <= plan.after.even_cost + 0.01 * plan.before.even_cost


@pytest.mark.parametrize("start", [0, 5])
def test_every_hour_is_tabulated_with_the_set_points_of_that_hour(tmp_path: Path, start: int) -> None:
    """What a valve holds by the clock decides what its customers lack: the hour's own, not that of the first hour."""
    held = [12.0 + hour / 4.0 for hour in range(24)]
    controls = "".join(f"LINK V {held[hour]} AT CLOCKTIME {hour}:00\n" for hour in range(24))
    text = _HILL.replace("B 24 8 day", "B 24 8 day\nX 24 0").replace("AB A B", "AB A X")
    text = text.replace("[CURVES]", "[VALVES]\nV X B 200 PRV 20 0\n[CURVES]").replace("[ENERGY]", controls + "[ENERGY]")
    network = hill(tmp_path, text.replace("[TIMES]", f"[TIMES]\nStart ClockTime {start}:00"))
    with Engine(network) as engine:
        zones = zones_of(engine, {}, closed_links(network))
        storage, at = Storage(engine, zones[0].tanks), np.array([engine.topology.node("B")])
        tabulator = Tabulator(engine, zones, tariff_of(engine, (), 9.5), at, np.array([30.0]))
        tables = tabulator.tabulate(zones[0], storage, Around(np.zeros((24, 2)), np.full((24, 1), 3.0)))
        begins = engine.clock_start
    assert begins == start * 3600  # as it was before
    expected = [30.0 - held[(start + hour) % 24] for hour in range(24)]
    assert tables.hours.lack[:, :, 1] == pytest.approx(np.repeat(np.array(expected)[:, None], 3, axis=1), abs=0.01)


def test_prices_are_those_of_the_study_or_of_the_model_or_flat(tmp_path: Path) -> None:
    network = hill(tmp_path)
    with Engine(network) as engine:
        assert tariff_of(engine, (), 7.5).source == "flat"
        assert (tariff_of(engine, (), 7.5).price == 7.5).all()
        assert tariff_of(engine, _CHEAP, 7.5).by_hour == pytest.approx(_CHEAP)
    with Engine("uman") as engine:
        found = tariff_of(engine, (), 7.5)
        assert found.source == "model"
        assert found.by_hour[[3, 8, 18]] == pytest.approx([9.5 * 0.7, 9.5 * 1.3, 9.5 * 1.35])


def test_stations_of_uman_are_found_downstream_first() -> None:
    with Engine("uman") as engine:
        speeds = speeds_of(engine, {})
        zones = zones_of(engine, speeds, closed_links(load("uman")))
        assert speeds == {"PU-11": (0.78, 1.0)}
        assert [zone.name for zone in zones][-1] == "TOWER-C"
        assert {zone.name: sorted(s.name for s in zone.stations) for zone in zones} == {
            "TOWER-W": ["PU-21"], "TOWER-B": ["PU-41"], "TOWER-C": ["PU-11", "PU-31"]
        }  # fmt: skip
        assert zones[-1].ways[0] == (0.0,) * 4
        with pytest.raises(UserError, match="'PU-99' is no pump"):
            speeds_of(engine, {"PU-99": (0.5, 1.0)})


def test_a_bypass_is_open_while_its_pump_stands_still() -> None:
    with Engine("Net3") as engine:
        zones = zones_of(engine, {}, frozenset())
    assert {pair for zone in zones for pair in zone.bypasses} == {("330", "335")}


def test_controls_of_freed_links_go_and_others_stay(tmp_path: Path) -> None:
    rules = "[RULES]\nRULE 1\nIF TANK T LEVEL ABOVE 5\nTHEN PUMP P1 STATUS IS CLOSED\n\nRULE 2\nIF SYSTEM TIME > 1\n"
    text = _HILL.replace("[ENERGY]", rules + "THEN PIPE AB STATUS IS OPEN\n[ENERGY]").replace(
        "P2 S D HEAD C", "P2 S D HEAD C PATTERN day"
    )
    data = controlled(text.encode(), ["P1", "P2"], schedule_lines({"P1": [0.0, 0.9] + [1.0] * 22}), {"T": "4.25"})
    said = data.decode()
    assert "IF NODE T" not in said
    assert "RULE 1" not in said
    assert "RULE 2" in said
    assert "PATTERN day" not in said
    path = tmp_path / "other.inp"
    path.write_bytes(data)
    with Engine(load(path)) as engine:
        assert engine.project.count("controls") == 25
        assert engine.value("node", engine.topology.node("T"), "tank_level") == pytest.approx(4.25)
        seen = []
        for now in engine.steps():
            if now in (0, 3600, 7200):
                link = engine.topology.link("P1")
                seen.append((engine.value("link", link, "status"), engine.value("link", link, "setting")))
            if now > 7200:
                break
    assert seen[0][0] == 0.0
    assert seen[1] == (1.0, 0.9)
    assert seen[2] == (1.0, 1.0)


def test_a_network_without_pumps_has_no_schedule(tmp_path: Path) -> None:
    network = load("Net2")
    assert plan_pumps(network, *asked(network), PumpRules()) is None
