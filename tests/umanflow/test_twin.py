"""The simulated city: its own laws, and that it differs from its model as told."""

import numpy as np
import pytest

from hydro.engine import Engine
from networks import find
from scada.plc.stations import pressure_logger, pump_station, tank
from umanflow.twin import Mismatch, TrueLeak, Twin

START_MS = 1_767_571_200_000
EXACT = Mismatch(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def tags():
    return [
        *pump_station("ps", {"flow": "9", "volume": "9", "pump1_running": "9"}, pumps=1),
        *pressure_logger("log", {"pressure": "22"}),
        *tank("tank", {"level": "2"}),
    ]


def follow(twin: Twin, hours: int, step_ms: int = 300_000) -> list[dict[str, float]]:
    try:
        return [twin.advance(START_MS + k * step_ms, {}) for k in range(hours * 3_600_000 // step_ms + 1)]
    finally:
        twin.close()


def test_exact_twin_follows_the_model():
    shown = follow(Twin("Net1", tags(), START_MS, 300, 1, mismatch=EXACT), 12)
    with Engine("Net1") as engine:
        node, link, level = engine.topology.node("22"), engine.topology.link("9"), engine.topology.node("2")
        engine.duration = 12 * 3600
        engine.set_hydraulic_step(300)
        for now in engine.steps():
            if now % 300 == 0:
                row = shown[now // 300]
                assert row["log.pressure"] == pytest.approx(engine.read("node", "pressure")[node], abs=0.02)
                assert row["tank.level"] == pytest.approx(engine.read("node", "pressure")[level], abs=0.01)
                assert row["ps.flow"] == pytest.approx(3600.0 * engine.read("link", "flow")[link], rel=2e-3)


def test_totaliser_adds_up_the_flow():
    shown = follow(Twin("Net1", tags(), START_MS, 300, 1, mismatch=EXACT), 6)
    flows = np.array([row["ps.flow"] for row in shown])
    assert shown[-1]["ps.volume"] == pytest.approx(flows[:-1].sum() * 300.0 / 3600.0, rel=2e-3)


def test_same_seed_same_city_other_seed_another():
    first = follow(Twin("Net1", tags(), START_MS, 300, 7), 2)
    again = follow(Twin("Net1", tags(), START_MS, 300, 7), 2)
    other = follow(Twin("Net1", tags(), START_MS, 300, 8), 2)
    assert first == again
    assert first[-1]["log.pressure"] != other[-1]["log.pressure"]


def test_leak_runs_from_its_start_and_grows_to_its_size():
    leak = TrueLeak("21", START_MS + 3_600_000, 7_200_000, 1e-3)
    twin = Twin("Net1", tags(), START_MS, 300, 1, [leak], EXACT)
    flows = []
    for k in range(5 * 12):
        twin.advance(START_MS + k * 300_000, {})
        flows.append(twin.leak_flows["21"])
    twin.close()
    assert max(flows[:13]) == 0.0
    assert (np.diff(flows[13:36]) > 0.0).all()
    pressure = (flows[-1] / 1e-3) ** 2
    assert 50.0 < pressure < 120.0


def test_a_leak_leaves_the_rest_of_the_city_as_it_was():
    """The draw of roughness and demand does not depend on where it leaks."""
    shut = TrueLeak("21", START_MS + 10**12, 0, 1e-3)
    without = follow(Twin("Net1", tags(), START_MS, 300, 3), 1)
    within = follow(Twin("Net1", tags(), START_MS, 300, 3, [shut]), 1)
    assert within[-1]["tank.level"] == pytest.approx(without[-1]["tank.level"], abs=0.02)
    assert find("Net1")[1].is_file()


class Feast:
    """Twice the demand, and a guest at node 22 who takes ten litres a second."""

    def factor(self, t_ms):
        return 2.0

    def guests(self, t_ms):
        return {"22": 0.01}


def test_calendar_and_guests_are_taken_from_the_network():
    usual = Twin("Net1", tags(), START_MS, 300, 1, mismatch=EXACT)
    feast = Twin("Net1", tags(), START_MS, 300, 1, mismatch=EXACT, calendar=Feast())
    taken = []
    for twin in (usual, feast):
        twin.advance(START_MS + 300_000, {})
        flow, topology = twin.flows, twin._engine.topology
        net = [
            (
                flow[link]
                if topology.is_junction[topology.end[k]] and not topology.is_junction[topology.start[k]]
                else 0.0
            )
            - (
                flow[link]
                if topology.is_junction[topology.start[k]] and not topology.is_junction[topology.end[k]]
                else 0.0
            )
            for k, link in enumerate(topology.links)
        ]
        taken.append(sum(net))
        twin.close()
    assert taken[1] == pytest.approx(2.0 * taken[0] + 0.01, rel=1e-3)


def test_a_meter_shows_its_own_error():
    exact = follow(Twin("Net1", tags(), START_MS, 300, 1, mismatch=EXACT), 2)
    off = follow(Twin("Net1", tags(), START_MS, 300, 1, mismatch=EXACT, gain={"9": 1.02}), 2)
    assert off[-1]["ps.flow"] == pytest.approx(1.02 * exact[-1]["ps.flow"], rel=1e-9)
    assert off[-1]["ps.volume"] == pytest.approx(1.02 * exact[-1]["ps.volume"], rel=1e-9)
    assert off[-1]["log.pressure"] == exact[-1]["log.pressure"]
