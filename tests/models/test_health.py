"""Faults of instruments on a small town: each told as what it is, with its time and size, and none taken for a leak."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hydro.record import Record
from models.detect import Detection, detect
from models.health import CLOCK, DRIFT, GAP, METER, OFFSET, STUCK, SURGE, UNIT, VALVE, Fault
from tests.models.grid_town import changed, day, simulate, write_town
from umanflow.detection import health

DAYS, LEARNT = 60, 30


@pytest.fixture(scope="module")
def inp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_town(tmp_path_factory.mktemp("town") / "town.inp")


@pytest.fixture(scope="module")
def quiet(inp: Path) -> Record:
    return simulate(inp, DAYS)


@pytest.fixture(scope="module")
def leaking(inp: Path) -> Record:
    return simulate(inp, DAYS, leak=("P21E", 44.3, 0.0025))


def run(inp: Path, record: Record, until: float = DAYS) -> Detection:
    return detect(inp, record.between(day(LEARNT), day(until)), history=record.between(day(0), day(LEARNT)))


def after(record: Record, number: float) -> np.ndarray:
    return np.asarray(record.pressure.index >= day(number))


def with_sensor(record: Record, name: str, change: Callable[[pd.Series], object]) -> Record:
    values = record.pressure[name]
    return changed(record, pressure={name: pd.Series(change(values), index=values.index)})


def told(found: Detection) -> list[Fault]:
    return [f for f in found.health.faults if f.kind != GAP]


def since_start(record: Record, number: float) -> np.ndarray:
    return np.maximum(0.0, np.asarray((record.pressure.index - day(number)) / pd.Timedelta("1D")))


def gappy(record: Record, seed: int = 3) -> Record:
    """A tenth of every column missing, hours at a time."""
    chance = np.random.default_rng(seed)
    new: dict[str, dict[str, pd.Series]] = {"pressure": {}, "flow": {}}
    for quantity, columns in new.items():
        for name, values in getattr(record, quantity).items():
            column = values.copy()
            for begin in np.flatnonzero(chance.random(len(column)) < 0.1 / 0.9 / 24):
                column.iloc[begin : begin + 1 + int(chance.exponential(24))] = np.nan
            columns[str(name)] = column
    return changed(record, pressure=new["pressure"], flow=new["flow"])


def test_nothing_is_told_of_sound_instruments(inp: Path, quiet: Record) -> None:
    found = run(inp, quiet)
    assert (found.leaks, found.health.faults, found.health.limits) == ([], [], [])


@pytest.mark.parametrize(
    ("name", "change", "kind", "since", "size", "within"),
    [
        ("J33", lambda r: r.pressure["J33"] + 0.5 * after(r, 45.0), OFFSET, 45.0, 0.5, 0.02),
        ("J14", lambda r: r.pressure["J14"] - 0.2 * after(r, 45.4), OFFSET, 45.4, -0.2, 0.02),
        ("J21", lambda r: r.pressure["J21"] + 0.02 * since_start(r, 42.0), DRIFT, 42.0, 0.02, 0.004),
        (
            "J52",
            lambda r: r.pressure["J52"].where(~after(r, 44.0), r.pressure["J52"].shift(4)),
            CLOCK,
            44.0,
            3600.0,
            1.0,
        ),
        ("J05", lambda r: r.pressure["J05"] * np.where(after(r, 43.3), 9.80665, 1.0), UNIT, 43.3, 9.80665, 1e-9),
        ("J05", lambda r: r.pressure["J05"] * 0.0980665, UNIT, 0.0, 0.0980665, 1e-9),
    ],
    ids=["offset up", "offset down", "drift", "clock", "kPa", "bar from the start"],
)
def test_a_sensors_fault_is_told_as_what_it_is(
    inp: Path, quiet: Record, name: str, change: Callable[[Record], pd.Series], kind: str, since: float, size: float,
    within: float,
) -> None:  # fmt: skip
    found = run(inp, with_sensor(quiet, name, lambda _: change(quiet)))
    assert [(f.element, f.kind) for f in told(found)] == [(name, kind)]
    (fault,) = told(found)
    assert abs(fault.since - day(since)) <= pd.Timedelta("2D")
    assert fault.size == pytest.approx(size, abs=within)
    assert fault.until is None
    assert fault.since < fault.told <= day(since) + pd.Timedelta("6D")
    assert found.leaks == []


def test_a_sensor_that_stands_still_is_told_with_its_end(inp: Path, quiet: Record) -> None:
    during = after(quiet, 44.0) & ~after(quiet, 50.0)
    found = run(inp, with_sensor(quiet, "J40", lambda v: v.where(~during, v.iloc[44 * 96])))
    (fault,) = told(found)
    assert (fault.element, fault.kind, fault.since) == ("J40", STUCK, day(44.0))
    assert fault.until == day(50.0) - pd.Timedelta("15min")
    assert found.leaks == []


def test_an_offset_that_is_put_right_ends(inp: Path, quiet: Record) -> None:
    during = after(quiet, 38.0) & ~after(quiet, 48.0)
    found = run(inp, with_sensor(quiet, "J33", lambda v: v + 0.4 * during))
    assert {f.element for f in told(found)} == {"J33"}
    assert found.leaks == []
    ends = [f.until for f in told(found)]
    assert all(end is not None for end in ends)
    assert any(abs(end - day(48.0)) <= pd.Timedelta("1D") for end in ends if end is not None)


def test_a_leak_is_a_leak(inp: Path, leaking: Record) -> None:
    found = run(inp, leaking)
    (leak,) = found.leaks
    topology = found.topology
    assert topology.distance_from_link(topology.link("P21E"))[topology.link(leak.pipe)] <= 400.0
    assert leak.flow.flow == pytest.approx(0.0025, rel=0.3)
    assert day(44.3) < leak.detected <= day(47.0)
    assert [f.kind for f in told(found) if f.kind != SURGE] == []


def test_a_closed_valve_is_told_by_its_pipe(inp: Path) -> None:
    found = run(inp, simulate(inp, DAYS, shut=("P30E", 44.0)))
    (fault,) = told(found)
    topology = found.topology
    assert (fault.kind, fault.quantity) == (VALVE, "pipe")
    assert topology.distance_from_link(topology.link("P30E"))[topology.link(fault.element)] <= 400.0
    assert abs(fault.since - day(44.0)) <= pd.Timedelta("1D")
    assert f"closed valve near pipe {fault.element}" in fault.evidence
    assert found.leaks == []
    rows = health(found, simulate(inp, 2))
    (row,) = [r for r in rows if r["quantity"] == "pipe"]
    assert (row["instrument"], row["state"]) == (fault.element, "closed")


@pytest.mark.parametrize(("meter", "factor", "away"), [("IN-2", 0.94, 0.0), ("IN-1", 1.08, 0.1)])
def test_a_meter_that_was_exchanged_is_no_leak(
    inp: Path, quiet: Record, meter: str, factor: float, away: float
) -> None:
    """One that shows less is told by the pressures; one that shows more looks like a leak but for its gap."""
    flow = quiet.flow[meter] * np.where(after(quiet, 45.0), factor, 1.0)
    flow = flow.where(~(after(quiet, 45.0) & ~after(quiet, 45.0 + away)))
    found = run(inp, changed(quiet, flow={meter: flow}))
    (fault,) = told(found)
    assert (fault.element, fault.kind) == (meter, METER)
    assert fault.size == pytest.approx(factor, abs=0.02)
    assert found.leaks == []


def test_guests_are_no_leak(inp: Path) -> None:
    found = run(inp, simulate(inp, DAYS, feast=(44.0, 51.0)))
    assert found.leaks == []
    assert {f.kind for f in told(found)} == {SURGE}
    assert abs(told(found)[0].since - day(44.0)) <= pd.Timedelta("1D")


def test_a_tenth_missing_changes_little(inp: Path, leaking: Record) -> None:
    whole, poor = run(inp, leaking), run(inp, gappy(leaking))
    # one day of the first, when what bridges a meter's gap is not learnt yet
    assert len(poor.residuals) >= len(whole.residuals) - 1
    topology = whole.topology
    (leak,), (other,) = whole.leaks, poor.leaks
    assert topology.distance_from_link(topology.link(leak.pipe_best))[topology.link(other.pipe_best)] <= 400.0
    assert other.flow_best == pytest.approx(leak.flow_best, rel=0.15)
    assert abs(other.detected - leak.detected) <= pd.Timedelta("2D")
    assert [f.kind for f in told(poor) if f.kind != SURGE] == []


def test_flows_alone_tell_that_and_when(inp: Path) -> None:
    """A larger one: nothing but the balance tells of it."""
    record = simulate(inp, DAYS, leak=("P21E", 44.3, 0.006))
    found = run(inp, Record(flow=record.flow))
    assert any("no pressure column" in text for text in found.health.limits)
    assert day(44.3) < found.leaks[0].detected <= day(48.0)
    assert found.leaks[0].flow_best == pytest.approx(0.006, rel=0.4)


def test_pressures_alone_tell_where(inp: Path, leaking: Record) -> None:
    found = run(inp, Record(pressure=leaking.pressure))
    assert any("no flow column" in text for text in found.health.limits)
    topology = found.topology
    away = topology.distance_from_link(topology.link("P21E"))
    assert away[topology.link(found.leaks[0].pipe)] <= 600.0


def test_what_was_told_by_a_day_does_not_change_afterwards(inp: Path, leaking: Record) -> None:
    faulty = with_sensor(gappy(leaking), "J52", lambda v: v + 0.02 * since_start(leaking, 36.0))
    late = faulty.pressure["J05"].where(~after(faulty, 40.0), faulty.pressure["J05"].shift(4))
    faulty = changed(faulty, pressure={"J05": late})
    long, short = run(inp, faulty), run(inp, faulty, until=48.0)

    def rows(found: Detection) -> tuple[list[object], list[object]]:
        faults = sorted((f.told, f.element, f.quantity) for f in told(found) if f.told <= day(48.0))
        leaks = [(x.detected, x.pipe, x.flow, x.probability) for x in found.leaks if x.detected <= day(48.0)]
        return faults, leaks

    assert rows(short) == rows(long)
    assert len(rows(short)[0]) >= 2
    assert len(rows(short)[1]) >= 1
    pd.testing.assert_frame_equal(short.residuals, long.residuals.loc[: short.residuals.index[-1]])


def test_an_offset_in_a_long_history_is_taken_off_once(inp: Path) -> None:
    # the model is calibrated again on such a history, freed of the offset; the data have it as it is
    record = simulate(inp, 90)
    record = with_sensor(record, "J33", lambda v: v + 0.5 * after(record, 40.0))
    found = detect(inp, record.between(day(70), day(90)), history=record.between(day(0), day(70)))
    assert (found.leaks, found.untold) == ([], ())
    (fault,) = told(found)
    assert (fault.element, fault.kind) == ("J33", OFFSET)
