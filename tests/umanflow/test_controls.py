"""Commands to simulated PLCs act on the hydraulics, with ramps and interlocks."""

import asyncio
from collections.abc import Iterator

import pytest
from pymodbus.client import AsyncModbusTcpClient

from hydro.engine import Engine
from hydro.holds import resume, suspend
from networks import load
from scada.plc.stations import pump_station, valve_station
from umanflow.plant import HOST, Plant
from umanflow.twin import Mismatch, Twin

START_MS = 1_767_571_200_000
EXACT = Mismatch(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
PUMP = pump_station(
    "ps", {"flow": "9", "pump1_command": "9", "pump1_running": "9", "discharge_pressure": "10"}, pumps=1
)


class Run:
    """A twin told by the second."""

    def __init__(self, twin: Twin) -> None:
        self.twin, self.seconds = twin, 0

    def on(self, seconds: int, **commands: float) -> dict[str, float]:
        self.seconds += seconds
        told = {name.replace("__", "."): value for name, value in commands.items()}
        return self.twin.advance(START_MS + 1000 * self.seconds, told)


@pytest.fixture
def net1() -> Iterator[Run]:
    twin = Twin("Net1", PUMP, START_MS, 60, 1, mismatch=EXACT)
    yield Run(twin)
    twin.close()


def test_pump_starts_and_stops_along_a_ramp(net1: Run) -> None:
    before = net1.on(60)
    assert (before["ps.in_automatic"], before["ps.pump1_running"], before["ps.pump1_speed"]) == (1.0, 1.0, 50.0)
    slower = net1.on(10, ps__pump1_command=0.0)
    assert slower["ps.in_automatic"] == 0.0
    assert slower["ps.pump1_speed"] == pytest.approx(40.0)  # 1 Hz/s
    assert 0.0 < slower["ps.flow"] < before["ps.flow"]
    still = net1.on(60)
    assert (still["ps.pump1_running"], still["ps.pump1_speed"]) == (0.0, 0.0)
    assert still["ps.flow"] == pytest.approx(0.0, abs=0.01)
    half = net1.on(60, ps__pump1_command=1.0, ps__pump1_speed_setpoint=45.0)
    assert half["ps.pump1_speed"] == 45.0
    assert 0.0 < half["ps.flow"] < before["ps.flow"]
    assert half["ps.pump1_speed_setpoint"] == 45.0


def test_the_models_controls_are_out_until_automatic_is_back(net1: Run) -> None:
    """Net1 stops pump 9 when the tank is full, and starts it when it is low."""
    net1.on(60, ps__pump1_command=1.0)
    full = net1.on(24 * 3600)
    assert full["ps.pump1_running"] == 1.0
    again = net1.on(3600, ps__in_automatic=1.0)
    assert (again["ps.in_automatic"], again["ps.pump1_running"]) == (1.0, 0.0)


def test_pressure_is_held_by_the_speed(net1: Run) -> None:
    first = net1.on(60)["ps.discharge_pressure"]
    held = net1.on(1800, ps__pressure_setpoint=first - 10.0)
    assert held["ps.discharge_pressure"] == pytest.approx(first - 10.0, abs=0.5)
    assert held["ps.pump1_speed"] < 50.0


def test_starts_per_hour_are_limited(net1: Run) -> None:
    for _ in range(6):
        net1.on(60, ps__pump1_command=0.0)
        shown = net1.on(60, ps__pump1_command=1.0)
    assert (shown["ps.pump1_command"], shown["ps.pump1_inhibited"]) == (1.0, 1.0)
    net1.on(60, ps__pump1_command=0.0)
    refused = net1.on(60, ps__pump1_command=1.0)
    assert (refused["ps.pump1_command"], refused["ps.pump1_speed"]) == (0.0, 0.0)
    later = net1.on(3600)
    assert later["ps.pump1_inhibited"] == 0.0
    assert net1.on(60, ps__pump1_command=1.0)["ps.pump1_speed"] == 50.0


def test_low_suction_trips_the_pump_until_it_is_reset() -> None:
    """The suction gauge sits on a node that is made to fall below the limit."""
    tags = pump_station(
        "ps", {"flow": "9", "pump1_command": "9", "pump1_running": "9", "suction_pressure": "2"}, pumps=1
    )
    twin = Twin("Net1", tags, START_MS, 60, 1, mismatch=EXACT)
    program = twin._controls._stations["ps"].pumps["pump1"][1]
    limits = program.limits
    run = Run(twin)
    try:
        assert run.on(60)["ps.pump1_fault"] == 0.0
        program.limits = type(limits)(least_suction=1000.0)
        run.on(60)
        tripped = run.on(60)
        assert (tripped["ps.pump1_fault"], tripped["ps.has_alarm"], round(tripped["ps.flow"], 2)) == (1.0, 1.0, 0.0)
        stuck = run.on(60, ps__pump1_command=1.0)
        assert (stuck["ps.pump1_command"], stuck["ps.pump1_inhibited"], round(stuck["ps.flow"], 2)) == (0.0, 1.0, 0.0)
        assert run.on(7200)["ps.flow"] == pytest.approx(0.0, abs=0.01)  # the model's controls are held too
        program.limits = limits
        reset = run.on(60, ps__reset=1.0)
        assert (reset["ps.pump1_fault"], reset["ps.reset"], round(reset["ps.flow"], 2)) == (0.0, 0.0, 0.0)
        assert run.on(120, ps__pump1_command=1.0)["ps.flow"] > 0.0
    finally:
        twin.close()


def test_run_hours_count_while_it_runs(net1: Run) -> None:
    ran = net1.on(7200)["ps.pump1_run_hours"]
    assert ran == pytest.approx(2.0, abs=0.02)
    net1.on(120, ps__pump1_command=0.0)
    stopped = net1.on(60)["ps.pump1_run_hours"]
    assert net1.on(7200)["ps.pump1_run_hours"] == stopped


def test_setpoint_of_a_valve_ramps_and_acts() -> None:
    network = load("uman")
    dma, inlet, prv = next(row for row in network.dmas[["dma", "inlet", "prv"]].itertuples(index=False) if row[2])
    tags = valve_station("prv", {"flow": inlet, "pressure_setpoint": prv, "downstream_pressure": f"IN-{dma}"})
    twin = Twin(network, tags, START_MS, 60, 1, mismatch=EXACT)
    run = Run(twin)
    try:
        before = run.on(60)
        target = before["prv.pressure_setpoint"] - 6.0
        soon = run.on(60, prv__pressure_setpoint=target)
        late = run.on(120)
        assert soon["prv.pressure_setpoint"] == late["prv.pressure_setpoint"] == target
        fall = before["prv.downstream_pressure"] - soon["prv.downstream_pressure"]
        assert fall == pytest.approx(3.0, abs=0.3)  # 0.05 m/s
        assert before["prv.downstream_pressure"] - late["prv.downstream_pressure"] == pytest.approx(6.0, abs=0.05)
    finally:
        twin.close()


def test_commands_come_over_the_wire() -> None:
    async def run() -> list[object]:
        twin = Twin("Net1", PUMP, START_MS, 60, 1, mismatch=EXACT)
        found: list[object] = []
        async with Plant([{1: PUMP}], twin, [(HOST, 0)]) as plant:
            await plant.advance(START_MS + 60_000)
            client = AsyncModbusTcpClient(HOST, port=plant.ports[0], retries=0)
            await client.connect()
            found.append((await client.read_discrete_inputs(0, count=1, device_id=1)).bits[0])
            assert not (await client.write_coil(0, False, device_id=1)).isError()
            await plant.advance(START_MS + 180_000)
            found.append((await client.read_discrete_inputs(0, count=1, device_id=1)).bits[0])
            assert not (await client.write_registers(10, [4000], device_id=1)).isError()
            assert not (await client.write_coils(0, [True], device_id=1)).isError()
            await plant.advance(START_MS + 300_000)
            found.append((await client.read_input_registers(20, count=1, device_id=1)).registers[0])
            found.append((await client.write_register(10, 6001, device_id=1)).exception_code)  # beyond 60 Hz
            found.append((await client.write_register(5, 1, device_id=1)).exception_code)  # nothing there
            found.append((await client.write_coil(0, True, device_id=9)).exception_code)
            client.close()
        twin.close()
        return found

    assert asyncio.run(run()) == [True, False, 4000, 3, 2, 11]


def test_controls_are_held_and_given_back() -> None:
    with Engine("Net1") as engine:
        engine.duration = 24 * 3600
        pump = engine.topology.link("9")
        controls = suspend(engine, "9")
        states = [engine.read("link", "status")[pump] for _ in engine.steps()]
        assert all(states)
        resume(engine, controls)
        states = [engine.read("link", "status")[pump] for _ in engine.steps()]
        assert not all(states)
