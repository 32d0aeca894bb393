"""State estimation on plants whose truth is known."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import hydro
from hydro.calibrated import Calibrated
from hydro.driven import DrivenModel
from hydro.engine import Engine
from hydro.errors import RecordError
from hydro.estimation import Estimate, Estimation
from hydro.filtering import Observation, hold_above, update
from hydro.record import Record
from networks import UnknownElement, find
from tests.hydro.inp import two_districts, write_inp
from tests.hydro.plant import START, measure, settled
from tests.hydro.worn import METERS, OFFSET, SENSORS, aged, leaking, read, write_plant

HOURS, STEP = 72, pd.Timedelta("30min")
UNSEEN = "a32"
LEAK = 6e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("estimation")


def factor(name: str, diameter: float) -> float:
    return 1.5 if diameter < 0.11 else 0.8


@cache
def plant(folder: Path) -> tuple[Path, Record, Calibrated]:
    """A worn plant, its history, and what was learnt from it."""
    path = write_plant(folder / "plant.inp", HOURS)
    history = read(path, HOURS, aged(factor))
    return path, history, hydro.calibrate(path, history)


@cache
def leaky(folder: Path) -> tuple[Record, pd.DataFrame]:
    """The same plant later, with a leak, and the true pressures of every junction."""
    path = plant(folder)[0]
    ways = aged(factor), leaking("a21", LEAK)
    record = read(path, HOURS, *ways, seed=2)
    with Engine(path) as engine:
        junctions = tuple(engine.topology.nodes[k] for k in engine.junctions.tolist())

    def prepare(engine: Engine) -> None:
        for way in ways:
            way(engine)

    return record, measure(path, HOURS, junctions, METERS, ("tower",), prepare).pressure.resample(STEP).mean()


@cache
def found(folder: Path) -> Estimate:
    path, _, calibration = plant(folder)
    return hydro.estimate(path, leaky(folder)[0], calibration)


def steady(folder: Path) -> NDArray[np.bool_]:
    """Steps in which nothing switched."""
    return settled(leaky(folder)[0], STEP, METERS, full=6.4)


def rms(values: NDArray[np.float64]) -> float:
    assert np.isfinite(values).all()
    return float(np.sqrt((values**2).mean()))


# laws -----------------------------------------------------------------------------------------------------------------


def test_mass_balances_at_every_node(folder: Path) -> None:
    estimate = found(folder)
    with Engine(plant(folder)[0]) as engine:
        topology = engine.topology
    assert estimate.nodes == topology.nodes
    arriving = np.zeros_like(estimate.demand)
    for link, (start, end) in enumerate(zip(topology.start.tolist(), topology.end.tolist(), strict=True)):
        arriving[:, end] += estimate.flow[:, link]
        arriving[:, start] -= estimate.flow[:, link]
    assert np.isfinite(estimate.demand).all()
    np.testing.assert_allclose(arriving, estimate.demand, atol=2e-6)


def test_mass_balances_where_a_meter_stands_for_a_pump(folder: Path) -> None:
    path = write_inp(folder / "booster.inp", two_districts(booster=True), hours=24, step="0:05", pattern_step="0:15")
    record = measure(path, 12, SENSORS, METERS, ("tower",))
    estimate = hydro.estimate(path, record)
    with Engine(path) as engine:
        topology = engine.topology
    arriving = np.zeros_like(estimate.demand)
    for link, (start, end) in enumerate(zip(topology.start.tolist(), topology.end.tolist(), strict=True)):
        arriving[:, end] += estimate.flow[:, link]
        arriving[:, start] -= estimate.flow[:, link]
    there = np.isfinite(estimate.demand).all(axis=1)
    assert there.sum() > 20
    np.testing.assert_allclose(arriving[there], estimate.demand[there], atol=2e-6)
    pump = estimate.flow[:, estimate.links.index("in_b")]
    np.testing.assert_allclose(pump, record.flow["in_b"].resample(STEP).mean(), atol=1e-9)
    assert pump.max() > 0.005


def test_districts_take_their_measured_inflow(folder: Path) -> None:
    path, _, _ = plant(folder)
    record = leaky(folder)[0]
    estimate = found(folder)
    model = DrivenModel(path, record)
    drive = model.drive(record.resampled(STEP), STEP)
    for number, district in enumerate(model.districts):
        if district.is_closed:
            taken = estimate.demand[:, model.engine.junctions[district.junctions]].sum(axis=1)
            np.testing.assert_allclose(taken, drive.inflow[:, number], rtol=1e-6, atol=1e-8)
    model.close()


# a twin ---------------------------------------------------------------------------------------------------------------


def test_the_leak_is_followed(folder: Path) -> None:
    estimate, pressure = found(folder), leaky(folder)[1]["a21"].iloc[-24:].mean()
    truth = LEAK * np.sqrt(pressure)
    last = estimate.withdrawal[-24:].mean(axis=0)
    assert last.sum() == pytest.approx(truth, rel=0.25)
    centres = pd.Series(last, estimate.area_centres)
    near = [name for name in centres.index if name in ("a21", "a20", "a11", "a22", "a31", "a10", "a12", "a30", "a32")]
    assert centres[near].sum() > 0.6 * truth


def test_what_no_sensor_sees_is_told_better_than_by_the_model(folder: Path) -> None:
    path, _, calibration = plant(folder)
    record, truth = leaky(folder)
    unseen = [name for name in truth.columns if name.startswith("a") and name not in SENSORS]
    model = DrivenModel(path, record)
    model.scale(calibration.resistance, calibration.demand)
    drive = model.drive(record.resampled(STEP), STEP)
    nodes = [model.topology.node(name) for name in unseen]
    still = steady(folder)
    still[:12] = False  # the leak is new to the estimate
    driven = []
    for row in np.flatnonzero(still):
        model.impose(drive, int(row))
        driven.append(model.solve()[0][nodes])
    elevation = model.engine.read("node", "elevation")[nodes]
    model.close()
    estimate, real = found(folder), truth[unseen].to_numpy()[still]
    told = estimate.head[still][:, [estimate.nodes.index(name) for name in unseen]] - elevation
    assert rms(told - real) < 0.05
    assert rms(told - real) < rms(np.array(driven) - real) / 2.0


def test_intervals_cover_the_truth(folder: Path) -> None:
    path = plant(folder)[0]
    estimate, truth, still = found(folder), leaky(folder)[1], steady(folder)
    with Engine(path) as engine:
        elevation = engine.read("node", "elevation")
    nodes = [estimate.nodes.index(name) for name in truth.columns]
    error = (estimate.head[:, nodes] - elevation[nodes] - truth.to_numpy())[still]
    deviation = estimate.head_deviation[:, nodes][still]
    share = float((np.abs(error) < 1.96 * deviation).mean())
    assert share > 0.85
    # and are worth something: narrower than what the model alone could promise
    assert np.median(deviation) < 0.3
    seen = [estimate.nodes.index(name) for name in SENSORS]
    assert np.median(estimate.head_deviation[still][:, seen]) < np.median(deviation)


def test_offsets_are_taken_off(folder: Path) -> None:
    estimate, record = found(folder), leaky(folder)[0]
    means = record.resampled(STEP).pressure.to_numpy()
    left = (means - estimate.expected[:, : len(SENSORS)])[steady(folder)]
    assert rms(left) < 0.03
    assert OFFSET.abs().max() > 0.4


# instruments ----------------------------------------------------------------------------------------------------------


def test_a_gross_error_is_found_and_does_no_harm(folder: Path) -> None:
    path, _, calibration = plant(folder)
    record = leaky(folder)[0]
    pressure = record.pressure.copy()
    pressure.iloc[288:, 2] += 4.0  # from the second day on
    estimate = hydro.estimate(path, replace(record, pressure=pressure), calibration)
    name = SENSORS[2]
    later = slice(48, None)
    assert estimate.is_doubted[later, 2].mean() > 0.95
    assert not estimate.is_doubted[:48, 2].mean() > 0.2
    assert set(estimate.suspects(0.5)) == {name}
    assert np.nanmedian(estimate.score[later, 2]) > 4.0
    other, still = found(folder), steady(folder)
    still[:48] = False
    assert rms((estimate.head - other.head)[still]) < 0.03


def test_a_silent_sensor_says_nothing(folder: Path) -> None:
    path, _, calibration = plant(folder)
    record = leaky(folder)[0]
    pressure = record.pressure.copy()
    pressure["a30"] = np.nan
    estimate = hydro.estimate(path, replace(record, pressure=pressure), calibration)
    without = hydro.estimate(path, replace(record, pressure=record.pressure.drop(columns=["a30"])), calibration)
    assert np.isnan(estimate.score[:, 2]).all()
    np.testing.assert_allclose(estimate.head, without.head, atol=0.01)
    at = estimate.nodes.index("a30")
    seen = found(folder).head_deviation[:, at].mean()
    assert estimate.head_deviation[:, at].mean() > seen


def test_gaps_in_the_boundary_are_bridged_and_said(folder: Path) -> None:
    path, _, calibration = plant(folder)
    record = leaky(folder)[0]
    flow, level = record.flow.copy(), record.level.copy()
    flow.iloc[300:324, 0] = np.nan  # two hours of an inlet
    level.iloc[400:412] = np.nan  # one hour of the tank
    level.iloc[600:672] = np.nan  # six hours: too long
    estimate = hydro.estimate(path, replace(record, flow=flow, level=level), calibration)
    gone = ~estimate.is_complete
    assert gone[50:54].all()
    assert not gone[:49].any()
    assert np.isfinite(estimate.head[50:54]).all()
    assert np.isnan(estimate.head[108:110]).all()  # the level is only carried for two hours
    assert np.isfinite(estimate.head[-10:]).all()
    error = estimate.head[50:54] - found(folder).head[50:54]
    assert np.abs(error).max() < 1.5  # the usual take stands in
    wider, usual = estimate.head_deviation[52:54].mean(), estimate.head_deviation[54:56].mean()
    assert wider > usual


def test_what_a_valve_did_is_taken_from_the_record(folder: Path) -> None:
    path, _, calibration = plant(folder)
    record = leaky(folder)[0].between(START, START + pd.Timedelta("6h"))
    status = pd.DataFrame({"a21-a22": [1.0, 0.0]}, START + pd.to_timedelta([0, 3], unit="h"))
    estimate = hydro.estimate(path, record, calibration, status=status)
    flow = np.abs(estimate.flow[:, estimate.links.index("a21-a22")])
    assert (flow[:6] > 1e-5).all()
    assert (flow[6:] < 1e-6).all()


# contract -------------------------------------------------------------------------------------------------------------


def test_a_record_in_pieces_is_the_record(folder: Path) -> None:
    path, _, calibration = plant(folder)
    record = leaky(folder)[0].between(START, START + pd.Timedelta("12h"))
    whole = Estimation(path, record, calibration, outputs=((UNSEEN,), ("in_1",)))
    at_once = whole.run(record)
    whole.close()
    parts = Estimation(path, record, calibration, outputs=((UNSEEN,), ("in_1",)))
    middle = START + pd.Timedelta("6h")
    pieces = [parts.run(record.between(START, middle)), parts.run(record.between(middle, record.end + STEP))]
    parts.close()
    # at a seam the storage of the tank is known from one side only
    head = np.concatenate([piece.head for piece in pieces])
    np.testing.assert_allclose(head, at_once.head, atol=0.05)
    assert at_once.nodes == (UNSEEN,)
    assert at_once.flow.shape == (24, 1)


def test_without_a_calibration(folder: Path) -> None:
    path = write_plant(folder / "plain.inp", HOURS)
    record = measure(path, 12, SENSORS, METERS, ("tower",))
    estimate = hydro.estimate(path, record)
    means = record.pressure.resample(STEP).mean().to_numpy()
    with Engine(path) as engine:
        elevation = engine.read("node", "elevation")
    nodes = [estimate.nodes.index(name) for name in SENSORS]
    still = settled(record, STEP, METERS, full=6.4)
    assert rms((estimate.head[:, nodes] - elevation[nodes] - means)[still]) < 0.05
    assert "balance" not in " ".join(estimate.instruments)


def test_a_calibration_of_another_network(folder: Path) -> None:
    calibration = plant(folder)[2]
    record = Record(pressure=pd.DataFrame({"10": [50.0] * 4}, pd.date_range(START, periods=4, freq=STEP)))
    with pytest.raises(RecordError, match="another network"):
        hydro.estimate(find("Net1")[1], record, calibration)


def test_a_status_of_no_link(folder: Path) -> None:
    path, _, calibration = plant(folder)
    status = pd.DataFrame({"nowhere": [1.0]}, [START])
    with pytest.raises(UnknownElement, match="nowhere"):
        hydro.estimate(path, leaky(folder)[0], calibration, status=status)


def test_importing_hydro_is_light() -> None:
    import subprocess
    import sys

    code = (
        "import hydro, sys; print(sorted(m for m in ('pandas', 'scipy', 'wntr') if m in sys.modules)); hydro.estimate"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


# the algebra ----------------------------------------------------------------------------------------------------------


def _observation(seed: int, n: int = 6, m: int = 9) -> tuple[NDArray[np.float64], NDArray[np.float64], Observation]:
    chance = np.random.default_rng(seed)
    root = chance.standard_normal((n, n))
    covariance = root @ root.T / n
    h = chance.standard_normal((m, n))
    noise = np.diag(chance.uniform(0.5, 2.0, m))
    value = h @ np.linalg.cholesky(covariance) @ chance.standard_normal(n) + np.sqrt(np.diag(noise))
    return chance.standard_normal(n), covariance, Observation(value * 0.3, h, noise)


@given(seed=st.integers(0, 2**31), gone=st.integers(0, 8))
@settings(max_examples=40, deadline=None)
def test_an_update_is_the_information_filters(seed: int, gone: int) -> None:
    mean, covariance, seen = _observation(seed)
    value = seen.value.copy()
    value[gone] = np.nan
    never = np.zeros(len(value), dtype=bool)
    nothing = np.zeros(len(mean))
    told = update(mean, covariance, replace(seen, value=value), nothing > 0, (nothing, nothing), never)
    kept = np.delete(np.arange(len(value)), gone)
    h, noise = seen.response[kept], seen.noise[np.ix_(kept, kept)]
    information = np.linalg.inv(covariance) + h.T @ np.linalg.inv(noise) @ h
    expected = np.linalg.inv(information)
    np.testing.assert_allclose(told.covariance, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        told.mean - mean, expected @ h.T @ np.linalg.solve(noise, value[kept]), rtol=1e-6, atol=1e-9
    )
    # the score of an instrument is its innovation had it been left out
    first = kept[0]
    rest = kept[1:]
    s = seen.response @ covariance @ seen.response.T + seen.noise
    weights = np.linalg.solve(s[np.ix_(rest, rest)], s[rest, first])
    alone = value[first] - weights @ value[rest]
    variance = s[first, first] - weights @ s[rest, first]
    assert told.score[first] == pytest.approx(alone / np.sqrt(variance), rel=1e-6, abs=1e-9)


def test_a_change_of_one_state_is_told_from_a_broken_instrument() -> None:
    mean, covariance, seen = _observation(5)
    covariance *= 0.01
    quiet = 0.1 * seen.value
    most = np.zeros(len(mean)), np.full(len(mean), 100.0)
    can = np.ones(len(mean), dtype=bool)
    doubtful = np.ones(len(quiet), dtype=bool)
    leak = update(mean, covariance, replace(seen, value=quiet + 30.0 * seen.response[:, 2]), can, most, doubtful)
    assert leak.jumped[2] > 0.0
    assert not leak.doubted.any()
    assert leak.mean[2] - mean[2] == pytest.approx(30.0, rel=0.1)
    broken = quiet.copy()
    broken[4] += 30.0
    fault = update(mean, covariance, replace(seen, value=broken), can, most, doubtful)
    assert fault.doubted.tolist() == [k == 4 for k in range(len(quiet))]
    assert not fault.jumped.any()
    # a repair is a jump downwards, where there is something to repair
    repair = replace(seen, value=quiet - 30.0 * seen.response[:, 2])
    assert update(mean, covariance, repair, can, (-most[1], most[1]), doubtful).jumped[2] > 0.0
    assert not update(mean, covariance, repair, can, most, doubtful).jumped[2] > 0.0
    # a change that may not jump yet is asked for, and harms nothing meanwhile
    waiting = update(mean, covariance, replace(seen, value=quiet + 30.0 * seen.response[:, 2]), ~can, most, doubtful)
    assert waiting.wanted[2]
    assert not waiting.jumped.any()


def test_a_bound_moves_what_goes_with_it() -> None:
    covariance = np.array([[1.0, -0.8], [-0.8, 1.0]])
    held = hold_above(np.array([-1.0, 2.0]), covariance, np.array([0.0, -np.inf]))
    np.testing.assert_allclose(held, [0.0, 2.0 - 0.8])
    np.testing.assert_array_equal(hold_above(np.array([1.0, 2.0]), covariance, np.zeros(2)), [1.0, 2.0])
