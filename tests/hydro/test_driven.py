"""The model driven by what the engine itself measured."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hydro.derivatives import derivatives
from hydro.drive import Drive
from hydro.driven import DrivenModel
from hydro.errors import RecordError
from hydro.fast.snapshots import Snapshots
from hydro.record import Record
from networks import find
from tests.hydro.inp import two_districts, write_inp
from tests.hydro.plant import START, measure, settled

PRESSURES = ("a11", "a22", "a30", "b00", "b11", "b20")
METERS = ("in_1", "in_2", "in_b")
HOUR = pd.Timedelta("1h")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("driven")


@cache
def plant(folder: Path, booster: bool = False, hours: int = 36) -> tuple[Path, Record]:
    path = folder / f"plant-{booster}.inp"
    write_inp(path, two_districts(booster), hours=hours, step="0:05", pattern_step="0:15")
    return path, measure(path, hours, PRESSURES, METERS, ("tower",))


@pytest.fixture
def quiet(folder: Path) -> tuple[Path, Record]:
    return plant(folder)


def misfit(model: DrivenModel, record: Record, step: pd.Timedelta) -> np.ndarray:
    means = record.resampled(step)
    drive = model.drive(means, step)
    pressure, _ = model.expect(drive)
    found: np.ndarray = pressure - means.pressure.reindex(drive.times).to_numpy()
    return found


def rms(values: np.ndarray) -> float:
    assert np.isfinite(values).all()
    assert len(values) >= 10
    return float(np.sqrt((values**2).mean()))


# oracle: the engine that was measured ---------------------------------------------------------------------------------


@pytest.mark.parametrize("booster", [False, True])
def test_pressures_are_reproduced(folder: Path, booster: bool) -> None:
    path, record = plant(folder, booster)
    still = settled(record, HOUR, METERS, full=6.4)
    model = DrivenModel(path, record)
    try:
        error = misfit(model, record, HOUR)[still]
    finally:
        model.close()
    assert rms(error) < 0.02
    assert np.ptp(record.pressure["a11"]) > 0.5  # there was something to reproduce
    assert np.ptp(record.level["tower"]) > 1.0


def test_flows_between_districts_are_reproduced(quiet: tuple[Path, Record]) -> None:
    path, record = quiet
    still = settled(record, HOUR, METERS, full=6.4)
    model = DrivenModel(path, record)
    means = record.resampled(HOUR)
    _, flow = model.expect(model.drive(means, HOUR))
    model.close()
    measured = means.flow.to_numpy()
    # the split between two inlets is no boundary condition
    assert np.abs(flow - measured)[still].max() < 0.02 * measured.max()


@pytest.fixture(scope="module")
def net3(folder: Path) -> tuple[Path, Record]:
    text = find("Net3")[1].read_text(encoding="utf-8")
    path = folder / "net3.inp"
    path.write_text(re.sub(r"(Report Timestep\s+)1:00", r"\g<1>0:05", text), encoding="utf-8")
    sensors = ("101", "15", "105", "143", "159", "183", "231", "255")
    return path, measure(path, 24, sensors, ("10", "335", "330"), ("1", "2", "3"))


def test_net3_is_reproduced(net3: tuple[Path, Record]) -> None:
    """Three tanks, two pumps, and a metered bypass that is closed in the file and opens in the day."""
    path, record = net3
    step = pd.Timedelta("15min")
    means = record.resampled(step)
    # Net3's demand jumps at every hour: the storage of tanks is known in the quarters between
    within = np.isin(means.pressure.index.minute, (15, 30)) & settled(record, step, ("10", "335", "330"))
    model = DrivenModel(path, record)
    try:
        assert [d.is_closed for d in model.districts if len(d.junctions) > 1] == [True]
        error = misfit(model, record, step)
    finally:
        model.close()
    bypass = means.flow["330"].to_numpy() > 0.01
    assert (bypass & within).any()
    assert rms(error[within & ~bypass]) < 0.02
    assert rms(error[within & bypass]) < 0.02


def test_intervals_do_not_depend_on_their_order(quiet: tuple[Path, Record]) -> None:
    path, record = quiet
    model = DrivenModel(path, record)
    drive = model.drive(record.resampled(HOUR), HOUR)
    order = np.random.default_rng(6).permutation(len(drive.times))
    pressure, flow = model.expect(drive)
    shuffled_pressure, shuffled_flow = model.expect(drive.rows(order))
    model.close()
    # a solution may begin from the last one's flows: it ends within EPANET's accuracy of the same
    np.testing.assert_allclose(shuffled_pressure, pressure[order], atol=2e-3)
    np.testing.assert_allclose(shuffled_flow, flow[order], atol=1e-5)


def by_epanet(model: DrivenModel, drive: Drive) -> tuple[np.ndarray, np.ndarray]:
    """What the model expects, EPANET asked moment by moment."""
    pressure, flow = [], []
    model.engine.set_accuracy(1e-7)
    model.forget()
    for row in range(len(drive.times)):
        model.impose(drive, row)
        p, q = model.solve()
        pressure.append(p[model.sensor_nodes])
        flow.append(q[model.meter_links])
    return np.stack(pressure), np.stack(flow)


def test_a_pipe_that_is_closed_for_a_moment(quiet: tuple[Path, Record]) -> None:
    """The own solver must not go on with the network as it was."""
    path, record = quiet
    model = DrivenModel(path, record)
    drive = model.drive(record.resampled(HOUR), HOUR)
    drive = drive.rows(np.flatnonzero(model.is_drivable(drive)))
    before = model.expect(drive)[0]
    link = model.topology.link("a11-a21")
    for moments in (drive, drive.rows(np.arange(3))):
        model.engine.set_value("link", link, "init_status", 0.0)
        found = model.expect(moments)[0]
        np.testing.assert_allclose(found, by_epanet(model, moments)[0], atol=1e-3)
        assert np.abs(found - before[: len(found)]).max() > 0.01
        model.engine.set_value("link", link, "init_status", 1.0)
        np.testing.assert_allclose(model.expect(drive)[0], before, atol=1e-3)
    model.close()


@pytest.mark.parametrize("town", ["plain", "boosted", "net3"])
def test_moments_are_epanets(folder: Path, town: str, request: pytest.FixtureRequest) -> None:
    """Whatever people take and wherever tanks stand, full ones among them: both solvers say the same."""
    path, record = request.getfixturevalue("net3") if town == "net3" else plant(folder, town == "boosted")
    step = pd.Timedelta("15min") if town == "net3" else HOUR
    model = DrivenModel(path, record)
    drive = model.drive(record.resampled(step), step)
    drive = drive.rows(np.flatnonzero(model.is_drivable(drive)))
    random = np.random.default_rng(8)
    for factor in (None, random.uniform(0.7, 1.4, len(model.topology.pipes))):
        if factor is not None:
            model.scale(factor, np.ones(len(model.engine.junctions)))
        low, high = model.level_limits
        share = random.choice([0.02, 0.3, 0.7, 1.0], drive.level.shape)
        taken = drive.demand * random.uniform(0.3, 1.6, drive.demand.shape)
        moments = replace(drive, demand=taken, level=low + share * (high - low))
        pressure, flow = model.expect(moments)
        assert model.is_fast
        wanted_pressure, wanted_flow = by_epanet(model, moments)
        can_be = np.abs(wanted_pressure).max(axis=1) < 1e3  # where all tanks are full surplus water has no way to go
        assert can_be.mean() > 0.8
        np.testing.assert_allclose(pressure[can_be], wanted_pressure[can_be], atol=1e-3)
        np.testing.assert_allclose(flow[can_be], wanted_flow[can_be], atol=1e-5)
    model.close()


def test_what_the_own_solver_does_not_prove_is_epanets(
    quiet: tuple[Path, Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, record = quiet
    model = DrivenModel(path, record)
    drive = model.drive(record.resampled(HOUR), HOUR)
    wanted = model.expect(drive)
    solve = Snapshots.solve

    def every_third(self: Snapshots, demand: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, ...]:
        pressure, flow, proved = solve(self, demand, level)
        proved[::3] = False
        pressure[::3] = flow[::3] = np.nan
        return pressure, flow, proved

    monkeypatch.setattr(Snapshots, "solve", every_third)
    for found, expected in zip(model.expect(drive), wanted, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-3)
    model.close()


def test_pumps_of_constant_power_are_epanets(tmp_path: Path, net3: tuple[Path, Record]) -> None:
    path, record = net3
    text = re.sub(r"(?m)^ 335 (.*)HEAD 2", r" 335 \1POWER 50", path.read_text(encoding="utf-8"))
    other = tmp_path / "power.inp"
    other.write_text(text, encoding="utf-8")
    model = DrivenModel(other, replace(record, flow=record.flow[["10"]]))
    assert not model.is_fast
    model.close()


# districts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("booster", [False, True])
def test_districts_are_found(folder: Path, booster: bool) -> None:
    path, record = plant(folder, booster)
    model = DrivenModel(path, record)
    nodes = model.topology.nodes
    found = {frozenset(nodes[model.engine.junctions[k]] for k in d.junctions): d for d in model.districts}
    a, b = (
        frozenset(f"{letter}{row}{column}" for row in range(width) for column in range(width))
        for letter, width in (("a", 4), ("b", 3))
    )
    assert set(found) == {a, b, frozenset({"trunk"})}
    assert dict(zip(found[a].meters, found[a].signs, strict=True)) == {"in_1": 1, "in_2": 1, "in_b": -1}
    assert dict(zip(found[b].meters, found[b].signs, strict=True)) == {"in_b": 1}
    assert [nodes[k] for k in found[b].tanks] == ["tower"]
    assert found[a].is_closed
    assert found[b].is_closed
    assert not found[frozenset({"trunk"})].is_closed  # the lake is in it
    model.close()


def test_districts_have_names_of_their_own(quiet: tuple[Path, Record]) -> None:
    model = DrivenModel(*quiet)
    names = [district.name for district in model.districts]
    model.close()
    assert len(set(names)) == len(names) == 3
    assert all("in_" in name for name in names)


def test_a_tank_without_level_opens_its_district(quiet: tuple[Path, Record]) -> None:
    path, record = quiet
    model = DrivenModel(path, Record(pressure=record.pressure, flow=record.flow))
    assert {d.meters: d.is_closed for d in model.districts if len(d.junctions) > 1} == {
        ("in_1", "in_2", "in_b"): True,
        ("in_b",): False,
    }
    model.close()


def test_a_meter_within_a_district_is_no_boundary(quiet: tuple[Path, Record]) -> None:
    path, record = quiet
    flow = record.flow[["in_1", "in_2"]].assign(**{"a00-a01": 0.001})
    model = DrivenModel(path, replace(record, flow=flow))
    whole = next(d for d in model.districts if len(d.junctions) > 1)
    assert len(whole.junctions) == 25
    assert set(whole.meters) == {"in_1", "in_2"}
    model.close()


# law: mass ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("booster", [False, True])
def test_a_district_takes_its_net_inflow(folder: Path, booster: bool) -> None:
    path, record = plant(folder, booster)
    model = DrivenModel(path, record)
    means = record.resampled(HOUR)
    drive = model.drive(means, HOUR)
    flow, level = means.flow, means.level["tower"]
    area = np.pi / 4.0 * 9.0**2
    slope = np.gradient(level.to_numpy()) / 3600.0
    net = {
        METERS: (flow["in_1"] + flow["in_2"] - flow["in_b"]).to_numpy(),
        ("in_b",): flow["in_b"].to_numpy() - area * slope,
    }
    for k, district in enumerate(model.districts):
        if not district.is_closed:
            continue
        np.testing.assert_allclose(drive.demand[:, district.junctions].sum(axis=1), drive.inflow[:, k], rtol=1e-9)
        still = slice(1, -1) if district.tanks else slice(None)
        full = level.to_numpy() > 6.4  # levels near the top are taken as the top
        kept = ~(full | np.roll(full, 1) | np.roll(full, -1))[still]
        np.testing.assert_allclose(
            drive.inflow[still, k][kept], net[district.meters][still][kept], rtol=1e-6, atol=1e-9
        )
    model.close()


def test_customers_meters_are_taken_at_their_word(quiet: tuple[Path, Record]) -> None:
    path, record = quiet
    means = record.resampled(HOUR)
    demand = pd.DataFrame(2e-3, index=means.flow.index, columns=["a12", "b11"])
    demand.iloc[3, 0] = np.nan
    metered = replace(means, demand=demand)
    model = DrivenModel(path, metered)
    drive = model.drive(metered, HOUR)
    place = {n: int(np.flatnonzero(model.engine.junctions == model.topology.node(n))[0]) for n in ("a12", "b11")}
    assert (drive.demand[:, place["b11"]] == 2e-3).all()
    assert (np.delete(drive.demand[:, place["a12"]], 3) == 2e-3).all()
    assert 0.0 < drive.demand[3, place["a12"]] != 2e-3
    for k, district in enumerate(model.districts):
        if district.is_closed:
            np.testing.assert_allclose(drive.demand[:, district.junctions].sum(axis=1), drive.inflow[:, k], rtol=1e-9)
    model.close()


def test_an_interval_without_a_boundary_is_not_driven(quiet: tuple[Path, Record]) -> None:
    path, record = quiet
    means = record.resampled(HOUR)
    means.flow.iloc[4, 0] = np.nan
    means.level.iloc[8, 0] = np.nan
    model = DrivenModel(path, means)
    drive = model.drive(means, HOUR)
    drivable = model.is_drivable(drive)
    pressure, flow = model.expect(drive)
    model.close()
    # a level that is missing takes the storage of its neighbours away too
    assert np.flatnonzero(~drivable).tolist() == [4, 7, 8, 9]
    assert np.isnan(pressure[~drivable]).all()
    assert np.isfinite(pressure[drivable]).all()
    assert np.isfinite(flow[drivable]).all()


def test_a_district_without_demand_in_the_model_can_be_driven(tmp_path: Path, quiet: tuple[Path, Record]) -> None:
    """A stretch of main between two meters takes next to nothing; what it seems to take is spread evenly."""
    path, record = quiet
    text = re.sub(r"(?m)^ (b\d\d \S+) \S+ ", r" \1 0 ", path.read_text(encoding="utf-8"))
    bare = tmp_path / "bare.inp"
    bare.write_text(text, encoding="utf-8")
    means = record.resampled(HOUR)
    model = DrivenModel(bare, means)
    drive = model.drive(means, HOUR)
    k = next(k for k, d in enumerate(model.districts) if d.tanks)
    demand = drive.demand[:, model.districts[k].junctions]
    np.testing.assert_allclose(demand.sum(axis=1), drive.inflow[:, k], rtol=1e-9)
    assert np.ptp(demand, axis=1).max() < 1e-12
    model.close()


# signatures of leaks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("booster", [False, True])
def test_leak_responses_weigh_up_to_nothing(folder: Path, booster: bool) -> None:
    path, record = plant(folder, booster)
    means = record.resampled(HOUR)
    model = DrivenModel(path, means)
    drive = model.drive(means, HOUR)
    row = int(np.flatnonzero(model.is_drivable(drive))[5])
    model.impose(drive, row)
    model.solve()
    found = derivatives(model.engine, model.sensor_nodes, model.meter_links)
    before = found.by_demand.copy()
    response = model.leak_response(found.by_demand, drive.demand[row])
    assert np.array_equal(found.by_demand, before)  # the argument is left alone
    for district in model.districts:
        inside = response[district.junctions]
        if district.is_closed:
            weight = drive.demand[row][district.junctions]
            assert (weight >= 0.0).all()
            np.testing.assert_allclose(weight @ inside / weight.sum(), 0.0, atol=1e-6 * max(1.0, np.abs(inside).max()))
            assert np.abs(inside).max() > 1.0
        else:
            np.testing.assert_array_equal(inside, before[model.engine.junctions][district.junctions])
    model.close()


def test_leak_response_is_what_a_leak_does(quiet: tuple[Path, Record]) -> None:
    """Take water at one node and drive the model with the inflow that then is measured."""
    path, record = quiet
    means = record.resampled(HOUR)
    model = DrivenModel(path, means)
    drive = model.drive(means, HOUR)
    row, leak = 15, 5e-5
    nodes, meters = model.sensor_nodes, model.meter_links
    model.engine.set_accuracy(1e-7)
    model.impose(drive, row)
    model.solve()
    by_demand = derivatives(model.engine, nodes, meters).by_demand
    response = model.leak_response(by_demand, drive.demand[row])
    demand = drive.demand[row]
    for name in ("a00", "a21", "b12"):
        k = int(np.flatnonzero(model.engine.junctions == model.topology.node(name))[0])
        district = next(d for d in model.districts if k in d.junctions)
        sides = []
        for sign in (1.0, -1.0):
            # the inflow is as it was: what leaks is missing at the others
            shifted = demand.copy()
            inside = district.junctions
            shifted[inside] *= 1.0 - sign * leak / demand[inside].sum()
            shifted[k] += sign * leak
            model.engine.set_demands(shifted)
            pressure, flow = model.solve()
            sides.append(np.concatenate([pressure[nodes], flow[meters]]))
        expected = (sides[0] - sides[1]) / (2.0 * leak)
        np.testing.assert_allclose(response[k], expected, atol=0.01 * np.abs(expected).max())
    model.close()


# contract: instruments ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "column"),
    [
        ("pressure", "no such node"),
        ("pressure", "in_1"),
        ("flow", "no such link"),
        ("flow", "a11"),
        ("level", "no such tank"),
        ("level", "a11"),
        ("level", "lake"),
        ("demand", "no such node"),
        ("demand", "tower"),
        ("demand", "lake"),
    ],
)
def test_an_instrument_where_none_can_be(quiet: tuple[Path, Record], quantity: str, column: str) -> None:
    path, record = quiet
    table = getattr(record, quantity).assign(**{column: 1.0}) if quantity != "demand" else pd.DataFrame({column: [1.0]})
    table.index = record.flow.index[: len(table)]
    with pytest.raises(RecordError, match=f"{quantity} column '{column}'"):
        DrivenModel(path, replace(record, **{quantity: table}))


def test_nominal_demand_follows_the_clock(quiet: tuple[Path, Record]) -> None:
    path, record = quiet
    model = DrivenModel(path, record)
    times = pd.date_range(START, periods=48, freq="h")
    nominal = model.nominal_demand(times, HOUR)
    model.close()
    assert nominal.shape == (48, 26)
    np.testing.assert_allclose(nominal[:24], nominal[24:])  # the patterns are a day long
    assert nominal.sum(axis=1).argmin() in (2, 3, 4, 26, 27, 28)


def test_scaled_resistance_is_longer_pipes(quiet: tuple[Path, Record]) -> None:
    path, record = quiet
    model = DrivenModel(path, record)
    factor = np.linspace(0.5, 2.0, len(model.topology.pipes))
    for _ in range(2):  # against the INP, not against the last time
        model.scale(factor, np.ones(26))
    length = model.engine.read("link", "length")[model.topology.pipes]
    model.close()
    np.testing.assert_allclose(length, factor * model.topology.length[model.topology.pipes], rtol=1e-9)
