"""Cutting at meters: what controls the flow behind a meter is replaced by it; leakage becomes demand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hydro.driven import DrivenModel
from hydro.engine import Engine
from hydro.record import Record
from networks import load
from tests.hydro.inp import write_inp

START = pd.Timestamp("2026-01-05", tz="UTC")
METERED = ("meter",)
SECTIONS = """
[JUNCTIONS]
 s 10 0
 m 10 0
 a 12 6
 b 15 4
 c 14 5
[RESERVOIRS]
 lake 20
[TANKS]
 tower 55 3 0 6 12 0
[PIPES]
 suction lake s 50 300 130 0 Open
 meter m a 80 250 130 0 Open
 ab a b 400 150 100 0 Open
 bc b c 350 150 100 0 Open
 ca c a 500 150 100 0 Open
 up c tower 100 200 120 0 Open
{stations}
"""
STATIONS = {
    "pumps": "[PUMPS]\n one s m HEAD curve\n two s m HEAD curve\n[CURVES]\n curve 12 50\n[STATUS]\n two Closed\n",
    "flow control valve": "[VALVES]\n fcv s m 250 FCV 9 0\n",
}


@pytest.mark.parametrize("station", STATIONS)
def test_what_stands_behind_a_meter_is_replaced_by_its_flow(tmp_path: Path, station: str) -> None:
    body = SECTIONS.format(stations=STATIONS[station]).replace(
        "lake 20", "lake 20" if station == "pumps" else "lake 75"
    )
    path = write_inp(tmp_path / "station.inp", body, hours=3, step="0:15")
    with Engine(path) as engine:
        engine.start()
        engine.solve()
        flow, pressure = engine.read("link", "flow"), engine.read("node", "pressure")
        topology = engine.topology
    times = pd.date_range(START, periods=12, freq="15min")
    record = Record(
        pressure=pd.DataFrame({"b": pressure[topology.node("b")]}, index=times),
        flow=pd.DataFrame({"meter": flow[topology.link("meter")]}, index=times),
        level=pd.DataFrame({"tower": pressure[topology.node("tower")]}, index=times),
    )
    model = DrivenModel(path, record)
    drive = model.drive(record, pd.Timedelta("15min"))
    expected, _ = model.expect(drive)
    closed = model.engine.read("link", "status")
    model.close()
    assert closed[topology.link("meter")] == 0
    # the level stands still: the inflow of the district is its demand, which the model then spreads as it always does
    assert drive.pump_flow[:, 0] == pytest.approx(flow[topology.link("meter")])
    demand = drive.demand[0].sum()
    assert demand == pytest.approx(flow[topology.link("meter")], rel=1e-9)
    assert np.isfinite(expected).all()


def test_a_station_gives_the_pressures_that_it_gave(tmp_path: Path) -> None:
    """With the tank's storage change measured, the replaced station leaves nothing to explain."""
    path = write_inp(tmp_path / "p.inp", SECTIONS.format(stations=STATIONS["pumps"]), hours=6, step="0:15")
    rows = []
    with Engine(path) as engine:
        topology = engine.topology
        for _ in engine.steps():
            flow, pressure = engine.read("link", "flow"), engine.read("node", "pressure")
            rows.append(
                [flow[topology.link("meter")], pressure[topology.node("tower")], *pressure[: len(engine.junctions)]]
            )
    table = np.array(rows)[:24]
    times = pd.date_range(START, periods=len(table), freq="15min")
    names = topology.nodes[: table.shape[1] - 2]
    record = Record(
        pressure=pd.DataFrame(table[:, 2:], index=times, columns=names)[["a", "b", "c"]],
        flow=pd.DataFrame({"meter": table[:, 0]}, index=times),
        level=pd.DataFrame({"tower": table[:, 1]}, index=times),
    )
    model = DrivenModel(path, record)
    expected, _ = model.expect(model.drive(record, pd.Timedelta("15min")))
    model.close()
    inner = slice(2, -2)  # the storage change is a central difference
    assert expected[inner] == pytest.approx(record.pressure.to_numpy()[inner], abs=0.02)


def test_leakage_is_demand_once_the_inflow_is_measured() -> None:
    network = load("uman")
    assert network.leakage is not None
    times = pd.date_range(START, periods=4, freq="1h")
    record = Record(flow=pd.DataFrame({"INL-C2": [0.009] * 4}, index=times))
    model = DrivenModel(network, record)
    with_leakage = model.nominal_demand(times, pd.Timedelta("1h"))
    still_leaks = model.engine.leaks
    model.close()
    network.leakage = None
    model = DrivenModel(network, record)
    without = model.nominal_demand(times, pd.Timedelta("1h"))
    model.close()
    assert not still_leaks
    lost = (with_leakage - without)[0].sum() * 86_400.0
    assert lost == pytest.approx(5_300.0, rel=0.05)  # m3/d, what Uman's model is built to lose
    assert (with_leakage >= without - 1e-12).all()


def test_emitters_are_demand_too(tmp_path: Path) -> None:
    body = SECTIONS.format(stations=STATIONS["pumps"]) + "[EMITTERS]\n b 0.5\n"
    path = write_inp(tmp_path / "emitters.inp", body, hours=24, step="0:15")
    times = pd.date_range(START, periods=4, freq="1h")
    record = Record(flow=pd.DataFrame({"meter": [0.015] * 4}, index=times))
    model = DrivenModel(path, record)
    nominal = model.nominal_demand(times, pd.Timedelta("1h"))[0]
    still = model.engine.read("node", "emitter")
    b = model.topology.node("b")
    model.close()
    assert (still == 0.0).all()
    # demand 4 L/s, and 0.5 L/s per sqrt(m) at 40 to 48 m of pressure
    assert 4e-3 + 0.5e-3 * 40**0.5 < nominal[b] < 4e-3 + 0.5e-3 * 48**0.5
    assert np.delete(nominal, b).sum() == pytest.approx(11e-3)
