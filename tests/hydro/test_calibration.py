"""Calibration on a plant whose pipes, demands and sensors differ from its model by known amounts."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hydro.calibration import Calibration, Prior, calibrate
from hydro.drive import Drive
from hydro.driven import DrivenModel
from hydro.engine import Engine
from hydro.errors import RecordError
from hydro.record import Record
from tests.hydro.inp import two_districts, write_inp
from tests.hydro.plant import measure, settled

SENSORS = ("a11", "a22", "a30", "a13", "b00", "b11", "b20")
METERS = ("in_1", "in_2", "in_b")
OFFSET = np.array([0.25, -0.4, 0.1, 0.0, 0.3, -0.15, 0.5])
HOUR = pd.Timedelta("1h")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calibration")


@cache
def worn(folder: Path, seed: int, hours: int = 48) -> tuple[Path, Record]:
    """The INP, and what instruments with offsets say about a plant that is older than it."""

    def age(engine: Engine) -> None:
        chance = np.random.default_rng(seed)
        pipes, junctions = engine.topology.pipes, engine.junctions
        factor = np.exp(0.2 + 0.3 * chance.standard_normal(len(pipes)))
        engine.set_values("link", pipes, "length", engine.topology.length[pipes] * factor)
        demand = engine.read("node", "base_demand")[junctions]
        engine.set_demands(demand * np.exp(0.3 * chance.standard_normal(len(junctions))))

    path = folder / "plant.inp"
    write_inp(path, two_districts(), hours=hours, step="0:05", pattern_step="0:15")
    record = measure(path, hours, SENSORS, METERS, ("tower",), age)
    noise = 0.01 * np.random.default_rng(seed + 100).standard_normal(record.pressure.shape)
    return path, replace(record, pressure=record.pressure + OFFSET + noise)


class Case:
    """A model about to be calibrated."""

    def __init__(self, path: Path, record: Record) -> None:
        self.record, self.means = record, record.resampled(HOUR)
        self.model = DrivenModel(path, self.means)
        self.drive: Drive = self.model.drive(self.means, HOUR)
        self.measured = np.hstack([self.means.pressure.to_numpy(), self.means.flow.to_numpy()])

    def calibrate(self, prior: Prior | None = None) -> Calibration:
        return calibrate(self.model, self.drive, self.measured, prior)

    def misfit(self, offset: np.ndarray) -> np.ndarray:
        """What is left of each pressure, m, in the intervals in which nothing switched."""
        pressure, _ = self.model.expect(self.model.drive(self.means, HOUR))
        rest = self.means.pressure.to_numpy() - offset - pressure
        found: np.ndarray = rest[settled(self.record, HOUR, METERS, full=6.4)]
        return found


@pytest.fixture(params=[1, 2, 3])
def case(request: pytest.FixtureRequest, folder: Path) -> Iterator[Case]:
    made = Case(*worn(folder, request.param))
    yield made
    made.model.close()


@pytest.fixture
def one(folder: Path) -> Iterator[Case]:
    made = Case(*worn(folder, 1))
    yield made
    made.model.close()


def test_misfit_falls_and_offsets_are_recovered(case: Case) -> None:
    found = case.calibrate()
    # measured: 0.40-0.50 m before, 0.006-0.009 m after
    assert found.before > 0.3
    assert found.after < found.before / 30.0
    np.testing.assert_allclose(found.offset, OFFSET, atol=0.05)
    # pipes are rougher than the INP says, and the model knows it afterwards
    assert 0.03 < np.log(found.resistance).mean() < 0.3
    rest = case.misfit(found.offset)
    assert len(rest) > 20
    assert np.sqrt((rest**2).mean(axis=0)).max() < 0.03


def test_a_model_that_is_right_stays_as_it_is(folder: Path) -> None:
    path, _ = worn(folder, 1)
    case = Case(path, measure(path, 48, SENSORS, METERS, ("tower",)))
    # hours in which the tank fills or leaves its top fit no steady state
    case.measured[~settled(case.record, HOUR, METERS, full=6.4)] = np.nan
    found = case.calibrate()
    case.model.close()
    assert found.before < 0.01
    assert found.after < 0.01
    np.testing.assert_allclose(found.offset, 0.0, atol=0.02)
    np.testing.assert_allclose(np.log(found.resistance), 0.0, atol=0.1)
    np.testing.assert_allclose(np.log(found.demand), 0.0, atol=0.1)


def test_offsets_alone_are_found_alone(folder: Path) -> None:
    path, _ = worn(folder, 1)
    record = measure(path, 48, SENSORS, METERS, ("tower",))
    case = Case(path, replace(record, pressure=record.pressure + OFFSET))
    found = case.calibrate(Prior(resistance=1e-4, demand=1e-4))
    case.model.close()
    # the prior of 0.3 m holds an offset back by next to nothing
    np.testing.assert_allclose(found.offset, OFFSET, atol=0.01)
    np.testing.assert_allclose(found.resistance, 1.0, atol=1e-2)


def test_the_model_is_left_corrected(one: Case) -> None:
    found = one.calibrate()
    length = one.model.engine.read("link", "length")[one.model.topology.pipes]
    np.testing.assert_allclose(
        length / one.model.topology.length[one.model.topology.pipes], found.resistance, rtol=1e-9
    )
    np.testing.assert_allclose(one.model.demand_factor, found.demand)


def test_the_prior_holds_what_is_not_seen(one: Case) -> None:
    tight = one.calibrate(Prior(resistance=0.01, demand=0.01))
    # seven sensors over two days outvote a prior of 1 %, but not by far: the plant is 20 to 100 % off
    assert np.abs(np.log(tight.resistance)).max() < 0.2
    assert np.abs(np.log(tight.demand)).max() < 0.2
    assert tight.after > 0.02


def test_calibrating_twice_is_the_same(folder: Path, one: Case) -> None:
    found = one.calibrate()
    again = Case(*worn(folder, 1))
    second = again.calibrate()
    again.model.close()
    np.testing.assert_array_equal(found.offset, second.offset)
    np.testing.assert_array_equal(found.resistance, second.resistance)


# instruments with gaps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sensor", [0, 2, 6])
def test_a_sensor_with_gaps_is_still_believed(one: Case, sensor: int) -> None:
    # a logger that misses two hours of three: what it says in the third counts in full
    one.measured[np.arange(len(one.measured)) % 3 != 0, sensor] = np.nan
    found = one.calibrate()
    np.testing.assert_allclose(found.offset, OFFSET, atol=0.06)


def test_a_silent_sensor_teaches_nothing(one: Case) -> None:
    one.measured[:, 1] = np.nan
    found = one.calibrate()
    assert found.offset[1] == pytest.approx(0.0, abs=1e-9)
    assert found.after < found.before / 20.0
    np.testing.assert_allclose(np.delete(found.offset, 1), np.delete(OFFSET, 1), atol=0.05)


def test_a_silent_meter_does_not_stop_the_others(one: Case) -> None:
    one.measured[:, len(SENSORS)] = np.nan
    found = one.calibrate()
    assert found.after < found.before / 20.0
    np.testing.assert_allclose(found.offset, OFFSET, atol=0.1)


def test_two_rare_sensors_do_not_choose_the_moments(one: Case) -> None:
    # two loggers that call in twice: the fit still rests on the moments at which all others spoke
    for column in (5, 6):
        kept = one.measured[[10, 30], column]
        one.measured[:, column] = np.nan
        one.measured[[10, 30], column] = kept
    found = one.calibrate()
    np.testing.assert_allclose(found.offset[:5], OFFSET[:5], atol=0.05)
    rest = one.misfit(found.offset)
    assert np.sqrt((rest[:, :5] ** 2).mean(axis=0)).max() < 0.03


# contract -------------------------------------------------------------------------------------------------------------


def test_too_short_a_period(one: Case) -> None:
    drive, measured = one.drive.rows(np.arange(11)), one.measured[:11]
    with pytest.raises(RecordError, match="11 intervals"):
        calibrate(one.model, drive, measured)


def test_a_period_without_a_boundary(one: Case) -> None:
    one.drive.level[5:] = np.nan
    with pytest.raises(RecordError, match="5 intervals"):
        one.calibrate()


def test_a_period_that_cannot_be_solved(one: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = np.full((len(one.measured), len(SENSORS)), np.nan), np.full((len(one.measured), len(METERS)), np.nan)
    monkeypatch.setattr(one.model, "expect", lambda drive: nothing)
    with pytest.raises(RecordError):
        one.calibrate()
