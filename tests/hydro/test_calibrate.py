"""Calibration by groups on plants whose truth is known."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import lsq_linear

import hydro
from hydro.bordered import BORDER, Bordered
from hydro.calibrated import Calibrated
from hydro.engine import Engine
from hydro.errors import RecordError
from hydro.parameters import Beliefs
from hydro.record import Record
from hydro.repair import Repair
from hydro.retuned import retuned
from hydro.usual import find_usual
from networks import UnknownElement, load
from networks.inp.document import Document
from tests.hydro.plant import START
from tests.hydro.worn import OFFSET, SENSORS, aged, joined, leaking, read, write_plant

HOURS = 96
THIN, THICK = 1.5, 0.8
# a street that ends without an instrument, of pipes unlike all others
STREET = "".join(f" s{k} {'a33' if k == 0 else f'x{k - 1}'} x{k} 60 100 63 0 Open\n" for k in range(5))
HOUSES = "".join(f" x{k} 12 0.01 home\n" for k in range(5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calibrate")


def factor(name: str, diameter: float) -> float:
    return THIN if diameter < 0.11 else THICK


@cache
def worn(folder: Path) -> tuple[Path, Record, Calibrated]:
    path = write_plant(folder / "worn.inp", HOURS, STREET, HOUSES)
    record = read(path, HOURS, aged(factor))
    return path, record, hydro.calibrate(path, record)


def group(found: Calibrated, name: str) -> tuple[float, float, float]:
    """Log factor, its deviation, and posterior over prior variance."""
    at = found.layout.slices[1].start + found.layout.groups.names.index(name)
    return float(found.parameters[at]), float(found.deviations[at]), float(found.posterior.ratio[at])


# a twin -------------------------------------------------------------------------------------------------------------


def test_groups_are_recovered_within_their_intervals(folder: Path) -> None:
    found = worn(folder)[2]
    for name, truth in (("roughness 110, 110-210 mm", THICK), ("roughness 110, below 110 mm", THIN)):
        value, deviation, ratio = group(found, name)
        assert abs(value - np.log(truth)) < 2.5 * deviation, name
        assert deviation < 0.25, name
        assert ratio < 0.3, name


def test_a_group_that_no_sensor_sees_cannot_be_told(folder: Path) -> None:
    value, _, ratio = group(worn(folder)[2], "roughness 63, below 110 mm")
    assert ratio > 0.98
    assert abs(value) < 0.02  # it stays where it was believed to be


def test_offsets_are_recovered(folder: Path) -> None:
    found = worn(folder)[2]
    deviation = found.deviations[found.layout.slices[0]]
    error = found.offset - OFFSET.to_numpy()
    assert (np.abs(error) < np.maximum(3.0 * deviation, 0.02)).all()
    assert (deviation < 0.1).all()


def test_the_fit_shows_on_days_that_it_did_not_see(folder: Path) -> None:
    misfit = worn(folder)[2].misfit.loc[list(SENSORS)]
    assert (misfit["after_held_out"] < 0.05).all()
    assert misfit["after_held_out"].median() < misfit["before_held_out"].median() / 5.0
    assert misfit["after_held_out"].median() < 2.0 * misfit["after_fitted"].median()


def test_nothing_is_suspected_of_a_plant_whose_valves_are_right(folder: Path) -> None:
    assert worn(folder)[2].suspects == ()


def test_the_covariance_is_one(folder: Path) -> None:
    found = worn(folder)[2]
    covariance = found.model_covariance()
    assert len(covariance) == len(SENSORS) + found.layout.n_pipes + found.layout.n_junctions
    np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9


# statuses -----------------------------------------------------------------------------------------------------------


@cache
def closed(folder: Path) -> tuple[Path, Record]:
    path = write_plant(folder / "closed.inp", HOURS)
    shut = lambda engine: engine.set_value("link", engine.topology.link("a13-a23"), "init_status", 0.0)  # noqa: E731
    return path, read(path, HOURS, shut)


def test_a_closed_pipe_is_named_and_not_applied(folder: Path) -> None:
    path, record = closed(folder)
    found = hydro.calibrate(path, record)
    assert [s.link for s in found.suspects] == ["a13-a23"]
    suspect = found.suspects[0]
    assert suspect.is_closed
    assert suspect.gain > 10.0
    assert suspect.rms_after < suspect.rms_before
    assert {name for name, _ in suspect.evidence} & {"a13", "a22"}  # the sensors at its ends
    assert found.closed == {}
    assert "a13-a23" not in [line.words[0] for line in _closed_lines(retuned(found))]


def test_a_closed_pipe_is_applied_when_asked(folder: Path) -> None:
    path, record = closed(folder)
    found = hydro.calibrate(path, record, apply_suspects=True)
    assert found.closed == {"a13-a23": True}
    assert [line.words[0] for line in _closed_lines(retuned(found))] == ["a13-a23"]
    assert (found.misfit.loc[list(SENSORS), "after_held_out"] < 0.05).all()


def test_an_open_boundary_valve_is_named(folder: Path) -> None:
    path = write_plant(folder / "boundary.inp", HOURS, " bound a23 b20 100 80 120 0 Closed\n")
    left_open = lambda engine: engine.set_value("link", engine.topology.link("bound"), "init_status", 1.0)  # noqa: E731
    found = hydro.calibrate(path, read(path, HOURS, left_open))
    assert [(s.link, s.is_closed) for s in found.suspects] == [("bound", False)]


def _closed_lines(data: bytes) -> list:
    return [line for line in Document.of(data).section("PIPES") if line.words[-1].upper() == "CLOSED"]


# leaks in the history -----------------------------------------------------------------------------------------------


LEAK = leaking("a21", 2e-4), leaking("a22", 2e-4)  # in the middle of the pipe between them


@cache
def repaired(folder: Path) -> tuple[Path, Record]:
    path = write_plant(folder / "repaired.inp", HOURS)
    at = START + pd.Timedelta("48h")
    return path, joined(read(path, HOURS, *LEAK), read(path, HOURS), at)


def test_a_repaired_leak_is_accounted_for(folder: Path) -> None:
    path, record = repaired(folder)
    repairs = [Repair("a21-a22", START + pd.Timedelta("48h"))]
    found = hydro.calibrate(path, record, repairs)
    flow = float(found.parameters[found.layout.slices[6]][0])
    with Engine(path) as engine:  # what it is at about these pressures
        for half in LEAK:
            half(engine)
        engine.start()
        engine.solve()
        truth = float(engine.emitter_flow().sum())
    assert flow == pytest.approx(truth, rel=0.15)
    plain = hydro.calibrate(path, record)
    pressures = list(SENSORS)
    assert found.misfit.loc[pressures, "after_fitted"].mean() < 0.7 * plain.misfit.loc[pressures, "after_fitted"].mean()


def test_a_measured_leak_flow_is_believed(folder: Path) -> None:
    path, record = repaired(folder)
    found = hydro.calibrate(path, record, [Repair("a21-a22", START + pd.Timedelta("48h"), flow=0.0025)])
    parameter = float(found.parameters[found.layout.slices[6]][0])
    assert -0.0025 <= parameter <= 0.0025
    assert abs(parameter) < 0.001


# the file -----------------------------------------------------------------------------------------------------------


def test_the_written_model_behaves_as_calibrated(folder: Path) -> None:
    path, record, found = worn(folder)
    written = folder / "written.inp"
    written.write_bytes(retuned(found))
    with Engine(path) as before, Engine(written) as after:
        for name, pipes in (("length", before.topology.pipes), ("diameter", before.topology.pipes)):
            np.testing.assert_array_equal(before.read("link", name)[pipes], after.read("link", name)[pipes])
        ratio = (before.read("link", "roughness") / after.read("link", "roughness"))[before.topology.pipes] ** 1.852
        np.testing.assert_allclose(ratio, found.resistance, rtol=1e-4)
        # what both districts took from hour to hour, against what the meters and the tank say
        flow = record.flow.resample("1h").mean()
        level = record.level["tower"].resample("1h").mean()
        taken = flow["in_1"] + flow["in_2"] - np.pi / 4.0 * 81.0 * np.gradient(level) / 3600.0
        asked = [np.mean([after.demand_at(h * 3600 + q * 900).sum() for q in range(4)]) for h in range(24)]
    day = taken.iloc[:24].to_numpy()
    np.testing.assert_allclose(np.array(asked)[2:20], day[2:20], rtol=0.1)
    assert np.mean(asked[2:20]) == pytest.approx(day[2:20].mean(), rel=0.01)


def test_everything_else_stands_as_it_stood(folder: Path) -> None:
    path, _, found = worn(folder)
    before, after = Document.of(path.read_bytes()), Document.of(retuned(found))
    for section in ("TANKS", "RESERVOIRS", "CURVES", "CONTROLS", "TIMES", "OPTIONS", "COORDINATES"):
        assert [line.text for line in before.section(section)] == [line.text for line in after.section(section)]
    pipes = [(a.words[:5], a.words[6:]) for a in before.section("PIPES")]
    assert pipes == [(a.words[:5], a.words[6:]) for a in after.section("PIPES")]


# contract -----------------------------------------------------------------------------------------------------------


def test_a_record_without_pressure(folder: Path) -> None:
    path, record, _ = worn(folder)
    with pytest.raises(RecordError, match="no pressure"):
        hydro.calibrate(path, Record(flow=record.flow, level=record.level))


def test_a_repaired_pipe_that_is_not_there(folder: Path) -> None:
    path, record, _ = worn(folder)
    with pytest.raises(UnknownElement, match="nowhere"):
        hydro.calibrate(path, record, [Repair("nowhere", START + pd.Timedelta("48h"))])


def test_a_loaded_network_and_its_path_are_the_same(folder: Path) -> None:
    path, record, found = worn(folder)
    again = hydro.calibrate(load(path), record, beliefs=Beliefs())
    np.testing.assert_array_equal(again.parameters, found.parameters)


def test_wntrs_model_is_calibrated_as_its_file_is(folder: Path) -> None:
    path, record, found = worn(folder)
    model = load(path).model
    again = hydro.calibrate(model, record)
    np.testing.assert_allclose(again.resistance, found.resistance, rtol=0.01)
    np.testing.assert_allclose(again.offset, found.offset, atol=0.01)
    written = folder / "of_model.inp"
    written.write_bytes(retuned(again))
    with Engine(written) as engine, Engine(path) as before:
        ratio = (before.read("link", "roughness") / engine.read("link", "roughness"))[before.topology.pipes] ** 1.852
        np.testing.assert_allclose(ratio, again.resistance, rtol=1e-3)
    one, other = (hydro.estimate(given, record, again) for given in (model, path))
    np.testing.assert_allclose(one.head, other.head, atol=0.01)


# the algebra ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_blocks_with_a_border_are_solved_as_a_whole(seed: int) -> None:
    chance = np.random.default_rng(seed)
    block = np.r_[np.full(6, BORDER), np.repeat([0, 1, 2], 4)]
    a = chance.standard_normal((60, len(block)))
    rows = np.repeat([0, 1, 2], 20)
    a[:, 6:] *= rows[:, None] == block[None, 6:]
    b = chance.standard_normal(60)
    normal = a.T @ a + np.eye(len(block))
    equations = Bordered(a, b, block)
    np.testing.assert_allclose(equations.solve(), np.linalg.solve(normal, a.T @ b), rtol=1e-9)
    border, blocks = equations.covariance()
    inverse = np.linalg.inv(normal)
    np.testing.assert_allclose(border, inverse[:6, :6], rtol=1e-9)
    for columns, own in blocks.values():
        np.testing.assert_allclose(own, inverse[np.ix_(columns, columns)], rtol=1e-9)
    # bounds: holding what falls below is not always the least of all, but never far from it
    lower = np.where(block == BORDER, -np.inf, 0.0)
    stacked, target = np.vstack([a, np.eye(len(block))]), np.r_[b, np.zeros(len(block))]
    bounded, best = equations.solve(lower), lsq_linear(stacked, target, (lower, np.inf))
    assert (bounded >= lower).all()
    cost = 0.5 * float(((stacked @ bounded - target) ** 2).sum())
    assert best.cost <= cost + 1e-9
    assert cost < 1.02 * best.cost


def test_the_usual_take_is_apart_from_what_leaks() -> None:
    chance = np.random.default_rng(3)
    n = 48 * 7 * 8
    hour = (np.arange(n) // 2) % 24
    period = np.arange(n) // (48 * 14)
    nominal = 1.0 + 0.5 * np.sin(2 * np.pi * hour / 24)
    truth = np.array([0.0, 0.3, 0.8, 0.1])
    factor = 1.1 + 0.1 * np.cos(2 * np.pi * hour / 24)
    rest = factor * nominal + truth[period] + 0.02 * chance.standard_normal(n)
    rest[::7] = np.nan
    rest[5::50] += 5.0  # a fire
    found = find_usual(rest, nominal, hour, period, 24, 4)
    np.testing.assert_allclose(found.excess, truth, atol=0.02)
    np.testing.assert_allclose(found.factor, factor[:48:2], atol=0.03)
    assert found.spread == pytest.approx(0.02, rel=0.3)
